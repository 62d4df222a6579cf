//! Poolers as drivers meet them: `knowledge/poolers.toml`.

use super::startup::Starts;

include!(concat!(env!("OUT_DIR"), "/poolers.rs"));

/// A pooler's product.
#[derive(Debug)]
pub struct Product {
    /// Its name, as it is shown.
    pub name: &'static str,
    /// The start-up parameters it takes, in lower case; `*` for all.
    pub accepts: &'static [&'static str],
    /// What it says of another one.
    pub refusal: Option<&'static str>,
    /// The setting that lets others through.
    pub setting: Option<&'static str>,
    /// What makes named statements work in transaction mode.
    pub prepared: Option<&'static str>,
    /// Whether they work there without any setting.
    pub keeps: bool,
    /// Where this was read.
    pub source: &'static str,
}

/// A host that is a pooler's.
#[derive(Debug)]
struct Place {
    ends: &'static str,
    has: Option<&'static str>,
    port: Option<u16>,
    product: &'static str,
    mode: Option<Mode>,
}

/// What a client keeps its server connection for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As long as it is connected.
    Session,
    /// One transaction.
    Transaction,
}

impl Mode {
    /// The mode of this name.
    pub fn of(name: &str) -> Option<Self> {
        let known = [Self::Session, Self::Transaction];
        known.into_iter().find(|mode| mode.as_str() == name)
    }

    /// Its name in poolers' settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Transaction => "transaction",
        }
    }
}

/// A pooler that answers.
#[derive(Clone, Copy, Debug)]
pub struct Pooler {
    /// Which, where that is known.
    pub product: Option<&'static Product>,
    /// In which mode, where that is known.
    pub mode: Option<Mode>,
}

impl Pooler {
    /// The pooler at a provider's host and port.
    pub fn at(host: &str, port: u16) -> Option<Self> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let place = PLACES.iter().find(|place| {
            host.ends_with(place.ends)
                && place.has.is_none_or(|part| host.contains(part))
                && place.port.is_none_or(|known| known == port)
        })?;
        Some(Self {
            product: product(place.product),
            mode: place.mode,
        })
    }

    /// Whether these are PgBouncer's parameters: it passes on what the server reported
    /// first, and then reports the five that it keeps for each client, in this order.
    pub fn of_parameters(reported: &[String]) -> Option<Self> {
        const OWN: [&str; 5] = [
            "client_encoding",
            "DateStyle",
            "TimeZone",
            "standard_conforming_strings",
            "application_name",
        ];
        let at = reported.windows(OWN.len()).position(|names| names == OWN)?;
        let version = reported.iter().position(|name| name == "server_version")?;
        (version < at).then(|| Self {
            product: product("PgBouncer"),
            mode: None,
        })
    }
}

/// The product of this name.
pub fn product(name: &str) -> Option<&'static Product> {
    PRODUCTS.iter().find(|product| product.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_by_host_and_port() {
        let told = |host: &str, port| {
            let pooler = Pooler::at(host, port)?;
            Some((pooler.product?.name, pooler.mode.map(Mode::as_str)))
        };
        for (host, port, pooler) in [
            (
                "aws-0-eu-west-3.pooler.supabase.com",
                6543,
                Some(("Supavisor", Some("transaction"))),
            ),
            (
                "AWS-0-eu-west-3.pooler.supabase.com.",
                5432,
                Some(("Supavisor", Some("session"))),
            ),
            (
                "ep-a-1-pooler.eu-central-1.aws.neon.tech",
                5432,
                Some(("Neon's pooler", Some("transaction"))),
            ),
            ("ep-a-1.eu-central-1.aws.neon.tech", 5432, None),
            ("db.abc.supabase.co", 5432, None),
            (
                "x.postgres.database.azure.com",
                6432,
                Some(("PgBouncer", None)),
            ),
            ("x.postgres.database.azure.com", 5432, None),
            (
                "x.proxy-abc.eu-west-1.rds.amazonaws.com",
                5432,
                Some(("RDS Proxy", Some("transaction"))),
            ),
            ("x.abc.eu-west-1.rds.amazonaws.com", 5432, None),
            ("db.corp.test", 6432, None),
        ] {
            assert_eq!(told(host, port), pooler, "{host}:{port}");
        }
    }

    /// As PgBouncer 1.18 and PostgreSQL 15, 16 and 17 report them.
    #[test]
    fn pgbouncer_is_told_by_its_parameters() {
        let told = |names: &str| {
            let names: Vec<String> = names.split(' ').map(str::to_owned).collect();
            Pooler::of_parameters(&names).map(|pooler| pooler.product.unwrap().name)
        };
        let bouncer = "default_transaction_read_only in_hot_standby integer_datetimes \
                       IntervalStyle is_superuser server_encoding server_version \
                       session_authorization client_encoding DateStyle TimeZone \
                       standard_conforming_strings application_name";
        assert_eq!(told(bouncer), Some("PgBouncer"));
        for server in [
            "application_name client_encoding DateStyle default_transaction_read_only \
             in_hot_standby integer_datetimes IntervalStyle is_superuser server_encoding \
             server_version session_authorization standard_conforming_strings TimeZone",
            "in_hot_standby integer_datetimes TimeZone IntervalStyle is_superuser \
             application_name default_transaction_read_only scram_iterations DateStyle \
             standard_conforming_strings session_authorization client_encoding \
             server_version server_encoding",
            "server_version",
            "",
        ] {
            assert_eq!(told(server), None);
        }
    }
}
