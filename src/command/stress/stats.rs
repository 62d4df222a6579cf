//! Statistics over many attempts: rates, causes, percentiles. No I/O.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::crashes;
use super::servers::{Identity, Servers};
use crate::cause::{self, auth, family, server};
use crate::command::crash_loop::Generation;
use crate::finding::Finding;
use crate::render::stages::time_of_ms;
use crate::report::{Stage, StageRecord, ms};

/// One attempt, reduced to what is counted.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When it began, after the test did.
    pub began: Duration,
    /// How long it took.
    pub total: Duration,
    /// Why it failed, if it did.
    pub failure: Option<Finding>,
    /// The address it ended on.
    pub address: Option<String>,
    /// Which server answered there, where one did.
    pub server: Option<Identity>,
    /// The addresses before it that did not work.
    pub passed_over: Vec<Miss>,
    /// The time of each stage.
    pub stages: Vec<(Stage, Duration)>,
    /// The server's processes that served it, where that was asked.
    pub served_by: Option<Generation>,
}

/// An address that did not work in an attempt that went on to the next.
#[derive(Clone, Debug)]
pub struct Miss {
    /// The address.
    pub address: String,
    /// Why.
    pub finding: Finding,
}

/// All attempts so far.
#[derive(Debug, Default)]
pub struct Account {
    /// The attempts, in the order they ended.
    pub samples: Vec<Sample>,
    /// Why the test ended before all attempts were made.
    pub stopped: Option<String>,
    /// Why fewer were made at once.
    pub spared: Option<String>,
}

impl Account {
    /// How many attempts passed.
    pub fn succeeded(&self) -> usize {
        self.samples.iter().filter(|s| s.failure.is_none()).count()
    }

    /// Where so many attempts were all refused for what they log in with, the
    /// words to end the test with.
    pub fn refused_logins(&self, enough: usize) -> Option<String> {
        let refused = |sample: &Sample| {
            sample.failure.as_ref().is_some_and(|finding| {
                finding.cause.is_of(family::SSH_AUTH)
                    || finding
                        .cause
                        .is_any(&[&auth::PASSWORD_WRONG, &auth::PAM, &auth::LDAP])
            })
        };
        let all = self.samples.len() >= enough && self.samples.iter().all(refused);
        all.then(|| {
            format!(
                "stopped after {} attempts: every login was refused, and more could lock the account",
                self.samples.len()
            )
        })
    }

    /// Where the last attempt came to what a guard forbids, the words to end
    /// the test with.
    pub fn guarded(&self) -> Option<String> {
        let failure = self.samples.last()?.failure.as_ref()?;
        // A server of the wrong role is another member of the right cluster, and
        // the next attempt may come to the right one.
        (failure.cause == &server::WRONG_IDENTITY && !failure.fills("side"))
            .then(|| "stopped: this is not the expected server".to_owned())
    }

    /// Writes the facts, and ends the stage: the most frequent cause is the
    /// verdict.
    /// `host` and `endpoint` are the target's.
    pub fn conclude(&self, record: &mut StageRecord, host: &str, endpoint: &str) {
        let servers = Servers::of(&self.samples);
        let several = servers.finding(host, endpoint);
        self.note(record);
        record.fact("servers", servers.to_value());
        let (passed, of) = (self.succeeded(), self.samples.len());
        let (low, high) = wilson(passed, of);
        let interval = format!("{:.0} to {:.0} %", low * 100.0, high * 100.0);
        record.summary = match self.typical() {
            Some((half, most)) => format!(
                "{passed} of {of} attempts passed ({interval}), median {}, maximum {}",
                time_of_ms(half),
                time_of_ms(most),
            ),
            None => format!("{passed} of {of} attempts passed ({interval})"),
        };
        if servers.count() > 1 {
            record.summary += &format!(", {} servers", servers.count());
        }
        let mut findings = self.by_cause().into_iter().filter_map(|(_, failed)| {
            let finding = failed.first()?.failure.clone()?;
            let of_role = finding
                .cause
                .is_any(&[&server::WRONG_IDENTITY, &server::READ_ONLY]);
            let finding = match &several {
                Some(several) if of_role => finding
                    .without(&["side"])
                    .with_evidence_of(several.clone())
                    .with_fixes_of(server::SEVERAL.fixes),
                _ => finding,
            };
            Some(
                finding
                    .with("failed_attempts", failed.len())
                    .with("attempts", of)
                    .with("success_rate", interval.clone())
                    .with("failed_addresses", addresses(&failed)),
            )
        });
        let most_frequent = findings.next();
        let others: Vec<Finding> = findings.map(Finding::as_failure).collect();
        record.end(most_frequent);
        record.findings.extend(others);
        if let Some(crashing) = crashes::finding(&self.samples) {
            let crashing = crashing
                .with("failed_attempts", of - passed)
                .with("attempts", of)
                .with("success_rate", interval.clone());
            record.findings.insert(0, crashing.as_failure());
        }
        for finding in self.dead_addresses().into_iter().chain(several) {
            record.warn(finding);
        }
        let failed = record.findings.first().map(|finding| finding.status);
        record.status = failed.unwrap_or(record.status);
    }

