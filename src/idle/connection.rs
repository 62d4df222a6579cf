//! One test connection: idle, or with keepalives or queries, until its time is up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::config::Keepalives;
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::pipeline::{Another, Connected};
use crate::stage::Verdict;
use crate::stage::ssh::Bastion;
use crate::wire::server_error::ServerError;
use crate::wire::session::{IdleMessage, QueryError, Session};

use super::advice;
use super::ladder::{Drop, DropKind, ParkedEnd, SERVER_TIMEOUTS, TunnelPart, format_duration};
use super::own::OwnKeepalives;
use super::ssh_hop::HopEnd;

/// What a heartbeat and a wake-up send.
const BEAT: &str = "SELECT 1";
/// What holds a transaction open without taking anything.
const BEGIN: &str = "BEGIN READ ONLY";

/// How long the end of a connection may lag behind the words about it, and
/// the end of a tunnel behind the end of what goes through it.
const LAG: Duration = Duration::from_millis(500);

/// What is done for a connection while it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Nothing; then a query.
    Parked,
    /// The same, and it has never been used: a pooler may treat it otherwise.
    Unused,
    /// What the target's own settings send, and nothing else; then a query.
    Configured,
    /// TCP keepalives at this interval; then a query.
    Keepalive(Duration),
    /// A query at this interval.
    Heartbeat(Duration),
    /// Through a tunnel: a keepalive in every hop's SSH session at this
    /// interval (`ServerAliveInterval`); then a query.
    SshKeepalive(Duration),
    /// Through a tunnel: TCP keepalives at this interval, sent by the database
    /// (`tcp_keepalives_idle`), since those of a client end at the first hop.
    ServerKeepalive(Duration),
    /// An SSH session up to this hop, counted from 0, without a database
    /// connection, idle.
    Hop(usize),
}

/// What became of an arm.
#[derive(Debug)]
pub struct TestOutcome {
    /// How long it was to live, as of its end.
    pub life: Duration,
    /// How it ended.
    pub end: ParkedEnd,
}

/// An open connection.
pub struct TestConnection {
    beats: Vec<Beat>,
    line: ParkedLine,
    begun: Instant,
    patience: Duration,
    ctx: Ctx,
}

/// What is left alone.
enum ParkedLine {
    /// A session, and the SSH session that it goes through.
    Database(Box<Session>, Option<Through>),
    /// An SSH session.
    Ssh(Bastion),
}

impl TestConnection {
    /// Opens the connection and uses it once, as an application would have: a
    /// pooler may give it a server only then.
    ///
    /// # Errors
    /// The finding of the stage that failed.
    pub async fn open(way: &Way<'_>, care: Treatment, in_transaction: bool) -> Verdict<Self> {
        let connected = way.connected;
        let ctx = connected.ctx.clone();
        let keepalives = match care {
            Treatment::Keepalive(interval) => keepalives(Some(interval)),
            Treatment::Configured => way.own.tcp.unwrap_or(keepalives(None)),
            _ => keepalives(None),
        };
        let line = match care {
            Treatment::Hop(_)
            | Treatment::Configured
            | Treatment::Keepalive(_)
            | Treatment::SshKeepalive(_)
                if way.is_shared() =>
            {
                let finding = Finding::new(&crate::cause::idle::UNCLASSIFIED);
                return Err(finding.with("error", "the SSH server accepts no second login"));
            }
            Treatment::Hop(hop) => ParkedLine::Ssh(connected.hop(&keepalives, hop + 1).await?),
            _ => {
                let (mut session, through) = way.connect(care, keepalives).await?;
                if in_transaction {
                    ask(&mut session, BEGIN, &ctx).await?;
                }
                if care != Treatment::Unused {
                    ask(&mut session, BEAT, &ctx).await?;
                }
                ParkedLine::Database(Box::new(session), through)
            }
        };
        Ok(Self {
            beats: beats(care, &way.own),
            line,
            begun: Instant::now(),
            patience: ctx.timeout,
            ctx,
        })
    }

