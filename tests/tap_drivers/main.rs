//! Real drivers through `tap`: each works for a while, in clear and in TLS, gets the answers
//! that it gets without it, and is named by its marks. And what the tap costs.

#[path = "../common/listening.rs"]
mod listening;
#[path = "../common/trials.rs"]
mod trials;

mod held;
mod speed;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dbdoctor_lab::{CertSpec, Lab, Need, Postgres, Tool};
use serde_json::Value;

const TRIALS: &[trials::Named<Shared>] = &[
    ("psql", |shared| shared.works("psql")),
    ("psycopg2", |shared| shared.works("psycopg2")),
    ("psycopg", |shared| shared.works("psycopg")),
    ("asyncpg", |shared| shared.works("asyncpg")),
    ("node_postgres", |shared| shared.works("node-postgres")),
    ("postgres_js", |shared| shared.works("postgres.js")),
    ("pgjdbc", |shared| shared.works("pgjdbc")),
    ("ruby_pg", |shared| shared.works("ruby-pg")),
    ("pdo", |shared| shared.works("PDO")),
    ("lib_pq", |shared| shared.works("lib/pq")),
    ("pgx", |shared| shared.works("pgx")),
    ("tokio_postgres", |shared| shared.works("tokio-postgres")),
    ("sqlx", |shared| shared.works("sqlx")),
    ("the_tap_costs_little", |shared| {
        speed::compare(&shared.lab, &shared.server)
    }),
];

/// How long a driver may take.
const LIMIT: Duration = Duration::from_secs(90);

/// How drivers are run. Columns: name as the tap says it; a file without which it is skipped;
/// its program, with the words of `tests/client_marks/clients.tsv`; what is put behind the URL in
/// clear and in TLS.
const DRIVERS: &[(&str, &str, &str, [&str; 2])] = &[
    ("psql", "", "psql -XAtq -f {here}/work.sql -d {url}", LIBPQ),
    (
        "psycopg2",
        "",
        "/usr/bin/python3 {here}/work.py psycopg2 {url}",
        LIBPQ,
    ),
    (
        "psycopg",
        "python",
        "{drivers}/python/bin/python {here}/work.py psycopg {url}",
        LIBPQ,
    ),
    (
        "asyncpg",
        "",
        "/usr/bin/python3 {here}/work.py asyncpg {url}",
        LIBPQ,
    ),
    (
        "node-postgres",
        "node",
        "/usr/bin/env DRIVERS_NODE={drivers}/node node {here}/work.mjs pg {url}",
        ["", "?sslmode=no-verify"],
    ),
    (
        "postgres.js",
        "node",
        "/usr/bin/env DRIVERS_NODE={drivers}/node node {here}/work.mjs postgres {url}",
        ["", "?sslmode=require"],
    ),
    (
        "pgjdbc",
        "java",
        "java -XX:TieredStopAtLevel=1 -cp /usr/share/java/postgresql.jar {here}/Work.java {jdbc}",
        ["&sslmode=disable", "&sslmode=require"],
    ),
    (
        "ruby-pg",
        "java",
        "ruby {here}/../drivers/ruby/client.rb {url}",
        LIBPQ,
    ),
    (
        "PDO",
        "java",
        "php {here}/../drivers/php/client.php {pdo}",
        ["sslmode=disable", "sslmode=require"],
    ),
    ("lib/pq", "go", "{drivers}/go/lib-pq {url}", LIBPQ),
    ("pgx", "go", "{drivers}/go/pgx {url}", LIBPQ),
    (
        "tokio-postgres",
        "rust",
        "{drivers}/rust/tokio-postgres-client native-tls {url}",
        LIBPQ,
    ),
    (
        "sqlx",
        "rust",
        "{drivers}/rust/sqlx-client-rustls {url}",
        LIBPQ,
    ),
];

const LIBPQ: [&str; 2] = ["?sslmode=disable", "?sslmode=require"];

fn main() {
    let needs = [Need::Postgres, Need::Python];
    let shared =
        trials::lab(&needs).and_then(|lab| Shared::new(lab).map_err(|why| format!("{why:#}")));
    trials::run(1, shared, TRIALS);
}

/// The server that all go to.
struct Shared {
    // Dropped before its lab.
    server: Postgres,
    lab: Lab,
}

