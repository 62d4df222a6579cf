//! The system's own settings for names: `/etc/resolv.conf`, `/etc/hosts`,
//! `/etc/nsswitch.conf`. Pure functions over their contents.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::system;

/// How many name servers the C library asks at most (`MAXNS`, `man 5 resolver`).
const MOST_SERVERS: usize = 3;

/// How many search domains are followed.
const MOST_DOMAINS: usize = 16;

/// The settings of the C library's resolver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolv {
    /// The name servers in the order in which they are asked; empty where none
    /// is configured.
    pub servers: Vec<SocketAddr>,
    /// The domains that are tried behind a short name.
    pub search: Vec<String>,
    /// From how many dots on a name is tried as it is first.
    pub ndots: usize,
    /// How long a name server is waited for.
    pub timeout: Duration,
    /// How often the whole list is asked.
    pub attempts: usize,
    /// Whether name servers are asked over TCP only (`use-vc`).
    pub tcp: bool,
    /// Whether questions announce EDNS (`edns0`).
    pub edns: bool,
    /// Whether IPv6 addresses are left out (`no-aaaa`).
    pub no_aaaa: bool,
    /// Whether a single label is never tried as it is (`no-tld-query`).
    pub no_tld_query: bool,
}

impl Resolv {
    /// Reads `resolv.conf`, then `LOCALDOMAIN` and `RES_OPTIONS`, as
    /// `man 5 resolv.conf` describes. `host` is this machine's own name: its
    /// domain is searched where nothing else is said.
    pub fn parse(
        text: &str,
        host: &str,
        local_domain: Option<&str>,
        res_options: Option<&str>,
    ) -> Self {
        let mut resolv = Self {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            tcp: false,
            edns: false,
            no_aaaa: false,
            no_tld_query: false,
        };
        let mut search: Option<Vec<String>> = None;
        for line in text.lines() {
            let Some((keyword, rest)) = line.split_once([' ', '\t']) else {
                continue;
            };
            match keyword {
                "nameserver" => {
                    // A zone that fits no link-local address is passed over.
                    let address = rest.split_whitespace().next().and_then(|text| {
                        let bare = || system::numeric(text.split_once('%')?.0);
                        system::numeric(text).or_else(bare)
                    });
                    if let Some(mut address) = address
                        && resolv.servers.len() < MOST_SERVERS
                    {
                        address.set_port(53);
                        resolv.servers.push(address);
                    }
                }
                "search" => search = Some(words(rest)),
                "domain" => search = Some(words(rest).into_iter().take(1).collect()),
                "options" => resolv.options(rest),
                _ => {}
            }
        }
        if let Some(domains) = local_domain {
            search = Some(words(domains));
        }
        if let Some(options) = res_options {
            resolv.options(options);
        }
        resolv.search = search.unwrap_or_else(|| {
            let domain = host.split_once('.').map(|(_, domain)| domain.to_owned());
            domain
                .filter(|domain| !domain.is_empty())
                .into_iter()
                .collect()
        });
        resolv.search.truncate(MOST_DOMAINS);
        resolv
    }

    fn options(&mut self, text: &str) {
        let number = |text: &str| text.parse::<usize>().ok();
        for option in text.split_whitespace() {
            match option.split_once(':') {
                Some(("ndots", n)) => self.ndots = number(n).unwrap_or(self.ndots).min(15),
                Some(("timeout", n)) => {
                    if let Some(n) = number(n) {
                        self.timeout = Duration::from_secs(n.clamp(1, 30) as u64);
                    }
                }
                Some(("attempts", n)) => self.attempts = number(n).unwrap_or(self.attempts).min(5),
                Some(_) => {}
                None => match option {
                    "use-vc" => self.tcp = true,
                    "edns0" => self.edns = true,
                    "no-aaaa" => self.no_aaaa = true,
                    "no-tld-query" => self.no_tld_query = true,
                    _ => {}
                },
            }
        }
    }

