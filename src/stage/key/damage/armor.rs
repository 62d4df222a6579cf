//! What was done to a key's frame (header and footer) and to its body.

use super::super::format::PrivateForm;
use super::base64::Armored;
use super::{DamageStep, Notes, form_of, layout, place};

/// The characters that stand for dashes.
const DASHES: [char; 6] = [
    '-', '\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2014}',
];
/// The characters that quote.
pub const QUOTES: [char; 7] = [
    '"', '\'', '`', '\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}',
];

/// A header or footer line that was found, perhaps damaged.
struct Mark {
    /// Where its first dash is, and the byte after its last.
    start: usize,
    end: usize,
    /// The words between the dashes.
    label: String,
    /// Whether every character is as it should be.
    exact: bool,
}

/// Takes a text apart and notes what is wrong with its frame. `None` where it
/// holds no private key.
pub fn read(text: &str, steps: &mut Vec<DamageStep>) -> Option<Armored> {
    let notes = &mut Notes { text, steps };
    let header = find_mark(text, "BEGIN", 0);
    let from = header.as_ref().map_or(0, |mark| mark.end);
    let footer = find_mark(text, "END", from);
    if header.is_none() && footer.is_none() {
        return bare(notes);
    }
    let to = footer.as_ref().map_or(text.len(), |mark| mark.start);
    let body = text.get(from..to)?;
    let label = header
        .as_ref()
        .or(footer.as_ref())
        .map(|mark| mark.label.clone())?;
    let mut framed = Armored::of_body(body, &place(text, from));
    framed.footer = footer.is_some();
    let named = PrivateForm::ALL
        .into_iter()
        .find(|form| form.label() == label);
    // What the bytes are counts for more than what the header says.
    let real = framed
        .bytes
        .as_deref()
        .and_then(form_of)
        .filter(|_| framed.headers.is_empty());
    framed.form = real.or(named)?;
    if framed.digits.len() < 40 && framed.bytes.as_deref().and_then(form_of).is_none() {
        return None;
    }
    let strict = framed.form == PrivateForm::OpenSsh;

    before(header.as_ref(), strict, notes);
    let relabelled = real.is_some_and(|real| named != Some(real));
    match &header {
        None => notes.add(0, "no-header", "the header line is missing"),
        Some(mark) if relabelled => notes.add(
            mark.start,
            "wrong-header",
            format!(
                "the header says {label}, but the body is a {}",
                framed.form.label()
            ),
        ),
        Some(mark) if !mark.exact => notes.add(mark.start, "header", "the header line was altered"),
        Some(_) => {}
    }
    layout::check(from, to, &framed, notes);
    match &footer {
        None if framed.is_complete() => notes.add(
            text.trim_end().len(),
            "no-footer",
            "the footer line is missing",
        ),
        None => {}
        Some(mark) if mark.label != label && !relabelled => {
            notes.add(mark.start, "footer", "the footer does not match the header")
        }
        Some(mark) if !mark.exact => notes.add(mark.start, "footer", "the footer line was altered"),
        Some(_) => {}
    }
    after(footer.as_ref(), notes);
    Some(framed)
}

/// Finds `-----BEGIN … PRIVATE KEY-----` or its like, also with other dashes,
/// too few of them, or in small letters.
fn find_mark(text: &str, word: &str, from: usize) -> Option<Mark> {
    let upper = text.to_ascii_uppercase();
    let mut search = from;
    loop {
        let Some(at) = upper.get(search..)?.find(word).map(|n| search + n) else {
            return (word == "END").then(|| cut_footer(text, from)).flatten();
        };
        search = at + word.len();
        let rest = upper.get(search..)?;
        // The label is short; a line break in it would be damage too.
        let window: String = rest.chars().take(40).collect();
        let Some(length) = window.find("PRIVATE KEY").map(|n| n + "PRIVATE KEY".len()) else {
            // A footer cut off in the middle still is one.
            let cut = word == "END" && text.get(..at)?.ends_with("-----") && rest.len() < 30;
            if cut {
                return Some(Mark {
                    start: at - 5,
                    end: text.len(),
                    label: String::new(),
                    exact: false,
                });
            }
            continue;
        };
        let words = window.get(..length)?;
        let label = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let before = text.get(..at)?;
        let start = before.trim_end_matches(' ').trim_end_matches(DASHES).len();
        let label_end = search + length;
        let tail = text.get(label_end..)?;
        // The dashes may stand apart from the words.
        let spaced = tail.trim_start_matches(' ');
        let end = match spaced.starts_with(DASHES) {
            true => text.len() - spaced.trim_start_matches(DASHES).len(),
            false => label_end,
        };
        let exact = text.get(start..end)? == format!("-----{word} {label}-----");
        return Some(Mark {
            start,
            end,
            label,
            exact,
        });
    }
}

