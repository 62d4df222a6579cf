//! What a run tells while it goes on, for whoever shows it.

use std::any::Any;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::report::{Stage, StageRecord};

/// Is told how far a run is.
pub trait Progress: Send {
    /// A stage is being worked on.
    fn running(&mut self, stage: Stage);
    /// A stage is over; its record is complete but for background checks.
    fn ended(&mut self, record: &StageRecord);
}

/// A run that tells nobody.
impl Progress for () {
    fn running(&mut self, _: Stage) {}
    fn ended(&mut self, _: &StageRecord) {}
}

/// Takes what is drawn off the terminal, and keeps it off until the result is
/// dropped.
pub type Suspend = fn() -> Box<dyn Any + Send>;

static SUSPEND: OnceLock<Suspend> = OnceLock::new();

/// Says how what is drawn can be taken off the terminal.
pub fn suspended_by(suspend: Suspend) {
    let _ = SUSPEND.set(suspend);
}

/// Keeps the progress off the terminal, until the result is dropped, for
/// something else such as asking for a password.
pub fn suspend() -> Option<Box<dyn Any + Send>> {
    SUSPEND.get().map(|suspend| suspend())
}

/// What the current stage is waiting for.
static AWAITED: Mutex<Option<&'static str>> = Mutex::new(None);

/// Says what a long wait is for, until the result is dropped.
pub fn waiting_for(what: &'static str) -> impl Drop {
    *awaited_now() = Some(what);
    Waiting
}

/// What the current stage is waiting for, where that was said.
pub fn awaited() -> Option<&'static str> {
    *awaited_now()
}

fn awaited_now() -> MutexGuard<'static, Option<&'static str>> {
    AWAITED.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Waiting;

impl Drop for Waiting {
    fn drop(&mut self) {
        *awaited_now() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_said_while_it_lasts() {
        assert_eq!(awaited(), None);
        let waiting = waiting_for("an answer");
        assert_eq!(awaited(), Some("an answer"));
        drop(waiting);
        assert_eq!(awaited(), None);
    }
}
