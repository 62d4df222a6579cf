//! From the first byte to the first ReadyForQuery.

use super::*;

#[test]
fn encryption_is_asked_for_in_turn_and_the_login_goes_on_without() {
    let (conversation, events) = Script::new()
        .with(C, GSS)
        .with(S, b"N")
        .with(C, SSL)
        .with(S, b"N")
        .with(C, startup())
        .with(S, OK)
        .with(S, READY)
        .checked();
    assert_eq!(conversation.phase, Phase::Session);
    let answered = |asked| EncryptionRequest {
        asked,
        answer: Some(EncryptionAnswer::Refused),
    };
    let requests = [answered(Encryption::Gss), answered(Encryption::Tls)];
    assert_eq!(conversation.encryption, requests);
    assert_eq!(conversation.messages.client, 3);
    assert_eq!(events.len(), 7, "{events:?}");
    assert!(conversation.login.asked.is_empty() && !conversation.login.has_answered);
    assert_eq!(conversation.unanswered, 0);
    assert_eq!(
        conversation.startup.unwrap().get("database"),
        Some("orders")
    );
}

#[test]
fn an_error_may_answer_a_request() {
    let error = message(b'E', b"SFATAL\0C0A000\0Munsupported frontend protocol\0\0");
    let (conversation, events) = Script::new()
        .with(C, GSS)
        .with(S, &error)
        .with(C, startup())
        .with(S, message(b'E', b"SFATAL\0VFATAL\0C28000\0Mno\0\0"))
        .checked();
    assert_eq!(conversation.phase, Phase::Login);
    assert_eq!(
        conversation.encryption[0].answer,
        Some(EncryptionAnswer::Error)
    );
    let told = [Encryption::Gss, Encryption::Gss];
    assert_eq!(events[0], Event::EncryptionAsked(told[0]));
    assert_eq!(
        events[1],
        Event::EncryptionAnswered(told[1], EncryptionAnswer::Error)
    );
    assert!(matches!(&events[2], Event::Error(error) if error.code == "0A000"));
    assert_eq!(conversation.errors.len(), 2);
}

#[test]
fn an_error_of_protocol_2_is_read_up_to_its_zero() {
    let text = b"Ecould not fork new process for connection: Cannot allocate memory\n\0";
    for before in [Script::new().with(C, SSL), Script::new().with(C, startup())] {
        let (conversation, _) = before.with(S, text).checked();
        let message = &conversation.errors[0].message;
        assert!(message.ends_with("Cannot allocate memory"), "{message}");
        assert_eq!(conversation.unreadable, None);
    }
    // memcached's answer to what it does not know.
    let (conversation, _) = Script::new().with(C, SSL).with(S, b"ERROR\r\n").checked();
    let unreadable = conversation.unreadable.unwrap();
    assert_eq!(unreadable.bytes, b"ERROR\r\n");
    assert_eq!(
        conversation.encryption[0].answer,
        Some(EncryptionAnswer::Unexpected)
    );
}

#[test]
fn bytes_behind_the_answer_are_none_of_tls() {
    let (conversation, _) = Script::new()
        .with(C, SSL)
        .with(S, b"SR\0\0\0\x08\0\0\0\0")
        .checked();
    let unreadable = conversation.unreadable.unwrap();
    assert_eq!((unreadable.from, unreadable.phase), (S, Phase::Tls));
    assert_eq!(unreadable.bytes, b"SR\0\0\0\x08\0\0\0\0");
    // An SSH server's own first words.
    let ssh = Script::new()
        .with(C, SSL)
        .with(S, b"SSH-2.0-OpenSSH_9.2\r\n");
    assert!(
        ssh.checked()
            .0
            .unreadable
            .unwrap()
            .bytes
            .starts_with(b"SSH-2.0-")
    );
    for (asked, answer) in [(SSL, b"NZ\0\0\0\x05I"), (GSS, b"GZ\0\0\0\x05I")] {
        let (conversation, _) = Script::new().with(C, asked).with(S, answer).checked();
        assert_eq!(conversation.phase, Phase::Lost);
    }
}

