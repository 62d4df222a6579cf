//! `--not-host`: the one guard that is checked before any packet leaves.

use super::{Endpoint, Place};
use crate::cause::server::WRONG_IDENTITY;
use crate::finding::Finding;

/// Compares every entry of the host list with the forbidden patterns.
///
/// # Errors
/// The first entry that matches one.
pub fn not_host(patterns: &[String], endpoints: &[Endpoint]) -> Result<(), Finding> {
    for endpoint in endpoints {
        let address = match &endpoint.place {
            Place::Ip(ip, _) => ip.to_string(),
            Place::Name(_) | Place::Unix(_) => String::new(),
        };
        let names = [
            endpoint.host.as_str(),
            endpoint.host.trim_end_matches('.'),
            address.as_str(),
        ];
        for pattern in patterns {
            let hit = names
                .iter()
                .find(|name| !name.is_empty() && matches(pattern, name));
            if let Some(name) = hit {
                return Err(Finding::new(&WRONG_IDENTITY)
                    .with("guard", "--not-host")
                    .with("forbidden", pattern.as_str())
                    .with("actual", *name)
                    .with("rule", format!("forbids {pattern}"))
                    .with("found", format!("this target leads to {name}"))
                    .with("endpoint", endpoint.label())
                    .with("when", "before any packet was sent"));
            }
        }
    }
    Ok(())
}

/// A pattern of `*` (anything), `?` (one character) and letters without
/// regard to their case. Linear in the product of the lengths.
pub fn matches(pattern: &str, text: &str) -> bool {
    super::ssh_config::pattern(&pattern.to_lowercase(), &text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text) in [
            ("*.prod.test", "DB.Prod.Test"),
            ("db?", "db1"),
            ("*", ""),
            ("10.0.*", "10.0.4.7"),
            ("*a*b*", "xxaxxbxx"),
            ("db", "db"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("*.prod.test", "prod.test"),
            ("db", "db1"),
            ("db?", "db"),
            ("", "x"),
            ("*a*b", "xxaxxbxx"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        assert!(!matches(&"*a".repeat(200), &"a".repeat(150)));
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
        let list = [endpoint("db.test", ip), endpoint("x", Place::of_host("x"))];
        let check = |pattern: &str| not_host(&[pattern.to_owned()], &list);
        for pattern in ["DB.*", "10.0.4.*", "x"] {
            assert_eq!(
                check(pattern).unwrap_err().cause.code,
                "server.wrong-identity"
            );
        }
        assert!(check("db").is_ok());
    }
}
