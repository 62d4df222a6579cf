//! What a compose file says of a service, as far as it matters to its clients.

use serde_json::Value;

use super::ports::{self, Published};

/// A service in a file, or in several laid over each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition {
    /// The first file that defines it, from the current directory.
    pub file: String,
    /// `network_mode`.
    pub network_mode: Option<String>,
    /// The TCP ports that it publishes; none where they cannot be told.
    pub ports: Option<Vec<Published>>,
    /// The port that its PostgreSQL is told to listen on (`PGPORT`).
    pub listens_on: Option<u16>,
    /// Other services, and what it calls them (`links`).
    pub links: Vec<(String, String)>,
    container_name: Option<String>,
    hostname: Option<String>,
    /// Its aliases in networks.
    aliases: Vec<String>,
}

impl Definition {
    /// Reads a service. `interpolated` puts in the variables of a value.
    pub fn of(value: &Value, file: String, interpolated: &dyn Fn(&str) -> Option<String>) -> Self {
        let text = |name| interpolated(value.get(name)?.as_str()?);
        let networks = value.get("networks").and_then(Value::as_object);
        let aliases = networks
            .into_iter()
            .flat_map(|networks| networks.values())
            .filter_map(|network| network.get("aliases")?.as_array())
            .flatten()
            .filter_map(|alias| interpolated(alias.as_str()?));
        Self {
            file,
            network_mode: text("network_mode"),
            ports: match value.get("ports") {
                None | Some(Value::Null) => Some(Vec::new()),
                Some(list) => ports::read(list, interpolated),
            },
            listens_on: variable(value, "PGPORT", interpolated).and_then(|port| port.parse().ok()),
            links: links(value, interpolated),
            container_name: text("container_name"),
            hostname: text("hostname"),
            aliases: aliases.collect(),
        }
    }

    /// This one laid over another: lists are joined, other values replaced
    /// (Docker documentation, "Merge").
    pub fn over(self, base: Self) -> Self {
        let both = |mut a: Vec<_>, b: Vec<_>| {
            a.extend(b);
            a
        };
        Self {
            file: base.file,
            network_mode: self.network_mode.or(base.network_mode),
            ports: base.ports.zip(self.ports).map(|(a, b)| both(a, b)),
            listens_on: self.listens_on.or(base.listens_on),
            links: [base.links, self.links].concat(),
            container_name: self.container_name.or(base.container_name),
            hostname: self.hostname.or(base.hostname),
            aliases: [base.aliases, self.aliases].concat(),
        }
    }

    /// The names of its containers beside the service's.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        let named = self.container_name.iter().chain(&self.hostname);
        named.chain(&self.aliases)
    }
}

/// A variable of its `environment`, which is a map or a list of `NAME=VALUE`.
fn variable(
    value: &Value,
    name: &str,
    interpolated: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    let written = match value.get("environment")? {
        Value::Array(all) => all.iter().find_map(|one| {
            let (known, value) = one.as_str()?.split_once('=')?;
            (known == name).then(|| value.to_owned())
        }),
        variables => match variables.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        },
    };
    interpolated(&written?)
}

/// `SERVICE` or `SERVICE:ALIAS`.
fn links(value: &Value, interpolated: &dyn Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    let list = value.get("links").and_then(Value::as_array);
    let texts = list.into_iter().flatten();
    let texts = texts.filter_map(|link| interpolated(link.as_str()?));
    texts
        .filter_map(|link| {
            let (service, alias) = link.split_once(':')?;
            Some((service.to_owned(), alias.to_owned()))
        })
        .collect()
}
