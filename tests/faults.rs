//! Holds dbdoctor to every scenario of the fault lab: verdict, exit status, secrets, and
//! agreement with the reference client. One trial each, named `stage::scenario`.

mod common;

use std::path::Path;
use std::sync::Arc;

use dbdoctor_lab::scenario::STAGES;
use dbdoctor_lab::{Lab, Scenario, verify};
use libtest_mimic::{Arguments, Trial};

fn main() {
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(4);
    let lab = Arc::new(Lab::new().expect("a temporary directory and openssl"));
    let mut trials = Vec::new();
    for (stage, scenarios) in STAGES {
        let trial = |scenario| trial(stage, scenario, lab.clone());
        trials.extend(scenarios.iter().map(trial));
    }
    let conclusion = libtest_mimic::run(&args, trials);
    drop(lab); // stops the shared servers: exiting would not
    conclusion.exit();
}

fn trial(stage: &'static str, scenario: &'static Scenario, lab: Arc<Lab>) -> Trial {
    let name = format!("{stage}::{}", scenario.name);
    let skipped = scenario.skipped();
    if let Some(why) = &skipped {
        eprintln!("{name} skipped: {why}");
    }
    let ignored = skipped.is_some() && std::env::var_os("CI").is_none();
    let run = move || match skipped {
        Some(why) => Err(format!("skipped: {why}").into()),
        None => {
            let bin = Path::new(env!("CARGO_BIN_EXE_dbdoctor"));
            let outcome = verify(&lab, scenario, bin)?;
            common::valid(&outcome.report)?;
            common::canary::check(&outcome.report, &outcome.secrets)?;
            common::snapshot::check(stage, scenario.name, &outcome.report)?;
            Ok(common::transcript::check(
                stage,
                scenario.name,
                &outcome.report,
            )?)
        }
    };
    Trial::test(name, run).with_ignored_flag(ignored)
}
