//! From what the arms said to facts, a cause and what prevents it. No I/O.

use std::time::Duration;

use serde_json::json;

use crate::cause::{self, Cause};
use crate::config::{Endpoint, Target};
use crate::finding::Finding;
use crate::peer::commands;
use crate::pipeline::Connected;
use crate::report::{StageRecord, ms};
use crate::stage::Verdict;
use crate::wire::Route;

use super::advice::{self, Circumstances, Numbers};
use super::connection::{TestOutcome, Treatment};
use super::ladder::{
    self, Drop, DropKind, ParkedEnd, Rung, Threshold, TunnelPart, format_duration, told,
};
use super::own::OwnKeepalives;
use super::tunnel::{Reach, Tunnel};
use super::{Plan, suspects, unclassified};

/// How much longer a connection must have lived than an unused SSH session.
const UNUSED_MARGIN: Duration = Duration::from_secs(1);

/// A connection that was cared for, and what became of it.
#[derive(Clone, Debug)]
struct Cared {
    interval: Duration,
    life: Duration,
    end: ParkedEnd,
}

/// What the arms have said so far.
pub struct IdleEvidence {
    plan: Plan,
    /// Where another client connects to, if this machine can go there itself.
    direct: Option<(Target, Endpoint, Route)>,
    /// The way through SSH servers; without hops where there is none.
    pub tunnel: Tunnel,
    /// The parked connections that came to their end.
    pub rungs: Vec<Rung>,
    /// Why fewer connections than planned could be opened.
    pub refused: Option<String>,
    /// How many connections the server may still take for open, since our
    /// goodbye was dropped in silence too. They stay until its own keepalives
    /// find them dead.
    pub left_behind: usize,
    own: OwnKeepalives,
    configured: Option<Cared>,
    unused: Option<ParkedEnd>,
    keepalive: Option<Cared>,
    heartbeat: Option<Cared>,
    ssh_keepalive: Option<Cared>,
    server_keepalive: Option<Cared>,
    hop_ends: Vec<Option<(Duration, ParkedEnd)>>,
}

impl IdleEvidence {
    /// Nothing yet.
    pub fn new(connected: &Connected, plan: Plan) -> Self {
        let address = connected.address.clone();
        let address = address.filter(|_| connected.bastion.is_none());
        let route = address.map(Route::Direct);
        Self {
            direct: route
                .map(|route| (connected.target.clone(), connected.endpoint.clone(), route)),
            own: OwnKeepalives::of(connected),
            ..Self::through(Tunnel::of(connected), plan)
        }
    }

    fn through(tunnel: Tunnel, plan: Plan) -> Self {
        Self {
            plan,
            direct: None,
            rungs: Vec::new(),
            refused: None,
            left_behind: 0,
            own: OwnKeepalives::default(),
            configured: None,
            unused: None,
            keepalive: None,
            heartbeat: None,
            ssh_keepalive: None,
            server_keepalive: None,
            hop_ends: vec![None; tunnel.hops.len()],
            tunnel,
        }
    }

    /// Whether the target's own keepalives come within the longest silence;
    /// else its connections are like those without any.
    pub fn has_own(&self) -> bool {
        let first = self.own.first();
        first.is_some_and(|first| first < self.plan.longest)
    }

    /// What is done for an arm, for people.
    pub fn label(&self, care: Treatment) -> String {
        match care {
            Treatment::Hop(hop) => match self.tunnel.hops.get(hop) {
                Some(label) => format!("SSH only, to {label}"),
                None => care.to_string(),
            },
            Treatment::Configured => format!("{care}: {}", self.own.settings()),
            _ => care.to_string(),
        }
    }

