//! Logging in: keys, certificates, agents, passwords, and servers that want more.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::{
    Agent, Behaviour, Case, Expect, FakeSshd, Lab, Need, Oracle, Scenario, Sshd, SshdBuilder, Tool,
};

/// To the shared database through this server, with the lab's key.
fn through(lab: &Lab, sshd: &Sshd) -> Result<Case> {
    let case = Case::check(lab.postgres()?.conn()).password(lab.password());
    Ok(case.ssh(sshd.route()))
}

/// A key with a certificate beside it, and a server that trusts the authority and no key.
fn certified(lab: &Lab, kind: &str, user: &str, validity: &str) -> Result<(PathBuf, Sshd)> {
    let ca = lab.ssh_key("ed25519", "")?;
    let key = lab.ssh_key(kind, "")?;
    let sign = Tool::new("ssh-keygen").args(["-q", "-I", "lab", "-V", validity, "-n", user, "-s"]);
    sign.arg(ca.display())
        .arg(key.with_extension("pub").display())
        .succeed()?;
    let ca = format!("TrustedUserCAKeys {}", ca.with_extension("pub").display());
    let sshd = lab.new_sshd().config(&ca).authorized_keys("").start()?;
    Ok((key, sshd))
}

/// The public half of a key.
fn public(key: &Path) -> Result<String> {
    Ok(fs::read_to_string(key.with_extension("pub"))?)
}

/// An agent with so many keys that no server knows, and then this one.
fn crowded_agent(lab: &Lab, others: usize, key: &Path) -> Result<Agent> {
    let agent = Agent::start(lab)?;
    for _ in 0..others {
        agent.add(&lab.ssh_key("ed25519", "")?)?;
    }
    agent.add(key)?;
    Ok(agent)
}

/// A server that wants a key and then a password.
fn two_factors(lab: &Lab) -> Result<SshdBuilder<'_>> {
    let sshd = lab.new_sshd().password("right-canary")?;
    Ok(sshd.config("AuthenticationMethods publickey,password"))
}

/// A server that asks for the password itself.
fn questions(lab: &Lab) -> Result<SshdBuilder<'_>> {
    let pam = "auth required pam_unix.so\naccount required pam_permit.so\n\
               session required pam_permit.so\n";
    let sshd = lab
        .new_sshd()
        .config("UsePAM yes")
        .config("KbdInteractiveAuthentication yes")
        .config("PasswordAuthentication no");
    Ok(sshd.password("right-canary")?.etc("pam.d/sshd", pam))
}

