//! Conversations made by hand, and what any bytes whatsoever must not do.

use std::time::Instant;

use proptest::prelude::*;

use super::same::same;
use super::*;
use crate::wire::frames::{PROTOCOL_3_0, put_message, startup_message};

mod hostile;
mod login;
mod session;
mod speed;
mod tls;

use Side::{Client as C, Server as S};

const SSL: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";
const GSS: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x30";
const OK: &[u8] = b"R\0\0\0\x08\0\0\0\0";
const READY: &[u8] = b"Z\0\0\0\x05I";

/// A message with a type.
fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_message(&mut out, tag, body);
    out
}

fn startup() -> Vec<u8> {
    let parameters = [("user", "app"), ("database", "orders")];
    let parameters: Vec<_> = parameters.map(|(a, b)| (a.to_owned(), b.to_owned())).into();
    startup_message(PROTOCOL_3_0, &parameters)
}

/// What is said, in order.
#[derive(Clone, Default)]
struct Script(Vec<(Side, Vec<u8>)>);

impl Script {
    fn new() -> Self {
        Self::default()
    }

    /// A session after its login.
    fn session() -> Self {
        Self::new()
            .with(C, startup())
            .with(S, OK)
            .with(S, message(b'K', b"\0\0\x30\x39SECRETKEY"))
            .with(S, READY)
    }

    fn with(mut self, side: Side, bytes: impl AsRef<[u8]>) -> Self {
        self.0.push((side, bytes.as_ref().to_vec()));
        self
    }

    fn say(self, side: Side, tag: u8, body: impl AsRef<[u8]>) -> Self {
        self.with(side, message(tag, body.as_ref()))
    }

    /// Read in one piece each.
    fn read(&self) -> (Conversation, Vec<Event>) {
        self.read_in(&mut |rest| rest)
    }

    /// Read in pieces of the sizes that `next` gives for what is left.
    fn read_in(&self, next: &mut dyn FnMut(usize) -> usize) -> (Conversation, Vec<Event>) {
        let at = at();
        let mut conversation = Conversation::new();
        let mut events = Vec::new();
        for (side, bytes) in &self.0 {
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(next(rest.len()).clamp(1, rest.len()));
                let mut tell = |event| events.push(event);
                match side {
                    C => conversation.client(at, piece, &mut tell),
                    S => conversation.server(at, piece, &mut tell),
                }
                rest = after;
            }
        }
        (conversation, events)
    }

    /// Read whole, and in pieces, which must be the same.
    fn checked(&self) -> (Conversation, Vec<Event>) {
        let whole = self.read();
        for size in [1, 7] {
            same(&whole, &self.read_in(&mut |_| size));
        }
        whole
    }
}

/// One moment for all: what is compared must not differ by it.
fn at() -> Instant {
    static AT: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *AT.get_or_init(Instant::now)
}
