//! `ssh_config(5)`: which values hold for one host. Lines are judged as
//! OpenSSH judges them, those of other hosts too, since ssh stops at any line
//! that it does not understand.

use std::path::{Path, PathBuf};

use super::files;
use super::ssh_lists::AlgorithmLists;

/// How deep files may include each other (readconf.c has the same bound).
const DEEPEST: usize = 16;

/// How many files one host's configuration may take.
const MOST_FILES: usize = 512;

/// What the configuration says about one host; the first value of each wins,
/// and keys and certificates add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `HostName`, not expanded.
    pub hostname: Option<String>,
    /// `User`.
    pub user: Option<String>,
    /// `Port`.
    pub port: Option<u16>,
    /// Every `IdentityFile`, not expanded; `none` among them.
    pub identity_files: Vec<String>,
    /// Every `CertificateFile`, not expanded.
    pub certificate_files: Vec<String>,
    /// `IdentityAgent`, not expanded.
    pub identity_agent: Option<String>,
    /// `IdentitiesOnly`.
    pub identities_only: Option<bool>,
    /// `ProxyJump`, unless a `ProxyCommand` came first.
    pub proxy_jump: Option<String>,
    /// `HostKeyAlias`.
    pub host_key_alias: Option<String>,
    /// `UserKnownHostsFile`, not expanded.
    pub user_known_hosts: Option<Vec<String>>,
    /// `GlobalKnownHostsFile`, not expanded.
    pub global_known_hosts: Option<Vec<String>>,
    /// `StrictHostKeyChecking`, in lower case.
    pub strict: Option<String>,
    /// `NoHostAuthenticationForLocalhost`.
    pub trusts_loopback: Option<bool>,
    /// `KexAlgorithms` and its like.
    pub algorithms: AlgorithmLists,
    /// `PubkeyAuthentication`.
    pub pubkey: Option<bool>,
    /// `PasswordAuthentication`.
    pub password: Option<bool>,
    /// `KbdInteractiveAuthentication`.
    pub questions: Option<bool>,
    /// `PreferredAuthentications`.
    pub preferred_methods: Option<String>,
    /// Settings for this host that are not followed here.
    pub unsupported: Vec<Unsupported>,
    /// Whether a `ProxyCommand` came first.
    proxy_command: bool,
    /// Whether any block asks for a second reading (`Match final`).
    wants_final: bool,
}

/// A setting that is not followed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// As it is spelled in the manual.
    pub keyword: String,
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

/// Why ssh would stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// A line that it does not understand.
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A file that others could write.
    Permissions {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file that is there and cannot be read, or is named and not there.
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: files::Unreadable,
    },
}

/// Where to look.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// The user's file.
    pub user: Option<PathBuf>,
    /// Whether the user's file was named, so that it must be there, and its
    /// owner and mode are not looked at.
    pub named: bool,
    /// The system's file.
    pub system: Option<PathBuf>,
}

/// Who asks for which host.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The host as it was written.
    pub host: &'a str,
    /// The user who was named with it.
    pub user: Option<&'a str>,
    /// The operating-system user.
    pub local_user: &'a str,
    /// Its number.
    pub uid: u32,
    /// The home directory.
    pub home: Option<&'a Path>,
}

/// Reads the files for one host.
///
/// # Errors
/// What ssh would stop at.
pub fn lookup(files: &Files, asked: &Asked) -> Result<Options, Rejected> {
    let mut reader = Reader {
        asked,
        options: Options::default(),
        second: None,
        ignored: Vec::new(),
        files: 0,
    };
    reader.all(files)?;
    if reader.options.wants_final {
        let host = reader.hostname();
        reader.second = Some(host);
        reader.all(files)?;
    }
    Ok(reader.options)
}

/// Reads one text as a file in the user's folder, its includes as nothing.
/// For tests of the parser alone.
///
/// # Errors
/// As [`lookup`].
pub fn lookup_in(text: &str, asked: &Asked) -> Result<Options, Rejected> {
    let mut reader = Reader {
        asked,
        options: Options::default(),
        second: None,
        ignored: Vec::new(),
        files: MOST_FILES,
    };
    let place = Place {
        path: Path::new("config"),
        user: true,
        never: false,
        depth: DEEPEST,
    };
    let mut active = true;
    reader.text(text, &place, &mut active)?;
    Ok(reader.options)
}

