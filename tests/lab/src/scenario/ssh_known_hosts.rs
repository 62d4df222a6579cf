//! Lines of known_hosts that OpenSSH cannot read, and unusual ones that it can.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::ssh::case;
use crate::{Case, Expect, Lab, Need, Oracle, Scenario, Tool, finding};

/// What a file is made of.
struct Parts {
    /// How known_hosts calls the server.
    host: String,
    port: u16,
    /// The type of its key.
    kind: String,
    /// Its key.
    key: String,
    /// The whole line.
    line: String,
    /// A line of another host.
    other: String,
}

/// Through the shared server, known by this file.
fn known_by(lab: &Lab, file: impl Fn(&Parts) -> Vec<u8>) -> Result<Case> {
    let sshd = lab.sshd()?;
    let public = fs::read_to_string(sshd.host_key().with_extension("pub"))?;
    let mut words = public.split_whitespace().map(str::to_owned);
    let (kind, key) = (
        words.next().context("no type")?,
        words.next().context("no key")?,
    );
    let host = format!("[127.0.0.1]:{}", sshd.port());
    let other = fs::read_to_string(lab.ssh_key("rsa", "")?.with_extension("pub"))?;
    let parts = Parts {
        line: format!("{host} {kind} {key}"),
        other: format!("other.test {}", other.trim()),
        port: sshd.port(),
        host,
        kind,
        key,
    };
    let path = lab.file("known_hosts", file(&parts), 0o644)?;
    Ok(case(sshd.route().known_hosts(path)))
}

/// The file names the host in this line, and is damaged in this way.
fn damaged(
    lab: &Lab,
    line: &'static str,
    damage: &'static str,
    file: impl Fn(&Parts) -> Vec<u8>,
) -> Result<Case> {
    Ok(known_by(lab, file)?.assert(move |report| {
        let finding = finding(report, "ssh.hostkey.unknown")?;
        let says = |name: &str| finding["evidence"][name].as_str().unwrap_or_default();
        ensure!(
            says("damaged_line").ends_with(line),
            "not {line}: {finding:#}"
        );
        ensure!(says("damage").contains(damage), "not {damage}: {finding:#}");
        let fix = &finding["fixes"][0];
        let text = fix["text"].as_str().unwrap_or_default();
        ensure!(text.contains(says("damaged_line")), "not the line: {fix:#}");
        ensure!(
            text.contains("repair") || text.contains("Repair"),
            "{fix:#}"
        );
        ensure!(fix["command"].is_string(), "no command: {fix:#}");
        Ok(())
    }))
}

/// A file in UTF-16, as PowerShell writes it, or in the other order of bytes.
fn utf16(text: &str, big: bool) -> Vec<u8> {
    let bytes = |unit: u16| match big {
        true => unit.to_be_bytes(),
        false => unit.to_le_bytes(),
    };
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(bytes).collect()
}

fn pass(lab: &Lab, file: impl Fn(&Parts) -> Vec<u8>) -> Result<Case> {
    let mut case = known_by(lab, file)?;
    let conn = lab.postgres()?.conn();
    let route = case.ssh.take().context("no route")?;
    Ok(Case::check(conn).password(lab.password()).ssh(route))
}

const HEALTHY: &[Need] = &[Need::Postgres, Need::Sshd];