    /// The median and the longest time of the attempts that passed.
    fn typical(&self) -> Option<(f64, f64)> {
        let passed = self.samples.iter().filter(|s| s.failure.is_none());
        let mut times: Vec<Duration> = passed.map(|sample| sample.total).collect();
        times.sort_unstable();
        let half = percentile(&times, 0.5)?;
        Some((ms(half), ms(*times.last()?)))
    }

    fn note(&self, record: &mut StageRecord) {
        let (passed, of) = (self.succeeded(), self.samples.len());
        let (low, high) = wilson(passed, of);
        record.fact("attempts", of);
        record.fact("succeeded", passed);
        record.fact(
            "success_rate",
            json!({
                "value": round(passed as f64 / of.max(1) as f64),
                "low": round(low),
                "high": round(high),
            }),
        );
        record.fact("causes", self.causes());
        record.fact("latency_ms", latencies(self.samples.iter()));
        record.fact("by_address", self.by_address());
        record.fact("by_hop", self.by_hop());
        record.fact("stopped", self.stopped.clone());
        record.fact("spared", self.spared.clone());
    }

    /// The causes by count, the most frequent first.
    fn causes(&self) -> Value {
        self.by_cause()
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

    fn by_cause(&self) -> Vec<(&'static str, Vec<&Sample>)> {
        let mut groups: BTreeMap<&'static str, Vec<&Sample>> = BTreeMap::new();
        for sample in &self.samples {
            if let Some(failure) = &sample.failure {
                groups.entry(failure.cause.code).or_default().push(sample);
            }
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(_, failed)| std::cmp::Reverse(failed.len()));
        groups
    }

    /// The same by address, where there is more than one.
    fn by_address(&self) -> Value {
        let groups = self.addresses();
        if groups.len() < 2 {
            return Value::Null;
        }
        let rows: Map<String, Value> = groups
            .into_iter()
            .map(|(address, tries)| {
                let row = json!({
                    "attempts": tries.ended.len() + tries.missed.len(),
                    "succeeded": tries.passed().count(),
                    "causes": tries.causes(),
                    "latency_ms": latencies(tries.ended.iter().copied()),
                });
                (address.to_owned(), row)
            })
            .collect();
        Value::Object(rows)
    }

    fn addresses(&self) -> BTreeMap<&str, Tries<'_>> {
        let mut groups: BTreeMap<&str, Tries> = BTreeMap::new();
        for sample in &self.samples {
            if let Some(address) = &sample.address {
                groups.entry(address).or_default().ended.push(sample);
            }
            for miss in &sample.passed_over {
                let tries = groups.entry(&miss.address).or_default();
                tries.missed.push(&miss.finding);
            }
        }
        groups
    }

    /// The failures by the SSH server that they concern, where there are any.
    fn by_hop(&self) -> Value {
        let mut groups: BTreeMap<String, usize> = BTreeMap::new();
        let failures = self.samples.iter().filter_map(|s| s.failure.as_ref());
        for failure in failures {
            let hop = failure.evidence.get("hop").or(failure.evidence.get("via"));
            if let Some(hop) = hop.and_then(Value::as_str) {
                *groups.entry(hop.to_owned()).or_default() += 1;
            }
        }
        match groups.is_empty() {
            true => Value::Null,
            false => groups
                .into_iter()
                .map(|(hop, failed)| (hop, json!({"failed": failed})))
                .collect::<Map<String, Value>>()
                .into(),
        }
    }

