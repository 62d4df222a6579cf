//! ssh and dbdoctor agree on whether a configuration gets through, for configurations that are
//! made from a fixed seed: one that works, with a few changes. The installed ssh is the judge.
//!
//! `CONFIGURATIONS=N` makes another number of them, `SEED=N` others, `ONLY=N` that one alone.

#[path = "../common/trials.rs"]
mod trials;

mod bench;
mod changes;
mod dice;
mod draft;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use dbdoctor_lab::{Lab, Need};
use serde_json::Value;

use bench::Bench;
use dice::Dice;
use draft::Draft;

const SEED: u64 = 13;
const COUNT: usize = 300;
/// The most changes to one configuration.
const MOST: usize = 4;
/// What ssh says where it is told not to check and the key is another one: it logs in, and
/// forwards nothing. dbdoctor goes on with a warning there (`--ssh-host-key-check no`), since it
/// was asked to.
const FORWARDS_NOTHING: &str = "forwarding disabled due to host key check failure";
const WARNED: [&str; 2] = ["ssh.hostkey.changed", "ssh.hostkey.revoked"];
const LIMIT: Duration = Duration::from_secs(30);

const TRIALS: &[trials::Named<Lab>] = &[("ssh_and_dbdoctor_agree", agree)];

fn main() -> ! {
    let needs = [Need::Root, Need::Postgres, Need::Sshd, Need::Python];
    trials::run(1, trials::lab(&needs), TRIALS)
}

fn agree(lab: &Lab) -> Result<()> {
    let bench = Bench::new(lab)?;
    let seed = number("SEED").unwrap_or(SEED);
    let count = number("CONFIGURATIONS").map_or(COUNT, |n| n as usize);
    let only = number("ONLY").map(|n| n as usize);
    let first = only.unwrap_or(0);
    let next = AtomicUsize::new(first);
    let count = only.map_or(count, |n| n + 1);
    let seen = Mutex::new((0, Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        break;
                    }
                    let judged = judge(&bench, seed, n, only.is_some());
                    let mut seen = seen.lock().unwrap();
                    match judged {
                        Ok(passes) => seen.0 += usize::from(passes),
                        Err(error) => seen.1.push((n, format!("{error:#}"))),
                    }
                }
            });
        }
    });
    let (passed, mut wrong) = seen.into_inner()?;
    wrong.sort();
    for (n, what) in &wrong {
        eprintln!("== ONLY={n} SEED={seed}\n{what}\n");
    }
    eprintln!("{passed} of {count} get through");
    ensure!(wrong.is_empty(), "{} of {count} differ", wrong.len());
    // Neither kind may crowd out the other.
    let some = count / 5;
    ensure!(
        only.is_some() || (some..=count - some).contains(&passed),
        "{passed} of {count} get through"
    );
    Ok(())
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Whether this configuration gets through; an error where the two do not agree.
fn judge(bench: &Bench, seed: u64, n: usize, show: bool) -> Result<bool> {
    let mut dice = Dice::new(seed, n);
    let mut draft = Draft::new(bench)?;
    let mut made = Vec::new();
    for _ in 0..1 + dice.below(MOST) {
        let (name, change) = dice.of(changes::ALL);
        // Twice the same would undo itself.
        if !made.contains(name) {
            made.push(*name);
            change(&mut draft, &mut dice, bench)?;
        }
    }
    let text = draft.write(&mut dice)?;
    // First the one that must not change anything: ssh adds to known_hosts.
    let ours = draft.dbdoctor(bench)?.run(LIMIT)?;
    let theirs = draft.ssh(bench)?.run(LIMIT)?;
    let report: Value = serde_json::from_str(&ours.stdout).unwrap_or_default();
    let verdict = &report["verdict"];
    let passes = theirs.status == Some(0);
    let said = || {
        let verdict = match verdict["summary"].as_str() {
            Some(summary) => format!("{} {} {summary}", verdict["status"], verdict["cause"]),
            None => ours.to_string(),
        };
        format!(
            "changes: {made:?}\n{text}-- ssh: {theirs}\n-- dbdoctor: status {:?} after {:?}: {verdict}\n\
             -- {}\n-- {}",
            ours.status,
            ours.elapsed,
            draft
                .ssh(bench)
                .map_or_else(|e| e.to_string(), |t| t.to_string()),
            draft
                .dbdoctor(bench)
                .map_or_else(|e| e.to_string(), |t| t.to_string()),
        )
    };
    if show {
        eprintln!("{}", said());
    }
    let findings = || {
        let stages = report["stages"].as_array().into_iter().flatten();
        stages.flat_map(|stage| stage["findings"].as_array().into_iter().flatten())
    };
    if theirs.stderr.contains(FORWARDS_NOTHING)
        && findings().any(|finding| WARNED.iter().any(|cause| finding["cause"] == *cause))
    {
        return Ok(false);
    }
    let expected = if passes { 0 } else { 1 };
    ensure!(ours.status == Some(expected), "{}", said());
    Ok(passes)
}
