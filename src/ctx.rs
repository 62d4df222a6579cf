//! What every stage may use: the time it has, the surroundings, the flags.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::report::Environment;
use crate::system::System;

/// How much is looked up that the stages themselves do not need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Nothing: one attempt of many, of which only the outcome is kept.
    Outcome,
    /// What explains a failure, once there is one.
    Failure,
    /// All of it, also where every stage passes.
    All,
}

/// The run's limits and surroundings, shared by all stages.
#[derive(Clone, Debug)]
pub struct Ctx {
    /// When the run began.
    pub started: Instant,
    /// The bound of one stage, per address.
    pub timeout: Duration,
    /// Whether nobody set that bound, so that a stage may listen on for the
    /// reason of a failure.
    pub patient: bool,
    /// The end of the whole run.
    pub deadline: Instant,
    /// How much is looked up beside what the stages need.
    pub detail: Detail,
    /// The outside world.
    pub surroundings: Arc<System>,
    /// The kind of place it runs in.
    pub environment: Arc<Environment>,
}

/// The time for a step was used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late;

impl Ctx {
    /// The same limits for work that begins now, after the run proper; nobody
    /// is asked anything any more.
    pub fn anew(&self) -> Self {
        let budget = self.deadline.saturating_duration_since(self.started);
        let started = Instant::now();
        let surroundings = System {
            interactive: false,
            ..self.surroundings.as_ref().clone()
        };
        Self {
            started,
            deadline: started + budget,
            surroundings: Arc::new(surroundings),
            ..self.clone()
        }
    }

    /// When a step that begins now must end: after `--timeout`, or at the
    /// `--deadline` if that comes first.
    pub fn limit(&self) -> Instant {
        (Instant::now() + self.timeout).min(self.deadline)
    }

    /// Runs a step within its time.
    pub async fn within<F: Future>(&self, step: F) -> Result<F::Output, Late> {
        self.until(self.limit(), step).await
    }

    /// Runs a step until a limit taken earlier, for a stage of several steps.
    pub async fn until<F: Future>(&self, limit: Instant, step: F) -> Result<F::Output, Late> {
        tokio::time::timeout_at(limit.into(), step)
            .await
            .map_err(|_| Late)
    }
}
