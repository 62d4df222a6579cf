//! `--warn-latency` and `--fail-cert-days`: judged when the run is over. The connection
//! works, so no stage is kept from running.

use std::time::Duration;

use crate::cause::{client, tls};
use crate::finding::{Finding, Status};
use crate::render::told::is_connecting;
use crate::report::{Report, Stage, StageRecord, Thresholds, ms};

/// Judges the run by the thresholds, and notes them for the forms that show them.
pub fn judge(report: &mut Report, thresholds: &Thresholds) {
    report.thresholds = *thresholds;
    if let Some(days) = thresholds.fail_cert_days {
        certificate(report, days);
    }
    if let Some(limit) = thresholds.warn_latency {
        latency(report, limit);
    }
}

/// Makes the warning about a certificate that is below the threshold a failure.
fn certificate(report: &mut Report, days: u32) {
    let below = |finding: &Finding| {
        let left = finding.evidence.get("days_left").and_then(|it| it.as_i64());
        finding.status == Status::Warn
            && match finding.cause {
                cause if cause == &tls::CERT_EXPIRED => true,
                cause if cause == &tls::CERT_EXPIRES_SOON => {
                    left.is_some_and(|left| left < days.into())
                }
                _ => false,
            }
    };
    for record in &mut report.stages {
        for finding in &mut record.findings {
            if below(finding) {
                let limit = format!("--fail-cert-days {days}");
                *finding = finding.clone().as_failure().with("threshold", limit);
                record.status = Status::Fail;
            }
        }
    }
    let works = report.verdict().status < Status::Fail && !report.interrupted;
    let is_seen = |record: &StageRecord| record.facts.contains_key("expires");
    if works && !report.find(Stage::Tls).is_some_and(is_seen) {
        let record = report.stage(Stage::Tls);
        record.begin();
        record.reason = None;
        let limit = format!("--fail-cert-days {days}");
        record.end(Some(
            Finding::new(&tls::NO_CERTIFICATE).with("threshold", limit),
        ));
    }
}

/// Warns of a connection that took longer than it may, at its slowest stage.
fn latency(report: &mut Report, limit: Duration) {
    let works = report.verdict().status < Status::Fail && !report.interrupted;
    let connecting = |record: &&StageRecord| record.has_run() && is_connecting(record.stage);
    let stages = report.stages.iter().filter(connecting);
    let took: Duration = stages.clone().map(StageRecord::duration).sum();
    let slowest = stages.max_by_key(|record| record.duration());
    let Some(slowest) = slowest.map(|record| record.stage) else {
        return;
    };
    if took <= limit || !works {
        return;
    }
    let record = report.stage(slowest);
    let finding = Finding::new(&client::LATENCY)
        .with("took", words(took))
        .with("limit", words(limit))
        .with("slowest", slowest.name())
        .with("slowest_took", words(record.duration()))
        .with("took_ms", ms(took));
    record.warn(finding);
    record.status = record.status.max(Status::Warn);
}

/// A length of time as a sentence has it.
fn words(time: Duration) -> String {
    match time {
        time if time < Duration::from_secs(10) => format!("{:.0} ms", ms(time).ceil()),
        time => format!("{:.1} s", time.as_secs_f64()),
    }
}