#[test]
fn answers_of_others_are_unexpected() {
    for (asked, answer) in [
        (SSL, "G"),
        (GSS, "S"),
        (SSL, "HTTP/1.1 400 Bad Request\r\n"),
    ] {
        let (conversation, events) = Script::new().with(C, asked).with(S, answer).checked();
        let request = conversation.encryption[0];
        assert_eq!(request.answer, Some(EncryptionAnswer::Unexpected));
        assert!(matches!(events[2], Event::Unreadable(_)), "{events:?}");
        assert!(
            answer
                .as_bytes()
                .starts_with(&conversation.unreadable.unwrap().bytes)
        );
    }
}

#[test]
fn a_server_that_speaks_first_is_another() {
    let banner = b"J\0\0\0\x0a8.0.36\0";
    let (conversation, _) = Script::new().with(S, banner).with(C, SSL).checked();
    let unreadable = conversation.unreadable.unwrap();
    assert_eq!((unreadable.from, unreadable.phase), (S, Phase::Opening));
    assert_eq!(unreadable.bytes, banner);
    // A pooler may refuse a connection before it is asked.
    let error = message(b'E', b"SFATAL\0C53300\0Mtoo many\0\0");
    let (conversation, _) = Script::new().with(S, error).checked();
    assert_eq!(conversation.errors[0].code, "53300");
}

#[test]
fn gss_encryption_hides_everything() {
    let (conversation, events) = Script::new()
        .with(C, GSS)
        .with(S, b"G")
        .with(C, b"\0\0\x01\0token")
        .with(S, b"\0\0\x01\0token")
        .checked();
    assert_eq!(conversation.phase, Phase::Gss);
    assert_eq!(events.last(), Some(&Event::Encrypted));
    assert_eq!(
        conversation.bytes,
        Sides {
            client: 17,
            server: 10
        }
    );
    assert!(conversation.unreadable.is_none() && conversation.encrypted.is_some());
}

#[test]
fn a_cancel_request_tells_its_process_and_not_its_key() {
    for key in [&b"KEY!"[..], &[b'K'; 256]] {
        let mut request = (12 + key.len() as u32).to_be_bytes().to_vec();
        request.extend(b"\x04\xd2\x16\x2e\0\0\x30\x39");
        request.extend(key);
        let (conversation, events) = Script::new().with(C, request).checked();
        assert_eq!(events, [Event::CancelRequest { pid: 12345 }]);
        assert_eq!(conversation.cancels, Some(12345));
        assert_eq!(conversation.phase, Phase::Cancel);
        assert!(!format!("{conversation:?}").contains("75, 69, 89"));
    }
}

#[test]
fn versions_are_as_they_were_sent() {
    for (version, protocol) in [
        (0x0003_0000_u32, (3, 0)),
        (0x0003_0002, (3, 2)),
        // libpq's grease.
        (0x0003_270f, (3, 9999)),
        (0x0002_0000, (2, 0)),
        (0x04d2_0000, (1234, 0)),
    ] {
        let mut negotiate = version.to_be_bytes().to_vec();
        negotiate.extend(b"\0\0\0\x01_pq_.test_protocol_negotiation\0");
        let parameters = [("user".to_owned(), "app".to_owned())];
        let (conversation, events) = Script::new()
            .with(C, startup_message(version, &parameters))
            .say(S, b'v', &negotiate)
            .checked();
        assert_eq!(conversation.negotiated, Some(protocol.1));
        let startup = conversation.startup.unwrap();
        assert_eq!(startup.protocol, protocol);
        assert_eq!(startup.get("user").is_some(), protocol.0 == 3);
        let unknown = vec!["_pq_.test_protocol_negotiation".to_owned()];
        let minor = protocol.1;
        assert_eq!(events[1], Event::Negotiated { minor, unknown });
    }
}

