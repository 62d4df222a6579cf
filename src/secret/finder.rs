//! Finding secrets in a text, in time that is linear in its length.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use zeroize::Zeroizing;

use super::HIDDEN;
use super::forms::is_in_words;
use super::masked::Masked;

/// The longest piece of a secret that may be shown, in bytes.
const SHOWN: usize = 4;

/// What has this many bytes is not in another text by chance.
pub(super) const LONG: usize = 8;

/// Whose text it is that a secret is looked for in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A peer's, a file's, or one that cannot be told from those.
    Peer,
    /// A sentence of ours. What a peer said is hidden before it is put into
    /// one; this is a second look for what is in no sentence by chance.
    Ours,
}

/// A form of a secret.
#[derive(Clone)]
pub(super) struct Form {
    whole: Masked,
    /// Without what does not count; see [`Squeezed`].
    squeezed: Masked,
    place: Where,
}

/// Where a form of a secret is taken out of a peer's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Where {
    /// Wherever it stands, also with blanks or invisible characters in it, unless our own
    /// sentences may have it in them.
    Anywhere,
    /// Wherever it stands as it is: words in a row may look like it.
    Exactly,
    /// Where it is a value: in quotes, or behind an equals sign. It is so short
    /// that every text is full of it.
    Value,
}

/// What stands around a value, in the languages that servers speak.
const QUOTES: &str = "\"'`´«»‹›“”„‟‘’‚‛「」『』";

impl Form {
    /// A form that is taken out there.
    pub(super) fn new(whole: Vec<u8>, place: Where) -> Self {
        Self {
            squeezed: Masked::new(Squeezed::of(&whole).bytes),
            whole: Masked::new(whole),
            place,
        }
    }

    /// What is compared with a text.
    pub(super) fn squeezed(&self) -> Zeroizing<Vec<u8>> {
        self.squeezed.reveal()
    }

    /// Whether it is in no text of others by chance.
    pub(super) fn is_unmistakable(&self) -> bool {
        self.squeezed.len() >= LONG && self.place == Where::Anywhere
    }

    /// Whether our own sentences may have it in them.
    pub(super) fn is_usual(&self) -> bool {
        is_in_words(&self.whole.reveal())
    }

    /// Whether it is part of one of these values.
    pub(super) fn is_part_of(&self, values: &[String]) -> bool {
        let whole = self.whole.reveal();
        let text = String::from_utf8_lossy(&whole);
        values.iter().any(|value| value.contains(&*text))
    }

    /// Whether what was found from `from` to `to` is taken out.
    fn counts(&self, text: &[u8], from: usize, to: usize, origin: Origin) -> bool {
        let long = self.squeezed.len() >= LONG;
        if origin == Origin::Ours && (!long || self.is_usual()) {
            return false;
        }
        let exact = || text.get(from..to) == Some(&**self.whole.reveal());
        match self.place {
            Where::Anywhere => exact() || (long && !self.is_usual()),
            Where::Exactly => exact(),
            Where::Value => exact() && is_value(&text[..from], &text[to..]),
        }
    }
}

/// Whether a value stands between these texts.
fn is_value(before: &[u8], after: &[u8]) -> bool {
    // No character has more than four bytes.
    let before = String::from_utf8_lossy(&before[before.len().saturating_sub(4)..]);
    let after = String::from_utf8_lossy(&after[..after.len().min(4)]);
    let after = after.chars().next();
    let is_quote = |c: char| QUOTES.contains(c);
    match before.chars().next_back() {
        Some('=') => !after.is_some_and(|c| c.is_alphanumeric() || c == '_'),
        Some(c) => is_quote(c) && after.is_some_and(is_quote),
        None => false,
    }
}

impl Form {
    /// How much of a text's beginning is the end of this form.
    fn piece_at_beginning(&self, text: &[u8]) -> usize {
        let squeezed = self.squeezed.reveal();
        let ends = |length: &usize| text.starts_with(&squeezed[squeezed.len() - length..]);
        self.pieces().find(ends).unwrap_or(0)
    }