/// Files that know hosts.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "ssh-known-hosts-cut",
        "the last character of the key is lost",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":1", "the end of the key is missing", |p| {
                format!("{}\n{}\n", &p.line[..p.line.len() - 1], p.other).into_bytes()
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-cut-last",
        "the last line is cut, and has no end",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":2", "the end of the key is missing", |p| {
                format!("{}\n{}", p.other, &p.line[..p.line.len() - 30]).into_bytes()
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-wrapped",
        "the line is wrapped in the key",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":1", "lines 1 to 2", |p| {
                format!("{}\n{}\n{}\n", &p.line[..60], &p.line[60..], p.other).into_bytes()
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-wrapped-blank",
        "the line is wrapped at its blanks, with backslashes",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":2", "lines 2 to 4", |p| {
                format!("{}\n{} \\\n  {} \\\n  {}\n", p.other, p.host, p.kind, p.key).into_bytes()
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-escaped",
        "the end of the line is written as \\n",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":1", "\\n as two characters", |p| {
                format!("{}\\n{}\n", p.line, p.other).into_bytes()
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-escaped-behind",
        "the line follows another one behind \\r\\n",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":1", "\\n as two characters", |p| {
                format!("{}\\r\\n{}\\r\\n", p.other, p.line).into_bytes()
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-utf16",
        "the file is in UTF-16, as PowerShell writes it",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":2", "UTF-16", |p| {
                utf16(&format!("{}\r\n{}\r\n", p.other, p.line), false)
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-utf16-big",
        "the file is in UTF-16, the high byte first",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":1", "UTF-16", |p| {
                utf16(&format!("{}\n{}\n", p.line, p.other), true)
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-utf16-plain",
        "the file is in UTF-16 without a byte order mark",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| damaged(lab, ":1", "UTF-16", |p| utf16(&p.line, false).split_off(2)),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-utf16-other",
        "the file is in UTF-16 and names only another host",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, "known_hosts", "UTF-16", |p| {
                utf16(&format!("{}\r\n", p.other), false)
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-mark",
        "the file begins with a byte order mark",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":1", "byte order mark", |p| {
                format!("\u{feff}{}\n{}\n", p.line, p.other).into_bytes()
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-quoted",
        "the line is in quotes",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":1", "quotes", |p| {
                format!("\"{}\"\n{}\n", p.line, p.other).into_bytes()
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-quoted-name",
        "a variable with the line in quotes",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":2", "quotes", |p| {
                format!("{}\nKNOWN_HOSTS=\'{}\'\n", p.other, p.line).into_bytes()
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-nameless",
        "the line of the .pub file, without the host",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":1", "name of the host", |p| {
                format!("{} {} root@db\n{}\n", p.kind, p.key, p.other).into_bytes()
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-port",
        "the port without brackets",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":2", "instead of [127.0.0.1]", |p| {
                format!("{}\n127.0.0.1:{} {} {}\n", p.other, p.port, p.kind, p.key).into_bytes()
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-port-url",
        "the host as a URL",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":1", "instead of [127.0.0.1]", |p| {
                format!(
                    "ssh://127.0.0.1:{} {} {}\n{}\n",
                    p.port, p.kind, p.key, p.other
                )
                .into_bytes()
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-base64",
        "a character that is not base64 in the key",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":1", "not base64", |p| {
                format!(
                    "{} {} {}!{}\n{}\n",
                    p.host,
                    p.kind,
                    &p.key[..20],
                    &p.key[21..],
                    p.other
                )
                .into_bytes()
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-type",
        "a type that is not the key's",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":1", "of the type ssh-ed25519", |p| {
                format!("{} ssh-rsa {}\n{}\n", p.host, p.key, p.other).into_bytes()
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-masked",
        "the key is masked, as in a log",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":1", "masked", |p| {
                format!("{} {} ***\n{}\n", p.host, p.kind, p.other).into_bytes()
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-masked-whole",
        "a whole line is masked",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":2", "masked", |p| {
                format!("{}\n***\n", p.other).into_bytes()
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-fingerprint",
        "a fingerprint in the place of the key",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":1", "fingerprint", |p| {
                format!("{} {} SHA256:abc\n{}\n", p.host, p.kind, p.other).into_bytes()
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-keyless",
        "the line ends after the host",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":1", "ends after", |p| {
                format!("{}\n{}\n", p.host, p.other).into_bytes()
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-glued",
        "the line is stuck to the end of the one before",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":1", "same line", |p| {
                format!("{}{}\n", p.other, p.line).into_bytes()
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-space",
        "blanks of a web page between the fields",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            damaged(lab, ":1", "white space", |p| {
                format!("{}\u{a0}{}\u{a0}{}\n{}\n", p.host, p.kind, p.key, p.other).into_bytes()
            })
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-no-folder",
        "no known_hosts file, and no directory for it",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| {
            let path = lab.dir("home")?.join("a user/.ssh/known_hosts");
            Ok(case(lab.sshd()?.route().known_hosts(path)))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-no-end",
        "a file that names another host and does not end its line",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| known_by(lab, |p| p.other.clone().into_bytes()),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-known-hosts-crlf",
        "line ends of Windows",
        Expect::Pass,
        HEALTHY,
        |lab| {
            pass(lab, |p| {
                format!("{}\r\n{}\r\n", p.other, p.line).into_bytes()
            })
        },
    ),
    Scenario::new(
        "ssh-known-hosts-blanks",
        "blanks around the fields and behind the key",
        Expect::Pass,
        HEALTHY,
        |lab| {
            pass(lab, |p| {
                format!("  {}\t{}\t {} \t \n", p.host, p.kind, p.key).into_bytes()
            })
        },
    ),
    Scenario::new(
        "ssh-known-hosts-comments",
        "comments, empty lines and a key behind them",
        Expect::Pass,
        HEALTHY,
        |lab| {
            pass(lab, |p| {
                format!("# ours\n\n{} root@db\n", p.line).into_bytes()
            })
        },
    ),
    Scenario::new(
        "ssh-known-hosts-mark-comment",
        "a byte order mark before a comment",
        Expect::Pass,
        HEALTHY,
        |lab| {
            pass(lab, |p| {
                format!("\u{feff}# ours\n{}\n", p.line).into_bytes()
            })
        },
    ),
    Scenario::new(
        "ssh-known-hosts-cut-before",
        "a damaged line of the host before the right one",
        Expect::Pass,
        HEALTHY,
        |lab| {
            pass(lab, |p| {
                format!("{}\n{}\n", &p.line[..60], p.line).into_bytes()
            })
        },
    ),
    Scenario::new(
        "ssh-known-hosts-open",
        "no end of the last line",
        Expect::Pass,
        HEALTHY,
        |lab| pass(lab, |p| p.line.clone().into_bytes()),
    ),
    Scenario::new(
        "ssh-known-hosts-nul",
        "a NUL byte behind the key",
        Expect::Pass,
        HEALTHY,
        |lab| pass(lab, |p| format!("{}\0junk\n", p.line).into_bytes()),
    ),
    Scenario::new(
        "ssh-known-hosts-return",
        "a carriage return within the key",
        Expect::Pass,
        HEALTHY,
        |lab| {
            pass(lab, |p| {
                format!("{} {} {}\r{}\n", p.host, p.kind, &p.key[..30], &p.key[30..]).into_bytes()
            })
        },
    ),
    Scenario::new(
        "ssh-known-hosts-hashed",
        "the name of the host is hashed",
        Expect::Pass,
        HEALTHY,
        |lab| {
            let case = pass(lab, |p| format!("{}\n", p.line).into_bytes())?;
            let route = case.ssh.as_ref().context("no route")?;
            let file = route.known_hosts.as_ref().context("no file")?;
            let hash = Tool::new("ssh-keygen").args(["-q", "-H", "-f"]);
            hash.arg(file.display()).succeed()?;
            Ok(case)
        },
    ),
];
