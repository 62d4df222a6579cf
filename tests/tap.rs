//! `tap` under hard use: no byte is changed, ends and resets pass on, hostile ends and many of
//! them are forwarded within memory, and nothing that is secret is shown.

#[path = "common/listening.rs"]
mod listening;
#[path = "common/trials.rs"]
mod trials;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dbdoctor_lab::{Lab, Need, Peer};
use listening::Listening;
use serde_json::Value;

const TRIALS: &[trials::Named<Lab>] = &[
    ("no_byte_is_changed_and_half_closes_pass", unchanged),
    ("a_reset_passes_on", reset),
    ("many_connections_at_once", many),
    ("hostile_ends_are_told", hostile),
    ("a_slow_client_is_read_byte_by_byte", slow),
    ("ctrl_c_ends_in_order", ctrl_c),
    ("events_are_json_lines", json_events),
    ("nothing_secret_is_shown", canary),
    ("a_stand_in_takes_no_target", usage),
    ("a_target_that_is_down_answers_in_the_protocol", down),
];

fn main() {
    trials::run(2, trials::lab(&[Need::Postgres]), TRIALS);
}

/// A tap that listens.
fn open(args: &[&str]) -> Result<Listening> {
    let mut command = Command::new("/usr/bin/env");
    command
        // Whoever runs the tests may ignore signals (nohup), which is inherited.
        .args(["--default-signal", env!("CARGO_BIN_EXE_dbdoctor")])
        .args(["tap", "--listen", "0"])
        .args(args)
        .env_remove("DATABASE_URL");
    Listening::start(&mut command, Duration::from_secs(60))
}

fn connect(tap: &Listening) -> Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", tap.port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(stream)
}

fn peak_kb(tap: &Listening) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", tap.pid()))?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let digits = |line: &str| {
        line.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
    };
    Ok(line.map(digits).unwrap_or_default().parse()?)
}

/// Ctrl-C, and what comes after it: status, standard output and standard error.
fn end(mut tap: Listening) -> Result<(Option<i32>, String, String)> {
    tap.interrupt()?;
    let (status, out) = tap.end()?;
    Ok((status, out, std::mem::take(&mut tap.told)))
}

fn facts(report: &Value) -> Value {
    let stages = report["stages"].as_array().cloned().unwrap_or_default();
    let stage = stages.into_iter().find(|stage| stage["stage"] == "tap");
    stage
        .map(|stage| stage["facts"].clone())
        .unwrap_or_default()
}

/// A server that sends back what it hears, until the client's end.
fn echo() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut from = stream.try_clone().expect("a descriptor");
                let mut to = stream;
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
        }
    });
    Ok(port)
}

