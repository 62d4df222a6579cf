//! Who holds the connection slots. Asked for only where they run out, since it
//! costs a round trip.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::config::conninfo;
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::text::moment::span;
use crate::wire::Route;
use crate::wire::session::{Row, Session};

use super::Looked;
use super::facts::CLIENTS;

/// How many groups of sessions the server is asked for.
const MOST_GROUPS: usize = 1_000;

/// How many groups are shown.
const SHOWN: usize = 5;

/// The longest name that PostgreSQL keeps, in bytes (`NAMEDATALEN`).
const LONGEST_NAME: usize = 63;

/// A server at its limit may be slow; the summary is not worth a long wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// Less than this part of the sessions is not worth a fix.
const MUCH: i64 = 5;

/// From this age on even a few sessions that are idle in transaction are leaked.
const LEAKED_S: i64 = 60;

/// All sessions in groups.
const BREAKDOWN: &str = "select usename, application_name, client_addr, state, count(*), max(now() - state_change) from pg_stat_activity group by 1, 2, 3, 4 order by 5 desc";

/// The sessions that are idle in transaction, the longest first.
const IDLE_IN_TRANSACTION: &str = "select pid, usename, application_name, client_addr, now() - state_change as idle_for from pg_stat_activity where state like 'idle in transaction%' order by state_change";

/// What dbdoctor calls itself where the target names no application.
const OURS: &str = "dbdoctor";

/// Ends its sessions.
const END_OURS: &str = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'dbdoctor' and state = 'idle'";

/// The statements that run, the longest first.
const ACTIVE: &str = "select pid, usename, application_name, wait_event_type, wait_event, now() - query_start as running_for, pg_blocking_pids(pid) from pg_stat_activity where state = 'active' order by query_start";

/// The sessions that count towards a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// All of the server's.
    Server,
    /// Those of the role that logged in.
    Role,
    /// Those on the same database.
    Database,
}

impl Limit {
    fn condition(self) -> &'static str {
        match self {
            Limit::Server => "true",
            Limit::Role => "a.usename OPERATOR(pg_catalog.=) session_user",
            Limit::Database => "a.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()",
        }
    }
}

/// Sessions that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    role: Option<String>,
    application: Option<String>,
    /// The client's address; none for a unix socket.
    address: Option<String>,
    /// None while a session starts, and where it is hidden.
    state: Option<String>,
    /// Whether the server hides address, state and age from this role.
    hidden: bool,
    sessions: i64,
    /// How long the longest has been in this state, in seconds.
    oldest_s: Option<i64>,
}

impl Group {
    fn of_row(row: &Row) -> Option<Self> {
        let [
            role,
            application,
            address,
            state,
            hidden,
            sessions,
            oldest_ms,
        ] = row.as_slice()
        else {
            return None;
        };
        let oldest_ms = oldest_ms.as_ref().and_then(|ms| ms.parse::<i64>().ok());
        Some(Self {
            role: name(role),
            application: name(application),
            address: name(address),
            state: name(state),
            hidden: hidden.as_deref() == Some("t"),
            sessions: sessions.as_ref()?.parse().ok()?,
            oldest_s: oldest_ms.map(|ms| (ms / 1_000).max(0)),
        })
    }

    fn is_idle(&self) -> bool {
        self.state.as_deref() == Some("idle")
    }

    fn is_active(&self) -> bool {
        self.state.as_deref() == Some("active")
    }

    fn is_idle_in_transaction(&self) -> bool {
        // "idle in transaction (aborted)" too
        self.state
            .as_ref()
            .is_some_and(|state| state.starts_with("idle in transaction"))
    }

    fn described(&self) -> Value {
        let address = match self.hidden {
            true => None,
            false => self.address.as_deref().or(Some("unix socket")),
        };
        json!({
            "role": self.role,
            "application": self.application,
            "address": address,
            "state": self.state,
            "sessions": self.sessions,
            "oldest_s": self.oldest_s,
        })
    }
}

/// A name of the server's, no longer than PostgreSQL's are.
fn name(value: &Option<String>) -> Option<String> {
    let text = value.as_deref().filter(|text| !text.is_empty())?;
    Some(text.chars().take(LONGEST_NAME).collect())
}

/// The query; qualified as that of the facts is. Those idle in transaction come first, so that none is missing
/// where there are too many groups.
fn query(limit: Limit) -> String {
    format!(
        "SELECT a.usename, a.application_name, pg_catalog.host(a.client_addr), \
         a.state, a.backend_start IS NULL, pg_catalog.count(*), \
         (pg_catalog.date_part('epoch', pg_catalog.max(pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) a.state_change)) \
         OPERATOR(pg_catalog.*) 1000::pg_catalog.float8)::pg_catalog.int8 \
         FROM pg_catalog.pg_stat_activity a \
         WHERE {CLIENTS} AND {} AND a.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid() \
         GROUP BY 1, 2, 3, 4, 5 \
         ORDER BY pg_catalog.left(a.state, 19) OPERATOR(pg_catalog.=) 'idle in transaction' DESC NULLS LAST, 6 DESC \
         LIMIT {MOST_GROUPS}",
        limit.condition(),
    )
}

