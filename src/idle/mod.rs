//! `idle`: who drops a connection that is left alone, after how long, and
//! what prevents it.
//!
//! Up to eight connections are parked at once, TCP keepalives off, each to be
//! woken after another silence, so that a threshold is bracketed in the time
//! of the longest rung. Beside them one has TCP keepalives and one sends a
//! query now and then: what they outlive, they prevent. Where the target's own
//! keepalives come within the longest silence, one has those, is left alone for
//! all of it and decides the verdict. A drop that is told
//! while parked is timed as it comes; one that is only found at waking up is
//! looked at once more, with rungs inside its bracket.
//!
//! Through a tunnel every connection has an SSH session of its own, as an
//! application's tunnel would, so that the part of the way that dropped it
//! can be asked for a sign of life; beside them each hop has an SSH session
//! that carries nothing. TCP keepalives of a client end at the first hop, so
//! two more connections show what reaches further: keepalives in the SSH
//! sessions, and TCP keepalives that the database sends.

mod advice;
mod classify;
mod connection;
mod ladder;
mod own;
mod ssh_hop;
mod suspects;
mod tunnel;

use std::collections::HashMap;
use std::pin::Pin;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::finding::Finding;
use crate::pipeline::{Another, Connected};
use crate::report::StageRecord;
use crate::stage::Verdict;

use classify::{IdleEvidence, described};
use connection::{TestConnection, TestOutcome, Treatment, Way};
pub use ladder::format_duration;
use ladder::{DropKind, ParkedEnd, RUNGS, Rung};

/// The usual time between keepalives and between heartbeats.
const INTERVAL: Duration = Duration::from_secs(30);
/// The least time between them: the kernel counts keepalives in seconds.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);
/// A bracket narrower than this is narrow enough.
const NARROW: Duration = Duration::from_millis(1_000);
/// How many connections there are beside the parked ones.
const OTHERS: u64 = 3;
/// How many connections are opened at once.
const AT_ONCE: usize = 3;
/// How long the connections may take to say goodbye.
const GOODBYE: Duration = Duration::from_millis(300);
/// How many times a bracket is looked into.
const MOST_PASSES: u32 = 3;

/// How the test is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The longest silence.
    pub longest: Duration,
    /// How often keepalives and heartbeats go out, where the user says so.
    pub interval: Option<Duration>,
    /// Whether a transaction is held open meanwhile.
    pub in_transaction: bool,
    /// How many connections the server has to spare, as far as is known.
    pub spare: Option<u64>,
}

impl Plan {
    /// Up to this long, and all else as usual.
    pub fn new(longest: Duration) -> Self {
        Self {
            longest,
            interval: None,
            in_transaction: false,
            spare: None,
        }
    }

    /// The interval of the first pass: often enough to matter in the time
    /// there is.
    fn first_interval(&self) -> Duration {
        self.interval
            .unwrap_or_else(|| INTERVAL.min(self.longest / 6))
            .max(LEAST_INTERVAL)
    }

    /// How many connections may be parked at first: of those that the server
    /// has to spare, at most two thirds are taken.
    fn rungs(&self) -> u32 {
        self.room(|spare| spare * 2 / 3)
    }

    /// How many more may be parked where so many others of ours are open or
    /// were left behind.
    fn more_rungs(&self, others: usize) -> u32 {
        self.room(|spare| spare.saturating_sub(others as u64))
    }

    /// Some are kept for what is cared for, or for a look beside.
    fn room(&self, of: impl FnOnce(u64) -> u64) -> u32 {
        match self.spare {
            Some(spare) => {
                let room = of(spare).saturating_sub(OTHERS).max(1);
                u32::try_from(room).unwrap_or(RUNGS).min(RUNGS)
            }
            None => RUNGS,
        }
    }
}

/// What happens while the test goes on, for people.
#[derive(Clone, Debug)]
pub enum Event {
    /// A connection is open.
    Opened {
        /// Its number.
        id: usize,
        /// What is done for it.
        care: String,
        /// When its time began.
        begun: Instant,
        /// When it will be woken.
        until: Instant,
    },
    /// It will be woken at another time.
    Hurried {
        /// Its number.
        id: usize,
        /// When.
        until: Instant,
    },
    /// It came to its end.
    Ended {
        /// Its number.
        id: usize,
        /// What happened to it.
        what: String,
        /// Whether it lived.
        lived: bool,
    },
    /// It has nothing more to tell and was closed.
    Retired {
        /// Its number.
        id: usize,
    },
    /// What all of them say so far.
    Known(String),
    /// Something worth a word.
    Note(String),
}

