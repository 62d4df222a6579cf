//! The table: how many failed, a row for each target with those that failed first, then what
//! failed and what to do, once for all targets that have the same.

use super::groups::{self, Group};
use super::{Entry, TargetsReport};
use crate::finding::{Finding, Status};
use crate::render::findings::{self, About};
use crate::render::layout::{Ink, Page, mark, pad, pad_left, plain, width};
use crate::render::options::{Style, Verbosity};
use crate::render::{stages, table};
use crate::report::Stage;

/// So many are told in full of one cause, where what to do differs.
const IN_FULL: usize = 3;
/// So many more are told in a sentence each.
const IN_BRIEF: usize = 5;
/// So many targets are named of one finding.
const NAMED: usize = 20;
/// A page of more lines ends with what it began with.
const SCREEN: usize = 24;

/// The reports as a table.
pub fn render(report: &TargetsReport, style: &Style) -> String {
    let mut page = Page::new(style);
    verdict(&mut page, report, style);
    if style.verbosity == Verbosity::Quiet {
        return page.into_text();
    }
    let labels = report.labels();
    page.gap();
    rows(&mut page, report, &labels, style);
    match style.verbosity >= Verbosity::Verbose {
        true => everything(&mut page, report, &labels, style),
        false => {
            details(&mut page, report, Status::Fail, &labels, style);
            details(&mut page, report, Status::Warn, &labels, style);
        }
    }
    let mut text = page.into_text();
    if text.lines().count() > SCREEN {
        let mut end = Page::new(style);
        verdict(&mut end, report, style);
        text.push('\n');
        text.push_str(&end.into_text());
    }
    text
}

/// How many came to what, and why.
fn verdict(page: &mut Page, report: &TargetsReport, style: &Style) {
    let counts = report.counts();
    let status = match (counts.failed, counts.warned, counts.not_run) {
        (1.., _, _) => Status::Fail,
        (_, 1.., _) => Status::Warn,
        (_, _, 1..) => Status::Skip,
        _ => Status::Pass,
    };
    let interrupted = match report.interrupted {
        true => "Interrupted. ",
        false => "",
    };
    let took = stages::time(report.took);
    let sentence = format!("{interrupted}{} in {}", counts.sentence(), took.trim());
    let causes = groups::frequent(report, status);
    let text = match causes.is_empty() || style.verbosity > Verbosity::Quiet {
        true => format!("{sentence}."),
        false => format!("{sentence}: {}.", groups::in_words(&causes, 5)),
    };
    let sign = format!("{} ", mark(status, style).trim_end());
    page.paragraph(&[(status.into(), &sign)], Ink::Strong, &text);
}

/// A row for each target: those that failed, then those with warnings, then those that were
/// not checked, then those that work; otherwise in the order of the file.
fn rows(page: &mut Page, report: &TargetsReport, labels: &[String], style: &Style) {
    let rank = |entry: &Entry| match entry.report.verdict().status {
        Status::Fail => 0,
        Status::Warn => 1,
        Status::Skip => 2,
        Status::Pass => 3,
    };
    let mut all: Vec<(&Entry, &String)> = report.entries.iter().zip(labels).collect();
    all.sort_by_key(|(entry, _)| rank(entry));
    let widest = labels.iter().map(|label| width(&plain(label, style))).max();
    let column = widest.unwrap_or(0).min(style.width / 2);
    for (entry, label) in all {
        let verdict = entry.report.verdict();
        let status = verdict.status;
        let sign = format!("  {} ", mark(status, style));
        let said = match status {
            Status::Fail | Status::Warn => entry.causes().join(", "),
            Status::Skip => "not checked".to_owned(),
            Status::Pass => entry.run.enter(|| working(entry)),
        };
        let time = match entry.has_run {
            true => stages::time(entry.report.took),
            false => String::new(),
        };
        let label = plain(label, style);
        let ink = if status == Status::Pass {
            Ink::Plain
        } else {
            Ink::Strong
        };
        let blanks = " ".repeat(width(&sign));
        if width(&label) > column {
            page.line(&[(status.into(), &sign), (ink, &label)]);
        }
        let (sign, label) = match width(&label) > column {
            true => (blanks, String::new()),
            false => (sign, label.into_owned()),
        };
        let before = width(&sign) + column + 2;
        let room = style.width.saturating_sub(before + TIME + 1).max(10);
        let said = plain(&said, style);
        let lines = super::super::layout::wrap(&said, room);
        for (n, line) in lines.iter().enumerate() {
            let (first, last) = (n == 0, n + 1 == lines.len());
            let lead = if first {
                sign.as_str()
            } else {
                &" ".repeat(width(&sign))
            };
            let name = if first { label.as_str() } else { "" };
            let time = if last { time.trim() } else { "" };
            page.line(&[
                (status.into(), lead),
                (ink, &format!("{}  ", pad(name, column))),
                (status_ink(status), &pad(line, room)),
                (Ink::Faint, &pad_left(time, TIME + 1)),
            ]);
        }
    }
}

