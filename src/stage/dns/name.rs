//! What can be told from a name alone: whether it is one at all, and whether
//! it is of a kind that only resolves inside some network.

/// The longest name in its usual spelling, in bytes (RFC 1035, 2.3.4: 255
/// octets on the wire, which are 253 characters and two of framing).
const LONGEST_NAME: usize = 253;

/// The longest label, in bytes.
const LONGEST_LABEL: usize = 63;

/// Why a name cannot be a host name (RFC 952, RFC 1123 section 2.1, RFC 1035
/// section 2.3); `None` where it can. An underscore is left alone: DNS allows
/// it, and resolvers do.
pub fn flaw(name: &str) -> Option<String> {
    let bare = name.strip_suffix('.').unwrap_or(name);
    if bare.is_empty() {
        return Some("it is empty".to_owned());
    }
    if bare.contains(':') {
        return Some(match bare.contains('%') {
            true => {
                "it is an IPv6 address whose zone (after %) is not a network interface of this machine"
                    .to_owned()
            }
            false => "it has a colon, but is not a valid IPv6 address".to_owned(),
        });
    }
    if let Some(c) = bare.chars().find(|c| !c.is_ascii()) {
        return Some(format!(
            "it has the character '{c}', which must be written in ASCII form (punycode)"
        ));
    }
    if let Some(c) = bare
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')))
    {
        return Some(match c {
            ' ' => "it contains a space".to_owned(),
            c if c.is_control() => "it contains a control character".to_owned(),
            c => format!("it has the character '{c}', which is not allowed in a host name"),
        });
    }
    if bare.len() > LONGEST_NAME {
        return Some(format!(
            "it has {} characters, but at most {LONGEST_NAME} are allowed",
            bare.len()
        ));
    }
    for label in bare.split('.') {
        if label.is_empty() {
            return Some("it has an empty part (an extra dot)".to_owned());
        }
        if label.len() > LONGEST_LABEL {
            return Some(format!(
                "a part of it has {} characters, but at most {LONGEST_LABEL} are allowed",
                label.len()
            ));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Some(format!("its part '{label}' begins or ends with a hyphen"));
        }
    }
    // RFC 3696, section 2: the last part is never all digits, so that no name
    // can be taken for an address.
    let last = bare.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|b| b.is_ascii_digit()) {
        return Some("it ends in a number like an IPv4 address, but is not a valid one".to_owned());
    }
    None
}

/// The ASCII form of a name with other characters, if it has one.
pub fn ascii_form(name: &str) -> Option<String> {
    if name.is_ascii() {
        return None;
    }
    let name = hickory_resolver::proto::rr::Name::from_utf8(name).ok()?;
    let ascii = name.to_ascii();
    ascii.is_ascii().then_some(ascii)
}

/// Whether a name means this machine by definition (RFC 6761, section 6.3, and
/// the spellings that systems put into `/etc/hosts`).
pub fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name == "localhost.localdomain"
        || name == "localhost4"
        || name == "localhost6"
        || name == "localhost4.localdomain4"
        || name == "localhost6.localdomain6"
        || name == "ip6-localhost"
        || name == "ip6-loopback"
}

/// Where a name that does not exist here would exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inside {
    /// Among containers that share a network.
    Containers,
    /// Named in this compose file.
    Compose(String),
    /// Inside a container: the machine that runs it.
    DockerHost,
    /// In a Kubernetes cluster.
    Cluster,
    /// In a provider's private network.
    Provider(&'static str),
}

impl Inside {
    /// Where that is, in a sentence.
    pub fn place(&self) -> String {
        match self {
            Inside::Containers => "a container network".to_owned(),
            Inside::Compose(file) => format!("the container network of {file}"),
            Inside::DockerHost => "a container".to_owned(),
            Inside::Cluster => "a Kubernetes cluster".to_owned(),
            Inside::Provider(name) => format!("{name}'s private network"),
        }
    }
}

/// Suffixes that exist only inside somebody's network.
const SUFFIXES: &[(&str, Inside)] = &[
    (".svc.cluster.local", Inside::Cluster),
    (".cluster.local", Inside::Cluster),
    (".svc", Inside::Cluster),
    (".docker.internal", Inside::DockerHost),
    (".containers.internal", Inside::DockerHost),
    (".orb.local", Inside::Containers),
    (".lxd", Inside::Containers),
    (".incus", Inside::Containers),
    (".railway.internal", Inside::Provider("Railway")),
    (".flycast", Inside::Provider("Fly.io")),
    (".vm.fly.internal", Inside::Provider("Fly.io")),
    (".compute.internal", Inside::Provider("AWS")),
    (".ec2.internal", Inside::Provider("AWS")),
    (".google.internal", Inside::Provider("Google Cloud")),
    (".internal.cloudapp.net", Inside::Provider("Azure")),
    (".oraclevcn.com", Inside::Provider("Oracle Cloud")),
    (".consul", Inside::Provider("Consul")),
];

