//! What was seen of the server, as facts.

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::client::pooler::Mode;
use crate::config::{Endpoint, Target, TargetSessionAttrs};
use crate::finding::Composed;
use crate::report::StageRecord;
use crate::text;
use crate::wire::session::Session;

use super::attrs::Nature;
use super::classify::usable_slots;
use super::facts::Facts;
use super::pooler::Seen;

/// Writes down what was seen.
pub(super) fn note(
    record: &mut StageRecord,
    session: &Session,
    facts: &Facts,
    nature: Nature,
    endpoint: &Endpoint,
) {
    let text = |name: &str| facts.text(name).map(str::to_owned);
    let reported = |name: &str| session.parameters.get(name).cloned();
    record.fact(
        "version",
        text("version").or_else(|| reported("server_version")),
    );
    record.fact("server_version", reported("server_version"));
    record.fact(
        "role",
        nature.standby.map(|standby| match standby {
            true => "standby",
            false => "primary",
        }),
    );
    record.fact("in_recovery", nature.standby);
    record.fact("read_only_by_default", nature.read_only_by_default);
    record.fact("read_only", facts.truth("transaction_read_only"));
    for name in [
        "database",
        "session_user",
        "current_user",
        "cluster_name",
        "system_identifier",
    ] {
        record.fact(name, text(name));
    }
    record.fact("superuser", facts.truth("superuser"));
    record.fact("log_hostname", facts.truth("log_hostname"));
    for (name, port) in [
        ("server_address", "server_port"),
        ("client_address", "client_port"),
    ] {
        let port = facts.text(port).unwrap_or_default();
        record.fact(name, text(name).map(|address| format!("{address}:{port}")));
    }
    record.fact(
        "started_at",
        facts.seconds("started").and_then(instant).map(Composed),
    );
    record.fact(
        "tls",
        facts.truth("tls").map(|used| {
            json!({
                "used": used,
                "version": facts.text("tls_version"),
                "cipher": facts.text("tls_cipher"),
            })
        }),
    );
    if facts.truth("tls") == Some(false) && session.wire().tls.is_some() {
        record.fact("tls_ends_before_the_server", true);
    }
    let slots = |used: &str, limit: Option<i64>| {
        json!({
            "used": facts.integer(used),
            "limit": limit.filter(|limit| *limit >= 0),
        })
    };
    if !facts.is_empty() {
        let usable = usable_slots(facts);
        record.fact(
            "connections",
            json!({
                "server": slots("used", facts.integer("max_connections")),
                "role": slots("used_by_role", facts.integer("role_limit")),
                "database": slots("used_by_database", facts.integer("database_limit")),
                "usable": usable,
                "free": usable.zip(facts.integer("used")).map(|(all, used)| (all - used).max(0)),
                "superuser_reserved": facts.integer("superuser_reserved_connections"),
                "reserved": facts.integer("reserved_connections"),
            }),
        );
        let timeouts: serde_json::Map<String, Value> = [
            "statement_timeout",
            "lock_timeout",
            "transaction_timeout",
            "idle_session_timeout",
            "idle_in_transaction_session_timeout",
            "authentication_timeout",
            "tcp_keepalives_idle",
        ]
        .into_iter()
        .map(|name| (name.to_owned(), facts.text(name).into()))
        .collect();
        record.fact("timeouts", timeouts);
    }
    if nature.standby == Some(true) {
        record.fact("replay_lag_s", facts.seconds("replay_lag"));
    }
    let seen = Seen::of(session, facts, endpoint);
    let pooler = seen.as_ref().map(|seen| seen.pooler);
    record.fact("pooler", seen.is_some());
    record.fact("pooler_seen_by", seen.as_ref().map(|seen| seen.sign));
    let product = pooler.and_then(|pooler| pooler.product);
    record.fact("pooler_name", product.map(|product| product.name));
    let mode = pooler.and_then(|pooler| pooler.mode);
    record.fact("pooler_mode", mode.map(Mode::as_str));
}

/// Seconds since 1970 as RFC 3339, to the millisecond.
fn instant(seconds: f64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp_nanos((seconds * 1e3).round() as i128 * 1_000_000)
        .ok()?
        .format(&time::format_description::well_known::Rfc3339)
        .ok()
}

/// The server in one line.
pub(super) fn summary(session: &Session, facts: &Facts, nature: Nature, target: &Target) -> String {
    let mut parts = Vec::new();
    match session.parameters.get("server_version") {
        Some(version) => parts.push(format!("PostgreSQL {}", text::clean(version))),
        None => parts.push("server of unknown version".to_owned()),
    }
    match nature.standby {
        Some(true) => parts.push("standby".to_owned()),
        Some(false) => parts.push("primary".to_owned()),
        None => {}
    }
    if let (Some(used), Some(limit)) = (facts.integer("used"), usable_slots(facts)) {
        parts.push(format!("{used} of {limit} slots taken"));
    }
    let summary = parts.join(", ");
    match nature.standby == Some(true) && takes_any_role(target) {
        true => format!(
            "{summary}; to require a primary: target_session_attrs=read-write or --expect-role primary"
        ),
        false => summary,
    }
}

/// Whether nothing says which role the server must have.
fn takes_any_role(target: &Target) -> bool {
    target.session_attrs == TargetSessionAttrs::Any
        && target.guards.role.is_none()
        && target.replication_mode().is_none()
}
