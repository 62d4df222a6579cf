//! What an end gets to see, in the main run and from every other client: nothing that
//! identifies or authenticates once it was refused. And what the programs that are started
//! leave behind: no secret in an argument or a file, and no process.

#[path = "common/trials.rs"]
mod trials;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dbdoctor_lab::{
    Answer, Behaviour, Ca, Case, CertSpec, Conn, FakeSshd, Issued, Lab, Need, Peer,
    RecordingServer, Shown, SshRoute, command,
};
use openssl::symm::Cipher;
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_dbdoctor");

const TRIALS: &[trials::Named<Lab>] = &[
    ("a_wrong_name_gets_nothing", wrong_name),
    ("an_unknown_authority_gets_nothing", unknown_authority),
    ("a_revoked_certificate_gets_nothing", revoked),
    ("a_refused_host_among_several_gets_nothing", among_several),
    ("a_host_refused_before_another_gets_nothing", before_another),
    (
        "an_end_that_shows_two_certificates_gets_nothing",
        two_certificates,
    ),
    (
        "an_end_that_shows_two_host_keys_gets_nothing",
        two_host_keys,
    ),
    ("psql_reads_files_without_a_name", nameless),
    ("a_proven_end_gets_what_the_target_has", proven),
    (
        "what_is_not_verified_gets_no_certificate_from_libpq",
        unverified,
    ),
    ("a_guard_that_was_hit_keeps_every_client_away", guarded),
    ("strangers_are_not_led_to_the_database", strangers),
    ("temporary_files_are_closed_to_others", closed_to_others),
    (
        "no_secret_of_a_login_is_in_arguments_or_files",
        login_at_rest,
    ),
    ("no_secret_of_ssh_is_in_arguments_or_files", ssh_at_rest),
    ("a_hangup_leaves_nothing_behind", hung_up),
];

fn main() {
    trials::run(2, trials::lab(&[Need::Postgres, Need::Sshd]), TRIALS);
}

// ---- What an end gets to see ----

/// A target with a client certificate and a password, verified in full.
struct Target {
    conn: Conn,
    home: PathBuf,
}

impl Target {
    /// The certificate is named, or lies where libpq looks by itself.
    fn new(lab: &Lab, ports: &[u16], named: bool) -> Result<Self> {
        let home = lab.dir("home")?;
        let folder = home.join(".postgresql");
        fs::create_dir(&folder)?;
        let client = lab.issue(CertSpec::client("app"))?;
        let (cert, key) = client.write(&folder, "postgresql")?;
        let list = |of: &dyn Fn(&u16) -> String| ports.iter().map(of).collect::<Vec<_>>().join(",");
        let mut conn = Conn::new()
            .set("host", list(&|_| "localhost".to_owned()))
            .set("hostaddr", list(&|_| "127.0.0.1".to_owned()))
            .set("port", list(&u16::to_string))
            .set("user", "app")
            .set("dbname", "appdb")
            .set("sslmode", "verify-full")
            .set("sslrootcert", lab.ca_file().display());
        if named {
            let (cert, key) = (moved(&cert, "own.crt")?, moved(&key, "own.key")?);
            conn = conn.set("sslcert", cert.display());
            conn = conn.set("sslkey", key.display());
        }
        Ok(Target { conn, home })
    }

    /// The same with a client key that is encrypted, and its password in a service.
    fn lock(mut self, lab: &Lab, password: &str) -> Result<Self> {
        let client = lab.issue(CertSpec::client("app"))?;
        let (cert, key) = client.write(&self.home, "locked")?;
        let cipher = Cipher::aes_128_cbc();
        let locked = client
            .key
            .private_key_to_pem_pkcs8_passphrase(cipher, password.as_bytes())?;
        fs::write(&key, locked)?;
        let service = format!("[lab]\nsslpassword={password}\n");
        fs::write(self.home.join(".pg_service.conf"), service)?;
        self.conn = self
            .conn
            .set("sslcert", cert.display())
            .set("sslkey", key.display())
            .set("service", "lab");
        Ok(self)
    }

