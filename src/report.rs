//! The report: what every run leaves behind, and the shape of its JSON.
//!
//! Stages write facts and findings into their [`StageRecord`]; nothing is
//! rendered until the run is over or the record is complete. The types here
//! that derive `Serialize` are the contract's JSON, key by key.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use openssl::x509::X509;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cause::Cause;
pub use crate::cause::Stage;
use crate::finding::{Finding, Fix, Observed, Status};
pub use crate::version::Tool;

/// The version of the JSON's shape; keys may be added within one.
pub const SCHEMA_VERSION: u32 = 1;

/// Why a stage in which the run was interrupted has no result.
pub const INTERRUPTED: &str = "interrupted while running";

/// Why a stage that an interrupted run did not reach has none.
pub const NOT_REACHED: &str = "not run: interrupted";

/// The certificates that an end showed, for whoever looks at them as another client.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The host name or address that was asked for.
    pub host: String,
    /// As they were sent, the end's own first.
    pub sent: Vec<X509>,
    /// The trusted one that the verified chain ends in; none where nothing was verified.
    pub anchor: Option<X509>,
}

/// Why a stage has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// It does not apply to the target, or was not asked for.
    Inapplicable,
    /// The run was over before it.
    NotRun,
    /// It began, and what ended it belongs to another stage.
    NotCompleted,
}

/// What one stage found.
#[derive(Clone, Debug)]
pub struct StageRecord {
    /// Which stage.
    pub stage: Stage,
    /// `Skip` until it has run.
    pub status: Status,
    /// Why it did not run.
    pub reason: Option<String>,
    /// What kind of reason that is.
    pub skipped: Skipped,
    /// One line for people: what is so.
    pub summary: String,
    /// What was observed, by name.
    pub facts: Map<String, Value>,
    /// What is worth a word, the most important first.
    pub findings: Vec<Finding>,
    /// The certificates that were shown, which are no part of the report.
    pub presented: Option<Presented>,
    /// Failures that something later may still make good: a key while another
    /// may be accepted, a dead host while another may answer. They are
    /// warnings in a run that passes; see [`StageRecord::fail_all`].
    provisional: Vec<Finding>,
    begun: Option<Instant>,
    ended: Option<Instant>,
}

impl StageRecord {
    /// A record of a stage that has not run.
    pub fn new(stage: Stage) -> Self {
        Self {
            stage,
            status: Status::Skip,
            reason: None,
            skipped: Skipped::Inapplicable,
            summary: String::new(),
            facts: Map::new(),
            findings: Vec::new(),
            presented: None,
            provisional: Vec::new(),
            begun: None,
            ended: None,
        }
    }

    /// Notes a fact. A null is kept: the key says that it was looked for.
    pub fn fact(&mut self, name: &str, value: impl Observed) {
        self.facts.insert(name.to_owned(), value.into_shown());
    }

    /// Notes a warning that rides along.
    pub fn warn(&mut self, finding: Finding) {
        self.findings.push(finding.as_warning());
    }

    /// Says why something works.
    pub fn tell(&mut self, finding: Finding) {
        self.findings.push(finding.as_note());
    }

    /// Notes a failure that something later may still make good.
    pub fn provisional(&mut self, finding: Finding) {
        self.provisional.push(finding);
    }

    /// Whether a failure here waits for what comes later.
    pub fn has_provisional(&self) -> bool {
        !self.provisional.is_empty()
    }

    /// Makes the provisional failures count: nothing made them good.
    pub fn fail_all(&mut self) {
        if self.provisional.is_empty() {
            return;
        }
        let failures = self.provisional.drain(..).map(Finding::as_failure);
        self.findings.splice(0..0, failures);
        self.status = Status::Fail;
    }

    /// Marks the beginning of the stage.
    pub fn begin(&mut self) {
        self.begun.get_or_insert_with(Instant::now);
        self.status = Status::Pass;
    }

    /// Marks the end, with the finding that stops the run, if one does.
    pub fn end(&mut self, failure: Option<Finding>) {
        self.ended = Some(Instant::now());
        if let Some(finding) = failure {
            self.findings.insert(0, finding.as_failure());
        }
        self.settle();
    }

    /// Marks the stage as run at a known time, for what was timed elsewhere.
    pub fn ran(&mut self, begun: Instant, took: Duration) {
        self.begun = Some(begun);
        self.ended = Some(begun + took);
        self.settle();
    }

