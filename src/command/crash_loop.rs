//! A server that goes down again and again while it is looked at: told from what
//! one look after another showed, by `--wait` and by `stress`.
//!
//! A restart is counted only where it is proven. PostgreSQL restarts all of its
//! processes when one crashes: the start time of the postmaster stays, and none of
//! the process numbers does. A start time that is later than an earlier look is
//! one of the whole server. So several servers behind one address, each of which
//! runs on, are no restarts. A server that never lets anyone in is seen to restart
//! where its port refuses after it had answered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::cause::{Cause, auth, protocol, server, tcp};
use crate::ctx::Ctx;
use crate::finding::{Finding, shown};
use crate::peer::in_words;
use crate::wire::session::Session;

/// So many restarts are more than one repair.
const AGAIN_AND_AGAIN: usize = 2;

/// When the postmaster started, what time it is there, and the numbers of its own
/// processes, which every role may see. Servers that do not know these functions
/// answer with an error.
const ASK: &str = "SELECT extract(epoch FROM pg_catalog.pg_postmaster_start_time()), \
    extract(epoch FROM pg_catalog.clock_timestamp()), \
    (SELECT pg_catalog.string_agg(pid::text, ',') FROM pg_catalog.pg_stat_get_activity(NULL) \
        WHERE datid IS NULL AND usesysid IS NULL)";

/// Nobody listens, or a Kubernetes Service has no pod that is ready.
const NOBODY_LISTENS: [&Cause; 3] = [&tcp::REFUSED, &tcp::LISTENER_GONE, &tcp::REJECTED];

/// The processes that served a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// When the postmaster started, as it says.
    started: String,
    /// The same in seconds, and the time of the answer by the same clock.
    started_at: f64,
    asked_at: f64,
    /// The numbers of the postmaster's own processes; empty where they are not
    /// shown.
    processes: BTreeSet<u32>,
}

impl Generation {
    /// Asks a server; `None` where it does not say.
    pub async fn ask(session: &mut Session, ctx: &Ctx) -> Option<Self> {
        let rows = session.simple_query(ASK, ctx).await.ok()?;
        let mut values = rows.into_iter().next()?.into_iter();
        let started = values.next()??;
        let asked_at = values.next()??.parse().ok()?;
        let processes = values.next()?.unwrap_or_default();
        Some(Self {
            started_at: started.parse().ok()?,
            asked_at,
            processes: processes
                .split(',')
                .filter_map(|pid| pid.parse().ok())
                .collect(),
            started,
        })
    }

    /// Whether none of the processes is the same.
    fn is_replaced_by(&self, later: &Self) -> bool {
        let known = !self.processes.is_empty() && !later.processes.is_empty();
        known && self.processes.is_disjoint(&later.processes)
    }
}

/// What one look showed.
#[derive(Clone, Debug)]
enum Look {
    /// It let us in.
    Up(Option<Generation>),
    /// It did not, for this.
    Down(&'static Cause),
}

impl Look {
    /// Whether somebody answered as a PostgreSQL server does.
    fn is_answered(&self) -> bool {
        match self {
            Look::Up(_) => true,
            Look::Down(cause) => {
                cause.is_any(&[&server::STARTING, &server::RECOVERING, &server::STOPPING])
            }
        }
    }

    /// Whether nobody listens.
    fn is_refused(&self) -> bool {
        matches!(self, Look::Down(cause) if cause.is_any(&NOBODY_LISTENS))
    }
}

/// Whether a server that goes down or is coming up shows this.
pub fn is_of_a_crash(cause: &Cause) -> bool {
    let goes_down = [
        &server::STARTING,
        &server::RECOVERING,
        &server::STOPPING,
        &server::CLOSED,
        &auth::CLOSED,
        &protocol::CLOSED,
        &protocol::RESET,
    ];
    cause.is_any(&goes_down) || cause.is_any(&NOBODY_LISTENS)
}

/// What the looks at one address showed.
#[derive(Clone, Debug, Default)]
pub struct CrashLoop {
    looks: Vec<(Duration, Look)>,
    /// The server, as failures name it.
    endpoint: Option<String>,
}

/// The restarts that were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Restarts {
    /// Of the postmaster's processes, after a crash of one.
    processes: usize,
    /// Of the whole server.
    whole: usize,
}

