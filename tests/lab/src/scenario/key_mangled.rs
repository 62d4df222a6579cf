//! Private keys as they come out of CI secrets, clipboards and templates. Every repair that is
//! offered is carried out as it is pasted, and `ssh-keygen` must find the same key in its copy.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{Case, Expect, Lab, Oracle, Scenario, Tool};

/// `ssh-keygen`'s arguments for a key in OpenSSH's format.
const OPENSSH: &[&str] = &["-t", "ed25519", "-N", ""];
/// The same in PEM, which OpenSSH reads with more patience.
const PEM: &[&str] = &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""];
/// The same in PKCS#8.
const PKCS8: &[&str] = &["-t", "ecdsa", "-b", "384", "-m", "PKCS8", "-N", ""];
/// Encrypted in OpenSSH's format; the passphrase is [`PASSPHRASE`].
const LOCKED: &[&str] = &["-t", "ed25519", "-N", PASSPHRASE];
/// Encrypted in traditional PEM, whose headers are a trap of their own.
const LOCKED_PEM: &[&str] = &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", PASSPHRASE];

const PASSPHRASE: &str = "open sesame";

/// OpenSSH does not read it any more.
const BROKEN: Expect = Expect::Fail("key.mangled");
/// OpenSSH still does.
const READ: Expect = Expect::Warn("key.mangled");

const fn row(
    name: &'static str,
    about: &'static str,
    expect: Expect,
    setup: fn(&Lab) -> Result<Case>,
) -> Scenario {
    Scenario::new(name, about, expect, &[], setup).oracle(Oracle::SshKeygen)
}

/// A key with something done to its text. The diagnosis must name `kind`, and its repair, where
/// there is one, must give a key that ssh-keygen reads.
fn spoilt(
    lab: &Lab,
    args: &[&str],
    kind: &'static str,
    change: impl Fn(&str) -> Vec<u8>,
) -> Result<Case> {
    let sound = lab.ssh_keygen(args)?;
    let text = fs::read_to_string(&sound)?;
    let locked = args.contains(&PASSPHRASE);
    let case = Case::key(lab.file("id", change(&text), 0o600)?);
    let case = match locked {
        true => case.passphrase(PASSPHRASE),
        false => case,
    };
    Ok(case.assert_with(move |report, dbdoctor| {
        let finding = mangled(report)?;
        let kinds = &finding["evidence"]["kinds"];
        let named = kinds
            .as_array()
            .is_some_and(|all| all.iter().any(|k| k == kind));
        ensure!(named, "{kind} is not among {kinds}");
        ensure!(
            finding["evidence"]["where"].is_string(),
            "it is not said where"
        );
        let lost = ["truncated", "altered", "foreign-character"].contains(&kind);
        match repair(finding) {
            Some(command) => {
                let passphrase = if locked { PASSPHRASE } else { "" };
                repaired(command, dbdoctor, &sound, passphrase)
            }
            None => {
                ensure!(lost, "no repair is offered");
                Ok(())
            }
        }
    }))
}

fn mangled(report: &Value) -> Result<&Value> {
    let findings = report["stages"][0]["findings"].as_array();
    let mut findings = findings.into_iter().flatten();
    findings
        .find(|finding| finding["cause"] == "key.mangled")
        .context("key.mangled is not among the findings")
}

/// The command of the first fix, which repairs, if there is one.
fn repair(finding: &Value) -> Option<&str> {
    finding["fixes"][0]["command"].as_str()
}

/// Pastes the repair, which must write a private file with the key as it was.
fn repaired(command: &str, dbdoctor: &Path, sound: &Path, passphrase: &str) -> Result<()> {
    let (_, copy) = command.rsplit_once(" --repair ").context("no --repair")?;
    let path = dbdoctor.parent().context("dbdoctor has no directory")?;
    let path = format!("{}:{}", path.display(), std::env::var("PATH")?);
    let paste = Tool::new("sh").args(["-c", &format!("umask 0; {command}")]);
    let paste = paste
        .env("PATH", path)
        .env("DBDOCTOR_SSH_PASSPHRASE", passphrase);
    paste.succeed()?;
    let mode = fs::metadata(copy)?.permissions().mode() & 0o7777;
    ensure!(mode == 0o600, "{copy} has mode {mode:o}");
    ensure!(
        public(copy.as_ref(), passphrase)? == public(sound, passphrase)?,
        "the repaired key is another key"
    );
    Ok(())
}

