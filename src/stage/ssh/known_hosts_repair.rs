//! The command that makes a host known: a line behind the last one of a file,
//! which is mended first where what it says cannot be read.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::known_hosts::{Book, applies, line};
use super::known_hosts_damage::{Damage, Mend, Wanted, find};
use crate::text;

/// No file has more kinds of damage at once.
const MOST_MENDS: usize = 4;

/// How a key is added to a file that needs no repair.
pub enum Added {
    /// As a line behind the others.
    Plainly,
    /// Otherwise: what to do, and the command.
    By(String, String),
    /// Not at all: it is a device or a folder.
    Nowhere,
}

/// How an entry is added to a file.
pub fn added(book: &Book, file: &Path, entry: &str) -> Option<Added> {
    if let Some((_, content)) = book.pages().find(|(path, _)| *path == file) {
        return Some(match format(content) {
            PLAIN => Added::Plainly,
            format => Added::By(
                format!(
                    "add the key on a new line, which {} does not end with:",
                    file.display()
                ),
                append(format, entry, file)?,
            ),
        });
    }
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    Some(match folder {
        _ if file.exists() => Added::Nowhere,
        Some(folder) if !folder.exists() => Added::By(
            format!("create {} and add the key:", folder.display()),
            format!(
                "mkdir -p -m 700 {} && {}",
                quoted(folder)?,
                append(PLAIN, entry, file)?
            ),
        ),
        _ => Added::Plainly,
    })
}

/// The format of printf for an entry.
pub const PLAIN: &str = r"'%s\n'";

/// The same, on a new line whatever the file ends with.
fn format(content: &[u8]) -> &'static str {
    match content.last() {
        None | Some(b'\n') => PLAIN,
        Some(_) => r"'\n%s\n'",
    }
}

/// The command that appends an entry in this format.
pub fn append(format: &str, entry: &str, file: &Path) -> Option<String> {
    let entry = shlex::try_quote(entry).ok()?;
    Some(format!("printf {format} {entry} >> {}", quoted(file)?))
}

fn quoted(path: &Path) -> Option<String> {
    shlex::try_quote(path.to_str()?).ok().map(Cow::into_owned)
}

/// A damaged file and what repairs it.
pub struct Repair {
    /// `FILE:LINE`, or the file alone.
    pub place: String,
    /// What is wrong, as a clause.
    pub what: String,
    /// Whether the damaged line has the very key that the host shows.
    pub same_key: bool,
    /// What to paste.
    pub command: String,
    /// Where the file as it was is kept.
    pub kept: PathBuf,
}

/// What repairs the file that would know the host, by an entry that does. A
/// file to which entries are added must be readable even where it does not name
/// the host.
pub fn repair(book: &Book, wanted: &Wanted<'_>, entry: &str, target: &Path) -> Option<Repair> {
    let mut other = None;
    for (file, content) in book.pages() {
        let Some(found) = Found::new(file, content, wanted) else {
            continue;
        };
        if found.names {
            return found.repair(entry);
        }
        if file == target {
            other = Some(found);
        }
    }
    other?.repair(entry)
}

struct Found<'f> {
    file: &'f Path,
    number: Option<usize>,
    what: String,
    mends: Vec<Mend>,
    same_key: bool,
    /// Whether a line of it is for the host.
    names: bool,
    /// Whether the host is known when it is mended.
    known: bool,
    /// What is in it then.
    mended: Vec<u8>,
}

impl<'f> Found<'f> {
    fn new(file: &'f Path, content: &[u8], wanted: &Wanted<'_>) -> Option<Self> {
        let mut mended = content.to_vec();
        let mut damages: Vec<Damage> = Vec::new();
        while let Some(damage) = find(&mended, wanted).filter(|_| damages.len() < MOST_MENDS) {
            mended = apply(&damage.mend, &mended);
            damages.push(damage);
        }
        let first = damages.first()?;
        let line = known_line(&mended, wanted);
        let same_key = line.is_some() || damages.iter().any(|damage| damage.same_key);
        // The line that is for the host says more than the file that has it.
        let number = damages.iter().find_map(|damage| damage.number).or(line);
        Some(Self {
            file,
            number,
            what: first.what.to_string(),
            same_key,
            names: number.is_some(),
            known: line.is_some(),
            mends: damages.into_iter().map(|damage| damage.mend).collect(),
            mended,
        })
    }