    /// Takes in an arm that was not parked.
    pub fn care(&mut self, care: Treatment, outcome: TestOutcome) {
        let cared = |interval| {
            Some(Cared {
                interval,
                life: outcome.life,
                end: outcome.end.clone(),
            })
        };
        match care {
            Treatment::Configured => {
                self.configured = self.own.interval().and_then(cared);
            }
            Treatment::Keepalive(interval) => self.keepalive = cared(interval),
            Treatment::Heartbeat(interval) => self.heartbeat = cared(interval),
            Treatment::SshKeepalive(interval) => self.ssh_keepalive = cared(interval),
            Treatment::ServerKeepalive(interval) => self.server_keepalive = cared(interval),
            Treatment::Hop(hop) => {
                if let Some(slot) = self.hop_ends.get_mut(hop) {
                    *slot = Some((outcome.life, outcome.end));
                }
            }
            Treatment::Unused => self.unused = Some(outcome.end),
            Treatment::Parked => {}
        }
    }

    /// Before the cared-for connections are opened anew.
    pub fn forget_cared_for(&mut self) {
        self.keepalive = None;
        self.heartbeat = None;
        self.ssh_keepalive = None;
        self.server_keepalive = None;
    }

    /// What the ladder says. Where it says that nothing is dropped, the
    /// connection that was never used may know better.
    pub fn found(&self) -> Threshold {
        let found = ladder::threshold(&self.rungs);
        match &self.unused {
            Some(ParkedEnd::Dropped(drop)) if found.dropped.is_none() && drop.announced => {
                Threshold {
                    survived: self
                        .rungs
                        .iter()
                        .filter(|rung| rung.end == ParkedEnd::Survived && rung.silence < drop.at)
                        .map(|rung| rung.silence)
                        .max(),
                    dropped: Some(drop.clone()),
                    earliest: drop.at,
                    by_chance: false,
                }
            }
            _ => found,
        }
    }

    /// Whether only a connection that was never used was dropped.
    fn only_unused(&self) -> bool {
        ladder::threshold(&self.rungs).dropped.is_none() && self.found().dropped.is_some()
    }

    /// Writes what is known as facts.
    pub fn note(&self, record: &mut StageRecord) {
        let found = self.found();
        let silence = found.dropped.as_ref().filter(|_| found.is_of_silence());
        record.fact("rungs", ladder::facts(&self.rungs));
        record.fact("left_behind", self.left_behind);
        record.fact("unused", self.unused.as_ref().map(|end| told(end).0));
        record.fact(
            "threshold",
            json!({
                "survived_ms": found.survived.map(ms),
                "dropped_ms": silence.map(|drop| ms(drop.at)),
            }),
        );
        record.fact(
            "drop",
            match &found.dropped {
                None => json!(null),
                Some(drop) => json!({
                    "kind": drop.kind.name(),
                    "at_ms": ms(drop.at),
                    "message": drop.message,
                    "announced": drop.announced,
                    "sqlstate": drop.sqlstate,
                    "part": drop.part.map(TunnelPart::name),
                    "hop": self.hop(drop),
                }),
            },
        );
        record.fact("configured", self.own_fact(&found));
        record.fact("keepalive_helps", self.keepalive_helps(&found));
        record.fact("heartbeat_helps", self.heartbeat_helps(&found));
        record.fact("advice", self.advice(&found));
        if !self.tunnel.hops.is_empty() {
            record.fact("ssh_keepalive_helps", self.ssh_keepalive_helps(&found));
            record.fact(
                "server_keepalive_helps",
                self.server_keepalive_helps(&found),
            );
            record.fact("hops", self.hop_facts());
        }
        record.summary = match (&found.dropped, found.survived) {
            (Some(drop), _) if self.own_helps(&found) == Some(true) => format!(
                "alive with the target's own keepalives; without any, {}",
                described(drop)
            ),
            (Some(drop), _) => described(drop),
            (None, Some(survived)) => {
                format!("alive after {} of idle time", format_duration(survived))
            }
            (None, None) => "no result yet".to_owned(),
        };
    }

    /// The target's own keepalives, and what became of the connection with
    /// them; nothing where they come too late to make a difference.
    fn own_fact(&self, found: &Threshold) -> serde_json::Value {
        let cared = self.configured.as_ref();
        let end = cared.map(|cared| told(&cared.end));
        json!({
            "keepalives": self.own.settings(),
            "interval_ms": self.own.interval().map(ms),
            "silence_ms": cared.map(|cared| ms(cared.life)),
            "outcome": end.as_ref().map(|(outcome, _)| outcome),
            "detail": end.as_ref().and_then(|(_, detail)| detail.clone()),
            "prevents_drop": match self.has_own() {
                true => self.own_helps(found),
                false => found.dropped.as_ref().map(|_| false),
            },
        })
    }

