//! `knowledge/refusals.tsv`, held to what it says: each row ends in its cause.

use super::notices;
use super::refusal::{self, RefusalContext};
use crate::cause::Cause;
use crate::message::Message;
use crate::wire::server_error::ServerError;
use crate::wire::startup::{AuthRequest, Exchange};

/// What stands for the operating system's reason, the code that PostgreSQL gives
/// it, and whether it is a lack whatever the routine.
const REASONS: [(&str, &str, bool); 6] = [
    ("58P01", "No such file or directory", false),
    ("42501", "Permission denied", false),
    ("42809", "Is a directory", false),
    ("58030", "Input/output error", false),
    ("53100", "No space left on device", true),
    ("53000", "Too many open files", true),
];

struct Row<'a> {
    line: &'a str,
    message: &'a str,
    severity: &'a str,
    sqlstate: &'a str,
    detail: Option<&'a str>,
    hint: Option<&'a str>,
    file: Option<&'a str>,
    routine: Option<&'a str>,
    when: &'a str,
    cause: &'a str,
    by_words: bool,
}

fn rows() -> Vec<Row<'static>> {
    let table = include_str!("../../../knowledge/refusals.tsv");
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    let row = |line: &'static str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [
            message,
            severity,
            sqlstate,
            detail,
            hint,
            file,
            routine,
            _,
            when,
            cause,
            told,
        ] = columns[..]
        else {
            panic!("not eleven columns: {line}");
        };
        let some = |text: &'static str| (text != "-").then_some(text);
        Row {
            line,
            message,
            severity,
            sqlstate,
            detail: some(detail),
            hint: some(hint),
            file: some(file),
            routine: some(routine),
            when,
            cause,
            by_words: told == "words",
        }
    };
    lines.map(row).collect()
}

/// A text with a value for each star.
fn filled(text: &str, reason: &str) -> String {
    let text = text.replace("\"*\"", "\"orders\"");
    let text = match text.rsplit_once('*') {
        Some((before, after)) if !reason.is_empty() => format!("{before}{reason}{after}"),
        _ => text,
    };
    text.replace('*', "7")
}

/// The same in a language that nobody has taught us: the names stay.
fn foreign(text: &str) -> String {
    let names = Message::of(text).names;
    let names = names.iter().map(|name| format!(" \"{name}\""));
    format!("nuqneH{}", names.collect::<String>())
}

/// The errors that a row stands for, with their causes.
fn errors(row: &Row<'_>) -> Vec<(ServerError, String)> {
    let error = |code: &str, reason: &str| ServerError {
        severity: row.severity.to_owned(),
        severity_is_fixed: true,
        code: code.to_owned(),
        message: filled(row.message, reason),
        detail: row.detail.map(|text| filled(text, "")),
        hint: row.hint.map(|text| filled(text, "")),
        context: (row.when == "function").then(|| "PL/pgSQL function f() line 3".to_owned()),
        file: row.file.map(str::to_owned),
        line: row.file.map(|_| 1),
        routine: row.routine.map(str::to_owned),
    };
    if row.sqlstate != "file" {
        return vec![(error(row.sqlstate, ""), row.cause.to_owned())];
    }
    let by_reason = REASONS.map(|(code, reason, lack)| {
        let lack = lack && row.when != "warning";
        let cause = if lack { "server.resources" } else { row.cause };
        (error(code, reason), cause.to_owned())
    });
    by_reason.to_vec()
}

/// What was seen before the error.
fn exchange(when: &str) -> Exchange {
    let sasl = |name: &str| AuthRequest::Sasl(vec![name.to_owned()]);
    let asked = match when {
        "clear" => Some(AuthRequest::Cleartext),
        "md5" => Some(AuthRequest::Md5),
        "scram" | "proven" | "in" | "function" | "replication" => Some(sasl("SCRAM-SHA-256")),
        "oauth" => Some(sasl("OAUTHBEARER")),
        "gss" => Some(AuthRequest::Gss),
        "sspi" => Some(AuthRequest::Sspi),
        "start" | "trust" | "socket" | "certificate" | "replication-start" | "warning" => None,
        other => panic!("when is {other}?"),
    };
    let authenticated = matches!(when, "in" | "trust" | "function" | "replication");
    Exchange {
        answered: asked.is_some(),
        password_used: asked.is_some(),
        proven: authenticated || when == "proven",
        authenticated,
        replied: true,
        asked,
        ..Exchange::default()
    }
}

fn judged(error: &ServerError, row: &Row<'_>) -> Option<&'static Cause> {
    if row.when == "warning" {
        return Some(notices::cause(error));
    }
    let exchange = exchange(row.when);
    let seen = RefusalContext {
        exchange: &exchange,
        unix: row.when == "socket",
        certificate_sent: row.when == "certificate",
        replication: row.when.starts_with("replication"),
    };
    refusal::cause(error, &Message::of(&error.message), seen)
}

fn code(cause: Option<&'static Cause>) -> &'static str {
    cause.map_or("unclassified", |cause| cause.code)
}

#[test]
fn every_refusal_has_its_cause() {
    let mut wrong = Vec::new();
    for row in rows() {
        for (error, expected) in errors(&row) {
            let found = code(judged(&error, &row));
            if found != expected {
                wrong.push(format!(
                    "{found}, not {expected}: {} {}",
                    error.code, row.line
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

/// A server may speak any language: only the rows that say so need its words.
#[test]
fn words_decide_where_the_table_says_so() {
    let mut wrong = Vec::new();
    for row in rows() {
        let differs = |(error, expected): (ServerError, String)| {
            let strange = ServerError {
                message: foreign(&error.message),
                detail: error.detail.as_deref().map(foreign),
                hint: error.hint.as_deref().map(foreign),
                ..error
            };
            // Paths are not translated.
            let kept = row
                .detail
                .is_some_and(|detail| detail.contains("subdirectory"));
            !kept && code(judged(&strange, &row)) != expected
        };
        let by_words = errors(&row).into_iter().any(differs);
        if by_words != row.by_words {
            wrong.push(row.line);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_cause_is_of_the_catalogue() {
    for row in rows() {
        let known = crate::cause::all().any(|cause| cause.code == row.cause);
        assert!(
            known && !row.cause.ends_with("unclassified"),
            "{}",
            row.line
        );
    }
}
