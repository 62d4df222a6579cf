//! The forms that a secret may be repeated in.

use std::sync::LazyLock;

use md5::{Digest, Md5};

use super::Secret;
use super::finder::{Form, Where};

/// Every text has one of fewer characters in it by chance.
const SHORT: usize = 4;

/// One of so many characters is recognised with blanks in it, too.
const LONG: usize = 8;

/// The forms of a secret that are taken out, and where.
pub(super) fn forms(secret: &Secret, user: &str, known: &[String]) -> Vec<Form> {
    let (bytes, text) = (secret.expose_bytes(), secret.expose());
    let (bytes, text) = (bytes.as_slice(), text.as_str());
    if bytes.is_empty() || is_shown_anyway(secret, known) {
        return Vec::new();
    }
    let mut forms = vec![text.to_owned()];
    let made = others(bytes, text, user).into_iter();
    forms.extend(made.filter(|form| form.as_bytes() != bytes && form.len() >= SHORT));
    // What is made of one that is short is hardly longer.
    let short = text.chars().count() < SHORT;
    let place = |form: &str| match form.chars().count() {
        ..SHORT => Where::Value,
        SHORT..LONG if short => Where::Value,
        SHORT..LONG => Where::Exactly,
        _ => Where::Anywhere,
    };
    let mut all = Vec::with_capacity(forms.len());
    for (at, form) in forms.into_iter().enumerate() {
        let place = place(&form);
        let whole = match at {
            // As it is: the text is only what can be read of it.
            0 => bytes.to_vec(),
            _ => form.into_bytes(),
        };
        all.push(Form::new(whole, place));
    }
    all
}

/// Whether a secret is part of what is shown of the target anyway.
pub(super) fn is_shown_anyway(secret: &Secret, known: &[String]) -> bool {
    let text = secret.expose();
    known.iter().any(|value| value.contains(text.as_str()))
}

/// What programs make of a secret that they print, send or store.
fn others(bytes: &[u8], text: &str, user: &str) -> Vec<String> {
    let sasl_plain = [b"\0", user.as_bytes(), b"\0", bytes].concat();
    let basic = [user.as_bytes(), b":", bytes].concat();
    let mut forms = vec![
        // Replaced where it is not UTF-8, without its ends, or read as Latin-1.
        text.to_owned(),
        crate::visible::visible(text),
        bytes.iter().copied().map(char::from).collect(),
        percent(bytes, true, b""),
        percent(bytes, false, b""),
        percent(bytes, true, b"/"),
        percent(bytes, false, b"/"),
        percent(bytes, true, b"!*'()"),
        percent(bytes, true, b"!*'();/?:@&=+$,#"),
        percent(bytes, true, b"").replace("%20", "+"),
        base64(bytes),
        base64(&sasl_plain),
        base64(&basic),
        hex(bytes).to_uppercase(),
        hex(bytes),
    ];
    forms.extend(inside_base64(bytes));
    forms.extend(escaped(bytes, text));
    // Not by OpenSSL, whose start costs more than all else here.
    let md5 = Md5::new().chain_update(bytes).chain_update(user);
    forms.push(hex(&md5.finalize()));
    for at in 0..forms.len() {
        // The alphabet of base64 for URLs.
        let form = forms[at].replace('+', "-").replace('/', "_");
        if form != forms[at] {
            forms.push(form);
        }
    }
    forms
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// With percent signs, but for letters, digits and what is `left`: a component
/// by RFC 3986, a path, and JavaScript's encodeURIComponent and encodeURI.
fn percent(bytes: &[u8], upper: bool, left: &[u8]) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._~".contains(b) || left.contains(b);
    bytes
        .iter()
        .map(|b| match (plain(b), upper) {
            (true, _) => char::from(*b).to_string(),
            (false, true) => format!("%{b:02X}"),
            (false, false) => format!("%{b:02x}"),
        })
        .collect()
}

fn base64(bytes: &[u8]) -> String {
    let text = openssl::base64::encode_block(bytes);
    text.trim_end_matches('=').to_owned()
}

/// The part of base64 that is the same wherever the bytes stand in what was
/// encoded.
fn inside_base64(bytes: &[u8]) -> impl Iterator<Item = String> {
    (0..3).filter_map(move |before: usize| {
        let padded = [&[0; 2][..before], bytes, &[0; 2]].concat();
        let (from, to) = ((before * 4).div_ceil(3), (before + bytes.len()) * 4 / 3);
        base64(&padded).get(from..to).map(str::to_owned)
    })
}

/// As strings of SQL, shells, JSON, HTML and of our own evidence have it.
fn escaped(bytes: &[u8], text: &str) -> Vec<String> {
    let with = |escape: fn(char) -> Option<String>| -> String {
        text.chars()
            .map(|c| escape(c).unwrap_or_else(|| c.to_string()))
            .collect()
    };
    let unicode = |c: char| {
        let mut units = [0; 2];
        let units = c.encode_utf16(&mut units).iter();
        units.map(|unit| format!("\\u{unit:04x}")).collect()
    };
    let json = serde_json::Value::from(text).to_string();
    let json = json.trim_matches('"');
    vec![
        text.replace('\'', "''"),
        text.replace('\'', "'\\''"),
        text.replace('\'', "'\"'\"'"),
        with(|c| matches!(c, '\'' | '\\').then(|| format!("\\{c}"))),
        with(|c| matches!(c, '"' | '\\').then(|| format!("\\{c}"))),
        json.to_owned(),
        json.chars()
            .map(|c| match c.is_ascii() {
                true => c.to_string(),
                false => unicode(c),
            })
            .collect(),
        with(|c| {
            Some(match c {
                '&' => "&amp;".to_owned(),
                '<' => "&lt;".to_owned(),
                '>' => "&gt;".to_owned(),
                '"' => "&quot;".to_owned(),
                '\'' => "&#39;".to_owned(),
                _ => return None,
            })
        }),
        bytes
            .iter()
            .map(|&b| match b {
                b' '..=b'~' => char::from(b).to_string(),
                b => format!("\\x{b:02x}"),
            })
            .collect(),
    ]
}

/// The report's own words, in small letters and without blanks.
static WORDS: LazyLock<String> = LazyLock::new(|| {
    let mut all = String::new();
    for cause in crate::cause::all() {
        let prose = [cause.code, cause.title, cause.summary, cause.meaning];
        let fixes = cause.fixes.iter().map(|fix| fix.text);
        let seen_as = cause.seen_as.iter().copied();
        for text in prose.into_iter().chain(fixes).chain(seen_as) {
            all.push_str(&together(text));
        }
    }
    all
});

fn together(text: &str) -> String {
    let mut text = text.replace(|c: char| c.is_ascii_whitespace(), "");
    text.make_ascii_lowercase();
    text
}

/// Whether the report's own words have this in them, where blanks do not count. It takes
/// all of them together at first: only what was found in a text is worth that.
pub(super) fn is_in_words(form: &[u8]) -> bool {
    WORDS.contains(&together(&String::from_utf8_lossy(form)))
}