    /// Addresses that were passed over: applications that go on to the next
    /// one get through, others fail.
    fn dead_addresses(&self) -> Vec<Finding> {
        let groups = self.addresses();
        let working: Vec<&str> = groups
            .iter()
            .filter(|(_, tries)| tries.passed().next().is_some())
            .map(|(address, _)| *address)
            .collect();
        groups
            .iter()
            .filter_map(|(address, tries)| {
                let why = tries.missed.first()?;
                let refuses = why
                    .cause
                    .is_any(&[&cause::tcp::REFUSED, &cause::tcp::LISTENER_GONE]);
                let v6_first = refuses && address.starts_with('[') && !working.is_empty();
                let row = match v6_first {
                    true => &cause::tcp::IPV6_FIRST,
                    false => &cause::tcp::PARTIAL,
                };
                let tried = tries.missed.len() + tries.ended.len();
                let name = host(why).unwrap_or_else(|| "The name".to_owned());
                let machine = name.rsplit_once(':').map(|(host, _)| host.to_owned());
                let working = working.first().copied();
                let ip = working.and_then(|address| address.parse::<SocketAddr>().ok());
                Some(
                    Finding::new(row)
                        .word("name", machine.clone())
                        .word("database_host", machine)
                        .with("host", name)
                        .with("count", groups.len())
                        .with("dead", (*address).to_owned())
                        .with(
                            "error",
                            format!(
                                "{} of {tried} times: {}",
                                tries.missed.len(),
                                why.cause.code
                            ),
                        )
                        .with("working", working.map(str::to_owned))
                        .with("working_ip", ip.map(|to| to.ip().to_string())),
                )
            })
            .collect()
    }
}

/// The name that a finding is about, where it tells.
fn host(finding: &Finding) -> Option<String> {
    finding.evidence.get("host").map(crate::finding::shown)
}

/// What became of one address.
#[derive(Default)]
struct Tries<'a> {
    /// The attempts that ended on it.
    ended: Vec<&'a Sample>,
    /// Why others went on to the next.
    missed: Vec<&'a Finding>,
}

impl Tries<'_> {
    fn passed(&self) -> impl Iterator<Item = &&Sample> {
        self.ended.iter().filter(|sample| sample.failure.is_none())
    }

    /// Its causes by count.
    fn causes(&self) -> Map<String, Value> {
        let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
        let ended = self.ended.iter().filter_map(|s| s.failure.as_ref());
        for finding in ended.chain(self.missed.iter().copied()) {
            *counts.entry(finding.cause.code).or_default() += 1;
        }
        counts
            .into_iter()
            .map(|(code, count)| (code.to_owned(), count.into()))
            .collect()
    }
}

fn addresses(failed: &[&Sample]) -> Vec<String> {
    let mut all: Vec<String> = failed
        .iter()
        .filter_map(|sample| sample.address.clone())
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Percentiles by stage, and of the whole, over the attempts that passed.
fn latencies<'a>(samples: impl Iterator<Item = &'a Sample>) -> Value {
    let mut times: BTreeMap<&'static str, Vec<Duration>> = BTreeMap::new();
    for sample in samples.filter(|s| s.failure.is_none()) {
        times.entry("total").or_default().push(sample.total);
        for (stage, time) in &sample.stages {
            times.entry(stage.name()).or_default().push(*time);
        }
    }
    let rows: Map<String, Value> = times
        .into_iter()
        .map(|(name, mut times)| {
            times.sort_unstable();
            let at = |part| percentile(&times, part).map(ms);
            let row = json!({
                "p50": at(0.5),
                "p90": at(0.9),
                "p99": at(0.99),
                "max": at(1.0),
                "buckets": buckets(&times),
            });
            (name.to_owned(), row)
        })
        .collect();
    Value::Object(rows)
}

/// How many took how long, in ten steps to each power of ten; `le_ms` is the upper bound.
/// What took less than 10 µs counts as 10 µs.
fn buckets(times: &[Duration]) -> Value {
    let mut counts: BTreeMap<i32, usize> = BTreeMap::new();
    for time in times {
        let step = (ms(*time).max(0.01).log10() * 10.0).ceil();
        *counts.entry(step as i32).or_default() += 1;
    }
    let bucket = |(step, count): (i32, usize)| {
        let bound = 10f64.powf(f64::from(step) / 10.0);
        json!({"le_ms": (bound * 1e3).round() / 1e3, "count": count})
    };
    counts.into_iter().map(bucket).collect()
}

