//! What narrows trust in the SSH configuration: revoked host keys, the algorithms of authorities,
//! connections that are refused, and files that others can write.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, ensure};

use crate::{Case, Expect, Lab, Need, Oracle, Scenario, SshRoute, Sshd, Tool};

const BOTH: &[Need] = &[Need::Postgres, Need::Sshd];
const AS_ROOT: &[Need] = &[Need::Postgres, Need::Sshd, Need::Root];

/// Through this server by an alias of a configuration with these lines, before the rest.
fn narrowed(lab: &Lab, sshd: &Sshd, known_hosts: &Path, lines: &str) -> Result<Case> {
    let config = format!(
        "Host bastion\n  HostName {}\n  Port {}\n  User {}\n  IdentityFile {}\n  \
         UserKnownHostsFile {}\n{lines}\n",
        sshd.host(),
        sshd.port(),
        lab.user()?,
        lab.client_key()?.display(),
        known_hosts.display(),
    );
    let route = SshRoute::new("bastion").config(lab.file("config", config, 0o600)?);
    let case = Case::check(lab.postgres()?.conn()).password(lab.password());
    Ok(case.ssh(route).forbids("config.ssh.unsupported"))
}

/// Through a server of its own with `RevokedHostKeys`; nothing is offered to one that is revoked.
fn revoking(lab: &Lab, sshd: Sshd, known_hosts: &Path, list: &Path, more: &str) -> Result<Case> {
    let lines = format!("  RevokedHostKeys {}\n{more}", list.display());
    let case = narrowed(lab, &sshd, known_hosts, &lines)?;
    let sshd = Arc::new(sshd);
    let server = sshd.clone();
    let case = case.assert(move |report| {
        if report["verdict"]["status"] == "fail" {
            let log = server.log();
            let asked = log.contains("authenticating user") || log.contains("Accepted ");
            ensure!(!asked, "a login was tried: {log}");
        }
        Ok(())
    });
    Ok(case.keep(sshd))
}

/// The same with this content of the list, in which `<key>` is the server's key and `<other>` another one.
fn listed(lab: &Lab, list: &str, more: &str) -> Result<Case> {
    let sshd = lab.new_sshd().start()?;
    let list = list
        .replace("<key>", public(sshd.host_key())?.trim())
        .replace("<other>", public(&lab.ssh_key("ed25519", "")?)?.trim());
    let list = lab.file("revoked", list, 0o644)?;
    let known = sshd.known_hosts();
    revoking(lab, sshd, &known, &list, more)
}

/// The same with a key revocation list made from these lines for `ssh-keygen -k`, in which
/// `<hash>` is the server's key's, against a certificate with the serial number 7; known are the
/// authority and, where it says so, the key.
fn krl(lab: &Lab, spec: &str, known: &str) -> Result<Case> {
    let (authority, sshd) = certified(lab, &[])?;
    let print = Tool::new("ssh-keygen").args(["-l", "-f"]);
    let print = print.arg(sshd.host_key().display()).succeed()?;
    let hash = print.split_whitespace().nth(1).unwrap_or_default();
    let spec = spec
        .replace("<hash>", hash)
        .replace("<key>", public(sshd.host_key())?.trim())
        .replace("<authority>", public(&authority)?.trim())
        .replace("<other>", public(&lab.ssh_key("ed25519", "")?)?.trim());
    let spec = lab.file("spec", spec, 0o644)?;
    let list = lab.dir("krl")?.join("revoked.krl");
    let make = Tool::new("ssh-keygen").args(["-q", "-k", "-f"]);
    let make = make.arg(list.display()).arg("-s");
    make.arg(authority.with_extension("pub").display())
        .arg(spec.display())
        .succeed()?;
    let known = known_by(lab, &sshd, &authority, known)?;
    revoking(lab, sshd, &known, &list, "")
}

