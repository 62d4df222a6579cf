//! Node.js: the packages beside the script, found as `require` finds them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::files::Files;
use super::{Detected, Process, installed, loaded, name};

/// A driver and its package.
const PACKAGES: [(&str, &str); 3] = [
    ("node-postgres", "pg"),
    ("postgres.js", "postgres"),
    ("prisma", "@prisma/client"),
];

/// Where Debian's Node.js looks for packages too.
const SYSTEM: [&str; 2] = ["/usr/share/nodejs", "/usr/lib/nodejs"];

pub fn find(process: &Process<'_>, files: &Files<'_>) -> Vec<Detected> {
    let program = process.program();
    if !["node", "nodejs", "bun"].contains(&program.as_str()) {
        return Vec::new();
    }
    let places = places(process);
    PACKAGES
        .iter()
        .filter_map(|(driver, package)| {
            let in_place = |place: &PathBuf| {
                let file = place.join(package).join("package.json");
                version(files, &file, package).map(|version| (file, version))
            };
            let in_store = |place: &PathBuf| of_pnpm(files, place, package);
            let (file, version) = places
                .iter()
                .find_map(in_place)
                .or_else(|| places.iter().find_map(in_store))?;
            let engine = |path: &Path| name(path).starts_with("libquery_engine");
            let one = match process.mapped(engine).filter(|_| *driver == "prisma") {
                Some(engine) => loaded(driver, engine),
                None => installed(driver, &file),
            };
            Some(one?.version(Some(&version)))
        })
        .collect()
}

/// Every `node_modules` that a script may load from: beside it and above it.
fn places(process: &Process<'_>) -> Vec<PathBuf> {
    let words = process.traces.arguments.iter().skip(1).take(8);
    let scripts = words
        .filter(|word| !word.starts_with('-') && !word.is_empty())
        .map(|word| process.absolute(word));
    // A process manager runs a program of its own and names the script here.
    let managed = (process.variable)("pm_exec_path").map(PathBuf::from);
    let starts = managed
        .into_iter()
        .chain(scripts)
        .chain([process.directory.join("script")]);
    let above = starts.flat_map(|start| {
        let folders: Vec<PathBuf> = start.ancestors().skip(1).map(Path::to_owned).collect();
        folders
            .into_iter()
            .map(|folder| folder.join("node_modules"))
    });
    let named = (process.variable)("NODE_PATH").unwrap_or_default();
    let named: Vec<PathBuf> = named
        .split(':')
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .collect();
    let mut places: Vec<PathBuf> = Vec::new();
    for place in above.chain(named).chain(SYSTEM.map(PathBuf::from)) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

/// The version in a package's description, which must be that package's.
fn version(files: &Files<'_>, file: &Path, package: &str) -> Option<String> {
    let description: Value = serde_json::from_str(&files.text(file)?).ok()?;
    let is_it = description.get("name").and_then(Value::as_str) == Some(package);
    let version = description.get("version").and_then(Value::as_str)?;
    is_it.then(|| version.to_owned())
}

/// A package that only another one depends on, where pnpm keeps it:
/// `.pnpm/pg@8.11.3_pg-native@3.0.1`, `.pnpm/@prisma+client@5.1.0`.
fn of_pnpm(files: &Files<'_>, place: &Path, package: &str) -> Option<(PathBuf, String)> {
    let store = place.join(".pnpm");
    let prefix = format!("{}@", package.replace('/', "+"));
    files.names(&store).into_iter().find_map(|entry| {
        entry.strip_prefix(&prefix)?;
        let inner = store.join(&entry).join("node_modules").join(package);
        let file = inner.join("package.json");
        let version = version(files, &file, package)?;
        Some((file, version))
    })
}
