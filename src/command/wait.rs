//! `--wait`: retries until the run passes, as long as retrying can help, then execs
//! the given command.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use super::crash_loop::{self, CrashLoop, Generation};
use super::{Exit, usage};
use crate::cause::{Cause, auth, server};
use crate::finding::Status;
use crate::pipeline::Connected;
use crate::redact;
use crate::report::{Report, StageRecord, Verdict};
use crate::text;

/// The pause after the first look; it grows by half each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause between looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// The pause before another look at a server that has just come up.
const SECOND_LOOK: Duration = Duration::from_secs(1);
/// A server that has been up for this long has not just come up. A starting
/// server may answer for a moment and restart: the images of container
/// registries run their first scripts on a server that is then stopped.
const SETTLED: Duration = Duration::from_secs(3);
/// A server that has been up for this long needs no second look at all.
const OLD: Duration = Duration::from_secs(60);
/// How long a server that came up while we waited may go without its role or
/// database: its first scripts make them.
const FIRST_SCRIPTS: Duration = Duration::from_secs(10);
/// How often the same thing is said.
const TELL_AGAIN: Duration = Duration::from_secs(5);

/// Who the server is and for how long. On a server that does not know these
/// functions the answer is an error, and nothing is known.
const ASK: &str = "SELECT extract(epoch FROM pg_catalog.pg_postmaster_start_time()), \
    extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.pg_postmaster_start_time()), \
    coalesce((SELECT setting = '' AND source = 'command line' \
        FROM pg_catalog.pg_settings WHERE name = 'listen_addresses'), false)";

/// What to do after a look.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// The report is final.
    Stop,
    /// Look again after a pause.
    Again(Duration),
}

/// The server that was reached.
#[derive(Clone, Debug, PartialEq)]
struct Server {
    /// When its postmaster started, as it says; only compared.
    started: String,
    /// How long ago that is.
    up_for: Duration,
    /// Whether its command line tells it to listen on no address: so the
    /// images run their first scripts.
    for_itself: bool,
}

/// The waiting as it goes on.
pub struct Waiting {
    end: Option<Instant>,
    began: Instant,
    state: WaitState,
    crashes: CrashLoop,
    told: Option<(String, Instant)>,
}

impl Waiting {
    /// Waits for up to `limit`; without one, the first look is the last.
    pub fn new(limit: Option<Duration>) -> Self {
        Self {
            end: limit.map(|limit| Instant::now() + limit),
            began: Instant::now(),
            state: WaitState::default(),
            crashes: CrashLoop::default(),
            told: None,
        }
    }

    /// Decides what comes after a look, and says on standard error what is
    /// waited for.
    pub async fn after(&mut self, report: &Report, connected: Option<&mut Connected>) -> Next {
        let Some(end) = self.end else {
            return Next::Stop;
        };
        let began = report.started.saturating_duration_since(self.began);
        let (server, generation) = match connected {
            Some(connected) => {
                let server = Server::ask(connected).await;
                (server, self.generation(connected).await)
            }
            None => (None, None),
        };
        let left = end.saturating_duration_since(Instant::now());
        let verdict = report.verdict();
        let mut findings = report.stages.iter().flat_map(StageRecord::all_findings);
        match findings.find(|finding| finding.status == Status::Fail) {
            Some(failure) => self.crashes.failed(began, &failure),
            None => self.crashes.passed(began, generation),
        }
        let next = match report.interrupted {
            true => Next::Stop,
            false => self.state.after(&verdict, left, server),
        };
        if let Next::Again(_) = next {
            self.tell(&verdict, left);
        }
        next
    }

    /// Who served a look that passed after one that did not.
    async fn generation(&self, connected: &mut Connected) -> Option<Generation> {
        let session = connected
            .session
            .as_mut()
            .filter(|_| self.state.failed_before)?;
        Generation::ask(session, &connected.ctx.anew()).await
    }

    /// Adds what all looks together show: the server crashes again and again. That
    /// is the verdict where the last look failed for it.
    pub fn conclude(&self, report: &mut Report) {
        let Some(finding) = self.crashes.finding() else {
            return;
        };
        let verdict = report.verdict();
        let failed = verdict.status == Status::Fail;
        let last = report.stages.iter().rposition(StageRecord::has_run);
        let at = match verdict.stage.filter(|_| failed) {
            Some(stage) => report
                .stages
                .iter()
                .position(|record| record.stage == stage),
            None => last,
        };
        let Some(record) = at.and_then(|at| report.stages.get_mut(at)) else {
            return;
        };
        match verdict.cause.filter(|_| failed) {
            Some(cause) if crash_loop::is_of_a_crash(cause) => {
                record.findings.insert(0, finding.as_failure());
            }
            _ => {
                record.warn(finding);
                record.status = record.status.max(Status::Warn);
            }
        }
    }