/// Who is told.
pub type Tell<'a> = &'a mut (dyn FnMut(Event) + Send);

/// The user's wish to end it.
pub type Stop<'a> = Pin<&'a mut (dyn Future<Output = ()> + Send)>;

/// Parks the connections and waits for them, until all is known or until
/// `stop`; then says what is known. Whether it was stopped is returned beside
/// the verdict.
pub async fn probe(
    connected: &Connected,
    plan: Plan,
    record: &mut StageRecord,
    tell: Tell<'_>,
    mut stop: Stop<'_>,
) -> (Verdict<()>, bool) {
    let mut test = IdleTest::new(connected, plan, record, tell);
    let (opened, stopped) = tokio::select! {
        opened = test.run() => (opened, false),
        () = &mut stop => (Ok(()), true),
    };
    test.close().await;
    let verdict = match opened {
        Ok(()) => test.known.conclude(test.record),
        Err(finding) => Err(finding),
    };
    if stopped {
        let so_far = std::mem::take(&mut test.record.summary);
        test.record.summary = match so_far.is_empty() {
            true => "interrupted".to_owned(),
            false => format!(
                "{so_far}; interrupted after {}",
                format_duration(test.began.elapsed())
            ),
        };
    }
    (verdict, stopped)
}

/// A connection that is open.
struct OpenConnection {
    care: Treatment,
    begun: Instant,
    silence: Duration,
    /// Dropping it ends the connection in order, without an outcome.
    until: watch::Sender<Instant>,
}

/// The test as it goes on.
struct IdleTest<'a> {
    connected: &'a Connected,
    way: Way<'a>,
    plan: Plan,
    record: &'a mut StageRecord,
    tell: Tell<'a>,
    began: Instant,
    known: IdleEvidence,
    interval: Duration,
    passes: u32,
    opened: usize,
    live: HashMap<usize, OpenConnection>,
    tasks: JoinSet<()>,
    send: mpsc::Sender<(usize, TestOutcome)>,
    outcomes: mpsc::Receiver<(usize, TestOutcome)>,
}

impl<'a> IdleTest<'a> {
    fn new(
        connected: &'a Connected,
        plan: Plan,
        record: &'a mut StageRecord,
        tell: Tell<'a>,
    ) -> Self {
        let (send, outcomes) = mpsc::channel(64);
        let known = IdleEvidence::new(connected, plan);
        // Through a tunnel two more are cared for.
        let more = if connected.bastion.is_some() { 2 } else { 0 };
        let more = more + u64::from(known.has_own());
        let plan = Plan {
            spare: plan.spare.map(|spare| spare.saturating_sub(more)),
            ..plan
        };
        known.note(record);
        Self {
            connected,
            way: Way::new(connected),
            plan,
            record,
            tell,
            began: Instant::now(),
            known,
            interval: plan.first_interval(),
            passes: 1,
            opened: 0,
            live: HashMap::new(),
            tasks: JoinSet::new(),
            send,
            outcomes,
        }
    }

    async fn run(&mut self) -> Verdict<()> {
        self.open_first().await?;
        while !self.live.is_empty() {
            // `send` is held here, so that there is always another outcome
            // while something lives.
            let Some((id, outcome)) = self.outcomes.recv().await else {
                break;
            };
            self.absorb(id, outcome).await;
            self.steer().await;
        }
        Ok(())
    }

