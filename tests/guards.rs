//! The guards for CI: each is judged or refused, by every command; no spelling of a host gets
//! past one; nothing is sent, and no command is run, where one hits.

#[path = "common/trials.rs"]
mod trials;

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use clap::CommandFactory;
use dbdoctor::cli::Cli;
use dbdoctor_lab::{Lab, Need, Peer};
use serde_json::Value;

const TRIALS: &[trials::Named<Lab>] = &[
    ("every_command_judges_or_refuses_every_guard", every_command),
    ("auth_goes_on_to_the_server_for_a_guard", auth),
    ("what_is_not_known_is_not_what_was_expected", unknown),
    ("an_empty_name_is_refused", empty_names),
    ("a_pattern_that_cannot_match_is_refused", impossible),
    ("no_spelling_of_a_host_gets_past", spellings),
    ("no_spelling_of_a_socket_gets_past", sockets),
    ("no_command_connects_to_a_forbidden_host", commands),
    ("what_is_not_forbidden_passes", neighbours),
];

fn main() {
    let needs = &[Need::Postgres, Need::PgBouncer];
    trials::run(4, trials::lab(needs), TRIALS);
}

/// What has no guards of the right kind runs this long at most.
const SHORT: [&str; 4] = ["--timeout", "2s", "--deadline", "8s"];

/// dbdoctor in an empty environment.
fn dbdoctor<S: AsRef<std::ffi::OsStr>>(lab: &Lab, args: &[S]) -> Result<Command> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dbdoctor"));
    let home = lab.dir("home")?;
    command
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("PGSYSCONFDIR", &home)
        .env("PGPASSWORD", lab.password())
        .current_dir(&home)
        .env("HOME", home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(command)
}

