//! Tests that share something costly to start, such as a lab with its servers.

#![allow(dead_code)] // not every test makes its lab here

use std::sync::Arc;

use anyhow::Result;
use dbdoctor_lab::{Lab, Need};
use libtest_mimic::{Arguments, Failed, Trial};

/// A test of its own, by its name.
pub type Named<S> = (&'static str, fn(&S) -> Result<()>);

/// Runs them, so many at once unless the command line says otherwise. Without what they share
/// they are skipped, and in CI they fail: there, everything has to be.
pub fn run<S: Send + Sync + 'static>(
    at_once: usize,
    shared: Result<S, String>,
    tests: &'static [Named<S>],
) -> ! {
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(at_once);
    if let Err(why) = &shared {
        eprintln!("skipped: {why}");
    }
    let ignored = shared.is_err() && std::env::var_os("CI").is_none();
    let shared = Arc::new(shared);
    let trials = tests
        .iter()
        .map(|(name, test)| {
            let shared = shared.clone();
            let run = move || match &*shared {
                Err(why) => Err(Failed::from(format!("skipped: {why}"))),
                Ok(shared) => test(shared).map_err(|error| Failed::from(format!("{error:?}"))),
            };
            Trial::test(*name, run).with_ignored_flag(ignored)
        })
        .collect();
    let conclusion = libtest_mimic::run(&args, trials);
    drop(shared); // stops the shared servers: exiting would not
    conclusion.exit()
}

/// A lab on a machine that has all of this, or what is missing.
pub fn lab(needs: &[Need]) -> Result<Lab, String> {
    match needs.iter().find_map(|need| need.missing()) {
        Some(why) => Err(why),
        None => Ok(Lab::new().expect("a temporary directory and openssl")),
    }
}