/// Authentication.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "ssh-auth-rsa-healthy",
        "an RSA key, which signs with SHA-2",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let key = lab.ssh_key("rsa", "")?;
            let sshd = lab.new_sshd().authorized_keys(public(&key)?).start()?;
            let case = through(lab, &sshd)?;
            Ok(case.ssh(sshd.route().key(key)).keep(sshd))
        },
    ),
    Scenario::new(
        "ssh-auth-rsa-large",
        "an RSA key of 4,096 bits",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let key = lab.ssh_keygen(&["-t", "rsa", "-b", "4096", "-N", ""])?;
            let sshd = lab.new_sshd().authorized_keys(public(&key)?).start()?;
            let case = through(lab, &sshd)?;
            Ok(case.ssh(sshd.route().key(key)).keep(sshd))
        },
    ),
    Scenario::new(
        "ssh-auth-ecdsa-healthy",
        "an ECDSA key on P-521",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let key = lab.ssh_keygen(&["-t", "ecdsa", "-b", "521", "-N", ""])?;
            let sshd = lab.new_sshd().authorized_keys(public(&key)?).start()?;
            let case = through(lab, &sshd)?;
            Ok(case.ssh(sshd.route().key(key)).keep(sshd))
        },
    ),
    Scenario::new(
        "ssh-auth-forcecommand",
        "ForceCommand, a banner and a shell that lets nobody in: forwards still work",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let banner = lab.file("banner", "Authorised use only.\n\x1b[31mOr else.\n", 0o644)?;
            let passwd = fs::read_to_string("/etc/passwd")?;
            let passwd: String = passwd
                .lines()
                .map(|line| match line.rsplit_once(':') {
                    Some((rest, _)) if line.starts_with("root:") => {
                        format!("{rest}:/usr/sbin/nologin\n")
                    }
                    _ => format!("{line}\n"),
                })
                .collect();
            let sshd = lab
                .new_sshd()
                .config("ForceCommand /bin/false")
                .config(&format!("Banner {}", banner.display()))
                .config("MaxSessions 0")
                .etc("passwd", passwd)
                .start()?;
            Ok(through(lab, &sshd)?.keep(sshd))
        },
    ),
    Scenario::new(
        "ssh-auth-second-key",
        "the second of two keys is the right one",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let right = lab.client_key()?;
            let route = sshd.route().key(lab.ssh_key("ed25519", "")?);
            let route = route.option(&format!("IdentityFile {}", right.display()));
            let case = through(lab, &sshd)?.arg("--ssh-key").arg(right.display());
            Ok(case.ssh(route))
        },
    ),
    Scenario::new(
        "ssh-auth-user-unknown",
        "a user that the server does not know",
        Expect::Fail("ssh.auth.publickey"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let mut route = sshd.route();
            route.hops = vec![format!("nobody-here@{}", sshd.addr())];
            Ok(through(lab, &sshd)?.ssh(route))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-no-key",
        "no key, no agent, no password",
        Expect::Fail("ssh.auth.method"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            Ok(through(lab, &sshd)?.ssh(sshd.route().without_key()))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-method",
        "the server takes passwords alone, and there is a key alone",
        Expect::Fail("ssh.auth.method"),
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let sshd = lab.new_sshd().password("right-canary")?;
            let sshd = sshd.config("PubkeyAuthentication no").start()?;
            Ok(through(lab, &sshd)?.keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-second-factor",
        "the key is accepted, and a password is wanted too",
        Expect::Fail("ssh.auth.method"),
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let sshd = two_factors(lab)?.start()?;
            Ok(through(lab, &sshd)?.keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-two-factors",
        "a key and a password, and both are at hand",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let sshd = two_factors(lab)?.start()?;
            let case = through(lab, &sshd)?.ssh_password("right-canary");
            Ok(case.keep(sshd))
        },
    ),
    Scenario::new(
        "ssh-auth-second-factor-wrong",
        "the key is accepted, the password after it is not",
        Expect::Fail("ssh.auth.password"),
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let sshd = two_factors(lab)?.start()?;
            let case = through(lab, &sshd)?.ssh_password("wr0ng-canary");
            Ok(case.keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-questions-healthy",
        "the server asks for the password by keyboard-interactive, through PAM",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let sshd = questions(lab)?.start()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().without_key());
            Ok(case.ssh_password("right-canary").keep(sshd))
        },
    ),
    Scenario::new(
        "ssh-auth-questions-wrong",
        "a wrong answer to the server's question for the password",
        Expect::Fail("ssh.auth.password"),
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
            let sshd = questions(lab)?.start()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().without_key());
            Ok(case.ssh_password("wr0ng-canary").keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-certificate-healthy",
        "a certificate beside the key",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let (key, sshd) = certified(lab, "ed25519", &lab.user()?, "+1d")?;
            let case = through(lab, &sshd)?.ssh(sshd.route().key(key));
            Ok(case.forbids("ssh.auth.certificate").keep(sshd))
        },
    ),
    Scenario::new(
        "ssh-auth-certificate-rsa",
        "a certificate beside an RSA key",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let (key, sshd) = certified(lab, "rsa", &lab.user()?, "+1d")?;
            Ok(through(lab, &sshd)?.ssh(sshd.route().key(key)).keep(sshd))
        },
    ),
    Scenario::new(
        "ssh-auth-certificate-expired",
        "an expired certificate beside the key",
        Expect::Fail("ssh.auth.certificate"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let (key, sshd) = certified(lab, "ed25519", &lab.user()?, "20200101:20210101")?;
            Ok(through(lab, &sshd)?.ssh(sshd.route().key(key)).keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-certificate-early",
        "a certificate that is not yet valid",
        Expect::Fail("ssh.auth.certificate"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let (key, sshd) = certified(lab, "ed25519", &lab.user()?, "+10d:+20d")?;
            Ok(through(lab, &sshd)?.ssh(sshd.route().key(key)).keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-certificate-principal",
        "a certificate for another user",
        Expect::Fail("ssh.auth.certificate"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let (key, sshd) = certified(lab, "ed25519", "somebody-else", "+1d")?;
            Ok(through(lab, &sshd)?.ssh(sshd.route().key(key)).keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-certificate-stale",
        "an expired certificate beside a key that is known by itself",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let (key, _) = certified(lab, "ed25519", &lab.user()?, "20200101:20210101")?;
            let sshd = lab.new_sshd().authorized_keys(public(&key)?).start()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().key(key));
            Ok(case.forbids("ssh.auth.certificate").keep(sshd))
        },
    ),
    Scenario::new(
        "ssh-auth-certificate-unknown-authority",
        "a certificate of an authority that the server does not trust",
        Expect::Fail("ssh.auth.publickey"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let (key, _) = certified(lab, "ed25519", &lab.user()?, "+1d")?;
            let sshd = lab.sshd()?;
            Ok(through(lab, &sshd)?.ssh(sshd.route().key(key)))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-too-many",
        "an agent full of other keys before the right one",
        Expect::Fail("ssh.auth.too-many"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let agent = crowded_agent(lab, 7, &lab.client_key()?)?;
            let sshd = lab.sshd()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().without_key());
            let case = case.env("SSH_AUTH_SOCK", agent.socket().display());
            Ok(case.keep(agent))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-crowded-agent",
        "an agent full of other keys, and the right one is named: it goes first",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let agent = crowded_agent(lab, 7, &lab.client_key()?)?;
            let case = through(lab, &*lab.sshd()?)?;
            let case = case.env("SSH_AUTH_SOCK", agent.socket().display());
            Ok(case.forbids("ssh.auth.too-many").keep(agent))
        },
    ),
    Scenario::new(
        "ssh-auth-identities-only",
        "an agent full of other keys, one file, and IdentitiesOnly",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let agent = crowded_agent(lab, 7, &lab.ssh_key("ed25519", "")?)?;
            let config = lab.file("config", "Host *\n  IdentitiesOnly yes\n", 0o600)?;
            let sshd = lab.sshd()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().config(config));
            let case = case.env("SSH_AUTH_SOCK", agent.socket().display());
            Ok(case.forbids("ssh.auth.too-many").keep(agent))
        },
    ),
    Scenario::new(
        "ssh-auth-agent-gone",
        "SSH_AUTH_SOCK names a socket that is not there, and there is no key file",
        Expect::Fail("ssh.auth.agent"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().without_key());
            Ok(case.env("SSH_AUTH_SOCK", lab.dir("gone")?.join("agent").display()))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-agent-gone-file",
        "SSH_AUTH_SOCK names a socket that is not there, and a key file is named",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let case = through(lab, &*lab.sshd()?)?.forbids("ssh.auth.agent");
            Ok(case.env("SSH_AUTH_SOCK", lab.dir("gone")?.join("agent").display()))
        },
    ),
    Scenario::new(
        "ssh-auth-agent-empty",
        "an agent without keys, and there is no key file",
        Expect::Fail("ssh.auth.agent"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let agent = Agent::start(lab)?;
            let sshd = lab.sshd()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().without_key());
            let case = case.env("SSH_AUTH_SOCK", agent.socket().display());
            Ok(case.keep(agent))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-agent-refuses",
        "an agent that must ask for a confirmation, and cannot",
        Expect::Fail("ssh.auth.agent"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let agent = Agent::start(lab)?;
            let add = Tool::new("ssh-add").args(["-q", "-c"]);
            add.arg(lab.client_key()?.display())
                .env("SSH_AUTH_SOCK", agent.socket().display())
                .succeed()?;
            let sshd = lab.sshd()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().without_key());
            let case = case.env("SSH_AUTH_SOCK", agent.socket().display());
            Ok(case.keep(agent))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-agent-locked-file",
        "the key file needs a passphrase, and the agent has the key",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let agent = Agent::start(lab)?;
            let key = lab.ssh_key("ed25519", "")?;
            agent.add(&key)?;
            let lock = Tool::new("ssh-keygen").args(["-q", "-p", "-P", "", "-N", "secret", "-f"]);
            lock.arg(key.display()).succeed()?;
            let sshd = lab.new_sshd().authorized_keys(public(&key)?).start()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().key(key));
            let case = case.env("SSH_AUTH_SOCK", agent.socket().display());
            Ok(case.forbids("key.passphrase.missing").keep((agent, sshd)))
        },
    ),
    Scenario::new(
        "ssh-auth-banner-latin1",
        "a banner that is not UTF-8, which the SSH library does not read",
        Expect::Fail("ssh.unclassified"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let banner = lab.file("banner", b"Acc\xe8s r\xe9serv\xe9\n".as_slice(), 0o644)?;
            let line = format!("Banner {}", banner.display());
            let sshd = lab.new_sshd().config(&line).start()?;
            Ok(through(lab, &sshd)?.keep(sshd).assert(|report| {
                let summary = report["verdict"].to_string();
                ensure!(summary.contains("not UTF-8"), "{summary}");
                Ok(())
            }))
        },
    )
    .oracle(Oracle::None("ssh shows what it can of it, and gets in")),
    Scenario::new(
        "ssh-auth-algorithm",
        "the server knows the RSA key, and takes SHA-1 signatures alone",
        Expect::Fail("ssh.auth.algorithm"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let key = lab.ssh_key("rsa", "")?;
            let sshd = lab
                .new_sshd()
                .config("PubkeyAcceptedAlgorithms ssh-rsa")
                .authorized_keys(public(&key)?)
                .start()?;
            Ok(through(lab, &sshd)?.ssh(sshd.route().key(key)).keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-algorithm-old",
        "a server that announces SHA-1 alone for RSA keys",
        Expect::Fail("ssh.auth.algorithm"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = FakeSshd::start(lab, Behaviour::OnlySha1)?;
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            let key = lab.ssh_key("rsa", "")?;
            Ok(case.ssh(sshd.route().key(key)).keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-jump",
        "the second of two hops does not know the key",
        Expect::Fail("ssh.auth.publickey"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let first = lab.sshd()?;
            let second = lab.new_sshd().authorized_keys("").start()?;
            let known = [first.known_hosts(), second.known_hosts()];
            let known = known
                .map(fs::read_to_string)
                .into_iter()
                .collect::<Result<String, _>>()?;
            let route = first.route().then(&second.destination());
            let route = route.known_hosts(lab.file("known_hosts", known, 0o644)?);
            Ok(through(lab, &first)?.ssh(route).keep(second))
        },
    )
    .oracle(Oracle::Ssh),
];
