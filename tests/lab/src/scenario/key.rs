//! Private keys: every form that OpenSSH reads, and every reason for which it refuses one.
//! What happens to keys on their way is in `key_mangled`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::{Agent, Case, Expect, Lab, Need, Oracle, Scenario, Tool, write_mode};

/// The passphrase of every encrypted key here.
const PASSPHRASE: &str = "open sesame";

/// A scenario of a bare `dbdoctor key PATH`, judged by `ssh-keygen -y`.
const fn row(
    name: &'static str,
    about: &'static str,
    expect: Expect,
    setup: fn(&Lab) -> Result<Case>,
) -> Scenario {
    Scenario::new(name, about, expect, &[], setup).oracle(Oracle::SshKeygen)
}

/// The same with something that the machine must have.
const fn needing(needs: &'static [Need], row: Scenario) -> Scenario {
    Scenario { needs, ..row }
}

/// The same where the reference client has no say.
const fn alone(why: &'static str, row: Scenario) -> Scenario {
    row.oracle(Oracle::None(why))
}

/// A key made by openssl, step by step; `{}` stands for the file, `{pass}` for the passphrase.
fn by_openssl(lab: &Lab, steps: &[&str]) -> Result<PathBuf> {
    let path = lab.dir("key")?.join("id");
    for step in steps {
        let words = step.split_whitespace().map(|word| {
            let word = word.replace("{}", &path.display().to_string());
            word.replace("{pass}", &format!("pass:{PASSPHRASE}"))
        });
        Tool::new("openssl").args(words).succeed()?;
    }
    write_mode(&path, fs::read(&path)?, 0o600)?;
    Ok(path)
}

/// A copy of the lab's key with this mode.
fn with_mode(lab: &Lab, mode: u32) -> Result<PathBuf> {
    lab.file("id", fs::read(lab.client_key()?)?, mode)
}

/// What puttygen makes of a key.
fn puttygen(lab: &Lab, key: &Path, args: &[&str]) -> Result<PathBuf> {
    let out = lab.dir("key")?.join("id.ppk");
    let tool = Tool::new("puttygen").arg(key.display());
    tool.args(args.iter().copied())
        .arg("-o")
        .arg(out.display())
        .succeed()?;
    write_mode(&out, fs::read(&out)?, 0o600)?;
    Ok(out)
}

/// A fact of the `key` stage.
fn fact<'a>(report: &'a Value, name: &str) -> &'a Value {
    let stages = report["stages"].as_array().map(Vec::as_slice);
    let key = stages
        .unwrap_or_default()
        .iter()
        .find(|stage| stage["stage"] == "key");
    key.map_or(&Value::Null, |stage| &stage["facts"][name])
}

/// A case whose facts must be these.
fn telling(case: Case, facts: &'static [(&'static str, &'static str)]) -> Case {
    case.assert(move |report| {
        for (name, expected) in facts {
            let said = fact(report, name);
            let said = said
                .as_str()
                .map_or_else(|| said.to_string(), str::to_owned);
            ensure!(said == *expected, "{name} is {said}, not {expected}");
        }
        Ok(())
    })
}

/// SSH's `string`s, one after the other.
fn strings(fields: &[&[u8]]) -> Vec<u8> {
    let string = |field: &&[u8]| [&(field.len() as u32).to_be_bytes(), *field].concat();
    fields.iter().flat_map(string).collect()
}

/// An OpenSSH container around any key pair.
fn container(public: &[u8], private: &[u8]) -> String {
    let mut inner = [&[1, 2, 3, 4, 1, 2, 3, 4], private, &strings(&[b"lab"])].concat();
    for pad in 1..8 {
        if inner.len().is_multiple_of(8) {
            break;
        }
        inner.push(pad);
    }
    let mut bytes = b"openssh-key-v1\0".to_vec();
    bytes.extend(strings(&[b"none", b"none", b""]));
    bytes.extend(1u32.to_be_bytes());
    bytes.extend(strings(&[public, &inner]));
    let digits = openssl::base64::encode_block(&bytes);
    format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{digits}\n-----END OPENSSH PRIVATE KEY-----\n")
}

