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
    Scenario {
        name: "ssh-trust-revoked",
        about: "RevokedHostKeys lists the host's key, which is known; the second clients are told too",
        expect: Expect::Fail("ssh.hostkey.revoked"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| {
            let case = listed(lab, "# ours\n<other>\n<key> a comment\n", "")?;
            let case = case.ssh_password("never-sent-canary");
            Ok(shut_out(case).assert(|report| {
                let summary = report["verdict"]["summary"].to_string();
                ensure!(summary.contains("/revoked:3"), "{summary}");
                Ok(())
            }))
        },
    },
    Scenario {
        name: "ssh-trust-revoked-other",
        about: "RevokedHostKeys lists another key",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: BOTH,
        setup: |lab| listed(lab, "# ours\n\n<other>\n", ""),
    },
    Scenario {
        name: "ssh-trust-revoked-empty",
        about: "RevokedHostKeys names an empty list",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: BOTH,
        setup: |lab| with_lines(lab, "  RevokedHostKeys /dev/null"),
    },
    Scenario {
        name: "ssh-trust-revoked-none",
        about: "RevokedHostKeys none, and a list for all hosts after it",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: BOTH,
        setup: |lab| {
            with_lines(
                lab,
                "  RevokedHostKeys none\nHost *\n  RevokedHostKeys /nowhere",
            )
        },
    },
    Scenario {
        name: "ssh-trust-revoked-missing",
        about: "RevokedHostKeys names a file that does not exist: ssh then refuses every host key",
        expect: Expect::Fail("config.ssh.revoked-keys"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| with_lines(lab, "  RevokedHostKeys /nowhere/revoked"),
    },
    Scenario {
        name: "ssh-trust-revoked-malformed",
        about: "RevokedHostKeys names a file like known_hosts, which ssh cannot read",
        expect: Expect::Fail("config.ssh.revoked-keys"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| listed(lab, "<other>\n* <other>\n", ""),
    },
    Scenario {
        name: "ssh-trust-revoked-unchecked",
        about: "a revoked key where host keys are not checked otherwise",
        expect: Expect::Fail("ssh.hostkey.revoked"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| listed(lab, "<key>\n", "  StrictHostKeyChecking no"),
    },
    Scenario {
        name: "ssh-trust-revoked-loopback",
        about: "a revoked key on loopback, where NoHostAuthenticationForLocalhost trusts any other",
        expect: Expect::Fail("ssh.hostkey.revoked"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| listed(lab, "<key>\n", "  NoHostAuthenticationForLocalhost yes"),
    },
    Scenario {
        name: "ssh-trust-revoked-authority",
        about: "RevokedHostKeys lists the authority that signed the host's certificate",
        expect: Expect::Fail("ssh.hostkey.revoked"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| {
            let (authority, sshd) = certified(lab, &[])?;
            let list = lab.file("revoked", public(&authority)?, 0o644)?;
            let known = known_by(lab, &sshd, &authority, "key")?;
            revoking(lab, sshd, &known, &list, "")
        },
    },
    Scenario {
        name: "ssh-trust-revoked-final-host",
        about: "a list for the host's real name, which counts on the second reading (Match final)",
        expect: Expect::Fail("ssh.hostkey.revoked"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| {
            let sshd = lab.sshd()?;
            let list = lab.file("revoked", public(sshd.host_key())?, 0o644)?;
            let lines = format!(
                "Match final\nHost 127.0.0.1\n  RevokedHostKeys {}",
                list.display()
            );
            with_lines(lab, &lines)
        },
    },
    Scenario {
        name: "ssh-trust-revoked-rsa-known",
        about: "a list of other keys, a certificate for a key that is not known, and a known RSA key",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: BOTH,
        setup: |lab| {
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
    },
    Scenario {
        name: "ssh-trust-krl-key",
        about: "a key revocation list with the host's key",
        expect: Expect::Fail("ssh.hostkey.revoked"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| krl(lab, "key: <other>\nkey: <key>\n", "authority, key"),
    },
    Scenario {
        name: "ssh-trust-krl-sha1",
        about: "a key revocation list with the SHA-1 hash of the host's key",
        expect: Expect::Fail("ssh.hostkey.revoked"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| krl(lab, "sha1: <key>\n", "authority"),
    },
    Scenario {
        name: "ssh-trust-krl-hash",
        about: "a key revocation list with the SHA-256 hash of the host's key",
        expect: Expect::Fail("ssh.hostkey.revoked"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| krl(lab, "hash: <hash>\n", "key"),
    },
    Scenario {
        name: "ssh-trust-krl-authority",
        about: "a key revocation list with the authority's key",
        expect: Expect::Fail("ssh.hostkey.revoked"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| krl(lab, "key: <authority>\n", "authority"),
    },
    Scenario {
        name: "ssh-trust-krl-serial",
        about: "a key revocation list with the certificate's serial number, and its plain key is known",
        expect: Expect::Fail("ssh.hostkey.revoked"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| Ok(shut_out(krl(lab, "serial: 7\n", "key")?)),
    },
    Scenario {
        name: "ssh-trust-krl-range",
        about: "a key revocation list with a range of serial numbers",
        expect: Expect::Fail("ssh.hostkey.revoked"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| krl(lab, "serial: 5-90000\n", "authority"),
    },
    Scenario {
        name: "ssh-trust-krl-bitmap",
        about: "a key revocation list with scattered serial numbers, which ssh-keygen packs as bits",
        expect: Expect::Fail("ssh.hostkey.revoked"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| {
            let numbers = [1, 3, 5, 7, 9, 11, 13, 15, 17, 20, 23, 26];
            let lines = numbers.map(|n| format!("serial: {n}\n"));
            krl(lab, &lines.concat(), "authority")
        },
    },
    Scenario {
        name: "ssh-trust-krl-id",
        about: "a key revocation list with the certificate's key ID",
        expect: Expect::Fail("ssh.hostkey.revoked"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| krl(lab, "id: lab\n", "authority"),
    },
    Scenario {
        name: "ssh-trust-krl-other",
        about: "a key revocation list with other keys, hashes, serial numbers and key IDs",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: BOTH,
        setup: |lab| {
            let numbers = [1, 3, 5, 8, 9, 11, 13, 15, 17, 20, 23, 26];
            let lines = numbers.map(|n| format!("serial: {n}\n"));
            let rest = "serial: 100-200\nid: lab2\nkey: <other>\nsha1: <other>\n";
            krl(lab, &(lines.concat() + rest), "authority")
        },
    },
    Scenario {
        name: "ssh-trust-krl-damaged",
        about: "a key revocation list that was cut off",
        expect: Expect::Fail("config.ssh.revoked-keys"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| listed(lab, "SSHKRL\n\0\0\0\0\u{1}\0\0", ""),
    },
    Scenario {
        name: "ssh-trust-ca-default",
        about: "a host certificate signed by RSA with SHA-512, under OpenSSH's default",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: BOTH,
        setup: |lab| signed(lab, "rsa-sha2-512", ""),
    },
    Scenario {
        name: "ssh-trust-ca-sha1",
        about: "a host certificate signed by RSA with SHA-1, which is off by default",
        expect: Expect::Fail("ssh.hostkey.certificate"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| signed(lab, "ssh-rsa", ""),
    },
    Scenario {
        name: "ssh-trust-ca-sha1-allowed",
        about: "the same where CASignatureAlgorithms adds it",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: BOTH,
        setup: |lab| signed(lab, "ssh-rsa", "  CASignatureAlgorithms +ssh-rsa"),
    },
    Scenario {
        name: "ssh-trust-ca-removed",
        about: "CASignatureAlgorithms takes away the algorithm that the authority signed with",
        expect: Expect::Fail("ssh.hostkey.certificate"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| {
            let case = signed(lab, "rsa-sha2-256", "  CASignatureAlgorithms -rsa-*")?;
            Ok(case.assert(|report| {
                let summary = report["verdict"]["summary"].to_string();
                ensure!(summary.contains("CASignatureAlgorithms"), "{summary}");
                Ok(())
            }))
        },
    },
    Scenario {
        name: "ssh-trust-ca-other",
        about: "CASignatureAlgorithms has only another algorithm",
        expect: Expect::Fail("ssh.hostkey.certificate"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| {
            signed(
                lab,
                "rsa-sha2-256",
                "  CASignatureAlgorithms ssh-ed25519,ecdsa-*",
            )
        },
    },
    Scenario {
        name: "ssh-trust-ca-named",
        about: "CASignatureAlgorithms has the algorithm among few",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: BOTH,
        setup: |lab| {
            signed(
                lab,
                "rsa-sha2-256",
                "  CASignatureAlgorithms ssh-ed25519,rsa-*",
            )
        },
    },
    Scenario {
        name: "ssh-trust-refused",
        about: "RefuseConnection for this host (OpenSSH before 10.1 stops at the keyword)",
        expect: Expect::Fail("config.ssh.refused"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| {
            let case = with_lines(lab, "  RefuseConnection \"use the new bastion\"")?;
            Ok(case.assert(|report| {
                let summary = report["verdict"]["summary"].to_string();
                ensure!(summary.contains("use the new bastion"), "{summary}");
                Ok(())
            }))
        },
    },
    Scenario {
        name: "ssh-trust-refused-other",
        about: "RefuseConnection for another host",
        expect: Expect::Pass,
        oracle: Oracle::None("the installed ssh may not know the keyword"),
        needs: BOTH,
        setup: |lab| with_lines(lab, "Host other\n  RefuseConnection no"),
    },
    Scenario {
        name: "ssh-trust-undecided",
        about: "revoked host keys under Match exec, which is not evaluated",
        expect: Expect::Fail("config.ssh.undecided"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| {
            let sshd = lab.sshd()?;
            let list = lab.file("revoked", public(sshd.host_key())?, 0o644)?;
            let lines = format!(
                "Match originalhost bastion exec true\n  RevokedHostKeys {}",
                list.display()
            );
            let mut case = with_lines(lab, &lines)?;
            case.forbids.clear();
            Ok(case)
        },
    },
    Scenario {
        name: "ssh-trust-undecided-nothing",
        about: "settings under Match exec that restrict no trust, and a list for another host",
        expect: Expect::Warn("config.ssh.unsupported"),
        oracle: Oracle::Psql,
        needs: BOTH,
        setup: |lab| {
            let lines = "Match exec true\n  ConnectTimeout 10\n\
                         Match originalhost other exec true\n  RevokedHostKeys /nowhere";
            let mut case = with_lines(lab, lines)?;
            case.forbids.clear();
            Ok(case)
        },
    },
    Scenario {
        name: "ssh-trust-canonical",
        about: "revoked host keys for a name that CanonicalizeHostname might make",
        expect: Expect::Fail("config.ssh.undecided"),
        oracle: Oracle::None("ssh would have to resolve the name"),
        needs: BOTH,
        setup: |lab| {
            let lines = "CanonicalizeHostname yes\nCanonicalDomains corp.test lab.test\n\
                         Host *.lab.test\n  RevokedHostKeys /nowhere";
            let config = format!("Host bastion\n  User x\n{lines}\n");
            let route = SshRoute::new("bastion").config(lab.file("config", config, 0o600)?);
            Ok(Case::check(lab.postgres()?.conn()).ssh(route))
        },
    },
    Scenario {
        name: "ssh-trust-canonical-other",
        about: "CanonicalizeHostname, and revoked host keys for a name that it cannot make",
        expect: Expect::Warn("config.ssh.unsupported"),
        oracle: Oracle::Psql,
        needs: BOTH,
        setup: |lab| {
            let lines = "  CanonicalizeHostname yes\n  CanonicalDomains corp.test\n\
                         Host *.lab.test\n  RevokedHostKeys /nowhere";
            let mut case = with_lines(lab, lines)?;
            case.forbids.clear();
            Ok(case)
        },
    },
    Scenario {
        name: "ssh-trust-ignore-negated",
        about: "IgnoreUnknown leaves out one name of all, which ssh then stops at",
        expect: Expect::Fail("config.ssh.syntax"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| with_lines(lab, "  IgnoreUnknown !trustme,*\n  TrustMe yes"),
    },
    Scenario {
        name: "ssh-trust-include-world",
        about: "an included file that everybody may write",
        expect: Expect::Fail("config.ssh.permissions"),
        oracle: Oracle::Ssh,
        needs: BOTH,
        setup: |lab| including(lab, None, 0o646),
    },
    Scenario {
        name: "ssh-trust-include-own-group",
        about: "an included file that the user's own group may write, as Debian's ssh allows",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: AS_ROOT,
        setup: |lab| including(lab, None, 0o664),
    },
    Scenario {
        name: "ssh-trust-include-other-group",
        about: "an included file that the group of another user may write",
        expect: Expect::Fail("config.ssh.permissions"),
        oracle: Oracle::Ssh,
        needs: AS_ROOT,
        setup: |lab| {
            let file = lab.file("included", "ConnectTimeout 10\n", 0o664)?;
            chown(&file, None, Some(1))?;
            with_lines(lab, &format!("Include {}", file.display()))
        },
    },
    Scenario {
        name: "ssh-trust-include-foreign",
        about: "an included file of another user",
        expect: Expect::Fail("config.ssh.permissions"),
        oracle: Oracle::Ssh,
        needs: AS_ROOT,
        setup: |lab| including(lab, Some(1), 0o600),
    },
    Scenario {
        name: "ssh-trust-include-link",
        about: "a link of our own to an included file of another user",
        expect: Expect::Fail("config.ssh.permissions"),
        oracle: Oracle::Ssh,
        needs: AS_ROOT,
        setup: |lab| {
            let file = lab.file("included", "ConnectTimeout 10\n", 0o644)?;
            chown(&file, Some(1), None)?;
            let link = lab.dir("links")?.join("link");
            symlink(&file, &link)?;
            with_lines(lab, &format!("Include {}", link.display()))
        },
    },
    Scenario {
        name: "ssh-trust-known-hosts-writable",
        about: "known_hosts that others may write, which ssh uses all the same",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: BOTH,
        setup: |lab| {
            let sshd = lab.sshd()?;
            let lines = fs::read_to_string(sshd.known_hosts())?;
            let known = lab.file("known_hosts", lines, 0o666)?;
            narrowed(lab, &sshd, &known, "")
        },
    },
    Scenario {
        name: "ssh-trust-own-unreadable",
        about: "the user's own configuration cannot be read: ssh goes on without it",
        expect: Expect::Warn("config.file.missing"),
        oracle: Oracle::None("ssh takes the home directory of the user database"),
        needs: &[Need::Root],
        setup: |lab| {
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
    },
];
