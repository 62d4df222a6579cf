//! Forwards through a hop: `direct-tcpip` (RFC 4254, section 7.2) and
//! `direct-streamlocal@openssh.com`; and what a refusal of one means.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::Session;
use super::client::{ForwardRefusal, SessionEnd};
use super::liveness::SIGN_OF_LIFE;
use crate::cause::{Cause, tunnel};
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::wire::BoxIo;

/// Why a forward did not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardFailure {
    /// The hop refused it.
    Refused(ForwardRefusal),
    /// The hop did not answer in time.
    Late,
    /// The hop does nothing until it has looked the name up, and that lasts.
    LookingUp,
    /// The session ended.
    Lost(SessionEnd),
    /// The session ended before any forward was open.
    Aborted(SessionEnd),
}

/// What a forward was to reach.
#[derive(Clone, Copy, Debug)]
pub struct ForwardRequest<'a> {
    /// The host, as the hop is told it; a socket's file.
    pub host: &'a str,
    /// The port; 0 for a socket's file.
    pub port: u16,
    /// The hop that was to open it.
    pub via: &'a str,
    /// The later hop that it leads to, where it does not lead to the database.
    pub hop: Option<&'a str>,
    /// What the hop said when it let us in; mostly nothing.
    pub notice: &'a str,
}

impl Session {
    /// Opens a forward to a host and port.
    pub async fn open(
        &self,
        host: &str,
        port: u16,
        ctx: &Ctx,
        limit: Instant,
    ) -> Result<BoxIo, ForwardFailure> {
        let opening = self
            .handle
            .channel_open_direct_tcpip(host, u32::from(port), "127.0.0.1", 0);
        let first = !self.used.load(Ordering::Relaxed);
        let name = !host.eq_ignore_ascii_case("localhost") && host.parse::<IpAddr>().is_err();
        match self.opened(ctx.until(limit, opening).await).await {
            Err(ForwardFailure::Lost(SessionEnd::Dead))
                if name && self.looks_up_first && self.arrives() =>
            {
                Err(ForwardFailure::LookingUp)
            }
            Err(ForwardFailure::Lost(end)) if first && end != SessionEnd::Dead => {
                Err(ForwardFailure::Aborted(end))
            }
            opened => opened,
        }
    }

    /// Opens a forward to a unix socket.
    pub async fn open_unix(
        &self,
        path: &str,
        ctx: &Ctx,
        limit: Instant,
    ) -> Result<BoxIo, ForwardFailure> {
        let opening = self.handle.channel_open_direct_streamlocal(path);
        self.opened(ctx.until(limit, opening).await).await
    }

    async fn opened(
        &self,
        outcome: Result<Result<russh::Channel<russh::client::Msg>, russh::Error>, crate::ctx::Late>,
    ) -> Result<BoxIo, ForwardFailure> {
        match outcome {
            Ok(Ok(channel)) => {
                self.used.store(true, Ordering::Relaxed);
                Ok(Box::new(channel.into_stream()))
            }
            Ok(Err(russh::Error::ChannelOpenFailure(reason))) => Err(ForwardFailure::Refused(
                self.watch.refusal(reason.code()).await,
            )),
            Ok(Err(_)) => Err(ForwardFailure::Lost(self.watch.end().await)),
            // A target that is silent, or a server that is?
            Err(_) => match tokio::time::timeout(SIGN_OF_LIFE, self.answers()).await {
                Ok(true) => Err(ForwardFailure::Late),
                Ok(false) => Err(ForwardFailure::Lost(self.watch.end().await)),
                Err(_) => Err(ForwardFailure::Lost(SessionEnd::Dead)),
            },
        }
    }
}

/// The finding for a forward that did not open.
pub fn finding(failure: &ForwardFailure, wanted: &ForwardRequest<'_>) -> Finding {
    let cause = classify(failure);
    let mut finding = Finding::new(cause)
        .with("target", label(wanted))
        .with("target_host", wanted.host.to_owned())
        .with("via", wanted.via.to_owned());
    // Each for its own advice.
    finding = match wanted.port {
        0 => finding.with("socket", wanted.host.to_owned()),
        port => finding.with("target_port", port),
    };
    match wanted.hop {
        Some(hop) => finding = finding.with("hop", hop.to_owned()),
        // For the advice that is about a database.
        None => finding = finding.with("database_host", wanted.host.to_owned()),
    }
    match failure {
        ForwardFailure::Refused(refusal) => {
            finding = finding.with("code", refusal.code);
            if !refusal.words.is_empty() {
                finding = finding
                    .with("error", refusal.words.clone())
                    .with("words", refusal.words.clone());
            } else {
                finding = finding.with("error", format!("open failed, code {}", refusal.code));
            }
        }
        ForwardFailure::Late => finding = finding.with("error", "no answer to the forward in time"),
        ForwardFailure::LookingUp => {
            finding = finding
                .with(
                    "error",
                    "no answer to the forward in time, nor to a keepalive, although every packet is acknowledged: sshd does nothing else while it resolves a name",
                )
                .word("words", "the lookup takes longer than the timeout")
                .fix(
                    format!(
                        "The name servers of {} do not seem to answer: check /etc/resolv.conf there.",
                        wanted.via
                    ),
                    None,
                );
        }
        ForwardFailure::Lost(end) => {
            finding = finding
                .with("error", end.words())
                .with("when", "while it was in use")
                .with("bastion", wanted.via.to_owned());
        }
        ForwardFailure::Aborted(end) => {
            finding = finding
                .with("error", end.words())
                .with("when", "right after the login, before any forward was open")
                .fix(
                    "The server accepted the login and closed the connection at once; check its log for the reason. sshd does this to root if PermitRootLogin is forced-commands-only and the key has no command: log in as another user. Otherwise PAM may have refused the session, or sshd's child process could not start.",
                    None,
                );
        }
    }
    if std::ptr::eq(cause, &tunnel::PROHIBITED) && !wanted.notice.is_empty() {
        finding = finding.with("notice", wanted.notice.to_owned()).fix(
            "The server showed the notice in the evidence at login. If it asks for a new password, that is the cause (sshd forwards nothing until it is changed): log in once by hand with ssh and change it, or have an administrator check chage -l USER.",
            None,
        );
    }
    let here = ["localhost", "127.0.0.1", "::1"].contains(&wanted.host);
    if here
        && (std::ptr::eq(cause, &tunnel::TARGET_REFUSED)
            || std::ptr::eq(cause, &tunnel::TARGET_FAILED))
    {
        finding = finding.fix(
            format!(
                "{} is resolved on {}, not here: name {} as that machine knows it.",
                wanted.host,
                wanted.via,
                match wanted.hop {
                    Some(_) => "the next SSH server",
                    None => "the database's host",
                }
            ),
            None,
        );
    }
    match failure {
        // No host of the list is reached through a session that is over.
        ForwardFailure::Lost(_) | ForwardFailure::Aborted(_) => finding,
        _ => finding.then_next_host(),
    }
}

