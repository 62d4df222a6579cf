//! The reports of many targets, in every form: what each came to, and the failures once for
//! all targets that have the same.

mod forms;
mod groups;
mod json;
mod table;

use std::time::{Duration, Instant};

use crate::cli::{FailOn, Format, OutputArgs};
use crate::finding::Status;
use crate::redact;
use crate::report::{Environment, Report, ReportJson, StageRecord, TargetReport};
use crate::run_id::RunId;

use super::nagios::State;
use super::options::Style;
use super::{told, workflow};

pub use json::TargetsJson;

/// What the checks of many targets found.
pub struct TargetsReport {
    /// The subcommand.
    pub command: &'static str,
    /// When it began, on the wall clock.
    pub started_at: time::OffsetDateTime,
    started: Instant,
    /// How long it took; set when it is over.
    pub took: Duration,
    /// Whether it was cut off by Ctrl-C.
    pub interrupted: bool,
    /// Where it ran.
    pub environment: Environment,
    /// The targets, in the order of the file.
    pub entries: Vec<Entry>,
}

/// One target and what its check found.
pub struct Entry {
    /// The line of the file that it stands on.
    pub line: usize,
    /// The run, whose secrets are kept out of its texts.
    pub run: RunId,
    /// What was found.
    pub report: Report,
    /// Whether anything was done before an interruption.
    pub has_run: bool,
}

/// How many targets came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Counts {
    /// All of them.
    pub targets: usize,
    /// Those that work.
    pub passed: usize,
    /// Those that work, with a warning.
    pub warned: usize,
    /// Those that do not work.
    pub failed: usize,
    /// Those that are not known to work or not, since the run was interrupted.
    pub not_run: usize,
}

impl TargetsReport {
    /// A run that begins now.
    pub fn new(command: &'static str, environment: Environment) -> Self {
        Self {
            command,
            started_at: time::OffsetDateTime::now_utc(),
            started: Instant::now(),
            took: Duration::ZERO,
            interrupted: false,
            environment,
            entries: Vec::new(),
        }
    }

    /// Notes that it is over.
    pub fn finish(&mut self, interrupted: bool) {
        self.interrupted = interrupted;
        self.took = self.started.elapsed();
    }

    /// How many came to what.
    pub fn counts(&self) -> Counts {
        count(
            self.entries
                .iter()
                .map(|entry| entry.report.verdict().status),
        )
    }

    /// What a monitoring system takes all of it for.
    pub fn state(&self, fail_on: FailOn) -> State {
        let counts = self.counts();
        match (counts.failed, counts.warned) {
            _ if self.interrupted => State::Unknown,
            (1.., _) => State::Critical,
            (0, 1..) if fail_on == FailOn::Warn => State::Critical,
            (0, 1..) => State::Warning,
            (0, 0) => State::Ok,
        }
    }

    /// The same without names, where that is asked for. A target's own name is one, too.
    #[must_use]
    pub fn redacted(mut self) -> Self {
        if !redact::active::is_asked_for() {
            return self;
        }
        for (at, entry) in self.entries.iter_mut().enumerate() {
            let name = entry.report.target.name.take();
            let shown = entry
                .run
                .enter(|| redact::active::report(&entry.report).into_owned());
            entry.report = shown;
            entry.report.target.name = name.map(|_| format!("target-{}", at + 1));
        }
        self
    }

    /// The targets as every form calls them, each differently.
    fn labels(&self) -> Vec<String> {
        let mut labels: Vec<String> = self.entries.iter().map(Entry::label).collect();
        let mut seen = std::collections::HashMap::new();
        for label in &labels {
            *seen.entry(label.clone()).or_insert(0) += 1;
        }
        for (label, entry) in labels.iter_mut().zip(&self.entries) {
            if seen.get(label).is_some_and(|count| *count > 1) {
                *label = format!("{label} (line {})", entry.line);
            }
        }
        labels
    }

    /// The reports as programs read them, with warnings as failures where they are to count as
    /// such.
    fn judged(&self, fail_on: FailOn) -> Vec<ReportJson> {
        let of = |entry: &Entry| told::judged(entry.json(), fail_on);
        self.entries.iter().map(of).collect()
    }
}

impl Entry {
    /// The report as JSON has it.
    fn json(&self) -> ReportJson {
        self.run.enter(|| self.report.to_json())
    }

    /// Its own name, or what it connects to.
    fn label(&self) -> String {
        let target = &self.report.target;
        let label = target.name.clone().or_else(|| address(target));
        label.unwrap_or_else(|| format!("line {}", self.line))
    }

