//! `knowledge/drivers/*.toml`, read strictly. Their README explains the keys.
//!
//! The types here have the names and fields of those in `src/client/profile.rs`, and
//! their `Debug` is Rust: what is read is printed as a constant. A variant (`[variants.NAME]`)
//! and an older release (`[[below]]`) are tables that are laid over the file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

/// A list, printed as a slice.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: fmt::Debug> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("&")?;
        f.debug_list().entries(&self.0).finish()
    }
}

/// Names with what they stand for, printed as a slice of pairs.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Map<T>(BTreeMap<String, T>);

impl<T> Default for Map<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: fmt::Debug> fmt::Debug for Map<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("&")?;
        f.debug_list().entries(self.0.iter()).finish()
    }
}

/// One driver, in one variant, up to one release.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code)]
pub struct Profile {
    name: String,
    #[serde(default)]
    called: List<String>,
    language: String,
    version: String,
    connector: Option<String>,
    #[serde(default)]
    connectors: List<String>,
    below: Option<String>,
    source: String,
    measured: Option<String>,
    libpq: Option<String>,
    #[serde(default)]
    url: Reader,
    #[serde(default)]
    socket_default: bool,
    #[serde(default)]
    user: DefaultUser,
    #[serde(default)]
    hosts: Hosts,
    #[serde(default)]
    addresses: Addresses,
    #[serde(default)]
    environment: Map<String>,
    #[serde(default)]
    refused_variables: List<String>,
    #[serde(default)]
    understood: List<String>,
    #[serde(default)]
    renamed: Map<String>,
    #[serde(default)]
    own: List<String>,
    #[serde(default)]
    never_sent: List<String>,
    #[serde(default)]
    dropped: List<String>,
    #[serde(default)]
    values: Map<List<String>>,
    #[serde(default)]
    strict_numbers: bool,
    other: Option<Fate>,
    refused: Option<String>,
    #[serde(default)]
    passfile: Passfile,
    #[serde(default)]
    service: bool,
    #[serde(default)]
    tls: Tls,
    #[serde(default)]
    saslprep: Saslprep,
    #[serde(default)]
    channel_binding: Binding,
    empty_password: Option<String>,
    #[serde(default)]
    startup: Map<String>,
    connect_timeout: Option<u32>,
    keepalive: Option<String>,
    statements: Option<String>,
    #[serde(default)]
    texts: Map<String>,
    #[serde(default)]
    cures: Map<String>,
}

/// Declares an enum that the file spells in lower case with hyphens; the first is the
/// one without a word.
macro_rules! words {
    ($($name:ident { $first:ident $(, $variant:ident)* $(,)? })*) => { $(
        #[derive(Clone, Copy, Default, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { #[default] $first, $($variant),* }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    Self::$first => concat!(stringify!($name), "::", stringify!($first)),
                    $(Self::$variant => concat!(stringify!($name), "::", stringify!($variant))),*
                })
            }
        }
    )* };
}

words! {
    Reader { Libpq, Node, PostgresJs, Asyncpg, Jdbc, TokioPostgres, Sqlx, Go, Keywords, Dotnet, Prisma, Ecto }
    DefaultUser { Account, Environment, VariableOnly, LognameFirst, Nobody }
    Hosts { Libpq, One, Refused, Tls, Any, Pgx }
    Addresses { All, FirstIpv4 }
    Fate { Ignored, Sent, Refused }
    Passfile { Never, Closed, Open }
    Saslprep { Full, Skipped, Precis }
    Binding { Never, Parameter, Prefer }
    Plan { Off, ClearFirst, Prefer, PreferVerified, Unverified, ChainIfRoot, ChainIfNamed, Chain, Full }
    Trust { File, System, Mozilla, FileOrSystem, FileOrMozilla, SystemAndFile, MozillaAndFile, Nothing }
    Retry { Libpq, Nothing, Refusal, Established, Pgx5, Pgx4 }
    Missing { Verifying, Asking, Demanding, Always }
    Stack { Openssl, NativeTls, Python, Node, Go, Rustls, Java, Dotnet, Erlang }
}

