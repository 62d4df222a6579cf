//! Who speaks in a line: PostgreSQL and those who speak to it, SSH, or somebody else.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::signs;

/// Whose signs a line has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Speakers {
    /// PostgreSQL, or those who speak to it.
    pub ours: bool,
    /// SSH.
    pub ssh: bool,
    /// Something else that prints the same words.
    pub foreign: bool,
}

/// The three lists of signs, one after the other.
static SIGNS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| [signs::OURS, signs::SSH, signs::FOREIGN].concat());

/// None where the signs are too many to look for at once: there are some two hundred.
static FINDER: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::new(SIGNS.iter()).ok());

/// Who speaks in a line that is folded.
pub fn of(folded: &str) -> Speakers {
    let mut found = Speakers::default();
    let Some(finder) = FINDER.as_ref() else {
        return found;
    };
    let ours = signs::OURS.len();
    let ssh = ours + signs::SSH.len();
    for hit in finder.find_overlapping_iter(folded) {
        let number = hit.pattern().as_usize();
        if !is_whole(folded, hit.start(), hit.end()) {
            continue;
        }
        match number {
            _ if number < ours => found.ours = true,
            _ if number < ssh => found.ssh = true,
            _ => found.foreign = true,
        }
    }
    found.foreign |= has_foreign_port(folded);
    found
}

/// Whether a sign that is a number stands alone; words may be parts of others.
fn is_whole(folded: &str, start: usize, end: usize) -> bool {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let sign = folded.get(start..end).unwrap_or_default();
    if !sign.bytes().all(|b| b.is_ascii_digit()) {
        return true;
    }
    let before = folded
        .get(..start)
        .and_then(|text| text.chars().next_back());
    let after = folded.get(end..).and_then(|text| text.chars().next());
    !(digit(before) || digit(after))
}

/// Whether a line names the port of another service.
fn has_foreign_port(folded: &str) -> bool {
    if !folded.contains(':') && !folded.contains("port") {
        return false;
    }
    let mut before = "";
    folded
        .split_inclusive(|c: char| !c.is_ascii_digit())
        .any(|piece| {
            let digits = piece.trim_end_matches(|c: char| !c.is_ascii_digit());
            let is_port = before.ends_with(':') || before == " ";
            let known = digits
                .parse()
                .is_ok_and(|port| signs::FOREIGN_PORTS.contains(&port));
            let named = is_port && known && (before.ends_with(':') || folded.contains("port"));
            before = piece.trim_start_matches(|c: char| c.is_ascii_digit());
            named
        })
}
