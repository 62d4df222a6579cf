//! Where a value came from.

use std::path::{Path, PathBuf};

use crate::report::OriginReport;

/// Where a value came from, in libpq's order of strength but for the flags,
/// which win over everything here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag, by its long name.
    Flag(&'static str),
    /// Typed on the terminal.
    Prompt,
    /// The connection URL or string, by what gave it: `TARGET`, `--url`, `--dbname`.
    Target(&'static str),
    /// A variable of the environment; `DATABASE_URL`'s parts too.
    Variable(String),
    /// A variable of another process's environment (`--pid`).
    ProcessVariable {
        /// The variable.
        name: String,
        /// The process.
        pid: i32,
    },
    /// A line of a dotenv file.
    EnvFile {
        /// The variable.
        name: String,
        /// The file, as it was named.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A line of a service file.
    Service {
        /// The service.
        name: String,
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A line of a password file.
    Passfile {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// libpq's default.
    Default,
}

impl Origin {
    /// As people say it: `PGPORT`, `~/.pgpass line 2`, `default`.
    pub fn spoken(&self, home: Option<&Path>) -> String {
        match self {
            Origin::Flag(name) | Origin::Target(name) => (*name).to_owned(),
            Origin::Prompt => "the terminal".to_owned(),
            Origin::Variable(name) => name.clone(),
            Origin::ProcessVariable { name, pid } => format!("{name} of process {pid}"),
            Origin::EnvFile { name, file, line } => {
                format!("{name} in {} line {line}", tilde(file, home))
            }
            Origin::Service { name, file, line } => {
                format!("service {name} in {} line {line}", tilde(file, home))
            }
            Origin::Passfile { file, line } => format!("{} line {line}", tilde(file, home)),
            Origin::Default => "default".to_owned(),
        }
    }

    /// Whether it is a variable, of whatever environment.
    pub fn is_variable(&self) -> bool {
        matches!(
            self,
            Origin::Variable(_) | Origin::ProcessVariable { .. } | Origin::EnvFile { .. }
        )
    }

    /// Whether both are the same URL, service or file.
    pub fn same_source(&self, other: &Origin) -> bool {
        match (self, other) {
            (Origin::Service { name: a, .. }, Origin::Service { name: b, .. }) => a == b,
            (a, b) => a == b,
        }
    }

    /// For the report.
    pub fn report(&self) -> OriginReport {
        let shown = |file: &Path| crate::text::clean_ours(&file.to_string_lossy());
        let (kind, name, place) = match self {
            Origin::Flag(name) => ("flag", Some((*name).to_owned()), None),
            Origin::Prompt => ("prompt", None, None),
            Origin::Target(name) => ("target", Some((*name).to_owned()), None),
            Origin::Variable(name) => ("environment", Some(name.clone()), None),
            Origin::ProcessVariable { name, .. } => {
                ("process-environment", Some(name.clone()), None)
            }
            Origin::EnvFile { name, file, line } => {
                ("env-file", Some(name.clone()), Some((file, *line)))
            }
            Origin::Service { name, file, line } => {
                ("service", Some(name.clone()), Some((file, *line)))
            }
            Origin::Passfile { file, line } => ("passfile", None, Some((file, *line))),
            Origin::Default => ("default", None, None),
        };
        OriginReport {
            kind: kind.to_owned(),
            name: name.map(|name| crate::text::clean_ours(&name)),
            file: place.map(|(file, _)| shown(file)),
            line: place.map(|(_, line)| line),
        }
    }
}

/// A path with the home directory as `~`.
pub fn tilde(path: &Path, home: Option<&Path>) -> String {
    match home.and_then(|home| path.strip_prefix(home).ok()) {
        Some(rest) if !rest.as_os_str().is_empty() => format!("~/{}", rest.display()),
        _ => path.display().to_string(),
    }
}
