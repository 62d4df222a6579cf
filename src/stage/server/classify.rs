//! What deserves a word although the session works, and the guards.

use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

use crate::cause::server;
use crate::config::{Guards, ServerRole};
use crate::ctx::Ctx;
use crate::report::StageRecord;
use crate::stage::Verdict;
use crate::text::moment::span;
use crate::wire::session::Session;

use super::facts::Facts;
use super::read_only::Setting;
use super::slots::{self, Limit};
use super::{Looked, versions};

/// The share of the slots over which we warn.
const NEARLY_ALL: f64 = 0.9;
/// The difference of clocks over which we warn, in seconds.
const CLOCKS_APART: f64 = 30.0;

impl Looked<'_> {
    /// Every limit that a new session of this role would meet, and who holds the
    /// sessions. A role that may use reserved slots is told of those of the others
    /// too: it may be the only one that still gets in.
    pub(super) async fn warn_of_limits(
        &self,
        session: &mut Session,
        facts: &Facts,
        ctx: &Ctx,
        record: &mut StageRecord,
    ) {
        let superuser = facts.truth("superuser") == Some(true);
        let used = facts.integer("used");
        let (usable, ordinary) = (usable_slots(facts), ordinary_slots(facts));
        let is_near = |used: Option<i64>, limit: Option<i64>| {
            let (used, limit) = (used?, limit?);
            // Our own session alone is no crowd.
            let near = limit > 0 && used > 1 && used as f64 > limit as f64 * NEARLY_ALL;
            near.then_some((used, limit))
        };
        let others = ordinary.filter(|_| ordinary < usable && is_near(used, usable).is_none());
        let limits = [
            (
                Limit::Server,
                used,
                usable,
                "available to this role on the server",
            ),
            (
                Limit::Server,
                used.min(others),
                others,
                "open to ordinary roles (this role is allowed to use reserved ones)",
            ),
            (
                Limit::Role,
                facts.integer("used_by_role"),
                // Superusers are exempt from the limits of roles and databases.
                facts.integer("role_limit").filter(|_| !superuser),
                "of this role",
            ),
            (
                Limit::Database,
                facts.integer("used_by_database"),
                facts.integer("database_limit").filter(|_| !superuser),
                "of this database",
            ),
        ];
        for (kind, used, limit, of) in limits {
            if let Some((used, limit)) = is_near(used, limit) {
                let finding = self
                    .finding(&server::CONNECTIONS_NEAR_LIMIT)
                    .with("used", used)
                    .with("limit", limit)
                    .with("of", of);
                record.warn(slots::explain(finding, kind, self, session, ctx).await);
            }
        }
    }

    pub(super) fn warn_of_age(&self, record: &mut StageRecord, facts: &Facts) {
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
                    .with("version", short.to_owned())
                    .with("since", since.to_string()),
            );
        }
    }

    pub(super) fn warn_of_clock(
        &self,
        record: &mut StageRecord,
        facts: &Facts,
        asked: SystemTime,
        answered: SystemTime,
    ) {
        let Some(theirs) = facts.seconds("clock") else {
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
                    .with(
                        "difference",
                        span(time::Duration::seconds(offset.abs().round() as i64)),
                    )
                    .with(
                        "direction",
                        if offset > 0.0 { "ahead of" } else { "behind" },
                    ),
            );
        }
    }

    /// The `--expect-…` guards. What cannot be told is not what was expected.
    pub(super) fn guard(&self, facts: &Facts) -> Verdict<()> {
        let Guards {
            not_host: _, // judged before there was a connection
            database,
            role,
            server_version,
            cluster_name,
            writable,
            thresholds: _, // judged when the run is over
        } = &self.target.guards;
        // What is reported at start-up does not count: it may be a pooler's
        // memory of another server, or the pooler's own.
        let version = facts.integer("version_num").map(versions::major);
        let is = facts.truth("in_recovery").map(|standby| match standby {
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
                "database",
                database.clone(),
                facts.text("database").map(str::to_owned),
            ),
            (
                "--expect-role",
                "",
                role.map(|role| role_name(role).to_owned()),
                is.map(|role| role_name(role).to_owned()),
            ),
            (
                "--expect-server-version",
                "version",
                server_version.map(|major| major.to_string()),
                version.map(|major| major.to_string()),
            ),
            (
                "--expect-cluster-name",
                "cluster name",
                cluster_name.clone(),
                facts.text("cluster_name").map(str::to_owned),
            ),
            (
                "--expect-writable",
                "",
                writable.then(|| WRITABLE.to_owned()),
                writability(facts).map(str::to_owned),
            ),
        ];
        for (guard, what, expected, actual) in checks {
            let Some(expected) = expected else { continue };
            if actual.as_ref() != Some(&expected) {
                let actual = match actual {
                    Some(name) if name.is_empty() => "(none)".to_owned(),
                    Some(name) => name,
                    None => unknown(),
                };
                let here = self.endpoint.label();
                let (rule, found) = match what {
                    "" => (
                        format!("requires {expected}"),
                        format!("the server at {here} is {actual}"),
                    ),
                    what => (
                        format!("requires {what} {expected}"),
                        format!("the server at {here} reports {what} {actual}"),
                    ),
                };
                let setting = Setting::of(facts).filter(|_| guard == "--expect-writable");
                if let Some(setting) = setting {
                    let finding = self
                        .finding(&server::READ_ONLY_SETTING)
                        .with("guard", guard);
                    return Err(setting.explain(finding, self.target));
                }
                return Err(self
                    .finding(&server::WRONG_IDENTITY)
                    .with("guard", guard)
                    .with("rule", rule)
                    .with("found", found)
                    .with("expected", expected)
                    .with("actual", actual)
                    .word("side", self.side_wanted(guard)));
            }
        }
        Ok(())
    }
}