    /// The worst that is the matter with it, as codes, each once.
    fn causes(&self) -> Vec<&'static str> {
        let status = self.report.verdict().status;
        let mut codes = Vec::new();
        let findings = self
            .report
            .stages
            .iter()
            .flat_map(StageRecord::all_findings);
        for finding in findings.filter(|finding| finding.status == status) {
            if !codes.contains(&finding.cause.code) {
                codes.push(finding.cause.code);
            }
        }
        codes
    }
}

/// `app@db.test:5432/orders`, as far as it is known.
fn address(target: &TargetReport) -> Option<String> {
    let value = |name: &str| {
        let value = &target.parameters.get(name)?.value;
        Some(crate::text::escaped(value).into_owned()).filter(|it| !it.is_empty())
    };
    let place = super::settings::place(target)?;
    let (place, way) = match place.split_once(", through ") {
        Some((place, way)) => (place.to_owned(), format!(" through {way}")),
        None => (place, String::new()),
    };
    let user = value("user")
        .map(|user| format!("{user}@"))
        .unwrap_or_default();
    let database = value("dbname")
        .map(|name| format!("/{name}"))
        .unwrap_or_default();
    Some(format!("{user}{place}{database}{way}"))
}

fn count(statuses: impl Iterator<Item = Status>) -> Counts {
    let mut counts = Counts::default();
    for status in statuses {
        counts.targets += 1;
        *match status {
            Status::Pass => &mut counts.passed,
            Status::Warn => &mut counts.warned,
            Status::Fail => &mut counts.failed,
            Status::Skip => &mut counts.not_run,
        } += 1;
    }
    counts
}

impl Counts {
    /// `3 of 500 targets failed, 2 passed with warnings`
    fn sentence(&self) -> String {
        let Self {
            targets,
            passed,
            warned,
            failed,
            not_run,
        } = *self;
        let all = match targets {
            1 => "1 target".to_owned(),
            n => format!("{n} targets"),
        };
        let with = if warned == 1 { "a warning" } else { "warnings" };
        let mut parts = Vec::new();
        if failed > 0 {
            parts.push(format!("{failed} of {all} failed"));
        } else if passed == targets {
            parts.push(match targets {
                1 => "1 target passed".to_owned(),
                _ => format!("All {all} passed"),
            });
        } else {
            parts.push(format!("{} of {all} passed", passed + warned));
        }
        if warned > 0 {
            parts.push(format!("{warned} passed with {with}"));
        }
        if not_run > 0 {
            parts.push(format!("{not_run} not checked"));
        }
        parts.join(", ")
    }
}

/// The reports in the form that is asked for.
pub fn render(report: &TargetsReport, output: &OutputArgs, style: &Style) -> Vec<u8> {
    let text = match output.format() {
        Format::Json => return json::render(report),
        // Its lines are commands on purpose.
        Format::Github => return forms::github(report, output.fail_on).into_bytes(),
        Format::Table => table::render(report, style),
        Format::Markdown => forms::markdown(report, output.quiet),
        Format::Junit => forms::junit(report, output.fail_on),
        Format::Nagios => forms::nagios(report, output.fail_on),
        Format::Prometheus => forms::prometheus(report, output.fail_on),
    };
    workflow::inert(&text).into_owned().into_bytes()
}

/// The JSON, whatever is shown.
pub fn json(report: &TargetsReport) -> Vec<u8> {
    json::render(report)
}

/// The reports as Markdown, for a file that has it beside what is shown.
pub fn markdown(report: &TargetsReport, quiet: bool) -> String {
    forms::markdown(report, quiet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_in_a_sentence() {
        let of = |statuses: &[Status]| count(statuses.iter().copied()).sentence();
        let (pass, warn, fail, skip) = (Status::Pass, Status::Warn, Status::Fail, Status::Skip);
        assert_eq!(of(&[pass]), "1 target passed");
        assert_eq!(of(&[pass, pass]), "All 2 targets passed");
        assert_eq!(of(&[fail, pass]), "1 of 2 targets failed");
        assert_eq!(
            of(&[fail, warn, pass, skip]),
            "1 of 4 targets failed, 1 passed with a warning, 1 not checked"
        );
        assert_eq!(
            of(&[warn, warn, pass]),
            "3 of 3 targets passed, 2 passed with warnings"
        );
        assert_eq!(of(&[pass, skip]), "1 of 2 targets passed, 1 not checked");
    }
}
