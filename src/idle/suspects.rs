//! Well-known idle thresholds and who usually has them. A match is a
//! likelihood, never a fact.

use std::time::Duration;

/// A threshold that many installations share.
struct CommonThreshold {
    seconds: u64,
    owner: &'static str,
}

const fn known(seconds: u64, owner: &'static str) -> CommonThreshold {
    CommonThreshold { seconds, owner }
}

/// Sources: the vendors' documentation of each product's default.
const KNOWN: &[CommonThreshold] = &[
    known(50, "HAProxy's example configuration (50 s)"),
    known(60, "HAProxy or nginx (60 s)"),
    known(240, "Azure's load balancer or NAT (4 minutes)"),
    known(300, "a proxy or firewall with a timeout of 5 minutes"),
    known(350, "AWS's Network Load Balancer or NAT gateway (350 s)"),
    known(600, "Google Cloud's connection tracking (10 minutes)"),
    known(900, "IPVS in Docker Swarm or kube-proxy (900 s)"),
    known(1_800, "a firewall with a timeout of 30 minutes"),
    known(
        3_600,
        "a firewall with a timeout of one hour, the default of Envoy and Palo Alto",
    ),
    known(7_200, "a NAT or firewall with a timeout of two hours"),
    known(432_000, "Linux connection tracking (5 days)"),
];

/// Many of those that have a timeout look at it once a second or so.
const SLACK: Duration = Duration::from_millis(1_500);

/// Who is likely, where the drop lies in a range: the one known threshold in
/// it. With more than one nothing is said. An announced drop is its own moment.
pub fn likely(
    survived: Option<Duration>,
    dropped: Duration,
    announced: bool,
) -> Option<&'static str> {
    let low = match announced {
        true => dropped.saturating_sub(SLACK),
        false => survived.unwrap_or(Duration::ZERO),
    };
    let mut fitting = KNOWN.iter().filter(|known| {
        let at = Duration::from_secs(known.seconds);
        low < at + SLACK && at <= dropped + SLACK
    });
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Some(one.owner),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn one_known_threshold_in_the_bracket_is_named() {
        assert!(likely(Some(s(315)), s(360), false).is_some_and(|owner| owner.contains("350")));
        assert!(likely(Some(s(315)), s(350), true).is_some_and(|owner| owner.contains("AWS")));
    }

    #[test]
    fn several_or_none_say_nothing() {
        assert_eq!(likely(Some(s(200)), s(400), false), None);
        assert_eq!(likely(Some(s(2)), s(4), true), None);
    }
}
