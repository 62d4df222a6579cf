//! What a stack calls a flaw, and since when it minds: `knowledge/certificates.toml`.

use std::fmt;

use super::Refusal;
use crate::client::{range, version::Version};

include!(concat!(env!("OUT_DIR"), "/certificates.rs"));

/// A row of the table.
#[derive(Debug)]
struct Row {
    stacks: &'static [&'static str],
    /// The flaws; `*` for every one that has no row above.
    reasons: &'static [&'static str],
    /// The first version that refuses it.
    since: Option<&'static str>,
    /// The first version that no longer says this.
    until: Option<&'static str>,
    /// What it says; none where the stack accepts it.
    text: Option<&'static str>,
    source: &'static str,
}

/// The lowest version of TLS that a stack speaks.
#[derive(Debug)]
struct Lowest {
    stacks: &'static [&'static str],
    since: Option<&'static str>,
    until: Option<&'static str>,
    version: &'static str,
    text: &'static str,
    #[expect(dead_code, reason = "for people")]
    source: &'static str,
}

/// Why a certificate is refused, in one stable word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reason(&'static str);

impl Reason {
    /// The word.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What may be held against a chain.
#[derive(Clone, Debug)]
pub(super) struct Flaw {
    pub reason: &'static str,
    pub depth: usize,
    /// What the text has between braces.
    pub values: Vec<(&'static str, String)>,
}

impl Flaw {
    pub fn new(reason: &'static str, depth: usize) -> Self {
        Self {
            reason,
            depth,
            values: Vec::new(),
        }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.values.push((name, value.into()));
        self
    }
}

/// What a stack says of a flaw; none where it does not mind.
pub(super) fn said(stack: &str, version: Option<Version>, flaw: &Flaw) -> Option<Refusal> {
    let row = ROWS.iter().find(|row| {
        row.reasons
            .iter()
            .any(|reason| ["*", flaw.reason].contains(reason))
            && row.stacks.contains(&stack)
            && is_within(version, row.since, row.until)
    })?;
    let mut text = row.text?.to_owned();
    for (name, value) in &flaw.values {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    Some(Refusal {
        reason: Reason(flaw.reason),
        text,
        since: row.since.and_then(Version::parse),
        depth: flaw.depth,
        source: row.source,
    })
}

/// The lowest version of TLS that this stack speaks, and what it says to less.
pub(super) fn lowest_tls(stack: &str, version: Option<Version>) -> (&'static str, &'static str) {
    LOWEST
        .iter()
        .find(|row| row.stacks.contains(&stack) && is_within(version, row.since, row.until))
        .map_or(("TLSv1.2", ""), |row| (row.version, row.text))
}

/// Whether a version is one of these; one that is not known is the newest.
fn is_within(version: Option<Version>, since: Option<&str>, until: Option<&str>) -> bool {
    match version {
        None => until.is_none(),
        Some(version) => range::holds(version, since, until),
    }
}
