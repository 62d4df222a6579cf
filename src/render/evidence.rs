//! Evidence and facts as people read them: names without underscores, units
//! behind numbers, lists as lists.

use serde_json::{Map, Value};

use crate::finding::shown;

/// Longer values are cut unless everything was asked for.
const LONGEST: usize = 400;

/// One line of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is; empty on the further lines of a list.
    pub name: String,
    /// What was observed.
    pub value: String,
}

/// The rows of a map, in its order; nulls are left out, and so is what was
/// looked for and not found, unless everything is asked for.
pub fn rows(map: &Map<String, Value>, everything: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, value) in map {
        let (label, unit) = label(name);
        let values = match value {
            Value::Null => continue,
            Value::Array(items) if items.is_empty() && !everything => continue,
            Value::Object(fields) if fields.is_empty() => continue,
            Value::Array(items) if items.iter().any(Value::is_object) => {
                items.iter().map(|item| phrase(item, unit)).collect()
            }
            value => vec![phrase(value, unit)],
        };
        for (n, value) in values.into_iter().enumerate() {
            rows.push(Row {
                name: if n == 0 { label.clone() } else { String::new() },
                value: if everything { value } else { cut(value) },
            });
        }
    }
    rows
}

/// A name in words, and the unit that its ending stands for.
fn label(name: &str) -> (String, Option<&'static str>) {
    let units = [
        ("_ms", "ms"),
        ("_seconds", "s"),
        ("_s", "s"),
        ("_days", "days"),
        ("_bytes", "bytes"),
    ];
    for (ending, unit) in units {
        if let Some(stem) = name.strip_suffix(ending)
            && !stem.is_empty()
        {
            return (stem.replace('_', " "), Some(unit));
        }
    }
    (name.replace('_', " "), None)
}

fn phrase(value: &Value, unit: Option<&str>) -> String {
    match (value, unit) {
        (Value::Bool(true), _) => "yes".to_owned(),
        (Value::Bool(false), _) => "no".to_owned(),
        (Value::Number(number), Some(unit)) => format!("{number} {unit}"),
        (Value::Array(items), _) if items.is_empty() => "none".to_owned(),
        (Value::Array(items), _) => items
            .iter()
            .map(|item| phrase(item, unit))
            .collect::<Vec<_>>()
            .join(", "),
        (Value::Object(fields), _) => fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| {
                let (label, unit) = label(name);
                format!("{label} {}", phrase(value, unit))
            })
            .collect::<Vec<_>>()
            .join(", "),
        (value, _) => shown(value),
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}… (all of it with -v)", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn flat(value: Value) -> Vec<String> {
        let map = value.as_object().cloned().unwrap_or_default();
        let rows = rows(&map, false);
        rows.into_iter()
            .map(|row| format!("{}={}", row.name, row.value))
            .collect()
    }

    #[test]
    fn values_read_as_sentences_do() {
        assert_eq!(
            flat(json!({
                "error_code": "ECONNREFUSED",
                "waited_ms": 12.5,
                "encrypted": true,
                "nothing": null,
                "names": ["a", "b"],
                "hops": [{"host": "a", "rtt_ms": 3}, {"host": "b", "rtt_ms": null}],
            })),
            [
                "error code=ECONNREFUSED",
                "waited=12.5 ms",
                "encrypted=yes",
                "names=a, b",
                "hops=host a, rtt 3 ms",
                "=host b",
            ]
        );
    }
}