    /// Says what is waited for, when that changes and now and then.
    fn tell(&mut self, verdict: &Verdict, left: Duration) {
        let why = match self.crashes.finding() {
            Some(crashing) => format!("{}: {}", crashing.cause.code, crashing.summary()),
            None => self.state.words(verdict),
        };
        let again = match &self.told {
            Some((told, at)) => *told != why || at.elapsed() >= TELL_AGAIN,
            None => true,
        };
        if again {
            crate::terminal::say(format_args!(
                "dbdoctor: waiting up to {} s more: {}",
                left.as_secs_f64().ceil(),
                redact::active::line(&why)
            ));
            self.told = Some((why, Instant::now()));
        }
    }
}

impl Server {
    async fn ask(connected: &mut Connected) -> Option<Self> {
        let ctx = connected.ctx.anew();
        let session = connected.session.as_mut()?;
        let rows = session.simple_query(ASK, &ctx).await.ok()?;
        let mut values = rows.into_iter().next()?.into_iter();
        let started = values.next()??;
        let up_for: f64 = values.next()??.parse().ok()?;
        Some(Self {
            started,
            up_for: Duration::try_from_secs_f64(up_for).ok()?,
            for_itself: values.next()??.starts_with('t'),
        })
    }
}

/// What earlier looks found.
#[derive(Default)]
struct WaitState {
    failed_before: bool,
    /// Whether the last failure is one of a server that crashed.
    crashed: bool,
    /// When the server first answered at all, after it had not.
    came_up: Option<Instant>,
    passed: Option<Option<Server>>,
    pause: Option<Duration>,
    /// Why the last look failed.
    last: Option<&'static Cause>,
}

impl WaitState {
    /// Decides from a verdict, the time left, and the server that was reached.
    fn after(&mut self, verdict: &Verdict, left: Duration, server: Option<Server>) -> Next {
        if verdict.status == Status::Fail {
            self.passed = None;
            self.failed(verdict, left)
        } else {
            self.passed(left, server)
        }
    }

    fn passed(&mut self, left: Duration, server: Option<Server>) -> Next {
        let before = self.passed.replace(server.clone());
        let settled = match (&server, before) {
            // It does not get younger by restarting its processes.
            (Some(server), _) if server.up_for >= OLD && !self.crashed => true,
            (Some(server), _) if server.for_itself => false,
            // One that was up before we came and is not quite new.
            (Some(server), None) => !self.failed_before && server.up_for >= SETTLED,
            (Some(server), Some(Some(before))) => {
                server.started == before.started && server.up_for >= SETTLED
            }
            // Nothing is known of its age.
            (None, None) => !self.failed_before,
            (_, Some(_)) => true,
        };
        if settled || left < SECOND_LOOK {
            Next::Stop
        } else {
            Next::Again(SECOND_LOOK)
        }
    }

    fn failed(&mut self, verdict: &Verdict, left: Duration) -> Next {
        self.crashed = verdict
            .cause
            .is_some_and(|cause| cause.is_any(&[&server::RECOVERING, &server::CLOSED]));
        let heals = verdict.retryable || self.still_being_made(verdict.cause);
        self.failed_before = true;
        if !heals || left.is_zero() {
            return Next::Stop;
        }
        // What is on its way is looked at soon.
        let moves = self.last != verdict.cause;
        self.last = verdict.cause;
        let pause = self.pause.filter(|_| !moves).unwrap_or(FIRST_PAUSE);
        self.pause = Some((pause * 3 / 2).min(LONGEST_PAUSE));
        Next::Again(pause.min(left))
    }

    /// Whether a role or database may be missing because the server, which
    /// came up while we waited, has not made it yet.
    fn still_being_made(&mut self, cause: Option<&Cause>) -> bool {
        let missing =
            cause.is_some_and(|it| it.is_any(&[&auth::DATABASE_MISSING, &auth::ROLE_MISSING]));
        if !missing || !self.failed_before {
            return false;
        }
        let came_up = *self.came_up.get_or_insert_with(Instant::now);
        came_up.elapsed() < FIRST_SCRIPTS
    }

    fn words(&self, verdict: &Verdict) -> String {
        match (&self.passed, &verdict.cause) {
            (Some(Some(server)), _) if server.for_itself => {
                "the server answers but listens on no address: its initialisation scripts are still running".to_owned()
            }
            (Some(_), _) => "the server has only just started; checking again".to_owned(),
            (None, Some(cause)) => format!("{}: {}", cause.code, text::clean_ours(&verdict.summary)),
            (None, None) => text::clean_ours(&verdict.summary),
        }
    }
}

/// Runs a command in place of this process. Comes back only where that cannot
/// be done.
pub fn exec(command: &[OsString]) -> Exit {
    // The one outside runs it, where it was asked for.
    let here = !super::pid::is_inside();
    let Some((program, args)) = command.split_first().filter(|_| here) else {
        return Exit::Success;
    };
    crate::descriptors::restore();
    crate::core_dumps::restore();
    crate::process::started::end_all();
    let error = replace_by(std::process::Command::new(program).args(args));
    usage(&format!("cannot run the command after --: {error}"))
}