fn words(output: &Output) -> String {
    format!(
        "status {:?}\n{}\n{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The report's verdict: the cause, or none.
fn cause(output: &Output) -> Result<Option<String>> {
    let report: Value = serde_json::from_slice(&output.stdout).with_context(|| words(output))?;
    Ok(report["verdict"]["cause"].as_str().map(str::to_owned))
}

/// An error of usage: one line, which holds all of this, and a pointer to the help.
fn refused(output: &Output, parts: &[&str]) -> Result<()> {
    let said = String::from_utf8_lossy(&output.stderr);
    let mut lines = said.lines();
    let line = lines.next().unwrap_or_default();
    ensure!(output.status.code() == Some(2), "{}", words(output));
    ensure!(output.stdout.is_empty(), "{}", words(output));
    ensure!(line.starts_with("dbdoctor: "), "{}", words(output));
    ensure!(lines.all(|line| line.starts_with("Try ")), "{said}");
    for part in parts {
        ensure!(line.contains(part), "no {part:?} in {line}");
    }
    Ok(())
}

/// A guard that the lab's server does not satisfy where its sessions are read-only.
fn unmet(flag: &str) -> Result<Vec<&'static str>> {
    Ok(match flag {
        "expect-database" => vec!["--expect-database", "staging"],
        "expect-role" => vec!["--expect-role", "standby"],
        "expect-server-version" => vec!["--expect-server-version", "9"],
        "expect-cluster-name" => vec!["--expect-cluster-name", "staging"],
        "expect-writable" => vec!["--expect-writable"],
        "not-host" => vec!["--not-host", "127.0.0.0/8"],
        "fail-cert-days" => vec!["--fail-cert-days", "4000"],
        other => anyhow::bail!("a guard that this test does not know: --{other}"),
    })
}

/// Every command of clap's definition with every guard of it, on a server that meets none: the
/// guard hits or is refused, and what was to come after it does not come.
fn every_command(lab: &Lab) -> Result<()> {
    let conn = lab.postgres()?.conn();
    let target = conn
        .set("options", "-c default_transaction_read_only=on")
        .to_string();
    let definition = Cli::command();
    let mut seen = 0;
    for command in definition.get_subcommands() {
        let name = command.get_name();
        let has = |flag: &str| {
            command
                .get_arguments()
                .any(|arg| arg.get_long() == Some(flag))
        };
        let guards = command
            .get_arguments()
            .filter(|arg| arg.get_help_heading() == Some("Guards"))
            .filter_map(|arg| arg.get_long())
            // A warning keeps nothing from coming after it.
            .filter(|flag| !flag.starts_with("warn-"));
        for flag in guards {
            let place = lab.dir("guard")?;
            let (made, file) = (place.join("made"), place.join("report.json"));
            let mut args = vec![name, &target, "--json"];
            let file = file.to_string_lossy();
            args.extend(["-o", &file]);
            args.extend(unmet(flag)?);
            if name == "tunnel" {
                args.extend(["--ssh", "ops@127.0.0.1:1", "--ssh-config", "/dev/null"]);
            }
            if has("for") {
                args.extend(["--for", "1s"]);
            }
            if has("attempts") {
                args.extend(["--attempts", "2"]);
            }
            let made_text = made.to_string_lossy();
            if has("wait") {
                args.extend(["--wait", "2s", "--", "touch", &made_text]);
            }
            let output = dbdoctor(lab, &args)?.output()?;
            let judged = flag == "not-host"
                || matches!(name, "auth" | "check" | "idle" | "stress")
                || flag == "fail-cert-days" && name == "tls";
            if judged {
                ensure!(
                    output.status.code() == Some(1),
                    "{args:?}: {}",
                    words(&output)
                );
                let report: Value = serde_json::from_slice(&std::fs::read(&*file)?)?;
                let found = &report["verdict"]["cause"];
                let cause = match flag {
                    // The target's own options keep the session from writing.
                    "expect-writable" => "server.read-only.setting",
                    "fail-cert-days" => "tls.cert.expires-soon",
                    _ => "server.wrong-identity",
                };
                ensure!(found == cause, "{args:?}: {}", words(&output));
            } else {
                let flag = format!("--{flag}");
                refused(&output, &[name, &flag, "dbdoctor auth or dbdoctor check"])?;
                ensure!(!Path::new(&*file).exists(), "{args:?} wrote a report");
            }
            ensure!(!made.exists(), "{args:?} ran the command");
            seen += 1;
        }
    }
    ensure!(seen >= 9 * 6, "only {seen} pairs of a command and a guard");
    Ok(())
}

/// The stages that a report lists.
fn stages(output: &Output) -> Result<Vec<String>> {
    let report: Value = serde_json::from_slice(&output.stdout).with_context(|| words(output))?;
    let stages = report["stages"].as_array().context("no stages")?;
    let names = stages.iter().filter_map(|stage| stage["stage"].as_str());
    Ok(names.map(str::to_owned).collect())
}

fn auth(lab: &Lab) -> Result<()> {
    let target = lab.postgres()?.conn().to_string();
    let output = dbdoctor(lab, &["auth", &target, "--json"])?.output()?;
    ensure!(!stages(&output)?.contains(&"server".to_owned()));
    let met = ["--expect-database", "appdb", "--expect-writable"];
    let output = dbdoctor(lab, &["auth", &target, "--json"])?
        .args(met)
        .output()?;
    ensure!(output.status.success(), "{}", words(&output));
    ensure!(stages(&output)?.contains(&"server".to_owned()));
    // And the command that waits for it is run.
    let output = dbdoctor(lab, &["auth", &target])?
        .args(met)
        .args(["--wait", "5s", "--", "echo", "ran"])
        .output()?;
    ensure!(output.stdout == b"ran\n", "{}", words(&output));
    Ok(())
}

/// Servers that let us in and do not answer what a guard asks.
fn unknown(lab: &Lab) -> Result<()> {
    let pg = lab.postgres()?;
    let upstream = format!("host={} port={} dbname=appdb", pg.host(), pg.port());
    let console = lab
        .new_pgbouncer()
        .database("appdb", upstream)
        .set("admin_users", "app")
        .start()?;
    let denied = lab
        .new_postgres()
        .sql("revoke execute on function pg_catalog.pg_is_in_recovery() from public")
        .start()?;
    let replication = lab
        .new_postgres()
        .sql("alter role app replication")
        .start()?;
    for target in [
        console.conn().set("dbname", "pgbouncer"),
        denied.conn(),
        replication.conn().set("replication", "true"),
    ] {
        let target = target.to_string();
        let output = dbdoctor(lab, &["check", &target, "--json"])?.output()?;
        ensure!(output.status.success(), "{target}: {}", words(&output));
        for guard in [
            &["--expect-database", "appdb"][..],
            &["--expect-database", "pgbouncer"],
            &["--expect-role", "primary"],
            &["--expect-role", "standby"],
            &["--expect-server-version", "15"],
            &["--expect-server-version", "1"],
            &["--expect-cluster-name", "orders"],
            &["--expect-writable"],
        ] {
            let output = dbdoctor(lab, &["auth", &target])?
                .args(guard)
                .args(["--wait", "1s", "--", "echo", "ran"])
                .output()?;
            ensure!(
                output.status.code() == Some(1),
                "{target} {guard:?}: {}",
                words(&output)
            );
            ensure!(
                output.stdout.is_empty(),
                "{target} {guard:?}: {}",
                words(&output)
            );
        }
    }
    Ok(())
}

fn empty_names(lab: &Lab) -> Result<()> {
    for flag in ["--expect-cluster-name", "--expect-database"] {
        let output = dbdoctor(lab, &["check", "db.invalid", flag, ""])?.output()?;
        refused(&output, &[flag, "empty"])?;
    }
    Ok(())
}

fn impossible(lab: &Lab) -> Result<()> {
    for pattern in [
        "",
        " ",
        "a,b",
        "a b",
        "db:5432",
        "[::1]:5432",
        "{a,b}",
        "[p]rod*",
        "!s3cr3t",
        ".prod",
        "10.0.0.0/33",
        "10/8",
        "10.0.0.256",
        "postgres://app:s3cr3t@db/x",
        "2001:db8:*",
    ] {
        let output = dbdoctor(lab, &["check", "db.invalid", "--not-host", pattern])?.output()?;
        refused(
            &output,
            &["--not-host", "a pattern is a host name", "10.0.0.0/8"],
        )
        .with_context(|| pattern.to_owned())?;
        ensure!(!words(&output).contains("s3cr3t"), "{}", words(&output));
    }
    Ok(())
}

/// Ways to say where to connect: the arguments, and the environment.
struct Way {
    args: Vec<String>,
    env: Vec<(&'static str, String)>,
}

fn way(args: &[&str]) -> Way {
    Way {
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        env: Vec::new(),
    }
}

impl Way {
    fn env(mut self, name: &'static str, value: impl ToString) -> Self {
        self.env.push((name, value.to_string()));
        self
    }

    /// What becomes of it with this pattern.
    fn run(&self, lab: &Lab, command: &str, pattern: &str) -> Result<Output> {
        let mut all = vec![command, "--json", "--not-host", pattern];
        all.extend(self.args.iter().map(String::as_str));
        all.extend(SHORT);
        let mut command = dbdoctor(lab, &all)?;
        Ok(command.envs(self.env.iter().cloned()).output()?)
    }
}

/// Every way leads to the listener, as a pattern that does not match shows; with one that does,
/// nobody connects to it.
fn none_gets_past(lab: &Lab, peer: &Peer, ways: &[Way], patterns: &[&str]) -> Result<()> {
    for way in ways {
        let Way { args, env } = way;
        let before = peer.connections();
        for pattern in patterns {
            let output = way.run(lab, "tcp", pattern)?;
            let found = cause(&output)?;
            ensure!(
                found.as_deref() == Some("server.wrong-identity"),
                "{args:?} {env:?} past {pattern}: {}",
                words(&output)
            );
            ensure!(output.status.code() == Some(1), "{}", words(&output));
        }
        ensure!(peer.connections() == before, "{args:?} {env:?} connects");
        let output = way.run(lab, "tcp", "10.0.0.0/8")?;
        ensure!(
            peer.connections() > before,
            "{args:?} {env:?} leads elsewhere: {}",
            words(&output)
        );
    }
    Ok(())
}

fn spellings(lab: &Lab) -> Result<()> {
    let peer = Peer::closing()?;
    let port = peer.port().to_string();
    let mut ways: Vec<Way> = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0177.0.0.1",
        "0x7f.1",
        "0X7F000001",
        "::ffff:127.0.0.1",
        "::FFFF:7F00:1",
        "0.0.0.0",
        "localhost",
        "LOCALHOST",
    ]
    .into_iter()
    .map(|host| way(&["-h", host, "-p", &port]))
    .collect();
    let dir = lab.dir("sources")?;
    let write = |name: &str, text: String| -> Result<String> {
        std::fs::write(dir.join(name), text)?;
        Ok(dir.join(name).to_string_lossy().into_owned())
    };
    let service = write(
        "service.conf",
        format!("[orders]\nhost=127.1\nport={port}\n"),
    )?;
    let dotenv = write("env", format!("DATABASE_URL=postgres://127.1:{port}/x\n"))?;
    let config = write(
        "ssh_config",
        format!("Host jump\n HostName 127.1\n Port {port}\n"),
    )?;
    let jumps = write(
        "ssh_jumps",
        format!("Host inner\n ProxyJump jump\nHost jump\n HostName 127.1\n Port {port}\n"),
    )?;
    ways.extend([
        way(&[&format!("postgres://app@%31%32%37.0.0.1:{port}/x")]),
        way(&[&format!("postgres://app@127.0.0.2:1,127.1:{port}/x")]),
        way(&[&format!("host=127.0.0.2,127.0.0.1 port=1,{port}")]),
        way(&[&format!("host=db.invalid hostaddr=127.0.0.1 port={port}")]),
        way(&[&format!(
            "postgres://app@db.invalid:{port}/x?hostaddr=127.0.0.1"
        )]),
        way(&["-d", &format!("postgres://127.1:{port}/x")]),
        way(&["--url", &format!("127.0.0.1:{port}")]),
        way(&["service=orders"]).env("PGSERVICEFILE", &service),
        way(&[])
            .env("PGSERVICEFILE", &service)
            .env("PGSERVICE", "orders"),
        way(&[]).env("PGHOST", "127.1").env("PGPORT", &port),
        way(&["-h", "db.invalid"])
            .env("PGHOSTADDR", "127.0.0.1")
            .env("PGPORT", &port),
        way(&[]).env("DATABASE_URL", format!("postgres://127.1:{port}/x")),
        way(&["--env-file", &dotenv]),
        way(&[
            "-h",
            "db.invalid",
            "--ssh",
            &format!("ops@127.1:{port}"),
            "--ssh-config",
            "/dev/null",
        ]),
        way(&[
            "-h",
            "db.invalid",
            "--ssh",
            &format!("ops@localhost:{port}"),
            "--ssh-config",
            "/dev/null",
        ]),
        way(&["-h", "db.invalid", "--ssh", "jump", "--ssh-config", &config]),
        way(&["-h", "db.invalid", "--ssh", "inner", "--ssh-config", &jumps]),
    ]);
    let patterns = [
        "127.0.0.1",
        "127.0.0.0/8",
        "127.0.*",
        "::ffff:127.0.0.1",
        "localhost.",
    ];
    none_gets_past(lab, &peer, &ways, &patterns)?;
    // The hosts that the first hop reaches are compared as they are written.
    for (pattern, host) in [("10.0.0.0/8", "10.1"), ("*.prod.test", "DB.prod.test.")] {
        let hop = format!("ops@127.0.0.1:{port}");
        let before = peer.connections();
        let output = way(&["-h", host, "--ssh", &hop, "--ssh-config", "/dev/null"])
            .run(lab, "tcp", pattern)?;
        ensure!(cause(&output)?.as_deref() == Some("server.wrong-identity"));
        let jump = format!("{hop},ops@{host}");
        let output = way(&["-h", "db", "--ssh", &jump, "--ssh-config", "/dev/null"])
            .run(lab, "tcp", pattern)?;
        ensure!(cause(&output)?.as_deref() == Some("server.wrong-identity"));
        ensure!(peer.connections() == before, "{host}");
    }
    Ok(())
}

fn sockets(lab: &Lab) -> Result<()> {
    let root = lab.dir("socket")?;
    std::fs::create_dir(root.join("real"))?;
    std::os::unix::fs::symlink("real", root.join("link"))?;
    let listener = UnixListener::bind(root.join("real/.s.PGSQL.5432"))?;
    listener.set_nonblocking(true)?;
    let root = root.to_string_lossy();
    let real = format!("{root}/real");
    for host in [
        real.clone(),
        format!("{real}//"),
        format!("{real}/../real/."),
        format!("{root}/link"),
        format!("{}/real", root.replace('/', "//")),
    ] {
        for pattern in [
            &real,
            &format!("{root}/link/"),
            &format!("{real}/.s.PGSQL.5432"),
        ] {
            let output = way(&["-h", &host]).run(lab, "tcp", pattern)?;
            ensure!(
                cause(&output)?.as_deref() == Some("server.wrong-identity"),
                "{host} past {pattern}: {}",
                words(&output)
            );
        }
        ensure!(listener.accept().is_err(), "{host} connects");
        way(&["-h", &host]).run(lab, "tcp", &format!("{root}/other"))?;
        ensure!(listener.accept().is_ok(), "{host} leads elsewhere");
    }
    // A socket that is a link into the directory.
    let front = format!("{root}/front");
    std::fs::create_dir(&front)?;
    std::os::unix::fs::symlink("../real/.s.PGSQL.5432", format!("{front}/.s.PGSQL.5433"))?;
    let target = ["-h", &front, "-p", "5433"];
    for pattern in [&real, &front, &format!("{real}/.s.PGSQL.5432")] {
        let output = way(&target).run(lab, "tcp", pattern)?;
        ensure!(
            cause(&output)?.as_deref() == Some("server.wrong-identity"),
            "a link gets past {pattern}: {}",
            words(&output)
        );
        ensure!(listener.accept().is_err(), "a link past {pattern} connects");
    }
    way(&target).run(lab, "tcp", &format!("{root}/other"))?;
    ensure!(listener.accept().is_ok(), "the link leads elsewhere");
    Ok(())
}

/// The commands that connect, with a name that leads to a forbidden address.
fn commands(lab: &Lab) -> Result<()> {
    let peer = Peer::closing()?;
    let port = peer.port().to_string();
    let direct = ["-h", "localhost", "-p", &port, "-U", "app"];
    let hop = format!("ops@localhost:{port}");
    let over_ssh = [
        "-h",
        "db.invalid",
        "-U",
        "app",
        "--ssh",
        &hop,
        "--ssh-config",
        "/dev/null",
    ];
    for (command, target, more) in [
        ("dns", &direct[..], &[][..]),
        ("tcp", &direct, &[]),
        ("tls", &direct, &["--second-opinion"]),
        ("auth", &direct, &["--second-opinion"]),
        ("check", &direct, &["--second-opinion"]),
        ("check", &direct, &["--wait", "2s"]),
        ("idle", &direct, &["--for", "1s"]),
        ("stress", &direct, &["--attempts", "9"]),
        ("tunnel", &over_ssh, &["--second-opinion"]),
        ("tunnel", &over_ssh, &["--listen", "0"]),
        ("check", &over_ssh, &["--second-opinion"]),
        ("stress", &over_ssh, &["--attempts", "9"]),
    ] {
        let way = way(&[target, more].concat());
        let before = peer.connections();
        let output = way.run(lab, command, "127.0.0.0/8")?;
        ensure!(
            cause(&output)?.as_deref() == Some("server.wrong-identity"),
            "{command} {more:?}: {}",
            words(&output)
        );
        ensure!(peer.connections() == before, "{command} {more:?} connects");
        if command == "stress" {
            let report: Value = serde_json::from_slice(&output.stdout)?;
            let attempts = report["stages"]
                .as_array()
                .and_then(|stages| stages.last())
                .map(|stage| stage["facts"]["attempts"].clone());
            ensure!(attempts == Some(1.into()), "{attempts:?}");
        }
        if command != "dns" {
            way.run(lab, command, "10.0.0.0/8")?;
            ensure!(
                peer.connections() > before,
                "{command} {more:?} leads elsewhere"
            );
        }
    }
    Ok(())
}

/// Patterns for other hosts, on a server that works.
fn neighbours(lab: &Lab) -> Result<()> {
    let conn = lab.postgres()?.conn();
    for host in ["127.0.0.1", "localhost", "::ffff:127.0.0.1"] {
        let target = conn
            .clone()
            .without("hostaddr")
            .set("host", host)
            .to_string();
        for pattern in [
            "*.prod.test",
            "127.0.0.2",
            "10.0.0.0/8",
            "2001:db8::/32",
            "/run/x",
            "l",
        ] {
            let output = dbdoctor(lab, &["check", &target, "--json", "--not-host", pattern])?
                .args(["--expect-writable", "--expect-role", "primary"])
                .args(["--second-opinion", "--timeout", "5s"])
                .output()?;
            ensure!(
                output.status.success(),
                "{host} {pattern}: {}",
                words(&output)
            );
        }
    }
    Ok(())
}
