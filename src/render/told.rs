//! What the forms for programs have in common: the findings in the order in which
//! they count, and fixes as lines of text.

use crate::cli::FailOn;
use crate::finding::{Fix, Status};
use crate::report::{FindingJson, ReportJson, Stage, StageJson};
use crate::text;

/// The report with warnings as failures where they make the run fail, so that a
/// program that reads it and the exit status say the same.
pub fn judged(mut report: ReportJson, fail_on: FailOn) -> ReportJson {
    if fail_on == FailOn::Fail {
        return report;
    }
    let raise = |status: &mut Status| {
        if *status == Status::Warn {
            *status = Status::Fail;
        }
    };
    raise(&mut report.verdict.status);
    for stage in &mut report.stages {
        raise(&mut stage.status);
        for finding in &mut stage.findings {
            raise(&mut finding.status);
        }
    }
    report
}

/// Every finding with its stage: the verdict's first, then failures, warnings,
/// and what says why something works.
pub fn findings(report: &ReportJson) -> Vec<(&StageJson, &FindingJson)> {
    let mut all: Vec<(&StageJson, &FindingJson)> = report
        .stages
        .iter()
        .flat_map(|stage| stage.findings.iter().map(move |finding| (stage, finding)))
        .collect();
    all.sort_by_key(|(_, finding)| std::cmp::Reverse(finding.status));
    let verdict = &report.verdict;
    let own = all.iter().position(|(stage, finding)| {
        Some(stage.stage) == verdict.stage && Some(finding.cause) == verdict.cause
    });
    if let Some(own) = own {
        let own = all.remove(own);
        all.insert(0, own);
    }
    all
}

/// Fixes as numbered lines, their commands below them.
pub fn fixes(fixes: &[Fix]) -> Vec<String> {
    let mut lines = Vec::new();
    for (n, fix) in fixes.iter().enumerate() {
        lines.push(format!("{}. {}", n + 1, text::visible(&fix.text)));
        let commands = fix.command.iter().flat_map(|command| command.lines());
        lines.extend(commands.map(|line| format!("     {}", text::visible(line))));
    }
    lines
}

/// A finding as text: what is wrong and what to do.
pub fn finding(finding: &FindingJson) -> String {
    let mut lines = vec![text::visible(&finding.summary)];
    let fixes = fixes(&finding.fixes);
    if !fixes.is_empty() {
        lines.push(String::new());
        lines.push("What to do:".to_owned());
        lines.extend(fixes);
    }
    lines.join("\n")
}

/// When the run began, to the second.
pub fn started(report: &ReportJson) -> String {
    let format = &time::format_description::well_known::Rfc3339;
    let began = time::OffsetDateTime::parse(&report.run.started_at, format);
    began.map(text::moment::rfc3339).unwrap_or_default()
}

/// How long a connection took, from the first lookup to the login, in
/// milliseconds; none where nothing was connected to.
pub fn connecting(report: &ReportJson) -> Option<f64> {
    let stages = report.stages.iter();
    let times = stages.filter(|stage| is_connecting(stage.stage));
    let times: Vec<f64> = times.filter_map(|stage| stage.duration_ms).collect();
    (!times.is_empty()).then(|| times.iter().sum())
}

/// Whether a stage is part of what an application waits for when it connects.
pub fn is_connecting(stage: Stage) -> bool {
    (Stage::Dns..=Stage::Auth).contains(&stage)
}

/// When the first certificate ends that the connection depends on, as seconds
/// since 1970; none where no certificate was seen.
pub fn certificate_end(report: &ReportJson) -> Option<i64> {
    let mut stages = report.stages.iter();
    let tls = stages.find(|record| record.stage == Stage::Tls)?;
    let text = tls.facts.get("expires")?.as_str()?;
    let format = &time::format_description::well_known::Rfc3339;
    let end = time::OffsetDateTime::parse(text, format).ok()?;
    Some(end.unix_timestamp())
}
