//! What a person sees of a scenario, as a committed file: the table of its
//! report at 80 columns, with what differs from run to run put in one form.
//!
//! `tests/snapshots/STAGE/SCENARIO.txt` is compared where it is; an empty file
//! there begins one, and `UPDATE=1` fills it. They were recorded by root in a
//! Docker container, and are compared only there.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use dbdoctor::cause::{self, Cause, FixRow};
use dbdoctor::finding::{Finding, Fix, Status};
use dbdoctor::render::options::{Style, Verbosity};
use dbdoctor::render::table;
use dbdoctor::report::{INTERRUPTED, Report, Skipped, Stage, StageRecord};
use regex::{Captures, Regex};
use serde_json::{Map, Value};

/// The committed table of a scenario, whether or not there is one.
pub fn path(stage: &str, scenario: &str) -> PathBuf {
    PathBuf::from(format!("tests/snapshots/{stage}/{scenario}.txt"))
}

/// Holds the table of a report to its verdict, and to its committed file,
/// where there is one.
pub fn check(stage: &str, scenario: &str, report: &Value) -> Result<(), String> {
    leads_with_the_verdict(report)?;
    let path = path(stage, scenario);
    if !is_comparable(report) || !super::root().join(&path).exists() {
        return Ok(());
    }
    let table = table(&settled(report))?;
    super::difference(path, table.as_bytes()).map_or(Ok(()), Err)
}

/// Whether it was made where the committed ones were recorded.
pub fn is_comparable(report: &Value) -> bool {
    // Advice differs by the kind of machine, and names by who runs the lab.
    // Kubernetes is told by a variable, which its scenarios set.
    let place = report["run"]["environment"]["container"].as_str();
    matches!(place, Some("docker" | "kubernetes")) && nix::unistd::geteuid().is_root()
}

/// What the table shows first of all failures, and what it ends with, is the
/// verdict's cause.
fn leads_with_the_verdict(report: &Value) -> Result<(), String> {
    let verdict = &report["verdict"];
    let (Some("fail"), Some(cause)) = (verdict["status"].as_str(), verdict["cause"].as_str())
    else {
        return Ok(());
    };
    let table = table(&settled(report))?;
    let failing: Vec<&str> = (table.lines())
        .filter_map(|line| line.strip_prefix("✗ "))
        .collect();
    let is_its = |line: Option<&&str>| line.is_some_and(|line| line.starts_with(cause));
    match is_its(failing.first()) && is_its(failing.last()) {
        true => Ok(()),
        false => Err(format!(
            "the verdict is {cause}, the table says {failing:?}"
        )),
    }
}

/// A report with what differs from run to run in one form.
pub fn settled(report: &Value) -> Value {
    let mut settled = report.clone();
    Normal::default().value("", &mut settled);
    settled
}

/// A report with the lab's ports and paths alone in one form.
pub fn relocated(report: &Value) -> Value {
    let mut relocated = report.clone();
    let mut normal = Normal {
        places_only: true,
        ..Normal::default()
    };
    normal.value("", &mut relocated);
    relocated
}

/// The table of a JSON report.
pub fn table(report: &Value) -> Result<String, String> {
    let style = Style {
        width: 80,
        utf8: true,
        color: false,
        verbosity: Verbosity::Normal,
    };
    table_in(report, &style)
}

/// The table of a JSON report in some style.
pub fn table_in(report: &Value, style: &Style) -> Result<String, String> {
    let report = rebuilt(report)?;
    let text = table::render(&report, style);
    let lines = text.lines().map(str::trim_end);
    Ok(lines.map(|line| format!("{line}\n")).collect())
}