    fn hop_facts(&self) -> serde_json::Value {
        self.tunnel
            .hops
            .iter()
            .zip(&self.hop_ends)
            .map(|(hop, end)| {
                let (outcome, detail) = match end {
                    Some((_, end)) => told(end),
                    None => ("unknown", None),
                };
                json!({
                    "hop": hop,
                    "silence_ms": end.as_ref().map(|(life, _)| ms(*life)),
                    "outcome": outcome,
                    "detail": detail,
                })
            })
            .collect()
    }

    /// Who counts the protocol's own traffic sees no keepalives, and through a
    /// tunnel they reach the first hop only.
    fn keepalive_helps(&self, found: &Threshold) -> Option<bool> {
        self.reaches(self.keepalive.as_ref(), found, TunnelPart::Ssh)
    }

    /// Whether the target's own keepalives prevent the drop.
    fn own_helps(&self, found: &Threshold) -> Option<bool> {
        let cared = self.configured.as_ref();
        match cared.map(|cared| &cared.end) {
            _ if !found.is_of_silence() => None,
            // However late they come, they are what the target has.
            Some(ParkedEnd::Dropped(_)) => Some(false),
            _ => self.over_ssh(cared, found),
        }
    }

    fn ssh_keepalive_helps(&self, found: &Threshold) -> Option<bool> {
        self.over_ssh(self.ssh_keepalive.as_ref(), found)
    }

    /// Keepalives in an SSH session go no further than the SSH servers. Those
    /// of a later hop are data in the forward of the one before.
    fn over_ssh(&self, cared: Option<&Cared>, found: &Threshold) -> Option<bool> {
        let drop = found.dropped.as_ref()?;
        let later = drop.hop.is_some_and(|hop| hop + 1 < self.tunnel.hops.len());
        let part = match drop.part {
            Some(TunnelPart::Forward) if later => TunnelPart::Forward,
            _ => TunnelPart::Ssh,
        };
        self.reaches(cared, found, part)
    }

    /// TCP keepalives of the database end at the last SSH server.
    fn server_keepalive_helps(&self, found: &Threshold) -> Option<bool> {
        self.reaches(self.server_keepalive.as_ref(), found, TunnelPart::Beyond)
    }

    /// Whether keepalives that go over this part of the way, of a tunnel,
    /// prevent the drop. What outlives a drop elsewhere does so by chance.
    fn reaches(&self, cared: Option<&Cared>, found: &Threshold, part: TunnelPart) -> Option<bool> {
        let drop = found.dropped.as_ref()?;
        let elsewhere = matches!(drop.kind, DropKind::Server | DropKind::Pooler)
            || drop.part.is_some_and(|dropped| dropped != part);
        match self.helps(cared, found) {
            Some(true) if elsewhere => Some(false),
            helps => helps,
        }
    }

    fn heartbeat_helps(&self, found: &Threshold) -> Option<bool> {
        self.helps(self.heartbeat.as_ref(), found)
    }

    /// Whether a cared-for connection outlived the drop; unknown while
    /// nothing was dropped, and where its care came too late to tell.
    fn helps(&self, cared: Option<&Cared>, found: &Threshold) -> Option<bool> {
        let drop = found.dropped.as_ref()?;
        let cared = cared?;
        match &cared.end {
            ParkedEnd::Unclear(_) => None,
            ParkedEnd::Survived if drop.announced => (cared.life > drop.at).then_some(true),
            ParkedEnd::Survived => (cared.life >= drop.at).then_some(true),
            ParkedEnd::Dropped(_) => {
                let in_time = found.safe().is_none_or(|safe| cared.interval < safe);
                (in_time || self.plan.interval.is_some()).then_some(false)
            }
        }
    }