struct Reader<'a> {
    asked: &'a Asked<'a>,
    options: Options,
    /// The host's resolved name, on the second reading.
    second: Option<String>,
    /// `IgnoreUnknown`.
    ignored: Vec<String>,
    files: usize,
}

/// Where a line stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a Path,
    /// Whether it is the user's and not the system's.
    user: bool,
    /// Within a block that does not match: nothing of it may count.
    never: bool,
    depth: usize,
}

/// Why one line is wrong.
type Problem = String;

impl Reader<'_> {
    fn all(&mut self, files: &Files) -> Result<(), Rejected> {
        let place = |path, user| Place {
            path,
            user,
            never: false,
            depth: 0,
        };
        if let Some(path) = &files.user {
            let mut active = true;
            let there = self.file(&place(path, true), !files.named, &mut active)?;
            if !there && files.named {
                let why = files::readable(path).err();
                return Err(Rejected::Unreadable {
                    file: path.clone(),
                    why: why.unwrap_or(files::Unreadable {
                        problem: "cannot be read",
                        missing: true,
                    }),
                });
            }
        }
        if let Some(path) = &files.system {
            self.file(&place(path, false), false, &mut true)?;
        }
        Ok(())
    }

    /// Reads a file; says whether it is there.
    fn file(&mut self, place: &Place, guarded: bool, active: &mut bool) -> Result<bool, Rejected> {
        self.files += 1;
        let file = place.path.to_owned();
        let bytes = match files::read(place.path) {
            Ok(bytes) => bytes,
            Err(why) if why.missing => return Ok(false),
            // ssh reads a file of the system's that it may not read as none.
            Err(_) if !place.user && place.depth == 0 => return Ok(false),
            Err(why) => return Err(Rejected::Unreadable { file, why }),
        };
        if guarded && let Some(problem) = self.too_open(place.path) {
            return Err(Rejected::Permissions { file, problem });
        }
        self.text(&String::from_utf8_lossy(&bytes), place, active)?;
        Ok(true)
    }

    /// What ssh has against the owner or the mode of a file.
    fn too_open(&self, path: &Path) -> Option<String> {
        use std::os::unix::fs::MetadataExt;
        let meta = std::fs::metadata(path).ok()?;
        if meta.uid() != 0 && meta.uid() != self.asked.uid {
            return Some(format!("belongs to user number {}", meta.uid()));
        }
        let mode = meta.mode() & 0o7777;
        (mode & 0o022 != 0).then(|| format!("has mode {mode:04o}, so that others may write it"))
    }

    fn text(&mut self, text: &str, place: &Place, active: &mut bool) -> Result<(), Rejected> {
        for (at, line) in text.split('\n').enumerate() {
            self.line(line, at + 1, place, active)
                .map_err(|broken| match broken {
                    Broken::Line(problem) => Rejected::Line {
                        file: place.path.to_owned(),
                        line: at + 1,
                        problem,
                    },
                    Broken::Included(rejected) => rejected,
                })?;
        }
        Ok(())
    }

    fn line(
        &mut self,
        line: &str,
        number: usize,
        place: &Place,
        active: &mut bool,
    ) -> Result<(), Broken> {
        let blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n' | '\u{c}');
        let line = line.trim_end_matches(blank).trim_start_matches(blank);
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (keyword, rest) = split_keyword(line);
        let keyword = keyword.to_ascii_lowercase();
        if rest.is_empty() {
            return Err(wrong(format!("no value after {keyword}")));
        }
        let words = words(rest).ok_or_else(|| wrong("a quote that is not closed"))?;
        let Some(kind) = Kind::of(&keyword) else {
            let ignored = self.ignored.iter().any(|p| pattern(p, &keyword));
            return match ignored {
                true => Ok(()),
                false => Err(wrong(format!("ssh knows no option {keyword}"))),
            };
        };
        match kind {
            Kind::Host => {
                *active = !place.never && host_matches(self.asked.host, &words).map_err(wrong)?;
            }
            Kind::Match => {
                let matched = self.criteria(&words, number, place).map_err(wrong)?;
                *active = matched && !place.never;
            }
            Kind::Include => self.include(&words, place, *active)?,
            kind => {
                let mut setting = Setting {
                    keyword: &keyword,
                    words: &words,
                    at: 0,
                };
                self.set(kind, &mut setting, number, place, *active)
                    .map_err(wrong)?;
                if setting.at < words.len() && kind.ends() {
                    return Err(wrong(format!("more than one value after {keyword}")));
                }
            }
        }
        Ok(())
    }

    /// Reads a setting, and keeps it where the block matches.
    fn set(
        &mut self,
        kind: Kind,
        setting: &mut Setting,
        number: usize,
        place: &Place,
        active: bool,
    ) -> Result<(), Problem> {
        let options = &mut self.options;
        match kind {
            Kind::HostName => keep(&mut options.hostname, setting.value()?, active),
            Kind::User => keep(&mut options.user, setting.value()?, active),
            Kind::HostKeyAlias => keep(&mut options.host_key_alias, setting.value()?, active),
            Kind::IdentityAgent => keep(&mut options.identity_agent, setting.value()?, active),
            Kind::Port => {
                let port = setting.value()?;
                let port = port.parse::<u16>().ok().filter(|port| *port > 0);
                let port = port.or_else(|| (setting.words == ["ssh"]).then_some(22));
                keep(
                    &mut options.port,
                    port.ok_or("a port that is none")?,
                    active,
                );
            }
            Kind::IdentitiesOnly => {
                let value = flag(&setting.value()?)?;
                keep(&mut options.identities_only, value, active);
            }
            Kind::StrictHostKeyChecking => {
                let value = setting.value()?.to_ascii_lowercase();
                match value.as_str() {
                    "yes" | "true" | "no" | "false" | "off" | "ask" | "accept-new" => {
                        keep(&mut options.strict, value, active);
                    }
                    _ => {
                        return Err(
                            "StrictHostKeyChecking with a value that ssh does not know".to_owned()
                        );
                    }
                }
            }
            Kind::IdentityFile => add(&mut options.identity_files, setting.value()?, active),
            Kind::CertificateFile => add(&mut options.certificate_files, setting.value()?, active),
            Kind::UserKnownHostsFile | Kind::GlobalKnownHostsFile => {
                let files: Vec<String> = setting.rest();
                if files.len() > 1 && files.iter().any(|f| f.eq_ignore_ascii_case("none")) {
                    return Err(format!("none beside other values of {}", setting.keyword));
                }
                let into = match kind {
                    Kind::UserKnownHostsFile => &mut options.user_known_hosts,
                    _ => &mut options.global_known_hosts,
                };
                keep(into, files, active);
            }
            Kind::ProxyJump => {
                let value = setting.value()?;
                if !value.eq_ignore_ascii_case("none")
                    && value.split(',').any(|h| jump(h).is_none())
                {
                    return Err("a ProxyJump that is no list of [USER@]HOST[:PORT]".to_owned());
                }
                if !options.proxy_command {
                    keep(&mut options.proxy_jump, value, active);
                }
            }
            Kind::ProxyCommand => {
                let none = setting
                    .words
                    .first()
                    .is_some_and(|w| w.eq_ignore_ascii_case("none"));
                setting.rest();
                // Whichever of the two comes first wins.
                if active && !options.proxy_command && options.proxy_jump.is_none() {
                    options.proxy_command = true;
                    if !none {
                        self.not_followed("ProxyCommand", number, place);
                    }
                }
            }
            Kind::IgnoreUnknown => {
                let patterns = setting.value()?;
                if active && self.ignored.is_empty() {
                    self.ignored = patterns
                        .to_ascii_lowercase()
                        .split(',')
                        .map(str::to_owned)
                        .collect();
                }
            }
            Kind::KexAlgorithms => keep(&mut options.algorithms.kex, setting.value()?, active),
            Kind::HostKeyAlgorithms => {
                keep(&mut options.algorithms.host_key, setting.value()?, active);
            }
            Kind::Ciphers => keep(&mut options.algorithms.cipher, setting.value()?, active),
            Kind::Macs => keep(&mut options.algorithms.mac, setting.value()?, active),
            Kind::PubkeyAcceptedAlgorithms => {
                keep(&mut options.algorithms.pubkey, setting.value()?, active);
            }
            Kind::PreferredAuthentications => {
                keep(&mut options.preferred_methods, setting.value()?, active);
            }
            Kind::NoHostAuthenticationForLocalhost => {
                keep(
                    &mut options.trusts_loopback,
                    flag(&setting.value()?)?,
                    active,
                );
            }
            Kind::PasswordAuthentication => {
                keep(&mut options.password, flag(&setting.value()?)?, active);
            }
            Kind::KbdInteractiveAuthentication => {
                keep(&mut options.questions, flag(&setting.value()?)?, active);
            }
            Kind::PubkeyAuthentication => {
                let value = setting.value()?;
                let value = match value.as_str() {
                    "unbound" | "host-bound" => true,
                    value => flag(value)?,
                };
                keep(&mut options.pubkey, value, active);
            }
            Kind::Flag => {
                flag(&setting.value()?)?;
            }
            Kind::Number => {
                let value = setting.value()?;
                if value != "none" && value.parse::<i64>().is_err() {
                    return Err(format!(
                        "{} with a value that is no number",
                        setting.keyword
                    ));
                }
            }
            Kind::One => {
                setting.value()?;
            }
            Kind::Unfollowed(name, harmless) => {
                let values = setting.rest();
                let default = values.first().is_some_and(|value| {
                    harmless.split(' ').any(|h| h.eq_ignore_ascii_case(value))
                });
                if active && !default {
                    self.not_followed(name, number, place);
                }
            }
            Kind::Many | Kind::Host | Kind::Match | Kind::Include => {
                setting.rest();
            }
        }
        Ok(())
    }

    /// Notes a setting that is not followed, once.
    fn not_followed(&mut self, keyword: &str, line: usize, place: &Place) {
        let known = |other: &Unsupported| other.keyword == keyword;
        if !self.options.unsupported.iter().any(known) {
            self.options.unsupported.push(Unsupported {
                keyword: keyword.to_owned(),
                file: place.path.to_owned(),
                line,
            });
        }
    }

    /// Whether all criteria of a `Match` line hold.
    fn criteria(&mut self, words: &[String], line: usize, place: &Place) -> Result<bool, Problem> {
        let mut words = words.iter().map(String::as_str).peekable();
        let (mut matched, mut count, mut unknown) = (true, 0, None);
        while let Some(word) = words.next() {
            if word.starts_with('#') {
                break;
            }
            let negated = word.starts_with('!');
            let (name, inline) = match word.trim_start_matches('!').split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word.trim_start_matches('!'), None),
            };
            let name = name.to_ascii_lowercase();
            if name == "all" {
                let more = words.peek().is_some_and(|word| !word.starts_with('#'));
                if count > 1 || more {
                    return Err("\"all\" beside other criteria of Match".to_owned());
                }
                return Ok(matched && !negated);
            }
            count += 1;
            if name == "canonical" || name == "final" {
                self.options.wants_final |= name == "final";
                let holds = name == "final" && self.second.is_some();
                matched &= holds != negated;
                continue;
            }
            let value = inline.or_else(|| words.next());
            let value = value.filter(|value| !value.is_empty());
            let value =
                value.ok_or_else(|| format!("a criterion of Match without a value: {name}"))?;
            let holds = match name.as_str() {
                "host" => pattern_list(value, &self.hostname().to_ascii_lowercase()),
                "originalhost" => pattern_list(value, self.asked.host),
                "user" => pattern_list(value, &self.user()),
                "localuser" => pattern_list(value, self.asked.local_user),
                "exec" | "localnetwork" | "tagged" | "version" | "sessiontype" | "command" => {
                    unknown.get_or_insert(name);
                    continue;
                }
                _ => {
                    return Err(format!(
                        "a criterion of Match that ssh does not know: {name}"
                    ));
                }
            };
            matched &= holds != negated;
        }
        if count == 0 {
            return Err("Match without a criterion".to_owned());
        }
        // Only a block that would count but for that criterion is worth a word.
        if let Some(name) = unknown {
            if matched && !place.never {
                self.not_followed(&format!("Match {name}"), line, place);
            }
            return Ok(false);
        }
        Ok(matched)
    }

    /// The host's name as far as it is known.
    fn hostname(&self) -> String {
        match (&self.second, &self.options.hostname) {
            (Some(host), _) => host.clone(),
            (None, Some(name)) => name.replace("%h", self.asked.host).replace("%%", "%"),
            (None, None) => self.asked.host.to_owned(),
        }
    }

    fn user(&self) -> String {
        let user = self.asked.user.or(self.options.user.as_deref());
        user.unwrap_or(self.asked.local_user).to_owned()
    }

    fn include(&mut self, words: &[String], place: &Place, active: bool) -> Result<(), Broken> {
        for word in words {
            if word.is_empty() {
                return Err(wrong("Include with an empty value"));
            }
            let path = match word.strip_prefix("~/") {
                Some(rest) if place.user => match self.asked.home {
                    Some(home) => home.join(rest),
                    None => continue,
                },
                _ if word.starts_with('~') && !place.user => {
                    return Err(wrong("Include with ~ in the system's file"));
                }
                _ if word.starts_with('/') => PathBuf::from(word),
                _ => match (place.user, self.asked.home) {
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
                    return Err(wrong("too many files include each other"));
                }
                let inner = Place {
                    path: &path,
                    depth: place.depth + 1,
                    never: place.never || !active,
                    ..*place
                };
                let mut inside = active;
                self.file(&inner, true, &mut inside)
                    .map_err(Broken::Included)?;
            }
        }
        Ok(())
    }
}

