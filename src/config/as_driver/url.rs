//! How each driver takes a connection string apart. What comes out are names and
//! values as the driver has them: the parts of the authority and the path under libpq's
//! keywords, the query as it is written.

use crate::client::profile::Reader;
use crate::config::dsn::Assignment;
use crate::config::{conninfo, driver, uri};

/// Why a driver cannot use a connection string. It never holds a piece of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Which part: `the URL`, `the host list`.
    pub part: &'static str,
    /// What the driver says, as far as it is known.
    pub error: String,
    /// Whether it is the list of hosts that it does not take.
    pub hosts: bool,
}

/// A connection string as a driver reads it.
pub type Read = Result<Vec<Assignment>, Unread>;

fn unread(error: impl Into<String>) -> Unread {
    Unread {
        part: "the URL",
        error: error.into(),
        hosts: false,
    }
}

/// The parts of a URL, undecoded.
#[derive(Debug, Default)]
struct Parts<'a> {
    user: Option<&'a str>,
    password: Option<&'a str>,
    /// Hosts and ports.
    hosts: &'a str,
    /// With its slash.
    path: &'a str,
    query: &'a str,
}

/// Which `@` ends the credentials.
#[derive(Clone, Copy, PartialEq)]
enum At {
    /// The first one.
    First,
    /// The last one before the path.
    Last,
}

/// Splits `//authority/path?query#fragment`.
fn split(rest: &str, at: At) -> Parts<'_> {
    let rest = rest.split('#').next().unwrap_or_default();
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let found = match at {
        At::First => authority.split_once('@'),
        At::Last => authority.rsplit_once('@'),
    };
    let (credentials, hosts) = match found {
        Some((credentials, hosts)) => (Some(credentials), hosts),
        None => (None, authority),
    };
    let pair = credentials.map(|both| match both.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (both, None),
    });
    Parts {
        user: pair.map(|(user, _)| user),
        password: pair.and_then(|(_, password)| password),
        hosts,
        path,
        query,
    }
}

/// Reads a connection string as the driver does.
///
/// # Errors
/// What it says where it cannot.
pub fn read(reader: Reader, text: &str) -> Read {
    match reader {
        Reader::Node => node(text),
        Reader::PostgresJs => postgres_js(text),
        Reader::Asyncpg => asyncpg(text),
        Reader::Jdbc => jdbc(text),
        Reader::TokioPostgres => tokio_postgres(text),
        Reader::Sqlx | Reader::Prisma => url_crate(text),
        Reader::Go => go(text),
        Reader::Dotnet => dotnet(text),
        Reader::Libpq | Reader::Keywords | Reader::Ecto => plain(text),
    }
}

/// What the application takes apart itself, as a URL or a keyword string says it.
fn plain(text: &str) -> Read {
    let read = match driver::scheme(text) {
        Some((_, rest)) => uri::written(&format!("postgresql://{rest}")),
        None if text.contains('=') => conninfo::parse(text),
        None => return Ok(bare(text)),
    };
    read.map_err(|rejected| unread(rejected.problem))
}

/// `host[:port]`.
fn bare(text: &str) -> Vec<Assignment> {
    let mut out = Vec::new();
    hosts_and_ports(text, &mut out);
    out
}

