//! `diff`: two reports compared.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::output::{self, To};
use super::{Exit, usage};
use crate::cli::DiffArgs;
use crate::config::files;
use crate::diff::{Diff, NotAReport};
use crate::redact;
use crate::render::options::Style;
use crate::render::{diff as render, json, workflow};
use crate::system::System;

/// No report is larger, in bytes.
const LARGEST: u64 = 4 << 20;

/// No report has more values; many small ones take far more room in memory than
/// in the file.
const MOST_VALUES: usize = 200_000;

/// How long a pipe may take: a report may be made at its other end.
const PATIENCE: Duration = Duration::from_secs(120);

/// Compares and prints.
pub fn run(args: &DiffArgs) -> Exit {
    let json = match output::is_json("diff", &args.output) {
        Ok(json) => json,
        Err(exit) => return exit,
    };
    if let Err(exit) = output::writable(&args.output) {
        return exit;
    }
    let (a, b) = match (read(&args.a, "first"), read(&args.b, "second")) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(why), _) | (_, Err(why)) => return usage(&why),
    };
    for (report, which) in [(&a, "first"), (&b, "second")] {
        if report.get("reports").is_some_and(Value::is_array) {
            return usage(&of_many(which));
        }
    }
    let (a, b) = match redact::active::redactor() {
        Some(mut redactor) => (redactor.json(&a), redactor.json(&b)),
        None => (a, b),
    };
    let diff = match Diff::of(&a, &b) {
        Ok(diff) => diff,
        Err(NotAReport(which)) => return usage(&not_a_report(which)),
    };
    let shown = match json {
        true => json::object(&diff),
        false => {
            let style = Style::of_stdout(&args.output, &System::of_process());
            workflow::inert(&render::render(&diff, &style))
                .into_owned()
                .into_bytes()
        }
    };
    if let Err(exit) = output::deliver(To::Stdout, &shown, &args.output, || json::object(&diff)) {
        return exit;
    }
    match diff.same_verdict {
        true => Exit::Success,
        false => Exit::Cause,
    }
}

fn read(path: &Path, which: &'static str) -> Result<Value, String> {
    let bytes = files::read_until(path, LARGEST, Instant::now() + PATIENCE)
        .map_err(|why| unreadable(which, why))?;
    // Each but the first of an array or object follows a comma.
    let begins_value = |byte: &&u8| matches!(byte, b',' | b'[' | b'{');
    if bytes.iter().filter(begins_value).count() > MOST_VALUES {
        let why = files::Unreadable::because("is too large for a single report");
        return Err(unreadable(which, why));
    }
    serde_json::from_slice(&bytes).map_err(|_| not_a_report(which))
}

fn of_many(which: &str) -> String {
    format!(
        "diff: the {which} file has the reports of many targets, and diff compares single ones; \
         take one out: jq '.reports[0]'"
    )
}

fn unreadable(which: &str, why: files::Unreadable) -> String {
    match why.forbidden {
        true => format!("diff: {} the {which} file", why.problem),
        false => format!("diff: the {which} file {}", why.problem),
    }
}

fn not_a_report(which: &str) -> String {
    format!("diff: the {which} file is not a dbdoctor report; create one with -o FILE or --json")
}
