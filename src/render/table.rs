//! The table for people.

use crate::report::Report;

/// The report as a table.
pub fn render(report: &Report) -> Vec<u8> {
    let _ = report;
    todo!()
}
