//! Host keys: what known_hosts says, and what the server shows.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{Case, Expect, Lab, Need, Oracle, Scenario, Sshd, Tool};

/// To the shared database through a server that is known by these lines, in which `<host>` is
/// the server's name with its port, and `<key>` its key.
fn known_as(lab: &Lab, sshd: &Sshd, lines: &str) -> Result<Case> {
    let key = fs::read_to_string(sshd.host_key().with_extension("pub"))?;
    let lines = lines
        .replace("<host>", &format!("[127.0.0.1]:{}", sshd.port()))
        .replace("<key>", key.trim());
    let file = lab.file("known_hosts", lines, 0o644)?;
    let case = Case::check(lab.postgres()?.conn()).password(lab.password());
    Ok(case
        .ssh(sshd.route().known_hosts(file))
        .forbids("ssh.hostkey.changed"))
}

/// Some other key, as a line of known_hosts has it.
fn other_key(lab: &Lab, kind: &str) -> Result<String> {
    let key = fs::read_to_string(lab.ssh_key(kind, "")?.with_extension("pub"))?;
    Ok(key.trim().to_owned())
}

/// An authority, and a server whose host key it has signed.
fn certified(lab: &Lab, names: &str, validity: &str) -> Result<(String, Sshd)> {
    let ca = lab.ssh_key("ed25519", "")?;
    let host_key = lab.ssh_key("ed25519", "")?;
    let sign = Tool::new("ssh-keygen").args(["-q", "-h", "-I", "lab", "-V", validity]);
    sign.args(["-n", names, "-s"])
        .arg(ca.display())
        .arg(host_key.with_extension("pub").display())
        .succeed()?;
    let certificate = beside(&host_key, "-cert.pub");
    let sshd = lab
        .new_sshd()
        .config(&format!("HostCertificate {}", certificate.display()))
        .host_key(host_key)
        .start()?;
    let ca = fs::read_to_string(ca.with_extension("pub"))?;
    Ok((ca.trim().to_owned(), sshd))
}

/// A server with a certificate for this name, called by this alias.
fn aliased(lab: &Lab, name: &str, alias: &str) -> Result<Case> {
    let (ca, sshd) = certified(lab, name, "+1d")?;
    let case = known_as(lab, &sshd, &format!("@cert-authority * {ca}\n"))?;
    let config = format!("Host *\n  HostKeyAlias {alias}\n");
    let config = lab.file("config", config, 0o600)?;
    let route = case.ssh.clone().map(|route| route.config(config));
    Ok(Case { ssh: route, ..case }.keep(sshd))
}

/// A server with an Ed25519 host key, its first one, and an RSA key, which is told.
fn two_keys(lab: &Lab) -> Result<(String, Sshd)> {
    let rsa = lab.ssh_key("rsa", "")?;
    let line = fs::read_to_string(rsa.with_extension("pub"))?;
    let sshd = lab.new_sshd().host_key(lab.ssh_key("ed25519", "")?);
    Ok((line.trim().to_owned(), sshd.host_key(rsa).start()?))
}