    /// Opens the arms of the first pass, what tells most first: the longest
    /// silence, then what is cared for. Where the server has no room for all,
    /// those that are open go on.
    async fn open_first(&mut self) -> Verdict<()> {
        let longest = self.plan.longest;
        let wanted = self.plan.rungs();
        if wanted < RUNGS {
            self.say_fewer(wanted, "the server has few free connection slots");
        }
        let mut silences = ladder::silences(Duration::ZERO, longest, wanted);
        silences.sort_by_key(|silence| std::cmp::Reverse(*silence));
        let mut arms: Vec<(Treatment, Duration)> = silences
            .into_iter()
            .map(|silence| (Treatment::Parked, silence))
            .collect();
        let cared_for = self.cared_for(self.interval);
        let own = self.known.has_own().then_some(Treatment::Configured);
        let cared_for = own.into_iter().chain(cared_for);
        arms.splice(1..1, cared_for.map(|care| (care, longest)));
        arms.push((Treatment::Unused, longest));
        let hops = self.known.tunnel.hops.len();
        arms.extend((0..hops).map(|hop| (Treatment::Hop(hop), longest)));
        let mut parked = 0;
        let mut opened = 0;
        // The first alone: in a race for the last free slot it must win.
        let (first, others) = arms.split_at(1);
        for some in std::iter::once(first).chain(others.chunks(AT_ONCE)) {
            // Once one was refused, only what a pooler needs no server for.
            let free: Vec<_> = some
                .iter()
                .filter(|(care, _)| {
                    self.known.refused.is_none()
                        || matches!(care, Treatment::Unused | Treatment::Hop(_))
                })
                .copied()
                .collect();
            let some = free.as_slice();
            for ((care, silence), arm) in some.iter().zip(self.dial(some).await) {
                match arm {
                    Ok(arm) => {
                        self.start(arm, *care, *silence);
                        opened += 1;
                        parked += u32::from(*care == Treatment::Parked);
                    }
                    Err(finding) if opened == 0 => return Err(finding),
                    // It could tell nothing of its own.
                    Err(_)
                        if self.way.is_shared()
                            && matches!(
                                care,
                                Treatment::Hop(_)
                                    | Treatment::SshKeepalive(_)
                                    | Treatment::Configured
                            ) => {}
                    Err(finding) => {
                        (self.tell)(Event::Note(format!(
                            "not opened: {}: {}",
                            self.known.label(*care),
                            in_words(&finding)
                        )));
                        let optional = matches!(
                            care,
                            Treatment::Hop(_)
                                | Treatment::Keepalive(_)
                                | Treatment::SshKeepalive(_)
                                | Treatment::ServerKeepalive(_)
                        );
                        if !optional {
                            self.known.refused.get_or_insert(in_words(&finding));
                        }
                    }
                }
            }
        }
        if self.way.is_shared() {
            self.record.fact("ssh_session_shared", true);
        }
        if let Some(why) = self.known.refused.clone()
            && parked < wanted
        {
            self.say_fewer(parked, &why);
        }
        Ok(())
    }

    /// What is done for the connections that are not left alone.
    fn cared_for(&self, interval: Duration) -> Vec<Treatment> {
        let mut all = vec![
            Treatment::Keepalive(interval),
            Treatment::Heartbeat(interval),
        ];
        if !self.known.tunnel.hops.is_empty() {
            all.push(Treatment::SshKeepalive(interval));
            all.push(Treatment::ServerKeepalive(interval));
        }
        all
    }

    /// Opens a few connections at once.
    async fn dial(&self, some: &[(Treatment, Duration)]) -> Vec<Verdict<TestConnection>> {
        let one = async |at: usize| match some.get(at) {
            Some((care, _)) => {
                Some(TestConnection::open(&self.way, *care, self.plan.in_transaction).await)
            }
            None => None,
        };
        let (first, second, third) = tokio::join!(one(0), one(1), one(2));
        [first, second, third].into_iter().flatten().collect()
    }

    fn say_fewer(&mut self, rungs: u32, why: &str) {
        let text = format!("only {rungs} of {RUNGS} idle connections are tested: {why}");
        self.record.fact("fewer", text.clone());
        (self.tell)(Event::Note(text));
    }

    async fn open(&mut self, care: Treatment, silence: Duration) -> Verdict<()> {
        let arm = TestConnection::open(&self.way, care, self.plan.in_transaction).await;
        match arm {
            Ok(arm) => {
                self.start(arm, care, silence);
                Ok(())
            }
            Err(finding) => {
                let label = self.known.label(care);
                let why = in_words(&finding);
                (self.tell)(Event::Note(format!("not opened: {label}: {why}")));
                Err(finding)
            }
        }
    }

