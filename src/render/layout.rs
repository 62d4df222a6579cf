//! Text layout for a terminal: wrapping, colours, plain ASCII where needed.

use std::borrow::Cow;

use colored::Colorize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::options::Style;
use crate::finding::Status;

/// What a piece of text is, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Running text.
    Plain,
    /// What works.
    Pass,
    /// What deserves a word.
    Warn,
    /// What does not work.
    Fail,
    /// What may be overlooked.
    Faint,
    /// What must not be overlooked.
    Strong,
    /// What can be pasted into a shell.
    Command,
}

impl From<Status> for Ink {
    fn from(status: Status) -> Self {
        match status {
            Status::Skip => Ink::Faint,
            Status::Pass => Ink::Pass,
            Status::Warn => Ink::Warn,
            Status::Fail => Ink::Fail,
        }
    }
}

/// A page being written.
pub struct Page<'a> {
    style: &'a Style,
    text: String,
}

impl<'a> Page<'a> {
    /// An empty page.
    pub fn new(style: &'a Style) -> Self {
        Self {
            style,
            text: String::new(),
        }
    }

    /// What was written.
    pub fn into_text(self) -> String {
        self.text
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// An empty line, unless the page is empty.
    pub fn gap(&mut self) {
        if !self.is_empty() {
            self.text.push('\n');
        }
    }

    /// One line, never wrapped.
    pub fn line(&mut self, pieces: &[(Ink, &str)]) {
        let mut line = String::new();
        for (ink, text) in pieces {
            line.push_str(&self.ink(*ink, &plain(text, self.style)));
        }
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// Wrapped text after a label: the label on the first line, spaces of the same
    /// width on the others.
    pub fn paragraph(&mut self, label: &[(Ink, &str)], ink: Ink, text: &str) {
        let indent: usize = label
            .iter()
            .map(|(_, label)| width(&plain(label, self.style)))
            .sum();
        let blanks = " ".repeat(indent);
        let room = self.style.width.saturating_sub(indent);
        let text = plain(text, self.style);
        for (n, line) in wrap(&text, room).iter().enumerate() {
            let mut pieces = match n {
                0 => label.to_vec(),
                _ => vec![(Ink::Plain, blanks.as_str())],
            };
            pieces.push((ink, line));
            self.line(&pieces);
        }
    }

    /// Phrases one after another, each on one line where it fits on one.
    pub fn phrases(&mut self, indent: usize, separator: &str, phrases: &[String]) {
        let blanks = " ".repeat(indent);
        let room = self.style.width.saturating_sub(indent);
        let mut line = String::new();
        for (n, phrase) in phrases.iter().enumerate() {
            let last = n + 1 == phrases.len();
            let phrase = plain(phrase, self.style);
            let phrase = match last {
                true => phrase.into_owned(),
                false => format!("{phrase}{}", separator.trim_end()),
            };
            let alone = width(&phrase);
            if line.is_empty() {
                line = phrase;
            } else if width(&line) + 1 + alone <= room || alone > room {
                line = format!("{line} {phrase}");
            } else {
                self.paragraph(&[(Ink::Plain, &blanks)], Ink::Plain, &line);
                line = phrase;
            }
        }
        if !line.is_empty() {
            self.paragraph(&[(Ink::Plain, &blanks)], Ink::Plain, &line);
        }
    }

    /// Text that was laid out by itself.
    pub fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Text that was laid out with room on its left, with a label in that room.
    pub fn beside(&mut self, label: &str, ink: Ink, text: &str) {
        let indent = text.len() - text.trim_start_matches(' ').len();
        let rest = text.get(width(label)..).unwrap_or_default();
        if indent <= width(label) {
            self.line(&[(ink, label)]);
            self.text.push_str(text);
            return;
        }
        let label = self.ink(ink, label);
        self.text.push_str(&label);
        self.text.push_str(rest);
    }

    fn ink(&self, ink: Ink, text: &str) -> String {
        if !self.style.color || ink == Ink::Plain || text.trim().is_empty() {
            return text.to_owned();
        }
        // The style has decided already; `colored` would ask the process again.
        colored::control::set_override(true);
        match ink {
            Ink::Plain => text.normal(),
            Ink::Pass => text.green(),
            // Yellow and cyan cannot be read on white, nor blue on black.
            Ink::Warn => text.magenta(),
            Ink::Fail => text.red(),
            Ink::Faint => text.dimmed(),
            Ink::Strong | Ink::Command => text.bold(),
        }
        .to_string()
    }
}

/// The sign of a status.
pub fn mark(status: Status, style: &Style) -> &'static str {
    match (status, style.utf8) {
        (Status::Pass, true) => "✓",
        (Status::Warn, true) => "!",
        (Status::Fail, true) => "✗",
        (Status::Skip, true) => "·",
        (Status::Pass, false) => "ok",
        (Status::Warn, false) => "! ",
        (Status::Fail, false) => "X ",
        (Status::Skip, false) => "- ",
    }
}

/// The columns that a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// A text padded with blanks to a width.
pub fn pad(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text))))
}

