//! Logging in: keys, certificates, agents, passwords, and servers that want more.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

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
    Scenario {
        name: "ssh-auth-rsa-healthy",
        about: "an RSA key, which signs with SHA-2",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let key = lab.ssh_key("rsa", "")?;
            let sshd = lab.new_sshd().authorized_keys(public(&key)?).start()?;
            let case = through(lab, &sshd)?;
            Ok(case.ssh(sshd.route().key(key)).keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-rsa-large",
        about: "an RSA key of 4,096 bits",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let key = lab.ssh_keygen(&["-t", "rsa", "-b", "4096", "-N", ""])?;
            let sshd = lab.new_sshd().authorized_keys(public(&key)?).start()?;
            let case = through(lab, &sshd)?;
            Ok(case.ssh(sshd.route().key(key)).keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-ecdsa-healthy",
        about: "an ECDSA key on P-521",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let key = lab.ssh_keygen(&["-t", "ecdsa", "-b", "521", "-N", ""])?;
            let sshd = lab.new_sshd().authorized_keys(public(&key)?).start()?;
            let case = through(lab, &sshd)?;
            Ok(case.ssh(sshd.route().key(key)).keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-forcecommand",
        about: "ForceCommand, a banner and a shell that lets nobody in: forwards still work",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd, Need::Root],
        setup: |lab| {
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
    },
    Scenario {
        name: "ssh-auth-second-key",
        about: "the second of two keys is the right one",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let sshd = lab.sshd()?;
            let right = lab.client_key()?;
            let route = sshd.route().key(lab.ssh_key("ed25519", "")?);
            let route = route.option(&format!("IdentityFile {}", right.display()));
            let case = through(lab, &sshd)?.arg("--ssh-key").arg(right.display());
            Ok(case.ssh(route))
        },
    },
    Scenario {
        name: "ssh-auth-user-unknown",
        about: "a user that the server does not know",
        expect: Expect::Fail("ssh.auth.publickey"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let sshd = lab.sshd()?;
            let mut route = sshd.route();
            route.hops = vec![format!("nobody-here@{}", sshd.addr())];
            Ok(through(lab, &sshd)?.ssh(route))
        },
    },
    Scenario {
        name: "ssh-auth-no-key",
        about: "no key, no agent, no password",
        expect: Expect::Fail("ssh.auth.method"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let sshd = lab.sshd()?;
            Ok(through(lab, &sshd)?.ssh(sshd.route().without_key()))
        },
    },
    Scenario {
        name: "ssh-auth-method",
        about: "the server takes passwords alone, and there is a key alone",
        expect: Expect::Fail("ssh.auth.method"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd, Need::Root],
        setup: |lab| {
            let sshd = lab.new_sshd().password("right-canary")?;
            let sshd = sshd.config("PubkeyAuthentication no").start()?;
            Ok(through(lab, &sshd)?.keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-second-factor",
        about: "the key is accepted, and a password is wanted too",
        expect: Expect::Fail("ssh.auth.method"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd, Need::Root],
        setup: |lab| {
            let sshd = two_factors(lab)?.start()?;
            Ok(through(lab, &sshd)?.keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-two-factors",
        about: "a key and a password, and both are at hand",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd, Need::Root],
        setup: |lab| {
            let sshd = two_factors(lab)?.start()?;
            let case = through(lab, &sshd)?.ssh_password("right-canary");
            Ok(case.keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-second-factor-wrong",
        about: "the key is accepted, the password after it is not",
        expect: Expect::Fail("ssh.auth.password"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd, Need::Root],
        setup: |lab| {
            let sshd = two_factors(lab)?.start()?;
            let case = through(lab, &sshd)?.ssh_password("wr0ng-canary");
            Ok(case.keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-questions-healthy",
        about: "the server asks for the password by keyboard-interactive, through PAM",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd, Need::Root],
        setup: |lab| {
            let sshd = questions(lab)?.start()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().without_key());
            Ok(case.ssh_password("right-canary").keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-questions-wrong",
        about: "a wrong answer to the server's question for the password",
        expect: Expect::Fail("ssh.auth.password"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd, Need::Root],
        setup: |lab| {
            let sshd = questions(lab)?.start()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().without_key());
            Ok(case.ssh_password("wr0ng-canary").keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-certificate-healthy",
        about: "a certificate beside the key",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let (key, sshd) = certified(lab, "ed25519", &lab.user()?, "+1d")?;
            let case = through(lab, &sshd)?.ssh(sshd.route().key(key));
            Ok(case.forbids("ssh.auth.certificate").keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-certificate-rsa",
        about: "a certificate beside an RSA key",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let (key, sshd) = certified(lab, "rsa", &lab.user()?, "+1d")?;
            Ok(through(lab, &sshd)?.ssh(sshd.route().key(key)).keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-certificate-expired",
        about: "an expired certificate beside the key",
        expect: Expect::Fail("ssh.auth.certificate"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let (key, sshd) = certified(lab, "ed25519", &lab.user()?, "20200101:20210101")?;
            Ok(through(lab, &sshd)?.ssh(sshd.route().key(key)).keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-certificate-early",
        about: "a certificate that is not yet valid",
        expect: Expect::Fail("ssh.auth.certificate"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let (key, sshd) = certified(lab, "ed25519", &lab.user()?, "+10d:+20d")?;
            Ok(through(lab, &sshd)?.ssh(sshd.route().key(key)).keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-certificate-principal",
        about: "a certificate for another user",
        expect: Expect::Fail("ssh.auth.certificate"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let (key, sshd) = certified(lab, "ed25519", "somebody-else", "+1d")?;
            Ok(through(lab, &sshd)?.ssh(sshd.route().key(key)).keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-certificate-stale",
        about: "an expired certificate beside a key that is known by itself",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let (key, _) = certified(lab, "ed25519", &lab.user()?, "20200101:20210101")?;
            let sshd = lab.new_sshd().authorized_keys(public(&key)?).start()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().key(key));
            Ok(case.forbids("ssh.auth.certificate").keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-certificate-unknown-authority",
        about: "a certificate of an authority that the server does not trust",
        expect: Expect::Fail("ssh.auth.publickey"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let (key, _) = certified(lab, "ed25519", &lab.user()?, "+1d")?;
            let sshd = lab.sshd()?;
            Ok(through(lab, &sshd)?.ssh(sshd.route().key(key)))
        },
    },
    Scenario {
        name: "ssh-auth-too-many",
        about: "an agent full of other keys before the right one",
        expect: Expect::Fail("ssh.auth.too-many"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let agent = crowded_agent(lab, 7, &lab.client_key()?)?;
            let sshd = lab.sshd()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().without_key());
            let case = case.env("SSH_AUTH_SOCK", agent.socket().display());
            Ok(case.keep(agent))
        },
    },
    Scenario {
        name: "ssh-auth-crowded-agent",
        about: "an agent full of other keys, and the right one is named: it goes first",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let agent = crowded_agent(lab, 7, &lab.client_key()?)?;
            let case = through(lab, &*lab.sshd()?)?;
            let case = case.env("SSH_AUTH_SOCK", agent.socket().display());
            Ok(case.forbids("ssh.auth.too-many").keep(agent))
        },
    },
    Scenario {
        name: "ssh-auth-identities-only",
        about: "an agent full of other keys, one file, and IdentitiesOnly",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let agent = crowded_agent(lab, 7, &lab.ssh_key("ed25519", "")?)?;
            let config = lab.file("config", "Host *\n  IdentitiesOnly yes\n", 0o600)?;
            let sshd = lab.sshd()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().config(config));
            let case = case.env("SSH_AUTH_SOCK", agent.socket().display());
            Ok(case.forbids("ssh.auth.too-many").keep(agent))
        },
    },
    Scenario {
        name: "ssh-auth-agent-gone",
        about: "SSH_AUTH_SOCK names a socket that is not there, and there is no key file",
        expect: Expect::Fail("ssh.auth.agent"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let sshd = lab.sshd()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().without_key());
            Ok(case.env("SSH_AUTH_SOCK", lab.dir("gone")?.join("agent").display()))
        },
    },
    Scenario {
        name: "ssh-auth-agent-gone-file",
        about: "SSH_AUTH_SOCK names a socket that is not there, and a key file is named",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let case = through(lab, &*lab.sshd()?)?.forbids("ssh.auth.agent");
            Ok(case.env("SSH_AUTH_SOCK", lab.dir("gone")?.join("agent").display()))
        },
    },
    Scenario {
        name: "ssh-auth-agent-empty",
        about: "an agent without keys, and there is no key file",
        expect: Expect::Fail("ssh.auth.agent"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let agent = Agent::start(lab)?;
            let sshd = lab.sshd()?;
            let case = through(lab, &sshd)?.ssh(sshd.route().without_key());
            let case = case.env("SSH_AUTH_SOCK", agent.socket().display());
            Ok(case.keep(agent))
        },
    },
    Scenario {
        name: "ssh-auth-agent-refuses",
        about: "an agent that must ask for a confirmation, and cannot",
        expect: Expect::Fail("ssh.auth.agent"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
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
    },
    Scenario {
        name: "ssh-auth-agent-locked-file",
        about: "the key file needs a passphrase, and the agent has the key",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
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
    },
    Scenario {
        name: "ssh-auth-algorithm",
        about: "the server knows the RSA key, and takes SHA-1 signatures alone",
        expect: Expect::Fail("ssh.auth.algorithm"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let key = lab.ssh_key("rsa", "")?;
            let sshd = lab
                .new_sshd()
                .config("PubkeyAcceptedAlgorithms ssh-rsa")
                .authorized_keys(public(&key)?)
                .start()?;
            Ok(through(lab, &sshd)?.ssh(sshd.route().key(key)).keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-algorithm-old",
        about: "a server that announces SHA-1 alone for RSA keys",
        expect: Expect::Fail("ssh.auth.algorithm"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let sshd = FakeSshd::start(lab, Behaviour::OnlySha1)?;
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            let key = lab.ssh_key("rsa", "")?;
            Ok(case.ssh(sshd.route().key(key)).keep(sshd))
        },
    },
    Scenario {
        name: "ssh-auth-jump",
        about: "the second of two hops does not know the key",
        expect: Expect::Fail("ssh.auth.publickey"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
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
    },
];