/// Names of PostgreSQL services in compose files, CI services and charts.
const USUAL: &[&str] = &[
    "db",
    "database",
    "postgres",
    "postgresql",
    "pg",
    "pgsql",
    "psql",
    "pgdb",
    "postgresdb",
    "postgres-db",
    "postgresql-db",
    "pg-db",
    "postgis",
    "timescale",
    "timescaledb",
    "pgvector",
    "pgbouncer",
    "pgpool",
    "pgcat",
    "supavisor",
    "pgadmin",
];

/// Products: a single label with one of these as a part is a service's name.
const PRODUCTS: &[&str] = &[
    "postgres",
    "postgresql",
    "postgis",
    "timescaledb",
    "pgbouncer",
    "pgpool",
    "pgvector",
];

/// Recognises a name that only resolves inside some network. `service` is the
/// file that defines a service of that name, if there is one. To be asked only
/// about names that do not resolve.
pub fn inside(name: &str, service: Option<&str>) -> Option<Inside> {
    if let Some(file) = service {
        return Some(Inside::Compose(file.to_owned()));
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let suffix = SUFFIXES.iter().find(|(suffix, _)| name.ends_with(suffix));
    if let Some((_, place)) = suffix {
        return Some(place.clone());
    }
    if name.contains('.') {
        return None;
    }
    // Render's internal names: dpg-…-a, whose public form has a domain behind it.
    if name.starts_with("dpg-") && name.len() >= 20 {
        return Some(Inside::Provider("Render"));
    }
    let numbered = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let plain = numbered.trim_end_matches(['-', '_']);
    if USUAL.contains(&plain) {
        return Some(Inside::Containers);
    }
    let parts: Vec<&str> = name.split(['-', '_']).collect();
    if parts.iter().any(|part| PRODUCTS.contains(part)) {
        return Some(Inside::Containers);
    }
    // Compose's container names: PROJECT-SERVICE-NUMBER.
    let n = parts.len();
    let compose = n >= 3
        && parts[n - 1].bytes().all(|b| b.is_ascii_digit())
        && !parts[n - 1].is_empty()
        && USUAL.contains(&parts[n - 2]);
    compose.then_some(Inside::Containers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_be() {
        for bad in [
            "",
            ".",
            "a..b",
            ".a",
            "a b",
            "a/b",
            "-a.test",
            "a-.test",
            "büro.test",
            "10.0.0.256",
            "1.2.3.4.5",
            "a:b",
            "fe80::1%nope",
            "*.test",
            "a\tb",
            "host@x",
        ] {
            assert!(flaw(bad).is_some(), "{bad:?}");
        }
        assert!(flaw(&"x".repeat(64)).is_some());
        let long = [
            "x".repeat(63),
            "x".repeat(63),
            "x".repeat(63),
            "x".repeat(63),
        ]
        .join(".");
        assert!(flaw(&long).is_some());
        assert!(flaw(&long[..253]).is_none());
    }

    #[test]
    fn names_that_can_be() {
        for good in [
            "a",
            "a.",
            "a_b.test",
            "_srv._tcp.test",
            "a--b",
            "xn--bro-hoa.test",
            "3com",
            "1.a",
        ] {
            assert_eq!(flaw(good), None, "{good}");
        }
        assert_eq!(ascii_form("büro.test").as_deref(), Some("xn--bro-hoa.test"));
        assert_eq!(ascii_form("a"), None);
    }

    #[test]
    fn container_names_are_known() {
        for name in [
            "db",
            "postgres",
            "POSTGRES",
            "db1",
            "postgres-1",
            "myapp-db-1",
            "my_app_postgres_1",
            "host.docker.internal",
            "pg.prod.svc.cluster.local",
            "pg.prod.svc",
            "postgres.railway.internal",
            "app-postgres",
            "postgresql-ha-pgpool",
            "db.",
            "dpg-cabcdefghijklmnopqrs-a",
        ] {
            assert!(inside(name, None).is_some(), "{name}");
        }
    }

    #[test]
    fn other_names_are_not() {
        for name in [
            "db.corp.test",
            "dbserver",
            "nosuchhost",
            "prod-db",
            "postgres.example.com",
            "pgsrv",
            "db.corp.internal",
            "printer",
            "proxy",
            "x.local",
        ] {
            assert_eq!(inside(name, None), None, "{name}");
        }
        assert_eq!(
            inside("ledger", Some("compose.yaml")),
            Some(Inside::Compose("compose.yaml".to_owned()))
        );
    }
}
