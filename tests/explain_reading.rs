//! How `explain` reads a text: what stands before its lines, what makes a message,
//! which of several failures decides, and logs of any length.

use std::fmt::Write as _;

use dbdoctor::explain::{Confidence, Explanation};

fn first(text: &str) -> Option<&'static str> {
    Explanation::of_text(text)
        .matches
        .first()
        .map(|it| it.cause)
}

/// Texts of several lines with what they mean.
const MESSAGES: &[(&str, &str)] = &[
    (
        "psycopg2.OperationalError: could not connect to server: No such file or directory\n\
         \tIs the server running locally and accepting\n\
         \tconnections on Unix domain socket \"/run/postgresql/.s.PGSQL.5433\"?",
        "tcp.socket-missing",
    ),
    (
        "Traceback (most recent call last):\n  \
           File \"/srv/app/load.py\", line 12, in main\n    \
             raise TargetServerAttributeNotMatched(\n  \
           File \"/srv/v/psycopg2/__init__.py\", line 122, in connect\n    \
             conn = _connect(dsn)\n\
         psycopg2.OperationalError: connection to server at \"10.0.0.5\", port 5432 failed: \
         FATAL:  password authentication failed for user \"app\"\n\
         connection to server at \"10.0.0.5\", port 5432 failed: FATAL:  no pg_hba.conf entry \
         for host \"10.0.0.9\", user \"app\", database \"app\", no encryption",
        "auth.password.wrong",
    ),
    (
        "org.postgresql.util.PSQLException: The connection attempt failed.\n\
         \tat org.postgresql.Driver.connect(Driver.java:273)\n\
         Caused by: java.net.UnknownHostException: db.corp.test\n\
         \tat java.base/sun.nio.ch.NioSocketImpl.connect(NioSocketImpl.java:567)",
        "dns.nxdomain",
    ),
];

/// What is put before each line, by whom.
const PREFIXES: &[(&str, &str)] = &[
    ("pytest", "E   "),
    ("mail", "> "),
    ("mail, twice", "> > "),
    ("compose", "app-1  | "),
    ("an older compose", "app_1          | "),
    ("kubectl", "[pod/app-7c9/app] "),
    ("GitHub Actions", "2026-10-02T11:00:41.3318712Z "),
    ("Heroku", "2026-10-02T11:00:41.331902+00:00 app[web.1]: "),
    ("syslog", "Oct  2 11:00:41 host app[812]: "),
    (
        "journald in another language",
        "okt 02 11:00:41 host app[812]: ",
    ),
    ("docker build", "#11 0.412 "),
    ("a test in CI", "2026-10-02T11:00:41.3318712Z E   "),
    (
        "kubectl's container in CI",
        "2026-10-02T11:00:41.3318712Z app-1  | ",
    ),
];

#[test]
fn what_stands_before_the_lines_hides_nothing() {
    for (text, cause) in MESSAGES {
        assert_eq!(first(text), Some(*cause), "{text}");
        for (who, prefix) in PREFIXES {
            let quoted: Vec<String> = text.lines().map(|line| format!("{prefix}{line}")).collect();
            let quoted = quoted.join("\n");
            assert_eq!(first(&quoted), Some(*cause), "{who}:\n{quoted}");
        }
        let escaped = text
            .replace('"', "\\\"")
            .replace('\n', "\\n")
            .replace('\t', "\\t");
        for object in [
            format!("{{\"msg\": \"{escaped}\"}}"),
            format!("{{\"log\":\"{escaped}\\n\",\"stream\":\"stderr\"}}"),
            format!("{{\"level\":\"error\",\"error\":\"{escaped}\",\"n\":1}}"),
        ] {
            assert_eq!(first(&object), Some(*cause), "{object}");
        }
        let coloured = format!(
            "\x1b[1m\x1b[31m{}\x1b[0m",
            text.replace('\n', "\x1b[0m\n\x1b[31m")
        );
        assert_eq!(first(&coloured), Some(*cause), "{coloured}");
    }
}

