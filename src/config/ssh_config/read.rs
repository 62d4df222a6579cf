//! Reading the files, line by line; see [`Reader`].

use std::path::Path;

use super::keyword::ValueKind;
use super::line::{Setting, split_keyword, words};
use super::pattern::{host_matches, pattern_list};
use super::permissions::too_open;
use super::{ConfigRejected, Files, HostQuery, Options};
use crate::config::files;

/// How deep files may include each other (readconf.c has the same bound).
pub(super) const DEEPEST: usize = 16;

/// How many files one host's configuration may take.
pub(super) const MOST_FILES: usize = 512;

/// Reads the files for one host.
pub(super) struct Reader<'a> {
    pub(super) asked: &'a HostQuery<'a>,
    pub(super) options: Options,
    /// The host's resolved name, on the second reading.
    pub(super) second: Option<String>,
    /// `IgnoreUnknown`, in lower case.
    pub(super) ignored: Option<String>,
    /// What it was last that is not known to hold: `Match exec`.
    pub(super) condition: Option<String>,
    pub(super) files: usize,
    /// The hosts that `Host` lines name without a pattern.
    pub(super) named: Vec<String>,
}

/// Where a line stands.
#[derive(Clone, Copy)]
pub(super) struct LinePlace<'a> {
    pub(super) path: &'a Path,
    /// Whether it is the user's and not the system's.
    pub(super) user: bool,
    /// Whether the block holds that includes it: nothing of it counts for more.
    pub(super) outer: Holds,
    pub(super) depth: usize,
}

/// Whether a block is for this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holds {
    No,
    /// It depends on what is not looked at here.
    Unknown,
    Yes,
}

impl From<bool> for Holds {
    fn from(holds: bool) -> Self {
        if holds { Holds::Yes } else { Holds::No }
    }
}

/// Why one line is wrong.
pub(super) type Problem = String;

impl Reader<'_> {
    pub(super) fn all(&mut self, files: &Files, outer: Holds) -> Result<(), ConfigRejected> {
        self.files = 0;
        let place = |path, user| LinePlace {
            path,
            user,
            outer,
            depth: 0,
        };
        if let Some(path) = &files.user {
            let mut active = outer;
            let there = self.file(&place(path, true), !files.named, &mut active)?;
            if !there && files.named {
                let why = files::readable(path).err();
                return Err(ConfigRejected::Unreadable {
                    file: path.clone(),
                    why: why.unwrap_or(files::Unreadable::because("cannot be read")),
                });
            }
        }
        if let Some(path) = &files.system {
            let mut active = outer;
            self.file(&place(path, false), false, &mut active)?;
        }
        Ok(())
    }

    /// Reads a file; says whether it is there.
    pub(super) fn file(
        &mut self,
        place: &LinePlace,
        guarded: bool,
        active: &mut Holds,
    ) -> Result<bool, ConfigRejected> {
        self.files += 1;
        let file = place.path.to_owned();
        let bytes = match files::read(place.path) {
            // It can be opened, and reading it ends at once.
            _ if place.path.is_dir() => Vec::new(),
            Ok(bytes) => bytes,
            Err(why) if why.missing => return Ok(false),
            // ssh takes one that it may not read for none, unless it was named.
            Err(why) if place.depth == 0 && (why.forbidden || !place.user) => return Ok(false),
            Err(why) => return Err(ConfigRejected::Unreadable { file, why }),
        };
        let meta = guarded
            .then(|| std::fs::metadata(place.path).ok())
            .flatten();
        if let Some(problem) = meta.and_then(|meta| too_open(&meta, self.asked.uid)) {
            return Err(ConfigRejected::Permissions { file, problem });
        }
        self.text(&String::from_utf8_lossy(&bytes), place, active)?;
        Ok(true)
    }

    pub(super) fn text(
        &mut self,
        text: &str,
        place: &LinePlace,
        active: &mut Holds,
    ) -> Result<(), ConfigRejected> {
        for (at, line) in text.split('\n').enumerate() {
            // A C string ends there.
            let line = line.split('\0').next().unwrap_or_default();
            self.line(line, at + 1, place, active)
                .map_err(|broken| match broken {
                    ReadError::Line(problem) => ConfigRejected::Line {
                        file: place.path.to_owned(),
                        line: at + 1,
                        problem,
                    },
                    ReadError::Rejected(rejected) => rejected,
                })?;
        }
        Ok(())
    }

    pub(super) fn line(
        &mut self,
        line: &str,
        number: usize,
        place: &LinePlace,
        active: &mut Holds,
    ) -> Result<(), ReadError> {
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
        let words = words(rest).ok_or_else(|| wrong("an unterminated quote"))?;
        let Some(kind) = ValueKind::of(&keyword) else {
            let ignored = self.ignored.as_deref();
            return match ignored.is_some_and(|list| pattern_list(list, &keyword)) {
                true => Ok(()),
                false => Err(wrong(format!("ssh does not know the option {keyword}"))),
            };
        };
        match kind {
            ValueKind::Host => {
                // The second reading is for the name that the first one led to.
                let host = self.second.as_deref().unwrap_or(self.asked.host);
                let plain = words.iter().filter(|word| !word.contains(['*', '?', '!']));
                self.named.extend(plain.cloned());
                let matched = host_matches(host, &words).map_err(wrong)?;
                *active = Holds::from(matched).min(place.outer);
            }
            ValueKind::Match => {
                let matched = self.criteria(rest, number, place).map_err(wrong)?;
                *active = matched.min(place.outer);
            }
            ValueKind::Include => self.include(&words, place, *active)?,
            ValueKind::RefuseConnection if *active == Holds::Yes => {
                let words = words.first().filter(|words| !words.is_empty());
                let words = words.ok_or_else(|| wrong(format!("no value after {keyword}")))?;
                return Err(ReadError::Rejected(ConfigRejected::Refused {
                    file: place.path.to_owned(),
                    line: number,
                    words: words.clone(),
                }));
            }
            kind => {
                if *active == Holds::Unknown {
                    self.note_undecided(kind, &words, number, place);
                }
                let mut setting = Setting {
                    keyword: &keyword,
                    words: &words,
                    raw: rest,
                    at: 0,
                };
                self.set(kind, &mut setting, number, place, *active == Holds::Yes)
                    .map_err(wrong)?;
                if setting.at < words.len() && kind.ends() {
                    return Err(wrong(format!("more than one value after {keyword}")));
                }
            }
        }
        Ok(())
    }
}

/// Why reading ends.
pub(super) enum ReadError {
    Line(Problem),
    Rejected(ConfigRejected),
}

pub(super) fn wrong(problem: impl Into<String>) -> ReadError {
    ReadError::Line(problem.into())
}