    /// Marks the stage as one that does not apply; what was noted so far is kept.
    pub fn skip(&mut self, reason: impl Into<String>) {
        self.leave(Skipped::Inapplicable, reason);
    }

    /// Marks the stage as without a result; what was noted so far is kept.
    pub fn leave(&mut self, skipped: Skipped, reason: impl Into<String>) {
        self.begun = None;
        self.ended = None;
        self.status = Status::Skip;
        self.skipped = skipped;
        self.reason = Some(reason.into());
    }

    /// Whether the stage has begun.
    pub fn has_run(&self) -> bool {
        self.begun.is_some()
    }

    /// The time the stage took, so far or in total.
    pub fn duration(&self) -> Duration {
        match (self.begun, self.ended) {
            (Some(begun), Some(ended)) => ended - begun,
            (Some(begun), None) => begun.elapsed(),
            _ => Duration::ZERO,
        }
    }

    /// All findings; what is still provisional counts as a warning.
    pub fn all_findings(&self) -> impl Iterator<Item = Finding> + '_ {
        let provisional = self.provisional.iter().cloned().map(Finding::as_warning);
        self.findings.iter().cloned().chain(provisional)
    }

    /// Puts another finding in the place of each.
    pub fn map_findings(&mut self, mut change: impl FnMut(Finding) -> Finding) {
        for finding in self.findings.iter_mut().chain(&mut self.provisional) {
            *finding = change(finding.clone());
        }
    }

    /// The status follows from the findings.
    fn settle(&mut self) {
        if self.has_run() {
            self.status = self
                .all_findings()
                .map(|finding| finding.status)
                .max()
                .unwrap_or(Status::Pass);
        }
    }
}

/// From where on what works is worth a warning, or counts as a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// A certificate that expires in less than this many days is a warning.
    pub warn_cert_days: u32,
    /// And in less than this many days a failure.
    pub fail_cert_days: Option<u32>,
    /// A connection that takes longer is a warning.
    pub warn_latency: Option<Duration>,
    /// Whether a certificate that has expired is below them too, where nothing
    /// verifies it and the connection works.
    pub expired_counts: bool,
}

impl Thresholds {
    /// The days where nobody says how many.
    pub const WARN_CERT_DAYS: u32 = 30;
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            warn_cert_days: Self::WARN_CERT_DAYS,
            fail_cert_days: None,
            warn_latency: None,
            expired_counts: false,
        }
    }
}

/// Everything that one run found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The subcommand.
    pub command: &'static str,
    /// When it began, on the wall clock.
    pub started_at: time::OffsetDateTime,
    /// When it began, for durations.
    pub started: Instant,
    /// How long it took; set when it is over.
    pub took: Duration,
    /// Whether it was cut off by Ctrl-C.
    pub interrupted: bool,
    /// Where it ran.
    pub environment: Environment,
    /// What was asked for.
    pub target: TargetReport,
    /// The stages that the command lists, in order.
    pub stages: Vec<StageRecord>,
    /// What it was judged by beside the connection, which is no part of the JSON.
    pub thresholds: Thresholds,
    /// What was sent and received; none unless that was asked for.
    pub wire: Option<Vec<WireConnection>>,
}

impl Report {
    /// A report in which no stage has run yet.
    pub fn new(command: &'static str, stages: &[Stage], environment: Environment) -> Self {
        Self {
            command,
            started_at: time::OffsetDateTime::now_utc(),
            started: Instant::now(),
            took: Duration::ZERO,
            interrupted: false,
            environment,
            target: TargetReport::default(),
            stages: stages.iter().copied().map(StageRecord::new).collect(),
            thresholds: Thresholds::default(),
            wire: None,
        }
    }

    /// The record of a stage, where the report has one.
    pub fn find(&self, stage: Stage) -> Option<&StageRecord> {
        self.stages.iter().find(|record| record.stage == stage)
    }

    /// The record of a stage, added before those that come later in a run if the command did
    /// not list it.
    pub fn stage(&mut self, stage: Stage) -> &mut StageRecord {
        let all = &mut self.stages;
        let at = all.iter().position(|record| record.stage == stage);
        let at = at.unwrap_or_else(|| {
            let later = all.iter().position(|record| record.stage > stage);
            let at = later.unwrap_or(all.len());
            all.insert(at, StageRecord::new(stage));
            at
        });
        &mut self.stages[at]
    }

