//! The table: a row for each stage, the findings, the verdict. A pure function of the
//! report and the style.

use super::layout::{Ink, Page, mark};
use super::options::{Style, Verbosity};
use super::{charts, client, findings, settings, stages, timeline};
use crate::finding::Status;
use crate::report::{Report, StageRecord};

/// The report as a table.
pub fn render(report: &Report, style: &Style) -> String {
    let mut page = Page::new(style);
    if style.verbosity > Verbosity::Quiet {
        header(&mut page, report, style);
        page.gap();
        stages::write(&mut page, report, style);
        let fails = report.verdict().status == Status::Fail;
        let everything = style.verbosity >= Verbosity::Verbose;
        let settled = report.command == "config" || everything;
        // Nothing stands before a failure but the rows of the stages.
        let told = fails && findings::write(&mut page, report, style);
        if settled {
            settings::write(&mut page, &report.target, style);
        }
        client::write(&mut page, report, settled, style);
        let told = if fails {
            told
        } else {
            findings::write(&mut page, report, style)
        };
        charts::write(&mut page, report, style);
        if style.verbosity >= Verbosity::Wire {
            timeline::write(&mut page, report, style);
        }
        closing(&mut page, report, told, style);
    } else {
        verdict(&mut page, report, style);
    }
    page.into_text()
}

/// What is checked, from where.
fn header(page: &mut Page, report: &Report, style: &Style) {
    let subject = match report.command {
        "tap" => settings::place(&report.target),
        _ => settings::subject(&report.target),
    };
    if let Some(subject) = subject {
        page.paragraph(&[], Ink::Strong, &subject);
    }
    if style.verbosity >= Verbosity::Verbose {
        let environment = &report.environment;
        let mut about = format!("dbdoctor {}", env!("CARGO_PKG_VERSION"));
        let at = report
            .started_at
            .replace_nanosecond(0)
            .unwrap_or(report.started_at);
        if let Ok(at) = at.format(&time::format_description::well_known::Rfc3339) {
            about = format!("{about}, {at}");
        }
        if !environment.os.is_empty() {
            about = format!("{about}, {} {}", environment.os, environment.arch);
        }
        for place in [&environment.container, &environment.ci]
            .into_iter()
            .flatten()
        {
            about = format!("{about}, in {place}");
        }
        if environment.wsl {
            about += ", under WSL";
        }
        page.paragraph(&[], Ink::Faint, &about);
    }
}

/// The last line: nothing if the last finding has said it already.
fn closing(page: &mut Page, report: &Report, told: bool, style: &Style) {
    let warnings = warnings(report);
    match report.verdict().status {
        Status::Fail if told => {}
        Status::Warn if told && warnings == 1 => {
            page.gap();
            outcome(page, Status::Warn, "Passed with a warning.", style);
        }
        Status::Warn if told => {
            page.gap();
            let text = format!("Passed with {warnings} warnings.");
            outcome(page, Status::Warn, &text, style);
        }
        Status::Pass if !report.took.is_zero() => {
            page.gap();
            let summary = report.verdict().summary;
            let took = stages::time(report.took);
            let text = format!("{} in {took}.", summary.trim_end_matches('.'));
            outcome(page, Status::Pass, &text, style);
        }
        _ => {
            page.gap();
            verdict(page, report, style);
        }
    }
}

/// The verdict alone.
fn verdict(page: &mut Page, report: &Report, style: &Style) {
    let verdict = report.verdict();
    let warnings = warnings(report);
    let lead = match (verdict.status, &verdict.cause) {
        (Status::Fail, Some(cause)) => format!("{}: ", cause.code),
        (Status::Warn, Some(cause)) if warnings == 1 => {
            format!("Passed with a warning, {}: ", cause.code)
        }
        (Status::Warn, Some(cause)) => {
            format!(
                "Passed with {warnings} warnings; the first is {}: ",
                cause.code
            )
        }
        _ => String::new(),
    };
    let text = format!("{lead}{}", verdict.summary);
    outcome(page, verdict.status, &text, style);
}

fn warnings(report: &Report) -> usize {
    let all = report.stages.iter().flat_map(StageRecord::all_findings);
    all.filter(|finding| finding.status == Status::Warn).count()
}

/// The outcome in one sentence.
fn outcome(page: &mut Page, status: Status, text: &str, style: &Style) {
    let sign = format!("{} ", mark(status, style).trim_end());
    page.paragraph(&[(status.into(), &sign)], Ink::Strong, text);
}
