//! What a run tells while it goes on, for whoever shows it.

use std::any::Any;
use std::sync::OnceLock;

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