impl Shared {
    fn new(lab: Lab) -> Result<Self> {
        let spec = CertSpec::server("localhost", &["localhost"], &["127.0.0.1"]);
        let server = (lab.new_postgres())
            .tls(lab.issue(spec)?)
            .sql("alter role app password 'pw'")
            .hba("host all all all scram-sha-256")
            .start()?;
        Ok(Self { server, lab })
    }

    /// A driver's work comes to the same with the tap and without, and the tap names the driver.
    fn works(&self, name: &str) -> Result<()> {
        let row = DRIVERS
            .iter()
            .find(|(of, ..)| *of == name)
            .context("no such driver")?;
        let (_, part, program, queries) = row;
        let drivers = drivers();
        if !part.is_empty() && !drivers.join(part).exists() {
            eprintln!("skipped: scripts/drivers has not installed {name}");
            return Ok(());
        }
        for (query, is_tls) in queries.iter().zip([false, true]) {
            let mut tap = held::hold(&self.lab, &self.server)?;
            let direct = self.answers(program, query, self.server.port(), &drivers)?;
            let through = self.answers(program, query, tap.port, &drivers)?;
            let short = |text: &str| text.chars().take(300).collect::<String>();
            ensure!(
                direct == through,
                "{name}{query}:\n{}\n{}",
                short(&direct),
                short(&through)
            );
            let report = held::end(&mut tap)?;
            recognised(&report, name, is_tls)
                .with_context(|| format!("{name}{query}: {report:#}"))?;
        }
        Ok(())
    }

    /// What a driver's program prints.
    fn answers(&self, program: &str, query: &str, port: u16, drivers: &Path) -> Result<String> {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tap_drivers");
        let at = format!("localhost:{port}/appdb");
        let words = program
            .replace("{url}", &format!("postgresql://app:pw@{at}{query}"))
            .replace(
                "{jdbc}",
                &format!("jdbc:postgresql://{at}?user=app&password=pw{query}"),
            )
            .replace("{drivers}", &drivers.to_string_lossy())
            .replace("{here}", &here.to_string_lossy());
        let pdo =
            format!("pgsql:host=localhost port={port} dbname=appdb user=app password=pw {query}");
        let mut words = words
            .split(' ')
            .map(|word| if word == "{pdo}" { pdo.as_str() } else { word });
        let done = Tool::new(words.next().unwrap_or_default())
            .args(words)
            .env("HOME", self.lab.dir("home")?.display())
            .env("SSL_CERT_FILE", self.lab.ca_file().display())
            .run(LIMIT)?;
        ensure!(done.status == Some(0) && !done.stdout.is_empty(), "{done}");
        ensure!(!done.stdout.contains("\"error\":\""), "{done}");
        // psql says where in its script an error was; that is the same both times.
        Ok(format!("{}{}", done.stdout, done.stderr))
    }
}

/// Where scripts/drivers puts the drivers.
fn drivers() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = || variable("XDG_CACHE_HOME").or(Some(variable("HOME")?.join(".cache")));
    let given = variable("DBDOCTOR_DRIVERS").or_else(|| Some(cache()?.join("dbdoctor-drivers")));
    given.unwrap_or_default()
}

/// The report has this driver's connections, named: in TLS it may be one of several, in clear it
/// is the first of them.
fn recognised(report: &Value, name: &str, is_tls: bool) -> Result<()> {
    let facts = held::facts(report);
    let connections = facts["connections"].as_array().context("no connections")?;
    let who: Vec<&Value> = connections
        .iter()
        .map(|it| &it["looks_like"])
        .filter(|it| !it.is_null())
        .collect();
    ensure!(!who.is_empty(), "nobody is recognised");
    let among = |who: &Value, list: &str| {
        let names = who[list].as_array().into_iter().flatten();
        names
            .filter_map(Value::as_str)
            .any(|known| known.starts_with(name))
    };
    for who in &who {
        let is_first = who["name"]
            .as_str()
            .is_some_and(|known| known.starts_with(name));
        let is_alike = among(who, "alike");
        ensure!(
            is_first || is_alike || (is_tls && among(who, "others")),
            "{name} is not in {who}"
        );
    }
    if !is_tls {
        let served = connections.iter().any(|it| {
            it["statements"]["executed"].as_u64() > Some(5)
                || it["statements"]["simple"].as_u64() > Some(100)
        });
        ensure!(served, "its statements are not counted");
    }
    Ok(())
}
