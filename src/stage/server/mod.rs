//! `server`: the state and the limits of the server that answered.
//!
//! Proves that the session works and leads to a server of the kind that is
//! wanted. Its facts come from one query; a server that cannot answer it (an
//! odd make, a replication session, a pooler's console) still passes.

mod attrs;
mod facts;
mod stall;
mod versions;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::cause::{pooler, protocol, server};
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::report::StageRecord;
use crate::stage::Verdict;
use crate::stage::auth::{
    self,
    speaker::{self, Speaker},
};
use crate::target::{Endpoint, Guards, ServerRole, Target, TargetSessionAttrs};
use crate::wire::server_error::ServerError;
use crate::wire::session::{QueryError, Session};

use attrs::Nature;
use facts::Facts;

/// The share of the slots over which we warn.
const NEARLY_ALL: f64 = 0.9;
/// The difference of clocks over which we warn, in seconds.
const CLOCKS_APART: f64 = 30.0;
/// Linux gives no process a higher number than this (`PID_MAX_LIMIT`).
const HIGHEST_PID: i32 = 1 << 22;

/// Asks for the server's facts in one query, and checks
/// `target_session_attrs` and the guards on them.
pub async fn probe(
    session: &mut Session,
    target: &Target,
    endpoint: &Endpoint,
    ctx: &Ctx,
    record: &mut StageRecord,
) -> Verdict<()> {
    let looked = Looked {
        target,
        endpoint,
        pooler: pooler_by_key(session),
    };
    let asked = SystemTime::now();
    let facts = looked.facts(session, ctx, record).await?;
    let answered = SystemTime::now();
    let nature = looked.nature(session, &facts, ctx).await?;

    note(record, session, &facts, nature);
    looked.warn_of_limits(record, &facts);
    looked.warn_of_age(record, &facts);
    looked.warn_of_clock(record, &facts, asked, answered);
    looked.guard(&facts, session, nature)?;
    record.summary = summary(session, &facts, nature);
    Ok(())
}

/// What every finding here is about.
struct Looked<'a> {
    target: &'a Target,
    endpoint: &'a Endpoint,
    pooler: Option<&'static str>,
}

