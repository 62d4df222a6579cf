//! `knowledge/refusals.tsv` through the whole program: an end that sends every field
//! as the server does. The unit tests of `stage::auth` hold each row to its cause;
//! here is one row for each cause and each moment of a login.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use dbdoctor_lab::Peer;
use dbdoctor_lab::impostor::{CLEARTEXT, Client, OK, impostor};
use serde_json::Value;

/// The columns of a row.
struct Row {
    message: String,
    severity: &'static str,
    sqlstate: &'static str,
    detail: String,
    hint: String,
    file: &'static str,
    routine: &'static str,
    when: &'static str,
    cause: &'static str,
}

fn row(line: &'static str) -> Row {
    let columns: Vec<&str> = line.split('\t').collect();
    let filled = |text: &str| text.replace("\"*\"", "\"orders\"").replace('*', "7");
    Row {
        message: filled(columns[0]),
        severity: columns[1],
        // Of a file that is not there.
        sqlstate: if columns[2] == "file" {
            "58P01"
        } else {
            columns[2]
        },
        detail: filled(columns[3]),
        hint: filled(columns[4]),
        file: columns[5],
        routine: columns[6],
        when: columns[8],
        cause: columns[9],
    }
}

/// One row for each cause and moment that a peer without SCRAM or TLS can play.
fn sample() -> Vec<Row> {
    let table = include_str!("../knowledge/refusals.tsv");
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    let playable = [
        "start",
        "clear",
        "trust",
        "in",
        "function",
        "replication",
        "warning",
    ];
    let mut seen = BTreeSet::new();
    lines
        .map(row)
        .filter(|row| playable.contains(&row.when))
        .filter(|row| seen.insert((row.cause, row.when)))
        .collect()
}

/// Plays the server of a row.
fn play(row: &Row, client: &mut Client) -> std::io::Result<()> {
    let mut fields = vec![
        ('S', row.severity),
        ('V', row.severity),
        ('C', row.sqlstate),
        ('M', row.message.as_str()),
        ('F', row.file),
        ('L', "1"),
        ('R', row.routine),
    ];
    for (kind, text) in [('D', &row.detail), ('H', &row.hint)] {
        if text != "-" {
            fields.push((kind, text));
        }
    }
    if row.when == "function" {
        fields.push(('W', "PL/pgSQL function guard() line 3 at RAISE"));
    }
    match row.when {
        "start" => client.error(&fields),
        "clear" => {
            client.ask(CLEARTEXT, b"")?;
            client.receive()?;
            client.error(&fields)
        }
        "warning" => {
            client.ask(OK, b"")?;
            client.notice(&fields)?;
            client.serve()
        }
        _ => {
            client.ask(OK, b"")?;
            client.error(&fields)
        }
    }
}

/// The verdict of dbdoctor on this end.
fn verdict(peer: &Peer, replication: bool) -> Value {
    let mut target = format!(
        "host=127.0.0.1 port={} user=app dbname=orders sslmode=disable",
        peer.port()
    );
    if replication {
        target += " replication=true";
    }
    let output = Command::new(env!("CARGO_BIN_EXE_dbdoctor"))
        .args(["check", "--format", "json", &target])
        .env_clear()
        .envs([
            ("HOME", "/nonexistent"),
            ("PATH", "/usr/bin:/bin"),
            ("PGPASSWORD", "x"),
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report["verdict"].clone()
}

#[test]
fn the_program_says_what_the_table_says() {
    let rows = sample();
    assert!(rows.len() > 40, "only {} rows", rows.len());
    let mut wrong = Vec::new();
    for row in rows {
        let (cause, when) = (row.cause, row.when);
        let text = row.message.clone();
        let peer = impostor(move |client| play(&row, client)).unwrap();
        let verdict = verdict(&peer, when == "replication");
        // A second connection is let in: it is this session that was ended.
        let session_only = cause == "server.stopping" && when == "in";
        if verdict["cause"] != cause && !session_only {
            wrong.push(format!(
                "{}, not {cause} ({when}): {text}",
                verdict["cause"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
