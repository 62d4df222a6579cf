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
    Scenario::new(
        "ssh-hostkey-rsa-alone-known",
        "a server with three host keys, of which the RSA key alone is known",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab
                .new_sshd()
                .host_key(lab.ssh_key("rsa", "")?)
                .host_key(lab.ssh_key("ed25519", "")?)
                .host_key(lab.ssh_key("ecdsa", "")?)
                .start()?;
            Ok(known_as(lab, &sshd, "<host> <key>\n")?.keep(sshd))
        },
    ),
    Scenario::new(
        "ssh-hostkey-revoked-other-type",
        "one of the server's keys is revoked, another one is known: that is asked for",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let (rsa, sshd) = two_keys(lab)?;
            let lines = format!("@revoked * <key>\n<host> <key>\n<host> {rsa}\n");
            let case = known_as(lab, &sshd, &lines)?;
            Ok(case.forbids("ssh.hostkey.revoked").keep(sshd))
        },
    ),
    Scenario::new(
        "ssh-hostkey-revoked-alone-known",
        "the one known key is revoked, and the server's best one is another",
        Expect::Fail("ssh.hostkey.changed"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let (rsa, sshd) = two_keys(lab)?;
            let lines = format!("@revoked * {rsa}\n<host> {rsa}\n");
            let mut case = known_as(lab, &sshd, &lines)?;
            case.forbids.clear();
            Ok(case.keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-hostkey-certificate-alone-asked-for",
        "HostKeyAlgorithms has certificates alone, and the key within is known",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let (_, sshd) = certified(lab, "127.0.0.1", "+1d")?;
            let case = known_as(lab, &sshd, "<host> <key>\n")?;
            let config = "Host *\n  HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com\n";
            let config = lab.file("config", config, 0o600)?;
            let route = case.ssh.clone().map(|route| route.config(config));
            Ok(Case { ssh: route, ..case }.keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-hostkey-alias-capitals",
        "HostKeyAlias in capitals: the certificate is for the name in small letters",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| aliased(lab, "foo.test", "FOO.test"),
    ),
    Scenario::new(
        "ssh-hostkey-alias-certificate-capitals",
        "a certificate for a name in capitals, which is never looked for",
        Expect::Fail("ssh.hostkey.certificate"),
        &[Need::Postgres, Need::Sshd],
        |lab| aliased(lab, "FOO.test", "FOO.test"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-hostkey-malformed-line",
        "malformed lines and comments before the right one",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let lines = "# ours\n<host>\n<host> ssh-ed25519\n<host> ssh-ed25519 AAAA\n@what <host> <key>\n\
                         |1|no|hash <key>\n\n  <host> <key> a comment\n";
            known_as(lab, &*lab.sshd()?, lines)
        },
    ),
    Scenario::new(
        "ssh-hostkey-stale-line",
        "a stale line before the right one",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let lines = format!("<host> {}\n<host> <key>\n", other_key(lab, "ed25519")?);
            known_as(lab, &*lab.sshd()?, &lines)
        },
    ),
    Scenario::new(
        "ssh-hostkey-hashed",
        "a hashed line",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let key = fs::read_to_string(sshd.host_key().with_extension("pub"))?;
            let line = format!("[127.0.0.1]:{} {key}", sshd.port());
            let file = lab.file("known_hosts", line, 0o644)?;
            let hash = Tool::new("ssh-keygen").args(["-q", "-H", "-f"]);
            hash.arg(file.display()).succeed()?;
            known_as(lab, &sshd, &fs::read_to_string(file)?)
        },
    ),
    Scenario::new(
        "ssh-hostkey-wildcard",
        "a line with patterns",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| known_as(lab, &*lab.sshd()?, "[10.*]:*,[127.0.0.?]:* <key>\n"),
    ),
    Scenario::new(
        "ssh-hostkey-negated",
        "a pattern that leaves this host out",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Postgres, Need::Sshd],
        |lab| known_as(lab, &*lab.sshd()?, "[127.*]:*,!<host> <key>\n"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-hostkey-bare-name",
        "another port than 22, and a line for the bare name",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| known_as(lab, &*lab.sshd()?, "127.0.0.1 <key>\n"),
    ),
    Scenario::new(
        "ssh-hostkey-other-port",
        "a line for another port alone",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Postgres, Need::Sshd],
        |lab| known_as(lab, &*lab.sshd()?, "[127.0.0.1]:1 <key>\n"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-hostkey-missing-file",
        "a known_hosts file that does not exist",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let route = lab.sshd()?.route();
            let file = lab.dir("empty")?.join("known_hosts");
            Ok(Case::check(lab.postgres()?.conn()).ssh(route.known_hosts(file)))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-hostkey-other-type",
        "a key of another type alone is known, which OpenSSH takes for a changed one",
        Expect::Fail("ssh.hostkey.changed"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let lines = format!("<host> {}\n", other_key(lab, "rsa")?);
            let case = known_as(lab, &*lab.sshd()?, &lines)?;
            Ok(Case {
                forbids: Vec::new(),
                ..case
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-hostkey-revoked",
        "the key is known and revoked",
        Expect::Fail("ssh.hostkey.revoked"),
        &[Need::Postgres, Need::Sshd],
        |lab| known_as(lab, &*lab.sshd()?, "<host> <key>\n@revoked * <key>\n"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-hostkey-accept-new",
        "an unknown key under accept-new",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let case = known_as(lab, &*lab.sshd()?, "")?;
            let route = case
                .ssh
                .clone()
                .map(|route| route.option("StrictHostKeyChecking accept-new"));
            Ok(Case { ssh: route, ..case }.args(&["--ssh-host-key-check", "accept-new"]))
        },
    ),
    Scenario::new(
        "ssh-hostkey-unchecked",
        "a changed key where checking is off",
        Expect::Warn("ssh.hostkey.changed"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
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
    )
    .oracle(Oracle::None(
        "OpenSSH lets us in too, and forwards nothing then",
    )),
    Scenario::new(
        "ssh-hostkey-unchecked-password",
        "a changed key where checking is off, and a password alone: it is not sent",
        Expect::Fail("ssh.auth.method"),
        &[Need::Postgres, Need::Sshd, Need::Root],
        |lab| {
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
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-hostkey-authority",
        "a host certificate of a known authority",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let (ca, sshd) = certified(lab, "127.0.0.1", "+1d")?;
            Ok(known_as(lab, &sshd, &format!("@cert-authority <host> {ca}\n"))?.keep(sshd))
        },
    ),
    Scenario::new(
        "ssh-hostkey-authority-bare",
        "an authority for names without a port, and a server on another port",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let (ca, sshd) = certified(lab, "127.0.0.1", "+1d")?;
            Ok(known_as(lab, &sshd, &format!("@cert-authority 127.* {ca}\n"))?.keep(sshd))
        },
    ),
    Scenario::new(
        "ssh-hostkey-certificate-unasked",
        "a host certificate of an unknown authority, and its plain key is known",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let (_, sshd) = certified(lab, "127.0.0.1", "+1d")?;
            Ok(known_as(lab, &sshd, "<host> <key>\n")?.keep(sshd))
        },
    ),
    Scenario::new(
        "ssh-hostkey-certificate-expired",
        "an expired host certificate",
        Expect::Fail("ssh.hostkey.certificate"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let (ca, sshd) = certified(lab, "127.0.0.1", "20200101:20210101")?;
            Ok(known_as(lab, &sshd, &format!("@cert-authority * {ca}\n"))?.keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-hostkey-certificate-expired-known",
        "an expired host certificate, and its plain key is known",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let (ca, sshd) = certified(lab, "127.0.0.1", "20200101:20210101")?;
            let lines = format!("@cert-authority * {ca}\n<host> <key>\n");
            Ok(known_as(lab, &sshd, &lines)?.keep(sshd))
        },
    ),
    Scenario::new(
        "ssh-hostkey-certificate-name",
        "a host certificate for another name",
        Expect::Fail("ssh.hostkey.certificate"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let (ca, sshd) = certified(lab, "bastion.test", "+1d")?;
            Ok(known_as(lab, &sshd, &format!("@cert-authority * {ca}\n"))?.keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-hostkey-authority-unknown",
        "a host certificate of another authority than the known one",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let (_, sshd) = certified(lab, "127.0.0.1", "+1d")?;
            let lines = format!("@cert-authority * {}\n", other_key(lab, "ed25519")?);
            Ok(known_as(lab, &sshd, &lines)?.keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-hostkey-authority-revoked",
        "the authority of the host certificate is revoked",
        Expect::Fail("ssh.hostkey.revoked"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let (ca, sshd) = certified(lab, "127.0.0.1", "+1d")?;
            let lines = format!("@cert-authority * {ca}\n@revoked * {ca}\n");
            Ok(known_as(lab, &sshd, &lines)?.keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-hostkey-authority-revoked-key-known",
        "the authority alone is revoked, and the plain key is known",
        Expect::Fail("ssh.hostkey.revoked"),
        &[Need::Postgres, Need::Sshd],
        |lab| revoked_authority(lab, "@revoked * <ca>\n<host> <key>\n", "yes"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-hostkey-authority-revoked-strict",
        "the authority is revoked, and nothing else is known",
        Expect::Fail("ssh.hostkey.revoked"),
        &[Need::Postgres, Need::Sshd],
        |lab| revoked_authority(lab, "@revoked * <ca>\n", "yes"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-hostkey-authority-revoked-new",
        "the authority is revoked, under accept-new",
        Expect::Fail("ssh.hostkey.revoked"),
        &[Need::Postgres, Need::Sshd],
        |lab| revoked_authority(lab, "@revoked * <ca>\n", "accept-new"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-hostkey-authority-revoked-unchecked",
        "the authority is revoked, and checking is off",
        Expect::Warn("ssh.hostkey.revoked"),
        &[Need::Postgres, Need::Sshd],
        |lab| revoked_authority(lab, "@revoked * <ca>\n<host> <key>\n", "no"),
    )
    .oracle(Oracle::None(
        "OpenSSH lets us in too, and forwards nothing then",
    )),
    Scenario::new(
        "ssh-hostkey-authority-revoked-bare",
        "the authority is revoked for the name without its port",
        Expect::Fail("ssh.hostkey.revoked"),
        &[Need::Postgres, Need::Sshd],
        |lab| revoked_authority(lab, "@revoked 127.0.0.1 <ca>\n", "yes"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-hostkey-authority-revoked-bare-new",
        "the authority is revoked for the name without its port, under accept-new: ssh warns",
        Expect::Warn("ssh.hostkey.revoked"),
        &[Need::Postgres, Need::Sshd],
        |lab| revoked_authority(lab, "@revoked 127.0.0.1 <ca>\n", "accept-new"),
    ),
    Scenario::new(
        "ssh-hostkey-authority-revoked-bare-unchecked",
        "the authority is revoked for the name without its port, and checking is off",
        Expect::Warn("ssh.hostkey.revoked"),
        &[Need::Postgres, Need::Sshd],
        |lab| revoked_authority(lab, "@revoked 127.0.0.1 <ca>\n", "no"),
    )
    .oracle(Oracle::None(
        "OpenSSH lets us in too, and forwards nothing then",
    )),
    Scenario::new(
        "ssh-hostkey-authority-revoked-bare-known",
        "the authority is revoked for the name without its port, and the plain key is known",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| revoked_authority(lab, "@revoked 127.0.0.1 <ca>\n<host> <key>\n", "yes"),
    ),
    Scenario::new(
        "ssh-hostkey-revoked-bare-new",
        "the key is revoked for the name without its port, under accept-new: ssh warns",
        Expect::Warn("ssh.hostkey.revoked"),
        &[Need::Postgres, Need::Sshd],
        |lab| revoked_authority(lab, "@revoked 127.0.0.1 <key>\n", "accept-new"),
    ),
    Scenario::new(
        "ssh-hostkey-authority-revoked-elsewhere",
        "the authority is revoked for another host, and the plain key is known",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| revoked_authority(lab, "@revoked other.test <ca>\n<host> <key>\n", "yes"),
    ),
];
