//! Servers that take no sessions now, or are of the wrong kind.

pub mod notices;
pub mod notices_many;
pub mod pasted;
pub mod read_only;
pub mod refusals;
pub mod slots;
pub mod spoken;
pub mod superuser;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::impostor::{self, impostor};
use crate::{Case, Conn, Expect, Lab, Need, Oracle, Peer, Postgres, PostgresBuilder};
use crate::{Scenario, Tool};

/// A case with the lab's password.
fn case(lab: &Lab, conn: Conn) -> Case {
    Case::check(conn).password(lab.password())
}

fn signal(name: &str, pid: u32) -> Result<()> {
    let tool = Tool::new("kill").arg(format!("-{name}")).arg(pid);
    tool.succeed().map(drop)
}

/// The facts of stage `server`.
fn facts(report: &Value) -> Result<&Value> {
    let stages = report["stages"].as_array().context("no stages")?;
    let server = stages.iter().find(|stage| stage["stage"] == "server");
    Ok(&server.context("no stage server")?["facts"])
}

/// A standby, without a primary.
fn standby(lab: &Lab) -> Result<Postgres> {
    lab.new_postgres().file("standby.signal", "").start()
}

/// A case on one server with this wish.
fn wants(lab: &Lab, pg: Postgres, attrs: &str) -> Case {
    case(lab, pg.conn().set("target_session_attrs", attrs)).keep(pg)
}

/// Both servers in this order, with this wish.
fn both(lab: &Lab, first: &Postgres, second: &Postgres, attrs: &str) -> Case {
    let conn = first
        .conn()
        .set("host", "127.0.0.1,127.0.0.1")
        .set("port", format!("{},{}", first.port(), second.port()))
        .set("target_session_attrs", attrs);
    case(lab, conn)
}

/// Whether the server that answered is this one.
fn answered(port: u16) -> impl Fn(&Value) -> Result<()> {
    move |report| {
        let address = facts(report)?["server_address"]
            .as_str()
            .unwrap_or_default();
        ensure!(
            address.ends_with(&format!(":{port}")),
            "{address} answered, not port {port}"
        );
        Ok(())
    }
}

/// A target on an impostor.
fn at(peer: &Peer) -> Conn {
    Conn::new()
        .set("host", "127.0.0.1")
        .set("port", peer.port())
        .set("user", "app")
        .set("dbname", "appdb")
}

