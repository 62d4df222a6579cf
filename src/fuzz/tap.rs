//! Both directions of a connection that `tap` passes on.

use std::time::Instant;

use crate::tap::conversation::same::same;
use crate::tap::conversation::{Conversation, Event, Side};

/// The most that is known of a conversation, as it is printed for debugging.
const MOST: usize = 64 << 10;

/// What is said, in order.
type Script<'a> = Vec<(Side, &'a [u8])>;

const STARTUP: &[u8] = b"\0\0\0\x13\0\x03\0\0user\0app\0\0";
const AUTHENTICATED: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

/// What a client sends to a server that is silent, and that of one in a session.
pub fn client(data: &[u8]) {
    check(&vec![(Side::Client, data)]);
    check(&vec![
        (Side::Client, STARTUP),
        (Side::Server, AUTHENTICATED),
        (Side::Client, data),
    ]);
}

/// What a server sends to a client that waits for its login, for encryption, for an answer.
pub fn server(data: &[u8]) {
    check(&vec![(Side::Client, STARTUP), (Side::Server, data)]);
    let request = b"\0\0\0\x08\x04\xd2\x16\x2f";
    check(&vec![(Side::Client, request), (Side::Server, data)]);
    check(&vec![
        (Side::Client, STARTUP),
        (Side::Server, AUTHENTICATED),
        (Side::Client, b"Q\0\0\0\x0dselect 1\0"),
        (Side::Server, data),
    ]);
}

/// A conversation: each piece has a byte for its side and a half of its length before it,
/// another for the rest.
pub fn both(data: &[u8]) {
    let mut script = Script::new();
    let mut rest = data;
    while let [first, second, after @ ..] = rest {
        let side = match first & 0x80 {
            0 => Side::Client,
            _ => Side::Server,
        };
        let length = usize::from(first & 0x7f) << 8 | usize::from(*second);
        let (piece, after) = after.split_at(length.min(after.len()));
        script.push((side, piece));
        rest = after;
    }
    check(&script);
}

/// Reads a script whole and in pieces: what is known must be the same, and little.
fn check(script: &Script) {
    let at = Instant::now();
    let whole = read(script, at, usize::MAX);
    let known = format!("{:?}", whole.0);
    assert!(known.len() < MOST, "{}", known.len());
    for size in [1, 7] {
        same(&whole, &read(script, at, size));
    }
}

/// What is known behind a script, and the events on the way.
fn read(script: &Script, at: Instant, size: usize) -> (Conversation, Vec<Event>) {
    let mut conversation = Conversation::new();
    let mut events = Vec::new();
    for (side, bytes) in script {
        for piece in bytes.chunks(size) {
            let mut tell = |event| events.push(event);
            match side {
                Side::Client => conversation.client(at, piece, &mut tell),
                Side::Server => conversation.server(at, piece, &mut tell),
            }
        }
    }
    (conversation, events)
}
