//! What a driver's TLS library, key reader or statements meet where psql meets nothing,
//! and their healthy neighbours.

use anyhow::{Context, Result, ensure};
use openssl::pkey::PKey;
use serde_json::Value;

use crate::findings::finding;
use crate::{Case, CertSpec, Expect, Issued, Lab, Need, Oracle, Scenario};

const DRIVER: Oracle = Oracle::None("the verdict is a driver's; psql's is a fact of stage client");

/// A server with a certificate of the lab's CA, as a driver with these settings sees it.
fn served(
    lab: &Lab,
    change: impl FnOnce(&mut CertSpec),
    driver: &str,
    settings: &[(&str, &str)],
) -> Result<Case> {
    let mut spec = lab.cert();
    change(&mut spec);
    let pg = lab.new_postgres().tls(lab.issue(spec)?).start()?;
    let ca = lab.ca_file().display().to_string();
    let conn = settings.iter().fold(
        pg.conn()
            .set("host", "localhost")
            .set("password", lab.password()),
        |conn, (name, value)| conn.set(name, value.replace("CA", &ca)),
    );
    let case = Case::target(conn.url()).secret(lab.password());
    Ok(case.args(&["--as", driver]).keep(pg))
}

/// The common name alone tells whose it is.
fn common_name(spec: &mut CertSpec) {
    spec.dns.clear();
    spec.ips.clear();
    spec.cn = "localhost".to_owned();
}

/// A client's certificate whose key is written in the form of its algorithm.
fn with_traditional_key(lab: &Lab, driver: &str) -> Result<Case> {
    let pg = lab
        .new_postgres()
        .tls(lab.issue(lab.cert())?)
        .conf("ssl_ca_file", lab.ca_file().display())
        .start()?;
    let client: Issued = lab.issue(CertSpec::client("app"))?;
    let (certificate, key) = client.write(&lab.dir("traditional-key")?, "client")?;
    let own = PKey::private_key_from_pem(&std::fs::read(&key)?)?;
    let pem = match own.ec_key() {
        Ok(key) => key.private_key_to_pem()?,
        Err(_) => own.rsa()?.private_key_to_pem()?,
    };
    // Its mode stays.
    std::fs::write(&key, pem)?;
    let conn = pg
        .conn()
        .set("password", lab.password())
        .set("sslmode", "require")
        .set("sslcert", certificate.display())
        .set("sslkey", key.display());
    let case = Case::target(conn.url()).secret(lab.password());
    Ok(case.args(&["--as", driver]).keep(pg))
}

/// A PgBouncer on this port of a provider's host.
fn at_provider(lab: &Lab, port: u16, driver: &str) -> Result<Case> {
    const HOST: &str = "aws-0-eu-west-3.pooler.supabase.com";
    let ns = lab.netns()?;
    ns.hosts(&format!("127.0.0.1 localhost {HOST}\n"))?;
    let pg = lab.new_postgres().netns(&ns).start()?;
    let bouncer = lab
        .new_pgbouncer()
        .database("appdb", pg.conn().without("user"))
        .netns(&ns, port)
        .start()?;
    let conn = bouncer
        .conn()
        .set("host", HOST)
        .set("password", lab.password())
        .set("sslmode", "disable");
    let case = Case::target(conn.url()).secret(lab.password());
    Ok(case.args(&["--as", driver]).keep((bouncer, pg)).netns(ns))
}

/// The evidence of a finding, and the texts of its fixes.
fn told(
    cause: &'static str,
    evidence: &'static [(&'static str, &'static str)],
    fixes: &'static [&'static str],
) -> impl Fn(&Value) -> Result<()> + Send {
    move |report| {
        let found = finding(report, cause)?;
        for (name, words) in evidence {
            let value = found["evidence"][name].as_str().unwrap_or_default();
            ensure!(value.contains(words), "{name}: {value:?} in {found:#}");
        }
        for (at, words) in fixes.iter().enumerate() {
            let fix = format!(
                "{} {}",
                found["fixes"][at]["text"], found["fixes"][at]["command"]
            );
            ensure!(fix.contains(words), "fix {at}: {fix}");
        }
        Ok(())
    }
}

/// A certificate with a common name alone, of which the driver says this.
fn unnamed(
    lab: &Lab,
    driver: &str,
    settings: &[(&str, &str)],
    evidence: &'static [(&'static str, &'static str)],
) -> Result<Case> {
    let fixes = &["with localhost in subjectAltName"];
    let case = served(lab, common_name, driver, settings)?;
    Ok(case.assert(told("driver.certificate", evidence, fixes)))
}

/// The row of a driver in `--as all`.
fn row<'a>(report: &'a Value, driver: &str) -> Result<&'a Value> {
    let stages = report["stages"].as_array().into_iter().flatten();
    let mut client = stages.filter(|stage| stage["stage"] == "client");
    let rows = client.next().context("no stage client")?["facts"]["drivers"].as_array();
    let mut rows = rows.into_iter().flatten();
    let found = rows.find(|row| row["driver"] == driver);
    found.with_context(|| format!("no row for {driver}"))
}

const FULL: &[(&str, &str)] = &[("sslmode", "verify-full"), ("sslrootcert", "CA")];
const CHAIN: &[(&str, &str)] = &[("sslmode", "verify-ca"), ("sslrootcert", "CA")];
const REQUIRE: &[(&str, &str)] = &[("sslmode", "require")];

