//! The ladder: how long each parked connection is left alone, and what the
//! rungs together say.

use std::time::Duration;

use serde_json::{Value, json};

use crate::report::ms;

/// How many connections are parked at once.
pub const RUNGS: u32 = 8;

/// How far apart two moments of one and the same drop may lie: a timeout is
/// looked at once a second by many of those who have one.
const SLACK: Duration = Duration::from_millis(1_200);

/// The silences of a pass with so many rungs up to `longest`, evenly spread
/// above `floor`, which is known to be survived.
pub fn silences(floor: Duration, longest: Duration, rungs: u32) -> Vec<Duration> {
    let room = longest.saturating_sub(floor);
    (1..=rungs).map(|n| floor + room * n / rungs).collect()
}

/// How one rung ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    /// How long it was idle, or was to be.
    pub silence: Duration,
    /// What happened.
    pub end: ParkedEnd,
}

/// The end of a parked connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParkedEnd {
    /// It answered when woken.
    Survived,
    /// It was dropped.
    Dropped(Drop),
    /// It gave no answer, and neither does a fresh connection, so that its
    /// silence proves nothing; what the fresh one met.
    Unclear(String),
}

/// A dropped connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drop {
    /// By what it was told.
    pub kind: DropKind,
    /// When it was told: while parked, or when woken.
    pub at: Duration,
    /// Whether it was told while parked, so that `at` is the moment itself.
    pub announced: bool,
    /// The other side's words.
    pub message: Option<String>,
    /// The SQLSTATE of a server's or pooler's words.
    pub sqlstate: Option<String>,
    /// Through a tunnel: on which part of the way.
    pub part: Option<TunnelPart>,
    /// Through a tunnel: the hop that the part ends at or, beyond the last,
    /// begins at; counted from 0.
    pub hop: Option<usize>,
}

/// By what a drop was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropKind {
    /// RST.
    Reset,
    /// FIN, or TLS's close.
    Closed,
    /// Nothing: no answer to a query.
    Silent,
    /// An ErrorResponse of the server.
    Server,
    /// An ErrorResponse of a pooler.
    Pooler,
    /// The SSH session, or the forward in it, was ended by its server.
    Ssh,
}

impl DropKind {
    /// The word in the report.
    pub fn name(self) -> &'static str {
        match self {
            DropKind::Reset => "reset",
            DropKind::Closed => "closed",
            DropKind::Silent => "silent",
            DropKind::Server => "server",
            DropKind::Pooler => "pooler",
            DropKind::Ssh => "ssh",
        }
    }
}

/// A part of the way through a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TunnelPart {
    /// Up to the bastion: its SSH session.
    Ssh,
    /// The forward in an SSH session that itself lives on.
    Forward,
    /// From the bastion to the database.
    Beyond,
}

impl TunnelPart {
    /// The part, for people and in evidence.
    pub fn name(self) -> &'static str {
        match self {
            TunnelPart::Ssh => "the SSH session",
            TunnelPart::Forward => "the forward in the SSH session",
            TunnelPart::Beyond => "from the bastion to the database",
        }
    }
}

/// `idle_session_timeout`, `idle_in_transaction_session_timeout` and
/// `transaction_timeout` (PostgreSQL documentation, appendix A).
pub const SERVER_TIMEOUTS: [&str; 3] = ["57P05", "25P03", "25P04"];

impl Drop {
    /// Whether somebody ended this session by hand or with the whole server,
    /// and not because it was idle: any words of the server but its timeouts;
    /// of a pooler, that it or its server goes down (class 57P).
    pub fn is_termination(&self) -> bool {
        match self.kind {
            DropKind::Server => !self.is_server_timeout(),
            DropKind::Pooler => {
                matches!(self.sqlstate.as_deref(), Some("57P01" | "57P02" | "57P03"))
            }
            _ => false,
        }
    }

    /// Whether the server's own setting did it.
    pub fn is_server_timeout(&self) -> bool {
        let sqlstate = self.sqlstate.as_deref().unwrap_or_default();
        self.kind == DropKind::Server && SERVER_TIMEOUTS.contains(&sqlstate)
    }
}

/// What a ladder says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Threshold {
    /// The longest silence that was survived below the first drop.
    pub survived: Option<Duration>,
    /// The drop that counts: of announced ones the middle one, since timers are
    /// late or early by up to a second; of others the shortest silence.
    pub dropped: Option<Drop>,
    /// The earliest moment of it.
    pub earliest: Duration,
    /// Whether a longer silence than the dropped one was survived, so that
    /// the drop was no matter of silence alone.
    pub by_chance: bool,
}

