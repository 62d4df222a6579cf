//! `knowledge/texts.tsv`, read strictly: a row that says nothing, or names a
//! cause without a page, is an error. The head of the file explains the columns.

use std::collections::BTreeSet;

/// What an absent value is written as.
const NONE: &str = "-";

/// The shortest text that is looked for, in characters that are given.
const SHORTEST: usize = 4;

/// A row of the table.
#[derive(Debug)]
pub struct TextRow {
    pub text: String,
    /// Codes, the likeliest first.
    pub causes: Vec<String>,
    /// `Exact`, `Broad`, `General`, `Vague`; none where `explain` does not read it.
    pub weight: Option<&'static str>,
    /// `Connect`, `Session`, `Any`.
    pub phase: &'static str,
    /// The pages that show it.
    pub pages: Vec<String>,
    /// `server`, `relayed`, or the name of a pooler.
    pub live: Option<String>,
}

/// Reads the table.
///
/// # Errors
/// The line that is wrong, and why.
pub fn parse(table: &str, is_code: impl Fn(&str) -> bool) -> Result<Vec<TextRow>, (usize, String)> {
    let mut rows = Vec::new();
    let mut known = BTreeSet::new();
    for (at, line) in table.lines().enumerate() {
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let row = row(line, &is_code).map_err(|why| (at + 1, why))?;
        let text = row.text.to_lowercase();
        for reader in [
            row.weight.map(|_| "explain"),
            (!row.pages.is_empty()).then_some("pages"),
            row.live.as_deref(),
        ] {
            let Some(reader) = reader else { continue };
            if !known.insert((text.clone(), reader.to_owned())) {
                return Err((at + 1, format!("{:?} is there already", row.text)));
            }
        }
        rows.push(row);
    }
    Ok(rows)
}

fn row(line: &str, is_code: impl Fn(&str) -> bool) -> Result<TextRow, String> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [text, causes, weight, phase, pages, live, language, _source] = columns[..] else {
        return Err(format!(
            "eight columns are wanted, {} are there",
            columns.len()
        ));
    };
    if columns
        .iter()
        .any(|column| column.is_empty() || *column != column.trim())
    {
        return Err(format!(
            "a column is empty or has blanks around it: write {NONE}"
        ));
    }
    let given = text.chars().filter(|c| !matches!(c, '*' | ' ')).count();
    if given < SHORTEST {
        return Err(format!("{text:?} is in any text"));
    }
    let weight = match weight {
        NONE => None,
        "exact" => Some("Exact"),
        "broad" => Some("Broad"),
        "general" => Some("General"),
        "vague" => Some("Vague"),
        other => return Err(format!("{other:?} is no weight")),
    };
    let phase = match phase {
        "connect" => "Connect",
        "session" => "Session",
        "any" | NONE => "Any",
        other => return Err(format!("{other:?} is no phase")),
    };
    let causes = codes(causes, &is_code)?;
    let pages = codes(pages, &is_code)?;
    let live = (live != NONE).then(|| live.to_owned());
    if causes.is_empty() != (weight.is_none() && live.is_none()) {
        return Err("a weight or a live reader comes with causes, and only they do".to_owned());
    }
    if causes.is_empty() && pages.is_empty() {
        return Err("nobody reads this row".to_owned());
    }
    let two =
        |part: &str, case: fn(&char) -> bool| part.len() == 2 && part.chars().all(|c| case(&c));
    let (name, country) = language.split_once('_').unwrap_or((language, "XX"));
    let is_language = two(name, char::is_ascii_lowercase) && two(country, char::is_ascii_uppercase);
    if language != NONE && !is_language {
        return Err(format!("{language:?} is no language"));
    }
    Ok(TextRow {
        text: text.to_owned(),
        causes,
        weight,
        phase,
        pages,
        live,
    })
}

/// Codes with commas between them.
fn codes(list: &str, is_code: impl Fn(&str) -> bool) -> Result<Vec<String>, String> {
    if list == NONE {
        return Ok(Vec::new());
    }
    list.split(',')
        .map(|code| match is_code(code) {
            true => Ok(code.to_owned()),
            false => Err(format!("{code:?} has no page")),
        })
        .collect()
}
