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

/// The report as metrics.
pub fn render(report: &ReportJson, started: time::OffsetDateTime) -> String {
    let target = labels(report);
    let sample = |more: &[(&str, &str)], value: String| Sample {
        labels: own_then(more, &target),
        value,
    };
    let mut page = String::new();
    // A run that was cut short does not know.
    if !report.run.interrupted || report.verdict.status == Status::Fail {
        let up = u8::from(report.verdict.status != Status::Fail).to_string();
        family(
            &mut page,
            "dbdoctor_up",
            "Whether the last run found no failure.",
            &[sample(&[], up)],
        );
    }
    let stages = report.stages.iter();
    let times: Vec<Sample> = stages
        .filter_map(|stage| Some((stage.stage.name(), stage.duration_ms?)))
        .map(|(stage, ms)| sample(&[("stage", stage)], seconds(ms)))
        .collect();
    family(
        &mut page,
        "dbdoctor_stage_seconds",
        "How long each stage of the last run took.",
        &times,
    );
    let end = told::certificate_end(report).map(|end| sample(&[], end.to_string()));
    let end: Vec<Sample> = end.into_iter().collect();
    family(
        &mut page,
        "dbdoctor_certificate_not_after_seconds",
        "When the first certificate that the connection depends on expires, in seconds since 1970.",
        &end,
    );
    let mut causes: Vec<(&str, &str, &str)> = told::findings(report)
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
    let causes: Vec<Sample> = causes
        .into_iter()
        .map(|(cause, stage, severity)| {
            let more = [("cause", cause), ("stage", stage), ("severity", severity)];
            sample(&more, "1".to_owned())
        })
        .collect();
    family(
        &mut page,
        "dbdoctor_finding",
        "A failure or warning of the last run, by its cause.",
        &causes,
    );
    family(
        &mut page,
        "dbdoctor_run_seconds",
        "How long the last run took.",
        &[sample(&[], seconds(report.run.duration_ms))],
    );
    family(
        &mut page,
        "dbdoctor_last_run_timestamp_seconds",
        "When the last run began, in seconds since 1970.",
        &[sample(&[], started.unix_timestamp().to_string())],
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
fn family(page: &mut String, name: &str, help: &str, samples: &[Sample]) {
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
