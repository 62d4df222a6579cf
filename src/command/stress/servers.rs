//! Which servers answered the attempts, and whether so many should: a balancer, a
//! Service or a name may lead to more than one. No I/O.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::stats::Sample;
use crate::cause::server;
use crate::finding::{Finding, shown};

/// What tells one server from another, as the `server` stage has it. All values
/// are cleaned already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `primary` or `standby`.
    role: Option<String>,
    cluster_name: Option<String>,
    system_identifier: Option<String>,
    /// When its postmaster started, RFC 3339.
    started_at: Option<String>,
    /// The server's own end of the connection.
    address: Option<String>,
    version: Option<String>,
    database: Option<String>,
}

impl Identity {
    /// Reads the facts of the stage; `None` where they tell no server.
    pub fn of(facts: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| {
            let value = facts.get(name).filter(|value| !value.is_null())?;
            Some(shown(value)).filter(|text| !text.is_empty())
        };
        let identity = Self {
            role: text("role"),
            cluster_name: text("cluster_name"),
            system_identifier: text("system_identifier"),
            started_at: text("started_at"),
            address: text("server_address"),
            version: text("version"),
            database: text("database"),
        };
        let told = identity.started_at.is_some() || identity.address.is_some();
        told.then_some(identity)
    }

    /// Whether both are one run of one server: its role may change, and it may be
    /// reached at several addresses.
    fn is(&self, other: &Self) -> bool {
        let same = self.system_identifier == other.system_identifier
            && self.started_at == other.started_at
            && self.database == other.database;
        same && (self.started_at.is_some() || self.address == other.address)
    }

    /// Whether both may be one server that was started again.
    fn may_be_restarted(&self, other: &Self) -> bool {
        Self {
            started_at: None,
            role: None,
            ..self.clone()
        } == Self {
            started_at: None,
            role: None,
            ..other.clone()
        }
    }

    /// Whether every server of this make takes writes.
    fn is_multi_writer(&self) -> bool {
        let version = self.version.as_deref().unwrap_or_default();
        ["CockroachDB", "-YB-"]
            .iter()
            .any(|make| version.contains(make))
    }

    /// The number of a version: `15.4` of `PostgreSQL 15.4 (Debian …) on …`.
    fn short_version(&self) -> Option<&str> {
        self.version.as_deref()?.split_whitespace().nth(1)
    }
}

/// A server, and the attempts that it answered.
struct Server<'a> {
    identity: &'a Identity,
    attempts: usize,
    first: Duration,
    last: Duration,
    /// The addresses at which it was reached.
    reached: Vec<&'a str>,
}

/// The servers that answered, primaries first.
pub struct Servers<'a>(Vec<Server<'a>>);

/// Why several servers should not stand behind one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Differ {
    /// In their data: they are separate clusters.
    Clusters,
    /// In the database that a session comes to.
    Databases,
    /// In their role: some take writes, some do not.
    Roles,
    /// In nothing, and several take writes.
    Primaries,
    Versions,
}