/// With the second opinion, in which no client gets in.
fn shut_out(case: Case) -> Case {
    case.arg("--second-opinion").assert(|report| {
        let text = report.to_string();
        let passed = text.contains("\"outcome\":\"passed\"");
        ensure!(!passed, "a second client got in: {text}");
        Ok(())
    })
}

fn public(key: &Path) -> Result<String> {
    Ok(fs::read_to_string(key.with_extension("pub"))?)
}

/// An authority, and a server with a certificate that it signed by these options.
fn certified(lab: &Lab, options: &[&str]) -> Result<(PathBuf, Sshd)> {
    let authority = lab.ssh_key(if options.is_empty() { "ed25519" } else { "rsa" }, "")?;
    let host_key = lab.ssh_key("ed25519", "")?;
    let sign = Tool::new("ssh-keygen").args(["-q", "-h", "-I", "lab", "-z", "7"]);
    sign.args(["-V", "+1d", "-n", "127.0.0.1"])
        .args(options)
        .arg("-s")
        .arg(authority.display())
        .arg(host_key.with_extension("pub").display())
        .succeed()?;
    let certificate = format!("HostCertificate {}-cert.pub", host_key.display());
    let sshd = lab.new_sshd().config(&certificate).host_key(host_key);
    Ok((authority, sshd.start()?))
}

/// A known_hosts file with the `authority`, the server's own `key`, or both.
fn known_by(lab: &Lab, sshd: &Sshd, authority: &Path, what: &str) -> Result<PathBuf> {
    let mut lines = String::new();
    if what.contains("authority") {
        lines += &format!("@cert-authority * {}", public(authority)?);
    }
    if what.contains("key") {
        lines += &fs::read_to_string(sshd.known_hosts())?;
    }
    lab.file("known_hosts", lines, 0o644)
}

/// A server whose certificate is signed by this algorithm of an RSA authority, asked with this setting.
fn signed(lab: &Lab, algorithm: &str, setting: &str) -> Result<Case> {
    let (authority, sshd) = certified(lab, &["-t", algorithm])?;
    let known = known_by(lab, &sshd, &authority, "authority")?;
    Ok(narrowed(lab, &sshd, &known, setting)?.keep(sshd))
}

/// To the shared server, with these lines after the host's own.
fn with_lines(lab: &Lab, lines: &str) -> Result<Case> {
    let sshd = lab.sshd()?;
    narrowed(lab, &sshd, &sshd.known_hosts(), lines)
}

/// The same with a file that is included, which has this owner and mode.
fn including(lab: &Lab, owner: Option<u32>, mode: u32) -> Result<Case> {
    let file = lab.file("included", "ConnectTimeout 10\n", mode)?;
    chown(&file, owner, None)?;
    with_lines(lab, &format!("Include {}", file.display()))
}

