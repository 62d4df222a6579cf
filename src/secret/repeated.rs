//! What keeps the secrets of this run from being shown where a peer repeats
//! them, in whatever form.

use std::borrow::Cow;
use std::sync::{LazyLock, PoisonError, RwLock};

use super::{HIDDEN, Secret};

/// The secrets of this run in the forms that a peer may repeat them in.
/// [`crate::text::clean`] takes them out of every text that is shown.
static GUARDED: RwLock<Guarded> = RwLock::new(Guarded {
    known: Vec::new(),
    user: String::new(),
    forms: Vec::new(),
});

struct Guarded {
    /// The values of the target that are shown anyway.
    known: Vec<String>,
    user: String,
    forms: Vec<(Vec<u8>, Where)>,
}

/// Where a form of a secret is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    /// Wherever it stands.
    Anywhere,
    /// Where it is a word of its own: it is short.
    Word,
    /// Where it is a value: in quotes, or behind an equals sign. It is a
    /// usual word, or very short, and the report is full of it by chance.
    Value,
}

/// Says what is shown of the target anyway, before the first [`guard`]: a
/// password that is part of that cannot be told from it, and hiding it there
/// would give it away.
pub fn shown_anyway(user: &str, values: impl IntoIterator<Item = String>) {
    let mut guarded = GUARDED.write().unwrap_or_else(PoisonError::into_inner);
    user.clone_into(&mut guarded.user);
    guarded.known.extend(values);
}

/// Keeps a secret of the target out of everything that is shown from now on:
/// a hostile server may repeat the password that it was given.
pub fn guard(secret: &Secret) {
    let mut guarded = GUARDED.write().unwrap_or_else(PoisonError::into_inner);
    let forms = forms(secret, &guarded.user, &guarded.known);
    for form in forms {
        if !guarded.forms.contains(&form) {
            guarded.forms.push(form);
        }
    }
    // The longest first: one may be part of another.
    let by_length = |form: &(Vec<u8>, Where)| std::cmp::Reverse(form.0.len());
    guarded.forms.sort_by_key(by_length);
}

/// Bytes without the secrets that are guarded.
pub fn hide(bytes: &[u8]) -> Cow<'_, [u8]> {
    let guarded = GUARDED.read().unwrap_or_else(PoisonError::into_inner);
    let mut out = Cow::Borrowed(bytes);
    for (form, place) in &guarded.forms {
        if let Some(hidden) = without(&out, form, *place) {
            out = Cow::Owned(hidden);
        }
    }
    match without_md5(&out) {
        Some(hidden) => Cow::Owned(hidden),
        None => out,
    }
}