/// Python's `urllib.parse`, as asyncpg uses it.
fn asyncpg(text: &str) -> Read {
    let Some((scheme, rest)) = driver::scheme(text) else {
        let error = "invalid DSN: scheme is expected to be either \"postgresql\" or \"postgres\"";
        return Err(unread(format!("{error}, got ''")));
    };
    let scheme = scheme.to_ascii_lowercase();
    if !matches!(scheme.as_str(), "postgresql" | "postgres") {
        return Err(unread(format!(
            "invalid DSN: scheme is expected to be either \"postgresql\" or \"postgres\", got '{scheme}'"
        )));
    }
    let parts = split(rest, At::First);
    let mut out = Vec::new();
    let decoded = |raw: &str| lenient(raw, false);
    if let Some(user) = parts.user.filter(|user| !user.is_empty()) {
        push(&mut out, "user", decoded(user));
    }
    if let Some(password) = parts.password.filter(|it| !it.is_empty()) {
        push(&mut out, "password", decoded(password));
    }
    list_of_hosts(parts.hosts, &mut out).map_err(unread)?;
    // A slash alone names the database of no name, which the server takes for the user's.
    if let Some(path) = parts.path.strip_prefix('/') {
        push(&mut out, "dbname", decoded(path));
    }
    for pair in parts.query.split('&').filter(|_| !parts.query.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(unread("bad query field: (ValueError)"));
        };
        // parse_qs leaves empty values out.
        if value.is_empty() {
            continue;
        }
        let name = String::from_utf8_lossy(&lenient(name, true)).into_owned();
        let value = lenient(value, true);
        match name.as_str() {
            "host" if out.iter().all(|one| one.name != "host") => {
                list_of_hosts(&String::from_utf8_lossy(&value), &mut out).map_err(unread)?;
            }
            // The places of the URL count before its query.
            "host" | "port" | "user" | "password" | "dbname" | "database"
                if out.iter().any(|one| {
                    one.name == name || (name == "database" && one.name == "dbname")
                }) => {}
            _ => push(&mut out, &name, value),
        }
    }
    Ok(out)
}

/// asyncpg's `_parse_hostlist`.
fn list_of_hosts(text: &str, out: &mut Vec<Assignment>) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    let decoded = String::from_utf8_lossy(&lenient(text, false)).into_owned();
    if decoded.starts_with('/') {
        // An encoded directory may have a port behind it.
        let (folder, port) = match decoded.rsplit_once(':') {
            Some((folder, port)) if !text.starts_with('/') => (folder, port),
            _ => (decoded.as_str(), ""),
        };
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("invalid literal for int() with base 10 (ValueError)".to_owned());
        }
        out.push(Assignment::new("host", folder));
        if !port.is_empty() {
            out.push(Assignment::new("port", port));
        }
        return Ok(());
    }
    for one in decoded.split(',') {
        let port = one.rsplit_once(':').filter(|_| !one.ends_with(']'));
        if let Some((host, port)) = port
            && (!host.contains(':') || host.ends_with(']'))
            && !port.bytes().all(|b| b.is_ascii_digit())
        {
            return Err("invalid literal for int() with base 10 (ValueError)".to_owned());
        }
    }
    hosts_and_ports(&decoded, out);
    Ok(())
}

/// `h1:1,[::1]:2` as the parameters `host` and `port`.
fn hosts_and_ports(text: &str, out: &mut Vec<Assignment>) {
    if text.is_empty() {
        return;
    }
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for one in text.split(',') {
        let behind = one.rfind(']').map_or(0, |at| at + 1);
        let (host, port) = match one[behind..].rsplit_once(':') {
            Some((front, port)) => (&one[..behind + front.len()], port),
            None => (one, ""),
        };
        hosts.push(host.trim_start_matches('[').trim_end_matches(']'));
        ports.push(port);
    }
    out.push(Assignment::new("host", &hosts.join(",")));
    if ports.iter().any(|port| !port.is_empty()) {
        let ports = ports
            .iter()
            .map(|port| if port.is_empty() { "5432" } else { port });
        out.push(Assignment::new(
            "port",
            &ports.collect::<Vec<_>>().join(","),
        ));
    }
}

/// WHATWG's URL of a scheme that is not special, as far as it matters here.
fn whatwg<'a>(rest: &'a str) -> Result<(Parts<'a>, String, String), ()> {
    let parts = split(rest, At::Last);
    let behind = parts.hosts.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match parts.hosts[behind..].split_once(':') {
        Some((front, port)) => (&parts.hosts[..behind + front.len()], port),
        None => (parts.hosts, ""),
    };
    let number = port.is_empty() || port.parse::<u16>().is_ok();
    let forbidden = |c: char| {
        c.is_ascii_control()
            || matches!(c, ' ' | '<' | '>' | '@' | '\\' | '^' | '|')
            || (matches!(c, '[' | ']') && !host.starts_with('['))
    };
    let nobody = host.is_empty() && (parts.user.is_some() || !port.is_empty());
    if !number || nobody || host.contains(forbidden) {
        return Err(());
    }
    let (host, port) = (host.to_owned(), port.to_owned());
    Ok((parts, host, port))
}

