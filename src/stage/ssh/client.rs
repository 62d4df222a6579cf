//! What the SSH library tells through its callbacks, kept where the stages
//! can look at it: the host key, the banner, why a forward was refused, how
//! the session ended.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use russh::client::{DisconnectReason, Handler, Session};
use russh::keys::PublicKeyOrCertificate;
use russh::keys::ssh_encoding;
use russh::{ChannelId, ChannelOpenFailure, Names};
use tokio::sync::Notify;

use super::host_key::{HostKeyVerifier, Judgement, Shown};
use crate::run_id::{self, RunId};
use crate::text;
use crate::wire::TeeLog;

/// How long a callback may come after the error that it explains.
const AFTERWORD: Duration = Duration::from_secs(1);
/// How many refused forwards are remembered.
const MOST_REFUSALS: usize = 64;

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// The server said goodbye (RFC 4253, section 11.1).
    Disconnected {
        /// The reason's number.
        code: u32,
        /// Its words.
        words: String,
    },
    /// The connection closed without a word.
    Closed,
    /// The connection broke.
    Broken(io::ErrorKind),
    /// No answer to keepalives.
    Dead,
    /// The server sent what the protocol does not allow.
    Violated(String),
    /// The server sent text that is not UTF-8, which the library does not read.
    NotText,
    /// The library gave up on it.
    Error(String),
}

impl SessionEnd {
    /// From the library's error.
    pub fn of(error: &russh::Error) -> Self {
        use russh::Error::*;
        match error {
            IO(error) if error.kind() == io::ErrorKind::UnexpectedEof => SessionEnd::Closed,
            IO(error) => SessionEnd::Broken(error.kind()),
            HUP | Disconnect => SessionEnd::Closed,
            KeepaliveTimeout | InactivityTimeout | ConnectionTimeout => SessionEnd::Dead,
            // A banner of an older time; OpenSSH shows what it can of it.
            SshEncoding(ssh_encoding::Error::CharacterEncoding) => SessionEnd::NotText,
            other if super::classify::violates(other) => SessionEnd::Violated(other.to_string()),
            other => SessionEnd::Error(other.to_string()),
        }
    }

    /// Whether the server gave its reason.
    pub fn is_explained(&self) -> bool {
        matches!(self, SessionEnd::Disconnected { words, .. } if !words.trim().is_empty())
    }

    /// As it stands in a sentence.
    pub fn words(&self) -> String {
        match self {
            SessionEnd::Disconnected { code, words } if words.is_empty() => {
                format!("the server disconnected without giving a reason (code {code})")
            }
            SessionEnd::Disconnected { words, .. } => format!("the server said \"{words}\""),
            SessionEnd::Closed => "the connection was closed without a message".to_owned(),
            SessionEnd::Broken(io::ErrorKind::ConnectionReset) => {
                "the connection was reset".to_owned()
            }
            SessionEnd::Broken(kind) => format!("the connection broke ({kind})"),
            SessionEnd::Dead => "the server no longer answers".to_owned(),
            SessionEnd::Violated(error) => format!("the server violated the protocol ({error})"),
            SessionEnd::NotText => {
                "the server sent text that is not UTF-8, which ssh shows and dbdoctor's SSH library \
                 cannot read"
                    .to_owned()
            }
            SessionEnd::Error(error) => error.clone(),
        }
    }
}

/// A forward that the server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardRefusal {
    /// The reason's number (RFC 4254, section 5.1).
    pub code: u32,
    /// The server's words.
    pub words: String,
}

