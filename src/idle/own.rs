//! What the target's own settings send while a connection is idle, and after
//! how long: TCP keepalives, and `ServerAliveInterval` on the way to it.

use std::time::Duration;

use crate::config::{Keepalives, Place};
use crate::pipeline::Connected;

/// When TCP sends its first keepalive, and how long after one it looks again,
/// where nobody has set that (tcp(7)), in seconds.
const USUAL_TIME: u32 = 7_200;
const USUAL_INTERVAL: u32 = 75;

/// The target's own keepalives.
#[derive(Clone, Debug, Default)]
pub struct OwnKeepalives {
    /// Those of the connection that this machine itself opens: the database's,
    /// or that to the first SSH server.
    pub tcp: Option<Keepalives>,
    /// After how long the first of these comes, and how long after it another
    /// may, with what the system has where the target sets nothing.
    time: Duration,
    interval: Duration,
    /// Each hop that has a `ServerAliveInterval`: its number, its name, and the
    /// interval.
    hops: Vec<(usize, String, Duration)>,
}

impl OwnKeepalives {
    /// The run's.
    pub fn of(connected: &Connected) -> Self {
        let target = &connected.target;
        let (tcp, hops) = match &target.ssh {
            // libpq's end at the near end of the tunnel; ssh has its own.
            Some(plan) => {
                let first = plan.hops.first();
                let first = first.filter(|hop| hop.proxy_command.is_none());
                let tcp = first.filter(|hop| hop.tcp_keepalive).map(|_| Keepalives {
                    enabled: true,
                    idle: 0,
                    interval: 0,
                    count: 0,
                    user_timeout: 0,
                });
                let hops = plan.hops.iter().enumerate();
                let hops = hops
                    .filter(|(_, hop)| !hop.alive_interval.is_zero())
                    .map(|(at, hop)| (at, hop.label(), hop.alive_interval));
                (tcp, hops.collect())
            }
            None => {
                let local = matches!(connected.endpoint.place, Place::Unix(_));
                let tcp = Some(target.keepalives).filter(|tcp| tcp.enabled && !local);
                (tcp, Vec::new())
            }
        };
        let set = |of: fn(&Keepalives) -> u32| tcp.as_ref().map(of).filter(|n| *n > 0);
        let seconds = |n: u32| Duration::from_secs(n.into());
        Self {
            time: seconds(set(|tcp| tcp.idle).unwrap_or_else(system_time)),
            interval: seconds(set(|tcp| tcp.interval).unwrap_or_else(system_interval)),
            tcp,
            hops,
        }
    }

    /// When the first of them comes.
    pub fn first(&self) -> Option<Duration> {
        let tcp = self.tcp.map(|_| self.time);
        let hops = self.hops.iter().map(|(_, _, interval)| *interval);
        hops.chain(tcp).min()
    }

    /// The longest silence that they allow; none where they allow any. Linux
    /// looks again an interval after a keepalive, also where that was answered
    /// (`tcp_keepalive_timer`).
    pub fn interval(&self) -> Option<Duration> {
        let tcp = self.tcp.map(|_| self.time.max(self.interval));
        let hops = self.hops.iter().map(|(_, _, interval)| *interval);
        hops.chain(tcp).min()
    }

    /// The hops with an interval at which each gets an SSH keepalive.
    pub fn hops(&self) -> impl Iterator<Item = (usize, Duration)> {
        self.hops.iter().map(|(hop, _, interval)| (*hop, *interval))
    }

    /// As the settings have it: `keepalives_idle=30 keepalives_interval=10`.
    pub fn settings(&self) -> String {
        if !self.hops.is_empty() {
            let hops = self.hops.iter().map(|(_, label, interval)| {
                format!("ServerAliveInterval {} for {label}", interval.as_secs())
            });
            return hops.collect::<Vec<_>>().join(", ");
        }
        let Some(tcp) = self.tcp else {
            return "none".to_owned();
        };
        let named = |set: u32, ours: &str, system: &str, time: Duration| match set {
            0 => format!("the system's {system}={}", time.as_secs()),
            set => format!("{ours}={set}"),
        };
        let (time, interval) = (self.time, self.interval);
        format!(
            "{}, {}",
            named(tcp.idle, "keepalives_idle", "tcp_keepalive_time", time),
            named(
                tcp.interval,
                "keepalives_interval",
                "tcp_keepalive_intvl",
                interval
            ),
        )
    }
}

/// What the system has for all connections that set nothing of their own.
fn system_time() -> u32 {
    system("tcp_keepalive_time").unwrap_or(USUAL_TIME)
}

fn system_interval() -> u32 {
    system("tcp_keepalive_intvl").unwrap_or(USUAL_INTERVAL)
}

fn system(name: &str) -> Option<u32> {
    let text = std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With this idle time and interval, and these `ServerAliveInterval`s.
    fn own(tcp: Option<(u32, u32)>, hops: &[u64]) -> OwnKeepalives {
        let seconds = |n: u32| Duration::from_secs(n.into());
        let (idle, interval) = tcp.unwrap_or_default();
        let hops = hops.iter().enumerate();
        OwnKeepalives {
            tcp: tcp.map(|_| Keepalives {
                enabled: true,
                idle,
                interval,
                count: 0,
                user_timeout: 0,
            }),
            time: seconds(if idle == 0 { USUAL_TIME } else { idle }),
            interval: seconds(if interval == 0 {
                USUAL_INTERVAL
            } else {
                interval
            }),
            hops: hops
                .map(|(at, s)| (at, format!("hop-{at}"), Duration::from_secs(*s)))
                .collect(),
        }
    }

    #[test]
    fn the_most_frequent_decides() {
        for (own, first, interval) in [
            (own(None, &[]), None, None),
            (own(Some((30, 10)), &[]), Some(30), Some(30)),
            (own(Some((30, 0)), &[]), Some(30), Some(75)),
            (own(Some((0, 0)), &[60, 15]), Some(15), Some(15)),
        ] {
            assert_eq!(own.first().map(|time| time.as_secs()), first);
            assert_eq!(own.interval().map(|time| time.as_secs()), interval);
        }
    }

    #[test]
    fn they_are_named_as_they_are_set() {
        for (own, named) in [
            (own(None, &[]), "none"),
            (own(Some((0, 0)), &[15]), "ServerAliveInterval 15 for hop-0"),
            (
                own(Some((30, 10)), &[]),
                "keepalives_idle=30, keepalives_interval=10",
            ),
            (
                own(Some((30, 0)), &[]),
                "keepalives_idle=30, the system's tcp_keepalive_intvl=75",
            ),
        ] {
            assert_eq!(own.settings(), named);
        }
    }
}