impl<'a> Servers<'a> {
    /// Those of these attempts, whether they passed or not.
    pub fn of(samples: &'a [Sample]) -> Self {
        let mut order: Vec<&Sample> = samples.iter().collect();
        order.sort_by_key(|sample| sample.began);
        let mut servers: Vec<Server> = Vec::new();
        for sample in order {
            let Some(identity) = &sample.server else {
                continue;
            };
            let at = servers.iter().position(|one| one.identity.is(identity));
            let at = at.unwrap_or_else(|| {
                servers.push(Server {
                    identity,
                    attempts: 0,
                    first: sample.began,
                    last: sample.began,
                    reached: Vec::new(),
                });
                servers.len() - 1
            });
            if let Some(one) = servers.get_mut(at) {
                one.identity = identity;
                one.attempts += 1;
                one.last = sample.began;
                if let Some(address) = &sample.address
                    && !one.reached.contains(&address.as_str())
                {
                    one.reached.push(address);
                }
            }
        }
        let mut servers = without_restarts(servers);
        servers.sort_by_key(|server| {
            let it = server.identity;
            (&it.role, &it.cluster_name, &it.address)
        });
        Self(servers)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// As a fact, null where nothing tells.
    pub fn to_value(&self) -> Value {
        if self.0.is_empty() {
            return Value::Null;
        }
        let row = |server: &Server| {
            let it = server.identity;
            json!({
                "name": self.name(it),
                "role": it.role,
                "attempts": server.attempts,
                "cluster_name": it.cluster_name,
                "system_identifier": it.system_identifier,
                "started_at": it.started_at,
                "server_address": it.address,
                "version": it.version,
                "database": it.database,
                "reached_at": server.reached,
            })
        };
        self.0.iter().map(row).collect()
    }

    /// The name of its own where no other has it, else with its address.
    fn name(&self, it: &Identity) -> String {
        let namesakes = self
            .0
            .iter()
            .filter(|one| one.identity.cluster_name == it.cluster_name);
        match (&it.cluster_name, &it.address) {
            (Some(name), _) if namesakes.count() == 1 => name.clone(),
            (Some(name), Some(address)) => format!("{name} at {address}"),
            (Some(name), None) => name.clone(),
            (None, Some(address)) => address.clone(),
            (None, None) => "unnamed server".to_owned(),
        }
    }

    /// Each with its role and its attempts: `pg1 (primary) 5`.
    fn named(&self) -> Vec<String> {
        let named = |server: &Server| {
            let name = self.name(server.identity);
            match &server.identity.role {
                Some(role) => format!("{name} ({role}) {}", server.attempts),
                None => format!("{name} {}", server.attempts),
            }
        };
        self.0.iter().map(named).collect()
    }

    fn differ(&self) -> Option<Differ> {
        let all = || self.0.iter().map(|server| server.identity);
        let several = |value: fn(&Identity) -> Option<&str>| {
            let mut values: Vec<&str> = all().filter_map(value).collect();
            values.sort_unstable();
            values.dedup();
            values.len() > 1
        };
        let primaries = all().filter(|it| it.role.as_deref() == Some("primary"));
        if self.0.len() < 2 || all().any(Identity::is_multi_writer) {
            None
        } else if several(|it| it.system_identifier.as_deref()) {
            Some(Differ::Clusters)
        } else if several(|it| it.database.as_deref()) {
            Some(Differ::Databases)
        } else if several(|it| it.role.as_deref()) {
            Some(Differ::Roles)
        } else if primaries.count() > 1 {
            Some(Differ::Primaries)
        } else if several(|it| it.version.as_deref()) {
            Some(Differ::Versions)
        } else {
            None
        }
    }

    /// The warning, where they differ in what matters. Several standbys behind one
    /// address are what such an address is for.
    pub fn finding(&self, host: &str, endpoint: &str) -> Option<Finding> {
        let differ = self.differ()?;
        let mut reached: Vec<&str> = self.0.iter().flat_map(|one| one.reached.clone()).collect();
        reached.sort_unstable();
        reached.dedup();
        let finding = Finding::new(&server::SEVERAL)
            .with("endpoint", endpoint.to_owned())
            .with("count", self.0.len())
            .with("servers", self.named())
            .word(
                "place",
                match reached.len() {
                    0 | 1 => "this address",
                    _ => "these addresses",
                },
            )
            .word("named", self.named().join(", "));
        let versions: Vec<&str> = (self.0.iter())
            .filter_map(|server| server.identity.short_version())
            .collect();
        let databases: Vec<&str> = (self.0.iter())
            .filter_map(|server| server.identity.database.as_deref())
            .collect();
        Some(match differ {
            Differ::Roles => finding
                .with("differ_in", "role")
                .word("writer", writer(host))
                .word("checked", "the role of each server")
                .word("members", self.members()),
            Differ::Clusters => finding.with("differ_in", "system_identifier").word(
                "different",
                "their system identifiers differ, so that they are separate clusters with \
                 separate data",
            ),
            Differ::Primaries => finding.with("differ_in", "started_at").word(
                "different",
                "several are primaries, and none of them has what is written to the others; stop \
                 all but the right one before more is written",
            ),
            Differ::Versions => finding.with("differ_in", "version").word(
                "different",
                format!("they run different versions ({})", versions.join(", ")),
            ),
            Differ::Databases => finding.with("differ_in", "database").word(
                "different",
                format!("they open different databases ({})", databases.join(", ")),
            ),
        })
    }

    /// A connection string's words that name each of them.
    fn members(&self) -> Option<String> {
        let ends: Option<Vec<(&str, &str)>> = (self.0.iter())
            .map(|server| server.identity.address.as_deref()?.rsplit_once(':'))
            .collect();
        let (hosts, ports): (Vec<&str>, Vec<&str>) = ends?.into_iter().unzip();
        Some(format!("host={} port={}", hosts.join(","), ports.join(",")))
    }
}

/// Servers that were started again while the test went on are one: nothing of the
/// one before was seen after the first of the next.
fn without_restarts(servers: Vec<Server<'_>>) -> Vec<Server<'_>> {
    let mut kept: Vec<Server> = Vec::new();
    for server in servers {
        let before = kept.iter_mut().find(|known| {
            known.identity.may_be_restarted(server.identity) && known.last < server.first
        });
        match before {
            Some(before) => {
                before.identity = server.identity;
                before.attempts += server.attempts;
                before.last = server.last;
            }
            None => kept.push(server),
        }
    }
    kept
}

/// The address for writes, by what the host's name says of the one in use.
fn writer(host: &str) -> String {
    let (label, rest) = match host.split_once('.') {
        Some((label, rest)) => (label, format!(".{rest}")),
        None => (host, String::new()),
    };
    let cluster = label.strip_suffix("-ro").or(label.strip_suffix("-r"));
    if host.contains(".cluster-ro-") {
        format!(
            "the cluster endpoint {}",
            host.replacen(".cluster-ro-", ".cluster-", 1)
        )
    } else if let Some(cluster) = cluster {
        format!("the Service {cluster}-rw{rest}")
    } else {
        "the cluster's read-write address".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(began: u64, values: &[(&str, &str)]) -> Sample {
        let facts = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
            .collect();
        Sample {
            began: Duration::from_millis(began),
            server: Identity::of(&facts),
            ..super::super::stats::tests::sample(1, None, "10.0.0.9:5432")
        }
    }

    /// One after the other, twice.
    fn cause_of(servers: &[&[(&str, &str)]]) -> Option<String> {
        let rounds = servers.iter().chain(servers).enumerate();
        let samples: Vec<Sample> = rounds.map(|(at, it)| seen(at as u64, it)).collect();
        let finding = Servers::of(&samples).finding("db", "db:5432")?;
        Some(finding.evidence["differ_in"].as_str()?.to_owned())
    }

    const PRIMARY: &[(&str, &str)] = &[
        ("role", "primary"),
        ("system_identifier", "1"),
        ("started_at", "2026-01-01T00:00:00Z"),
        ("server_address", "10.0.0.1:5432"),
        ("version", "PostgreSQL 15.4"),
    ];
    const STANDBY: &[(&str, &str)] = &[
        ("role", "standby"),
        ("system_identifier", "1"),
        ("started_at", "2026-01-01T00:00:01Z"),
        ("server_address", "10.0.0.2:5432"),
        ("version", "PostgreSQL 15.4"),
    ];

    fn with(
        base: &[(&'static str, &'static str)],
        name: &'static str,
        value: &'static str,
    ) -> Vec<(&'static str, &'static str)> {
        let mut values: Vec<_> = base
            .iter()
            .copied()
            .filter(|(known, _)| *known != name)
            .collect();
        values.push((name, value));
        values
    }

    #[test]
    fn what_differs_decides() {
        let other = with(STANDBY, "started_at", "2026-01-02T00:00:00Z");
        assert_eq!(cause_of(&[PRIMARY, PRIMARY]), None);
        assert_eq!(cause_of(&[STANDBY, &other]), None);
        assert_eq!(cause_of(&[PRIMARY, STANDBY]).as_deref(), Some("role"));
        let twin = with(STANDBY, "role", "primary");
        assert_eq!(cause_of(&[PRIMARY, &twin]).as_deref(), Some("started_at"));
        let stranger = with(STANDBY, "system_identifier", "2");
        let differ = cause_of(&[PRIMARY, &stranger]);
        assert_eq!(differ.as_deref(), Some("system_identifier"));
        let newer = with(&other, "version", "PostgreSQL 15.5");
        assert_eq!(cause_of(&[STANDBY, &newer]).as_deref(), Some("version"));
        let yb = with(&twin, "version", "PostgreSQL 11.2-YB-2.20");
        assert_eq!(cause_of(&[PRIMARY, &yb]), None);
    }

    #[test]
    fn a_server_that_was_started_again_is_one() {
        let again = with(PRIMARY, "started_at", "2026-01-02T00:00:00Z");
        let samples = [seen(1, PRIMARY), seen(2, PRIMARY), seen(3, &again)];
        assert_eq!(Servers::of(&samples).count(), 1);
        // Unless the one before still answers.
        let samples = [seen(1, PRIMARY), seen(2, &again), seen(3, PRIMARY)];
        assert_eq!(Servers::of(&samples).count(), 2);
    }

    #[test]
    fn the_address_for_writes_is_told_by_the_name() {
        assert_eq!(writer("pg-ro.db.svc"), "the Service pg-rw.db.svc");
        assert_eq!(
            writer("x.cluster-ro-abc.eu-west-1.rds.amazonaws.com"),
            "the cluster endpoint x.cluster-abc.eu-west-1.rds.amazonaws.com"
        );
        assert_eq!(writer("db.test"), "the cluster's read-write address");
    }
}
