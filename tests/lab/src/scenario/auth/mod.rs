//! Servers that do not let us in.

pub mod pasted;
pub mod spoken;
pub mod token;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::impostor::{self, impostor};
use crate::{Case, CertSpec, Conn, Expect, Fault, Lab, Need, Oracle, Peer, PostgresBuilder};
use crate::{Issued, KeyKind, Scenario, Usage, free_port};

/// A server in a language.
fn speaks<'a>(lab: &'a Lab, language: Option<&str>) -> PostgresBuilder<'a> {
    match language {
        Some(language) => lab.new_postgres().language(language),
        None => lab.new_postgres(),
    }
}

/// The same with TLS.
fn with_tls<'a>(lab: &'a Lab, language: Option<&str>) -> Result<PostgresBuilder<'a>> {
    Ok(speaks(lab, language).tls(lab.issue(lab.cert())?))
}

/// With a client certificate of this name.
fn with_certificate(lab: &Lab, conn: Conn, name: &str) -> Result<Conn> {
    let (cert, key) = client_certificate(lab, name)?;
    Ok(conn
        .set("sslmode", "require")
        .set("sslcert", cert.display())
        .set("sslkey", key.display()))
}

fn client_certificate(lab: &Lab, name: &str) -> Result<(PathBuf, PathBuf)> {
    let spec = CertSpec {
        usage: Usage::Client,
        ..CertSpec::client(name)
    };
    lab.issue(spec)?.write(&lab.dir("client")?, "client")
}

/// A case with the lab's password.
fn case(lab: &Lab, conn: Conn) -> Case {
    Case::check(conn).password(lab.password())
}

/// A server's certificate whose signature has no digest of its own.
fn ed25519(lab: &Lab) -> CertSpec {
    CertSpec {
        key: KeyKind::Ed25519,
        ..lab.cert()
    }
}

/// A target on an impostor.
fn at(peer: &Peer) -> Conn {
    Conn::new()
        .set("host", "127.0.0.1")
        .set("port", peer.port())
        .set("user", "app")
        .set("dbname", "appdb")
        .set("connect_timeout", 5)
}

/// A case against an impostor that must never see the password, nor its MD5 hash.
fn never_told(lab: &Lab, peer: Peer, conn: Conn) -> Case {
    let password = lab.password().to_owned();
    Case::check(conn).password(&password).assert(move |_| {
        let received = peer.received();
        let seen = |bytes: &[u8]| received.windows(bytes.len()).any(|part| part == bytes);
        ensure!(!seen(password.as_bytes()), "it was sent the password");
        ensure!(!seen(b"md5"), "it was sent a hash of the password");
        Ok(())
    })
}

/// A case against an impostor that repeats its request after every answer, and gets one answer.
fn asked_again(
    lab: &Lab,
    ask: impl Fn(&mut impostor::Client) -> std::io::Result<()> + Send + Sync + 'static,
) -> Result<Case> {
    let most = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&most);
    let peer = impostor(move |client| {
        for answers in 1..50 {
            ask(client)?;
            client.receive()?;
            counted.fetch_max(answers, Ordering::SeqCst);
        }
        Ok(())
    })?;
    let conn = at(&peer);
    let case = Case::check(conn).password(lab.password()).keep(peer);
    Ok(case.assert(move |_| {
        let answers = most.load(Ordering::SeqCst);
        ensure!(answers == 1, "it was answered {answers} times");
        Ok(())
    }))
}

