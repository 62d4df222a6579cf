//! The catalogue of causes: one page each in `causes/`, read at build time.
//!
//! A page is the one place that knows what a cause is called, what it means
//! and how to fix it. Stages choose a constant and give it evidence; reports,
//! `explain`, the manual and the documentation read the same pages. A code is
//! never renamed or reused, and never compared as a string: compare causes, or
//! ask for a [`family`].

include!(concat!(env!("OUT_DIR"), "/causes.rs"));

/// Whether a cause stops the connection or only deserves a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The connection does not work.
    Fail,
    /// The connection works, or would.
    Warn,
}

/// One page of the catalogue.
///
/// `summary`, fix texts and fix commands are templates: `{name}` is replaced
/// by the evidence of that name. A summary with a name that has no evidence
/// falls back to the title, and a fix with one is left out, so nothing
/// unfilled is ever shown. On pages (`explain CODE`, `docs/causes.md`) nothing
/// has evidence: there a fix whose text has a `{name}` is left out, and a
/// command has `NAME`, to be replaced by the reader. Two forms give a wording
/// for where evidence is missing; it is put in as it is written:
///
/// * `{name|wording}`: on pages and in findings.
/// * `{name?wording}`: on pages alone; a finding leaves the fix out.
#[derive(Debug)]
pub struct Cause {
    /// The stable code, `stage.what`.
    pub code: &'static str,
    /// What a finding of this cause does to the verdict unless the stage says otherwise.
    pub severity: Severity,
    /// Whether `--wait` tries again.
    pub retryable: bool,
    /// The version of dbdoctor that brought it.
    pub since: &'static str,
    /// A title that a person understands, without values.
    pub title: &'static str,
    /// The finding's sentence, with `{values}` from the evidence.
    pub summary: &'static str,
    /// What it means and how to tell it from its neighbours.
    pub meaning: &'static str,
    /// What to do, in the order to try it.
    pub fixes: &'static [FixRow],
    /// What drivers print for it; `explain` matches these too.
    pub seen_as: &'static [&'static str],
}

/// One fix of a [`Cause`].
#[derive(Debug)]
pub struct FixRow {
    /// What to do, as a sentence.
    pub text: &'static str,
    /// What to paste into a shell, if anything; values are quoted for it.
    pub command: Option<&'static str>,
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code
    }
}

impl Eq for Cause {}

impl Cause {
    /// Whether its code is one of the family's.
    pub fn is_of(&self, family: Family) -> bool {
        self.code.starts_with(family.0)
    }

    /// Whether it is one of these.
    pub fn is_any(&self, causes: &[&Cause]) -> bool {
        causes.contains(&self)
    }

    /// The version that brought it, where it is not the first one.
    pub fn later(&self) -> Option<&'static str> {
        (self.since != FIRST).then_some(self.since)
    }
}

/// The first version.
const FIRST: &str = "0.1.0";

/// Causes whose codes have the same beginning; see [`family`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family(&'static str);

/// The catalogue, by stage in the order of the run.
pub fn all() -> impl Iterator<Item = &'static Cause> {
    BY_FAMILY.into_iter().flatten().copied()
}

/// The cause with this code.
pub fn find(code: &str) -> Option<&'static Cause> {
    all().find(|cause| cause.code == code)
}
