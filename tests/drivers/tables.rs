//! The tables of set-ups, drivers, kinds of failure, and what was recorded.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use dbdoctor_lab::{Tool, write_mode};
use regex::Regex;

use crate::servers::Host;

/// This folder.
pub fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers")
}

/// The rows of a table, with so many columns.
pub fn rows(file: &str, columns: usize) -> Result<Vec<Vec<String>>> {
    let text = fs::read_to_string(here().join(file)).with_context(|| file.to_owned())?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            let row: Vec<String> = line.split('\t').map(str::to_owned).collect();
            ensure!(
                row.len() == columns,
                "{file}: not {columns} columns: {line}"
            );
            Ok(row)
        })
        .collect()
}

/// All tables.
pub struct Tables {
    /// The set-ups.
    pub setups: Vec<SetUp>,
    /// The drivers.
    pub drivers: Vec<Driver>,
    kinds: Vec<(String, Regex)>,
    /// What the drivers did.
    pub recorded: Vec<Recorded>,
}

impl Tables {
    /// Reads them.
    pub fn read() -> Result<Self> {
        let setups = rows("setups.tsv", 4)?.into_iter().map(SetUp::new);
        let drivers = rows("drivers.tsv", 4)?.into_iter().map(Driver::new);
        let kinds = rows("kinds.tsv", 2)?.into_iter();
        let recorded = rows("recorded.tsv", 5)?.into_iter().map(Recorded::new);
        Ok(Tables {
            setups: setups.collect(),
            drivers: drivers.collect(),
            kinds: kinds
                .map(|row| Ok((row[0].clone(), Regex::new(&row[1])?)))
                .collect::<Result<_>>()?,
            recorded: recorded.collect(),
        })
    }

    /// The pairs that can be run, and that `DRIVERS` and `SETUPS` let through.
    pub fn pairs(&self) -> Result<Vec<(&SetUp, &Driver)>> {
        let wanted = |name: &str| -> Result<Regex> {
            let pattern = std::env::var(name).unwrap_or_default();
            Ok(Regex::new(&format!("^(?:{pattern})"))?)
        };
        let (setups, drivers) = (wanted("SETUPS")?, wanted("DRIVERS")?);
        let mut pairs = Vec::new();
        for setup in self.setups.iter().filter(|s| setups.is_match(&s.name)) {
            for driver in &self.drivers {
                if drivers.is_match(&driver.name) && driver.spell(&setup.connection).is_some() {
                    pairs.push((setup, driver));
                }
            }
        }
        Ok(pairs)
    }

    /// The kind of what a driver said.
    pub fn kind(&self, text: &str) -> &str {
        let found = self.kinds.iter().find(|(_, fits)| fits.is_match(text));
        found.map_or("other", |(kind, _)| kind)
    }
}

/// One row of setups.tsv.
pub struct SetUp {
    /// Its name.
    pub name: String,
    /// The connection string, in which servers and paths have names.
    pub connection: String,
    environment: String,
    files: String,
}

impl SetUp {
    fn new(row: Vec<String>) -> Self {
        let [name, connection, environment, files] = row.try_into().expect("four columns");
        let given = |text: String| if text == "-" { String::new() } else { text };
        SetUp {
            name,
            connection,
            environment: given(environment),
            files: given(files),
        }
    }

    /// A home with the set-up's files.
    pub fn home(&self, host: &Host) -> Result<PathBuf> {
        let home = host.lab.dir("home")?;
        for file in self.files.split(" ; ").filter(|file| !file.is_empty()) {
            let (path, content) = file.split_once('=').context("files: no content")?;
            let (path, mode) = path.split_once(':').unwrap_or((path, "0644"));
            let path = home.join(path.strip_prefix("~/").context("files: not below ~")?);
            fs::create_dir_all(path.parent().context("files: no folder")?)?;
            let content = match content.strip_prefix('@') {
                Some(name) => fs::read(host.dir.join(name))?,
                None => host.fill(content, &home).replace("\\n", "\n").into_bytes(),
            };
            write_mode(&path, content, u32::from_str_radix(mode, 8)?)?;
        }
        Ok(home)
    }

    /// A program with the set-up's environment, in that home, which the user database names too.
    pub fn surround(&self, host: &Host, home: &Path, tool: Tool) -> Result<Tool> {
        let mut tool = tool.env("HOME", home.display());
        for variable in self.environment.split(' ').filter(|v| !v.is_empty()) {
            let (name, value) = variable.split_once('=').context("environment: no value")?;
            tool = tool.env(name, host.fill(value, home));
        }
        let users = home.join("passwd");
        let root = format!("root:x:0:0:root:{}:/bin/sh\n", home.display());
        write_mode(&users, root, 0o644)?;
        Ok(Tool {
            passwd: Some(users),
            cwd: Some(home.to_owned()),
            ..tool
        })
    }
}

