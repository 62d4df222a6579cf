//! `stress`: many attempts, for failures that come and go.
//!
//! Each attempt is a whole run of the stages with a report of its own; what
//! is left of it is its outcome and its times.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::ctx::Ctx;
use crate::finding::{Finding, Status};
use crate::pipeline;
use crate::report::{Report, Stage, StageRecord, ms};
use crate::target::Target;

/// The most attempts that one run may make.
pub const MOST_ATTEMPTS: u32 = 10_000;
/// The most attempts at once.
pub const MOST_AT_ONCE: u32 = 64;

/// How hard to try.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// How many attempts.
    pub attempts: u32,
    /// How many at once.
    pub concurrency: u32,
    /// At most this many begin per second; none for as fast as they go.
    pub rate: Option<f64>,
    /// The time of each attempt.
    pub deadline: Duration,
}

/// One attempt, reduced to what is counted.
struct Sample {
    began: Duration,
    total: Duration,
    failure: Option<Finding>,
    address: Option<String>,
    stages: Vec<(Stage, Duration)>,
}

/// Makes the attempts and leaves the result in the report's `stress` record;
/// `tell` gets a line for people now and then. Dropping the future leaves
/// what was counted so far.
pub async fn run(
    report: &mut Report,
    target: &Target,
    ctx: &Ctx,
    load: Load,
    mut tell: impl FnMut(&str),
) {
    let began = Instant::now();
    let mut samples: Vec<Sample> = Vec::new();
    report.stage(Stage::Stress).begin();

    // The first attempt goes alone: it tells how many slots are free.
    let (first, first_report) = attempt(target, ctx, load.deadline, 0, began).await;
    if first.failure.is_none() {
        for record in first_report.stages {
            let stage = record.stage;
            *report.stage(stage) = record;
        }
    }
    samples.push(first);
    if let Some(word) = crowding(report, load.concurrency) {
        tell(&word);
    }
    note(report.stage(Stage::Stress), &samples);

    let mut tasks = tokio::task::JoinSet::new();
    let mut next = 1;
    let mut told = Instant::now();
    while next < load.attempts || !tasks.is_empty() {
        while next < load.attempts && tasks.len() < load.concurrency as usize {
            let wait = match load.rate {
                Some(rate) => {
                    Duration::from_secs_f64(f64::from(next) / rate).saturating_sub(began.elapsed())
                }
                None => Duration::ZERO,
            };
            let (target, ctx, number) = (target.clone(), ctx.clone(), next as usize);
            let deadline = load.deadline;
            tasks.spawn(async move {
                tokio::time::sleep(wait).await;
                attempt(&target, &ctx, deadline, number, began).await.0
            });
            next += 1;
        }
        if let Some(Ok(sample)) = tasks.join_next().await {
            samples.push(sample);
            note(report.stage(Stage::Stress), &samples);
            if told.elapsed() > Duration::from_secs(1) {
                told = Instant::now();
                tell(&so_far(&samples, load.attempts));
            }
        }
    }
    conclude(report.stage(Stage::Stress), &samples);
    for line in histogram(&samples) {
        tell(&line);
    }
}

/// One attempt: every stage after the settings, with its own time.
async fn attempt(
    target: &Target,
    ctx: &Ctx,
    deadline: Duration,
    number: usize,
    began: Instant,
) -> (Sample, Report) {
    let mut report = Report::new("stress", &[], ctx.environment.as_ref().clone());
    let ctx = Ctx {
        started: report.started,
        deadline: report.started + deadline,
        ..ctx.clone()
    };
    let start = began.elapsed();
    let connected = pipeline::connect(
        &mut report,
        target.clone(),
        ctx,
        Stage::Server,
        Some(number),
        &mut (),
    )
    .await;
    let address = connected
        .as_ref()
        .and_then(|connected| connected.address.as_ref().map(ToString::to_string));
    let total = began.elapsed() - start;
    if let Some(session) = connected.and_then(|connected| connected.session) {
        session.close().await;
    }
    report.finish(false);
    let failure = report
        .stages
        .iter()
        .flat_map(StageRecord::all_findings)
        .find(|finding| finding.status == Status::Fail);
    let picked = report.stage(Stage::Dns).facts.get("picked").cloned();
    let sample = Sample {
        began: start,
        total,
        failure,
        address: picked
            .and_then(|picked| picked.as_str().map(str::to_owned))
            .or(address),
        stages: report
            .stages
            .iter()
            .filter(|record| record.has_run())
            .map(|record| (record.stage, record.duration()))
            .collect(),
    };
    (sample, report)
}

/// A word before a large part of the free slots is taken.
fn crowding(report: &mut Report, concurrency: u32) -> Option<String> {
    let free = report
        .stage(Stage::Server)
        .facts
        .get("connections_free")?
        .as_u64()?;
    (u64::from(concurrency) * 2 > free).then(|| {
        format!(
            "{concurrency} attempts at once take a large part of the {free} connection slots that are free; lower --concurrency to spare the others"
        )
    })
}

fn so_far(samples: &[Sample], of: u32) -> String {
    let failed = samples.iter().filter(|s| s.failure.is_some()).count();
    format!("{} of {of} attempts, {failed} failed", samples.len())
}

