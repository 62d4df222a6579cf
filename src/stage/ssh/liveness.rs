//! How a session fares after it was proved: whether it still answers, how it
//! ended, and what failed because of that.

use std::time::{Duration, Instant};

use super::client::{SessionEnd, Watch};
use super::{Bastion, Session, classify};
use crate::cause::{Cause, auth, protocol, server, tls, tunnel};
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::stage::Verdict;
use crate::wire::tcp_info;

/// How long a server may take for a sign of life.
pub(super) const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// How often the news of a session's end is looked for, ten times.
const NEWS: Duration = Duration::from_millis(20);
/// What a session meets whose tunnel has died.
static LIKE_A_DEAD_TUNNEL: &[&Cause] = &[
    &protocol::CLOSED,
    &protocol::RESET,
    &protocol::SILENT,
    &protocol::STALL,
    &protocol::UNCLASSIFIED,
    &tls::CLOSED,
    &tls::RESET,
    &tls::TIMEOUT,
    &tls::UNCLASSIFIED,
    &auth::CLOSED,
    &auth::TIMEOUT,
    &auth::UNCLASSIFIED,
    &server::CLOSED,
    &server::TIMEOUT,
    &server::UNCLASSIFIED,
];

impl Bastion {
    /// How a session on the way ended, if one has: a finding that explains why everything through it broke.
    pub fn fate(&self) -> Option<Finding> {
        self.sessions
            .iter()
            .find_map(|session| Some(classify::lost(&session.hop, &session.end()?)))
    }

    /// The same, with a moment's patience for the news to arrive.
    pub async fn wait_for_disconnect(&self) -> Option<Finding> {
        for _ in 0..10 {
            if let Some(fate) = self.fate() {
                return Some(fate);
            }
            tokio::time::sleep(NEWS).await;
        }
        None
    }

    /// The finding for a session that has ended.
    pub async fn after_disconnect(&self) -> Finding {
        match self.wait_for_disconnect().await {
            Some(fate) => fate,
            None => self.lost(&SessionEnd::Closed),
        }
    }

    fn lost(&self, end: &SessionEnd) -> Finding {
        match self.last() {
            Some(session) => classify::lost(&session.hop, end),
            None => Finding::new(&tunnel::LOST).with("via", self.label.clone()),
        }
    }

    /// Asks the last hop for a sign of life.
    ///
    /// # Errors
    /// `tunnel.lost` where it does not answer before the limit.
    pub async fn ping(&self, ctx: &Ctx, limit: Instant) -> Verdict<Duration> {
        let began = Instant::now();
        let answered = match self.last() {
            Some(session) => ctx.until(limit, session.answers()).await,
            None => Ok(false),
        };
        match answered {
            Ok(true) => Ok(began.elapsed()),
            Ok(false) => Err(self.after_disconnect().await),
            Err(_) => Err(self.lost(&SessionEnd::Dead)),
        }
    }

    /// The sessions, the first hop's first.
    pub(crate) fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    pub(crate) fn last(&self) -> Option<&Session> {
        self.sessions.last()
    }

    /// What a failure of something that went through the tunnel comes from:
    /// `tunnel.lost` where the tunnel died under it, else the failure itself.
    /// Only failures that a dead tunnel looks like are looked into.
    pub async fn explain(&self, finding: Finding, ctx: &Ctx) -> Finding {
        if !finding.cause.is_any(LIKE_A_DEAD_TUNNEL) {
            return finding;
        }
        let fate = match self.wait_for_disconnect().await {
            Some(fate) => Some(fate),
            // In less time a tunnel that lives may not answer either.
            None if ctx.deadline < Instant::now() + SIGN_OF_LIFE => None,
            None => self.ping(ctx, Instant::now() + SIGN_OF_LIFE).await.err(),
        };
        match fate {
            Some(fate) => fate.with("seen_as", finding.cause.code),
            None => finding,
        }
    }
}

impl Session {
    /// Whether the server answers a keepalive (`keepalive@openssh.com`,
    /// OpenSSH PROTOCOL, section 2.4); any answer is a sign of life.
    pub(crate) async fn answers(&self) -> bool {
        self.handle.send_ping().await.is_ok() && self.end().is_none()
    }

    /// Whether what we send arrives at the first hop's machine: its kernel
    /// acknowledges all of it, whatever its programs do.
    pub(super) fn arrives(&self) -> bool {
        self.unacknowledged() == Some(0)
    }

    /// Whether some of it does not.
    pub(super) fn is_cut_off(&self) -> bool {
        self.unacknowledged().is_some_and(|packets| packets > 0)
    }

    fn unacknowledged(&self) -> Option<u32> {
        let socket = self.socket.upgrade()?;
        Some(tcp_info::tcp_info(&socket)?.unacked)
    }

    /// Whether it is OpenSSH's server.
    pub(crate) fn is_openssh(&self) -> bool {
        self.looks_up_first
    }

    /// What its callbacks saw.
    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// How it ended, if it has.
    pub(crate) fn end(&self) -> Option<SessionEnd> {
        let known = self.watch.seen().end.clone();
        known.or_else(|| self.handle.is_closed().then_some(SessionEnd::Closed))
    }
}
