//! The table: a line per stage, every finding in full, the verdict last. A pure
//! function of the report and the style.

use std::time::Duration;

use super::layout::{Ink, Page, first_line, pad, pad_left, plain, width, wrap};
use super::options::{Style, Verbosity};
use super::{client, evidence, settings, timeline};
use crate::finding::{Finding, Fix, Status};
use crate::invocation;
use crate::report::{Report, Stage, StageRecord};

/// The width of the longest stage name.
const NAME: usize = 8;
/// The width of a finding's labels, including trailing spaces.
const LABEL: usize = 15;
/// Below this width, a finding's labels stand on lines of their own.
const LABELS_BESIDE: usize = 60;

/// The report as a table.
pub fn render(report: &Report, style: &Style) -> String {
    let mut page = Page::new(style);
    if style.verbosity > Verbosity::Quiet {
        header(&mut page, report, style);
        page.gap();
        stages(&mut page, report, style);
        if report.command == "config" || style.verbosity >= Verbosity::Verbose {
            settings::write(&mut page, &report.target, style);
        }
        let everything = style.verbosity >= Verbosity::Verbose;
        let wanted = report.command == "config" || everything;
        client::write(&mut page, report, wanted, style);
        if style.verbosity >= Verbosity::Wire {
            timeline::write(&mut page, report, style);
        }
        let told = findings(&mut page, report, style);
        closing(&mut page, report, told, style);
    } else {
        verdict(&mut page, report, style);
    }
    page.into_text()
}

