//! The connection parameters of libpq 18 (PostgreSQL documentation,
//! "Parameter Key Words"), and those that other drivers put into URLs.

/// One parameter that libpq knows.
#[derive(Debug)]
pub struct Param {
    /// Its keyword.
    pub name: &'static str,
    /// The environment variable that stands in for it.
    pub variable: Option<&'static str>,
    /// What holds where nothing sets it.
    pub default: Option<&'static str>,
    /// Whether its value must never be shown.
    pub secret: bool,
}

const fn param(
    name: &'static str,
    variable: Option<&'static str>,
    default: Option<&'static str>,
) -> Param {
    Param {
        name,
        variable,
        default,
        secret: false,
    }
}

const fn secret(name: &'static str, variable: Option<&'static str>) -> Param {
    Param {
        name,
        variable,
        default: None,
        secret: true,
    }
}

/// Every parameter of libpq 18, in its own order.
pub static PARAMS: &[Param] = &[
    param("service", Some("PGSERVICE"), None),
    param("user", Some("PGUSER"), None),
    secret("password", Some("PGPASSWORD")),
    param("passfile", Some("PGPASSFILE"), None),
    param("channel_binding", Some("PGCHANNELBINDING"), Some("prefer")),
    param("connect_timeout", Some("PGCONNECT_TIMEOUT"), None),
    param("dbname", Some("PGDATABASE"), None),
    param("host", Some("PGHOST"), None),
    param("hostaddr", Some("PGHOSTADDR"), None),
    param("port", Some("PGPORT"), Some("5432")),
    param("client_encoding", Some("PGCLIENTENCODING"), None),
    param("options", Some("PGOPTIONS"), None),
    param("application_name", Some("PGAPPNAME"), None),
    param("fallback_application_name", None, None),
    param("keepalives", None, None),
    param("keepalives_idle", None, None),
    param("keepalives_interval", None, None),
    param("keepalives_count", None, None),
    param("tcp_user_timeout", None, None),
    param("sslmode", Some("PGSSLMODE"), Some("prefer")),
    param("sslnegotiation", Some("PGSSLNEGOTIATION"), Some("postgres")),
    param("sslcompression", Some("PGSSLCOMPRESSION"), Some("0")),
    param("sslcert", Some("PGSSLCERT"), None),
    param("sslkey", Some("PGSSLKEY"), None),
    param("sslcertmode", Some("PGSSLCERTMODE"), Some("allow")),
    secret("sslpassword", None),
    param("sslrootcert", Some("PGSSLROOTCERT"), None),
    param("sslcrl", Some("PGSSLCRL"), None),
    param("sslcrldir", Some("PGSSLCRLDIR"), None),
    param("sslsni", Some("PGSSLSNI"), Some("1")),
    param("requirepeer", Some("PGREQUIREPEER"), None),
    param("require_auth", Some("PGREQUIREAUTH"), None),
    param("min_protocol_version", Some("PGMINPROTOCOLVERSION"), None),
    param("max_protocol_version", Some("PGMAXPROTOCOLVERSION"), None),
    param(
        "ssl_min_protocol_version",
        Some("PGSSLMINPROTOCOLVERSION"),
        Some("TLSv1.2"),
    ),
    param(
        "ssl_max_protocol_version",
        Some("PGSSLMAXPROTOCOLVERSION"),
        None,
    ),
    param("gssencmode", Some("PGGSSENCMODE"), Some("prefer")),
    param("krbsrvname", Some("PGKRBSRVNAME"), Some("postgres")),
    param("gsslib", Some("PGGSSLIB"), None),
    param("gssdelegation", Some("PGGSSDELEGATION"), Some("0")),
    param("replication", None, None),
    param(
        "target_session_attrs",
        Some("PGTARGETSESSIONATTRS"),
        Some("any"),
    ),
    param(
        "load_balance_hosts",
        Some("PGLOADBALANCEHOSTS"),
        Some("disable"),
    ),
    secret("scram_client_key", None),
    secret("scram_server_key", None),
    param("oauth_issuer", None, None),
    param("oauth_client_id", None, None),
    secret("oauth_client_secret", None),
    param("oauth_scope", None, None),
    param("sslkeylogfile", None, None),
];

/// The parameter with this keyword.
pub fn find(name: &str) -> Option<&'static Param> {
    PARAMS.iter().find(|param| param.name == name)
}

