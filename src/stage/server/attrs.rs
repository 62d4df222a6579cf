//! `target_session_attrs`, judged as libpq does (`CONNECTION_CHECK_TARGET`):
//! by what the server reports at start-up, from version 14 on, else by asking.

use crate::config::TargetSessionAttrs;
use crate::ctx::Ctx;
use crate::wire::session::{QueryError, Session};

/// What a server is, as far as `target_session_attrs` cares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nature {
    /// Whether sessions are read-only by default.
    pub read_only_by_default: Option<bool>,
    /// Whether it is in recovery.
    pub standby: Option<bool>,
}

impl Nature {
    /// What the server reported at start-up.
    pub fn reported(session: &Session) -> Self {
        let flag = |name: &str| session.parameters.get(name).map(|value| value == "on");
        Self {
            read_only_by_default: flag("default_transaction_read_only"),
            standby: flag("in_hot_standby"),
        }
    }

    /// How the session is called in a sentence.
    pub fn describe(self) -> &'static str {
        match (self.standby, self.read_only_by_default) {
            (Some(true), _) => "on a standby, read-only",
            (Some(false), Some(true)) => "on a primary whose sessions are read-only by default",
            (Some(false), _) => "on a primary, read-write",
            (None, Some(true)) => "read-only",
            (None, Some(false)) => "read-write",
            (None, None) => "of unknown kind",
        }
    }
}

/// Whether a server of this nature will do; `None` where that is not known.
pub fn met(wanted: TargetSessionAttrs, nature: Nature) -> Option<bool> {
    let read_only = || Some(nature.read_only_by_default? || nature.standby?);
    match wanted {
        // The second pass of `prefer-standby` takes any server.
        TargetSessionAttrs::Any | TargetSessionAttrs::PreferStandby => Some(true),
        TargetSessionAttrs::ReadWrite => read_only().map(|read_only| !read_only),
        TargetSessionAttrs::ReadOnly => read_only(),
        TargetSessionAttrs::Primary => nature.standby.map(|standby| !standby),
        TargetSessionAttrs::Standby => nature.standby,
    }
}

/// Asks what was not reported, with libpq's own queries.
pub async fn ask(
    wanted: TargetSessionAttrs,
    session: &mut Session,
    ctx: &Ctx,
) -> Result<Nature, QueryError> {
    let mut nature = Nature::reported(session);
    match wanted {
        TargetSessionAttrs::ReadWrite | TargetSessionAttrs::ReadOnly
            if nature.read_only_by_default.is_none() || nature.standby.is_none() =>
        {
            let on = first(session, "SHOW transaction_read_only", ctx).await?;
            let read_only = on.as_deref().map(|value| value.starts_with("on"));
            nature.read_only_by_default = read_only;
            nature.standby = read_only;
        }
        TargetSessionAttrs::Primary | TargetSessionAttrs::Standby if nature.standby.is_none() => {
            let recovery = first(session, "SELECT pg_catalog.pg_is_in_recovery()", ctx).await?;
            nature.standby = recovery.as_deref().map(|value| value.starts_with('t'));
        }
        _ => {}
    }
    Ok(nature)
}

async fn first(session: &mut Session, sql: &str, ctx: &Ctx) -> Result<Option<String>, QueryError> {
    let rows = session.simple_query(sql, ctx).await?;
    Ok(rows
        .into_iter()
        .next()
        .and_then(|row| row.into_iter().next()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use TargetSessionAttrs::*;

    #[test]
    fn a_standby_is_read_only_and_a_primary_may_be() {
        let nature = |read_only, standby| Nature {
            read_only_by_default: Some(read_only),
            standby: Some(standby),
        };
        for (nature, read_write, read_only, primary, standby) in [
            (nature(false, false), true, false, true, false),
            (nature(true, false), false, true, true, false),
            (nature(false, true), false, true, false, true),
        ] {
            assert_eq!(met(ReadWrite, nature), Some(read_write));
            assert_eq!(met(ReadOnly, nature), Some(read_only));
            assert_eq!(met(Primary, nature), Some(primary));
            assert_eq!(met(Standby, nature), Some(standby));
            assert_eq!(met(Any, nature), Some(true));
        }
        assert_eq!(met(Standby, Nature::default()), None);
    }
}