impl Looked<'_> {
    fn finding(&self, cause: &'static crate::cause::Cause) -> Finding {
        let host = match self.endpoint.host.as_str() {
            "" => self.endpoint.label(),
            host => host.to_owned(),
        };
        Finding::new(cause)
            .with("endpoint", self.endpoint.label())
            .with("host", host)
            .with("port", self.endpoint.port)
            .with("user", self.target.user.as_str())
            .with("database", self.target.dbname.as_str())
            .with("pooler", self.pooler)
    }

    /// Sends the query. An error that does not end the session is a fact: the
    /// server may be of another make, or the session of another kind.
    async fn facts(
        &self,
        session: &mut Session,
        ctx: &Ctx,
        record: &mut StageRecord,
    ) -> Verdict<Facts> {
        if is_console(session) {
            record.fact("console", true);
            return Ok(Facts::default());
        }
        let error = match session.simple_query(&Facts::query(), ctx).await {
            Ok(rows) => return Ok(rows.first().map(Facts::of_row).unwrap_or_default()),
            Err(error) => error,
        };
        record.fact("facts_error", error.to_string());
        match error {
            QueryError::Server(said) if !ends_session(&said) => {
                match session.simple_query("SELECT 1", ctx).await {
                    // It answers, in whatever way.
                    Ok(_) => Ok(Facts::default()),
                    Err(QueryError::Server(said)) if !ends_session(&said) && !is_lack(&said) => {
                        Ok(Facts::default())
                    }
                    Err(error) => Err(self.unanswered(error, session, ctx)),
                }
            }
            // A missing process id alone does not make a pooler: it is asked.
            QueryError::Late if self.pooler.is_none() || self.pooler == Some(NO_PROCESS_ID) => {
                let route = session.wire().route.clone();
                let encrypted = session.wire().tls.is_some();
                match stall::look(&route, encrypted, self.target, self.endpoint, ctx).await {
                    // Only this query is slow here.
                    stall::Seen::Works => Ok(Facts::default()),
                    stall::Seen::Stalls => Err(self
                        .finding(&protocol::STALL)
                        .with("timeout_ms", ms(ctx.timeout))
                        .with("how", "small messages pass, larger ones do not")
                        .with("error", "small messages pass, larger ones do not")
                        .then_next_host()),
                    stall::Seen::Unknown => {
                        let speaker =
                            speaker::ask(&route, encrypted, self.target, self.endpoint, ctx).await;
                        let pooler = (speaker == Some(Speaker::Pooler))
                            .then_some("a start-up message without a role");
                        let looked = Looked { pooler, ..*self };
                        Err(looked.unanswered(QueryError::Late, session, ctx))
                    }
                }
            }
            other => Err(self.unanswered(other, session, ctx)),
        }
    }

    /// The session ended, or does not answer.
    fn unanswered(&self, error: QueryError, session: &Session, ctx: &Ctx) -> Finding {
        match error {
            QueryError::Server(said) => {
                auth::session_error(&said, self.target, self.endpoint, session)
            }
            QueryError::Late => match self.pooler {
                Some(_) => self
                    .finding(&pooler::WAIT)
                    .with("error", "the query was not answered"),
                None => self
                    .finding(&server::TIMEOUT)
                    .with("how", "the query was not answered"),
            }
            .with("timeout_ms", ms(ctx.timeout)),
            other => self
                .finding(&server::UNCLASSIFIED)
                .with("error", format!("after the login, {other}")),
        }
    }

    /// Checks `target_session_attrs`; libpq goes on to the next host where it
    /// is not met or cannot be told.
    async fn nature(&self, session: &mut Session, facts: &Facts, ctx: &Ctx) -> Verdict<Nature> {
        let wanted = self.target.session_attrs;
        let mut nature = Nature::reported(session);
        if attrs::met(wanted, nature).is_none() {
            nature = match attrs::ask(wanted, session, ctx).await {
                Ok(nature) => nature,
                Err(error) => {
                    return Err(self
                        .finding(&server::READ_ONLY)
                        .with("wanted", wanted.as_str())
                        .with("actual", "of unknown kind")
                        .with("error", error.to_string())
                        .then_next_host());
                }
            };
        }
        if attrs::met(wanted, nature) == Some(false) {
            return Err(self
                .finding(&server::READ_ONLY)
                .with("wanted", wanted.as_str())
                .with("actual", nature.describe())
                .retryable(wanted != TargetSessionAttrs::Any)
                .then_next_host());
        }
        nature.standby = nature.standby.or(facts.truth("in_recovery"));
        nature.read_only_by_default = nature
            .read_only_by_default
            .or(facts.truth("default_transaction_read_only"));
        Ok(nature)
    }

    /// Every limit that a new session of this role would meet.
    fn warn_of_limits(&self, record: &mut StageRecord, facts: &Facts) {
        let superuser = facts.truth("superuser") == Some(true);
        let limits = [
            (
                facts.integer("used"),
                usable_slots(facts),
                "for this role on the server",
            ),
            (
                facts.integer("used_by_role"),
                // Superusers are exempt from the limits of roles and databases.
                facts.integer("role_limit").filter(|_| !superuser),
                "of this role",
            ),
            (
                facts.integer("used_by_database"),
                facts.integer("database_limit").filter(|_| !superuser),
                "of this database",
            ),
        ];
        for (used, limit, of) in limits {
            let (Some(used), Some(limit)) = (used, limit) else {
                continue;
            };
            // Our own session alone is no crowd.
            if limit > 0 && used > 1 && used as f64 > limit as f64 * NEARLY_ALL {
                record.warn(
                    self.finding(&server::CONNECTIONS_NEAR_LIMIT)
                        .with("used", used)
                        .with("limit", limit)
                        .with("of", of),
                );
            }
        }
    }

    fn warn_of_age(&self, record: &mut StageRecord, facts: &Facts) {
        // Other makes have versions of their own, and their own support.
        let Some(version) = facts.text("version").filter(|v| is_postgresql(v)) else {
            return;
        };
        let Some(number) = facts.integer("version_num") else {
            return;
        };
        if let Some(since) = versions::unsupported_since(number, OffsetDateTime::now_utc().date()) {
            let short = version.split_whitespace().nth(1).unwrap_or_default();
            record.warn(
                self.finding(&server::OLD)
                    .with("version", short)
                    .with("since", since.to_string()),
            );
        }
    }

    fn warn_of_clock(
        &self,
        record: &mut StageRecord,
        facts: &Facts,
        asked: SystemTime,
        answered: SystemTime,
    ) {
        let Some(theirs) = facts.number("clock") else {
            return;
        };
        let (before, after) = (epoch(asked), epoch(answered));
        // Somewhere in between the server looked at its clock.
        let offset = if theirs < before {
            theirs - before
        } else if theirs > after {
            theirs - after
        } else {
            0.0
        };
        record.fact("clock_offset_s", (offset * 1e3).round() / 1e3);
        if offset.abs() > CLOCKS_APART {
            record.warn(
                self.finding(&server::CLOCK)
                    .with("offset_s", offset.abs().round() as i64)
                    .with("direction", if offset > 0.0 { "ahead" } else { "behind" }),
            );
        }
    }

    /// The `--expect-…` guards. What cannot be told is not what was expected.
    fn guard(&self, facts: &Facts, session: &Session, nature: Nature) -> Verdict<()> {
        let Guards {
            database,
            role,
            server_version,
            cluster_name,
        } = &self.target.guards;
        let version = facts
            .integer("version_num")
            .map(versions::major)
            .or_else(|| reported_major(session));
        let is = nature.standby.map(|standby| match standby {
            true => ServerRole::Standby,
            false => ServerRole::Primary,
        });
        let unknown = || "unknown".to_owned();
        let role_name = |role: ServerRole| match role {
            ServerRole::Primary => "a primary",
            ServerRole::Standby => "a standby",
        };
        let checks = [
            (
                "--expect-database",
                database.clone(),
                facts.text("database").map(str::to_owned),
            ),
            (
                "--expect-role",
                role.map(|role| role_name(role).to_owned()),
                is.map(|role| role_name(role).to_owned()),
            ),
            (
                "--expect-server-version",
                server_version.map(|major| major.to_string()),
                version.map(|major| major.to_string()),
            ),
            (
                "--expect-cluster-name",
                cluster_name.clone(),
                facts.text("cluster_name").map(str::to_owned),
            ),
        ];
        for (guard, expected, actual) in checks {
            let Some(expected) = expected else { continue };
            if actual.as_ref() != Some(&expected) {
                let actual = match actual {
                    Some(name) if name.is_empty() => "without a name".to_owned(),
                    Some(name) => name,
                    None => unknown(),
                };
                return Err(self
                    .finding(&server::WRONG_IDENTITY)
                    .with("guard", guard)
                    .with("expected", expected)
                    .with("actual", actual));
            }
        }
        Ok(())
    }
}