#[test]
fn source_code_in_a_trace_says_nothing() {
    for text in [
        "  File \"/a/psycopg2/x.py\", line 8, in f\n    raise ConnectionRefusedError(\"password authentication failed\")\nKeyError: 'a'",
        "/app/node_modules/pg/lib/client.js:12\n    throw new Error('Connection terminated unexpectedly')\n    ^\n",
        "  File \"/a/psycopg2/x.py\", line 8, in f\n    if \"too many clients already\" in str(e):\n        log(\"sorry, too many clients already\")\n    ~~~^^^^\nKeyError: 'a'",
        ">       raise OperationalError(\"role \\\"a\\\" does not exist\")\nE       KeyError: 'psycopg2'",
    ] {
        assert_eq!(first(text), None, "{text}");
    }
}

#[test]
fn the_first_refusal_of_one_attempt_decides() {
    for (text, cause) in [
        (
            "psql: FATAL:  password authentication failed for user \"a\"\n\
             FATAL:  no pg_hba.conf entry for host \"10.0.0.9\", user \"a\", database \"a\", SSL off",
            "auth.password.wrong",
        ),
        (
            "OperationalError: ERROR:  Endpoint ID is not specified. Either please upgrade the \
             postgres client library (libpq) for SNI support\n\
             ERROR:  connection is insecure (try using `sslmode=require`)",
            "pooler.sni",
        ),
        (
            "connection to server at \"db\" (10.0.0.5), port 5432 failed: FATAL:  database \"x\" does not exist\n\
             connection to server at \"db\" (10.0.0.5), port 5432 failed: FATAL:  no pg_hba.conf entry \
             for host \"10.0.0.9\", user \"a\", database \"x\", no encryption",
            "auth.database.missing",
        ),
        // Two servers are two attempts: the one that answered says more.
        (
            "connection to server at \"db1\" (10.0.0.5), port 5432 failed: Connection refused\n\
             connection to server at \"db2\" (10.0.0.6), port 5432 failed: FATAL:  role \"a\" does not exist",
            "auth.role.missing",
        ),
    ] {
        assert_eq!(first(text), Some(cause), "{text}");
    }
}

#[test]
fn a_detail_of_the_server_decides() {
    let entry = |time: &str, detail: &str| {
        format!(
            "{time} [71] FATAL:  password authentication failed for user \"etl\"\n\
             {time} [90] LOG:  connection received: host=10.0.0.9 port=40000\n\
             {time} [71] DETAIL:  {detail}\n\tConnection matched pg_hba.conf line 2: \"host all all all scram-sha-256\""
        )
    };
    for time in [
        "2026-10-02 11:00:41.112 UTC",
        "2026-10-02 11:00:41 CEST",
        "pg-1  | 2026-10-02 11:00:41.112 UTC",
    ] {
        let ghost = entry(time, "Role \"etl\" does not exist.");
        assert_eq!(first(&ghost), Some("auth.role.missing"), "{ghost}");
        for (detail, says) in [
            ("User \"etl\" has an expired password.", "expired"),
            ("User \"etl\" has no password assigned.", "no password"),
            ("User \"etl\" does not have a valid SCRAM secret.", "MD5"),
        ] {
            let found = Explanation::of_text(&entry(time, detail));
            let best = found.matches.first().unwrap();
            assert_eq!(best.cause, "auth.password.wrong");
            assert!(best.summary.contains(says), "{detail}: {}", best.summary);
        }
    }
    // Another process's DETAIL is none of this one's.
    let other = "2026-10-02 11:00:41 UTC [71] FATAL:  password authentication failed for user \"etl\"\n\
                 2026-10-02 11:00:41 UTC [72] FATAL:  password authentication failed for user \"ghost\"\n\
                 2026-10-02 11:00:41 UTC [72] DETAIL:  Role \"ghost\" does not exist.";
    let found = Explanation::of_text(other);
    let causes: Vec<_> = found
        .summary
        .iter()
        .map(|it| (it.cause, it.count))
        .collect();
    assert!(causes.contains(&("auth.password.wrong", 1)), "{causes:?}");
    assert!(causes.contains(&("auth.role.missing", 1)), "{causes:?}");
}

