//! Who may begin: so many targets at a time, and a host's connections one shortly after
//! another.
//!
//! A target takes a place while it has work. One that has been waiting for an answer for longer
//! than [`MOMENT`] gives its place back, and takes it again, without waiting for one, when the
//! answer is there: so a target that nobody answers delays no other, however many there are.
//! The host's own number is kept in the same way before it accepts a connection. After that its
//! place is kept, so that a server that is slow is not asked faster for it; only where none has
//! passed yet, and it may be hung, for no longer than [`PATIENCE`].

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use crate::progress::Progress;
use crate::report::{Stage, StageRecord};

/// A stage that takes longer waits for an answer.
const MOMENT: Duration = Duration::from_millis(100);
/// A server that none has passed at yet, and that does not go on within this time after it
/// accepted, may be hung.
const PATIENCE: Duration = Duration::from_secs(1);
/// So many are under way at a host of which it is not known how many it has room for.
const UNKNOWN: usize = 8;
/// Between the beginnings of two connections to the same host and port.
const GAP: Duration = Duration::from_millis(2);

/// The places for all targets.
#[derive(Clone)]
pub struct Turns(Arc<Mutex<Places>>);

struct Places {
    /// How many targets have work at a time.
    most: usize,
    working: usize,
    hosts: HashMap<String, Host>,
    /// Those that want to begin, the first to come first.
    waiting: VecDeque<(String, oneshot::Sender<Instant>)>,
}

struct Host {
    /// How many targets of it may be under way at a time, once it said so.
    most: Option<usize>,
    under_way: usize,
    /// Whether one came back, or nobody answers it: until then the first goes alone.
    tried: bool,
    /// When the next may begin.
    next: Instant,
}

impl Turns {
    /// With so many places.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Mutex::new(Places {
            most,
            working: 0,
            hosts: HashMap::new(),
            waiting: VecDeque::new(),
        })))
    }

    /// Waits for the turn of a target at a host.
    pub async fn take(&self, host: String) -> Turn {
        let (grant, granted) = oneshot::channel();
        {
            let mut places = self.places();
            places.waiting.push_back((host.clone(), grant));
            places.give();
        }
        let begin = granted.await.unwrap_or_else(|_| Instant::now());
        let turn = Turn {
            turns: self.clone(),
            host,
            held: Mutex::new(Held::default()),
            now: Arc::new(Now::default()),
        };
        tokio::time::sleep_until(begin.into()).await;
        *turn.now.stage() = (Stage::Config, Instant::now());
        turn
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    /// Gives the free places to those who wait.
    fn give(&mut self) {
        let mut at = 0;
        while self.working < self.most
            && let Some((host, _)) = self.waiting.get(at)
        {
            let host = self.hosts.entry(host.clone()).or_insert_with(|| Host {
                most: None,
                under_way: 0,
                tried: false,
                next: Instant::now(),
            });
            let room = match (host.most, host.tried) {
                (Some(most), _) => most,
                (None, true) => UNKNOWN,
                (None, false) => 1,
            };
            if host.under_way >= room {
                at += 1;
                continue;
            }
            let begin = host.next.max(Instant::now());
            if let Some((_, grant)) = self.waiting.remove(at)
                && grant.send(begin).is_ok()
            {
                host.next = begin + GAP;
                host.under_way += 1;
                self.working += 1;
            }
        }
    }
}

/// A target's turn, until it is dropped.
pub struct Turn {
    turns: Turns,
    host: String,
    held: Mutex<Held>,
    now: Arc<Now>,
}

/// Which places a target takes.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Held {
    place: bool,
    of_host: bool,
}

impl Default for Held {
    fn default() -> Self {
        Self {
            place: true,
            of_host: true,
        }
    }
}

/// The stage that is being worked on, since when.
struct Now {
    stage: Mutex<(Stage, Instant)>,
    changed: Notify,
}

impl Default for Now {
    fn default() -> Self {
        Self {
            stage: Mutex::new((Stage::Config, Instant::now())),
            changed: Notify::new(),
        }
    }
}

impl Now {
    fn stage(&self) -> MutexGuard<'_, (Stage, Instant)> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the stage changed before `limit`.
    async fn changes_before(&self, limit: Instant) -> bool {
        let changed = self.changed.notified();
        tokio::time::timeout_at(limit.into(), changed).await.is_ok()
    }
}

/// Tells a turn how far its run is.
pub struct Steps(Arc<Now>);

impl Progress for Steps {
    fn running(&mut self, stage: Stage) {
        *self.0.stage() = (stage, Instant::now());
        self.0.changed.notify_one();
    }

    fn ended(&mut self, _: &StageRecord) {}
}

impl Turn {
    /// For the run whose turn it is.
    pub fn steps(&self) -> Steps {
        Steps(Arc::clone(&self.now))
    }

