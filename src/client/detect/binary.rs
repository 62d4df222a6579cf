//! Compiled programs: what Go and Rust leave in them about their modules.

use std::io::Read;

use aho_corasick::AhoCorasick;
use flate2::read::ZlibDecoder;
use object::{Object, ObjectSection, ReadCache};
use serde_json::Value;

use super::{Detected, Process, driver};

/// A section is read no further, in bytes.
const LARGEST: u64 = 512 << 20;
/// An unpacked list of dependencies is read no further, in bytes.
const LARGEST_LIST: u64 = 8 << 20;

/// A module or crate, and its version.
type Module = (String, String);

pub fn find(process: &Process<'_>) -> Vec<Detected> {
    let program = process.traces.program.as_ref();
    let Some(file) = program.and_then(|file| file.try_clone().ok()) else {
        return Vec::new();
    };
    let cache = ReadCache::new(file);
    let Ok(object) = object::File::parse(&cache) else {
        return Vec::new();
    };
    let section = |name: &str| {
        let section = object.section_by_name(name)?;
        (section.size() <= LARGEST).then(|| section.data().ok())?
    };
    let path = process.traces.program_path.display();
    if let Some(info) = section(".go.buildinfo").and_then(go_modules) {
        return of_go(&info, &format!("the build information of {path}"));
    }
    let audited = section(".dep-v0").and_then(audited);
    let told_by = match audited {
        Some(_) => format!("the list of dependencies in {path}"),
        None => format!("the source paths in {path}"),
    };
    let crates = audited.or_else(|| section(".rodata").map(crates_in));
    of_rust(&crates.unwrap_or_default(), &told_by)
}

fn of_go(modules: &[Module], told_by: &str) -> Vec<Detected> {
    let module = |(path, version): &Module| {
        let name = match path.as_str() {
            "github.com/lib/pq" => "lib-pq",
            "github.com/jackc/pgx" => "pgx",
            path if path.starts_with("github.com/jackc/pgx/v") => "pgx",
            _ => return None,
        };
        Some(driver(name, told_by.to_owned())?.version(Some(version)))
    };
    modules.iter().filter_map(module).collect()
}

/// The modules in `.go.buildinfo` (Go's debug/buildinfo): a header of 32
/// bytes, then, since Go 1.18, two strings, each after its length.
fn go_modules(section: &[u8]) -> Option<Vec<Module>> {
    const INLINE: u8 = 2;
    section.strip_prefix(b"\xff Go buildinf:")?;
    if section.get(15)? & INLINE == 0 {
        return None;
    }
    let (_version, rest) = go_string(section.get(32..)?)?;
    let (modules, _) = go_string(rest)?;
    // Within markers of 16 bytes at both ends.
    let modules = modules.get(16..modules.len().checked_sub(16)?)?;
    let text = String::from_utf8_lossy(modules);
    let mut found: Vec<Module> = Vec::new();
    for line in text.lines() {
        let mut words = line.split('\t');
        match (words.next()?, words.next(), words.next()) {
            ("dep", Some(path), Some(version)) => {
                found.push((path.to_owned(), version.to_owned()));
            }
            // What the module before it was replaced by; a directory has no version.
            ("=>", Some(_), Some(version)) if version.starts_with('v') => {
                if let Some((_, replaced)) = found.last_mut() {
                    *replaced = version.to_owned();
                }
            }
            _ => {}
        }
    }
    Some(found)
}

fn go_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut length, mut used) = (0usize, 0);
    for byte in bytes.iter().take(5) {
        length |= usize::from(byte & 0x7f) << (7 * used);
        used += 1;
        if byte & 0x80 == 0 {
            return bytes.get(used..)?.split_at_checked(length);
        }
    }
    None
}

