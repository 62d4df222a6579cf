//! The catalogue of causes: one page each in `causes/`, read at build time.
//!
//! A page is the one place that knows what a cause is called, what it means
//! and how to fix it. Stages choose a constant and give it evidence; reports,
//! `explain`, the manual and the documentation read the same pages. A code is
//! never renamed or reused, and never compared as a string: compare causes, or
//! ask for a [`family`].

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

include!(concat!(env!("OUT_DIR"), "/causes.rs"));

/// The failure classes, in the order of the run.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Which settings are in force.
    Config,
    /// The SSH private keys.
    Key,
    /// Name resolution.
    Dns,
    /// Reachability.
    Tcp,
    /// The SSH session, hop by hop.
    Ssh,
    /// The forward to the database.
    Tunnel,
    /// Who answers there.
    Protocol,
    /// Encryption and certificates.
    Tls,
    /// Start-up, authentication, authorisation.
    Auth,
    /// The server's own state.
    Server,
    /// What happens to an idle connection.
    Idle,
    /// What happens over many attempts.
    Stress,
    /// What an application sends.
    Tap,
    /// This side: other client stacks, processes sharing a socket.
    Client,
}

impl Stage {
    /// The stages that `check` lists.
    pub const RUN: [Stage; 11] = [
        Stage::Config,
        Stage::Key,
        Stage::Dns,
        Stage::Tcp,
        Stage::Ssh,
        Stage::Tunnel,
        Stage::Protocol,
        Stage::Tls,
        Stage::Auth,
        Stage::Server,
        Stage::Idle,
    ];

    /// The stage's name in codes, reports and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Config => "config",
            Stage::Key => "key",
            Stage::Dns => "dns",
            Stage::Tcp => "tcp",
            Stage::Ssh => "ssh",
            Stage::Tunnel => "tunnel",
            Stage::Protocol => "protocol",
            Stage::Tls => "tls",
            Stage::Auth => "auth",
            Stage::Server => "server",
            Stage::Idle => "idle",
            Stage::Stress => "stress",
            Stage::Tap => "tap",
            Stage::Client => "client",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

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
    /// The stage that a finding of it is filed under, whichever saw it. None
    /// for what settings, poolers and clients do: that stays with the stage
    /// that saw it.
    pub stage: Option<Stage>,
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
    /// What drivers print for it: the rows of `knowledge/texts.tsv` that its page
    /// shows.
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

/// As its code.
impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code)
    }
}

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

/// Whether there are codes with this first word.
pub fn has_family(first: &str) -> bool {
    all().any(|cause| cause.code.split('.').next() == Some(first))
}