    /// When its silence began.
    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// Leaves it alone, or cares for it, until `until` (which may change) or
    /// until it ends. Where nobody is left who could say until when, it is
    /// closed and there is no outcome.
    pub async fn live(self, mut until: watch::Receiver<Instant>) -> Option<TestOutcome> {
        let Self {
            beats,
            line,
            begun,
            patience,
            ctx,
        } = self;
        let end = match line {
            ParkedLine::Ssh(bastion) => ssh_alone(&bastion, begun, &mut until, patience).await?,
            ParkedLine::Database(session, through) => {
                let mut database = Database {
                    session: *session,
                    through,
                    begun,
                    patience,
                    ctx,
                };
                let end = database.watch(&beats, &mut until).await;
                if !matches!(end, Some(ParkedEnd::Dropped(_))) {
                    // A farewell that cannot be sent must not hold the test up.
                    let _ = tokio::time::timeout(patience, database.session.close()).await;
                }
                end?
            }
        };
        let life = until.borrow().saturating_duration_since(begun);
        Some(TestOutcome { life, end })
    }
}

/// Something that is sent at an interval.
#[derive(Clone, Copy)]
struct Beat {
    interval: Duration,
    sent: Sent,
}

/// What is sent.
#[derive(Clone, Copy)]
enum Sent {
    /// A query.
    Query,
    /// A keepalive to one hop, or to every one.
    Ssh(Option<usize>),
}

/// What this program sends; TCP's keepalives the system sends.
fn beats(care: Treatment, own: &OwnKeepalives) -> Vec<Beat> {
    let beat = |interval, sent| Beat { interval, sent };
    match care {
        Treatment::Heartbeat(interval) => vec![beat(interval, Sent::Query)],
        Treatment::SshKeepalive(interval) => vec![beat(interval, Sent::Ssh(None))],
        Treatment::Configured => own
            .hops()
            .map(|(hop, interval)| beat(interval, Sent::Ssh(Some(hop))))
            .collect(),
        _ => Vec::new(),
    }
}

/// The SSH session that a connection goes through.
struct Through {
    bastion: Bastion,
    /// How many of its forwards the server had closed before.
    closed_before: usize,
}

impl Through {
    fn new(bastion: Bastion) -> Self {
        Self {
            closed_before: bastion.closed_forwards(bastion.last_hop()),
            bastion,
        }
    }
}

/// The way to the database.
pub struct Way<'a> {
    connected: &'a Connected,
    own: OwnKeepalives,
    shared: AtomicBool,
}

impl<'a> Way<'a> {
    /// The way that the run went.
    pub fn new(connected: &'a Connected) -> Self {
        Self {
            connected,
            own: OwnKeepalives::of(connected),
            shared: AtomicBool::new(false),
        }
    }

    /// Whether all go through the run's own SSH session: its server lets
    /// nobody in a second time without asking, as with a second factor.
    pub fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Relaxed)
    }

    /// Connects as the run did, through an SSH session of its own where that
    /// can be had. A shared one is kept alive by the others.
    async fn connect(
        &self,
        care: Treatment,
        keepalives: Keepalives,
    ) -> Verdict<(Session, Option<Through>)> {
        let options = match care {
            Treatment::ServerKeepalive(interval) => {
                Some(advice::server_options(interval.as_secs().max(1)))
            }
            _ => None,
        };
        let another = |own_hop| Another {
            keepalives,
            own_hop,
            options: options.clone(),
        };
        if !self.is_shared() {
            match self.connected.again(&another(true)).await {
                Ok((session, hop)) => return Ok((session, hop.map(Through::new))),
                Err(finding) if finding.cause.is_of(crate::cause::family::SSH_AUTH) => {
                    self.shared.store(true, Ordering::Relaxed);
                    if let Treatment::Configured
                    | Treatment::Keepalive(_)
                    | Treatment::SshKeepalive(_) = care
                    {
                        return Err(finding);
                    }
                }
                Err(finding) => return Err(finding),
            }
        }
        let (session, _) = self.connected.again(&another(false)).await?;
        let bastion = self.connected.bastion.clone();
        Ok((session, bastion.map(Through::new)))
    }
}

