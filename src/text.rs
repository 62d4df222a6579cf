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
    let mut out = hide_userinfo(secret::hide_text(visible(text, 2 * LONGEST)));
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

/// Text without the password of a URL in it: it may have been given where a
/// path or a name belongs. What stands for a password already is left.
fn hide_userinfo(text: String) -> String {
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("://") {
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\''))
            .unwrap_or(after.len());
        let (url, behind) = after.split_at(end);
        out.push_str(before);
        out.push_str("://");
        match password_of(url) {
            Some((user, host)) => {
                out.push_str(user);
                out.push(':');
                out.push_str(secret::HIDDEN);
                out.push_str(host);
            }
            None => out.push_str(url),
        }
        rest = behind;
    }
    if out.is_empty() {
        return text;
    }
    out.push_str(rest);
    out
}

/// What stands before and behind the password of a URL, without its scheme.
fn password_of(url: &str) -> Option<(&str, &str)> {
    let authority = url.find(['/', '?', '#']).unwrap_or(url.len());
    let at = match url.get(..authority)?.rfind('@') {
        Some(at) => at,
        None => url.rfind('@')?,
    };
    let (userinfo, host) = url.split_at(at);
    let (user, password) = userinfo.split_once(':')?;
    let stand_in = password.is_empty()
        || password.contains('…')
        || ["PASSWORD", secret::HIDDEN].contains(&password);
    (!stand_in).then_some((user, host))
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
    fn a_url_in_the_wrong_place_gives_nothing_away() {
        for (given, shown) in [
            (
                "ls -l postgresql://app:tiger@db/x, which",
                "ls -l postgresql://app:(hidden)@db/x, which",
            ),
            (
                "a://u:p@s/w@h b://u:p@h",
                "a://u:(hidden)@s/w@h b://u:(hidden)@h",
            ),
            ("a://u:p/w@h/x", "a://u:(hidden)@h/x"),
            ("a://h:5432/x", "a://h:5432/x"),
            ("a://u@h:5432", "a://u@h:5432"),
            ("a://u:…%40…@h", "a://u:…%40…@h"),
            ("://", "://"),
        ] {
            assert_eq!(clean(given), shown);
        }
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
