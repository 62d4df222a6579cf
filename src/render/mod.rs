//! Reports as bytes: one file per form, and what they share.

mod client;
pub mod diff;
pub mod evidence;
pub mod explain;
pub mod idle_progress;
pub mod json;
pub mod layout;
pub mod options;
pub mod progress;
pub mod settings;
pub mod table;
