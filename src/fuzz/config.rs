//! What a user writes or has lying about.

use std::path::Path;

use russh::keys::PublicKey;

use super::{CANARY, parts, text, with_canary};
use crate::client::driver::Driver;
use crate::client::profile::Reader;
use crate::config::dsn::Assignment;
use crate::config::passfile::{self, PassfileQuery};
use crate::config::revoked_keys::RevokedKeys;
use crate::config::ssh_config::{self, ConfigRejected, HostQuery};
use crate::config::{as_driver, conninfo as conninfo_reader, dotenv, parse, uri};
use crate::config::{service as services, url_repair};
use crate::secret::Secret;
use crate::token as tokens;

/// A target as it is typed. A password is repeated nowhere, and what a URI is read as can
/// be written as a URI again.
pub fn url(data: &[u8]) {
    let Some(given) = text(data) else { return };
    let (given, canary) = match with_canary(given) {
        Some((given, at)) => (given, Some(at)),
        None => (given.to_owned(), None),
    };
    let read = parse::read(&given, "the fuzzer");
    let is_secret = canary.is_some_and(|at| is_in_password(&given, at));
    let shown = match &read {
        Ok(reading) => format!("{:?}{:?}", reading.translations, reading.warnings),
        Err(finding) => format!("{finding:?}{}{:?}", finding.summary(), finding.fixes()),
    };
    assert!(!is_secret || !shown.contains(CANARY), "{shown}");
    assert!(shown.len() < 4096 + 64 * given.len(), "{}", shown.len());
    url_repair::masked(&given);
    // No argument, variable or line of a file has a zero in it.
    let is_uri = uri::strip_prefix(&given).is_some() && !given.contains('\0');
    if let (true, Ok(read)) = (is_uri, uri::written(&given)) {
        let again = uri::written(&as_uri(&read));
        assert_eq!(again.as_deref(), Ok(read.as_slice()));
    }
}

/// Whether what stands there is a password by any reading: behind the first colon of the
/// authority and before its only `@`.
fn is_in_password(url: &str, at: usize) -> bool {
    let Some(start) = url
        .find("://")
        .map(|start| start + 3)
        .filter(|it| *it <= at)
    else {
        return false;
    };
    let end = at + CANARY.len();
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let (user, password) = url[start..at].split_once(':').unwrap_or(("/", ""));
    let behind = url[end..].split_once('@');
    user.chars().all(plain)
        && password.chars().all(plain)
        && behind.is_some_and(|(rest, host)| {
            rest.chars().all(plain) && !host.contains('@') && !user.is_empty()
        })
}

/// The same assignments as the parameters of a URI.
fn as_uri(read: &[Assignment]) -> String {
    let pair = |one: &Assignment| {
        let name = uri::encoded(one.name.as_bytes());
        format!("{name}={}", uri::encoded(&one.value))
    };
    let pairs: Vec<String> = read.iter().map(pair).collect();
    format!("postgresql://?{}", pairs.join("&"))
}

/// A connection string: what it is read as can be written as one again.
pub fn conninfo(data: &[u8]) {
    let Some(given) = text(data) else { return };
    match conninfo_reader::parse(given) {
        Ok(read) => {
            let settings: Vec<String> = read
                .iter()
                .map(|one| conninfo_reader::setting(&one.name, &one.text()))
                .collect();
            let again = conninfo_reader::parse(&settings.join(" "));
            let texts = |all: &[Assignment]| -> Vec<(String, String)> {
                all.iter()
                    .map(|one| (one.name.clone(), one.text()))
                    .collect()
            };
            assert_eq!(texts(&again.unwrap()), texts(&read));
        }
        Err(rejected) => {
            assert!(rejected.offset <= given.len());
            assert!(rejected.column <= given.chars().count() + 1);
        }
    }
}

/// Connection strings and names of drivers as `--as` takes them.
pub fn as_driver(data: &[u8]) {
    const READERS: [Reader; 12] = [
        Reader::Libpq,
        Reader::Node,
        Reader::PostgresJs,
        Reader::Asyncpg,
        Reader::Jdbc,
        Reader::TokioPostgres,
        Reader::Sqlx,
        Reader::Go,
        Reader::Keywords,
        Reader::Dotnet,
        Reader::Prisma,
        Reader::Ecto,
    ];
    let Some((given, _)) = text(data).map(|it| with_canary(it).unwrap_or((it.to_owned(), 0)))
    else {
        return;
    };
    for reader in READERS {
        match as_driver::url::read(reader, &given) {
            Ok(read) => {
                let size: usize = read.iter().map(|it| it.name.len() + it.value.len()).sum();
                assert!(size <= 256 + 8 * given.len(), "{size}");
            }
            Err(unread) => assert!(!unread.error.contains(CANARY), "{unread:?}"),
        }
    }
    as_driver::url::sqlalchemy(&given, "psycopg2").ok();
    as_driver::implied(&given);
    if let Ok(driver) = Driver::parse(&given) {
        let name = driver.name();
        assert_eq!(Driver::parse(&name).map(|it| it.name()), Ok(name));
    }
}