#[test]
fn chains_are_read_from_the_inside() {
    for (text, cause) in [
        // .NET
        (
            "System.InvalidOperationException: An exception has been raised that is likely due to a transient failure.\n \
             ---> Npgsql.NpgsqlException (0x80004005): Failed to connect to 10.0.0.5:5432\n \
             ---> System.Net.Sockets.SocketException (113): No route to host",
            "tcp.unreachable",
        ),
        // Rust
        (
            "Error: boot\n\nCaused by:\n    0: pool timed out while waiting for an open connection\n    \
             1: error communicating with database: No route to host (os error 113)",
            "tcp.unreachable",
        ),
        // Node
        (
            "Error: Failed query: select 1\n    at PgPreparedQuery.queryWithCache (/app/node_modules/drizzle-orm/pg-core/session.js:41:15) {\n  \
             [cause]: error: role \"app\" does not exist\n      at Parser.parseErrorMessage (/app/node_modules/pg-protocol/dist/parser.js:285:98)",
            "auth.role.missing",
        ),
        // Python, whose root stands first
        (
            "Traceback (most recent call last):\n  File \"/v/asyncpg/connect_utils.py\", line 9, in x\n\
             ConnectionRefusedError: [Errno 111] Connect call failed ('10.0.0.5', 5432)\n\n\
             The above exception was the direct cause of the following exception:\n\n\
             Traceback (most recent call last):\n  File \"/v/tortoise/x.py\", line 9, in y\n\
             tortoise.exceptions.DBConnectionError: Can't establish connection to database shop",
            "tcp.refused",
        ),
        // PHP
        (
            "PDOException: SQLSTATE[08006] [7] FATAL:  database \"shop\" does not exist in /a/b.php:3\n\
             Stack trace:\n#0 /a/b.php(3): PDO->__construct()\n\n\
             Next Doctrine\\DBAL\\Exception: An exception occurred in the driver",
            "auth.database.missing",
        ),
        // A pool that runs dry because nothing answers
        (
            "error connecting in 'pool-1': connection failed: connection to server at \"10.0.0.5\", port 5432 failed: Connection refused\n\
             psycopg_pool.PoolTimeout: couldn't get a connection after 30.00 sec",
            "tcp.refused",
        ),
    ] {
        assert_eq!(first(text), Some(cause), "{text}");
    }
}

#[test]
fn the_frames_say_when_it_failed() {
    let pgjdbc = |end: &str, frame: &str| {
        format!(
            "org.postgresql.util.PSQLException: The connection attempt failed.\n\
             Caused by: {end}\n\tat org.postgresql.core.PGStream.receiveChar(PGStream.java:453)\n\
             \tat org.postgresql.{frame}"
        )
    };
    let asking = "core.v3.ConnectionFactoryImpl.enableSSL(ConnectionFactoryImpl.java:521)";
    let handshake = "ssl.MakeSSL.convert(MakeSSL.java:40)";
    let login = "core.v3.ConnectionFactoryImpl.doAuthentication(ConnectionFactoryImpl.java:600)";
    for (end, frame, cause) in [
        (
            "java.net.SocketException: Connection timed out (Read failed)",
            asking,
            "protocol.silent",
        ),
        (
            "java.net.SocketTimeoutException: Read timed out",
            asking,
            "protocol.silent",
        ),
        ("java.io.EOFException", asking, "protocol.closed"),
        (
            "java.net.SocketException: Connection reset",
            asking,
            "protocol.reset",
        ),
        (
            "java.net.SocketTimeoutException: Read timed out",
            handshake,
            "tls.timeout",
        ),
        (
            "java.net.SocketTimeoutException: Read timed out",
            login,
            "auth.timeout",
        ),
        ("java.io.EOFException", login, "auth.closed"),
    ] {
        let text = pgjdbc(end, frame);
        assert_eq!(first(&text), Some(cause), "{text}");
    }
    let npgsql = |inner: &str, frame: &str| {
        format!(
            "Npgsql.NpgsqlException (0x80004005): Exception while reading from stream\n \
             ---> {inner}\n   at Npgsql.{frame}"
        )
    };
    let query = "NpgsqlCommand.ExecuteReader(Boolean async)";
    let open = "Internal.NpgsqlConnector.RawOpen(SslMode sslMode)";
    for (inner, frame, cause) in [
        (
            "System.TimeoutException: Timeout during reading attempt",
            query,
            "server.timeout",
        ),
        (
            "System.TimeoutException: Timeout during reading attempt",
            open,
            "protocol.silent",
        ),
        (
            "System.IO.EndOfStreamException: Attempted to read past the end of the stream.",
            query,
            "idle.closed",
        ),
        (
            "System.IO.EndOfStreamException: Attempted to read past the end of the stream.",
            open,
            "protocol.closed",
        ),
        (
            "System.Net.Sockets.SocketException (104): Connection reset by peer",
            query,
            "idle.reset",
        ),
    ] {
        let text = npgsql(inner, frame);
        assert_eq!(first(&text), Some(cause), "{text}");
    }
}

