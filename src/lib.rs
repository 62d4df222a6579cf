//! dbdoctor finds out why a PostgreSQL connection fails and how to fix it.
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
//! - [`client`]: the drivers that applications connect with, by name and version
//! - [`config`]: what the user asked for, resolved as libpq and ssh resolve it
//! - [`pipeline`]: the one order of stages
//! - [`stage`]: one failure class each: `probe` does the I/O, `classify` turns
//!   the evidence into a cause
//! - [`cause`]: the catalogue, from the pages in `causes/`
//! - [`wire`]: what carries bytes
//! - [`peer`]: who answers, where it is not PostgreSQL as asked
//! - [`application`]: the verdict of an application's driver, and what psql does
//! - [`forward`], [`tap`]: connections of applications, passed on and looked at
//! - [`idle`], [`second_opinion`]: experiments on what a run reached
//! - [`host_kind`], [`listeners`]: the kind of machine this is, and who listens on it
//! - [`finding`], [`report`]: what was found, and the shape of the JSON
//! - [`message`]: the table of error texts, and the one way to look for them
//! - [`token`]: tokens that are passed as a password, read without asking anyone
//! - [`kubernetes`]: what a pod can tell about its cluster
//! - [`place`]: what to do in a CI system, a container, WSL
//! - [`provider`]: the tables of providers and poolers, and what to do at them
//! - [`explain`], [`diff`]: from error texts, and from two reports, to what they mean
//! - [`redact`]: a report without anybody's names
//! - [`render`]: reports as bytes
//! - [`progress`], [`terminal`]: what a run tells while it goes on; asking a person
//! - [`secret`], [`text`], [`visible`], [`core_dumps`], [`initial_stack`]: what must not
//!   be shown or kept in memory, and what is safe to show
//! - [`process`], [`temporary`]: programs that are started, files that are made for them
//! - [`descriptors`], [`threads`]: enough of them to begin
//! - [`run_id`]: which of several runs at once a piece of work belongs to
//! - [`invocation`]: the name by which dbdoctor was called
//! - [`vantage`]: the place of a running process, taken for `--pid`
//! - `fuzz`: what every parser of foreign bytes must hold to, for tests and libFuzzer
//! - [`version`]: which dbdoctor this is, and how it was built
//! - [`usage`]: what is said about a command line that cannot be read
//!
//! Rooms import only from those below them; `tests/rooms.rs` has the order.
//!
//! A database that does not answer is a [`finding::Finding`], never an error:
//! errors are for dbdoctor's own failures.

// A panic is a defect, and standard output belongs to the report.
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::panic,
        clippy::todo,
        clippy::unimplemented,
        clippy::dbg_macro,
        clippy::print_stdout,
        clippy::mem_forget,
        clippy::undocumented_unsafe_blocks
    )
)]

pub mod application;
pub mod cause;
pub mod cli;
pub mod client;
pub mod command;
pub mod config;
pub mod core_dumps;
pub mod ctx;
pub mod descriptors;
pub mod diff;
pub mod explain;
pub mod finding;
pub mod forward;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod host_kind;
pub mod idle;
pub mod initial_stack;
pub mod invocation;
pub mod kubernetes;
pub mod listeners;
pub mod message;
pub mod peer;
pub mod pipeline;
pub mod place;
pub mod process;
pub mod progress;
pub mod provider;
pub mod redact;
pub mod render;
pub mod report;
pub mod run_id;
pub mod second_opinion;
pub mod secret;
pub mod signals;
pub mod sockets;
pub mod stage;
pub mod system;
pub mod tap;
pub mod temporary;
pub mod terminal;
pub mod text;
pub mod threads;
pub mod token;
pub mod usage;
pub mod vantage;
pub mod version;
pub mod visible;
pub mod wire;