/// The least value that at least this part of all does not exceed (the
/// nearest-rank method).
fn percentile(sorted: &[Duration], part: f64) -> Option<Duration> {
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// The 95 % score interval of a proportion (Wilson 1927).
pub fn wilson(succeeded: usize, of: usize) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let z = 1.959_964;
    let n = of as f64;
    let p = succeeded as f64 / n;
    let scale = 1.0 + z * z / n;
    let centre = p + z * z / (2.0 * n);
    let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    // At the ends it is exact, whatever the arithmetic loses.
    let low = match succeeded {
        0 => 0.0,
        _ => ((centre - spread) / scale).max(0.0),
    };
    let high = match succeeded == of {
        true => 1.0,
        false => ((centre + spread) / scale).min(1.0),
    };
    (low, high)
}

fn round(share: f64) -> f64 {
    (share * 1e4).round() / 1e4
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// An attempt that took so many milliseconds and failed or did not.
    pub fn sample(total: u64, cause: Option<&'static cause::Cause>, address: &str) -> Sample {
        Sample {
            began: Duration::ZERO,
            total: Duration::from_millis(total),
            failure: cause.map(Finding::new),
            address: Some(address.to_owned()),
            server: None,
            passed_over: Vec::new(),
            stages: vec![(Stage::Tcp, Duration::from_millis(total / 2))],
            served_by: None,
        }
    }

    fn concluded(samples: Vec<Sample>) -> StageRecord {
        let account = Account {
            samples,
            ..Account::default()
        };
        let mut record = StageRecord::new(Stage::Stress);
        record.begin();
        account.conclude(&mut record, "db.test", "db.test:5432");
        record
    }

    #[test]
    fn the_interval_holds_the_share_and_stays_in_bounds() {
        let (low, high) = wilson(6, 10);
        assert!(low < 0.6 && 0.6 < high);
        assert!((low - 0.3127).abs() < 0.001 && (high - 0.8318).abs() < 0.001);
        assert_eq!(wilson(10, 10).1, 1.0);
        assert_eq!(wilson(0, 10).0, 0.0);
    }

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let times: Vec<Duration> = (1..=20).map(Duration::from_millis).collect();
        let at = |part| percentile(&times, part).unwrap().as_millis();
        assert_eq!((at(0.5), at(0.9), at(0.99), at(1.0)), (10, 18, 20, 20));
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn the_most_frequent_cause_is_the_verdict() {
        let record = concluded(vec![
            sample(1, Some(&cause::tcp::TIMEOUT), "a"),
            sample(1, Some(&cause::tcp::REFUSED), "a"),
            sample(1, Some(&cause::tcp::REFUSED), "a"),
            sample(1, None, "a"),
        ]);
        assert_eq!(record.findings[0].cause.code, "tcp.refused");
        assert_eq!(record.findings[1].cause.code, "tcp.timeout");
        assert_eq!(record.facts["succeeded"], 1);
        assert_eq!(record.facts["causes"][0]["count"], 2);
        assert!(record.facts["by_address"].is_null());
        assert_eq!(record.status, crate::finding::Status::Fail);
    }

    #[test]
    fn a_dead_address_is_found_although_every_attempt_passes() {
        let mut samples = vec![sample(1, None, "10.0.0.1:5432"); 4];
        samples[0].passed_over.push(Miss {
            address: "10.0.0.2:5432".to_owned(),
            finding: Finding::new(&cause::tcp::REFUSED),
        });
        let record = concluded(samples);
        assert_eq!(record.findings[0].cause.code, "tcp.partial");
        assert_eq!(record.status, crate::finding::Status::Warn);
        let dead = &record.facts["by_address"]["10.0.0.2:5432"];
        assert_eq!(
            (&dead["attempts"], &dead["succeeded"]),
            (&json!(1), &json!(0))
        );
        assert_eq!(dead["causes"]["tcp.refused"], 1);
    }

    #[test]
    fn a_login_that_is_always_refused_ends_it() {
        let mut account = Account {
            samples: vec![sample(1, Some(&cause::auth::PASSWORD_WRONG), "a"); 3],
            ..Account::default()
        };
        assert!(account.refused_logins(3).is_some());
        account.samples.push(sample(1, None, "a"));
        assert!(account.refused_logins(3).is_none());
    }

    #[test]
    fn buckets_count_every_attempt_on_a_scale_of_tenths() {
        let times = [0.001, 39.0, 40.0, 41.0, 50.0, 1_000.0];
        let times = times.map(|ms| Duration::from_secs_f64(ms / 1e3));
        assert_eq!(
            buckets(&times),
            json!([
                {"le_ms": 0.01, "count": 1},
                {"le_ms": 39.811, "count": 1},
                {"le_ms": 50.119, "count": 3},
                {"le_ms": 1_000.0, "count": 1},
            ])
        );
    }
}
