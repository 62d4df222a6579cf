//! Signs in a text: of who speaks, of who quotes whom, of what is said in any
//! language. What the texts themselves mean is in `knowledge/texts.tsv`.

use crate::cause::{Cause, auth, client, idle, server};

/// SQLSTATEs (PostgreSQL documentation, Appendix A) that say it, whatever the
/// language of the message.
pub const SQLSTATES: &[(&str, &[&Cause])] = &[
    ("28P01", &[&auth::PASSWORD_WRONG]),
    ("28000", &[&auth::HBA_NO_ENTRY]),
    ("3D000", &[&auth::DATABASE_MISSING]),
    ("53300", &[&server::CONNECTIONS_FULL]),
    ("53100", &[&server::RESOURCES]),
    ("53200", &[&server::RESOURCES]),
    ("57P01", &[&idle::TERMINATED]),
    ("57P02", &[&server::RECOVERING]),
    ("57P03", &[&server::STARTING]),
    ("57P05", &[&idle::SERVER_TIMEOUT]),
    ("25P03", &[&idle::SERVER_TIMEOUT]),
    ("25P04", &[&idle::SERVER_TIMEOUT]),
    ("25006", &[&server::READ_ONLY, &server::READ_ONLY_SETTING]),
    ("42704", &[&server::OPTION]),
    ("26000", &[&client::PREPARED_STATEMENT]),
    ("42P05", &[&client::PREPARED_STATEMENT]),
];

/// Who quotes other people's errors. The name is said, and what is inside is
/// what counts.
pub const WRAPPERS: &[(&str, &str)] = &[
    ("server login has been failing, cached error:", "PgBouncer"),
    ("server login failed:", "PgBouncer"),
    ("sqlalchemy.exc.", "SQLAlchemy"),
    (
        "(Background on this error at: https://sqlalche.me",
        "SQLAlchemy",
    ),
    ("(psycopg2.OperationalError)", "SQLAlchemy"),
    ("(psycopg.OperationalError)", "SQLAlchemy"),
    ("QueuePool limit", "SQLAlchemy's QueuePool"),
    ("django.db.utils.", "Django"),
    ("psycopg_pool", "psycopg_pool"),
    ("couldn't get a connection after", "psycopg_pool"),
    ("error connecting in \"pool-", "psycopg_pool"),
    ("PrismaClient", "Prisma"),
    ("HikariPool", "HikariCP"),
    ("com.zaxxer.hikari", "HikariCP"),
    ("org.postgresql.util.PSQLException", "pgjdbc"),
    ("Npgsql.", "Npgsql"),
    ("SequelizeConnection", "Sequelize"),
    ("KnexTimeoutError", "Knex"),
    ("Knex:", "Knex"),
    ("TypeOrmModule", "TypeORM"),
    ("DBConnection.ConnectionError", "DBConnection"),
    ("Postgrex.Protocol", "Postgrex"),
    ("ActiveRecord::", "ActiveRecord"),
    ("PG::ConnectionBad", "ruby-pg"),
    ("PDOException", "PDO"),
    ("SQLSTATE[08006] [7]", "PDO"),
    ("failed to connect to `", "pgx"),
    ("failed to connect to \"host=", "pgx"),
    ("sqlx::Error", "sqlx"),
    (
        "pool timed out while waiting for an open connection",
        "sqlx's pool",
    ),
    ("Failed to connect to database: {:error", "Supavisor"),
    ("sshtunnel.", "sshtunnel"),
    ("paramiko.", "paramiko"),
    (
        "The above exception was the direct cause",
        "an exception chain",
    ),
    (
        "During handling of the above exception",
        "an exception chain",
    ),
    ("Caused by:", "an exception chain"),
    ("[cause]:", "an exception chain"),
    ("---> ", "an exception chain"),
];