fn label(wanted: &ForwardRequest<'_>) -> String {
    match wanted {
        ForwardRequest { host, port: 0, .. } => (*host).to_owned(),
        ForwardRequest { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
        ForwardRequest { host, port, .. } => format!("{host}:{port}"),
    }
}

/// The cause of a refusal. The reason's number comes first; only `connect
/// failed` needs the server's words, which are the C library's own (servers
/// do not translate them) or, for some servers, Go's, or Python's with Linux's
/// number.
fn classify(failure: &ForwardFailure) -> &'static Cause {
    let refusal = match failure {
        ForwardFailure::Late => return &tunnel::TARGET_TIMEOUT,
        ForwardFailure::LookingUp => return &tunnel::TARGET_UNRESOLVED,
        ForwardFailure::Lost(_) | ForwardFailure::Aborted(_) => return &tunnel::LOST,
        ForwardFailure::Refused(refusal) => refusal,
    };
    match refusal.code {
        1 => return &tunnel::PROHIBITED,
        4 => return &tunnel::LIMIT,
        2 => {}
        _ => return &tunnel::UNCLASSIFIED,
    }
    let words = refusal.words.to_lowercase();
    let says = |fragments: &[&str]| fragments.iter().any(|fragment| words.contains(fragment));
    if says(RESOLVER) {
        &tunnel::TARGET_UNRESOLVED
    } else if says(&["refused", "[errno 111]"]) {
        &tunnel::TARGET_REFUSED
    } else if says(&["timed out", "timeout", "time-out", "[errno 110]"]) {
        &tunnel::TARGET_TIMEOUT
    } else if says(UNREACHABLE) {
        &tunnel::TARGET_UNREACHABLE
    } else {
        &tunnel::TARGET_FAILED
    }
}

/// `gai_strerror` of glibc, musl, the BSDs and macOS; Go's resolver.
const RESOLVER: &[&str] = &[
    "name or service not known",
    "name resolution",
    "no address associated",
    "address family for hostname not supported",
    "name does not resolve",
    "name has no usable address",
    "try again",
    "nodename nor servname",
    "hostname nor servname",
    "no such host",
    "unknown host",
    "host not found",
    "resolv",
];

/// `strerror` for routes: ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN,
/// and for a firewall of the server itself: EPERM, EACCES.
const UNREACHABLE: &[&str] = &[
    "unreachable",
    "[errno 101]",
    "[errno 113]",
    "no route to host",
    "is down",
    "operation not permitted",
    "permission denied",
    "cannot assign requested address",
    "can't assign requested address",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn code(number: u32, words: &str) -> &'static str {
        let refusal = ForwardRefusal {
            code: number,
            words: words.to_owned(),
        };
        classify(&ForwardFailure::Refused(refusal)).code
    }

    #[test]
    fn refusals_of_real_servers() {
        assert_eq!(code(1, "open failed"), "tunnel.prohibited");
        assert_eq!(code(2, "Connection refused"), "tunnel.target.refused");
        assert_eq!(
            code(2, "Name or service not known"),
            "tunnel.target.unresolved"
        );
        assert_eq!(
            code(2, "Temporary failure in name resolution"),
            "tunnel.target.unresolved"
        );
        assert_eq!(code(2, "Connection timed out"), "tunnel.target.timeout");
        assert_eq!(code(2, "No route to host"), "tunnel.target.unreachable");
        assert_eq!(
            code(2, "Network is unreachable"),
            "tunnel.target.unreachable"
        );
        assert_eq!(
            code(2, "[Errno 111] Connect call failed ('10.0.0.9', 5432)"),
            "tunnel.target.refused"
        );
        assert_eq!(code(2, "open failed"), "tunnel.target.failed");
        assert_eq!(code(2, ""), "tunnel.target.failed");
        assert_eq!(code(4, ""), "tunnel.limit");
        assert_eq!(code(99, ""), "tunnel.unclassified");
        assert_eq!(
            code(2, "dial tcp: lookup db.test on 10.0.0.2:53: no such host"),
            "tunnel.target.unresolved"
        );
    }
}
