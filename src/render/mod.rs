//! Reports as bytes: one file per form.

pub mod json;
pub mod table;
