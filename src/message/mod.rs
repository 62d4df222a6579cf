//! The one table of error texts and the one way to look for them: what drivers,
//! poolers and servers print, and the causes it stands for.
//!
//! The rows are `knowledge/texts.tsv`, whose head explains its columns; the
//! build refuses a malformed one.

mod finder;
mod live;
mod pattern;
mod table;

use schemars::JsonSchema;
use serde::Serialize;

pub use finder::Finder;
pub use live::Message;
pub use pattern::{CAPTURED, Capture, Pattern, fold, shown, unfolded};

use crate::cause::Cause;
use table::ROWS;

/// When an error comes: while connecting, or on a connection that worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// While connecting.
    Connect,
    /// On a connection that worked.
    Session,
    /// Either.
    Any,
}

/// How much a text says by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Only this cause prints it.
    Exact,
    /// Any program prints it: it counts beside signs of PostgreSQL or SSH, or
    /// alone, never beside signs of something else.
    Broad,
    /// As broad, and it names no reason: one in the same line says more.
    General,
    /// A consequence, or a wrapper that hides the cause.
    Vague,
    /// What a page shows: fragments, some of them everyday words, and several
    /// pages may show the same.
    Quoted,
}

/// Whose message a row is when the server itself, or a pooler in its place,
/// sends it to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// A PostgreSQL server's.
    Server,
    /// A PostgreSQL server's, needed only where a pooler passes it on without
    /// the codes that say the same.
    Relayed,
    /// Of this pooler or proxy.
    Pooler(&'static str),
}

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    /// The text, with `*` for what varies and `{host}` for what is wanted of it
    /// ([`CAPTURED`]).
    pub text: &'static str,
    /// What it stands for, the likeliest first.
    pub causes: Vec<&'static Cause>,
    /// How much it says in a text of unknown origin; none where `explain` does
    /// not read it.
    pub weight: Option<Weight>,
    /// When it is printed.
    pub phase: Phase,
    /// The pages that show it.
    pub pages: Vec<&'static Cause>,
    /// Who sends it to us.
    pub live: Option<Live>,
}

/// All rows, in the order of the file.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    ROWS.iter()
}
