//! Forwards through a hop: `direct-tcpip` (RFC 4254, section 7.2) and
//! `direct-streamlocal@openssh.com`; and what a refusal of one means.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::classify_auth::certificate_file;
use super::client::{ForwardRefusal, SessionEnd};
use super::identities::{Candidate, Credential};
use super::liveness::SIGN_OF_LIFE;
use super::{Session, banner, classify, product};
use crate::cause::{Cause, family, tunnel};
use crate::config::{Hop, host_port};
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::stage::dns::compose::Compose;
use crate::stage::dns::name::{self, Inside};
use crate::stage::hop;
use crate::system::System;
use crate::wire::BoxIo;

/// `SSH_OPEN_UNKNOWN_CHANNEL_TYPE` (RFC 4254, section 5.1).
const UNKNOWN_CHANNEL_TYPE: u32 = 3;

/// How long a server may be busy with a first forward, whose kernel acknowledges all that it
/// is sent: it opens the session (PAM) and looks names up before it answers anything.
const BUSY: Duration = Duration::from_millis(2_900);

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
#[derive(Clone, Copy)]
pub(crate) struct ForwardRequest<'a> {
    /// The host, as the hop is told it; a socket's file.
    pub host: &'a str,
    /// The port; 0 for a socket's file.
    pub port: u16,
    /// The session with the hop that was to open it.
    pub via: &'a Session,
    /// The later hop that it leads to, where it does not lead to the database.
    pub next: Option<&'a Hop>,
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
        let begun = Instant::now();
        let name = !host.eq_ignore_ascii_case("localhost") && host.parse::<IpAddr>().is_err();
        match self
            .opened(ctx.until(limit, opening).await, begun, ctx)
            .await
        {
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
        let begun = Instant::now();
        self.opened(ctx.until(limit, opening).await, begun, ctx)
            .await
    }

    /// The shortest silence after which a server is taken for dead.
    fn telling_silence(&self) -> Duration {
        match self.is_cut_off() {
            true => SIGN_OF_LIFE,
            false => BUSY,
        }
    }

    async fn opened(
        &self,
        outcome: Result<Result<russh::Channel<russh::client::Msg>, russh::Error>, crate::ctx::Late>,
        begun: Instant,
        ctx: &Ctx,
    ) -> Result<BoxIo, ForwardFailure> {
        let soon = ctx.deadline.min(Instant::now() + SIGN_OF_LIFE);
        match outcome {
            Ok(Ok(channel)) => {
                self.used.store(true, Ordering::Relaxed);
                Ok(Box::new(channel.into_stream()))
            }
            Ok(Err(russh::Error::ChannelOpenFailure(reason))) => Err(ForwardFailure::Refused(
                self.watch.refusal(reason.code(), ctx.deadline).await,
            )),
            Ok(Err(_)) => Err(ForwardFailure::Lost(self.watch.end(ctx.deadline).await)),
            // A target that is silent, or a server that is?
            Err(_) => match ctx.until(soon, self.answers()).await {
                Ok(true) => Err(ForwardFailure::Late),
                Ok(false) => Err(ForwardFailure::Lost(self.watch.end(ctx.deadline).await)),
                Err(_) if begun.elapsed() < self.telling_silence() => Err(ForwardFailure::Late),
                Err(_) => Err(ForwardFailure::Lost(SessionEnd::Dead)),
            },
        }
    }
}

/// The finding for a forward that did not open.
pub(crate) fn finding(failure: &ForwardFailure, wanted: &ForwardRequest<'_>) -> Finding {
    let via = wanted.via;
    if let ForwardFailure::Lost(end) | ForwardFailure::Aborted(end) = failure
        && end.is_explained()
    {
        let during = format!("the opening of the forward to {}", label(wanted));
        return classify::disconnected(&via.hop, end, &during);
    }
    let cause = cause_of(failure);
    let mut finding = Finding::new(cause)
        .with("target", label(wanted))
        .with("target_host", wanted.host.to_owned())
        .with("via", via.label.clone())
        .word("via_host", via.hop.host.clone());
    // Each for its own advice.
    finding = match wanted.port {
        0 => finding.with("socket", wanted.host.to_owned()),
        port => finding.with("target_port", port),
    };
    finding = match wanted.next {
        Some(next) => hop::described(finding, next),
        None => finding.word("database_host", wanted.host.to_owned()),
    };
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
            // Text from there may look like a reason, and only repeats the code.
            if refusal.code == UNKNOWN_CHANNEL_TYPE {
                finding = finding.fix(
                    format!(
                        "{} does not know this kind of forward at all: it has no such feature, or it was built without it. Go through another SSH server.",
                        via.label
                    ),
                    None,
                );
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
                        via.label
                    ),
                    None,
                );
        }
        ForwardFailure::Lost(end) => {
            finding = finding
                .with("error", end.words())
                .with("when", "while it was in use")
                .with("bastion", via.label.clone());
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
    let (banner, notice) = {
        let seen = via.watch.seen();
        (seen.banner.clone(), seen.notice.clone())
    };
    let prohibited = cause == &tunnel::PROHIBITED;
    if prohibited && !notice.is_empty() {
        finding = finding.with("notice", notice).fix(
            format!(
                "The server showed the notice in the evidence at login. If it asks for a new password, that is the cause (sshd forwards nothing until it is changed): log in once by hand with ssh and change it, or have an administrator check chage -l {}.",
                via.hop.user
            ),
            None,
        );
    }
    if prohibited && let Some(key) = &via.certificate {
        finding = withheld_by(finding, key);
    }
    if prohibited {
        finding = banner::reason(finding, &banner).with("client_address", via.client_address());
    }
    if cause.is_any(&[&tunnel::PROHIBITED, &tunnel::LIMIT, &tunnel::UNCLASSIFIED]) {
        finding = product::advised(finding, &via.hop, &via.software);
    }
    if cause.is_of(family::TUNNEL_TARGET) {
        finding = seen_from_there(finding, wanted);
    }
    match failure {
        // No host of the list is reached through a session that is over.
        ForwardFailure::Lost(_) | ForwardFailure::Aborted(_) => finding,
        _ => finding.then_next_host(),
    }
}