/// The server's state.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "server-connections-near-limit",
        "28 of 30 slots are taken",
        Expect::Warn("server.connections.near-limit"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().conf("max_connections", 30);
            let pg = pg.conf("superuser_reserved_connections", 0).start()?;
            let busy = pg.sessions(28)?;
            Ok(case(lab, pg.conn()).keep(busy).keep(pg))
        },
    ),
    Scenario::new(
        "server-connections-near-role-limit",
        "the last session that the role may have",
        Expect::Warn("server.connections.near-limit"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().sql("alter role app connection limit 4");
            let pg = pg.start()?;
            let busy = pg.sessions(3)?;
            Ok(case(lab, pg.conn()).keep(busy).keep(pg))
        },
    ),
    Scenario::new(
        "server-connections-limit-of-one",
        "the role may have one session, and it is ours",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().sql("alter role app connection limit 1");
            let pg = pg.start()?;
            Ok(case(lab, pg.conn())
                .forbids("server.connections.near-limit")
                .keep(pg))
        },
    ),
    Scenario::new(
        "server-half-full",
        "half of the slots are taken by another role's sessions, which we may not look into",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().sql(&format!(
                "create role other login password '{}'",
                lab.password()
            ));
            let pg = pg.start()?;
            let busy = pg.sessions(8)?;
            let conn = pg.conn().set("user", "other");
            let case = case(lab, conn).assert(|report| {
                let used = &facts(report)?["connections"]["server"]["used"];
                ensure!(*used == 9, "{used} sessions counted, not 9");
                Ok(())
            });
            Ok(case
                .forbids("server.connections.near-limit")
                .keep(busy)
                .keep(pg))
        },
    ),
    Scenario::new(
        "server-standby-healthy",
        "a hot standby, and target_session_attrs=standby",
        Expect::Pass,
        &[Need::Postgres],
        |lab| Ok(wants(lab, standby(lab)?, "standby")),
    ),
    Scenario::new(
        "server-read-only",
        "a hot standby, and target_session_attrs=read-write",
        Expect::Fail("server.read-only"),
        &[Need::Postgres],
        |lab| Ok(wants(lab, standby(lab)?, "read-write")),
    ),
    Scenario::new(
        "server-read-only-primary",
        "a hot standby, and target_session_attrs=primary",
        Expect::Fail("server.read-only"),
        &[Need::Postgres],
        |lab| Ok(wants(lab, standby(lab)?, "primary")),
    ),
    Scenario::new(
        "server-read-only-standby",
        "a primary, and target_session_attrs=standby",
        Expect::Fail("server.read-only"),
        &[Need::Postgres],
        |lab| Ok(wants(lab, lab.new_postgres().start()?, "standby")),
    ),
    Scenario::new(
        "server-read-only-wanted",
        "a primary that writes, and target_session_attrs=read-only",
        Expect::Fail("server.read-only"),
        &[Need::Postgres],
        |lab| Ok(wants(lab, lab.new_postgres().start()?, "read-only")),
    ),
    Scenario::new(
        "server-read-only-default",
        "a primary whose sessions are read-only, and target_session_attrs=read-write",
        Expect::Fail("server.read-only"),
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .conf("default_transaction_read_only", "on");
            Ok(wants(lab, pg.start()?, "read-write"))
        },
    ),
    Scenario::new(
        "server-read-only-healthy",
        "the same, and target_session_attrs=primary",
        Expect::Warn("server.read-only.setting"),
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .conf("default_transaction_read_only", "on");
            Ok(wants(lab, pg.start()?, "primary"))
        },
    ),
    Scenario::new(
        "server-prefer-standby-alone",
        "a primary alone, and target_session_attrs=prefer-standby",
        Expect::Pass,
        &[Need::Postgres],
        |lab| Ok(wants(lab, lab.new_postgres().start()?, "prefer-standby")),
    ),
    Scenario::new(
        "server-prefer-standby",
        "a primary and a standby, and target_session_attrs=prefer-standby",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let (one, two) = (lab.new_postgres().start()?, standby(lab)?);
            let case = both(lab, &one, &two, "prefer-standby");
            Ok(case.assert(answered(two.port())).keep((one, two)))
        },
    ),
    Scenario::new(
        "server-read-write-second",
        "a standby and a primary, and target_session_attrs=read-write",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let (one, two) = (standby(lab)?, lab.new_postgres().start()?);
            let case = both(lab, &one, &two, "read-write");
            Ok(case
                .assert(answered(two.port()))
                .forbids("server.read-only")
                .keep((one, two)))
        },
    ),
    Scenario::new(
        "server-starting-next",
        "the first host is starting up, the second takes us",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let one = lab
                .new_postgres()
                .file("recovery.signal", "")
                .conf("restore_command", "sleep 1000")
                .never_ready()
                .start()?;
            let two = lab.new_postgres().start()?;
            let case = both(lab, &one, &two, "any");
            Ok(case.assert(answered(two.port())).keep((one, two)))
        },
    ),
    Scenario::new(
        "server-full-no-next",
        "the first host is full, and libpq does not try the second",
        Expect::Fail("server.connections.full"),
        &[Need::Postgres],
        |lab| {
            let one = lab
                .new_postgres()
                .conf("max_connections", 4)
                .conf("superuser_reserved_connections", 0)
                .start()?;
            let busy = one.sessions(4)?;
            let two = lab.new_postgres().start()?;
            Ok(both(lab, &one, &two, "any").keep((busy, one, two)))
        },
    ),
    Scenario::new(
        "server-timeout",
        "lets everybody in and never answers a query",
        Expect::Fail("server.timeout"),
        &[],
        |_| {
            let peer = impostor(|client| {
                client.ask(impostor::OK, b"")?;
                client.begin()?;
                while client.receive().is_ok() {}
                Ok(())
            })?;
            let case = Case::check(at(&peer)).args(&["--timeout", "1s"]);
            Ok(case.patience(3).keep(peer))
        },
    ),
    Scenario::new(
        "server-closed",
        "lets everybody in and closes at the first query, without a word",
        Expect::Fail("server.closed"),
        &[],
        |_| {
            let peer = impostor(|client| {
                client.ask(impostor::OK, b"")?;
                client.begin()?;
                client.receive().map(drop)
            })?;
            Ok(Case::check(at(&peer)).keep(peer))
        },
    ),
    Scenario::new(
        "server-old",
        "PostgreSQL 13 without support, and its clock is right",
        Expect::Warn("server.old"),
        &[],
        |_| {
            let peer = impostor(|client| {
                client.ask(impostor::OK, b"")?;
                client.serve_facts(&[
                    ("server_version_num", "130014"),
                    ("version()", "PostgreSQL 13.14 on x86_64-pc-linux-gnu"),
                ])
            })?;
            Ok(Case::check(at(&peer)).keep(peer))
        },
    )
    .oracle(Oracle::None("there is no such server here")),
    Scenario::new(
        "server-clock",
        "the server's clock is years behind",
        Expect::Warn("server.clock"),
        &[],
        |_| {
            let peer = impostor(|client| {
                client.ask(impostor::OK, b"")?;
                client.serve_facts(&[
                    ("pg_is_in_recovery", "f"),
                    ("clock_timestamp", "1600000000500"),
                ])
            })?;
            Ok(Case::check(at(&peer)).keep(peer))
        },
    )
    .oracle(Oracle::None("there is no such server here")),
    Scenario::new(
        "server-odd",
        "a server of another make that knows none of our questions",
        Expect::Pass,
        &[],
        |_| {
            let peer = impostor(|client| {
                client.ask(impostor::OK, b"")?;
                client.begin()?;
                while let Ok((b'Q', _)) = client.receive() {
                    client.error(&[('S', "ERROR"), ('C', "42883"), ('M', "unknown function")])?;
                    client.send(b'Z', b"I")?;
                }
                Ok(())
            })?;
            Ok(Case::check(at(&peer)).keep(peer))
        },
    )
    .oracle(Oracle::None("it refuses psql's question too")),
    Scenario::new(
        "server-resources",
        "the postmaster cannot start a process, and says so as in protocol 2",
        Expect::Fail("server.resources"),
        &[],
        |_| {
            use std::io::Write;
            let text = "Ekonnte neuen Prozess für Verbindung nicht starten (fork-Fehler): \
                        Nicht genügend Hauptspeicher verfügbar\n\0";
            let peer = Peer::script(move |mut stream| {
                stream.receive()?;
                stream.write_all(text.as_bytes())?;
                stream.close()
            })?;
            Ok(Case::check(at(&peer).set("sslmode", "disable")).keep(peer))
        },
    ),
    Scenario::new(
        "server-resources-memory",
        "out of memory for the session",
        Expect::Fail("server.resources"),
        &[],
        |_| {
            let peer = impostor(|client| {
                client.ask(impostor::OK, b"")?;
                client.error(&[
                    ('S', "FATAL"),
                    ('V', "FATAL"),
                    ('C', "53200"),
                    ('M', "Speicher aufgebraucht"),
                    ('F', "mcxt.c"),
                    ('L', "700"),
                    ('R', "MemoryContextAlloc"),
                ])
            })?;
            Ok(Case::check(at(&peer)).keep(peer))
        },
    ),
    Scenario::new(
        "server-guards-healthy",
        "every --expect-… is met",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .conf("cluster_name", "orders/1")
                .start()?;
            let version = pg.sql("show server_version_num")?;
            let major = version.trim().parse::<u32>()? / 10_000;
            Ok(case(lab, pg.conn())
                .args(&["--expect-database", "appdb"])
                .args(&["--expect-role", "primary"])
                .args(&["--expect-cluster-name", "orders/1"])
                .args(&["--expect-server-version", &major.to_string()])
                .keep(pg))
        },
    ),
    Scenario::new(
        "server-guard-role",
        "a standby, and --expect-role primary",
        Expect::Fail("server.wrong-identity"),
        &[Need::Postgres],
        |lab| {
            let pg = standby(lab)?;
            Ok(case(lab, pg.conn())
                .args(&["--expect-role", "primary"])
                .keep(pg))
        },
    )
    .oracle(Oracle::None("psql has no guards")),
    Scenario::new(
        "server-guard-cluster",
        "a cluster without a name, and --expect-cluster-name",
        Expect::Fail("server.wrong-identity"),
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn();
            Ok(case(lab, conn).args(&["--expect-cluster-name", "orders"]))
        },
    )
    .oracle(Oracle::None("psql has no guards")),
    Scenario::new(
        "server-guard-version",
        "--expect-server-version 9",
        Expect::Fail("server.wrong-identity"),
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn();
            Ok(case(lab, conn).args(&["--expect-server-version", "9"]))
        },
    )
    .oracle(Oracle::None("psql has no guards")),
    Scenario::new(
        "server-guard-database",
        "another database than --expect-database",
        Expect::Fail("server.wrong-identity"),
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn();
            Ok(case(lab, conn).args(&["--expect-database", "orders"]))
        },
    )
    .oracle(Oracle::None("psql has no guards")),
    Scenario::new(
        "server-hasty",
        "queries are cut off after a millisecond",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .sql("alter role app set statement_timeout = 1")
                .start()?;
            Ok(case(lab, pg.conn()).keep(pg))
        },
    ),
    Scenario::new(
        "server-hostile-search-path",
        "names and operators of ours come before pg_catalog's",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .sql(
                    "create schema evil; grant usage on schema evil to public; \
                     create function evil.no(name, name) returns bool language sql as 'select false'; \
                     create operator evil.= (leftarg = name, rightarg = name, function = evil.no); \
                     create function evil.version() returns text language sql as $$select 'PostgreSQL 7.1'$$; \
                     create view evil.pg_stat_activity as select generate_series(1, 1000) as pid; \
                     alter role app set search_path = evil, pg_catalog",
                )
                .start()?;
            let case = case(lab, pg.conn()).assert(|report| {
                let used = &facts(report)?["connections"]["role"]["used"];
                ensure!(*used == 1, "{used} sessions counted, not 1");
                Ok(())
            });
            Ok(case.forbids("server.old").keep(pg))
        },
    ),
    Scenario::new(
        "server-unprivileged",
        "nobody may look at anything that can be taken away",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .sql(
                    "revoke all on all tables in schema pg_catalog from public; \
                     revoke all on all functions in schema pg_catalog from public",
                )
                .start()?;
            Ok(case(lab, pg.conn()).keep(pg))
        },
    ),
    Scenario::new(
        "server-latin1",
        "a database in Latin-1 and a role with an umlaut",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().start()?;
            let password = lab.password();
            pg.sql(&format!("create role \"jörg\" login password '{password}'"))?;
            pg.sql("create database latin encoding 'LATIN1' locale 'C' template template0")?;
            let conn = pg.conn().set("user", "jörg").set("dbname", "latin");
            Ok(case(lab, conn).keep(pg))
        },
    ),
    Scenario::new(
        "server-library",
        "a library that the role's sessions load is not installed",
        Expect::Fail("server.library"),
        &[Need::Postgres],
        |lab| {
            let set = "alter role app set session_preload_libraries = 'not_installed'";
            let pg = lab.new_postgres().sql(set).start()?;
            Ok(case(lab, pg.conn()).keep(pg))
        },
    ),
    Scenario::new(
        "server-library-preload",
        "a library that only a restart can load is asked for at login",
        Expect::Fail("server.library"),
        &[Need::Postgres],
        |lab| {
            let set = "alter role app set session_preload_libraries = 'sepgsql'";
            let pg = lab.new_postgres().sql(set).start()?;
            Ok(case(lab, pg.conn()).keep(pg))
        },
    ),
    Scenario::new(
        "server-option-transaction",
        "a setting of a transaction is sent at start-up",
        Expect::Fail("server.option"),
        &[Need::Postgres],
        |lab| {
            let options = "-c transaction_isolation=serializable";
            Ok(case(lab, lab.postgres()?.conn().set("options", options)))
        },
    ),
    Scenario::new(
        "server-damaged",
        "a file of the database is gone",
        Expect::Fail("server.damaged"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().start()?;
            std::fs::remove_file(directory(&pg)?.join("PG_VERSION"))?;
            Ok(case(lab, pg.conn()).keep(pg))
        },
    ),
    Scenario::new(
        "server-damaged-catalogue",
        "a catalogue that every session reads first is empty",
        Expect::Fail("server.damaged"),
        &[Need::Postgres],
        |lab| {
            let mut pg = lab.new_postgres().start()?;
            let path = pg.sql("select pg_relation_filepath('pg_am')")?;
            // Its own database: the server looks into others as it starts.
            let (data, directory) = (pg.data_dir(), directory(&pg)?);
            let file = std::path::Path::new(path.trim())
                .file_name()
                .map(|f| directory.join(f));
            pg.sql("checkpoint")?;
            std::fs::write(file.unwrap_or(data), "")?;
            let _ = std::fs::remove_file(directory.join("pg_internal.init"));
            pg.restart()?;
            Ok(case(lab, pg.conn()).keep(pg))
        },
    ),
    Scenario::new(
        "server-damaged-directory",
        "the database's directory is gone, and the database is not",
        Expect::Fail("server.damaged"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().start()?;
            let directory = directory(&pg)?;
            std::fs::rename(&directory, directory.with_extension("away"))?;
            Ok(case(lab, pg.conn()).keep(pg))
        },
    ),
    Scenario::new(
        "server-damaged-permissions",
        "the server may not read the database's files",
        Expect::Fail("server.damaged"),
        &[Need::Postgres],
        |lab| {
            use std::os::unix::fs::PermissionsExt;
            let pg = lab.new_postgres().start()?;
            let nobody = std::fs::Permissions::from_mode(0o000);
            std::fs::set_permissions(directory(&pg)?, nobody)?;
            Ok(case(lab, pg.conn()).keep(pg))
        },
    ),
    Scenario::new(
        "server-config",
        "pg_hba.conf wants client certificates, and no authority for them is set",
        Expect::Fail("server.config"),
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .tls(lab.issue(lab.cert())?)
                .hba("hostssl all all all cert")
                .start()?;
            let conn = pg.conn().set("sslmode", "require");
            Ok(case(lab, conn).keep(pg))
        },
    ),
    Scenario::new(
        "server-float-digits",
        "numbers are shown with one digit: its clock is right all the same",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let set = "alter role app set extra_float_digits = -15";
            let pg = lab.new_postgres().sql(set).start()?;
            let case = case(lab, pg.conn()).forbids("server.clock");
            Ok(case.keep(pg))
        },
    ),
    Scenario::new(
        "server-hasty-to-end",
        "idle_session_timeout is over before anything is asked",
        Expect::Warn("idle.server-timeout"),
        &[],
        |_| {
            let peer = impostor(|client| {
                client.ask(impostor::OK, b"")?;
                client.begin()?;
                client.receive()?;
                client.error(&[
                    ('S', "FATAL"),
                    ('V', "FATAL"),
                    ('C', "57P05"),
                    ('M', "terminating connection due to idle-session timeout"),
                    ('F', "postgres.c"),
                    ('R', "ProcessInterrupts"),
                ])
            })?;
            Ok(Case::check(at(&peer)).keep(peer))
        },
    )
    .oracle(Oracle::None("psql is let in as well, and asks too late")),
    Scenario::new(
        "server-crash-elsewhere",
        "the session is ended because another process crashed",
        Expect::Fail("server.recovering"),
        &[],
        |_| {
            let peer = impostor(|client| {
                client.ask(impostor::OK, b"")?;
                client.begin()?;
                client.receive()?;
                client.error(&[
                    ('S', "FATAL"),
                    ('V', "FATAL"),
                    ('C', "57P02"),
                    (
                        'M',
                        "terminating connection because of crash of another server process",
                    ),
                    ('F', "postgres.c"),
                    ('R', "quickdie"),
                ])
            })?;
            Ok(Case::check(at(&peer)).keep(peer))
        },
    ),
    Scenario::new(
        "server-terminated",
        "an administrator ends the session as soon as it has begun",
        Expect::Fail("idle.terminated"),
        &[],
        |_| {
            let peer = impostor(|client| {
                client.ask(impostor::OK, b"")?;
                client.begin()?;
                client.receive()?;
                client.error(&[
                    ('S', "FATAL"),
                    ('V', "FATAL"),
                    ('C', "57P01"),
                    ('M', "terminating connection due to administrator command"),
                    ('F', "postgres.c"),
                    ('R', "ProcessInterrupts"),
                ])
            })?;
            Ok(Case::check(at(&peer)).keep(peer))
        },
    ),
    Scenario::new(
        "server-malformed",
        "lets everybody in and answers a query with a message that does not exist",
        Expect::Fail("protocol.malformed"),
        &[],
        |_| {
            let peer = impostor(|client| {
                client.ask(impostor::OK, b"")?;
                client.begin()?;
                client.receive()?;
                client.send(b'!', b"what")
            })?;
            Ok(Case::check(at(&peer)).keep(peer))
        },
    ),
    Scenario::new(
        "server-oversized",
        "lets everybody in and answers a query with two gigabytes",
        Expect::Fail("protocol.oversized"),
        &[],
        |_| {
            let peer = impostor(|client| {
                client.ask(impostor::OK, b"")?;
                client.begin()?;
                client.receive()?;
                client.send_raw(b"D\x7f\xff\xff\xff")
            })?;
            Ok(Case::check(at(&peer)).keep(peer))
        },
    )
    .oracle(Oracle::None("psql waits for them")),
];

/// The directory of `appdb`.
fn directory(pg: &Postgres) -> Result<std::path::PathBuf> {
    let oid = pg.sql("select oid from pg_database where datname = 'appdb'")?;
    Ok(pg.socket_dir().join("data/base").join(oid.trim()))
}