#[test]
fn a_wrapper_is_ranked_by_the_place_it_names() {
    let causes = |text: &str| {
        let found = Explanation::of_text(text).matches;
        found.iter().map(|it| it.cause).collect::<Vec<_>>()
    };
    for (place, cause) in [
        ("127.0.0.1:5433", "tcp.refused"),
        ("localhost:5432", "tcp.refused"),
        ("db.abcdefghijkl.supabase.co:5432", "tcp.unreachable"),
        (
            "ep-cool-1.eu-central-1.aws.neon.tech:5432",
            "pooler.suspended",
        ),
        (
            "shop.abc.eu-central-1.rds.amazonaws.com:5432",
            "tcp.timeout",
        ),
        ("postgres:5432", "dns.container-name"),
    ] {
        let text = format!(
            "Error: P1001: Can't reach database server at `{place}`\n\nPlease make sure your database server is running at `{place}`."
        );
        let found = Explanation::of_text(&text).matches;
        let best = found.first().unwrap();
        assert_eq!(best.cause, cause, "{text}");
        assert!(best.confidence < Confidence::High, "{text}");
    }
    // With IPv6 missing beside a refusal, the refusal counts.
    let found = causes(
        "ping: dial tcp [::1]:5433: connect: cannot assign requested address\n\
         ping: dial tcp 127.0.0.1:5433: connect: connection refused",
    );
    assert_eq!(found, ["tcp.refused"]);
}

#[test]
fn a_general_symptom_is_not_sure_of_a_story() {
    for text in [
        "psql: error: connection to server at \"127.0.0.1\", port 45123 failed: Connection refused",
        "Connection refused",
        "timeout expired",
        "Connection reset by peer",
        "asyncpg: [WinError 64] The specified network name is no longer available",
    ] {
        for it in Explanation::of_text(text).matches {
            let story = ["tunnel.", "client.", "idle."];
            let is_story = story.iter().any(|family| it.cause.starts_with(family));
            assert!(
                !is_story || it.confidence < Confidence::High,
                "{text}: {}",
                it.cause
            );
        }
    }
}

/// A log of an application with what it says in between.
fn log(records: usize, mut at: impl FnMut(usize) -> Option<String>) -> String {
    let mut log = String::new();
    for n in 0..records {
        let time = format!(
            "2026-10-02T{:02}:{:02}:{:02}Z",
            n / 3600 % 24,
            n / 60 % 60,
            n % 60
        );
        let _ = writeln!(
            log,
            "{time} INFO request {n} of user {} served in {} ms",
            n * 7919,
            n % 97
        );
        if let Some(text) = at(n) {
            let _ = writeln!(log, "{time} ERROR {text}");
        }
    }
    log
}

