//! The catalogue of causes: one file per stage, prose as data.
//!
//! A row is the one place that knows what a cause is called, what it means,
//! how to mend it and what drivers print for it. Stages choose a row and hand
//! it evidence; reports, `explain`, the manual and the documentation read the
//! same rows. A code is never renamed or reused.

pub mod auth;
pub mod client;
pub mod config;
pub mod dns;
pub mod idle;
pub mod key;
pub mod pooler;
pub mod protocol;
pub mod server;
pub mod ssh;
pub mod tcp;
pub mod tls;
pub mod tunnel;

/// Whether a cause stops the connection or only deserves a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The connection does not work.
    Fail,
    /// The connection works, or would.
    Warn,
}

/// One row of the catalogue.
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

/// A fix in words.
pub const fn fix(text: &'static str) -> FixRow {
    FixRow {
        text,
        command: None,
    }
}

/// A fix with a command to paste.
pub const fn run(text: &'static str, command: &'static str) -> FixRow {
    FixRow {
        text,
        command: Some(command),
    }
}

/// The catalogue, by stage in the order of the run.
pub fn all() -> impl Iterator<Item = &'static Cause> {
    [
        config::ALL,
        key::ALL,
        dns::ALL,
        tcp::ALL,
        ssh::ALL,
        tunnel::ALL,
        protocol::ALL,
        tls::ALL,
        auth::ALL,
        server::ALL,
        pooler::ALL,
        idle::ALL,
        client::ALL,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// The first version, which brought the catalogue.
const FIRST: &str = "0.1.0";

/// Codes that came later, by the version that brought them.
const LATER: &[(&str, &[&str])] = &[];

impl Cause {
    /// The version of dbdoctor since which the code exists.
    pub fn since(&self) -> &'static str {
        self.later().unwrap_or(FIRST)
    }

    /// That version, where it is not the first one.
    pub fn later(&self) -> Option<&'static str> {
        let later = LATER.iter().find(|(_, codes)| codes.contains(&self.code));
        later.map(|(version, _)| *version)
    }
}

/// The row with this code.
pub fn find(code: &str) -> Option<&'static Cause> {
    all().find(|cause| cause.code == code)
}
