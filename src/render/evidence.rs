//! Evidence and facts as text: names without underscores, numbers with units, lists
//! as lists.

use serde_json::{Map, Value};

use super::layout::{Ink, Page, pad, plain, width};
use super::options::Style;
use super::stages::shortened;
use crate::finding::{Finding, Fix, shown};

/// Longer values are cut where not everything was asked for.
const LONGEST: usize = 400;

/// A phrase is shorter: the whole of the evidence is a few lines.
const LONGEST_PHRASE: usize = 200;

/// What has this many characters is hardly in another text by chance.
const LONG: usize = 24;

/// The most facts that prove a cause; `-v` shows all.
const MOST: usize = 6;

/// What is known beside them is told only where they are fewer.
const FEWEST: usize = 3;

/// Parts of a list that are told.
const MOST_PARTS: usize = 4;

/// How much evidence of some name says about a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// It proves the cause.
    Proof,
    /// It belongs to the cause.
    Fact,
    /// It is how things were, whatever the cause.
    Context,
    /// It is for `-v`.
    Detail,
}

/// The words of a name: a label, or a phrase with the value in braces.
struct Words {
    name: &'static str,
    rank: Rank,
    words: Option<&'static str>,
}

include!(concat!(env!("OUT_DIR"), "/evidence.rs"));

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

/// The three to six facts that prove a finding's cause, as phrases: those that say
/// something new beside what the reader has seen (`known`), what is `drawn` (names) and
/// what the fixes say.
pub fn in_words(finding: &Finding, known: &str, drawn: &[&str], fixes: &[Fix]) -> Vec<String> {
    let told: Vec<&str> = (fixes.iter())
        .flat_map(|fix| [Some(fix.text.as_str()), fix.command.as_deref()])
        .flatten()
        .collect();
    let told = told.join("\n");
    let mut ranked: Vec<(Rank, usize, &String, &Value)> = (finding.evidence.iter())
        .map(|(name, value)| {
            let at = WORDS.iter().position(|words| words.name == name);
            let rank = at.map_or(Rank::Fact, |at| WORDS[at].rank);
            (rank, at.unwrap_or(usize::MAX), name, value)
        })
        .filter(|(rank, _, name, _)| *rank < Rank::Detail && !drawn.contains(&name.as_str()))
        .collect();
    ranked.sort_by_key(|(rank, at, ..)| (*rank, *at));
    let mut values: Vec<String> = Vec::new();
    let mut phrases = Vec::new();
    for (rank, _, name, value) in ranked {
        let enough = if rank < Rank::Context { MOST } else { FEWEST };
        if phrases.len() >= enough {
            break;
        }
        let bare = phrase(value, label(name).1);
        let bare = bare.trim_end_matches('.').to_owned();
        let long = bare.chars().count() >= LONG;
        let is_known = is_in(&bare, known)
            || long && told.contains(&bare)
            || values
                .iter()
                .any(|other| is_in(&bare, other) || *other == bare);
        if is_known {
            continue;
        }
        if let Some(words) = in_a_phrase(name, value).filter(|words| !is_in(words, known)) {
            let words = match words.matches("SHA256:").count() {
                0 | 1 => words,
                _ => shortened(&words),
            };
            phrases.push(cut(words, LONGEST_PHRASE));
            values.push(bare);
        }
    }
    phrases
}

fn words(name: &str) -> Option<&'static Words> {
    WORDS.iter().find(|words| words.name == name)
}

/// A value in the words of its name, or after its label. None where there is nothing to
/// tell.
fn in_a_phrase(name: &str, value: &Value) -> Option<String> {
    let template = words(name)
        .and_then(|words| words.words)
        .filter(|words| words.contains(['{', '|']));
    let (label, unit) = label(name);
    match (value, template) {
        (Value::Null, _) => None,
        (Value::Array(items), _) if items.is_empty() => None,
        (Value::Object(fields), _) if fields.is_empty() => None,
        (Value::Bool(is_so), Some(template)) => {
            let (so, not_so) = template.split_once('|')?;
            let words = if *is_so { so.trim() } else { not_so.trim() };
            (!words.is_empty()).then(|| words.to_owned())
        }
        (Value::Array(items), template) if items.iter().any(Value::is_object) => {
            let part = |item: &Value| {
                template
                    .and_then(|template| filled(template, item))
                    .or_else(|| attempt(item))
                    .unwrap_or_else(|| phrase(item, unit))
            };
            let mut parts: Vec<String> = items.iter().take(MOST_PARTS).map(part).collect();
            if let Some(more @ 1..) = items.len().checked_sub(MOST_PARTS) {
                parts.push(format!("and {more} more"));
            }
            let parts = parts.join(", ");
            Some(match template {
                Some(_) => parts,
                None => format!("{label}: {parts}"),
            })
        }
        (Value::Object(_), Some(template)) => filled(template, value),
        (value, Some(template)) if template.contains("{}") => {
            let value = few(value, unit);
            (!value.trim().is_empty()).then(|| template.replace("{}", value.trim_end_matches('.')))
        }
        (value, _) => {
            let value = few(value, unit);
            match value.trim() {
                "" => None,
                value if value.contains(' ') || label.contains(' ') => {
                    Some(format!("{label}: {value}"))
                }
                value => Some(format!("{label} {value}")),
            }
        }
    }
}