/// Why reading ends.
enum Broken {
    Line(Problem),
    Included(Rejected),
}

fn wrong(problem: impl Into<String>) -> Broken {
    Broken::Line(problem.into())
}

/// The first value wins.
fn keep<T>(into: &mut Option<T>, value: T, active: bool) {
    if active {
        into.get_or_insert(value);
    }
}

fn add(into: &mut Vec<String>, value: String, active: bool) {
    if active && !into.contains(&value) && into.len() < 100 {
        into.push(value);
    }
}

fn flag(value: &str) -> Result<bool, Problem> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err("a value that is neither yes nor no".to_owned()),
    }
}

/// A keyword's values, taken one by one.
struct Setting<'a> {
    keyword: &'a str,
    words: &'a [String],
    at: usize,
}

impl Setting<'_> {
    fn value(&mut self) -> Result<String, Problem> {
        let value = self.words.get(self.at).filter(|word| !word.is_empty());
        self.at += 1;
        value
            .cloned()
            .ok_or_else(|| format!("no value after {}", self.keyword))
    }

    fn rest(&mut self) -> Vec<String> {
        let rest = self.words.get(self.at..).unwrap_or_default().to_vec();
        self.at = self.words.len();
        rest
    }
}

/// The keyword, and what is behind the blanks or the one `=` after it.
fn split_keyword(line: &str) -> (&str, &str) {
    let blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    if let Some(quoted) = line.strip_prefix('"')
        && let Some((keyword, rest)) = quoted.split_once('"')
    {
        return (keyword, rest.trim_start_matches(blank));
    }
    let end = line.find(|c| blank(c) || c == '=').unwrap_or(line.len());
    let rest = line[end..].trim_start_matches(blank);
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    (&line[..end], rest.trim_start_matches(blank))
}