/// Authentication and authorisation.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "auth-password-latin1-healthy",
        "a password that is not UTF-8",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            // That of the five bytes p, E4, s, s.
            let verifier = "SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$BtyKdazANLQzDhUNsfHatjmo4Gm09S76yu8uLKguWuc=:cEDVVy2Tcvw3E8Z83uZoyoQKuzmg7YKQDwzAKBzgDoQ=";
            let sql = format!("create role latin login password '{verifier}'");
            let pg = lab.new_postgres().sql(&sql).start()?;
            let target = format!("postgresql://latin:p%E4ss@{}/appdb", pg.addr());
            Ok(Case::target(&target).asks_psql(&target).keep(pg))
        },
    ),
    Scenario::new(
        "auth-database-invalid",
        "a DROP DATABASE was interrupted",
        Expect::Fail("auth.database.closed"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().start()?;
            pg.sql("update pg_database set datconnlimit = -2 where datname = 'appdb'")?;
            Ok(Case::check(pg.conn()).password(lab.password()).keep(pg))
        },
    ),
    Scenario::new(
        "auth-password-missing",
        "no password from anywhere",
        Expect::Fail("auth.password.missing"),
        &[Need::Postgres],
        |lab| Ok(Case::check(lab.postgres()?.conn())),
    ),
    Scenario::new(
        "auth-password-empty",
        "an empty password counts as none",
        Expect::Fail("auth.password.missing"),
        &[Need::Postgres],
        |lab| Ok(Case::check(lab.postgres()?.conn()).env("PGPASSWORD", "")),
    ),
    Scenario::new(
        "auth-password-unicode",
        "a password that SASLprep changes, given in another form",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            // U+2168 ROMAN NUMERAL NINE is IX; U+00AD SOFT HYPHEN is nothing.
            let pg = lab
                .new_postgres()
                .sql("alter role app password 'xIXy'")
                .start()?;
            Ok(Case::check(pg.conn()).password("x\u{2168}\u{ad}y").keep(pg))
        },
    ),
    Scenario::new(
        "auth-scram-many-iterations",
        "a password hashed 300,000 times",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let salt = b"saltsaltsaltsalt";
            let verifier = scram_verifier(lab.password(), salt, 300_000)?;
            let sql = format!("alter role app password '{verifier}'");
            let pg = lab.new_postgres().sql(&sql).start()?;
            Ok(Case::check(pg.conn()).password(lab.password()).keep(pg))
        },
    ),
    Scenario::new(
        "auth-hba-needs-tls-certificate",
        "pg_hba.conf takes TLS with a client certificate alone, and sslmode=disable",
        Expect::Fail("auth.hba.needs-tls"),
        &[Need::Postgres],
        |lab| {
            let pg = with_tls(lab, None)?
                .conf("ssl_ca_file", lab.ca_file().display())
                .hba("hostssl all all all cert")
                .start()?;
            let conn = pg.conn().set("sslmode", "disable");
            Ok(case(lab, conn).keep(pg))
        },
    ),
    Scenario::new(
        "auth-trust",
        "no password is asked for",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().hba("host all all all trust").start()?;
            let case = Case::check(pg.conn()).keep(pg);
            Ok(case.forbids("auth.method.weak"))
        },
    ),
    Scenario::new(
        "auth-cert-healthy",
        "a client certificate of the role's name, and no password",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = with_tls(lab, None)?
                .conf("ssl_ca_file", lab.ca_file().display())
                .hba("hostssl all all all cert")
                .start()?;
            Ok(Case::check(with_certificate(lab, pg.conn(), "app")?).keep(pg))
        },
    ),
    Scenario::new(
        "auth-peer-healthy",
        "peer authentication as the role's system user",
        Expect::Pass,
        &[Need::Postgres, Need::Root],
        |lab| {
            let pg = lab.new_postgres().hba("local all all peer").start()?;
            pg.sql("create role nobody login")?;
            let conn = pg.conn().set("host", pg.socket_dir().display());
            Ok(Case::check(conn.set("user", "nobody"))
                .run_as("nobody")
                .keep(pg))
        },
    ),
    Scenario::new(
        "auth-md5",
        "an MD5 password",
        Expect::Warn("auth.method.weak"),
        &[Need::Postgres],
        |lab| {
            let pg = md5(lab)?;
            Ok(Case::check(pg.conn()).password(lab.password()).keep(pg))
        },
    ),
    Scenario::new(
        "auth-md5-wrong",
        "an MD5 password, and it is another one",
        Expect::Fail("auth.password.wrong"),
        &[Need::Postgres],
        |lab| {
            let pg = md5(lab)?;
            Ok(Case::check(pg.conn()).password("wr0ng-canary").keep(pg))
        },
    ),
    Scenario::new(
        "auth-cleartext",
        "the password is sent in clear, without TLS",
        Expect::Warn("auth.method.weak"),
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .hba("host all all all password")
                .start()?;
            Ok(Case::check(pg.conn()).password(lab.password()).keep(pg))
        },
    ),
    Scenario::new(
        "auth-cleartext-tls",
        "the password is sent in clear within TLS",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = with_tls(lab, None)?
                .hba("host all all all password")
                .start()?;
            let case = Case::check(pg.conn().set("sslmode", "require"));
            Ok(case
                .password(lab.password())
                .forbids("auth.method.weak")
                .keep(pg))
        },
    ),
    Scenario::new(
        "auth-timeout",
        "the LDAP server behind it never answers",
        Expect::Fail("auth.timeout"),
        &[Need::Postgres],
        |lab| {
            let (silent, pg) = silent_ldap(lab, "1min")?;
            let case = Case::check(pg.conn().set("connect_timeout", 2));
            Ok(case.password(lab.password()).keep((pg, silent)))
        },
    ),
    Scenario::new(
        "auth-timeout-server",
        "the server's authentication_timeout of a second is over, and it closes",
        Expect::Fail("auth.timeout"),
        &[],
        |lab| {
            let peer = impostor(|client| {
                client.ask(impostor::CLEARTEXT, b"")?;
                client.receive()?;
                std::thread::sleep(std::time::Duration::from_secs(1));
                Ok(())
            })?;
            Ok(Case::check(at(&peer)).password(lab.password()).keep(peer))
        },
    ),
    Scenario::new(
        "auth-protocol-version",
        "protocol 3.2 is demanded of PostgreSQL 15",
        Expect::Fail("auth.protocol-version"),
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn().set("min_protocol_version", "3.2");
            Ok(case(lab, conn))
        },
    ),
    Scenario::new(
        "auth-protocol-version-healthy",
        "protocol 3.2 is asked for, and PostgreSQL 15 negotiates 3.0",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn().set("max_protocol_version", "latest");
            Ok(case(lab, conn))
        },
    )
    .oracle(Oracle::None("libpq 15 does not know max_protocol_version")),
    Scenario::new(
        "auth-requirepeer",
        "the server is not run by the user that requirepeer names",
        Expect::Fail("server.wrong-identity"),
        &[Need::Postgres, Need::Root],
        |lab| {
            let pg = lab.postgres()?;
            let conn = pg.conn().set("host", pg.socket_dir().display());
            Ok(case(lab, conn.set("requirepeer", "nobody")))
        },
    ),
    Scenario::new(
        "auth-requirepeer-healthy",
        "the server is run by the user that requirepeer names",
        Expect::Pass,
        &[Need::Postgres, Need::Root],
        |lab| {
            let pg = lab.postgres()?;
            let conn = pg.conn().set("host", pg.socket_dir().display());
            Ok(case(lab, conn.set("requirepeer", "postgres")))
        },
    ),
    Scenario::new(
        "auth-time-zone",
        "PGTZ is sent, and the server does not know it",
        Expect::Fail("server.option"),
        &[Need::Postgres],
        |lab| Ok(case(lab, lab.postgres()?.conn()).env("PGTZ", "Mars/Olympus")),
    ),
    Scenario::new(
        "auth-encryption-each",
        "pg_hba.conf has no line for TLS, which is tried first, and the password is wrong without it",
        Expect::Fail("auth.hba.no-entry"),
        &[Need::Postgres],
        |lab| {
            let pg = with_tls(lab, None)?
                .hba("hostnossl all all all scram-sha-256")
                .start()?;
            Ok(Case::check(pg.conn()).password("wr0ng-canary").keep(pg))
        },
    ),
    Scenario::new(
        "auth-encryption-other",
        "pg_hba.conf has no line for TLS, and libpq goes on without it",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = with_tls(lab, None)?
                .hba("hostnossl all all all scram-sha-256")
                .start()?;
            Ok(case(lab, pg.conn()).keep(pg))
        },
    ),
    Scenario::new(
        "auth-binding-no-digest",
        "an Ed25519 certificate, for which there is no channel binding",
        Expect::Fail("tls.channel-binding"),
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .tls(Issued::self_signed(&ed25519(lab))?)
                .start()?;
            let conn = pg.conn().set("sslmode", "require");
            Ok(case(lab, conn).keep(pg))
        },
    ),
    Scenario::new(
        "auth-binding-no-digest-disabled",
        "the same, and channel_binding=disable",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .tls(Issued::self_signed(&ed25519(lab))?)
                .start()?;
            let conn = pg.conn().set("sslmode", "require");
            Ok(case(lab, conn.set("channel_binding", "disable")).keep(pg))
        },
    ),
    Scenario::new(
        "auth-method-refused-md5",
        "MD5, and require_auth=scram-sha-256",
        Expect::Fail("auth.method.refused"),
        &[Need::Postgres],
        |lab| {
            let pg = md5(lab)?;
            let conn = pg.conn().set("require_auth", "scram-sha-256");
            Ok(Case::check(conn).password(lab.password()).keep(pg))
        },
    ),
    Scenario::new(
        "auth-method-refused-none",
        "nothing is asked for, and require_auth=!none",
        Expect::Fail("auth.method.refused"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().hba("host all all all trust").start()?;
            let conn = pg.conn().set("require_auth", "!none");
            Ok(Case::check(conn).password(lab.password()).keep(pg))
        },
    ),
    Scenario::new(
        "auth-method-allowed",
        "SCRAM, and require_auth=scram-sha-256,none",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn();
            let conn = conn.set("require_auth", "scram-sha-256,none");
            Ok(Case::check(conn).password(lab.password()))
        },
    )
    .oracle(Oracle::None("libpq 15 does not know require_auth")),
    Scenario::new(
        "auth-binding-without-tls",
        "channel_binding=require, and no TLS",
        Expect::Fail("tls.channel-binding"),
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn().set("sslmode", "disable");
            let conn = conn.set("channel_binding", "require");
            Ok(Case::check(conn).password(lab.password()))
        },
    ),
    Scenario::new(
        "auth-binding-md5",
        "channel_binding=require, and the server asks for MD5",
        Expect::Fail("tls.channel-binding"),
        &[Need::Postgres],
        |lab| {
            let pg = with_tls(lab, None)?
                .conf("password_encryption", "md5")
                .hba("host all all all md5")
                .sql(&format!("alter role app password '{}'", lab.password()))
                .start()?;
            let conn = pg.conn().set("sslmode", "require");
            let case = Case::check(conn.set("channel_binding", "require"));
            Ok(case.password(lab.password()).keep(pg))
        },
    ),
    Scenario::new(
        "auth-downgrade-cleartext",
        "an impostor asks for the password in clear, and require_auth=scram-sha-256",
        Expect::Fail("auth.method.refused"),
        &[],
        |lab| {
            let peer = impostor(|client| {
                client.ask(impostor::CLEARTEXT, b"")?;
                client.receive().map(drop)
            })?;
            let conn = at(&peer).set("require_auth", "scram-sha-256");
            Ok(never_told(lab, peer, conn))
        },
    ),
    Scenario::new(
        "auth-request-repeated",
        "an impostor asks for the password in clear for ever: it is sent once",
        Expect::Fail("protocol.malformed"),
        &[],
        |lab| asked_again(lab, |client| client.ask(impostor::CLEARTEXT, b"")),
    )
    .oracle(Oracle::None("libpq sends the password each time")),
    Scenario::new(
        "auth-request-repeated-md5",
        "an impostor asks for MD5 with a salt of its own for ever: one hash is sent",
        Expect::Fail("protocol.malformed"),
        &[],
        |lab| asked_again(lab, |client| client.ask(impostor::MD5, b"salt")),
    )
    .oracle(Oracle::None("libpq sends a hash each time")),
    Scenario::new(
        "auth-request-repeated-cleartext-after-scram",
        "an impostor asks for the password in clear once it has a proof of SCRAM",
        Expect::Fail("protocol.malformed"),
        &[],
        |lab| {
            let peer = impostor(|client| {
                client.scram()?;
                client.ask(impostor::CLEARTEXT, b"")?;
                client.receive().map(drop)
            })?;
            let conn = at(&peer);
            Ok(never_told(lab, peer, conn))
        },
    )
    .oracle(Oracle::None("libpq sends the password")),
    Scenario::new(
        "auth-downgrade-md5",
        "an impostor asks for MD5, and require_auth=!password,!md5",
        Expect::Fail("auth.method.refused"),
        &[],
        |lab| {
            let peer = impostor(|client| {
                client.ask(impostor::MD5, b"salt")?;
                client.receive().map(drop)
            })?;
            let conn = at(&peer).set("require_auth", "!password,!md5");
            Ok(never_told(lab, peer, conn))
        },
    ),
    Scenario::new(
        "auth-downgrade-binding",
        "an impostor asks for the password in clear, and channel_binding=require",
        Expect::Fail("tls.channel-binding"),
        &[],
        |lab| {
            let peer = impostor(|client| {
                client.ask(impostor::CLEARTEXT, b"")?;
                client.receive().map(drop)
            })?;
            let conn = at(&peer).set("channel_binding", "require");
            Ok(never_told(lab, peer, conn))
        },
    ),
    Scenario::new(
        "auth-downgrade-none",
        "an impostor lets everybody in, and require_auth=scram-sha-256",
        Expect::Fail("auth.method.refused"),
        &[],
        |lab| {
            let peer = impostor(|client| {
                client.ask(impostor::OK, b"")?;
                client.serve()
            })?;
            let conn = at(&peer).set("require_auth", "scram-sha-256");
            Ok(never_told(lab, peer, conn))
        },
    ),
    Scenario::new(
        "auth-server-unproven",
        "an impostor signs the SCRAM exchange without knowing the password",
        Expect::Fail("auth.server.unproven"),
        &[],
        |lab| {
            let peer = impostor(|client| {
                client.scram()?;
                let signature = b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
                client.ask(impostor::SASL_FINAL, signature)?;
                client.ask(impostor::OK, b"")?;
                client.serve()
            })?;
            let conn = at(&peer);
            Ok(never_told(lab, peer, conn))
        },
    ),
    Scenario::new(
        "auth-server-unproven-early-yes",
        "an impostor says yes without signing, which libpq takes unless told otherwise",
        Expect::Warn("auth.server.unproven"),
        &[],
        |lab| {
            let peer = impostor(|client| {
                client.scram()?;
                client.ask(impostor::OK, b"")?;
                client.serve()
            })?;
            let conn = at(&peer);
            Ok(never_told(lab, peer, conn))
        },
    ),
    Scenario::new(
        "auth-server-unproven-early-yes-refused",
        "the same, and require_auth=scram-sha-256",
        Expect::Fail("auth.server.unproven"),
        &[],
        |lab| {
            let peer = impostor(|client| {
                client.scram()?;
                client.ask(impostor::OK, b"")?;
                client.serve()
            })?;
            let conn = at(&peer).set("require_auth", "scram-sha-256");
            Ok(never_told(lab, peer, conn))
        },
    ),
    Scenario::new(
        "auth-method-unsupported",
        "only an OAuth token is wanted",
        Expect::Fail("auth.method.unsupported"),
        &[],
        |lab| {
            let peer = impostor(|client| {
                client.ask(impostor::SASL, b"OAUTHBEARER\0\0")?;
                client.receive().map(drop)
            })?;
            let conn = at(&peer);
            Ok(never_told(lab, peer, conn))
        },
    ),
    Scenario::new(
        "auth-intercepted-stripped",
        "channel binding is offered without TLS: somebody took TLS away",
        Expect::Fail("tls.intercepted"),
        &[],
        |lab| {
            let peer = impostor(|client| {
                client.ask(impostor::SASL, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")?;
                client.receive().map(drop)
            })?;
            let conn = at(&peer);
            Ok(never_told(lab, peer, conn))
        },
    ),
    Scenario::new(
        "auth-protocol-oversized",
        "an authentication request of a length that is none",
        Expect::Fail("protocol.oversized"),
        &[],
        |lab| {
            let peer = impostor(|client| client.send(b'R', &[0; 4_000]))?;
            let conn = at(&peer);
            Ok(never_told(lab, peer, conn))
        },
    ),
    Scenario::new(
        "auth-closed-midway",
        "the connection is closed as soon as the password was sent",
        Expect::Fail("auth.closed"),
        &[],
        |lab| {
            let peer = impostor(|client| {
                client.ask(impostor::CLEARTEXT, b"")?;
                client.receive().map(drop)
            })?;
            Ok(Case::check(at(&peer)).password(lab.password()).keep(peer))
        },
    ),
    Scenario::new(
        "auth-stall",
        "the log-in passes, and larger packets are lost",
        Expect::Fail("protocol.stall"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.postgres()?;
            let peer = Peer::forward(pg.addr(), Fault::StallAbove(900))?;
            let conn = pg.conn().set("port", peer.port()).set("connect_timeout", 2);
            Ok(Case::check(conn).password(lab.password()).keep(peer))
        },
    )
    .oracle(Oracle::None("psql asks for less")),
    Scenario::new(
        "auth-password-repeated",
        "an impostor repeats the password in its refusal, plain and encoded",
        Expect::Fail("auth.password.wrong"),
        &[],
        |lab| {
            let peer = impostor(|client| {
                client.ask(impostor::CLEARTEXT, b"")?;
                let password = given(client)?;
                let base64 = openssl::base64::encode_block(password.as_bytes());
                let hex: String = password.bytes().map(|b| format!("{b:02x}")).collect();
                let message = format!("no: {password}, {base64}, {hex}");
                let apart: String = password.chars().flat_map(|c| [c, '\u{200b}']).collect();
                client.error(&[
                    ('S', "FATAL"),
                    ('V', "FATAL"),
                    ('C', "28P01"),
                    ('M', &message),
                    ('D', &password),
                    ('H', &apart),
                ])
            })?;
            let password = lab.password();
            let hex: String = password.bytes().map(|b| format!("{b:02x}")).collect();
            let case = Case::check(at(&peer)).password(password).secret(&hex);
            let base64 = openssl::base64::encode_block(password.as_bytes());
            Ok(case.secret(base64.trim_end_matches('=')).keep(peer))
        },
    ),
    Scenario::new(
        "auth-password-repeated-raw",
        "an impostor sends the client's message with the password back",
        Expect::Fail("protocol.malformed"),
        &[],
        |lab| {
            let peer = impostor(|client| {
                client.ask(impostor::CLEARTEXT, b"")?;
                let (tag, body) = client.receive()?;
                client.send(tag, &body)
            })?;
            Ok(Case::check(at(&peer)).password(lab.password()).keep(peer))
        },
    ),
    Scenario::new(
        "auth-password-repeated-session",
        "an impostor lets everybody in and shows the password as its version",
        Expect::Warn("auth.method.weak"),
        &[],
        |lab| {
            let peer = impostor(|client| {
                client.ask(impostor::CLEARTEXT, b"")?;
                let password = given(client)?;
                client.ask(impostor::OK, b"")?;
                for name in ["server_version", "TimeZone", &password] {
                    client.send(b'S', format!("{name}\0{password}\0").as_bytes())?;
                }
                client.serve()
            })?;
            Ok(Case::check(at(&peer)).password(lab.password()).keep(peer))
        },
    ),
    Scenario::new(
        "auth-password-usual-word",
        "a password that is a word of every report, and the server repeats it",
        Expect::Fail("auth.password.wrong"),
        &[],
        |_| {
            let peer = impostor(|client| {
                client.ask(impostor::CLEARTEXT, b"")?;
                given(client)?;
                let message = "password authentication failed for user \"app\"";
                client.error(&[
                    ('S', "FATAL"),
                    ('V', "FATAL"),
                    ('C', "28P01"),
                    ('M', message),
                ])
            })?;
            let case = Case::check(at(&peer)).env("PGPASSWORD", "password");
            let whole = case.assert(|report| {
                let evidence = report["stages"].to_string();
                let message = "(hidden) authentication failed for user";
                ensure!(evidence.contains(message), "the password is shown");
                let ours = "does not accept the password for role app";
                ensure!(evidence.contains(ours), "our own words are spoilt");
                Ok(())
            });
            Ok(whole.keep(peer))
        },
    ),
    Scenario::new(
        "auth-crashed",
        "the connection is cut in the middle of the login, and the server is recovering then",
        Expect::Fail("server.recovering"),
        &[],
        |lab| {
            let met = std::sync::atomic::AtomicBool::new(false);
            let peer = impostor(move |client| {
                if !met.fetch_xor(true, std::sync::atomic::Ordering::SeqCst) {
                    client.ask(impostor::SASL, b"SCRAM-SHA-256\0\0")?;
                    return client.receive().map(drop);
                }
                client.error(&[
                    ('S', "FATAL"),
                    ('V', "FATAL"),
                    ('C', "57P03"),
                    ('M', "the database system is in recovery mode"),
                    ('F', "postmaster.c"),
                    ('R', "ProcessStartupPacket"),
                ])
            })?;
            Ok(Case::check(at(&peer)).password(lab.password()).keep(peer))
        },
    ),
];