/// `pg-connection-string`.
fn node(text: &str) -> Read {
    if let Some(rest) = text.strip_prefix('/') {
        // A socket's directory, and the database behind a blank.
        let (folder, database) = rest.split_once(' ').unwrap_or((rest, ""));
        let mut out = vec![Assignment::new("host", &format!("/{folder}"))];
        if !database.is_empty() {
            out.push(Assignment::new("dbname", database));
        }
        return Ok(out);
    }
    let Some((_, rest)) = driver::scheme(text) else {
        // A path on a host that is only there to make it a URL.
        return Err(unread("getaddrinfo ENOTFOUND base"));
    };
    let encoded = encoded_again(rest);
    let (parts, host, port, dummy) = match whatwg(&encoded) {
        Ok((parts, host, port)) => (parts, host, port, false),
        Err(()) if encoded.contains("@/") => {
            let parts = split(&encoded, At::Last);
            (parts, String::new(), String::new(), true)
        }
        Err(()) => return Err(unread("Invalid URL")),
    };
    let mut out = Vec::new();
    let component = |raw: &str| strict(raw).ok_or_else(|| unread("URI malformed"));
    let query = form(parts.query);
    let asked = |name: &str| {
        query
            .iter()
            .any(|one| one.name == name && !one.value.is_empty())
    };
    if !asked("user")
        && let Some(user) = parts.user.filter(|user| !user.is_empty())
    {
        push(&mut out, "user", component(user)?);
    }
    if !asked("password")
        && let Some(password) = parts.password.filter(|it| !it.is_empty())
    {
        push(&mut out, "password", component(password)?);
    }
    let socket = !dummy && host.to_ascii_lowercase().starts_with("%2f");
    if !asked("host") && !host.is_empty() {
        let decoded = component(&host)?;
        let text = String::from_utf8_lossy(&decoded).into_owned();
        let plain = text.trim_start_matches('[').trim_end_matches(']');
        out.push(Assignment::new("host", if socket { &text } else { plain }));
    }
    if !asked("port") && !port.is_empty() {
        out.push(Assignment::new("port", &port));
    }
    if let Some(path) = parts.path.strip_prefix('/').filter(|path| !path.is_empty()) {
        push(&mut out, "dbname", decoded_uri(path));
    }
    out.extend(query.into_iter().filter(|one| one.name != "dbname"));
    Ok(out)
}

/// What `pg-connection-string` does where there is a blank or a "%" that encodes nothing: all
/// is encoded, and what stands for two decimal digits is taken back.
fn encoded_again(rest: &str) -> String {
    let bytes = rest.as_bytes();
    let next = |at: usize, is: fn(&u8) -> bool| bytes.get(at).is_some_and(is);
    let at_end = |at: usize| bytes.get(at).is_none();
    let bare = |at: usize| {
        let first = next(at + 1, u8::is_ascii_hexdigit);
        (!first && !at_end(at + 1))
            || (first && !next(at + 2, u8::is_ascii_hexdigit) && !at_end(at + 2))
    };
    let percents = || rest.match_indices('%').map(|(at, _)| at);
    if !rest.contains(' ') && !percents().any(bare) {
        return rest.to_owned();
    }
    let mut out = String::with_capacity(rest.len());
    for (at, char) in rest.char_indices() {
        match char {
            ' ' => out.push_str("%20"),
            '%' if next(at + 1, u8::is_ascii_digit) && next(at + 2, u8::is_ascii_digit) => {
                out.push('%');
            }
            '%' => out.push_str("%25"),
            char => out.push(char),
        }
    }
    out
}

