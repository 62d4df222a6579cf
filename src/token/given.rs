//! What became of a token on its way: what stands around it, how often it is encoded,
//! and what is missing.

use serde_json::Value;

/// What is wrong with how a token is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// A line break at its end.
    LineBreak,
    /// Other whitespace around it.
    Whitespace,
    /// Whitespace within it.
    Broken,
    /// Quotes around it.
    Quotes,
    /// Braces or brackets around it.
    Brackets,
    /// A name in front of it.
    Named(&'static str),
    /// A URL's scheme in front of it.
    Scheme,
    /// It is a value in a JSON document.
    Json,
    /// Percent-encoded once too often.
    Percent,
    /// Encoded in base64.
    Base64,
    /// This in place of `&`.
    Escaped(&'static str),
    /// Percent-decoded, although its parts are encoded.
    Decoded,
    /// This part of it is missing, of so many characters.
    Cut(&'static str, usize),
    /// A parameter is missing.
    Lacks(&'static str),
    /// More parts than a token has.
    Parts,
    /// A part of it cannot be read.
    Unreadable(&'static str),
    /// Its signature has fewer characters than one has. One that was made up for a test
    /// looks the same, so that other faults say more.
    Short {
        /// How many it has.
        has: usize,
        /// How many one has.
        wants: usize,
        /// The characters of all that was given.
        length: usize,
    },
    /// Something stands behind its signature.
    Tail,
}

impl Damage {
    /// The words behind `a token that`.
    pub fn clause(self) -> String {
        match self {
            Damage::LineBreak => "has a line break at its end".to_owned(),
            Damage::Whitespace => "has whitespace around it".to_owned(),
            Damage::Broken => "has whitespace in it".to_owned(),
            Damage::Quotes => "has quotes around it".to_owned(),
            Damage::Brackets => "has brackets around it".to_owned(),
            Damage::Named(name) => format!("has {name:?} in front of it"),
            Damage::Scheme => "has \"https://\" in front of it".to_owned(),
            Damage::Json => "is inside a JSON document".to_owned(),
            Damage::Percent => "is percent-encoded once too often".to_owned(),
            Damage::Base64 => "is encoded in base64 once too often".to_owned(),
            Damage::Escaped(escape) => format!("has {escape} in place of &"),
            Damage::Decoded => "was percent-decoded once too often".to_owned(),
            Damage::Cut(part, length) => {
                format!("is cut off: {part} is missing ({length} characters were given)")
            }
            Damage::Lacks(name) => format!("lacks the parameter {name}"),
            Damage::Parts => "has too many parts".to_owned(),
            Damage::Unreadable(part) => format!("is damaged: {part} cannot be read"),
            Damage::Short { has, wants, length } => format!(
                "is cut off: its signature has {has} of {wants} characters \
                 ({length} characters were given)"
            ),
            Damage::Tail => "has extra characters after its signature".to_owned(),
        }
    }

    /// What is known to cut a text at this length.
    pub fn limit(self) -> Option<&'static str> {
        let (Damage::Cut(_, length) | Damage::Short { length, .. }) = self else {
            return None;
        };
        Some(match length {
            99 => "the password prompt of psql before version 14 (99 characters)",
            127 | 128 => "a field of 128 characters",
            255 | 256 => "a field of 255 characters",
            511 | 512 => "a field of 512 characters",
            1000 => "a field of 1000 characters",
            1023 | 1024 => "a line pasted into a macOS terminal, or a field of 1024 characters",
            4095 | 4096 => "a line pasted into a terminal (4095 characters)",
            _ => return None,
        })
    }
}

/// What people write in front of a token.
const NAMES: [&str; 9] = [
    "export PGPASSWORD=",
    "PGPASSWORD=",
    "password=",
    "password:",
    "accessToken:",
    "access_token=",
    "token=",
    "Authorization: Bearer ",
    "Bearer ",
];

/// A text without what stands around it.
pub fn unwrapped(text: &str, damage: &mut Vec<Damage>) -> String {
    let mut text = text;
    loop {
        let trimmed = text.trim();
        if trimmed.len() < text.len() {
            let at_end = text.trim_end_matches(['\r', '\n']) == trimmed;
            damage.push(match at_end {
                true => Damage::LineBreak,
                false => Damage::Whitespace,
            });
            text = trimmed;
        }
        if let Some(inner) = within_json(text) {
            damage.push(Damage::Json);
            return inner;
        }
        let inner = |(open, close): &(char, char)| {
            let inner = text.strip_prefix(*open)?;
            inner.strip_suffix(*close)
        };
        let quotes = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”')];
        let brackets = [('{', '}'), ('[', ']'), ('<', '>'), ('(', ')')];
        if let Some(inner) = quotes.iter().find_map(inner) {
            damage.push(Damage::Quotes);
            text = inner;
        } else if let Some(inner) = brackets.iter().find_map(inner) {
            damage.push(Damage::Brackets);
            text = inner;
        } else if let Some((name, rest)) = NAMES.iter().find_map(|name| {
            let begins = text.get(..name.len())?.eq_ignore_ascii_case(name);
            begins.then(|| (*name, &text[name.len()..]))
        }) {
            damage.push(Damage::Named(name.trim_end_matches(['=', ':', ' '])));
            text = rest;
        } else {
            return text.to_owned();
        }
    }
}

/// The token of an answer that was taken whole, as `az account get-access-token` and
/// OAuth's token endpoints give it.
fn within_json(text: &str) -> Option<String> {
    let document = match text.starts_with('{') {
        true => serde_json::from_str::<Value>(text).ok()?,
        false => return None,
    };
    let names = [
        "accessToken",
        "access_token",
        "token",
        "Token",
        "password",
        "id_token",
    ];
    let value = names.iter().find_map(|name| document.get(*name));
    Some(value?.as_str()?.to_owned())
}

/// What a text encodes, and how.
pub fn inner(text: &str) -> Option<(String, Damage)> {
    if text.contains('%') {
        let decoded = percent_decoded(text);
        return (decoded != text).then_some((decoded, Damage::Percent));
    }
    let decoded = base64(text)?;
    let text = String::from_utf8(decoded).ok()?;
    Some((text, Damage::Base64))
}

/// A text with its percent signs decoded once; those that encode nothing are kept.
pub fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&b) = bytes.get(at) {
        match (b, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                out.push(b);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Base64 in either alphabet, with its padding or without. Of a text that was cut, what
/// can be read.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let of_it = |b: u8| b.is_ascii_alphanumeric() || b"+/-_".contains(&b);
    if text.is_empty() || !text.bytes().all(of_it) {
        return None;
    }
    // One character left over holds no byte.
    let whole = text.len() - usize::from(text.len() % 4 == 1);
    let mut text = text[..whole].replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    openssl::base64::decode_block(&text).ok()
}