impl Looked<'_> {
    /// Which of a cluster's addresses leads to a server that this guard allows,
    /// where the guard is about that.
    fn side_wanted(&self, guard: &str) -> Option<&'static str> {
        match (guard, self.target.guards.role) {
            ("--expect-writable", _) | ("--expect-role", Some(ServerRole::Primary)) => {
                Some("read-write")
            }
            ("--expect-role", Some(ServerRole::Standby)) => Some("read-only"),
            _ => None,
        }
    }
}

/// What answers where this session may write.
const WRITABLE: &str = "a server that takes writes";

/// Whether this session may write, in words; `None` where a part of it is not
/// known.
fn writability(facts: &Facts) -> Option<&'static str> {
    let on = |name| facts.truth(name);
    Some(match on("in_recovery")? {
        true => "a standby, which takes no writes",
        false if on("default_transaction_read_only")? => {
            "read-only (default_transaction_read_only is on)"
        }
        false if on("transaction_read_only")? => "read-only (transaction_read_only is on)",
        false => WRITABLE,
    })
}

/// The slots that a session of this role may take.
pub(super) fn usable_slots(facts: &Facts) -> Option<i64> {
    if facts.truth("superuser") == Some(true) {
        return facts.integer("max_connections");
    }
    let ordinary = ordinary_slots(facts)?;
    Some(match facts.truth("may_use_reserved") {
        Some(true) => ordinary.saturating_add(facts.integer("reserved_connections").unwrap_or(0)),
        _ => ordinary,
    })
}

/// The slots that a session of any role may take. From 16 on some are kept for
/// members of a role, and always some for superusers.
fn ordinary_slots(facts: &Facts) -> Option<i64> {
    let kept = |name| facts.integer(name).unwrap_or(0);
    let all = facts.integer("max_connections")?;
    let reserved =
        kept("superuser_reserved_connections").saturating_add(kept("reserved_connections"));
    Some(all.saturating_sub(reserved))
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

fn epoch(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::super::facts;
    use super::*;

    #[test]
    fn what_is_not_known_is_not_writable() {
        let judged = |recovery, default, now| {
            writability(&facts::with(&[
                ("in_recovery", recovery),
                ("default_transaction_read_only", default),
                ("transaction_read_only", now),
            ]))
        };
        assert_eq!(judged("f", "off", "off"), Some(WRITABLE));
        for (recovery, default, now) in [
            ("t", "off", "on"),
            ("t", "off", "off"),
            ("f", "on", "off"),
            ("f", "off", "on"),
            // Neither yes nor no.
            ("", "off", "off"),
            ("f", "maybe", "off"),
            ("f", "off", "0"),
        ] {
            assert_ne!(judged(recovery, default, now), Some(WRITABLE));
        }
        assert_eq!(writability(&Facts::default()), None);
    }
}
