//! Loose matching of texts: without regard to case and kind of quotes, with
//! `*` for whatever varies, and `{host}` for what varies and is wanted.

use std::ops::Range;

/// What may be captured: `{host}` in a pattern is a `*` whose value is wanted.
pub const CAPTURED: [&str; 13] = [
    "host",
    "address",
    "port",
    "user",
    "dbname",
    "parameter",
    "file",
    "line",
    "sqlstate",
    "driver",
    "driver_version",
    "provider",
    "pooler",
];

/// A text to look for.
#[derive(Debug)]
pub struct Pattern {
    /// The pieces between the holes, folded; none is empty.
    pieces: Vec<String>,
    /// The names of the holes before, between and after the pieces.
    holes: Vec<Option<&'static str>>,
    /// Whether the last word may go on, as in `postgres*`.
    goes_on: bool,
}

/// What a hole of a pattern holds, as bytes of the folded line.
pub type Capture = (&'static str, Range<usize>);

impl Pattern {
    /// Compiles a pattern.
    pub fn new(text: &str) -> Self {
        let (mut pieces, mut holes) = (Vec::new(), vec![None]);
        let text = fold(text);
        let goes_on = text
            .strip_suffix('*')
            .is_some_and(|word| !word.ends_with(' '));
        let mut rest = text.as_str();
        let mut piece = |given: &str, hole: Option<&'static str>, holes: &mut Vec<_>| {
            let given = given.trim();
            if !given.is_empty() {
                pieces.push(given.to_owned());
                holes.push(None);
            }
            if let (Some(last), Some(_)) = (holes.last_mut(), hole) {
                *last = hole;
            }
        };
        while let Some((at, length, name)) = next_hole(rest) {
            piece(rest.get(..at).unwrap_or_default(), name, &mut holes);
            rest = rest.get(at + length..).unwrap_or_default();
        }
        piece(rest, None, &mut holes);
        Self {
            pieces,
            holes,
            goes_on,
        }
    }

    /// How many characters are given.
    pub fn weight(&self) -> usize {
        self.pieces.iter().map(String::len).sum()
    }

    /// Its longest piece.
    pub fn longest(&self) -> &str {
        let longest = self.pieces.iter().max_by_key(|piece| piece.len());
        longest.map_or("", String::as_str)
    }

    /// Whether it is in a line that is folded already.
    pub fn is_in(&self, line: &str) -> bool {
        self.place(line).is_some()
    }

    /// What its named holes hold in a line that is folded already; nothing where
    /// it is not in it. A hole at an end holds one word.
    pub fn captures(&self, line: &str) -> Vec<Capture> {
        let Some(places) = self.place(line) else {
            return Vec::new();
        };
        let start = |n: usize| places.get(n).map(|place| place.start);
        let end = |n: usize| Some(places.get(n.checked_sub(1)?)?.end);
        let held = self.holes.iter().enumerate().filter_map(|(n, name)| {
            let range = match (end(n), start(n)) {
                (Some(from), Some(to)) => from..to,
                (Some(from), None) => from..from + word(line.get(from..)?),
                (None, Some(to)) => to - word_before(line.get(..to)?)..to,
                (None, None) => return None,
            };
            Some(((*name)?, trimmed(line, range)))
        });
        held.filter(|(_, range)| !range.is_empty()).collect()
    }

    /// Where its pieces stand in a line that is folded already.
    pub fn place(&self, line: &str) -> Option<Vec<Range<usize>>> {
        let (first, others) = self.pieces.split_first()?;
        // Where the first piece stands decides the rest: try each place.
        line.match_indices(first.as_str()).find_map(|(at, _)| {
            let mut from = at + first.len();
            let ends = |at: usize, piece: &str| self.goes_on || ends_word(line, at, piece);
            if !starts_word(line, at, first) || (others.is_empty() && !ends(from, first)) {
                return None;
            }
            let mut places = Vec::with_capacity(self.pieces.len());
            places.push(at..from);
            for (n, piece) in others.iter().enumerate() {
                let last = n + 1 == others.len();
                let rest = line.get(from..).unwrap_or_default();
                let (at, _) = rest
                    .match_indices(piece.as_str())
                    .find(|(at, _)| !last || ends(from + at + piece.len(), piece))?;
                places.push(from + at..from + at + piece.len());
                from += at + piece.len();
            }
            Some(places)
        })
    }
}

/// The next hole of a pattern: where it is, how long it is written, its name.
fn next_hole(text: &str) -> Option<(usize, usize, Option<&'static str>)> {
    text.match_indices(['*', '{']).find_map(|(at, sign)| {
        if sign == "*" {
            return Some((at, 1, None));
        }
        let (name, _) = text.get(at + 1..)?.split_once('}')?;
        let name = CAPTURED.iter().find(|known| **known == name)?;
        Some((at, name.len() + 2, Some(*name)))
    })
}

/// A pattern as it is shown: with `*` for every hole.
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, length, _)) = next_hole(rest) {
        out += rest.get(..at).unwrap_or_default();
        out.push('*');
        rest = rest.get(at + length..).unwrap_or_default();
    }
    out + rest
}

/// What ends a word that is captured.
fn ends(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | ',' | ';' | '(' | ')' | '[' | ']' | '<' | '>')
}

/// How long the word is that a text begins with, and the blanks before it.
fn word(text: &str) -> usize {
    let blanks = text.len() - text.trim_start_matches([' ', '"']).len();
    let word = text.get(blanks..).unwrap_or_default();
    blanks + word.find(ends).unwrap_or(word.len())
}

