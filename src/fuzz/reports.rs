//! What a user hands over to be read: two reports, or a text.

use std::io::{BufReader, Cursor};

use serde_json::Value;

use super::{CANARY, parts, with_canary};
use crate::diff::Diff;
use crate::explain::Explanation;
use crate::render::options::{Style, Verbosity};
use crate::render::{diff as diff_table, explain as explain_table};

const STYLE: Style = Style {
    width: 80,
    utf8: true,
    color: false,
    verbosity: Verbosity::Wire,
};

/// Two reports: one does not differ from itself, and which is the first says nothing of
/// whether they do.
pub fn diff(data: &[u8]) {
    let [a, b] = parts(data);
    let read = |bytes| serde_json::from_slice::<Value>(bytes).unwrap_or(Value::Null);
    let (a, b) = (read(a), read(b));
    for (one, other) in [(&a, &b), (&a, &a), (&b, &b)] {
        let Ok(diff) = Diff::of(one, other) else {
            continue;
        };
        assert!(!diff_table::render(&diff, &STYLE).is_empty());
        if std::ptr::eq(one, other) {
            assert!(diff.same_verdict && diff.differences.is_empty(), "{diff:?}");
        } else {
            let back = Diff::of(other, one).unwrap();
            assert_eq!(back.same_verdict, diff.same_verdict);
            assert_eq!(back.differences.len(), diff.differences.len());
        }
    }
}

/// A text: it is read the same however it comes, what is said of it is bounded, and the
/// password of a URL in it is not repeated.
pub fn explain(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let text = match with_canary(&text) {
        Some((text, _)) => text.replacen(CANARY, &format!("postgres://app:{CANARY}@db"), 1),
        None => text.into_owned(),
    };
    let whole = Explanation::of_text(&text);
    let told = |found: &Explanation| serde_json::to_string(found).unwrap();
    let shown = told(&whole);
    assert!(
        whole.matches.len() <= 8 && shown.len() < 256 << 10,
        "{}",
        shown.len()
    );
    assert!(!shown.contains(CANARY), "{shown}");
    explain_table::matches(&whole, &STYLE);
    let pieces = BufReader::with_capacity(7, Cursor::new(text.as_bytes()));
    assert_eq!(told(&Explanation::of_input(pieces).unwrap()), shown);
}