/// A text padded with blanks on its left.
pub fn pad_left(text: &str, to: usize) -> String {
    format!("{}{text}", " ".repeat(to.saturating_sub(width(text))))
}

/// A text in the characters that a terminal may get: none that cannot be seen
/// and, where the style allows only ASCII, known signs in a spelling of it and
/// everything else escaped.
pub fn plain<'t>(text: &'t str, style: &Style) -> Cow<'t, str> {
    if text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for (_, c) in crate::visible::characters(text) {
        if style.utf8 {
            out.push(c);
            continue;
        }
        match c {
            c if c.is_ascii() => out.push(c),
            '→' => out.push_str("->"),
            '…' => out.push_str("..."),
            '–' | '—' | '·' => out.push('-'),
            '‘' | '’' => out.push('\''),
            '“' | '”' => out.push('"'),
            '×' => out.push('x'),
            '≥' => out.push_str(">="),
            '≤' => out.push_str("<="),
            '\u{a0}' | '\u{202f}' => out.push(' '),
            c => out.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(out)
}

/// A text as lines of at most `room` columns, broken at spaces. A word that is
/// longer than a line is broken after a separator, or else anywhere.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    let room = room.max(8);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        for (n, piece) in pieces(word, room).into_iter().enumerate() {
            let blank = usize::from(n == 0 && used > 0);
            let needed = width(piece);
            if used > 0 && used + blank + needed > room {
                lines.push(String::new());
                used = 0;
            } else if blank == 1 {
                push(&mut lines, " ");
                used += 1;
            }
            push(&mut lines, piece);
            used += needed;
        }
    }
    lines
}

fn push(lines: &mut [String], text: &str) {
    if let Some(last) = lines.last_mut() {
        last.push_str(text);
    }
}

/// A word cut into pieces of at most `room` columns.
fn pieces(word: &str, room: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = word;
    while width(rest) > room {
        let mut used = 0;
        let mut fits = 0;
        let mut separator = 0;
        for (at, c) in rest.char_indices() {
            used += c.width().unwrap_or(0);
            if used > room && fits > 0 {
                break;
            }
            fits = at + c.len_utf8();
            if matches!(c, '/' | ',' | ';' | ':' | '=' | '&' | '?' | '@' | '-' | '_') {
                separator = fits;
            }
        }
        // A separator far to the left would waste the line.
        let at = if separator * 2 > fits {
            separator
        } else {
            fits
        };
        let (piece, after) = rest.split_at(at);
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

/// The first line of a text, shortened to fit.
pub(super) fn first_line(text: &str, room: usize) -> String {
    let mut lines = wrap(text, room).into_iter();
    let first = lines.next().unwrap_or_default();
    match lines.next() {
        Some(_) => wrap(&first, room.saturating_sub(3))
            .into_iter()
            .next()
            .map(|line| format!("{line}…"))
            .unwrap_or(first),
        None => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::options::Verbosity;

    #[test]
    fn text_is_wrapped_at_blanks_and_long_words_behind_separators() {
        assert_eq!(wrap("one two three four", 9), ["one two", "three", "four"]);
        assert_eq!(wrap("", 9), [""]);
        assert_eq!(
            wrap("see /var/lib/postgresql/15/main/root.crt now", 20),
            ["see", "/var/lib/postgresql/", "15/main/root.crt now"]
        );
        assert_eq!(
            wrap("aaaaaaaaaaaaaaaaaaaa", 8),
            ["aaaaaaaa", "aaaaaaaa", "aaaa"]
        );
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(wrap("数据库服务器", 8), ["数据库服", "务器"]);
    }

    #[test]
    fn ascii_has_a_spelling_for_everything() {
        let style = Style {
            width: 80,
            utf8: false,
            color: false,
            verbosity: Verbosity::Normal,
        };
        assert_eq!(plain("a → b… é", &style), "a -> b... \\u{e9}");
    }

    #[test]
    fn nothing_that_cannot_be_seen_gets_to_the_terminal() {
        let mut style = Style {
            width: 80,
            utf8: true,
            color: false,
            verbosity: Verbosity::Normal,
        };
        for utf8 in [true, false] {
            style.utf8 = utf8;
            let mut page = Page::new(&style);
            page.line(&[(Ink::Plain, "a\u{61c}b\x1b[2Jc\u{2028}")]);
            page.paragraph(&[(Ink::Plain, "\u{e0041}")], Ink::Plain, "d\u{3164}e\u{7}");
            assert_eq!(page.into_text(), "abc\nde\n");
        }
    }

    #[test]
    fn long_lines_are_shortened() {
        assert_eq!(first_line("short", 20), "short");
        assert_eq!(first_line("one two three four five", 12), "one two…");
    }
}
