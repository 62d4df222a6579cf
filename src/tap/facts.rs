//! What a tap saw, as facts of the report.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::conversation::{ClientHello, Conversation, Phase, Startup};
use super::differences::differences;
use super::marks::{self, Recognised};
use super::record::Record;
use super::watch::Seen;
use crate::client::pooler::Pooler;
use crate::config::Target;
use crate::forward::{Closer, ConnectionEnd, Side};
use crate::report::{StageRecord, ms};
use crate::text;
use crate::wire::dial::seconds;

/// So many connections are described one by one.
const DESCRIBED: usize = 50;

/// Writes all that is known of the connections.
pub fn write(
    record: &mut StageRecord,
    seen: &Seen,
    bound: SocketAddr,
    label: Option<&str>,
    target: Option<&Target>,
    held: Duration,
) {
    let records = &seen.records;
    record.fact("listen", bound.to_string());
    record.fact("target", label.map(ToOwned::to_owned));
    record.fact("held_ms", ms(held));
    record.fact("connections_total", seen.connections);
    record.fact(
        "not_forwarded",
        records.iter().filter(|it| it.refused.is_some()).count(),
    );
    record.fact("by_fate", listed(by_fate(seen)));
    record.fact("by_process", listed(by_process(records)));
    record.fact("login_ms", login_times(records));
    record.fact("lifetime_ms", lifetimes(records));
    record.fact("per_minute", per_minute(records, held));
    let described: Vec<Value> = records
        .iter()
        .take(DESCRIBED)
        .map(|it| describe(it, target))
        .collect();
    record.fact("connections", Value::Array(described));
    record.fact(
        "connections_left_out",
        seen.left_out() + (records.len().saturating_sub(DESCRIBED)) as u64,
    );
}

/// What was seen, in one line.
pub fn summary(seen: &Seen, held: Duration) -> String {
    let fates = by_fate(seen).into_iter();
    let fates: Vec<String> = fates
        .map(|(fate, count)| format!("{count} {fate}"))
        .collect();
    let connections = match seen.connections {
        1 => "1 connection".to_owned(),
        count => format!("{count} connections"),
    };
    let what = match fates.is_empty() {
        true => connections,
        false => format!("{connections}: {}", fates.join(", ")),
    };
    format!("{what}, in {}", seconds(held))
}

/// How many of each there are, the most first.
type Counts = Vec<(String, u64)>;

/// Every connection, by how it ended.
fn by_fate(seen: &Seen) -> Counts {
    let mut counts = seen.dropped.clone();
    for record in &seen.records {
        *counts.entry(fate(record)).or_default() += 1;
    }
    most_first(
        counts
            .into_iter()
            .map(|(fate, count)| (fate.to_owned(), count)),
    )
}

/// The connections whose records are kept, by who opened them.
fn by_process(records: &[Record]) -> Counts {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for record in records {
        *counts.entry(record.label()).or_default() += 1;
    }
    most_first(counts)
}

fn most_first(counts: impl IntoIterator<Item = (String, u64)>) -> Counts {
    let mut counts: Counts = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

fn listed(counts: Counts) -> Value {
    let each = counts.into_iter();
    each.map(|(name, count)| json!({"name": name, "count": count}))
        .collect()
}

/// How far a connection got, in one word or two.
pub fn reached(record: &Record) -> &'static str {
    let conversation = &record.conversation;
    let login = &conversation.login;
    match conversation.phase {
        _ if record.refused.is_some() => "not forwarded",
        Phase::Session => "session",
        Phase::Cancel => "cancel request",
        Phase::Lost => "unreadable",
        Phase::Tls | Phase::Gss if conversation.encrypted.is_some() => "encrypted",
        Phase::Tls | Phase::Gss => "TLS handshake",
        Phase::Login if login.authenticated.is_some() => "authenticated",
        Phase::Login if login.has_answered => "password sent",
        Phase::Login if !login.asked.is_empty() => "password requested",
        Phase::Login => "startup message",
        Phase::Opening if !conversation.encryption.is_empty() => "encryption requested",
        Phase::Opening => "connected",
    }
}

/// Where a conversation stood, in words.
pub fn reached_phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Opening => "instead of a start-up message",
        Phase::Tls => "in the TLS handshake",
        Phase::Gss => "in GSS encryption",
        Phase::Login => "during the login",
        Phase::Session => "in the session",
        Phase::Cancel => "after a cancel request",
        Phase::Lost => "after something else that could not be read",
    }
}

/// What became of a connection, as it is counted.
pub fn fate(record: &Record) -> &'static str {
    let conversation = &record.conversation;
    match (&record.refused, &record.end) {
        (Some(_), _) => "not forwarded",
        _ if conversation.phase == Phase::Lost => "unreadable",
        _ if conversation.cancels.is_some() => "cancel request",
        (None, None) => "open at the end",
        (None, Some((end, _))) => match (end.by, end.error) {
            (Closer::Tunnel, _) => "lost when the SSH session ended",
            _ if has_failed_login(record) => "failed to log in",
            _ if record.said_goodbye => "ended normally",
            (Closer::Side(Side::Client), None) => "closed by the application",
            (Closer::Side(Side::Client), Some(_)) => "reset by the application",
            (Closer::Side(Side::Server), None) => "closed by the server",
            (Closer::Side(Side::Server), Some(_)) => "reset by the server",
        },
    }
}

/// Whether the client has said goodbye: by Terminate or, where that is all that can be seen, by
/// ending TLS in order.
pub fn says_goodbye(conversation: &Conversation) -> bool {
    let mut alerts = conversation.alerts.iter();
    conversation.terminated || alerts.any(|it| it.from == Side::Client && it.is_warning)
}

