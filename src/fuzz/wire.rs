//! What a PostgreSQL server, or somebody in its place, sends.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::stream::{Peer, run};
use super::{CANARY, parts};
use crate::client::profile::Saslprep;
use crate::config::{ChannelBinding, RequireAuth, SslCertMode};
use crate::secret::Secret;
use crate::text;
use crate::wire::first_reply::{Answer, Ending, Heard, classify, classify_first_message};
use crate::wire::frames::{
    BoundsPhase, Frames, PROTOCOL_3_0, PROTOCOL_3_2, ReadError, put_message,
};
use crate::wire::scram::{Claim, ClientFirst};
use crate::wire::secured::Wire;
use crate::wire::server_error::ServerError;
use crate::wire::session::{IdleMessage, Session};
use crate::wire::startup::{Login, Rules, StartupEnd};
use crate::wire::{Address, Route, stranger};

/// A connection to a server that says this, in pieces of this size.
fn wire(data: &[u8], most: usize) -> Wire {
    Wire {
        io: Box::new(Peer::new(data, most)),
        log: Arc::default(),
        route: Route::Direct(Address::Unix(PathBuf::from("/nowhere"))),
        tls: None,
        socket: None,
    }
}

/// The pieces to read in: as large as they come, single bytes, and of a size that the
/// input has a say in.
fn sizes(data: &[u8]) -> [usize; 3] {
    let first = usize::from(data.first().copied().unwrap_or(2));
    [usize::MAX, 1, first]
}

/// A server's answers from the start-up message to the first ReadyForQuery: they are read
/// the same however they come, and nothing repeats the password.
pub fn startup(data: &[u8]) {
    let read = |most: usize| {
        run(async {
            let rules = Rules {
                parameters: vec![("user".to_owned(), "app".to_owned())],
                newest: PROTOCOL_3_2,
                oldest: PROTOCOL_3_0,
                user: "app".to_owned(),
                require_auth: RequireAuth::default(),
                channel_binding: ChannelBinding::Prefer,
                certificate_mode: SslCertMode::Allow,
                saslprep: Saslprep::Full,
            };
            let mut login = Login::new(wire(data, most), rules, Some(Secret::new(CANARY)));
            let end = login.run().await;
            let end = match end {
                // Who it is instead is told by what had come by then.
                Err(StartupEnd::Read(
                    ReadError::Stranger(_) | ReadError::Oversized(..) | ReadError::Malformed(..),
                )) => "no server".to_owned(),
                end => format!("{end:?}"),
            };
            format!("{end} {:?} {:?}", login.exchange, login.parameters())
        })
    };
    let whole = read(usize::MAX);
    assert!(!whole.contains(CANARY), "{whole}");
    for most in sizes(data) {
        assert_eq!(read(most), whole, "in pieces of {most}");
    }
}

/// A server's messages in a session that asks for nothing, and messages of any kind.
pub fn session(data: &[u8]) {
    let read = |most: usize| {
        run(async {
            let frames = Frames::new(wire(data, most));
            let mut session = Session::new(frames, BTreeMap::new(), None);
            let mut all = Vec::new();
            // Each message has five bytes at least.
            for _ in 0..=data.len() / 5 {
                let message = session.next_event().await;
                let is_last = matches!(
                    message,
                    IdleMessage::Closed | IdleMessage::Reset | IdleMessage::Broken(_)
                );
                all.push(format!("{message:?}"));
                if is_last {
                    return (all, messages(data, most).await);
                }
            }
            panic!("more messages than bytes: {all:?}");
        })
    };
    let whole = read(usize::MAX);
    for most in sizes(data) {
        assert_eq!(read(most), whole, "in pieces of {most}");
    }
}

/// The types and lengths of all messages, and how they end.
async fn messages(data: &[u8], most: usize) -> String {
    let mut frames = Frames::new(wire(data, most));
    let mut told = String::new();
    loop {
        match frames.next(BoundsPhase::Session).await {
            Ok(frame) => told.push_str(&format!("{}:{} ", frame.tag, frame.body.len())),
            Err(ReadError::Stranger(_)) => return told + "a stranger",
            Err(error) => return format!("{told}{error:?}"),
        }
    }
}

