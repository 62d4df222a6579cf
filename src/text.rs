//! Text from outside, made safe to show: bounded, and without control
//! characters. A peer may send terminal escapes or direction overrides.

use crate::secret;

/// The longest piece of foreign text that is kept, in characters.
pub const LONGEST: usize = 2_000;

/// Foreign text as one line: line breaks and tabs become spaces, other control
/// and text-direction characters are dropped, secrets of ours that a peer
/// repeats are hidden, and what exceeds [`LONGEST`] characters is cut with an
/// ellipsis.
pub fn clean(text: &str) -> String {
    // As much again, so that no secret is cut in half before it is hidden.
    let mut out = secret::hide_text(visible(text, 2 * LONGEST));
    if let Some((at, _)) = out.char_indices().nth(LONGEST) {
        out.truncate(at);
        out.push('…');
    }
    out
}

/// The first characters of a text as one line, without what cannot be seen.
pub fn visible(text: &str, longest: usize) -> String {
    let mut out = String::with_capacity(text.len().min(longest));
    for c in text.trim_end().chars().take(longest) {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if c.is_control() || is_invisible(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// Foreign bytes as text, by [`clean`], unprintable ones escaped as `\xNN`.
pub fn clean_bytes(bytes: &[u8]) -> String {
    let escaped: String = secret::hide(bytes)
        .iter()
        .take(LONGEST)
        .map(|&b| match b {
            b'\r' => "\\r".to_owned(),
            b'\n' => "\\n".to_owned(),
            0x20..=0x7e => char::from(b).to_string(),
            other => format!("\\x{other:02x}"),
        })
        .collect();
    clean(&escaped)
}

/// Characters that change how the text around them is read or that show as
/// nothing: zero-width and bidirectional controls, byte-order marks.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_overrides_are_dropped() {
        assert_eq!(clean("\x1b[31mred\x07\u{202e}\nnext"), "[31mred next");
    }

    #[test]
    fn length_is_bounded() {
        assert_eq!(clean(&"x".repeat(LONGEST * 2)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn bytes_are_escaped() {
        assert_eq!(clean_bytes(b"SSH-2.0\r\n\x00"), "SSH-2.0\\r\\n\\x00");
    }
}