/// How long the word is that a text ends with, and the blanks after it.
fn word_before(text: &str) -> usize {
    let trimmed = text.trim_end_matches([' ', '"']);
    let start = trimmed.rfind(ends).map_or(0, |at| {
        at + trimmed[at..].chars().next().map_or(1, char::len_utf8)
    });
    text.len() - start
}

/// A value without the blanks, quotes and marks around it.
fn trimmed(line: &str, range: Range<usize>) -> Range<usize> {
    let value = line.get(range.clone()).unwrap_or_default();
    let start = value.len() - value.trim_start_matches([' ', '"']).len();
    let kept = value.trim_end_matches([' ', '"', ':', '.', ',']);
    range.start + start..range.start + start.max(kept.len())
}

fn starts_word(line: &str, at: usize, piece: &str) -> bool {
    let inside = piece.starts_with(|c: char| c.is_ascii_alphanumeric());
    let before = line.get(..at).and_then(|text| text.chars().next_back());
    !(inside && before.is_some_and(|c| c.is_alphanumeric()))
}

fn ends_word(line: &str, at: usize, piece: &str) -> bool {
    let inside = piece.ends_with(|c: char| c.is_ascii_alphanumeric());
    let after = line.get(at..).and_then(|text| text.chars().next());
    !(inside && after.is_some_and(|c| c.is_alphanumeric()))
}

/// A text in the form in which texts are compared: lower case, one kind of
/// quotes, single blanks.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return fold_ascii(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let c = match c {
            '\'' | '`' | '´' | '‘' | '’' | '“' | '”' | '„' | '«' | '»' | '‹' | '›' | '「'
            | '」' => '"',
            c if c.is_whitespace() => ' ',
            c => c,
        };
        if c == ' ' && out.ends_with(' ') {
            continue;
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// The same of most lines of a log, quickly.
fn fold_ascii(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let varies = |b: u8| matches!(b, b'\'' | b'`' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c);
    if !lower.bytes().any(varies) && !lower.contains("  ") {
        return lower;
    }
    let mut out = String::with_capacity(lower.len());
    for c in lower.chars() {
        match c {
            '\'' | '`' => out.push('"'),
            c if c.is_ascii_whitespace() || c == '\x0b' => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// The part of a text that a part of its folded form stands for, as it was written.
pub fn unfolded(text: &str, folded: &Range<usize>) -> String {
    let mut at = 0;
    let mut out = String::new();
    let mut blank = false;
    for c in text.chars() {
        let is_blank = c.is_whitespace();
        if is_blank && blank {
            continue;
        }
        blank = is_blank;
        let length = match is_blank {
            true => 1,
            false => fold(c.encode_utf8(&mut [0; 4])).len(),
        };
        if folded.contains(&at) {
            out.push(c);
        }
        at += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_text() {
        let line = "Rolle  »AppÜ«  fehlt";
        let folded = fold(line);
        let captures = Pattern::new("rolle \"{user}\" fehlt").captures(&folded);
        let (_, range) = captures.first().unwrap();
        assert_eq!(unfolded(line, range), "AppÜ");
    }

    fn found(pattern: &str, line: &str) -> bool {
        Pattern::new(pattern).is_in(&fold(line))
    }

    #[test]
    fn case_quotes_and_values_do_not_matter() {
        assert!(found(
            "role \"*\" does not exist",
            "FATAL:  Role 'app' does not exist"
        ));
        assert!(found(
            "lookup *: no such host",
            "dial tcp: lookup db: no such host"
        ));
        assert!(!found(
            "role \"*\" does not exist",
            "database \"a\" does not exist"
        ));
    }

    #[test]
    fn words_are_whole() {
        assert!(!found("P1001", "XP10012"));
        assert!(found("P1001", "Error: P1001: no"));
        assert!(!found("unix socket", "unix sockets"));
        assert!(!found("role * gone", "role x goner"));
        assert!(found("role * gone", "role x goner gone"));
        assert!(found("postgres*", "the backend postgresql_psycopg2"));
        assert!(!found("postgres*", "mypostgres"));
        assert!(!found("postgres *", "postgresql"));
    }

    #[test]
    fn values_are_captured() {
        let held = |pattern: &str, line: &str| {
            let line = fold(line);
            let captures = Pattern::new(pattern).captures(&line);
            let values = captures
                .into_iter()
                .map(|(name, at)| (name, line[at].to_owned()));
            values.collect::<Vec<_>>()
        };
        let pair = |name, value: &str| (name, value.to_owned());
        assert_eq!(
            held(
                "role \"{user}\" does not exist",
                "FATAL: role \"app\" does not exist"
            ),
            [pair("user", "app")]
        );
        assert_eq!(
            held(
                "lookup {host} on *:53: no such host",
                "lookup db on 10.0.0.2:53: no such host"
            ),
            [pair("host", "db")]
        );
        assert_eq!(
            held(
                "connect to {host}:{port}",
                "cannot connect to db.test:5432, giving up"
            ),
            [pair("host", "db.test"), pair("port", "5432")]
        );
        assert_eq!(
            held("{parameter} is unknown", "the option 'ssl_mode' is unknown"),
            [pair("parameter", "ssl_mode")]
        );
        assert_eq!(held("role \"{user}\" gone", "nothing"), []);
        assert_eq!(
            shown("role \"{user}\": {:error} *"),
            "role \"*\": {:error} *"
        );
    }
}
