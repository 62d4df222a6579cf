//! The contract's JSON object.

use crate::report::Report;

/// The report as one JSON object and a line end.
pub fn render(report: &Report) -> Vec<u8> {
    let mut out = serde_json::to_vec_pretty(&report.to_json()).unwrap_or_default();
    out.push(b'\n');
    out
}

/// The JSON Schema of the object. It describes what is written, so keys that
/// may be null are required too.
pub fn schema() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<crate::report::ReportJson>()
        .to_value()
}