#[test]
fn a_long_log_is_counted_whole() {
    let refused = "task failed\nTraceback (most recent call last):\n  \
                   File \"/srv/v/psycopg2/__init__.py\", line 122, in connect\n    \
                   conn = _connect(dsn)\npsycopg2.OperationalError: connection to server at \
                   \"10.0.0.5\", port 5432 failed: Connection refused\n\tIs the server running \
                   on that host and accepting TCP/IP connections?";
    let log = log(40_000, |n| match n {
        100 | 39_990 => Some(refused.to_owned()),
        _ if n % 1000 == 7 => {
            Some("psycopg2.OperationalError: FATAL:  sorry, too many clients already".to_owned())
        }
        _ => None,
    });
    assert!(log.len() > 2 << 20, "{} bytes", log.len());
    let line = |text: &str| log.lines().position(|line| line.contains(text)).unwrap() + 1;
    let last = |text: &str| {
        let all: Vec<&str> = log.lines().collect();
        all.iter().rposition(|line| line.contains(text)).unwrap() + 1
    };
    let found = Explanation::of_input(log.as_bytes()).unwrap();
    let of = |cause| found.summary.iter().find(|it| it.cause == cause).unwrap();
    let full = of("server.connections.full");
    assert_eq!(full.count, 40);
    assert_eq!(full.first_line, line("too many clients"));
    assert_eq!(full.last_line, last("too many clients"));
    assert_eq!(full.first_time.as_deref(), Some("2026-10-02T00:00:07Z"));
    assert_eq!(full.last_time.as_deref(), Some("2026-10-02T10:50:07Z"));
    let refused = of("tcp.refused");
    assert_eq!(refused.count, 2);
    assert_eq!(
        (refused.first_line, refused.last_line),
        (line("task failed"), last("task failed"))
    );
    // The same as read from memory.
    assert_eq!(
        serde_json::to_string(&found).unwrap(),
        serde_json::to_string(&Explanation::of_text(&log)).unwrap()
    );
}

#[test]
fn the_first_failure_of_a_log_counts() {
    let log = log(400, |n| match n {
        _ if n > 50 && n % 3 == 0 => Some(format!(
            "psycopg2.OperationalError: FATAL:  role \"a{n}\" does not exist"
        )),
        350 => Some(
            "psycopg2.OperationalError: FATAL:  password authentication failed for user \"app\""
                .to_owned(),
        ),
        _ => None,
    });
    let found = Explanation::of_text(&log);
    let causes: Vec<_> = found.matches.iter().map(|it| it.cause).collect();
    assert_eq!(causes[..2], ["auth.role.missing", "auth.password.wrong"]);
}

#[test]
fn a_line_without_an_end_is_bounded() {
    let endless = "x".repeat(5 << 20) + "\nFATAL:  sorry, too many clients already\n";
    let found = Explanation::of_input(endless.as_bytes()).unwrap();
    let best = found.matches.first().unwrap();
    assert_eq!(
        (best.cause, best.line),
        ("server.connections.full", Some(2))
    );
}

#[test]
fn a_deep_trace_is_one_message() {
    let frames: String = (0..400)
        .map(|n| format!("\tat com.shop.Bean.get{n}(Bean.java:{n})\n"))
        .collect();
    let text = format!(
        "2026-10-02 11:00:41 ERROR Application run failed\njava.lang.IllegalStateException: boot\n{frames}\
         Caused by: org.postgresql.util.PSQLException: FATAL: role \"shop\" does not exist\n{frames}"
    );
    let found = Explanation::of_text(&text);
    assert_eq!(found.matches.first().unwrap().cause, "auth.role.missing");
    let counts: Vec<_> = found
        .summary
        .iter()
        .map(|it| (it.cause, it.count, it.first_line))
        .collect();
    assert_eq!(counts, [("auth.role.missing", 1, 1)]);
    // The same line over and over is not one message.
    let repeated = "FATAL:  sorry, too many clients already\n".repeat(300);
    let found = Explanation::of_text(&repeated);
    assert_eq!(found.summary.first().unwrap().count, 300);
}
