//! Evidence and facts as text: names without underscores, numbers with units, lists
//! as lists.

use serde_json::{Map, Value};

use crate::finding::shown;

/// Longer values are cut where not everything was asked for.
const LONGEST: usize = 400;

/// What has this many characters is hardly in another text by chance.
const LONG: usize = 24;

/// Names that say less to a person than they do to a program.
const LABELS: &[(&str, &str)] = &[
    ("clock_suspected", "clock problem suspected"),
    ("later_packets_came", "later packets arrived"),
    ("led_by", "likely reason"),
    ("other_encryption_passes", "other encryption accepted"),
    ("our_clock", "this machine's clock"),
    ("password_from", "password source"),
    ("same_name_other_key", "root with the same name"),
    ("seen", "observed"),
    ("server_takes", "server accepts"),
    ("short_answers_pass", "short answers arrive"),
    ("silences", "idle times"),
];

/// One line of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceRow {
    /// What it is; empty on the further lines of a list.
    pub name: String,
    /// What was observed.
    pub value: String,
}

/// Every row of a map, in its order; what has parts is shown part by part.
pub fn everything(map: &Map<String, Value>) -> Vec<EvidenceRow> {
    let mut rows = Vec::new();
    for (name, value) in map {
        expand(&mut rows, 0, name, value);
    }
    rows
}

/// The rows of a map that say something new: neither what the reader has seen
/// already (`seen`) nor the same value twice, nor a long one that the advice
/// (`told`) has too.
pub fn new(map: &Map<String, Value>, seen: &str, told: &str) -> Vec<EvidenceRow> {
    let mut rows: Vec<EvidenceRow> = Vec::new();
    for (name, value) in map {
        let (label, unit) = label(name);
        let values = match value {
            Value::Null => continue,
            Value::Array(items) if items.is_empty() => continue,
            Value::Object(fields) if fields.is_empty() => continue,
            Value::Array(items) if items.iter().any(Value::is_object) => {
                let short = |item| attempt(item).unwrap_or_else(|| phrase(item, unit));
                items.iter().map(short).collect()
            }
            value => vec![phrase(value, unit)],
        };
        let mut first = true;
        for value in values {
            let long = value.chars().count() >= LONG;
            let known = rows.iter().any(|row| row.value == value)
                || is_in(&value, seen)
                || long && told.contains(&value);
            if value.is_empty() || known {
                continue;
            }
            rows.push(EvidenceRow {
                name: if first { label.clone() } else { String::new() },
                value: cut(value),
            });
            first = false;
        }
    }
    rows
}

/// One value as people read it.
pub fn value(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) if text.is_empty() => "(empty)".to_owned(),
        value => cut(phrase(value, None)),
    }
}

/// Whether a text holds a value as whole words. Short values may be anywhere
/// by chance.
fn is_in(value: &str, text: &str) -> bool {
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    value.chars().count() > 2
        && text.match_indices(value).any(|(at, _)| {
            let before = text.get(..at).and_then(|t| t.chars().next_back());
            let after = text.get(at + value.len()..).and_then(|t| t.chars().next());
            !word(before) && !word(after)
        })
}