/// Words with quotes and backslashes, up to a comment; `None` where a quote is
/// not closed.
fn words(text: &str) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        match chars.peek() {
            None | Some('#') => return Some(out),
            Some(_) => {}
        }
        let mut word = String::new();
        let mut quote: Option<char> = None;
        while let Some(c) = chars.next() {
            let next = chars.peek().copied();
            match (c, quote) {
                ('\\', open)
                    if matches!(next, Some('\'' | '"' | '\\'))
                        || (open.is_none() && next == Some(' ')) =>
                {
                    word.extend(chars.next());
                }
                (' ' | '\t', None) => break,
                ('\'' | '"', None) => quote = Some(c),
                (c, Some(open)) if c == open => quote = None,
                (c, _) => word.push(c),
            }
        }
        if quote.is_some() {
            return None;
        }
        out.push(word);
    }
}

/// Whether a `Host` line matches: one pattern must, and none with `!`.
fn host_matches(host: &str, patterns: &[String]) -> Result<bool, Problem> {
    let mut matched = false;
    for word in patterns {
        let (negated, text) = match word.strip_prefix('!') {
            Some(text) => (true, text),
            None => (false, word.as_str()),
        };
        if word.is_empty() {
            return Err("an empty pattern after Host".to_owned());
        }
        if pattern(text, host) {
            if negated {
                return Ok(false);
            }
            matched = true;
        }
    }
    Ok(matched)
}

