//! The contract's JSON object.

use schemars::JsonSchema;
use serde::Serialize;

use crate::report::Report;

/// The report as one JSON object and a line end.
pub fn render(report: &Report) -> Vec<u8> {
    object(&report.to_json())
}

/// Anything of ours as one JSON object and a line end.
pub fn object(value: &impl Serialize) -> Vec<u8> {
    let mut out = serde_json::to_vec_pretty(value).unwrap_or_default();
    out.push(b'\n');
    out
}

/// The JSON Schema of the report.
pub fn schema() -> serde_json::Value {
    schema_of::<crate::report::ReportJson>()
}

/// The JSON Schema of an object. It describes what is written, so keys that
/// may be null are required too.
pub fn schema_of<T: JsonSchema>() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}