/// Adds who holds the slots to the finding of a limit that is near, and what
/// to do about those that hold most. A server that does not say changes nothing.
pub(super) async fn explain(
    finding: Finding,
    limit: Limit,
    looked: &Looked<'_>,
    session: &mut Session,
    ctx: &Ctx,
) -> Finding {
    let until = ctx.limit().min(Instant::now() + PATIENCE);
    let rows = match session.query_until(&query(limit), until, ctx).await {
        Ok(rows) => rows,
        Err(error) => {
            let finding = finding.word("them", "them");
            return finding.with("holders_error", error.to_string());
        }
    };
    let mut groups: Vec<Group> = rows.iter().filter_map(Group::of_row).collect();
    groups.sort_by_key(|group| Reverse(group.sessions));
    let idle_in_transaction = Held::of(&groups, Group::is_idle_in_transaction);
    let hidden = Held::of(&groups, |group| group.hidden).sessions;
    let shown: Vec<Value> = groups.iter().take(SHOWN).map(Group::described).collect();
    let further = Held::of(groups.get(SHOWN..).unwrap_or_default(), |_| true).sessions;
    let finding = finding
        .with("holders", shown)
        .with("further_sessions", (further > 0).then_some(further))
        .with("idle_in_transaction", idle_in_transaction.described())
        .with("hidden_sessions", (hidden > 0).then_some(hidden));
    let direct = matches!(session.wire().route, Route::Direct(_));
    advise(finding, &groups, looked, direct)
}

/// Sessions together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Held {
    sessions: i64,
    oldest_s: Option<i64>,
}

impl Held {
    fn of(groups: &[Group], which: impl Fn(&Group) -> bool) -> Self {
        let groups = groups.iter().filter(|group| which(group));
        groups.fold(Self::default(), Self::and)
    }

    fn and(self, group: &Group) -> Self {
        Self {
            sessions: self.sessions.saturating_add(group.sessions),
            oldest_s: self.oldest_s.max(group.oldest_s),
        }
    }

    fn described(self) -> Option<Map<String, Value>> {
        let value = json!({"sessions": self.sessions, "oldest_s": self.oldest_s});
        value.as_object().filter(|_| self.sessions > 0).cloned()
    }

    fn age(self) -> String {
        span(time::Duration::seconds(self.oldest_s.unwrap_or_default()))
    }
}

/// Sessions of one application; where it gives itself no name, of one role at
/// one address.
struct Holder<'a> {
    application: Option<&'a str>,
    role: Option<&'a str>,
    address: Option<&'a str>,
    addresses: usize,
    held: Held,
}

impl<'a> Holder<'a> {
    /// The one that has most of these sessions.
    fn with_most(groups: &'a [Group], which: impl Fn(&Group) -> bool) -> Option<Self> {
        let mut holders: BTreeMap<_, Vec<&Group>> = BTreeMap::new();
        for group in groups.iter().filter(|group| which(group)) {
            let unnamed = group
                .application
                .is_none()
                .then_some((&group.role, &group.address));
            let key = (&group.application, unnamed);
            holders.entry(key).or_default().push(group);
        }
        let holders = holders.into_values().filter_map(|groups| {
            let first = groups.first()?;
            let addresses: BTreeSet<_> = groups.iter().map(|group| &group.address).collect();
            Some(Self {
                application: first.application.as_deref(),
                role: first.role.as_deref(),
                address: first.address.as_deref(),
                addresses: addresses.len(),
                held: groups.iter().copied().fold(Held::default(), Held::and),
            })
        });
        holders.max_by_key(|holder| holder.held.sessions)
    }

    fn name(&self) -> String {
        let role = self.role.unwrap_or("an unknown role");
        match (self.application, self.address) {
            (Some(application), _) => application.to_owned(),
            (None, Some(address)) => format!("role {role} at {address} (without application_name)"),
            (None, None) => format!("role {role} on the unix socket (without application_name)"),
        }
    }
}

/// A fix, and how many sessions it is about.
struct Advice {
    sessions: i64,
    text: String,
    command: Option<String>,
}

