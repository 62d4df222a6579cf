//! The rows of the stages: what is so or what is wrong, the time it took, and a bar of
//! that time.

use std::time::Duration;

use super::layout::{Ink, Page, first_line, mark, pad, pad_left, plain, width, wrap};
use super::options::{Style, Verbosity};
use super::{charts, client, evidence};
use crate::finding::Status;
use crate::report::{Report, Skipped, Stage, StageRecord};

/// The width of the longest stage name.
const NAME: usize = 8;

/// A row for each stage that has something to say, and one for those that have no result.
pub fn write(page: &mut Page, report: &Report, style: &Style) {
    let everything = style.verbosity >= Verbosity::Verbose;
    let columns = Columns::of(&report.stages, style);
    let shown = |record: &&StageRecord| everything || is_shown(report, record);
    for record in report.stages.iter().filter(shown) {
        let status = match record.stage {
            Stage::Client => client::status(report, record),
            _ => record.status,
        };
        row(page, record, status, &columns, usize::MAX, style);
        if everything {
            let rows = evidence::everything(&record.facts);
            evidence::write_rows(page, &rows, columns.before_text(), Ink::Faint, style);
        }
        charts::write_ends(page, record, columns.before_text(), style);
    }
    if everything {
        total(page, report, &columns);
    } else {
        without_result(page, report, style);
    }
    if report.interrupted {
        page.gap();
        page.paragraph(&[], Ink::Warn, "Interrupted. Partial results:");
    }
}

/// Whether a stage has a row: one that does not apply, and one that observed nothing, have
/// nothing to say, unless the command is about it.
fn is_shown(report: &Report, record: &StageRecord) -> bool {
    let is_asked_for = record.stage.name() == report.command || report.stages.len() == 1;
    if !record.has_run() {
        return is_asked_for && record.skipped == Skipped::Inapplicable;
    }
    let observed_nothing = record.status == Status::Pass
        && record.stage != Stage::Config
        && record.facts.is_empty()
        && record.all_findings().next().is_none();
    is_asked_for || !observed_nothing
}

/// `· auth, server  not run`
fn without_result(page: &mut Page, report: &Report, style: &Style) {
    for (kind, words) in [
        (Skipped::NotCompleted, "not completed"),
        (Skipped::NotRun, "not run"),
    ] {
        let of_kind = |record: &&StageRecord| {
            let is_of_ssh = matches!(record.stage, Stage::Key | Stage::Ssh | Stage::Tunnel);
            !record.has_run()
                && record.skipped == kind
                && !(is_of_ssh && report.target.ssh.is_empty())
        };
        let names: Vec<&str> = (report.stages.iter().filter(of_kind))
            .map(|record| record.stage.name())
            .collect();
        if !names.is_empty() {
            let sign = format!("  {} ", mark(Status::Skip, style));
            let text = format!("{}  {words}", names.join(", "));
            match width(&sign) + width(&text) <= style.width {
                true => page.line(&[(Ink::Faint, &sign), (Ink::Faint, &text)]),
                false => page.paragraph(&[(Ink::Faint, &sign)], Ink::Faint, &text),
            }
        }
    }
}

fn total(page: &mut Page, report: &Report, columns: &Columns) {
    let ran = report.stages.iter().filter(|r| r.has_run()).count();
    if ran > 1 && !report.took.is_zero() {
        let blanks = " ".repeat(columns.before_text());
        let total = format!(
            "{}{}",
            pad("total", columns.text + 2),
            pad_left(&time(report.took), columns.time)
        );
        page.line(&[(Ink::Plain, &blanks), (Ink::Faint, &total)]);
    }
}

/// The longer tests take the time they are told to.
fn has_bar(record: &StageRecord) -> bool {
    !matches!(record.stage, Stage::Idle | Stage::Stress)
}

/// The columns of the rows.
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
        let longest = ran()
            .filter(|record| has_bar(record))
            .map(StageRecord::duration)
            .max();
        let times = ran().map(|record| width(&time(record.duration())));
        let time = times.max().unwrap_or(0).max(7);
        let bar = match style.width {
            _ if ran().count() < 2 => 0,
            100.. => 12,
            70.. => 4,
            _ => 0,
        };
        let mark = if style.utf8 { 1 } else { 2 };
        let beside = 2 + mark + 1 + NAME + 2 + 2 + time + if bar > 0 { 1 + bar } else { 0 };
        Self {
            mark,
            text: style.width.saturating_sub(beside).max(10),
            time,
            bar,
            longest: longest.unwrap_or_default(),
            width: style.width,
        }
    }

    fn before_text(&self) -> usize {
        2 + self.mark + 1 + NAME + 2
    }

    fn bar(&self, record: &StageRecord, style: &Style) -> String {
        if self.bar == 0 || self.longest.is_zero() || !has_bar(record) {
            return String::new();
        }
        let share = record.duration().as_secs_f64() / self.longest.as_secs_f64();
        if style.utf8 {
            // Eighths of a column.
            let eighths = (share * self.bar as f64 * 8.0).round() as usize;
            let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
            "█".repeat(eighths / 8) + part[eighths % 8]
        } else {
            "#".repeat((share * self.bar as f64).round() as usize)
        }
    }
}

/// The row of a stage, on at most `lines` lines.
pub(super) fn row(
    page: &mut Page,
    record: &StageRecord,
    status: Status,
    columns: &Columns,
    lines: usize,
    style: &Style,
) {
    let ran = record.has_run();
    let text = plain(&headline(record), style).into_owned();
    let room = if ran {
        columns.text
    } else {
        columns.width.saturating_sub(columns.before_text())
    };
    let name = pad(record.stage.name(), NAME);
    let ink = match status {
        Status::Skip if !ran => Ink::Faint,
        Status::Fail => Ink::Strong,
        _ => Ink::Plain,
    };
    let took = pad_left(&time(record.duration()), columns.time);
    let bar = columns.bar(record, style);
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
        // Of many attempts, how many pass says more than what ended most of the others.
        (Some(finding), _) if finding.status == Status::Fail && record.stage != Stage::Stress => {
            finding.cause.title.to_owned()
        }
        (Some(finding), "") => finding.cause.title.to_owned(),
        (_, summary) => shortened(&crate::text::clean_ours(summary)),
    }
}

/// A line with its key fingerprints cut to what tells them apart at a glance.
pub(super) fn shortened(text: &str) -> String {
    const SHOWN: usize = 15;
    let words = text.split(' ').map(|word| {
        let (print, comma) = match word.strip_suffix(',') {
            Some(print) => (print, ","),
            None => (word, ""),
        };
        match print.char_indices().nth(SHOWN) {
            Some((at, _)) if print.starts_with("SHA256:") => format!("{}…{comma}", &print[..at]),
            _ => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Milliseconds of the report, as [`time()`] shows them.
pub fn time_of_ms(ms: f64) -> String {
    time(Duration::from_secs_f64((ms / 1e3).max(0.0)))
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
