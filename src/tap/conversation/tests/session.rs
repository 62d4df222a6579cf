//! After the login: kinds and numbers.

use super::*;

#[test]
fn messages_are_counted_by_kind() {
    let (conversation, events) = Script::session()
        .say(C, b'Q', b"select CANARY\0")
        .say(S, b'T', b"\0\0")
        .say(S, b'D', b"\0\x01CANARY")
        .say(S, b'D', b"\0\x01CANARY")
        .say(S, b'C', b"SELECT 2\0")
        .with(S, READY)
        // Pipelined.
        .say(C, b'P', b"\0select CANARY\0\0\0")
        .say(C, b'P', b"S_1\0select CANARY\0\0\0")
        .say(C, b'B', b"\0S_1\0\0\0\0\x01CANARY\0\0")
        .say(C, b'B', b"portal\0\0\0\0\0\x01CANARY\0\0")
        .say(C, b'D', b"P\0")
        .say(C, b'E', b"\0\0\0\0\0")
        .say(C, b'E', b"portal\0\0\0\0\0")
        .say(C, b'H', b"")
        .say(C, b'S', b"")
        .say(C, b'S', b"")
        .say(S, b'1', b"")
        .say(S, b'Z', b"T")
        .checked();
    let statements = &conversation.statements;
    assert_eq!(
        (statements.simple, statements.unnamed, statements.named),
        (1, 1, 1)
    );
    assert_eq!((statements.bound_to_named, statements.executed), (1, 2));
    assert_eq!((statements.rows, statements.copies), (2, 0));
    assert_eq!(statements.names, ["S_1"]);
    assert_eq!(
        (conversation.unanswered, conversation.transaction),
        (1, Some(b'T'))
    );
    assert_eq!(
        conversation.messages,
        Sides {
            client: 12,
            server: 10
        }
    );
    assert_eq!(
        events.last(),
        Some(&Event::NamedStatement("S_1".to_owned()))
    );
    assert!(!format!("{conversation:?}{events:?}").contains("CANARY"));
}

#[test]
fn names_are_kept_once_shortened_and_few() {
    let mut script = Script::session();
    for n in 0..40 {
        script = script.say(C, b'P', format!("stmt_{}\0select\0\0\0", n / 2));
    }
    let long = "é".repeat(100);
    let (conversation, _) = script.checked();
    assert_eq!(conversation.statements.named, 40);
    assert_eq!(conversation.statements.names.len(), 8);
    assert_eq!(conversation.statements.names[7], "stmt_7");
    let script = Script::session().say(C, b'P', format!("x{long}\0select\0\0\0"));
    let name = &script.checked().0.statements.names[0];
    assert_eq!(name.chars().count(), 1 + 31, "{name}");
}

#[test]
fn copies_are_counted_and_the_sync_that_a_copy_swallows_is_not() {
    let copy = |script: Script| {
        script
            .say(S, b'G', b"\0\0\x01\0\0")
            .say(C, b'd', b"CANARY\n")
            .say(C, b'd', b"CANARY\n")
            .say(C, b'c', b"")
    };
    // A simple query.
    let script = copy(Script::session().say(C, b'Q', b"copy t from stdin\0"));
    let script = script.say(S, b'C', b"COPY 2\0").with(S, READY);
    assert_eq!(script.checked().0.unanswered, 0);
    // libpq's PQexecParams: the Sync comes before the data, and again after it.
    let script = Script::session()
        .say(C, b'P', b"\0copy t from stdin\0\0\0")
        .say(C, b'B', b"\0\0\0\0\0\0\0\0")
        .say(C, b'E', b"\0\0\0\0\0")
        .say(C, b'S', b"");
    let script = copy(script)
        .say(C, b'S', b"")
        .say(S, b'C', b"COPY 2\0")
        .with(S, READY);
    let (conversation, _) = script.checked();
    assert_eq!(
        (conversation.unanswered, conversation.statements.copies),
        (0, 1)
    );
    // From the server.
    let (conversation, _) = Script::session()
        .say(C, b'Q', b"copy t to stdout\0")
        .say(S, b'H', b"\0\0\x01\0\0")
        .say(S, b'd', b"CANARY\n")
        .say(S, b'c', b"")
        .say(S, b'C', b"COPY 1\0")
        .with(S, READY)
        .checked();
    let statements = &conversation.statements;
    assert_eq!(
        (statements.rows, statements.copies, conversation.unanswered),
        (1, 1, 0)
    );
}

