//! A pasted text, made ready: escapes undone, lines, who is quoted, what else
//! speaks in it.

use std::collections::VecDeque;

use super::entry::{self, Entry, Part};
use super::prefix::{self, Stripped};
use super::{signs, speakers};
use crate::message::{Pattern, fold};

/// Longer lines are read up to here.
const LONGEST_LINE: usize = 4_000;
/// How far signs of who speaks reach, in lines.
const NEAR: usize = 15;
/// The same with stack traces in between.
const FAR: usize = 120;
/// A text of so few lines is a message, not a log.
const MESSAGE: usize = 12;

/// So many records next to a line are near in a log.
const BESIDE: usize = 3;
/// The second refusal of one attempt comes so soon after the first, in lines.
const RETRIED: usize = 4;
/// A message has no more lines than this, or it is none.
const LONGEST_MESSAGE: usize = 1_000;
/// So many processes of a server's log may have an entry open.
const PROCESSES: usize = 32;
/// Longer records are read up to here, in bytes.
const LONGEST_RECORD: usize = 64 << 10;

/// Lines that were broken are put together in a text of at most so many.
const MOST_BROKEN: usize = 40;

/// A text in lines, with what is known about each.
pub struct Text {
    /// The lines that are not empty.
    pub lines: Vec<Line>,
    whole: bool,
}

/// One line.
#[derive(Clone)]
pub struct Line {
    /// Its number in what was given, from 1.
    pub number: usize,
    /// As it was given, but for escapes.
    pub text: String,
    /// As texts are compared.
    pub folded: String,
    /// The message that it is a line of.
    pub message: usize,
    /// How deep in a chain of exceptions, counted from the outermost.
    pub depth: i32,
    /// What it is in a server's own log.
    pub entry: Option<Entry>,
    /// When it was written, as it says it.
    pub time: Option<String>,
    /// Who is quoted, folded: a container, a program and its process.
    origin: String,
    /// Source code that a stack trace quotes: it says nothing.
    pub code: bool,
    ours: bool,
    ssh: bool,
    foreign: bool,
    frame: bool,
    /// Whether it begins with the severity of a refusal, as the second one of one attempt
    /// does.
    bare: bool,
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
    /// Whether a line is a client's second attempt at the server of a line before, of
    /// the same message: libpq tries again without encryption.
    pub fn is_retry(&self, at: usize) -> bool {
        const TRIED: &str = "connection to server at ";
        let Some(line) = self.lines.get(at).filter(|line| line.entry.is_none()) else {
            return false;
        };
        let server = |line: &Line| {
            let (_, rest) = line.folded.split_once(TRIED)?;
            let (server, why) = rest.split_once(" failed: ")?;
            Some((server.to_owned(), why.to_owned()))
        };
        let is_plain = |text: &str| signs::IN_CLEAR.iter().any(|sign| text.contains(sign));
        let mut before = self.lines.get(..at).unwrap_or_default().iter().rev();
        let first = before
            .by_ref()
            .take_while(|before| before.message == line.message)
            .take(RETRIED)
            .find(|before| {
                signs::REFUSED
                    .iter()
                    .any(|sign| before.folded.contains(sign))
            });
        let Some(first) = first.filter(|first| first.entry.is_none()) else {
            return false;
        };
        match (server(first), server(line)) {
            (Some((first, _)), Some((second, why))) => first == second && is_plain(&why),
            (_, None) => line.bare && (is_plain(&line.folded) || !first.bare),
            _ => false,
        }
    }

    /// Reads a text as it was pasted or logged.
    pub fn read(text: &str) -> Self {
        Self::read_from(text, 1)
    }

