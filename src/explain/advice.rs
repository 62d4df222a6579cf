//! A page filled with what a text says: a finding with the values that the templates
//! want, and the fixes of the provider whose host it names.

use std::net::IpAddr;

use super::confirm;
use super::fact::Fact;
use super::values::{Read, Values, is_socket};
use crate::cause::{Cause, auth, config, dns};
use crate::config::{catalog, conninfo, host_port};
use crate::finding::{Composed, Finding, Fix};
use crate::provider;
use crate::stage::auth::hba;
use crate::stage::dns::name;

/// How many fixes are worth reading.
const MOST_FIXES: usize = 4;

/// Holes of fixes that are about an SSH server.
const OF_HOP: &[&str] = &["hop", "hop_host", "hop_port", "ssh_alias", "bastion"];
/// Holes of fixes that are about the database server.
const OF_SERVER: &[&str] = &["machine", "database_host", "socket_path", "next_host"];

/// What is said and done about a cause in a text.
pub struct Advice {
    /// What is wrong.
    pub summary: String,
    /// What to do.
    pub fixes: Vec<Fix>,
}

/// The advice for a cause with what the text says; the provider is added to the values.
pub fn of(cause: &'static Cause, fact: Option<&Fact>, read: &mut Read) -> Advice {
    let host = read.values.host.clone().unwrap_or_default();
    let finding = filled(cause, read);
    read.values.provider = provider::named(&host, &finding).map(str::to_owned);
    let about = match (
        read.is_of_hop,
        read.hop.host.is_some(),
        read.values.host.is_some(),
    ) {
        (true, ..) => OF_SERVER,
        (false, false, true) => OF_HOP,
        _ => &[],
    };
    let finding = provider::advise(finding, &host).not_about(about);
    let mut fixes = finding.fixes_in_general();
    if fact.is_some_and(|fact| !fact.keeps_page) {
        fixes.clear();
    }
    let own = fact.map(|fact| finding.in_general(fact.fixes));
    fixes.splice(0..0, own.unwrap_or_default());
    fixes.truncate(MOST_FIXES);
    let summary = fact.and_then(|fact| finding.text_in_general(fact.summary?));
    Advice {
        summary: summary.unwrap_or_else(|| finding.summary_in_general()),
        fixes,
    }
}

/// The finding with everything that templates may want.
fn filled(cause: &'static Cause, read: &Read) -> Finding {
    let values = &read.values;
    let host = values.host.clone();
    let is_name = |host: &String| !is_socket(host) && host.parse::<IpAddr>().is_err();
    let is_far = |host: &String| {
        let ip = host.parse::<IpAddr>();
        !is_socket(host) && host != "localhost" && !ip.is_ok_and(|ip| ip.is_loopback())
    };
    let hop = read.hop.host.clone();
    let hop_label = hop.as_ref().map(|host| match read.hop.port {
        Some(port) => host_port(host, port),
        None => host.clone(),
    });
    let endpoint = match read.is_of_hop {
        true => hop_label.clone(),
        false => read.endpoint(),
    };
    let ip = read.server_address.clone();
    let address = match (read.is_of_hop, &ip, values.port) {
        (false, Some(ip), Some(port)) => Some(host_port(ip, port)),
        _ => endpoint.clone(),
    };
    let database = host.clone().filter(|_| !read.is_of_hop).filter(is_far);
    let name = match read.is_of_hop {
        true => hop.clone(),
        false => host.clone(),
    };
    let mut finding = Finding::new(cause)
        .with("endpoint", endpoint.clone())
        .with("who", endpoint.clone())
        .with("host", name.clone())
        .with(
            "port",
            if read.is_of_hop {
                read.hop.port
            } else {
                values.port
            },
        )
        .with("address", address)
        .with("ip", ip.clone())
        .with("user", values.user.clone())
        .with("database", values.dbname.clone())
        .with("path", read.key.clone().or(values.file.clone()))
        .with("file", values.file.clone())
        .word("damaged_file", read.key.clone().or(values.file.clone()))
        .word("ignored_passfile", values.file.clone())
        .with("line", values.line)
        .with("pooler", values.pooler.clone())
        .with("socket_path", read.socket.clone())
        .with("name", name.clone().filter(is_name))
        .with("client", read.client.clone())
        .word("client_ip", read.client.clone())
        .word("machine", database.clone())
        .word("remote_host", database.clone())
        .word("remote_ip", ip.or(name.clone()))
        .word("database_host", database.clone())
        .word("target", endpoint.filter(|_| !read.is_of_hop))
        .word("target_host", database.clone())
        .word("target_port", values.port.filter(|_| database.is_some()))
        .word("hop", hop_label.clone())
        .word("hop_host", hop)
        .word("hop_port", read.hop.port)
        .word("via", hop_label.clone())
        .word("known_as", hop_label)
        .word("logged", read.is_server_log.then_some(""));
    if let Some(parameter) = &values.parameter {
        finding = finding
            .with("parameter", parameter.clone())
            .word("parameter_name", parameter.clone());
    }
    if *cause == config::PARAM_UNKNOWN {
        finding = unknown_parameter(finding, values);
    }
    if *cause == dns::CONTAINER_NAME {
        let inside = host.as_deref().and_then(|host| name::inside(host, None));
        finding = finding.with("inside", inside.map(|it| it.place()));
    }
    if cause.is_any(&[&auth::HBA_NO_ENTRY, &auth::HBA_REJECT]) {
        finding = finding.with(
            "encryption",
            match read.encrypted {
                Some(true) => "with TLS",
                Some(false) => "without TLS",
                None => "(encryption not stated)",
            },
        );
    }
    finding = finding.word("hba_line", hba_line(read).map(Composed));
    if *cause == auth::PEER {
        finding = finding.word("system_user", values.user.clone());
    }
    let conninfo = |user: Option<&str>, database: Option<&str>| connection(values, user, database);
    finding
        .word("conninfo", conninfo(None, None))
        .word("any_session", conninfo(None, None))
        .word("maintenance", conninfo(None, Some("postgres")))
        .word("console", conninfo(Some("pgbouncer"), Some("pgbouncer")))
        .word("s_client", s_client(read))
        .word(
            "own_target",
            host.map(|_| confirm::target(read, false, false)),
        )
        .word("passfile_line", passfile_line(values))
        .word("mismatched", values.dbname.clone())
}