impl CrashLoop {
    /// Notes a look that passed, which began at this time after the first.
    pub fn passed(&mut self, at: Duration, served_by: Option<Generation>) {
        self.looks.push((at, Look::Up(served_by)));
    }

    /// Notes a look that failed.
    pub fn failed(&mut self, at: Duration, finding: &Finding) {
        self.looks.push((at, Look::Down(finding.cause)));
        // `tcp` names an address as the host.
        let named = finding.value("endpoint").or(finding.value("host"));
        if is_of_a_crash(finding.cause) && self.endpoint.is_none() {
            self.endpoint = named.map(shown);
        }
    }

    fn restarts(&self) -> Restarts {
        let mut ups: Vec<&Generation> = self
            .looks
            .iter()
            .filter_map(|(_, look)| match look {
                Look::Up(generation) => generation.as_ref(),
                Look::Down(_) => None,
            })
            .collect();
        // Looks that overlap need not end in the order they began.
        ups.sort_by(|a, b| a.asked_at.total_cmp(&b.asked_at));
        let mut restarts = Restarts::default();
        let mut latest: BTreeMap<&str, &Generation> = BTreeMap::new();
        for up in &ups {
            match latest.insert(&up.started, up) {
                Some(before) if before.is_replaced_by(up) => restarts.processes += 1,
                None if ups
                    .first()
                    .is_some_and(|first| up.started_at > first.asked_at) =>
                {
                    restarts.whole += 1;
                }
                _ => {}
            }
        }
        // A crash before the first look that told who served it.
        let first = self
            .looks
            .iter()
            .position(|(_, look)| matches!(look, Look::Up(Some(_))));
        let before = self.looks.iter().take(first.unwrap_or_default());
        let recovered = before
            .filter(|(_, look)| matches!(look, Look::Down(cause) if *cause == &server::RECOVERING))
            .count();
        if restarts.processes > 0 && recovered > 0 {
            restarts.processes += 1;
        }
        restarts.whole = restarts.whole.max(self.returns());
        restarts
    }

    /// How often the port refused between two answers, of which one at least is
    /// that of a server on its way up or down: a forward that is opened again leads
    /// to a server that runs.
    fn returns(&self) -> usize {
        let mut returns = 0;
        let mut before: Option<&Look> = None;
        let mut refused = false;
        for (_, look) in &self.looks {
            if look.is_refused() {
                refused = true;
            } else if look.is_answered() {
                let moves = |look: &Look| matches!(look, Look::Down(_));
                let returned = refused && before.is_some_and(|it| moves(it) || moves(look));
                returns += usize::from(returned);
                before = Some(look);
                refused = false;
            }
        }
        returns
    }

