//! One file per failure class, in the order of the run.
//!
//! Each reads top down: what it proves, `probe` (the I/O), a pure `classify`
//! from evidence to cause, its tests. A stage takes what the one before
//! produced and returns what the next one needs; a failure is a [`Finding`].
//! Facts, warnings and the summary line go into the stage's record.

pub mod auth;
pub mod config;
pub mod dns;
pub mod hop;
pub mod key;
pub mod protocol;
pub mod server;
pub mod ssh;
pub mod tcp;
pub mod tls;
pub mod tunnel;

use serde_json::Value;
use tokio::task::JoinHandle;

use crate::finding::Finding;
use crate::report::Stage;

/// The next stage's input, or what stops the run.
pub type Verdict<T> = Result<T, Finding>;

/// A look to the side that must not delay the connection: another address,
/// another name server. It runs as a task and is gathered when the run is over.
pub struct BackgroundCheck {
    /// Whose record it belongs to.
    pub stage: Stage,
    /// What it will have found.
    pub task: JoinHandle<Vec<Observation>>,
}

/// Something that an [`BackgroundCheck`] found.
#[derive(Debug)]
pub enum Observation {
    /// A fact by name; it replaces one of the same name.
    Fact(&'static str, Value),
    /// A warning.
    Warn(Finding),
    /// The stage's summary line, now that more is known.
    Summary(String),
}
