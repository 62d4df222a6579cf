//! Bytes that no PostgreSQL client or server sends.

use super::*;

#[test]
fn garbage_in_the_place_of_a_start_up_message_is_shown() {
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\x10\0\x15\x38";
    let all: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nHost: db.corp.test:5432\r\n\r\n",
        b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n",
        v2,
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    ];
    for bytes in all {
        let (conversation, events) = Script::new().with(C, bytes).with(S, b"whatever").checked();
        let unreadable = conversation.unreadable.unwrap();
        assert_eq!(unreadable.bytes, &bytes[..bytes.len().min(32)]);
        assert_eq!((unreadable.from, unreadable.phase), (C, Phase::Opening));
        assert_eq!((conversation.phase, events.len()), (Phase::Lost, 1));
        assert_eq!(conversation.bytes.client, bytes.len() as u64);
        assert_eq!(conversation.bytes.server, 8);
    }
}

#[test]
fn lengths_that_cannot_be_are_told() {
    for (length, valid) in [
        (0_u32, false),
        (7, false),
        (8, true),
        (10_004, true),
        (10_005, false),
    ] {
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.extend(196_608_u32.to_be_bytes());
        let (conversation, _) = Script::new().with(C, bytes).checked();
        let told = conversation
            .unreadable
            .and_then(|unreadable| unreadable.length);
        assert_eq!(told, (!valid).then_some(length.into()));
    }
    for (tag, length) in [
        (b'Q', 0x7fff_ffff_u32),
        (b'Q', 3),
        (b'S', 20_000),
        (b'Q', u32::MAX),
    ] {
        let mut bytes = vec![tag];
        bytes.extend(length.to_be_bytes());
        let (conversation, _) = Script::session().with(C, &bytes).checked();
        let unreadable = conversation.unreadable.unwrap();
        assert_eq!(unreadable.length, Some(length.into()));
        assert!(unreadable.bytes.is_empty());
    }
    let (conversation, _) = Script::session().with(S, b"D\x7f\xff\xff\xff").checked();
    assert_eq!(conversation.unreadable.unwrap().length, Some(0x7fff_ffff));
    let (conversation, _) = Script::session().with(S, b"\0\0\0\0\x04").checked();
    assert_eq!(conversation.unreadable.unwrap().length, None);
}

#[test]
fn what_a_client_sends_in_its_login_is_never_kept() {
    let script = Script::new()
        .with(C, startup())
        .with(C, b"#CANARY-CANARY-CANARY");
    let (conversation, events) = script.checked();
    assert_eq!(conversation.phase, Phase::Lost);
    let all = format!("{conversation:?}{events:?}");
    assert!(!all.contains("67, 65, 78, 65"), "{all}");
}

#[test]
fn requests_for_encryption_end_sometime() {
    let mut script = Script::new();
    for _ in 0..100 {
        script = script.with(C, SSL).with(S, b"N");
    }
    let (conversation, events) = script.checked();
    assert_eq!(conversation.phase, Phase::Lost);
    assert_eq!((conversation.encryption.len(), events.len()), (8, 17));
}

/// Everything that both ends can say, in an order that makes sense.
fn long_conversation() -> Script {
    Script::new()
        .with(C, GSS)
        .with(S, b"N")
        .with(C, SSL)
        .with(S, b"N")
        .with(C, startup())
        .say(S, b'v', b"\0\x03\0\0\0\0\0\x01_pq_.x\0")
        .say(S, b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0")
        .say(C, b'p', b"SCRAM-SHA-256\0\0\0\0\x0fn,,n=,r=CANARYX")
        .say(S, b'R', b"\0\0\0\x0br=CANARY,s=CANARY,i=4096")
        .say(C, b'p', b"c=biws,r=CANARY,p=CANARY")
        .say(S, b'R', b"\0\0\0\x0cv=CANARY")
        .with(S, OK)
        .say(S, b'S', b"server_version\x0016.2\0")
        .say(S, b'K', b"\0\0\x30\x39CANARY")
        .say(S, b'N', b"SNOTICE\0C00000\0Mhello\0\0")
        .with(S, READY)
        .say(C, b'Q', b"select 'CANARY'\0")
        .say(S, b'T', b"\0\x01CANARY")
        .say(S, b'D', vec![b'x'; 70_000])
        .say(S, b'D', b"\0\x01CANARY")
        .say(S, b'C', b"SELECT 2\0")
        .with(S, READY)
        .say(C, b'P', b"S_1\0select CANARY\0\0\0")
        .say(C, b'B', b"p\0S_1\0\0\0\0\x01CANARY\0\0")
        .say(C, b'E', b"\0\0\0\0\0")
        .say(C, b'S', b"")
        .say(S, b'1', b"")
        .say(S, b'2', b"")
        .say(
            S,
            b'E',
            b"SERROR\0VERROR\0C22P02\0MCANARY\0DCANARY\0Fint.c\0L1\0Rpg_atoi\0\0",
        )
        .say(S, b'Z', b"E")
        .say(C, b'Q', b"copy t from stdin\0")
        .say(S, b'G', b"\0\0\x01\0\0")
        .say(C, b'd', b"CANARY\n")
        .say(C, b'c', b"")
        .say(S, b'C', b"COPY 1\0")
        .with(S, READY)
        .say(C, b'X', b"")
        .with(S, message(b'E', b"SFATAL\0VFATAL\0C57P01\0Mbye\0\0"))
}

proptest! {
    #[test]
    fn pieces_make_no_difference(sizes in prop::collection::vec(1_usize..200, 1..40)) {
        let script = long_conversation();
        let whole = script.read();
        prop_assert_eq!(whole.0.phase, Phase::Session);
        let mut sizes = sizes.iter().cycle().copied();
        let pieces = script.read_in(&mut |_| sizes.next().unwrap_or(1));
        same(&whole, &pieces);
        let all = format!("{:?}{:?}{:?}{:?}", whole.0, whole.1, pieces.0, pieces.1);
        prop_assert!(!all.contains("CANARY") && !all.contains("67, 65, 78, 65"));
    }

    #[test]
    fn nothing_panics_or_grows(
        cut in 0_usize..40,
        said in prop::collection::vec((any::<bool>(), any::<Vec<u8>>()), 0..20),
        sizes in prop::collection::vec(1_usize..50, 1..10),
    ) {
        let mut script = long_conversation();
        script.0.truncate(cut);
        for (is_client, bytes) in said {
            script = script.with(if is_client { C } else { S }, bytes);
        }
        let mut sizes = sizes.iter().cycle().copied();
        let whole = script.read();
        same(&whole, &script.read_in(&mut |_| sizes.next().unwrap_or(1)));
        let shown = format!("{:?}", whole.0);
        prop_assert!(shown.len() < 16 << 10, "{}", shown.len());
    }

    #[test]
    fn a_damaged_conversation_is_read_the_same_in_pieces(
        place in 0_usize..38,
        at in any::<prop::sample::Index>(),
        value: u8,
        sizes in prop::collection::vec(1_usize..50, 1..10),
    ) {
        let mut script = long_conversation();
        let count = script.0.len();
        let (_, bytes) = &mut script.0[place % count];
        let at = at.index(bytes.len());
        bytes[at] = value;
        let whole = script.read();
        let mut sizes = sizes.iter().cycle().copied();
        same(&whole, &script.read_in(&mut |_| sizes.next().unwrap_or(1)));
    }
}