/// A list separated by commas: one pattern must match, and none with `!`.
fn pattern_list(list: &str, text: &str) -> bool {
    let mut matched = false;
    for item in list.split(',') {
        match item.strip_prefix('!') {
            Some(negated) if pattern(negated, text) => return false,
            Some(_) => {}
            None => matched |= pattern(item, text),
        }
    }
    matched
}

/// A pattern of `*`, `?` and letters that must be the same.
pub fn pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || Some(c) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern
        .get(p..)
        .unwrap_or_default()
        .iter()
        .all(|c| *c == '*')
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

/// `[USER@]HOST[:PORT]`, also `ssh://…` and `[IPv6]:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The user, if one is named.
    pub user: Option<String>,
    /// The host.
    pub host: String,
    /// The port, if one is named.
    pub port: Option<u16>,
}

/// Reads a destination as ssh does; `None` if it is none.
pub fn spec(text: &str) -> Option<Spec> {
    let text = text.trim();
    let text = text
        .strip_prefix("ssh://")
        .map_or(text, |rest| rest.trim_end_matches('/'));
    let (user, place) = match text.rsplit_once('@') {
        Some(("", _)) => return None,
        Some((user, place)) => (Some(user.to_owned()), place),
        None => (None, text),
    };
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return None,
            }
        }
        None => match place.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (place, None),
        },
    };
    let port = match port {
        Some("") | None => None,
        Some(port) => Some(port.parse().ok().filter(|port| *port > 0)?),
    };
    let odd = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(
                c,
                '\'' | '"' | '`' | '$' | '\\' | ';' | '<' | '>' | '|' | '(' | ')' | '{' | '}'
            )
    };
    let fine = !host.is_empty() && !host.starts_with('-') && !host.contains(odd);
    fine.then(|| Spec {
        user,
        host: host.to_owned(),
        port,
    })
}

