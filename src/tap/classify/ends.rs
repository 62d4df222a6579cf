//! Connections that were ended under the application's hands.

use std::time::Duration;

use crate::cause::{self, Cause};
use crate::config::Target;
use crate::finding::Finding;
use crate::forward::{Closer, Side};
use crate::tap::conversation::Phase;
use crate::tap::record::Record;
use crate::wire::dial::seconds;

/// A shorter silence before the end is none.
const SILENCE: Duration = Duration::from_secs(2);

/// A server closes within so long of the client's goodbye.
const CLOSE_AFTER_TERMINATE: Duration = Duration::from_secs(1);

/// Drops by the server's side, those with the longest silence first: one finding for each kind.
pub(super) fn dropped(records: &[Record], target: &Target) -> Vec<Finding> {
    let mut kinds: Vec<(&'static Cause, Vec<&Record>)> = Vec::new();
    for record in records {
        let Some(cause) = cause_of(record) else {
            continue;
        };
        match kinds.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, all)) => all.push(record),
            None => kinds.push((cause, vec![record])),
        }
    }
    kinds
        .into_iter()
        .filter_map(|(cause, all)| described(cause, &all, target))
        .collect()
}

/// Why a logged-in connection was ended by the server's side, where it was.
fn cause_of(record: &Record) -> Option<&'static Cause> {
    let (end, _) = record.end?;
    let conversation = &record.conversation;
    let in_session = conversation.phase == Phase::Session && conversation.login.ready.is_some();
    let in_use = in_session || conversation.encrypted.is_some() && conversation.startup.is_none();
    if !in_use || record.said_goodbye || record.is_ended_by(Side::Client) {
        return None;
    }
    // In TLS a goodbye cannot be told from other words of the client.
    let silence = &record.silence;
    let client_spoke_last = silence.last.client >= silence.last.server;
    let is_answered = silence.before_end.unwrap_or_default() < CLOSE_AFTER_TERMINATE;
    if !in_session && end.error.is_none() && client_spoke_last && is_answered {
        return None;
    }
    let last = conversation
        .errors
        .last()
        .filter(|error| error.severity != "ERROR");
    if let Some(error) = last {
        return match error.code.as_str() {
            "57P05" | "25P03" => Some(&cause::idle::SERVER_TIMEOUT),
            // PgBouncer has no SQLSTATE of its own for it.
            "08P01" if error.message.contains("idle") && error.message.contains("timeout") => {
                Some(&cause::idle::POOLER_TIMEOUT)
            }
            "57P01" => Some(&cause::idle::TERMINATED),
            "57P02" => Some(&cause::server::RECOVERING),
            _ => Some(&cause::tap::DROPPED),
        };
    }
    let silent = record.silence.before_end.unwrap_or_default() >= SILENCE;
    Some(match (end.by, end.error) {
        (Closer::Tunnel, _) => &cause::tunnel::LOST,
        (_, Some(_)) if silent && conversation.unanswered == 0 => &cause::idle::RESET,
        (_, None) if silent && conversation.unanswered == 0 => &cause::idle::CLOSED,
        _ => &cause::tap::DROPPED,
    })
}

fn described(cause: &'static Cause, all: &[&Record], target: &Target) -> Option<Finding> {
    let silences: Vec<Duration> = all
        .iter()
        .map(|record| record.silence.before_end.unwrap_or_default())
        .collect();
    let (shortest, longest) = (silences.iter().min()?, silences.iter().max()?);
    let first = all.first()?;
    let (end, at) = first.end?;
    let last = first.conversation.errors.last();
    let error = match &first.tunnel_lost {
        Some(error) => Some(error.clone()),
        None => last.map(|error| error.message.clone()),
    };
    let hop = target.ssh.as_ref().and_then(|plan| plan.hops.last());
    let hop = hop.map(|hop| hop.label());
    let words = match all.len() {
        1 => "as one connection through the tap was".to_owned(),
        count => format!("as {count} connections through the tap were"),
    };
    Some(
        Finding::new(cause)
            .with("client", first.label())
            .with("connections", all.len())
            .with("how", end.to_string())
            .word("after", format!("after {}", seconds(*shortest)))
            .with("safe_seconds", safe_seconds(*shortest))
            .with("via", hop)
            .word("when", "while a connection used it")
            .word("words", words)
            .with("after_ms", crate::report::ms(*shortest))
            .with("longest_silence_before_end", seconds(*longest))
            .with("age", seconds(at - first.began))
            .with("unanswered", first.conversation.unanswered)
            .with("sqlstate", last.map(|error| error.code.clone()))
            .with("message", last.map(|error| error.message.clone()))
            .with("error", error),
    )
}

/// A silence, in seconds, that is surely shorter; none where there is none.
fn safe_seconds(silence: Duration) -> Option<u64> {
    let safe = silence.as_secs() * 4 / 5;
    (safe > 0).then_some(safe)
}