/// Signs of PostgreSQL, and of those who speak to it.
pub const OURS: &[&str] = &[
    "postgres",
    "psycopg",
    "libpq",
    "psql",
    "pgsql",
    "asyncpg",
    "npgsql",
    "pgx",
    "pgjdbc",
    "pg::",
    "pq:",
    "postgrex",
    "sqlx",
    "pgbouncer",
    "supavisor",
    "pgpool",
    "pgcat",
    "pg8000",
    "aiopg",
    "sqlalchemy",
    "django.db",
    "hikari",
    "prisma",
    "5432",
    "6432",
    "5433",
    "6543",
    "pg_hba",
    "pg.connect",
    "pg-pool",
    "node_modules/pg",
    "connection to server at",
    "sequelize",
    "knex",
    "activerecord",
    "database_url",
    "pghost",
    "typeorm",
    "could not translate host name",
    "could not connect to server",
    "is the server running",
];

/// Beginnings of lines that go on with a message.
pub const CONTINUES: &[&str] = &[
    "at ",
    "caused by",
    "[cause]",
    "[errors]",
    "[previous exception]",
    "cause:",
    "errors:",
    "suppressed:",
    "... ",
    "---> ",
    "--- end of",
    "}",
    "]",
    ")",
    "^",
    "~",
    "#0 ",
    "#1 ",
    "#2 ",
    "stack trace:",
    "stacktrace:",
    "next ",
    "detail:",
    "hint:",
    "the above exception was",
    "during handling of the above",
    "traceback (most recent",
    "file \"",
    "note:",
    "help:",
    "severity:",
    "code:",
    "sqlstate:",
    "exception data:",
    "is the server running",
    "connections on unix domain",
    "accepting connections on",
    "this probably means",
    "before or while processing",
    "either provide the file",
    "make sure",
    "please make sure",
    "(background on this error",
    "[sql:",
    "[parameters:",
    "goroutine ",
];

/// Beginnings of lines that are the reason of what stands before them.
pub const INNER: &[&str] = &[
    "caused by",
    "[cause]",
    "cause:",
    "[previous exception]",
    "---> ",
    "parent:",
    "original:",
    "[errors]",
    "errors:",
];

/// Beginnings of lines whose reason stands before them.
pub const OUTER: &[&str] = &[
    "the above exception was",
    "during handling of the above",
    "next ",
    "--- end of inner exception",
];

/// Beginnings of lines of source code, where they are indented.
pub const CODE: &[&str] = &[
    "return ",
    "await ",
    "self.",
    "const ",
    "let ",
    "var ",
    "if ",
    "def ",
    "async ",
    "with ",
    "except ",
    "conn = ",
    "connection = ",
    "throw ",
    "raise ",
    "yield ",
];

/// Beginnings of lines of source code anywhere.
pub const STATEMENTS: &[&str] = &[
    "raise ",
    "throw err",
    "throw new ",
    "throw er;",
    "this.emit(\"error\"",
    "return new ",
];

/// Severities of a refusal in a client's words.
pub const REFUSED: &[&str] = &["fatal: ", "error: ", "connection to server at "];

/// Signs of an attempt without encryption.
pub const IN_CLEAR: &[&str] = &[
    "no encryption",
    "ssl off",
    "connection is insecure",
    "ssl required",
    "ssl connection is required",
    "without ssl",
];

/// Signs that a pool ran dry with its connections in use, and not because none came to be.
pub const POOL_IN_USE: &[&str] = &["queuepool limit", "idle=0, waiting="];

/// Sign that none came to be.
pub const POOL_EMPTY: &str = "(total=0,";

/// Files of database drivers, as stack traces name them.
pub const FRAMES: &[&str] = &[
    "/asyncpg/",
    "/psycopg2/",
    "/psycopg/",
    "/pg8000/",
    "/pg/lib/",
    "/pg-protocol/",
    "/postgres/src/",
    "org.postgresql.",
    "npgsql.internal",
    "pgx/v",
    "lib/pq",
];

/// What begins a server's line about what a client sent.
pub const SENT: &str = "statement: ";

/// Lines that say that all is well, or that are about something else for sure.
pub const NORMAL: &[&str] = &[
    "disconnected by user",
    "ready to accept connections",
    "git@",
    "by invalid user",
    "disconnected from user",
    "] statement: ",
];

