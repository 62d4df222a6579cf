//! What was done to the lines between header and footer.

use super::Notes;
use super::base64::{Armored, legacy_headers};

/// What is wrong with the lines between header and footer, which stand at
/// `from..to` of the text.
pub fn check(from: usize, to: usize, framed: &Armored, notes: &mut Notes) {
    const BLANKS: [char; 2] = [' ', '\t'];
    let body = notes.text.get(from..to).unwrap_or_default();
    let (_, digits) = legacy_headers(body);
    let begins = body.trim_start_matches(BLANKS).starts_with('\n') || from == 0;
    let ends = body.trim_end_matches(BLANKS).ends_with('\n') || !framed.footer;
    let long = digits
        .lines()
        .map(|line| line.trim().len())
        .max()
        .unwrap_or(0)
        > 128;
    let spaced = digits.trim().contains(BLANKS) && digits.trim().lines().count() <= 2;

    if spaced && (long || !begins || !ends) {
        notes.add(from, "spaces", "line breaks were replaced with spaces");
        return;
    }
    if !begins || !ends {
        notes.add(from, "one-line", "line breaks are missing");
        return;
    }
    if body.starts_with(BLANKS) {
        notes.add(
            from,
            "trailing-space",
            "there is whitespace after the header",
        );
    }
    if long && digits.trim().lines().count() == 1 {
        notes.add(from + 1, "one-line", "the body is on one line");
    }
    let mut at = from;
    let mut starts = Vec::new();
    for line in body.split_inclusive('\n') {
        starts.push((at, line));
        at += line.len();
    }
    // What follows the header on its own line is in front of nothing; what
    // stands before the footer on its line is an indentation.
    let skipped = usize::from(from > 0);
    let indented = starts.iter().skip(skipped).find(|(_, line)| {
        line.starts_with(BLANKS) && (!line.trim().is_empty() || !line.ends_with('\n'))
    });
    if let Some((at, _)) = indented
        && !notes.has("indentation")
    {
        notes.add(*at, "indentation", "lines are indented");
    }
    let empty = starts
        .iter()
        .enumerate()
        .skip(skipped)
        .find(|(n, (_, line))| {
            // Behind the headers of a traditional key an empty line belongs.
            let before = n
                .checked_sub(1)
                .and_then(|n| starts.get(n))
                .map_or("", |(_, line)| line);
            line.trim().is_empty() && line.ends_with('\n') && !before.trim().starts_with("DEK-Info")
        });
    if let Some((_, (at, _))) = empty {
        notes.add(*at, "blank-lines", "there are empty lines in the key");
    }
    let missing = starts.windows(2).find(|pair| match pair {
        [(_, line), (_, next)] => line.trim().starts_with("DEK-Info") && !next.trim().is_empty(),
        _ => false,
    });
    if let Some([(at, _), _]) = missing {
        notes.add(
            *at,
            "no-blank-line",
            "the empty line after DEK-Info is missing",
        );
    }
    if framed.padding_missing && framed.footer {
        notes.add(
            to,
            "padding",
            "the equals signs at the end of the body are missing",
        );
    }
}
