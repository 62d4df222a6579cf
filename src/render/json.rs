//! The contract's JSON object.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::report::Report;
use crate::text;

/// The report as one JSON object and a line end.
pub fn render(report: &Report) -> Vec<u8> {
    object(&report.to_json())
}

/// Anything of ours as one JSON object and a newline, without invisible
/// characters. Secrets are hidden where a peer's text comes in: here its words
/// could not be told from ours, nor from the keys, codes and dates that a program
/// reads.
pub fn object(value: &impl Serialize) -> Vec<u8> {
    let value = serde_json::to_value(value).map(safe).unwrap_or_default();
    let mut out = serde_json::to_vec_pretty(&value).unwrap_or_default();
    out.push(b'\n');
    out
}

/// A value whose texts are safe to show. The lines of commands are kept.
fn safe(value: Value) -> Value {
    match value {
        Value::String(text) => {
            let lines: Vec<String> = text.split('\n').map(text::visible).collect();
            Value::String(lines.join("\n"))
        }
        Value::Array(items) => items.into_iter().map(safe).collect(),
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(name, value)| (name, safe(value)))
                .collect(),
        ),
        other => other,
    }
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
