//! Private keys in a whole run: what is wrong with one is a warning while something else is
//! accepted, and the verdict once nothing is.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{Agent, Case, Expect, Lab, Need, Scenario, Tool, write_mode};

const NEEDS: &[Need] = &[Need::Sshd, Need::Postgres];

const fn row(
    name: &'static str,
    about: &'static str,
    expect: Expect,
    setup: fn(&Lab) -> Result<Case>,
) -> Scenario {
    Scenario::new(name, about, expect, NEEDS, setup)
}

/// Through the shared server, with this key alone.
fn with_key(lab: &Lab, key: &Path) -> Result<Case> {
    let case = Case::check(lab.postgres()?.conn()).password(lab.password());
    Ok(case.ssh(lab.sshd()?.route().key(key)))
}

/// A copy of the key that the server accepts.
fn copy(lab: &Lab, mode: u32) -> Result<PathBuf> {
    lab.file("id", fs::read(lab.client_key()?)?, mode)
}

/// A home directory with this as a default key.
fn home(lab: &Lab, key: &Path, mode: u32) -> Result<PathBuf> {
    let home = lab.dir("home")?;
    fs::create_dir(home.join(".ssh"))?;
    write_mode(&home.join(".ssh/id_ed25519"), fs::read(key)?, mode)?;
    Ok(home)
}

/// Encrypts a copy of the key that the server accepts.
fn locked(lab: &Lab) -> Result<PathBuf> {
    let key = copy(lab, 0o600)?;
    let lock = Tool::new("ssh-keygen").args(["-q", "-p", "-P", "", "-N", "open sesame", "-f"]);
    lock.arg(key.display()).succeed()?;
    Ok(key)
}

/// Keys in a run.
pub const SCENARIOS: &[Scenario] = &[
    row(
        "key-run-permissions",
        "the only key is readable by everybody",
        Expect::Fail("key.permissions"),
        |lab| with_key(lab, &copy(lab, 0o644)?),
    ),
    row(
        "key-run-missing",
        "the only key named is not there",
        Expect::Fail("key.missing"),
        |lab| with_key(lab, &lab.dir("key")?.join("id")),
    ),
    row(
        "key-run-mangled",
        "the only key lost its last line break",
        Expect::Fail("key.mangled"),
        |lab| {
            let text = fs::read_to_string(lab.client_key()?)?;
            with_key(lab, &lab.file("id", text.trim_end(), 0o600)?)
        },
    ),
    row(
        "key-run-passphrase-missing",
        "the only key is locked",
        Expect::Fail("key.passphrase.missing"),
        |lab| with_key(lab, &locked(lab)?),
    ),
    row(
        "key-run-passphrase-wrong",
        "the only key is locked, and the passphrase is another's",
        Expect::Fail("key.passphrase.wrong"),
        |lab| Ok(with_key(lab, &locked(lab)?)?.passphrase("open barley")),
    ),
    row(
        "key-run-pair-mismatch",
        "beside the right key lies another's public half, which is what ssh offers",
        Expect::Fail("key.pair-mismatch"),
        |lab| {
            let (key, other) = (copy(lab, 0o600)?, lab.ssh_key("ed25519", "")?);
            fs::copy(other.with_extension("pub"), key.with_extension("pub"))?;
            with_key(lab, &key)
        },
    ),
    row(
        "key-run-other-accepted",
        "one named key is refused for its mode, the next is accepted",
        Expect::Warn("key.permissions"),
        |lab| {
            let (bad, good) = (copy(lab, 0o644)?, lab.client_key()?);
            let lines = format!(
                "IdentityFile {}\nIdentityFile {}\n",
                bad.display(),
                good.display()
            );
            let config = lab.file("config", lines, 0o644)?;
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            let route = lab.sshd()?.route().without_key().config(config);
            Ok(case.ssh(route))
        },
    ),
    row(
        "key-run-owner",
        "the key belongs to another user",
        Expect::Warn("key.owner"),
        |lab| {
            let key = copy(lab, 0o640)?;
            std::os::unix::fs::chown(&key, Some(65534), None)?;
            with_key(lab, &key)
        },
    ),
    row(
        "key-run-default-locked-agent",
        "the default key is locked, and the agent holds it",
        Expect::Pass,
        |lab| {
            let agent = Agent::start(lab)?;
            agent.add(&lab.client_key()?)?;
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            let case = case.ssh(lab.sshd()?.route().without_key());
            let case = case.home(home(lab, &locked(lab)?, 0o600)?);
            let case = case.env("SSH_AUTH_SOCK", agent.socket().display());
            Ok(case.forbids("key.passphrase.missing").keep(agent))
        },
    ),
    row(
        "key-run-default-ignored",
        "a default key that nobody named is refused for its mode, and the agent gets in",
        Expect::Pass,
        |lab| {
            let agent = Agent::start(lab)?;
            agent.add(&lab.client_key()?)?;
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            let case = case.ssh(lab.sshd()?.route().without_key());
            let other = lab.ssh_key("ed25519", "")?;
            let case = case.home(home(lab, &other, 0o644)?);
            let case = case.env("SSH_AUTH_SOCK", agent.socket().display());
            Ok(case.forbids("key.permissions").keep(agent))
        },
    ),
    row(
        "key-run-default-permissions",
        "the default key, the only one there is, is readable by everybody",
        Expect::Fail("key.permissions"),
        |lab| {
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            let case = case.ssh(lab.sshd()?.route().without_key());
            Ok(case.home(home(lab, &lab.client_key()?, 0o644)?))
        },
    ),
    row(
        "key-run-public-agent",
        "IdentityFile names the public half, and the agent holds the private one",
        Expect::Pass,
        |lab| {
            let agent = Agent::start(lab)?;
            agent.add(&lab.ssh_key("ed25519", "")?)?;
            agent.add(&lab.client_key()?)?;
            let public = fs::read(lab.client_key()?.with_extension("pub"))?;
            let public = lab.file("id.pub", public, 0o644)?;
            let lines = format!("IdentitiesOnly yes\nIdentityFile {}\n", public.display());
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            let route = lab.sshd()?.route().without_key();
            let case = case.ssh(route.config(lab.file("config", lines, 0o644)?));
            let case = case.env("SSH_AUTH_SOCK", agent.socket().display());
            Ok(case.forbids("key.public").keep(agent))
        },
    ),
    row(
        "key-run-encrypted-pem",
        "a traditional PEM key, locked, with its passphrase",
        Expect::Pass,
        |lab| {
            let key =
                lab.ssh_keygen(&["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "open sesame"])?;
            let public = fs::read_to_string(key.with_extension("pub"))?;
            let sshd = lab.new_sshd().authorized_keys(public).start()?;
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            let case = case.ssh(sshd.route().key(&key)).passphrase("open sesame");
            Ok(case.keep(sshd))
        },
    ),
];
