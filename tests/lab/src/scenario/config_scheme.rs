//! URLs and strings in the form of drivers that libpq does not read: they are read, and it is
//! said what psql needs instead.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::{Case, Conn, Expect, Lab, Need, Scenario, Tool};

const SCHEME: Expect = Expect::Warn("config.url.scheme");

/// The shared server, in a form of which libpq has this to say. What the first fix says works.
fn read_as(lab: &Lab, text: String, conn: &Conn, effect: &'static str) -> Case {
    let theirs = Tool::new("psql").args(["-XAtqw", "-d", &text, "-c", "select 1"]);
    let password = lab.password().to_owned();
    Case::target(&text)
        .password(lab.password())
        .asks_psql(conn)
        .assert(move |report| {
            let said = theirs.clone().env("PGHOST", "/nonexistent");
            let said = said.run(Duration::from_secs(9))?;
            ensure!(said.status != Some(0), "psql reads {text}");
            let refused = said.stderr.contains("invalid connection option")
                || said.stderr.contains("missing \"=\"");
            ensure!(refused == (effect == "rejects it"), "{}", said.stderr);

            let finding = &report["stages"][0]["findings"][0];
            ensure!(finding["evidence"]["effect"] == effect, "{finding}");
            let command = finding["fixes"][0]["command"].as_str();
            let command = command.with_context(|| finding.to_string())?;
            let script = format!("{command} -XAtqw -c 'select current_user'");
            let pasted = Tool::new("sh").args(["-c", &script]);
            let pasted = pasted.env("PGPASSWORD", &password);
            let pasted = pasted.run(Duration::from_secs(9))?;
            ensure!(pasted.stdout == "app\n", "{}", pasted.stderr);
            Ok(())
        })
}

/// The same as a URL with another scheme, and parameters.
fn url(lab: &Lab, scheme: &str, parameters: &str) -> Result<Case> {
    let conn = lab.postgres()?.conn();
    let url = conn.url().replace("postgresql://", &format!("{scheme}://"));
    let effect = match parameters.contains('=') {
        true => "rejects it",
        false => "treats all of it as a database name",
    };
    Ok(read_as(lab, format!("{url}{parameters}"), &conn, effect))
}

/// The same as a DSN of PDO, with this between its settings.
fn pdo(lab: &Lab, between: &str) -> Result<Case> {
    let conn = lab.postgres()?.conn();
    let names = ["host", "port", "dbname", "user"];
    let setting = |name| Some(format!("{name}={}", conn.get(name)?));
    let settings: Vec<String> = names.into_iter().filter_map(setting).collect();
    let dsn = format!("pgsql:{}", settings.join(between));
    Ok(read_as(lab, dsn, &conn, "rejects it"))
}

/// What is read and warned about.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "config-form-r2dbc",
        "a URL of R2DBC",
        SCHEME,
        &[Need::Postgres],
        |lab| url(lab, "r2dbc:postgresql", ""),
    ),
    Scenario::new(
        "config-form-cockroachdb",
        "a URL of SQLAlchemy's dialect for CockroachDB",
        SCHEME,
        &[Need::Postgres],
        |lab| url(lab, "cockroachdb", ""),
    ),
    Scenario::new(
        "config-form-capitals",
        "libpq's scheme in capitals",
        SCHEME,
        &[Need::Postgres],
        |lab| url(lab, "POSTGRESQL", ""),
    ),
    Scenario::new(
        "config-form-capitals-parameter",
        "libpq's short scheme with a capital, and a parameter",
        SCHEME,
        &[Need::Postgres],
        |lab| url(lab, "Postgres", "?sslmode=prefer"),
    ),
    Scenario::new(
        "config-form-postgis",
        "a URL of GeoDjango",
        SCHEME,
        &[Need::Postgres],
        |lab| url(lab, "postgis", ""),
    ),
    Scenario::new(
        "config-form-pdo",
        "a DSN of PDO",
        SCHEME,
        &[Need::Postgres],
        |lab| pdo(lab, ";"),
    ),
    Scenario::new(
        "config-form-pdo-spaces",
        "a DSN of PDO, with spaces in place of semicolons",
        SCHEME,
        &[Need::Postgres],
        |lab| pdo(lab, " "),
    ),
    Scenario::new(
        "config-form-pdo-charset",
        "a DSN of PDO with a setting of MySQL's, which libpq does not know",
        Expect::Fail("config.param.unknown"),
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn();
            let (host, port) = (conn.get("host"), conn.get("port"));
            let dsn = format!(
                "host={} port={} charset=utf8",
                host.unwrap_or_default(),
                port.unwrap_or_default()
            );
            let case = Case::target(format!("pgsql:{}", dsn.replace(' ', ";")));
            Ok(case.password(lab.password()).asks_psql(dsn))
        },
    ),
    Scenario::new(
        "config-form-libpq",
        "libpq's own URL",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let url = lab.postgres()?.conn().url();
            let case = Case::target(&url).password(lab.password());
            Ok(case.asks_psql(url).forbids("config.url.scheme"))
        },
    ),
];