/// The public half that ssh-keygen finds in a key.
fn public(key: &Path, passphrase: &str) -> Result<String> {
    let read = Tool::new("ssh-keygen").args(["-y", "-P", passphrase, "-f"]);
    read.arg(key.display()).succeed()
}

/// With `--repair`, and the copy's path.
fn repairing(lab: &Lab, case: Case) -> Result<(Case, PathBuf)> {
    let copy = lab.dir("repair")?.join("copy");
    let case = case.arg("--repair").arg(copy.display());
    Ok((case, copy))
}

/// What the report must say of the copy.
fn tells(report: &Value, copy: Option<&Path>) -> Result<()> {
    let told = &report["stages"][0]["facts"]["repaired_to"];
    let expected = copy.map_or(Value::Null, |copy| copy.to_string_lossy().into());
    ensure!(*told == expected, "repaired_to is {told}");
    Ok(())
}

/// The text between header and footer, line by line.
fn body(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.starts_with("-----"))
        .collect()
}

/// The same key with its header, footer and what stands between them.
fn framed(text: &str, body: &str) -> Vec<u8> {
    let lines: Vec<&str> = text.lines().collect();
    let (first, last) = (lines[0], lines[lines.len() - 1]);
    format!("{first}\n{body}\n{last}\n").into_bytes()
}

