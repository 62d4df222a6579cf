//! The second opinion: other client stacks on the same target. Where all agree nothing is said;
//! where they really differ, which one fails and why.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::{Case, CertSpec, Conn, Expect, Lab, Need, Oracle, Scenario, Tool, free_port};

const DIFFERS: &str = "client.stack-differs";
const PASSPHRASE: &str = "rye and oats";

/// All stacks get through with this key, which the passphrase opens.
fn agree_on_locked(lab: &Lab, key: PathBuf) -> Result<Case> {
    let public = fs::read_to_string(key.with_extension("pub"))?;
    let sshd = lab.new_sshd().authorized_keys(public).start()?;
    let case = Case::check(lab.postgres()?.conn()).password(lab.password());
    let case = case.passphrase(PASSPHRASE).ssh(sshd.route().key(key));
    Ok(agree(case, EVERYBODY).keep(sshd))
}

/// What the stacks say.
pub const SCENARIOS: &[Scenario] = &[
    row(
        "client-agree-direct",
        "all stacks log in, TLS verified in full",
        Expect::Pass,
        |lab| {
            let case = Case::check(verified(lab, lab.postgres()?.conn())).password(lab.password());
            Ok(agree(case, &[("native-tls", "passed"), ("psql", "passed")]))
        },
    ),
    row(
        "client-agree-plain",
        "all stacks log in, without TLS",
        Expect::Pass,
        |lab| {
            let conn = lab.postgres()?.conn().set("sslmode", "disable");
            let case = Case::check(conn).password(lab.password());
            Ok(agree(case, &[("native-tls", "passed"), ("psql", "passed")]))
        },
    ),
    row(
        "client-agree-socket",
        "all stacks log in through the unix socket",
        Expect::Pass,
        |lab| {
            let pg = lab.postgres()?;
            let conn = pg.conn().set("host", pg.socket_dir().display());
            let case = Case::check(conn).password(lab.password());
            Ok(agree(case, &[("native-tls", "passed"), ("psql", "passed")]))
        },
    ),
    row(
        "client-agree-hosts",
        "two hosts, the first of which refuses",
        Expect::Pass,
        |lab| {
            let pg = lab.postgres()?;
            let conn = Conn::new().set("host", "127.0.0.1,127.0.0.1");
            let conn = conn.set("port", format!("{},{}", free_port(), pg.port()));
            let case = Case::check(conn.set("user", "app").set("dbname", "appdb"));
            let case = case.password(lab.password());
            Ok(agree(case, &[("native-tls", "passed"), ("psql", "passed")]))
        },
    ),
    row(
        "client-agree-one-connection",
        "a role that may have one connection",
        Expect::Pass,
        |lab| {
            let sql = "ALTER ROLE app CONNECTION LIMIT 1";
            let pg = lab.new_postgres().sql(sql).start()?;
            let case = Case::check(pg.conn()).password(lab.password()).keep(pg);
            Ok(agree(case, &[("native-tls", "passed"), ("psql", "passed")]))
        },
    ),
    through(
        "client-agree-ssh",
        "all stacks get through an SSH server",
        Expect::Pass,
        |lab| {
            let case = Case::check(verified(lab, lab.postgres()?.conn())).password(lab.password());
            Ok(agree(case.ssh(lab.sshd()?.route()), EVERYBODY))
        },
    ),
    Scenario::new(
        "client-agree-tunnel",
        "the tunnel alone",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let case = Case::check(lab.postgres()?.conn()).command("tunnel");
            let rows = &[("libssh2", "passed"), ("ssh", "passed")];
            Ok(agree(case.ssh(lab.sshd()?.route()), rows))
        },
    )
    .oracle(Oracle::Ssh),
    through(
        "client-agree-jump",
        "all stacks get through two SSH servers",
        Expect::Pass,
        |lab| {
            let (first, second) = (lab.sshd()?, lab.new_sshd().start()?);
            let mut known = fs::read_to_string(first.known_hosts())?;
            known += &fs::read_to_string(second.known_hosts())?;
            let route = first.route().then(&second.destination());
            let route = route.known_hosts(lab.file("known_hosts", known, 0o644)?);
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            Ok(agree(case.ssh(route), EVERYBODY).keep(second))
        },
    ),
    through(
        "client-agree-passphrase",
        "an encrypted key and its passphrase",
        Expect::Pass,
        |lab| {
            let key = lab.ssh_key("ed25519", PASSPHRASE)?;
            agree_on_locked(lab, key)
        },
    ),
    through(
        "client-agree-password",
        "an SSH password and no key",
        Expect::Pass,
        |lab| {
            let sshd = lab.new_sshd().password("barley bread")?.start()?;
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            let route = sshd.route().without_key();
            let case = case.ssh_password("barley bread").ssh(route);
            Ok(agree(case, EVERYBODY).keep(sshd))
        },
    ),
    through(
        "client-agree-refused-key",
        "no stack is let in with this key",
        Expect::Fail("ssh.auth.publickey"),
        |lab| {
            let key = lab.ssh_key("ed25519", "")?;
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            let rows = &[
                ("libssh2", "failed"),
                ("ssh", "failed"),
                ("psql", "skipped"),
            ];
            Ok(agree(case.ssh(lab.sshd()?.route().key(key)), rows))
        },
    ),
    through(
        "client-agree-jump-refused",
        "the first of two SSH servers refuses the key, and all say so",
        Expect::Fail("ssh.auth.publickey"),
        |lab| {
            let key = lab.ssh_key("ed25519", "")?;
            let (first, second) = (lab.sshd()?, lab.new_sshd().start()?);
            let route = first.route().key(key).then(&second.destination());
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            let rows = &[("libssh2", "failed"), ("ssh", "failed")];
            let case = agree(case.ssh(route), rows).keep(second);
            Ok(case.assert(|report| {
                for stack in ["libssh2", "ssh"] {
                    let found = opinion(report, stack);
                    ensure!(found["step"] == "ssh-auth", "{stack}: {found}");
                }
                Ok(())
            }))
        },
    ),
    through(
        "client-agree-target-refused",
        "no stack reaches the database behind the hop",
        Expect::Fail("tunnel.target.refused"),
        |lab| {
            let conn = lab.postgres()?.conn().set("port", free_port());
            let case = Case::check(conn).password(lab.password());
            let rows = &[("libssh2", "failed"), ("ssh", "failed")];
            Ok(agree(case.ssh(lab.sshd()?.route()), rows))
        },
    ),
    row(
        "client-agree-unknown-ca",
        "no stack accepts the certificate",
        Expect::Fail("tls.cert.unknown-ca"),
        |lab| {
            let issued = crate::Ca::new("Other CA")?.issue(&lab.cert())?;
            let pg = lab.new_postgres().tls(issued).start()?;
            let case = Case::check(verified(lab, pg.conn())).password(lab.password());
            Ok(agree(case, &[("native-tls", "failed"), ("psql", "failed")]).keep(pg))
        },
    ),
    row(
        "client-agree-password-wrong",
        "no stack logs in",
        Expect::Fail("auth.password.wrong"),
        |lab| {
            let case = Case::check(lab.postgres()?.conn()).password("not this one");
            Ok(agree(case, &[("native-tls", "failed"), ("psql", "failed")]))
        },
    ),
    row(
        "client-differs-address-as-name",
        "an address among the DNS names: libpq takes it",
        Expect::Warn(DIFFERS),
        |lab| {
            let spec = CertSpec {
                ips: vec![],
                dns: vec!["127.0.0.1".to_owned()],
                ..lab.cert()
            };
            let pg = lab.new_postgres().tls(lab.issue(spec)?).start()?;
            let conn = verified(lab, pg.conn()).set("host", "127.0.0.1");
            let case = Case::check(conn).password(lab.password()).keep(pg);
            Ok(told(case, &[("native-tls", "failed"), ("psql", "passed")]))
        },
    ),
    through(
        "client-agree-cipher-of-key",
        "a key encrypted with ChaCha20-Poly1305",
        Expect::Pass,
        |lab| {
            let cipher = "chacha20-poly1305@openssh.com";
            let key = lab.ssh_keygen(&["-t", "ed25519", "-Z", cipher, "-N", PASSPHRASE])?;
            agree_on_locked(lab, key)
        },
    ),
    through(
        "client-differs-line-ends",
        "a key with CR LF: libssh2 reads it, OpenSSH does not",
        Expect::Fail("key.mangled"),
        |lab| {
            let key = lab.ssh_key("ed25519", "")?;
            let public = fs::read_to_string(key.with_extension("pub"))?;
            let sshd = lab.new_sshd().authorized_keys(public).start()?;
            let text = fs::read_to_string(&key)?.replace('\n', "\r\n");
            let copy = lab.file("id_crlf", text, 0o600)?;
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            let case = case.ssh(sshd.route().key(copy)).keep(sshd);
            Ok(told(case, &[("libssh2", "passed"), ("ssh", "failed")]).warns(DIFFERS))
        },
    ),
    through(
        "client-agree-certificate",
        "let in by an Ed25519 certificate only",
        Expect::Pass,
        |lab| {
            let (ca, key) = (lab.ssh_key("ed25519", "")?, lab.ssh_key("ed25519", "")?);
            let sign = Tool::new("ssh-keygen").args(["-q", "-I", "lab", "-n", &lab.user()?, "-s"]);
            let sign = sign.arg(ca.display());
            sign.arg(key.with_extension("pub").display()).succeed()?;
            let trusted = format!("TrustedUserCAKeys {}", ca.with_extension("pub").display());
            let sshd = lab
                .new_sshd()
                .config(&trusted)
                .authorized_keys("")
                .start()?;
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            let case = case.ssh(sshd.route().key(key)).keep(sshd);
            Ok(agree(case, EVERYBODY))
        },
    ),
    alone(
        "client-unknown-host-accepted",
        "checking is off: ssh is not run so, and skipped",
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            let route = lab.sshd()?.route().known_hosts("/dev/null");
            let case = case.ssh(route).args(&["--ssh-host-key-check", "no"]);
            Ok(agree(
                case,
                &[
                    ("libssh2", "passed"),
                    ("ssh", "skipped"),
                    ("psql", "passed"),
                ],
            ))
        },
    ),
];

