//! Dotenv files as docker compose reads them (Docker documentation, "Set
//! environment variables": syntax of .env files, and "Interpolation").

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// How deep `${A:-${B:-…}}` may go.
const DEEPEST: usize = 16;

/// How much interpolation may add to a whole file.
const LONGEST: usize = 1 << 20;

/// One variable of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Its name.
    pub name: String,
    /// Its value, interpolated; `None` where the file names it without one,
    /// so that the environment's counts.
    pub value: Option<String>,
    /// The line it begins on, from 1.
    pub line: usize,
    /// Variables in it that are set nowhere and therefore empty.
    pub unset: Vec<String>,
}

/// A line that cannot be read. It holds no piece of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadDotenvLine {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Reads a file. `outside` is asked for a variable that the file does not set
/// before it is used.
///
/// # Errors
/// A name that is none, or an unterminated quote.
pub fn parse(
    text: &str,
    outside: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Set>, BadDotenvLine> {
    let mut out: Vec<Set> = Vec::new();
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut room = LONGEST;
    let mut rest = text;
    let (mut line, mut counted) = (1, 0);
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(out);
        }
        if rest.starts_with('#') {
            rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
            continue;
        }
        let begin = text.len() - rest.len();
        line += text[counted..begin].matches('\n').count();
        counted = begin;
        let bad = |problem| BadDotenvLine { line, problem };
        let lookup = |name: &str| match known.get(name) {
            Some(value) => Some(Cow::Borrowed(value.as_str())),
            None => outside(name).map(Cow::Owned),
        };

        rest = match rest.strip_prefix("export") {
            Some(after) if after.starts_with([' ', '\t']) => after.trim_start_matches(blank),
            _ => rest,
        };
        let end = rest.find(['=', ':', '\n']).unwrap_or(rest.len());
        let name = rest[..end].trim_end();
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
        if name.is_empty() || !name.chars().all(plain) {
            return Err(bad("the line does not begin with a variable name"));
        }
        if !rest[end..].starts_with(['=', ':']) {
            rest = &rest[end..];
            out.push(Set {
                name: name.to_owned(),
                value: None,
                line,
                unset: Vec::new(),
            });
            continue;
        }
        let behind = rest[end + 1..].trim_start_matches(blank);
        let mut expander = Expander {
            lookup: &lookup,
            unset: Vec::new(),
            room: &mut room,
        };
        let value;
        (value, rest) = match behind.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let (inner, rest) =
                    quoted(&behind[1..], quote).ok_or(bad("an unterminated quote"))?;
                let value = match quote {
                    '"' => expander.expand(&unescaped(inner), 0),
                    _ => inner.replace("\\'", "'"),
                };
                // Whatever stands behind the quote is a comment or a slip.
                let rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
                (value, rest)
            }
            _ => {
                let end = behind.find('\n').unwrap_or(behind.len());
                let value = without_comment(&behind[..end]).trim_end();
                (expander.expand(value, 0), &behind[end..])
            }
        };
        let unset = expander.unset;
        known.insert(name.to_owned(), value.clone());
        out.push(Set {
            name: name.to_owned(),
            value: Some(value),
            line,
            unset,
        });
    }
}

/// A text with its variables put in (Docker documentation, "Interpolation");
/// `None` where one of them has no value.
pub fn interpolated(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let mut room = LONGEST;
    let mut expander = Expander {
        lookup: &|name| lookup(name).map(Cow::Owned),
        unset: Vec::new(),
        room: &mut room,
    };
    let text = expander.expand(text, 0);
    expander.unset.is_empty().then_some(text)
}

/// A blank that does not end the line.
fn blank(c: char) -> bool {
    c.is_whitespace() && c != '\n'
}

/// The text up to the closing quote, and what is behind it.
fn quoted(text: &str, quote: char) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == quote && !escaped {
            return Some((&text[..at], &text[at + 1..]));
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

/// A comment begins at a `#` behind a blank.
fn without_comment(value: &str) -> &str {
    if value.starts_with('#') {
        return "";
    }
    let comment = value
        .match_indices('#')
        .find(|(at, _)| value[..*at].ends_with(blank));
    comment.map_or(value, |(at, _)| &value[..at])
}

/// The escapes of a value in double quotes.
fn unescaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                // A dollar that is not to be expanded.
                Some('$') => out.push_str("$$"),
                Some(c @ ('"' | '\\')) => out.push(c),
                Some(c) => out.extend(['\\', c]),
                None => out.push('\\'),
            },
            (c, false) => out.push(c),
        }
    }
    out
}

struct Expander<'a> {
    lookup: &'a dyn Fn(&str) -> Option<Cow<'a, str>>,
    unset: Vec<String>,
    room: &'a mut usize,
}