    fn case(&self, lab: &Lab) -> Case {
        Case::check(self.conn.clone())
            .password(lab.password())
            .home(&self.home)
    }
}

fn moved(path: &Path, name: &str) -> Result<PathBuf> {
    let to = path.with_file_name(name);
    fs::rename(path, &to)?;
    Ok(to)
}

fn for_another_name(lab: &Lab) -> Result<Issued> {
    lab.issue(CertSpec::server("other.test", &["other.test"], &[]))
}

fn run(lab: &Lab, case: &Case) -> Result<Value> {
    let done = command(lab, case, Path::new(BIN))?.run(Duration::from_secs(60))?;
    serde_json::from_str(&done.stdout).with_context(|| done.to_string())
}

/// A stack's row of the second opinion.
fn row<'a>(report: &'a Value, stack: &str) -> &'a Value {
    let stages = report["stages"].as_array().into_iter().flatten();
    stages
        .filter_map(|stage| stage["facts"]["second_opinion"].as_array())
        .flatten()
        .find(|row| row["stack"] == stack)
        .unwrap_or(&Value::Null)
}

fn ends(report: &Value, cause: &str) -> Result<()> {
    ensure!(report["verdict"]["cause"] == cause, "{report:#}");
    Ok(())
}

fn saw_nothing(shown: &[Shown]) -> Result<()> {
    let nothing = |shown: &Shown| !shown.certificate && shown.said.is_empty();
    ensure!(shown.iter().all(nothing), "{shown:?}");
    Ok(())
}

/// A server with this certificate is refused for this cause: by the main run alone, and with a
/// second opinion, in which psql and native-tls come to the same, and by themselves.
fn refused(lab: &Lab, issued: Issued, cause: &str, more: &[(&str, &Path)]) -> Result<()> {
    for named in [true, false] {
        let server = RecordingServer::start(vec![issued.clone()], Answer::AsksPassword)?;
        let mut target = Target::new(lab, &[server.port()], named)?;
        for (name, path) in more {
            target.conn = target.conn.set(name, path.display());
        }
        ends(&run(lab, &target.case(lab))?, cause)?;
        let main = server.shown();
        ensure!(!main.is_empty());
        saw_nothing(&main)?;
        let report = run(lab, &target.case(lab).arg("--second-opinion"))?;
        ends(&report, cause)?;
        let both = server.shown();
        ensure!(
            both.len() > main.len() * 2,
            "no other client came: {both:?}"
        );
        saw_nothing(&both)?;
        let psql = row(&report, "psql");
        ensure!(
            psql["outcome"] == "failed" && psql["step"] == "tls",
            "{psql}"
        );
        let reason = psql["reason"].as_str().unwrap_or_default();
        ensure!(reason.contains(cause), "{psql}");
    }
    Ok(())
}

fn wrong_name(lab: &Lab) -> Result<()> {
    refused(lab, for_another_name(lab)?, "tls.cert.hostname", &[])
}

fn unknown_authority(lab: &Lab) -> Result<()> {
    let issued = Ca::new("Other CA")?.issue(&lab.cert())?;
    refused(lab, issued, "tls.cert.unknown-ca", &[])
}

fn revoked(lab: &Lab) -> Result<()> {
    let issued = lab.issue(lab.cert())?;
    let list = lab.dir("crl")?.join("root.crl");
    lab.ca().crl(&list, &[&issued], -1, 30)?;
    refused(lab, issued, "tls.cert.revoked", &[("sslcrl", &list)])
}

/// The verdict is of the first host, which never answers; the second is refused.
fn among_several(lab: &Lab) -> Result<()> {
    let silent = Peer::silent()?;
    let server = RecordingServer::start(vec![for_another_name(lab)?], Answer::AsksPassword)?;
    let target = Target::new(lab, &[silent.port(), server.port()], true)?;
    let case = target
        .case(lab)
        .args(&["--second-opinion", "--timeout", "2s"]);
    ends(&run(lab, &case)?, "protocol.silent")?;
    ensure!(!server.shown().is_empty());
    saw_nothing(&server.shown())
}

