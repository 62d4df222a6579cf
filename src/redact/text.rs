//! Texts: which of their words are names.

use super::Redactor;
use super::forms::{self, Span, What};
use super::names::{Kind, Spelling};
use super::words::{Rarity, are_words, is_common};

impl Redactor {
    /// What a peer said: a name stands in quotes, whoever's it is.
    pub(super) fn said(&mut self, text: &str) -> String {
        let mut spans = Vec::new();
        let mut rest = 0;
        while let Some((from, to, before)) = quoted(text, rest) {
            rest = to;
            let quoted = &text[from..to];
            let inner = quoted.trim();
            let from = from + quoted.len() - quoted.trim_start().len();
            // The sentence says what it is; else a word may be one of a list.
            let introduced = kind_before(before);
            let is_plain = is_common(inner)
                || self.names.knows_any(inner)
                || self.is_form(inner)
                || introduced.is_none() && (are_words(inner) || inner.contains(' '));
            if !is_plain {
                let kind = introduced.unwrap_or(Kind::Name);
                spans.push(Span {
                    from,
                    to: from + inner.len(),
                    what: What::Name(kind, inner.to_owned()),
                });
            }
        }
        spans.extend(self.spans(text));
        self.replaced(text, spans)
    }

    /// A text without the names that are known or have the form of one.
    pub fn text(&mut self, text: &str) -> String {
        let spans = self.spans(text);
        self.replaced(text, spans)
    }

    pub(super) fn spans(&self, text: &str) -> Vec<Span> {
        let mut spans = forms::find(text, &self.names);
        let lower = text.to_ascii_lowercase();
        for spelling in self.names.spellings() {
            let needle = spelling.text.as_str();
            for (from, _) in lower.match_indices(needle) {
                let to = from + needle.len();
                if stands(&lower, from, to, spelling) {
                    let kind = kind_before(&text[..from])
                        .filter(|kind| self.names.knows(*kind, &spelling.name))
                        .unwrap_or(spelling.kind);
                    let what = What::Name(kind, spelling.name.clone());
                    spans.push(Span { from, to, what });
                }
            }
        }
        spans
    }

    /// A text with pseudonyms in these places: of several at one, the longest.
    pub(super) fn replaced(&mut self, text: &str, mut spans: Vec<Span>) -> String {
        // The sort is stable: what comes first counts where all else is the same.
        spans.sort_by_key(|span| (span.from, std::cmp::Reverse(span.to)));
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for span in spans {
            let (Some(before), true) = (text.get(at..span.from), span.from < span.to) else {
                continue;
            };
            out.push_str(before);
            match &span.what {
                What::Name(kind, name) => out.push_str(&self.names.pseudonym(*kind, name)),
                What::Kept => out.push_str(text.get(span.from..span.to).unwrap_or_default()),
            }
            at = span.to;
        }
        out.push_str(text.get(at..).unwrap_or_default());
        out
    }
}

/// Whether what was found at a place is the name, by the text around it.
fn stands(text: &str, from: usize, to: usize, spelling: &Spelling) -> bool {
    let (before, after) = (&text[..from], &text[to..]);
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let (last, next) = (before.chars().next_back(), after.chars().next());
    let is_word = !inside(last) && !inside(next);
    match spelling.rarity {
        Rarity::Rare => true,
        Rarity::NoWord => is_word,
        Rarity::Word => is_word && is_value(before, after, spelling.kind),
    }
}

/// What stands around a value, in the languages that servers speak.
const QUOTES: &str = "\"'`´«»‹›“”„‟‘’‚‛「」『』";

/// Whether a word is a value between these texts, and not one of the sentence's.
fn is_value(before: &str, after: &str, kind: Kind) -> bool {
    let (last, next) = (before.chars().next_back(), after.chars().next());
    let quote = |c: Option<char>| c.is_some_and(|c| QUOTES.contains(c));
    let word = before
        .trim_end_matches([' ', ':'])
        .rsplit(|c: char| !c.is_alphanumeric())
        .next();
    let word = word.unwrap_or_default();
    // `as app on orders`
    let mut words = before.split_whitespace().rev();
    let on = words.next() == Some("on") && words.nth(1) == Some("as");
    let port = after
        .strip_prefix(':')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let last_word = before.split_whitespace().next_back().unwrap_or_default();
    let option = before.ends_with(' ') && last_word.len() > 1 && last_word.starts_with('-');
    let named = last == Some(' ')
        && match kind {
            Kind::User => matches!(word, "as" | "role" | "user"),
            Kind::Database => word == "database" || on,
            Kind::Host => matches!(word, "host" | "via"),
            _ => false,
        };
    quote(last) && quote(next)
        || last == Some('=')
        || last == Some(':') && next == Some(':')
        || is_in_hba_line(before)
        || last == Some('@')
        || next == Some('@')
        || before.ends_with("://")
        || last == Some('/') && kind == Kind::Database
        || port && kind == Kind::Host
        || named
        || option
        || before.is_empty() && after.is_empty()
}

/// Whether the database or the user of a line of pg_hba.conf comes next.
fn is_in_hba_line(before: &str) -> bool {
    let mut words = before.split_whitespace().rev();
    let is_type = |word: Option<&str>| {
        let word = word.map(|word| word.trim_start_matches(QUOTES_OF_SHELL));
        matches!(word, Some("host" | "hostssl" | "hostnossl" | "local"))
    };
    before.ends_with([' ', '"']) && (is_type(words.next()) || is_type(words.next()))
}

/// What a shell has in front of a word.
const QUOTES_OF_SHELL: [char; 2] = ['\'', '"'];

/// What a name is that these words introduce.
fn kind_before(before: &str) -> Option<Kind> {
    let before = before.trim_end_matches(|c: char| c == ' ' || QUOTES.contains(c));
    let word = before.rsplit(|c: char| !c.is_alphanumeric()).next()?;
    Some(match word.to_lowercase().as_str() {
        "user" | "role" | "as" | "username" | "owner" => Kind::User,
        "database" => Kind::Database,
        "host" | "server" => Kind::Host,
        "schema" => Kind::Schema,
        "service" => Kind::Service,
        "application" => Kind::Application,
        "file" | "directory" | "folder" | "socket" => Kind::Path,
        _ => return None,
    })
}

/// The next text in quotes from a place on, and what stands before it.
fn quoted(text: &str, from: usize) -> Option<(usize, usize, &str)> {
    const PAIRS: &[(char, char)] = &[
        ('"', '"'),
        ('\'', '\''),
        ('«', '»'),
        ('»', '«'),
        ('“', '”'),
        ('„', '“'),
        ('`', '`'),
        ('‹', '›'),
    ];
    let rest = text.get(from..)?;
    for (at, c) in rest.char_indices() {
        let Some((_, close)) = PAIRS.iter().find(|(open, _)| *open == c) else {
            continue;
        };
        let begin = from + at + c.len_utf8();
        // An apostrophe, or the quote that ended the one before.
        let before = text[..from + at].chars().next_back();
        if before.is_some_and(char::is_alphanumeric) || (at == 0 && from > 0) {
            continue;
        }
        if let Some(length) = text[begin..].find(*close)
            && length > 0
        {
            return Some((begin, begin + length, &text[..from + at]));
        }
    }
    None
}