/// The last value that the query of a URL has for a name.
pub fn asks(text: &str, name: &str) -> Option<String> {
    let (_, query) = text.split_once('?')?;
    let mut given = form(query).into_iter().rev();
    given.find(|one| one.name == name).map(|one| one.text())
}

/// postgres.js's `parseUrl` and `parseOptions`.
fn postgres_js(text: &str) -> Read {
    let Some((_, rest)) = driver::scheme(text.trim()) else {
        return Err(unread("Invalid URL"));
    };
    let start = rest.split(['?', '/']).next().unwrap_or_default();
    let list = &start[start.find('@').map_or(0, |at| at + 1)..];
    let list =
        String::from_utf8_lossy(&strict(list).ok_or_else(|| unread("URI malformed"))?).into_owned();
    let first = list.split(',').next().unwrap_or_default();
    let single = rest.replacen(&list, first, 1);
    let (parts, host, port) = whatwg(&single).map_err(|()| unread("Invalid URL"))?;
    let mut out = Vec::new();
    let component = |raw: &str| strict(raw).ok_or_else(|| unread("URI malformed"));
    if let Some(user) = parts.user.filter(|user| !user.is_empty()) {
        push(&mut out, "user", component(user)?);
    }
    if let Some(password) = parts.password.filter(|it| !it.is_empty()) {
        push(&mut out, "password", component(password)?);
    }
    if host.starts_with('[') {
        return Err(unread("getaddrinfo ENOTFOUND ["));
    }
    if list.contains(',') {
        hosts_and_ports(&list, &mut out);
    } else if !host.is_empty() {
        out.push(Assignment::new("host", &host));
        if !port.is_empty() {
            out.push(Assignment::new("port", &port));
        }
    }
    if let Some(path) = parts.path.strip_prefix('/').filter(|path| !path.is_empty()) {
        // It is not decoded.
        out.push(Assignment::new("dbname", path));
    }
    for one in form(parts.query) {
        // What is sent under these names is what the start-up message has of them.
        match one.name.as_str() {
            "user" => {
                out.retain(|known| known.name != "user");
                out.push(one);
            }
            "database" => {
                out.retain(|known| known.name != "dbname");
                push(&mut out, "dbname", one.value);
            }
            "host" | "port" | "password" | "dbname" => {
                push(&mut out, &format!("{SENT}{}", one.name), one.value);
            }
            _ => out.push(one),
        }
    }
    Ok(out)
}