/// The columns of a time.
const TIME: usize = 8;

fn status_ink(status: Status) -> Ink {
    match status {
        Status::Fail | Status::Warn => status.into(),
        _ => Ink::Plain,
    }
}

/// A target that works, in a few words.
fn working(entry: &Entry) -> String {
    let server = entry.report.find(Stage::Server);
    let summary = server
        .map(|record| record.summary.as_str())
        .unwrap_or_default();
    // `PostgreSQL 15.18 (Debian …), primary, 1 of 97 slots taken`
    let (server, rest) = summary.split_once(", ").unwrap_or((summary, ""));
    let server = server.split(" (").next().unwrap_or_default();
    let role = rest.split(", ").next().unwrap_or_default();
    match (server, role) {
        ("", _) => "passed".to_owned(),
        (server, "") => crate::text::clean_ours(server),
        (server, role) => crate::text::clean_ours(&format!("{server}, {role}")),
    }
}

/// The findings of the targets that failed, or of those with warnings.
fn details(
    page: &mut Page,
    report: &TargetsReport,
    status: Status,
    labels: &[String],
    style: &Style,
) {
    for cause in groups::of_status(report, status) {
        let mut advised: Vec<String> = Vec::new();
        let (mut brief, mut rest): (Vec<&Group>, Vec<&Group>) = Default::default();
        for group in &cause.groups {
            if advised.contains(&group.advice) || advised.len() == IN_FULL {
                match brief.len() < IN_BRIEF {
                    true => brief.push(group),
                    false => rest.push(group),
                }
                continue;
            }
            advised.push(group.advice.clone());
            page.gap();
            block(page, group, labels, style, findings::about);
        }
        for group in brief {
            page.gap();
            block(page, group, labels, style, findings::about_briefly);
        }
        if !rest.is_empty() {
            page.gap();
            more(page, &rest, labels, style);
        }
    }
}

fn block(
    page: &mut Page,
    group: &Group,
    labels: &[String],
    style: &Style,
    write: fn(&mut Page, &Finding, Option<&About>, &Style),
) {
    let names = groups::names(labels, &group.targets, NAMED);
    let about = About {
        label: match group.targets.len() {
            1 => "Target",
            _ => "Targets",
        },
        names: &names,
    };
    group
        .run
        .enter(|| write(page, &group.finding, Some(&about), style));
}

/// The targets with a cause that are not told of one by one.
fn more(page: &mut Page, rest: &[&Group], labels: &[String], style: &Style) {
    let Some(first) = rest.first() else {
        return;
    };
    let targets: Vec<usize> = rest
        .iter()
        .flat_map(|group| group.targets.clone())
        .collect();
    let what = match targets.len() {
        1 => "1 more target; -v shows its evidence".to_owned(),
        n => format!("{n} more targets; -v shows the evidence of each"),
    };
    let status = first.finding.status;
    let sign = format!("{} ", mark(status, style).trim_end());
    let code = format!("{}  ", first.finding.cause.code);
    page.paragraph(
        &[(status.into(), &sign), (status.into(), &code)],
        Ink::Strong,
        &what,
    );
    let names = groups::names(labels, &targets, NAMED);
    findings::targets(
        page,
        &About {
            label: "Targets",
            names: &names,
        },
        style,
    );
}

/// The whole table of each target, in the order of the rows.
fn everything(page: &mut Page, report: &TargetsReport, labels: &[String], style: &Style) {
    for (entry, label) in report.entries.iter().zip(labels) {
        if !entry.has_run {
            continue;
        }
        page.gap();
        let rule = if style.utf8 { "─" } else { "-" };
        let label = plain(label, style);
        let rest = style.width.saturating_sub(width(&label) + 4);
        let (before, after) = (format!("{rule}{rule} "), format!(" {}", rule.repeat(rest)));
        page.line(&[
            (Ink::Faint, &before),
            (Ink::Strong, &label),
            (Ink::Faint, &after),
        ]);
        page.gap();
        let text = entry.run.enter(|| table::render(&entry.report, style));
        page.text(&text);
    }
}