/// A destination of `ProxyJump`, where an IPv6 address needs its brackets.
pub fn jump(text: &str) -> Option<Spec> {
    let place = text.strip_prefix("ssh://").unwrap_or(text);
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let bare = !place.starts_with('[') && place.matches(':').count() > 1;
    spec(text).filter(|_| !bare)
}

/// What a keyword takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Host,
    Match,
    Include,
    HostName,
    User,
    Port,
    IdentityFile,
    CertificateFile,
    IdentityAgent,
    IdentitiesOnly,
    ProxyJump,
    ProxyCommand,
    HostKeyAlias,
    UserKnownHostsFile,
    GlobalKnownHostsFile,
    StrictHostKeyChecking,
    NoHostAuthenticationForLocalhost,
    KexAlgorithms,
    HostKeyAlgorithms,
    Ciphers,
    Macs,
    PubkeyAcceptedAlgorithms,
    PubkeyAuthentication,
    PasswordAuthentication,
    KbdInteractiveAuthentication,
    PreferredAuthentications,
    IgnoreUnknown,
    /// yes or no, of no consequence here.
    Flag,
    /// A number, of no consequence here.
    Number,
    /// One value, of no consequence here.
    One,
    /// Any values, of no consequence here.
    Many,
    /// Of consequence, and not followed: the manual's spelling, and the
    /// values that change nothing.
    Unfollowed(&'static str, &'static str),
}

impl Kind {
    /// Whether nothing may stand behind its value.
    fn ends(self) -> bool {
        !matches!(self, Kind::Many)
    }