/// The file of a key whose secret is in a device (PROTOCOL.u2f).
fn security_key() -> String {
    let public = strings(&[b"sk-ssh-ed25519@openssh.com", &[7; 32], b"ssh:"]);
    let presence = 1;
    let handle = strings(&[b"what the device knows it by", b""]);
    container(&public, &[&public, &[presence][..], &handle].concat())
}

/// Keys.
pub const SCENARIOS: &[Scenario] = &[
    // Whole keys, in every form.
    row(
        "key-good",
        "a key without a passphrase",
        Expect::Pass,
        |lab| {
            let facts = &[
                ("type", "ssh-ed25519"),
                ("bits", "256"),
                ("format", "OpenSSH"),
                ("encrypted", "false"),
                ("comment", "lab"),
                ("mode", "0600"),
            ];
            Ok(telling(Case::key(lab.client_key()?), facts))
        },
    ),
    row("key-rsa", "RSA in OpenSSH's format", Expect::Pass, |lab| {
        let key = lab.ssh_keygen(&["-t", "rsa", "-b", "3072", "-N", ""])?;
        Ok(telling(
            Case::key(key),
            &[("type", "ssh-rsa"), ("bits", "3072")],
        ))
    }),
    row(
        "key-rsa-pem",
        "RSA of 2048 bits in PKCS#1",
        Expect::Pass,
        |lab| {
            let key = lab.ssh_keygen(&["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""])?;
            Ok(
                telling(Case::key(key), &[("format", "PKCS#1"), ("bits", "2048")])
                    .forbids("key.weak"),
            )
        },
    ),
    row("key-rsa-pkcs8", "RSA in PKCS#8", Expect::Pass, |lab| {
        let key = lab.ssh_keygen(&["-t", "rsa", "-b", "2048", "-m", "PKCS8", "-N", ""])?;
        Ok(telling(Case::key(key), &[("format", "PKCS#8")]))
    }),
    row(
        "key-ecdsa-256-pem",
        "ECDSA on P-256 in SEC1",
        Expect::Pass,
        |lab| {
            let key = lab.ssh_keygen(&["-t", "ecdsa", "-b", "256", "-m", "PEM", "-N", ""])?;
            Ok(telling(
                Case::key(key),
                &[("format", "SEC1"), ("bits", "256")],
            ))
        },
    ),
    row(
        "key-ecdsa-384-pkcs8",
        "ECDSA on P-384 in PKCS#8",
        Expect::Pass,
        |lab| {
            let key = lab.ssh_keygen(&["-t", "ecdsa", "-b", "384", "-m", "PKCS8", "-N", ""])?;
            Ok(telling(Case::key(key), &[("bits", "384")]))
        },
    ),
    row(
        "key-ecdsa-521",
        "ECDSA on P-521 in OpenSSH's format",
        Expect::Pass,
        |lab| {
            let key = lab.ssh_keygen(&["-t", "ecdsa", "-b", "521", "-N", ""])?;
            Ok(telling(Case::key(key), &[("bits", "521")]))
        },
    ),
    row(
        "key-ec-parameters",
        "EC PARAMETERS before the key, as openssl writes it",
        Expect::Pass,
        |lab| {
            Ok(Case::key(by_openssl(
                lab,
                &["ecparam -name prime256v1 -genkey -out {}"],
            )?))
        },
    ),
    row(
        "key-ec-explicit",
        "the curve's parameters spelt out",
        Expect::Pass,
        |lab| {
            let make = "ecparam -name prime256v1 -genkey -noout -param_enc explicit -out {}";
            Ok(Case::key(by_openssl(lab, &[make])?))
        },
    ),
    row(
        "key-with-certificate",
        "a certificate and a key in one PEM file",
        Expect::Pass,
        |lab| {
            let issued = lab.issue(lab.cert())?;
            let (cert, key) = issued.write(&lab.dir("pem")?, "server")?;
            let both = [fs::read(cert)?, fs::read(key)?].concat();
            Ok(Case::key(lab.file("both.pem", both, 0o600)?).forbids("key.mangled"))
        },
    ),
    row(
        "key-comment-lines",
        "comment lines before a PEM key",
        Expect::Pass,
        |lab| {
            let key = lab.ssh_keygen(&["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""])?;
            let text = format!("# the deploy key\n\n{}", fs::read_to_string(key)?);
            Ok(Case::key(lab.file("id", text, 0o600)?).forbids("key.mangled"))
        },
    ),
    row(
        "key-blank-lines-after",
        "empty lines after the footer",
        Expect::Pass,
        |lab| {
            let text = format!("{}\n\n", fs::read_to_string(lab.client_key()?)?);
            Ok(Case::key(lab.file("id", text, 0o600)?).forbids("key.mangled"))
        },
    ),
    row(
        "key-mode-0400",
        "readable by its owner alone",
        Expect::Pass,
        |lab| {
            Ok(telling(
                Case::key(with_mode(lab, 0o400)?),
                &[("mode", "0400")],
            ))
        },
    ),
    row(
        "key-symlink",
        "a symbolic link to a key",
        Expect::Pass,
        |lab| {
            let link = lab.dir("link")?.join("id");
            symlink(lab.client_key()?, &link)?;
            Ok(Case::key(link))
        },
    ),
    row(
        "key-certificate-beside",
        "with a certificate of its own beside it",
        Expect::Pass,
        |lab| {
            let (key, ca) = (lab.ssh_key("ed25519", "")?, lab.ssh_key("ed25519", "")?);
            sign(&ca, &key)?;
            Ok(Case::key(key).forbids("key.pair-mismatch"))
        },
    ),
    row(
        "key-unneeded-passphrase",
        "not encrypted, and a passphrase is set",
        Expect::Pass,
        |lab| Ok(Case::key(lab.client_key()?).passphrase("for another key")),
    ),
    // Encrypted keys, in every way.
    row(
        "key-passphrase-good",
        "an encrypted key and its passphrase",
        Expect::Pass,
        |lab| {
            let key = lab.ssh_key("ed25519", PASSPHRASE)?;
            let facts = &[
                ("encrypted", "true"),
                ("cipher", "aes256-ctr"),
                ("kdf", "bcrypt"),
            ];
            Ok(telling(Case::key(key).passphrase(PASSPHRASE), facts))
        },
    ),
    row(
        "key-passphrase-rounds",
        "more rounds of key derivation",
        Expect::Pass,
        |lab| {
            let key = lab.ssh_keygen(&["-t", "ed25519", "-a", "40", "-N", PASSPHRASE])?;
            Ok(telling(
                Case::key(key).passphrase(PASSPHRASE),
                &[("kdf_rounds", "40")],
            ))
        },
    ),
    row(
        "key-passphrase-gcm",
        "encrypted with AES-GCM",
        Expect::Pass,
        |lab| {
            let cipher = "aes256-gcm@openssh.com";
            let key = lab.ssh_keygen(&["-t", "ed25519", "-Z", cipher, "-N", PASSPHRASE])?;
            Ok(Case::key(key).passphrase(PASSPHRASE))
        },
    ),
    row(
        "key-passphrase-chacha",
        "encrypted with ChaCha20-Poly1305",
        Expect::Pass,
        |lab| {
            let cipher = "chacha20-poly1305@openssh.com";
            let key = lab.ssh_keygen(&["-t", "rsa", "-Z", cipher, "-N", PASSPHRASE])?;
            Ok(Case::key(key).passphrase(PASSPHRASE))
        },
    ),
    row(
        "key-passphrase-3des",
        "encrypted with 3DES in OpenSSH's format",
        Expect::Pass,
        |lab| {
            let key = lab.ssh_keygen(&["-t", "ecdsa", "-Z", "3des-cbc", "-N", PASSPHRASE])?;
            Ok(telling(
                Case::key(key).passphrase(PASSPHRASE),
                &[("cipher", "3des-cbc")],
            ))
        },
    ),
    row(
        "key-passphrase-pem-aes",
        "traditional PEM with AES",
        Expect::Pass,
        |lab| {
            let make = ["genrsa -traditional -aes256 -passout {pass} -out {} 2048"];
            let facts = &[("cipher", "AES-256-CBC"), ("kdf", "MD5")];
            Ok(telling(
                Case::key(by_openssl(lab, &make)?).passphrase(PASSPHRASE),
                facts,
            ))
        },
    ),
    row(
        "key-passphrase-pem-3des",
        "traditional PEM with 3DES, on a curve",
        Expect::Pass,
        |lab| {
            let make = [
                "ecparam -name secp384r1 -genkey -noout -out {}.key",
                "ec -in {}.key -des3 -passout {pass} -out {}",
            ];
            let facts = &[("cipher", "DES-EDE3-CBC"), ("format", "SEC1")];
            Ok(telling(
                Case::key(by_openssl(lab, &make)?).passphrase(PASSPHRASE),
                facts,
            ))
        },
    ),
    row(
        "key-passphrase-pkcs8",
        "PKCS#8 with PBES2",
        Expect::Pass,
        |lab| {
            let make = ["genpkey -algorithm RSA -aes256 -pass {pass} -out {}"];
            let facts = &[
                ("cipher", "AES-256-CBC"),
                ("kdf", "PBKDF2"),
                ("kdf_rounds", "2048"),
            ];
            Ok(telling(
                Case::key(by_openssl(lab, &make)?).passphrase(PASSPHRASE),
                facts,
            ))
        },
    ),
    row(
        "key-passphrase-missing",
        "encrypted, and no passphrase at hand",
        Expect::Fail("key.passphrase.missing"),
        |lab| Ok(Case::key(lab.ssh_key("ed25519", PASSPHRASE)?)),
    ),
    row(
        "key-passphrase-missing-pkcs8",
        "the same in PKCS#8",
        Expect::Fail("key.passphrase.missing"),
        |lab| {
            let make = ["genpkey -algorithm RSA -aes256 -pass {pass} -out {}"];
            Ok(Case::key(by_openssl(lab, &make)?))
        },
    ),
    row(
        "key-passphrase-wrong",
        "encrypted with another passphrase",
        Expect::Fail("key.passphrase.wrong"),
        |lab| Ok(Case::key(lab.ssh_key("ed25519", PASSPHRASE)?).passphrase("open barley")),
    ),
    row(
        "key-passphrase-wrong-pem",
        "the same in traditional PEM",
        Expect::Fail("key.passphrase.wrong"),
        |lab| {
            let make = ["genrsa -traditional -aes128 -passout {pass} -out {} 2048"];
            Ok(Case::key(by_openssl(lab, &make)?).passphrase("open barley"))
        },
    ),
    row(
        "key-passphrase-newline",
        "the right passphrase with a line break behind it",
        Expect::Fail("key.passphrase.wrong"),
        |lab| {
            let case = Case::key(lab.ssh_key("ed25519", PASSPHRASE)?);
            let case = case.passphrase("open sesame\n").secret(PASSPHRASE);
            Ok(case.assert(|report| {
                let evidence = &report["stages"][0]["findings"][0]["evidence"];
                ensure!(evidence["hint"].is_string(), "the line break is not told");
                Ok(())
            }))
        },
    ),
    alone(
        "ssh-keygen does not ask the agent",
        row(
            "key-passphrase-agent",
            "encrypted, and an agent holds it open",
            Expect::Pass,
            |lab| {
                let key = lab.ssh_key("ed25519", "")?;
                let agent = Agent::start(lab)?;
                agent.add(&key)?;
                let lock =
                    Tool::new("ssh-keygen").args(["-q", "-p", "-P", "", "-N", PASSPHRASE, "-f"]);
                lock.arg(key.display()).succeed()?;
                let case = Case::key(key).env("SSH_AUTH_SOCK", agent.socket().display());
                Ok(case.forbids("key.passphrase.missing").keep(agent))
            },
        ),
    ),
    // Files.
    row(
        "key-missing",
        "no such file",
        Expect::Fail("key.missing"),
        |lab| Ok(Case::key(lab.dir("key")?.join("id_ed25519"))),
    ),
    row(
        "key-missing-link",
        "a link that leads nowhere",
        Expect::Fail("key.missing"),
        |lab| {
            let link = lab.dir("key")?.join("id");
            symlink("gone", &link)?;
            Ok(Case::key(link))
        },
    ),
    row(
        "key-link-circle",
        "a link that leads back to itself",
        Expect::Fail("key.unreadable"),
        |lab| {
            let link = lab.dir("key")?.join("id");
            symlink("id", &link)?;
            Ok(Case::key(link).assert(|report| {
                let fixes = report["verdict"]["fixes"].to_string();
                ensure!(!fixes.contains("chown"), "{fixes}");
                Ok(())
            }))
        },
    ),
    row(
        "key-line-break-in-path",
        "a path with a line break in it, open to others",
        Expect::Fail("key.permissions"),
        |lab| {
            let path = lab.dir("key")?.join("a\nkey");
            fs::copy(lab.client_key()?, &path)?;
            fs::set_permissions(&path, PermissionsExt::from_mode(0o644))?;
            Ok(Case::key(path).assert(|report| {
                let summary = report["verdict"]["summary"].to_string();
                ensure!(!summary.contains("text of a key"), "{summary}");
                Ok(())
            }))
        },
    ),
    needing(
        &[Need::Root],
        row(
            "key-unreadable",
            "another user's key",
            Expect::Fail("key.unreadable"),
            |lab| Ok(Case::key(with_mode(lab, 0o600)?).run_as("nobody")),
        ),
    ),
    needing(
        &[Need::Root],
        row(
            "key-unreadable-directory",
            "behind a closed directory",
            Expect::Fail("key.unreadable"),
            |lab| {
                let key = with_mode(lab, 0o644)?;
                fs::set_permissions(
                    key.parent().unwrap_or(&key),
                    std::os::unix::fs::PermissionsExt::from_mode(0o700),
                )?;
                Ok(Case::key(key).run_as("nobody"))
            },
        ),
    ),
    row(
        "key-directory",
        "a directory",
        Expect::Fail("key.not-a-file"),
        |lab| Ok(Case::key(lab.dir("key")?)),
    ),
    row(
        "key-empty",
        "an empty file",
        Expect::Fail("key.not-a-file"),
        |lab| Ok(Case::key(lab.file("id", "", 0o600)?)),
    ),
    row(
        "key-device",
        "a device",
        Expect::Fail("key.not-a-file"),
        |_| Ok(Case::key("/dev/null")),
    ),
    alone(
        "ssh-keygen waits for ever",
        row(
            "key-fifo",
            "a pipe that nobody writes to",
            Expect::Fail("key.not-a-file"),
            |lab| {
                let pipe = lab.dir("key")?.join("id");
                Tool::new("mkfifo")
                    .args(["-m", "600"])
                    .arg(pipe.display())
                    .succeed()?;
                Ok(Case::key(pipe))
            },
        ),
    ),
    row(
        "key-permissions",
        "readable by everybody",
        Expect::Fail("key.permissions"),
        |lab| Ok(Case::key(with_mode(lab, 0o644)?)),
    ),
    row(
        "key-permissions-group",
        "readable by its group",
        Expect::Fail("key.permissions"),
        |lab| Ok(Case::key(with_mode(lab, 0o640)?)),
    ),
    row(
        "key-permissions-execute",
        "a single bit for others",
        Expect::Fail("key.permissions"),
        |lab| Ok(Case::key(with_mode(lab, 0o601)?)),
    ),
    needing(
        &[Need::Root],
        row(
            "key-owner",
            "another user's, which we may read",
            Expect::Warn("key.owner"),
            |lab| {
                let key = with_mode(lab, 0o644)?;
                chown(&key, Some(65534), None)?;
                Ok(Case::key(key).forbids("key.permissions"))
            },
        ),
    ),
    // Other things than private keys.
    row(
        "key-public",
        "the public half",
        Expect::Fail("key.public"),
        |lab| {
            let public = fs::read(lab.client_key()?.with_extension("pub"))?;
            Ok(Case::key(lab.file("id.pub", public, 0o644)?).forbids("key.permissions"))
        },
    ),
    row(
        "key-public-pem",
        "the public half in PEM",
        Expect::Fail("key.public"),
        |lab| {
            let make = ["genrsa -out {}.key 2048", "pkey -in {}.key -pubout -out {}"];
            Ok(Case::key(by_openssl(lab, &make)?))
        },
    ),
    row(
        "key-public-rfc4716",
        "the public half as ssh.com writes it",
        Expect::Fail("key.public"),
        |lab| {
            let public = Tool::new("ssh-keygen").args(["-e", "-f"]);
            let text = public.arg(lab.client_key()?.display()).succeed()?;
            Ok(Case::key(lab.file("id", text, 0o600)?))
        },
    ),
    row(
        "key-public-certificate",
        "an OpenSSH certificate",
        Expect::Fail("key.public"),
        |lab| {
            let (key, ca) = (lab.ssh_key("ed25519", "")?, lab.ssh_key("ed25519", "")?);
            sign(&ca, &key)?;
            let certificate = fs::read(key.with_file_name("id-cert.pub"))?;
            Ok(Case::key(lab.file("id", certificate, 0o600)?))
        },
    ),
    row(
        "key-public-x509",
        "an X.509 certificate",
        Expect::Fail("key.public"),
        |lab| {
            let pem = fs::read(lab.ca_file())?;
            Ok(Case::key(lab.file("id.crt", pem, 0o600)?))
        },
    ),
    row(
        "key-format",
        "something else altogether",
        Expect::Fail("key.format"),
        |lab| Ok(Case::key(lab.file("id", "hello\n", 0o600)?)),
    ),
    row(
        "key-format-open",
        "something else altogether, which anyone may read",
        Expect::Fail("key.format"),
        |lab| {
            let case = Case::key(lab.file("id", "hello\n", 0o644)?);
            Ok(case.forbids("key.permissions"))
        },
    ),
    row(
        "key-format-variable",
        "the name of a variable in place of the key",
        Expect::Fail("key.format"),
        |lab| Ok(Case::key(lab.file("id", "${SSH_PRIVATE_KEY}\n", 0o600)?)),
    ),
    row(
        "key-format-placeholder",
        "a frame with nothing in it",
        Expect::Fail("key.format"),
        |lab| {
            let text =
                "-----BEGIN OPENSSH PRIVATE KEY-----\n...\n-----END OPENSSH PRIVATE KEY-----\n";
            Ok(Case::key(lab.file("id", text, 0o600)?).forbids("key.mangled"))
        },
    ),
    row(
        "key-format-der",
        "binary DER",
        Expect::Fail("key.format"),
        |lab| {
            let make = [
                "genrsa -out {}.key 2048",
                "rsa -in {}.key -outform DER -out {}",
            ];
            Ok(Case::key(by_openssl(lab, &make)?))
        },
    ),
    row(
        "key-format-pkcs12",
        "a PKCS#12 container",
        Expect::Fail("key.format"),
        |lab| {
            let make = [
                "req -x509 -newkey rsa:2048 -nodes -subj /CN=lab -keyout {}.key -out {}.crt",
                "pkcs12 -export -in {}.crt -inkey {}.key -passout pass: -out {}",
            ];
            Ok(Case::key(by_openssl(lab, &make)?))
        },
    ),
    row(
        "key-format-big",
        "three megabytes of something",
        Expect::Fail("key.format"),
        |lab| {
            let noise: Vec<u8> = (0..3_000_000u32)
                .map(|n| (n.wrapping_mul(n) / 7) as u8)
                .collect();
            Ok(Case::key(lab.file("id", noise, 0o600)?))
        },
    ),
    needing(
        &[Need::PuttyTools],
        row("key-ppk", "a PuTTY key", Expect::Fail("key.ppk"), |lab| {
            Ok(Case::key(puttygen(lab, &lab.client_key()?, &[])?))
        }),
    ),
    needing(
        &[Need::PuttyTools],
        row(
            "key-ppk-v2",
            "a PuTTY key of the older version",
            Expect::Fail("key.ppk"),
            |lab| {
                let args = ["--ppk-param", "version=2"];
                Ok(
                    Case::key(puttygen(lab, &lab.client_key()?, &args)?).assert(|report| {
                        let fix = report["verdict"]["fixes"][0]["command"]
                            .as_str()
                            .unwrap_or_default();
                        ensure!(fix.contains("puttygen"), "the fix is {fix}");
                        let done = Tool::new("sh").args(["-c", fix]).succeed();
                        ensure!(done.is_ok(), "the fix fails: {done:?}");
                        Ok(())
                    }),
                )
            },
        ),
    ),
    needing(
        &[Need::PuttyTools],
        row(
            "key-from-puttygen",
            "exported by PuTTYgen",
            Expect::Pass,
            |lab| {
                let key = lab.ssh_keygen(&["-t", "rsa", "-b", "2048", "-N", ""])?;
                Ok(Case::key(puttygen(lab, &key, &["-O", "private-openssh"])?))
            },
        ),
    ),
    needing(
        &[Need::PuttyTools],
        row(
            "key-sshcom",
            "a key of ssh.com",
            Expect::Fail("key.format"),
            |lab| {
                let key = lab.ssh_keygen(&["-t", "rsa", "-b", "2048", "-N", ""])?;
                Ok(Case::key(puttygen(lab, &key, &["-O", "private-sshcom"])?))
            },
        ),
    ),
    // Types and strengths.
    alone(
        "OpenSSH reads a DSA key and does not offer it",
        row("key-type-dsa", "DSA", Expect::Fail("key.type"), |lab| {
            Ok(Case::key(lab.ssh_keygen(&["-t", "dsa", "-N", ""])?))
        }),
    ),
    row(
        "key-type-secp256k1",
        "a curve of blockchains",
        Expect::Fail("key.type"),
        |lab| {
            Ok(Case::key(by_openssl(
                lab,
                &["ecparam -name secp256k1 -genkey -noout -out {}"],
            )?))
        },
    ),
    row("key-type-ed448", "Ed448", Expect::Fail("key.type"), |lab| {
        Ok(Case::key(by_openssl(
            lab,
            &["genpkey -algorithm ed448 -out {}"],
        )?))
    }),
    row(
        "key-type-rsa-pss",
        "RSA-PSS",
        Expect::Fail("key.type"),
        |lab| {
            Ok(Case::key(by_openssl(
                lab,
                &["genpkey -algorithm rsa-pss -out {}"],
            )?))
        },
    ),
    alone(
        "ssh-keygen does not need the device",
        row(
            "key-type-security-key",
            "its secret is in a security key",
            Expect::Fail("key.type"),
            |lab| {
                let text = security_key();
                Ok(Case::key(lab.file("id", text, 0o600)?))
            },
        ),
    ),
    row(
        "key-weak",
        "RSA of 1024 bits",
        Expect::Warn("key.weak"),
        |lab| {
            Ok(Case::key(
                lab.ssh_keygen(&["-t", "rsa", "-b", "1024", "-N", ""])?,
            ))
        },
    ),
    row(
        "key-weak-2047",
        "RSA of one bit less than 2048",
        Expect::Warn("key.weak"),
        |lab| {
            Ok(Case::key(by_openssl(
                lab,
                &["genrsa -traditional -out {} 2047"],
            )?))
        },
    ),
    row(
        "key-weak-refused",
        "RSA of less than 1024 bits",
        Expect::Fail("key.weak"),
        |lab| {
            Ok(Case::key(by_openssl(
                lab,
                &["genrsa -traditional -out {} 1000"],
            )?))
        },
    ),
    row(
        "key-ed25519-pkcs8",
        "Ed25519 in PKCS#8, which OpenSSH reads from 9.6 on",
        Expect::Fail("key.format"),
        |lab| {
            Ok(Case::key(by_openssl(
                lab,
                &["genpkey -algorithm ed25519 -out {}"],
            )?))
        },
    ),
    // Companions.
    row(
        "key-pair-mismatch",
        "another key's public half beside it",
        Expect::Warn("key.pair-mismatch"),
        |lab| {
            let (key, other) = (lab.ssh_key("ed25519", "")?, lab.ssh_key("ed25519", "")?);
            fs::copy(other.with_extension("pub"), key.with_extension("pub"))?;
            Ok(Case::key(key))
        },
    ),
    row(
        "key-pair-mismatch-certificate",
        "another key's certificate beside it",
        Expect::Warn("key.pair-mismatch"),
        |lab| {
            let (key, other) = (lab.ssh_key("ed25519", "")?, lab.ssh_key("ed25519", "")?);
            sign(&key, &other)?;
            fs::rename(
                other.with_file_name("id-cert.pub"),
                key.with_file_name("id-cert.pub"),
            )?;
            Ok(Case::key(key))
        },
    ),
    row(
        "key-pair-encrypted-mismatch",
        "an encrypted key and another's public half",
        Expect::Warn("key.pair-mismatch"),
        |lab| {
            let (key, other) = (
                lab.ssh_key("ed25519", PASSPHRASE)?,
                lab.ssh_key("ed25519", "")?,
            );
            fs::copy(other.with_extension("pub"), key.with_extension("pub"))?;
            Ok(Case::key(key).passphrase(PASSPHRASE))
        },
    ),
    // Several causes at once: the verdict is what OpenSSH stops at first.
    row(
        "key-permissions-and-mangled",
        "readable by everybody, and damaged",
        Expect::Fail("key.permissions"),
        |lab| {
            let text = fs::read_to_string(lab.client_key()?)?.replace('\n', "\r\n");
            Ok(Case::key(lab.file("id", text, 0o644)?).assert(|report| {
                let findings = &report["stages"][0]["findings"];
                ensure!(findings[1]["cause"] == "key.mangled", "{findings:#}");
                Ok(())
            }))
        },
    ),
    // Without a path.
    alone(
        "ssh-keygen asks for a path",
        row(
            "key-default",
            "a default key in the home directory",
            Expect::Pass,
            |lab| {
                let home = lab.dir("home")?;
                fs::create_dir(home.join(".ssh"))?;
                fs::copy(lab.client_key()?, home.join(".ssh/id_ed25519"))?;
                Ok(Case::new("key").home(home).forbids("key.missing"))
            },
        ),
    ),
    alone(
        "ssh-keygen asks for a path",
        row(
            "key-default-none",
            "no default key at all",
            Expect::Fail("key.missing"),
            |lab| Ok(Case::new("key").home(lab.dir("home")?)),
        ),
    ),
];

/// Signs a key: `id-cert.pub` then lies beside it.
fn sign(ca: &Path, key: &Path) -> Result<()> {
    let tool = Tool::new("ssh-keygen").args(["-q", "-s"]).arg(ca.display());
    let tool = tool.args(["-I", "lab", "-n", "ops"]);
    tool.arg(key.with_extension("pub").display()).succeed()?;
    Ok(())
}