#[test]
fn parameters_keep_their_order_and_their_empty_values() {
    let mut body = 196_608_u32.to_be_bytes().to_vec();
    body.extend(b"user\0b\0options\0\0client_encoding\0'utf-8'\0user\0c\0\0");
    let mut bytes = (body.len() as u32 + 4).to_be_bytes().to_vec();
    bytes.extend(body);
    let (conversation, _) = Script::new().with(C, bytes).checked();
    let startup = conversation.startup.unwrap();
    let names: Vec<&str> = startup
        .parameters
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["user", "options", "client_encoding", "user"]);
    assert_eq!(
        (startup.get("options"), startup.get("user")),
        (Some(""), Some("b"))
    );
}

#[test]
fn a_password_among_the_parameters_is_not_kept() {
    let parameters = [
        ("user", "app"),
        ("password", "CANARY-1"),
        ("database", "postgres://app:CANARY-2@db.corp.test/orders"),
        ("options", "-c search_path=a,b  -c x=y"),
    ];
    let parameters = parameters.map(|(a, b)| (a.to_owned(), b.to_owned()));
    let message = startup_message(PROTOCOL_3_0, &parameters);
    let (conversation, events) = Script::new().with(C, message).checked();
    assert!(!format!("{conversation:?}{events:?}").contains("CANARY"));
    let startup = conversation.startup.unwrap();
    assert_eq!(startup.get("options"), Some("-c search_path=a,b  -c x=y"));
    assert!(
        startup
            .get("database")
            .unwrap()
            .ends_with("@db.corp.test/orders")
    );
}

/// A SASLInitialResponse.
fn initial(mechanism: &str, response: Option<&str>) -> Vec<u8> {
    let mut body = mechanism.as_bytes().to_vec();
    body.push(0);
    match response {
        None => body.extend(u32::MAX.to_be_bytes()),
        Some(response) => {
            body.extend((response.len() as u32).to_be_bytes());
            body.extend(response.as_bytes());
        }
    }
    body
}

#[test]
fn scram_is_read_up_to_its_first_comma() {
    let plus = "SCRAM-SHA-256-PLUS";
    let used = ChannelBinding::Used("tls-server-end-point".to_owned());
    let cases = [
        (
            plus,
            Some("p=tls-server-end-point,,n=CANARY,r=CANARY"),
            Some(used),
        ),
        (
            "SCRAM-SHA-256",
            Some("n,,n=CANARY,r=CANARY"),
            Some(ChannelBinding::Unsupported),
        ),
        (
            "SCRAM-SHA-256",
            Some("y,,n=CANARY,r=CANARY"),
            Some(ChannelBinding::NotOffered),
        ),
        (
            "OAUTHBEARER",
            Some("n,,\u{1}auth=Bearer CANARY\u{1}\u{1}"),
            Some(ChannelBinding::Unsupported),
        ),
        ("SCRAM-SHA-256", None, None),
        ("SCRAM-SHA-256", Some("CANARY"), None),
    ];
    for (mechanism, response, binding) in cases {
        let offer = b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";
        let (conversation, events) = Script::new()
            .with(C, startup())
            .say(S, b'R', offer)
            .say(C, b'p', initial(mechanism, response))
            .say(S, b'R', b"\0\0\0\x0br=CANARY,s=CANARY,i=4096")
            .say(C, b'p', b"c=biws,r=CANARY,p=CANARY")
            .say(S, b'R', b"\0\0\0\x0cv=CANARY")
            .with(S, OK)
            .checked();
        assert_eq!(conversation.login.mechanism.as_deref(), Some(mechanism));
        assert_eq!(conversation.login.channel_binding, binding, "{mechanism}");
        assert_eq!(conversation.login.asked.len(), 1);
        assert!(matches!(&events[2], Event::MechanismChosen(chosen, _) if chosen == mechanism));
        assert_eq!(events[3], Event::Authenticated);
        let all = format!("{conversation:?}{events:?}");
        // As bytes, too.
        assert!(
            !all.contains("CANARY") && !all.contains("67, 65, 78, 65"),
            "{all}"
        );
    }
}

