//! The reading of `tap`, held to what real programs are known to have sent and real servers to
//! have answered, and that none of their secrets is in what was read.

#[path = "common/trials.rs"]
mod trials;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dbdoctor::tap::conversation::{
    ChannelBinding, Conversation, Encryption, EncryptionAnswer, Event, Method, Phase, Side,
};
use dbdoctor_lab::{Conn, Finished, Lab, Need, Tool};

/// Stands in every statement and row, and nowhere else.
const CANARY: &str = "canary-in-a-statement";

const TRIALS: &[trials::Named<Lab>] = &[
    ("psql_without_tls", psql_without_tls),
    ("psql_with_tls", psql_with_tls),
    ("a_certificate_that_psql_refuses", certificate_refused),
    ("a_wrong_password", wrong_password),
    ("psycopg2_and_its_cursor_copy_and_errors", psycopg2),
    ("a_cancel_request", cancel),
    ("asyncpg_and_its_statements", asyncpg),
    ("pipelines_of_libpq", pipelines),
    ("pgbouncer_s_refusal", pgbouncer),
];

fn main() {
    let needs = &[Need::Postgres, Need::PgBouncer, Need::Python];
    trials::run(2, trials::lab(needs), TRIALS);
}

/// What passed in one connection.
#[derive(Default)]
struct Seen {
    conversation: Conversation,
    events: Vec<Event>,
}

/// A forward that reads what passes.
struct Recorder {
    port: u16,
    seen: Arc<Mutex<Vec<Arc<Mutex<Seen>>>>>,
}

