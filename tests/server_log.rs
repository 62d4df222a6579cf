//! `explain` on what real servers that do not start, or crash, print: each fault is made, its
//! text explained, alone and behind a long log, and the commands of its page are run on it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use dbdoctor::cause;
use dbdoctor::finding::Finding;
use dbdoctor_lab::Lab;
use dbdoctor_lab::scenario::server_log::{self, Done, FAULTS, LOOKS, LogFault, NOISE, Told};
use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

/// What a trial does with the lab.
type Test = Box<dyn FnOnce(&Lab) -> Result<()> + Send>;

fn main() {
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(4);
    let lab = Arc::new(Lab::new().expect("a temporary directory and openssl"));
    let skipped = server_log::skipped();
    let ignored = skipped.is_some() && std::env::var_os("CI").is_none();
    let trial = |name: &str, test: Test| {
        let lab = lab.clone();
        let run = move || match skipped {
            Some(why) => Err(format!("skipped: {why}").into()),
            None => test(&lab).map_err(|error| format!("{error:#}").into()),
        };
        Trial::test(name, run).with_ignored_flag(ignored)
    };
    let faults = FAULTS.iter();
    let mut trials: Vec<Trial> = faults
        .map(|fault| trial(fault.name, Box::new(|lab| explained(lab, fault))))
        .collect();
    trials.push(trial("commands_that_look", Box::new(look)));
    let conclusion = libtest_mimic::run(&args, trials);
    drop(lab);
    conclusion.exit();
}

fn explained(lab: &Lab, fault: &LogFault) -> Result<()> {
    let told = (fault.make)(lab)?;
    let text = &told.text;
    let found = explain(text)?;
    ensure!(
        best(&found) == Some((fault.cause, "high")),
        "{text}\n{found:#}"
    );
    if fault.cause.starts_with("server.start") || fault.cause.starts_with("server.crash") {
        let found = explain(&format!("{NOISE}{text}"))?;
        ensure!(
            best(&found) == Some((fault.cause, "high")),
            "behind a log:\n{text}\n{found:#}"
        );
    }
    for (begin, done) in fault.fixes {
        let (command, printed) = paste(&told, fault.cause, begin)?;
        match done {
            Done::Prints(words) => ensure!(printed.contains(words), "{command}\n{printed}"),
            Done::Starts => told
                .starts()
                .with_context(|| format!("{command}\n{printed}"))?,
        }
    }
    Ok(())
}

/// The commands for a server that runs.
fn look(lab: &Lab) -> Result<()> {
    let told = server_log::healthy(lab)?;
    for (code, begin, words) in LOOKS {
        let (command, printed) = paste(&told, code, begin)?;
        ensure!(printed.contains(words), "{command}\n{printed}");
    }
    Ok(())
}

/// Runs the command of a page that begins so; the command, and what it printed.
fn paste(told: &Told, code: &str, begin: &str) -> Result<(String, String)> {
    let page = Finding::new(cause::find(code).context("no such cause")?);
    let command = page
        .fixes_in_general()
        .into_iter()
        .filter_map(|fix| fix.command)
        .find(|command| command.starts_with(begin))
        .with_context(|| format!("the page has no command {begin}"))?;
    let printed = told.run(&command)?;
    Ok((command, printed))
}

/// The first match, and how sure it is.
fn best(found: &Value) -> Option<(&str, &str)> {
    let first = found["matches"].get(0)?;
    Some((first["cause"].as_str()?, first["confidence"].as_str()?))
}

fn explain(text: &str) -> Result<Value> {
    let mut child = Command::new(Path::new(env!("CARGO_BIN_EXE_dbdoctor")))
        .args(["explain", "--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().context("no standard input")?;
    std::io::Write::write_all(&mut input, text.as_bytes())?;
    drop(input);
    let output = child.wait_with_output()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}
