//! `knowledge/key-forms.toml`, read strictly. Its head explains the keys.
//!
//! The types have the names and fields of those in `src/client/key_form.rs`: what is read
//! is printed as Rust.

use serde::Deserialize;

use super::drivers::List;

#[derive(Debug, Deserialize)]
#[expect(dead_code)]
#[serde(deny_unknown_fields)]
struct Row {
    drivers: List<String>,
    forms: List<String>,
    #[serde(default)]
    names: List<String>,
    password: Option<String>,
    since: Option<String>,
    until: Option<String>,
    text: Option<String>,
    remedy: Option<String>,
    source: String,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code)]
#[serde(deny_unknown_fields)]
struct ModeRow {
    drivers: List<String>,
    since: Option<String>,
    text: String,
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remedy {
    name: String,
    text: String,
    command: String,
    ending: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    form: Vec<Row>,
    mode: Vec<ModeRow>,
    remedy: Vec<Remedy>,
}

/// The table as Rust.
pub fn generated(table: &str) -> Result<String, String> {
    let table: Table = toml::from_str(table).map_err(|error| error.to_string())?;
    for row in &table.form {
        if row.text.is_some() != row.remedy.is_some() {
            return Err(format!(
                "{row:?}: what is refused has a remedy, and nothing else"
            ));
        }
        let known = |name: &String| table.remedy.iter().any(|remedy| remedy.name == *name);
        if row.remedy.as_ref().is_some_and(|name| !known(name)) {
            return Err(format!("{row:?}: no such remedy"));
        }
    }
    for remedy in &table.remedy {
        if !remedy.text.ends_with(':') || !remedy.command.contains(&remedy.ending) {
            return Err(format!(
                "{remedy:?}: a text ends with a colon, a command has the ending"
            ));
        }
    }
    Ok(format!(
        "static ROWS: &[Row] = &{:#?};\nstatic MODES: &[ModeRow] = &{:#?};\nstatic REMEDIES: &[Remedy] = &{:#?};\n",
        table.form, table.mode, table.remedy
    ))
}