#[test]
fn replication_is_a_copy_both_ways_that_is_not_answered() {
    let (conversation, _) = Script::session()
        .say(C, b'Q', b"START_REPLICATION 0/0\0")
        .say(S, b'W', b"\0\0\0")
        .say(S, b'd', b"w CANARY")
        .say(C, b'd', b"r CANARY")
        .checked();
    let statements = &conversation.statements;
    assert_eq!(
        (statements.rows, statements.copies, conversation.unanswered),
        (1, 1, 1)
    );
}

#[test]
fn an_error_of_a_session_says_no_data() {
    let error = |severity: &str, code: &str| {
        format!(
            "S{severity}\0V{severity}\0C{code}\0Mkey CANARY1\0DKey (CANARY2)\0HCANARY3\0\
             WCANARY4\0qCANARY5\0Fnbtinsert.c\0L664\0R_bt_check_unique\0\0"
        )
    };
    let (conversation, events) = Script::session()
        .say(S, b'E', error("ERROR", "23505"))
        .say(S, b'E', error("ERROR", "23505"))
        .checked();
    let all = format!("{conversation:?}{events:?}");
    assert!(!all.contains("CANARY"), "{all}");
    let first = &conversation.errors[0];
    assert_eq!(
        (first.severity.as_str(), first.routine()),
        ("ERROR", "_bt_check_unique")
    );
    assert_eq!(conversation.sqlstates["23505"], 2);
    let (conversation, events) = Script::session()
        .say(S, b'E', error("FATAL", "57P01"))
        .checked();
    assert_eq!(conversation.errors[0].message, "key CANARY1");
    let all = format!("{conversation:?}{events:?}").replace("CANARY1", "");
    assert!(!all.contains("CANARY"), "{all}");
}

#[test]
fn what_ends_a_session_is_kept_after_any_number_of_errors() {
    let mut script = Script::session();
    for _ in 0..20 {
        script = script.say(S, b'E', b"SERROR\0VERROR\0C22012\0Mx\0\0");
    }
    let script = script.say(S, b'E', b"SFATAL\0VFATAL\0C57P01\0Mbye\0\0");
    let (conversation, _) = script.checked();
    assert_eq!(conversation.errors.len(), 8);
    assert_eq!(conversation.errors[7].code, "57P01");
    assert_eq!(conversation.sqlstates["22012"], 20);
}

#[test]
fn an_error_of_the_login_is_kept_whole() {
    let long = "x".repeat(20_000);
    let body =
        format!("SFATAL\0VFATAL\0C28P01\0M{long}\0Dd\0Hh\0Wc\0Fauth.c\0L335\0Rauth_failed\0\0");
    let (conversation, _) = Script::new()
        .with(C, startup())
        .say(S, b'E', body)
        .checked();
    let error = &conversation.errors[0];
    assert_eq!(
        (error.message.len(), error.routine()),
        (2_000, "auth_failed")
    );
    assert_eq!(
        (error.detail.as_deref(), error.line),
        (Some("d"), Some(335))
    );
    // A pooler that forgets the zeroes.
    let script = Script::new().with(C, startup());
    let (conversation, _) = script
        .say(S, b'E', b"SFATAL\0C08P01\0Mno such database: x")
        .checked();
    assert_eq!(conversation.errors[0].message, "no such database: x");
}

#[test]
fn notifications_and_the_farewell() {
    let (conversation, events) = Script::session()
        .say(S, b'A', b"\0\0\0\x01channel\0CANARY\0")
        .say(C, b'X', b"")
        .checked();
    assert!(conversation.terminated);
    assert_eq!(events.last(), Some(&Event::Terminate));
    assert_eq!(conversation.phase, Phase::Session);
    assert!(!format!("{conversation:?}{events:?}").contains("CANARY"));
}
