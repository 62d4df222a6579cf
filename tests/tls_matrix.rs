//! Certificate x sslmode x root file x host name x pg_hba.conf: dbdoctor must
//! pass where libpq connects and fail where it does not. The system's `psql`
//! judges every row; where `PYTHON` (else `python3`) has `psycopg`, the newer libpq
//! in it judges them too, and a row counts where the two agree.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use dbdoctor_lab::{Ca, CertSpec, Conn, Issued, KeyKind, Lab, Need, Postgres, Usage};

const MODES: [&str; 6] = [
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];

/// `host`, and whether the address is given apart.
const HOSTS: [(&str, bool); 7] = [
    ("db.test", true),
    ("DB.test", true),
    ("a.db.test", true),
    ("other.test", true),
    ("127.0.0.1", false),
    ("127.1", true),
    ("", true),
];

/// Rows on which the two libpqs or dbdoctor may differ, by the beginning of
/// their name, with the reason. The list only shrinks.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// One row: how to connect, and what it is called.
struct Row {
    name: String,
    conn: Conn,
}

/// A root file, and the settings that come with it.
struct Roots {
    name: &'static str,
    settings: Vec<(&'static str, PathBuf)>,
    /// Whether every host name is tried with it.
    all_hosts: bool,
}

/// A certificate's name, the certificate, and the server that has it.
type Server = (&'static str, (Option<Issued>, Postgres));

#[test]
fn libpq_and_dbdoctor_agree() -> Result<()> {
    if let Some(why) = Need::Postgres.missing() {
        ensure!(std::env::var_os("CI").is_none(), "skipped: {why}");
        eprintln!("skipped: {why}");
        return Ok(());
    }
    let lab = Lab::new()?;
    let servers = servers(&lab)?;
    let roots = roots(&lab, &servers)?;
    let rows: Vec<Row> = servers
        .iter()
        .flat_map(|(name, server)| rows(name, server, &roots))
        .collect();
    eprintln!("{} rows", rows.len());

    let home = lab.dir("home")?;
    if Newer::start(&home).is_none() {
        eprintln!("no psycopg here: the system's libpq judges alone");
    }
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut newer = Newer::start(&home);
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(what) = judge(row, &home, newer.as_mut()) {
                        wrong.lock().unwrap().insert(row.name.clone(), what);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    for (name, what) in &wrong {
        eprintln!("{name}: {what:#}");
    }
    ensure!(wrong.is_empty(), "{} of {} rows", wrong.len(), rows.len());
    Ok(())
}

/// A server for each certificate, with a role that may come in clear (`app`)
/// and one that may not (`sealed`).
fn servers(lab: &Lab) -> Result<Vec<Server>> {
    let server = |cn: &str, dns: &[&str], ips: &[&str]| lab.issue(CertSpec::server(cn, dns, ips));
    let own = |spec: CertSpec| lab.issue(spec);
    let good = || CertSpec::server("db.test", &["db.test"], &["127.0.0.1"]);
    let between = lab.ca().intermediate("Lab CA 2")?;
    let certificates: Vec<(&'static str, Option<Issued>)> = vec![
        ("no-tls", None),
        ("good", Some(own(good())?)),
        ("cn-name", Some(server("db.test", &[], &[])?)),
        ("cn-address", Some(server("127.0.0.1", &[], &[])?)),
        ("cn-star", Some(server("*.test", &[], &[])?)),
        ("star", Some(server("", &["*.test"], &[])?)),
        (
            "dns-beside-cn",
            Some(server("db.test", &["other.test"], &[])?),
        ),
        ("ip-beside-cn", Some(server("db.test", &[], &["10.0.0.1"])?)),
        (
            "dns-beside-cn-address",
            Some(server("127.0.0.1", &["other.test"], &[])?),
        ),
        ("address-as-dns", Some(server("", &["127.0.0.1"], &[])?)),
        (
            "no-name",
            Some(own(CertSpec {
                org: "Corp".into(),
                ..CertSpec::server("", &[], &[])
            })?),
        ),
        (
            "expired",
            Some(own(CertSpec {
                not_after: -2,
                ..good()
            })?),
        ),
        (
            "future",
            Some(own(CertSpec {
                not_before: 2,
                ..good()
            })?),
        ),
        ("self-signed", Some(Issued::self_signed(&good())?)),
        ("other-ca", Some(Ca::new("Other CA")?.issue(&good())?)),
        ("namesake-ca", Some(Ca::new("Lab CA")?.issue(&good())?)),
        ("intermediate", Some(between.issue(&good())?)),
        ("incomplete", Some(between.issue(&good())?.without_chain())),
        (
            "client-purpose",
            Some(own(CertSpec {
                usage: Usage::Client,
                ..good()
            })?),
        ),
        (
            "any-purpose",
            Some(own(CertSpec {
                usage: Usage::Any,
                ..good()
            })?),
        ),
        (
            "ed25519",
            Some(own(CertSpec {
                key: KeyKind::Ed25519,
                ..good()
            })?),
        ),
        (
            "rsa-pss",
            Some(own(CertSpec {
                key: KeyKind::RsaPss(2048),
                ..good()
            })?),
        ),
        ("revoked", Some(own(good())?)),
    ];
    certificates
        .into_iter()
        .map(|(name, issued)| {
            let mut pg = lab
                .new_postgres()
                .hba("hostssl all sealed all trust")
                .hba("host all app all trust")
                .sql("create role sealed login");
            if let Some(issued) = &issued {
                pg = pg.tls(issued.clone());
            }
            Ok((name, (issued, pg.start().with_context(|| name)?)))
        })
        .collect()
}

/// The root files.
fn roots(lab: &Lab, servers: &[Server]) -> Result<Vec<Roots>> {
    let dir = lab.dir("roots")?;
    let issued = |wanted: &str| {
        let found = servers.iter().find(|(name, _)| *name == wanted);
        found
            .and_then(|(_, (issued, _))| issued.as_ref())
            .context("no such certificate")
    };
    let file = |name: &str, content: Vec<u8>| -> Result<PathBuf> {
        let path = dir.join(name);
        fs::write(&path, content)?;
        Ok(path)
    };
    let one = |name, path| Roots {
        name,
        settings: vec![("sslrootcert", path)],
        all_hosts: false,
    };
    let fresh = lab
        .ca()
        .crl(&dir.join("fresh.crl"), &[issued("revoked")?], -1, 30)?;
    let stale = lab.ca().crl(&dir.join("stale.crl"), &[], -10, -1)?;
    let with_crl = |name, setting, crl: PathBuf| Roots {
        name,
        settings: vec![("sslrootcert", lab.ca_file()), (setting, crl)],
        all_hosts: false,
    };
    Ok(vec![
        Roots {
            name: "none",
            settings: Vec::new(),
            all_hosts: false,
        },
        Roots {
            all_hosts: true,
            ..one("ca", lab.ca_file())
        },
        one("missing", dir.join("nowhere.crt")),
        one("empty", file("empty.crt", Vec::new())?),
        one(
            "damaged",
            file("damaged.crt", lab.ca().cert().to_pem()?[..200].to_vec())?,
        ),
        one("leaf", file("leaf.crt", issued("good")?.cert.to_pem()?)?),
        one(
            "self",
            file("self.crt", issued("self-signed")?.cert.to_pem()?)?,
        ),
        one("crl-as-root", fresh.clone()),
        with_crl("crl", "sslcrl", fresh),
        with_crl("crl-stale", "sslcrl", stale),
        with_crl("crl-missing", "sslcrl", dir.join("nowhere.crl")),
        with_crl("crl-is-ca", "sslcrl", lab.ca_file()),
        with_crl("crl-dir", "sslcrldir", lab.dir("crls")?),
    ])
}

fn rows(server: &str, (_, pg): &(Option<Issued>, Postgres), roots: &[Roots]) -> Vec<Row> {
    let mut out = Vec::new();
    // All of it under MATRIX=full; else what tells the most.
    let full = std::env::var_os("MATRIX").is_some_and(|value| value == "full");
    let everywhere = ["good", "self-signed", "other-ca", "incomplete", "revoked"];
    for mode in MODES {
        for root in roots {
            let plain = matches!(root.name, "none" | "ca");
            let telling = everywhere.contains(&server) && !matches!(mode, "disable" | "allow");
            if !(full || plain || telling) {
                continue;
            }
            let hosts = match mode == "verify-full" && root.all_hosts {
                true => &HOSTS[..],
                false => &HOSTS[..1],
            };
            // Where libpq may go back to a connection in clear, whether the server lets it.
            let roles: &[&str] = match mode {
                "allow" | "prefer" => &["app", "sealed"],
                _ => &["app"],
            };
            for (host, apart) in hosts {
                for role in roles {
                    let mut conn = pg.conn().set("user", role).set("sslmode", mode);
                    conn = match host.is_empty() {
                        true => conn.without("host"),
                        false => conn.set("host", host),
                    };
                    if *apart {
                        conn = conn.set("hostaddr", "127.0.0.1");
                    }
                    for (name, path) in &root.settings {
                        conn = conn.set(name, path.display());
                    }
                    out.push(Row {
                        name: format!("{server} {mode} {} {host:?} {role}", root.name),
                        conn,
                    });
                }
            }
        }
    }
    out
}

/// Asks everybody about one row.
fn judge(row: &Row, home: &Path, newer: Option<&mut Newer>) -> Result<()> {
    if EXCEPTIONS
        .iter()
        .any(|(start, _)| row.name.starts_with(start))
    {
        return Ok(());
    }
    let conn = row.conn.to_string();
    let run = |program: &str, args: &[&str]| -> Result<(bool, String)> {
        let mut command = Command::new(program);
        command.args(args).env_clear().env("HOME", home);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let done = command.current_dir(home).output().context("cannot run")?;
        let said = [done.stdout, done.stderr].concat();
        Ok((
            done.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        ))
    };
    let (old, old_said) = run("psql", &["-X", "-w", "-c", "select 1", &conn])?;
    if let Some(newer) = newer
        && newer.connects(&conn)? != old
    {
        eprintln!("{}: the two libpqs differ (psql: {old})", row.name);
        return Ok(());
    }
    let bin = env!("CARGO_BIN_EXE_dbdoctor");
    let (ours, our_said) = run(bin, &["check", "-q", &conn])?;
    ensure!(
        ours == old,
        "psql {}, dbdoctor {}\n  {conn}\n  {}\n  {}",
        told(old),
        told(ours),
        old_said.trim(),
        our_said.trim()
    );
    Ok(())
}

fn told(passes: bool) -> &'static str {
    if passes { "connects" } else { "fails" }
}

/// A newer libpq, inside psycopg, which reads conninfo strings line by line.
struct Newer {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Newer {
    /// Starts it where it is asked for.
    fn start(home: &Path) -> Option<Self> {
        const SCRIPT: &str = "\
import sys, psycopg
for line in sys.stdin:
    conn = psycopg.pq.PGconn.connect(line.strip().encode())
    print('ok' if conn.status == psycopg.pq.ConnStatus.OK else 'no', flush=True)
    conn.finish()
";
        let python = std::env::var_os("PYTHON").unwrap_or("python3".into());
        let mut has = Command::new(&python);
        let has = has.args(["-c", "import psycopg"]).stderr(Stdio::null());
        if !has.status().is_ok_and(|status| status.success()) {
            return None;
        }
        let mut child = Command::new(python)
            .args(["-c", SCRIPT])
            .env("HOME", home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let answers = BufReader::new(child.stdout.take()?);
        Some(Newer { child, answers })
    }

    fn connects(&mut self, conn: &str) -> Result<bool> {
        let stdin = self.child.stdin.as_mut().context("no stdin")?;
        writeln!(stdin, "{conn}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        ensure!(!answer.is_empty(), "the newer libpq is gone");
        Ok(answer.trim() == "ok")
    }
}

impl Drop for Newer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
