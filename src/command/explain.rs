//! `explain`: a code's page, or what a pasted text means.

use std::io::{self, Read};

use super::output::{self, To};
use super::{Exit, usage};
use crate::cause;
use crate::cli::{ExplainArgs, Format};
use crate::config::catalog::distance;
use crate::explain::{Explanation, LONGEST, MOST_LINES, is_code};
use crate::render::explain as render;
use crate::render::json;
use crate::render::options::Style;
use crate::system::System;

/// No input is read further than here, in bytes.
const LONGEST_INPUT: u64 = 4 << 30;

/// Explains and prints.
pub fn run(args: &ExplainArgs) -> Exit {
    if let Err(exit) = output::writable(&args.output) {
        return exit;
    }
    let style = Style::of_stdout(&args.output, &System::of_process());
    let words = args.what.join(" ");
    let (found, table) = if args.list {
        let found = Explanation::catalogue();
        let table = render::list(&found.matches, &style);
        (found, table)
    } else if is_code(words.trim()) {
        let found = Explanation::of_code(words.trim());
        let table = match found.matches.first() {
            Some(one) => render::page(one, &style),
            None => unknown(words.trim()),
        };
        (found, table)
    } else {
        let mut skipped = 0;
        let text = match words.as_str() {
            "" => {
                return usage(
                    "explain: give a cause code, an error message, or - to read standard input",
                );
            }
            "-" => match standard_input() {
                Ok(tail) => {
                    skipped = tail.skipped;
                    tail.text
                }
                Err(error) => return usage(&format!("cannot read standard input: {error}")),
            },
            _ => words,
        };
        let mut found = Explanation::of_text(&text);
        for line in found.matches.iter_mut().filter_map(|it| it.line.as_mut()) {
            *line += skipped;
        }
        let table = match found.matches.is_empty() {
            true => "No known error found in this text.\n".to_owned(),
            false => render::matches(&found, &style),
        };
        (found, table)
    };
    let shown = match args.output.format() {
        Format::Json => json::object(&found),
        _ => table.into_bytes(),
    };
    let exit = match found.matches.is_empty() {
        true => Exit::Cause,
        false => Exit::Success,
    };
    match output::deliver(To::Stdout, &shown, &args.output, || json::object(&found)) {
        Ok(()) => exit,
        Err(failed) => failed,
    }
}

/// The end of a text, which is where a log has what happened last.
#[derive(Debug, PartialEq, Eq)]
struct Tail {
    text: String,
    /// How many lines came before it.
    skipped: usize,
}

fn standard_input() -> io::Result<Tail> {
    let tail = tail(io::stdin().lock().take(LONGEST_INPUT), LONGEST)?;
    let lines = tail.text.lines().count();
    if tail.skipped > 0 || lines > MOST_LINES {
        eprintln!(
            "dbdoctor: the input is long: reading only the last {} lines",
            lines.min(MOST_LINES)
        );
    }
    Ok(tail)
}

/// The last whole lines of an input, no more than `most` bytes of them.
fn tail(mut input: impl Read, most: usize) -> io::Result<Tail> {
    let mut bytes = Vec::new();
    let mut skipped = 0;
    loop {
        let read = (&mut input).take(most as u64).read_to_end(&mut bytes)?;
        if let Some(more) = bytes.len().checked_sub(most).filter(|more| *more > 0) {
            let end = |b: &u8| *b == b'\n';
            let behind = bytes.get(more - 1..).unwrap_or_default();
            // A line that has no end is cut.
            let cut = more + behind.iter().position(end).unwrap_or(0);
            skipped += bytes.drain(..cut).filter(end).count();
        }
        if read == 0 {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            return Ok(Tail { text, skipped });
        }
    }
}

/// A code that is none, and those that it may have been meant for.
fn unknown(code: &str) -> String {
    let last = code.rsplit('.').next().unwrap_or_default();
    let near: Vec<&str> = cause::all()
        .map(|row| row.code)
        .filter(|known| {
            known.starts_with(code)
                || known.rsplit('.').next() == Some(last) && !last.is_empty()
                || distance(code, known) <= 2
        })
        .take(5)
        .collect();
    match near.as_slice() {
        [] => "Unknown cause code; dbdoctor explain --list shows all of them.\n".to_owned(),
        near => format!("Unknown cause code; did you mean {}?\n", near.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_long_input_is_kept() {
        let of = |text: &str, most| {
            let tail = tail(text.as_bytes(), most).unwrap();
            (tail.text, tail.skipped)
        };
        assert_eq!(of("a\nb\n", 4), ("a\nb\n".to_owned(), 0));
        assert_eq!(of("aa\nbb\ncc\n", 6), ("bb\ncc\n".to_owned(), 1));
        assert_eq!(of("aa\nbb\ncc\n", 5), ("cc\n".to_owned(), 2));
        assert_eq!(of("aaaaaaa", 3), ("aaa".to_owned(), 0));
        assert_eq!(of("", 3), (String::new(), 0));
    }
}