impl Threshold {
    /// A silence that is certain to be below the threshold, where there is one.
    pub fn safe(&self) -> Option<Duration> {
        let drop = self.dropped.as_ref()?;
        if self.by_chance || drop.is_termination() {
            return None;
        }
        match drop.announced {
            true => Some(self.earliest),
            false => self.survived,
        }
    }

    /// The width of what is not known.
    pub fn width(&self) -> Duration {
        match &self.dropped {
            Some(drop) if !drop.announced => {
                drop.at.saturating_sub(self.survived.unwrap_or_default())
            }
            _ => Duration::ZERO,
        }
    }
}

/// Reads the ladder. A drop that longer silences survived is a matter of
/// chance and counts only where there is no other.
pub fn threshold(rungs: &[Rung]) -> Threshold {
    let longest_survived = rungs
        .iter()
        .filter(|rung| rung.end == ParkedEnd::Survived)
        .map(|rung| rung.silence)
        .max()
        .unwrap_or_default();
    let drops = || {
        rungs.iter().filter_map(|rung| match &rung.end {
            ParkedEnd::Dropped(drop) => Some(drop),
            _ => None,
        })
    };
    let lasting: Vec<&Drop> = drops()
        .filter(|drop| drop.at + SLACK >= longest_survived)
        .collect();
    let by_chance = lasting.is_empty();
    let (earliest, dropped) = match by_chance {
        false => first(lasting),
        true => first(drops().collect()),
    };
    let survived = rungs
        .iter()
        .filter(|rung| rung.end == ParkedEnd::Survived)
        .map(|rung| rung.silence)
        .filter(|silence| dropped.is_none_or(|drop| *silence < drop.at))
        .max();
    Threshold {
        survived,
        by_chance: by_chance && dropped.is_some(),
        dropped: dropped.cloned(),
        earliest,
    }
}

/// The first of several drops, and its earliest moment. One that was
/// announced tells its moment, so it is preferred to one found at waking up
/// at about the same time.
fn first(mut drops: Vec<&Drop>) -> (Duration, Option<&Drop>) {
    drops.sort_by_key(|drop| drop.at);
    let Some(earliest) = drops.first().copied() else {
        return (Duration::ZERO, None);
    };
    let told: Vec<&Drop> = drops
        .into_iter()
        .filter(|drop| drop.announced && drop.at <= earliest.at + SLACK)
        .collect();
    // They are of one kind, but for what happens by chance at the same time.
    let Some(kind) = told.first().map(|drop| drop.kind) else {
        return (earliest.at, Some(earliest));
    };
    let alike: Vec<&Drop> = told.into_iter().filter(|drop| drop.kind == kind).collect();
    let middle = alike.get(alike.len() / 2).copied();
    (earliest.at, middle)
}

/// The rungs as facts, the shortest silence first.
pub fn facts(rungs: &[Rung]) -> Value {
    let mut rungs: Vec<&Rung> = rungs.iter().collect();
    rungs.sort_by_key(|rung| rung.silence);
    rungs
        .into_iter()
        .map(|rung| {
            let (outcome, detail) = told(&rung.end);
            json!({
                "silence_ms": ms(rung.silence),
                "outcome": outcome,
                "detail": detail,
            })
        })
        .collect()
}

/// The rungs as one line for people.
pub fn line(rungs: &[Rung]) -> String {
    let mut rungs: Vec<&Rung> = rungs.iter().collect();
    rungs.sort_by_key(|rung| rung.silence);
    let times = |lived: bool| {
        let mut times: Vec<String> = rungs
            .iter()
            .filter(|rung| (rung.end == ParkedEnd::Survived) == lived)
            .map(|rung| format_duration(rung.silence))
            .collect();
        times.dedup();
        times.join(", ")
    };
    match (times(true), times(false)) {
        (alive, dead) if alive.is_empty() => format!("dropped: {dead}"),
        (alive, dead) if dead.is_empty() => format!("alive: {alive}"),
        (alive, dead) => format!("alive: {alive}; dropped: {dead}"),
    }
}

/// An end as one word and its details.
pub fn told(end: &ParkedEnd) -> (&'static str, Option<String>) {
    match end {
        ParkedEnd::Survived => ("survived", None),
        ParkedEnd::Unclear(error) => ("unclear", Some(error.clone())),
        ParkedEnd::Dropped(drop) => {
            let when = match drop.announced {
                true => format!("announced after {}", format_duration(drop.at)),
                false => "noticed on use".to_owned(),
            };
            let part = drop.part.map(|part| part.name().to_owned());
            let parts = [Some(when), part, drop.message.clone()];
            let detail: Vec<String> = parts.into_iter().flatten().collect();
            (drop.kind.name(), Some(detail.join("; ")))
        }
    }
}