    /// The full names that are tried for a name, in order (`res_search`,
    /// `man 3 resolver`).
    pub fn candidates(&self, name: &str) -> Vec<String> {
        if let Some(full) = name.strip_suffix('.') {
            return vec![full.to_owned()];
        }
        let dots = name.matches('.').count();
        let as_is_first = dots >= self.ndots;
        let mut candidates = Vec::new();
        if as_is_first {
            candidates.push(name.to_owned());
        }
        for domain in &self.search {
            let domain = domain.trim_matches('.');
            let full = match domain {
                "" => name.to_owned(),
                domain => format!("{name}.{domain}"),
            };
            if !candidates.contains(&full) {
                candidates.push(full);
            }
        }
        let last_resort = dots > 0 || self.search.is_empty() || !self.no_tld_query;
        if !as_is_first && last_resort && !candidates.iter().any(|c| c == name) {
            candidates.push(name.to_owned());
        }
        candidates
    }
}

/// The addresses that a `hosts` file has for a name, as `nss_files` compares it.
pub fn hosts_entries(text: &str, name: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(address) = words.next().and_then(system::numeric) else {
            continue;
        };
        if words.any(|word| word.eq_ignore_ascii_case(name)) && !found.contains(&address.ip()) {
            found.push(address.ip());
        }
    }
    found
}

/// The sources that `nsswitch.conf` names for hosts, in order, without the
/// actions between them. What the C library does without the file is
/// `files dns`.
pub fn host_sources(text: &str) -> Vec<String> {
    let line = text.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default().trim_start();
        line.strip_prefix("hosts:")
    });
    let Some(line) = line else {
        return vec!["files".to_owned(), "dns".to_owned()];
    };
    let mut sources = Vec::new();
    let mut in_action = false;
    for word in line
        .replace('[', " [")
        .replace(']', "] ")
        .split_whitespace()
    {
        in_action |= word.starts_with('[');
        if !in_action {
            sources.push(word.to_owned());
        }
        in_action &= !word.ends_with(']');
    }
    sources
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Resolv {
        Resolv::parse(text, "box.corp.test", None, None)
    }

    #[test]
    fn servers_search_and_options_are_read() {
        let resolv = parse(
            "# comment\nnameserver 10.0.0.1\nnameserver nonsense\nnameserver\tfe80::1\n\
             nameserver 10.0.0.2\nnameserver 10.0.0.3\nsearch a.test b.test\n\
             options ndots:2 timeout:1 use-vc rotate\n",
        );
        let servers: Vec<String> = resolv.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["10.0.0.1:53", "[fe80::1]:53", "10.0.0.2:53"]);
        assert_eq!(resolv.search, ["a.test", "b.test"]);
        assert_eq!(
            (resolv.ndots, resolv.timeout.as_secs(), resolv.tcp),
            (2, 1, true)
        );
    }

    #[test]
    fn a_zone_that_does_not_fit_is_passed_over() {
        let servers = parse("nameserver ::1%lo\n").servers;
        assert_eq!(servers, [SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 53))]);
    }

    #[test]
    fn the_machines_own_domain_is_searched_by_default() {
        assert_eq!(parse("nameserver 10.0.0.1\n").search, ["corp.test"]);
        assert!(Resolv::parse("", "box", None, None).search.is_empty());
        let resolv = Resolv::parse("search a\n", "box", Some("b c"), Some("ndots:3"));
        assert_eq!((resolv.search.len(), resolv.ndots), (2, 3));
    }

    #[test]
    fn candidates_follow_ndots() {
        let resolv = parse("search a.test b.test\n");
        assert_eq!(resolv.candidates("db"), ["db.a.test", "db.b.test", "db"]);
        assert_eq!(
            resolv.candidates("db.x"),
            ["db.x", "db.x.a.test", "db.x.b.test"]
        );
        assert_eq!(resolv.candidates("db.x."), ["db.x"]);
        let five = parse("search svc.cluster.local\noptions ndots:5\n");
        assert_eq!(five.candidates("db.x"), ["db.x.svc.cluster.local", "db.x"]);
    }

    #[test]
    fn hosts_are_compared_without_case() {
        let text = "127.0.0.1 localhost\n10.0.0.7\tdb.test DB # x\n10.0.0.8 #db\nbad db\n::7 db\n";
        let found: Vec<String> = hosts_entries(text, "Db")
            .iter()
            .map(|ip| ip.to_string())
            .collect();
        assert_eq!(found, ["10.0.0.7", "::7"]);
    }

    #[test]
    fn sources_come_without_their_actions() {
        let text = "passwd: files\nhosts: files mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns\n";
        assert_eq!(
            host_sources(text),
            ["files", "mdns4_minimal", "resolve", "dns"]
        );
        assert_eq!(host_sources(""), ["files", "dns"]);
    }
}