/// Adds a value's row, or a row for each of its parts where it has many.
fn expand(rows: &mut Vec<EvidenceRow>, depth: usize, name: &str, value: &Value) {
    let (label, unit) = label(name);
    let name = format!("{}{label}", "  ".repeat(depth));
    let large = |value: &Value| match value {
        Value::Object(fields) => fields.len() > 3,
        _ => false,
    };
    match value {
        Value::Null => {}
        Value::Object(fields) if large(value) => {
            rows.push(EvidenceRow {
                name,
                value: String::new(),
            });
            for (part, value) in fields {
                expand(rows, depth + 1, part, value);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (n, item) in items.iter().enumerate() {
                let name = match items.len() {
                    1 => label.clone(),
                    _ => format!("{label} {}", n + 1),
                };
                expand(rows, depth, &name, item);
            }
        }
        value => rows.push(EvidenceRow {
            name,
            value: phrase(value, unit),
        }),
    }
}

/// A name in words, and the unit that its ending stands for.
fn label(name: &str) -> (String, Option<&'static str>) {
    if name == "ms" {
        return ("time".to_owned(), Some("ms"));
    }
    if let Some((_, label)) = LABELS.iter().find(|(known, _)| *known == name) {
        return ((*label).to_owned(), None);
    }
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

/// A further attempt that failed: where, how, and its cause. Or a warning that
/// came before.
fn attempt(value: &Value) -> Option<String> {
    let part = |name: &str| value.get(name)?.as_str();
    let cause = part("cause")?;
    let Some(how) = part("attempt") else {
        return Some(format!(
            "{}: {cause}",
            part("summary")?.trim_end_matches('.')
        ));
    };
    Some(match part("endpoint") {
        Some(endpoint) => format!("{endpoint}, {how}: {cause}"),
        None => format!("{how}: {cause}"),
    })
}

fn phrase(value: &Value, unit: Option<&str>) -> String {
    match (value, unit) {
        (Value::Bool(true), _) => "yes".to_owned(),
        (Value::Bool(false), _) => "no".to_owned(),
        (Value::Number(number), Some("ms")) => match number.as_f64() {
            // Nobody reads the microseconds of a second.
            Some(ms) if ms >= 100.0 => format!("{} ms", ms.round()),
            Some(ms) => format!("{} ms", (ms * 10.0).round() / 10.0),
            None => format!("{number} ms"),
        },
        (Value::Number(number), Some(unit)) => format!("{number} {unit}"),
        (Value::Array(items), _) if items.is_empty() => "none".to_owned(),
        (Value::Array(items), _) => items
            .iter()
            .map(|item| phrase(item, unit))
            .collect::<Vec<_>>()
            .join(", "),
        (Value::Object(fields), _) => fields
            .iter()
            .filter(|(_, value)| !value.is_null() && value.as_array().is_none_or(|a| !a.is_empty()))
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
        Some((at, _)) => format!("{}… (-v shows all of it)", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn flat(rows: Vec<EvidenceRow>) -> Vec<String> {
        rows.into_iter()
            .map(|row| format!("{}={}", row.name, row.value))
            .collect()
    }

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn values_read_as_sentences_do() {
        let evidence = map(json!({
            "error_code": "ECONNREFUSED",
            "waited_ms": 12.5,
            "encrypted": true,
            "nothing": null,
            "names": ["a", "b"],
            "hops": [{"host": "a", "rtt_ms": 3}, {"host": "b", "rtt_ms": null}],
            "our_clock": "2026-01-01",
        }));
        assert_eq!(
            flat(new(&evidence, "", "")),
            [
                "error code=ECONNREFUSED",
                "waited=12.5 ms",
                "encrypted=yes",
                "names=a, b",
                "hops=host a, rtt 3 ms",
                "=host b",
                "this machine's clock=2026-01-01",
            ]
        );
    }

    #[test]
    fn what_was_said_is_not_said_again() {
        let evidence = map(json!({
            "host": "db.test", "port": 5432, "code": 2,
            "message": "no", "error": "no", "method": "scram",
        }));
        assert_eq!(
            flat(new(&evidence, "orders at db.test:5432 as app2", "")),
            ["code=2", "message=no", "method=scram"]
        );
    }

    #[test]
    fn parts_are_shown_one_by_one() {
        let facts = map(json!({
            "tls": {"a": 1, "b": 2, "c": 3, "d": {"x": 1}},
            "hops": [{"h": 1}, {"h": 2}],
        }));
        assert_eq!(
            flat(everything(&facts)),
            [
                "tls=",
                "  a=1",
                "  b=2",
                "  c=3",
                "  d=x 1",
                "hops 1=h 1",
                "hops 2=h 2"
            ]
        );
    }
}
