//! What can be seen of a text: no control or formatting characters, and none of
//! a terminal's escape sequences. What that is, Unicode says, not a list here.

use std::borrow::Cow;

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{
    CodePointMapData, CodePointMapDataBorrowed, CodePointSetData, CodePointSetDataBorrowed,
};

const CATEGORY: CodePointMapDataBorrowed<'static, GeneralCategory> = CodePointMapData::new();
const IGNORABLE: CodePointSetDataBorrowed<'static> =
    CodePointSetData::new::<DefaultIgnorableCodePoint>();

/// To Unicode it is a symbol; it shows as nothing.
const BRAILLE_BLANK: char = '\u{2800}';

/// The escape character, which begins a terminal's control sequences.
const ESC: char = '\x1b';

/// A text as one line, without what cannot be seen.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    out.extend(characters(text).map(|(_, c)| c));
    out.truncate(out.trim_end().len());
    out
}

/// A text as it is where all of it can be seen; else in double quotes, with
/// what cannot be seen written as an escape: blanks are that where a line would
/// not keep them.
pub fn escaped(text: &str) -> Cow<'_, str> {
    let unseen = |c: char| is_invisible(c) || (c.is_whitespace() && c != ' ');
    if !text.chars().any(unseen) && text.trim() == text && !text.contains("  ") {
        return Cow::Borrowed(text);
    }
    let mut out = String::from("\"");
    let mut rest = text.chars().peekable();
    let mut last = None;
    while let Some(c) = rest.next() {
        let run = c == ' ' && (last == Some(' ') || rest.peek() == Some(&' '));
        last = Some(c);
        match c {
            ' ' if run => out.push_str("\\x20"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if unseen(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out.push('"');
    Cow::Owned(out)
}

/// The characters of a text that can be seen, each with its place. Line breaks
/// and tabs are spaces.
pub(crate) fn characters(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(at..)?;
            let c = rest.chars().next()?;
            let place = at;
            at += sequence(rest).unwrap_or(c.len_utf8());
            match c {
                '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                    return Some((place, ' '));
                }
                c if is_invisible(c) => {}
                c => return Some((place, c)),
            }
        }
    })
}

/// Whether a character shows as nothing, or changes how the text around it is
/// read: control, format and separator characters, and what is ignored where
/// it is not supported (Unicode, `Default_Ignorable_Code_Point`).
pub(crate) fn is_invisible(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    matches!(
        CATEGORY.get(c),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    ) || IGNORABLE.contains(c)
        || c == BRAILLE_BLANK
}

/// The length of the control sequence that a text begins with (ECMA-48), or of
/// what has come of it where the text ends; `None` where it is none.
fn sequence(text: &str) -> Option<usize> {
    let body = text.strip_prefix(ESC)?;
    let (body, middle, last) = match body.chars().next() {
        Some('[') => (&body[1..], ' '..='?', '@'..='~'),
        Some(']' | 'P' | 'X' | '^' | '_') => return string(&body[1..]).map(|length| 2 + length),
        _ => (body, ' '..='/', '0'..='~'),
    };
    let rest = body.trim_start_matches(|c| middle.contains(&c));
    let end = match rest.chars().next() {
        None => 0,
        Some(c) if last.contains(&c) => 1,
        Some(_) => return None,
    };
    Some(text.len() - rest.len() + end)
}

/// The length of a control string with its end, BEL or ST. Any other control
/// character breaks it off.
fn string(text: &str) -> Option<usize> {
    let Some(end) = text.find(char::is_control) else {
        return Some(text.len());
    };
    let closings = ["\x07", "\u{9c}", "\x1b\\"];
    let closing = closings.iter().find(|it| text[end..].starts_with(**it))?;
    Some(end + closing.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_decided_by_unicode() {
        let members = [
            '\u{0}',
            '\u{7f}',
            '\u{85}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{17b5}',
            '\u{180b}',
            '\u{180e}',
            '\u{200b}',
            '\u{200d}',
            '\u{200e}',
            '\u{2028}',
            '\u{2029}',
            '\u{202e}',
            '\u{2060}',
            '\u{2065}',
            '\u{2069}',
            '\u{206a}',
            '\u{206f}',
            '\u{2800}',
            '\u{3164}',
            '\u{fe00}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{fffb}',
            '\u{1bca0}',
            '\u{1d173}',
            '\u{1d17a}',
            '\u{e0001}',
            '\u{e0020}',
            '\u{e007f}',
            '\u{e0100}',
            '\u{e01ef}',
            '\u{e0fff}',
        ];
        for c in members {
            assert!(is_invisible(c), "{}", c.escape_unicode());
        }
        for c in [
            'a', ' ', '\u{a0}', 'é', 'ß', '数', '\u{3000}', '\u{301}', '→', '😀',
        ] {
            assert!(!is_invisible(c), "{}", c.escape_unicode());
        }
    }

    #[test]
    fn a_terminals_sequences_go_as_a_whole() {
        for (given, shown) in [
            ("a\x1b[1;31mb\x1b[0m", "ab"),
            ("a\u{9b}2Jb", "a2Jb"),
            ("a\x1b]0;title\x07b", "ab"),
            ("a\x1b]8;;http://x\x1b\\b\x1b]8;;\x1b\\c", "abc"),
            ("a\x1b]0;t\u{9c}b", "ab"),
            ("a\x1b(Bb\x1bcd", "abd"),
            // The text ends within them.
            ("a\x1b]0;title", "a"),
            ("a\x1b[31", "a"),
            ("a\x1b(", "a"),
            ("a\x1b", "a"),
            // What is broken off is text.
            ("a\x1b[31\nb", "a[31 b"),
            ("a\x1b]0;ti\ntle", "a]0;ti tle"),
        ] {
            assert_eq!(visible(given), shown, "{given:?}");
        }
    }

    #[test]
    fn what_is_escaped_can_be_told_apart() {
        for (given, shown) in [
            ("app", "app"),
            ("a b", "a b"),
            ("C:\\x \"y\"", "C:\\x \"y\""),
            ("", ""),
            ("abc ", "\"abc \""),
            ("  padded ", "\"\\x20\\x20padded \""),
            ("a   b", "\"a\\x20\\x20\\x20b\""),
            ("two\nlines", "\"two\\nlines\""),
            ("\"a\\\t", "\"\\\"a\\\\\\t\""),
            ("a\x1b[2Jb\x7f", "\"a\\x1b[2Jb\\x7f\""),
            ("a\u{202e}b\u{85}", "\"a\\u{202e}b\\u{85}\""),
            ("a\u{a0}b", "\"a\\u{a0}b\""),
        ] {
            assert_eq!(escaped(given), shown, "{given:?}");
        }
    }

    #[test]
    fn sequences_without_an_end_take_no_longer() {
        let long = "\x1b]".repeat(2_000_000);
        let begun = std::time::Instant::now();
        assert_eq!(visible(&long).len(), 1_999_999);
        assert!(begun.elapsed().as_secs() < 20);
    }

    proptest::proptest! {
        #[test]
        fn nothing_invisible_is_left(text: String) {
            let shown = visible(&text);
            proptest::prop_assert!(!shown.chars().any(is_invisible), "{shown:?}");
            proptest::prop_assert_eq!(visible(&shown), shown.as_str());
            let shown = escaped(&text);
            proptest::prop_assert!(!shown.chars().any(is_invisible), "{shown:?}");
        }
    }
}
