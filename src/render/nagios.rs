//! A monitoring plug-in's output: one line, then `|` and performance data
//! (monitoring-plugins.org/doc/guidelines.html).

use std::fmt::Write;

use super::{settings, told};
use crate::finding::Status;
use crate::report::{ReportJson, Thresholds};
use crate::text;

/// The text is cut here, in characters: some agents carry no more than 1,024 bytes,
/// and the performance data are to be among them.
const LONGEST: usize = 400;

/// What a plug-in may find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// It works.
    Ok = 0,
    /// It works, with something worth a word.
    Warning = 1,
    /// It does not work.
    Critical = 2,
    /// That could not be told.
    Unknown = 3,
}

impl State {
    /// What a report comes to. One that was interrupted says nothing for sure.
    pub fn of(report: &ReportJson) -> Self {
        match report.verdict.status {
            _ if report.run.interrupted => State::Unknown,
            Status::Pass => State::Ok,
            Status::Warn => State::Warning,
            Status::Fail => State::Critical,
            Status::Skip => State::Unknown,
        }
    }

    /// What a plug-in's exit status stands for.
    pub fn of_code(code: i32) -> Self {
        match code {
            0 => State::Ok,
            1 => State::Warning,
            2 => State::Critical,
            _ => State::Unknown,
        }
    }

    fn name(self) -> &'static str {
        match self {
            State::Ok => "OK",
            State::Warning => "WARNING",
            State::Critical => "CRITICAL",
            State::Unknown => "UNKNOWN",
        }
    }
}

/// The report in one line.
pub fn render(report: &ReportJson, thresholds: &Thresholds, now: time::OffsetDateTime) -> String {
    let verdict = &report.verdict;
    let interrupted = match report.run.interrupted {
        true => "interrupted; ",
        false => "",
    };
    let said = match (verdict.cause, settings::subject(&report.target)) {
        (Some(cause), _) => format!("{}: {}", cause.code, verdict.summary),
        (None, Some(subject)) => format!("{} {subject}", verdict.summary),
        (None, None) => verdict.summary.clone(),
    };
    let mut line = line(State::of(report), &format!("{interrupted}{said}"));
    let data = performance(report, thresholds, now);
    if !data.is_empty() {
        let _ = write!(line, " | {}", data.join(" "));
    }
    line.push('\n');
    line
}

/// A line about what kept the check from being made.
pub fn unknown(why: &str) -> String {
    line(State::Unknown, why) + "\n"
}

/// A state and a text: whatever it holds, it neither ends the line nor begins the
/// performance data.
pub(super) fn line(state: State, said: &str) -> String {
    let said = text::visible(said).replace('|', "/");
    let cut = said.chars().count() > LONGEST;
    let said: String = said.chars().take(LONGEST).collect();
    let ellipsis = if cut { "…" } else { "" };
    format!("DBDOCTOR {} - {said}{ellipsis}", state.name())
}

/// The times of the stages in seconds, and the days that the certificate is still
/// valid for.
fn performance(
    report: &ReportJson,
    thresholds: &Thresholds,
    now: time::OffsetDateTime,
) -> Vec<String> {
    let mut data = Vec::new();
    for stage in &report.stages {
        if let Some(ms) = stage.duration_ms {
            data.push(format!("{}={:.3}s;;;", stage.stage, ms / 1e3));
        }
    }
    if let Some(ms) = told::connecting(report) {
        let limit = thresholds.warn_latency.map(|limit| limit.as_secs_f64());
        let limit = limit.map(|limit| format!("{limit}")).unwrap_or_default();
        data.push(format!("total={:.3}s;{limit};;", ms / 1e3));
    }
    if let Some(end) = told::certificate_end(report) {
        let days = (end - now.unix_timestamp()).div_euclid(86_400);
        let fail = thresholds.fail_cert_days.map(|days| days.to_string());
        let warn = match thresholds.warn_cert_days {
            0 => String::new(),
            days => days.to_string(),
        };
        let fail = fail.unwrap_or_default();
        data.push(format!("cert_days={days};{warn};{fail}"));
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_on_its_side_of_the_line() {
        let said = unknown("a | b=1\nDBDOCTOR OK");
        assert_eq!(said, "DBDOCTOR UNKNOWN - a / b=1 DBDOCTOR OK\n");
        let long = unknown(&"x".repeat(5_000));
        assert!(long.chars().count() < 450, "{}", long.len());
    }
}
