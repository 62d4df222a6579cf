//! The files of a project, read and merged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Map, Value};

use crate::config::{dotenv, files};
use crate::system::System;

use super::Service;
use super::definition::Definition;

/// The names that `docker compose` looks for, in its order.
const FILES: &[&str] = &[
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];

/// The names of what it lays over that.
const OVERRIDES: &[&str] = &[
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// No sane compose file is larger, in bytes.
const LARGEST: u64 = 1 << 20;

/// How many files are read, those that they extend and include among them.
const MOST_FILES: usize = 32;

/// How many services or files may refer to each other in a row.
const DEEPEST: usize = 8;

/// A project's files, before they are read.
pub struct Project<'a> {
    system: &'a System,
    folder: PathBuf,
    files: Vec<PathBuf>,
    /// From `.env`.
    variables: BTreeMap<String, String>,
    /// How many files may still be read.
    left: usize,
}

/// Services by name.
type Definitions = BTreeMap<String, Definition>;

impl<'a> Project<'a> {
    /// The project that `docker compose` finds.
    pub fn find(system: &'a System) -> Option<Self> {
        let above = system.cwd.ancestors();
        let first = |folder: &Path, names: &[&str]| {
            let mut paths = names.iter().map(|name| folder.join(name));
            paths.find(|path| path.is_file())
        };
        let found = above.map(|folder| (folder.to_owned(), first(folder, FILES)));
        let nearest = found.clone().find(|(_, file)| file.is_some());
        let (folder, file) = nearest.unwrap_or_else(|| (system.cwd.clone(), None));
        let mut project = Self {
            system,
            variables: variables(&folder, system),
            files: Vec::new(),
            folder,
            left: MOST_FILES,
        };
        project.files = match project.variable("COMPOSE_FILE").filter(|it| !it.is_empty()) {
            Some(list) => {
                let separator = project.variable("COMPOSE_PATH_SEPARATOR");
                let separator = separator.filter(|it| !it.is_empty());
                let files = list.split(separator.as_deref().unwrap_or(":"));
                files.map(|file| project.folder.join(file)).collect()
            }
            None => file
                .into_iter()
                .chain(first(&project.folder, OVERRIDES))
                .collect(),
        };
        (!project.files.is_empty()).then_some(project)
    }

    /// Its services, then those of the other compose files beside it, which are
    /// read only where they are asked for (`docker compose -f`).
    pub fn services(mut self) -> Vec<Service> {
        let mut merged = Definitions::new();
        for file in self.files.clone() {
            let definitions = self.definitions(&file, 0);
            lay_over(&mut merged, definitions);
        }
        let service = |(name, definition): (String, Definition)| Service {
            name,
            file: definition.file.clone(),
            asked_for: Vec::new(),
            definition,
        };
        let mut services: Vec<Service> = merged.clone().into_iter().map(service).collect();
        for path in self.others() {
            let file = shown(&path, &self.system.cwd);
            for (name, definition) in self.definitions(&path, 0) {
                let base = merged.get(&name);
                let files = self.files.iter().filter(|_| base.is_some());
                let files = files.map(|path| shown(path, &self.system.cwd));
                services.push(Service {
                    name,
                    file: file.clone(),
                    asked_for: files.chain([file.clone()]).collect(),
                    definition: match base {
                        Some(base) => definition.over(base.clone()),
                        None => definition,
                    },
                });
            }
        }
        services
    }

