use super::*;
use crate::tap::conversation::{ClientHello, EncryptionAnswer, EncryptionRequest, Startup};

/// A client that sends these parameters: `name=value`, with `; ` between.
fn starts(parameters: &str) -> Conversation {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, "x"));
        (name.to_owned(), value.to_owned())
    };
    let mut seen = Conversation::new();
    seen.startup = Some(Startup {
        protocol: (3, 0),
        parameters: parameters.split("; ").map(pair).collect(),
    });
    seen
}

fn said(seen: &Conversation) -> Option<(&'static str, Certainty)> {
    recognise(seen).map(|said| (said.client.name, said.certainty))
}

#[test]
fn strangers_are_nobody() {
    for parameters in [
        // Redshift's JDBC driver, made of pgjdbc.
        "user; database; client_encoding=UTF8; DateStyle=ISO; TimeZone; driver_version",
        // A driver that takes its parameters from a hash map.
        "client_encoding=UTF8; database; application_name; user",
        "user; database; search_path; my.setting",
        "user; database; options; client_encoding=utf8; application_name",
        "database; user",
        "USER; DATABASE",
        "user; database; datestyle; extra_float_digits=3",
    ] {
        let who = said(&starts(parameters));
        let certain = who.is_some_and(|(_, certainty)| certainty > Certainty::Possible);
        assert!(!certain, "{parameters}: {who:?}");
    }
    let redshift = "user; database; client_encoding=UTF8; DateStyle=ISO; TimeZone; driver_version";
    assert_eq!(said(&starts(redshift)), None);
    assert_eq!(
        said(&starts("user; database; search_path; my.setting")),
        None
    );
    assert_eq!(said(&Conversation::new()), None);
    let mut seen = Conversation::new();
    seen.client_hello = Some(ClientHello::default());
    assert_eq!(said(&seen), None);
}

#[test]
fn a_name_alone_is_not_believed() {
    // Anyone can call itself psql.
    let jdbc = "user; database; client_encoding=UTF8; DateStyle=ISO; TimeZone; \
                application_name=psql";
    let (name, certainty) = said(&starts(jdbc)).unwrap();
    assert_eq!((name, certainty), ("pgjdbc", Certainty::Certain));
    let psql = starts("user; database; application_name=psql");
    assert_eq!(said(&psql), Some(("psql", Certainty::Likely)));
    let other = starts("user; database; application_name=psql2");
    assert!(said(&other).is_none_or(|(name, _)| name == "libpq"));
}

#[test]
fn statements_tell_more_than_the_name() {
    for (name, parameters, who) in [
        (
            "_pg3_12",
            "user; database; application_name=psql",
            "psycopg",
        ),
        (
            "stmtcache_5f3a0c",
            "database; user; application_name=psql",
            "pgx",
        ),
        ("__diesel_stmt_0", "user; database", "Diesel"),
        ("a17", "user; database; application_name=bin/rails", "Rails"),
        ("ecto_42", "user; database", "Postgrex"),
        ("S_3", "user; client_encoding; database", "Npgsql"),
        ("_auto0", "user; client_encoding; database", "Npgsql"),
    ] {
        let mut seen = starts(parameters);
        seen.statements.names = vec!["mine".to_owned(), name.to_owned()];
        seen.statements.named = 2;
        assert_eq!(said(&seen), Some((who, Certainty::Certain)), "{name}");
    }
    let mut seen = starts("user; database");
    seen.statements.names = vec!["mine".to_owned()];
    assert_eq!(
        said(&seen).map(|(_, certainty)| certainty),
        Some(Certainty::Possible)
    );
}

#[test]
fn what_speaks_against_a_client_counts() {
    let of = |seen: &Conversation, name: &str| {
        recognise(seen).is_some_and(|said| {
            said.client.name == name || said.alike.contains(&name) || said.others.contains(&name)
        })
    };
    let mut seen = starts("user; database");
    assert!(of(&seen, "libpq") && of(&seen, "pgx") && of(&seen, "pg8000"));
    seen.login.scram_user = Some(ScramUser::Name);
    assert!(!of(&seen, "libpq") && of(&seen, "pg8000"));
    seen.login.scram_user = Some(ScramUser::Empty);
    assert!(of(&seen, "psycopg2") && !of(&seen, "pg8000"));
    seen.statements.unnamed = 1;
    assert!(of(&seen, "psycopg") && !of(&seen, "psycopg2"));
    // Only libpq and few others ever ask for it.
    let asked = |asked| EncryptionRequest {
        asked,
        answer: Some(EncryptionAnswer::Refused),
    };
    seen.encryption = vec![asked(Encryption::Gss)];
    assert!(of(&seen, "libpq") && !of(&seen, "pgx"));
    // This one begins another connection.
    seen.encryption = vec![asked(Encryption::Tls)];
    assert!(of(&seen, "libpq") && !of(&seen, "pgx"));
}

#[test]
fn expressions_and_drivers_are_known() {
    for client in CLIENTS {
        for expression in [client.application, client.statements]
            .into_iter()
            .flatten()
        {
            assert!(regex::Regex::new(expression).is_ok(), "{expression}");
        }
        if let Some(driver) = client.driver {
            assert!(Driver::parse(driver).is_ok(), "{driver}");
        }
    }
}

#[test]
fn versions_of_both_layers() {
    let version = |parameters: &str| recognise(&starts(parameters)).unwrap().version;
    let jdbc = "user; database; client_encoding=UTF8; DateStyle=ISO; TimeZone";
    assert_eq!(version(jdbc).as_deref(), Some("42.6 or newer"));
    let old = format!("{jdbc}; extra_float_digits=2");
    assert_eq!(version(&old).as_deref(), Some("before 42.6"));
    // Both versions send the same before the first statement.
    assert_eq!(version("database; user"), None);
}

#[test]
fn hostile_names_are_cleaned() {
    let mut seen = starts("user; database; application_name=\u{1b}[31m\nx.rb");
    seen.statements.names = vec!["\u{1b}]0;x\u{7}".to_owned()];
    let said = recognise(&seen).unwrap();
    assert_eq!(said.client.name, "ruby-pg");
    assert!(
        !said.by.join("").contains(['\u{1b}', '\n', '\u{7}']),
        "{:?}",
        said.by
    );
}