/// Whether an error is the session's last word.
fn ends_session(error: &ServerError) -> bool {
    matches!(error.severity.as_str(), "FATAL" | "PANIC")
}

/// Whether the server lacks something it needs to work.
fn is_lack(error: &ServerError) -> bool {
    error.code.starts_with("53") || error.code.starts_with("58")
}

/// Whether this is PgBouncer's console, which takes no SQL.
fn is_console(session: &Session) -> bool {
    session
        .parameters
        .get("server_version")
        .is_some_and(|version| version.contains("bouncer"))
}

/// The weakest sign of a pooler; a stranger server may lack the key as well.
const NO_PROCESS_ID: &str = "the session has no process id";

/// A pooler makes up the number that it gives as process id.
fn pooler_by_key(session: &Session) -> Option<&'static str> {
    if is_console(session) {
        return Some("PgBouncer's console");
    }
    match session.backend_pid {
        Some(pid) if (1..=HIGHEST_PID).contains(&pid) => None,
        Some(_) => Some("the session's process id is not one of a process"),
        None => Some(NO_PROCESS_ID),
    }
}

/// The slots that a session of this role may take. From 16 on some are kept
/// for members of a role, and always some for superusers.
fn usable_slots(facts: &Facts) -> Option<i64> {
    let all = facts.integer("max_connections")?;
    if facts.truth("superuser") == Some(true) {
        return Some(all);
    }
    let for_superusers = facts.integer("superuser_reserved_connections").unwrap_or(0);
    let kept = match facts.truth("may_use_reserved") {
        Some(true) => 0,
        _ => facts.integer("reserved_connections").unwrap_or(0),
    };
    Some(all - for_superusers - kept)
}

/// Whether `version()` is that of PostgreSQL itself and not of a relative.
fn is_postgresql(version: &str) -> bool {
    version.starts_with("PostgreSQL ")
        && ![
            "Redshift",
            "Greenplum",
            "-YB-",
            "Cloudberry",
            "EnterpriseDB",
        ]
        .iter()
        .any(|other| version.contains(other))
}

/// The major version from the parameter that every server reports.
fn reported_major(session: &Session) -> Option<u32> {
    session
        .parameters
        .get("server_version")?
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

fn epoch(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

fn ms(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

/// Writes down what was seen.
fn note(record: &mut StageRecord, session: &Session, facts: &Facts, nature: Nature) {
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
    for name in ["database", "session_user", "current_user", "cluster_name"] {
        record.fact(name, text(name));
    }
    record.fact("superuser", facts.truth("superuser"));
    record.fact(
        "server_address",
        facts.text("server_address").map(|address| {
            format!(
                "{address}:{}",
                facts.text("server_port").unwrap_or_default()
            )
        }),
    );
    record.fact(
        "client_address",
        facts.text("client_address").map(|address| {
            format!(
                "{address}:{}",
                facts.text("client_port").unwrap_or_default()
            )
        }),
    );
    record.fact("started_at", facts.number("started").and_then(instant));
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
        record.fact("replay_lag_s", facts.number("replay_lag"));
    }
    let other_pid = facts
        .integer("pid")
        .zip(session.backend_pid)
        .is_some_and(|(theirs, ours)| theirs != i64::from(ours));
    let pooler = if other_pid {
        Some("the session's process id is another than the server's own")
    } else {
        pooler_by_key(session)
    };
    record.fact("pooler", pooler.is_some());
    record.fact("pooler_seen_by", pooler);
}

/// Seconds since 1970 as RFC 3339.
fn instant(seconds: f64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(seconds as i64)
        .ok()?
        .format(&time::format_description::well_known::Rfc3339)
        .ok()
}

fn summary(session: &Session, facts: &Facts, nature: Nature) -> String {
    let mut parts = Vec::new();
    match session.parameters.get("server_version") {
        Some(version) => parts.push(format!("PostgreSQL {version}")),
        None => parts.push("a server of unknown version".to_owned()),
    }
    match nature.standby {
        Some(true) => parts.push("standby".to_owned()),
        Some(false) => parts.push("primary".to_owned()),
        None => {}
    }
    if let (Some(used), Some(limit)) = (facts.integer("used"), usable_slots(facts)) {
        parts.push(format!("{used} of {limit} slots taken"));
    }
    parts.join(", ")
}
