//! From what was seen of the connections to causes. Pure.
//!
//! All are warnings: the tap itself works, whatever the application does.

mod encryption;
mod ends;
mod login;
mod rate;
mod statements;

use std::collections::BTreeMap;
use std::time::Duration;

use super::facts;
use super::record::Record;
use crate::cause::{self, Cause};
use crate::config::{Target, conninfo};
use crate::finding::Finding;
use crate::forward::Side;
use crate::text;
use crate::wire::dial::seconds;

/// What the connections were made to.
#[derive(Clone, Copy)]
pub enum Other<'a> {
    /// The target.
    Target(&'a Target),
    /// dbdoctor itself.
    StandIn {
        /// Whether its certificate is one that no client can have reason to trust.
        is_untrusted: bool,
    },
}

impl<'a> Other<'a> {
    /// The target; none where there is none.
    pub fn target(self) -> Option<&'a Target> {
        match self {
            Self::Target(target) => Some(target),
            Self::StandIn { .. } => None,
        }
    }
}

/// The findings about all connections, those that explain most first.
pub fn classify(records: &[Record], other: Other<'_>, held: Duration) -> Vec<Finding> {
    if records.is_empty() {
        return vec![Finding::new(&cause::tap::NO_CLIENT).with("waited", seconds(held))];
    }
    let mut findings = Vec::new();
    if let Some(target) = other.target() {
        findings.extend(not_forwarded(records));
        findings.extend(login::refused(records, target));
        findings.extend(encryption::denied(records, target));
        findings.extend(login::unanswered(records, target));
    }
    findings.extend(encryption::abandoned(records));
    findings.extend(encryption::refused_certificates(records, other));
    findings.extend(encryption::unverified(records, other));
    findings.extend(login::abandoned(records));
    findings.extend(not_postgres(records));
    if let Some(target) = other.target() {
        findings.extend(ends::dropped(records, target));
        findings.extend(statements::named(records, target));
    }
    findings.extend(rate::storm(records));
    findings.extend(encryption::not_asked(records, other));
    findings.extend(encryption::fallback(records, other));
    findings.extend(rate::no_pool(records));
    findings.extend(cancelled(records));
    match other.target() {
        Some(target) => findings
            .into_iter()
            .map(|finding| finding.word("own_target", own_target(target)))
            .collect(),
        None => findings,
    }
}

/// The finding about the connections that are so, with the first of them.
fn about<'a>(
    cause: &'static Cause,
    records: &'a [Record],
    is_so: impl Fn(&Record) -> bool,
) -> Option<(Finding, &'a Record)> {
    let mut all = records.iter().filter(|record| is_so(record));
    let first = all.next()?;
    let finding = Finding::new(cause)
        .with("client", first.label())
        .with("connections", 1 + all.count());
    Some((finding, first))
}

/// What a stand-in has found out that is no fault.
pub fn verdict_on_verification(records: &[Record], other: Other<'_>) -> Option<&'static str> {
    let asked = matches!(other, Other::StandIn { is_untrusted: true });
    let refuses = records.iter().any(encryption::refuses_certificate);
    (asked && refuses)
        .then_some("the client refused the untrusted certificate, so it verifies certificates")
}

/// The reasons why connections were not forwarded, each once.
fn not_forwarded(records: &[Record]) -> Vec<Finding> {
    let mut by_cause: BTreeMap<&str, (Finding, u64)> = BTreeMap::new();
    for why in records.iter().filter_map(|record| record.refused.as_ref()) {
        by_cause
            .entry(why.cause.code)
            .or_insert_with(|| (why.clone(), 0))
            .1 += 1;
    }
    let told = by_cause.into_values();
    told.map(|(finding, count)| finding.with("connections", count))
        .collect()
}

/// Clients that do not speak PostgreSQL's protocol, or stopped to.
fn not_postgres(records: &[Record]) -> Option<Finding> {
    let is_strange = |record: &Record| record.conversation.unreadable.is_some();
    let (finding, first) = about(&cause::tap::NOT_POSTGRES, records, is_strange)?;
    let unreadable = first.conversation.unreadable.as_ref()?;
    let mut finding = finding
        .with("from", unreadable.from.as_str())
        .word(
            "who",
            match unreadable.from {
                Side::Client => "The client",
                Side::Server => "The server",
            },
        )
        .with("phase", facts::reached_phase(unreadable.phase));
    if !unreadable.bytes.is_empty() {
        finding = finding.with("bytes", text::clean_bytes(&unreadable.bytes));
    }
    Some(match unreadable.length {
        Some(length) => finding.with("length", length),
        None => finding,
    })
}

/// Requests to cancel statements.
fn cancelled(records: &[Record]) -> Option<Finding> {
    let cancels = |record: &&Record| record.conversation.cancels.is_some();
    let count = records.iter().filter(cancels).count();
    let first = records.iter().find(cancels)?;
    let pid = first.conversation.cancels;
    let own = records.iter().find(|it| it.conversation.backend_pid == pid);
    Some(
        Finding::new(&cause::tap::CANCEL)
            .with("client", own.unwrap_or(first).label())
            .with("requests", count)
            .with("server_pid", pid)
            .with("connection", own.map(|record| record.number)),
    )
}

/// The target as an argument of a command.
fn own_target(target: &Target) -> Vec<String> {
    vec![conninfo::of(target, &target.endpoints[0], &[])]
}