    /// Does the target's work, its places given back while it waits.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut watch = pin!(self.watch());
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            let _ = watch.as_mut().poll(cx);
            Poll::Pending
        })
        .await
    }

    async fn watch(&self) {
        loop {
            let (stage, since) = *self.now.stage();
            if self.now.changes_before(since + MOMENT).await {
                continue;
            }
            // Before that nothing is open that the server would have to care for.
            let of_host = stage > Stage::Tcp;
            self.hold(false, of_host);
            let hung =
                of_host && !self.now.changes_before(since + PATIENCE).await && !self.is_known();
            if hung {
                self.hold(false, false);
            }
            // If it has changed within the patience, that has been noticed already.
            if *self.now.stage() == (stage, since) {
                self.now.changed.notified().await;
            }
            self.hold(true, true);
        }
    }

    fn hold(&self, place: bool, of_host: bool) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *held, Held { place, of_host });
        let mut places = self.turns.places();
        count(&mut places.working, before.place, place);
        if let Some(host) = places.hosts.get_mut(&self.host) {
            count(&mut host.under_way, before.of_host, of_host);
            host.tried |= !of_host;
        }
        places.give();
    }

    /// Has no more than half of a server's free connection slots be taken.
    pub fn spare(&self, free: u64) {
        let mut places = self.turns.places();
        let half = usize::try_from(free / 2).unwrap_or(usize::MAX).max(1);
        if let Some(host) = places.hosts.get_mut(&self.host) {
            host.most = Some(half);
        }
    }

    /// Whether the host said how many it has room for: then it works.
    fn is_known(&self) -> bool {
        let places = self.turns.places();
        let host = places.hosts.get(&self.host);
        host.is_some_and(|host| host.most.is_some())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.hold(false, false);
    }
}

fn count(places: &mut usize, before: bool, now: bool) {
    match (before, now) {
        (true, false) => *places = places.saturating_sub(1),
        (false, true) => *places += 1,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The turn, which has to come.
    async fn comes(turns: &Turns, host: &str) -> Turn {
        let turn = turns.take(host.to_owned());
        let turn = tokio::time::timeout(Duration::from_secs(20), turn).await;
        turn.expect("there is a place")
    }

    /// Whether another has to wait now.
    async fn waits(turns: &Turns, host: &str) -> bool {
        let mut turn = pin!(turns.take(host.to_owned()));
        let waits = poll_fn(|cx| {
            assert!(
                turn.as_mut().poll(cx).is_pending(),
                "it begins a moment later"
            );
            Poll::Ready(!turns.places().waiting.is_empty())
        });
        let waits = waits.await;
        turns.places().waiting.clear();
        waits
    }

    #[tokio::test]
    async fn no_more_than_the_places() {
        let turns = Turns::new(2);
        let (a, _b) = (comes(&turns, "a").await, comes(&turns, "b").await);
        assert!(waits(&turns, "c").await);
        drop(a);
        comes(&turns, "d").await;
    }

    #[tokio::test]
    async fn the_first_of_a_host_goes_alone() {
        let turns = Turns::new(9);
        let first = comes(&turns, "a").await;
        assert!(waits(&turns, "a").await);
        first.spare(4);
        drop(first);
        let _two = (comes(&turns, "a").await, comes(&turns, "a").await);
        assert!(waits(&turns, "a").await, "half of four");
        comes(&turns, "b").await;
    }

    #[tokio::test]
    async fn one_that_is_not_awaited_any_more_takes_no_place() {
        let turns = Turns::new(1);
        let first = comes(&turns, "a").await;
        let mut gone = Box::pin(turns.take("b".to_owned()));
        poll_fn(|cx| Poll::Ready(gone.as_mut().poll(cx).is_pending())).await;
        drop(gone);
        drop(first);
        comes(&turns, "c").await;
        assert_eq!(turns.places().working, 0);
    }

    #[tokio::test]
    async fn who_waits_gives_the_place_back_until_the_answer_comes() {
        let turns = Turns::new(1);
        let first = comes(&turns, "a").await;
        let mut steps = first.steps();
        let answer = Notify::new();
        let work = first.during(async {
            steps.running(Stage::Tcp);
            answer.notified().await;
            steps.running(Stage::Protocol);
            tokio::task::yield_now().await;
        });
        let meanwhile = async {
            let second = comes(&turns, "a").await;
            answer.notify_one();
            second
        };
        let ((), second) = tokio::join!(work, meanwhile);
        drop((first, second));
        assert_eq!(turns.places().working, 0);
        assert_eq!(turns.places().hosts["a"].under_way, 0);
    }

    #[tokio::test]
    async fn a_server_that_is_slow_is_not_asked_faster() {
        let turns = Turns::new(1);
        let first = comes(&turns, "a").await;
        let mut steps = first.steps();
        let began = Instant::now();
        steps.running(Stage::Auth);
        let work = first.during(std::future::pending::<()>());
        let meanwhile = async {
            comes(&turns, "b").await;
            let waited = waits(&turns, "a").await;
            assert!(waited || began.elapsed() >= PATIENCE);
            comes(&turns, "a").await;
            assert!(began.elapsed() >= PATIENCE);
        };
        tokio::select! { () = work => {}, () = meanwhile => {} }
    }
}
