//! `--not-host`: the one guard that is judged before anything is sent, and
//! again once names have become addresses.

use std::net::IpAddr;
use std::path::Path;

use super::host_pattern::HostPattern;
use super::{Endpoint, Hop, Place, ssh_config};
use crate::cause::server::WRONG_IDENTITY;
use crate::finding::Finding;

/// The system follows no more links than this (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Compares every entry of the host list, as it is written, with the forbidden
/// patterns.
///
/// # Errors
/// The first entry that matches one.
pub fn endpoints(forbidden: &[HostPattern], endpoints: &[Endpoint]) -> Result<(), Finding> {
    endpoints.iter().try_for_each(|endpoint| {
        let mut names = vec![endpoint.host.clone()];
        match &endpoint.place {
            Place::Ip(ip, _) => names.push(ip.to_string()),
            Place::Unix(path) => names.extend(socket_paths(path)),
            Place::Name(name) => names.push(name.clone()),
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        as_written(forbidden, &names, |name| {
            format!("this target connects to {name}")
        })
        .map_err(|finding| finding.with("endpoint", endpoint.label()))
    })
}

/// A socket's path and its directory, and those of every link on the way to the
/// socket itself.
fn socket_paths(path: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut next = Some(path.to_owned());
    for _ in 0..=MOST_LINKS {
        let Some(path) = next.take() else { break };
        all.push(path.to_string_lossy().into_owned());
        // A name in the abstract namespace is in no directory.
        if let Some(folder) = path.parent().filter(|folder| folder.is_absolute()) {
            all.push(folder.to_string_lossy().into_owned());
            next = path.read_link().ok().map(|target| folder.join(target));
        }
    }
    all
}

/// The same for the SSH servers that are asked for, before the configuration is
/// read: it may name commands to be run.
///
/// # Errors
/// The first that matches one.
pub fn destinations(forbidden: &[HostPattern], ssh: &[String]) -> Result<(), Finding> {
    let specs = ssh.iter().filter_map(|text| ssh_config::spec(text));
    specs.into_iter().try_for_each(|spec| {
        as_written(forbidden, &[&spec.host], |name| {
            format!("the SSH connection goes through {name}")
        })
        .map_err(|finding| finding.with("endpoint", spec.host.clone()))
    })
}

/// The same for every SSH server on the way: the name that was given, and its
/// HostName.
///
/// # Errors
/// The first that matches one.
pub fn hops(forbidden: &[HostPattern], hops: &[Hop]) -> Result<(), Finding> {
    hops.iter().try_for_each(|hop| {
        as_written(forbidden, &[&hop.written.host, &hop.host], |name| {
            format!("the SSH connection goes through {name}")
        })
        .map_err(|finding| finding.with("endpoint", hop.label()))
    })
}

fn as_written(
    forbidden: &[HostPattern],
    names: &[&str],
    found: impl Fn(&str) -> String,
) -> Result<(), Finding> {
    let hit = |pattern: &HostPattern| {
        let name = names
            .iter()
            .find(|name| !name.is_empty() && pattern.matches(name))?;
        Some(wrong_host(pattern, name, found(name)).with("when", "before any packet was sent"))
    };
    forbidden.iter().find_map(hit).map_or(Ok(()), Err)
}

/// Compares what a name was found to stand for: the names that it is short
/// for or an alias of, and its addresses.
///
/// # Errors
/// The first of them that matches a pattern.
pub fn looked_up(
    forbidden: &[HostPattern],
    name: &str,
    names: &[String],
    addresses: &[IpAddr],
) -> Result<(), Finding> {
    let hit = |pattern: &HostPattern| {
        let known = names.iter().find(|known| pattern.matches(known)).cloned();
        let address = || addresses.iter().find(|ip| pattern.matches_address(**ip));
        let actual = known.or_else(|| address().map(IpAddr::to_string))?;
        Some(
            wrong_host(pattern, &actual, format!("{name} resolves to {actual}"))
                .with("name", name.to_owned())
                .with("when", "after the lookup, before any connection"),
        )
    };
    forbidden.iter().find_map(hit).map_or(Ok(()), Err)
}

fn wrong_host(pattern: &HostPattern, actual: &str, found: String) -> Finding {
    Finding::new(&WRONG_IDENTITY)
        .with("guard", "--not-host")
        .with("forbidden", pattern.as_str().to_owned())
        .with("actual", actual.to_owned())
        .with("rule", format!("forbids {}", pattern.as_str()))
        .with("found", found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forbidden(pattern: &str) -> [HostPattern; 1] {
        [HostPattern::parse(pattern).unwrap()]
    }

    #[test]
    fn host_and_hostaddr_are_both_looked_at() {
        let endpoint = |host: &str, place: Place| Endpoint {
            host: host.to_owned(),
            place,
            port: 5432,
            password: None,
        };
        let ip = Place::Ip("10.0.4.7".parse().unwrap(), 0);
        let socket = Place::Unix("/run/pg/.s.PGSQL.5432".into());
        let list = [
            endpoint("db.test", ip),
            endpoint("x", Place::of_host("x")),
            endpoint("/run/pg", socket),
        ];
        let check = |pattern: &str| endpoints(&forbidden(pattern), &list);
        for pattern in [
            "DB.*",
            "10.0.4.*",
            "10.0.0.0/16",
            "x",
            "/run/pg/",
            "/run/pg/.s.PGSQL.5432",
        ] {
            let hit = check(pattern).unwrap_err();
            assert_eq!(hit.cause.code, "server.wrong-identity", "{pattern}");
        }
        for pattern in ["db", "10.0.5.0/24", "/run", "/run/pg/.s.PGSQL.5433"] {
            assert!(check(pattern).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn a_socket_is_where_its_links_lead() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for name in ["real", "between", "front", "other"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        let socket = at("real/.s.PGSQL.55432");
        let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        symlink(&socket, at("between/.s.PGSQL.5433")).unwrap();
        symlink("../between/.s.PGSQL.5433", at("front/.s.PGSQL.5432")).unwrap();
        symlink("loop", at("loop")).unwrap();
        let endpoint = |path: &str| Endpoint {
            host: String::new(),
            place: Place::Unix(at(path)),
            port: 5432,
            password: None,
        };
        let front = [endpoint("front/.s.PGSQL.5432")];
        let check = |name: &str| endpoints(&forbidden(at(name).to_str().unwrap()), &front);
        for name in [
            "front",
            "between",
            "real",
            "real/.s.PGSQL.55432",
            "between/.s.*",
            "re*",
        ] {
            assert!(check(name).is_err(), "{name}");
        }
        for name in ["other", "", "real/.s.PGSQL.5432"] {
            assert!(check(name).is_ok(), "{name}");
        }
        let circle = [endpoint("loop")];
        assert!(endpoints(&forbidden(at("other").to_str().unwrap()), &circle).is_ok());
    }

    #[test]
    fn every_name_and_address_of_a_look_up_counts() {
        let names = ["db.corp.test".to_owned(), "prod-1.corp.test".to_owned()];
        let addresses = ["192.0.2.1".parse().unwrap(), "10.0.4.7".parse().unwrap()];
        let check = |pattern: &str| looked_up(&forbidden(pattern), "db", &names, &addresses);
        for pattern in ["prod-*", "db.corp.test", "10.0.4.7", "10.0.0.0/8"] {
            assert!(check(pattern).is_err(), "{pattern}");
        }
        assert!(check("*.prod.test").is_ok());
        assert!(check("172.16.0.0/12").is_ok());
    }
}