/// With `prefer` a host that was refused under TLS is tried in clear, and where it is silent
/// then, the next one is the host; psql is led to that alone.
fn before_another(lab: &Lab) -> Result<()> {
    let unknown = Ca::new("Other CA")?.issue(&lab.cert())?;
    let refused = RecordingServer::start(vec![unknown], Answer::Silence)?;
    let pg = lab.postgres()?;
    let mut target = Target::new(lab, &[refused.port(), pg.port()], true)?;
    target.conn = target.conn.set("sslmode", "prefer");
    let case = target
        .case(lab)
        .args(&["--second-opinion", "--timeout", "2s"]);
    let report = run(lab, &case)?;
    ensure!(report["verdict"]["status"] != "fail", "{report:#}");
    let came = |cause: &str| report.to_string().contains(cause);
    ensure!(came("tls.cert.unknown-ca"), "{report:#}");
    ensure!(row(&report, "psql")["outcome"] == "passed", "{report:#}");
    let connections = refused.shown().len();
    let again = run(lab, &target.case(lab).args(&["--timeout", "2s"]))?;
    ensure!(again["verdict"]["status"] != "fail", "{again:#}");
    let main = refused.shown().len() - connections;
    ensure!(connections == main, "{connections} of {main}");
    Ok(())
}

/// The main run sees another name, and every later client the right one: psql is told apart,
/// and what it says is still nothing.
fn two_certificates(lab: &Lab) -> Result<()> {
    let certificates = vec![for_another_name(lab)?, lab.issue(lab.cert())?];
    let server = RecordingServer::start(certificates, Answer::AsksPassword)?;
    let target = Target::new(lab, &[server.port()], true)?;
    let report = run(lab, &target.case(lab).arg("--second-opinion"))?;
    ends(&report, "tls.cert.hostname")?;
    for stack in ["native-tls", "psql"] {
        let row = row(&report, stack);
        ensure!(row["outcome"] == "passed" && row["step"] == "tls", "{row}");
    }
    ensure!(report.to_string().contains("client.stack-differs"));
    let shown = server.shown();
    ensure!(shown.iter().all(|shown| !shown.certificate), "{shown:?}");
    for secret in [lab.password(), "\0app\0", "appdb"] {
        let said = |shown: &Shown| holds(&shown.said, secret);
        ensure!(!shown.iter().any(said), "{secret}: {shown:?}");
    }
    Ok(())
}

fn two_host_keys(lab: &Lab) -> Result<()> {
    let server = FakeSshd::start(lab, Behaviour::TwoFaced)?;
    let case = Case::check(lab.postgres()?.conn()).password(lab.password());
    let case = case.ssh_password("barley bread").ssh(server.route());
    let report = run(lab, &case.arg("--second-opinion"))?;
    ends(&report, "ssh.hostkey.changed")?;
    for stack in ["libssh2", "ssh"] {
        let row = row(&report, stack);
        ensure!(
            row["outcome"] == "passed" && row["step"] == "host-key",
            "{row}"
        );
    }
    ensure!(report.to_string().contains("client.stack-differs"));
    let offered = server.offered();
    let nothing = |(user, method): &(String, &str)| user == "dbdoctor" && *method == "none";
    ensure!(offered.iter().all(nothing), "{offered:?}");
    Ok(())
}

/// The healthy neighbour: verified, and so given all of it by every client.
fn proven(lab: &Lab) -> Result<()> {
    let server = RecordingServer::start(vec![lab.issue(lab.cert())?], Answer::AsksPassword)?;
    let target = Target::new(lab, &[server.port()], true)?;
    let report = run(lab, &target.case(lab).arg("--second-opinion"))?;
    ends(&report, "auth.password.wrong")?;
    let shown = server.shown();
    let all = shown
        .iter()
        .filter(|shown| shown.certificate && holds(&shown.said, lab.password()));
    ensure!(all.count() == 3, "{report:#}\n{shown:?}");
    Ok(())
}