fn unchanged(_: &Lab) -> Result<()> {
    let tap = open(&["--json", &format!("127.0.0.1:{}", echo()?)])?;
    // Not PostgreSQL's protocol at all.
    let sent: Vec<u8> = (0..6_000_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let mut stream = connect(&tap)?;
    let mut reader = stream.try_clone()?;
    let copy = sent.clone();
    let writer = std::thread::spawn(move || {
        let written = stream.write_all(&copy);
        let _ = stream.shutdown(Shutdown::Write);
        written.map(|()| stream)
    });
    let mut got = Vec::new();
    reader.read_to_end(&mut got)?;
    let _open = writer.join().expect("no panic")?;
    ensure!(got == sent, "{} bytes of {}", got.len(), sent.len());
    let (status, report, told) = end(tap)?;
    ensure!(status == Some(0), "{status:?} {told}");
    let report: Value = serde_json::from_str(&report)?;
    ensure!(
        facts(&report)["connections"][0]["bytes"]["client"] == sent.len(),
        "{report}"
    );
    Ok(())
}

fn reset(_: &Lab) -> Result<()> {
    let peer = Peer::resetting()?;
    let tap = open(&["--json", &format!("127.0.0.1:{}", peer.port())])?;
    let mut stream = connect(&tap)?;
    let _ = stream.write_all(b"\0\0\0\x08\x04\xd2\x16\x2f");
    let kind = stream.read(&mut [0]).map_err(|error| error.kind());
    ensure!(kind == Err(std::io::ErrorKind::ConnectionReset), "{kind:?}");
    let (_, report, _) = end(tap)?;
    let report: Value = serde_json::from_str(&report)?;
    let end = &facts(&report)["connections"][0]["end"];
    ensure!(end["by"] == "server" && end["how"] == "reset", "{end}");
    Ok(())
}

fn many(_: &Lab) -> Result<()> {
    const CONNECTIONS: usize = 1_500;
    let port = echo()?;
    let mut tap = open(&["--json", &format!("127.0.0.1:{port}")])?;
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = connect(&tap)?;
        stream.write_all(&[0, 0, 0])?;
        streams.push(stream);
    }
    let mut answer = [0; 3];
    for stream in &mut streams {
        stream.read_exact(&mut answer)?;
    }
    let peak = peak_kb(&tap)?;
    ensure!(peak < 200_000, "{peak} kB");
    drop(streams);
    tap.until_times("\"event\":\"ended\"", CONNECTIONS)?;
    let (status, report, _) = end(tap)?;
    ensure!(status == Some(0), "{status:?}");
    let report: Value = serde_json::from_str(&report)?;
    ensure!(
        facts(&report)["connections_total"] == CONNECTIONS,
        "{report}"
    );
    Ok(())
}

fn hostile(_: &Lab) -> Result<()> {
    // A server that floods, whatever it is asked.
    let flood = Peer::speaks(vec![b'T'; 4_000_000])?;
    let mut tap = open(&["--json", &format!("127.0.0.1:{}", flood.port())])?;
    for bytes in [
        &b"\x7f\xff\xff\xff\0\x03\0\0"[..],
        b"\xff\xff\xff\xff\0\x03\0\0",
        b"\0\0\0\0\0\0\0\0",
        b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\xff\xff\x01\xff\xff\xff",
    ] {
        let mut stream = connect(&tap)?;
        stream.write_all(bytes)?;
        let mut some = vec![0; 500_000];
        let _ = stream.read_exact(&mut some);
    }
    tap.until("\"connection\":6")?;
    let peak = peak_kb(&tap)?;
    ensure!(peak < 120_000, "{peak} kB");
    let (status, report, told) = end(tap)?;
    ensure!(status == Some(0), "{status:?} {told}");
    let report: Value = serde_json::from_str(&report)?;
    ensure!(facts(&report)["connections_total"] == 6, "{report}");
    ensure!(
        report["verdict"]["cause"] == "tap.not-postgres",
        "{}",
        report["verdict"]
    );
    Ok(())
}

fn slow(lab: &Lab) -> Result<()> {
    let pg = lab.postgres()?;
    let mut tap = open(&["--json", &pg.conn().to_string()])?;
    let mut body = b"\0\x03\0\0user\0app\0database\0appdb\0\0".to_vec();
    let mut message = (u32::try_from(body.len())? + 4).to_be_bytes().to_vec();
    message.append(&mut body);
    let mut stream = connect(&tap)?;
    stream.set_nodelay(true)?;
    for byte in message {
        stream.write_all(&[byte])?;
        std::thread::sleep(Duration::from_millis(5));
    }
    tap.until("requests login as app to appdb")?;
    tap.until("SCRAM-SHA-256")?;
    let (status, ..) = end(tap)?;
    ensure!(status == Some(0), "{status:?}");
    Ok(())
}

