//! By what `tap` tells clients apart, held to what real ones send: `tests/data/client-marks.tsv`
//! has it, and `scripts/record-marks` records it again.

mod between;
mod record;
mod row;

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use dbdoctor::tap::conversation::Conversation;
use dbdoctor::tap::marks::{self, Certainty, Recognised};

use row::{Client, Row, Way};

/// Run by scripts/record-marks.
#[test]
#[ignore = "needs the drivers"]
fn record_marks() -> Result<()> {
    record::run()
}

/// Each recorded client, in clear and in TLS, with all that is seen in the end and with the
/// first bytes alone: it is among those named, and no other is named with certainty.
#[test]
fn recorded_clients_are_recognised() -> Result<()> {
    let clients = Client::all()?;
    let mut wrong = Vec::new();
    println!("{:27} {:8} {:9} taken for", "client", "way", "sees");
    for row in Row::all()? {
        let client = clients.iter().find(|client| client.name == row.client);
        let Some(client) = client else {
            wrong.push(format!("{}: in no table", row.client));
            continue;
        };
        for (sees, seen) in views(&row) {
            let said = marks::recognise(&seen);
            let shown = match &said {
                Some(said) => format!("{:?}: {said}", said.certainty),
                None => "nobody".to_owned(),
            };
            let way = row.way.as_str();
            println!("{:27} {way:8} {sees:9} {shown}", row.client);
            let is_named = said.as_ref().is_some_and(|said| names(said, &client.is));
            if !is_named {
                wrong.push(format!("{} {way}, {sees}: {shown}", row.client));
            }
        }
    }
    ensure!(wrong.is_empty(), "not recognised:\n{}", wrong.join("\n"));
    Ok(())
}

/// A client that has a habit of its own is told from all others by it.
#[test]
fn what_is_certain() -> Result<()> {
    for (client, certain) in [
        ("psycopg", "psycopg"),
        ("asyncpg", "asyncpg"),
        ("sqlalchemy+asyncpg", "asyncpg"),
        ("postgres.js", "postgres.js"),
        ("pgjdbc", "pgjdbc"),
        ("pdo-pgsql", "PDO"),
        ("lib-pq", "lib/pq"),
        ("pgx", "pgx"),
        ("pgbench", "pgbench"),
        ("tokio-postgres/rustls", "tokio-postgres"),
        ("sqlx/native-tls", "sqlx"),
    ] {
        for row in Row::all()?.iter().filter(|row| row.client == client) {
            let said = marks::recognise(&row.conversation());
            let said = said.map(|said| (said.client.root, said.client.name, said.certainty));
            let ok = said.is_some_and(|(root, name, certainty)| {
                (root == certain || name == certain) && certainty == Certainty::Certain
            });
            ensure!(ok, "{client} {}: {said:?}", row.way.as_str());
        }
    }
    Ok(())
}

/// Every row of the table that was measured is one that a recorded client is taken for, and
/// every other names where it was read.
#[test]
fn every_row_is_recorded_or_has_its_source() -> Result<()> {
    let mut met = BTreeSet::new();
    for row in Row::all()? {
        for (_, seen) in views(&row) {
            met.extend(marks::recognise(&seen).map(|said| said.client.name));
        }
    }
    let recorded: BTreeSet<String> = Client::all()?.into_iter().map(|it| it.is).collect();
    for client in marks::known() {
        let measured = client.source.contains("measured with");
        let is_met = met.contains(client.name) || recorded.contains(client.name);
        ensure!(
            !measured || is_met,
            "{} was measured, and is not in the record",
            client.name
        );
        ensure!(
            measured || client.source.contains("https://") || client.source.contains("org."),
            "{}: where was that read?",
            client.name
        );
    }
    Ok(())
}

/// What the record's conversations look like at several times.
fn views(row: &Row) -> Vec<(&'static str, Conversation)> {
    let mut views = vec![("all", row.conversation())];
    views.push(("login", row.login()));
    if row.way == Way::Tls {
        views.push(("hello", row.hello_alone()));
    }
    views
}

fn names(said: &Recognised, name: &str) -> bool {
    said.client.name == name || said.alike.contains(&name) || said.others.contains(&name)
}