/// A server whose authority these lines revoke, in which `<ca>` is that authority, and
/// StrictHostKeyChecking.
fn revoked_authority(lab: &Lab, lines: &str, check: &str) -> Result<Case> {
    let (ca, sshd) = certified(lab, "127.0.0.1", "+1d")?;
    let case = known_as(lab, &sshd, &lines.replace("<ca>", &ca))?;
    let option = format!("StrictHostKeyChecking {check}");
    let route = case.ssh.clone().map(|route| route.option(&option));
    Ok(Case { ssh: route, ..case }
        .args(&["--ssh-host-key-check", check])
        .keep(sshd))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

/// The host key.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "ssh-hostkey-rsa-alone-known",
        about: "a server with three host keys, of which the RSA key alone is known",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let sshd = lab
                .new_sshd()
                .host_key(lab.ssh_key("rsa", "")?)
                .host_key(lab.ssh_key("ed25519", "")?)
                .host_key(lab.ssh_key("ecdsa", "")?)
                .start()?;
            Ok(known_as(lab, &sshd, "<host> <key>\n")?.keep(sshd))
        },
    },
    Scenario {
        name: "ssh-hostkey-revoked-other-type",
        about: "one of the server's keys is revoked, another one is known: that is asked for",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let (rsa, sshd) = two_keys(lab)?;
            let lines = format!("@revoked * <key>\n<host> <key>\n<host> {rsa}\n");
            let case = known_as(lab, &sshd, &lines)?;
            Ok(case.forbids("ssh.hostkey.revoked").keep(sshd))
        },
    },
    Scenario {
        name: "ssh-hostkey-revoked-alone-known",
        about: "the one known key is revoked, and the server's best one is another",
        expect: Expect::Fail("ssh.hostkey.changed"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let (rsa, sshd) = two_keys(lab)?;
            let lines = format!("@revoked * {rsa}\n<host> {rsa}\n");
            let mut case = known_as(lab, &sshd, &lines)?;
            case.forbids.clear();
            Ok(case.keep(sshd))
        },
    },
    Scenario {
        name: "ssh-hostkey-alias-capitals",
        about: "HostKeyAlias in capitals: the certificate is for the name in small letters",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| aliased(lab, "foo.test", "FOO.test"),
    },
    Scenario {
        name: "ssh-hostkey-alias-certificate-capitals",
        about: "a certificate for a name in capitals, which is never looked for",
        expect: Expect::Fail("ssh.hostkey.certificate"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| aliased(lab, "FOO.test", "FOO.test"),
    },
    Scenario {
        name: "ssh-hostkey-malformed-line",
        about: "malformed lines and comments before the right one",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let lines = "# ours\n<host>\n<host> ssh-ed25519\n<host> ssh-ed25519 AAAA\n@what <host> <key>\n\
                         |1|no|hash <key>\n\n  <host> <key> a comment\n";
            known_as(lab, &*lab.sshd()?, lines)
        },
    },
    Scenario {
        name: "ssh-hostkey-stale-line",
        about: "a stale line before the right one",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let lines = format!("<host> {}\n<host> <key>\n", other_key(lab, "ed25519")?);
            known_as(lab, &*lab.sshd()?, &lines)
        },
    },
    Scenario {
        name: "ssh-hostkey-hashed",
        about: "a hashed line",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let sshd = lab.sshd()?;
            let key = fs::read_to_string(sshd.host_key().with_extension("pub"))?;
            let line = format!("[127.0.0.1]:{} {key}", sshd.port());
            let file = lab.file("known_hosts", line, 0o644)?;
            let hash = Tool::new("ssh-keygen").args(["-q", "-H", "-f"]);
            hash.arg(file.display()).succeed()?;
            known_as(lab, &sshd, &fs::read_to_string(file)?)
        },
    },
    Scenario {
        name: "ssh-hostkey-wildcard",
        about: "a line with patterns",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| known_as(lab, &*lab.sshd()?, "[10.*]:*,[127.0.0.?]:* <key>\n"),
    },
    Scenario {
        name: "ssh-hostkey-negated",
        about: "a pattern that leaves this host out",
        expect: Expect::Fail("ssh.hostkey.unknown"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| known_as(lab, &*lab.sshd()?, "[127.*]:*,!<host> <key>\n"),
    },
    Scenario {
        name: "ssh-hostkey-bare-name",
        about: "another port than 22, and a line for the bare name",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| known_as(lab, &*lab.sshd()?, "127.0.0.1 <key>\n"),
    },
    Scenario {
        name: "ssh-hostkey-other-port",
        about: "a line for another port alone",
        expect: Expect::Fail("ssh.hostkey.unknown"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| known_as(lab, &*lab.sshd()?, "[127.0.0.1]:1 <key>\n"),
    },
    Scenario {
        name: "ssh-hostkey-missing-file",
        about: "a known_hosts file that does not exist",
        expect: Expect::Fail("ssh.hostkey.unknown"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let route = lab.sshd()?.route();
            let file = lab.dir("empty")?.join("known_hosts");
            Ok(Case::check(lab.postgres()?.conn()).ssh(route.known_hosts(file)))
        },
    },
    Scenario {
        name: "ssh-hostkey-other-type",
        about: "a key of another type alone is known, which OpenSSH takes for a changed one",
        expect: Expect::Fail("ssh.hostkey.changed"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let lines = format!("<host> {}\n", other_key(lab, "rsa")?);
            let case = known_as(lab, &*lab.sshd()?, &lines)?;
            Ok(Case {
                forbids: Vec::new(),
                ..case
            })
        },
    },
    Scenario {
        name: "ssh-hostkey-revoked",
        about: "the key is known and revoked",
        expect: Expect::Fail("ssh.hostkey.revoked"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| known_as(lab, &*lab.sshd()?, "<host> <key>\n@revoked * <key>\n"),
    },
    Scenario {
        name: "ssh-hostkey-accept-new",
        about: "an unknown key under accept-new",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let case = known_as(lab, &*lab.sshd()?, "")?;
            let route = case
                .ssh
                .clone()
                .map(|route| route.option("StrictHostKeyChecking accept-new"));
            Ok(Case { ssh: route, ..case }.args(&["--ssh-host-key-check", "accept-new"]))
        },
    },
    Scenario {
        name: "ssh-hostkey-unchecked",
        about: "a changed key where checking is off",
        expect: Expect::Warn("ssh.hostkey.changed"),
        oracle: Oracle::None("OpenSSH lets us in too, and forwards nothing then"),
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let lines = format!("<host> {}\n", other_key(lab, "ed25519")?);
            let case = known_as(lab, &*lab.sshd()?, &lines)?;
            let route = case
                .ssh
                .clone()
                .map(|route| route.option("StrictHostKeyChecking no"));
            Ok(Case {
                ssh: route,
                forbids: Vec::new(),
                ..case
            }
            .args(&["--ssh-host-key-check", "no"]))
        },
    },
    Scenario {
        name: "ssh-hostkey-unchecked-password",
        about: "a changed key where checking is off, and a password alone: it is not sent",
        expect: Expect::Fail("ssh.auth.method"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd, Need::Root],
        setup: |lab| {
            let sshd = lab.new_sshd().password("right-canary")?.start()?;
            let lines = format!("<host> {}\n", other_key(lab, "ed25519")?);
            let case = known_as(lab, &sshd, &lines)?;
            let route = case
                .ssh
                .clone()
                .map(|route| route.without_key().option("StrictHostKeyChecking no"));
            Ok(Case {
                ssh: route,
                forbids: Vec::new(),
                ..case
            }
            .args(&["--ssh-host-key-check", "no"])
            .ssh_password("right-canary")
            .warns("ssh.hostkey.changed")
            .keep(sshd))
        },
    },
    Scenario {
        name: "ssh-hostkey-authority",
        about: "a host certificate of a known authority",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let (ca, sshd) = certified(lab, "127.0.0.1", "+1d")?;
            Ok(known_as(lab, &sshd, &format!("@cert-authority <host> {ca}\n"))?.keep(sshd))
        },
    },
    Scenario {
        name: "ssh-hostkey-authority-bare",
        about: "an authority for names without a port, and a server on another port",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let (ca, sshd) = certified(lab, "127.0.0.1", "+1d")?;
            Ok(known_as(lab, &sshd, &format!("@cert-authority 127.* {ca}\n"))?.keep(sshd))
        },
    },
    Scenario {
        name: "ssh-hostkey-certificate-unasked",
        about: "a host certificate of an unknown authority, and its plain key is known",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let (_, sshd) = certified(lab, "127.0.0.1", "+1d")?;
            Ok(known_as(lab, &sshd, "<host> <key>\n")?.keep(sshd))
        },
    },
    Scenario {
        name: "ssh-hostkey-certificate-expired",
        about: "an expired host certificate",
        expect: Expect::Fail("ssh.hostkey.certificate"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let (ca, sshd) = certified(lab, "127.0.0.1", "20200101:20210101")?;
            Ok(known_as(lab, &sshd, &format!("@cert-authority * {ca}\n"))?.keep(sshd))
        },
    },
    Scenario {
        name: "ssh-hostkey-certificate-expired-known",
        about: "an expired host certificate, and its plain key is known",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let (ca, sshd) = certified(lab, "127.0.0.1", "20200101:20210101")?;
            let lines = format!("@cert-authority * {ca}\n<host> <key>\n");
            Ok(known_as(lab, &sshd, &lines)?.keep(sshd))
        },
    },
    Scenario {
        name: "ssh-hostkey-certificate-name",
        about: "a host certificate for another name",
        expect: Expect::Fail("ssh.hostkey.certificate"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let (ca, sshd) = certified(lab, "bastion.test", "+1d")?;
            Ok(known_as(lab, &sshd, &format!("@cert-authority * {ca}\n"))?.keep(sshd))
        },
    },
    Scenario {
        name: "ssh-hostkey-authority-unknown",
        about: "a host certificate of another authority than the known one",
        expect: Expect::Fail("ssh.hostkey.unknown"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let (_, sshd) = certified(lab, "127.0.0.1", "+1d")?;
            let lines = format!("@cert-authority * {}\n", other_key(lab, "ed25519")?);
            Ok(known_as(lab, &sshd, &lines)?.keep(sshd))
        },
    },
    Scenario {
        name: "ssh-hostkey-authority-revoked",
        about: "the authority of the host certificate is revoked",
        expect: Expect::Fail("ssh.hostkey.revoked"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let (ca, sshd) = certified(lab, "127.0.0.1", "+1d")?;
            let lines = format!("@cert-authority * {ca}\n@revoked * {ca}\n");
            Ok(known_as(lab, &sshd, &lines)?.keep(sshd))
        },
    },
    Scenario {
        name: "ssh-hostkey-authority-revoked-key-known",
        about: "the authority alone is revoked, and the plain key is known",
        expect: Expect::Fail("ssh.hostkey.revoked"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| revoked_authority(lab, "@revoked * <ca>\n<host> <key>\n", "yes"),
    },
    Scenario {
        name: "ssh-hostkey-authority-revoked-strict",
        about: "the authority is revoked, and nothing else is known",
        expect: Expect::Fail("ssh.hostkey.revoked"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| revoked_authority(lab, "@revoked * <ca>\n", "yes"),
    },
    Scenario {
        name: "ssh-hostkey-authority-revoked-new",
        about: "the authority is revoked, under accept-new",
        expect: Expect::Fail("ssh.hostkey.revoked"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| revoked_authority(lab, "@revoked * <ca>\n", "accept-new"),
    },
    Scenario {
        name: "ssh-hostkey-authority-revoked-unchecked",
        about: "the authority is revoked, and checking is off",
        expect: Expect::Warn("ssh.hostkey.revoked"),
        oracle: Oracle::None("OpenSSH lets us in too, and forwards nothing then"),
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| revoked_authority(lab, "@revoked * <ca>\n<host> <key>\n", "no"),
    },
    Scenario {
        name: "ssh-hostkey-authority-revoked-bare",
        about: "the authority is revoked for the name without its port",
        expect: Expect::Fail("ssh.hostkey.revoked"),
        oracle: Oracle::Ssh,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| revoked_authority(lab, "@revoked 127.0.0.1 <ca>\n", "yes"),
    },
    Scenario {
        name: "ssh-hostkey-authority-revoked-bare-new",
        about: "the authority is revoked for the name without its port, under accept-new: ssh warns",
        expect: Expect::Warn("ssh.hostkey.revoked"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| revoked_authority(lab, "@revoked 127.0.0.1 <ca>\n", "accept-new"),
    },
    Scenario {
        name: "ssh-hostkey-authority-revoked-bare-unchecked",
        about: "the authority is revoked for the name without its port, and checking is off",
        expect: Expect::Warn("ssh.hostkey.revoked"),
        oracle: Oracle::None("OpenSSH lets us in too, and forwards nothing then"),
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| revoked_authority(lab, "@revoked 127.0.0.1 <ca>\n", "no"),
    },
    Scenario {
        name: "ssh-hostkey-authority-revoked-bare-known",
        about: "the authority is revoked for the name without its port, and the plain key is known",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| revoked_authority(lab, "@revoked 127.0.0.1 <ca>\n<host> <key>\n", "yes"),
    },
    Scenario {
        name: "ssh-hostkey-revoked-bare-new",
        about: "the key is revoked for the name without its port, under accept-new: ssh warns",
        expect: Expect::Warn("ssh.hostkey.revoked"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| revoked_authority(lab, "@revoked 127.0.0.1 <key>\n", "accept-new"),
    },
    Scenario {
        name: "ssh-hostkey-authority-revoked-elsewhere",
        about: "the authority is revoked for another host, and the plain key is known",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| revoked_authority(lab, "@revoked other.test <ca>\n<host> <key>\n", "yes"),
    },
];