/// Drivers whose libraries read otherwise than OpenSSL.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "driver-stack-name-go",
        "a common name alone, which pgx does not look at",
        Expect::Fail("driver.certificate"),
        &[Need::Postgres],
        |lab| {
            let evidence = &[
                ("reason", "common-name"),
                ("error", "legacy Common Name field"),
            ];
            unnamed(lab, "pgx", FULL, evidence)
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-stack-name-unverified",
        "the same, which pgx takes where it verifies nothing",
        Expect::Pass,
        &[Need::Postgres],
        |lab| served(lab, common_name, "pgx", REQUIRE),
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-stack-name-rustls",
        "a common name alone: rustls looks at the name for verify-ca too",
        Expect::Fail("driver.certificate"),
        &[Need::Postgres],
        |lab| {
            let evidence = &[
                ("reason", "common-name"),
                ("error", "certificate not valid for name"),
            ];
            unnamed(lab, "sqlx/rustls", CHAIN, evidence)
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-stack-name-native-tls",
        "the same, which OpenSSL takes for verify-ca",
        Expect::Pass,
        &[Need::Postgres],
        |lab| served(lab, common_name, "sqlx/native-tls", CHAIN),
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-stack-name-java",
        "a certificate with its names, which pgjdbc takes",
        Expect::Pass,
        &[Need::Postgres],
        |lab| served(lab, |_| (), "pgjdbc", FULL),
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-stack-version-1",
        "X.509 version 1, which rustls refuses although it verifies nothing",
        Expect::Fail("driver.certificate"),
        &[Need::Postgres],
        |lab| {
            let case = served(lab, |spec| spec.version_1 = true, "sqlx/rustls", REQUIRE)?;
            let evidence = &[("reason", "version"), ("error", "UnsupportedCertVersion")];
            Ok(case.assert(told(
                "driver.certificate",
                evidence,
                &["as X.509 version 3"],
            )))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-stack-version-1-go",
        "the same, which Go takes where nothing is verified",
        Expect::Pass,
        &[Need::Postgres],
        |lab| served(lab, |spec| spec.version_1 = true, "pgx", REQUIRE),
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-stack-purpose-go",
        "a certificate for clients, which Go does not take for a server's; nor does libpq",
        Expect::Fail("tls.cert.purpose"),
        &[Need::Postgres],
        |lab| {
            let change = |spec: &mut CertSpec| spec.usage = crate::Usage::Client;
            let case = served(lab, change, "pgx", FULL)?;
            let evidence = &[(
                "error",
                "x509: certificate specifies an incompatible key usage",
            )];
            Ok(case.assert(told("tls.cert.purpose", evidence, &[])))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-stack-key-native-tls",
        "a client's key in the form of its algorithm, which native-tls does not read",
        Expect::Fail("driver.key"),
        &[Need::Postgres],
        |lab| {
            let case = with_traditional_key(lab, "sqlx/native-tls")?;
            let fixes = &["openssl pkey -in ", "Name the new file: sslkey="];
            Ok(case.assert(told(
                "driver.key",
                &[("error", "expected PKCS#8 PEM")],
                fixes,
            )))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-stack-key-rustls",
        "the same, which rustls reads",
        Expect::Pass,
        &[Need::Postgres],
        |lab| with_traditional_key(lab, "sqlx/rustls"),
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-stack-key-asyncpg",
        "the same, which Python reads",
        Expect::Pass,
        &[Need::Postgres],
        |lab| with_traditional_key(lab, "asyncpg"),
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-stack-statements-transaction",
        "asyncpg at a provider's port for transaction pooling",
        Expect::Warn("driver.statements"),
        &[Need::Postgres, Need::PgBouncer, Need::Netns],
        |lab| {
            let evidence = &[("mode", "transaction"), ("error", "already exists")];
            let fixes = &["statement_cache_size=0"];
            Ok(at_provider(lab, 6543, "asyncpg")?.assert(told(
                "driver.statements",
                evidence,
                fixes,
            )))
        },
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-stack-statements-session",
        "the same at its port for session pooling",
        Expect::Pass,
        &[Need::Postgres, Need::PgBouncer, Need::Netns],
        |lab| at_provider(lab, 5432, "asyncpg"),
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-stack-statements-asked",
        "node-postgres at the port for transaction pooling: it names none by itself",
        Expect::Pass,
        &[Need::Postgres, Need::PgBouncer, Need::Netns],
        |lab| at_provider(lab, 6543, "node-postgres"),
    )
    .oracle(DRIVER),
    Scenario::new(
        "driver-stack-all",
        "every driver on sslmode=require at a server whose CA nobody knows",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            Ok(served(lab, |_| (), "all", REQUIRE)?.assert(|report| {
                for driver in [
                    "psycopg2",
                    "asyncpg",
                    "pgx",
                    "postgres.js",
                    "sqlx/rustls",
                    "pgjdbc",
                ] {
                    ensure!(
                        row(report, driver)?["status"] == "pass",
                        "{}",
                        row(report, driver)?
                    );
                }
                let node = row(report, "node-postgres")?;
                ensure!(node["cause"] == "driver.tls.verifies", "{node}");
                let fix = node["fix"].as_str().unwrap_or_default();
                ensure!(fix.contains("sslrootcert="), "{node}");
                Ok(())
            }))
        },
    )
    .oracle(Oracle::Psql),
    Scenario::new(
        "driver-stack-all-refused",
        "every driver on a certificate with a common name alone",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            Ok(served(lab, common_name, "all", FULL)?.assert(|report| {
                for driver in ["pgx", "sqlx/rustls"] {
                    let row = row(report, driver)?;
                    ensure!(row["cause"] == "driver.certificate", "{row}");
                    ensure!(row["error"].is_string() && row["fix"].is_string(), "{row}");
                }
                for driver in ["psycopg", "asyncpg"] {
                    ensure!(
                        row(report, driver)?["status"] == "pass",
                        "{}",
                        row(report, driver)?
                    );
                }
                Ok(())
            }))
        },
    )
    .oracle(Oracle::Psql),
];