/// What was seen of a session.
#[derive(Debug, Default)]
pub struct SshTranscript {
    /// The verdict on the host key.
    pub host_key: Option<Judgement>,
    /// The task that runs the session.
    pub task: Option<tokio::task::Id>,
    /// Whether it is being reached.
    judging: bool,
    /// How long that took.
    time_of_verdict: Duration,
    /// The algorithms agreed on: key exchange, host key, cipher, MAC.
    pub agreed: Option<[String; 4]>,
    /// What the server shows before authentication, at most 2,000 characters.
    pub banner: String,
    /// What it says once authentication has begun: sshd passes on what PAM
    /// says about the account (auth2.c, `userauth_finish`).
    pub notice: String,
    /// Whether it has answered a first request.
    answered: bool,
    /// Forwards that were refused and not yet explained to who asked.
    refusals: VecDeque<ForwardRefusal>,
    /// How many forwards the server closed that we had not closed.
    pub closed_forwards: usize,
    /// How it ended.
    pub end: Option<SessionEnd>,
}

/// The shared memory of a session.
#[derive(Debug, Default)]
pub struct Watch {
    seen: Mutex<SshTranscript>,
    changed: Notify,
}

impl Watch {
    /// What was seen so far.
    pub fn seen(&self) -> MutexGuard<'_, SshTranscript> {
        self.seen
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }

    fn change(&self, change: impl FnOnce(&mut SshTranscript)) {
        change(&mut self.seen());
        self.changed.notify_waiters();
    }

    /// Notes how the session ended, unless that is known already.
    pub fn note_end(&self, end: SessionEnd) {
        self.change(|seen| {
            seen.end.get_or_insert(end);
        });
    }

    /// Notes that the server has answered the first request.
    pub fn note_answer(&self) {
        self.change(|seen| seen.answered = true);
    }

    /// How long the verdict on the host key took, once; zero where there was none
    /// since. Waits for one that is being reached.
    pub async fn time_of_verdict(&self) -> Duration {
        let reached = |seen: &mut SshTranscript| {
            let time = std::mem::take(&mut seen.time_of_verdict);
            (!seen.judging).then_some(time)
        };
        self.until(reached).await
    }

    /// How the session ended; the callback may come a little after the error, but is not
    /// waited for after the deadline.
    pub async fn end(&self, deadline: Instant) -> SessionEnd {
        self.wait(deadline, |seen| seen.end.clone())
            .await
            .unwrap_or(SessionEnd::Closed)
    }

    /// Waits for the end of the session, for as long as it takes.
    pub async fn ended(&self) -> SessionEnd {
        self.until(|seen| seen.end.clone()).await
    }

    /// The server's words for a forward that it refused with this code.
    pub async fn refusal(&self, code: u32, deadline: Instant) -> ForwardRefusal {
        let take = |seen: &mut SshTranscript| {
            let at = seen.refusals.iter().position(|r| r.code == code)?;
            seen.refusals.remove(at)
        };
        self.wait(deadline, take).await.unwrap_or(ForwardRefusal {
            code,
            words: String::new(),
        })
    }

    async fn wait<T>(
        &self,
        deadline: Instant,
        look: impl FnMut(&mut SshTranscript) -> Option<T>,
    ) -> Option<T> {
        let limit = deadline.min(Instant::now() + AFTERWORD);
        tokio::time::timeout_at(limit.into(), self.until(look))
            .await
            .ok()
    }

    async fn until<T>(&self, mut look: impl FnMut(&mut SshTranscript) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(found) = look(&mut self.seen()) {
                return found;
            }
            changed.await;
        }
    }
}

/// The callbacks of one session.
pub struct Client {
    watch: Arc<Watch>,
    judge: Arc<HostKeyVerifier>,
    /// What was accepted: the next key exchange shows the same again.
    accepted: Option<Shown>,
    below: Arc<TeeLog>,
    /// The run that the session is part of: the library calls from a task of its own.
    run: Option<RunId>,
}

impl Drop for Client {
    /// The library drops its handler at the end, also where it forgets to say
    /// how that came (its own farewell failed on a broken connection).
    fn drop(&mut self) {
        let error = self.below.seen().read_error;
        self.watch
            .note_end(error.map_or(SessionEnd::Closed, SessionEnd::Broken));
    }
}

