//! A pasted text, made ready: escapes undone, lines, who is quoted, what else
//! speaks in it.

use super::signs;
use crate::message::{Pattern, fold};

/// Of longer input only the end is read, so many bytes of it.
pub const LONGEST: usize = 16 << 20;
/// Of more lines than this only the last ones are read.
pub const MOST_LINES: usize = 200_000;
/// Longer lines are read up to here.
const LONGEST_LINE: usize = 4_000;
/// How far signs of who speaks reach, in lines.
const NEAR: usize = 15;
/// The same with stack traces in between.
const FAR: usize = 120;
/// A text of so few lines is a message, not a log.
const MESSAGE: usize = 12;

/// Lines that were broken are put together in a text of at most so many.
const MOST_BROKEN: usize = 40;

/// A text in lines, with what is known about each.
pub struct Text {
    /// The lines that are not empty.
    pub lines: Vec<Line>,
    whole: bool,
}

/// One line.
pub struct Line {
    /// Its number in what was given, from 1.
    pub number: usize,
    /// As it was given, but for escapes.
    pub text: String,
    /// As texts are compared.
    pub folded: String,
    ours: bool,
    ssh: bool,
    foreign: bool,
    frame: bool,
}

/// How far a text that any program prints can be taken for ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Context {
    /// Somebody else speaks.
    Foreign,
    /// Nobody says who speaks, and there is too much of it.
    Unknown,
    /// It stands alone.
    Bare,
    /// PostgreSQL or SSH is spoken of nearby.
    Near,
    /// PostgreSQL or SSH is spoken of in the same line.
    Here,
}

impl Text {
    /// Whether a line is libpq's second attempt at the server of the line before,
    /// without encryption.
    pub fn is_retry(&self, at: usize) -> bool {
        const TRIED: &str = "connection to server at ";
        let server = |at: usize| {
            let line = self.lines.get(at)?;
            let (_, rest) = line.folded.split_once(TRIED)?;
            rest.split_once(" failed: ")
        };
        let before = at.checked_sub(1).and_then(server);
        match (before, server(at)) {
            (Some((first, _)), Some((second, why))) => {
                let plain = ["no encryption", "ssl off"];
                first == second && plain.iter().any(|sign| why.contains(sign))
            }
            _ => false,
        }
    }

    /// Reads a text as it was pasted or logged.
    pub fn read(text: &str) -> Self {
        let text = unescaped(text);
        let mut lines = Vec::new();
        let skipped = text.lines().count().saturating_sub(MOST_LINES);
        for (n, line) in text.lines().enumerate().skip(skipped) {
            let line: String = line.chars().take(LONGEST_LINE).collect();
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let folded = fold(line);
            let after_frame = lines
                .last()
                .is_some_and(|last: &Line| last.folded.starts_with("file \""));
            let has = |signs: &[&str]| signs.iter().any(|sign| speaks_of(&folded, sign));
            lines.push(Line {
                number: n + 1,
                text: line.to_owned(),
                ours: has(signs::OURS),
                ssh: has(signs::SSH),
                foreign: has(signs::FOREIGN) || has_foreign_port(&folded),
                frame: after_frame || is_frame(&folded),
                folded,
            });
        }
        // A stack trace is one message, however deep.
        let whole = lines.iter().filter(|line| !line.frame).count() <= MESSAGE;
        Self { lines, whole }
    }

    /// The same with each line followed by the next one; none of a log, or of
    /// a single line.
    pub fn joined(&self, glue: &str) -> Option<Self> {
        if self.lines.len() < 2 || self.lines.len() > MOST_BROKEN {
            return None;
        }
        // A chain of causes is one sentence too. What somebody else says is
        // nobody's continuation.
        let pairs: Vec<String> = (0..self.lines.len())
            .filter_map(|at| {
                let (first, rest) = self.lines.get(at..)?.split_first()?;
                let next = rest.iter().find(|line| line.folded != "caused by:");
                let next = next.filter(|next| !first.foreign && !next.foreign);
                let next = next.map_or("", |line| line.text.as_str());
                Some(format!("{}{glue}{next}", first.text))
            })
            .collect();
        Some(Self::read(&pairs.join("\n")))
    }

    /// What stands around a line.
    pub fn context(&self, at: usize) -> Context {
        let Some(line) = self.lines.get(at) else {
            return Context::Unknown;
        };
        if line.ours || line.ssh {
            return Context::Here;
        }
        if line.foreign {
            return Context::Foreign;
        }
        let near = self.near(at);
        let (ours, foreign) = near.fold((false, false), |(ours, foreign), line| {
            (ours || line.ours || line.ssh, foreign || line.foreign)
        });
        match (ours, foreign, self.whole) {
            (true, _, _) => Context::Near,
            (false, true, _) => Context::Foreign,
            (false, false, true) => Context::Bare,
            (false, false, false) => Context::Unknown,
        }
    }

    /// Whether SSH is spoken of in a line or nearby.
    pub fn speaks_of_ssh(&self, at: usize) -> bool {
        self.near(at).any(|line| line.ssh)
    }

