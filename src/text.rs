//! Text from outside, made safe to show: bounded, and without control
//! characters. A peer may send terminal escapes or direction overrides.

mod assigned;
mod distance;
pub mod moment;
mod tokens;
mod userinfo;

use std::sync::LazyLock;

use regex::Regex;

use crate::secret;

pub use self::distance::distance;
pub use crate::visible::{escaped, visible};

/// The longest piece of foreign text that is kept, in characters.
pub const LONGEST: usize = 2_000;

/// Foreign text as one line: line breaks and tabs become spaces, what cannot
/// be seen is dropped, secrets of ours that a peer repeats are hidden, and what
/// exceeds [`LONGEST`] characters is cut with an ellipsis. A command of a CI system
/// is parted: in a job's log it would be run.
pub fn clean(text: &str) -> String {
    let hidden = assigned::hide(userinfo::hide(secret::hide_text(visible(text))));
    cut(parted(tokens::hide(hidden)), LONGEST)
}

/// Text without the passwords that it shows by its form: those of URLs and of
/// assignments.
pub fn without_passwords(text: &str) -> String {
    assigned::hide(userinfo::hide(text.to_owned()))
}

/// A sentence of ours as one line. Its own words are kept whatever the secrets
/// of the run are; what a peer said is put into it by [`clean`].
pub fn clean_ours(text: &str) -> String {
    let hidden = secret::hide_in_ours(visible(text));
    cut(
        tokens::hide(assigned::hide(userinfo::hide(hidden))),
        LONGEST,
    )
}

/// A value of the user's own as it is, line ends and blanks included, for those
/// that escape what they show; where it holds a secret, as [`clean_ours`] has it.
pub fn own(text: &str) -> String {
    let shown = clean_ours(text);
    match shown == cut(visible(text), LONGEST) {
        true => cut(text.to_owned(), LONGEST),
        false => shown,
    }
}

/// [`clean`] for text that was cut off before it came here, because no more was
/// read: a secret may begin at its end, or end at its beginning.
pub fn clean_part(text: &str) -> String {
    let hidden = userinfo::hide_part(secret::hide_part_text(visible(text)));
    let hidden = tokens::hide(assigned::hide(hidden));
    cut(parted(hidden), LONGEST)
}

/// Foreign bytes as text, unprintable ones escaped as `\xNN`.
pub fn clean_bytes(bytes: &[u8]) -> String {
    clean_first_bytes(bytes, LONGEST)
}

/// The first of some bytes as text, by [`clean_bytes`]. They are given whole,
/// since what is hidden must be found before anything is cut; they are a part
/// of what was sent, by [`clean_part`].
pub fn clean_first_bytes(bytes: &[u8], longest: usize) -> String {
    // A character for each byte.
    let hidden: String = secret::hide_part(bytes)
        .iter()
        .copied()
        .map(char::from)
        .collect();
    let mut escaped = String::new();
    let hidden = tokens::hide(assigned::hide(userinfo::hide_part(hidden)));
    for c in hidden.chars().take(longest) {
        match c {
            '\r' => escaped.push_str("\\r"),
            '\n' => escaped.push_str("\\n"),
            ' '..='~' => escaped.push(c),
            other => escaped.push_str(&format!("\\x{:02x}", u32::from(other))),
        }
    }
    escaped.truncate(escaped.trim_end().len());
    cut(parted(escaped), LONGEST)
}

/// A text without `##[`, `##vso[` and `##teamcity[`, with which the commands of GitHub's
/// and Azure's runners and of TeamCity begin anywhere in a line.
fn parted(text: String) -> String {
    static COMMAND: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"##(\w*\[)").ok());
    if !text.contains("##") {
        return text;
    }
    match &*COMMAND {
        Some(command) => command.replace_all(&text, "## $1").into_owned(),
        None => text,
    }
}

/// A text of at most so many characters, and an ellipsis where it had more.
fn cut(mut text: String, longest: usize) -> String {
    if let Some((at, _)) = text.char_indices().nth(longest) {
        text.truncate(at);
        text.push('…');
    }
    text
}

/// Text in UTF-16 without its byte-order mark; an odd byte at the end is white
/// space.
pub fn from_utf16(body: &[u8], little: bool) -> String {
    let units: Vec<u16> = body
        .chunks(2)
        .map(|pair| match (pair, little) {
            ([a, b], true) => u16::from_le_bytes([*a, *b]),
            ([a, b], false) => u16::from_be_bytes([*a, *b]),
            _ => 0x20,
        })
        .collect();
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_overrides_are_dropped() {
        assert_eq!(clean("\x1b[31mred\x07\u{202e}\nnext"), "red next");
    }

    #[test]
    fn commands_of_ci_systems_are_parted() {
        for (text, shown) in [
            ("a ##[add-mask]b", "a ## [add-mask]b"),
            ("###[error]b", "### [error]b"),
            ("##vso[task.setvariable]b", "## vso[task.setvariable]b"),
            ("##teamcity[x]", "## teamcity[x]"),
            ("## a [b]", "## a [b]"),
        ] {
            assert_eq!(clean(text), shown);
            assert_eq!(clean_part(text), shown);
            assert_eq!(clean_bytes(text.as_bytes()), shown);
        }
    }

    #[test]
    fn length_is_bounded() {
        assert_eq!(clean(&"x".repeat(LONGEST * 2)).chars().count(), LONGEST + 1);
        assert_eq!(clean_bytes(&[0; LONGEST]).chars().count(), LONGEST + 1);
    }

    #[test]
    fn a_value_of_ours_is_kept_but_for_its_secrets() {
        for value in ["abc ", "  a  ", "two\nlines\n", "\x1b[2J\u{202e}", ""] {
            assert_eq!(own(value), value);
        }
        let shown = own("\n-c x=postgres://app:tiger-tiger@db/x \n");
        assert!(!shown.contains("tiger"), "{shown}");
        assert_eq!(own(&"x\n".repeat(LONGEST)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn bytes_are_escaped() {
        assert_eq!(clean_bytes(b"SSH-2.0\r\n\x00"), "SSH-2.0\\r\\n\\x00");
        assert_eq!(clean_first_bytes(b"abc\xffdef", 4), "abc\\xff");
    }

    #[test]
    fn a_url_is_cut_after_its_password_is_hidden() {
        for padding in LONGEST - 40..LONGEST + 4 {
            let text = format!("{} postgres://app:tiger-tiger@db/x", "x".repeat(padding));
            let shown = clean(&text);
            assert!(!shown.contains("tiger"), "{padding}: {shown}");
            let shown = clean_first_bytes(text.as_bytes(), LONGEST);
            assert!(!shown.contains("tiger"), "{padding}: {shown}");
        }
    }
}