    fn start(&mut self, arm: TestConnection, care: Treatment, silence: Duration) {
        let begun = arm.begun();
        let until = begun + silence;
        let (sender, receiver) = watch::channel(until);
        let id = self.opened;
        self.opened += 1;
        let send = self.send.clone();
        self.tasks.spawn(async move {
            if let Some(outcome) = arm.live(receiver).await {
                // The run may be over; nobody listens then.
                let _ = send.send((id, outcome)).await;
            }
        });
        (self.tell)(Event::Opened {
            id,
            care: self.known.label(care),
            begun,
            until,
        });
        self.live.insert(
            id,
            OpenConnection {
                care,
                begun,
                silence,
                until: sender,
            },
        );
    }

    /// Takes in how an arm ended.
    async fn absorb(&mut self, id: usize, mut outcome: TestOutcome) {
        let Some(live) = self.live.remove(&id) else {
            return;
        };
        // No answer, or a pooler's refusal, may have nothing to do with silence.
        if let (ParkedEnd::Dropped(drop), Treatment::Parked | Treatment::Configured) =
            (&outcome.end, live.care)
            && !drop.announced
            && matches!(drop.kind, DropKind::Silent | DropKind::Pooler)
            && let Err(finding) = self.fresh().await
        {
            outcome.end = ParkedEnd::Unclear(format!(
                "{}, and a new connection gets no answer either: {}",
                described(drop),
                finding.summary()
            ));
        }
        if let ParkedEnd::Dropped(drop) = &outcome.end
            && drop.kind == DropKind::Silent
            && !matches!(live.care, Treatment::Hop(_))
        {
            self.known.left_behind += 1;
        }
        let (what, lived) = match &outcome.end {
            ParkedEnd::Survived => (
                format!("alive after {}", format_duration(outcome.life)),
                true,
            ),
            ParkedEnd::Dropped(drop) => (described(drop), false),
            ParkedEnd::Unclear(error) => (error.clone(), false),
        };
        (self.tell)(Event::Ended { id, what, lived });
        match live.care {
            Treatment::Parked => self.known.rungs.push(Rung {
                silence: live.silence,
                end: outcome.end,
            }),
            _ => self.known.care(live.care, outcome),
        }
        self.known.note(self.record);
        (self.tell)(Event::Known(self.record.summary.clone()));
    }

    /// Whether a connection that was not left alone gets through: else
    /// silence has nothing to do with it. A server that says that it is full
    /// has been reached.
    async fn fresh(&self) -> Verdict<()> {
        let another = Another {
            keepalives: self.connected.target.keepalives,
            own_hop: !self.way.is_shared(),
            options: None,
        };
        let (mut session, _hop) = match self.connected.again(&another).await {
            Ok(connected) => connected,
            Err(finding)
                if finding
                    .cause
                    .is_of(crate::cause::family::SERVER_CONNECTIONS) =>
            {
                return Ok(());
            }
            Err(finding) => return Err(finding),
        };
        connection::ask(&mut session, "SELECT 1", &self.connected.ctx).await?;
        session.close().await;
        Ok(())
    }

    /// Once a drop is known, rungs above it tell nothing more, rungs inside
    /// its bracket would, and what is cared for need not live much longer.
    async fn steer(&mut self) {
        let found = self.known.found();
        let Some(drop) = found.dropped.clone() else {
            return;
        };
        if found.by_chance || drop.is_termination() {
            return;
        }
        if !drop.announced {
            let before = self.live.len();
            self.retire(|live| live.care == Treatment::Parked && live.silence >= drop.at);
            if drop.kind == DropKind::Silent {
                self.known.left_behind += before - self.live.len();
            }
        }
        let narrowing = self
            .live
            .values()
            .any(|live| live.care == Treatment::Parked);
        if narrowing {
            return;
        }

        let left = self.plan.longest.saturating_sub(self.began.elapsed());
        let wide = found.width() > NARROW.max(drop.at / 50);
        if wide && self.passes < MOST_PASSES && drop.at < left + left / 10 {
            self.passes += 1;
            let floor = found.survived.unwrap_or_default();
            let others = self.live.len() + self.known.left_behind;
            let inside = self.plan.more_rungs(others).min(RUNGS - 1);
            for silence in ladder::silences(floor, drop.at, inside + 1) {
                if silence < drop.at && self.open(Treatment::Parked, silence).await.is_err() {
                    break;
                }
            }
            if self
                .live
                .values()
                .any(|live| live.care == Treatment::Parked)
            {
                return;
            }
        }

        // A keepalive that comes later than the drop proves nothing.
        let bound = found.safe().unwrap_or(drop.at / RUNGS);
        let shorter = (bound / 3).max(LEAST_INTERVAL);
        let too_slow = self.interval * 2 > bound && shorter < self.interval;
        let enough = enough(drop.at, self.interval.min(shorter));
        if self.plan.interval.is_none() && too_slow && enough < left {
            self.interval = shorter;
            self.retire(|live| {
                matches!(
                    live.care,
                    Treatment::Keepalive(_)
                        | Treatment::Heartbeat(_)
                        | Treatment::SshKeepalive(_)
                        | Treatment::ServerKeepalive(_)
                )
            });
            self.known.forget_cared_for();
            for care in self.cared_for(shorter) {
                let optional = matches!(
                    care,
                    Treatment::SshKeepalive(_) | Treatment::ServerKeepalive(_)
                );
                if self.open(care, enough).await.is_err() && !optional {
                    break;
                }
            }
        }
        self.hurry(enough, drop.at);
    }