/// SQLAlchemy's `make_url`: its own expression for a URL, and what the dialect of the driver
/// behind it does not take.
///
/// # Errors
/// What it says where it cannot.
pub fn sqlalchemy(text: &str, dialect: &str) -> Read {
    let Some((_, rest)) = driver::scheme(text) else {
        return Err(unread(
            "Could not parse SQLAlchemy URL from given URL string",
        ));
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    // The user ends at the first ":" or "@", the password at the first "@".
    let (credentials, after) = match rest.split_once('@') {
        Some((credentials, after))
            if !credentials
                .split(':')
                .next()
                .unwrap_or_default()
                .contains('/') =>
        {
            (Some(credentials), after)
        }
        _ => (None, rest),
    };
    let (place, path) = after.split_once('/').unwrap_or((after, ""));
    let mut out = Vec::new();
    let component = |raw: &str| lenient(raw, false);
    if let Some(credentials) = credentials {
        let (user, password) = match credentials.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (credentials, None),
        };
        if !user.is_empty() {
            push(&mut out, "user", component(user));
        }
        if let Some(password) = password {
            push(&mut out, "password", component(password));
        }
    }
    let behind = place.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match place[behind..].split_once(':') {
        Some((front, port)) => (&place[..behind + front.len()], port),
        None => (place, ""),
    };
    // An empty port is kept as it is, and read by the driver's dialect.
    let empty = place.ends_with(':') && dialect != "pg8000";
    if empty || (!port.is_empty() && port.parse::<u16>().is_err()) {
        return Err(Unread {
            hosts: place.contains(','),
            ..unread("invalid literal for int() with base 10 (ValueError)")
        });
    }
    if place.contains(',') && dialect == "asyncpg" {
        return Err(Unread {
            hosts: true,
            ..unread("[Errno -2] Name or service not known (gaierror)")
        });
    }
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if !host.is_empty() {
        out.push(Assignment::new("host", host));
    }
    if !port.is_empty() {
        out.push(Assignment::new("port", port));
    }
    if !path.is_empty() {
        out.push(Assignment::new("dbname", path));
    }
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    // Empty values are left out.
    for one in form(query).into_iter().filter(|one| !one.value.is_empty()) {
        // Several hosts are several parameters.
        match one.name.as_str() {
            // libpq has this keyword; to the others it is an argument that they do not know.
            "dbname" if matches!(dialect, "asyncpg" | "pg8000") => {
                return Err(unread(
                    "connect() got an unexpected keyword argument 'dbname'",
                ));
            }
            // pg8000 takes a directory for a name.
            "host" if dialect == "pg8000" && one.text().starts_with('/') => {
                return Err(Unread {
                    hosts: true,
                    ..unread(format!("Can't create a connection to host {}", one.text()))
                });
            }
            "host" => {
                let text = one.text();
                let (host, port) = text.rsplit_once(':').unwrap_or((&text, ""));
                hosts.push(host.to_owned());
                ports.push(port.to_owned());
            }
            "port" => ports.extend(one.text().split(',').map(str::to_owned)),
            _ => out.push(one),
        }
    }
    ports.retain(|port| !port.is_empty());
    if !hosts.is_empty() {
        out.retain(|one| one.name != "host");
        out.push(Assignment::new("host", &hosts.join(",")));
    }
    if !ports.is_empty() {
        out.retain(|one| one.name != "port");
        out.push(Assignment::new("port", &ports.join(",")));
    }
    Ok(out)
}

/// Marks a name that means nothing to the driver although libpq has it.
pub const SENT: &str = "\0";

/// pgjdbc's own URL, or the settings of another one put into it.
fn jdbc(text: &str) -> Read {
    if !text.starts_with(driver::JDBC) {
        return plain(text);
    }
    let rest = &text[driver::JDBC.len()..];
    let place = rest.split('?').next().unwrap_or_default();
    if place.contains('@') {
        return Err(unread(
            "the user stands before the host, where pgjdbc takes it for a part of the host",
        ));
    }
    let hosts = place
        .strip_prefix("//")
        .map(|it| it.split('/').next().unwrap_or_default());
    if hosts.is_some_and(|hosts| hosts.ends_with(':')) {
        return Err(unread("Unable to parse URL"));
    }
    let mut read = driver::jdbc(text).map_err(|rejected| unread(rejected.problem))?;
    if read
        .iter()
        .any(|one| one.name == "host" && one.value.starts_with(b"/"))
    {
        return Err(unread("Failed to select a proxy"));
    }
    if hosts.is_none_or(str::is_empty) {
        // A service may name them, where the query does not.
        read.retain(|one| match one.name.as_str() {
            name @ ("host" | "port") => asks(text, name).is_some(),
            _ => true,
        });
    }
    Ok(read)
}

