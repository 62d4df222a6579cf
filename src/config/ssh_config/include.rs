//! `Include`: the files that a pattern names.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::config::ssh::home_of;

use super::read::{DEEPEST, Holds, LinePlace, MOST_FILES, ReadError, Reader, wrong};

impl Reader<'_> {
    pub(super) fn include(
        &mut self,
        words: &[String],
        place: &LinePlace,
        active: Holds,
    ) -> Result<(), ReadError> {
        for word in words {
            if word.is_empty() {
                return Err(wrong("Include with an empty value"));
            }
            let path = match word.strip_prefix('~') {
                Some(_) if !place.user => {
                    return Err(wrong("Include with ~ in the system-wide file"));
                }
                Some(rest) => {
                    let (user, rest) = rest.split_once('/').unwrap_or((rest, ""));
                    let home = match user {
                        "" => self.pattern_home(),
                        user => home_of(user),
                    };
                    // The file of a user who is not there is not there.
                    match home {
                        Some(home) => home.join(rest.trim_start_matches('/')),
                        None => continue,
                    }
                }
                None if word.starts_with('/') => PathBuf::from(word),
                _ => match (place.user, self.pattern_home()) {
                    (true, Some(home)) => home.join(".ssh").join(word),
                    (true, None) => continue,
                    (false, _) => Path::new("/etc/ssh").join(word),
                },
            };
            if self.files >= MOST_FILES {
                continue;
            }
            for path in glob(&path) {
                if place.depth >= DEEPEST || self.files >= MOST_FILES {
                    return Err(wrong("too many nested or included files"));
                }
                let inner = LinePlace {
                    path: &path,
                    depth: place.depth + 1,
                    outer: place.outer.min(active),
                    ..*place
                };
                let mut inside = active;
                self.file(&inner, true, &mut inside)
                    .map_err(ReadError::Rejected)?;
            }
        }
        Ok(())
    }

    /// The home that a pattern begins in: ssh leaves it to glob(3), which goes
    /// by `HOME`, and by the user database only without it.
    fn pattern_home(&self) -> Option<PathBuf> {
        let variables = self.asked.environment;
        let variable = variables.and_then(|variables| variables.get(OsStr::new("HOME")));
        match variable.filter(|home| !home.is_empty()) {
            Some(home) => Some(PathBuf::from(home.expose_os())),
            None => self.asked.home.map(Path::to_owned),
        }
    }
}

/// The files that a path with `*`, `?` and `[…]` names, sorted.
fn glob(path: &Path) -> Vec<PathBuf> {
    let text = path.to_string_lossy().into_owned();
    if !text.contains(['*', '?', '[']) {
        return vec![path.to_owned()];
    }
    let mut found = vec![PathBuf::from("/")];
    for part in text.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for folder in &found {
            if !part.contains(['*', '?', '[']) {
                next.push(folder.join(part));
                continue;
            }
            let Ok(entries) = std::fs::read_dir(folder) else {
                continue;
            };
            for name in entries
                .flatten()
                .take(10_000)
                .map(|entry| entry.file_name())
            {
                let name = name.to_string_lossy().into_owned();
                let hidden = name.starts_with('.') && !part.starts_with('.');
                if !hidden && glob_part(part, &name) {
                    next.push(folder.join(name));
                }
            }
        }
        next.sort();
        next.truncate(MOST_FILES);
        found = next;
    }
    found.retain(|path| path.exists());
    found
}

/// One name against one part of a path, with classes in brackets.
fn glob_part(part: &str, name: &str) -> bool {
    fn at(part: &[char], name: &[char]) -> bool {
        match (part.split_first(), name.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) => {
                (0..=name.len()).any(|n| at(rest, name.get(n..).unwrap_or_default()))
            }
            (Some(('?', rest)), Some((_, name))) => at(rest, name),
            (Some(('[', rest)), Some((c, name))) => {
                let negated = rest.first().is_some_and(|c| matches!(c, '!' | '^'));
                let body = &rest[usize::from(negated)..];
                let Some(end) = body.iter().skip(1).position(|c| *c == ']') else {
                    return *c == '[' && at(rest, name);
                };
                let (class, rest) = body.split_at(end + 1);
                in_class(class, *c) != negated && at(&rest[1..], name)
            }
            (Some((p, rest)), Some((c, name))) => p == c && at(rest, name),
            _ => false,
        }
    }
    let (part, name): (Vec<char>, Vec<char>) = (part.chars().collect(), name.chars().collect());
    // More stars than this are nobody's file name, and would take their time.
    part.iter().filter(|c| **c == '*').count() <= 6 && at(&part, &name)
}

