//! dbdoctor says why a PostgreSQL connection fails, and what to do about it.
//!
//! # The map
//!
//! ```text
//! arguments, environment, files ─► Target ─► Address ─► Stream ─► Wire ─► Session ─► facts
//!                                    │          │          │        │        │
//!                                    └──────────┴─ every stage leaves a record in the Report
//!                                         Report ─► bytes (table, JSON) ─► exit status
//! ```
//!
//! - [`cli`]: every flag and subcommand, no logic
//! - [`command`]: the subcommands that are more than a run of the pipeline
//! - [`config`]: what the user asked for, resolved as libpq resolves it
//! - [`pipeline`]: the one order of stages
//! - [`stage`]: one file per failure class: `probe` does the I/O, a pure
//!   function turns the evidence into a cause
//! - [`cause`]: the catalogue, one file per stage, prose as data
//! - [`wire`]: what carries bytes
//! - [`host_kind`], [`listeners`]: the kind of place this is, and who listens on it
//! - [`finding`], [`report`]: what was found, and the shape of the JSON
//! - [`explain`], [`diff`]: from error texts, and from two reports, to what they mean
//! - [`descriptors`], [`threads`]: enough of them to begin
//! - [`process`], [`temporary`]: programs that are started, files that are made for them
//! - [`secret`], [`text`], [`core_dumps`]: what must not be shown, and what is safe to show
//! - [`render`]: reports as bytes
//! - [`second_opinion`]: the same steps through independent client stacks
//! - [`terminal`]: asking a person
//! - [`usage`]: what is said about a command line that cannot be read
//!
//! A database that does not answer is a [`finding::Finding`], never an error:
//! errors are for dbdoctor's own failures.

pub mod cause;
pub mod cli;
pub mod command;
pub mod config;
pub mod core_dumps;
pub mod ctx;
pub mod descriptors;
pub mod diff;
pub mod explain;
pub mod finding;
pub mod host_kind;
pub mod listeners;
pub mod peer;
pub mod pipeline;
pub mod process;
pub mod render;
pub mod report;
pub mod second_opinion;
pub mod secret;
pub mod sockets;
pub mod stage;
pub mod system;
pub mod temporary;
pub mod terminal;
pub mod text;
pub mod threads;
pub mod usage;
pub mod wire;
