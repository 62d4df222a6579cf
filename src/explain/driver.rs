//! Whose words a text has: the driver, its version, and a pooler.

use std::sync::LazyLock;

use regex::Regex;

use super::text::{Line, Text};

/// A driver that a text shows.
pub struct Driver {
    /// The name that `--as` takes.
    pub name: &'static str,
    /// As the text has it.
    pub version: Option<String>,
}

/// The names of drivers with their signs in a line, as regular expressions: modules,
/// files, exceptions and wordings. Those that are built on another one come before it.
const DRIVERS: &[(&str, &str)] = &[
    ("psycopg2", r"psycopg2|aiopg"),
    ("psycopg", r"\bpsycopg(_pool|_c|_binary)?\b"),
    ("asyncpg", r"\basyncpg\b"),
    ("pg8000", r"\bpg8000\b"),
    ("prisma", r"prisma|\bP1\d\d\d:"),
    (
        "postgres.js",
        r"node_modules/(\.pnpm/[^ ]*/node_modules/)?postgres/|\bPostgresError\b|\bpostgres\.js\b",
    ),
    (
        "node-postgres",
        r"node_modules/(\.pnpm/[^ ]*/node_modules/)?pg(-pool|-protocol|-native|-connection-string)?/|\bnode-postgres\b|\bpg-(pool|protocol)\b|\bpg@\d",
    ),
    (
        "pgjdbc",
        r"org\.postgresql\.|\bpgjdbc\b|postgresql-42\.|\bPSQLException\b",
    ),
    ("npgsql", r"\bnpgsql\b"),
    (
        "pgx",
        r"jackc/pgx|\bpgx(/v\d|pool)?\b|\bpgconn\b|failed to connect to `",
    ),
    ("lib-pq", r"\blib/pq\b|\bpq: "),
    (
        "sqlx",
        r"\bsqlx(::|-core|-postgres|\b)|error returned from database:",
    ),
    (
        "tokio-postgres",
        r"tokio[-_]postgres|deadpool[-_]postgres|bb8[-_]postgres",
    ),
    ("diesel", r"\bdiesel\b"),
    ("ruby-pg", r"\bPG::[A-Z]|gems/pg-\d"),
    (
        "pdo-pgsql",
        r"\bPDO(Exception)?\b|SQLSTATE\[\w{5}\] \[\d+\]|\bpdo_pgsql\b",
    ),
    ("postgrex", r"\bpostgrex\b|\bDBConnection\."),
    ("rpostgres", r"\bRPostgres(QL)?\b"),
    (
        "psqlodbc",
        r"\bpsqlodbc\w*|\[unixODBC\]|PostgreSQL ANSI|PostgreSQL Unicode",
    ),
    (
        "libpq",
        r"\bpsql: |\bpg_(dump|dumpall|restore|isready|basebackup|receivewal): |\blibpq\b|connection to server (at|on socket) ",
    ),
];

/// A version behind the name of a package, a module or a file.
const VERSIONS: &[(&str, &str)] = &[
    ("psycopg2", r"psycopg2(?:[-_]binary)?"),
    ("psycopg", r"psycopg(?:[-_](?:binary|c|pool))?"),
    ("asyncpg", "asyncpg"),
    ("pg8000", "pg8000"),
    (
        "prisma",
        r"(?:@prisma[/+]client|prisma(?: client)?)(?: version)?",
    ),
    ("postgres.js", r"\bpostgres"),
    ("node-postgres", r"\bpg"),
    ("pgjdbc", "postgresql"),
    ("npgsql", "npgsql(?:, version)?"),
    ("pgx", r"pgx/v\d+|\bpgx"),
    ("lib-pq", "lib/pq"),
    ("sqlx", "sqlx(?:-core|-postgres)?"),
    ("tokio-postgres", "tokio[-_]postgres"),
    ("diesel", "diesel"),
    ("ruby-pg", r"\bpg"),
    ("postgrex", "postgrex"),
    ("rpostgres", "rpostgres"),
    ("libpq", r"(?:libpq|psql)(?: version| \(PostgreSQL\))?"),
];

