//! A line: its keyword and its values, in quotes or not.

use super::names::AlgorithmList;
use super::read::Problem;

/// A keyword's values, taken one by one.
pub(super) struct Setting<'a> {
    pub(super) keyword: &'a str,
    pub(super) words: &'a [String],
    /// All that stands behind the keyword.
    pub(super) raw: &'a str,
    pub(super) at: usize,
}

impl Setting<'_> {
    pub(super) fn value(&mut self) -> Result<String, Problem> {
        let value = self.words.get(self.at).filter(|word| !word.is_empty());
        self.at += 1;
        value
            .cloned()
            .ok_or_else(|| format!("no value after {}", self.keyword))
    }

    /// A list of algorithms that ssh takes.
    pub(super) fn names(&mut self, family: AlgorithmList) -> Result<String, Problem> {
        let list = self.value()?;
        match family.problem(&list) {
            Some(problem) => Err(problem),
            None => Ok(list),
        }
    }

    /// A command, which is the rest of the line as it is written (readconf.c,
    /// `parse_command`).
    pub(super) fn command(&mut self) -> &str {
        self.at = self.words.len();
        self.raw.trim_start_matches([' ', '\t', '\r', '='])
    }

    pub(super) fn rest(&mut self) -> Vec<String> {
        let rest = self.words.get(self.at..).unwrap_or_default().to_vec();
        self.at = self.words.len();
        rest
    }
}

/// The keyword, and what is behind the blanks or the one `=` after it.
pub(super) fn split_keyword(line: &str) -> (&str, &str) {
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

/// The next word of a `Match` line: blanks, one `=` and quotes end it
/// (misc.c, `strdelim`). `None` at the end, and where a quote is not closed.
pub(super) fn delimited(rest: &mut Option<&str>) -> Option<String> {
    const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];
    let text = rest.take()?;
    let Some(at) = text.find([' ', '\t', '\r', '\n', '"', '=']) else {
        return Some(text.to_owned());
    };
    let (word, behind) = text.split_at(at);
    if let Some(quoted) = behind.strip_prefix('"') {
        let (quoted, behind) = quoted.split_once('"')?;
        *rest = Some(behind.trim_start_matches(BLANK));
        return Some(format!("{word}{quoted}"));
    }
    let next = match behind.strip_prefix('=') {
        Some(behind) => behind.trim_start_matches(BLANK),
        None => {
            let behind = behind.trim_start_matches(BLANK);
            behind
                .strip_prefix('=')
                .map_or(behind, |behind| behind.trim_start_matches(BLANK))
        }
    };
    *rest = Some(next);
    Some(word.to_owned())
}

/// Words with quotes and backslashes, up to a comment; `None` where a quote is
/// not closed.
pub(super) fn words(text: &str) -> Option<Vec<String>> {
    split(text, true)
}

/// The words of a command that no shell reads; `None` where a quote is not
/// closed. There are no comments in it.
pub fn argv(text: &str) -> Option<Vec<String>> {
    split(text, false)
}

/// misc.c, `argv_split`.
fn split(text: &str, comments: bool) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        match chars.peek() {
            None => return Some(out),
            Some('#') if comments => return Some(out),
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