    /// `compose.dev.yaml` and its kin.
    fn others(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten();
        let paths = entries.flatten().map(|entry| entry.path());
        let mut others: Vec<PathBuf> = paths
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let begins = name.starts_with("compose.") || name.starts_with("docker-compose.");
                let ends = name.ends_with(".yml") || name.ends_with(".yaml");
                let usual = FILES.contains(&&*name) || OVERRIDES.contains(&&*name);
                begins && ends && !usual && !self.files.contains(path) && path.is_file()
            })
            .collect();
        others.sort();
        others
    }

    /// What a file defines, and what it includes.
    fn definitions(&mut self, path: &Path, depth: usize) -> Definitions {
        let Some(file) = self.parse(path).filter(|_| depth < DEEPEST) else {
            return Definitions::new();
        };
        let mut all = Definitions::new();
        for included in &file.includes {
            let included = path.with_file_name(included);
            all.extend(self.definitions(&included, depth + 1));
        }
        for name in file.services.keys() {
            if let Some(definition) = self.define(&file, name, depth) {
                let one = [(name.clone(), definition)];
                lay_over(&mut all, Definitions::from(one));
            }
        }
        all
    }

    /// A service of a file, over what it extends.
    fn define(&mut self, file: &ComposeFile, name: &str, depth: usize) -> Option<Definition> {
        let value = file.services.get(name)?;
        let shown = shown(&file.path, &self.system.cwd);
        let mut own = Definition::of(value, shown, &|text| self.interpolated(text));
        if file.has_merge_tags {
            own.ports = None;
        }
        let Some(extends) = value.get("extends") else {
            return Some(own);
        };
        let base = self.extended(file, extends, depth + 1);
        own.ports = own.ports.filter(|_| base.is_some());
        Some(match base {
            Some(base) => own.over(base),
            None => own,
        })
    }

    /// What a service extends: one of the same file, or of another.
    fn extended(
        &mut self,
        file: &ComposeFile,
        extends: &Value,
        depth: usize,
    ) -> Option<Definition> {
        if depth >= DEEPEST {
            return None;
        }
        let name = extends
            .as_str()
            .or_else(|| extends.get("service")?.as_str())?;
        match extends.get("file").and_then(Value::as_str) {
            Some(other) => {
                let other = self.parse(&file.path.with_file_name(other))?;
                self.define(&other, name, depth)
            }
            None => self.define(file, name, depth),
        }
    }

    fn parse(&mut self, path: &Path) -> Option<ComposeFile> {
        self.left = self.left.checked_sub(1)?;
        // A pipe of that name is not waited for.
        let text = files::read_until(path, LARGEST, Instant::now()).ok()?;
        let text = String::from_utf8(text).ok()?;
        let mut root: Map<String, Value> = serde_saphyr::from_str(&text).ok()?;
        let includes = root.get("include").map(included).unwrap_or_default();
        Some(ComposeFile {
            path: path.to_owned(),
            includes,
            services: match root.remove("services") {
                Some(Value::Object(services)) => services,
                _ => Map::new(),
            },
            has_merge_tags: text.contains("!override") || text.contains("!reset"),
        })
    }

    fn variable(&self, name: &str) -> Option<String> {
        let of_file = || self.variables.get(name).cloned();
        self.system.var(name).or_else(of_file)
    }

    /// A value with its variables; none where one has no value.
    fn interpolated(&self, text: &str) -> Option<String> {
        dotenv::interpolated(text, &|name| self.variable(name))
    }
}

/// A file that was read.
struct ComposeFile {
    path: PathBuf,
    services: Map<String, Value>,
    /// The files that it includes.
    includes: Vec<String>,
    /// Whether it says how a list is merged, which the reader of YAML does not
    /// tell (`!override`, `!reset`).
    has_merge_tags: bool,
}

/// The files that a file includes.
fn included(include: &Value) -> Vec<String> {
    let texts = |value: &Value| -> Vec<String> {
        match value {
            Value::String(path) => vec![path.clone()],
            Value::Array(paths) => paths
                .iter()
                .filter_map(|path| path.as_str().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        }
    };
    let entries = include.as_array().into_iter().flatten();
    entries
        .flat_map(|entry| texts(entry.get("path").unwrap_or(entry)))
        .collect()
}

/// Lays the definitions of a later file over those so far.
fn lay_over(all: &mut Definitions, later: Definitions) {
    for (name, definition) in later {
        let merged = match all.remove(&name) {
            Some(base) => definition.over(base),
            None => definition,
        };
        all.insert(name, merged);
    }
}

/// The variables of the folder's `.env`.
fn variables(folder: &Path, system: &System) -> BTreeMap<String, String> {
    let text = files::read_until(&folder.join(".env"), LARGEST, Instant::now());
    let text = text.unwrap_or_default();
    let set = dotenv::parse(&String::from_utf8_lossy(&text), |name| system.var(name));
    set.unwrap_or_default()
        .into_iter()
        .filter_map(|set| Some((set.name, set.value?)))
        .collect()
}

/// A path from the current directory.
fn shown(path: &Path, cwd: &Path) -> String {
    let up = cwd.ancestors().enumerate().find_map(|(up, folder)| {
        let rest = path.strip_prefix(folder).ok()?;
        Some((up, rest))
    });
    match up {
        Some((up, rest)) => format!("{}{}", "../".repeat(up), rest.display()),
        None => path.display().to_string(),
    }
}