/// `bytes` without what MD5 authentication sends and `pg_authid` stores:
/// `md5` and 32 hexadecimal digits. With the salt that a server chose, the
/// former is as good as the password.
fn without_md5(bytes: &[u8]) -> Option<Vec<u8>> {
    const DIGITS: usize = 32;
    let is_hash = |at: usize| {
        let digits = bytes.get(at + 3..at + 3 + DIGITS);
        bytes.get(at..).is_some_and(|rest| rest.starts_with(b"md5"))
            && digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let at = (0..bytes.len().saturating_sub(DIGITS + 2)).find(|&at| is_hash(at))?;
    let mut out = bytes.get(..at)?.to_vec();
    out.extend_from_slice(HIDDEN.as_bytes());
    let rest = bytes.get(at + 3 + DIGITS..).unwrap_or_default();
    out.extend(without_md5(rest).unwrap_or_else(|| rest.to_vec()));
    Some(out)
}

/// The same for text.
pub fn hide_text(text: String) -> String {
    match hide(text.as_bytes()) {
        Cow::Borrowed(_) => text,
        Cow::Owned(hidden) => String::from_utf8_lossy(&hidden).into_owned(),
    }
}

/// The forms of a secret that are taken out, and where.
fn forms(secret: &Secret, user: &str, known: &[String]) -> Vec<(Vec<u8>, Where)> {
    let bytes = secret.expose_bytes();
    let text = secret.expose();
    if bytes.is_empty() || known.iter().any(|value| value.contains(text)) {
        return Vec::new();
    }
    let place = match text.chars().count() {
        0..4 => Where::Value,
        _ if is_usual(text) => Where::Value,
        4..8 => Where::Word,
        _ => Where::Anywhere,
    };
    let mut forms = vec![(bytes.to_vec(), place)];
    let visible = crate::text::visible(text, usize::MAX);
    let pairs =
        |bytes: &[u8]| -> Vec<String> { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    let hex = pairs(bytes).concat();
    // With what is left plain beside letters and digits: a component by RFC
    // 3986, a path, and JavaScript's encodeURIComponent and encodeURI.
    let encoded = |upper: bool, left: &[u8]| -> String {
        let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._~".contains(b) || left.contains(b);
        bytes
            .iter()
            .map(|b| match (plain(b), upper) {
                (true, _) => char::from(*b).to_string(),
                (false, true) => format!("%{b:02X}"),
                (false, false) => format!("%{b:02x}"),
            })
            .collect()
    };
    let sasl_plain = [b"\0", user.as_bytes(), b"\0", bytes].concat();
    let basic = [user.as_bytes(), b":", bytes].concat();
    let base64 = |bytes: &[u8]| {
        let text = openssl::base64::encode_block(bytes);
        text.trim_end_matches('=').to_owned()
    };
    let md5 = openssl::hash::hash(
        openssl::hash::MessageDigest::md5(),
        &[bytes, user.as_bytes()].concat(),
    );
    let md5 = md5.ok().map(|digest| pairs(&digest).concat());
    let others = [
        visible,
        encoded(true, b""),
        encoded(false, b""),
        encoded(true, b"/"),
        encoded(false, b"/"),
        encoded(true, b"!*'()"),
        encoded(true, b"!*'();/?:@&=+$,#"),
        encoded(true, b"").replace("%20", "+"),
        base64(bytes),
        base64(bytes).replace('+', "-").replace('/', "_"),
        base64(&sasl_plain),
        base64(&basic),
        hex.to_uppercase(),
        hex,
        pairs(bytes).join(" "),
    ];
    for form in others.into_iter().chain(md5) {
        let place = match form.len() {
            _ if form == text => continue,
            0..4 => continue,
            4..8 => Where::Word,
            _ => Where::Anywhere,
        };
        // What only lost its ends is as usual a word as it is.
        let place = if text.contains(&form) && is_usual(&form) {
            Where::Value
        } else {
            place
        };
        forms.push((form.into_bytes(), place));
    }
    forms
}

/// The report's own words, in small letters.
static PROSE: LazyLock<String> = LazyLock::new(|| {
    let mut all = String::new();
    for cause in crate::cause::all() {
        let prose = [cause.code, cause.title, cause.summary, cause.meaning];
        let fixes = cause.fixes.iter().map(|fix| fix.text);
        for text in prose
            .into_iter()
            .chain(fixes)
            .chain(cause.seen_as.iter().copied())
        {
            all.push_str(text);
            all.push('\n');
        }
    }
    all.make_ascii_lowercase();
    all
});

/// Whether the report's own words contain it.
fn is_usual(text: &str) -> bool {
    PROSE.contains(&text.to_ascii_lowercase())
}

/// `bytes` without `form`; none where it is not in there.
fn without(bytes: &[u8], form: &[u8], place: Where) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut kept = 0;
    let mut at = 0;
    while let Some(rest) = bytes.get(at..)
        && rest.len() >= form.len()
    {
        if !rest.starts_with(form) {
            at += 1;
            continue;
        }
        let before = at.checked_sub(1).and_then(|at| bytes.get(at)).copied();
        let after = rest.get(form.len()).copied();
        if !stands(place, before, after) {
            at += 1;
            continue;
        }
        out.extend_from_slice(bytes.get(kept..at).unwrap_or_default());
        out.extend_from_slice(HIDDEN.as_bytes());
        at += form.len();
        kept = at;
    }
    if kept == 0 {
        return None;
    }
    out.extend_from_slice(bytes.get(kept..).unwrap_or_default());
    Some(out)
}

/// Whether what stands between these two bytes is taken out.
fn stands(place: Where, before: Option<u8>, after: Option<u8>) -> bool {
    let of_a_word =
        |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80);
    match place {
        Where::Anywhere => true,
        Where::Word => !of_a_word(before) && !of_a_word(after),
        Where::Value => match before {
            Some(b'=') => !of_a_word(after),
            Some(quote @ (b'"' | b'\'' | b'`')) => after == Some(quote),
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(secret: &str, known: &[&str], text: &str) -> String {
        let known: Vec<String> = known.iter().map(|&k| k.to_owned()).collect();
        let mut out = text.as_bytes().to_vec();
        for (form, place) in forms(&Secret::new(secret), "app", &known) {
            out = without(&out, &form, place).unwrap_or(out);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_password_is_taken_out_in_every_form() {
        for repeated in [
            "x hunter2-and-more!x",
            "aHVudGVyMi1hbmQtbW9yZSE=",
            "68756e746572322d616e642d6d6f726521",
            "hunter2-and-more%21",
            "AGFwcABodW50ZXIyLWFuZC1tb3JlIQ==",
        ] {
            let shown = hidden("hunter2-and-more!", &[], repeated);
            assert!(shown.contains(HIDDEN), "{repeated}: {shown}");
            assert!(!shown.contains("hunter2"), "{repeated}: {shown}");
        }
    }

    #[test]
    fn percent_encoding_has_dialects() {
        for repeated in [
            "x%20hunter2%2F%26%21",
            "x%20hunter2/%26%21",
            "x%20hunter2%2f%26%21",
            "x%20hunter2%2F%26!",
            "x%20hunter2/&!",
            "x+hunter2%2F%26%21",
        ] {
            let shown = hidden("x hunter2/&!", &[], repeated);
            assert_eq!(shown, HIDDEN, "{repeated}");
        }
    }

    #[test]
    fn an_md5_answer_is_taken_out() {
        let said = "md57e5f6037f1199f1075432170e2a45f8b";
        let twice = format!("{said}, {said}.");
        assert_eq!(&*hide(twice.as_bytes()), b"(hidden), (hidden).");
        assert_eq!(&*hide(b"md5 is weak, md5"), b"md5 is weak, md5");
    }

    #[test]
    fn short_and_usual_ones_do_not_destroy_the_report() {
        let of = |secret, text| hidden(secret, &[], text);
        assert_eq!(of("a", "a role has a name"), "a role has a name");
        assert_eq!(of("a", "password=a"), "password=(hidden)");
        assert_eq!(of("tiger7", "tiger77 tiger7."), "tiger77 (hidden).");
        assert_eq!(of("server", "the server at"), "the server at");
        assert_eq!(of("server", "got 'server'"), "got '(hidden)'");
        assert_eq!(of("", "''"), "''");
    }

    #[test]
    fn what_is_shown_anyway_is_not_given_away() {
        let said = "role \"warehouse\" does not exist";
        assert_eq!(hidden("warehouse", &["warehouse"], said), said);
    }
}
