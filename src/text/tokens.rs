//! Tokens in a text, told by their shape: the secret parameters of a URL that is signed
//! for AWS, JSON Web Tokens, and Google's access tokens. They are given where a name
//! belongs, and peers repeat them.

use crate::secret::HIDDEN;

/// What of a signed URL is secret: what stands behind these words.
const PARAMETERS: [&str; 3] = [
    "X-Amz-Signature",
    "X-Amz-Security-Token",
    "X-Amz-Credential",
];

/// How tokens begin that have no names in them: `{"` in base64, and Google's mark.
const BEGINNINGS: [&str; 2] = ["eyJ", "ya29."];

/// The shortest text that is one, rather than a word that begins as one.
const SHORTEST: usize = 24;

/// Text without the secret parts of tokens.
pub(super) fn hide(text: String) -> String {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for name in PARAMETERS {
        for (at, _) in text.match_indices(name) {
            let from = at + name.len();
            spans.extend(value(&text, from));
        }
    }
    for beginning in BEGINNINGS {
        for (at, _) in text.match_indices(beginning) {
            let inside = text[..at].ends_with(|c: char| of_token(c) && c != '.');
            let rest = &text[at..];
            let length = rest.find(|c| !of_token(c)).unwrap_or(rest.len());
            if !inside && length >= SHORTEST {
                spans.push((at, at + length));
            }
        }
    }
    if spans.is_empty() {
        return text;
    }
    spans.sort_unstable();
    let mut out = String::with_capacity(text.len());
    let mut kept = 0;
    for (from, to) in spans {
        if from >= kept && &text[from..to] != HIDDEN {
            out.push_str(&text[kept..from]);
            out.push_str(HIDDEN);
            kept = to;
        }
    }
    out.push_str(&text[kept..]);
    out
}

fn of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.".contains(c)
}

/// Where the value of a parameter stands that ends at `at`, also in a URL that is
/// percent-encoded itself.
fn value(text: &str, at: usize) -> Option<(usize, usize)> {
    let rest = &text[at..];
    let equals = ["=", "%3D", "%3d", "%253D", "%253d"];
    let equals = equals.iter().find(|equals| rest.starts_with(**equals))?;
    let rest = &rest[equals.len()..];
    let ends = |c: char| c.is_whitespace() || "&\"'<>`\\".contains(c);
    let end = rest.find(ends).unwrap_or(rest.len());
    let encoded = ["%26", "%2526"];
    let end = encoded
        .iter()
        .filter_map(|ampersand| rest[..end].find(ampersand))
        .min()
        .unwrap_or(end);
    let from = at + equals.len();
    (end > 0).then_some((from, from + end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_parts_of_a_token_are_taken_out() {
        for (said, shown) in [
            (
                "db.test/?X-Amz-Date=1&X-Amz-Signature=0123456789abcdef",
                "db.test/?X-Amz-Date=1&X-Amz-Signature=(hidden)",
            ),
            (
                "X-Amz-Security-Token=ab%2Bcd&X-Amz-Signature=ef\" is wrong",
                "X-Amz-Security-Token=(hidden)&X-Amz-Signature=(hidden)\" is wrong",
            ),
            (
                "X-Amz-Credential%3DAKIA%252F2026%26X-Amz-Date%3D1",
                "X-Amz-Credential%3D(hidden)%26X-Amz-Date%3D1",
            ),
            (
                "JWT eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln!",
                "JWT (hidden)!",
            ),
            ("host=ya29.abcdefghijklmnopqrstuvwxyz", "host=(hidden)"),
            ("X-Amz-Signature=(hidden)", "X-Amz-Signature=(hidden)"),
            ("it lacks X-Amz-Signature", "it lacks X-Amz-Signature"),
            ("the eyJ of a token", "the eyJ of a token"),
            (
                "AAAAeyJabcdefghijklmnopqrstuvwxyz",
                "AAAAeyJabcdefghijklmnopqrstuvwxyz",
            ),
            ("", ""),
        ] {
            assert_eq!(hide(said.to_owned()), shown);
        }
    }
}
