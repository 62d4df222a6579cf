//! `explain`: a code's page, or what a pasted text means.

use std::io::Read;

use super::output::{self, To};
use super::{Exit, usage};
use crate::cause;
use crate::cli::{ExplainArgs, Format};
use crate::explain::{Explanation, LONGEST, is_code};
use crate::render::explain as render;
use crate::render::json;
use crate::render::style::Style;
use crate::surroundings::Surroundings;
use crate::target::params::distance;

/// Explains and prints.
pub fn run(args: &ExplainArgs) -> Exit {
    if let Err(exit) = output::writable(&args.output) {
        return exit;
    }
    let style = Style::of_stdout(&args.output, &Surroundings::of_process());
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
        let text = match words.as_str() {
            "" => return usage("explain: give a code, an error text, or - to read standard input"),
            "-" => match standard_input() {
                Ok(text) => text,
                Err(error) => return usage(&format!("standard input cannot be read: {error}")),
            },
            _ => words,
        };
        let found = Explanation::of_text(&text);
        let table = match found.matches.is_empty() {
            true => "Nothing in this text is recognised.\n".to_owned(),
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

fn standard_input() -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let limit = LONGEST as u64;
    std::io::stdin()
        .lock()
        .take(limit)
        .read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
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
        [] => "No cause has this code; dbdoctor explain --list shows them all.\n".to_owned(),
        near => format!(
            "No cause has this code; did you mean {}?\n",
            near.join(", ")
        ),
    }
}
