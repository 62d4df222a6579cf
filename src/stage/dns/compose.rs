//! The names that compose files in a folder give to containers.
//!
//! Only what is needed of YAML is read: block mappings by their indentation,
//! which is how compose files are written.

use std::path::Path;
use std::time::Instant;

use crate::config::files;

/// The file names that `docker compose` looks for.
const FILES: &[&str] = &[
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
    "compose.override.yaml",
    "compose.override.yml",
    "docker-compose.override.yaml",
    "docker-compose.override.yml",
];

/// No sane compose file is larger.
const LARGEST: u64 = 1 << 20;

/// The names in the folder's compose files, each with its file's name.
pub fn services(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in FILES {
        // A pipe of that name is not waited for.
        let Ok(text) = files::read_until(&folder.join(file), LARGEST, Instant::now()) else {
            continue;
        };
        let names = names(&String::from_utf8_lossy(&text));
        found.extend(names.into_iter().map(|name| (name, (*file).to_owned())));
    }
    found
}

/// The service names, host names and container names in a compose file.
pub fn names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut in_services = false;
    let mut level: Option<usize> = None;
    for line in text.lines() {
        let bare = line.trim_start_matches(' ');
        let indent = line.len() - bare.len();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        let Some((key, value)) = bare.split_once(':') else {
            continue;
        };
        let key = unquoted(key);
        if indent == 0 {
            in_services = key == "services";
            level = None;
            continue;
        }
        if !in_services {
            continue;
        }
        let level = *level.get_or_insert(indent);
        if indent == level {
            names.push(key.to_owned());
        } else if indent > level && matches!(key, "container_name" | "hostname") {
            let value = value.split(" #").next().unwrap_or_default();
            names.push(unquoted(value).to_owned());
        }
    }
    names.retain(|name| !name.is_empty() && !name.contains(['$', ' ']));
    names.dedup();
    names
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_and_their_other_names_are_read() {
        let text = "version: '3'\nx-base: &base\n  image: x\nservices:\n  # the store\n  ledger:\n    \
                    image: postgres:15\n    container_name: \"ledger-main\" # why\n    hostname: led\n  \
                    'web':\n    ports:\n      - 80:80\nvolumes:\n  data: {}\n";
        assert_eq!(names(text), ["ledger", "ledger-main", "led", "web"]);
    }

    #[test]
    fn anything_else_gives_nothing() {
        assert!(names("").is_empty());
        assert!(names("services\n\u{0}: :\n- x").is_empty());
        assert!(names("a:\n  b:\n").is_empty());
    }
}
