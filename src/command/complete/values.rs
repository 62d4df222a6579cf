//! Values that are read from dbdoctor's own data and from the user's files.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::engine::CompletionCandidate;

use crate::cause;
use crate::cli::Cli;
use crate::client::{Profile, driver};
use crate::config::ssh_config::{self, Files};
use crate::config::{files, service};
use crate::system::System;

/// The drivers of `--as`, with their variants.
pub(super) fn drivers() -> Vec<CompletionCandidate> {
    let mut found = Vec::new();
    for profile in Profile::all() {
        let names = std::iter::once(profile.name.to_owned()).chain(driver::variants(profile));
        found.extend(
            names.map(|name| CompletionCandidate::new(name).help(Some(profile.language.into()))),
        );
    }
    found.push(CompletionCandidate::new("all").help(Some("every driver".into())));
    found
}

/// The commands that have a manual page.
pub(super) fn commands() -> Vec<CompletionCandidate> {
    let root = Cli::command();
    root.get_subcommands()
        .map(|command| {
            CompletionCandidate::new(command.get_name()).help(command.get_about().cloned())
        })
        .collect()
}

/// The codes of all causes.
pub(super) fn codes() -> Vec<CompletionCandidate> {
    cause::all()
        .map(|cause| CompletionCandidate::new(cause.code).help(Some(cause.title.into())))
        .collect()
}

/// The names of the services, from the files that libpq reads.
pub(super) fn services() -> Vec<String> {
    let system = System::of_process();
    let file = |name| system.var(name).map(PathBuf::from);
    let paths = service::files(
        file("PGSERVICEFILE"),
        file("PGSYSCONFDIR"),
        system.home.as_deref(),
    );
    let texts = paths.iter().filter_map(|(path, _)| files::read(path).ok());
    let names: BTreeSet<String> = texts.flat_map(|text| service::names(&text)).collect();
    names.into_iter().collect()
}

/// The hosts that the SSH configuration (this one, else the user's and the system's) and the
/// known_hosts files name, after the user that is already written.
pub(super) fn ssh_hosts(current: &OsStr, config: Option<&OsStr>) -> Vec<CompletionCandidate> {
    let system = System::of_process();
    let current = current.to_string_lossy();
    let at = current.rfind('@').map_or(0, |at| at + 1);
    let (user, written) = current.split_at(at);
    let home = system.ssh_home();
    let files = match config {
        Some(path) => Files {
            user: Some(expanded(Path::new(path), home)),
            named: true,
            system: None,
        },
        None => Files {
            user: home.map(|home| home.join(".ssh/config")),
            named: false,
            system: Some("/etc/ssh/ssh_config".into()),
        },
    };
    let configured = ssh_config::hosts(&files, home, system.uid);
    let mut known = BTreeSet::new();
    if config.is_none() {
        let paths = home.map(|home| home.join(".ssh/known_hosts"));
        for path in paths
            .into_iter()
            .chain([PathBuf::from("/etc/ssh/ssh_known_hosts")])
        {
            let text = files::read(&path).unwrap_or_default();
            known.extend(known_hosts(&String::from_utf8_lossy(&text)));
        }
    }
    known.retain(|name| !configured.contains(name));
    configured
        .into_iter()
        .chain(known)
        .filter(|host| host.starts_with(written))
        .map(|host| CompletionCandidate::new(format!("{user}{host}")))
        .collect()
}

/// A path that the shell did not expand: it stands after `=`.
fn expanded(path: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

/// The hosts of a known_hosts file that are written in plain, as `--ssh` takes them.
fn known_hosts(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.starts_with(['#', '@', '|']))
        .filter_map(|line| line.split_whitespace().next())
        .flat_map(|names| names.split(','))
        .filter(|name| !name.contains(['*', '?', '!']))
        .map(
            |name| match name.strip_prefix('[').and_then(|it| it.split_once("]:")) {
                Some((host, port)) if host.contains(':') => format!("[{host}]:{port}"),
                Some((host, port)) => format!("{host}:{port}"),
                None => name.to_owned(),
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_hosts_in_plain() {
        let text = "# c\n|1|a|b ssh-rsa A\n@revoked x ssh-rsa A\nbastion,10.0.0.1 ssh-rsa A\n\
                    [db.test]:2222 ssh-rsa A\n*.test ssh-rsa A\n[::1]:22 ssh-rsa A\n";
        assert_eq!(
            known_hosts(text),
            ["bastion", "10.0.0.1", "db.test:2222", "[::1]:22"]
        );
    }
}