/// A report as the program had it when it printed this JSON.
pub fn rebuilt(settled: &Value) -> Result<Report, String> {
    fn read<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, String> {
        serde_json::from_value(value.clone()).map_err(|error| format!("{value}: {error}"))
    }
    let command: String = read(&settled["run"]["command"])?;
    let mut report = Report::new(command.leak(), &[], read(&settled["run"]["environment"])?);
    report.target = read(&settled["target"])?;
    report.interrupted = settled["run"]["interrupted"] == true;
    for stage in settled["stages"].as_array().into_iter().flatten() {
        let mut record = StageRecord::new(read::<Stage>(&stage["stage"])?);
        if !stage["start_ms"].is_null() {
            record.ran(Instant::now(), took(&stage["duration_ms"]));
        }
        record.status = read::<Status>(&stage["status"])?;
        record.reason = read(&stage["reason"])?;
        record.skipped = match record.reason.as_deref().unwrap_or_default() {
            reason if reason.starts_with("not run: ") => Skipped::NotRun,
            reason if reason.starts_with("not completed: ") => Skipped::NotCompleted,
            INTERRUPTED => Skipped::NotCompleted,
            _ => Skipped::Inapplicable,
        };
        record.summary = read::<Option<String>>(&stage["summary"])?.unwrap_or_default();
        record.facts = read(&stage["facts"])?;
        for found in stage["findings"].as_array().into_iter().flatten() {
            record.findings.push(finding(found)?);
        }
        report.stages.push(record);
    }
    report.took = took(&settled["run"]["duration_ms"]);
    Ok(report)
}

/// A time of a report.
fn took(ms: &Value) -> Duration {
    Duration::from_secs_f64(ms.as_f64().unwrap_or_default() / 1_000.0)
}

/// A finding with the words of a report, for which its cause gets templates
/// without holes.
fn finding(settled: &Value) -> Result<Finding, String> {
    let code = settled["cause"].as_str().unwrap_or_default();
    let row = cause::find(code).ok_or_else(|| format!("no cause {code}"))?;
    let fixes: Vec<Fix> = serde_json::from_value(settled["fixes"].clone())
        .map_err(|error| format!("{code}: {error}"))?;
    let template = |text: &str| -> &'static str {
        let text = text.replace('{', "{{").replace('}', "}}");
        text.leak()
    };
    let fixes: Vec<FixRow> = fixes
        .iter()
        .map(|fix| FixRow {
            text: template(&fix.text),
            command: fix.command.as_deref().map(template),
        })
        .collect();
    let mut finding = Finding::new(Box::leak(Box::new(Cause {
        summary: template(settled["summary"].as_str().unwrap_or_default()),
        fixes: fixes.leak(),
        ..*row
    })));
    finding.evidence = settled["evidence"].as_object().cloned().unwrap_or_default();
    finding.status = match settled["status"].as_str() {
        Some("fail") => Status::Fail,
        _ => Status::Warn,
    };
    Ok(finding)
}

/// Puts what differs from run to run in one form: ports, process ids,
/// temporary paths, times, dates, fingerprints, versions of packages.
#[derive(Default)]
struct Normal {
    /// The five-digit numbers met so far; each becomes the next from 50001.
    ports: Vec<u64>,
    /// Whether ports and paths are all that is changed.
    places_only: bool,
}