    /// Lets what is cared for, and the hops, live no longer than is enough to
    /// prove what they outlive, and no shorter than the drop.
    fn hurry(&mut self, enough: Duration, dropped: Duration) {
        let longest = self.plan.longest.max(dropped + LEAST_INTERVAL);
        for (id, live) in &mut self.live {
            if matches!(live.care, Treatment::Parked | Treatment::Configured) {
                continue;
            }
            let until = live.begun + enough.min(longest);
            let changed = live.until.send_if_modified(|now| {
                let sooner = until < *now || live.silence < dropped + LEAST_INTERVAL;
                let change = sooner && *now != until;
                if change {
                    *now = until;
                }
                change
            });
            if changed {
                live.silence = until - live.begun;
                (self.tell)(Event::Hurried { id: *id, until });
            }
        }
    }

    /// Lets the connections say goodbye; what does not answer is left behind.
    async fn close(&mut self) {
        self.retire(|_| true);
        let goodbye = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(GOODBYE, goodbye).await;
    }

    /// Closes arms that have nothing more to tell.
    fn retire(&mut self, which: impl Fn(&OpenConnection) -> bool) {
        let tell = &mut self.tell;
        self.live.retain(|id, live| {
            let over = which(live);
            if over {
                tell(Event::Retired { id: *id });
            }
            !over
        });
    }
}

/// How long a connection must live that is to have outlived a drop: half as
/// long again, and two keepalives.
fn enough(dropped: Duration, interval: Duration) -> Duration {
    (dropped * 3 / 2).max(dropped + interval * 2)
}

/// Why one more connection could not be opened. What has no name of its own
/// here is told by its error: where others are open, a pooler that has no
/// server connection left lets it in and does not answer it.
fn in_words(finding: &Finding) -> String {
    match finding.evidence.get("error").and_then(|e| e.as_str()) {
        Some(error) if finding.cause == &crate::cause::idle::UNCLASSIFIED => format!(
            "the login succeeds but the connection gets no further ({error}), as when a pooler has no \
             server connection left"
        ),
        _ => finding.summary(),
    }
}

/// A finding of the stage itself.
fn unclassified(error: &str) -> Finding {
    Finding::new(&crate::cause::idle::UNCLASSIFIED).with("error", error.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(longest: u64) -> Plan {
        Plan::new(Duration::from_secs(longest))
    }

    #[test]
    fn keepalives_are_often_enough_for_the_time_there_is() {
        assert_eq!(plan(360).first_interval(), INTERVAL);
        assert_eq!(plan(12).first_interval(), Duration::from_secs(2));
        assert_eq!(plan(2).first_interval(), LEAST_INTERVAL);
    }

    #[test]
    fn a_server_with_few_slots_is_spared() {
        let with = |spare| Plan {
            spare: Some(spare),
            ..plan(6)
        };
        assert_eq!(with(100).rungs(), 8);
        assert_eq!(with(17).rungs(), 8);
        assert_eq!(with(9).rungs(), 3);
        assert_eq!(with(2).rungs(), 1);
        assert_eq!(with(17).more_rungs(10), 4);
    }

    #[test]
    fn outliving_takes_longer_than_the_drop() {
        let (ten, one) = (Duration::from_secs(10), Duration::from_secs(1));
        assert_eq!(enough(ten, one), Duration::from_secs(15));
        assert_eq!(enough(ten, ten), Duration::from_secs(30));
    }
}
