//! The forms for other programs, of many targets.

use std::fmt::Write;

use super::{Entry, TargetsReport, groups};
use crate::cli::FailOn;
use crate::finding::{Finding, Status};
use crate::render::junit::Suite;
use crate::render::prometheus::Measured;
use crate::render::{github, junit, markdown as md, nagios, prometheus as metrics};
use crate::report::{FindingJson, ms};

/// So many targets are named of one finding.
const NAMED: usize = 50;

/// A suite for each target.
pub fn junit(report: &TargetsReport, fail_on: FailOn) -> String {
    let labels = report.labels();
    let judged = report.judged(fail_on);
    let suites: Vec<Suite> = labels
        .iter()
        .zip(&judged)
        .map(|(name, report)| Suite { name, report })
        .collect();
    junit::document(&suites, ms(report.took))
}

/// The metrics of each target that was checked, with its name as a label.
pub fn prometheus(report: &TargetsReport, fail_on: FailOn) -> String {
    let labels = report.labels();
    let judged = report.judged(fail_on);
    let all = report.entries.iter().zip(&judged).zip(&labels);
    let measured: Vec<Measured> = all
        .filter(|((entry, _), _)| entry.has_run)
        .map(|((entry, report), label)| Measured {
            report,
            started: entry.report.started_at,
            name: Some(label),
        })
        .collect();
    metrics::document(&measured)
}

/// One line about all of them.
pub fn nagios(report: &TargetsReport, fail_on: FailOn) -> String {
    let counts = report.counts();
    let labels = report.labels();
    let status = match (counts.failed, counts.warned) {
        (1.., _) => Status::Fail,
        _ => Status::Warn,
    };
    let causes = groups::frequent(report, status);
    let worst: Vec<usize> = report
        .entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.report.verdict().status == status)
        .map(|(at, _)| at)
        .collect();
    let mut said = counts.sentence();
    if !causes.is_empty() {
        let _ = write!(said, ": {}", groups::in_words(&causes, 3));
        let _ = write!(said, "; {}", groups::names(&labels, &worst, 5).join(", "));
    }
    if report.interrupted {
        said = format!("interrupted; {said}");
    }
    let data = format!(
        "targets={};;;0 failed={};;;0 warned={};;;0 time={:.3}s;;;0",
        counts.targets,
        counts.failed,
        counts.warned,
        report.took.as_secs_f64()
    );
    format!("{} | {data}\n", nagios::line(report.state(fail_on), &said))
}

/// An annotation for each cause, with the targets that have it.
pub fn github(report: &TargetsReport, fail_on: FailOn) -> String {
    let labels = report.labels();
    let mut page = String::new();
    for status in [Status::Fail, Status::Warn] {
        let level = match (status, fail_on) {
            (Status::Warn, FailOn::Fail) => "warning",
            _ => "error",
        };
        for cause in groups::of_status(report, status).iter().take(github::MOST) {
            let Some(first) = cause.groups.first() else {
                continue;
            };
            let targets = cause.targets();
            let finding = first.run.enter(|| told(&first.finding));
            let text = match targets.len() {
                1 => format!("{}: {finding}", labels[targets[0]]),
                n => format!(
                    "{n} targets: {}\n\nOf the first: {finding}",
                    groups::names(&labels, &targets, NAMED).join(", ")
                ),
            };
            let title = format!("{} ({})", first.finding.cause.code, first.stage);
            page.push_str(&github::annotation(level, &title, &text));
        }
    }
    if page.is_empty() {
        page = format!(
            "dbdoctor {}: {}.\n",
            report.command,
            report.counts().sentence()
        );
    }
    page
}

/// A finding as text: what is wrong and what to do.
fn told(finding: &Finding) -> String {
    let mut text = crate::text::visible(&finding.summary());
    let fixes = crate::render::told::fixes(&finding.fixes());
    if !fixes.is_empty() {
        let _ = write!(text, "\n\nWhat to do:\n{}", fixes.join("\n"));
    }
    text
}

/// A table of the targets, and what failed.
pub fn markdown(report: &TargetsReport, quiet: bool) -> String {
    let counts = report.counts();
    let labels = report.labels();
    let status = match (counts.failed, counts.warned, counts.not_run) {
        (1.., _, _) => Status::Fail,
        (_, 1.., _) => Status::Warn,
        (_, _, 1..) => Status::Skip,
        _ => Status::Pass,
    };
    let interrupted = if report.interrupted {
        "interrupted; "
    } else {
        ""
    };
    let mut page = format!(
        "### {} dbdoctor {}: {interrupted}{}\n\n",
        md::sign(status),
        report.command,
        counts.sentence()
    );
    if quiet {
        return page;
    }
    let mut all: Vec<(&Entry, &String)> = report.entries.iter().zip(&labels).collect();
    all.sort_by_key(|(entry, _)| match entry.report.verdict().status {
        Status::Fail => 0,
        Status::Warn => 1,
        Status::Skip => 2,
        Status::Pass => 3,
    });
    let (works, fails): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|(entry, _)| entry.report.verdict().status == Status::Pass);
    if !fails.is_empty() {
        rows(&mut page, &fails);
    }
    if !works.is_empty() {
        let what = match works.len() {
            1 => "1 target passed".to_owned(),
            n => format!("{n} targets passed"),
        };
        let _ = writeln!(page, "<details><summary>{what}</summary>\n");
        rows(&mut page, &works);
        page.push_str("</details>\n\n");
    }
    for status in [Status::Fail, Status::Warn] {
        for cause in groups::of_status(report, status) {
            for group in &cause.groups {
                let finding = group.finding.clone();
                let finding = group.run.enter(|| FindingJson::from(finding));
                let names = groups::names(&labels, &group.targets, NAMED);
                md::finding(&mut page, group.stage, &finding, &names);
            }
        }
    }
    let _ = writeln!(
        page,
        "<sub>dbdoctor {}, {} {}</sub>",
        env!("CARGO_PKG_VERSION"),
        md::prose(&report.environment.os),
        md::prose(&report.environment.arch),
    );
    page
}

fn rows(page: &mut String, all: &[(&Entry, &String)]) {
    page.push_str("| | Target | Cause | Time |\n|---|---|---|---:|\n");
    for (entry, label) in all {
        let status = entry.report.verdict().status;
        let codes: Vec<String> = match status {
            Status::Fail | Status::Warn => {
                entry.causes().iter().map(|code| md::code(code)).collect()
            }
            _ => Vec::new(),
        };
        let time = match entry.has_run {
            true => md::milliseconds(ms(entry.report.took)),
            false => String::new(),
        };
        let _ = writeln!(
            page,
            "| {} | {} | {} | {time} |",
            md::sign(status),
            md::prose(label),
            codes.join(", "),
        );
    }
    page.push('\n');
}
