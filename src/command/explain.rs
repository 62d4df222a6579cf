//! `explain`: a code's page, or what a pasted text means.

use std::io::{self, Read};

use super::output::{self, To};
use super::{Exit, usage};
use crate::cause;
use crate::cli::ExplainArgs;
use crate::explain::{Explanation, is_code};
use crate::redact;
use crate::render::explain as render;
use crate::render::options::Style;
use crate::render::{json, workflow};
use crate::system::System;
use crate::text::distance;

/// No input is read further than here, in bytes.
const LONGEST_INPUT: u64 = 64 << 30;

/// Explains and prints.
pub fn run(args: &ExplainArgs) -> Exit {
    let json = match output::is_json("explain", &args.output) {
        Ok(json) => json,
        Err(exit) => return exit,
    };
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
        let mut found = match words.as_str() {
            "" => {
                return usage(
                    "explain: give a cause code, an error message, or - to read standard input",
                );
            }
            "-" => match Explanation::of_input(io::stdin().lock().take(LONGEST_INPUT)) {
                Ok(found) => found,
                Err(error) => return usage(&format!("cannot read standard input: {error}")),
            },
            _ => Explanation::of_text(&words),
        };
        if let Some(mut redactor) = redact::active::redactor() {
            redactor.explanation(&mut found);
        }
        let table = match found.matches.is_empty() {
            true => "No known error found in this text.\n".to_owned(),
            false => render::matches(&found, &style),
        };
        (found, table)
    };
    let shown = match json {
        true => json::object(&found),
        false => workflow::inert(&table).into_owned().into_bytes(),
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
        [] => format!(
            "Unknown cause code; {} explain --list shows all of them.\n",
            crate::invocation::name()
        ),
        near => format!("Unknown cause code; did you mean {}?\n", near.join(", ")),
    }
}