    /// How much of a text's end is the beginning of this form. All of a text
    /// may be from the middle of it.
    fn piece_at_end(&self, text: &[u8]) -> usize {
        let squeezed = self.squeezed.reveal();
        let inside = || squeezed.windows(text.len()).any(|piece| piece == text);
        if self.pieces().any(|length| length == text.len()) && inside() {
            return text.len();
        }
        let begins = |length: &usize| text.ends_with(&squeezed[..*length]);
        self.pieces().find(begins).unwrap_or(0)
    }

    /// The lengths of the pieces that count, the longest first.
    fn pieces(&self) -> impl Iterator<Item = usize> {
        let whole = match self.place {
            Where::Value => 0,
            _ => self.squeezed.len(),
        };
        // Blanks within it are shown too, and count.
        let blanks = self.whole.len() - self.squeezed.len();
        let least = (SHOWN + 1).saturating_sub(blanks).max(2);
        (least..whole).rev()
    }
}

/// All forms of all secrets.
pub(super) struct Finder {
    forms: Vec<Form>,
    /// Which forms these are, by a hash with a random key: a set of the forms would
    /// have them in memory.
    known: BTreeSet<u64>,
    hasher: Option<RandomState>,
    groups: Vec<Group>,
}

/// Forms that are looked for at once. Each group is larger than the next, so
/// that secrets can be added one by one without building all anew.
struct Group {
    /// The first of its forms; they reach up to the next group's.
    first: usize,
    /// None where there is no way to find them.
    automaton: Option<AhoCorasick>,
}

impl Finder {
    /// Nothing to find yet.
    pub(super) const fn new() -> Self {
        Self {
            forms: Vec::new(),
            known: BTreeSet::new(),
            hasher: None,
            groups: Vec::new(),
        }
    }

    /// Finds these, too.
    pub(super) fn add(&mut self, forms: Vec<Form>) {
        let mut first = self.forms.len();
        for form in forms {
            // One of nothing but blanks shows nothing.
            let hasher = self.hasher.get_or_insert_default();
            let known = hasher.hash_one((&*form.whole.reveal(), form.place));
            if form.squeezed.len() > 0 && self.known.insert(known) {
                self.forms.push(form);
            }
        }
        if first == self.forms.len() {
            return;
        }
        while let Some(last) = self.groups.last()
            && first - last.first <= self.forms.len() - first
        {
            first = last.first;
            self.groups.pop();
        }
        let texts = self.forms[first..]
            .iter()
            .map(|form| form.squeezed.reveal());
        let texts: Vec<Zeroizing<Vec<u8>>> = texts.collect();
        self.groups.push(Group {
            first,
            automaton: automaton(&texts),
        });
    }

    /// `text` without the secrets; none where there are none in it. A `part` is
    /// cut off at its ends, so that pieces of a secret may stand there.
    pub(super) fn hide(&self, text: &[u8], part: bool, origin: Origin) -> Option<Vec<u8>> {
        if self.forms.is_empty() && !text.contains(&b'5') {
            return None;
        }
        let squeezed = Squeezed::of(text);
        let mut spans = Spans::default();
        for Group { first, automaton } in &self.groups {
            let Some(automaton) = automaton else {
                // Nothing can be shown.
                return Some(HIDDEN.into());
            };
            for found in automaton.find_overlapping_iter(&squeezed.bytes) {
                let form = &self.forms[first + found.pattern().as_usize()];
                let (from, to) = squeezed.span(found.start(), found.end());
                if form.counts(text, from, to, origin) {
                    spans.add(from, to);
                }
            }
        }
        for (from, to) in md5(&squeezed.bytes, part) {
            let (from, to) = squeezed.span(from, to);
            spans.add(from, to);
        }
        if !part {
            return spans.hidden(text);
        }
        let longest = |piece: fn(&Form, &[u8]) -> usize| {
            let pieces = self.forms.iter().map(|form| piece(form, &squeezed.bytes));
            pieces.max().filter(|length| *length > 0)
        };
        if let Some(length) = longest(Form::piece_at_beginning) {
            spans.add(0, squeezed.span(0, length).1);
        }
        if let Some(length) = longest(Form::piece_at_end) {
            let all = squeezed.bytes.len();
            spans.add(squeezed.span(all - length, all).0, text.len());
        }
        spans.hidden(text)
    }
}

