//! What works in psql and fails in an application, and the reverse: the verdict of
//! `--as DRIVER`, with what psql does with the same settings.

use anyhow::{Result, ensure};
use openssl::pkey::PKey;
use serde_json::Value;

use crate::findings::finding;
use crate::{Blackhole, Case, CertSpec, Conn, Expect, Lab, Need, Oracle, Scenario};

const DRIVER: Oracle = Oracle::None("the verdict is a driver's; psql's is a fact of stage client");

/// The same case as a driver sees it.
fn through(case: Case, driver: &str) -> Case {
    case.arg("--as").arg(driver)
}

/// A server whose certificate only the lab's CA file knows, with these settings.
fn with_tls(lab: &Lab, driver: &str, settings: &[(&str, &str)]) -> Result<Case> {
    let pg = lab.new_postgres().tls(lab.issue(lab.cert())?).start()?;
    url(lab, pg.conn(), driver, settings).map(|case| case.keep(pg))
}

/// A URL with these settings, which every driver reads.
fn url(lab: &Lab, conn: Conn, driver: &str, settings: &[(&str, &str)]) -> Result<Case> {
    let conn = settings.iter().fold(
        conn.set("password", lab.password()),
        |conn, (name, value)| conn.set(name, value),
    );
    Ok(through(
        Case::target(conn.url()).secret(lab.password()),
        driver,
    ))
}

/// What psql does is told so.
fn psql(status: &'static str) -> impl Fn(&Value) -> Result<()> + Send {
    move |report| {
        let stages = report["stages"].as_array().into_iter().flatten();
        let mut client = stages.filter(|stage| stage["stage"] == "client");
        let facts = client
            .next()
            .map_or(Value::Null, |stage| stage["facts"].clone());
        let is = &facts["psql"]["status"];
        ensure!(is == status, "psql: {is}, not {status}");
        ensure!(
            facts["driver"].is_string() && facts["tls"]["asks"].is_string(),
            "{facts}"
        );
        Ok(())
    }
}

/// The verdict's first fix has these words.
fn first_fix(words: &'static str) -> impl Fn(&Value) -> Result<()> + Send {
    move |report| {
        let fix = report["verdict"]["fixes"][0]["text"]
            .as_str()
            .unwrap_or_default();
        ensure!(fix.contains(words), "{fix}");
        Ok(())
    }
}

/// The driver's own text is among the evidence.
fn says(cause: &'static str, words: &'static str) -> impl Fn(&Value) -> Result<()> + Send {
    move |report| {
        let said = finding(report, cause)?["evidence"]["error"]
            .as_str()
            .unwrap_or_default();
        ensure!(said.contains(words), "{said}");
        Ok(())
    }
}

