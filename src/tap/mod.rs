//! `tap`: what an application really sends.
//!
//! ```text
//! application ─► forward ─► target         every byte passes unchanged
//!                   │
//!                   └─► Tap ─► Conversation ─► events as they happen, one Record a connection
//!                                                  Records ─► facts and findings of the report
//! ```
//!
//! Never kept: passwords and proofs, SQL text, parameter values, rows.

pub mod classify;
pub mod conversation;
pub mod differences;
mod event;
mod event_text;
pub mod facts;
pub mod marks;
pub mod process;
pub mod record;
mod reply;
pub mod stand_in;
pub mod watch;
