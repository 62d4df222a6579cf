//! `explain` on real texts: recorded from drivers that met the lab's faults
//! (`corpus/record.py`), known from reports (`corpus/known.txt`), and from
//! programs that have nothing to do with PostgreSQL (`corpus/unrelated.txt`).

use std::collections::BTreeSet;

use dbdoctor::explain::Explanation;

/// An entry of a corpus: `### CAUSE[/CAUSE…] | DRIVER | SCENARIO`, then the
/// text. Several causes are those that the text alone cannot tell apart.
struct Entry<'a> {
    causes: Vec<&'a str>,
    driver: &'a str,
    text: &'a str,
}

fn entries(corpus: &str) -> Vec<Entry<'_>> {
    corpus
        .split("### ")
        .flat_map(|entry| entry.split_once('\n'))
        .map(|(head, text)| {
            let mut parts = head.split('|').map(str::trim);
            Entry {
                causes: parts.next().unwrap_or_default().split('/').collect(),
                driver: parts.next().unwrap_or_default(),
                text: text.trim_end(),
            }
        })
        .collect()
}

/// What is not explained rightly.
fn wrong(entries: &[Entry<'_>]) -> Vec<String> {
    entries
        .iter()
        .filter_map(|entry| {
            let found = Explanation::of_text(entry.text);
            let best = found.matches.first().map(|it| it.cause);
            if best.is_some_and(|best| entry.causes.contains(&best)) {
                return None;
            }
            let last = entry.text.lines().last().unwrap_or_default();
            Some(format!(
                "{} ({}) is taken for {best:?}: {last}",
                entry.causes.join("/"),
                entry.driver
            ))
        })
        .collect()
}

#[test]
fn what_drivers_print_is_explained() {
    let recorded = entries(include_str!("corpus/recorded.txt"));
    let drivers: BTreeSet<&str> = recorded.iter().map(|entry| entry.driver).collect();
    assert!(recorded.len() >= 150, "{} texts", recorded.len());
    assert!(drivers.len() >= 8, "{drivers:?}");
    let wrong = wrong(&recorded);
    println!("not explained rightly:\n{}", wrong.join("\n"));
    assert!(wrong.len() * 20 <= recorded.len(), "more than 1 in 20");
}

#[test]
fn what_is_known_is_explained() {
    let known = entries(include_str!("corpus/known.txt"));
    let wrong = wrong(&known);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the stacks of applications print, a file for each kind of them.
#[test]
fn what_stacks_print_is_explained() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/stacks");
    let mut wrong_ones = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let corpus = std::fs::read_to_string(file.unwrap().path()).unwrap();
        wrong_ones.extend(wrong(&entries(&corpus)));
    }
    assert!(wrong_ones.is_empty(), "{}", wrong_ones.join("\n"));
}

#[test]
fn what_is_unrelated_matches_nothing() {
    let texts: Vec<&str> = include_str!("corpus/unrelated.txt")
        .split("###")
        .filter_map(|entry| entry.split_once('\n'))
        .map(|(_, text)| text.trim())
        .collect();
    assert!(texts.len() >= 170);
    for text in texts {
        let found = Explanation::of_text(text).matches;
        let causes: Vec<_> = found.iter().map(|it| (it.cause, &it.matched)).collect();
        assert!(causes.is_empty(), "{text}\n{causes:?}");
    }
}

#[test]
fn what_may_be_too_is_said_after_it() {
    let text = "tests/conftest.py:12: in engine\n\
                E   sqlalchemy.exc.OperationalError: (psycopg2.OperationalError) could not \
                translate host name \"db\" to address: Name or service not known";
    let found = Explanation::of_text(text);
    let causes: Vec<_> = found.matches.iter().map(|it| it.cause).collect();
    assert_eq!(causes.first(), Some(&"dns.container-name"));
    assert!(causes.contains(&"client.cached-settings"), "{causes:?}");
    let wrappers = found.matches[0].unwrapped_from.as_deref();
    assert_eq!(wrappers, Some("SQLAlchemy"));
}

