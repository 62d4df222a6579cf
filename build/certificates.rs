//! `knowledge/certificates.toml`, read strictly. Its head explains the keys.
//!
//! The types have the names and fields of those in `src/client/certificate/words.rs`:
//! what is read is printed as Rust.

use serde::Deserialize;

use super::drivers::List;

#[derive(Debug, Deserialize)]
#[expect(dead_code)]
#[serde(deny_unknown_fields)]
struct Row {
    stacks: List<String>,
    reasons: List<String>,
    since: Option<String>,
    until: Option<String>,
    text: Option<String>,
    source: String,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code)]
#[serde(deny_unknown_fields)]
struct Lowest {
    stacks: List<String>,
    since: Option<String>,
    until: Option<String>,
    version: String,
    text: String,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    refusal: Vec<Row>,
    lowest_tls: Vec<Lowest>,
}

/// The table as Rust.
pub fn generated(table: &str) -> Result<String, String> {
    let table: Table = toml::from_str(table).map_err(|error| error.to_string())?;
    Ok(format!(
        "static ROWS: &[Row] = &{:#?};\nstatic LOWEST: &[Lowest] = &{:#?};\n",
        table.refusal, table.lowest_tls
    ))
}