/// Whether the server refused the login, as far as it is visible.
fn has_failed_login(record: &Record) -> bool {
    let conversation = &record.conversation;
    let is_in_tls = conversation.startup.is_none() && conversation.encrypted.is_some();
    let said_no = conversation.login.ready.is_none() && !conversation.errors.is_empty();
    said_no || is_in_tls && record.is_let_in() == Some(false)
}

fn login_times(records: &[Record]) -> Value {
    let took = |record: &Record| {
        let login = &record.conversation.login;
        Some(ms(
            login.ready.or(record.conversation.encrypted)? - record.began
        ))
    };
    spread(records.iter().filter_map(took).collect())
}

fn lifetimes(records: &[Record]) -> Value {
    spread(records.iter().filter_map(Record::lived).map(ms).collect())
}

/// The median, the ninth tenth and the longest of some times; null where there are none.
fn spread(mut times: Vec<f64>) -> Value {
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times.get(((times.len() as f64 * part) as usize).min(times.len() - 1));
    match times.last() {
        Some(max) => json!({"p50": at(0.5), "p90": at(0.9), "max": max}),
        None => Value::Null,
    }
}

/// Connections a minute, from the first to the last; null where there are fewer than two.
pub fn per_minute(records: &[Record], held: Duration) -> Value {
    let first = records.iter().map(|it| it.began).min();
    let last = records.iter().map(|it| it.began).max();
    match first.zip(last) {
        Some((first, last)) if records.len() > 1 => {
            let minutes =
                ((last - first).max(held.min(Duration::from_secs(60)))).as_secs_f64() / 60.0;
            match minutes > 0.0 {
                true => json!((records.len() as f64 / minutes * 10.0).round() / 10.0),
                false => Value::Null,
            }
        }
        _ => Value::Null,
    }
}

/// The pooler that answers, as far as its address or its reports tell.
pub fn pooler(record: &Record, target: Option<&Target>) -> Option<Pooler> {
    let endpoint = target.and_then(|target| target.endpoints.first());
    let placed = endpoint.and_then(|endpoint| Pooler::at(&endpoint.host, endpoint.port));
    placed.or_else(|| Pooler::of_parameters(&record.conversation.reported))
}

/// One connection.
fn describe(record: &Record, target: Option<&Target>) -> Value {
    let conversation = &record.conversation;
    let login = &conversation.login;
    let since = |at: Option<Instant>| at.map(|at| ms(at - record.began));
    let statements = &conversation.statements;
    let client = marks::recognise(conversation);
    let differs = differences(
        conversation,
        client.as_ref(),
        pooler(record, target).as_ref(),
    );
    json!({
        "number": record.number,
        "client": record.client.to_string(),
        "process": record.process().map(|process| json!({
            "pid": process.pid,
            "name": text::clean(&process.name),
        })),
        "looks_like": client.as_ref().map(Recognised::to_json),
        "differs_from_libpq": differs.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "reached": reached(record),
        "fate": fate(record),
        "not_forwarded": record.refused.as_ref().map(|why| why.cause.code),
        "encryption": conversation.encryption.iter().map(|request| json!({
            "asked": request.asked.as_str(),
            "answer": request.answer.map(|answer| answer.as_str()),
        })).collect::<Value>(),
        "client_hello": conversation.client_hello.as_ref().map(ClientHello::to_json),
        "tls_version": conversation.server_hello.as_ref().map(|hello| hello.version_name()),
        "alerts": conversation.alerts.iter().map(|alert| alert.to_json()).collect::<Value>(),
        "startup": conversation.startup.as_ref().map(Startup::to_json),
        "authentication": {
            "asked": login.asked.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "mechanism": login.mechanism.as_deref().map(text::clean),
            "channel_binding": login.channel_binding.as_ref().map(ToString::to_string),
            "answered": login.has_answered,
            "authenticated_ms": since(login.authenticated),
            "ready_ms": since(login.ready),
        },
        "cancels_pid": conversation.cancels,
        "server_pid": conversation.backend_pid,
        "server_version": conversation.parameters.get("server_version").map(|it| text::clean(it)),
        "errors": conversation.errors.iter().map(|error| json!({
            "severity": text::clean(&error.severity),
            "sqlstate": text::clean(&error.code),
            "message": text::clean(&error.message),
        })).collect::<Value>(),
        "errors_by_sqlstate": conversation.sqlstates,
        "statements": {
            "simple": statements.simple,
            "unnamed": statements.unnamed,
            "named": statements.named,
            "names": statements.names.iter().map(|name| text::clean(name)).collect::<Vec<_>>(),
            "executed": statements.executed,
            "copies": statements.copies,
            "rows": statements.rows,
        },
        "transaction": conversation.transaction.map(|state| char::from(state).to_string()),
        "unanswered": conversation.unanswered,
        "bytes": {"client": conversation.bytes.client, "server": conversation.bytes.server},
        "duration_ms": record.lived().map(ms),
        "longest_silence_ms": ms(record.silence.longest),
        "end": record.end.map(|(end, _)| ending(end, record.silence.before_end)),
    })
}

fn ending(end: ConnectionEnd, silence: Option<Duration>) -> Value {
    let by = match end.by {
        Closer::Side(Side::Client) => "client",
        Closer::Side(Side::Server) => "server",
        Closer::Tunnel => "tunnel",
    };
    let how = match end.error {
        None => "closed",
        Some(std::io::ErrorKind::ConnectionReset) => "reset",
        Some(_) => "broken",
    };
    json!({"by": by, "how": how, "after_silence_ms": silence.map(ms)})
}