/// Damage.
pub const SCENARIOS: &[Scenario] = &[
    row(
        "key-escaped-newlines",
        "a backslash and an n for every line break",
        BROKEN,
        |lab| {
            spoilt(lab, OPENSSH, "escaped-newlines", |t| {
                t.replace('\n', "\\n").into()
            })
        },
    ),
    row(
        "key-escaped-newlines-twice",
        "escaped once more",
        BROKEN,
        |lab| {
            spoilt(lab, PEM, "escaped-newlines", |t| {
                t.replace('\n', "\\\\n").into()
            })
        },
    ),
    row("key-escaped-crlf", "CR and LF escaped", BROKEN, |lab| {
        spoilt(lab, LOCKED, "escaped-newlines", |t| {
            t.replace('\n', "\\r\\n").into()
        })
    }),
    row(
        "key-escaped-encrypted-pem",
        "the same around the headers of an encrypted key",
        BROKEN,
        |lab| {
            spoilt(lab, LOCKED_PEM, "escaped-newlines", |t| {
                t.replace('\n', "\\n").into()
            })
        },
    ),
    row(
        "key-escaped-and-real",
        "both line breaks and their escapes",
        BROKEN,
        |lab| {
            spoilt(lab, PKCS8, "escaped-newlines", |t| {
                t.replace('\n', "\\n\n").into()
            })
        },
    ),
    row("key-json", "a JSON string, quotes and all", BROKEN, |lab| {
        spoilt(lab, OPENSSH, "quotes", |t| {
            serde_json::to_vec(t).unwrap_or_default()
        })
    }),
    row(
        "key-json-file",
        "inside a JSON file, as cloud providers hand keys out",
        BROKEN,
        |lab| {
            spoilt(lab, PKCS8, "escaped-newlines", |t| {
                let file = serde_json::json!({"type": "account", "private_key": t, "id": 7});
                format!("{file:#}").into()
            })
        },
    ),
    row("key-dotenv", "a line of a dotenv file", BROKEN, |lab| {
        spoilt(lab, OPENSSH, "leading-text", |t| {
            format!("SSH_KEY=\"{}\"\n", t.replace('\n', "\\n")).into()
        })
    }),
    row(
        "key-eaten-backslashes",
        "only the n of every escape is left",
        BROKEN,
        |lab| {
            spoilt(lab, OPENSSH, "eaten-backslashes", |t| {
                t.replace('\n', "n").into()
            })
        },
    ),
    row("key-crlf", "lines end in CR LF", BROKEN, |lab| {
        spoilt(lab, OPENSSH, "crlf", |t| t.replace('\n', "\r\n").into())
    }),
    row("key-crlf-pem", "the same in PEM", READ, |lab| {
        spoilt(lab, PEM, "crlf", |t| t.replace('\n', "\r\n").into())
    }),
    row(
        "key-crlf-encrypted",
        "the same in an encrypted key",
        BROKEN,
        |lab| spoilt(lab, LOCKED, "crlf", |t| t.replace('\n', "\r\n").into()),
    ),
    row("key-cr", "lines end in CR alone", BROKEN, |lab| {
        spoilt(lab, PEM, "cr", |t| t.replace('\n', "\r").into())
    }),
    row("key-spaces", "spaces for line breaks", BROKEN, |lab| {
        spoilt(lab, OPENSSH, "spaces", |t| t.replace('\n', " ").into())
    }),
    row(
        "key-spaces-pem",
        "the same in PEM, with a line break at the end",
        BROKEN,
        |lab| {
            spoilt(lab, PEM, "spaces", |t| {
                format!("{}\n", t.trim().replace('\n', " ")).into()
            })
        },
    ),
    row(
        "key-spaces-encrypted-pem",
        "the same around the headers of an encrypted key",
        BROKEN,
        |lab| spoilt(lab, LOCKED_PEM, "spaces", |t| t.replace('\n', " ").into()),
    ),
    row("key-one-line", "no line breaks at all", BROKEN, |lab| {
        spoilt(lab, OPENSSH, "one-line", |t| t.replace('\n', "").into())
    }),
    row("key-one-line-body", "the body on one line", READ, |lab| {
        spoilt(lab, OPENSSH, "one-line", |t| {
            let doubled = body(t).concat();
            framed(t, &doubled)
        })
    }),
    row("key-no-header", "the header is missing", BROKEN, |lab| {
        spoilt(lab, OPENSSH, "no-header", |t| {
            t.split_once('\n').map_or("", |s| s.1).into()
        })
    }),
    row("key-no-footer", "the footer is missing", BROKEN, |lab| {
        spoilt(lab, OPENSSH, "no-footer", |t| {
            t.replace("-----END OPENSSH PRIVATE KEY-----\n", "").into()
        })
    }),
    row("key-no-footer-pem", "the same in PEM", BROKEN, |lab| {
        spoilt(lab, PKCS8, "no-footer", |t| {
            t.replace("-----END PRIVATE KEY-----\n", "").into()
        })
    }),
    row("key-no-frame", "neither header nor footer", BROKEN, |lab| {
        spoilt(lab, PEM, "no-header", |t| body(t).join("\n").into())
    }),
    row(
        "key-no-final-newline",
        "no line break at the end",
        BROKEN,
        |lab| spoilt(lab, OPENSSH, "no-final-newline", |t| t.trim_end().into()),
    ),
    row("key-no-final-newline-pem", "the same in PEM", READ, |lab| {
        spoilt(lab, PEM, "no-final-newline", |t| t.trim_end().into())
    }),
    row(
        "key-blanks-lost",
        "every blank and line break is gone",
        BROKEN,
        |lab| {
            spoilt(lab, OPENSSH, "blanks", |t| {
                t.split_whitespace().collect::<String>().into()
            })
        },
    ),
    row(
        "key-blanks-lost-locked-pem",
        "the same with an encrypted PEM key",
        BROKEN,
        |lab| {
            spoilt(lab, LOCKED_PEM, "blanks", |t| {
                t.split_whitespace().collect::<String>().into()
            })
        },
    ),
    row(
        "key-blanks-lost-frame",
        "the blanks are gone, the line breaks are not",
        BROKEN,
        |lab| spoilt(lab, PKCS8, "blanks", |t| t.replace(' ', "").into()),
    ),
    row(
        "key-blanks-underscores",
        "blanks became underscores",
        BROKEN,
        |lab| spoilt(lab, LOCKED_PEM, "blanks", |t| t.replace(' ', "_").into()),
    ),
    row("key-blanks-tabs", "blanks became tabs", BROKEN, |lab| {
        spoilt(lab, PEM, "blanks", |t| t.replace(' ', "\t").into())
    }),
    row(
        "key-blanks-latin1",
        "blanks became hard ones of Latin-1",
        BROKEN,
        |lab| {
            spoilt(lab, LOCKED_PEM, "blanks", |t| {
                t.bytes()
                    .map(|b| if b == b' ' { 0xa0 } else { b })
                    .collect()
            })
        },
    ),
    row(
        "key-data-url",
        "the whole file as a data: URL in quotes",
        BROKEN,
        |lab| {
            spoilt(lab, OPENSSH, "data-url", |t| {
                format!(
                    "\"data:application/octet-stream;base64,{}\"\n",
                    openssl::base64::encode_block(t.as_bytes())
                )
                .into()
            })
        },
    ),
    row(
        "key-character-added",
        "a character more at the beginning of the body",
        BROKEN,
        |lab| {
            spoilt(lab, OPENSSH, "altered", |t| {
                format!("{}AAAA{}", &t[..70], &t[70..]).into()
            })
        },
    ),
    row(
        "key-truncated",
        "the second half is missing",
        BROKEN,
        |lab| spoilt(lab, PEM, "truncated", |t| t[..t.len() / 2].into()),
    ),
    row("key-truncated-inside", "a line is missing", BROKEN, |lab| {
        spoilt(lab, OPENSSH, "truncated", |t| {
            let lines = body(t);
            framed(t, &[&lines[..2], &lines[3..]].concat().join("\n"))
        })
    }),
    row(
        "key-footer-cut",
        "the footer is cut off in the middle",
        BROKEN,
        |lab| spoilt(lab, OPENSSH, "footer", |t| t[..t.len() - 12].into()),
    ),
    row("key-indentation", "indented, as in YAML", BROKEN, |lab| {
        spoilt(lab, OPENSSH, "indentation", |t| {
            t.replace("-----BEGIN", "  -----BEGIN")
                .replace('\n', "\n  ")
                .into()
        })
    }),
    row(
        "key-indentation-rest",
        "indented but for the first line",
        BROKEN,
        |lab| {
            spoilt(lab, PEM, "indentation", |t| {
                format!("{}\n", t.trim_end().replace('\n', "\n    ")).into()
            })
        },
    ),
    row(
        "key-indentation-body",
        "only the body is indented",
        READ,
        |lab| {
            spoilt(lab, OPENSSH, "indentation", |t| {
                framed(t, &format!("  {}", body(t).join("\n  ")))
            })
        },
    ),
    row("key-quotes", "quotes around it", BROKEN, |lab| {
        spoilt(lab, OPENSSH, "quotes", |t| format!("\"{t}\"").into())
    }),
    row("key-quotes-single", "single quotes", BROKEN, |lab| {
        spoilt(lab, PEM, "quotes", |t| {
            format!("'{}'\n", t.trim_end()).into()
        })
    }),
    row("key-bom", "a byte-order mark", BROKEN, |lab| {
        spoilt(lab, OPENSSH, "bom", |t| format!("\u{feff}{t}").into())
    }),
    row("key-bom-pem", "the same before PEM", READ, |lab| {
        spoilt(lab, PEM, "bom", |t| format!("\u{feff}{t}").into())
    }),
    row(
        "key-utf-16",
        "UTF-16, as PowerShell writes it",
        BROKEN,
        |lab| {
            spoilt(lab, OPENSSH, "utf-16", |t| {
                let text = t.replace('\n', "\r\n");
                let units = std::iter::once(0xfeff).chain(text.encode_utf16());
                units.flat_map(u16::to_le_bytes).collect()
            })
        },
    ),
    row(
        "key-base64",
        "the whole file base64-encoded",
        BROKEN,
        |lab| {
            spoilt(lab, OPENSSH, "base64", |t| {
                openssl::base64::encode_block(t.as_bytes()).into()
            })
        },
    ),
    row("key-base64-twice", "and once more", BROKEN, |lab| {
        spoilt(lab, PEM, "base64", |t| {
            let once = openssl::base64::encode_block(t.as_bytes());
            openssl::base64::encode_block(once.as_bytes()).into()
        })
    }),
    row(
        "key-leading-lines",
        "empty lines before the header",
        BROKEN,
        |lab| {
            spoilt(lab, OPENSSH, "leading-blank-lines", |t| {
                format!("\n\n{t}").into()
            })
        },
    ),
    row(
        "key-leading-text",
        "a word before the header",
        BROKEN,
        |lab| {
            spoilt(lab, OPENSSH, "leading-text", |t| {
                format!("key:\n{t}").into()
            })
        },
    ),
    row(
        "key-trailing-text",
        "a word behind the footer",
        READ,
        |lab| {
            spoilt(lab, OPENSSH, "trailing-text", |t| {
                format!("{t}EOF\n").into()
            })
        },
    ),
    row("key-url-encoded", "URL-encoded", BROKEN, |lab| {
        spoilt(lab, OPENSSH, "url-encoded", |t| {
            t.replace('+', "%2B")
                .replace('/', "%2F")
                .replace('=', "%3D")
                .replace(' ', "%20")
                .replace('\n', "%0A")
                .into()
        })
    }),
    row("key-html", "through HTML", BROKEN, |lab| {
        spoilt(lab, OPENSSH, "html", |t| t.replace('\n', "<br>\n").into())
    }),
    row("key-header-dashes", "a dash too few", BROKEN, |lab| {
        spoilt(lab, OPENSSH, "header", |t| t[1..].into())
    }),
    row(
        "key-header-typography",
        "dashes that a word processor made",
        BROKEN,
        |lab| {
            spoilt(lab, PEM, "header", |t| {
                t.replacen("-----BEGIN", "\u{2014}\u{2014}-BEGIN", 1).into()
            })
        },
    ),
    row(
        "key-header-wrong",
        "the header of another form",
        BROKEN,
        |lab| {
            spoilt(lab, OPENSSH, "wrong-header", |t| {
                t.replace("OPENSSH PRIVATE", "RSA PRIVATE").into()
            })
        },
    ),
    row("key-quoted-lines", "quoted in a mail", BROKEN, |lab| {
        spoilt(lab, OPENSSH, "quoted-lines", |t| {
            format!("> {}\n", t.trim_end().replace('\n', "\n> ")).into()
        })
    }),
    row(
        "key-invisible",
        "a no-break space in the header",
        BROKEN,
        |lab| {
            spoilt(lab, OPENSSH, "invisible-characters", |t| {
                t.replacen("BEGIN ", "BEGIN\u{a0}", 1).into()
            })
        },
    ),
    row(
        "key-foreign-character",
        "an asterisk in the body",
        BROKEN,
        |lab| {
            spoilt(lab, OPENSSH, "foreign-character", |t| {
                let mut text = t.to_owned();
                text.replace_range(90..91, "*");
                text.into()
            })
        },
    ),
    row(
        "key-altered",
        "a character of the body changed",
        BROKEN,
        |lab| {
            spoilt(lab, OPENSSH, "altered", |t| {
                let mut text = t.to_owned();
                // Inside the magic text, whatever the key is.
                text.replace_range(40..41, "W");
                text.into()
            })
        },
    ),
    row(
        "key-padding",
        "the equals signs are missing",
        BROKEN,
        |lab| {
            // The comment decides whether there are any.
            let args = ["-t", "ed25519", "-N", "", "-C", "abcdefghijkl"];
            spoilt(lab, &args, "padding", |t| t.replace('=', "").into())
        },
    ),
    // With --repair: the verdict is that of the copy, where there is one.
    own(row(
        "key-repair",
        "--repair writes the key without its damage, readable by its owner alone",
        READ,
        |lab| {
            let sound = lab.ssh_keygen(OPENSSH)?;
            let text = fs::read_to_string(&sound)?.replace('\n', "\\n");
            let (case, copy) = repairing(lab, Case::key(lab.file("id", text, 0o600)?))?;
            let keygen = Tool::new("ssh-keygen").args(["-y", "-f"]);
            let case = case.asks(keygen.arg(copy.display()));
            Ok(case.assert(move |report| {
                tells(report, Some(&copy))?;
                ensure!(public(&copy, "")? == public(&sound, "")?, "another key");
                Ok(())
            }))
        },
    )),
    own(row(
        "key-repair-open",
        "the mode of the damaged file does not matter any more",
        Expect::Warn("key.permissions"),
        |lab| {
            let text = fs::read_to_string(lab.ssh_keygen(PEM)?)?.replace('\n', "\r");
            let (case, copy) = repairing(lab, Case::key(lab.file("id", text, 0o644)?))?;
            let keygen = Tool::new("ssh-keygen").args(["-y", "-f"]);
            let case = case.asks(keygen.arg(copy.display()));
            Ok(case
                .warns("key.mangled")
                .assert(move |report| tells(report, Some(&copy))))
        },
    )),
    row(
        "key-repair-locked",
        "--repair without the passphrase: it is written, and still locked",
        Expect::Fail("key.passphrase.missing"),
        |lab| {
            let sound = lab.ssh_keygen(LOCKED_PEM)?;
            let text = fs::read_to_string(&sound)?.replace('\n', " ");
            let (case, copy) = repairing(lab, Case::key(lab.file("id", text, 0o600)?))?;
            let case = case.warns("key.mangled");
            Ok(case.assert(move |report| {
                tells(report, Some(&copy))?;
                let same = public(&copy, PASSPHRASE)? == public(&sound, PASSPHRASE)?;
                ensure!(same, "another key");
                Ok(())
            }))
        },
    ),
    row(
        "key-repair-unneeded",
        "--repair of a sound key writes nothing",
        Expect::Pass,
        |lab| {
            let (case, copy) = repairing(lab, Case::key(lab.ssh_keygen(PKCS8)?))?;
            Ok(case.assert(move |report| {
                tells(report, None)?;
                let summary = report["stages"][0]["summary"].as_str().unwrap_or_default();
                ensure!(summary.contains("no repair needed"), "{summary}");
                ensure!(!copy.exists(), "there is a copy");
                Ok(())
            }))
        },
    ),
    row(
        "key-repair-lost",
        "--repair of half a key writes nothing",
        BROKEN,
        |lab| {
            // Of a length that is the same each time, as the comment is.
            let args = ["-t", "ed25519", "-N", "", "-C", "lab"];
            let text = fs::read_to_string(lab.ssh_keygen(&args)?)?;
            let half = lab.file("id", &text[..text.len() / 2], 0o600)?;
            let (case, copy) = repairing(lab, Case::key(half))?;
            Ok(case.assert(move |report| {
                tells(report, None)?;
                let summary = report["verdict"]["summary"].as_str().unwrap_or_default();
                ensure!(summary.contains("cannot be repaired"), "{summary}");
                ensure!(!copy.exists(), "there is a copy");
                Ok(())
            }))
        },
    ),
    row(
        "key-repair-public",
        "--repair of what is no private key writes nothing",
        Expect::Fail("key.public"),
        |lab| {
            let public = lab.client_key()?.with_extension("pub");
            let (case, copy) = repairing(lab, Case::key(public))?;
            Ok(case.assert(move |report| {
                tells(report, None)?;
                ensure!(!copy.exists(), "there is a copy");
                Ok(())
            }))
        },
    ),
    row(
        "key-repair-damage-beneath",
        "line ends that can be repaired hide a body that the passphrase shows to be altered",
        BROKEN,
        |lab| {
            // Near the end of what is encrypted: the passphrase opens it, the padding is wrong.
            let text = fs::read_to_string(lab.ssh_keygen(LOCKED)?)?;
            let last = text.trim_end().rfind('\n').unwrap_or_default();
            let at = text[..last].trim_end_matches('=').len() - 4;
            let other = if &text[at..=at] == "A" { "B" } else { "A" };
            let text = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            let file = lab.file("id", text.replace('\n', "\r\n"), 0o600)?;
            let (case, copy) = repairing(lab, Case::key(file).passphrase(PASSPHRASE))?;
            Ok(case.assert(move |report| {
                tells(report, None)?;
                let kinds = &mangled(report)?["evidence"]["kinds"];
                ensure!(*kinds == serde_json::json!(["crlf", "altered"]), "{kinds}");
                ensure!(!copy.exists(), "there is a copy");
                Ok(())
            }))
        },
    ),
];

/// The reference is asked about the copy.
const fn own(row: Scenario) -> Scenario {
    row.oracle(Oracle::Own)
}