/// What a driver does about TLS.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tls {
    /// Without any setting.
    absent: Plan,
    /// By the word of `sslmode`.
    modes: Map<Plan>,
    /// By the word of `ssl`.
    ssl: Map<Plan>,
    other: Option<Plan>,
    any_case: bool,
    trust: Trust,
    home_root: bool,
    home_certificate: bool,
    reads_root: bool,
    missing_root: Missing,
    retry: Retry,
    on_sockets: bool,
    stack: Stack,
}

/// Every driver as Rust, libpq first.
///
/// # Errors
/// The file that is wrong, and why.
pub fn generated(folder: &Path) -> Result<String, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut profiles = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| e.to_string())?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            println!("cargo:rerun-if-changed={}", path.display());
            profiles.push(read(&path).map_err(|why| format!("{}: {why}", path.display()))?);
        }
    }
    profiles.sort_by_key(|of_one| (of_one[0].name != "libpq", of_one[0].name.clone()));
    let mut taken = BTreeSet::new();
    for profile in profiles.iter().map(|of_one| &of_one[0]) {
        for name in std::iter::once(&profile.name).chain(&profile.called.0) {
            if !taken.insert(name) {
                return Err(format!("{name} is the name of two drivers"));
            }
        }
    }
    let mut out = format!("static PROFILES: [&[Profile]; {}] = [\n", profiles.len());
    for of_one in &profiles {
        out += &format!("&{of_one:#?},\n");
    }
    Ok(out + "];\n")
}

/// A driver in every variant and release, the one that is taken by default first.
fn read(path: &Path) -> Result<Vec<Profile>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let mut base: Table = text.parse().map_err(|error| format!("{error}"))?;
    let variants = match base.remove("variants") {
        None => Table::new(),
        Some(Value::Table(variants)) => variants,
        Some(_) => return Err("variants is no table".to_owned()),
    };
    let below = match base.remove("below") {
        None => Vec::new(),
        Some(Value::Array(below)) => below,
        Some(_) => return Err("below is no array of tables".to_owned()),
    };
    let default = base.get("connector").cloned();
    let names: Vec<Value> = variants.keys().cloned().map(Value::String).collect();
    if default.as_ref().is_some_and(|name| !names.contains(name)) {
        return Err(format!("{default:?} is none of the variants"));
    }
    base.insert("connectors".to_owned(), Value::Array(names.clone()));
    let mut kinds: Vec<Option<Value>> = vec![default.clone()];
    kinds.extend(names.into_iter().map(Some).filter(|name| *name != default));
    let mut all = Vec::new();
    for kind in kinds {
        let mut varied = base.clone();
        if let Some(Value::String(name)) = &kind {
            let Some(Value::Table(table)) = variants.get(name) else {
                return Err(format!("variants.{name} is no table"));
            };
            lay(&mut varied, table);
            varied.insert("connector".to_owned(), Value::String(name.clone()));
        }
        // The oldest limit first: the first that is above a version counts.
        for table in &below {
            let Value::Table(table) = table else {
                return Err("below is no array of tables".to_owned());
            };
            let mut older = varied.clone();
            let mut table = table.clone();
            let Some(limit) = table.remove("version") else {
                return Err("a table of below has no version".to_owned());
            };
            lay(&mut older, &table);
            older.insert("below".to_owned(), limit);
            all.push(older);
        }
        all.push(varied);
    }
    // The one without a limit that is the default leads.
    let first = below.len();
    all.swap(0, first);
    let read = |table: Table| Profile::deserialize(table).map_err(|error| error.to_string());
    let all: Vec<Profile> = all.into_iter().map(read).collect::<Result<_, _>>()?;
    let name = &all[0].name;
    if path.file_stem().and_then(|stem| stem.to_str()) != Some(name) {
        return Err(format!("the file is not named as {name:?}"));
    }
    if !all[0].source.starts_with("https://") {
        return Err("the source is no https address".to_owned());
    }
    Ok(all)
}

/// Lays a table over another one.
fn lay(below: &mut Table, above: &Table) {
    for (name, value) in above {
        match (below.get_mut(name), value) {
            // An empty table clears the one below.
            (Some(Value::Table(below)), Value::Table(above)) if !above.is_empty() => {
                lay(below, above);
            }
            _ => {
                below.insert(name.clone(), value.clone());
            }
        }
    }
}