/// tokio-postgres's `UrlParser`, or its keyword strings.
fn tokio_postgres(text: &str) -> Read {
    let rest = ["postgresql://", "postgres://"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix));
    let Some(rest) = rest else {
        return match driver::scheme(text) {
            Some(_) => Err(unread("invalid connection string: unexpected EOF")),
            None => plain(text),
        };
    };
    let mut out = Vec::new();
    let component = |raw: &str| lenient(raw, false);
    let mut rest = rest;
    // The first "@" anywhere ends the credentials.
    if let Some((credentials, after)) = rest.split_once('@') {
        let (user, password) = match credentials.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (credentials, None),
        };
        push(&mut out, "user", component(user));
        if let Some(password) = password {
            push(&mut out, "password", component(password));
        }
        rest = after;
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (hosts, mut rest) = rest.split_at(end);
    if !hosts.is_empty() {
        let (mut names, mut ports) = (Vec::new(), Vec::new());
        for chunk in hosts.split(',') {
            let (host, port) = match chunk.strip_prefix('[') {
                Some(inner) => match inner.split_once(']') {
                    Some((host, "")) => (host, None),
                    Some((host, after)) => match after.strip_prefix(':') {
                        Some(port) => (host, Some(port)),
                        None => return Err(unread("invalid connection string: invalid port")),
                    },
                    None => return Err(unread("invalid connection string: unterminated IPv6")),
                },
                None => match chunk.split_once(':') {
                    Some((host, port)) => (host, Some(port)),
                    None => (chunk, None),
                },
            };
            names.push(String::from_utf8_lossy(&component(host)).into_owned());
            let port = String::from_utf8_lossy(&component(port.unwrap_or("5432"))).into_owned();
            if port.parse::<u16>().is_err() && !port.is_empty() {
                return Err(unread(
                    "invalid configuration: invalid value for option `port`",
                ));
            }
            ports.push(port);
        }
        out.push(Assignment::new("host", &names.join(",")));
        out.push(Assignment::new("port", &ports.join(",")));
    }
    if rest.starts_with('/') {
        let end = rest.find('?').unwrap_or(rest.len());
        let (path, after) = rest.split_at(end);
        if path.len() > 1 {
            push(&mut out, "dbname", component(&path[1..]));
        }
        rest = after;
    }
    let query = rest.strip_prefix('?').unwrap_or_default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(unread("invalid connection string: unterminated parameter"));
        };
        let name = String::from_utf8_lossy(&component(name)).into_owned();
        push(&mut out, &name, component(value));
    }
    Ok(out)
}

/// The `url` crate, as sqlx and Prisma's engine use it.
fn url_crate(text: &str) -> Read {
    let failed = |what: &str| unread(format!("error with configuration: {what}"));
    let Some((_, rest)) = driver::scheme(text.trim()) else {
        return Err(failed("relative URL without a base"));
    };
    let parts = split(rest, At::Last);
    let behind = parts.hosts.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match parts.hosts[behind..].split_once(':') {
        Some((front, port)) => (&parts.hosts[..behind + front.len()], port),
        None => (parts.hosts, ""),
    };
    if host.is_empty() && (parts.user.is_some() || !port.is_empty()) {
        return Err(failed("empty host"));
    }
    if !port.is_empty() && port.parse::<u16>().is_err() {
        return Err(Unread {
            hosts: parts.hosts.contains(','),
            ..failed("invalid port number")
        });
    }
    let forbidden = |c: char| matches!(c, ' ' | '<' | '>' | '@' | '\\' | '^' | '|' | '#');
    if host.contains(forbidden) {
        return Err(failed("invalid international domain name"));
    }
    let mut out = Vec::new();
    let component = |raw: &str| lenient(raw, false);
    if !host.is_empty() {
        let decoded = String::from_utf8_lossy(&component(host)).into_owned();
        let plain = decoded.trim_start_matches('[').trim_end_matches(']');
        out.push(Assignment::new("host", plain));
    }
    if !port.is_empty() {
        out.push(Assignment::new("port", port));
    }
    if let Some(user) = parts.user.filter(|user| !user.is_empty()) {
        push(&mut out, "user", component(user));
    }
    if let Some(password) = parts.password {
        push(&mut out, "password", component(password));
    }
    let path = parts.path.trim_start_matches('/');
    if !path.is_empty() {
        push(&mut out, "dbname", component(path));
    }
    for one in form(parts.query) {
        let name = one.name.clone();
        out.retain(|known| known.name != name);
        out.push(one);
    }
    Ok(out)
}

