//! `--wait`: look again until it passes, as long as waiting can help.

use std::time::{Duration, Instant};

use crate::finding::Status;
use crate::report::{Report, Verdict};

/// The pause after the first look; it grows by half each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause between looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// The pause before the second look at a server that has just come up. A
/// starting server may answer for a moment and restart (the images of
/// container registries run their init scripts on a first, short-lived one).
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// What to do after a look.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// The report is final.
    Stop,
    /// Look again after a pause.
    Again(Duration),
}

/// Repeats `look` until it passes, until its failure is one that does not
/// heal, or until `limit` is used up; `tell` gets a line about each wait. The
/// last report is returned.
///
/// # Errors
/// The first error of `look`.
pub async fn until_passed<E>(
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<Report, E>,
    mut tell: impl FnMut(&str),
) -> Result<Report, E> {
    let end = Instant::now() + limit;
    let mut state = State::default();
    loop {
        let report = look().await?;
        let left = end.saturating_duration_since(Instant::now());
        match state.after(&report.verdict(), report.interrupted, left) {
            Next::Stop => return Ok(report),
            Next::Again(pause) => {
                tell(&state.words(&report.verdict(), left));
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// What earlier looks found.
#[derive(Default)]
struct State {
    failed_before: bool,
    passed_once: bool,
    pause: Option<Duration>,
}

impl State {
    /// Decides from a verdict and the time left.
    fn after(&mut self, verdict: &Verdict, interrupted: bool, left: Duration) -> Next {
        if interrupted {
            return Next::Stop;
        }
        if verdict.status != Status::Fail {
            let sure = !self.failed_before || self.passed_once || left < SECOND_LOOK;
            self.passed_once = true;
            return if sure {
                Next::Stop
            } else {
                Next::Again(SECOND_LOOK)
            };
        }
        self.failed_before = true;
        self.passed_once = false;
        if !verdict.retryable || left.is_zero() {
            return Next::Stop;
        }
        let pause = self.pause.unwrap_or(FIRST_PAUSE);
        self.pause = Some((pause * 3 / 2).min(LONGEST_PAUSE));
        Next::Again(pause.min(left))
    }

    fn words(&self, verdict: &Verdict, left: Duration) -> String {
        match &verdict.cause {
            _ if self.passed_once => {
                "It answers; looking once more, since it has only just come up".to_owned()
            }
            Some(cause) => format!(
                "Waiting up to {} s more: {cause}: {}",
                left.as_secs(),
                verdict.summary
            ),
            None => format!("Waiting up to {} s more", left.as_secs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: Status, retryable: bool) -> Verdict {
        Verdict {
            status,
            stage: None,
            cause: Some("tcp.refused".to_owned()),
            summary: String::new(),
            fixes: Vec::new(),
            retryable,
        }
    }
    const LEFT: Duration = Duration::from_secs(10);

    #[test]
    fn what_passes_at_once_is_done() {
        let next = State::default().after(&verdict(Status::Pass, false), false, LEFT);
        assert_eq!(next, Next::Stop);
    }

    #[test]
    fn what_does_not_heal_stops() {
        let next = State::default().after(&verdict(Status::Fail, false), false, LEFT);
        assert_eq!(next, Next::Stop);
    }

    #[test]
    fn a_pass_after_a_failure_is_looked_at_twice() {
        let mut state = State::default();
        let failed = state.after(&verdict(Status::Fail, true), false, LEFT);
        assert_eq!(failed, Next::Again(FIRST_PAUSE));
        let passed = state.after(&verdict(Status::Pass, false), false, LEFT);
        assert_eq!(passed, Next::Again(SECOND_LOOK));
        let again = state.after(&verdict(Status::Pass, false), false, LEFT);
        assert_eq!(again, Next::Stop);
    }

    #[test]
    fn a_restart_in_between_is_waited_for() {
        let mut state = State::default();
        state.after(&verdict(Status::Fail, true), false, LEFT);
        state.after(&verdict(Status::Pass, false), false, LEFT);
        let down = state.after(&verdict(Status::Fail, true), false, LEFT);
        assert!(matches!(down, Next::Again(_)));
        let up = state.after(&verdict(Status::Warn, false), false, LEFT);
        assert_eq!(up, Next::Again(SECOND_LOOK));
    }

    #[test]
    fn time_used_up_stops() {
        let next = State::default().after(&verdict(Status::Fail, true), false, Duration::ZERO);
        assert_eq!(next, Next::Stop);
    }
}