/// A standby and a setting print the same: neither is sure, and what decides is said.
#[test]
fn a_read_only_transaction_has_two_reasons() {
    let (standby, setting) = ("server.read-only", "server.read-only.setting");
    for (text, first) in [
        (
            "code: \"25006\", message: \"cannot execute INSERT in a read-only transaction\", severity: \"ERROR\"",
            standby,
        ),
        (
            "ERROR:  25006: cannot execute UPDATE in a read-only transaction",
            standby,
        ),
        (
            "psycopg2.errors.ReadOnlySqlTransaction: cannot execute nextval() in a read-only transaction",
            standby,
        ),
        (
            "PG::ReadOnlySqlTransaction: ERROR:  cannot execute DELETE in a read-only transaction",
            standby,
        ),
        (
            "FEHLER:  INSERT kann nicht in einer Read-Only-Transaktion ausgeführt werden",
            standby,
        ),
        ("PSQLException, SQLState: 25006", standby),
        (
            "db.abcdefgh.supabase.co: ERROR: cannot execute INSERT in a read-only transaction",
            setting,
        ),
        (
            "ERROR: cannot execute INSERT in a read-only transaction\n\
             hint: show default_transaction_read_only",
            setting,
        ),
    ] {
        let found = Explanation::of_text(text).matches;
        let causes: Vec<_> = found.iter().map(|it| it.cause).collect();
        assert_eq!(causes.first(), Some(&first), "{text}");
        for cause in [standby, setting] {
            let it = found.iter().find(|it| it.cause == cause);
            let it = it.unwrap_or_else(|| panic!("{text}: {causes:?}"));
            assert!(
                it.confidence < dbdoctor::explain::Confidence::High,
                "{text}"
            );
            let confirm = it.confirm_with.as_deref();
            assert_eq!(confirm, Some("dbdoctor check --expect-writable TARGET"));
            assert!(it.meaning.contains("pg_is_in_recovery()"), "{cause}");
        }
    }
}

#[test]
fn secrets_are_not_repeated() {
    for text in [
        "could not translate host name \"s3cr3t@db\" to address: Name or service not known",
        "failed to connect to `postgres://app:s3cr3t@db/orders`: Connection refused",
        "psql: error: invalid port \":s3cr3t\" after host",
        "invalid dsn: missing \"=\" after \"s3cr3t\" in connection info string",
    ] {
        let found = Explanation::of_text(text);
        assert!(!found.matches.is_empty(), "{text}");
        let said = serde_json::to_string(&found).unwrap();
        assert!(!said.contains("s3cr3t"), "{said}");
    }
}

#[test]
fn a_log_is_read_whole() {
    let mut log = String::new();
    for n in 0..20_000 {
        log += &format!(
            "2026-11-21T10:00:{:02}Z INFO request {n} served in 12 ms\n",
            n % 60
        );
        if n == 15_000 {
            log += "2026-11-21T10:00:00Z ERROR psycopg2.OperationalError: FATAL:  sorry, too many clients already\n";
        }
    }
    let found = Explanation::of_text(&log);
    let best = found.matches.first().unwrap();
    assert_eq!(best.cause, "server.connections.full");
    assert_eq!(best.line, Some(15_002));
}

#[test]
fn quotes_are_those_of_the_text() {
    for (text, matched) in [
        (
            "Error: P1001: Can't reach database server at `db:5432`",
            "Can't reach database server at",
        ),
        (
            "hostname \"db\" doesn't match \"db.example.com\"",
            "hostname \"*\" doesn't match",
        ),
        (
            "AttributeError: 'NoneType' object has no attribute 'open_channel'",
            "'NoneType' object has no attribute 'open_channel'",
        ),
        (
            "FATAL: role \"app\" does not exist",
            "role \"*\" does not exist",
        ),
    ] {
        let found = Explanation::of_text(text);
        assert_eq!(found.matches.first().unwrap().matched, matched);
    }
}

#[test]
fn nothing_panics_on_anything() {
    let mut noise = String::from("connection to server at \"");
    for n in 0..2_000u32 {
        noise.push(char::from_u32(n * 37 % 0x2_0000).unwrap_or('"'));
        if n % 400 == 0 {
            let _ = Explanation::of_text(&noise);
        }
    }
    for text in [
        "",
        "\0",
        "\\",
        "\x1b[",
        "database ",
        "host name \"",
        "SQLSTATE",
        "port ",
    ] {
        let _ = Explanation::of_text(text);
    }
}
