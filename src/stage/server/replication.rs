//! Replication as a purpose: whether what the target's `replication` is for
//! would work on this server. Nothing is created to find out.

use serde_json::json;

use crate::cause::{pooler, server};
use crate::config::Replication;
use crate::ctx::Ctx;
use crate::report::StageRecord;
use crate::wire::session::{QueryError, Row, Session};

use super::Looked;
use super::attrs::Nature;
use super::facts::Facts;
use super::versions;

/// From this major version on a standby decodes its log.
const STANDBY_DECODES: u32 = 16;
/// From this major version on `replica` is enough: the level rises with the
/// first logical slot (`effective_wal_level`).
const LEVEL_RISES: u32 = 19;

/// `ERRCODE_SYNTAX_ERROR`.
const SYNTAX_ERROR: &str = "42601";

/// One query for a session that takes SQL, in the order of [`State::of_row`].
const QUERY: &str = "SELECT pg_catalog.current_setting('wal_level'), \
     pg_catalog.current_setting('max_wal_senders'), \
     pg_catalog.current_setting('max_replication_slots'), \
     (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_get_wal_senders()), \
     (SELECT pg_catalog.count(*) FROM pg_catalog.pg_get_replication_slots()), \
     (SELECT pg_catalog.count(*) FROM pg_catalog.pg_get_replication_slots() s WHERE NOT s.active)";

/// The settings alone, which a physical walsender shows too, from version 10 on.
const SETTINGS: [&str; 3] = [
    "SHOW wal_level",
    "SHOW max_wal_senders",
    "SHOW max_replication_slots",
];

/// What the session is for, and whether it is of that kind.
#[derive(Clone, Copy, Debug)]
pub struct Purpose {
    mode: Replication,
    /// `None` where the answer did not tell.
    is_walsender: Option<bool>,
}

impl Purpose {
    /// None for a target that does not ask for replication. A session that is
    /// no walsender, as behind a pooler that drops the parameter, has no
    /// command of this name.
    pub async fn of(mode: Option<Replication>, session: &mut Session, ctx: &Ctx) -> Option<Self> {
        let mode = mode?;
        let is_walsender = match session.simple_query("IDENTIFY_SYSTEM", ctx).await {
            Ok(_) => Some(true),
            Err(QueryError::Server(error)) if error.code == SYNTAX_ERROR => Some(false),
            Err(_) => None,
        };
        Some(Self { mode, is_walsender })
    }

    /// Whether the session has answered and takes no SQL.
    pub fn is_physical(&self) -> bool {
        self.mode == Replication::Physical && self.is_walsender == Some(true)
    }
}

/// What replication needs of the server; what is not known is `None`.
#[derive(Debug, Default, PartialEq, Eq)]
struct State {
    wal_level: Option<String>,
    max_senders: Option<i64>,
    max_slots: Option<i64>,
    senders: Option<i64>,
    slots: Option<i64>,
    inactive: Option<i64>,
}

impl State {
    /// Asks in one query where the session takes SQL, else setting by setting.
    async fn ask(mode: Replication, session: &mut Session, ctx: &Ctx) -> Self {
        if mode == Replication::Logical
            && let Ok(rows) = session.simple_query(QUERY, ctx).await
            && let Some(row) = rows.first()
        {
            return Self::of_row(row);
        }
        let mut row = Row::new();
        for show in SETTINGS {
            match session.simple_query(show, ctx).await {
                Ok(rows) => row.push(
                    rows.into_iter()
                        .next()
                        .and_then(|row| row.into_iter().next()?),
                ),
                Err(QueryError::Server(_)) => row.push(None),
                // It will not answer the next one either.
                Err(_) => break,
            }
        }
        Self::of_row(&row)
    }

    fn of_row(row: &Row) -> Self {
        let text = |at: usize| row.get(at).cloned().flatten();
        let number = |at: usize| text(at)?.parse().ok();
        Self {
            wal_level: text(0),
            max_senders: number(1),
            max_slots: number(2),
            senders: number(3),
            slots: number(4),
            inactive: number(5),
        }
    }

    /// Whether no further slot can be created.
    fn has_no_slot(&self) -> bool {
        match (self.slots, self.max_slots) {
            (_, Some(0)) => true,
            (Some(used), Some(max)) => used >= max,
            _ => false,
        }
    }
}

impl Looked<'_> {
    /// Notes what replication needs, and warns of what would be refused later.
    pub(super) async fn replication(
        &self,
        Purpose { mode, is_walsender }: Purpose,
        facts: &Facts,
        nature: Nature,
        session: &mut Session,
        ctx: &Ctx,
        record: &mut StageRecord,
    ) {
        let state = State::ask(mode, session, ctx).await;
        record.fact(
            "replication",
            json!({
                "mode": mode.name(),
                "walsender": is_walsender,
                "wal_level": state.wal_level,
                "senders": { "used": state.senders, "max": state.max_senders },
                "slots": {
                    "used": state.slots,
                    "inactive": state.inactive,
                    "max": state.max_slots,
                },
                // The server lets no other role start one.
                "role_may": is_walsender.filter(|is| *is),
            }),
        );
        let finding = |cause| {
            self.finding(cause)
                .with("replication", self.target.replication.clone())
        };
        if is_walsender == Some(false) {
            record.warn(finding(&pooler::REPLICATION));
            return;
        }
        let logical = mode == Replication::Logical;
        let version = facts.integer("version_num").map(versions::major);
        if let Some(level) = state.wal_level.as_ref().filter(|level| *level != "logical")
            && logical
            && version.is_none_or(|version| version < LEVEL_RISES)
        {
            record.warn(finding(&server::REPLICATION_WAL_LEVEL).with("wal_level", level.clone()));
        }
        if logical
            && nature.standby == Some(true)
            && let Some(version) = version.filter(|version| *version < STANDBY_DECODES)
        {
            record.warn(finding(&server::REPLICATION_STANDBY).with("version", u64::from(version)));
        }
        if state.has_no_slot() {
            record.warn(
                finding(&server::REPLICATION_SLOTS)
                    .with("slots", state.slots)
                    .with("max_slots", state.max_slots)
                    .with("inactive", state.inactive),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(values: &[&str]) -> State {
        State::of_row(
            &values
                .iter()
                .map(|value| Some((*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn slots_are_free_unless_it_is_known_that_they_are_not() {
        assert!(state(&["logical", "10", "2", "1", "2", "1"]).has_no_slot());
        assert!(!state(&["logical", "10", "3", "1", "2", "1"]).has_no_slot());
        assert!(state(&["replica", "10", "0"]).has_no_slot());
        assert!(!state(&["replica", "10", "10"]).has_no_slot());
        assert!(!state(&[]).has_no_slot());
        assert_eq!(state(&["replica", "many"]).max_senders, None);
    }
}
