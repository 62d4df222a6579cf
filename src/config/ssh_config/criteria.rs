//! `Match`: whether a block's criteria hold.

use std::net::IpAddr;

use ipnet::IpNet;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

use super::line::delimited;
use super::pattern::pattern_list;
use super::read::{Holds, LinePlace, Problem, Reader};

impl Reader<'_> {
    /// Whether all criteria of a `Match` line hold (readconf.c,
    /// `match_cfg_line`).
    pub(super) fn criteria(
        &mut self,
        text: &str,
        line: usize,
        place: &LinePlace,
    ) -> Result<Holds, Problem> {
        let mut rest = Some(text);
        let holds = self.conjunction(&mut rest, line, place)?;
        match rest.is_some_and(|rest| !rest.is_empty()) {
            true => Err("extra text after the criteria of Match".to_owned()),
            false => Ok(holds),
        }
    }

    fn conjunction(
        &mut self,
        rest: &mut Option<&str>,
        line: usize,
        place: &LinePlace,
    ) -> Result<Holds, Problem> {
        let (mut matched, mut count, mut unknown) = (true, 0, None);
        while let Some(word) = next(rest) {
            if word.starts_with('#') {
                *rest = None;
                break;
            }
            let negated = word.starts_with('!');
            let name = word.strip_prefix('!').unwrap_or(&word).to_ascii_lowercase();
            if name == "all" {
                let more = next(rest);
                let comment = more.as_deref().is_some_and(|word| word.starts_with('#'));
                let more = more.is_some() && !comment;
                if comment {
                    *rest = None;
                }
                if count > 1 || more {
                    return Err("\"all\" together with other criteria of Match".to_owned());
                }
                return Ok((matched && !negated).into());
            }
            count += 1;
            if name == "canonical" || name == "final" {
                self.options.wants_final |= name == "final";
                // Both hold on any second reading.
                matched &= self.second.is_some() != negated;
                continue;
            }
            // An empty value in quotes stands for no tag, and for no command.
            let value = match name.as_str() {
                "tagged" | "command" if rest.is_some_and(|rest| !rest.is_empty()) => {
                    delimited(rest)
                }
                _ => next(rest),
            };
            let value = value
                .filter(|value| !value.starts_with('#'))
                .ok_or_else(|| format!("a Match criterion without a value: {name}"))?;
            let holds = match name.as_str() {
                "host" => host_list(&value, &self.hostname()),
                "originalhost" => host_list(&value, self.asked.host),
                "user" => pattern_list(&value, &self.user()),
                "localuser" => pattern_list(&value, self.asked.local_user),
                // ssh does not run one either where nothing depends on it.
                "exec" if !matched || unknown.is_some() || place.outer != Holds::Yes => {
                    if matched && place.outer == Holds::Unknown {
                        unknown.get_or_insert(name);
                    }
                    continue;
                }
                "exec" => match self.execute(&value)? {
                    Some(holds) => holds,
                    None => {
                        unknown.get_or_insert(name);
                        continue;
                    }
                },
                "localnetwork" => on_network(&value)?,
                "tagged" => listed_or_empty(&value, self.options.tag.as_deref()),
                // A forward has neither a command nor a shell (ssh -N, ssh -W).
                "command" => listed_or_empty(&value, None),
                "sessiontype" => pattern_list(&value, "none"),
                // It is that of the ssh that is installed.
                "version" => {
                    unknown.get_or_insert(name);
                    continue;
                }
                _ => {
                    return Err(format!("a Match criterion that ssh does not know: {name}"));
                }
            };
            matched &= holds != negated;
        }
        if count == 0 {
            return Err("Match without a criterion".to_owned());
        }
        // Only a block that would count but for that criterion is worth a word.
        if let Some(name) = unknown {
            if !matched || place.outer == Holds::No {
                return Ok(Holds::No);
            }
            let condition = format!("Match {name}");
            self.not_followed(&condition, line, place);
            self.condition = Some(condition);
            return Ok(Holds::Unknown);
        }
        Ok(matched.into())
    }

    /// The host's name as far as it is known.
    pub(super) fn hostname(&self) -> String {
        match (&self.second, &self.options.hostname) {
            (Some(host), _) => host.clone(),
            (None, Some(name)) => name.replace("%h", self.asked.host).replace("%%", "%"),
            (None, None) => self.asked.host.to_owned(),
        }
    }

    pub(super) fn user(&self) -> String {
        let user = self.asked.user.or(self.options.user.as_deref());
        user.unwrap_or(self.asked.local_user).to_owned()
    }
}

