//! Parameters and forms that a driver reads, and libpq does not.

use anyhow::{Result, ensure};

use crate::{Case, Expect, Lab, Need, Oracle, Scenario};

const DRIVER: Oracle = Oracle::None("the driver that the scheme names judges, and psql cannot");

const UNREADABLE: Expect = Expect::Fail("config.url.syntax");
const FORM: Expect = Expect::Warn("config.url.scheme");

/// The shared server behind a URL that begins like this, with these parameters.
fn url(lab: &Lab, start: &str, parameters: &str) -> Result<Case> {
    let conn = lab.postgres()?.conn().set("password", lab.password());
    let url = conn.url().replace("postgresql://", start);
    Ok(Case::target(format!("{url}{parameters}")).secret(lab.password()))
}

/// The same, with what TLS must have come to.
fn with_tls(lab: &Lab, start: &str, parameters: &str, mode: &'static str) -> Result<Case> {
    let root = lab.ca_file();
    let parameters = parameters.replace("ROOT", &root.display().to_string());
    let case = url(lab, start, &parameters)?;
    Ok(case.assert(move |report| {
        let parameters = &report["target"]["parameters"];
        let found = &parameters["sslmode"]["value"];
        ensure!(found == mode, "sslmode is {found}: {parameters}");
        Ok(())
    }))
}

/// A DSN of PDO for the shared server, begun like this, with this password.
fn pdo(lab: &Lab, start: &str, password: &str) -> Result<Case> {
    let conn = lab.postgres()?.conn();
    let names = ["host", "port", "dbname", "user"];
    let setting = |name| Some(format!("{name}={};", conn.get(name)?));
    let settings: String = names.into_iter().filter_map(setting).collect();
    Ok(Case::target(format!("{start}{settings}password={password}")).secret("pass;word"))
}

/// A case.
macro_rules! case {
    ($name:literal, $title:literal, $expect:expr, $prepare:expr) => {
        Scenario::new($name, $title, $expect, &[Need::Postgres], $prepare).oracle(DRIVER)
    };
}

/// What connects, and what nobody reads.
pub const SCENARIOS: &[Scenario] = &[
    case!(
        "config-driver-r2dbc-sslmode",
        "R2DBC's own names for libpq's parameters",
        FORM,
        |lab| with_tls(
            lab,
            "r2dbc:postgresql://",
            "?sslMode=VERIFY_CA&sslRootCert=ROOT&applicationName=orders",
            "verify-ca"
        )
    ),
    case!(
        "config-driver-r2dbcs",
        "R2DBC's scheme with TLS, which a parameter weakens",
        FORM,
        |lab| with_tls(
            lab,
            "r2dbcs:postgresql://",
            "?sslMode=require&schema=public",
            "require"
        )
    ),
    case!(
        "config-driver-r2dbc-pool",
        "R2DBC's pool, with its size",
        FORM,
        |lab| with_tls(
            lab,
            "r2dbcs:pool:postgresql://",
            "?sslRootCert=ROOT&maxSize=5&sslMode=verify_ca",
            "verify-ca"
        )
    ),
    case!(
        "config-driver-sqlalchemy-capitals",
        "SQLAlchemy's dialect in capitals",
        UNREADABLE,
        |lab| url(lab, "POSTGRESQL+ASYNCPG://", "")
    ),
    case!(
        "config-driver-sqlalchemy-slashes",
        "SQLAlchemy's dialect without the slashes",
        UNREADABLE,
        |lab| url(lab, "postgresql+asyncpg:", "")
    ),
    case!(
        "config-driver-asyncpg-ssl-true",
        "asyncpg wants a mode, not a truth value",
        Expect::Fail("driver.param.refused"),
        |lab| url(lab, "postgresql+asyncpg://", "?ssl=true")
    ),
    case!(
        "config-driver-asyncpg-timeout",
        "an argument of asyncpg that libpq has under another name",
        Expect::Pass,
        |lab| Ok(url(lab, "postgresql+asyncpg://", "?timeout=9&ssl=prefer")?
            .forbids("config.param.unknown"))
    ),
    case!(
        "config-driver-jdbc-capitals",
        "a JDBC URL in capitals",
        UNREADABLE,
        |lab| {
            let conn = lab.postgres()?.conn();
            let port = conn.get("port").unwrap_or_default();
            let url = format!("JDBC:postgresql://127.0.0.1:{port}/appdb?user=app&password=");
            Ok(Case::target(url + lab.password()).secret(lab.password()))
        }
    ),
    case!(
        "config-driver-pdo-capitals",
        "a DSN of PDO in capitals",
        UNREADABLE,
        |lab| pdo(lab, "PGSQL:", "x")
    ),
    case!(
        "config-driver-pdo-semicolon",
        "a semicolon in the password of a DSN of PDO",
        UNREADABLE,
        |lab| pdo(lab, "pgsql:", "pass;word")
    ),
    case!(
        "config-driver-pdo-semicolon-quoted",
        "the same in quotes, which PDO does not heed",
        Expect::Fail("auth.password.wrong"),
        |lab| Ok(pdo(lab, "pgsql:", "'pass;word'")?.warns("config.url.syntax"))
    ),
];
