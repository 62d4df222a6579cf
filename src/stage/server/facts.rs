//! The server's facts, asked for in one query.
//!
//! It must work for a role without any privilege, on every version from 9.6
//! on, on a standby, through a pooler in transaction mode, and under a hostile
//! `search_path`: everything is qualified, settings that a version does not
//! have read as NULL.

use std::collections::BTreeMap;

use crate::wire::session::Row;

/// A setting; NULL where the version has none of that name.
macro_rules! setting {
    ($name:literal) => {
        concat!("pg_catalog.current_setting('", $name, "', true)")
    };
}

/// A time, or an interval, in milliseconds: a whole number, since those of
/// floating point are shown as `extra_float_digits` wants it.
macro_rules! epoch {
    ($when:expr) => {
        concat!(
            "(pg_catalog.date_part('epoch', ",
            $when,
            ") OPERATOR(pg_catalog.*) 1000::pg_catalog.float8)::pg_catalog.int8"
        )
    };
}

/// Which rows `a` of pg_stat_activity are clients' sessions. What other roles'
/// sessions are is hidden from a role without privileges, that they are is not;
/// a server's own processes belong to no role.
macro_rules! clients {
    () => {
        "(a.backend_type IS NULL OR a.backend_type OPERATOR(pg_catalog.=) 'client backend') AND a.datid IS NOT NULL AND a.usesysid IS NOT NULL"
    };
}

/// The same for other queries.
pub const CLIENTS: &str = clients!();

/// How many clients' sessions there are.
macro_rules! count {
    ($condition:literal) => {
        concat!(
            "(SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity a WHERE ",
            clients!(),
            " AND ",
            $condition,
            ")"
        )
    };
}

/// Something about the role that logged in.
macro_rules! role {
    ($column:literal) => {
        concat!(
            "(SELECT ",
            $column,
            " FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) session_user)"
        )
    };
}

/// What the server knows of this connection's encryption.
macro_rules! tls {
    ($column:literal) => {
        concat!(
            "(SELECT ",
            $column,
            " FROM pg_catalog.pg_stat_ssl s WHERE s.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())"
        )
    };
}

/// Where a value of default_transaction_read_only comes from that makes sessions
/// read-only; all settings are gone through for it, and only then.
macro_rules! read_only {
    ($column:literal) => {
        concat!(
            "CASE WHEN ",
            setting!("default_transaction_read_only"),
            " OPERATOR(pg_catalog.=) 'on' THEN (SELECT ",
            $column,
            " FROM pg_catalog.pg_settings g WHERE g.name OPERATOR(pg_catalog.=) 'default_transaction_read_only') END"
        )
    };
}

