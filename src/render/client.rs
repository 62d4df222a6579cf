//! The settings as an application's driver sees them, and every driver on the same
//! settings: rows of the facts of stage `client`.

use serde_json::{Map, Value};

use super::layout::{Ink, Page, mark, pad, plain, width};
use super::options::Style;
use crate::finding::Status;
use crate::report::{Report, Stage, StageRecord};
use crate::text::escaped;

/// The sign of the stage's row: it shows no pass where a driver does not connect, and the
/// failing stage has the cross.
pub fn status(report: &Report, record: &StageRecord) -> Status {
    let drivers = record.facts.get("drivers").and_then(Value::as_array);
    let fails = match drivers {
        Some(drivers) => drivers.iter().any(|row| text(row, "status") == "fail"),
        None => record.facts.contains_key("psql") && report.verdict().status == Status::Fail,
    };
    match (record.status, fails) {
        (Status::Pass, true) => Status::Skip,
        (status, _) => status,
    }
}

/// The rows, where there are any. `settings` asks for the fate of each parameter too.
pub fn write(page: &mut Page, report: &Report, settings: bool, style: &Style) {
    let Some(record) = report.stages.iter().find(|it| it.stage == Stage::Client) else {
        return;
    };
    if let Some(Value::Array(drivers)) = record.facts.get("drivers") {
        page.gap();
        drivers_of(page, drivers, style);
    }
    if settings {
        fates(page, &record.facts, style);
    }
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

/// One row a driver: whether it connects, and why not.
fn drivers_of(page: &mut Page, drivers: &[Value], style: &Style) {
    let named: Vec<(String, &Value)> = drivers
        .iter()
        .map(|row| {
            (
                format!("{} {}", text(row, "driver"), text(row, "version")),
                row,
            )
        })
        .collect();
    let longest = named.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let longest = longest.min(style.width / 2);
    for (name, row) in &named {
        let fails = text(row, "status") == "fail";
        let status = if fails { Status::Fail } else { Status::Pass };
        let sign = format!("  {} ", mark(status, style));
        let label = format!("{}  ", pad(&plain(name, style), longest));
        let said = match (fails, text(row, "error")) {
            (false, _) => "connects".to_owned(),
            (true, "") => text(row, "cause").to_owned(),
            (true, error) => format!("{}: {}", text(row, "cause"), escaped(error)),
        };
        let said = match text(row, "fix") {
            "" => said,
            fix if fails => format!("{}. {}", said.trim_end_matches('.'), escaped(fix)),
            _ => said,
        };
        page.paragraph(
            &[(status.into(), &sign), (Ink::Plain, &label)],
            Ink::Plain,
            &said,
        );
    }
}

/// What becomes of each parameter, and the sources that are not read.
fn fates(page: &mut Page, facts: &Map<String, Value>, style: &Style) {
    let list = |name: &str| facts.get(name).and_then(Value::as_array).cloned();
    let (Some(parameters), Some(sources)) = (list("parameters"), list("sources")) else {
        return;
    };
    page.gap();
    let longest = parameters.iter().map(|row| width(text(row, "name"))).max();
    let longest = longest.unwrap_or(0).max(8).min(style.width / 2);
    for row in &parameters {
        let name = plain(&escaped(text(row, "name")), style).into_owned();
        let label = format!("{}  ", pad(&name, longest));
        let said = match text(row, "note") {
            "" => text(row, "fate").to_owned(),
            note => format!("{} ({note})", text(row, "fate")),
        };
        page.paragraph(
            &[(Ink::Plain, "  "), (Ink::Strong, &label)],
            Ink::Plain,
            &said,
        );
    }
    let unread: Vec<&str> = sources
        .iter()
        .filter(|row| row["read"] == false)
        .map(|row| text(row, "name"))
        .collect();
    if !unread.is_empty() {
        let label = format!("{}  ", pad("not read", longest));
        page.paragraph(
            &[(Ink::Plain, "  "), (Ink::Strong, &label)],
            Ink::Plain,
            &unread.join(", "),
        );
    }
}
