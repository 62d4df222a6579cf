//! Java: the jar files that a process has open, and those inside them.

use std::io::Read;
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::files::Files;
use super::{Detected, Process, loaded, name};

/// No more archives are looked into, and no more of their names.
const MOST_ARCHIVES: usize = 256;
const MOST_NAMES: usize = 200_000;
/// More than a description of an archive needs, in bytes.
const LARGEST: u64 = 64 << 10;

/// Where a jar says which version of the driver it holds.
const PROPERTIES: &str = "META-INF/maven/org.postgresql/postgresql/pom.properties";
const CLASS: &str = "org/postgresql/Driver.class";

pub fn find(process: &Process<'_>, files: &Files<'_>) -> Vec<Detected> {
    let traces = process.traces;
    let mut jars: Vec<&PathBuf> = Vec::new();
    for path in traces.open.iter().chain(&traces.mapped) {
        let ends = ["jar", "war", "ear"].map(|end| path.extension().is_some_and(|e| e == end));
        if ends.contains(&true) && !jars.contains(&path) {
            jars.push(path);
        }
    }
    let named: Vec<Detected> = jars
        .iter()
        .filter_map(|path| {
            let version = version_in_name(&name(path))?;
            Some(loaded("pgjdbc", path)?.version(Some(&version)))
        })
        .collect();
    if !named.is_empty() {
        return named;
    }
    let within = jars.into_iter().take(MOST_ARCHIVES);
    within.filter_map(|path| inside(files, path)).collect()
}

/// The version in a jar's name: `postgresql-42.7.3.jar`, and with its group
/// before it, `org.postgresql.postgresql-42.7.3.jar`. Others are named after
/// the database too; the driver's versions are 9.x and 42.x.
fn version_in_name(name: &str) -> Option<String> {
    let stem = name.strip_suffix(".jar")?;
    let at = stem.find("postgresql-")?;
    let (before, rest) = stem.split_at_checked(at)?;
    let version = rest.strip_prefix("postgresql-")?;
    let alone = before.is_empty() || before.ends_with(['.', '/', '_']);
    let fits = version.starts_with("42.") || version.starts_with("9.");
    (alone && fits).then(|| version.to_owned())
}

/// A jar that holds the driver, as a jar or class by class.
fn inside(files: &Files<'_>, path: &Path) -> Option<Detected> {
    let mut archive = ZipArchive::new(files.open(path)?).ok()?;
    let entries = archive.file_names().take(MOST_NAMES).flatten();
    let inner = { entries }.find_map(|entry| {
        let name = entry.rsplit('/').next().unwrap_or(&entry);
        let version = version_in_name(name)?;
        Some((entry.into_owned(), version))
    });
    if let Some((entry, version)) = inner {
        let whole = PathBuf::from(format!("{}!/{entry}", path.display()));
        return Some(loaded("pgjdbc", &whole)?.version(Some(&version)));
    }
    archive.index_for_name(CLASS)?;
    let version = property(&mut archive, PROPERTIES, "version=").or_else(|| {
        // Of its own jar alone: in another one the version is that one's.
        let mut manifest = |key| property(&mut archive, "META-INF/MANIFEST.MF", key);
        let own = manifest("Implementation-Vendor-Id:").as_deref() == Some("org.postgresql");
        own.then(|| manifest("Implementation-Version:")).flatten()
    });
    Some(loaded("pgjdbc", path)?.version(version.as_deref()))
}

fn property<R: Read + std::io::Seek>(
    archive: &mut ZipArchive<R>,
    file: &str,
    key: &str,
) -> Option<String> {
    let mut text = String::new();
    let entry = archive.by_name(file).ok()?;
    entry.take(LARGEST).read_to_string(&mut text).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.trim().to_owned())
}