/// A time as people say it.
pub fn format_duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0 | 1, _) => format!("{whole} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, 0, 0) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    pub fn drop_at(kind: DropKind, at: u64, announced: bool) -> Drop {
        Drop {
            kind,
            at: s(at),
            announced,
            message: None,
            sqlstate: None,
            part: None,
            hop: None,
        }
    }

    fn survived(silence: u64) -> Rung {
        Rung {
            silence: s(silence),
            end: ParkedEnd::Survived,
        }
    }

    fn dropped(silence: u64, kind: DropKind, at: u64, announced: bool) -> Rung {
        Rung {
            silence: s(silence),
            end: ParkedEnd::Dropped(drop_at(kind, at, announced)),
        }
    }

    #[test]
    fn the_ladder_is_even_and_ends_at_the_longest() {
        assert_eq!(silences(s(0), s(8), 8), (1..=8).map(s).collect::<Vec<_>>());
        assert_eq!(silences(s(4), s(12), 8).first(), Some(&s(5)));
        assert_eq!(silences(s(0), s(360), 2), vec![s(180), s(360)]);
    }

    #[test]
    fn a_silent_drop_is_bracketed() {
        let rungs = [
            survived(1),
            survived(2),
            dropped(3, DropKind::Silent, 3, false),
            dropped(4, DropKind::Silent, 4, false),
        ];
        let found = threshold(&rungs);
        assert_eq!(found.survived, Some(s(2)));
        assert_eq!(found.dropped.as_ref().map(|drop| drop.at), Some(s(3)));
        assert_eq!(found.width(), s(1));
        assert_eq!(line(&rungs), "alive: 1.0 s, 2.0 s; dropped: 3.0 s, 4.0 s");
        assert_eq!(found.safe(), Some(s(2)));
        assert!(!found.by_chance);
    }

    #[test]
    fn an_announced_drop_is_exact() {
        let rungs = [survived(2), dropped(4, DropKind::Closed, 3, true)];
        let found = threshold(&rungs);
        assert_eq!(found.width(), Duration::ZERO);
        assert_eq!(found.safe(), Some(s(3)));
    }

    #[test]
    fn what_is_told_is_preferred_to_what_is_found_when_woken() {
        let rungs = [
            survived(2),
            dropped(3, DropKind::Closed, 3, false),
            dropped(4, DropKind::Server, 3, true),
        ];
        let found = threshold(&rungs).dropped.unwrap();
        assert_eq!(found.kind, DropKind::Server);
    }

    #[test]
    fn timers_that_are_early_or_late_are_evened_out() {
        let at = |ms: u64| Rung {
            silence: s(6),
            end: ParkedEnd::Dropped(Drop {
                at: Duration::from_millis(ms),
                ..drop_at(DropKind::Ssh, 0, true)
            }),
        };
        let found = threshold(&[at(2_900), at(1_970), at(2_500), survived(2)]);
        assert_eq!(found.dropped.as_ref().unwrap().at.as_millis(), 2_500);
        assert_eq!(found.safe(), Some(Duration::from_millis(1_970)));
        assert_eq!(found.survived, Some(s(2)));
    }

    #[test]
    fn a_drop_that_longer_silences_survive_is_chance() {
        let one = [
            survived(2),
            dropped(8, DropKind::Reset, 3, true),
            survived(6),
            survived(7),
        ];
        let found = threshold(&one);
        assert!(found.by_chance);
        assert_eq!(found.safe(), None);
        assert_eq!(found.survived, Some(s(2)));
        let mut both = one.to_vec();
        both.push(dropped(9, DropKind::Silent, 9, false));
        let found = threshold(&both);
        assert!(!found.by_chance);
        assert_eq!(found.dropped.unwrap().at, s(9));
        assert_eq!(found.survived, Some(s(7)));
    }

    #[test]
    fn a_termination_is_no_threshold() {
        let mut drop = drop_at(DropKind::Server, 3, true);
        drop.sqlstate = Some("57P01".to_owned());
        assert!(drop.is_termination());
        let rungs = [Rung {
            silence: s(4),
            end: ParkedEnd::Dropped(drop),
        }];
        assert_eq!(threshold(&rungs).safe(), None);
    }

    #[test]
    fn nothing_dropped() {
        let found = threshold(&[survived(5)]);
        assert_eq!(found.survived, Some(s(5)));
        assert_eq!(found.dropped, None);
        assert!(!found.by_chance);
    }

    #[test]
    fn times_are_spoken() {
        let shown: Vec<String> = [1, 45, 350, 360, 3600, 3700]
            .into_iter()
            .map(|seconds| format_duration(s(seconds)))
            .collect();
        assert_eq!(
            shown,
            ["1.0 s", "45 s", "5 min 50 s", "6 min", "1 h", "1 h 01 min"]
        );
    }
}