/// Poolers by their words.
const POOLERS: &[(&str, &str)] = &[
    ("PgBouncer", "pgbouncer"),
    ("PgBouncer", "server login failed:"),
    ("PgBouncer", "server login has been failing"),
    ("PgBouncer", "no more connections allowed (max_client_conn)"),
    ("PgBouncer", "query_wait_timeout"),
    ("Supavisor", "supavisor"),
    ("Supavisor", "tenant or user not found"),
    ("Pgpool-II", "pgpool"),
    ("PgCat", "pgcat"),
    ("Odyssey", "odyssey"),
    ("RDS Proxy", "rds proxy"),
];

static COMPILED: LazyLock<Vec<(&'static str, Regex)>> = LazyLock::new(|| {
    let rows = DRIVERS.iter();
    rows.filter_map(|(name, sign)| Some((*name, Regex::new(&ascii(sign)).ok()?)))
        .collect()
});

static NUMBERS: LazyLock<Vec<(&'static str, Regex)>> = LazyLock::new(|| {
    let rows = VERSIONS.iter();
    rows.filter_map(|(name, sign)| {
        let form = format!(r"(?:{sign})(?:==|[-@/_ =:]|, version=|\.)v?(\d+(?:\.\d+)+)");
        Some((*name, Regex::new(&ascii(&form)).ok()?))
    })
    .collect()
});

/// A sign without regard to case, its words those of ASCII.
fn ascii(sign: &str) -> String {
    let sign = sign.replace("\\b", "(?-u:\\b)").replace("\\d", "[0-9]");
    format!("(?i){}", sign.replace("\\w", "[A-Za-z0-9_]"))
}

/// How far the driver is looked for, in lines; a stack trace counts as few.
const NEAR: usize = 15;

/// The driver that a line, or else its message, or else the text shows.
pub fn of(text: &Text, at: usize) -> Option<Driver> {
    let line = text.lines.get(at)?;
    let near: Vec<&Line> = text.around(at, NEAR).collect();
    let shown = |lines: &[&Line]| {
        let signs = COMPILED.iter();
        let mut names =
            signs.filter(|(_, sign)| lines.iter().any(|line| sign.is_match(&line.text)));
        names.next().map(|(name, _)| *name)
    };
    // What is built on libpq repeats its words.
    let wrapped = |name: &&str| *name != "libpq";
    let name = shown(&[line])
        .filter(wrapped)
        .or_else(|| shown(&near).filter(wrapped))
        .or_else(|| shown(&[line]))
        .or_else(|| shown(&near))?;
    let version = NUMBERS.iter().find(|(known, _)| *known == name);
    let version = version.and_then(|(_, form)| {
        let found = near.iter().find_map(|line| form.captures(&line.text))?;
        Some(found.get(1)?.as_str().to_owned())
    });
    Some(Driver { name, version })
}

/// The pooler that a line, or one right beside it, speaks of.
pub fn pooler_of(text: &Text, at: usize) -> Option<&'static str> {
    let texts: Vec<&str> = text
        .around(at, 1)
        .map(|line| line.folded.as_str())
        .collect();
    let mut known = POOLERS.iter();
    let known = known.find(|(_, sign)| texts.iter().any(|text| text.contains(sign)));
    known.map(|(name, _)| *name)
}

/// The pooler that answers at a provider's host.
pub fn pooler_of_host(host: &str) -> Option<&'static str> {
    let host = host.to_ascii_lowercase();
    match host {
        _ if host.ends_with(".pooler.supabase.com") => Some("Supavisor"),
        _ if host.contains(".proxy-") && host.contains(".rds.amazonaws.com") => Some("RDS Proxy"),
        _ if host.contains("-pooler.") && host.ends_with(".neon.tech") => Some("PgBouncer"),
        _ => None,
    }
}
