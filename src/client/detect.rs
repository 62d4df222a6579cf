//! Which driver a running process uses, and in which version: told from what
//! it has mapped into its memory and open, and from the files beside those.
//!
//! A library that is loaded is proof. A driver written in the language of the
//! application leaves no such trace; there what is installed where the process
//! looks for its libraries is named, and said to be that. Nothing is told from
//! a name that the process chose itself.

mod binary;
mod files;
mod java;
mod node;
mod others;
mod python;

use std::path::{Path, PathBuf};

use super::{Driver, Profile, Version};
use crate::vantage::Traces;
use files::Files;

/// A driver of a process, and how it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    /// Which. Its version is known only where it says so.
    pub driver: Driver,
    /// In a few words, with the file that tells it.
    pub told_by: String,
}

/// What a process shows, and where its files are.
pub struct Process<'a> {
    /// What it has mapped and open.
    pub traces: &'a Traces,
    /// Its working directory.
    pub directory: &'a Path,
    /// Its environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Where its root directory is to be found; `/` from where it stands.
    pub root: &'a Path,
}

/// The drivers of a process. Those that are loaded come first; more than one
/// is no contradiction: a process may use several.
pub fn detect(process: &Process<'_>) -> Vec<Detected> {
    let files = Files::under(process.root);
    let mut found: Vec<Detected> = [python::find, node::find, java::find, others::find]
        .iter()
        .flat_map(|find| find(process, &files))
        .collect();
    if found.is_empty() {
        found = python::find_installed(process, &files);
    }
    if found.is_empty() {
        found = binary::find(process);
    }
    // Whatever is built on libpq is judged with it; alone it is its own driver.
    let uses_libpq = |detected: &Detected| detected.driver.libpq.is_some();
    if let Some((path, version)) = process.libpq()
        && !found.iter().any(uses_libpq)
    {
        found.extend(loaded("libpq", &path).map(|libpq| libpq.at(version)));
    }
    let mut seen = Vec::new();
    found.retain(|one| match seen.contains(&one.driver) {
        true => false,
        false => {
            seen.push(one.driver);
            true
        }
    });
    found
}

impl Process<'_> {
    /// The name of its program.
    fn program(&self) -> String {
        name(&self.traces.program_path)
    }

    /// The first mapped file that fits.
    fn mapped(&self, fits: impl Fn(&Path) -> bool) -> Option<&Path> {
        let mut mapped = self.traces.mapped.iter().map(PathBuf::as_path);
        mapped.find(|path| fits(path))
    }

    /// The libpq that it has loaded, and its version.
    fn libpq(&self) -> Option<(PathBuf, Version)> {
        self.traces.mapped.iter().find_map(|path| {
            let version = libpq_version(&name(path))?;
            Some((path.clone(), version))
        })
    }

    /// A path that the process wrote, from its working directory.
    fn absolute(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }
}

impl Detected {
    fn at(mut self, version: Version) -> Self {
        self.driver = self.driver.at(version);
        self
    }

    fn version(self, version: Option<&str>) -> Self {
        match version.and_then(Version::parse) {
            Some(version) => self.at(version),
            None => self,
        }
    }

    /// With the libpq that it is built on.
    fn on_libpq(mut self, libpq: Option<(PathBuf, Version)>) -> Self {
        self.driver.libpq = libpq.map(|(_, version)| version);
        self
    }
}

fn driver(name: &str, told_by: String) -> Option<Detected> {
    let driver = Driver::of(Profile::of(name)?);
    Some(Detected { driver, told_by })
}

/// A driver whose library is in the process's memory.
fn loaded(name: &str, path: &Path) -> Option<Detected> {
    driver(name, format!("{} is loaded", path.display()))
}

/// A driver that is installed where the process looks for its libraries.
fn installed(name: &str, path: &Path) -> Option<Detected> {
    driver(name, format!("{} is installed", path.display()))
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.trim_end_matches(" (deleted)").to_owned()
}

/// The version in the name of a libpq: `libpq.so.5.15` is PostgreSQL 15's, and
/// so is one that a wheel brings along, `libpq-9b38f5e3.so.5.15`.
fn libpq_version(name: &str) -> Option<Version> {
    let rest = name.strip_prefix("libpq")?;
    let (hash, minor) = rest.split_once(".so.5.")?;
    let is_hash = hash.is_empty() || hash.starts_with('-');
    let plain = minor.bytes().all(|byte| byte.is_ascii_digit());
    (is_hash && plain).then(|| Version::parse(minor)).flatten()
}

/// Whether a directory of this name is on the path.
fn is_within(path: &Path, folder: &str) -> bool {
    let mut folders = path.components().rev().skip(1);
    folders.any(|component| component.as_os_str() == folder)
}

#[cfg(test)]
mod tests;