/// An ErrorResponse: its fields are read again as they are written, and shown in bounds.
pub fn server_error(data: &[u8]) {
    let Some(error) = ServerError::parse(data) else {
        return;
    };
    let shown = text::clean(&error.one_line());
    assert!(
        shown.chars().count() <= text::LONGEST + 1,
        "{}",
        shown.len()
    );
    let hostile = |c: char| c.is_control() && c != '\n';
    assert!(!shown.contains(hostile), "{shown:?}");
    let mut body = Vec::new();
    let severity = if error.severity_is_fixed { b'V' } else { b'S' };
    let line = error.line.map(|line| line.to_string());
    for (kind, value) in [
        (severity, Some(&error.severity)),
        (b'C', Some(&error.code)),
        (b'M', Some(&error.message)),
        (b'D', error.detail.as_ref()),
        (b'H', error.hint.as_ref()),
        (b'W', error.context.as_ref()),
        (b'F', error.file.as_ref()),
        (b'L', line.as_ref()),
        (b'R', error.routine.as_ref()),
    ] {
        if let Some(value) = value {
            body.extend([&[kind], value.as_bytes(), &[0]].concat());
        }
    }
    body.push(0);
    assert_eq!(ServerError::parse(&body), Some(error));
}

/// A server's two messages of SCRAM, the nonce in place of `\x01`. One that does not know
/// the password is never believed.
pub fn scram(data: &[u8]) {
    const MOST_ITERATIONS: u32 = 256;
    let [first, last] = parts(data);
    let client = ClientFirst::new(Claim::Unsupported).unwrap();
    let message = client.message();
    let (_, nonce) = message.split_once("r=").unwrap();
    let replaced: Vec<u8> = first
        .iter()
        .flat_map(|b| match b {
            1 => nonce.as_bytes().to_vec(),
            b => vec![*b],
        })
        .collect();
    // More iterations only take longer.
    if let Ok(challenge) = client.read(&replaced)
        && challenge.iterations <= MOST_ITERATIONS
    {
        let (proof, end) = client
            .answer(&challenge, CANARY.as_bytes(), Saslprep::Full)
            .unwrap();
        assert!(!proof.contains(CANARY) && proof.starts_with("c=biws,r="));
        assert!(end.check(last).is_err());
    }
}

/// The first answer of whoever listens there.
pub fn first_reply(data: &[u8]) {
    let heard = Heard {
        bytes: data.to_vec(),
        ending: Ending::Open,
    };
    match classify(&heard) {
        Answer::Tls { injected } => {
            assert_eq!(data.split_first(), Some((&b'S', injected.as_slice())));
        }
        Answer::NoTls { injected } => {
            assert_eq!(data.split_first(), Some((&b'N', injected.as_slice())));
        }
        Answer::Error(error) => shown(&error.message),
        Answer::Stranger(stranger) => shown(&stranger.says),
        Answer::Nothing(_) => assert!(data.is_empty()),
        Answer::Oversized(_) | Answer::Malformed => {}
    }
    if let Answer::Stranger(stranger) = classify_first_message(&heard) {
        shown(&stranger.says);
    }
    let known = stranger::recognise(data);
    assert!(!stranger::is_known(data) || known.is_some());
    stranger::may_be_postgres(data);
    stranger::clear_alert(data);
    shown(&stranger::first_line(data));
    shown(&stranger::hex(data));
    if let Ok(message) = std::str::from_utf8(data) {
        let mut framed = Vec::new();
        let body = [b"SFATAL\0C28000\0M", message.as_bytes(), b"\0\0"].concat();
        put_message(&mut framed, b'E', &body);
        let heard = Heard {
            bytes: framed,
            ending: Ending::Open,
        };
        if let Answer::Error(error) = classify(&heard) {
            shown(&error.message);
        }
    }
}

/// Holds a peer's words to what may be shown of them.
fn shown(words: &str) {
    assert!(
        words.chars().count() <= text::LONGEST + 1,
        "{}",
        words.len()
    );
    let hostile = |c: char| c.is_control() && c != '\n';
    assert!(!words.contains(hostile), "{words:?}");
}
