//! Which of several runs at once a piece of work belongs to, so that what is kept for the
//! whole process, such as the secrets that must not be shown, is kept apart for each.

use std::sync::atomic::{AtomicU32, Ordering};

/// A run among several; there is none where the process does one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(u32);

tokio::task_local! {
    static CURRENT: RunId;
}

impl RunId {
    /// A run that no other piece of work belongs to yet.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The run that the current task belongs to.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|id| *id).ok()
    }

    /// Has some work belong to this run, but not the tasks that it spawns: see [`inherited`].
    pub fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, work)
    }

    /// The same for work that does not wait.
    pub fn enter<T>(self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self, work)
    }
}

impl Default for RunId {
    fn default() -> Self {
        Self::new()
    }
}

/// Work that is to be spawned and belongs to the run of the task that spawns it.
pub fn inherited<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let run = RunId::current();
    async move {
        match run {
            Some(run) => run.scope(work).await,
            None => work.await,
        }
    }
}

/// Does something as part of a run, where there is one.
pub fn enter<T>(run: Option<RunId>, work: impl FnOnce() -> T) -> T {
    match run {
        Some(run) => run.enter(work),
        None => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_spawned_task_belongs_to_a_run_if_it_inherits() {
        assert_eq!(RunId::current(), None);
        let run = RunId::new();
        assert_ne!(run, RunId::new());
        let seen = run.scope(async {
            let lost = tokio::spawn(async { RunId::current() });
            let kept = tokio::spawn(inherited(async { RunId::current() }));
            (RunId::current(), lost.await.unwrap(), kept.await.unwrap())
        });
        assert_eq!(seen.await, (Some(run), None, Some(run)));
        assert_eq!(run.enter(RunId::current), Some(run));
        assert_eq!(enter(None, RunId::current), None);
    }
}