impl Expander<'_> {
    /// `$NAME`, `${NAME}`, `${NAME:-default}` and its kin; `$$` is a dollar. Where there is
    /// no more room, the rest stays as it is written.
    fn expand(&mut self, text: &str, depth: usize) -> String {
        let mut out = String::with_capacity(text.len());
        let closing = closing(text);
        let mut rest = text;
        while let Some(at) = rest.find('$').filter(|_| *self.room > 0) {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                out.push('$');
                rest = after;
            } else if let Some(inner) = rest.strip_prefix('{') {
                let begin = text.len() - inner.len();
                match closing.get(&begin).filter(|_| depth < DEEPEST) {
                    Some(end) => {
                        let end = end - begin;
                        let value = self.braced(&inner[..end], depth);
                        self.add(&mut out, &value);
                        rest = &inner[end + 1..];
                    }
                    None => out.push('$'),
                }
            } else {
                let name = name_of(rest);
                match name.is_empty() {
                    true => out.push('$'),
                    false => {
                        let value = self.value(name);
                        self.add(&mut out, &value);
                        rest = &rest[name.len()..];
                    }
                }
            }
        }
        out.push_str(rest);
        out
    }

    fn add(&mut self, out: &mut String, value: &str) {
        match self.room.checked_sub(value.len()) {
            Some(room) => {
                *self.room = room;
                out.push_str(value);
            }
            None => *self.room = 0,
        }
    }

    fn value(&mut self, name: &str) -> String {
        let value = (self.lookup)(name).map(Cow::into_owned);
        value.unwrap_or_else(|| {
            self.unset.push(name.to_owned());
            String::new()
        })
    }

    fn braced(&mut self, inner: &str, depth: usize) -> String {
        let name = name_of(inner);
        let operator = &inner[name.len()..];
        if name.is_empty() {
            return format!("${{{inner}}}");
        }
        // A value is copied only where it is used: what is not is long as often as it likes.
        let set = (self.lookup)(name);
        let full = set.as_deref().filter(|value| !value.is_empty());
        let two = operator.get(..2).unwrap_or_default();
        let (first, second) = (operator.get(1..), operator.get(2..));
        let word = Option::unwrap_or_default;
        match (two, operator.chars().next()) {
            (":-", _) => match full {
                Some(value) => value.to_owned(),
                None => self.expand(word(second), depth + 1),
            },
            (":+", _) => full.map_or(String::new(), |_| self.expand(word(second), depth + 1)),
            (":?", _) => full.map_or_else(|| self.value(name), str::to_owned),
            (_, Some('-')) => match set {
                Some(value) => value.into_owned(),
                None => self.expand(word(first), depth + 1),
            },
            (_, Some('+')) => set.map_or(String::new(), |_| self.expand(word(first), depth + 1)),
            (_, Some('?')) | (_, None) => set.map_or_else(|| self.value(name), Cow::into_owned),
            _ => format!("${{{inner}}}"),
        }
    }
}

/// Where each open brace is closed: the places behind the one and of the other.
fn closing(text: &str) -> HashMap<usize, usize> {
    let mut open = Vec::new();
    let mut pairs = HashMap::new();
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' if text[..at].ends_with('$') => open.push(at + 1),
            b'}' => pairs.extend(open.pop().map(|begin| (begin, at))),
            _ => {}
        }
    }
    pairs
}

fn name_of(text: &str) -> &str {
    let end = text
        .char_indices()
        .find(|(at, c)| !(c.is_ascii_alphabetic() || *c == '_' || (*at > 0 && c.is_ascii_digit())))
        .map_or(text.len(), |(at, _)| at);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String)> {
        let outside = |name: &str| (name == "OUT").then(|| "outside".to_owned());
        parse(text, outside)
            .unwrap()
            .into_iter()
            .map(|set| (set.name, set.value.unwrap_or("(inherited)".to_owned())))
            .collect()
    }

    #[test]
    fn values_as_compose_reads_them() {
        for (line, expected) in [
            ("A=b", "b"),
            ("A = b ", "b"),
            ("export A=b", "b"),
            ("A: b", "b"),
            ("A=", ""),
            ("A=b # c", "b"),
            ("A=b#c", "b#c"),
            ("A=#c", ""),
            ("A='b # $OUT \\n'", "b # $OUT \\n"),
            ("A='it\\'s'", "it's"),
            ("A=\"b\\n$OUT\" # x", "b\noutside"),
            ("A=\"a\\\"b\"", "a\"b"),
            ("A=\"\\$OUT\"", "$OUT"),
            ("A=${OUT}/x", "outside/x"),
            ("A=$OUT/x", "outside/x"),
            ("A=${NO:-d}", "d"),
            ("A=${NO-d}", "d"),
            ("A=${NO:-${OUT}}", "outside"),
            ("A=${OUT:+y}${NO:+n}", "y"),
            ("A=$$OUT", "$OUT"),
            ("A=$NO", ""),
            ("A=a$", "a$"),
            ("A=a$1", "a$1"),
            ("A=${", "${"),
            ("A", "(inherited)"),
            ("\u{feff}A=b\r\n", "b"),
        ] {
            assert_eq!(
                values(line),
                [("A".to_owned(), expected.to_owned())],
                "{line}"
            );
        }
        assert_eq!(
            values("# x\nA=1\n\nB=${A}2\nC=\"x\ny\"\nD=1"),
            [("A", "1"), ("B", "12"), ("C", "x\ny"), ("D", "1")]
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
    }

    #[test]
    fn lines_and_what_is_unset() {
        let read = parse("A=\"x\ny\"\n# c\nB=$NO", |_| None).unwrap();
        assert_eq!((read[0].line, read[1].line), (1, 4));
        assert_eq!(read[1].unset, ["NO"]);
        assert_eq!(parse("A=1\nB='x", |_| None).unwrap_err().line, 2);
        assert_eq!(parse("A=1\n=x", |_| None).unwrap_err().line, 2);
    }

    #[test]
    fn growth_is_bounded() {
        let mut text = "A0=xxxxxxxxxxxxxxxx\n".to_owned();
        for n in 1..40 {
            text += &format!("A{n}=${{A{0}}}${{A{0}}}\n", n - 1);
        }
        let read = parse(&text, |_| None).unwrap();
        assert!(
            read.iter()
                .all(|set| set.value.as_ref().unwrap().len() <= LONGEST)
        );
    }
}