/// The password that a client sends in clear.
fn given(client: &mut impostor::Client) -> std::io::Result<String> {
    let (_, body) = client.receive()?;
    Ok(String::from_utf8_lossy(&body)
        .trim_end_matches('\0')
        .to_owned())
}

/// A server whose role has an MD5 password.
fn md5(lab: &Lab) -> Result<crate::Postgres> {
    lab.new_postgres()
        .conf("password_encryption", "md5")
        .hba("host all all all md5")
        .sql(&format!("alter role app password '{}'", lab.password()))
        .start()
}

/// A server that asks an LDAP server, which accepts and never answers.
fn silent_ldap(lab: &Lab, patience: &str) -> Result<(Peer, crate::Postgres)> {
    let silent = Peer::silent()?;
    let line = format!(
        "host all all all ldap ldapserver=127.0.0.1 ldapport={} ldapprefix=\"cn=\" \
         ldapsuffix=\", dc=lab\"",
        silent.port()
    );
    let pg = lab
        .new_postgres()
        .conf("authentication_timeout", patience)
        .hba(&line)
        .start()?;
    Ok((silent, pg))
}

/// What PostgreSQL stores for a password under SCRAM (RFC 5803).
pub(super) fn scram_verifier(password: &str, salt: &[u8], iterations: usize) -> Result<String> {
    use openssl::base64::encode_block;
    use openssl::hash::{MessageDigest, hash};
    use openssl::{pkcs5, pkey, sign};
    let digest = MessageDigest::sha256();
    let mut salted = [0; 32];
    pkcs5::pbkdf2_hmac(password.as_bytes(), salt, iterations, digest, &mut salted)?;
    let hmac = |text: &[u8]| {
        let key = pkey::PKey::hmac(&salted)?;
        sign::Signer::new(digest, &key)?.sign_oneshot_to_vec(text)
    };
    let stored = hash(digest, &hmac(b"Client Key")?)?;
    Ok(format!(
        "SCRAM-SHA-256${iterations}:{}${}:{}",
        encode_block(salt),
        encode_block(&stored),
        encode_block(&hmac(b"Server Key")?)
    ))
}
