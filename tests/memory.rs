//! The memory of a process that has logged in holds no password, no passphrase and no private
//! key: all of it is read, as a core dump would have it, and searched.

#[path = "common/trials.rs"]
mod trials;

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use dbdoctor_lab::{CertSpec, Conn, Lab, Need, Sshd, write_mode};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;

const TRIALS: &[trials::Named<Lab>] = &[
    ("what_is_there_is_found", found),
    ("a_password_in_a_url_is_gone", url),
    ("a_password_in_a_connection_string_is_gone", conninfo),
    ("a_password_in_the_environment_is_gone", variable),
    ("a_url_in_the_environment_is_gone", url_variable),
    ("a_password_in_pgpass_is_gone", passfile),
    ("a_password_in_an_env_file_is_gone", env_file),
    ("a_password_in_a_service_file_is_gone", service),
    ("an_md5_password_is_gone", md5),
    ("an_ed25519_key_of_ssh_is_gone", ed25519),
    (
        "an_encrypted_key_of_ssh_and_its_passphrase_are_gone",
        encrypted,
    ),
    ("an_rsa_key_of_ssh_is_gone", rsa),
    ("a_password_of_ssh_is_gone", ssh_password),
    ("the_file_of_a_client_certificates_key_is_gone", client_key),
    ("a_listening_tunnel_holds_none", tunnel),
];

fn main() {
    let linux = match cfg!(target_os = "linux") && nix::unistd::geteuid().is_root() {
        true => trials::lab(&[Need::Postgres, Need::Sshd, Need::Root]),
        false => Err("reads another process's memory: needs Linux and root".to_owned()),
    };
    trials::run(2, linux, TRIALS);
}

/// Something that must not be in the memory, and how it is called.
struct Canary(&'static str, Vec<u8>);

/// A password in the forms in which it would be of use.
fn password(text: &str) -> Vec<Canary> {
    let half = text.len() / 2;
    let encoded = openssl::base64::encode_block(text.as_bytes());
    vec![
        Canary("the password", text.into()),
        Canary("the password's first half", text[..half].into()),
        Canary("the password's second half", text[half..].into()),
        Canary("the password in Base64", encoded[..16].into()),
    ]
}

/// dbdoctor in an empty environment, which says on standard error when it has logged in.
fn dbdoctor(lab: &Lab, args: &[&str]) -> Result<Command> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dbdoctor"));
    command
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", lab.dir("home")?)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    Ok(command)
}

/// `idle` on a target: it has logged in once it says that a connection is alive.
fn idle(lab: &Lab, target: &[&str]) -> Result<Command> {
    let args = [
        &["idle", "--for", "8s", "--ssh-config", "/dev/null"],
        target,
    ]
    .concat();
    dbdoctor(lab, &args)
}

/// Searches the memory of a run that is far enough to say this.
fn search(mut command: Command, says: &str, canaries: &[Canary]) -> Result<Vec<String>> {
    let mut child = command.spawn()?;
    let searched = once_it_says(&mut child, says).and_then(|()| held(child.id(), canaries));
    child.kill()?;
    child.wait()?;
    searched
}