    /// Closes the report: stages that did not run say which one blocked them,
    /// and the clock stops.
    pub fn finish(&mut self, interrupted: bool) {
        self.interrupted = interrupted;
        for record in &mut self.stages {
            if record.has_run() && record.ended.is_none() {
                record.leave(Skipped::NotCompleted, INTERRUPTED);
            }
            record.settle();
        }
        let blocker = self
            .stages
            .iter()
            .find(|record| record.status == Status::Fail)
            .map(|record| record.stage);
        for record in &mut self.stages {
            if !record.has_run() && record.reason.is_none() {
                match blocker {
                    Some(stage) => {
                        record.leave(Skipped::NotRun, format!("not run: {stage} failed"));
                    }
                    None if interrupted => record.leave(Skipped::NotRun, NOT_REACHED),
                    None => record.skip("not requested"),
                }
            }
        }
        self.took = self.started.elapsed();
    }

    /// The verdict: the first failing stage's first failure, else the first warning.
    pub fn verdict(&self) -> Verdict {
        let first = |status: Status| {
            self.stages.iter().find_map(|record| {
                record
                    .all_findings()
                    .find(|finding| finding.status == status)
                    .map(|finding| (record.stage, finding))
            })
        };
        match first(Status::Fail).or_else(|| first(Status::Warn)) {
            Some((stage, finding)) => Verdict {
                status: finding.status,
                stage: Some(stage),
                cause: Some(finding.cause),
                summary: finding.summary(),
                fixes: finding.fixes(),
                retryable: finding.status == Status::Fail && finding.retryable,
            },
            None => Verdict {
                status: if self.interrupted {
                    Status::Skip
                } else {
                    Status::Pass
                },
                stage: None,
                cause: None,
                summary: match self.interrupted {
                    true => "Interrupted before any problem was found.".to_owned(),
                    false => "All checks passed.".to_owned(),
                },
                fixes: Vec::new(),
                retryable: false,
            },
        }
    }

    /// The contract's JSON object.
    pub fn to_json(&self) -> ReportJson {
        ReportJson {
            schema_version: SCHEMA_VERSION,
            tool: Tool::this(),
            run: Run {
                command: self.command.to_owned(),
                started_at: self
                    .started_at
                    .format(&time::format_description::well_known::Rfc3339)
                    .unwrap_or_default(),
                duration_ms: ms(self.took),
                interrupted: self.interrupted,
                environment: self.environment.clone(),
            },
            target: self.target.clone(),
            verdict: self.verdict(),
            stages: self.stages.iter().map(|r| self.stage_json(r)).collect(),
            wire: self.wire.clone(),
        }
    }

    fn stage_json(&self, record: &StageRecord) -> StageJson {
        StageJson {
            stage: record.stage,
            status: record.status,
            reason: record.reason.clone(),
            start_ms: record.begun.map(|at| ms(at - self.started)),
            duration_ms: record.has_run().then(|| ms(record.duration())),
            summary: (!record.summary.is_empty()).then(|| crate::text::clean_ours(&record.summary)),
            facts: record.facts.clone(),
            findings: record.all_findings().map(FindingJson::from).collect(),
        }
    }
}

/// A duration as JSON has it: milliseconds, to the microsecond.
pub fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// The report as JSON.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReportJson {
    /// The version of this shape.
    pub schema_version: u32,
    /// Which program wrote it.
    pub tool: Tool,
    /// How it was run.
    pub run: Run,
    /// What was checked.
    pub target: TargetReport,
    /// The outcome in one piece.
    pub verdict: Verdict,
    /// What each stage found.
    pub stages: Vec<StageJson>,
    /// What was sent and received on each connection; null without `-vv`.
    #[schemars(skip_serializing_if = "older_versions_lack_it")]
    pub wire: Option<Vec<WireConnection>>,
}

/// A connection, and what was sent and received on it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WireConnection {
    /// Where it leads.
    pub to: String,
    /// When it was open, in milliseconds after the run began.
    pub opened_ms: f64,
    /// Its messages, in order.
    pub events: Vec<WireEvent>,
    /// How many more there were than are listed.
    pub left_out: usize,
}

