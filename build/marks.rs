//! `knowledge/client-marks.toml`, read strictly. Its head explains the keys.
//!
//! The types have the names and fields of those in `src/tap/marks/`: what is read is printed
//! as Rust.

use std::fmt;

use serde::Deserialize;

use super::drivers::List;

/// A number in hexadecimal.
struct Hex(u16);

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

/// Numbers in hexadecimal, with spaces between.
#[derive(Default, Deserialize)]
#[serde(try_from = "String")]
struct Numbers(List<Hex>);

impl TryFrom<String> for Numbers {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let one = |number: &str| u16::from_str_radix(number, 16).map(Hex);
        let all: Result<_, _> = text.split(' ').map(one).collect();
        Ok(Self(List(all.map_err(|error| format!("{text}: {error}"))?)))
    }
}

impl fmt::Debug for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Debug, Deserialize)]
#[expect(dead_code)]
#[serde(deny_unknown_fields)]
struct Stack {
    id: String,
    family: String,
    name: String,
    signatures: Numbers,
    ciphers: Option<Numbers>,
    source: String,
}

/// What a client puts for the user into its first SCRAM message.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ScramUser {
    Empty,
    Star,
    Name,
}

impl fmt::Debug for ScramUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "ScramUser::Empty",
            Self::Star => "ScramUser::Star",
            Self::Name => "ScramUser::Name",
        })
    }
}

/// A row as it is written.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Row {
    name: String,
    driver: Option<String>,
    base: Option<String>,
    version: Option<String>,
    startup: Option<Vec<String>>,
    any_order: Option<bool>,
    says: Option<String>,
    application: Option<String>,
    statements: Option<String>,
    scram_user: Option<ScramUser>,
    stacks: Option<Vec<String>>,
    direct: Option<bool>,
    gss: Option<bool>,
    falls_back: Option<bool>,
    extended: Option<bool>,
    alpn_since: Option<String>,
    #[serde(default)]
    also: Vec<String>,
    source: String,
}

/// A row with what its base has.
#[derive(Debug)]
#[expect(dead_code)]
struct Client {
    name: String,
    driver: Option<String>,
    root: String,
    version: Option<String>,
    startup: List<String>,
    any_order: bool,
    says: Option<String>,
    application: Option<String>,
    statements: Option<String>,
    scram_user: Option<ScramUser>,
    stacks: List<String>,
    direct: bool,
    gss: bool,
    falls_back: bool,
    extended: bool,
    alpn_since: Option<String>,
    also: List<String>,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    stack: Vec<Stack>,
    client: Vec<Row>,
}

/// The table as Rust.
pub fn generated(table: &str) -> Result<String, String> {
    let table: Table = toml::from_str(table).map_err(|error| error.to_string())?;
    let mut clients = Vec::new();
    for row in &table.client {
        let named = |name: &String| table.client.iter().find(|other| other.name == *name);
        let base = match &row.base {
            Some(name) => named(name).ok_or_else(|| format!("{}: no base {name}", row.name))?,
            None => row,
        };
        if base.base.is_some() {
            return Err(format!("{}: its base has a base", row.name));
        }
        let client = flattened(row.clone(), base)?;
        let known = |id: &String| table.stack.iter().any(|stack| stack.id == *id);
        if !client.stacks.0.iter().all(known) {
            return Err(format!("{}: no such stack", row.name));
        }
        clients.push(client);
    }
    Ok(format!(
        "static STACKS: &[Stack] = &{:#?};\nstatic CLIENTS: &[Client] = &{clients:#?};\n",
        table.stack
    ))
}

/// A row with what it leaves to its base.
fn flattened(row: Row, base: &Row) -> Result<Client, String> {
    let startup = row.startup.or_else(|| base.startup.clone());
    let startup = startup.ok_or_else(|| format!("{}: no start-up message", row.name))?;
    let flag = |own: Option<bool>, of: Option<bool>, absent| own.or(of).unwrap_or(absent);
    Ok(Client {
        driver: row.driver,
        root: base.name.clone(),
        version: row.version,
        startup: List(startup),
        any_order: flag(row.any_order, base.any_order, false),
        says: row.says.or_else(|| base.says.clone()),
        application: row.application,
        statements: row.statements.or_else(|| base.statements.clone()),
        scram_user: row.scram_user.or(base.scram_user),
        stacks: List(
            row.stacks
                .or_else(|| base.stacks.clone())
                .unwrap_or_default(),
        ),
        direct: flag(row.direct, base.direct, false),
        gss: flag(row.gss, base.gss, false),
        falls_back: flag(row.falls_back, base.falls_back, false),
        extended: flag(row.extended, base.extended, true),
        alpn_since: row.alpn_since.or_else(|| base.alpn_since.clone()),
        also: List(row.also),
        source: row.source,
        name: row.name,
    })
}
