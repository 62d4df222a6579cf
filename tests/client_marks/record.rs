//! Runs the real clients and records what they send.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dbdoctor_lab::{CertSpec, Issued, Lab, Postgres, Tool};

use crate::between::Between;
use crate::row::{Client, Row, Way, tests};

/// How long a client may take.
const LIMIT: Duration = Duration::from_secs(60);

/// How often each is run: one that sends its parameters in another order each time shows it.
const TIMES: usize = 2;

/// Records every client.
pub fn run() -> Result<()> {
    let drivers = std::env::var_os("DBDOCTOR_DRIVERS").context("DBDOCTOR_DRIVERS is not set")?;
    let drivers = PathBuf::from(drivers);
    let lab = Lab::new()?;
    let spec = CertSpec::server("localhost", &["localhost"], &["127.0.0.1"]);
    let certificate = lab.issue(spec)?;
    let server = (lab.new_postgres())
        .tls(certificate.clone())
        .sql("alter role app password 'pw'")
        .hba("host all all all scram-sha-256")
        .start()?;
    let mut rows = Vec::new();
    for client in Client::all()? {
        for way in Way::ALL {
            let Some(query) = client.query(way) else {
                continue;
            };
            let mut of_it: Vec<Row> = Vec::new();
            for _ in 0..TIMES {
                let one = connection(&lab, &server, &certificate, &drivers, (&client, way, query))?;
                of_it.push(one);
            }
            rows.extend(of_it);
        }
    }
    Row::write_all(&rows)
}

/// The last connection of a client that is run once.
fn connection(
    lab: &Lab,
    server: &Postgres,
    certificate: &Issued,
    drivers: &std::path::Path,
    (client, way, query): (&Client, Way, &str),
) -> Result<Row> {
    let between = Between::new(server.port(), (way == Way::Tls).then_some(certificate))?;
    let port = between.port;
    let at = format!("localhost:{port}/appdb");
    let url = |scheme: &str| format!("{scheme}://app:pw@{at}{query}");
    let words = client
        .program
        .replace("{url}", &url("postgresql"))
        .replace(
            "{jdbc}",
            &format!("jdbc:postgresql://{at}?user=app&password=pw{query}"),
        )
        .replace("{drivers}", &drivers.to_string_lossy())
        .replace("{here}", &tests().join("drivers").to_string_lossy());
    let pdo = format!("pgsql:host=localhost port={port} dbname=appdb user=app password=pw {query}");
    let mut words = words.split(' ').map(|word| match word {
        "{pdo}" => pdo.clone(),
        word => match word
            .strip_prefix("{url+")
            .and_then(|name| name.strip_suffix('}'))
        {
            Some(name) => url(&format!("postgresql+{name}")),
            None => word.to_owned(),
        },
    });
    let done = Tool::new(words.next().unwrap_or_default())
        .args(words)
        .env("HOME", lab.dir("home")?.display())
        .env("SSL_CERT_FILE", lab.ca_file().display())
        .run(LIMIT)?;
    let named = format!("{} {}", client.name, way.as_str());
    ensure!(done.status == Some(0), "{named}: {done}");
    ensure!(!done.stdout.contains("\"error\":\""), "{named}: {done}");
    let seen = between.end();
    let row =
        (seen.iter().rev()).find_map(|seen| Row::of(&client.name, way, &seen.outer, seen.inner()));
    row.with_context(|| format!("{named}: no start-up message: {done}"))
}