    fn advice(&self, found: &Threshold) -> serde_json::Value {
        let Some(drop) = &found.dropped else {
            return json!(null);
        };
        if !found.is_of_silence() {
            return advice::reconnect();
        }
        let circumstances = Circumstances {
            keepalive_helps: self.keepalive_helps(found),
            silent: drop.kind == DropKind::Silent,
            tunnel: !self.tunnel.hops.is_empty(),
            ssh_keepalive: match self.ssh_keepalive_helps(found) {
                None => drop.part == Some(TunnelPart::Ssh),
                Some(helps) => helps,
            },
            server_keepalive: self.server_keepalive_helps(found) == Some(true),
            in_transaction: self.plan.in_transaction,
        };
        advice::settings(self.numbers(found, drop), circumstances)
    }

    /// Where no silence is known to be survived, the first rung is all there
    /// is to go by.
    fn numbers(&self, found: &Threshold, drop: &Drop) -> Numbers {
        Numbers::below(found.safe().unwrap_or(drop.at / 8))
    }

    /// The verdict on all that is known.
    pub fn conclude(&self, record: &mut StageRecord) -> Verdict<()> {
        self.note(record);
        let found = self.found();
        if let Some(unused) = self.unused_session() {
            record.warn(unused);
        }
        let Some(drop) = &found.dropped else {
            return match self.unclear().or_else(|| self.own_dropped()) {
                Some(error) => Err(unclassified(&error)),
                None => Ok(()),
            };
        };
        if self.own_helps(&found) == Some(true) {
            record.tell(self.kept(&found, drop));
            return Ok(());
        }
        if let Some(remedy) = self.remedy(&found) {
            record.warn(remedy);
        }
        Err(self.finding(&found, drop))
    }

    /// What made a rung's silence prove nothing.
    fn unclear(&self) -> Option<String> {
        self.rungs.iter().find_map(|rung| match &rung.end {
            ParkedEnd::Unclear(error) => {
                Some(format!("after {}: {error}", format_duration(rung.silence)))
            }
            _ => None,
        })
    }

    /// That the target's own connection was dropped, where those without
    /// keepalives were not.
    fn own_dropped(&self) -> Option<String> {
        let ParkedEnd::Dropped(drop) = &self.configured.as_ref()?.end else {
            return None;
        };
        Some(format!(
            "the connection with the target's own keepalives ({}) was dropped ({}), but those \
             without any were not",
            self.own.settings(),
            described(drop)
        ))
    }

    /// Why a target is fine whose connections would be dropped without its
    /// own keepalives.
    fn kept(&self, found: &Threshold, drop: &Drop) -> Finding {
        let after = self.after(found, drop);
        let settings = self.own.settings();
        let remedy = format!(
            "Without keepalives, an idle connection is dropped {after} of idle time; the target's \
             own keepalives ({settings}) prevent it."
        );
        let finding = Finding::new(&cause::idle::KEEPALIVE)
            .with("remedy", remedy)
            .with("kind", drop.kind.name())
            .with("after", after)
            .with("dropped_ms", ms(drop.at))
            .with("survived_ms", found.survived.map(ms))
            .with("where", self.place(drop))
            .with("own_keepalives", settings);
        self.for_drivers(finding, found)
    }

