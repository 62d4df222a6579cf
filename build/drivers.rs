//! `knowledge/drivers/*.toml`, read strictly. Their README explains the keys.
//!
//! The types here have the names and fields of those in `src/client/profile.rs`, and
//! their `Debug` is Rust: what is read is printed as a constant.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use serde::Deserialize;

/// A list, printed as a slice.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct List<T>(Vec<T>);

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

/// One driver. Its fields are read by printing it.
#[derive(Debug, Deserialize)]
#[expect(dead_code)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    name: String,
    #[serde(default)]
    called: List<String>,
    language: String,
    version: String,
    connector: Option<String>,
    #[serde(default)]
    connectors: List<String>,
    source: String,
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
            profiles.push(read(&path).map_err(|why| format!("{}: {why}", path.display()))?);
        }
    }
    profiles.sort_by_key(|profile| (profile.name != "libpq", profile.name.clone()));
    let mut taken = BTreeSet::new();
    for profile in &profiles {
        for name in std::iter::once(&profile.name).chain(&profile.called.0) {
            if !taken.insert(name) {
                return Err(format!("{name} is the name of two drivers"));
            }
        }
    }
    Ok(format!(
        "static PROFILES: [Profile; {}] = {profiles:#?};\n",
        profiles.len()
    ))
}

fn read(path: &Path) -> Result<Profile, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let profile: Profile = toml::from_str(&text).map_err(|error| error.to_string())?;
    if path.file_stem().and_then(|stem| stem.to_str()) != Some(&profile.name) {
        return Err(format!("the file is not named as {:?}", profile.name));
    }
    if let Some(connector) = &profile.connector
        && !profile.connectors.0.contains(connector)
    {
        return Err(format!("{connector} is none of its connectors"));
    }
    if !profile.source.starts_with("https://") {
        return Err("the source is no https address".to_owned());
    }
    Ok(profile)
}