    /// The same of a part of a text, whose first line has this number.
    pub fn read_from(text: &str, first: usize) -> Self {
        let mut lines: Vec<Line> = Vec::new();
        let mut grouping = Grouping::default();
        for (n, raw) in text.lines().enumerate() {
            let raw = cut(raw, LONGEST_RECORD);
            let unescaped = unescaped(raw);
            let stripped = prefix::strip(&unescaped);
            let parts = entry::columns(stripped.rest);
            let time = stripped.time.map(str::to_owned);
            let pieces: Vec<&str> = match &parts {
                Some(parts) => parts.iter().map(String::as_str).collect(),
                None => unescaped.lines().collect(),
            };
            let mut of_record = false;
            for piece in pieces {
                let piece = cut(piece, LONGEST_LINE);
                if piece.trim().is_empty() {
                    continue;
                }
                let mut stripped = prefix::strip(piece);
                // syslog's way to write a tab, with which a server goes on.
                if let Some(rest) = stripped.rest.strip_prefix("#011") {
                    stripped.rest = rest;
                    of_record = true;
                }
                let entry = match parts.is_some() {
                    true => Some(Entry {
                        process: String::new(),
                        part: entry::part(stripped.rest).map_or(Part::Failure, |(_, part)| part),
                    }),
                    false => entry::entry(&stripped),
                };
                let line = Line::new(n + first, &stripped, entry, time.as_deref());
                lines.push(grouping.place(line, &stripped, of_record));
                of_record = true;
            }
        }
        // A stack trace is one message, however deep.
        let whole = lines.iter().filter(|line| !line.frame).count() <= MESSAGE;
        Self { lines, whole }
    }

    /// The lines of the message that a line belongs to.
    pub fn message(&self, at: usize) -> impl Iterator<Item = &Line> {
        self.message_lines(at).filter_map(|at| self.lines.get(at))
    }

    /// Where they are: together, but for a DETAIL behind lines of other processes.
    pub fn message_lines(&self, at: usize) -> impl Iterator<Item = usize> {
        let own = self.lines.get(at).map(|line| line.message);
        let to = (at + FAR).min(self.lines.len());
        (at.saturating_sub(FAR)..to).filter(move |at| {
            let line = self.lines.get(*at);
            line.map(|line| line.message) == own
        })
    }

    /// The lines of each message, in the order in which they begin.
    pub fn messages(&self) -> Vec<Vec<usize>> {
        let mut out: Vec<Vec<usize>> = Vec::new();
        for (at, line) in self.lines.iter().enumerate() {
            // Messages are numbered one after the other.
            if out.len() <= line.message {
                out.resize_with(line.message + 1, Vec::new);
            }
            if let Some(lines) = out.get_mut(line.message) {
                lines.push(at);
            }
        }
        out
    }

    /// Whether the line with this number is of the message of another line.
    pub fn is_one_message(&self, at: usize, number: usize) -> bool {
        self.message(at).any(|line| line.number == number)
    }

    /// Whether a line is the DETAIL or HINT of an entry of a server's log.
    pub fn is_detail(&self, at: usize) -> bool {
        self.lines.get(at).is_some_and(Line::is_detail)
    }

    /// Whether it is a log of many messages, or a part of one.
    pub fn is_log(&self) -> bool {
        !self.whole
    }

    /// Whether a line is of a server's own log.
    pub fn is_server_log(&self, at: usize) -> bool {
        self.message(at).any(|line| line.entry.is_some())
    }

    /// Whether a line of a server's own log is of a day without a fault: what a server
    /// reports of its clients, and what it says to them while it is stopped and started
    /// by intent.
    pub fn is_routine(&self, at: usize) -> bool {
        let Some(line) = self.lines.get(at) else {
            return false;
        };
        // Somebody who opened a connection to sshd and did not even say who he is.
        let closed = line.folded.split_once("connection closed by ");
        let nameless = closed.is_some_and(|(_, by)| by.starts_with(|c: char| c.is_ascii_digit()));
        if nameless && line.folded.contains("[preauth]") {
            return true;
        }
        if !self.is_server_log(at) {
            return false;
        }
        let has = |line: &Line, signs: &[&str]| signs.iter().any(|sign| line.folded.contains(sign));
        let part = line.entry.as_ref().map(|entry| entry.part);
        if part == Some(Part::Report) && has(line, signs::ROUTINE) {
            // Of a lost client somebody asks where it is all that he has.
            let alone = self.lines.iter().all(|other| other.message == line.message);
            return !(alone && has(line, signs::CLIENT_LOST));
        }
        let before = self
            .lines
            .get(at.saturating_sub(FAR)..at)
            .unwrap_or_default();
        let after = self.lines.get(at..).unwrap_or_default();
        let stopped = || before.iter().any(|line| has(line, signs::STOPPED));
        let started = || {
            let ready = |line: &Line| line.folded.contains("ready to accept connections");
            after.iter().take(FAR).any(ready)
        };
        has(line, signs::WHILE_STOPPED) && stopped()
            || has(line, signs::WHILE_STARTING) && started()
    }