    fn finding(&self, found: &Threshold, drop: &Drop) -> Finding {
        let numbers = found.is_of_silence().then(|| self.numbers(found, drop));
        let owner = match drop.kind {
            DropKind::Closed | DropKind::Reset | DropKind::Silent if numbers.is_some() => {
                suspects::likely(found.survived, drop.at, drop.announced)
            }
            _ => None,
        };
        let direct = self.tunnel.hops.is_empty();
        let keep = self.keepalive_helps(found) != Some(false) && direct;
        // Through a tunnel the fixes name what has to be sent, and by whom.
        let heartbeat = match keep {
            true => Some("TCP keepalives or a query as a heartbeat"),
            false if direct || drop.part == Some(TunnelPart::Beyond) => {
                Some("a query as a heartbeat")
            }
            false => None,
        };
        let settings = numbers
            .filter(|_| keep)
            .and_then(|numbers| self.keepalive_settings(numbers));
        let survivor = self
            .rungs
            .iter()
            .filter(|rung| rung.end == ParkedEnd::Survived)
            .map(|rung| rung.silence)
            .max();
        let finding = Finding::new(cause_of(drop))
            .with("kind", drop.kind.name())
            .with("after", self.after(found, drop))
            .with("dropped_ms", ms(drop.at))
            .with("announced", drop.announced)
            .with("survived_ms", found.survived.map(ms))
            .with("longest_survived_ms", survivor.map(ms))
            .word("safe_seconds", numbers.map(|numbers| numbers.retire))
            .word(
                "keepalive_seconds",
                numbers.map(|numbers| numbers.keepalive),
            )
            .word(
                "give_up_ms",
                numbers.map(|numbers| (numbers.retire * 1000).min(30_000)),
            )
            .word("heartbeat", heartbeat)
            .word("keepalive_settings", settings)
            .with("sqlstate", drop.sqlstate.clone())
            .with("error", drop.message.clone())
            .with("silences", ladder::line(&self.rungs))
            .word("words", self.words(drop))
            .with("setting", setting(drop))
            .with("never_used", self.only_unused().then_some(true))
            .with("where", self.place(drop))
            .with("hop", self.hop(drop).map(str::to_owned))
            .with("likely_owner", owner)
            .word(
                "owner_hint",
                owner.map_or_else(String::new, |owner| {
                    format!("  (this threshold is typical of {owner})")
                }),
            )
            .with(
                "left_behind",
                (self.left_behind > 0).then_some(self.left_behind),
            )
            .with("own_keepalives", self.own.settings())
            .with("intermittent", found.by_chance.then_some(true))
            .with("session_settings", session_settings(drop));
        let finding = match &self.direct {
            Some((target, endpoint, route)) => {
                commands::with_conninfo(finding, target, endpoint, route)
            }
            None => finding,
        };
        match (drop.part.zip(drop.hop), numbers) {
            (Some(place), Some(numbers)) => {
                let reach = Reach {
                    ssh_keepalive: self.ssh_keepalive_helps(found),
                    server_keepalive: self.server_keepalive_helps(found),
                };
                self.tunnel.fixes(finding, place, numbers, reach)
            }
            _ => finding,
        }
    }

    /// The target's settings with keepalives that find a dead connection in
    /// time, as a connection string.
    fn keepalive_settings(&self, numbers: Numbers) -> Option<String> {
        let (target, endpoint, route) = self.direct.as_ref()?;
        let keepalive = numbers.keepalive.to_string();
        let user_timeout = (numbers.retire * 1000).min(30_000).to_string();
        let settings = [
            ("keepalives", ""),
            ("keepalives_idle", &keepalive),
            ("keepalives_interval", &keepalive),
            ("keepalives_count", "3"),
            ("tcp_user_timeout", &user_timeout),
        ];
        commands::conninfo(target, endpoint, route, &settings)
    }

    /// An SSH session that carried nothing, and was closed while those that
    /// carried an idle connection were not.
    fn unused_session(&self) -> Option<Finding> {
        let (Some(hop), Some(Some((_, ParkedEnd::Dropped(drop))))) =
            (self.tunnel.hops.last(), self.hop_ends.last())
        else {
            return None;
        };
        let outlived = self
            .rungs
            .iter()
            .any(|rung| rung.end == ParkedEnd::Survived && rung.silence >= drop.at + UNUSED_MARGIN);
        let closed = drop.kind == DropKind::Ssh && drop.announced;
        (closed && outlived && drop.part == Some(TunnelPart::Ssh)).then(|| {
            Finding::new(&cause::idle::SSH_UNUSED)
                .with("hop", hop.clone())
                .with("after", format!("after {}", format_duration(drop.at)))
                .with("closed_ms", ms(drop.at))
                .with("words", drop.message.clone())
        })
    }

    /// The moment or the bracket of a drop, to follow "dropped".
    fn after(&self, found: &Threshold, drop: &Drop) -> String {
        let at = format_duration(drop.at);
        match (drop.announced, found.survived) {
            (true, _) => format!("after {at}"),
            (false, Some(survived)) => format!("between {} and {at}", format_duration(survived)),
            (false, None) => format!("within {at}"),
        }
    }