    fn repair(self, entry: &str) -> Option<Repair> {
        let mut kept = self.file.as_os_str().to_owned();
        kept.push(".damaged");
        let kept = PathBuf::from(kept);
        let (file, old) = (quoted(self.file)?, quoted(&kept)?);
        let mut filters = Vec::new();
        for (at, mend) in self.mends.iter().enumerate() {
            let filter = filter(mend)?;
            filters.push(match at {
                0 => format!("{filter} {old}"),
                _ => filter,
            });
        }
        let mut command = format!("cp {file} {old} && {} > {file}", filters.join(" | "));
        if !self.known {
            command += " && ";
            command += &append(format(&self.mended), entry, self.file)?;
        }
        if access(self.file, AccessFlags::W_OK).is_err() {
            command = format!("sudo sh -c {}", shlex::try_quote(&command).ok()?);
        }
        let place = match self.number {
            Some(number) => format!("{}:{number}", self.file.display()),
            None => self.file.display().to_string(),
        };
        Some(Repair {
            place,
            what: self.what,
            same_key: self.same_key,
            command,
            kept,
        })
    }
}

/// The line that knows the host by its key.
fn known_line(content: &[u8], wanted: &Wanted<'_>) -> Option<usize> {
    let name = wanted.name.to_lowercase();
    let mut lines = content.split(|byte| *byte == b'\n');
    let at = lines.position(|text| {
        let read = applies(&line(text), &name);
        read.is_some_and(|(_, key)| key.key_data() == wanted.key.key_data())
    })?;
    Some(at + 1)
}

/// The command that mends it.
fn filter(mend: &Mend) -> Option<String> {
    Some(match mend {
        Mend::Decode(form) => format!("iconv -f {form} -t UTF-8"),
        Mend::DropMark => "tail -c +4".to_owned(),
        Mend::Unescape => r#"awk '{ gsub(/(\\r)?\\n/, "\n") } 1'"#.to_owned(),
        Mend::Split(begin) => {
            let begin = shlex::try_quote(begin).ok()?;
            format!(
                r#"awk -v entry={begin} '(i = index($0, entry)) > 1 {{ $0 = substr($0, 1, i - 1) "\n" substr($0, i) }} 1'"#
            )
        }
        Mend::Drop(first, last) if first == last => format!("sed {first}d"),
        Mend::Drop(first, last) => format!("sed {first},{last}d"),
    })
}

/// The content as the command leaves it.
pub(crate) fn apply(mend: &Mend, content: &[u8]) -> Vec<u8> {
    let text = || String::from_utf8_lossy(content);
    match mend {
        Mend::Decode(form) => decode(form, content).into_bytes(),
        Mend::DropMark => content.get(3..).unwrap_or_default().to_vec(),
        Mend::Unescape => text()
            .replace("\\r\\n", "\n")
            .replace("\\n", "\n")
            .into_bytes(),
        Mend::Split(begin) => {
            let split = |line: &str| match line.find(begin.as_str()) {
                Some(at @ 1..) => format!("{}\n{}", &line[..at], &line[at..]),
                _ => line.to_owned(),
            };
            let lines: Vec<String> = text().split('\n').map(split).collect();
            lines.join("\n").into_bytes()
        }
        Mend::Drop(first, last) => {
            let lines = content.split_inclusive(|byte| *byte == b'\n').enumerate();
            let kept = lines.filter(|(at, _)| !(*first..=*last).contains(&(at + 1)));
            kept.flat_map(|(_, line)| line).copied().collect()
        }
    }
}

fn decode(form: &str, content: &[u8]) -> String {
    match (form, content) {
        (_, [0xff, 0xfe, rest @ ..]) => text::from_utf16(rest, true),
        (_, [0xfe, 0xff, rest @ ..]) => text::from_utf16(rest, false),
        (form, all) => text::from_utf16(all, form != "UTF-16BE"),
    }
}
