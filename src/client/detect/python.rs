//! Python: the extension modules that are loaded, else the packages that are
//! installed where the interpreter looks for them.

use std::path::{Path, PathBuf};

use super::files::Files;
use super::{Detected, Process, installed, is_within, loaded, name};

/// A driver, the names of its distributions, and how its extension is told.
struct Package {
    driver: &'static str,
    distributions: &'static [&'static str],
    is_extension: fn(&Path) -> bool,
}

const PACKAGES: &[Package] = &[
    Package {
        driver: "psycopg2",
        distributions: &["psycopg2", "psycopg2-binary"],
        is_extension: |path| is_within(path, "psycopg2") && name(path).starts_with("_psycopg."),
    },
    Package {
        driver: "psycopg",
        distributions: &["psycopg"],
        is_extension: |path| is_within(path, "psycopg_c") || is_within(path, "psycopg_binary"),
    },
    Package {
        driver: "asyncpg",
        distributions: &["asyncpg"],
        is_extension: |path| is_within(path, "asyncpg"),
    },
    // Python alone: it leaves no trace in memory.
    Package {
        driver: "pg8000",
        distributions: &["pg8000"],
        is_extension: |_| false,
    },
];

/// Those that are loaded.
pub fn find(process: &Process<'_>, files: &Files<'_>) -> Vec<Detected> {
    look(process, files, |package, _| {
        loaded(package.driver, process.mapped(package.is_extension)?)
    })
}

/// Those that are installed where the interpreter looks for them.
pub fn find_installed(process: &Process<'_>, files: &Files<'_>) -> Vec<Detected> {
    let mut found = look(process, files, |package, file| {
        installed(package.driver, file?)
    });
    // psycopg loads libpq without an extension of its own; what does not use
    // libpq is not what loaded it.
    if process.libpq().is_some() {
        found.retain(|one| one.driver.libpq.is_some());
    }
    found
}

/// Each package that `tell` tells, given what says that it is installed.
fn look(
    process: &Process<'_>,
    files: &Files<'_>,
    tell: impl Fn(&Package, Option<&Path>) -> Option<Detected>,
) -> Vec<Detected> {
    if !is_python(process) {
        return Vec::new();
    }
    let places = places(process, files);
    let through = process.mapped(|path| is_within(path, "sqlalchemy"));
    let one = |package: &Package| {
        let file = places.iter().find_map(|place| {
            let (file, version) = version(files, place, package.distributions)?;
            Some((place.join(file), version))
        });
        let told = tell(package, file.as_ref().map(|(file, _)| file.as_path()))?;
        let mut told = told.version(file.as_ref().map(|(_, version)| version.as_str()));
        if matches!(package.driver, "psycopg2" | "psycopg") {
            told = told.on_libpq(process.libpq());
        }
        told.driver.sqlalchemy = through.is_some();
        Some(told)
    };
    PACKAGES.iter().filter_map(one).collect()
}

fn is_python(process: &Process<'_>) -> bool {
    let program = process.program();
    let loads = |path: &Path| {
        let name = name(path);
        name.starts_with("libpython") || name.starts_with("libpypy")
    };
    program.starts_with("python") || program.starts_with("pypy") || process.mapped(loads).is_some()
}

/// The directories of packages, the most certain ones first.
fn places(process: &Process<'_>, files: &Files<'_>) -> Vec<PathBuf> {
    let mut places = Vec::new();
    let mut add = |place: PathBuf| {
        if !places.contains(&place) {
            places.push(place);
        }
    };
    for path in &process.traces.mapped {
        let holds = |folder: &&Path| {
            folder
                .file_name()
                .is_some_and(|name| name == "site-packages" || name == "dist-packages")
        };
        if let Some(place) = path.ancestors().find(holds) {
            add(place.to_owned());
        }
    }
    let paths = (process.variable)("PYTHONPATH").unwrap_or_default();
    for path in paths.split(':').filter(|path| !path.is_empty()) {
        add(process.absolute(path));
    }
    for prefix in prefixes(process) {
        for library in ["lib", "lib64", "local/lib"] {
            let library = prefix.join(library);
            for python in files.names(&library) {
                if python.starts_with("python") || python.starts_with("pypy") {
                    add(library.join(&python).join("site-packages"));
                    add(library.join(&python).join("dist-packages"));
                }
            }
        }
    }
    places
}

/// Where there is a `bin` with the interpreter or the script: a virtual
/// environment, the user's own packages, the system's.
fn prefixes(process: &Process<'_>) -> Vec<PathBuf> {
    let venv = (process.variable)("VIRTUAL_ENV").map(PathBuf::from);
    let home = (process.variable)("HOME").map(|home| Path::new(&home).join(".local"));
    let words = process.traces.arguments.iter().take(3);
    let started = words
        .filter(|word| word.contains('/'))
        .map(|word| process.absolute(word));
    let above = |program: PathBuf| Some(program.parent()?.parent()?.to_owned());
    let program = process.traces.program_path.clone();
    venv.into_iter()
        .chain(started.filter_map(above))
        .chain(home)
        .chain(above(program))
        .collect()
}

/// The version of a distribution that is installed in a place, and what says
/// so: `psycopg2_binary-2.9.9.dist-info`, `psycopg2-2.9.5.egg-info`.
fn version(files: &Files<'_>, place: &Path, of: &[&str]) -> Option<(String, String)> {
    files.names(place).into_iter().find_map(|entry| {
        let stem = entry
            .strip_suffix(".dist-info")
            .or_else(|| entry.strip_suffix(".egg-info"))?;
        let (name, version) = stem.split_once('-')?;
        let name = name.to_ascii_lowercase().replace('_', "-");
        let version = version.split('-').next()?.to_owned();
        of.contains(&name.as_str())
            .then_some((entry.clone(), version))
    })
}