impl Client {
    /// For a session that is judged and watched by these, over a transport
    /// that is watched below.
    pub fn new(watch: Arc<Watch>, judge: HostKeyVerifier, below: Arc<TeeLog>) -> Self {
        Self {
            watch,
            judge: Arc::new(judge),
            accepted: None,
            below,
            run: RunId::current(),
        }
    }

    fn clean(&self, words: &str) -> String {
        run_id::enter(self.run, || text::clean(words))
    }
}

impl Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        let shown = Shown::from(shown);
        if self.accepted.as_ref() == Some(&shown) {
            return Ok(true);
        }
        let (judge, key, began) = (Arc::clone(&self.judge), shown.clone(), Instant::now());
        self.watch.change(|seen| seen.judging = true);
        let judged = tokio::task::spawn_blocking(move || judge.judge(&key)).await;
        let accepted = judged.as_ref().is_ok_and(|judgement| judgement.accepted);
        self.accepted = accepted.then_some(shown);
        self.watch.change(|seen| {
            seen.judging = false;
            seen.time_of_verdict = began.elapsed();
            seen.host_key = judged.ok();
        });
        Ok(accepted)
    }

    async fn kex_done(
        &mut self,
        _: Option<&[u8]>,
        names: &Names,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        let agreed = [
            names.kex.as_ref().to_owned(),
            names.key.to_string(),
            names.cipher.as_ref().to_owned(),
            names.server_mac.as_ref().to_owned(),
        ];
        self.watch.change(|seen| {
            seen.agreed = Some(agreed);
            seen.task = tokio::task::try_id();
        });
        Ok(())
    }

    async fn auth_banner(&mut self, banner: &str, _: &mut Session) -> Result<(), Self::Error> {
        self.watch.change(|seen| {
            let shown = match seen.answered {
                true => &mut seen.notice,
                false => &mut seen.banner,
            };
            let words = self.clean(banner);
            if shown.len() < text::LONGEST {
                if !shown.is_empty() && !words.is_empty() {
                    shown.push(' ');
                }
                shown.push_str(words.trim());
            }
        });
        Ok(())
    }

    async fn channel_open_failure(
        &mut self,
        _: ChannelId,
        reason: ChannelOpenFailure,
        description: &str,
        _: &str,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        let refusal = ForwardRefusal {
            code: reason.code(),
            words: self.clean(description),
        };
        self.watch.change(|seen| {
            if seen.refusals.len() == MOST_REFUSALS {
                seen.refusals.pop_front();
            }
            seen.refusals.push_back(refusal);
        });
        Ok(())
    }

    /// A close that answers ours does not come here: the channel is gone then.
    async fn channel_close(&mut self, _: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        self.watch.change(|seen| seen.closed_forwards += 1);
        Ok(())
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<Self::Error>,
    ) -> Result<(), Self::Error> {
        match reason {
            DisconnectReason::ReceivedDisconnect(said) => {
                self.watch.note_end(SessionEnd::Disconnected {
                    code: said.reason_code as u32,
                    words: self.clean(&said.message),
                });
                Ok(())
            }
            DisconnectReason::Error(error) => {
                self.watch.note_end(SessionEnd::of(&error));
                Err(error)
            }
        }
    }

    // What a server opens towards us is refused: dropping the handle says so.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: russh::Channel<russh::client::Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: russh::client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: russh::Channel<russh::client::Msg>,
        _: &str,
        _: russh::client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: russh::Channel<russh::client::Msg>,
        _: russh::client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: russh::Channel<russh::client::Msg>,
        _: russh::client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: russh::Channel<russh::client::Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: russh::client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: russh::Channel<russh::client::Msg>,
        _: &str,
        _: russh::client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: russh::Channel<russh::client::Msg>,
        _: &str,
        _: u32,
        _: russh::client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }
}
