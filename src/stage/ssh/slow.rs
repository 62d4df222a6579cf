//! A session that works, and a server that keeps the client waiting: at which
//! step, and what delays that one.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Session;
use super::classify;
use crate::cause;
use crate::config::Hop;
use crate::finding::Finding;
use crate::report::ms;
use crate::wire::waits::{Awaited, Delays, is_delay};
use crate::wire::{TeeLog, dial};

/// More than the answer to the request for a forward has, in bytes: 17 of its own
/// (RFC 4254, 5.1), padding, and a MAC of 64 at most. The list of host keys that
/// OpenSSH sends before it has more than 80 of its own.
const CONFIRMATION: u64 = 128;

/// The warning for a login with a step that came late, over this transport.
pub fn login(hop: &Hop, log: &Arc<TeeLog>, socket: Option<&socket2::Socket>) -> Option<Finding> {
    // KnownHostsCommand runs between the messages of the key exchange, and its time cannot be
    // told from the server's.
    let ours = |awaited| match awaited {
        Awaited::Person => true,
        Awaited::KeyExchange | Awaited::SshAuth("none") => hop.known_hosts_command.is_some(),
        _ => false,
    };
    let waits = log.seen().waits.clone();
    let waits = waits.iter().filter(|wait| !ours(wait.awaited));
    let delays = Delays::among(waits, socket)?;
    let longest = delays.longest;
    let finding = about(hop, longest.took, delays.total)
        .with("awaited", longest.awaited.name())
        .with("waits", delays.described)
        .with("rtt_ms", delays.rtt_ms)
        .word("doing", doing(longest.awaited));
    let name = |applies: bool| applies.then(|| hop.label());
    let command = hop.proxy_command.is_some();
    Some(match longest.awaited {
        Awaited::Identification => finding
            .word("by_command", name(command))
            .word("starts", name(!command)),
        Awaited::KeyExchange => finding.word("computes", name(true)),
        Awaited::SshAuth("none") => finding
            .word("looks_up", name(true))
            .word("reads_account", name(true))
            .word("account", hop.user.clone()),
        Awaited::SshAuth("publickey") => finding.word("reads_keys", name(true)),
        _ => finding.word("asks_pam", name(true)),
    })
}

impl Session {
    /// Whether no forward has been open yet.
    pub fn is_unused(&self) -> bool {
        !self.used.load(Ordering::Relaxed)
    }

    /// The warning for a forward through this hop that took long to open.
    /// `first` is whether it is the session's first.
    pub fn slow_forward(
        &self,
        host: &str,
        port: u16,
        took: Duration,
        first: bool,
    ) -> Option<Finding> {
        let socket = self.socket.upgrade();
        if !is_delay(took, socket.as_deref()) {
            return None;
        }
        let target = match port {
            0 => host.to_owned(),
            port => format!("{host}:{port}"),
        };
        let name = |applies: bool| applies.then(|| self.label.clone());
        let looked_up = port != 0 && host.parse::<IpAddr>().is_err();
        // OpenSSH's server opens its session, lists its host keys, and only then
        // turns to the forward (session.c, `do_authenticated`).
        let last = {
            let seen = self.below.seen();
            seen.received - seen.received_before_pause
        };
        let opens_session = first && (!self.looks_up_first || last > CONFIRMATION);
        let connects = port != 0 && !(opens_session && self.looks_up_first);
        Some(
            about(&self.hop, took, took)
                .with("awaited", "direct-tcpip")
                .with("target", target.clone())
                .word("doing", format!("to open the forward to {target}"))
                .word("opens_session", name(opens_session))
                .word("connects", name(connects && looked_up))
                .word("reaches", name(connects && !looked_up))
                .word("forward_host", looked_up.then(|| host.to_owned())),
        )
    }
}

fn about(hop: &Hop, took: Duration, total: Duration) -> Finding {
    classify::about(&cause::ssh::SLOW, hop)
        .with("took", dial::seconds(took))
        .with("ms", ms(total))
}

/// What the server did with the time, as it stands in the summary.
fn doing(awaited: Awaited) -> String {
    match awaited {
        Awaited::Identification => "to send its identification".to_owned(),
        Awaited::KeyExchange => "for the key exchange".to_owned(),
        Awaited::SshAuth("none") => "to answer the first authentication request".to_owned(),
        other => format!("to answer {} authentication", other.name()),
    }
}