/// What a parameter that is not known was meant to be, and who does not know it.
fn unknown_parameter(finding: Finding, values: &Values) -> Finding {
    /// Drivers that read parameters by themselves.
    const OWN: &[&str] = &[
        "asyncpg",
        "pg8000",
        "node-postgres",
        "postgres.js",
        "prisma",
        "pgjdbc",
        "npgsql",
        "pgx",
        "lib-pq",
        "sqlx",
        "tokio-postgres",
        "postgrex",
    ];
    let driver = values
        .driver
        .as_deref()
        .filter(|driver| OWN.contains(driver));
    let parameter = values.parameter.as_deref().unwrap_or_default();
    let meant = match driver {
        // What psycopg calls sslmode, asyncpg and pg8000 take as ssl.
        Some("asyncpg") if parameter == "sslmode" => Some("ssl"),
        Some("pg8000") if parameter == "sslmode" => Some("ssl_context"),
        Some(_) => None,
        None => catalog::meant(parameter).filter(|meant| *meant != parameter),
    };
    let known = meant.map(|meant| format!("; {meant} was probably intended"));
    finding
        .with("reader", driver.map(str::to_owned))
        .with("meant", meant)
        .word("known", Composed(known.unwrap_or_default()))
}

/// `openssl s_client` for the server that the text names.
fn s_client(read: &Read) -> Option<Vec<String>> {
    let host = read
        .values
        .host
        .as_deref()
        .filter(|host| !is_socket(host))?;
    let address = host_port(host, read.values.port.unwrap_or(5432));
    let mut words = vec![
        "openssl",
        "s_client",
        "-starttls",
        "postgres",
        "-connect",
        &address,
    ];
    // An address is no server name.
    if host.parse::<IpAddr>().is_err() {
        words.extend(["-servername", host]);
    }
    Some(words.into_iter().map(str::to_owned).collect())
}

/// The line of a password file for the server, with capital words for what the text does
/// not say; none where it does not name the host.
fn passfile_line(values: &Values) -> Option<String> {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace(':', "\\:");
    let host = values.host.as_deref()?;
    let host = escaped(if is_socket(host) { "localhost" } else { host });
    let port = values
        .port
        .map_or_else(|| "5432".to_owned(), |port| port.to_string());
    let name = |name: &Option<String>, missing: &str| {
        name.as_deref().map_or_else(|| missing.to_owned(), escaped)
    };
    let (database, user) = (name(&values.dbname, "DATABASE"), name(&values.user, "USER"));
    Some(format!("{host}:{port}:{database}:{user}:PASSWORD"))
}

/// The line of pg_hba.conf that lets the connection in, with capital words for what the
/// text does not say; none where it says nothing of it.
fn hba_line(read: &Read) -> Option<String> {
    let quoted = |name: &Option<String>, missing: &str| {
        name.as_deref()
            .map_or_else(|| missing.to_owned(), hba::quoted)
    };
    let client: Option<IpAddr> = read.client.as_deref().and_then(|ip| ip.parse().ok());
    let values = &read.values;
    if client.is_none() && values.user.is_none() && values.dbname.is_none() {
        return None;
    }
    let kind = match read.encrypted {
        Some(true) => "hostssl",
        _ => "host",
    };
    let address = client.map_or_else(|| "ADDRESS".to_owned(), hba::cidr);
    let (database, user) = (
        quoted(&values.dbname, "DATABASE"),
        quoted(&values.user, "ROLE"),
    );
    Some(format!("{kind} {database} {user} {address} scram-sha-256"))
}

/// A connection string, with capital words for what the text does not say; none where
/// it does not name the host.
fn connection(values: &Values, user: Option<&str>, database: Option<&str>) -> Option<String> {
    let port = values.port.map(|port| port.to_string());
    let settings = [
        ("host", Some(values.host.as_deref()?)),
        ("port", port.as_deref()),
        (
            "user",
            Some(user.or(values.user.as_deref()).unwrap_or("USER")),
        ),
        (
            "dbname",
            Some(database.or(values.dbname.as_deref()).unwrap_or("DATABASE")),
        ),
    ];
    let words = settings
        .into_iter()
        .filter_map(|(name, value)| Some(conninfo::setting(name, value?)));
    Some(words.collect::<Vec<_>>().join(" "))
}
