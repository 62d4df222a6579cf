//! `knowledge/providers.tsv` and `knowledge/provider_fixes.tsv`, read strictly. The
//! heads of the files explain the columns.

use std::collections::BTreeSet;

/// What an absent value is written as.
pub const NONE: &str = "-";

/// What stands for every provider in a list of them.
pub const MANAGED: &str = "managed";

/// Who runs a server or a pooler.
#[derive(Debug)]
pub struct ProviderRow {
    pub name: String,
    pub hosts: Vec<String>,
    pub certificates: Vec<String>,
    pub speaks: Vec<String>,
    pub listens: Vec<String>,
    pub answers: Vec<String>,
    pub managed: bool,
    pub token: Option<String>,
    pub when: Vec<Condition>,
    pub documentation: String,
}

/// What to do about some causes at some providers.
#[derive(Debug)]
pub struct FixRow {
    pub providers: Vec<String>,
    pub causes: Vec<String>,
    pub when: Vec<Condition>,
    pub text: String,
    pub command: Option<String>,
}

/// `name=pattern`, or `name!=pattern`.
#[derive(Debug)]
pub struct Condition {
    pub name: String,
    pub is: bool,
    pub pattern: String,
}

/// A line that is wrong, and why.
pub type Wrong = (usize, String);

/// The providers. `is_speaker` knows the poolers of the table of texts.
pub fn providers(
    table: &str,
    is_speaker: impl Fn(&str) -> bool,
) -> Result<Vec<ProviderRow>, Wrong> {
    let mut known = BTreeSet::new();
    rows(
        table,
        |[
            name,
            hosts,
            certificates,
            speaks,
            listens,
            answers,
            token,
            managed,
            when,
            documentation,
        ]| {
            if name == MANAGED || !known.insert(name.to_owned()) {
                return Err(format!("{name} is there already"));
            }
            let speaks = list(speaks);
            if let Some(stranger) = speaks.iter().find(|name| !is_speaker(name)) {
                return Err(format!("no text is said by {stranger}"));
            }
            let (hosts, certificates) = (list(hosts), list(certificates));
            let (listens, answers) = (list(listens), list(answers));
            let signs = [&hosts, &certificates, &speaks, &listens, &answers];
            if signs.iter().all(|signs| signs.is_empty()) {
                return Err(format!("nothing tells {name}"));
            }
            Ok(ProviderRow {
                name: name.to_owned(),
                hosts,
                certificates,
                speaks,
                listens,
                answers,
                managed: match managed {
                    "yes" => true,
                    NONE => false,
                    other => return Err(format!("{other:?} is neither yes nor {NONE}")),
                },
                token: (token != NONE).then(|| token.to_owned()),
                when: conditions(when)?,
                documentation: address(documentation)?,
            })
        },
    )
}

/// The fixes for these providers.
pub fn fixes(
    table: &str,
    providers: &[ProviderRow],
    is_code: impl Fn(&str) -> bool,
) -> Result<Vec<FixRow>, Wrong> {
    rows(table, |[names, causes, when, text, command, source]| {
        let (names, causes) = (list(names), list(causes));
        let is_known =
            |name: &String| name == MANAGED || providers.iter().any(|row| row.name == *name);
        if let Some(stranger) = names.iter().find(|name| !is_known(name)) {
            return Err(format!("{stranger} is no provider"));
        }
        if let Some(stranger) = causes.iter().find(|code| !is_code(code)) {
            return Err(format!("{stranger:?} has no page"));
        }
        address(source)?;
        Ok(FixRow {
            providers: names,
            causes,
            when: conditions(when)?,
            text: text.to_owned(),
            command: (command != NONE).then(|| command.to_owned()),
        })
    })
}

/// The rows of a table with `N` columns.
pub fn rows<const N: usize, T>(
    table: &str,
    mut read: impl FnMut([&str; N]) -> Result<T, String>,
) -> Result<Vec<T>, Wrong> {
    let mut out = Vec::new();
    for (at, line) in table.lines().enumerate() {
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let columns: Vec<&str> = line.split('\t').collect();
        let row = match <[&str; N]>::try_from(columns) {
            Err(columns) => Err(format!(
                "{N} columns are wanted, {} are there",
                columns.len()
            )),
            Ok(columns) if columns.iter().any(|c| c.is_empty() || *c != c.trim()) => Err(format!(
                "a column is empty or has blanks around it: write {NONE}"
            )),
            Ok(columns) => read(columns),
        };
        out.push(row.map_err(|why| (at + 1, why))?);
    }
    Ok(out)
}

/// Values with `, ` between them.
pub fn list(column: &str) -> Vec<String> {
    match column {
        NONE => Vec::new(),
        _ => column.split(", ").map(str::to_owned).collect(),
    }
}

/// What must be so.
pub fn conditions(column: &str) -> Result<Vec<Condition>, String> {
    list(column)
        .into_iter()
        .map(|text| {
            let (name, pattern) = text
                .split_once('=')
                .ok_or_else(|| format!("{text:?} is no condition"))?;
            Ok(Condition {
                name: name.trim_end_matches('!').to_owned(),
                is: !name.ends_with('!'),
                pattern: pattern.to_owned(),
            })
        })
        .collect()
}

/// Where it can be read up.
pub fn address(column: &str) -> Result<String, String> {
    match column.starts_with("https://") {
        true => Ok(column.to_owned()),
        false => Err(format!("{column:?} is no address of a documentation")),
    }
}