    /// The finding, where the server went down again and again.
    pub fn finding(&self) -> Option<Finding> {
        let Restarts { processes, whole } = self.restarts();
        let restarts = processes + whole;
        if restarts < AGAIN_AND_AGAIN {
            return None;
        }
        let times = self.looks.iter().map(|(at, _)| *at);
        let within = times.clone().max()? - times.min()?;
        let states: BTreeSet<&str> = self
            .looks
            .iter()
            .filter_map(|(_, look)| match look {
                Look::Up(_) => None,
                Look::Down(cause) => Some(cause.code),
            })
            .collect();
        let served = self
            .looks
            .iter()
            .filter(|(_, look)| matches!(look, Look::Up(_)));
        let states: Vec<String> = states.into_iter().map(str::to_owned).collect();
        let of_processes = (processes > 0).then_some("its processes");
        let of_whole = (whole > 0).then_some("the whole server");
        Some(
            Finding::new(&server::CRASHING)
                .with("endpoint", self.endpoint.clone())
                .with("restarts", restarts)
                .with("within", in_words(within))
                .with("looks", self.looks.len())
                .with("served", served.count())
                .with("seen_meanwhile", (!states.is_empty()).then_some(states))
                .with("restarted", of_processes.or(of_whole))
                .word("processes", of_processes.map(|_| "Its processes"))
                .word("whole", of_whole.map(|_| "The whole server")),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(started: f64, asked_at: f64, processes: &[u32]) -> Look {
        Look::Up(Some(Generation {
            started: started.to_string(),
            started_at: started,
            asked_at,
            processes: processes.iter().copied().collect(),
        }))
    }

    const RECOVERING: Look = Look::Down(&server::RECOVERING);
    const STARTING: Look = Look::Down(&server::STARTING);
    const REFUSED: Look = Look::Down(&tcp::REFUSED);

    fn restarts(looks: &[Look]) -> (usize, usize) {
        let mut crash_loop = CrashLoop::default();
        for (at, look) in looks.iter().enumerate() {
            crash_loop
                .looks
                .push((Duration::from_secs(at as u64), look.clone()));
        }
        let Restarts { processes, whole } = crash_loop.restarts();
        let told = crash_loop.finding().is_some();
        assert_eq!(told, processes + whole >= AGAIN_AND_AGAIN);
        (processes, whole)
    }

    #[test]
    fn processes_that_are_all_new_are_a_crash() {
        let [a, b, c] = [
            up(1.0, 100.0, &[10, 11]),
            up(1.0, 101.0, &[20, 21]),
            up(1.0, 102.0, &[30]),
        ];
        let looks = [a.clone(), RECOVERING, b.clone(), RECOVERING, c];
        assert_eq!(restarts(&looks), (2, 0));
        assert_eq!(
            restarts(&[RECOVERING, a.clone(), RECOVERING, b.clone()]),
            (2, 0)
        );
        assert_eq!(restarts(&[a.clone(), RECOVERING, b]), (1, 0));
        // One process that came and one that went.
        let worker = up(1.0, 103.0, &[10, 12]);
        assert_eq!(restarts(&[a.clone(), worker, a]), (0, 0));
    }

    #[test]
    fn a_server_that_started_after_we_looked_is_a_restart() {
        let looks = [
            up(99.0, 100.0, &[10]),
            REFUSED,
            up(102.0, 103.0, &[20]),
            STARTING,
            up(105.0, 106.0, &[30]),
        ];
        assert_eq!(restarts(&looks), (0, 2));
    }

    #[test]
    fn several_servers_that_run_on_are_no_restarts() {
        let (a, b) = (up(1.0, 100.0, &[10]), up(2.0, 101.0, &[20]));
        let looks = [
            a.clone(),
            RECOVERING,
            b.clone(),
            RECOVERING,
            a,
            RECOVERING,
            b,
        ];
        assert_eq!(restarts(&looks), (0, 0));
    }

    #[test]
    fn a_port_that_refuses_between_answers_is_a_restart_each_time() {
        let looks = [
            REFUSED, STARTING, REFUSED, REFUSED, STARTING, REFUSED, STARTING,
        ];
        assert_eq!(restarts(&looks), (0, 2));
        assert_eq!(restarts(&[REFUSED, REFUSED, STARTING, STARTING]), (0, 0));
        assert_eq!(restarts(&[const { RECOVERING }; 5]), (0, 0));
        // A forward that is opened again leads to the same server.
        let up = up(1.0, 100.0, &[10]);
        let looks = [
            Look::Up(None),
            REFUSED,
            up.clone(),
            REFUSED,
            up.clone(),
            REFUSED,
            up,
        ];
        assert_eq!(restarts(&looks), (0, 0));
    }
}
