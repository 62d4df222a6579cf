//! The findings: the one that decides first, then what else fails, then the warnings. Where
//! another stage fails, and of a cause that was told, a warning is in brief.

use serde_json::Value;

use super::layout::{Ink, Page, mark, plain, width};
use super::options::{Style, Verbosity};
use super::{charts, evidence, settings};
use crate::finding::{Finding, Fix, Status};
use crate::invocation;
use crate::report::{Report, Stage, Verdict};

/// The width of a finding's labels, including trailing spaces.
const LABEL: usize = 15;
/// Below this width, a finding's labels stand on lines of their own.
const LABELS_BESIDE: usize = 60;

/// Every finding. Whether the verdict needs no further word at the end.
pub fn write(page: &mut Page, report: &Report, style: &Style) -> bool {
    let verdict = report.verdict();
    let subject = settings::subject(&report.target).unwrap_or_default();
    let all = ordered(report, &verdict);
    let in_brief = |at: usize, (stage, finding): &(Stage, Finding)| {
        let elsewhere = verdict.status == Status::Fail && verdict.stage != Some(*stage);
        let again = all
            .iter()
            .take(at)
            .any(|(_, one)| one.cause == finding.cause);
        finding.status != Status::Fail
            && (elsewhere || again)
            && style.verbosity < Verbosity::Verbose
    };
    let reasons = all.first().and_then(|(_, own)| own.evidence.get("led_by"));
    let reasons = reasons.and_then(Value::as_array).map(Vec::as_slice);
    let is_told = |one: &Finding| {
        let mut reasons = reasons.unwrap_or_default().iter();
        reasons.any(|reason| reason["cause"] == one.cause.code)
    };
    let mut told: Vec<Fix> = Vec::new();
    let mut in_full = 0;
    for (at, (stage, one)) in all.iter().enumerate() {
        let fixes = one.fixes();
        if !in_brief(at, &all[at]) {
            page.gap();
            let drawn = report.find(*stage).map(charts::drawn).unwrap_or_default();
            finding(page, one, &subject, &drawn, None, style);
            in_full += 1;
        } else if !is_told(one) {
            page.gap();
            heading(page, one, style);
            let mut first = fixes.iter().take(1).filter(|fix| !told.contains(fix));
            if let Some(fix) = first.next() {
                part(page, "What to do", style, |page, indent| {
                    write_fixes(page, std::slice::from_ref(fix), indent);
                });
            }
        }
        told.extend(fixes);
    }
    in_full == 1 || verdict.status == Status::Warn
}

/// The verdict's own finding, then the other failures, then the warnings.
fn ordered(report: &Report, verdict: &Verdict) -> Vec<(Stage, Finding)> {
    let mut all: Vec<(Stage, Finding)> = report
        .stages
        .iter()
        .flat_map(|record| record.all_findings().map(|finding| (record.stage, finding)))
        .collect();
    let own = all.iter().position(|(stage, finding)| {
        Some(*stage) == verdict.stage
            && Some(finding.cause) == verdict.cause
            && finding.status == verdict.status
    });
    if let Some(own) = own {
        all[..=own].rotate_right(1);
        all[1..].sort_by_key(|(_, finding)| std::cmp::Reverse(finding.status));
    }
    all
}

/// The code and the sentence.
fn heading(page: &mut Page, finding: &Finding, style: &Style) {
    let ink = finding.status.into();
    let sign = format!("{} ", mark(finding.status, style).trim_end());
    let code = finding.cause.code;
    let sentence = finding.summary();
    let whole = width(&sign) + width(code) + 2 + width(&plain(&sentence, style));
    if whole <= style.width {
        let code = format!("{code}  ");
        page.line(&[(ink, &sign), (ink, &code), (Ink::Strong, &sentence)]);
    } else {
        page.line(&[(ink, &sign), (ink, code)]);
        let indent = " ".repeat(width(&sign));
        page.paragraph(&[(Ink::Plain, &indent)], Ink::Strong, &sentence);
    }
}

/// Which targets a finding is about.
pub(super) struct About<'a> {
    pub(super) label: &'static str,
    pub(super) names: &'a [String],
}

/// A finding of one target among many, or of several that have the same.
pub(super) fn about(page: &mut Page, one: &Finding, about: Option<&About>, style: &Style) {
    finding(page, one, "", &[], about, style);
}

/// The sentence of a finding whose evidence and fixes are those of another.
pub(super) fn about_briefly(page: &mut Page, one: &Finding, about: Option<&About>, style: &Style) {
    heading(page, one, style);
    if let Some(about) = about {
        targets(page, about, style);
    }
}

/// The names of targets.
pub(super) fn targets(page: &mut Page, about: &About, style: &Style) {
    part(page, about.label, style, |page, indent| {
        page.phrases(indent, ", ", about.names);
    });
}

fn finding(
    page: &mut Page,
    finding: &Finding,
    subject: &str,
    drawn: &[&str],
    about: Option<&About>,
    style: &Style,
) {
    heading(page, finding, style);
    page.gap();
    if let Some(about) = about {
        targets(page, about, style);
    }
    let fixes = finding.fixes();
    match style.verbosity {
        Verbosity::Verbose | Verbosity::Wire => {
            let rows = evidence::everything(&finding.evidence);
            if !rows.is_empty() {
                part(page, "Evidence", style, |page, indent| {
                    evidence::write_rows(page, &rows, indent, Ink::Plain, style);
                });
            }
        }
        _ => {
            let known = format!("{subject} {}", finding.summary());
            let facts = evidence::in_words(finding, &known, drawn, &fixes);
            if !facts.is_empty() {
                part(page, "Evidence", style, |page, indent| {
                    page.phrases(indent, "; ", &facts);
                });
            }
        }
    }
    if !fixes.is_empty() {
        part(page, "What to do", style, |page, indent| {
            write_fixes(page, &fixes, indent);
        });
    }
    part(page, "Details", style, |page, indent| {
        let blanks = " ".repeat(indent);
        let more = format!("{} explain {}", invocation::name(), finding.cause.code);
        page.line(&[(Ink::Plain, &blanks), (Ink::Command, &more)]);
    });
}

/// A labelled part of a page, after a gap.
pub(super) fn section(
    page: &mut Page,
    label: &str,
    style: &Style,
    write: impl Fn(&mut Page, usize),
) {
    page.gap();
    part(page, label, style, write);
}

/// A labelled part of a finding. The label is on the first line if there is room.
fn part(page: &mut Page, label: &str, style: &Style, write: impl Fn(&mut Page, usize)) {
    if style.width < LABELS_BESIDE {
        page.line(&[(Ink::Faint, &format!("  {label}"))]);
        write(page, 4);
        return;
    }
    let mut inner = Page::new(style);
    write(&mut inner, LABEL);
    page.beside(&format!("  {label}"), Ink::Faint, &inner.into_text());
}

/// Numbered fixes, each command on lines of its own that are never wrapped.
pub(super) fn write_fixes(page: &mut Page, fixes: &[Fix], indent: usize) {
    let blanks = " ".repeat(indent);
    for (n, fix) in fixes.iter().enumerate() {
        let number = match fixes.len() {
            1 => String::new(),
            _ => format!("{}. ", n + 1),
        };
        page.paragraph(
            &[(Ink::Plain, &blanks), (Ink::Plain, &number)],
            Ink::Plain,
            &fix.text,
        );
        let deeper = " ".repeat(indent + number.len() + 2);
        for line in fix.command.iter().flat_map(|command| command.lines()) {
            page.line(&[(Ink::Plain, &deeper), (Ink::Command, line)]);
        }
    }
}