/// Go's `net/url`, as pgx and lib/pq use it, or their keyword strings.
fn go(text: &str) -> Read {
    let Some((scheme, rest)) = driver::scheme(text) else {
        return plain(text);
    };
    if !matches!(scheme, "postgresql" | "postgres") {
        return plain(text);
    }
    let parts = split(rest, At::Last);
    let failed = |what: &str| unread(format!("cannot parse the URL: {what}"));
    let userinfo = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=%:@".contains(c);
    let given = [parts.user, parts.password];
    let mut credentials = given.iter().flatten();
    if credentials.any(|part| !part.chars().all(userinfo)) {
        return Err(failed("net/url: invalid userinfo"));
    }
    let mut out = Vec::new();
    let component = |raw: &str| strict(raw).ok_or_else(|| failed("invalid URL escape"));
    if let Some(user) = parts.user.filter(|user| !user.is_empty()) {
        push(&mut out, "user", component(user)?);
    }
    if let Some(password) = parts.password {
        push(&mut out, "password", component(password)?);
    }
    let last = parts.hosts.rsplit(':').next().unwrap_or_default();
    if parts.hosts.contains(':')
        && !parts.hosts.ends_with(']')
        && !last.bytes().all(|b| b.is_ascii_digit())
    {
        return Err(failed("invalid port after host"));
    }
    // In a host only what is no ASCII may be encoded, and the "%" before a zone.
    let ascii = |(at, _): (usize, &str)| {
        let behind = parts.hosts.get(at + 1..at + 3);
        let code = behind.and_then(|two| u8::from_str_radix(two, 16).ok());
        code.is_some_and(|code| code.is_ascii() && code != b'%')
    };
    if parts.hosts.match_indices('%').any(ascii) {
        return Err(failed("invalid URL escape"));
    }
    let hosts = String::from_utf8_lossy(&component(parts.hosts)?).into_owned();
    hosts_and_ports(&hosts, &mut out);
    let path = parts.path.trim_start_matches('/');
    if !path.is_empty() {
        push(&mut out, "dbname", component(path)?);
    }
    for one in form(parts.query) {
        let name = one.name.clone();
        out.retain(|known| known.name != name);
        out.push(one);
    }
    Ok(out)
}

/// `Host=…;Username=…`.
fn dotnet(text: &str) -> Read {
    if driver::scheme(text).is_some() || !text.contains('=') {
        return Err(unread(
            "Format of the initialization string does not conform to specification starting at index 0.",
        ));
    }
    let mut out = Vec::new();
    for pair in text.split(';').filter(|pair| !pair.trim().is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(unread(
                "Format of the initialization string does not conform to specification.",
            ));
        };
        let value = value.trim();
        let quoted = ['"', '\'']
            .iter()
            .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        let name = name.trim().to_ascii_lowercase();
        out.push(Assignment::new(&name, quoted.unwrap_or(value)));
    }
    Ok(out)
}

fn push(out: &mut Vec<Assignment>, name: &str, value: Vec<u8>) {
    out.push(Assignment {
        name: name.to_owned(),
        value,
    });
}

/// A query as HTML forms have it: `+` is a space.
fn form(query: &str) -> Vec<Assignment> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Assignment {
                name: String::from_utf8_lossy(&lenient(name, true)).into_owned(),
                value: lenient(value, true),
            }
        })
        .collect()
}

/// Percent-decoding that leaves what encodes nothing as it is.
fn lenient(raw: &str, plus: bool) -> Vec<u8> {
    decoded(raw, plus, |_| true).0
}

/// Percent-decoding that refuses what encodes nothing.
fn strict(raw: &str) -> Option<Vec<u8>> {
    let (bytes, clean) = decoded(raw, false, |_| true);
    clean.then_some(bytes)
}

/// JavaScript's `decodeURI`, which leaves what separates encoded.
fn decoded_uri(raw: &str) -> Vec<u8> {
    decoded(raw, false, |byte| !b";/?:@&=+$,#".contains(&byte)).0
}