/// Writes what was counted so far as facts.
fn note(record: &mut StageRecord, samples: &[Sample]) {
    let succeeded = samples.iter().filter(|s| s.failure.is_none()).count();
    let (low, high) = wilson(succeeded, samples.len());
    record.fact("attempts", samples.len());
    record.fact("succeeded", succeeded);
    record.fact(
        "success_rate",
        json!({
            "value": round(succeeded as f64 / samples.len() as f64),
            "low": round(low),
            "high": round(high),
        }),
    );
    record.fact("causes", Value::Array(causes(samples)));
    let all: Vec<&Sample> = samples.iter().collect();
    record.fact("latency_ms", latencies(&all));
    record.fact("by_address", by_address(samples));
}

/// The causes by count, the most frequent first.
fn causes(samples: &[Sample]) -> Vec<Value> {
    by_count(samples)
        .into_iter()
        .map(|(code, failed)| {
            let first = failed.iter().map(|sample| sample.began).min();
            json!({
                "cause": code,
                "count": failed.len(),
                "first_seen_ms": first.map(ms),
            })
        })
        .collect()
}

fn by_count(samples: &[Sample]) -> Vec<(&'static str, Vec<&Sample>)> {
    let mut groups: BTreeMap<&'static str, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        if let Some(failure) = &sample.failure {
            groups.entry(failure.cause.code).or_default().push(sample);
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, failed)| std::cmp::Reverse(failed.len()));
    groups
}

/// Percentiles by stage, and of the whole, over the attempts that passed.
fn latencies(samples: &[&Sample]) -> Value {
    let mut times: BTreeMap<&'static str, Vec<Duration>> = BTreeMap::new();
    for sample in samples.iter().filter(|s| s.failure.is_none()) {
        times.entry("total").or_default().push(sample.total);
        for (stage, time) in &sample.stages {
            times.entry(stage.name()).or_default().push(*time);
        }
    }
    let rows: Map<String, Value> = times
        .into_iter()
        .map(|(name, mut times)| {
            times.sort();
            let at = |part: f64| ms(times[((times.len() - 1) as f64 * part).round() as usize]);
            let row = json!({"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": at(1.0)});
            (name.to_owned(), row)
        })
        .collect();
    Value::Object(rows)
}

/// The same by address, where there is more than one.
fn by_address(samples: &[Sample]) -> Value {
    let mut groups: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        if let Some(address) = &sample.address {
            groups.entry(address).or_default().push(sample);
        }
    }
    if groups.len() < 2 {
        return Value::Null;
    }
    let rows: Map<String, Value> = groups
        .into_iter()
        .map(|(address, samples)| {
            let succeeded = samples.iter().filter(|s| s.failure.is_none()).count();
            let row = json!({
                "attempts": samples.len(),
                "succeeded": succeeded,
                "latency_ms": latencies(&samples),
            });
            (address.to_owned(), row)
        })
        .collect();
    Value::Object(rows)
}

/// Ends the stage: the most frequent cause is the verdict.
fn conclude(record: &mut StageRecord, samples: &[Sample]) {
    let succeeded = samples.iter().filter(|s| s.failure.is_none()).count();
    let of = samples.len();
    record.summary = format!("{succeeded} of {of} attempts passed");
    let mut findings = by_count(samples).into_iter().filter_map(|(_, failed)| {
        let finding = failed.first()?.failure.clone()?;
        let addresses: Vec<&str> = {
            let mut all: Vec<&str> = failed
                .iter()
                .filter_map(|sample| sample.address.as_deref())
                .collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        Some(
            finding
                .with("failed_attempts", failed.len())
                .with("attempts", of)
                .with("failed_addresses", addresses),
        )
    });
    let most_frequent = findings.next();
    let others: Vec<Finding> = findings.collect();
    record.end(most_frequent);
    record
        .findings
        .extend(others.into_iter().map(Finding::as_failure));
}

/// The 95 % score interval of a proportion (Wilson 1927).
fn wilson(succeeded: usize, of: usize) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let z = 1.959_964;
    let n = of as f64;
    let p = succeeded as f64 / n;
    let scale = 1.0 + z * z / n;
    let centre = p + z * z / (2.0 * n);
    let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    (
        ((centre - spread) / scale).clamp(0.0, 1.0),
        ((centre + spread) / scale).clamp(0.0, 1.0),
    )
}

fn round(share: f64) -> f64 {
    (share * 1e4).round() / 1e4
}

/// The times of the attempts that passed, as a few lines of bars.
fn histogram(samples: &[Sample]) -> Vec<String> {
    let mut times: Vec<f64> = samples
        .iter()
        .filter(|s| s.failure.is_none())
        .map(|s| ms(s.total))
        .collect();
    times.sort_by(f64::total_cmp);
    let (Some(&low), Some(&high)) = (times.first(), times.last()) else {
        return Vec::new();
    };
    const ROWS: usize = 8;
    let width = ((high - low) / ROWS as f64).max(0.1);
    (0..ROWS)
        .map(|row| {
            let from = low + width * row as f64;
            let last = row == ROWS - 1;
            let count = times
                .iter()
                .filter(|&&t| t >= from && (last || t < from + width))
                .count();
            let bar = "#".repeat((count * 40).div_ceil(times.len()));
            format!("{from:>9.1} ms {count:>5} {bar}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_share_and_stays_in_bounds() {
        let (low, high) = wilson(6, 10);
        assert!(low < 0.6 && 0.6 < high);
        assert!((low - 0.3127).abs() < 0.001 && (high - 0.8318).abs() < 0.001);
        assert_eq!(wilson(10, 10).1, 1.0);
        assert_eq!(wilson(0, 10).0, 0.0);
    }
}
