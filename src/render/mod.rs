//! Reports as bytes: one file per form, and what they share.

mod charts;
mod client;
pub mod diff;
pub mod evidence;
pub mod explain;
mod findings;
mod github;
pub mod idle_progress;
pub mod json;
mod junit;
pub mod layout;
mod markdown;
pub mod nagios;
pub mod options;
pub mod progress;
mod prometheus;
pub mod settings;
pub mod stages;
pub mod table;
pub mod targets;
mod timeline;
pub mod told;
pub mod workflow;

use crate::cli::{Format, OutputArgs};
use crate::report::Report;
use options::Style;

/// The report in the form that is asked for.
pub fn report(report: &Report, output: &OutputArgs, style: &Style) -> Vec<u8> {
    let judged = || told::judged(report.to_json(), output.fail_on);
    let text = match output.format() {
        Format::Json => return json::render(report),
        // Its lines are commands on purpose.
        Format::Github => return github::render(&judged()).into_bytes(),
        Format::Table => table::render(report, style),
        Format::Markdown => markdown(report, output.quiet),
        Format::Junit => junit::render(&judged()),
        Format::Nagios => {
            let now = time::OffsetDateTime::now_utc();
            nagios::render(&judged(), &report.thresholds, now)
        }
        Format::Prometheus => prometheus::render(&judged(), report.started_at),
    };
    workflow::inert(&text).into_owned().into_bytes()
}

/// The report as Markdown, for a file that has it beside what is shown.
pub fn markdown(report: &Report, quiet: bool) -> String {
    markdown::render(&report.to_json(), quiet)
}