/// psql gets the passwords of several hosts, and that of a key, from files without a name.
fn nameless(lab: &Lab) -> Result<()> {
    let pg = lab.postgres()?;
    let ports = [dbdoctor_lab::free_port(), pg.port()];
    let listed = Target::new(lab, &ports, true)?;
    let lines = ports.iter().zip(["another", lab.password()]);
    let lines: String = lines
        .map(|(port, password)| format!("localhost:{port}:*:*:{password}\n"))
        .collect();
    dbdoctor_lab::write_mode(&listed.home.join(".pgpass"), lines, 0o600)?;
    let conn = listed.conn.without("sslcert").without("sslkey");
    let locked = Target::new(lab, &[pg.port()], true)?.lock(lab, "rye of the key")?;
    for case in [Case::check(conn).home(&listed.home), locked.case(lab)] {
        let report = run(lab, &case.arg("--second-opinion"))?;
        ensure!(row(&report, "psql")["outcome"] == "passed", "{report:#}");
    }
    Ok(())
}

/// A handshake that the main run never came through says nothing of the name.
fn unverified(lab: &Lab) -> Result<()> {
    let server = RecordingServer::start(vec![for_another_name(lab)?], Answer::AsksPassword)?;
    let mut target = Target::new(lab, &[server.port()], true)?;
    // The main run stops at the key: it is the certificate's no more.
    let other = lab.issue(CertSpec::client("app"))?;
    let (_, key) = other.write(&target.home, "other")?;
    target.conn = target.conn.set("sslkey", key.display());
    let report = run(lab, &target.case(lab).arg("--second-opinion"))?;
    ends(&report, "tls.client.key")?;
    let psql = row(&report, "psql");
    ensure!(psql["outcome"] == "skipped", "{psql}");
    saw_nothing(&server.shown())
}

fn guarded(lab: &Lab) -> Result<()> {
    let pg = lab.postgres()?;
    let case = Case::check(pg.conn()).password(lab.password());
    let case = case.args(&["--second-opinion", "--expect-database", "another"]);
    let done = command(lab, &case, Path::new(BIN))?.run(Duration::from_secs(60))?;
    let report: Value = serde_json::from_str(&done.stdout).with_context(|| done.to_string())?;
    ends(&report, "server.wrong-identity")?;
    for stack in ["native-tls", "psql"] {
        ensure!(row(&report, stack)["outcome"] == "skipped", "{report:#}");
    }
    Ok(())
}

// ---- What is left lying about ----

/// A run under way, with temporary files of its own.
struct UnderWay {
    child: Child,
    temporary: PathBuf,
}

impl UnderWay {
    fn start(lab: &Lab, case: &Case, umask: &str) -> Result<Self> {
        let temporary = lab.dir("temporary")?;
        let tool = command(lab, case, Path::new(BIN))?;
        // Whoever runs the tests may ignore hangups (nohup), which is inherited.
        let child = Command::new("env")
            .args(["--default-signal=HUP", "sh"])
            .args(["-c", "umask $0 && exec \"$@\"", umask, BIN])
            .args(&tool.args)
            .env_clear()
            .envs(tool.env.iter().map(|(name, value)| (name, value)))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TMPDIR", &temporary)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(UnderWay { child, temporary })
    }