    /// What the other side said, to follow a comma or, of SSH, a colon.
    fn words(&self, drop: &Drop) -> String {
        let only = match self.only_unused() {
            true => "; only a connection that was never used was closed",
            false => "",
        };
        match &drop.message {
            None => format!("without an error message{only}"),
            Some(message) if drop.kind == DropKind::Ssh => message.clone(),
            Some(message) => format!("with the message: {message}{only}"),
        }
    }

    /// The part of the way, as far as it is known.
    fn place(&self, drop: &Drop) -> String {
        const HERE: &str = "this machine";
        let hops = &self.tunnel.hops;
        let (Some(last), at) = (hops.last(), drop.hop.unwrap_or_default()) else {
            return format!("between {HERE} and the database");
        };
        let hop = hops.get(at).unwrap_or(last);
        match drop.part {
            Some(TunnelPart::Beyond) => format!("between {hop} and the database"),
            Some(TunnelPart::Forward) => format!("at {hop}"),
            Some(TunnelPart::Ssh) => {
                let before = at.checked_sub(1).and_then(|at| hops.get(at));
                format!("between {} and {hop}", before.map_or(HERE, String::as_str))
            }
            None => format!("beyond {last}, at the database or a pooler"),
        }
    }

    /// The SSH server that a drop concerns.
    fn hop(&self, drop: &Drop) -> Option<&str> {
        let hop = self.tunnel.hops.get(drop.hop?);
        drop.part.and(hop).map(String::as_str)
    }

    fn remedy(&self, found: &Threshold) -> Option<Finding> {
        let keepalive = self.keepalive_helps(found);
        let heartbeat = self.heartbeat_helps(found);
        let interval = self
            .keepalive
            .as_ref()
            .or(self.heartbeat.as_ref())?
            .interval;
        let every = format_duration(interval);
        let late = found.safe().is_some_and(|safe| interval >= safe);
        let (ssh, server) = match self.tunnel.hops.is_empty() {
            true => (None, None),
            false => (
                self.ssh_keepalive_helps(found),
                self.server_keepalive_helps(found),
            ),
        };
        let remedy = match (keepalive, heartbeat) {
            _ if ssh == Some(true) => format!(
                "SSH keepalives every {every} prevent the drop, sent by the client \
                 (ServerAliveInterval) or by the SSH server (ClientAliveInterval)."
            ),
            _ if server == Some(true) => format!(
                "TCP keepalives that the database sends every {every} prevent the drop; those of \
                 the client end at the SSH server."
            ),
            (Some(true), _) => format!("TCP keepalives every {every} prevent the drop."),
            (Some(false), Some(true)) => {
                format!("TCP keepalives do not prevent the drop; a query every {every} does.")
            }
            (Some(false), Some(false)) if late => format!(
                "TCP keepalives and queries every {every} are too infrequent to prevent the drop."
            ),
            (Some(false), Some(false)) => {
                "Neither TCP keepalives nor queries prevent the drop: idleness is not the cause."
                    .to_owned()
            }
            (Some(false), None) => {
                format!("TCP keepalives every {every} do not prevent the drop.")
            }
            (None, Some(true)) => format!("A query every {every} prevents the drop."),
            (None, _) => return None,
        };
        let finding = Finding::new(&cause::idle::KEEPALIVE)
            .with("remedy", remedy)
            .with("keepalive_helps", keepalive)
            .with("heartbeat_helps", heartbeat)
            .with("ssh_keepalive_helps", ssh)
            .with("server_keepalive_helps", server)
            .with("interval_ms", ms(interval));
        Some(self.for_drivers(finding, found))
    }

    /// Adds the settings of each driver.
    fn for_drivers(&self, finding: Finding, found: &Threshold) -> Finding {
        let advice = self.advice(found);
        let settings = advice.as_object().into_iter().flatten();
        settings.fold(finding, |finding, (driver, setting)| {
            let setting = crate::finding::shown(setting);
            finding.fix(format!("{driver}: {setting}"), None)
        })
    }
}