/// A footer of which only the first dashes, or a few letters, are left.
fn cut_footer(text: &str, from: usize) -> Option<Mark> {
    let start = text.trim_end().rfind('\n')? + 1;
    let rest = text.get(start..)?.trim_end();
    (start >= from && rest.starts_with('-') && "-----END".starts_with(rest)).then(|| Mark {
        start,
        end: text.len(),
        label: String::new(),
        exact: false,
    })
}

/// What stands before the header.
fn before(header: Option<&Mark>, strict: bool, notes: &mut Notes) {
    let Some(mark) = header else { return };
    let prefix = notes.text.get(..mark.start).unwrap_or_default();
    let line_start = prefix.rfind('\n').map_or(0, |at| at + 1);
    let (lines, same) = prefix.split_at(line_start);
    if strict && !lines.is_empty() {
        let (name, what) = match lines.trim().is_empty() {
            true => (
                "leading-blank-lines",
                "there are empty lines before the header",
            ),
            false => ("leading-text", "there is other text before the header"),
        };
        notes.add(0, name, what);
    }
    if same.is_empty() {
        return;
    }
    let quote = same.find(QUOTES);
    let rest = same.trim().trim_matches(QUOTES).trim();
    if let Some(at) = quote {
        notes.add(line_start + at, "quotes", "it is in quotes");
    }
    if !rest.is_empty() {
        let what = match rest.ends_with(['=', ':']) {
            true => "a variable name precedes the header",
            false => "there is other text before the header on the same line",
        };
        notes.add(line_start, "leading-text", what);
    } else if quote.is_none() {
        notes.add(line_start, "indentation", "lines are indented");
    }
}

/// What stands behind the footer.
fn after(footer: Option<&Mark>, notes: &mut Notes) {
    let Some(mark) = footer else { return };
    let text = notes.text;
    let rest = text.get(mark.end..).unwrap_or_default();
    let (same, later) = match rest.split_once('\n') {
        Some((same, later)) => (same, Some(later)),
        None => (rest, None),
    };
    if !same.trim().is_empty() {
        let quotes: String = same.chars().filter(|c| QUOTES.contains(c)).collect();
        let only = same
            .trim()
            .trim_matches(QUOTES)
            .trim_matches([',', ';', ' ', '}', ')'])
            .is_empty();
        if !quotes.is_empty() && !notes.has("quotes") {
            notes.add(mark.end, "quotes", "it is in quotes");
        }
        if !only || quotes.is_empty() || same.trim().len() > quotes.len() {
            notes.add(
                mark.end,
                "trailing-text",
                "there is other text after the footer on the same line",
            );
        }
    } else if !same.is_empty() && later.is_some() {
        notes.add(
            mark.end,
            "trailing-space",
            "there is whitespace after the footer",
        );
    }
    match later {
        None => notes.add(
            text.len(),
            "no-final-newline",
            "the line break after the footer is missing",
        ),
        Some(later) => {
            let junk = later
                .lines()
                .map(str::trim)
                .find(|line| !line.is_empty() && !line.starts_with('#'));
            let quoted = later.trim().trim_matches(QUOTES).is_empty();
            match junk.is_some_and(is_junk) {
                true if quoted && notes.has("quotes") => {}
                true if quoted => notes.add(mark.end + 1, "quotes", "it is in quotes"),
                true => notes.add(
                    mark.end + 1,
                    "trailing-text",
                    "there is other text after the footer",
                ),
                false => {}
            }
        }
    }
}

/// Whether a line behind the footer has no business there: another PEM block
/// or the public half has.
fn is_junk(line: &str) -> bool {
    !line.starts_with("-----BEGIN")
        && !line.starts_with("ssh-")
        && !line.starts_with("ecdsa-")
        && !line.starts_with("Bag Attributes")
}

/// Base64 without any frame, of bytes that are a private key.
fn bare(notes: &mut Notes) -> Option<Armored> {
    let text = notes.text;
    let framed = Armored::of_body(text.trim().trim_matches(QUOTES), &place(text, 0));
    let bytes = framed.bytes.as_deref()?;
    let form = match framed.headers.is_empty() {
        true => form_of(bytes)?,
        // An encrypted key shows its form by its size alone.
        false => match bytes.len() {
            0..300 => PrivateForm::Sec1,
            300..500 => PrivateForm::Dsa,
            _ => PrivateForm::Pkcs1,
        },
    };
    let framed = Armored { form, ..framed };
    // Short sequences of ASN.1 are found in many things.
    if framed.stray.is_some() || framed.bytes.as_ref()?.len() < 64 {
        return None;
    }
    if text.trim() != text.trim().trim_matches(QUOTES) {
        notes.add(0, "quotes", "it is in quotes");
    }
    notes.add(0, "no-header", "the header and footer lines are missing");
    let longest = text
        .lines()
        .map(|line| line.trim().len())
        .max()
        .unwrap_or(0);
    if longest > 128 && form != PrivateForm::OpenSsh {
        notes.add(0, "one-line", "the body is on one line");
    }
    Some(framed)
}