/// Trust, and what narrows it.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "ssh-trust-revoked",
        "RevokedHostKeys lists the host's key, which is known; the second clients are told too",
        Expect::Fail("ssh.hostkey.revoked"),
        BOTH,
        |lab| {
            let case = listed(lab, "# ours\n<other>\n<key> a comment\n", "")?;
            let case = case.ssh_password("never-sent-canary");
            Ok(shut_out(case).assert(|report| {
                let summary = report["verdict"]["summary"].to_string();
                ensure!(summary.contains("/revoked:3"), "{summary}");
                Ok(())
            }))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-revoked-other",
        "RevokedHostKeys lists another key",
        Expect::Pass,
        BOTH,
        |lab| listed(lab, "# ours\n\n<other>\n", ""),
    ),
    Scenario::new(
        "ssh-trust-revoked-empty",
        "RevokedHostKeys names an empty list",
        Expect::Pass,
        BOTH,
        |lab| with_lines(lab, "  RevokedHostKeys /dev/null"),
    ),
    Scenario::new(
        "ssh-trust-revoked-none",
        "RevokedHostKeys none, and a list for all hosts after it",
        Expect::Pass,
        BOTH,
        |lab| {
            with_lines(
                lab,
                "  RevokedHostKeys none\nHost *\n  RevokedHostKeys /nowhere",
            )
        },
    ),
    Scenario::new(
        "ssh-trust-revoked-missing",
        "RevokedHostKeys names a file that does not exist: ssh then refuses every host key",
        Expect::Fail("config.ssh.revoked-keys"),
        BOTH,
        |lab| with_lines(lab, "  RevokedHostKeys /nowhere/revoked"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-revoked-malformed",
        "RevokedHostKeys names a file like known_hosts, which ssh cannot read",
        Expect::Fail("config.ssh.revoked-keys"),
        BOTH,
        |lab| listed(lab, "<other>\n* <other>\n", ""),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-revoked-unchecked",
        "a revoked key where host keys are not checked otherwise",
        Expect::Fail("ssh.hostkey.revoked"),
        BOTH,
        |lab| listed(lab, "<key>\n", "  StrictHostKeyChecking no"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-revoked-loopback",
        "a revoked key on loopback, where NoHostAuthenticationForLocalhost trusts any other",
        Expect::Fail("ssh.hostkey.revoked"),
        BOTH,
        |lab| listed(lab, "<key>\n", "  NoHostAuthenticationForLocalhost yes"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-revoked-authority",
        "RevokedHostKeys lists the authority that signed the host's certificate",
        Expect::Fail("ssh.hostkey.revoked"),
        BOTH,
        |lab| {
            let (authority, sshd) = certified(lab, &[])?;
            let list = lab.file("revoked", public(&authority)?, 0o644)?;
            let known = known_by(lab, &sshd, &authority, "key")?;
            revoking(lab, sshd, &known, &list, "")
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-revoked-final-host",
        "a list for the host's real name, which counts on the second reading (Match final)",
        Expect::Fail("ssh.hostkey.revoked"),
        BOTH,
        |lab| {
            let sshd = lab.sshd()?;
            let list = lab.file("revoked", public(sshd.host_key())?, 0o644)?;
            let lines = format!(
                "Match final\nHost 127.0.0.1\n  RevokedHostKeys {}",
                list.display()
            );
            with_lines(lab, &lines)
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-revoked-rsa-known",
        "a list of other keys, a certificate for a key that is not known, and a known RSA key",
        Expect::Pass,
        BOTH,
        |lab| {
            let (key, rsa) = (lab.ssh_key("ed25519", "")?, lab.ssh_key("rsa", "")?);
            let sign = Tool::new("ssh-keygen").args(["-q", "-h", "-I", "lab", "-s"]);
            sign.arg(lab.ssh_key("ed25519", "")?.display())
                .arg(key.with_extension("pub").display())
                .succeed()?;
            let certificate = format!("HostCertificate {}-cert.pub", key.display());
            let server = lab.new_sshd().config(&certificate);
            let sshd = server.host_key(key).host_key(&rsa).start()?;
            let known = format!("[127.0.0.1]:{} {}", sshd.port(), public(&rsa)?);
            let known = lab.file("known_hosts", known, 0o644)?;
            revoking(lab, sshd, &known, Path::new("/dev/null"), "")
        },
    ),
    Scenario::new(
        "ssh-trust-krl-key",
        "a key revocation list with the host's key",
        Expect::Fail("ssh.hostkey.revoked"),
        BOTH,
        |lab| krl(lab, "key: <other>\nkey: <key>\n", "authority, key"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-krl-sha1",
        "a key revocation list with the SHA-1 hash of the host's key",
        Expect::Fail("ssh.hostkey.revoked"),
        BOTH,
        |lab| krl(lab, "sha1: <key>\n", "authority"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-krl-hash",
        "a key revocation list with the SHA-256 hash of the host's key",
        Expect::Fail("ssh.hostkey.revoked"),
        BOTH,
        |lab| krl(lab, "hash: <hash>\n", "key"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-krl-authority",
        "a key revocation list with the authority's key",
        Expect::Fail("ssh.hostkey.revoked"),
        BOTH,
        |lab| krl(lab, "key: <authority>\n", "authority"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-krl-serial",
        "a key revocation list with the certificate's serial number, and its plain key is known",
        Expect::Fail("ssh.hostkey.revoked"),
        BOTH,
        |lab| Ok(shut_out(krl(lab, "serial: 7\n", "key")?)),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-krl-range",
        "a key revocation list with a range of serial numbers",
        Expect::Fail("ssh.hostkey.revoked"),
        BOTH,
        |lab| krl(lab, "serial: 5-90000\n", "authority"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-krl-bitmap",
        "a key revocation list with scattered serial numbers, which ssh-keygen packs as bits",
        Expect::Fail("ssh.hostkey.revoked"),
        BOTH,
        |lab| {
            let numbers = [1, 3, 5, 7, 9, 11, 13, 15, 17, 20, 23, 26];
            let lines = numbers.map(|n| format!("serial: {n}\n"));
            krl(lab, &lines.concat(), "authority")
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-krl-id",
        "a key revocation list with the certificate's key ID",
        Expect::Fail("ssh.hostkey.revoked"),
        BOTH,
        |lab| krl(lab, "id: lab\n", "authority"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-krl-other",
        "a key revocation list with other keys, hashes, serial numbers and key IDs",
        Expect::Pass,
        BOTH,
        |lab| {
            let numbers = [1, 3, 5, 8, 9, 11, 13, 15, 17, 20, 23, 26];
            let lines = numbers.map(|n| format!("serial: {n}\n"));
            let rest = "serial: 100-200\nid: lab2\nkey: <other>\nsha1: <other>\n";
            krl(lab, &(lines.concat() + rest), "authority")
        },
    ),
    Scenario::new(
        "ssh-trust-krl-damaged",
        "a key revocation list that was cut off",
        Expect::Fail("config.ssh.revoked-keys"),
        BOTH,
        |lab| listed(lab, "SSHKRL\n\0\0\0\0\u{1}\0\0", ""),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-ca-default",
        "a host certificate signed by RSA with SHA-512, under OpenSSH's default",
        Expect::Pass,
        BOTH,
        |lab| signed(lab, "rsa-sha2-512", ""),
    ),
    Scenario::new(
        "ssh-trust-ca-sha1",
        "a host certificate signed by RSA with SHA-1, which is off by default",
        Expect::Fail("ssh.hostkey.certificate"),
        BOTH,
        |lab| signed(lab, "ssh-rsa", ""),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-ca-sha1-allowed",
        "the same where CASignatureAlgorithms adds it",
        Expect::Pass,
        BOTH,
        |lab| signed(lab, "ssh-rsa", "  CASignatureAlgorithms +ssh-rsa"),
    ),
    Scenario::new(
        "ssh-trust-ca-removed",
        "CASignatureAlgorithms takes away the algorithm that the authority signed with",
        Expect::Fail("ssh.hostkey.certificate"),
        BOTH,
        |lab| {
            let case = signed(lab, "rsa-sha2-256", "  CASignatureAlgorithms -rsa-*")?;
            Ok(case.assert(|report| {
                let summary = report["verdict"]["summary"].to_string();
                ensure!(summary.contains("CASignatureAlgorithms"), "{summary}");
                Ok(())
            }))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-ca-other",
        "CASignatureAlgorithms has only another algorithm",
        Expect::Fail("ssh.hostkey.certificate"),
        BOTH,
        |lab| {
            signed(
                lab,
                "rsa-sha2-256",
                "  CASignatureAlgorithms ssh-ed25519,ecdsa-*",
            )
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-ca-named",
        "CASignatureAlgorithms has the algorithm among few",
        Expect::Pass,
        BOTH,
        |lab| {
            signed(
                lab,
                "rsa-sha2-256",
                "  CASignatureAlgorithms ssh-ed25519,rsa-*",
            )
        },
    ),
    Scenario::new(
        "ssh-trust-refused",
        "RefuseConnection for this host (OpenSSH before 10.1 stops at the keyword)",
        Expect::Fail("config.ssh.refused"),
        BOTH,
        |lab| {
            let case = with_lines(lab, "  RefuseConnection \"use the new bastion\"")?;
            Ok(case.assert(|report| {
                let summary = report["verdict"]["summary"].to_string();
                ensure!(summary.contains("use the new bastion"), "{summary}");
                Ok(())
            }))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-refused-other",
        "RefuseConnection for another host",
        Expect::Pass,
        BOTH,
        |lab| with_lines(lab, "Host other\n  RefuseConnection no"),
    )
    .oracle(Oracle::None("the installed ssh may not know the keyword")),
    Scenario::new(
        "ssh-trust-undecided",
        "revoked host keys under Match version, which is not evaluated",
        Expect::Fail("config.ssh.undecided"),
        BOTH,
        |lab| {
            let sshd = lab.sshd()?;
            let list = lab.file("revoked", public(sshd.host_key())?, 0o644)?;
            let lines = format!(
                "Match originalhost bastion version OpenSSH_*\n  RevokedHostKeys {}",
                list.display()
            );
            let mut case = with_lines(lab, &lines)?;
            case.forbids.clear();
            Ok(case)
        },
    )
    .oracle(Oracle::None("the installed ssh may not know the criterion")),
    Scenario::new(
        "ssh-trust-localnetwork",
        "revoked host keys on a network that this machine is on",
        Expect::Fail("ssh.hostkey.revoked"),
        BOTH,
        |lab| {
            let list = lab.file("revoked", public(lab.sshd()?.host_key())?, 0o644)?;
            let lines = format!(
                "Match localnetwork 198.51.100.0/24,127.0.0.0/8\n  RevokedHostKeys {}",
                list.display()
            );
            Ok(with_lines(lab, &lines)?.forbids("config.ssh.undecided"))
        },
    )
    .oracle(Oracle::None("the installed ssh may not know the criterion")),
    Scenario::new(
        "ssh-trust-match-elsewhere",
        "revoked host keys on another network, for another tag, for a command and for a shell",
        Expect::Pass,
        BOTH,
        |lab| {
            let list = lab.file("revoked", public(lab.sshd()?.host_key())?, 0o644)?;
            let revoked = format!("\n  RevokedHostKeys {}\n", list.display());
            let lines: String = [
                "localnetwork 198.51.100.0/24",
                "tagged home",
                "command *",
                "sessiontype shell,exec",
            ]
            .map(|criterion| format!("Match {criterion}{revoked}"))
            .concat();
            let case = with_lines(lab, &format!("Tag work\n{lines}"))?;
            Ok(case.forbids("config.ssh.unsupported"))
        },
    )
    .oracle(Oracle::None("the installed ssh may not know the criterion")),
    Scenario::new(
        "ssh-trust-undecided-nothing",
        "settings under Match version that restrict no trust, and another host's list",
        Expect::Warn("config.ssh.unsupported"),
        BOTH,
        |lab| {
            let lines = "Match version OpenSSH_*\n  ConnectTimeout 10\n\
                         Match originalhost other version OpenSSH_*\n  \
                         RevokedHostKeys /nowhere";
            let mut case = with_lines(lab, lines)?;
            case.forbids.clear();
            Ok(case)
        },
    )
    .oracle(Oracle::None("the installed ssh may not know the criterion")),
    Scenario::new(
        "ssh-trust-canonical",
        "revoked host keys for a name that CanonicalizeHostname might make",
        Expect::Fail("config.ssh.undecided"),
        BOTH,
        |lab| {
            let lines = "CanonicalizeHostname yes\nCanonicalDomains corp.test lab.test\n\
                         Host *.lab.test\n  RevokedHostKeys /nowhere";
            let config = format!("Host bastion\n  User x\n{lines}\n");
            let route = SshRoute::new("bastion").config(lab.file("config", config, 0o600)?);
            Ok(Case::check(lab.postgres()?.conn()).ssh(route))
        },
    )
    .oracle(Oracle::None("ssh would have to resolve the name")),
    Scenario::new(
        "ssh-trust-canonical-other",
        "CanonicalizeHostname, and revoked host keys for a name that it cannot make",
        Expect::Warn("config.ssh.unsupported"),
        BOTH,
        |lab| {
            let lines = "  CanonicalizeHostname yes\n  CanonicalDomains corp.test\n\
                         Host *.lab.test\n  RevokedHostKeys /nowhere";
            let mut case = with_lines(lab, lines)?;
            case.forbids.clear();
            Ok(case)
        },
    ),
    Scenario::new(
        "ssh-trust-ignore-negated",
        "IgnoreUnknown leaves out one name of all, which ssh then stops at",
        Expect::Fail("config.ssh.syntax"),
        BOTH,
        |lab| with_lines(lab, "  IgnoreUnknown !trustme,*\n  TrustMe yes"),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-include-world",
        "an included file that everybody may write",
        Expect::Fail("config.ssh.permissions"),
        BOTH,
        |lab| including(lab, None, 0o646),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-include-own-group",
        "an included file that the user's own group may write, as Debian's ssh allows",
        Expect::Pass,
        AS_ROOT,
        |lab| including(lab, None, 0o664),
    ),
    Scenario::new(
        "ssh-trust-include-other-group",
        "an included file that the group of another user may write",
        Expect::Fail("config.ssh.permissions"),
        AS_ROOT,
        |lab| {
            let file = lab.file("included", "ConnectTimeout 10\n", 0o664)?;
            chown(&file, None, Some(1))?;
            with_lines(lab, &format!("Include {}", file.display()))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-include-foreign",
        "an included file of another user",
        Expect::Fail("config.ssh.permissions"),
        AS_ROOT,
        |lab| including(lab, Some(1), 0o600),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-include-link",
        "a link of our own to an included file of another user",
        Expect::Fail("config.ssh.permissions"),
        AS_ROOT,
        |lab| {
            let file = lab.file("included", "ConnectTimeout 10\n", 0o644)?;
            chown(&file, Some(1), None)?;
            let link = lab.dir("links")?.join("link");
            symlink(&file, &link)?;
            with_lines(lab, &format!("Include {}", link.display()))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-trust-known-hosts-writable",
        "known_hosts that others may write, which ssh uses all the same",
        Expect::Pass,
        BOTH,
        |lab| {
            let sshd = lab.sshd()?;
            let lines = fs::read_to_string(sshd.known_hosts())?;
            let known = lab.file("known_hosts", lines, 0o666)?;
            narrowed(lab, &sshd, &known, "")
        },
    ),
    Scenario::new(
        "ssh-trust-own-unreadable",
        "the user's own configuration cannot be read: ssh goes on without it",
        Expect::Warn("config.file.missing"),
        &[Need::Root],
        |lab| {
            let home = lab.dir("home")?;
            fs::create_dir(home.join(".ssh"))?;
            fs::write(home.join(".ssh/config"), "Nonsense yes\n")?;
            Tool::new("chmod")
                .args(["000"])
                .arg(home.join(".ssh/config").display())
                .succeed()?;
            let case = Case::new("config").args(&["--ssh", "ops@127.0.0.1", "-h", "127.0.0.1"]);
            Ok(case
                .args(&["-U", "app", "-d", "app"])
                .home(home)
                .run_as("nobody"))
        },
    )
    .oracle(Oracle::None(
        "ssh takes the home directory of the user database",
    )),
];
