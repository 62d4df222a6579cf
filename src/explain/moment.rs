//! When a connection failed, by the frames and verbs of a stack trace, and how: a
//! time-out, a close or a reset mean something else at each moment.

use super::rules::Said;
use super::text::Text;
use crate::cause::{Cause, auth, idle, protocol, server, tcp, tls};

/// How far a connection had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// TCP was being opened.
    Connecting,
    /// The server was asked for TLS, and its first byte awaited.
    Asking,
    /// The TLS handshake was under way.
    Handshake,
    /// The login was.
    Login,
    /// A query was.
    Query,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    TimedOut,
    Closed,
    Reset,
}

/// Frames of drivers that show the moment, the surest first: outer frames are those of
/// a whole attempt, so that an inner one decides.
const FRAMES: &[(&str, Moment)] = &[
    // A socket that is being opened.
    ("niosocketimpl.connect", Moment::Connecting),
    ("plainsocketimpl.socketconnect", Moment::Connecting),
    ("socketconnect(native", Moment::Connecting),
    ("timedfinishconnect", Moment::Connecting),
    ("net.pollconnect", Moment::Connecting),
    ("pgstream.createsocket", Moment::Connecting),
    ("npgsqlconnector.connect(", Moment::Connecting),
    ("npgsqlconnector.connectasync(", Moment::Connecting),
    ("loop.create_connection(", Moment::Connecting),
    ("sock_connect", Moment::Connecting),
    ("tcpconnectwrap.afterconnect", Moment::Connecting),
    // pgjdbc
    ("enablegssencrypted", Moment::Asking),
    ("makessl.convert", Moment::Handshake),
    ("starthandshake", Moment::Handshake),
    ("connectionfactoryimpl.enablessl", Moment::Asking),
    ("connectionfactoryimpl.doauthentication", Moment::Login),
    ("connectionfactoryimpl.readstartupmessages", Moment::Login),
    ("queryexecutorimpl.", Moment::Query),
    // Npgsql
    ("npgsqlconnector.negotiateencryption", Moment::Handshake),
    ("authenticateasclient", Moment::Handshake),
    ("npgsqlconnector.authenticate", Moment::Login),
    ("npgsqlconnector.rawopen", Moment::Asking),
    ("npgsqlconnector.<open>", Moment::Asking),
    ("npgsqlconnector.open(", Moment::Asking),
    ("executereader", Moment::Query),
    ("nextresult", Moment::Query),
    ("executenonquery", Moment::Query),
    ("executescalar", Moment::Query),
    ("executedbdatareader", Moment::Query),
    // asyncpg
    ("await pr.on_data", Moment::Asking),
    ("loop.start_tls(", Moment::Handshake),
    ("do_handshake()", Moment::Handshake),
    ("await connected", Moment::Login),
    ("in bind_execute", Moment::Query),
    ("in _do_execute", Moment::Query),
];

/// How the innermost of a chain of exceptions says that it ended.
const ENDS: &[(&str, End)] = &[
    ("timeoutexception", End::TimedOut),
    ("timed out", End::TimedOut),
    ("timeouterror", End::TimedOut),
    ("timeout during reading", End::TimedOut),
    ("eofexception", End::Closed),
    ("endofstreamexception", End::Closed),
    ("past the end of the stream", End::Closed),
    ("unexpected connection_lost", End::Closed),
    ("connection reset", End::Reset),
    ("socketexception (104)", End::Reset),
    ("forcibly closed", End::Reset),
    ("connectionreseterror", End::Reset),
];

/// Causes that say only how it ended, and not when.
fn is_symptom(cause: &Cause) -> bool {
    cause.is_any(&[
        &tcp::TIMEOUT,
        &protocol::STALL,
        &protocol::CLOSED,
        &protocol::RESET,
        &protocol::SILENT,
        &idle::CLOSED,
        &idle::RESET,
        &idle::BLACK_HOLE,
        &tls::TIMEOUT,
    ])
}

/// What an end means at a moment, the likeliest first.
fn meant(moment: Moment, end: End) -> Vec<&'static Cause> {
    match (moment, end) {
        (Moment::Connecting, End::TimedOut) => vec![&tcp::TIMEOUT],
        (Moment::Connecting, _) => vec![],
        (Moment::Asking, End::TimedOut) => vec![&protocol::SILENT],
        (Moment::Asking, End::Closed) => vec![&protocol::CLOSED],
        (Moment::Asking, End::Reset) => vec![&protocol::RESET],
        (Moment::Handshake, End::TimedOut) => vec![&tls::TIMEOUT, &protocol::STALL],
        (Moment::Handshake, End::Closed) => vec![&tls::CLOSED],
        (Moment::Handshake, End::Reset) => vec![&tls::RESET],
        (Moment::Login, End::TimedOut) => vec![&auth::TIMEOUT, &protocol::SILENT],
        (Moment::Login, End::Closed) => vec![&auth::CLOSED, &protocol::CLOSED],
        (Moment::Login, End::Reset) => vec![&protocol::RESET],
        (Moment::Query, End::TimedOut) => vec![&server::TIMEOUT, &idle::BLACK_HOLE],
        (Moment::Query, End::Closed) => vec![&idle::CLOSED, &idle::TERMINATED],
        (Moment::Query, End::Reset) => vec![&idle::RESET, &idle::CLOSED],
    }
}

/// Puts what the frames of its message show in place of what a symptom usually means.
pub fn decide(text: &Text, at: usize, said: &mut Said) {
    let Some((first, score)) = said.causes.first().copied() else {
        return;
    };
    if said.fact.is_some() || !is_symptom(first) {
        return;
    }
    let Some(moment) = moment(text, at) else {
        return;
    };
    let Some(end) = end(text, at) else {
        return;
    };
    let meant = meant(moment, end);
    if meant.is_empty() {
        return;
    }
    // A trace tells more than its wrapper's sentence.
    let score = score
        .max(SEEN)
        .min(if meant.len() > 1 { super::UNSURE } else { 99 });
    let ranked = meant.iter().enumerate();
    said.causes = ranked
        .map(|(n, cause)| (*cause, score.saturating_sub(10 * n as u32)))
        .collect();
}

/// How sure a symptom is whose moment the frames show.
const SEEN: u32 = 72;

fn moment(text: &Text, at: usize) -> Option<Moment> {
    let shown = |sign: &str| text.message(at).any(|line| line.folded.contains(sign));
    let found = FRAMES.iter().find(|(sign, _)| shown(sign));
    found.map(|(_, moment)| *moment)
}

/// How the deepest line of the message that tells says that it ended.
fn end(text: &Text, at: usize) -> Option<End> {
    let of = |folded: &str| {
        let found = ENDS.iter().find(|(sign, _)| folded.contains(sign));
        found.map(|(_, end)| *end)
    };
    let told = text
        .message(at)
        .filter(|line| !line.is_frame() && !line.code)
        .filter_map(|line| Some((line.depth, of(&line.folded)?)));
    told.max_by_key(|(depth, _)| *depth).map(|(_, end)| end)
}
