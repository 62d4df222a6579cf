//! The file of `--targets`: one target a line, as text or as a JSON object. What a target is
//! to say is judged by the `config` stage, for each by itself; here only what is no line of
//! such a file. No message repeats what a line holds: it may be a password.

use std::collections::HashMap;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::ServerRole;
use super::request::{Request, Whose};
use crate::client::Choice;
use crate::text;

/// The most bytes of a file.
pub const LARGEST: u64 = 16 << 20;
/// The most targets of a file.
pub const MOST: usize = 10_000;
/// The longest line, in bytes.
const LONGEST: usize = 64 << 10;
/// The longest name, in characters.
const LONGEST_NAME: usize = 200;

/// The keys of an object.
const KEYS: [&str; 11] = [
    "target",
    "name",
    "ssh",
    "ssh_key",
    "env_file",
    "as",
    "expect_database",
    "expect_role",
    "expect_server_version",
    "expect_cluster_name",
    "expect_writable",
];

/// A target of the file, with what is its own.
#[derive(Clone, Debug, Default)]
pub struct TargetLine {
    /// The line that it stands on, from 1.
    pub line: usize,
    /// What it is called.
    pub name: Option<String>,
    /// A URI, a connection string or `host[:port]`.
    pub target: String,
    /// As `--as`.
    pub driver: Option<Choice>,
    ssh: Option<Vec<String>>,
    ssh_keys: Option<Vec<String>>,
    env_file: Option<PathBuf>,
    database: Option<String>,
    role: Option<ServerRole>,
    server_version: Option<u32>,
    cluster_name: Option<String>,
    writable: Option<bool>,
}

/// Why a file is none of targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoTargets {
    /// The line, where it is about one.
    pub line: Option<usize>,
    /// What is wrong, in words that hold nothing of the file but names of keys.
    pub problem: String,
}

impl TargetLine {
    /// The target with what the command line says for all of them; what a line says itself
    /// counts.
    pub fn request(&self, all: &Request) -> Request {
        let mut request = Request {
            target: Some(self.target.clone()),
            ..all.clone()
        };
        match self.driver {
            Some(Choice::One(driver)) => request.whose = Whose::As(driver, "the targets file"),
            Some(Choice::All) => request.whose = Whose::Libpq,
            None => {}
        }
        if let Some(hops) = &self.ssh {
            request.ssh.hops.clone_from(hops);
        }
        if let Some(keys) = &self.ssh_keys {
            request.ssh.keys = keys.iter().map(PathBuf::from).collect();
        }
        if let Some(file) = &self.env_file {
            request.env_file = Some(file.clone());
        }
        let guards = &mut request.guards;
        guards.database = self.database.clone().or(guards.database.take());
        guards.role = self.role.or(guards.role);
        guards.server_version = self.server_version.or(guards.server_version);
        guards.cluster_name = self.cluster_name.clone().or(guards.cluster_name.take());
        guards.writable = self.writable.unwrap_or(guards.writable);
        request
    }

    /// What this line says beside the target, of an object.
    fn of(line: usize, object: Map<String, Value>) -> Result<Self, String> {
        let mut read = Self {
            line,
            ..Self::default()
        };
        let mut target = None;
        for (key, value) in object {
            let wrong = |what: &str| format!("{key} must be {what}");
            match key.as_str() {
                "target" => target = Some(word(value).ok_or_else(|| wrong("a string"))?),
                "name" => read.name = Some(name(value)?),
                "ssh" => read.ssh = Some(hops(value).ok_or_else(|| wrong(WORDS))?),
                "ssh_key" => read.ssh_keys = Some(words(value).ok_or_else(|| wrong(WORDS))?),
                "env_file" => {
                    let path = filled(value).ok_or_else(|| wrong(WORD))?;
                    read.env_file = Some(path.into());
                }
                "as" => {
                    let driver = word(value).and_then(|it| Choice::parse(&it).ok());
                    read.driver = Some(driver.ok_or_else(|| wrong("a driver, as --as takes it"))?);
                }
                "expect_database" => {
                    read.database = Some(filled(value).ok_or_else(|| wrong(WORD))?);
                }
                "expect_cluster_name" => {
                    read.cluster_name = Some(filled(value).ok_or_else(|| wrong(WORD))?);
                }
                "expect_role" => {
                    read.role = Some(match value.as_str() {
                        Some("primary") => ServerRole::Primary,
                        Some("standby") => ServerRole::Standby,
                        _ => return Err(wrong("primary or standby")),
                    });
                }
                "expect_server_version" => {
                    let major = value.as_u64().and_then(|it| u32::try_from(it).ok());
                    read.server_version = Some(major.ok_or_else(|| wrong("a number"))?);
                }
                "expect_writable" => {
                    let writable = value.as_bool();
                    read.writable = Some(writable.ok_or_else(|| wrong("true or false"))?);
                }
                _ => return Err(unknown(&key)),
            }
        }
        read.target = target.ok_or("the key target is missing")?;
        Ok(read)
    }
}