/// What is checked, from where.
fn header(page: &mut Page, report: &Report, style: &Style) {
    if let Some(subject) = settings::subject(&report.target) {
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

/// The sign of a status.
pub fn mark(status: Status, style: &Style) -> &'static str {
    match (status, style.utf8) {
        (Status::Pass, true) => "✓",
        (Status::Warn, true) => "!",
        (Status::Fail, true) => "✗",
        (Status::Skip, true) => "·",
        (Status::Pass, false) => "ok",
        (Status::Warn, false) => "! ",
        (Status::Fail, false) => "X ",
        (Status::Skip, false) => "- ",
    }
}

fn stages(page: &mut Page, report: &Report, style: &Style) {
    let columns = Columns::of(&report.stages, style);
    for record in &report.stages {
        stage(page, record, &columns, usize::MAX, style);
        if style.verbosity >= Verbosity::Verbose {
            let indent = columns.before_text();
            facts(page, record, indent, style);
        }
    }
    let ran = report.stages.iter().filter(|r| r.has_run()).count();
    if ran > 1 && !report.took.is_zero() {
        let blanks = " ".repeat(columns.before_text());
        let room = columns.text + 2;
        let total = format!(
            "{}{}",
            pad("total", room),
            pad_left(&time(report.took), columns.time)
        );
        page.line(&[(Ink::Plain, &blanks), (Ink::Faint, &total)]);
    }
    if report.interrupted {
        page.gap();
        page.paragraph(&[], Ink::Warn, "Interrupted. Partial results:");
    }
}

/// The columns of the stage lines.
pub(super) struct Columns {
    mark: usize,
    text: usize,
    time: usize,
    bar: usize,
    longest: Duration,
    width: usize,
}

impl Columns {
    /// Columns for these records, the bars scaled to the longest of them.
    pub(super) fn of(records: &[StageRecord], style: &Style) -> Self {
        let ran = || records.iter().filter(|record| record.has_run());
        let longest = ran().map(StageRecord::duration).max().unwrap_or_default();
        let times = ran().map(|record| width(&time(record.duration())));
        let time = times.max().unwrap_or(0).max(7);
        let bar = match style.width {
            _ if ran().count() < 2 => 0,
            70.. => 8,
            44.. => 3,
            _ => 0,
        };
        let mark = if style.utf8 { 1 } else { 2 };
        let beside = 2 + mark + 1 + NAME + 2 + 2 + time + if bar > 0 { 1 + bar } else { 0 };
        Self {
            mark,
            text: style.width.saturating_sub(beside).max(10),
            time,
            bar,
            longest,
            width: style.width,
        }
    }

    fn before_text(&self) -> usize {
        2 + self.mark + 1 + NAME + 2
    }

    fn bar(&self, took: Duration, style: &Style) -> String {
        if self.bar == 0 || self.longest.is_zero() {
            return String::new();
        }
        let share = took.as_secs_f64() / self.longest.as_secs_f64();
        if style.utf8 {
            // Eighths of a column.
            let eighths = (share * self.bar as f64 * 8.0).round().max(1.0) as usize;
            let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
            "█".repeat(eighths / 8) + part[eighths % 8]
        } else {
            "#".repeat((share * self.bar as f64).round() as usize)
        }
    }
}

/// The line of a stage, on at most `lines` lines.
pub(super) fn stage(
    page: &mut Page,
    record: &StageRecord,
    columns: &Columns,
    lines: usize,
    style: &Style,
) {
    let status = record.status;
    let ran = record.has_run();
    let text = plain(&headline(record), style).into_owned();
    let room = if ran {
        columns.text
    } else {
        columns.width.saturating_sub(columns.before_text())
    };
    let name = pad(record.stage.name(), NAME);
    let ink = match status {
        Status::Skip => Ink::Faint,
        Status::Fail => Ink::Strong,
        _ => Ink::Plain,
    };
    let took = pad_left(&time(record.duration()), columns.time);
    let bar = columns.bar(record.duration(), style);
    let text = match lines {
        1 => vec![first_line(&text, room)],
        _ => wrap(&text, room),
    };
    for (n, line) in text.into_iter().take(lines).enumerate() {
        if n > 0 {
            let blanks = " ".repeat(columns.before_text());
            page.line(&[(Ink::Plain, &blanks), (ink, &line)]);
            continue;
        }
        let sign = format!("  {} ", mark(status, style));
        let name = format!("{name}  ");
        let line = if ran { pad(&line, room) } else { line };
        let mut pieces = vec![
            (status.into(), sign.as_str()),
            (ink, name.as_str()),
            (ink, line.as_str()),
        ];
        let right = format!("  {took}");
        let bar = format!(" {bar}");
        if ran {
            pieces.push((Ink::Faint, &right));
            pieces.push((
                if status == Status::Fail {
                    Ink::Fail
                } else {
                    Ink::Faint
                },
                &bar,
            ));
        }
        page.line(&pieces);
    }
}

/// A stage in one line: what is so, or what is wrong.
fn headline(record: &StageRecord) -> String {
    if let Some(reason) = &record.reason {
        return reason.clone();
    }
    let worst = record
        .all_findings()
        .find(|finding| finding.status == record.status);
    match (worst, record.summary.as_str()) {
        (Some(finding), _) if finding.status == Status::Fail => finding.cause.title.to_owned(),
        (Some(finding), "") => finding.cause.title.to_owned(),
        (_, summary) => shortened(&crate::text::clean_ours(summary)),
    }
}

/// A line with its key fingerprints cut to what tells them apart at a glance.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 15;
    let words = text.split(' ').map(|word| match word.get(..SHOWN) {
        Some(start) if word.starts_with("SHA256:") => {
            let ends = word.ends_with(',');
            format!("{start}…{}", if ends { "," } else { "" })
        }
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn facts(page: &mut Page, record: &StageRecord, indent: usize, style: &Style) {
    let rows = evidence::everything(&record.facts);
    write_rows(page, &rows, indent, Ink::Faint, style);
}

/// Named values in two columns.
fn write_rows(
    page: &mut Page,
    rows: &[evidence::EvidenceRow],
    indent: usize,
    ink: Ink,
    style: &Style,
) {
    let longest = rows
        .iter()
        .map(|row| width(&plain(&row.name, style)))
        .max()
        .unwrap_or(0);
    let names = longest.min(style.width.saturating_sub(indent) / 3);
    for row in rows {
        let name = plain(&row.name, style);
        let blanks = " ".repeat(indent);
        let label = format!("{}  ", pad(&name, names));
        page.paragraph(
            &[(Ink::Plain, &blanks), (Ink::Faint, &label)],
            ink,
            &row.value,
        );
    }
}

/// Every finding in full. Whether the verdict's own is among them: then it is
/// the last.
fn findings(page: &mut Page, report: &Report, style: &Style) -> bool {
    let verdict = report.verdict();
    let subject = settings::subject(&report.target).unwrap_or_default();
    let mut all: Vec<(Stage, Finding)> = report
        .stages
        .iter()
        .flat_map(|record| record.all_findings().map(|finding| (record.stage, finding)))
        .collect();
    // What counts stands where the reader looks first: at the end. Other
    // failures come after it, so that none of them leads the verdict's.
    let at = all.iter().position(|(stage, finding)| {
        Some(*stage) == verdict.stage
            && Some(finding.cause) == verdict.cause
            && finding.status == verdict.status
    });
    if let Some(at) = at {
        let own = all.remove(at);
        let (failures, warnings): (Vec<_>, Vec<_>) =
            (all.into_iter()).partition(|(_, finding)| finding.status == Status::Fail);
        all = warnings;
        all.push(own);
        all.extend(failures);
    }
    for (_, one) in &all {
        page.gap();
        finding(page, one, &subject, style);
    }
    let last = all.last();
    last.is_some_and(|(stage, finding)| {
        Some(*stage) == verdict.stage && Some(finding.cause) == verdict.cause
    })
}

fn finding(page: &mut Page, finding: &Finding, subject: &str, style: &Style) {
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

    let fixes = finding.fixes();
    let rows = match style.verbosity {
        Verbosity::Verbose | Verbosity::Wire => evidence::everything(&finding.evidence),
        _ => {
            let told: Vec<&str> = fixes
                .iter()
                .flat_map(|fix| [Some(fix.text.as_str()), fix.command.as_deref()])
                .flatten()
                .collect();
            let seen = format!("{subject} {sentence}");
            evidence::new(&finding.evidence, &seen, &told.join("\n"))
        }
    };
    if !rows.is_empty() {
        section(page, "Evidence", style, |page, indent| {
            write_rows(page, &rows, indent, Ink::Plain, style);
        });
    }
    if !fixes.is_empty() {
        section(page, "What to do", style, |page, indent| {
            write_fixes(page, &fixes, indent);
        });
    }
    section(page, "Details", style, |page, indent| {
        let blanks = " ".repeat(indent);
        let more = format!("{} explain {}", invocation::name(), finding.cause.code);
        page.line(&[(Ink::Plain, &blanks), (Ink::Command, &more)]);
    });
}

/// A labelled part of a finding. The label is on the first line if there is room.
pub(super) fn section(
    page: &mut Page,
    label: &str,
    style: &Style,
    write: impl Fn(&mut Page, usize),
) {
    page.gap();
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
    let ink = match status {
        Status::Skip => Ink::Plain,
        status => status.into(),
    };
    page.paragraph(&[(status.into(), &sign)], ink, text);
}

/// A duration as people read it: three digits at most, and a unit.
pub fn time(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1e3;
    match ms {
        ms if ms < 99.95 => format!("{ms:.1} ms"),
        ms if ms < 999.5 => format!("{ms:.0} ms"),
        ms if ms < 59_950.0 => format!("{:.1} s", ms / 1e3),
        ms => {
            let seconds = (ms / 1e3).round() as u64;
            format!("{}m {:02}s", seconds / 60, seconds % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        let show = |ms: f64| time(Duration::from_secs_f64(ms / 1e3));
        assert_eq!(show(0.04), "0.0 ms");
        assert_eq!(show(99.94), "99.9 ms");
        assert_eq!(show(99.96), "100 ms");
        assert_eq!(show(999.4), "999 ms");
        assert_eq!(show(999.6), "1.0 s");
        assert_eq!(show(59_940.0), "59.9 s");
        assert_eq!(show(61_000.0), "1m 01s");
    }
}