/// What is asked for: a name, and the expression.
const COLUMNS: &[(&str, &str)] = &[
    ("version", "pg_catalog.version()"),
    ("version_num", setting!("server_version_num")),
    ("in_recovery", "pg_catalog.pg_is_in_recovery()"),
    ("transaction_read_only", setting!("transaction_read_only")),
    (
        "default_transaction_read_only",
        setting!("default_transaction_read_only"),
    ),
    ("database", "pg_catalog.current_database()"),
    ("session_user", "session_user"),
    ("current_user", "current_user"),
    (
        "server_address",
        "pg_catalog.host(pg_catalog.inet_server_addr())",
    ),
    ("server_port", "pg_catalog.inet_server_port()"),
    (
        "client_address",
        "pg_catalog.host(pg_catalog.inet_client_addr())",
    ),
    ("client_port", "pg_catalog.inet_client_port()"),
    ("pid", "pg_catalog.pg_backend_pid()"),
    ("started", epoch!("pg_catalog.pg_postmaster_start_time()")),
    ("clock", epoch!("pg_catalog.clock_timestamp()")),
    ("max_connections", setting!("max_connections")),
    (
        "superuser_reserved_connections",
        setting!("superuser_reserved_connections"),
    ),
    ("reserved_connections", setting!("reserved_connections")),
    ("used", count!("true")),
    (
        "used_by_role",
        count!("a.usename OPERATOR(pg_catalog.=) session_user"),
    ),
    (
        "used_by_database",
        count!("a.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()"),
    ),
    ("role_limit", role!("r.rolconnlimit")),
    ("superuser", role!("r.rolsuper")),
    (
        "may_use_reserved",
        "(SELECT pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER') FROM pg_catalog.pg_roles r \
         WHERE r.rolname OPERATOR(pg_catalog.=) 'pg_use_reserved_connections')",
    ),
    (
        "database_limit",
        "(SELECT d.datconnlimit FROM pg_catalog.pg_database d \
         WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())",
    ),
    ("statement_timeout", setting!("statement_timeout")),
    ("lock_timeout", setting!("lock_timeout")),
    ("transaction_timeout", setting!("transaction_timeout")),
    ("idle_session_timeout", setting!("idle_session_timeout")),
    (
        "idle_in_transaction_session_timeout",
        setting!("idle_in_transaction_session_timeout"),
    ),
    ("authentication_timeout", setting!("authentication_timeout")),
    ("tcp_keepalives_idle", setting!("tcp_keepalives_idle")),
    ("cluster_name", setting!("cluster_name")),
    ("log_hostname", setting!("log_hostname")),
    ("tls", tls!("s.ssl")),
    ("tls_version", tls!("s.version")),
    ("tls_cipher", tls!("s.cipher")),
    (
        "replay_lag",
        concat!(
            "CASE WHEN pg_catalog.pg_is_in_recovery() THEN ",
            epoch!(
                "pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) pg_catalog.pg_last_xact_replay_timestamp()"
            ),
            " END"
        ),
    ),
    ("read_only_source", read_only!("g.source")),
    // Shown to a superuser and to members of pg_read_all_settings alone.
    ("read_only_file", read_only!("g.sourcefile")),
    ("read_only_line", read_only!("g.sourceline")),
];

/// Asked for too, as the last: it needs a function that is not there in every
/// relative of PostgreSQL, and that an administrator may have taken away.
const IDENTIFIER: (&str, &str) = (
    "system_identifier",
    "(SELECT c.system_identifier FROM pg_catalog.pg_control_system() c)",
);

/// The answer, by name. What is NULL or was not answered is not in it.
#[derive(Clone, Debug, Default)]
pub struct Facts(BTreeMap<&'static str, String>);

impl Facts {
    /// The query.
    pub fn query() -> String {
        format!("{}, {}", Self::query_without_identifier(), IDENTIFIER.1)
    }

    /// The query for a server that does not tell its system identifier.
    pub fn query_without_identifier() -> String {
        let list: Vec<&str> = COLUMNS.iter().map(|(_, sql)| *sql).collect();
        format!("SELECT {}", list.join(", "))
    }

    /// Reads the one row of either query.
    pub fn of_row(row: &Row) -> Self {
        Self(
            COLUMNS
                .iter()
                .chain([&IDENTIFIER])
                .zip(row)
                .filter_map(|((name, _), value)| Some((*name, value.clone()?)))
                .collect(),
        )
    }

    /// Whether nothing was answered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A value as text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A value as a whole number.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    /// A time or an interval, which the query has in milliseconds, in seconds.
    pub fn seconds(&self, name: &str) -> Option<f64> {
        let ms: f64 = self.text(name)?.parse().ok()?;
        ms.is_finite().then_some(ms / 1e3)
    }

    /// A value as a truth value: `t`, `on`. Anything else than its opposite
    /// is not known: a guard must not pass for it.
    pub fn truth(&self, name: &str) -> Option<bool> {
        match self.text(name)? {
            "t" | "true" | "on" => Some(true),
            "f" | "false" | "off" => Some(false),
            _ => None,
        }
    }
}

/// An answer of these values alone.
#[cfg(test)]
pub fn with(values: &[(&'static str, &str)]) -> Facts {
    let value = |(name, value): &(&'static str, &str)| (*name, (*value).to_owned());
    Facts(values.iter().map(value).collect())
}
