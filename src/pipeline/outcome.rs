//! How a run's records get into the report: which stage a finding is filed
//! under, and what becomes of failures that another attempt made good.

use crate::cause::{self, family};
use crate::config::{Endpoint, SslMode};
use crate::finding::Finding;
use crate::report::{Skipped, Stage, StageRecord};
use crate::stage::protocol::Attempt;
use crate::stage::{Verdict, auth};

use super::{Failed, Failure, Run};

/// The stages that one attempt runs through.
const SESSION_STAGES: [Stage; 5] = [
    Stage::Tunnel,
    Stage::Protocol,
    Stage::Tls,
    Stage::Auth,
    Stage::Server,
];

/// An attempt that failed, kept until it is known whether it counts.
pub(super) struct FailedAttempt {
    pub(super) endpoint: String,
    pub(super) attempt: Attempt,
    pub(super) stage: Stage,
    pub(super) finding: Finding,
    pub(super) records: Vec<StageRecord>,
}

impl Run<'_> {
    pub(super) fn begin(&mut self, stage: Stage) -> StageRecord {
        self.progress.running(stage);
        let mut record = StageRecord::new(stage);
        record.begin();
        *self.report.stage(stage) = record.clone();
        record
    }

    pub(super) fn skip(&mut self, stage: Stage, reason: &str) {
        if self.report.stages.iter().any(|r| r.stage == stage) {
            let record = self.report.stage(stage);
            record.skip(reason);
            let record = record.clone();
            self.progress.ended(&record);
        }
    }

    /// Ends a stage of an attempt; a failure is not filed yet, since another
    /// attempt may make it good.
    pub(super) fn step<T>(
        &mut self,
        mut record: StageRecord,
        verdict: Verdict<T>,
        in_clear: bool,
    ) -> Result<T, (Stage, Finding, bool)> {
        let stage = record.stage;
        if record.reason.is_none() {
            record.end(None);
        }
        *self.report.stage(stage) = record;
        verdict.map_err(|finding| (stage, finding, in_clear))
    }

    /// Ends a stage that is not retried.
    pub(super) fn end<T>(
        &mut self,
        mut record: StageRecord,
        verdict: Verdict<T>,
    ) -> Result<T, Failed> {
        let stage = record.stage;
        if let Err(finding) = &verdict {
            self.failures.push(Failure {
                stage,
                endpoint: None,
                cause: finding.cause,
            });
        }
        let outcome = match verdict {
            Ok(next) => {
                record.end(None);
                Ok(next)
            }
            Err(finding) if owning_stage(stage, &finding) == stage => {
                // Nothing made good for what failed before; one of those may
                // be the very finding that ends the run.
                record.fail_all();
                let known = record.findings.iter().any(|known| {
                    known.cause == finding.cause && known.evidence == finding.evidence
                });
                record.end((!known).then_some(finding));
                Err(Failed)
            }
            Err(finding) => {
                record.end(None);
                let other = self.report.stage(owning_stage(stage, &finding));
                other.begin();
                other.end(Some(finding));
                Err(Failed)
            }
        };
        *self.report.stage(stage) = record.clone();
        self.progress.ended(&record);
        outcome
    }

    /// A later attempt passed: what failed before it is a warning. A server
    /// passed over for its role is no fault: `target_session_attrs` is for
    /// that, as `sslmode=allow` is for one that demands TLS.
    pub(super) fn demote_to_warnings(
        &mut self,
        failures: Vec<FailedAttempt>,
        mode: SslMode,
        arrived: &Endpoint,
    ) {
        let mut told = Vec::new();
        for mut failure in failures {
            if failure.finding.cause == &cause::server::READ_ONLY {
                continue;
            }
            // The other encryption passed, so that this one was at fault.
            let refused = failure.finding.cause.is_of(family::AUTH_HBA);
            if refused && failure.endpoint == arrived.label() {
                if mode == SslMode::Allow {
                    let took = failure.records.iter().map(StageRecord::duration).sum();
                    if let Some(slow) = auth::slow::refused_first(&failure.endpoint, took) {
                        self.report.stage(Stage::Auth).warn(slow);
                    }
                    continue;
                }
                failure.finding.cause = &cause::auth::HBA_NEEDS_PLAIN;
            }
            // `prefer-standby` goes over the list twice.
            let what = (
                failure.endpoint.clone(),
                failure.attempt,
                failure.finding.cause,
            );
            if told.contains(&what) {
                continue;
            }
            told.push(what);
            let stage = owning_stage(failure.stage, &failure.finding);
            let finding = failure
                .finding
                .with("endpoint", failure.endpoint)
                .with("attempt", failure.attempt.name());
            self.report.stage(stage).warn(finding);
        }
        self.tell_attempted();
    }

    /// Every attempt failed: the first one's failure is the verdict, the
    /// others are its evidence. Nothing makes good for dead hosts, unless a
    /// host that answered decided the run: libpq goes no further after it.
    pub(super) fn fail_all(&mut self, mut failures: Vec<FailedAttempt>, decided: bool) {
        lead_with_setting(&mut failures);
        let mut failures = failures.into_iter();
        let Some(first) = failures.next() else {
            return;
        };
        for record in first.records {
            let stage = record.stage;
            *self.report.stage(stage) = record;
        }
        let then: Vec<serde_json::Value> = failures
            .map(|later| {
                serde_json::json!({
                    "endpoint": later.endpoint,
                    "attempt": later.attempt.name(),
                    "cause": later.finding.cause.code,
                    "summary": later.finding.summary(),
                    "evidence": later.finding.evidence,
                })
            })
            .collect();
        let mut finding = first.finding;
        if !finding.evidence.contains_key("endpoint") {
            finding = finding.with("endpoint", first.endpoint);
        }
        if !then.is_empty() {
            finding = finding.with("then", then);
        }
        let stage = owning_stage(first.stage, &finding);
        if stage != first.stage && self.report.stage(first.stage).has_run() {
            // The stage that saw it proved nothing of its own.
            let why = format!("not completed: {stage} failed");
            self.report
                .stage(first.stage)
                .leave(Skipped::NotCompleted, why);
        }
        let record = self.report.stage(stage);
        record.begin();
        record.end(Some(finding));
        if !decided {
            self.report.stage(Stage::Dns).fail_all();
            self.report.stage(Stage::Tcp).fail_all();
        }
        self.tell_attempted();
    }

    /// The records that the last attempt wrote, taken out of the report.
    pub(super) fn take_records(&mut self) -> Vec<StageRecord> {
        self.attempted()
            .into_iter()
            .map(|stage| std::mem::replace(self.report.stage(stage), StageRecord::new(stage)))
            .collect()
    }

    /// The stages that an attempt writes; without SSH `tunnel` is not one.
    fn attempted(&self) -> Vec<Stage> {
        let tunnel = |record: &&StageRecord| record.stage != Stage::Tunnel || record.has_run();
        self.report
            .stages
            .iter()
            .filter(|record| SESSION_STAGES.contains(&record.stage))
            .filter(tunnel)
            .map(|record| record.stage)
            .collect()
    }

    fn tell_attempted(&mut self) {
        for stage in self.attempted() {
            let record = self.report.stage(stage).clone();
            if record.has_run() || record.reason.is_some() {
                self.progress.ended(&record);
            }
        }
    }
}

/// Where no host meets `target_session_attrs`, the one that only a setting keeps
/// from it says more than those that are of the wrong kind.
fn lead_with_setting(failures: &mut [FailedAttempt]) {
    let role = |failed: &FailedAttempt| failed.finding.cause == &cause::server::READ_ONLY;
    let setting = |failed: &FailedAttempt| failed.finding.fills("source");
    if failures.first().is_some_and(role)
        && let Some(at) = failures.iter().position(|it| role(it) && setting(it))
    {
        failures[..=at].rotate_right(1);
    }
}

/// The stage that a finding is filed under: its cause's, since a stage may see
/// the cause of another (the peer's first byte while TLS waits for it).
fn owning_stage(seen_by: Stage, finding: &Finding) -> Stage {
    finding.cause.stage.unwrap_or(seen_by)
}