/// The bytes, and whether every "%" encoded one.
fn decoded(raw: &str, plus: bool, wanted: impl Fn(u8) -> bool) -> (Vec<u8>, bool) {
    let bytes = raw.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let (mut at, mut clean) = (0, true);
    while let Some(&byte) = bytes.get(at) {
        let digit = |at: usize| bytes.get(at).and_then(|b| (*b as char).to_digit(16));
        let encoded = match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => u8::try_from(high * 16 + low).ok(),
            _ => None,
        };
        match encoded.filter(|byte| wanted(*byte)) {
            Some(byte) => {
                out.push(byte);
                at += 2;
            }
            None => {
                clean &= byte != b'%' || encoded.is_some();
                out.push(if plus && byte == b'+' { b' ' } else { byte });
            }
        }
        at += 1;
    }
    (out, clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(reader: Reader, text: &str) -> String {
        match read(reader, text) {
            Ok(read) => read
                .iter()
                .map(|one| format!("{}={}", one.name, one.text()))
                .collect::<Vec<_>>()
                .join(" "),
            Err(unread) => unread.error,
        }
    }

    #[test]
    fn each_driver_has_its_own_way() {
        for (reader, text, read) in [
            (
                Reader::Asyncpg,
                "postgresql://u:p@q@h/d",
                "user=u password=p",
            ),
            (
                Reader::Asyncpg,
                "postgresql://u:p@h:1,i:2/",
                "user=u password=p host=h,i port=1,2 dbname=",
            ),
            (Reader::Asyncpg, "postgresql+asyncpg://h/d", "invalid DSN"),
            (
                Reader::Node,
                "postgres://u:p@q@h/d%2Fe",
                "user=u password=p@q host=h dbname=d%2Fe",
            ),
            (
                Reader::Node,
                "postgres://u:p@%2Ftmp/d",
                "user=u password=p host=/tmp dbname=d",
            ),
            (
                Reader::Node,
                "postgres://u:p@/d?host=/tmp",
                "user=u password=p dbname=d host=/tmp",
            ),
            (
                Reader::Node,
                "postgres://u:a%b%40@h/d",
                "user=u password=a%b@ host=h dbname=d",
            ),
            (
                Reader::Asyncpg,
                "postgresql://u@%2Ftmp:1/d",
                "user=u host=/tmp port=1 dbname=d",
            ),
            (Reader::Go, "postgres://u@%2Ftmp:1/d", "invalid URL escape"),
            (Reader::Jdbc, "jdbc:postgresql:///d?port=1", "port=1"),
            (
                Reader::Jdbc,
                "jdbc:postgresql:///d?host=/tmp",
                "Failed to select a proxy",
            ),
            (
                Reader::Node,
                "host=h dbname=d",
                "getaddrinfo ENOTFOUND base",
            ),
            (Reader::Node, "postgres://h1:1,h2:2/d", "Invalid URL"),
            (
                Reader::PostgresJs,
                "postgres://u:p@h1:1,h2:2/d%20x",
                "host=h1,h2 port=1,2 dbname=d%20x",
            ),
            (Reader::PostgresJs, "postgres://u:p@/d", "Invalid URL"),
            (
                Reader::TokioPostgres,
                "postgresql://u:p@h/d?sslmode=require",
                "user=u password=p host=h port=5432 dbname=d sslmode=require",
            ),
            (Reader::Sqlx, "postgresql://u:p@/d", "empty host"),
            (
                Reader::Sqlx,
                "postgresql://u@h1:1,h2:2/d",
                "invalid port number",
            ),
            (
                Reader::Go,
                "postgres://u:p@[::1]:1/d?a=b+c",
                "user=u password=p host=::1 port=1 dbname=d a=b c",
            ),
            (Reader::Dotnet, "Host=h;Username=u", "host=h username=u"),
            (
                Reader::Dotnet,
                "postgres://h/d",
                "Format of the initialization string",
            ),
            (
                Reader::Jdbc,
                "jdbc:postgresql://h/d?user=u&password=a+b",
                "host=h port=5432 dbname=d user=u password=a b",
            ),
        ] {
            let got = said(reader, text);
            assert!(got.contains(read), "{text}: {got}");
        }
    }
}
