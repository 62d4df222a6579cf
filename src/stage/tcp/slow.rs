//! How long a client waits for an address that does not answer before it goes on
//! to the next; dbdoctor itself dials them all at once.

use std::time::Duration;

use crate::wire::dial::{ConnectError, Why};
use crate::wire::waits::LEAST_DELAY;

/// Whether a client loses time with this address, and is not told at once.
pub fn is_slow(miss: &ConnectError) -> bool {
    miss.why == Why::Late || miss.took >= LEAST_DELAY
}

/// How long a client waits for it: until the error that the network gave us, or
/// until its own limit or the system's.
pub fn cost(miss: &ConnectError, limit: Option<Duration>) -> Duration {
    let own = match miss.why {
        Why::Late => syn_timeout(),
        _ => miss.took,
    };
    limit.map_or(own, |limit| own.min(limit))
}

/// When the system gives up on a connection that nobody answers (`man 7 tcp`:
/// `tcp_syn_retries`; Linux 6.5 and newer begin with `tcp_syn_linear_timeouts`
/// of a second each).
fn syn_timeout() -> Duration {
    let number = |name: &str, default: u32| {
        std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}"))
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(default)
    };
    let (retries, linear) = (
        number("tcp_syn_retries", 6),
        number("tcp_syn_linear_timeouts", 0),
    );
    let seconds = (1_u64 << (retries.min(30) + 1)) - 1 + u64::from(linear);
    Duration::from_secs(seconds)
}

/// A cost as people say it.
pub fn about(cost: Duration) -> String {
    match cost.as_secs() {
        seconds if seconds >= 60 => format!("about {seconds} s"),
        _ => crate::wire::dial::seconds(cost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn miss(why: Why, took: u64) -> ConnectError {
        ConnectError {
            why,
            icmp: None,
            took: Duration::from_millis(took),
            accepted_ago: None,
        }
    }

    #[test]
    fn silence_costs_what_the_client_waits() {
        let silent = miss(Why::Late, 5_000);
        assert!(is_slow(&silent));
        let two = Duration::from_secs(2);
        assert_eq!(cost(&silent, Some(two)), two);
        assert!(cost(&silent, None) > Duration::from_secs(60));
    }

    #[test]
    fn an_error_costs_what_it_took() {
        let unreachable = miss(Why::Errno(libc::EHOSTUNREACH), 3_050);
        assert!(is_slow(&unreachable));
        assert_eq!(cost(&unreachable, None).as_millis(), 3_050);
        assert!(!is_slow(&miss(Why::Errno(libc::ECONNREFUSED), 300)));
    }
}
