//! Runs the commands that dbdoctor prints as fixes each on its fault
//! (`dbdoctor_lab::fixes`), and holds the pages to the list: each of their commands is run, or is
//! listed with the reason why not.

use std::path::Path;
use std::sync::Arc;

use dbdoctor::cause;
use dbdoctor_lab::{FixRun, Lab, fixes, run_fix};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(4);
    let lab = Arc::new(Lab::new().expect("a temporary directory and openssl"));
    let mut trials = vec![Trial::test("every_command_is_run_or_excused", listed)];
    trials.extend(fixes::runs().map(|fix| trial(fix, lab.clone())));
    let conclusion = libtest_mimic::run(&args, trials);
    drop(lab);
    conclusion.exit();
}

fn trial(fix: &'static FixRun, lab: Arc<Lab>) -> Trial {
    let word = fix.command.split_whitespace().next().unwrap_or_default();
    let name = format!("{}::{word}::{}", fix.cause, fix.scenario);
    let skipped = fixes::scenario(fix)
        .ok()
        .and_then(|scenario| scenario.skipped());
    let ignored = skipped.is_some() && std::env::var_os("CI").is_none();
    let run = move || match skipped {
        Some(why) => Err(Failed::from(format!("skipped: {why}"))),
        None => {
            let bin = Path::new(env!("CARGO_BIN_EXE_dbdoctor"));
            run_fix(&lab, fix, bin).map_err(|error| format!("{error:#}").into())
        }
    };
    Trial::test(name, run).with_ignored_flag(ignored)
}

/// A command with what its first words are where nothing is known.
fn in_general(command: &str) -> String {
    let general = command.strip_prefix('{').and_then(|rest| {
        let (hole, after) = rest.split_once('}')?;
        let (_, wording) = hole.split_once(['|', '?'])?;
        Some(format!("{wording}{after}"))
    });
    general.unwrap_or_else(|| command.to_owned())
}

/// Every command of every page is in one of the two lists, and every excuse is for a command of a page.
fn listed() -> Result<(), Failed> {
    let mut wrong = Vec::new();
    for row in cause::all() {
        for command in row.fixes.iter().filter_map(|fix| fix.command) {
            let command = in_general(command);
            let fixed = command.split('{').next().unwrap_or_default();
            let matching = |code: &str, begin: &'static str| {
                let matches = code == row.code && command.starts_with(begin);
                matches.then_some(begin.len())
            };
            // The longer beginning says which of two commands is meant.
            let run = fixes::runs().filter_map(|fix| matching(fix.cause, fix.command));
            let excused = fixes::excuses().filter_map(|(code, begin, _)| matching(code, begin));
            let (run, excused) = (run.max(), excused.max());
            if run == excused {
                wrong.push(format!(
                    "{}: {fixed}… run: {run:?}, excused: {excused:?}",
                    row.code
                ));
            }
        }
    }
    for (code, begin, why) in fixes::excuses() {
        let row = cause::find(code);
        let commands = row
            .into_iter()
            .flat_map(|row| row.fixes)
            .filter_map(|fix| fix.command)
            .map(in_general);
        if !commands
            .into_iter()
            .any(|command| command.starts_with(begin))
            || why.len() < 12
        {
            wrong.push(format!("{code} has no command {begin}"));
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n").into()),
    }
}
