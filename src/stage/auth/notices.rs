//! What a server says unasked, while it lets a client in or answers a query:
//! every notice is a fact, a WARNING is a finding.

use serde_json::{Value, json};

use crate::cause::{Cause, auth, server};
use crate::finding::Finding;
use crate::message::Message;
use crate::report::StageRecord;
use crate::wire::server_error::ServerError;

use super::context::LoginContext;

/// How many warnings are findings; the facts have them all.
const MOST_FINDINGS: usize = 4;

/// Writes them down, and warns of those that are warnings. `weak` is whether
/// the stage has warned of the password's method already.
pub fn note(record: &mut StageRecord, notices: &[ServerError], weak: bool, s: &LoginContext<'_>) {
    if notices.is_empty() {
        return;
    }
    let lines: Vec<String> = notices.iter().map(ServerError::one_line).collect();
    let fields: Vec<Value> = notices.iter().map(fact).collect();
    record.fact("notices", lines);
    record.fact("notice_fields", fields);
    let mut seen: Vec<&ServerError> = Vec::new();
    for notice in notices.iter().filter(|notice| is_warning(notice)) {
        let told = seen.iter().any(|other| other.message == notice.message);
        if !(told || weak && cause(notice) == &auth::METHOD_WEAK) {
            seen.push(notice);
        }
    }
    let further = seen.len().saturating_sub(MOST_FINDINGS);
    seen.truncate(MOST_FINDINGS);
    for (n, notice) in seen.iter().enumerate() {
        let further = (n == 0 && further > 0).then_some(further);
        let finding = finding(cause(notice), notice, s);
        record.warn(finding.with("further_warnings", further));
    }
}

/// The fields that say something, as a fact.
fn fact(notice: &ServerError) -> Value {
    json!({
        "severity": notice.severity,
        "sqlstate": notice.code,
        "message": notice.message,
        "detail": notice.detail,
        "hint": notice.hint,
    })
}

/// WARNING, and not NOTICE, INFO, LOG or DEBUG. Where the severity may be
/// translated, the class of the SQLSTATE tells.
fn is_warning(notice: &ServerError) -> bool {
    notice.severity == "WARNING" || (!notice.severity_is_fixed && notice.code.starts_with("01"))
}

/// By routine and source file.
pub(super) fn cause(notice: &ServerError) -> &'static Cause {
    let file = notice.file.as_deref().unwrap_or_default();
    match (notice.routine(), file) {
        ("CheckMyDatabase" | "create_pg_locale" | "pg_newlocale_from_collation", _) => {
            &server::COLLATION
        }
        // Since 19 it says so of each login; the name of the hash is the same in
        // every language.
        ("EmitConnectionWarnings", _) if notice.message.contains("MD5") => &auth::METHOD_WEAK,
        // Settings of the role or the database; those of the client are errors.
        (_, "guc.c" | "variable.c") => &server::SETTING_INVALID,
        _ => &server::NOTICE,
    }
}

fn finding(cause: &'static Cause, notice: &ServerError, s: &LoginContext<'_>) -> Finding {
    let message = Message::of(&notice.message);
    let finding = s
        .finding(cause)
        .with("severity", notice.severity.clone())
        .with("sqlstate", notice.code.clone())
        .with("message", notice.message.trim_end_matches('.').to_owned())
        .with("detail", notice.detail.clone())
        .with("hint", notice.hint.clone())
        .with("routine", notice.routine.clone());
    let database = || Some(s.database().to_owned());
    // Both versions are in DETAIL; without one there is none to refresh to.
    let (mismatched, versionless) = match (notice.routine(), &notice.detail) {
        ("CheckMyDatabase", Some(_)) => (database(), None),
        ("CheckMyDatabase", None) => (None, database()),
        _ => (None, None),
    };
    match cause {
        _ if cause == &auth::METHOD_WEAK => finding.with("how", "as an MD5 hash"),
        _ if cause == &server::COLLATION => finding
            .word("mismatched", mismatched)
            .word("versionless", versionless),
        _ if cause == &server::SETTING_INVALID => {
            finding.with("parameter", parameter(notice, &message))
        }
        _ => finding,
    }
}

/// The setting that a warning is about. These two name the role that is missing,
/// and not themselves.
fn parameter(notice: &ServerError, message: &Message) -> Option<String> {
    match notice.routine() {
        "check_role" => Some("role".to_owned()),
        "check_session_authorization" => Some("session_authorization".to_owned()),
        _ => message.names.first().cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(severity: &str, code: &str, file: &str, routine: &str, text: &str) -> ServerError {
        ServerError {
            severity: severity.to_owned(),
            severity_is_fixed: true,
            code: code.to_owned(),
            message: text.to_owned(),
            file: Some(file.to_owned()),
            routine: Some(routine.to_owned()),
            ..ServerError::default()
        }
    }

    #[test]
    fn warnings_are_told_by_where_they_come_from() {
        for (file, routine, text, expected) in [
            (
                "postinit.c",
                "CheckMyDatabase",
                "nuqneH \"a\"",
                "server.collation",
            ),
            (
                "pg_locale.c",
                "create_pg_locale",
                "nuqneH",
                "server.collation",
            ),
            (
                "guc.c",
                "call_string_check_hook",
                "nuqneH \"x\"",
                "server.setting.invalid",
            ),
            (
                "guc.c",
                "parse_and_validate_value",
                "nuqneH",
                "server.setting.invalid",
            ),
            (
                "postinit.c",
                "EmitConnectionWarnings",
                "mit MD5 angemeldet",
                "auth.method.weak",
            ),
            (
                "postinit.c",
                "EmitConnectionWarnings",
                "will expire soon",
                "server.notice",
            ),
            ("pl_exec.c", "exec_stmt_raise", "nuqneH", "server.notice"),
        ] {
            let notice = notice("WARNING", "01000", file, routine, text);
            assert_eq!(cause(&notice).code, expected, "{routine}");
        }
    }

    #[test]
    fn only_a_warning_is_one() {
        for severity in ["NOTICE", "INFO", "LOG", "DEBUG"] {
            assert!(!is_warning(&notice(severity, "00000", "x.c", "x", "x")));
        }
        assert!(is_warning(&notice("WARNING", "00000", "x.c", "x", "x")));
        // Before 9.6 the severity is translated.
        let mut old = notice("WARNUNG", "01000", "x.c", "x", "x");
        old.severity_is_fixed = false;
        assert!(is_warning(&old));
    }
}