/// The certificate of the login may be what forbids the forward: without
/// `permit-port-forwarding` there is none (PROTOCOL.certkeys).
fn withheld_by(finding: Finding, key: &Candidate) -> Finding {
    let Credential::Certificate(certificate) = &key.credential else {
        return finding;
    };
    let extensions = certificate.extensions();
    if extensions
        .iter()
        .any(|(name, _)| name == "permit-port-forwarding")
    {
        return finding;
    }
    let file = certificate_file(key);
    let command = file.as_deref().and_then(|file| shlex::try_quote(file).ok());
    finding
        .with("certificate_lacks", "permit-port-forwarding")
        .with("certificate_id", certificate.key_id().to_owned())
        .with("certificate_file", file.clone())
        .fix(
            "The certificate of this login does not permit port forwarding: have one issued with the extension permit-port-forwarding (ssh-keygen -s sets it unless -O clear or -O no-port-forwarding is given). Its extensions are shown by:",
            command.map(|file| format!("ssh-keygen -L -f {file}")),
        )
}

/// What the target's name means on the hop, where it means another machine
/// than here, or none.
fn seen_from_there(finding: Finding, wanted: &ForwardRequest<'_>) -> Finding {
    let (host, via) = (wanted.host, &wanted.via.hop.host);
    let what = match wanted.next {
        Some(_) => "the next SSH server",
        None => "the database",
    };
    if is_itself(host) {
        // A hop that is reached through a forward has a loopback address too.
        let named = match is_itself(via) {
            true => "the SSH server",
            false => via.as_str(),
        };
        // The advice about the target's machine is about the hop's.
        return finding
            .word("database_host", wanted.next.is_none().then(|| via.clone()))
            .with("loopback_of", via.clone())
            .fix(
                format!(
                    "{host} is {named} itself here, not this machine: name {what} as {named} knows it, unless it runs on {named}."
                ),
                None,
            );
    }
    let finding = match wanted.port {
        0 => finding,
        _ => finding.with(
            "remote_database",
            wanted.next.is_none().then(|| host.to_owned()),
        ),
    };
    if finding.cause != &tunnel::TARGET_UNRESOLVED {
        return finding;
    }
    let compose = Compose::read(&System::of_process());
    let service = compose.service(host, wanted.port);
    match name::inside(host, service.map(|service| service.file.as_str())) {
        Some(Inside::DockerHost) => finding.fix(
            format!(
                "{host} is a container's name for the machine that runs it, and {via} resolves it here: use localhost if {what} runs on {via}, else its own name."
            ),
            None,
        ),
        Some(inside) => finding.with("inside", inside.place()).fix(
            format!(
                "{host} is a name inside {}, and {via} resolves it here: if the container runs on {via}, use localhost with the port that it publishes; else the name or address that {via} reaches.",
                inside.place()
            ),
            None,
        ),
        None => finding,
    }
}

/// Whether a host means whichever machine looks at it.
fn is_itself(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().is_loopback() || ip.is_unspecified(),
        Err(_) => host.is_empty() || name::is_localhost(host),
    }
}

fn label(wanted: &ForwardRequest<'_>) -> String {
    match wanted {
        ForwardRequest { host, port: 0, .. } => (*host).to_owned(),
        ForwardRequest { host, port, .. } => host_port(host, *port),
    }
}

/// The cause of a refusal. The reason's number comes first; only `connect
/// failed` needs the server's words, which are the C library's own (servers
/// do not translate them) or, for some servers, Go's, or Python's with Linux's
/// number.
fn cause_of(failure: &ForwardFailure) -> &'static Cause {
    let refusal = match failure {
        ForwardFailure::Late => return &tunnel::TARGET_TIMEOUT,
        ForwardFailure::LookingUp => return &tunnel::TARGET_UNRESOLVED,
        ForwardFailure::Lost(_) | ForwardFailure::Aborted(_) => return &tunnel::LOST,
        ForwardFailure::Refused(refusal) => refusal,
    };
    match refusal.code {
        1 | UNKNOWN_CHANNEL_TYPE => return &tunnel::PROHIBITED,
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
        cause_of(&ForwardFailure::Refused(refusal)).code
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
        assert_eq!(code(3, "unknown channel type"), "tunnel.prohibited");
        assert_eq!(code(99, ""), "tunnel.unclassified");
        assert_eq!(
            code(2, "dial tcp: lookup db.test on 10.0.0.2:53: no such host"),
            "tunnel.target.unresolved"
        );
    }
    #[test]
    fn a_loopback_target_is_the_hop_itself() {
        for host in [
            "127.0.0.1",
            "127.1.2.3",
            "::1",
            "localhost",
            "0.0.0.0",
            "",
            "db.localhost",
        ] {
            assert!(is_itself(host), "{host}");
        }
        for host in ["10.0.0.1", "db", "localhost.test", "128.0.0.1"] {
            assert!(!is_itself(host), "{host}");
        }
    }
}