const EVERYBODY: &[(&str, &str)] = &[
    ("libssh2", "passed"),
    ("ssh", "passed"),
    ("native-tls", "passed"),
    ("psql", "passed"),
];

type Setup = fn(&Lab) -> Result<Case>;

const fn row(name: &'static str, about: &'static str, expect: Expect, setup: Setup) -> Scenario {
    Scenario::new(name, about, expect, &[Need::Postgres], setup)
}

const fn through(
    name: &'static str,
    about: &'static str,
    expect: Expect,
    setup: Setup,
) -> Scenario {
    Scenario::new(name, about, expect, &[Need::Postgres, Need::Sshd], setup)
}

const fn alone(
    name: &'static str,
    about: &'static str,
    needs: &'static [Need],
    setup: Setup,
) -> Scenario {
    let why = "ssh is never run without checking host keys";
    Scenario::new(name, about, Expect::Pass, needs, setup).oracle(Oracle::None(why))
}

fn verified(lab: &Lab, conn: Conn) -> Conn {
    conn.set("sslmode", "verify-full")
        .set("sslrootcert", lab.ca_file().display())
}

/// With the second opinion, in which these stacks fare so.
fn told(case: Case, rows: &'static [(&str, &str)]) -> Case {
    case.arg("--second-opinion").assert(move |report| {
        for (stack, outcome) in rows {
            let found = opinion(report, stack);
            ensure!(
                found["outcome"] == *outcome,
                "{stack}: {found}, not {outcome}"
            );
        }
        Ok(())
    })
}

/// The same, and there is nothing to warn of.
fn agree(case: Case, rows: &'static [(&str, &str)]) -> Case {
    told(case, rows).forbids(DIFFERS)
}

/// What a stack said.
pub(super) fn opinion<'a>(report: &'a Value, stack: &str) -> &'a Value {
    let stages = report["stages"].as_array().into_iter().flatten();
    stages
        .filter_map(|stage| stage["facts"]["second_opinion"].as_array())
        .flatten()
        .find(|row| row["stack"] == stack)
        .unwrap_or(&Value::Null)
}