    /// The programs that it has started, once this one is among them.
    fn children(&self, program: &str) -> Result<Vec<u32>> {
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            let found = descendants(self.child.id());
            // Of ssh, its version is asked before anything is prepared.
            let asks_version = |pid: u32| {
                let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                words.ends_with(b"\0-V\0")
            };
            let named = |pid: &u32| comm(*pid).as_deref() == Some(program) && !asks_version(*pid);
            if found.iter().any(named) {
                return Ok(found);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        anyhow::bail!("{program} was never started")
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut all = vec![self.temporary.clone()];
        let mut at = 0;
        while let Some(path) = all.get(at).cloned() {
            let inside = fs::read_dir(path).into_iter().flatten().flatten();
            all.extend(inside.map(|entry| entry.path()));
            at += 1;
        }
        all.split_off(1)
    }

    fn kept_no_secret(&self, secrets: &[String]) -> Result<()> {
        for path in self.files() {
            let bytes = fs::read(&path).unwrap_or_default();
            let told = secrets.iter().find(|secret| holds(&bytes, secret));
            ensure!(told.is_none(), "{told:?} is in {}", path.display());
        }
        Ok(())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// While `program` runs: no secret in an argument, none in a file. After a kill: no process,
/// and still none.
fn at_rest(lab: &Lab, case: &Case, program: &str) -> Result<()> {
    let mut run = UnderWay::start(lab, case, "022")?;
    let children = run.children(program)?;
    let mut secrets = case.secrets.clone();
    secrets.push(lab.password().to_owned());
    for pid in &children {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let told = secrets.iter().find(|secret| holds(&arguments, secret));
        ensure!(told.is_none(), "{told:?} is an argument of {program}");
    }
    run.kept_no_secret(&secrets)?;
    run.child.kill()?;
    run.child.wait()?;
    // They would go on for longer by themselves.
    let end = Instant::now() + Duration::from_millis(1500);
    let left = || children.iter().find(|pid| is_running(**pid));
    while left().is_some() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    ensure!(left().is_none(), "{program} outlives a kill");
    run.kept_no_secret(&secrets)
}

/// A terminal that closes while `psql` runs: no process and no file are left.
fn hung_up(lab: &Lab) -> Result<()> {
    let server = RecordingServer::start(vec![lab.issue(lab.cert())?], Answer::Silence)?;
    let target = Target::new(lab, &[server.port()], true)?;
    let case = Case::check(target.conn.clone()).home(&target.home);
    let case = case.args(&["--second-opinion", "--timeout", "4s"]);
    let mut run = UnderWay::start(lab, &case, "022")?;
    let children = run.children("psql")?;
    let pid = nix::unistd::Pid::from_raw(i32::try_from(run.child.id())?);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGHUP)?;
    let status = run.child.wait()?;
    ensure!(status.code() == Some(130), "{status}");
    let left = children.iter().find(|pid| is_running(**pid));
    ensure!(left.is_none(), "a child outlives a hangup");
    ensure!(run.files().is_empty(), "{:?} are left", run.files());
    Ok(())
}

/// Two hosts with passwords of their own, a client key with another: psql needs a service and
/// a password file.
fn login_at_rest(lab: &Lab) -> Result<()> {
    let server = RecordingServer::start(vec![lab.issue(lab.cert())?], Answer::Silence)?;
    let (of_key, first, second) = ("rye of the key", "oats of the first", "corn of the second");
    let target = Target::new(lab, &[server.port(), server.port()], true)?;
    let mut target = target.lock(lab, of_key)?;
    target.conn = target.conn.set("host", "localhost,db.test");
    let passfile = target.home.join(".pgpass");
    let lines = format!("localhost:*:*:*:{first}\ndb.test:*:*:*:{second}\n");
    dbdoctor_lab::write_mode(&passfile, lines, 0o600)?;
    let case = Case::check(target.conn.clone()).home(&target.home);
    let case = case.args(&["--second-opinion", "--timeout", "4s"]);
    let case = case.secret(of_key).secret(first).secret(second);
    at_rest(lab, &case, "psql")
}

fn through_ssh(lab: &Lab, route: SshRoute) -> Result<Case> {
    let case = Case::check(lab.postgres()?.conn()).password(lab.password());
    let case = case.ssh(route.key(lab.client_key()?));
    let case = case.ssh_password("barley bread").passphrase("rye and oats");
    Ok(case.args(&["--second-opinion", "--timeout", "4s"]))
}

/// A server that is silent: alone, behind a jump host, and as one.
fn ssh_at_rest(lab: &Lab) -> Result<()> {
    let silent = Peer::silent()?;
    let end = format!("ops@{}", silent.addr());
    let alone = SshRoute::new(&end);
    let behind = lab.sshd()?.route().then(&end);
    let before = SshRoute::new(&end).then(&lab.sshd()?.destination());
    for route in [alone, behind, before] {
        at_rest(lab, &through_ssh(lab, route)?, "ssh")?;
    }
    Ok(())
}

/// Whoever else on this machine finds psql's way into the tunnel is not led to the database.
fn strangers(lab: &Lab) -> Result<()> {
    if !dbdoctor_lab::process::is_root() {
        return Ok(());
    }
    let server = RecordingServer::start(vec![lab.issue(lab.cert())?], Answer::Silence)?;
    let target = Target::new(lab, &[server.port()], true)?;
    let case = target.case(lab).ssh(lab.sshd()?.route());
    let case = case.args(&["--second-opinion", "--timeout", "1s"]);
    let run = UnderWay::start(lab, &case, "022")?;
    let children = run.children("psql")?;
    let port = children.iter().find_map(|pid| port_of(*pid));
    let port = port.context("psql has no service")?;
    let asks = format!(
        r"exec 3<>/dev/tcp/127.0.0.1/{port}; printf '\0\0\0\x08\x04\xd2\x16\x2f' >&3; timeout 1 head -c 1 <&3"
    );
    let stranger = Command::new("setpriv")
        .args(["--reuid=65534", "--clear-groups", "bash", "-c", &asks])
        .output()?;
    ensure!(run.children("psql").is_ok(), "psql was too quick");
    ensure!(stranger.stdout.is_empty(), "{stranger:?}");
    Ok(())
}

/// The port in the service that a psql was given.
fn port_of(pid: u32) -> Option<String> {
    let environment = fs::read_to_string(format!("/proc/{pid}/environ")).ok()?;
    let file = environment
        .split('\0')
        .find_map(|variable| variable.strip_prefix("PGSERVICEFILE="))?;
    let file = file.replace("/self/", &format!("/{pid}/"));
    let service = fs::read_to_string(file).ok()?;
    let port = service
        .lines()
        .find_map(|line| line.strip_prefix("port="))?;
    Some(port.to_owned())
}

fn closed_to_others(lab: &Lab) -> Result<()> {
    let silent = Peer::silent()?;
    for umask in ["000", "002", "022"] {
        let route = SshRoute::new(&format!("ops@{}", silent.addr()));
        let run = UnderWay::start(lab, &through_ssh(lab, route)?, umask)?;
        run.children("ssh")?;
        let files = run.files();
        ensure!(
            files.len() == 3,
            "a folder, a configuration, a program: {files:?}"
        );
        for path in files {
            let mode = fs::metadata(&path)?.mode() & 0o7777;
            ensure!(
                mode & 0o077 == 0,
                "umask {umask}: {mode:o} {}",
                path.display()
            );
        }
    }
    Ok(())
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|at| at == text.as_bytes())
}

/// The process's name and parent, unless it has ended.
fn stat(pid: u32) -> Option<(String, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, rest) = text.split_once('(')?.1.rsplit_once(')')?;
    let mut rest = rest.split_whitespace();
    let state = rest.next()?;
    let parent = rest.next()?.parse().ok()?;
    (state != "Z").then(|| (name.to_owned(), parent))
}

fn comm(pid: u32) -> Option<String> {
    stat(pid).map(|(name, _)| name)
}

fn is_running(pid: u32) -> bool {
    stat(pid).is_some()
}

fn descendants(of: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parents: Vec<(u32, u32)> = pids.filter_map(|pid| Some((pid, stat(pid)?.1))).collect();
    let mut found = vec![of];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        let children = parents.iter().filter(|(_, of)| *of == parent);
        found.extend(children.map(|(pid, _)| pid));
        at += 1;
    }
    found.split_off(1)
}