/// Drivers on settings that psql reads otherwise.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "driver-tls-verifies",
        "sslmode=require, which node-postgres takes for verify-full",
        Expect::Fail("driver.tls.verifies"),
        &[Need::Postgres],
        |lab| {
            let case = with_tls(lab, "node-postgres", &[("sslmode", "require")])?;
            Ok(case
                .assert(psql("pass"))
                .assert(first_fix("sslrootcert="))
                .assert(says("driver.tls.verifies", "unable to verify the first certificate")))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-tls-verifies-root",
        "the same with the CA's file, which node-postgres reads",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let ca = lab.ca_file().display().to_string();
            let settings = [("sslmode", "require"), ("sslrootcert", ca.as_str())];
            Ok(with_tls(lab, "node-postgres", &settings)?.assert(psql("pass")))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-tls-not-asked",
        "a server that takes TLS alone, and no sslmode: postgres.js does not ask",
        Expect::Fail("driver.tls.not-asked"),
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .tls(lab.issue(lab.cert())?)
                .hba("hostssl all all all scram-sha-256")
                .start()?;
            let case = url(lab, pg.conn(), "postgres.js", &[])?.keep(pg);
            Ok(case.assert(psql("pass")).assert(first_fix("sslmode=require")))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-tls-required",
        "a server without TLS, and sslmode=prefer, which node-postgres takes for verify-full",
        Expect::Fail("driver.tls.required"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().conf("ssl", "off").start()?;
            let case = url(lab, pg.conn(), "node-postgres", &[("sslmode", "prefer")])?.keep(pg);
            Ok(case
                .assert(psql("pass"))
                .assert(says("driver.tls.required", "The server does not support SSL connections")))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-tls-trust",
        "a root file, which sqlx with rustls reads and Ruby's libpq too; tokio-postgres trusts the system's authorities",
        Expect::Fail("driver.tls.trust"),
        &[Need::Postgres],
        |lab| {
            let home = lab.dir("home-trust")?;
            std::fs::create_dir_all(home.join(".postgresql"))?;
            std::fs::copy(lab.ca_file(), home.join(".postgresql/root.crt"))?;
            let case = with_tls(lab, "tokio-postgres/native-tls", &[("sslmode", "require")])?;
            Ok(case.home(home).assert(psql("pass")))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-tls-unverified",
        "sslmode=verify-full, which Prisma 6 takes for prefer",
        Expect::Warn("driver.tls.unverified"),
        &[Need::Postgres],
        |lab| {
            let ca = lab.ca_file().display().to_string();
            let settings = [("sslmode", "verify-full"), ("sslrootcert", ca.as_str())];
            Ok(with_tls(lab, "prisma@6", &settings)?.assert(psql("pass")))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-tls-verified",
        "sslmode=verify-full with the CA's file, which asyncpg reads as psql does",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let ca = lab.ca_file().display().to_string();
            let settings = [("sslmode", "verify-full"), ("sslrootcert", ca.as_str())];
            Ok(with_tls(lab, "asyncpg", &settings)?.assert(psql("pass")))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-url",
        "a keyword string, of which node-postgres makes a path on a host named base",
        Expect::Fail("driver.url"),
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn().set("password", lab.password());
            let case = through(Case::target(conn).secret(lab.password()), "node-postgres");
            Ok(case
                .assert(psql("pass"))
                .assert(says("driver.url", "getaddrinfo ENOTFOUND base")))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-param-refused",
        "sslrootcert, an option that tokio-postgres does not know",
        Expect::Fail("driver.param.refused"),
        &[Need::Postgres],
        |lab| {
            let ca = lab.ca_file().display().to_string();
            let case = with_tls(lab, "tokio-postgres/rustls", &[("sslrootcert", ca.as_str())])?;
            Ok(case
                .assert(psql("pass"))
                .assert(says("driver.param.refused", "unknown option `sslrootcert`")))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-param-refused-libpq",
        "sslnegotiation, which libpq 15 does not know",
        Expect::Fail("driver.param.refused"),
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn();
            let case = url(lab, conn, "ruby-pg@1.4", &[("sslnegotiation", "postgres")])?;
            Ok(case.assert(psql("pass")).assert(first_fix("libpq 17")))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-param-sent",
        "channel_binding, which postgres.js sends to the server",
        Expect::Fail("driver.param.sent"),
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn();
            let case = url(lab, conn, "postgres.js", &[("channel_binding", "prefer")])?;
            Ok(case.assert(psql("pass")).assert(first_fix("channel_binding")))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-param-sent-setting",
        "search_path, a setting of the server that asyncpg may send",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let case = Case::target(format!(
                "{}?search_path=public",
                lab.postgres()?.conn().set("password", lab.password()).url()
            ));
            Ok(through(case.secret(lab.password()), "asyncpg").assert(psql("fail")))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-param-ignored",
        "connect_timeout, which node-postgres does not read",
        Expect::Warn("driver.param.ignored"),
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn();
            Ok(url(lab, conn, "node-postgres", &[("connect_timeout", "10")])?.assert(psql("pass")))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-keepalive",
        "keepalives_idle, which node-postgres does not read",
        Expect::Warn("driver.keepalive"),
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn();
            Ok(url(lab, conn, "node-postgres", &[("keepalives_idle", "30")])?.assert(psql("pass")))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-source",
        "the server in PGHOST, which tokio-postgres does not read",
        Expect::Fail("driver.source"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.postgres()?;
            let case = Case::new("check")
                .env("PGHOST", pg.host())
                .env("PGPORT", pg.port())
                .env("PGUSER", "app")
                .env("PGDATABASE", "appdb")
                .password(lab.password());
            Ok(through(case, "tokio-postgres").assert(psql("pass")))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-address",
        "a name whose first address refuses: pgjdbc tries no other",
        Expect::Fail("driver.address"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let ns = lab.netns()?;
            ns.hosts("127.0.0.9 db.test\n127.0.0.1 localhost\n::1 localhost db.test\n")?;
            let pg = lab.new_postgres().netns(&ns).listen("127.0.0.1,::1").start()?;
            let conn = pg.conn().set("host", "db.test");
            let case = url(lab, conn, "pgjdbc", &[])?;
            Ok(case.assert(psql("pass")).keep(pg).netns(ns))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-hosts",
        "two hosts, which node-postgres takes for one name",
        Expect::Fail("driver.hosts"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.postgres()?;
            let target = format!(
                "postgresql://app:{}@localhost,localhost:{}/appdb",
                lab.password(),
                pg.port()
            );
            let case = through(Case::target(target).secret(lab.password()), "node-postgres");
            Ok(case.assert(says("driver.hosts", "ENOTFOUND")))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-auth",
        "a password that SASLprep changes, which sqlx does not do",
        Expect::Fail("driver.auth"),
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .sql("alter role app password 'xIXy'")
                .start()?;
            // U+2168 ROMAN NUMERAL NINE is IX.
            let conn = pg.conn().set("password", "x\u{2168}y");
            let case = through(Case::target(conn.url()), "sqlx/rustls");
            Ok(case.assert(psql("pass")).keep(pg))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-startup",
        "extra_float_digits, which sqlx sends and PgBouncer refuses",
        Expect::Fail("driver.startup"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let pg = lab.postgres()?;
            let bouncer = lab.new_pgbouncer().database("appdb", pg.conn()).start()?;
            let case = url(lab, bouncer.conn(), "sqlx", &[])?;
            Ok(case
                .assert(psql("pass"))
                .assert(first_fix("ignore_startup_parameters"))
                .keep((bouncer, pg)))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-statements",
        "asyncpg's named statements through PgBouncer",
        Expect::Warn("driver.statements"),
        &[Need::Postgres, Need::PgBouncer],
        |lab| {
            let pg = lab.postgres()?;
            let bouncer = lab.new_pgbouncer().database("appdb", pg.conn()).start()?;
            let case = url(lab, bouncer.conn(), "asyncpg", &[])?;
            Ok(case
                .assert(psql("pass"))
                .assert(first_fix("statement_cache_size=0"))
                .keep((bouncer, pg)))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-timeout",
        "a server that does not answer, and tokio-postgres, which waits without a limit",
        Expect::Fail("tcp.timeout"),
        &[],
        |_| {
            let hole = Blackhole::new()?;
            let port = hole.port();
            let target = format!("postgresql://app@127.0.0.1:{port}/appdb?sslmode=disable");
            let case = through(Case::target(target), "tokio-postgres").args(&["--timeout", "300ms"]);
            Ok(case.warns("driver.timeout").keep(hole))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-certificate",
        "a certificate whose name stands in the common name alone, which Go does not look at",
        Expect::Fail("driver.certificate"),
        &[Need::Postgres],
        |lab| {
            let mut spec = lab.cert();
            spec.dns.clear();
            spec.ips.clear();
            spec.cn = "localhost".to_owned();
            let pg = lab.new_postgres().tls(lab.issue(spec)?).start()?;
            let ca = lab.ca_file().display().to_string();
            let settings = [("host", "localhost"), ("sslmode", "verify-full"), ("sslrootcert", ca.as_str())];
            let case = url(lab, pg.conn(), "pgx", &settings)?.keep(pg);
            Ok(case.assert(psql("pass")).assert(says("driver.certificate", "Common Name")))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-key",
        "a client key in the form of its algorithm, and not PKCS#8, which pgjdbc reads alone",
        Expect::Fail("driver.key"),
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .tls(lab.issue(lab.cert())?)
                .conf("ssl_ca_file", lab.ca_file().display())
                .hba("hostssl all all all cert")
                .start()?;
            let dir = lab.dir("client")?;
            let client = lab.issue(CertSpec::client("app"))?;
            let (certificate, key) = client.write(&dir, "client")?;
            let own = PKey::private_key_from_pem(&std::fs::read(&key)?)?;
            let pem = match own.ec_key() {
                Ok(key) => key.private_key_to_pem()?,
                Err(_) => own.rsa()?.private_key_to_pem()?,
            };
            // Its mode stays.
            std::fs::write(&key, pem)?;
            let (certificate, key) =
                (certificate.display().to_string(), key.display().to_string());
            let settings = [
                ("sslmode", "require"),
                ("sslcert", certificate.as_str()),
                ("sslkey", key.as_str()),
            ];
            let case = url(lab, pg.conn(), "pgjdbc@42.7", &settings)?.keep(pg);
            Ok(case.assert(psql("pass")).assert(first_fix("Write the key as PKCS#8 in DER")))
        },
    )
    .oracle(DRIVER),
];