/// An env file: what it sets is bounded, and can be written as one again.
pub fn env_file(data: &[u8]) {
    let given = String::from_utf8_lossy(data);
    let outside = |name: &str| (name == "OUTSIDE").then(|| "its value".to_owned());
    let lines = given.matches('\n').count() + 1;
    let set = match dotenv::parse(&given, outside) {
        Ok(set) => set,
        Err(bad) => {
            assert!((1..=lines).contains(&bad.line));
            return;
        }
    };
    let size: usize = set
        .iter()
        .filter_map(|one| one.value.as_ref().map(String::len))
        .sum();
    assert!(
        size <= given.len() * 3 + (1 << 20) + 16 * given.len(),
        "{size}"
    );
    let mut written = String::new();
    for one in &set {
        assert!((1..=lines).contains(&one.line));
        written.push_str(&one.name);
        if let Some(value) = &one.value {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"");
            written.push_str(&format!("=\"{}\"", value.replace('$', "\\$")));
        }
        written.push('\n');
    }
    let again = dotenv::parse(&written, |_| None).unwrap();
    let pairs = |all: Vec<dotenv::Set>| -> Vec<(String, Option<String>)> {
        all.into_iter().map(|one| (one.name, one.value)).collect()
    };
    assert_eq!(pairs(again), pairs(set));
}

/// A password file, and four fields to look for: a line that is made of them is found, and
/// places are lines of the file.
pub fn passfile(data: &[u8]) {
    let [query, file] = parts(data);
    let query = String::from_utf8_lossy(query);
    let mut fields = query.split('\n').map(str::trim).chain(["", "", "", ""]);
    let mut field = || fields.next().unwrap_or_default();
    let wanted = PassfileQuery {
        host: field(),
        port: field(),
        dbname: field(),
        user: field(),
    };
    let lines = file.split(|b| *b == b'\n').count();
    let found = passfile::find(file, &wanted);
    if let Some((number, password)) = &found {
        assert!((1..=lines).contains(number) && password.len() <= file.len());
        passfile::is_cut(file, *number);
    }
    if let Some((number, differs)) = passfile::nearest(file, &wanted) {
        assert!((1..=lines).contains(&number));
        // No better line is missed.
        assert!(found.is_none() || differs.is_empty());
    }
    let line = wanted.as_line();
    if !line.starts_with('#') && !line.contains(['\0', '\r']) {
        let own = format!("{line}:pass\\:word\n");
        let own = passfile::find(own.as_bytes(), &wanted);
        assert_eq!(own, Some((1, b"pass:word".to_vec())));
    }
}

/// A service file: every service that it is said to have is found in it.
pub fn service(data: &[u8]) {
    let lines = data.split(|b| *b == b'\n').count();
    for name in services::names(data).iter().take(16) {
        match services::find(data, name) {
            Err(bad) => assert!((1..=lines).contains(&bad.line)),
            Ok(None) => assert!(name.contains('\u{fffd}'), "{name}"),
            Ok(Some(found)) => {
                assert!(found.parameters.iter().all(|(_, _, line)| *line <= lines));
            }
        }
    }
    services::find(data, "orders").ok();
}

/// An SSH configuration; its first line is the host that is asked for. Destinations that
/// are read can be written and read again.
pub fn ssh_config(data: &[u8]) {
    let given = String::from_utf8_lossy(data);
    let (host, text) = given.split_once('\n').unwrap_or(("", &given));
    let asked = HostQuery {
        host,
        user: None,
        local_user: "somebody",
        uid: 1000,
        home: Some(Path::new("/home/somebody")),
        environment: None,
    };
    let lines = text.split('\n').count();
    match ssh_config::lookup_in(text, &asked) {
        Err(ConfigRejected::Line { line, .. }) => assert!((1..=lines).contains(&line)),
        Err(_) => {}
        Ok(options) => {
            let named = options.unsupported.iter().map(|it| it.line);
            let named = named.chain(options.undecided.iter().map(|it| it.line));
            assert!(named.into_iter().all(|line| (1..=lines).contains(&line)));
        }
    }
    for line in given.lines().take(8) {
        // Brackets in a name: ssh takes it, and nobody has one.
        if let Some(spec) = ssh_config::spec(line).filter(|it| !it.host.contains(['[', ']'])) {
            let shown = spec.to_string();
            assert_eq!(ssh_config::spec(&shown), Some(spec), "{shown}");
        }
        if let Some(jump) = ssh_config::jump(line) {
            assert_eq!(ssh_config::spec(line), Some(jump));
        }
    }
}

/// A list of revoked keys, of either form; one behind which bytes are missing revokes no
/// other key.
pub fn revoked_keys(data: &[u8]) {
    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJKWiRBB2V0TAgWv0hWqDmBnGQRrkG0XCSbHY+8BY7rs";
    let key = PublicKey::from_openssh(KEY).unwrap();
    match RevokedKeys::of(Path::new("revoked"), data) {
        Ok(list) => {
            list.lists(&key, None);
        }
        Err(why) => assert!(why.len() < 128, "{why}"),
    }
    let with_key = [KEY.as_bytes(), b"\n", data].concat();
    if let Ok(list) = RevokedKeys::of(Path::new("revoked"), &with_key) {
        assert_eq!(list.lists(&key, None).as_deref(), Some("revoked:1"));
    }
}

/// A password that may be a token.
pub fn token(data: &[u8]) {
    let Some(given) = text(data) else { return };
    let secret = Secret::new(given);
    if let Some(token) = tokens::read(&secret) {
        assert!(!token.kind.name().is_empty());
    }
    let size: usize = tokens::parts(&secret)
        .iter()
        .map(|part| part.expose().len())
        .sum();
    assert!(size <= 16 * given.len(), "{size}");
}