fn of_rust(crates: &[Module], told_by: &str) -> Vec<Detected> {
    let version = |name: &str| {
        let (_, version) = crates.iter().find(|(known, _)| known == name)?;
        Some(version.as_str())
    };
    let has = |name: &str| version(name).is_some();
    let one = |name: &str, given: Option<&str>, connector: &'static str| {
        let mut found = driver(name, told_by.to_owned())?.version(Some(given?));
        found.driver.connector = Some(connector);
        Some(found)
    };
    let tokio = match () {
        () if has("tokio-postgres-rustls") => "rustls",
        () if has("postgres-native-tls") => "native-tls",
        () if has("postgres-openssl") => "openssl",
        () => "no-tls",
    };
    let sqlx = match () {
        () if has("rustls") => "rustls",
        () if has("native-tls") => "native-tls",
        () => "no-tls",
    };
    [
        one("tokio-postgres", version("tokio-postgres"), tokio),
        one("sqlx", version("sqlx-postgres"), sqlx),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The crates that cargo-auditable lists: JSON, packed by zlib.
fn audited(section: &[u8]) -> Option<Vec<Module>> {
    let mut json = Vec::new();
    let unpacked = ZlibDecoder::new(section).take(LARGEST_LIST);
    { unpacked }.read_to_end(&mut json).ok()?;
    let list: Value = serde_json::from_slice(&json).ok()?;
    let text = |one: &Value, key: &str| Some(one.get(key)?.as_str()?.to_owned());
    let packages = list.get("packages")?.as_array()?.iter();
    Some(
        packages
            .filter_map(|one| Some((text(one, "name")?, text(one, "version")?)))
            .collect(),
    )
}

/// The crates whose source paths stand in a program, for its panics:
/// `…/tokio-postgres-0.7.10/src/client.rs`.
fn crates_in(section: &[u8]) -> Vec<Module> {
    const CRATES: [&str; 7] = [
        "tokio-postgres",
        "tokio-postgres-rustls",
        "postgres-native-tls",
        "postgres-openssl",
        "sqlx-postgres",
        "rustls",
        "native-tls",
    ];
    let Ok(names) = AhoCorasick::new(CRATES.map(|name| format!("/{name}-"))) else {
        return Vec::new();
    };
    let mut found: Vec<Module> = Vec::new();
    for hit in names.find_overlapping_iter(section) {
        let rest = section.get(hit.end()..).unwrap_or_default();
        let version = rest.iter().take(40).take_while(|byte| **byte != b'/');
        let version: Vec<u8> = version.copied().collect();
        let after = rest.get(version.len()..).unwrap_or_default();
        let name = CRATES.get(hit.pattern().as_usize());
        let (Some(name), Ok(version)) = (name, String::from_utf8(version)) else {
            continue;
        };
        let is_version = version.starts_with(|c: char| c.is_ascii_digit());
        if is_version && after.starts_with(b"/src/") && !found.iter().any(|(n, _)| n == name) {
            found.push(((*name).to_owned(), version));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn go(modules: &str) -> Vec<u8> {
        let mut section = b"\xff Go buildinf:\x08\x02".to_vec();
        section.resize(32, 0);
        section.extend(b"\x08go1.22.1");
        let length = modules.len() + 32;
        section.extend([(length & 0x7f) as u8 | 0x80, (length >> 7) as u8]);
        section.extend([0x30; 16]);
        section.extend(modules.as_bytes());
        section.extend([0x31; 16]);
        section
    }

    #[test]
    fn go_names_its_modules() {
        let section = go("path\tcorp.test/orders\nmod\tcorp.test/orders\t(devel)\t\n\
             dep\tgithub.com/jackc/pgx/v5\tv5.5.4\th1:x\n\
             dep\tgithub.com/lib/pq\tv1.10.0\n=>\tgithub.com/corp/pq\tv1.10.9\th1:y\n\
             dep\tgithub.com/jackc/pgconn\tv1.14.0\th1:z\n");
        let found = of_go(&go_modules(&section).unwrap(), "x");
        let names: Vec<String> = found.iter().map(|one| one.driver.to_string()).collect();
        assert_eq!(names, ["pgx 5.5.4", "lib-pq 1.10.9"]);
        for cut in 0..section.len() {
            let _ = go_modules(&section[..cut]);
        }
    }

    #[test]
    fn rust_leaves_source_paths() {
        let text = b"x/registry/src/index-6f17/tokio-postgres-0.7.10/src/client.rs\0\
            /tokio-postgres-rustls-0.12.0/src/lib.rs /sqlx-postgres-0.8.2/src/connection.rs\
            /rustls-0.23.5/src/a.rs /native-tls-not/src/";
        let found = of_rust(&crates_in(text), "x");
        let names: Vec<String> = found.iter().map(|one| one.driver.to_string()).collect();
        assert_eq!(names, ["tokio-postgres/rustls 0.7.10", "sqlx/rustls 0.8.2"]);
    }
}
