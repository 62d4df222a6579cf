//! Reports as bytes: one file per form, and what they share.

pub mod board;
pub mod diff;
pub mod evidence;
pub mod explain;
pub mod json;
pub mod live;
pub mod page;
pub mod settings;
pub mod style;
pub mod table;