fn in_class(class: &[char], c: char) -> bool {
    let mut at = 0;
    while let Some(&first) = class.get(at) {
        match (class.get(at + 1), class.get(at + 2)) {
            (Some('-'), Some(&last)) => {
                if (first..=last).contains(&c) {
                    return true;
                }
                at += 3;
            }
            _ if first == c => return true,
            _ => at += 1,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{ConfigRejected, Files, HostQuery, Options, lookup};
    use crate::process::Variables;

    #[test]
    fn patterns_begin_in_the_home_of_the_environment() {
        let (database, variable) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (home, port) in [(&database, "Port 1\n"), (&variable, "Port 2\n")] {
            std::fs::create_dir(home.path().join(".ssh")).unwrap();
            std::fs::write(home.path().join(".ssh/more"), port).unwrap();
        }
        let config = database.path().join(".ssh/config");
        let files = Files {
            user: Some(config.clone()),
            ..Files::default()
        };
        for (pattern, home, port) in [
            ("more", Some(variable.path()), 2),
            ("~/.ssh/more", Some(variable.path()), 2),
            ("~/.ssh/mor*", Some(variable.path()), 2),
            ("more", Some(Path::new("")), 1),
            ("more", None, 1),
        ] {
            std::fs::write(&config, format!("Include {pattern}\n")).unwrap();
            let home = home.map(|home| ("HOME".into(), home.into()));
            let environment: Variables = home.into_iter().collect();
            let asked = HostQuery {
                environment: Some(&environment),
                host: "h",
                user: None,
                local_user: "me",
                uid: nix::unistd::getuid().as_raw(),
                home: Some(database.path()),
            };
            let options = lookup(&files, &asked).unwrap();
            assert_eq!(options.port, Some(port), "{pattern} {environment:?}");
        }
    }

    #[test]
    fn includes_and_globs() {
        let folder = tempfile::tempdir().unwrap();
        let ssh = folder.path().join(".ssh");
        std::fs::create_dir_all(ssh.join("conf.d")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(ssh.join(name), text).unwrap();
        write("conf.d/1.conf", "Host h\n User one\n");
        write("conf.d/2.conf", "User two\nPort 7\n");
        write(
            "config",
            "Host no\nInclude conf.d/2.conf\nHost *\nInclude conf.d/[0-9].conf missing\n Port 8\n",
        );
        let files = Files {
            user: Some(ssh.join("config")),
            named: false,
            system: None,
        };
        let asked = |host| HostQuery {
            environment: None,
            host,
            user: None,
            local_user: "me",
            uid: nix::unistd::getuid().as_raw(),
            home: Some(folder.path()),
        };
        let options = lookup(&files, &asked("h")).unwrap();
        assert_eq!(
            (options.user.as_deref(), options.port),
            (Some("one"), Some(7))
        );
        assert_eq!(
            lookup(&files, &asked("x")).unwrap().user.as_deref(),
            Some("two")
        );

        // A folder is read as an empty file.
        std::fs::create_dir(ssh.join("conf.d/3.conf")).unwrap();
        assert_eq!(lookup(&files, &asked("h")).unwrap().port, Some(7));
        let folder = Files {
            user: Some(ssh.clone()),
            named: true,
            system: None,
        };
        assert_eq!(lookup(&folder, &asked("h")).unwrap(), Options::default());

        write("config", "Include config\n");
        assert!(matches!(
            lookup(&files, &asked("h")),
            Err(ConfigRejected::Line { .. })
        ));

        use std::os::unix::fs::PermissionsExt;
        let open = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(ssh.join("config"), open).unwrap();
        assert!(matches!(
            lookup(&files, &asked("h")),
            Err(ConfigRejected::Permissions { .. })
        ));
        let named = Files {
            named: true,
            ..files
        };
        assert!(matches!(
            lookup(&named, &asked("h")),
            Err(ConfigRejected::Line { .. } | ConfigRejected::Permissions { .. })
        ));
    }
}
