//! Connection service files (PostgreSQL documentation, "The Connection
//! Service File").

use std::path::{Path, PathBuf};

use super::conninfo::is_space;

/// The longest line that libpq reads, its end included.
const LONGEST: usize = 1022;

/// What a service sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Name, value and line of each parameter, in the file's order.
    pub parameters: Vec<(String, Vec<u8>, usize)>,
    /// Lines that ask an LDAP server, which is not done here.
    pub ldap: Vec<usize>,
}

/// A line that libpq does not read. It holds no piece of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadServiceLine {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// The group of a service; `None` if the file has none of that name.
///
/// # Errors
/// A line that libpq would stop at: of this group, or too long before its end.
pub fn find(file: &[u8], name: &str) -> Result<Option<Service>, BadServiceLine> {
    let mut found: Option<Service> = None;
    for (at, raw) in file.split_inclusive(|b| *b == b'\n').enumerate() {
        let line = at + 1;
        let bad = |problem| BadServiceLine { line, problem };
        if raw.len() > LONGEST {
            return Err(bad("the line is too long"));
        }
        let text = trimmed(raw);
        match text.first() {
            None | Some(b'#') => {}
            Some(b'[') if found.is_some() => break,
            Some(b'[') => {
                let is_it = text
                    .get(1..)
                    .and_then(|rest| rest.strip_prefix(name.as_bytes()))
                    .is_some_and(|rest| rest.first() == Some(&b']'));
                found = is_it.then(Service::default);
            }
            Some(_) => {
                let Some(service) = &mut found else { continue };
                if text.starts_with(b"ldap") {
                    service.ldap.push(line);
                    continue;
                }
                let split = text.iter().position(|b| *b == b'=');
                let split = split.ok_or(bad("a parameter without \"=\""))?;
                let (key, value) = (text.get(..split), text.get(split + 1..));
                let key = String::from_utf8_lossy(key.unwrap_or_default()).into_owned();
                if key == "service" {
                    return Err(bad("a nested service"));
                }
                let value = value.unwrap_or_default().to_vec();
                service.parameters.push((key, value, line));
            }
        }
    }
    Ok(found)
}

/// The service files in the order that libpq looks at them, and whether one must be there:
/// the one that `PGSERVICEFILE` names, else the one of the home directory; and that of the
/// folder that `PGSYSCONFDIR` names.
pub fn files(
    named: Option<PathBuf>,
    folder: Option<PathBuf>,
    home: Option<&Path>,
) -> Vec<(PathBuf, bool)> {
    let own = match named {
        Some(file) => Some((file, true)),
        None => home.map(|home| (home.join(".pg_service.conf"), false)),
    };
    let folder = folder.unwrap_or_else(|| PathBuf::from("/etc/postgresql-common"));
    own.into_iter()
        .chain([(folder.join("pg_service.conf"), false)])
        .collect()
}

/// The names of all groups, to say what there is.
pub fn names(file: &[u8]) -> Vec<String> {
    file.split(|b| *b == b'\n')
        .filter_map(|raw| {
            let rest = trimmed(raw).strip_prefix(b"[")?;
            let end = rest.iter().position(|b| *b == b']')?;
            Some(String::from_utf8_lossy(rest.get(..end)?).into_owned())
        })
        .collect()
}

fn trimmed(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|b| !is_space(*b));
    let end = line.iter().rposition(|b| !is_space(*b));
    match (start, end) {
        (Some(start), Some(end)) => line.get(start..=end).unwrap_or_default(),
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] =
        b"# services\n[other]\nhost=o\n\n [prod] \nhost=a\n  port=6432  \nhost=b\n[next]\nx\n";

    #[test]
    fn a_group_ends_at_the_next() {
        let service = find(FILE, "prod").unwrap().unwrap();
        let shown: Vec<_> = service
            .parameters
            .iter()
            .map(|(n, v, l)| (n.as_str(), String::from_utf8_lossy(v).into_owned(), *l))
            .collect();
        assert_eq!(
            shown,
            [
                ("host", "a".to_owned(), 6),
                ("port", "6432".to_owned(), 7),
                ("host", "b".to_owned(), 8)
            ]
        );
        assert_eq!(find(FILE, "none"), Ok(None));
        assert_eq!(names(FILE), ["other", "prod", "next"]);
    }

    #[test]
    fn lines_that_libpq_stops_at() {
        assert_eq!(find(FILE, "next").unwrap_err().line, 10);
        assert!(find(b"[a]\nservice=b\n", "a").is_err());
        let long = [b"#".repeat(2000).as_slice(), b"\n[a]\nhost=x\n"].concat();
        assert_eq!(find(&long, "a").unwrap_err().line, 1);
    }
}
