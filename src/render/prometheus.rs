//! Metrics in Prometheus's text format, for the node exporter's textfile collector.
//!
//! Labels are what was asked for (command, host, port, database, user, SSH servers)
//! and names of ours (stage, cause): no text of a peer.

use std::fmt::Write;

use super::told;
use crate::finding::Status;
use crate::report::ReportJson;
use crate::text;

/// The settings that say which target it is, with their labels.
const TARGET: [(&str, &str); 5] = [
    ("host", "host"),
    ("hostaddr", "hostaddr"),
    ("port", "port"),
    ("dbname", "database"),
    ("user", "user"),
];

/// A report to be told in metrics.
pub(super) struct Measured<'a> {
    pub(super) report: &'a ReportJson,
    /// When its run began.
    pub(super) started: time::OffsetDateTime,
    /// What the target is called, where it is one of many.
    pub(super) name: Option<&'a str>,
}

impl Measured<'_> {
    fn sample(&self, more: &[(&str, &str)], value: String) -> Sample {
        let name = self.name.map(|name| ("target", name.to_owned()));
        let target: Vec<_> = name.into_iter().chain(labels(self.report)).collect();
        Sample {
            labels: own_then(more, &target),
            value,
        }
    }

    fn up(&self) -> Vec<Sample> {
        let report = self.report;
        let up = u8::from(report.verdict.status != Status::Fail).to_string();
        // A run that was cut short does not know.
        let known = !report.run.interrupted || report.verdict.status == Status::Fail;
        known.then(|| self.sample(&[], up)).into_iter().collect()
    }

    fn times(&self) -> Vec<Sample> {
        let stages = self.report.stages.iter();
        stages
            .filter_map(|stage| Some((stage.stage.name(), stage.duration_ms?)))
            .map(|(stage, ms)| self.sample(&[("stage", stage)], seconds(ms)))
            .collect()
    }

    fn certificate(&self) -> Vec<Sample> {
        let end = told::certificate_end(self.report);
        let end = end.map(|end| self.sample(&[], end.to_string()));
        end.into_iter().collect()
    }

    fn findings(&self) -> Vec<Sample> {
        let mut causes: Vec<(&str, &str, &str)> = told::findings(self.report)
            .into_iter()
            .filter_map(|(stage, finding)| {
                let severity = match finding.status {
                    Status::Fail => "fail",
                    Status::Warn => "warn",
                    _ => return None,
                };
                Some((finding.cause.code, stage.stage.name(), severity))
            })
            .collect();
        causes.sort_unstable();
        causes.dedup();
        causes
            .into_iter()
            .map(|(cause, stage, severity)| {
                let more = [("cause", cause), ("stage", stage), ("severity", severity)];
                self.sample(&more, "1".to_owned())
            })
            .collect()
    }

    fn took(&self) -> Vec<Sample> {
        vec![self.sample(&[], seconds(self.report.run.duration_ms))]
    }

    fn began(&self) -> Vec<Sample> {
        vec![self.sample(&[], self.started.unix_timestamp().to_string())]
    }
}

/// The report as metrics.
pub fn render(report: &ReportJson, started: time::OffsetDateTime) -> String {
    document(&[Measured {
        report,
        started,
        name: None,
    }])
}

/// Several reports as metrics: all samples of a metric stand together.
pub(super) fn document(all: &[Measured]) -> String {
    let mut page = String::new();
    let mut family = |name: &str, help: &str, samples: fn(&Measured) -> Vec<Sample>| {
        let samples: Vec<Sample> = all.iter().flat_map(samples).collect();
        write_family(&mut page, name, help, &samples);
    };
    family(
        "dbdoctor_up",
        "Whether the last run found no failure.",
        |it| it.up(),
    );
    family(
        "dbdoctor_stage_seconds",
        "How long each stage of the last run took.",
        |it| it.times(),
    );
    family(
        "dbdoctor_certificate_not_after_seconds",
        "When the first certificate that the connection depends on expires, in seconds since 1970.",
        |it| it.certificate(),
    );
    family(
        "dbdoctor_finding",
        "A failure or warning of the last run, by its cause.",
        |it| it.findings(),
    );
    family(
        "dbdoctor_run_seconds",
        "How long the last run took.",
        |it| it.took(),
    );
    family(
        "dbdoctor_last_run_timestamp_seconds",
        "When the last run began, in seconds since 1970.",
        |it| it.began(),
    );
    page
}

struct Sample {
    labels: String,
    value: String,
}

fn seconds(ms: f64) -> String {
    format!("{:.6}", ms / 1e3)
}

/// A metric with its samples, or nothing where it has none.
fn write_family(page: &mut String, name: &str, help: &str, samples: &[Sample]) {
    if samples.is_empty() {
        return;
    }
    let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} gauge");
    for Sample { labels, value } in samples {
        let _ = writeln!(page, "{name}{{{labels}}} {value}");
    }
}

/// The labels that say which target it is.
fn labels(report: &ReportJson) -> Vec<(&'static str, String)> {
    let mut labels = vec![("command", report.run.command.clone())];
    for (parameter, label) in TARGET {
        if let Some(parameter) = report.target.parameters.get(parameter)
            && !parameter.value.is_empty()
        {
            labels.push((label, parameter.value.clone()));
        }
    }
    if !report.target.ssh.is_empty() {
        labels.push(("ssh", report.target.ssh.join(",")));
    }
    labels
}

fn own_then(own: &[(&str, &str)], target: &[(&'static str, String)]) -> String {
    let own = own.iter().copied();
    let target = target.iter().map(|(name, value)| (*name, value.as_str()));
    own.chain(target)
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect::<Vec<_>>()
        .join(",")
}

/// The value of a label, on one line.
fn escaped(value: &str) -> String {
    text::visible(value)
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_does_not_end_its_label() {
        let target = [("database", "a\"} 1\nx\\".to_owned())];
        assert_eq!(
            own_then(&[("stage", "dns")], &target),
            "stage=\"dns\",database=\"a\\\"} 1 x\\\\\""
        );
    }
}
