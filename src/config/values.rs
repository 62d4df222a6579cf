//! Every parameter with the values that were given for it, the strongest first.

use std::collections::BTreeMap;
use std::path::Path;

use zeroize::Zeroize;

use super::catalog::{self, Param};
use super::origin::Origin;
use crate::report::{ParameterReport, ShadowReport, TargetReport};
use crate::secret::HIDDEN;

/// A value, which may be a password, and where it came from.
#[derive(Clone, Debug)]
pub struct Given {
    /// The value; it need not be UTF-8.
    pub value: Vec<u8>,
    /// Where it came from.
    pub origin: Origin,
}

impl Given {
    /// The value as text, lossily.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.value).into_owned()
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

/// Every parameter with the values that were given for it.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    /// Whether what stands in the port's place may be a password.
    pub(super) hide_port: bool,
    values: BTreeMap<&'static str, Vec<Given>>,
}

impl Parameters {
    /// Adds a value that is weaker than all before it. A parameter that libpq
    /// does not know is left out.
    pub fn add(&mut self, name: &str, value: impl Into<Vec<u8>>, origin: Origin) {
        if let Some(param) = catalog::find(name) {
            self.values.entry(param.name).or_default().push(Given {
                value: value.into(),
                origin,
            });
        }
    }

    /// Adds a value that is stronger than all before it.
    pub fn add_first(&mut self, name: &str, value: impl Into<Vec<u8>>, origin: Origin) {
        if let Some(param) = catalog::find(name) {
            let given = Given {
                value: value.into(),
                origin,
            };
            self.values.entry(param.name).or_default().insert(0, given);
        }
    }

    /// The value that counts, even where it is empty.
    pub fn get(&self, name: &str) -> Option<&Given> {
        self.values.get(name).and_then(|given| given.first())
    }