/// An automaton that has each byte of its patterns in a state of its own; a prefilter
/// would keep the patterns as they are. A DFA would have a row for each byte: for a password
/// of 2,000 characters that is more to build than all texts of a run are to look through.
fn automaton(texts: &[Zeroizing<Vec<u8>>]) -> Option<AhoCorasick> {
    let texts = texts.iter().map(|text| text.as_slice());
    AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .prefilter(false)
        .build(texts)
        .ok()
}

/// A text without what does not count where a secret is looked for: a peer may
/// break it into lines or put invisible characters into it.
pub(super) struct Squeezed {
    pub(super) bytes: Vec<u8>,
    /// Where each of them stands in the text.
    places: Vec<usize>,
}

impl Squeezed {
    pub(super) fn of(text: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(text.len());
        let mut places = Vec::with_capacity(text.len());
        let mut begun = 0;
        for chunk in text.utf8_chunks() {
            let valid = chunk.valid();
            for (at, c) in crate::visible::characters(valid) {
                // What stands for bytes that are not UTF-8 says nothing either.
                if !c.is_whitespace() && c != char::REPLACEMENT_CHARACTER {
                    let at = begun + at;
                    let length = c.len_utf8();
                    bytes.extend_from_slice(&text[at..at + length]);
                    places.extend(at..at + length);
                }
            }
            begun += valid.len();
            bytes.extend_from_slice(chunk.invalid());
            places.extend(begun..begun + chunk.invalid().len());
            begun += chunk.invalid().len();
        }
        Self { bytes, places }
    }

    /// Where a piece of it, of a byte or more, stands in the text.
    pub(super) fn span(&self, from: usize, to: usize) -> (usize, usize) {
        (self.places[from], self.places[to - 1] + 1)
    }
}

/// What MD5 authentication sends and `pg_authid` stores: `md5` and 32
/// hexadecimal digits. With the salt that a server chose, the former is as
/// good as the password.
fn md5(text: &[u8], part: bool) -> Vec<(usize, usize)> {
    const SIGN: &[u8] = b"md5";
    const DIGITS: usize = 32;
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| rest.len() > SIGN.len()) {
        if !rest.starts_with(SIGN) {
            at += 1;
            continue;
        }
        let digits = rest[SIGN.len()..].iter().take(DIGITS);
        let digits = digits.take_while(|b| b.is_ascii_hexdigit()).count();
        let end = at + SIGN.len() + digits;
        let cut = part && end == text.len() && end - at > SHOWN;
        if digits == DIGITS || cut {
            found.push((at, end));
        }
        at = end;
    }
    found
}

/// What is taken out of a text: from where to where.
#[derive(Default)]
pub(super) struct Spans(Vec<(usize, usize)>);

impl Spans {
    pub(super) fn add(&mut self, from: usize, to: usize) {
        match self.0.last_mut() {
            Some(last) if last.0 <= from && from < last.1 => last.1 = last.1.max(to),
            _ => self.0.push((from, to)),
        }
    }

    /// The text without them; none where there are none.
    pub(super) fn hidden(mut self, text: &[u8]) -> Option<Vec<u8>> {
        if self.0.is_empty() {
            return None;
        }
        self.0.sort_unstable();
        let mut out = Vec::with_capacity(text.len());
        let mut kept = 0;
        for (from, to) in self.0 {
            if from >= kept {
                out.extend_from_slice(&text[kept..from]);
                out.extend_from_slice(HIDDEN.as_bytes());
            }
            kept = kept.max(to);
        }
        out.extend_from_slice(&text[kept..]);
        Some(out)
    }
}