/// The same, and nothing may be found.
fn none(command: Command, says: &str, canaries: &[Canary]) -> Result<()> {
    let found = search(command, says, canaries)?;
    ensure!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

fn once_it_says(child: &mut Child, part: &str) -> Result<()> {
    let stderr = child.stderr.take().context("standard error is a pipe")?;
    let mut lines = BufReader::new(stderr).lines();
    let mut heard = String::new();
    for line in &mut lines {
        let line = line?;
        if line.contains(part) {
            thread::spawn(move || lines.for_each(drop));
            return Ok(());
        }
        heard.push_str(&line);
        heard.push('\n');
    }
    bail!("it never said {part:?}, but:\n{heard}")
}

/// What of these a process holds, with where and what stands around it.
fn held(pid: u32, canaries: &[Canary]) -> Result<Vec<String>> {
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    let mut found = Vec::new();
    for line in fs::read_to_string(format!("/proc/{pid}/maps"))?.lines() {
        let mut fields = line.split_whitespace();
        let range = fields.next().context("a range")?;
        let readable = fields.next().is_some_and(|mode| mode.starts_with('r'));
        let name = fields.nth(3).unwrap_or("anonymous");
        if !readable || ["[vvar]", "[vvar_vclock]", "[vsyscall]"].contains(&name) {
            continue;
        }
        let (from, to) = range.split_once('-').context("a range")?;
        let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
        let mut bytes = vec![0; usize::try_from(to - from)?];
        memory
            .read_exact_at(&mut bytes, from)
            .with_context(|| format!("cannot read {line}"))?;
        for Canary(what, canary) in canaries {
            ensure!(canary.len() >= 8, "{what}: too short to tell");
            let places = aho_corasick::AhoCorasick::new([canary])?;
            for place in places.find_iter(&bytes) {
                let (start, end) = (place.start().saturating_sub(48), place.end() + 16);
                let around = &bytes[start..end.min(bytes.len())];
                found.push(format!(
                    "{what} at {:x} in {name}: {}",
                    from + place.start() as u64,
                    around.escape_ascii()
                ));
            }
        }
    }
    Ok(found)
}

const ALIVE: &str = "alive after";

/// The search itself: what dbdoctor shows and keeps is found.
fn found(lab: &Lab) -> Result<()> {
    let pg = lab.postgres()?;
    let conn = pg.conn().set("application_name", "canary-of-this-test");
    let mut command = idle(lab, &[&conn.to_string()])?;
    command.env("PGPASSWORD", lab.password());
    let canary = Canary("the name", b"canary-of-this-test".to_vec());
    let found = search(command, ALIVE, &[canary])?;
    ensure!(!found.is_empty(), "the search finds nothing at all");
    Ok(())
}

/// A role with a password that is in no other test's process, and the target without it.
fn role(lab: &Lab, name: &str) -> Result<(Conn, String)> {
    role_by(lab, name, "scram-sha-256")
}

fn role_by(lab: &Lab, name: &str, encryption: &str) -> Result<(Conn, String)> {
    let pg = lab.postgres()?;
    let password = format!("Kq7vX{name}2wZr9pL4tB");
    pg.sql(&format!(
        "set password_encryption = '{encryption}'; \
         drop role if exists {name}; create role {name} login password '{password}'"
    ))?;
    Ok((pg.conn().set("user", name), password))
}

/// The password's canaries and those of SCRAM: what a server would take in its place.
fn scram(lab: &Lab, name: &str, text: &str) -> Result<Vec<Canary>> {
    let query = format!("select rolpassword from pg_authid where rolname = '{name}'");
    let verifier = lab.postgres()?.sql(&query)?;
    let parts: Vec<&str> = verifier.trim().split(['$', ':']).collect();
    let [_, iterations, salt, _, _] = parts[..] else {
        bail!("not a verifier: {verifier}");
    };
    let mut salted = [0; 32];
    openssl::pkcs5::pbkdf2_hmac(
        text.as_bytes(),
        &openssl::base64::decode_block(salt)?,
        iterations.parse()?,
        MessageDigest::sha256(),
        &mut salted,
    )?;
    let key = PKey::hmac(&salted)?;
    let mut signer = Signer::new(MessageDigest::sha256(), &key)?;
    signer.update(b"Client Key")?;
    let client_key = signer.sign_to_vec()?;
    let mut canaries = password(text);
    canaries.push(Canary("the salted password", salted.to_vec()));
    canaries.push(Canary("the client key of SCRAM", client_key));
    Ok(canaries)
}

fn url(lab: &Lab) -> Result<()> {
    let (conn, text) = role(lab, "memurl")?;
    let url = conn.set("password", &text).url();
    ensure!(url.contains(&text), "{url}");
    none(idle(lab, &[&url])?, ALIVE, &scram(lab, "memurl", &text)?)
}

fn conninfo(lab: &Lab) -> Result<()> {
    let (conn, text) = role(lab, "memconninfo")?;
    let target = conn.set("password", &text).to_string();
    let canaries = scram(lab, "memconninfo", &text)?;
    none(idle(lab, &["-d", &target])?, ALIVE, &canaries)
}

fn variable(lab: &Lab) -> Result<()> {
    let (conn, text) = role(lab, "memvariable")?;
    let mut command = idle(lab, &[&conn.to_string()])?;
    command.env("PGPASSWORD", &text);
    none(command, ALIVE, &scram(lab, "memvariable", &text)?)
}

fn url_variable(lab: &Lab) -> Result<()> {
    let (conn, text) = role(lab, "memurlvariable")?;
    let mut command = idle(lab, &[])?;
    command.env("DATABASE_URL", conn.set("password", &text).url());
    none(command, ALIVE, &scram(lab, "memurlvariable", &text)?)
}

fn passfile(lab: &Lab) -> Result<()> {
    let (conn, text) = role(lab, "mempassfile")?;
    let other = "aN0therPasswordInTheFile";
    let lines = format!("other:*:*:*:{other}\n*:*:*:mempassfile:{text}\n");
    let file = lab.file("pgpass", lines, 0o600)?;
    let target = conn.set("passfile", file.display()).to_string();
    let mut canaries = scram(lab, "mempassfile", &text)?;
    canaries.push(Canary("another password of the file", other.into()));
    none(idle(lab, &[&target])?, ALIVE, &canaries)
}

fn env_file(lab: &Lab) -> Result<()> {
    let (conn, text) = role(lab, "memenvfile")?;
    let line = format!("DATABASE_URL='{}'\n", conn.set("password", &text).url());
    let file = lab.file("env", line, 0o600)?;
    let command = idle(lab, &["--env-file", &file.to_string_lossy()])?;
    none(command, ALIVE, &scram(lab, "memenvfile", &text)?)
}

fn service(lab: &Lab) -> Result<()> {
    let (conn, text) = role(lab, "memservice")?;
    let file = lab.file("services", format!("[it]\npassword={text}\n"), 0o600)?;
    let target = conn.set("service", "it").to_string();
    let mut command = idle(lab, &[&target])?;
    command.env("PGSERVICEFILE", file);
    none(command, ALIVE, &scram(lab, "memservice", &text)?)
}

fn md5(lab: &Lab) -> Result<()> {
    let pg = lab.new_postgres().hba("host all memmd5 all md5");
    let text = "Kq7vXmemmd52wZr9pL4tB";
    let sql = "set password_encryption = 'md5'; create role memmd5 login password ";
    let pg = pg.sql(&format!("{sql} '{text}'")).start()?;
    let stored = pg.sql("select rolpassword from pg_authid where rolname = 'memmd5'")?;
    let mut command = idle(lab, &[&pg.conn().set("user", "memmd5").to_string()])?;
    command.env("PGPASSWORD", text);
    let mut canaries = password(text);
    canaries.push(Canary("the MD5 hash", stored.trim()[3..].into()));
    none(command, ALIVE, &canaries)
}

/// `idle` through SSH.
fn through(lab: &Lab, sshd: &Sshd, key: Option<&Path>) -> Result<Command> {
    let target = lab.postgres()?.conn().to_string();
    let route = sshd.route();
    let mut command = idle(lab, &[&target])?;
    command
        .arg("--ssh")
        .arg(route.hops.join(","))
        .arg("--ssh-known-hosts")
        .arg(route.known_hosts.context("no known hosts")?)
        .env("PGPASSWORD", lab.password());
    if let Some(key) = key {
        command.arg("--ssh-key").arg(key);
    }
    Ok(command)
}

fn public(key: &Path) -> Result<String> {
    Ok(fs::read_to_string(format!("{}.pub", key.display()))?)
}

/// The seed of an unencrypted Ed25519 key, and pieces of its file.
fn ed25519_canaries(key: &Path) -> Result<Vec<Canary>> {
    let text = fs::read_to_string(key)?;
    let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let bytes = openssl::base64::decode_block(&body)?;
    let public = public(key)?;
    let public = public.split(' ').nth(1).context("a public key")?;
    let public = openssl::base64::decode_block(public)?;
    let public = &public[public.len() - 32..];
    // The private half is the seed and then the public key, 64 bytes in all.
    let sign = [&64u32.to_be_bytes()[..]].concat();
    let at = bytes.windows(4).position(|four| four == sign);
    let at = at.context("no private half")? + 4;
    ensure!(&bytes[at + 32..at + 64] == public, "not where it should be");
    let private = text.lines().rev().nth(2).context("a line of the file")?;
    Ok(vec![
        Canary("the seed of the key", bytes[at..at + 32].to_vec()),
        Canary(
            "a line of the key's file",
            private.as_bytes()[..24].to_vec(),
        ),
    ])
}

fn ed25519(lab: &Lab) -> Result<()> {
    let key = lab.ssh_key("ed25519", "")?;
    let sshd = lab.new_sshd().authorized_keys(public(&key)?).start()?;
    none(
        through(lab, &sshd, Some(&key))?,
        ALIVE,
        &ed25519_canaries(&key)?,
    )
}

fn encrypted(lab: &Lab) -> Result<()> {
    let key = lab.ssh_key("ed25519", "")?;
    let mut canaries = ed25519_canaries(&key)?;
    let passphrase = "Kq7vXphrase2wZr9pL4tB";
    let copy = key.to_string_lossy();
    let args = ["-q", "-p", "-P", "", "-N", passphrase, "-f", &copy];
    ensure!(Command::new("ssh-keygen").args(args).status()?.success());
    canaries.extend(password(passphrase));
    let sshd = lab.new_sshd().authorized_keys(public(&key)?).start()?;
    let mut command = through(lab, &sshd, Some(&key))?;
    command.env("DBDOCTOR_SSH_PASSPHRASE", passphrase);
    none(command, ALIVE, &canaries)
}

/// The primes of an RSA key, as bytes in both orders and as a piece of the PEM file.
fn rsa_canaries(pem: &str) -> Result<Vec<Canary>> {
    let rsa = openssl::rsa::Rsa::private_key_from_pem(pem.as_bytes())?;
    let mut canaries = Vec::new();
    let numbers = [
        ("the prime p", rsa.p()),
        ("the prime q", rsa.q()),
        ("the exponent d", Some(rsa.d())),
    ];
    for (name, number) in numbers {
        let number = number.context("a number")?.to_vec();
        let reversed: Vec<u8> = number.iter().rev().copied().collect();
        canaries.push(Canary(name, number[8..40].to_vec()));
        canaries.push(Canary(name, reversed[8..40].to_vec()));
    }
    let line = pem.lines().rev().nth(2).context("a line of the file")?;
    canaries.push(Canary(
        "a line of the key's file",
        line.as_bytes()[..24].to_vec(),
    ));
    Ok(canaries)
}

fn rsa(lab: &Lab) -> Result<()> {
    let key = lab.ssh_keygen(&["-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""])?;
    let canaries = rsa_canaries(&fs::read_to_string(&key)?)?;
    let sshd = lab.new_sshd().authorized_keys(public(&key)?).start()?;
    none(through(lab, &sshd, Some(&key))?, ALIVE, &canaries)
}

fn ssh_password(lab: &Lab) -> Result<()> {
    let text = "Kq7vXsshpass2wZr9pL4tB";
    let sshd = lab.new_sshd().password(text)?.start()?;
    let mut command = through(lab, &sshd, None)?;
    command.env("DBDOCTOR_SSH_PASSWORD", text);
    let canary = Canary("the SSH password", text.into());
    let found = search(command, ALIVE, &[canary])?;
    // The SSH library's buffer for packets has it until later ones are as long.
    let (of_library, others): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|found| found.contains("ssh-connection"));
    ensure!(others.is_empty(), "{}", others.join("\n"));
    ensure!(of_library.len() <= 1, "{}", of_library.join("\n"));
    Ok(())
}

fn client_key(lab: &Lab) -> Result<()> {
    let issued = lab.issue(CertSpec::client("memcert"))?;
    let dir = lab.dir("memcert")?;
    let (cert, key) = issued.write(&dir, "client")?;
    let pem = fs::read_to_string(&key)?;
    write_mode(&key, &pem, 0o600)?;
    let pg = lab
        .new_postgres()
        .tls(lab.issue(lab.cert())?)
        .hba("hostssl all memcert all cert")
        .file("root.crt", fs::read(lab.ca_file())?)
        .conf("ssl_ca_file", "root.crt")
        .sql("create role memcert login")
        .start()?;
    let conn = pg.conn().set("user", "memcert").set("sslmode", "verify-ca");
    let conn = conn.set("sslrootcert", lab.ca_file().display());
    let conn = conn
        .set("sslcert", cert.display())
        .set("sslkey", key.display());
    // OpenSSL keeps the key itself, and what its decoder made of the file.
    let line = pem.lines().nth(1).context("a line of the file")?;
    let canaries = [Canary("the key's file", line.as_bytes()[24..].to_vec())];
    none(idle(lab, &[&conn.to_string()])?, ALIVE, &canaries)
}

fn tunnel(lab: &Lab) -> Result<()> {
    let (conn, text) = role(lab, "memtunnel")?;
    let key = lab.ssh_key("ed25519", "")?;
    let sshd = lab.new_sshd().authorized_keys(public(&key)?).start()?;
    let route = sshd.route();
    let target = conn.set("password", &text).url();
    let mut command = dbdoctor(lab, &["tunnel", &target, "--listen", "0"])?;
    command
        .args(["--ssh-config", "/dev/null", "--ssh"])
        .arg(route.hops.join(","))
        .arg("--ssh-known-hosts")
        .arg(route.known_hosts.context("no known hosts")?)
        .arg("--ssh-key")
        .arg(&key);
    let mut canaries = password(&text);
    canaries.extend(ed25519_canaries(&key)?);
    none(command, "127.0.0.1:", &canaries)
}