#[test]
fn what_stands_for_the_user_in_scram_is_told_without_the_name() {
    for (response, user) in [
        ("n,,n=,r=CANARY", Some(ScramUser::Empty)),
        (
            "p=tls-server-end-point,,n=,r=CANARY",
            Some(ScramUser::Empty),
        ),
        ("y,,n=*,r=CANARY", Some(ScramUser::Star)),
        ("n,,n=*CANARY,r=CANARY", Some(ScramUser::Name)),
        ("n,,n=CANARY,r=CANARY", Some(ScramUser::Name)),
        // Another identity to act as, and what is no SCRAM.
        ("n,a=CANARY,n=CANARY,r=CANARY", None),
        ("n,,\u{1}auth=CANARY", None),
        ("n,,n", None),
        ("n", None),
    ] {
        let (conversation, events) = Script::new()
            .with(C, startup())
            .say(S, b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0")
            .say(C, b'p', initial("SCRAM-SHA-256", Some(response)))
            .checked();
        assert_eq!(conversation.login.scram_user, user, "{response}");
        assert!(!format!("{conversation:?}{events:?}").contains("CANARY"));
    }
}

#[test]
fn a_password_in_the_place_of_a_mechanism_is_not_kept() {
    let (conversation, events) = Script::new()
        .with(C, startup())
        .say(S, b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0")
        .say(C, b'p', b"CANARY-password\0")
        .checked();
    assert!(conversation.login.has_answered && conversation.login.mechanism.is_none());
    assert!(!format!("{conversation:?}{events:?}").contains("CANARY"));
}

#[test]
fn every_request_for_authentication_has_its_method() {
    for (kind, method) in [
        (2_u32, Method::Other(2)),
        (3, Method::Cleartext),
        (5, Method::Md5),
        (7, Method::Gss),
        (9, Method::Sspi),
        (99, Method::Other(99)),
    ] {
        let mut request = kind.to_be_bytes().to_vec();
        request.extend(b"salt");
        let (conversation, events) = Script::new()
            .with(C, startup())
            .say(S, b'R', request)
            .say(C, b'p', b"CANARY\0")
            .with(S, OK)
            .with(S, READY)
            .checked();
        assert_eq!(events[1], Event::AuthenticationAsked(method.clone()));
        assert_eq!(conversation.login.asked, [method]);
        assert!(conversation.login.has_answered && conversation.login.ready.is_some());
        assert!(!format!("{conversation:?}{events:?}").contains("CANARY"));
    }
}

#[test]
fn what_the_server_reports_is_kept() {
    let (conversation, _) = Script::session()
        .say(S, b'S', b"server_version\x0016.2\0")
        .say(S, b'S', b"in_hot_standby\0off\0")
        .say(S, b'S', b"in_hot_standby\0on\0")
        .checked();
    assert_eq!(conversation.parameters["server_version"], "16.2");
    assert_eq!(conversation.parameters["in_hot_standby"], "on");
    assert_eq!(conversation.backend_pid, Some(12345));
    assert!(!format!("{conversation:?}").contains("83, 69, 67"));
}

#[test]
fn a_notice_of_the_login_is_told_whole_and_later_ones_are_not() {
    let notice = b"SWARNING\0VWARNING\0C01000\0Mcollation\0DCANARY\0\0";
    let (_, events) = Script::new()
        .with(C, startup())
        .with(S, OK)
        .say(S, b'N', notice)
        .with(S, READY)
        .say(S, b'N', notice)
        .checked();
    let notices = events
        .iter()
        .filter(|event| matches!(event, Event::Notice(_)));
    assert_eq!(notices.count(), 1);
}