/// Comes back with the reason where that cannot be done.
#[allow(unsafe_code)]
fn replace_by(command: &mut std::process::Command) -> std::io::Error {
    let restore = || {
        crate::signals::restore();
        Ok(())
    };
    // SAFETY: without a fork the closure runs in this thread, where everything is allowed.
    unsafe { command.pre_exec(restore) };
    command.exec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause;

    fn verdict(status: Status, cause: &str, retryable: bool) -> Verdict {
        Verdict {
            status,
            stage: None,
            cause: cause::find(cause),
            summary: String::new(),
            fixes: Vec::new(),
            retryable,
        }
    }

    fn passed() -> Verdict {
        verdict(Status::Pass, "", false)
    }

    fn refused() -> Verdict {
        verdict(Status::Fail, "tcp.refused", true)
    }

    fn server(started: &str, up_for: u64) -> Option<Server> {
        Some(Server {
            started: started.to_owned(),
            up_for: Duration::from_secs(up_for),
            for_itself: false,
        })
    }

    const LEFT: Duration = Duration::from_secs(10);
    const AGAIN: Next = Next::Again(SECOND_LOOK);

    #[test]
    fn what_passes_at_once_is_done_unless_it_is_new() {
        let first = |server| WaitState::default().after(&passed(), LEFT, server);
        assert_eq!(first(None), Next::Stop);
        assert_eq!(first(server("a", 100)), Next::Stop);
        assert_eq!(first(server("a", 4)), Next::Stop);
        assert_eq!(first(server("a", 1)), AGAIN);
    }

    #[test]
    fn what_does_not_heal_stops() {
        let wrong = verdict(Status::Fail, "auth.password.wrong", false);
        assert_eq!(WaitState::default().after(&wrong, LEFT, None), Next::Stop);
    }

    #[test]
    fn a_pass_after_a_failure_is_looked_at_twice() {
        let mut state = WaitState::default();
        assert_eq!(
            state.after(&refused(), LEFT, None),
            Next::Again(FIRST_PAUSE)
        );
        assert_eq!(state.after(&passed(), LEFT, None), AGAIN);
        assert_eq!(state.after(&passed(), LEFT, None), Next::Stop);
    }

    #[test]
    fn an_old_server_that_was_out_of_reach_needs_no_second_look() {
        let mut state = WaitState::default();
        state.after(&refused(), LEFT, None);
        assert_eq!(
            state.after(&passed(), LEFT, server("a", 86_400)),
            Next::Stop
        );
    }

    #[test]
    fn a_server_that_crashed_is_looked_at_twice() {
        let recovering = verdict(Status::Fail, "server.recovering", true);
        let mut state = WaitState::default();
        state.after(&recovering, LEFT, None);
        assert_eq!(state.after(&passed(), LEFT, server("a", 86_400)), AGAIN);
        assert_eq!(
            state.after(&passed(), LEFT, server("a", 86_401)),
            Next::Stop
        );
    }

    #[test]
    fn a_restart_in_between_is_waited_for() {
        let mut state = WaitState::default();
        state.after(&refused(), LEFT, None);
        assert_eq!(state.after(&passed(), LEFT, server("a", 0)), AGAIN);
        let down = state.after(&refused(), LEFT, None);
        assert!(matches!(down, Next::Again(_)));
        assert_eq!(state.after(&passed(), LEFT, server("b", 0)), AGAIN);
        assert_eq!(state.after(&passed(), LEFT, server("b", 1)), AGAIN);
        assert_eq!(state.after(&passed(), LEFT, server("b", 3)), Next::Stop);
    }

    #[test]
    fn a_restart_between_two_passes_is_seen() {
        let mut state = WaitState::default();
        state.after(&passed(), LEFT, server("a", 2));
        assert_eq!(state.after(&passed(), LEFT, server("b", 0)), AGAIN);
    }

    #[test]
    fn a_server_that_runs_its_first_scripts_is_not_ready() {
        let mut state = WaitState::default();
        let scripts = server("a", 20).map(|server| Server {
            for_itself: true,
            ..server
        });
        assert_eq!(state.after(&passed(), LEFT, scripts.clone()), AGAIN);
        assert_eq!(state.after(&passed(), LEFT, scripts), AGAIN);
        assert!(state.words(&passed()).contains("initialisation scripts"));
    }

    #[test]
    fn a_database_that_is_being_made_is_waited_for_and_else_not() {
        let missing = verdict(Status::Fail, "auth.database.missing", false);
        assert_eq!(WaitState::default().after(&missing, LEFT, None), Next::Stop);
        let mut state = WaitState::default();
        state.after(&refused(), LEFT, None);
        assert!(matches!(state.after(&missing, LEFT, None), Next::Again(_)));
    }

    #[test]
    fn time_used_up_stops() {
        let next = WaitState::default().after(&refused(), Duration::ZERO, None);
        assert_eq!(next, Next::Stop);
        let next = WaitState::default().after(&passed(), Duration::ZERO, server("a", 0));
        assert_eq!(next, Next::Stop);
    }
}