    /// Whether a frame of a database driver is right before a line.
    pub fn is_in_driver(&self, at: usize) -> bool {
        let from = at.saturating_sub(NEAR);
        let before = self.lines.get(from..at).unwrap_or_default();
        before
            .iter()
            .any(|line| signs::FRAMES.iter().any(|sign| line.folded.contains(sign)))
    }

    fn near(&self, at: usize) -> impl Iterator<Item = &Line> {
        self.around(at, NEAR)
    }

    /// So many lines around one, and the one itself.
    pub fn around(&self, at: usize, most: usize) -> impl Iterator<Item = &Line> {
        let (before, after) = (
            self.lines.get(..at).unwrap_or_default(),
            self.lines.get(at + 1..).unwrap_or_default(),
        );
        let from = at - reach(before.iter().rev(), most);
        let to = at + reach(after.iter(), most) + 1;
        self.lines
            .get(from..to.min(self.lines.len()))
            .unwrap_or_default()
            .iter()
    }

    /// Who quotes the error in a line: wrappers in the line itself, or nearby.
    pub fn wrappers(&self, at: usize) -> Option<String> {
        let mut names: Vec<&str> = Vec::new();
        for (sign, name) in signs::WRAPPERS {
            let pattern = Pattern::new(sign);
            if !names.contains(name) && self.near(at).any(|line| pattern.is_in(&line.folded)) {
                names.push(name);
            }
        }
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// Whether a text is anywhere in it.
    pub fn mentions(&self, text: &str) -> bool {
        let text = fold(text);
        self.lines.iter().any(|line| line.folded.contains(&text))
    }
}

/// How many lines are near: a stack trace brings what is on both sides of it
/// together.
fn reach<'a>(lines: impl Iterator<Item = &'a Line>, most: usize) -> usize {
    let mut told = 0;
    lines
        .take(FAR)
        .take_while(|line| {
            told += usize::from(!line.frame);
            told <= most
        })
        .count()
}

/// Whether a line has a sign; a number only as a whole one.
fn speaks_of(folded: &str, sign: &str) -> bool {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let number = sign.chars().all(|c| c.is_ascii_digit());
    folded.match_indices(sign).any(|(at, _)| {
        let before = folded.get(..at).and_then(|text| text.chars().next_back());
        let after = folded
            .get(at + sign.len()..)
            .and_then(|text| text.chars().next());
        !number || !(digit(before) || digit(after))
    })
}

/// Whether a line is a frame of a stack trace.
fn is_frame(folded: &str) -> bool {
    ["at ", "file \"", "^", "~", "... "]
        .iter()
        .any(|sign| folded.starts_with(sign))
}

/// Whether a line names the port of another service.
fn has_foreign_port(folded: &str) -> bool {
    let mut before = "";
    folded
        .split_inclusive(|c: char| !c.is_ascii_digit())
        .any(|piece| {
            let digits = piece.trim_end_matches(|c: char| !c.is_ascii_digit());
            let is_port = before.ends_with(':') || before == " ";
            let known = digits
                .parse()
                .is_ok_and(|port| signs::FOREIGN_PORTS.contains(&port));
            let named = is_port && known && (before.ends_with(':') || folded.contains("port"));
            before = piece.trim_start_matches(|c: char| c.is_ascii_digit());
            named
        })
}

/// Undoes what terminals and structured logs do to a text: colour escapes,
/// carriage returns, `\n` and `\"` written out.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek().copied()) {
            ('\x1b', Some('[')) => {
                chars.next();
                // The parameters of a control sequence, up to its final byte (ECMA-48).
                for c in chars.by_ref() {
                    if ('@'..='~').contains(&c) {
                        break;
                    }
                }
            }
            ('\\', Some('n' | 'r')) => {
                // A path such as C:\new is no line break.
                let in_word = out.ends_with([':', '\\']);
                if in_word {
                    out.push(c);
                } else {
                    chars.next();
                    out.push('\n');
                }
            }
            ('\\', Some('t')) => {
                chars.next();
                out.push(' ');
            }
            ('\\', Some('"' | '\'')) => {}
            ('\r', _) => out.push('\n'),
            ('\n' | '\t', _) => out.push(c),
            (c, _) if c.is_control() => {}
            (c, _) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        assert_eq!(
            unescaped("\x1b[31mERROR\x1b[0m \\\"db\\\"\\n next"),
            "ERROR \"db\"\n next"
        );
    }

    #[test]
    fn who_speaks_is_seen() {
        let context = |text: &str| Text::read(text).context(0);
        assert_eq!(context("Connection refused"), Context::Bare);
        assert_eq!(context("psql: Connection refused"), Context::Here);
        assert_eq!(
            context("connect ECONNREFUSED 127.0.0.1:6379"),
            Context::Foreign
        );
        assert_eq!(
            context("Connection refused\nSequelize failed"),
            Context::Near
        );
        assert_eq!(context("Connection refused, code 15432"), Context::Bare);
        assert_eq!(context("Connection refused, port 6379"), Context::Foreign);
    }
}