/// One row of drivers.tsv.
pub struct Driver {
    /// Its name.
    pub name: String,
    /// What `--as` is given.
    pub profile: Option<String>,
    spelling: String,
    program: String,
}

impl Driver {
    fn new(row: Vec<String>) -> Self {
        let [name, profile, spelling, program] = row.try_into().expect("four columns");
        Driver {
            name,
            profile: (profile != "-").then_some(profile),
            spelling,
            program,
        }
    }

    /// A connection string as one writes it for this driver, where there is a way.
    pub fn spell(&self, connection: &str) -> Option<String> {
        let rest = (connection.strip_prefix("postgresql://"))
            .or_else(|| connection.strip_prefix("postgres://"));
        match self.spelling.as_str() {
            "libpq" => Some(connection.to_owned()),
            "url" => connection.contains("://").then(|| connection.to_owned()),
            "jdbc" => jdbc(rest?),
            "pdo" if connection.contains("://") => keywords(&rest?.replace("{%", "{")),
            "pdo" => connection.contains('=').then(|| connection.to_owned()),
            scheme => Some(format!("{scheme}://{}", rest?)),
        }
    }

    /// The client, ready for the connection string.
    pub fn client(&self, host: &Host, drivers: &Path) -> Tool {
        let words = (self.program)
            .replace("{drivers}", &drivers.to_string_lossy())
            .replace("{here}", &here().to_string_lossy());
        let mut words = words.split(' ');
        host.tool(words.next().unwrap_or_default()).args(words)
    }

    /// The argument that its client takes for a connection string.
    pub fn argument(&self, spelled: &str) -> String {
        match self.spelling.as_str() {
            "pdo" => format!("pgsql:{spelled}"),
            _ => spelled.to_owned(),
        }
    }
}

/// pgjdbc reads nothing before an @: user and password go into the query.
fn jdbc(rest: &str) -> Option<String> {
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let (who, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let mut url = format!("jdbc:postgresql://{hosts}{path}");
    let (user, password) = who.split_once(':').unwrap_or((who, ""));
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            let sign = if url.contains('?') { '&' } else { '?' };
            url += &format!("{sign}{name}={value}");
        }
    };
    add("user", user);
    add("password", password);
    Some(url)
}

/// A URL's parts as keywords; nothing for what is no plain URL.
fn keywords(rest: &str) -> Option<String> {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (who, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = who.split_once(':').unwrap_or((who, ""));
    let mut parts = Vec::new();
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            let value = decoded(value)?.replace('\\', "\\\\").replace('\'', "\\'");
            parts.push(format!("{name}='{value}'"));
        }
        Some(())
    };
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in hosts.split(',') {
        let (name, port) = match host.strip_prefix('[') {
            Some(address) => {
                let (address, port) = address.split_once(']')?;
                (address, port.strip_prefix(':').unwrap_or(port))
            }
            None => host.rsplit_once(':').unwrap_or((host, "")),
        };
        names.push(name);
        ports.push(port);
    }
    add("host", &names.join(","))?;
    add("port", ports.join(",").trim_matches(','))?;
    add("user", user)?;
    add("password", password)?;
    add("dbname", database)?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        add(name, value)?;
    }
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

/// One row of recorded.tsv.
#[derive(Clone, PartialEq)]
pub struct Recorded {
    /// The set-up.
    pub setup: String,
    /// The driver.
    pub driver: String,
    /// Its version.
    pub version: String,
    /// `connects`, or the kind of failure.
    pub outcome: String,
    /// What it said.
    pub text: String,
}

impl Recorded {
    fn new(row: Vec<String>) -> Self {
        let [setup, driver, version, outcome, text] = row.try_into().expect("five columns");
        Recorded {
            setup,
            driver,
            version,
            outcome,
            text,
        }
    }
}

/// Writes the record, under the head that it has.
pub fn write_record(rows: &[Recorded]) -> Result<()> {
    let path = here().join("recorded.tsv");
    let old = fs::read_to_string(&path)?;
    let head = old.lines().take_while(|line| line.starts_with('#'));
    let mut text: String = head.map(|line| format!("{line}\n")).collect();
    for row in rows {
        let columns = [
            &row.setup,
            &row.driver,
            &row.version,
            &row.outcome,
            &row.text,
        ];
        if columns.iter().any(|column| column.contains(['\t', '\n'])) {
            bail!("{}, {}: a tab or an end of line", row.setup, row.driver);
        }
        text += &format!("{}\n", columns.map(String::as_str).join("\t"));
    }
    Ok(fs::write(path, text)?)
}
