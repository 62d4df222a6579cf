//! URLs in a text: what they say of a connection, without their passwords.

use super::forms::Sighting;

/// A URL of anything, as a form (`forms`).
pub const TOKEN: &str = r"\b(?:[a-z][a-z0-9]*:)?[a-z][a-z0-9+.-]*://[^\s{quotes}<>|\\]*";

/// Schemes of PostgreSQL, as drivers and ORMs spell them, without what is behind `+`.
const OURS: &[&str] = &[
    "postgres",
    "postgresql",
    "postgis",
    "pgsql",
    "psql",
    "pg",
    "pgx",
    "pgx4",
    "pgx5",
    "ecto",
    "cockroach",
    "cockroachdb",
    "redshift",
    "timescaledb",
    "timescale",
    "jdbc:postgresql",
    "jdbc:pgsql",
    "r2dbc:postgresql",
    "ado.net",
    "tcp",
];

/// Parameters that name a part of the target.
const PARAMETERS: [(&str, &str); 6] = [
    ("host", "host"),
    ("port", "port"),
    ("user", "user"),
    ("username", "user"),
    ("dbname", "dbname"),
    ("database", "dbname"),
];

/// What a URL says, and what in it may be a secret. `after` is what follows it in the
/// line: a URL with a blank or a quote in its password ends too early.
pub fn read(url: &str, after: &str) -> (Sighting, Vec<String>) {
    let (mut told, mut secrets) = (Sighting::new(), Vec::new());
    let Some((scheme, rest)) = url.split_once("://") else {
        return (told, secrets);
    };
    let scheme = scheme.to_ascii_lowercase();
    let scheme = scheme.split('+').next().unwrap_or_default();
    let rest = rest.trim_end_matches([',', ';', '.', ')', ']', '}', ':']);
    let main = rest.split('?').next().unwrap_or_default();
    // A password may have any character in it: the last @ ends it.
    let (userinfo, place) = match (main.rsplit_once('@'), rest.rsplit_once('@')) {
        (Some(first), Some(last)) if first.1.len() + rest.len() - main.len() == last.1.len() => {
            (Some(first.0), rest.get(first.0.len() + 1..))
        }
        (None, Some(last)) if !last.0.contains('/') && !has_port(main) => {
            (Some(last.0), Some(last.1))
        }
        (None, _) if !broken(main, after) => (None, Some(rest)),
        (Some(first), _) => (Some(first.0), None),
        _ => (rest.split_once(':').map(|_| rest), None),
    };
    if let Some((user, password)) = userinfo.and_then(|it| it.split_once(':')) {
        secrets.push(password.to_owned());
        // What a reader who splits elsewhere takes for a host or a port.
        secrets.extend(password.split(['@', '/', ':', '?', '#']).map(str::to_owned));
        push(&mut told, "user", user);
    } else if let Some(user) = userinfo {
        push(&mut told, "user", user);
    }
    secrets.retain(|secret| secret.chars().count() >= SHORTEST);
    let names = match (scheme, place) {
        ("ssh" | "sftp", Some(_)) => ["hop_host", "hop_port", ""],
        (_, Some(_)) if OURS.contains(&scheme) => ["host", "port", "dbname"],
        _ if OURS.contains(&scheme) => return (told, secrets),
        // Somebody else's; it is passed over, but nothing of it is read again.
        _ => return (vec![("", String::new())], secrets),
    };
    if names[0] == "hop_host"
        && let Some(user) = told.iter_mut().find(|(name, _)| *name == "user")
    {
        user.0 = "hop_user";
    }
    let place = place.unwrap_or_default();
    let (place, query) = place.split_once('?').unwrap_or((place, ""));
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    // Of a list, any may be meant.
    if !authority.contains(',') {
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']').map_or((rest, ""), |(host, port)| {
                (host, port.trim_start_matches(':'))
            }),
            None => authority.split_once(':').unwrap_or((authority, "")),
        };
        if port.is_empty() || port.parse::<u16>().is_ok() {
            push(&mut told, names[0], host);
            push(&mut told, names[1], port);
        }
    }
    push(&mut told, names[2], path);
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let known = PARAMETERS.iter().find(|(known, _)| *known == name);
        match known {
            Some((_, known)) => push(&mut told, known, value),
            None if name.contains("pass") || name.contains("token") => secrets.push(decoded(value)),
            None => {}
        }
    }
    (told, secrets)
}

/// Shorter pieces of a password are in any word.
const SHORTEST: usize = 3;

/// Whether a URL without user information seems to end in the middle of it.
fn broken(main: &str, after: &str) -> bool {
    let authority = main.split('/').next().unwrap_or_default();
    let odd = authority.contains(':') && !authority.starts_with('[') && !has_port(main);
    let rest = after.split("://").next().unwrap_or_default();
    odd || rest.contains('@')
}

/// Whether the last thing of an authority is a port.
fn has_port(main: &str) -> bool {
    let authority = main.split('/').next().unwrap_or_default();
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    port.is_some_and(|port| port.parse::<u16>().is_ok())
}

fn push(told: &mut Sighting, name: &'static str, value: &str) {
    let value = decoded(value);
    if !name.is_empty() && !value.is_empty() {
        told.push((name, value));
    }
}

/// Without percent-encoding.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(url: &str) -> String {
        let (told, _) = read(url, "");
        let words = told.iter().map(|(name, value)| format!("{name}={value}"));
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn urls_of_any_driver_are_read() {
        assert_eq!(
            told("postgres://app:x@db.corp.test:5433/orders?sslmode=require"),
            "user=app host=db.corp.test port=5433 dbname=orders"
        );
        assert_eq!(
            told("jdbc:postgresql://db:5432/orders?user=app&password=tiger"),
            "host=db port=5432 dbname=orders user=app"
        );
        assert_eq!(
            told("postgresql+asyncpg://app@[2001:db8::1]:5432/orders"),
            "user=app host=2001:db8::1 port=5432 dbname=orders"
        );
        assert_eq!(told("postgres://a%40b@db/x"), "user=a@b host=db dbname=x");
        assert_eq!(told("postgres://db1,db2/x"), "dbname=x");
        assert_eq!(
            told("ssh://ops@bastion:22"),
            "hop_user=ops hop_host=bastion hop_port=22"
        );
        assert_eq!(told("https://example.test:443/x"), "=");
    }

    #[test]
    fn a_password_is_no_host() {
        for url in [
            "postgres://app:ti@ger@db/x",
            "postgres://app:ti/ger@db/x",
            "postgres://app:ti#ger@db/x",
            "postgres://app:ti?ger@db/x",
            "postgres://app:ti:ger@db/x",
            "postgres://app:ti?g@er@db/x",
        ] {
            assert_eq!(told(url), "user=app host=db dbname=x", "{url}");
            assert!(!read(url, "").1.is_empty());
        }
        for (url, after) in [
            ("postgres://app:t@i?g@er@db/x", ""),
            ("postgres://app:1234", "\"56@db/x"),
            ("postgres://app:ti", " ger@db/x"),
        ] {
            let (told, _) = read(url, after);
            assert!(
                told.iter().all(|(name, _)| *name == "user"),
                "{url}: {told:?}"
            );
        }
    }
}