/// Adds the fixes for the sessions that hold most, those first that hold more.
fn advise(finding: Finding, groups: &[Group], looked: &Looked<'_>, direct: bool) -> Finding {
    let psql = |user: &str, sql: &str| {
        let psql = match direct {
            true => conninfo::psql(looked.target, looked.endpoint, &[("user", user)])?,
            // To be run where the server can be reached.
            false => format!("psql -U {}", shlex::try_quote(user).ok()?),
        };
        Some(format!("{psql} -c \"{sql}\""))
    };
    let user = looked.target.user.as_str();
    let mut advice = Vec::new();

    let hidden = Held::of(groups, |group| group.hidden).sessions;
    let all = Held::of(groups, |_| true).sessions;
    let is_much = |held: Held| held.sessions > 0 && held.sessions >= all / MUCH;
    if hidden > 0 {
        advice.push(Advice {
            sessions: hidden,
            text: format!(
                "Check as a superuser, or as a member of pg_read_all_stats, who holds them: {} other \
                 roles, and role {user} is not allowed to see their state and address:",
                sessions(hidden, "belongs to", "belong to"),
            ),
            command: psql("postgres", BREAKDOWN),
        });
    }
    let stuck = Held::of(groups, Group::is_idle_in_transaction);
    let leaked = stuck.oldest_s.is_some_and(|age| age >= LEAKED_S);
    if is_much(stuck) || leaked {
        let of = Holder::with_most(groups, Group::is_idle_in_transaction);
        advice.push(Advice {
            sessions: stuck.sessions,
            text: format!(
                "Set idle_in_transaction_session_timeout, and find where {} leaves transactions open: \
                 {} idle in transaction, the longest for {}. List them:",
                of.map_or_else(|| "the application".to_owned(), |holder| holder.name()),
                sessions(stuck.sessions, "is", "are"),
                stuck.age(),
            ),
            command: psql(user, IDLE_IN_TRANSACTION),
        });
    }
    let idle = Holder::with_most(groups, Group::is_idle);
    if let Some(holder) = idle.filter(|holder| is_much(holder.held)) {
        let from = match holder.addresses {
            1 => String::new(),
            n => format!(" from {n} addresses"),
        };
        advice.push(match holder.application {
            Some(OURS) => left_behind(&holder, psql(user, END_OURS)),
            _ => Advice {
            sessions: holder.held.sessions,
            text: format!(
                "Make the pool of {} smaller, or have it close idle connections: it holds {}{from}, the \
                 longest idle for {}.",
                holder.name(),
                match holder.held.sessions {
                    1 => "1 idle session".to_owned(),
                    n => format!("{n} idle sessions"),
                },
                holder.held.age(),
            ),
            command: None,
            },
        });
    }
    let busy = Held::of(groups, Group::is_active);
    if is_much(busy) {
        advice.push(Advice {
            sessions: busy.sessions,
            text: format!(
                "Check what the running statements wait for: {} active, the longest for {}:",
                sessions(busy.sessions, "is", "are"),
                busy.age(),
            ),
            command: psql(user, ACTIVE),
        });
    }
    if advice.is_empty() {
        return finding.word("them", "them");
    }
    advice.sort_by_key(|advice| Reverse(advice.sessions));
    advice.into_iter().fold(finding, |finding, advice| {
        finding.fix(advice.text, advice.command)
    })
}

/// Sessions of ours, whose connections broke without a word to the server: `idle` looks for that.
fn left_behind(holder: &Holder<'_>, command: Option<String>) -> Advice {
    Advice {
        sessions: holder.held.sessions,
        text: format!(
            "End the {} that earlier runs of dbdoctor left on the server, which has not noticed that \
             their connections are gone:",
            match holder.held.sessions {
                1 => "idle session".to_owned(),
                n => format!("{n} idle sessions"),
            },
        ),
        command,
    }
}

/// `1 session is`, `3 sessions are`.
fn sessions(count: i64, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 session {one}"),
        n => format!("{n} sessions {many}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(values: [&str; 7]) -> Group {
        let row = values.map(|value| (!value.is_empty()).then(|| value.to_owned()));
        Group::of_row(&row.to_vec()).unwrap()
    }

    #[test]
    fn a_row_of_any_server_is_read_or_left_out() {
        let long = "x".repeat(5_000);
        let hostile = group(["app", &long, "", "idle", "f", "9223372036854775807", "-1"]);
        assert_eq!(hostile.application.as_ref().unwrap().len(), LONGEST_NAME);
        assert_eq!(hostile.oldest_s, Some(0));
        let twice = [hostile.clone(), hostile];
        assert_eq!(Held::of(&twice, |_| true).sessions, i64::MAX);
        assert_eq!(Group::of_row(&vec![None; 7]), None);
        assert_eq!(Group::of_row(&vec![Some("1".to_owned()); 3]), None);
    }

    #[test]
    fn sessions_without_a_name_are_told_apart_by_role_and_address() {
        let groups = [
            group(["app", "", "10.0.0.1", "idle", "f", "3", "1"]),
            group(["app", "", "10.0.0.2", "idle", "f", "4", "1"]),
            group(["app", "web", "10.0.0.1", "idle", "f", "3", "1"]),
            group(["job", "web", "10.0.0.2", "idle", "f", "3", "7200000"]),
        ];
        let most = Holder::with_most(&groups, Group::is_idle).unwrap();
        assert_eq!(most.name(), "web");
        assert_eq!((most.held.sessions, most.addresses), (6, 2));
        assert_eq!(most.held.age(), "2 hours");
        let most = Holder::with_most(&groups[..2], Group::is_idle).unwrap();
        assert!(most.name().contains("10.0.0.2"), "{}", most.name());
    }
}