impl Normal {
    fn value(&mut self, name: &str, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(name, text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(name, item)),
            Value::Object(fields) => {
                let taken = std::mem::take(fields);
                *fields = taken
                    .into_iter()
                    .map(|(name, mut value)| {
                        self.value(&name, &mut value);
                        (self.text("", &name), value)
                    })
                    .collect::<Map<_, _>>();
            }
            Value::Number(number) => {
                if name.ends_with("_ms") || matches!(name, "ms" | "oldest_s") {
                    if !self.places_only {
                        *value = 1.into();
                    }
                } else if name.contains("pid") || name == "process" {
                    *value = 4242.into();
                } else if let Some(number) = number.as_u64()
                    && is_port(number)
                {
                    *value = self.port(number).into();
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn text(&mut self, name: &str, text: &str) -> String {
        if name == "sqlstate" {
            return text.to_owned();
        }
        if matches!(name, "serial" | "pid") && !self.places_only {
            return "4242".to_owned();
        }
        let mut text = text.to_owned();
        let count = if self.places_only {
            PLACES
        } else {
            PATTERNS.len()
        };
        for (pattern, form) in PATTERNS.iter().take(count) {
            text = pattern.replace_all(&text, *form).into_owned();
        }
        let number = |found: &Captures<'_>| match found[2].parse() {
            Ok(number) if is_port(number) && !follows_sqlstate(found) => {
                format!("{}{}", &found[1], self.port(number))
            }
            _ => found[0].to_owned(),
        };
        NUMBER.replace_all(&text, number).into_owned()
    }

    fn port(&mut self, port: u64) -> u64 {
        let at = self.ports.iter().position(|known| *known == port);
        let at = at.unwrap_or_else(|| {
            self.ports.push(port);
            self.ports.len() - 1
        });
        50_001 + at as u64
    }
}

/// The lab's free ports and the kernel's own.
fn is_port(number: u64) -> bool {
    (10_000..65_535).contains(&number)
}

/// Whether a number is named as an SQLSTATE, which has five digits too.
fn follows_sqlstate(found: &Captures<'_>) -> bool {
    found
        .get(1)
        .is_some_and(|before| before.as_str() == "SQLSTATE ")
}

static NUMBER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(^|SQLSTATE |[^-\w])([0-9]{5})\b").unwrap());

/// How many of the patterns are of places.
const PLACES: usize = 5;

static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let all = [
        (r"/tmp/dbdoctor-lab-[0-9]+-[A-Za-z0-9]+", "/lab"),
        (r"\bfaults-[0-9a-f]+", "faults"),
        (r"dbdoctor-lab-[0-9]+-[A-Za-z0-9]+", "dbdoctor-lab"),
        (r"(/lab(?:/[A-Za-z_.]+)*?/[a-z_]+)-[0-9]+\b", "$1-1"),
        (r"\.s\.PGSQL\.[0-9]+", ".s.PGSQL.5432"),
        (
            r"SHA256:[A-Za-z0-9+/]{43}",
            "SHA256:Zk3vFINGERPRINT0000000000000000000000000000",
        ),
        (r"MD5(:[0-9a-f]{2}){16}", "MD5:00"),
        (r"\b[0-9a-f]{2}(:[0-9a-f]{2}){7,}\b", "00:01:02"),
        (
            r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?( ?UTC|Z)?",
            "2026-11-21 13:36 UTC",
        ),
        (r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}\b", "2026-11-21"),
        (r"\b[0-9]+(?:\.[0-9]+)? s\b", "2 s"),
        (r"\b[0-9]+\.[0-9]+ ?(ms|s)\b", "0.1 $1"),
        (r"\b[0-9]+ ms\b", "1 ms"),
        (
            r"\b(longest (?:idle )?for) [0-9]+ seconds?\b",
            "$1 2 seconds",
        ),
        (r"(?i)\b(pid|process|backend) \(?[0-9]+\b", "$1 4242"),
        (r"\((?:pid|process) [0-9]+\)", "(process 4242)"),
        (r"\b10\.200\.[0-9]+\.", "10.200.1."),
        (r"\bfd00:200:[0-9a-f]+:", "fd00:200:1:"),
        (r"\b[0-9]+ of ([0-9]{2,}) slots", "1 of $1 slots"),
        (
            r"AAAA[A-Za-z0-9+/]{40,}={0,2}",
            "AAAAC3NzaC1lZDI1NTE5AAAAI000",
        ),
        (r"\b(?:[0-9A-F]{2}:){15,}[0-9A-F]{2}\b", "00:01:02"),
        (r"\bhas [0-9]+ bytes", "has 120 bytes"),
        (r"\b(python3?|postgres) [0-9]+\b", "$1 4242"),
        (r"\b15\.[0-9]+ \(Debian [^)]*\)", "15.18 (Debian)"),
        (r"\bPostgreSQL 15\.[0-9]+\b", "PostgreSQL 15.18"),
        (
            r"OpenSSH_([0-9]+)\.[0-9]+p[0-9]+( Debian-[^ ,;)]*)?",
            "OpenSSH_$1",
        ),
    ];
    let regex = |(pattern, form)| (Regex::new(pattern).unwrap(), form);
    all.into_iter().map(regex).collect()
});
