//! The host names of Amazon RDS, Aurora and RDS Proxy.

/// The domains that RDS has endpoints in: of the partitions of AWS.
const DOMAINS: [&str; 4] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
];

/// What an endpoint leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Instance,
    Cluster,
    Proxy,
}

/// The host name of an endpoint: `NAME.SCOPE-ACCOUNT.REGION.rds.amazonaws.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RdsName {
    name: String,
    scope: Scope,
    /// The same for all endpoints of an account in a region.
    account: String,
    /// The region.
    pub region: String,
}

impl RdsName {
    /// Reads a host name; none where it is not one of RDS.
    pub fn of(host: &str) -> Option<Self> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let labels: Vec<&str> = host.split('.').collect();
        let at = labels.iter().position(|label| *label == "rds")?;
        // China has the region behind `rds`.
        let of_domain = |from: usize| {
            let domain = labels.get(from..).unwrap_or_default().join(".");
            DOMAINS.contains(&domain.as_str())
        };
        let (before, region) = match of_domain(at + 1) {
            true => (labels.get(..at.checked_sub(1)?)?, labels.get(at - 1)?),
            false if of_domain(at + 2) => (labels.get(..at)?, labels.get(at + 1)?),
            false => return None,
        };
        let (account, name) = before.split_last()?;
        let name = name.join(".");
        let known = [
            ("cluster-ro-", Scope::Cluster),
            ("cluster-custom-", Scope::Cluster),
            ("cluster-", Scope::Cluster),
            ("shardgrp-", Scope::Cluster),
            ("proxy-", Scope::Proxy),
        ];
        let scope = known
            .iter()
            .find_map(|(prefix, scope)| Some((account.strip_prefix(prefix)?, *scope)));
        let (account, scope) = scope.unwrap_or((account, Scope::Instance));
        (!name.is_empty()).then(|| Self {
            name,
            scope,
            account: account.to_owned(),
            region: (*region).to_owned(),
        })
    }

    /// Whether both may lead to the same server: a cluster's endpoints do, and an
    /// instance may belong to any cluster of its account and region.
    pub fn may_be(&self, other: &Self) -> bool {
        let same_place = self.region == other.region && self.account == other.account;
        let further = |name: &str| name.ends_with(".endpoint");
        same_place
            && match (self.scope, other.scope) {
                (Scope::Proxy, Scope::Proxy) => {
                    self.name == other.name || further(&self.name) || further(&other.name)
                }
                (Scope::Proxy, _) | (_, Scope::Proxy) => false,
                (Scope::Instance, Scope::Cluster) | (Scope::Cluster, Scope::Instance) => true,
                _ => self.name == other.name,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: &str = "orders.abcdefghijkl.eu-west-1.rds.amazonaws.com";

    #[test]
    fn endpoints_are_told_by_their_names() {
        for (host, region) in [
            (ORDERS, "eu-west-1"),
            (
                "ORDERS.abcdefghijkl.eu-west-1.rds.amazonaws.com.",
                "eu-west-1",
            ),
            (
                "a.cluster-abc.us-gov-west-1.rds.amazonaws.com",
                "us-gov-west-1",
            ),
            ("a.abc.rds.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("a.abc.us-iso-east-1.rds.c2s.ic.gov", "us-iso-east-1"),
            (
                "a.endpoint.proxy-abc.eu-west-1.rds.amazonaws.com",
                "eu-west-1",
            ),
        ] {
            let name = RdsName::of(host).map(|name| name.region);
            assert_eq!(name.as_deref(), Some(region), "{host}");
        }
        for host in [
            "db.corp.internal",
            "localhost",
            "rds.amazonaws.com",
            "eu-west-1.rds.amazonaws.com",
            "abc.eu-west-1.rds.amazonaws.com.evil.test",
            "10.0.0.1",
            "",
        ] {
            assert_eq!(RdsName::of(host), None, "{host}");
        }
    }

    #[test]
    fn several_endpoints_may_lead_to_one_server() {
        let may_be = |a: &str, b: &str| {
            let of =
                |host: &str| RdsName::of(&format!("{host}.eu-west-1.rds.amazonaws.com")).unwrap();
            of(a).may_be(&of(b))
        };
        assert!(may_be("orders.abc", "orders.abc"));
        assert!(may_be("orders.cluster-abc", "orders.cluster-ro-abc"));
        assert!(may_be("orders-1.abc", "orders.cluster-abc"));
        assert!(may_be("ro.endpoint.proxy-abc", "orders.proxy-abc"));
        assert!(!may_be("orders.abc", "billing.abc"));
        assert!(!may_be("orders.cluster-abc", "billing.cluster-abc"));
        assert!(!may_be("orders.abc", "orders.xyz"));
        assert!(!may_be("orders.proxy-abc", "orders.abc"));
        let other = RdsName::of("orders.abcdefghijkl.eu-west-2.rds.amazonaws.com").unwrap();
        assert!(!RdsName::of(ORDERS).unwrap().may_be(&other));
    }
}
