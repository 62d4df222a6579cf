//! `knowledge/evidence.tsv`, read strictly. The head of the file explains the columns.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::providers::{NONE, rows};

/// The table as Rust.
pub fn generated(table: &str) -> Result<String, String> {
    let mut names = BTreeSet::new();
    let rows = rows(table, |[name, rank, words]| {
        if !names.insert(name.to_owned()) {
            return Err(format!("{name} is there twice"));
        }
        let rank = match rank {
            "proof" => "Proof",
            NONE => "Fact",
            "context" => "Context",
            "detail" => "Detail",
            other => return Err(format!("{other:?} is no rank")),
        };
        if words.matches('{').count() != words.matches('}').count() {
            return Err(format!("{words:?} has a brace too many"));
        }
        let words = (words != NONE).then_some(words);
        Ok(format!(
            "Words {{ name: {name:?}, rank: Rank::{rank}, words: {words:?} }},"
        ))
    });
    let rows = rows.map_err(|(line, why)| format!("{line}: {why}"))?;
    let mut out = format!("static WORDS: [Words; {}] = [\n", rows.len());
    for row in rows {
        let _ = writeln!(out, "{row}");
    }
    out += "];\n";
    Ok(out)
}