fn ctrl_c(lab: &Lab) -> Result<()> {
    let pg = lab.postgres()?;
    let mut tap = open(&["--json", &pg.conn().to_string()])?;
    let mut stream = connect(&tap)?;
    tap.until("connection from")?;
    let (status, report, _) = end(tap)?;
    ensure!(status == Some(0), "{status:?}");
    let report: Value = serde_json::from_str(&report)?;
    ensure!(report["run"]["interrupted"] == false, "{}", report["run"]);
    let first = &facts(&report)["connections"][0];
    ensure!(first["fate"] == "open at the end", "{first}");
    ensure!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
    Ok(())
}

fn psql(lab: &Lab, port: u16, sql: &str) -> Result<String> {
    let conninfo = format!("host=127.0.0.1 port={port} user=app dbname=appdb sslmode=disable");
    let output = Command::new("psql")
        .args(["-XAtqw", "-d", &conninfo, "-c", sql])
        .env("PGPASSWORD", lab.password())
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn json_events(lab: &Lab) -> Result<()> {
    let pg = lab.postgres()?;
    let mut tap = open(&["--json", &pg.conn().to_string()])?;
    ensure!(psql(lab, tap.port, "select 7")? == "7");
    tap.until("\"ended\"")?;
    let (_, _, told) = end(tap)?;
    let mut names = Vec::new();
    for line in told.lines() {
        let event: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        names.push(event["event"].as_str().unwrap_or_default().to_owned());
    }
    for wanted in [
        "tap",
        "connected",
        "startup",
        "authentication-requested",
        "ready",
        "terminate",
        "ended",
    ] {
        ensure!(
            names.iter().any(|name| name == wanted),
            "no {wanted} in {names:?}"
        );
    }
    Ok(())
}

/// Table and JSON, events and report, the login that works and the one that does not.
fn canary(lab: &Lab) -> Result<()> {
    let pg = lab.postgres()?;
    for format in ["table", "json"] {
        let tap = open(&["-v", "--format", format, &pg.conn().to_string()])?;
        psql(
            lab,
            tap.port,
            "select 'canary-row-1' as \"canary-column\", 'canary-sql'",
        )?;
        psql(lab, tap.port, "select 'canary-value'::int")?;
        psql(
            lab,
            tap.port,
            "do $$ begin raise 'canary-message' using detail='canary-detail'; end $$",
        )?;
        psql(lab, tap.port, "prepare p as select 'canary-prepared'")?;
        let (status, report, told) = end(tap)?;
        ensure!(status == Some(0), "{status:?}");
        for text in [&report, &told] {
            ensure!(!text.contains("canary"), "{text}");
            ensure!(!text.contains(lab.password()), "the password in {text}");
        }
        ensure!(report.contains("22P02") || format == "table", "{report}");
    }
    Ok(())
}

fn usage(_: &Lab) -> Result<()> {
    for args in [
        &["tap", "--stand-in", "postgres://db.test/x"][..],
        &["tap", "--tls", "none", "postgres://db.test/x"],
        &["tap", "--stand-in", "--tls", "/nonexistent/file"],
        &["tap", "--connections", "0", "x"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_dbdoctor"))
            .args(args)
            .output()?;
        ensure!(output.status.code() == Some(2), "{args:?}: {output:?}");
    }
    Ok(())
}

fn down(lab: &Lab) -> Result<()> {
    let port = dbdoctor_lab::free_port();
    let tap = open(&["--json", &format!("127.0.0.1:{port}")])?;
    let conninfo = format!("host=127.0.0.1 port={} user=app sslmode=disable", tap.port);
    let output = Command::new("psql")
        .args(["-XAtqw", "-d", &conninfo, "-c", "select 1"])
        .env("PGPASSWORD", lab.password())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        said.contains("dbdoctor tap cannot reach the database"),
        "{said}"
    );
    let (status, report, _) = end(tap)?;
    ensure!(status == Some(0), "{status:?}");
    let report: Value = serde_json::from_str(&report)?;
    ensure!(
        report["verdict"]["cause"] == "tcp.refused",
        "{}",
        report["verdict"]
    );
    Ok(())
}