/// A value with no more than some parts of a list.
fn few(value: &Value, unit: Option<&str>) -> String {
    match value {
        Value::Array(items) if items.len() > MOST_PARTS + 1 => {
            let parts = Value::from(&items[..MOST_PARTS]);
            format!(
                "{} and {} more",
                phrase(&parts, unit),
                items.len() - MOST_PARTS
            )
        }
        value => phrase(value, unit),
    }
}

/// A template with the fields of an object; none where one is missing. What stands in
/// brackets is left out where a field of it is missing.
fn filled(template: &str, object: &Value) -> Option<String> {
    let (template, optional) = match template.split_once('[') {
        Some((before, rest)) => (before, rest.strip_suffix(']')),
        None => (template, None),
    };
    let mut text = fields(template, object)?;
    if let Some(more) = optional.and_then(|optional| fields(optional, object)) {
        text += &more;
    }
    Some(text)
}

fn fields(template: &str, object: &Value) -> Option<String> {
    let mut parts = template.split('{');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}')?;
        let is_there =
            |value: &&Value| !value.is_null() && value.as_array().is_none_or(|it| !it.is_empty());
        let value = object.get(name).filter(is_there)?;
        out += phrase(value, label(name).1).trim_end_matches('.');
        out += rest;
    }
    Some(out)
}

/// Named values in two columns.
pub fn write_rows(page: &mut Page, rows: &[EvidenceRow], indent: usize, ink: Ink, style: &Style) {
    let longest = rows
        .iter()
        .map(|row| width(&plain(&row.name, style)))
        .max()
        .unwrap_or(0);
    let names = longest.min(style.width.saturating_sub(indent) / 3);
    for row in rows {
        let name = plain(&row.name, style);
        let blanks = " ".repeat(indent);
        let label = format!("{}  ", pad(&name, names));
        page.paragraph(
            &[(Ink::Plain, &blanks), (Ink::Faint, &label)],
            ink,
            &row.value,
        );
    }
}

/// One value as people read it.
pub fn value(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) if text.is_empty() => "(empty)".to_owned(),
        value => cut(phrase(value, None), LONGEST),
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
    let named = words(name).and_then(|words| words.words);
    if let Some(label) = named.filter(|words| !words.contains(['{', '|'])) {
        return (label.to_owned(), None);
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
            Some(ms) if ms >= 999.5 => format!("{:.1} s", ms / 1e3),
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

/// At most so many characters, whole words.
fn cut(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => {
            let end = text[..at].rfind(' ').unwrap_or(at);
            format!(
                "{}… (-v shows all of it)",
                text[..end].trim_end_matches(',')
            )
        }
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

    fn told(evidence: Value, known: &str, fixes: &[Fix]) -> Vec<String> {
        let mut finding = Finding::new(&crate::cause::tls::UNCLASSIFIED);
        finding.evidence = map(evidence);
        in_words(&finding, known, &[], fixes)
    }

    #[test]
    fn values_read_as_sentences_do() {
        let evidence = json!({
            "errno": "ECONNREFUSED",
            "took_by_it_ms": 12.5,
            "encrypted": true,
            "nothing": null,
            "names": ["a", "b"],
            "hops": [{"host": "a", "rtt_ms": 3}, {"host": "b", "rtt_ms": null}],
            "listener": {"name": "haproxy", "pid": 7, "address": "[::1]:5432"},
        });
        assert_eq!(
            told(evidence, "", &[]),
            [
                "haproxy (pid 7) listens on [::1]:5432",
                "encrypted",
                "took by it: 12.5 ms",
                "names: a, b",
                "hops: host a, rtt 3 ms, host b",
            ]
        );
    }

    #[test]
    fn what_was_said_is_not_said_again() {
        let evidence = json!({
            "subject": "CN=db.test", "weight": 5432, "reason": "no", "another": "no",
            "fault": "it ends on 2026-11-21 13:36 UTC",
        });
        let fix = Fix {
            text: "Wait: it ends on 2026-11-21 13:36 UTC.".to_owned(),
            command: None,
        };
        assert_eq!(
            told(evidence, "orders at db.test:5432, CN=db.test", &[fix]),
            ["reason no"]
        );
    }

    #[test]
    fn what_proves_comes_first_and_context_only_where_there_is_little_else() {
        let much = json!({
            "method": "md5", "encryption": "with TLS", "a": "1", "b": "2", "c": "3", "d": "4",
            "e": "5", "f": "6", "g": "7", "sqlstate": "28P01", "routine": "auth_failed",
        });
        assert_eq!(
            told(much, "", &[]),
            ["SQLSTATE 28P01", "a 1", "b 2", "c 3", "d 4", "e 5"]
        );
        let little = json!({
            "method": "md5", "encryption": "with TLS", "sslmode": "require", "sqlstate": "28P01",
        });
        assert_eq!(
            told(little, "", &[]),
            ["SQLSTATE 28P01", "with TLS", "asked for md5"]
        );
    }

    #[test]
    fn long_values_end_with_a_word() {
        let long = "algorithm ".repeat(60);
        let cut = told(json!({ "ours": long }), "", &[]);
        assert!(
            cut[0].ends_with("algorithm… (-v shows all of it)"),
            "{cut:?}"
        );
        let list = json!({ "ours": ["a", "b", "c", "d", "e", "f", "g"] });
        assert_eq!(
            told(list, "", &[]),
            ["this client offers a, b, c, d and 3 more"]
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