/// What servers and poolers report of clients and of themselves on any day.
pub const ROUTINE: &[&str] = &[
    "could not receive data from client",
    "could not send data to client",
    "unexpected eof on client connection",
    "connection received",
    "connection authenticated",
    "connection authorized",
    "disconnection:",
    "checkpoint starting",
    "checkpoint complete",
    "restartpoint starting",
    "restartpoint complete",
    "automatic vacuum",
    "automatic analyze",
    "autovacuum launcher",
    "received sighup",
    "received fast shutdown request",
    "received smart shutdown request",
    "aborting any active transactions",
    "background worker \"logical replication launcher\"",
    "shutting down",
    "database system is shut down",
    "database system was shut down",
    "duration:",
    "temporary file:",
    "server idle timeout",
    "server lifetime over",
    "client close request",
    "client unexpected eof",
    "client disconnect",
    "new connection to server",
    "login attempt",
    "stats:",
];

/// Those of them that are a fault where a text holds nothing else.
pub const CLIENT_LOST: &[&str] = &[
    "could not receive data from client",
    "could not send data to client",
    "unexpected eof on client connection",
];

/// Who stops a server by intent says so first.
pub const STOPPED: &[&str] = &[
    "received fast shutdown request",
    "received smart shutdown request",
];

/// What clients are told while a server stops.
pub const WHILE_STOPPED: &[&str] = &[
    "terminating connection due to administrator command",
    "the database system is shutting down",
    "terminating autovacuum",
    "terminating logical replication worker",
    "terminating walreceiver",
];

/// What clients are told while a server starts.
pub const WHILE_STARTING: &[&str] = &["the database system is starting up"];

/// Signs of SSH.
pub const SSH: &[&str] = &[
    "ssh",
    "paramiko",
    "jsch",
    "bastion",
    "port 22",
    ":22",
    "id_rsa",
    "id_ed25519",
    "id_ecdsa",
    "kex_",
    "sftp",
];

/// Signs of something else that prints the same words.
pub const FOREIGN: &[&str] = &[
    "mysql",
    "mariadb",
    "mongo",
    "redis",
    "oracle",
    "ora-",
    "sql server",
    "sqlserver",
    "odbc driver",
    "[hy000] [2002]",
    "okhttp",
    "cassandra",
    "elasticsearch",
    "opensearch",
    "clickhouse",
    "rabbitmq",
    "amqp",
    "kafka",
    "zookeeper",
    "memcache",
    "sqlite",
    "neo4j",
    "influx",
    "couch",
    "dynamodb",
    "snowflake",
    "http://",
    "https://",
    "curl",
    "wget",
    "nginx",
    "apache",
    "haproxy[",
    "upstream",
    "requests.exceptions",
    "urllib3",
    "axios",
    "fetch failed",
    "net/http",
    "httpconnectionpool",
    "httpsconnectionpool",
    "newconnectionerror",
    "smtp",
    "imap",
    "docker daemon",
    "docker.sock",
    "kubelet",
    "etcd",
    "npm err",
    "git clone",
    "rsync",
    "github.com",
    "gitlab.com",
    "s3.amazonaws",
    "ldap://",
    "nats://",
    "grpc",
    "websocket",
    "vite",
    "webpack",
    "chrome",
    ":3306",
    ":6379",
    ":27017",
    ":443",
    ":80 ",
    ":8080",
    ":9200",
    ":5672",
    ":9092",
    ":1521",
    ":1433",
    ":11211",
    ":3000",
    ":8000",
    ":2379",
    ":25 ",
    "port 443",
    "port 80",
    "port 3306",
    "port 6379",
    "port 8080",
    "port 25:",
];

/// Ports of services that are none of ours; what speaks of one of them speaks
/// of something else.
pub const FOREIGN_PORTS: &[u32] = &[
    25, 80, 389, 443, 465, 587, 636, 1433, 1521, 2375, 2379, 3000, 3306, 4222, 5000, 5671, 5672,
    6379, 6443, 8000, 8080, 8081, 8443, 8888, 9000, 9042, 9090, 9092, 9200, 9300, 11211, 15672,
    26379, 27017, 27018, 50051,
];