/// What this parameter is by default in libpq 18; psycopg's and Debian's
/// builds have `sslcertmode` unset, which means `allow`.
pub fn default_of(name: &str) -> Option<&'static str> {
    find(name).and_then(|param| param.default)
}

/// The keyword that an unknown one was most likely meant to be: at most two
/// letters changed, and at most a third of them.
pub fn meant(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    ALIASES
        .iter()
        .find(|(alias, _)| *alias == name)
        .map(|(_, keyword)| *keyword)
        .or_else(|| {
            PARAMS
                .iter()
                .map(|param| (distance(&name, param.name), param.name))
                .filter(|(far, keyword)| *far <= 2 && far * 3 <= keyword.len())
                .min()
                .map(|(_, keyword)| keyword)
        })
}

/// What people call parameters that libpq calls otherwise.
const ALIASES: &[(&str, &str)] = &[
    ("database", "dbname"),
    ("db", "dbname"),
    ("db_name", "dbname"),
    ("hostname", "host"),
    ("server", "host"),
    ("username", "user"),
    ("user_name", "user"),
    ("user id", "user"),
    ("uid", "user"),
    ("pass", "password"),
    ("passwd", "password"),
    ("pwd", "password"),
    ("ssl_mode", "sslmode"),
    ("ssl-mode", "sslmode"),
    ("sslca", "sslrootcert"),
    ("ssl_ca", "sslrootcert"),
    ("ssl_root_cert", "sslrootcert"),
    ("ssl_cert", "sslcert"),
    ("ssl_key", "sslkey"),
    ("timeout", "connect_timeout"),
    ("encoding", "client_encoding"),
    ("app_name", "application_name"),
    ("schema", "options"),
];

/// The number of letters to insert, remove, change or swap with the next
/// (optimal string alignment). Bounded: longer words than any keyword differ.
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(40).collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let change = rows[i][j] + usize::from(x != y);
            let mut best = change.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// A parameter that libpq refuses and a driver understands.
#[derive(Debug)]
pub struct Foreign {
    /// As it is written, in lower case.
    pub name: &'static str,
    /// Who understands it.
    pub driver: &'static str,
    /// What it means there.
    pub meaning: &'static str,
}

const fn foreign(name: &'static str, driver: &'static str, meaning: &'static str) -> Foreign {
    Foreign {
        name,
        driver,
        meaning,
    }
}