impl Threshold {
    /// Whether there is a drop that silence brings about.
    fn is_of_silence(&self) -> bool {
        !self.by_chance
            && self
                .dropped
                .as_ref()
                .is_some_and(|drop| !drop.is_termination())
    }
}

/// Who did it, by what was seen.
fn cause_of(drop: &Drop) -> &'static Cause {
    match drop.kind {
        DropKind::Server if drop.is_server_timeout() => &cause::idle::SERVER_TIMEOUT,
        _ if drop.is_termination() => &cause::idle::TERMINATED,
        DropKind::Server => &cause::idle::TERMINATED,
        DropKind::Pooler => &cause::idle::POOLER_TIMEOUT,
        DropKind::Ssh => &cause::idle::SSH_CLOSED,
        DropKind::Reset => &cause::idle::RESET,
        DropKind::Closed => &cause::idle::CLOSED,
        DropKind::Silent => &cause::idle::BLACK_HOLE,
    }
}

/// What in sshd's configuration ends a session that is in use and idle. A
/// client that answers is not ended by `ClientAliveInterval`, but for one case.
fn session_settings(drop: &Drop) -> Option<&'static str> {
    let session = drop.kind == DropKind::Ssh && drop.part == Some(TunnelPart::Ssh);
    session.then_some("ClientAliveCountMax 0 (before OpenSSH 8.2, it ends idle sessions)")
}

/// The server's setting that caused the timeout.
fn setting(drop: &Drop) -> Option<&'static str> {
    match (drop.kind, drop.sqlstate.as_deref()?) {
        (DropKind::Server, "57P05") => Some("idle_session_timeout"),
        (DropKind::Server, "25P03") => Some("idle_in_transaction_session_timeout"),
        (DropKind::Server, "25P04") => Some("transaction_timeout"),
        _ => None,
    }
}