const WORD: &str = "a string that is not empty";
const WORDS: &str = "a string or a list of strings";

fn word(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// A string of which something is expected: an empty one is of a variable that is not set.
fn filled(value: Value) -> Option<String> {
    word(value).filter(|text| !text.is_empty())
}

fn words(value: Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) if !text.is_empty() => Some(vec![text]),
        Value::Array(items) => items.into_iter().map(filled).collect(),
        _ => None,
    }
}

/// The SSH servers on the way, as `--ssh` takes them.
fn hops(value: Value) -> Option<Vec<String>> {
    let all = words(value)?;
    let parts = all.iter().flat_map(|hops| hops.split(','));
    Some(parts.map(str::to_owned).collect())
}

fn name(value: Value) -> Result<String, String> {
    let name = word(value).ok_or("name must be a string")?;
    let name = text::visible(&name).trim().to_owned();
    match name.chars().count() {
        0 => Err("name is empty".to_owned()),
        1..=LONGEST_NAME => Ok(name),
        _ => Err(format!("name is longer than {LONGEST_NAME} characters")),
    }
}

/// A key that is none. Only what looks like one is repeated.
fn unknown(key: &str) -> String {
    let is_word = key.len() <= 30
        && key.starts_with(|c: char| c.is_ascii_lowercase())
        && key
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b"_-".contains(&b));
    let closest = KEYS
        .into_iter()
        .min_by_key(|known| text::distance(known, key));
    let close = closest.filter(|known| text::distance(known, key) <= 2);
    match (is_word, close) {
        (false, _) => format!("unknown key; the keys are {}", KEYS.join(", ")),
        (true, _) if key.contains("pass") || text::distance(key, "password") <= 2 => format!(
            "unknown key {key}; a password belongs into the target, into the password file, or \
             into PGPASSWORD in the file of env_file"
        ),
        (true, Some(known)) => format!("unknown key {key}; did you mean {known}?"),
        (true, None) => format!("unknown key {key}; the keys are {}", KEYS.join(", ")),
    }
}

/// The targets of a file.
///
/// # Errors
/// Where it is none.
pub fn parse(bytes: &[u8]) -> Result<Vec<TargetLine>, NoTargets> {
    let of_file = |problem: &str| NoTargets {
        line: None,
        problem: problem.to_owned(),
    };
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(of_file("is in UTF-16; save it as UTF-8"));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut all = Vec::new();
    let mut names: HashMap<String, usize> = HashMap::new();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let number = at + 1;
        let wrong = |problem: String| NoTargets {
            line: Some(number),
            problem,
        };
        if line.len() > LONGEST {
            return Err(wrong(format!("is longer than {} KiB", LONGEST >> 10)));
        }
        let is_text = std::str::from_utf8(line)
            .ok()
            .filter(|it| !it.contains('\0'));
        let Some(text) = is_text else {
            return Err(wrong("is not text in UTF-8".to_owned()));
        };
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if all.len() == MOST {
            return Err(wrong(format!(
                "is target {}; at most {MOST} are checked",
                MOST + 1
            )));
        }
        let read = match text.starts_with('{') {
            true => object(number, text).map_err(wrong)?,
            false => TargetLine {
                line: number,
                target: text.to_owned(),
                ..TargetLine::default()
            },
        };
        if let Some(name) = &read.name
            && let Some(first) = names.insert(name.clone(), number)
        {
            return Err(wrong(format!("has the same name as line {first}")));
        }
        all.push(read);
    }
    match all.is_empty() {
        true => Err(of_file("holds no target")),
        false => Ok(all),
    }
}