/// Parameters of other drivers that are found in URLs; names are matched
/// without regard to case.
pub static FOREIGN: &[Foreign] = &[
    foreign("schema", "Prisma", "the schema that its queries use"),
    foreign("pgbouncer", "Prisma", "disable prepared statements"),
    foreign("connection_limit", "Prisma", "its pool size"),
    foreign(
        "pool_timeout",
        "Prisma",
        "seconds to wait for a connection from its pool",
    ),
    foreign("socket_timeout", "Prisma", "seconds a query may take"),
    foreign(
        "statement_cache_size",
        "Prisma, asyncpg",
        "how many prepared statements are kept",
    ),
    foreign(
        "sslaccept",
        "Prisma",
        "whether the certificate is verified (strict) or not (accept_invalid_certs)",
    ),
    foreign(
        "sslidentity",
        "Prisma",
        "a PKCS#12 file with the client's certificate and key",
    ),
    foreign(
        "prepared_statement_cache_size",
        "SQLAlchemy (asyncpg)",
        "how many prepared statements are kept",
    ),
    foreign(
        "prepared_statement_name_func",
        "SQLAlchemy (asyncpg)",
        "how prepared statements are named",
    ),
    foreign(
        "async_fallback",
        "SQLAlchemy (asyncpg)",
        "use asyncpg from synchronous code",
    ),
    foreign(
        "statement_timeout",
        "asyncpg, pgx, node-postgres",
        "milliseconds a statement may take, set at start-up",
    ),
    foreign("command_timeout", "asyncpg", "seconds a command may take"),
    foreign(
        "server_settings",
        "asyncpg",
        "run-time parameters set at start-up",
    ),
    foreign(
        "ssl",
        "node-postgres, asyncpg, pgjdbc",
        "whether TLS is used",
    ),
    foreign(
        "search_path",
        "pgx, lib/pq",
        "the search path, sent as a start-up parameter",
    ),
    foreign(
        "timezone",
        "pgx, lib/pq",
        "the time zone, sent as a start-up parameter",
    ),
    foreign(
        "datestyle",
        "pgx, lib/pq",
        "the date style, sent as a start-up parameter",
    ),
    foreign(
        "lock_timeout",
        "pgx, lib/pq",
        "milliseconds to wait for a lock, sent as a start-up parameter",
    ),
    foreign(
        "idle_in_transaction_session_timeout",
        "pgx, lib/pq, node-postgres",
        "milliseconds an open transaction may be idle, sent as a start-up parameter",
    ),
    foreign("default_query_exec_mode", "pgx", "how queries are sent"),
    foreign(
        "statement_cache_capacity",
        "pgx",
        "how many prepared statements are kept",
    ),
    foreign(
        "description_cache_capacity",
        "pgx",
        "how many descriptions are kept",
    ),
    foreign("statement_cache_mode", "pgx", "how statements are cached"),
    foreign("pool_max_conns", "pgxpool", "its pool size"),
    foreign(
        "pool_min_conns",
        "pgxpool",
        "the minimum number of connections in its pool",
    ),
    foreign(
        "pool_min_idle_conns",
        "pgxpool",
        "the minimum number of idle connections in its pool",
    ),
    foreign(
        "pool_max_conn_lifetime",
        "pgxpool",
        "how long a connection lives",
    ),
    foreign(
        "pool_max_conn_lifetime_jitter",
        "pgxpool",
        "the random variation of that lifetime",
    ),
    foreign(
        "pool_max_conn_idle_time",
        "pgxpool",
        "how long a connection may be idle",
    ),
    foreign(
        "pool_health_check_period",
        "pgxpool",
        "how often its pool is checked",
    ),
    foreign(
        "binary_parameters",
        "lib/pq",
        "send parameters in binary form",
    ),
    foreign(
        "disable_prepared_binary_result",
        "lib/pq",
        "ask for results as text",
    ),
    foreign("fallback_timezone", "lib/pq", "the time zone of results"),
    foreign(
        "sslinline",
        "lib/pq",
        "certificates and keys are in the URL itself",
    ),
    foreign(
        "statement-cache-capacity",
        "sqlx",
        "how many prepared statements are kept",
    ),
    foreign("ssl-mode", "sqlx", "the same as sslmode"),
    foreign("ssl-ca", "sqlx", "the same as sslrootcert"),
    foreign("ssl-cert", "sqlx", "the same as sslcert"),
    foreign("ssl-key", "sqlx", "the same as sslkey"),
    foreign(
        "currentschema",
        "pgjdbc",
        "the search path, sent as a start-up parameter",
    ),
    foreign(
        "preparethreshold",
        "pgjdbc, psycopg",
        "after how many runs a statement is prepared (0: never)",
    ),
    foreign(
        "prepare_threshold",
        "psycopg",
        "after how many runs a statement is prepared",
    ),
    foreign(
        "preparedstatementcachequeries",
        "pgjdbc",
        "how many prepared statements are kept",
    ),
    foreign(
        "preparedstatementcachesizemib",
        "pgjdbc",
        "how much memory they may take",
    ),
    foreign("preferquerymode", "pgjdbc", "how queries are sent"),
    foreign("defaultrowfetchsize", "pgjdbc", "rows fetched at once"),
    foreign("binarytransfer", "pgjdbc", "send values in binary form"),
    foreign("rewritebatchedinserts", "pgjdbc", "merge batched inserts"),
    foreign("stringtype", "pgjdbc", "how strings are bound"),
    foreign("applicationname", "pgjdbc", "application_name"),
    foreign(
        "logintimeout",
        "pgjdbc",
        "seconds until it gives up connecting",
    ),
    foreign(
        "connecttimeout",
        "pgjdbc",
        "seconds until it gives up on one address",
    ),
    foreign(
        "sockettimeout",
        "pgjdbc",
        "seconds to wait for the server at any time",
    ),
    foreign(
        "canceltimeout",
        "pgjdbc",
        "seconds to wait for a cancel request",
    ),
    foreign("tcpkeepalive", "pgjdbc", "whether TCP keepalives are on"),
    foreign(
        "tcpnodelay",
        "pgjdbc",
        "whether small packets are sent at once",
    ),
    foreign("sslfactory", "pgjdbc", "the class that makes TLS sockets"),
    foreign("sslfactoryarg", "pgjdbc", "the argument of sslfactory"),
    foreign(
        "sslhostnameverifier",
        "pgjdbc",
        "the class that verifies the name",
    ),
    foreign(
        "sslpasswordcallback",
        "pgjdbc",
        "the class that asks for the key's passphrase",
    ),
    foreign(
        "targetservertype",
        "pgjdbc",
        "which kind of server to choose",
    ),
    foreign(
        "hostrecheckseconds",
        "pgjdbc",
        "how long a host's state is remembered",
    ),
    foreign(
        "loadbalancehosts",
        "pgjdbc",
        "whether hosts are tried in random order",
    ),
    foreign("readonly", "pgjdbc", "open sessions read-only"),
    foreign("autosave", "pgjdbc", "savepoints before each statement"),
    foreign("loggerlevel", "pgjdbc", "how much it logs"),
    foreign(
        "assumeminserverversion",
        "pgjdbc",
        "the minimum server version to expect",
    ),
    foreign("channelbinding", "pgjdbc", "the same as channel_binding"),
    foreign("gssencmode", "pgjdbc", "the same as gssencmode"),
    foreign(
        "socketfactory",
        "pgjdbc",
        "the class that opens sockets (Cloud SQL)",
    ),
    foreign(
        "cloudsqlinstance",
        "Cloud SQL's socket factory",
        "the instance to connect to",
    ),
    foreign("pool", "Rails", "its pool size"),
    foreign("encoding", "Rails", "the same as client_encoding"),
    foreign(
        "reaping_frequency",
        "Rails",
        "how often its pool is cleaned",
    ),
    foreign(
        "checkout_timeout",
        "Rails",
        "seconds to wait for a connection from its pool",
    ),
    foreign(
        "idle_timeout",
        "Rails, postgres.js",
        "seconds a connection may be idle",
    ),
    foreign(
        "prepared_statements",
        "Rails",
        "whether statements are prepared",
    ),
    foreign(
        "advisory_locks",
        "Rails",
        "whether migrations take advisory locks",
    ),
    foreign("variables", "Rails", "run-time parameters set at start-up"),
    foreign(
        "min_messages",
        "Rails",
        "the minimum level of server messages",
    ),
    foreign("schema_search_path", "Rails", "the search path"),
    foreign("conn_max_age", "Django", "seconds a connection is kept"),
    foreign(
        "conn_health_checks",
        "Django",
        "whether a connection is checked before it is used",
    ),
    foreign("ssl_require", "Django", "whether TLS is required"),
    foreign(
        "disable_server_side_cursors",
        "Django",
        "disable server-side cursors",
    ),
    foreign("max", "node-postgres, postgres.js", "its pool size"),
    foreign("prepare", "postgres.js", "whether statements are prepared"),
    foreign("max_lifetime", "postgres.js", "how long a connection lives"),
    foreign(
        "uselibpqcompat",
        "node-postgres",
        "read sslmode as libpq does",
    ),
    foreign(
        "query_timeout",
        "node-postgres",
        "milliseconds a query may take",
    ),
    foreign(
        "connection_timeout",
        "node-postgres",
        "milliseconds until it gives up connecting",
    ),
    foreign("pool_size", "Ecto, SQLAlchemy", "its pool size"),
    foreign(
        "max_overflow",
        "SQLAlchemy",
        "connections beyond its pool's size",
    ),
    foreign(
        "pool_recycle",
        "SQLAlchemy",
        "seconds after which a connection is replaced",
    ),
    foreign(
        "pool_pre_ping",
        "SQLAlchemy",
        "check a connection before it is used",
    ),
    foreign("supa", "Supabase", "a label for its own statistics"),
    foreign("workaround", "Supabase", "a label for its own tools"),
];

/// The driver that understands a parameter, whatever its case.
pub fn foreign_of(name: &str) -> Option<&'static Foreign> {
    let name = name.to_ascii_lowercase();
    FOREIGN.iter().find(|foreign| foreign.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised() {
        assert_eq!(meant("sslmod"), Some("sslmode"));
        assert_eq!(meant("hots"), Some("host"));
        assert_eq!(meant("database"), Some("dbname"));
        assert_eq!(meant("application-name"), Some("application_name"));
        assert_eq!(meant("zzzz"), None);
        assert_eq!(meant(""), None);
        assert_eq!(meant(&"x".repeat(100_000)), None);
    }

    #[test]
    fn no_name_is_listed_twice() {
        for list in [
            PARAMS.iter().map(|p| p.name).collect::<Vec<_>>(),
            FOREIGN.iter().map(|p| p.name).collect(),
        ] {
            let unique: std::collections::BTreeSet<_> = list.iter().collect();
            assert_eq!(unique.len(), list.len());
        }
    }
}