impl Recorder {
    fn to(port: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let recorder = Recorder {
            port: listener.local_addr()?.port(),
            seen: Arc::default(),
        };
        let all = recorder.seen.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
                    return;
                };
                let seen = Arc::new(Mutex::new(Seen::default()));
                lock(&all).push(seen.clone());
                for (side, from, to) in [
                    (Side::Client, client.try_clone(), server.try_clone()),
                    (Side::Server, server.try_clone(), client.try_clone()),
                ] {
                    if let (Ok(from), Ok(to)) = (from, to) {
                        let seen = seen.clone();
                        thread::spawn(move || pass(side, from, to, &seen));
                    }
                }
            }
        });
        Ok(recorder)
    }

    fn through(&self, conn: Conn) -> Conn {
        conn.set("port", self.port)
    }

    /// The connections so far, once all are over.
    fn conversations(&self) -> Result<Vec<Seen>> {
        let mut all = lock(&self.seen);
        let deadline = Instant::now() + Duration::from_secs(20);
        while all.iter().any(|seen| Arc::strong_count(seen) > 1) {
            ensure!(Instant::now() < deadline, "a connection does not end");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(all
            .drain(..)
            .filter_map(Arc::into_inner)
            .filter_map(|seen| seen.into_inner().ok())
            .collect())
    }

    /// The only one.
    fn conversation(&self) -> Result<Seen> {
        let mut all = self.conversations()?;
        ensure!(all.len() == 1, "{} connections", all.len());
        all.pop().context("no connection")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn pass(side: Side, mut from: TcpStream, mut to: TcpStream, seen: &Mutex<Seen>) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        let bytes = &buffer[..n];
        {
            let mut seen = lock(seen);
            let Seen {
                conversation,
                events,
            } = &mut *seen;
            let mut tell = |event| events.push(event);
            match side {
                Side::Client => conversation.client(Instant::now(), bytes, &mut tell),
                Side::Server => conversation.server(Instant::now(), bytes, &mut tell),
            }
        }
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// Everything that was read, which holds no secret.
fn without_secrets(lab: &Lab, seen: &Seen) -> Result<()> {
    let mut all = format!("{:?}{:?}", seen.conversation, seen.events);
    for event in &seen.events {
        all += &event.to_string();
    }
    for secret in [lab.password(), CANARY] {
        ensure!(!all.contains(secret), "{all}");
        let bytes = format!("{:?}", secret.as_bytes());
        ensure!(!all.contains(bytes.trim_matches(['[', ']'])), "{all}");
    }
    Ok(())
}

fn psql(lab: &Lab, conn: &Conn, commands: &[&str]) -> Result<Finished> {
    let mut tool = Tool::new("psql")
        .env("PGPASSWORD", lab.password())
        .args(["-XAt"]);
    for command in commands {
        tool = tool.arg("-c").arg(command);
    }
    tool.arg("-d").arg(conn).run(Duration::from_secs(30))
}

fn python(lab: &Lab, conn: &Conn, script: &str) -> Result<String> {
    Tool::new("/usr/bin/python3")
        .env("PGPASSWORD", lab.password())
        .env("DSN", conn)
        .env("URL", conn.url())
        .env("CANARY", CANARY)
        .arg("-c")
        .arg(script)
        .succeed()
}

fn psql_without_tls(lab: &Lab) -> Result<()> {
    let server = lab.postgres()?;
    let recorder = Recorder::to(server.port())?;
    let conn = recorder.through(server.conn()).set("sslmode", "disable");
    let statement = format!("select '{CANARY}' from generate_series(1, 1000)");
    let large = "select repeat('x', 5000000)";
    psql(lab, &conn, &["select 1", &statement, large, "select 1/0"])?;
    let seen = recorder.conversation()?;
    without_secrets(lab, &seen)?;
    let read = seen.conversation;
    ensure!(read.phase == Phase::Session, "{read:?}");
    ensure!(read.encryption.is_empty() && read.client_hello.is_none());
    let startup = read.startup.as_ref().context("no start-up message")?;
    ensure!(startup.get("user") == Some("app") && startup.get("database") == Some("appdb"));
    ensure!(
        startup.get("application_name") == Some("psql"),
        "{startup:?}"
    );
    ensure!(read.login.asked == [Method::Sasl(vec!["SCRAM-SHA-256".to_owned()])]);
    ensure!(read.login.mechanism.as_deref() == Some("SCRAM-SHA-256"));
    ensure!(read.login.channel_binding == Some(ChannelBinding::Unsupported));
    ensure!(read.login.authenticated.is_some() && read.login.ready.is_some());
    ensure!(read.backend_pid.is_some() && read.parameters.contains_key("server_version"));
    let statements = &read.statements;
    ensure!(
        (statements.simple, statements.rows) == (4, 1002),
        "{statements:?}"
    );
    ensure!(
        read.sqlstates.get("22012") == Some(&1),
        "{:?}",
        read.sqlstates
    );
    ensure!(read.errors[0].message.is_empty() && !read.errors[0].routine().is_empty());
    ensure!(read.terminated && read.unanswered == 0 && read.transaction == Some(b'I'));
    // Start-up, two answers of SCRAM, the queries, the farewell.
    ensure!(read.messages.client == 1 + 2 + 4 + 1, "{:?}", read.messages);
    ensure!(read.bytes.server > 5_000_000 && read.unreadable.is_none());
    Ok(())
}

fn psql_with_tls(lab: &Lab) -> Result<()> {
    let server = lab.postgres()?;
    let recorder = Recorder::to(server.port())?;
    let conn = recorder
        .through(server.conn())
        .set("host", "localhost")
        .set("sslmode", "require");
    for version in ["TLSv1.2", "TLSv1.3"] {
        let conn = conn.clone().set("ssl_max_protocol_version", version);
        let statement = format!("select '{CANARY}'");
        let finished = psql(lab, &conn, &[&statement])?;
        ensure!(finished.stdout.contains(CANARY), "{finished:?}");
        let seen = recorder.conversation()?;
        without_secrets(lab, &seen)?;
        let read = seen.conversation;
        ensure!(read.phase == Phase::Tls, "{read:?}");
        let request = read.encryption.first().context("nothing asked")?;
        ensure!(request.asked == Encryption::Tls);
        ensure!(request.answer == Some(EncryptionAnswer::Accepted));
        let hello = read.client_hello.as_ref().context("no ClientHello")?;
        ensure!(
            hello.server_name.as_deref() == Some("localhost"),
            "{hello:?}"
        );
        let agreed = read.server_hello.context("no ServerHello")?.version;
        ensure!((agreed == 0x0304) == (version == "TLSv1.3"), "{agreed:x}");
        ensure!(read.encrypted.is_some() && read.startup.is_none());
        // close_notify, if anything.
        ensure!(
            read.alerts.iter().all(|alert| alert.is_warning),
            "{:?}",
            read.alerts
        );
    }
    Ok(())
}

fn certificate_refused(lab: &Lab) -> Result<()> {
    let server = lab.postgres()?;
    let recorder = Recorder::to(server.port())?;
    let conn = recorder.through(server.conn()).set("sslmode", "verify-ca");
    let stranger = dbdoctor_lab::Ca::new("Stranger")?;
    let file = lab.dir("stranger")?.join("ca.crt");
    stranger.write(&file)?;
    let conn = conn.set("sslrootcert", file.display());
    ensure!(psql(lab, &conn, &["select 1"])?.status != Some(0));
    let read = recorder.conversation()?.conversation;
    let alert = read.alerts.first().context("no alert")?;
    ensure!(alert.from == Side::Client && !alert.is_warning, "{alert:?}");
    ensure!(alert.number == Some(48), "{alert:?}");
    ensure!(read.encrypted.is_none());
    // A name that is not the certificate's is found after the handshake.
    let conn = conn
        .set("sslrootcert", lab.ca_file().display())
        .set("sslmode", "verify-full")
        .set("hostaddr", "127.0.0.1")
        .set("host", "other.test");
    ensure!(psql(lab, &conn, &["select 1"])?.status != Some(0));
    let read = recorder.conversation()?.conversation;
    ensure!(read.encrypted.is_some());
    ensure!(
        read.alerts.iter().all(|alert| alert.is_warning),
        "{:?}",
        read.alerts
    );
    Ok(())
}

fn wrong_password(lab: &Lab) -> Result<()> {
    let server = lab.postgres()?;
    let recorder = Recorder::to(server.port())?;
    let wrong = format!("{CANARY}-password");
    let conn = recorder.through(server.conn());
    let conn = conn.set("sslmode", "disable").set("password", wrong);
    ensure!(psql(lab, &conn, &["select 1"])?.status != Some(0));
    let seen = recorder.conversation()?;
    without_secrets(lab, &seen)?;
    let read = seen.conversation;
    ensure!(read.phase == Phase::Login && read.login.has_answered);
    ensure!(read.login.authenticated.is_none() && read.login.ready.is_none());
    let error = read.errors.first().context("no error")?;
    ensure!(
        (error.code.as_str(), error.routine()) == ("28P01", "auth_failed"),
        "{error:?}"
    );
    ensure!(seen.events.iter().any(|event| {
        event.to_string() == "FATAL 28P01: password authentication failed for user \"app\""
    }));
    Ok(())
}

const PSYCOPG2: &str = r#"
import io, os, psycopg2
c = psycopg2.connect(os.environ["DSN"])
c.autocommit = True
canary = os.environ["CANARY"]
k = c.cursor()
k.execute("create temp table t (id int primary key, v text)")        # 1
for n in range(10):
    k.execute("insert into t values (%s, %s)", (n, canary))           # 11
k.copy_expert("copy t from stdin", io.StringIO("".join(f"{n}\t{canary}\n" for n in range(10, 30))))  # 12
out = io.StringIO()
k.copy_expert("copy t to stdout", out)                               # 13: 30 rows
assert out.getvalue().count(canary) == 30
for n in range(3):
    try:
        k.execute("insert into t values (1, %s)", (canary,))          # 16
        raise SystemExit("no error")
    except psycopg2.errors.UniqueViolation:
        pass
k.execute("listen ch")                                               # 17
k.execute("notify ch, %s", (canary,))                                # 18
c.poll()
assert c.notifies
c.autocommit = False
s = c.cursor("named")
s.itersize = 10
s.execute("select * from t")                                         # 19 BEGIN, 20 DECLARE
assert len(list(s)) == 30                                            # 21-24 FETCH: 10, 10, 10, 0
s.close()                                                            # 25
k.execute("select 1/(id-1) from t where id = 0")                     # 26: 1 row
c.close()
"#;

fn psycopg2(lab: &Lab) -> Result<()> {
    let server = lab.postgres()?;
    let recorder = Recorder::to(server.port())?;
    let conn = recorder.through(server.conn()).set("sslmode", "disable");
    python(lab, &conn, PSYCOPG2)?;
    let seen = recorder.conversation()?;
    without_secrets(lab, &seen)?;
    let read = seen.conversation;
    let statements = &read.statements;
    ensure!(statements.copies == 2, "{statements:?}");
    ensure!(statements.rows == 30 + 30 + 1, "{statements:?}");
    ensure!(statements.simple == 26, "{statements:?}");
    ensure!(statements.named + statements.unnamed + statements.executed == 0);
    ensure!(
        read.sqlstates.get("23505") == Some(&3),
        "{:?}",
        read.sqlstates
    );
    ensure!(
        (read.transaction, read.unanswered) == (Some(b'T'), 0),
        "{read:?}"
    );
    ensure!(read.terminated && read.unreadable.is_none());
    Ok(())
}

const CANCEL: &str = r#"
import os, psycopg2, threading, time
c = psycopg2.connect(os.environ["DSN"])
threading.Timer(1, c.cancel).start()
try:
    c.cursor().execute("select pg_sleep(30)")
except psycopg2.errors.QueryCanceled:
    c.close()
"#;

fn cancel(lab: &Lab) -> Result<()> {
    let server = lab.postgres()?;
    let recorder = Recorder::to(server.port())?;
    let conn = recorder.through(server.conn()).set("sslmode", "disable");
    python(lab, &conn, CANCEL)?;
    let all = recorder.conversations()?;
    ensure!(all.len() == 2, "{} connections", all.len());
    let (session, cancel) = (&all[0].conversation, &all[1].conversation);
    ensure!(cancel.phase == Phase::Cancel && cancel.cancels.is_some());
    ensure!(cancel.cancels == session.backend_pid);
    ensure!(
        session.sqlstates.get("57014") == Some(&1),
        "{:?}",
        session.sqlstates
    );
    Ok(())
}

const ASYNCPG: &str = r#"
import asyncio, os, asyncpg
async def main():
    c = await asyncpg.connect(os.environ["URL"], password=os.environ["PGPASSWORD"], ssl=False)
    canary = os.environ["CANARY"]
    await c.execute("create temp table t (v text)")                  # simple
    for n in range(5):
        assert await c.fetchval("select $1::text", canary) == canary  # 1 Parse, 5 Binds
    for n in range(3):
        await c.execute("insert into t values ($1)", canary)         # 1 Parse, 3 Binds
    await c.copy_records_to_table("t", records=[(canary,)] * 20)
    assert len(await c.fetch("select * from t")) == 23               # 1 Parse, 1 Bind
    await c.close()
asyncio.run(main())
"#;

fn asyncpg(lab: &Lab) -> Result<()> {
    let server = lab.postgres()?;
    let recorder = Recorder::to(server.port())?;
    let conn = recorder.through(server.conn()).without("sslmode");
    python(lab, &conn, ASYNCPG)?;
    let seen = recorder.conversation()?;
    without_secrets(lab, &seen)?;
    let read = seen.conversation;
    ensure!(read.encryption.is_empty(), "{:?}", read.encryption);
    let statements = &read.statements;
    ensure!(statements.executed == 5 + 3 + 1, "{statements:?}");
    ensure!(
        statements.bound_to_named + statements.unnamed >= 9,
        "{statements:?}"
    );
    let first = statements.names.first().context("no name")?;
    ensure!(first.starts_with("__asyncpg_stmt_"), "{first}");
    ensure!(
        statements.rows == 5 + 23 && statements.copies == 1,
        "{statements:?}"
    );
    ensure!(read.unanswered == 0 && read.terminated, "{read:?}");
    Ok(())
}

fn pipelines(lab: &Lab) -> Result<()> {
    let server = lab.postgres()?;
    let recorder = Recorder::to(server.port())?;
    let conn = recorder.through(server.conn()).set("sslmode", "disable");
    let script =
        format!("\\startpipeline\nselect 1;\nselect '{CANARY}';\nselect 3;\n\\endpipeline\n");
    let file = lab.file("pipeline.sql", script, 0o644)?;
    Tool::new("pgbench")
        .env("PGPASSWORD", lab.password())
        .args(["-n", "-M", "prepared", "-t", "10", "-f"])
        .arg(file.display())
        .arg(conn)
        .succeed()?;
    let all = recorder.conversations()?;
    for seen in &all {
        without_secrets(lab, seen)?;
        let read = &seen.conversation;
        ensure!(read.unanswered == 0 && read.terminated, "{read:?}");
    }
    let bench = all.iter().map(|seen| &seen.conversation.statements);
    let bench = bench
        .max_by_key(|statements| statements.executed)
        .context("none")?;
    ensure!(
        (bench.executed, bench.named, bench.rows) == (30, 3, 30),
        "{bench:?}"
    );
    ensure!(bench.bound_to_named == 30, "{bench:?}");
    Ok(())
}

fn pgbouncer(lab: &Lab) -> Result<()> {
    let server = lab.postgres()?;
    let target = format!("host=127.0.0.1 port={}", server.port());
    let pooler = lab.new_pgbouncer().database("appdb", target).start()?;
    let recorder = Recorder::to(pooler.port())?;
    let conn = recorder.through(pooler.conn());
    psql(lab, &conn, &["select 1"])?;
    let all = recorder.conversations()?;
    let read = &all.last().context("no connection")?.conversation;
    ensure!(
        read.login.ready.is_some() && read.statements.simple == 1,
        "{read:?}"
    );
    ensure!(
        read.encryption
            .iter()
            .all(|request| { request.answer == Some(EncryptionAnswer::Refused) })
    );
    psql(lab, &conn.set("dbname", "nowhere"), &["select 1"])?;
    let all = recorder.conversations()?;
    let read = &all.last().context("no connection")?.conversation;
    let error = read.errors.first().context("no error")?;
    ensure!(error.message.contains("no such database") && !error.is_from_postgres());
    ensure!(read.phase == Phase::Login, "{read:?}");
    Ok(())
}