/// The object on a line. The parser's own words may quote what it read.
fn object(number: usize, text: &str) -> Result<TargetLine, String> {
    let object: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
        let column = error.column();
        match error.is_eof() {
            true => {
                "is not valid JSON: it ends too early; an object must be on one line".to_owned()
            }
            false => format!("is not valid JSON at column {column}"),
        }
    })?;
    TargetLine::of(number, object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        let bad = parse(text.as_bytes()).unwrap_err();
        match bad.line {
            Some(line) => format!("{line}: {}", bad.problem),
            None => bad.problem,
        }
    }

    #[test]
    fn lines_of_every_kind() {
        let text = "\u{feff}# fleet\r\n\r\npostgres://app:p%23w@db/x#frag\r\n  host=a dbname=b  \n\
                    {\"name\": \"c\", \"target\": \"db:1\", \"ssh\": \"a,b\"}\r\n[::1]:5432";
        let read = parse(text.as_bytes()).unwrap();
        let targets: Vec<_> = read
            .iter()
            .map(|it| (it.line, it.target.as_str()))
            .collect();
        let expected = [
            (3, "postgres://app:p%23w@db/x#frag"),
            (4, "host=a dbname=b"),
            (5, "db:1"),
            (6, "[::1]:5432"),
        ];
        assert_eq!(targets, expected);
        assert_eq!(read[2].name.as_deref(), Some("c"));
        let request = read[2].request(&Request::default());
        assert_eq!(request.ssh.hops, ["a", "b"]);
    }

    #[test]
    fn what_a_line_says_counts() {
        let line = r#"{"target": "db", "ssh_key": ["k"], "env_file": "e", "as": "pgx",
            "expect_role": "standby", "expect_writable": false, "expect_server_version": 16,
            "expect_database": "d", "expect_cluster_name": "c"}"#
            .replace('\n', "");
        let all = Request {
            username: Some("app".to_owned()),
            ..Request::default()
        };
        let request = parse(line.as_bytes()).unwrap()[0].request(&all);
        assert_eq!(request.username.as_deref(), Some("app"));
        assert_eq!(request.ssh.keys, [PathBuf::from("k")]);
        assert!(matches!(request.whose, Whose::As(..)));
        assert_eq!(request.guards.role, Some(ServerRole::Standby));
        assert_eq!(request.guards.server_version, Some(16));
    }

    #[test]
    fn a_bad_line_is_named_and_not_repeated() {
        assert_eq!(problem(""), "holds no target");
        assert_eq!(problem("# a\n\n"), "holds no target");
        assert_eq!(problem("\u{0}"), "1: is not text in UTF-8");
        assert_eq!(problem("a\n{\"target\": 1}"), "2: target must be a string");
        assert_eq!(problem("{\"name\": \"x\"}"), "1: the key target is missing");
        assert_eq!(problem("{} x"), "1: is not valid JSON at column 4");
        assert!(problem("{\"target\": \"s3cret").contains("ends too early"));
        let close = "1: unknown key sshkey; did you mean ssh_key?";
        assert_eq!(problem("{\"target\": \"a\", \"sshkey\": 1}"), close);
        assert!(problem("{\"password\": \"s3cret\"}").contains("env_file"));
        assert!(!problem("{\"S3cret!\": 1}").contains("S3cret"));
        let twice = "{\"name\": \"x\", \"target\": \"a\"}\n".repeat(2);
        assert_eq!(problem(&twice), "2: has the same name as line 1");
        for bad in [
            "{\"target\": \"a\", \"ssh\": 1}",
            "{\"target\": \"a\", \"ssh\": [\"\"]}",
            "{\"target\": \"a\", \"expect_role\": \"leader\"}",
            "{\"target\": \"a\", \"as\": \"s3cret\"}",
            "{\"target\": \"a\", \"name\": \" \"}",
            "{\"target\": \"a\", \"env_file\": \"\"}",
        ] {
            assert!(problem(bad).starts_with("1: "), "{bad}");
            assert!(!problem(bad).contains("s3cret"), "{bad}");
        }
        assert!(parse(&"a\n".repeat(MOST).into_bytes()).is_ok());
        assert!(problem(&"a\n".repeat(MOST + 1)).contains("at most 10000"));
        assert!(problem(&"a".repeat(LONGEST + 1)).contains("64 KiB"));
        assert!(
            parse(b"\xff\xfea\0")
                .unwrap_err()
                .problem
                .contains("UTF-16")
        );
        assert_eq!(parse(b"\x7fELF\xff\n").unwrap_err().line, Some(1));
    }
}