/// Keepalives at this interval, or none at all.
fn keepalives(interval: Option<Duration>) -> Keepalives {
    let seconds = interval.map_or(0, |time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
    Keepalives {
        enabled: interval.is_some(),
        idle: seconds,
        interval: seconds,
        count: 3,
        user_timeout: 0,
    }
}

/// Asks something of a fresh session; a failure is a finding.
pub async fn ask(session: &mut Session, sql: &str, ctx: &Ctx) -> Verdict<()> {
    let limit = Instant::now() + ctx.timeout;
    match session.query_until(sql, limit, ctx).await {
        Ok(_) => Ok(()),
        Err(error) => {
            let finding = Finding::new(&crate::cause::idle::UNCLASSIFIED);
            Err(finding.with("error", format!("{sql}: {error}")))
        }
    }
}

/// A database session under watch.
struct Database {
    session: Session,
    through: Option<Through>,
    begun: Instant,
    patience: Duration,
    ctx: Ctx,
}

impl Database {
    /// Sleeps, or sends what is to be sent, until its time is up, listening all
    /// the while; then asks for a last sign of life. `None` where nobody wants
    /// to know any more.
    async fn watch(
        &mut self,
        beats: &[Beat],
        until: &mut watch::Receiver<Instant>,
    ) -> Option<ParkedEnd> {
        let due = |beat: &Beat| (self.begun + beat.interval, *beat);
        let mut schedule: Vec<(Instant, Beat)> = beats.iter().map(due).collect();
        loop {
            let end = *until.borrow_and_update();
            let next = schedule.iter_mut().min_by_key(|(at, _)| *at);
            let next = next.filter(|(at, _)| *at < end);
            let wake = next.as_ref().map_or(end, |(at, _)| *at);
            tokio::select! {
                event = self.session.next_event() => {
                    if let Some(drop) = self.told(event).await {
                        return Some(ParkedEnd::Dropped(drop));
                    }
                }
                changed = until.changed() => changed.ok()?,
                () = tokio::time::sleep_until(wake.into()) => {
                    let through = self.through.as_ref();
                    let dropped = match &next {
                        Some((_, Beat { sent: Sent::Ssh(hop), .. })) => {
                            ssh_keepalive(through, *hop, self.begun, self.patience).await
                        }
                        _ => self.wake().await,
                    };
                    if let Some(drop) = dropped {
                        return Some(ParkedEnd::Dropped(drop));
                    }
                    let Some((at, beat)) = next else {
                        return Some(ParkedEnd::Survived);
                    };
                    *at += beat.interval;
                }
            }
        }
    }

    /// What something that arrived unasked means, if it is the end.
    async fn told(&mut self, event: IdleMessage) -> Option<Drop> {
        let at = self.begun.elapsed();
        let drop = match event {
            IdleMessage::Notice(_) | IdleMessage::Parameter(..) => return None,
            IdleMessage::Error(error) => {
                // The words come first, then the end of the connection.
                let ended = tokio::time::timeout(LAG, self.end()).await.is_ok();
                if !ended && error.severity == "ERROR" {
                    return None;
                }
                said(*error, at, true)
            }
            IdleMessage::Closed => ended(DropKind::Closed, at, true, None),
            IdleMessage::Reset => ended(DropKind::Reset, at, true, None),
            IdleMessage::Broken(text) => ended(self.broken(), at, true, Some(text)),
        };
        Some(placed(self.through.as_ref(), self.patience, drop).await)
    }

    /// Waits for the end of the connection.
    async fn end(&mut self) {
        while !matches!(
            self.session.next_event().await,
            IdleMessage::Closed | IdleMessage::Reset | IdleMessage::Broken(_)
        ) {}
    }

    /// Sends a query; no answer in time is a silent drop.
    async fn wake(&mut self) -> Option<Drop> {
        let at = self.begun.elapsed();
        let limit = Instant::now() + self.patience;
        let drop = match self.session.query_until(BEAT, limit, &self.ctx).await {
            Ok(_) => return None,
            // A refusal is an answer, unless it ends the session.
            Err(QueryError::Server(error)) if error.severity == "ERROR" => return None,
            Err(QueryError::Server(error)) => said(*error, at, false),
            Err(QueryError::Late) => ended(DropKind::Silent, at, false, None),
            Err(QueryError::Closed) => ended(DropKind::Closed, at, false, None),
            Err(QueryError::Reset) => ended(DropKind::Reset, at, false, None),
            Err(QueryError::Broken(text) | QueryError::Violated(text, _)) => {
                ended(self.broken(), at, false, Some(text))
            }
        };
        Some(placed(self.through.as_ref(), self.patience, drop).await)
    }

    /// A connection that the kernel gave up on, since keepalives or a query
    /// went without an answer, was dropped in silence.
    fn broken(&self) -> DropKind {
        use std::io::ErrorKind;
        let seen = self.session.wire().log.seen();
        match seen.read_error.or(seen.write_error) {
            Some(
                ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable,
            ) => DropKind::Silent,
            Some(ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted) => DropKind::Reset,
            _ => DropKind::Closed,
        }
    }
}

/// Sends a keepalive to one hop, or to every one; one that does not answer in
/// time was dropped in silence. A session that ended is told by the connection.
async fn ssh_keepalive(
    through: Option<&Through>,
    only: Option<usize>,
    begun: Instant,
    patience: Duration,
) -> Option<Drop> {
    let at = begun.elapsed();
    let bastion = &through?.bastion;
    if let Some(only) = only
        && bastion.is_alive(only, patience).await
    {
        return None;
    }
    let hop = bastion.first_silent(patience).await?;
    let silent = begun.elapsed() >= at + patience;
    silent.then(|| Drop {
        part: Some(TunnelPart::Ssh),
        hop: Some(hop),
        ..ended(DropKind::Silent, at, false, None)
    })
}

/// Through a tunnel, tells the part of the way that a drop belongs to.
async fn placed(through: Option<&Through>, patience: Duration, drop: Drop) -> Drop {
    let Some(Through {
        bastion,
        closed_before,
    }) = through
    else {
        return drop;
    };
    match drop.kind {
        DropKind::Server | DropKind::Pooler | DropKind::Ssh => drop,
        DropKind::Silent => {
            let (part, hop) = match bastion.first_silent(patience).await {
                None => (TunnelPart::Beyond, bastion.last_hop()),
                Some(hop) => (TunnelPart::Ssh, hop),
            };
            Drop {
                part: Some(part),
                hop: Some(hop),
                ..drop
            }
        }
        DropKind::Closed | DropKind::Reset => {
            let last = bastion.last_hop();
            match tokio::time::timeout(LAG, bastion.ended()).await {
                Ok(fate) => of_hop(fate, drop.at, drop.announced),
                Err(_) if bastion.closed_forwards(last) > *closed_before => Drop {
                    kind: DropKind::Ssh,
                    message: Some("it closed the forward and kept the session".to_owned()),
                    part: Some(TunnelPart::Forward),
                    hop: Some(last),
                    ..drop
                },
                Err(_) => Drop {
                    part: Some(TunnelPart::Beyond),
                    hop: Some(last),
                    ..drop
                },
            }
        }
    }
}

/// A drop by the end of a hop. A reset is no SSH server's doing: something
/// before it forgot the connection.
fn of_hop(fate: HopEnd, at: Duration, announced: bool) -> Drop {
    let kind = match fate.reset {
        true => DropKind::Reset,
        false => DropKind::Ssh,
    };
    let part = match fate.forward {
        true => TunnelPart::Forward,
        false => TunnelPart::Ssh,
    };
    Drop {
        part: Some(part),
        hop: Some(fate.hop),
        ..ended(kind, at, announced, Some(fate.words))
    }
}

/// The SQLSTATEs of the server's own idle timeouts.
fn is_timeout(sqlstate: &str) -> bool {
    SERVER_TIMEOUTS.contains(&sqlstate)
}

/// An SSH session is asked for a sign of life when its time is up.
async fn ssh_alone(
    bastion: &Bastion,
    begun: Instant,
    until: &mut watch::Receiver<Instant>,
    patience: Duration,
) -> Option<ParkedEnd> {
    loop {
        let end = *until.borrow_and_update();
        tokio::select! {
            fate = bastion.ended() => {
                let at = begun.elapsed();
                return Some(ParkedEnd::Dropped(of_hop(fate, at, true)));
            }
            changed = until.changed() => changed.ok()?,
            () = tokio::time::sleep_until(end.into()) => break,
        }
    }
    let at = begun.elapsed();
    Some(match bastion.first_silent(patience).await {
        None => ParkedEnd::Survived,
        Some(hop) => ParkedEnd::Dropped(Drop {
            part: Some(TunnelPart::Ssh),
            hop: Some(hop),
            ..ended(DropKind::Silent, at, false, None)
        }),
    })
}

/// A drop by somebody's words. A pooler's errors name no source file, unless
/// it passes on what the server said.
fn said(error: ServerError, at: Duration, announced: bool) -> Drop {
    let kind = match &error.file {
        None if !is_timeout(&error.code) => DropKind::Pooler,
        _ => DropKind::Server,
    };
    Drop {
        message: Some(error.message).filter(|message| !message.is_empty()),
        sqlstate: Some(error.code).filter(|code| !code.is_empty()),
        ..ended(kind, at, announced, None)
    }
}

fn ended(kind: DropKind, at: Duration, announced: bool, message: Option<String>) -> Drop {
    Drop {
        kind,
        at,
        announced,
        message,
        sqlstate: None,
        part: None,
        hop: None,
    }
}

impl std::fmt::Display for Treatment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Treatment::Parked => f.write_str("idle"),
            Treatment::Configured => f.write_str("as configured"),
            Treatment::Unused => f.write_str("idle, never used"),
            Treatment::Keepalive(interval) => {
                write!(f, "TCP keepalives every {}", format_duration(*interval))
            }
            Treatment::Heartbeat(interval) => {
                write!(f, "a query every {}", format_duration(*interval))
            }
            Treatment::SshKeepalive(interval) => {
                write!(f, "SSH keepalives every {}", format_duration(*interval))
            }
            Treatment::ServerKeepalive(interval) => {
                write!(
                    f,
                    "TCP keepalives of the database every {}",
                    format_duration(*interval)
                )
            }
            Treatment::Hop(hop) => write!(f, "SSH only, hop {}", hop + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, file: Option<&str>) -> ServerError {
        ServerError {
            severity: "FATAL".to_owned(),
            code: code.to_owned(),
            message: "words".to_owned(),
            file: file.map(str::to_owned),
            ..ServerError::default()
        }
    }

    #[test]
    fn a_server_names_its_source_and_a_pooler_does_not() {
        let at = Duration::from_secs(3);
        let server = said(error("57P05", Some("postgres.c")), at, true);
        assert!(server.kind == DropKind::Server && server.is_server_timeout());
        let pooler = said(error("08P01", None), at, true);
        assert_eq!(pooler.kind, DropKind::Pooler);
        assert_eq!(pooler.message.as_deref(), Some("words"));
    }

    #[test]
    fn parked_connections_have_no_keepalives() {
        assert!(!keepalives(None).enabled);
        let some = keepalives(Some(Duration::from_secs(30)));
        assert!(some.enabled && some.idle == 30 && some.interval == 30);
    }
}