/// A drop in a few words.
pub fn described(drop: &Drop) -> String {
    let at = format_duration(drop.at);
    let what = match drop.kind {
        DropKind::Silent => return format!("no answer to a query after {at} of idle time"),
        DropKind::Reset => "reset",
        DropKind::Closed => "closed",
        DropKind::Server => "ended by the server",
        DropKind::Pooler => "ended by the pooler",
        DropKind::Ssh => "ended by the SSH server",
    };
    match drop.announced {
        true => format!("{what} after {at}"),
        false => format!("{what}, noticed on use after {at}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ladder::tests::drop_at;
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn known(interval: Option<u64>) -> IdleEvidence {
        let plan = Plan {
            longest: s(8),
            interval: interval.map(s),
            in_transaction: false,
            spare: None,
        };
        IdleEvidence::through(Tunnel::default(), plan)
    }

    fn rung(silence: u64, end: ParkedEnd) -> Rung {
        Rung {
            silence: s(silence),
            end,
        }
    }

    fn outcome(life: u64, end: ParkedEnd) -> TestOutcome {
        TestOutcome { life: s(life), end }
    }

    fn silent_at_four(interval: Option<u64>) -> IdleEvidence {
        let mut known = known(interval);
        known.rungs = vec![
            rung(3, ParkedEnd::Survived),
            rung(4, ParkedEnd::Dropped(drop_at(DropKind::Silent, 4, false))),
        ];
        known
    }

    fn concluded(known: &IdleEvidence) -> (StageRecord, Finding) {
        let mut record = StageRecord::new(crate::report::Stage::Idle);
        let finding = known.conclude(&mut record).unwrap_err();
        (record, finding)
    }

    #[test]
    fn what_outlives_the_drop_prevents_it() {
        let mut known = silent_at_four(None);
        known.care(Treatment::Keepalive(s(1)), outcome(6, ParkedEnd::Survived));
        known.care(Treatment::Heartbeat(s(1)), outcome(6, ParkedEnd::Survived));
        let (record, finding) = concluded(&known);
        assert_eq!(finding.cause.code, "idle.black-hole");
        assert_eq!(record.facts["keepalive_helps"], true);
        assert_eq!(record.findings[0].cause.code, "idle.keepalive");
        assert_eq!(record.facts["threshold"]["survived_ms"], 3000.0);
        assert!(
            finding.summary().contains("between 3.0 s and 4.0 s"),
            "{}",
            finding.summary()
        );
        assert!(finding.fixes().len() >= 2);
    }

    #[test]
    fn what_ends_before_the_drop_proves_nothing() {
        let mut known = silent_at_four(None);
        known.care(Treatment::Keepalive(s(1)), outcome(3, ParkedEnd::Survived));
        let (record, _) = concluded(&known);
        assert!(record.facts["keepalive_helps"].is_null());
    }

    #[test]
    fn keepalives_that_come_too_late_prove_nothing_unless_they_were_asked_for() {
        for (asked, helps) in [(None, serde_json::Value::Null), (Some(5), json!(false))] {
            let mut known = silent_at_four(asked);
            let end = ParkedEnd::Dropped(drop_at(DropKind::Silent, 8, false));
            known.care(Treatment::Keepalive(s(5)), outcome(8, end));
            let (record, _) = concluded(&known);
            assert_eq!(record.facts["keepalive_helps"], helps);
        }
    }

    #[test]
    fn every_kind_has_its_cause_and_its_words() {
        for (kind, code) in [
            (DropKind::Reset, "idle.reset"),
            (DropKind::Closed, "idle.closed"),
            (DropKind::Silent, "idle.black-hole"),
            (DropKind::Server, "idle.terminated"),
            (DropKind::Pooler, "idle.pooler-timeout"),
            (DropKind::Ssh, "idle.ssh-closed"),
        ] {
            let mut known = known(None);
            let mut drop = drop_at(kind, 3, true);
            if kind == DropKind::Ssh {
                known.tunnel = Tunnel::through(&["ops@bastion:22"]);
                drop.part = Some(TunnelPart::Ssh);
                drop.hop = Some(0);
            }
            known.rungs = vec![rung(4, ParkedEnd::Dropped(drop))];
            let (_, finding) = concluded(&known);
            assert_eq!(finding.cause.code, code);
            let title = format!("{}.", finding.cause.title);
            assert_ne!(finding.summary(), title, "a value is missing");
            assert!(!finding.fixes().is_empty(), "{code}");
        }
    }

    #[test]
    fn the_server_s_own_timeouts_are_told_from_terminations() {
        for (sqlstate, code) in [
            ("57P05", "idle.server-timeout"),
            ("25P03", "idle.server-timeout"),
            ("57P01", "idle.terminated"),
        ] {
            let drop = Drop {
                sqlstate: Some(sqlstate.to_owned()),
                ..drop_at(DropKind::Server, 3, true)
            };
            assert_eq!(cause_of(&drop).code, code);
        }
    }

    #[test]
    fn a_termination_advises_no_numbers() {
        let mut known = known(None);
        let drop = Drop {
            sqlstate: Some("57P01".to_owned()),
            message: Some("terminating connection".to_owned()),
            ..drop_at(DropKind::Server, 3, true)
        };
        known.rungs = vec![
            rung(4, ParkedEnd::Dropped(drop)),
            rung(8, ParkedEnd::Survived),
        ];
        let (record, finding) = concluded(&known);
        assert_eq!(finding.cause.code, "idle.terminated");
        assert!(record.facts["threshold"]["dropped_ms"].is_null());
        assert!(
            !record.facts["advice"]
                .to_string()
                .contains("keepalives_idle")
        );
    }

    #[test]
    fn the_guilty_hop_is_named() {
        let mut known = known(None);
        known.tunnel = Tunnel::through(&["a@one:22", "b@two:22"]);
        let drop = Drop {
            part: Some(TunnelPart::Ssh),
            hop: Some(1),
            ..drop_at(DropKind::Silent, 4, false)
        };
        assert_eq!(known.place(&drop), "between a@one:22 and b@two:22");
        assert_eq!(known.hop(&drop), Some("b@two:22"));
        let beyond = Drop {
            part: Some(TunnelPart::Beyond),
            ..drop
        };
        assert_eq!(known.place(&beyond), "between b@two:22 and the database");
    }
}