/// A message on a connection, or its end.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WireEvent {
    /// Milliseconds after the run began.
    pub at_ms: f64,
    /// Who sent it.
    pub direction: Direction,
    /// The protocol's name for it.
    pub message: String,
    /// Its size; null where that would tell of a secret, or there is none.
    pub bytes: Option<usize>,
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From this side.
    Sent,
    /// From the peer.
    Received,
    /// Neither: the connection ended.
    End,
}

/// How a run went.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Run {
    /// The subcommand.
    pub command: String,
    /// When it began: RFC 3339, UTC.
    pub started_at: String,
    /// How long it took, in milliseconds.
    pub duration_ms: f64,
    /// Whether Ctrl-C ended it.
    pub interrupted: bool,
    /// Where it ran.
    pub environment: Environment,
}

/// Where dbdoctor runs; it decides which advice is given.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// The operating system.
    pub os: String,
    /// The processor architecture.
    pub arch: String,
    /// The kind of container, if in one: `docker`, `podman`, `kubernetes`, `lxc`, ….
    pub container: Option<String>,
    /// Whether under the Windows Subsystem for Linux.
    pub wsl: bool,
    /// The continuous-integration system, if in one.
    pub ci: Option<String>,
}

/// What was asked for, as it was understood.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct TargetReport {
    /// What it is called in the file of `--targets`; null where it has no name.
    #[schemars(skip_serializing_if = "older_versions_lack_it")]
    pub name: Option<String>,
    /// The target as a URI, without the password; null where it could not be read.
    pub url: Option<String>,
    /// The SSH servers on the way, in the order they are passed.
    pub ssh: Vec<String>,
    /// Every parameter with where it came from.
    pub parameters: BTreeMap<String, ParameterReport>,
}

/// A parameter's value and history.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ParameterReport {
    /// The string that libpq would hold; `(hidden)` for a secret that is set.
    pub value: String,
    /// Where it came from.
    pub origin: OriginReport,
    /// What it won over, the strongest first.
    pub shadows: Vec<ShadowReport>,
}

/// Where a value came from.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct OriginReport {
    /// `flag`, `target`, `service`, `environment`, `process-environment`, `env-file`, `passfile`, `default`, ….
    pub kind: String,
    /// The flag's, variable's or service's name.
    pub name: Option<String>,
    /// The file, where it was one.
    pub file: Option<String>,
    /// The line in it, from 1.
    pub line: Option<usize>,
}

/// A value that lost.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ShadowReport {
    /// The string, as in `value`.
    pub value: String,
    /// Where it came from.
    pub origin: OriginReport,
}

/// The outcome in one piece.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Verdict {
    /// `pass`, `warn` or `fail` (`skip` where nothing was found before an interruption).
    pub status: Status,
    /// The stage of the cause.
    pub stage: Option<Stage>,
    /// The code of the first failing stage's cause, else of the first warning.
    #[schemars(with = "Option<String>")]
    pub cause: Option<&'static Cause>,
    /// One sentence.
    pub summary: String,
    /// What to do, in order.
    pub fixes: Vec<Fix>,
    /// Whether trying again may help.
    pub retryable: bool,
}

/// One stage of the report.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StageJson {
    /// Which stage.
    pub stage: Stage,
    /// How it ended.
    pub status: Status,
    /// Why it did not run.
    pub reason: Option<String>,
    /// When it began, in milliseconds after the run did.
    pub start_ms: Option<f64>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<f64>,
    /// One line for people.
    pub summary: Option<String>,
    /// What was observed, by name.
    pub facts: Map<String, Value>,
    /// Its warnings and failures, the most important first.
    pub findings: Vec<FindingJson>,
}

/// One finding of a stage.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FindingJson {
    /// The code.
    #[schemars(with = "String")]
    pub cause: &'static Cause,
    /// `warn` or `fail`; `pass` where it says why something works.
    pub status: Status,
    /// One sentence.
    pub summary: String,
    /// The values that prove the cause, by name.
    pub evidence: Map<String, Value>,
    /// What to do, in order.
    pub fixes: Vec<Fix>,
    /// Whether trying again may help.
    pub retryable: bool,
}

impl From<Finding> for FindingJson {
    fn from(finding: Finding) -> Self {
        Self {
            cause: finding.cause,
            status: finding.status,
            summary: finding.summary(),
            fixes: finding.fixes(),
            retryable: finding.retryable,
            evidence: finding.evidence,
        }
    }
}