    fn of(keyword: &str) -> Option<Kind> {
        use Kind::*;
        Some(match keyword {
            "host" => Host,
            "match" => Match,
            "include" => Include,
            "hostname" => HostName,
            "user" => User,
            "port" => Port,
            "identityfile" | "identityfile2" => IdentityFile,
            "certificatefile" => CertificateFile,
            "identityagent" => IdentityAgent,
            "identitiesonly" => IdentitiesOnly,
            "proxyjump" => ProxyJump,
            "proxycommand" => ProxyCommand,
            "hostkeyalias" => HostKeyAlias,
            "userknownhostsfile" => UserKnownHostsFile,
            "globalknownhostsfile" => GlobalKnownHostsFile,
            "stricthostkeychecking" => StrictHostKeyChecking,
            "ignoreunknown" => IgnoreUnknown,
            "addressfamily" => Unfollowed("AddressFamily", "any"),
            "bindaddress" => Unfollowed("BindAddress", ""),
            "bindinterface" => Unfollowed("BindInterface", ""),
            "canonicalizehostname" => Unfollowed("CanonicalizeHostname", "no false"),
            "casignaturealgorithms" => Unfollowed("CASignatureAlgorithms", ""),
            "ciphers" => Ciphers,
            "hostkeyalgorithms" => HostKeyAlgorithms,
            "kexalgorithms" => KexAlgorithms,
            "macs" => Macs,
            "pubkeyacceptedalgorithms" | "pubkeyacceptedkeytypes" => PubkeyAcceptedAlgorithms,
            "knownhostscommand" => Unfollowed("KnownHostsCommand", "none"),
            "nohostauthenticationforlocalhost" => NoHostAuthenticationForLocalhost,
            "passwordauthentication" => PasswordAuthentication,
            "pkcs11provider" | "smartcarddevice" => Unfollowed("PKCS11Provider", "none"),
            "preferredauthentications" => PreferredAuthentications,
            "kbdinteractiveauthentication"
            | "challengeresponseauthentication"
            | "skeyauthentication"
            | "tisauthentication" => KbdInteractiveAuthentication,
            "proxyusefdpass" => Unfollowed("ProxyUseFdpass", "no false"),
            "pubkeyauthentication" | "dsaauthentication" => PubkeyAuthentication,
            "revokedhostkeys" => Unfollowed("RevokedHostKeys", "none"),
            "verifyhostkeydns" => Unfollowed("VerifyHostKeyDNS", "no false ask"),
            "refuseconnection" => Unfollowed("RefuseConnection", ""),
            "batchmode"
            | "canonicalizefallbacklocal"
            | "checkhostip"
            | "clearallforwardings"
            | "compression"
            | "enableescapecommandline"
            | "enablesshkeysign"
            | "exitonforwardfailure"
            | "forkafterauthentication"
            | "forwardx11"
            | "forwardx11trusted"
            | "gatewayports"
            | "gssapiauthentication"
            | "gssapidelegatecredentials"
            | "gssapikeyexchange"
            | "gssapirenewalforcesrekey"
            | "gssapitrustdns"
            | "hashknownhosts"
            | "hostbasedauthentication"
            | "permitlocalcommand"
            | "stdinnull"
            | "streamlocalbindunlink"
            | "tcpkeepalive"
            | "keepalive"
            | "visualhostkey" => Flag,
            "canonicalizemaxdots"
            | "connectionattempts"
            | "numberofpasswordprompts"
            | "serveralivecountmax"
            | "requiredrsasize" => Number,
            "connecttimeout"
            | "serveraliveinterval"
            | "forwardx11timeout"
            | "controlmaster"
            | "controlpath"
            | "controlpersist"
            | "dynamicforward"
            | "escapechar"
            | "fingerprinthash"
            | "forwardagent"
            | "gssapiclientidentity"
            | "gssapikexalgorithms"
            | "gssapiserveridentity"
            | "hostbasedacceptedalgorithms"
            | "hostbasedkeytypes"
            | "loglevel"
            | "obscurekeystroketiming"
            | "requesttty"
            | "securitykeyprovider"
            | "sessiontype"
            | "streamlocalbindmask"
            | "syslogfacility"
            | "tag"
            | "tunnel"
            | "tunneldevice"
            | "updatehostkeys"
            | "warnweakcrypto"
            | "versionaddendum"
            | "xauthlocation" => One,
            "addkeystoagent"
            | "canonicaldomains"
            | "canonicalizepermittedcnames"
            | "channeltimeout"
            | "ipqos"
            | "kbdinteractivedevices"
            | "localcommand"
            | "localforward"
            | "logverbose"
            | "permitremoteopen"
            | "rekeylimit"
            | "remotecommand"
            | "remoteforward"
            | "sendenv"
            | "setenv" => Many,
            // Retired, and read as nothing.
            "afstokenpassing"
            | "cipher"
            | "fallbacktorsh"
            | "globalknownhostsfile2"
            | "kerberosauthentication"
            | "kerberostgtpassing"
            | "protocol"
            | "compressionlevel"
            | "rhostsauthentication"
            | "rhostsrsaauthentication"
            | "rsaauthentication"
            | "useprivilegedport"
            | "userknownhostsfile2"
            | "useroaming"
            | "usersh"
            | "debianbanner" => Many,
            #[cfg(target_os = "macos")]
            "usekeychain" => Flag,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, host: &str) -> Result<Options, Rejected> {
        let asked = Asked {
            host,
            user: None,
            local_user: "me",
            uid: 1000,
            home: None,
        };
        lookup_in(text, &asked)
    }

    #[test]
    fn the_first_value_wins_and_keys_add_up() {
        let text = "
# comment
Host db*  !db9
  User=ops
  Port 2222
  IdentityFile \"~/a key\"
Host *
  User other
  IdentityFile ~/b
  HostName %h.test
  StrictHostKeyChecking OFF
";
        let options = read(text, "db1").unwrap();
        assert_eq!(options.user.as_deref(), Some("ops"));
        assert_eq!(options.port, Some(2222));
        assert_eq!(options.identity_files, ["~/a key", "~/b"]);
        assert_eq!(options.hostname.as_deref(), Some("%h.test"));
        assert_eq!(options.strict.as_deref(), Some("off"));
        assert_eq!(read(text, "db9").unwrap().user.as_deref(), Some("other"));
        assert_eq!(read(text, "DB1").unwrap().port, None);
    }

    #[test]
    fn criteria() {
        for (line, holds) in [
            ("all", true),
            ("host h", true),
            ("host !h,*", false),
            ("host a,h user me", true),
            ("user you", false),
            ("!user you", true),
            ("originalhost h localuser me", true),
            ("final", false),
            ("exec \"true\"", false),
        ] {
            let options = read(&format!("Match {line}\n Port 7"), "h").unwrap();
            assert_eq!(options.port == Some(7), holds, "{line}");
        }
        let options = read("Match host h exec \"x y\"\n Port 7", "h").unwrap();
        assert_eq!(options.unsupported[0].keyword, "Match exec");
        assert!(
            read("Match host q exec x\n Port 7", "h")
                .unwrap()
                .unsupported
                .is_empty()
        );
        for bad in [
            "",
            "host",
            "nonsense x",
            "all user me",
            "user me host h all",
        ] {
            assert!(read(&format!("Match {bad}"), "h").is_err(), "{bad}");
        }
    }

    #[test]
    fn lines_that_ssh_stops_at() {
        for bad in [
            "Nonsense yes",
            "UseKeychain yes",
            "Port",
            "Port x",
            "Port 0",
            "Port 70000",
            "User \"x",
            "User a b",
            "IdentitiesOnly maybe",
            "StrictHostKeyChecking maybe",
            "ProxyJump a:x",
            "UserKnownHostsFile a none",
            "Host other\n Nonsense yes",
        ] {
            assert!(read(bad, "h").is_err(), "{bad}");
        }
        for fine in [
            "IgnoreUnknown UseKey*\nUseKeychain yes",
            "SendEnv LANG LC_*",
            "User x # comment",
            "LocalForward 1 a:2",
            "ProxyCommand nc %h %p",
            "ConnectTimeout 10",
            "ServerAliveInterval 1m",
            "\tport=22\r",
            "HostName = h",
        ] {
            assert!(read(fine, "h").is_ok(), "{fine}");
        }
    }

    #[test]
    fn what_is_not_followed_is_named() {
        let named = |text: &str| -> Vec<String> {
            let options = read(text, "h").unwrap();
            options.unsupported.into_iter().map(|u| u.keyword).collect()
        };
        assert_eq!(named("ProxyCommand nc %h %p"), ["ProxyCommand"]);
        assert_eq!(named("ProxyCommand none"), [""; 0]);
        assert_eq!(named("ProxyJump a\nProxyCommand nc"), [""; 0]);
        assert_eq!(named("Host x\nProxyCommand nc"), [""; 0]);
        assert_eq!(named("AddressFamily any\nCiphers +aes128-cbc"), ["Ciphers"]);
    }

    #[test]
    fn destinations() {
        let read = |text: &str| {
            spec(text).map(|s| (s.user.unwrap_or_default(), s.host, s.port.unwrap_or(0)))
        };
        let some = |user: &str, host: &str, port| Some((user.to_owned(), host.to_owned(), port));
        assert_eq!(read("ops@b:2222"), some("ops", "b", 2222));
        assert_eq!(read("b"), some("", "b", 0));
        assert_eq!(read("a@b@c"), some("a@b", "c", 0));
        assert_eq!(read("[::1]:22"), some("", "::1", 22));
        assert_eq!(read("::1"), some("", "::1", 0));
        assert_eq!(read("ssh://ops@b:3/"), some("ops", "b", 3));
        for bad in [
            "",
            "@b",
            "b:x",
            "b:0",
            "b:99999",
            "-oProxyCommand=x",
            "a b",
            "[::1",
        ] {
            assert_eq!(read(bad), None, "{bad}");
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
        let asked = |host| Asked {
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

        write("config", "Include config\n");
        assert!(matches!(
            lookup(&files, &asked("h")),
            Err(Rejected::Line { .. })
        ));

        use std::os::unix::fs::PermissionsExt;
        let open = std::fs::Permissions::from_mode(0o664);
        std::fs::set_permissions(ssh.join("config"), open).unwrap();
        assert!(matches!(
            lookup(&files, &asked("h")),
            Err(Rejected::Permissions { .. })
        ));
        let named = Files {
            named: true,
            ..files
        };
        assert!(matches!(
            lookup(&named, &asked("h")),
            Err(Rejected::Line { .. } | Rejected::Permissions { .. })
        ));
    }
}