    /// So many lines around one as a text of its own, and where the one is in it.
    pub fn excerpt(&self, at: usize) -> (Self, usize) {
        let from = at.saturating_sub(FAR);
        let to = (at + FAR).min(self.lines.len());
        let lines = self.lines.get(from..to).unwrap_or_default().to_vec();
        let whole = self.whole;
        (Self { lines, whole }, at - from)
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
                let next = next
                    .filter(|next| !first.foreign && !next.foreign)
                    .filter(|next| !first.code && !next.code);
                let next = next.map_or("", |line| line.text.as_str());
                Some(format!("{}{glue}{next}", first.text))
            })
            .collect();
        let mut joined = Self::read(&pairs.join("\n"));
        // A quoted line of code stays one.
        if joined.lines.len() == self.lines.len() {
            for (joined, line) in joined.lines.iter_mut().zip(&self.lines) {
                joined.code = line.code;
                joined.entry.clone_from(&line.entry);
            }
        }
        Some(joined)
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

    /// What is near a line for facts of several pieces: its message, in a short text
    /// everything, and in a log the records next to it.
    pub fn beside(&self, at: usize, most: usize) -> impl Iterator<Item = &Line> {
        let most = if self.whole { most } else { most.min(BESIDE) };
        self.around(at, most).chain(self.message(at))
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

/// Whether a line is a frame of a stack trace.
fn is_frame(folded: &str) -> bool {
    ["at ", "file \"", "^", "~", "... "]
        .iter()
        .any(|sign| folded.starts_with(sign))
}

impl Line {
    /// Whether it is a frame of a stack trace.
    pub fn is_frame(&self) -> bool {
        self.frame
    }

    /// Whether it is the DETAIL or HINT of an entry of a server's log.
    pub fn is_detail(&self) -> bool {
        let part = self.entry.as_ref().map(|entry| entry.part);
        part == Some(Part::Detail)
    }

    /// The process of the server's log that it is of, where it tells.
    pub fn process(&self) -> Option<&str> {
        let process = self.entry.as_ref().map(|entry| entry.process.as_str());
        process.filter(|process| !process.is_empty())
    }

    /// Whether it is of PostgreSQL's own log, which puts two blanks after the severity.
    pub fn is_of_server_log(&self) -> bool {
        self.entry.is_some() && self.text.contains(":  ")
    }

    /// The line after the name of who is quoted, where somebody is: a program's log
    /// says there whose words they are.
    pub fn spoken(&self) -> Option<String> {
        (!self.origin.is_empty()).then(|| format!("{} {}", self.origin, self.folded))
    }

    /// Whether a text is in it with the name of who is quoted.
    pub fn is_spoken(&self, pattern: &Pattern) -> bool {
        self.spoken().is_some_and(|spoken| pattern.is_in(&spoken))
    }

    /// What tells lines of the same words apart: who speaks.
    pub fn context_mark(&self) -> u64 {
        u64::from(self.ours) | u64::from(self.code) << 1
    }

    fn new(
        number: usize,
        stripped: &Stripped<'_>,
        entry: Option<Entry>,
        time: Option<&str>,
    ) -> Self {
        let text = stripped.rest.trim();
        let folded = fold(text);
        let speakers = speakers::of(&folded);
        // A container that is called postgres speaks for it.
        let origin = fold(stripped.origin);
        let named = speakers::of(&origin);
        Self {
            number,
            text: text.to_owned(),
            message: 0,
            depth: 0,
            entry,
            time: time.map(str::to_owned),
            code: stripped.code,
            ours: speakers.ours || named.ours,
            ssh: speakers.ssh || named.ssh,
            origin,
            foreign: speakers.foreign,
            frame: is_frame(&folded),
            bare: folded.starts_with("fatal: ") || folded.starts_with("error: "),
            folded,
        }
    }
}

/// Puts lines together to messages: a record of a log with its continuation lines, a
/// traceback with its exception, an entry of a server with its DETAIL.
#[derive(Default)]
struct Grouping {
    message: usize,
    depth: i32,
    /// Whether records begin with a time here.
    stamped: bool,
    /// Whether a Python traceback has begun and its exception has not come, and how far
    /// its last frame is indented.
    trace: bool,
    frame: Option<usize>,
    /// Whether the last line was a refusal, and whether in a client's words, and whether
    /// it was libpq's, with its server.
    refused: bool,
    client: bool,
    libpq: bool,
    /// How many lines the message has.
    size: usize,
    /// The last entries of a server's log by their processes.
    entries: VecDeque<(String, usize)>,
}

impl Grouping {
    /// Decides which message a line belongs to, how deep it is, whether it is code.
    fn place(&mut self, mut line: Line, stripped: &Stripped<'_>, of_record: bool) -> Line {
        let indent = stripped.rest.len() - stripped.rest.trim_start().len();
        let entry = line.entry.as_ref();
        let of_entry = entry.and_then(|entry| self.of_entry(entry));
        let begins = |signs: &[&str]| signs.iter().any(|sign| line.folded.starts_with(sign));
        // Code is quoted by reviews too.
        let code = line.folded.trim_start_matches(['+', '-', ' ']);
        let states = |signs: &[&str]| signs.iter().any(|sign| code.starts_with(sign));
        let marked = begins(signs::CONTINUES);
        let opens_trace = begins(&["traceback (most recent"]);
        let closes_trace = self.trace && indent == 0 && !line.frame && !opens_trace;
        let is_plain = signs::IN_CLEAR
            .iter()
            .any(|sign| line.folded.contains(sign));
        let retried = entry.is_none()
            && ((line.bare && (self.client || self.refused && is_plain))
                || (self.libpq && begins(&["connection to server at "])));
        let in_record = self.stamped && !stripped.stamped && entry.is_none();
        let goes_on = of_record
            || (entry.is_none_or(|entry| entry.part != Part::Failure)
                && (indent > 0 || marked || line.frame || closes_trace || retried || in_record));
        if let Some(message) = of_entry {
            line.message = message;
        } else {
            self.size += 1;
            if !goes_on || self.message == 0 || self.size > LONGEST_MESSAGE {
                self.size = 0;
                self.message += 1;
                self.depth = 0;
                self.trace = false;
                self.frame = None;
            }
            line.message = self.message;
        }
        if let Some(entry) = &line.entry
            && !matches!(entry.part, Part::Detail | Part::Context)
        {
            let opened = (entry.process.clone(), line.message);
            self.entries.push_back(opened);
            if self.entries.len() > PROCESSES {
                self.entries.pop_front();
            }
        }
        if begins(signs::INNER) || (self.depth > 0 && is_numbered(&line.folded)) {
            self.depth += 1;
        }
        line.depth = self.depth;
        if begins(signs::OUTER) {
            self.depth -= 1;
        }
        let quoted = self.frame.is_some_and(|frame| indent > frame) && !line.frame;
        line.code |= quoted
            || begins(&["^", "~"])
            || (indent > 0 && begins(signs::CODE))
            || states(signs::STATEMENTS);
        line.frame |= line.code;
        if line.folded.starts_with("file \"") {
            self.frame = Some(indent);
        } else if !quoted {
            self.frame = None;
        }
        if opens_trace || self.frame.is_some() {
            self.trace = true;
        } else if closes_trace {
            self.trace = false;
        }
        self.stamped |= stripped.stamped;
        let refused = signs::REFUSED.iter().any(|sign| line.folded.contains(sign));
        self.refused = refused && line.entry.is_none();
        self.client = self.refused && !line.bare;
        self.libpq = line.folded.contains("connection to server at ") || (self.libpq && indent > 0);
        line
    }

    /// The message of the entry that a DETAIL belongs to.
    fn of_entry(&self, entry: &Entry) -> Option<usize> {
        if !matches!(entry.part, Part::Detail | Part::Context) {
            return None;
        }
        let same = |known: &&(String, usize)| known.0 == entry.process;
        let found = self.entries.iter().rev().find(same);
        found.map(|(_, message)| *message)
    }
}

/// Whether a line is a numbered step of a chain: `1: connecting`.
fn is_numbered(folded: &str) -> bool {
    let digits = folded.bytes().take_while(u8::is_ascii_digit).count();
    (1..=2).contains(&digits)
        && folded
            .get(digits..)
            .is_some_and(|rest| rest.starts_with(": "))
}

/// The first so many bytes of a text, in whole characters.
fn cut(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Undoes what terminals and structured logs do to a text: colour escapes,
/// carriage returns, `\n` and `\"` written out.
fn unescaped(text: &str) -> std::borrow::Cow<'_, str> {
    let plain = |b: &u8| *b >= b' ' && *b != b'\\' && *b != 0x7f || *b == b'\t';
    if text.as_bytes().iter().all(plain) {
        return text.into();
    }
    undone(text).into()
}

fn undone(text: &str) -> String {
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
                out.push('\t');
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