    /// All values of a parameter, the strongest first.
    pub fn all(&self, name: &str) -> &[Given] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// The value that counts, as text; `None` where it is not set or empty.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name)
            .map(Given::text)
            .filter(|text| !text.is_empty())
    }

    /// Where the value that counts came from.
    pub fn origin(&self, name: &str) -> Origin {
        self.get(name)
            .map_or(Origin::Default, |given| given.origin.clone())
    }

    /// The same, as people say it.
    pub fn source(&self, name: &str, home: Option<&Path>) -> String {
        self.origin(name).spoken(home)
    }

    /// Every parameter that has a value.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Param, &Given)> {
        catalog::PARAMS
            .iter()
            .filter_map(|param| Some((param, self.get(param.name)?)))
    }

    /// Writes all of it into the report.
    pub fn describe(&self, report: &mut TargetReport) {
        for (name, given) in &self.values {
            let Some((winner, losers)) = given.split_first() else {
                continue;
            };
            let shown = |given: &Given| self.shown(name, given);
            report.parameters.insert(
                (*name).to_owned(),
                ParameterReport {
                    value: shown(winner),
                    origin: winner.origin.report(),
                    shadows: losers
                        .iter()
                        .map(|loser| ShadowReport {
                            value: shown(loser),
                            origin: loser.origin.report(),
                        })
                        .collect(),
                },
            );
        }
        report.url = Some(self.url());
    }

    /// A value as it may be shown: a secret hidden, and what a whole URL in
    /// the place of a name may hold of one.
    pub fn shown(&self, name: &str, given: &Given) -> String {
        let text = given.text();
        let secret = catalog::find(name).is_some_and(|param| param.secret);
        let number = text
            .split(',')
            .all(|port| super::validate::integer(port).is_some() || port.is_empty());
        let shown = match text.split_once("://") {
            _ if secret && !text.is_empty() => HIDDEN.to_owned(),
            _ if name == "port" && self.hide_port && !number => match near_number(&text) {
                true => text,
                false => HIDDEN.to_owned(),
            },
            Some((scheme, body)) if !matches!(name, "options" | "oauth_issuer") => {
                format!("{scheme}://{}", super::url_repair::masked(body))
            }
            None if matches!(name, "host" | "hostaddr")
                && text
                    .split(',')
                    .any(|h| h.trim_start_matches('@').contains('@')) =>
            {
                HIDDEN.to_owned()
            }
            _ => text,
        };
        crate::text::own(&shown)
    }

    /// The value that counts, as it may be shown.
    fn shown_first(&self, name: &str) -> String {
        self.get(name)
            .map(|given| self.shown(name, given))
            .unwrap_or_default()
    }

    /// The target as a URI without its secrets: what was set, defaults left out.
    fn url(&self) -> String {
        let encoded = |text: &str| super::uri::encoded(text.as_bytes());
        let text = |name: &str| self.shown_first(name);
        let (hosts, ports) = (text("host"), text("port"));
        let hosts: Vec<&str> = hosts.split(',').collect();
        let ports: Vec<&str> = ports.split(',').collect();
        let sockets = hosts.iter().any(|h| h.starts_with(['/', '@']));
        let mut query = Vec::new();
        let authority = match sockets {
            true => {
                query.push(format!(
                    "host={}",
                    encoded(&hosts.join(",")).replace("%2F", "/")
                ));
                if ports != ["5432"] {
                    query.push(format!("port={}", encoded(&ports.join(","))));
                }
                String::new()
            }
            false => hosts
                .iter()
                .enumerate()
                .map(|(at, host)| {
                    let host = match host.contains(':') {
                        true => format!("[{}]", encoded(host).replace("%3A", ":")),
                        false => encoded(host),
                    };
                    let port = ports.get(at).or(ports.first());
                    match port.filter(|port| !port.is_empty()) {
                        Some(port) => format!("{host}:{}", encoded(port)),
                        None => host,
                    }
                })
                .collect::<Vec<_>>()
                .join(","),
        };
        for (param, given) in self.iter() {
            let placed = ["user", "host", "port", "dbname", "passfile", "service"];
            if !param.secret && !placed.contains(&param.name) && given.origin != Origin::Default {
                query.push(format!(
                    "{}={}",
                    param.name,
                    encoded(&self.shown(param.name, given))
                ));
            }
        }
        let query = match query.is_empty() {
            true => String::new(),
            false => format!("?{}", query.join("&")),
        };
        format!(
            "postgresql://{}@{authority}/{}{query}",
            encoded(&text("user")),
            encoded(&text("dbname"))
        )
    }
}

/// Whether it is a number with a slip in it, and not a password.
fn near_number(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    text.len() <= 6 && digits * 2 >= text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_counts_and_the_rest_is_shadowed() {
        let mut parameters = Parameters::default();
        parameters.add("port", "6432", Origin::Variable("PGPORT".to_owned()));
        parameters.add("port", "5432", Origin::Default);
        parameters.add("password", "canary", Origin::Target("TARGET"));
        parameters.add("nonsense", "x", Origin::Default);
        let mut report = TargetReport::default();
        parameters.describe(&mut report);
        assert_eq!(report.parameters["port"].value, "6432");
        assert_eq!(report.parameters["port"].shadows[0].value, "5432");
        assert_eq!(report.parameters["password"].value, HIDDEN);
        assert!(!format!("{report:?}").contains("canary"));
    }

    #[test]
    fn the_uri_can_be_read_back() {
        let mut parameters = Parameters::default();
        for (name, value) in [
            ("host", "a,fe80::1%lo"),
            ("port", "1,2"),
            ("user", "u@x"),
            ("dbname", "d/b"),
            ("sslmode", "require"),
        ] {
            parameters.add(name, value, Origin::Target("TARGET"));
        }
        let url = parameters.url();
        let read: BTreeMap<_, _> = super::super::uri::parse(&url)
            .unwrap()
            .into_iter()
            .map(|a| (a.name.clone(), a.text()))
            .collect();
        assert_eq!(read["host"], "a,fe80::1%lo");
        assert_eq!(read["port"], "1,2");
        assert_eq!(read["user"], "u@x");
        assert_eq!(read["dbname"], "d/b");
        assert_eq!(read["sslmode"], "require");
    }
}
