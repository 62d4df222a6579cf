//! `knowledge/driver-parameters.tsv`, read strictly. The head of the file explains the
//! columns.

use std::collections::BTreeSet;

use super::providers::{NONE, Wrong, address, list, rows};

/// Keywords of libpq, and their values.
pub type Settings = Vec<(String, String)>;

/// A parameter of other drivers.
#[derive(Debug)]
pub struct ParameterRow {
    pub name: String,
    pub drivers: Vec<String>,
    /// A variant of `Fate`, as Rust.
    pub fate: String,
    /// Their values, with ours; none where they refuse it.
    pub values: Vec<(String, Option<Settings>)>,
    pub meaning: String,
}

/// Every parameter.
pub fn parameters(table: &str) -> Result<Vec<ParameterRow>, Wrong> {
    let mut known = BTreeSet::new();
    rows(
        table,
        |[name, drivers, libpq, values, meaning, _version, source]| {
            address(source)?;
            let drivers = list(drivers);
            if name.chars().any(|c| c.is_ascii_uppercase()) {
                return Err(format!("{name} is not in lower case"));
            }
            for driver in &drivers {
                if !known.insert((name.to_owned(), driver.clone())) {
                    return Err(format!("{name} of {driver} is there already"));
                }
            }
            let fate = match (name, libpq) {
                ("*", "refused") => "NothingElse".to_owned(),
                ("*", "*") => "AsLibpq".to_owned(),
                ("*", _) => return Err(format!("{libpq:?} is nothing that happens to the rest")),
                (_, NONE) => "Own".to_owned(),
                (_, keyword) => format!("Keyword({keyword:?})"),
            };
            let values: Option<Vec<_>> = list(values)
                .iter()
                .map(|pair| {
                    let (theirs, ours) = pair.split_once('=')?;
                    Some((
                        theirs.to_owned(),
                        (ours != "refused").then(|| settings(ours, libpq)),
                    ))
                })
                .collect();
            Ok(ParameterRow {
                name: name.to_owned(),
                drivers,
                fate,
                values: values.ok_or("a value has no \"=\"")?,
                meaning: meaning.to_owned(),
            })
        },
    )
}

/// `direct` or `sslmode:require+sslnegotiation:direct`, as settings.
fn settings(ours: &str, keyword: &str) -> Settings {
    ours.split('+')
        .map(|one| one.split_once(':').unwrap_or((keyword, one)))
        .map(|(keyword, value)| (keyword.to_owned(), value.to_owned()))
        .collect()
}