/// The next word of a `Match` line.
fn next(rest: &mut Option<&str>) -> Option<String> {
    delimited(rest).filter(|word| !word.is_empty())
}

/// Where there is nothing, only an empty list holds.
fn listed_or_empty(list: &str, text: Option<&str>) -> bool {
    match text.filter(|text| !text.is_empty()) {
        Some(text) => pattern_list(list, text),
        None => list.is_empty(),
    }
}

/// Whether an interface of this machine that is up has an address in one of these
/// networks (readconf.c, `check_match_ifaddrs`).
fn on_network(list: &str) -> Result<bool, Problem> {
    let networks: Vec<IpNet> = list.split(',').map(network).collect::<Result<_, _>>()?;
    let Ok(interfaces) = getifaddrs() else {
        return Ok(false);
    };
    let up = interfaces.filter(|interface| interface.flags.contains(InterfaceFlags::IFF_UP));
    let mut addresses = up.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| v4.ip().into());
        // One that is of its link alone is in no network.
        let v6 = || address.as_sockaddr_in6().filter(|v6| v6.scope_id() == 0);
        v4.or_else(|| v6().map(|v6| IpAddr::from(v6.ip())))
    });
    Ok(addresses.any(|address| networks.iter().any(|network| network.contains(&address))))
}

/// An address, or a network without bits beyond its mask (addr.c,
/// `addr_pton_cidr`).
fn network(text: &str) -> Result<IpNet, Problem> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let network = text.parse::<IpNet>().ok().or_else(address);
    network
        .filter(|network| network.trunc() == *network)
        .ok_or_else(|| format!("Match localnetwork with {text}, which is not a network"))
}

/// Names of hosts are compared without case (match.c, `match_hostname`).
fn host_list(list: &str, host: &str) -> bool {
    pattern_list(&list.to_ascii_lowercase(), &host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;

    #[test]
    fn criteria() {
        for (line, holds) in [
            ("all", true),
            ("host h", true),
            ("host H*", true),
            ("originalhost ?,H", true),
            ("host = h", true),
            ("host=h user = me", true),
            ("host \"h\"user me", true),
            ("user ME", false),
            ("host !h,*", false),
            ("host a,h user me", true),
            ("user you", false),
            ("!user you", true),
            ("originalhost h localuser me", true),
            ("final", false),
            ("exec \"true\"", false),
            ("localnetwork 127.0.0.0/8", true),
            ("localnetwork 127.0.0.1 host h", true),
            ("localnetwork 192.0.2.0/30,::1/128,127.0.0.1", true),
            ("!localnetwork 127.0.0.0/8", false),
            ("localnetwork 198.51.100.0/24", false),
            ("localnetwork 128.0.0.0/8,126.0.0.0/8", false),
            ("sessiontype none", true),
            ("sessiontype shell,exec,subsystem", false),
            ("!sessiontype shell user me", true),
            ("command *", false),
            ("command \"\"", true),
            ("!command rsync*", true),
            ("tagged \"\"", true),
            ("tagged *", false),
        ] {
            let options = read(&format!("Match {line}\n Port 7"), "h").unwrap();
            assert_eq!(options.port == Some(7), holds, "{line}");
        }
        let options = read("Match host h exec \"x y\"\n Port 7", "h").unwrap();
        assert_eq!(options.unsupported[0].keyword, "Match exec");
        assert!(
            read("Match host q exec x\n Port 7", "h")
                .unwrap()
                .unsupported
                .is_empty()
        );
        let tagged = |tag: &str, line: &str| {
            let text = format!("Tag {tag}\nTag late\nMatch {line}\n Port 7");
            read(&text, "h").unwrap().port == Some(7)
        };
        assert!(tagged("work", "tagged home,w*"));
        assert!(!tagged("Work", "tagged work"));
        assert!(!tagged("work", "tagged \"\""));
        assert!(tagged("work", "!tagged late"));
        for bad in [
            "",
            "host",
            "tagged",
            "command",
            "localnetwork 10.0.0.1/8",
            "localnetwork 10.0.0.0/33",
            "localnetwork 10.0.0.0/8,",
            "localnetwork lan",
            "sessiontype \"\"",
            "nonsense x",
            "all user me",
            "user me host h all",
        ] {
            assert!(read(&format!("Match {bad}"), "h").is_err(), "{bad}");
        }
    }
}
