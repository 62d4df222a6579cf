//! The contract's JSON object.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::report::Report;
use crate::{text, visible};

/// The report as one JSON object and a line end. The settings are the user's
/// own and nobody else's words: they are the strings that libpq holds.
pub fn render(report: &Report) -> Vec<u8> {
    let mut value = serde_json::to_value(report.to_json())
        .map(safe)
        .unwrap_or_default();
    let settings = serde_json::to_value(&report.target.parameters);
    if let (Some(shown), Ok(settings)) = (value.pointer_mut("/target/parameters"), settings) {
        *shown = settings;
    }
    written(&value)
}

/// Anything of ours as one JSON object and a newline, without invisible
/// characters. Secrets are hidden where a peer's text comes in: here its words
/// could not be told from ours, nor from the keys, codes and dates that a program
/// reads.
pub fn object(value: &impl Serialize) -> Vec<u8> {
    written(&serde_json::to_value(value).map(safe).unwrap_or_default())
}

/// A value as its bytes, what cannot be seen in them escaped: outside of texts
/// there is nothing of that kind but line ends.
fn written(value: &Value) -> Vec<u8> {
    let mut out = String::new();
    for c in serde_json::to_string_pretty(value)
        .unwrap_or_default()
        .chars()
    {
        match c == '\n' || !visible::is_invisible(c) {
            true => out.push(c),
            false => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('\n');
    out.into_bytes()
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
/// may be null are required too. Not so a key that older versions lack, whose
/// reports the schema is for as well: its field has
/// `#[schemars(skip_serializing_if = "older_versions_lack_it")]`, which no
/// serializer sees. `tests/earlier.rs` holds their reports to it.
pub fn schema_of<T: JsonSchema>() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Environment, OriginReport, ParameterReport};

    #[test]
    fn settings_are_exact_and_nothing_invisible_is_written() {
        let held = "  a\n\x1b[2J\u{202e}\u{9b}\u{e0001} ";
        let mut report = Report::new("config", &[], Environment::default());
        let origin = OriginReport {
            kind: "default".to_owned(),
            name: None,
            file: None,
            line: None,
        };
        let parameter = ParameterReport {
            value: held.to_owned(),
            origin,
            shadows: Vec::new(),
        };
        let parameters = &mut report.target.parameters;
        parameters.insert("user".to_owned(), parameter);
        let text = String::from_utf8(render(&report)).unwrap();
        assert!(text.chars().all(|c| c == '\n' || !visible::is_invisible(c)));
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["target"]["parameters"]["user"]["value"], held);
    }
}
