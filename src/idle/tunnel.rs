//! What keeps a connection through a tunnel open: which end has to send
//! something, so that it reaches the part of the way that drops it.

use std::borrow::Cow;

use crate::config::{Hop, conninfo};
use crate::finding::Finding;
use crate::pipeline::{Connected, joined};

use super::advice::{Numbers, server_options};
use super::ladder::TunnelPart;

/// The tunnel as the target names it.
#[derive(Clone, Debug, Default)]
pub struct Tunnel {
    /// The SSH servers on the way, the first hop first.
    pub hops: Vec<String>,
    /// What its forward leads to, as `ssh -L` takes it.
    forward: String,
    /// The target's own `options`.
    options: Option<String>,
}

/// What the connections that were cared for have shown.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// Whether keepalives in the SSH sessions prevent the drop.
    pub ssh_keepalive: Option<bool>,
    /// Whether TCP keepalives of the database prevent it.
    pub server_keepalive: Option<bool>,
}

impl Tunnel {
    /// The run's, without hops where it has none.
    pub fn of(connected: &Connected) -> Self {
        let Some(ssh) = &connected.target.ssh else {
            return Self::default();
        };
        Self {
            hops: ssh.hops.iter().map(Hop::label).collect(),
            forward: connected.endpoint.label(),
            options: connected.target.options.clone(),
        }
    }

    /// A tunnel through these.
    #[cfg(test)]
    pub fn through(hops: &[&str]) -> Self {
        Self {
            hops: hops.iter().map(|hop| (*hop).to_owned()).collect(),
            forward: "db:5432".to_owned(),
            options: None,
        }
    }

    /// Adds the settings that reach the part that drops, and at which end.
    pub fn fixes(
        &self,
        finding: Finding,
        (part, hop): (TunnelPart, usize),
        numbers: Numbers,
        reach: Reach,
    ) -> Finding {
        let seconds = numbers.keepalive;
        let Some(label) = self.hops.get(hop) else {
            return finding;
        };
        match part {
            TunnelPart::Ssh if reach.ssh_keepalive != Some(false) => {
                let finding = match hop + 1 == self.hops.len() {
                    true => finding.fix(
                        "Send SSH keepalives from the client: add these options to the command \
                         that opens the tunnel, or the same settings to ~/.ssh/config:",
                        self.command(seconds),
                    ),
                    // ssh does not pass options to the ssh of a jump host.
                    false => finding.fix(
                        format!(
                            "Send SSH keepalives to the jump host {label}: set \
                             ServerAliveInterval {seconds} and ServerAliveCountMax 3 for it in \
                             ~/.ssh/config (options of the command line do not reach it)."
                        ),
                        None,
                    ),
                };
                finding.fix(
                    format!(
                        "Or send them from the other end: set ClientAliveInterval {seconds} in the \
                         sshd_config of {label}, and reload sshd."
                    ),
                    None,
                )
            }
            TunnelPart::Forward => {
                let (finding, counted) = match reach.ssh_keepalive {
                    Some(true) => (
                        finding.fix(
                            "Send SSH keepalives through the forward that was closed: add these \
                             options to the command that opens the tunnel:",
                            self.command(seconds),
                        ),
                        "such as SSH keepalives to the next hop",
                    ),
                    _ => (finding, "such as queries, and no keepalives"),
                };
                finding.fix(
                    format!(
                        "Raise or remove ChannelTimeout (for direct-tcpip) in the sshd_config of \
                         {label}, and reload sshd; it counts only data in the forward, {counted}."
                    ),
                    None,
                )
            }
            TunnelPart::Beyond if reach.server_keepalive == Some(true) => finding.fix(
                format!(
                    "Send TCP keepalives from the database, since the client's end at the tunnel: \
                     set tcp_keepalives_idle and tcp_keepalives_interval to {seconds} in \
                     postgresql.conf, or in the connection string:"
                ),
                self.connection_string(seconds),
            ),
            TunnelPart::Ssh | TunnelPart::Beyond => finding,
        }
    }

    /// The tunnel by hand, with keepalives.
    fn command(&self, seconds: u64) -> Option<String> {
        let quoted = |word: String| shlex::try_quote(&word).ok().map(Cow::into_owned);
        let (last, jumps) = self.hops.split_last()?;
        let jumps = match jumps.is_empty() {
            true => String::new(),
            false => format!("-J {} ", quoted(jumps.join(","))?),
        };
        Some(format!(
            "ssh -o ServerAliveInterval={seconds} -o ServerAliveCountMax=3 {jumps}-N -L {} {}",
            quoted(format!("127.0.0.1:15432:{}", self.forward))?,
            quoted(format!("ssh://{last}"))?
        ))
    }

    /// A connection that has the server send TCP keepalives.
    fn connection_string(&self, seconds: u64) -> Option<String> {
        let options = joined(self.options.as_deref(), Some(&server_options(seconds)))?;
        shlex::try_join(["psql", &conninfo::setting("options", &options)]).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause;

    const NUMBERS: Numbers = Numbers {
        keepalive: 20,
        retire: 45,
    };

    fn fixes(hop: usize, part: TunnelPart, ssh: Option<bool>, server: Option<bool>) -> String {
        let tunnel = Tunnel::through(&["a@one:22", "b@two:22"]);
        let reach = Reach {
            ssh_keepalive: ssh,
            server_keepalive: server,
        };
        let finding = Finding::new(&cause::idle::BLACK_HOLE);
        let finding = tunnel.fixes(finding, (part, hop), NUMBERS, reach);
        let fixes = finding.fixes();
        fixes
            .iter()
            .map(|fix| format!("{} {}\n", fix.text, fix.command.clone().unwrap_or_default()))
            .collect()
    }

    #[test]
    fn each_part_has_the_setting_that_reaches_it() {
        let last = fixes(1, TunnelPart::Ssh, Some(true), Some(false));
        assert!(
            last.contains(
                "ssh -o ServerAliveInterval=20 -o ServerAliveCountMax=3 -J a@one:22 -N -L \
             127.0.0.1:15432:db:5432 ssh://b@two:22"
            ),
            "{last}"
        );
        assert!(last.contains("ClientAliveInterval 20 in the sshd_config of b@two:22"));
        let jump = fixes(0, TunnelPart::Ssh, None, None);
        assert!(jump.contains("jump host a@one:22") && !jump.contains("-N"));
        let forward = fixes(0, TunnelPart::Forward, Some(false), Some(false));
        assert!(forward.contains("ChannelTimeout") && forward.contains("a@one:22"));
        let beyond = fixes(1, TunnelPart::Beyond, Some(false), Some(true));
        assert!(
            beyond.contains(
                "psql \"options='-c tcp_keepalives_idle=20 -c tcp_keepalives_interval=20'\""
            ),
            "{beyond}"
        );
    }

    #[test]
    fn what_was_shown_not_to_help_is_not_advised() {
        let session = fixes(1, TunnelPart::Ssh, Some(false), None);
        assert!(!session.contains("AliveInterval"));
        let beyond = fixes(1, TunnelPart::Beyond, None, Some(false));
        assert!(!beyond.contains("tcp_keepalives_idle"));
    }
}
