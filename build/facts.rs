//! `knowledge/facts.toml`, read strictly. The head of the file explains the keys.

use serde::Deserialize;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    fact: Vec<FactRow>,
}

/// What several pieces of a text say together.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactRow {
    /// Every one of them is there.
    pub all: Vec<Part>,
    /// None of them is.
    #[serde(default)]
    pub none: Vec<String>,
    /// Codes, the likeliest first.
    pub causes: Vec<String>,
    pub weight: Weight,
    #[serde(default)]
    pub phase: Phase,
    /// In place of the page's summary.
    pub summary: Option<String>,
    /// Before the page's fixes.
    #[serde(default)]
    pub fixes: Vec<FactFix>,
    /// Whether the page's fixes follow.
    #[serde(default = "yes")]
    pub page: bool,
    pub source: String,
}

/// A piece in one of its wordings.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Part {
    One(String),
    Any(Vec<String>),
}

impl Part {
    /// Its wordings.
    pub fn wordings(&self) -> &[String] {
        match self {
            Part::One(one) => std::slice::from_ref(one),
            Part::Any(several) => several,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    Exact,
    Broad,
    General,
    Vague,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Connect,
    Session,
    #[default]
    Any,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactFix {
    pub text: String,
    pub command: Option<String>,
}

fn yes() -> bool {
    true
}

/// The shortest piece that is looked for, in characters that are given.
const SHORTEST: usize = 3;

/// Reads the file.
///
/// # Errors
/// What is wrong, and where.
pub fn parse(text: &str, is_code: impl Fn(&str) -> bool) -> Result<Vec<FactRow>, String> {
    let facts: Facts = toml::from_str(text).map_err(|error| error.to_string())?;
    for row in &facts.fact {
        check(row, &is_code).map_err(|why| format!("{:?}: {why}", row.all))?;
    }
    Ok(facts.fact)
}

fn check(row: &FactRow, is_code: impl Fn(&str) -> bool) -> Result<(), String> {
    if row.all.is_empty() || row.causes.is_empty() || row.source.is_empty() {
        return Err("pieces, causes and a source are wanted".to_owned());
    }
    if let Some(code) = row.causes.iter().find(|code| !is_code(code)) {
        return Err(format!("{code:?} has no page"));
    }
    let wordings = row.all.iter().flat_map(Part::wordings).chain(&row.none);
    for wording in wordings {
        let given = wording.chars().filter(|c| !matches!(c, '*' | ' ')).count();
        if given < SHORTEST {
            return Err(format!("{wording:?} is in any text"));
        }
    }
    if !row.page && row.fixes.is_empty() {
        return Err("no fix would be left".to_owned());
    }
    Ok(())
}
