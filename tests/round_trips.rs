//! How many round trips a healthy run takes until its report is printed.

#[path = "common/trials.rs"]
mod trials;

use std::path::Path;

use anyhow::{Result, ensure};
use dbdoctor_lab::bench::Way;
use dbdoctor_lab::{Lab, Need};

const TRIALS: &[trials::Named<Lab>] = &[
    ("with_scram", |lab| at_most(lab, "scram", 5.0)),
    ("with_tls_and_scram", |lab| at_most(lab, "tls-scram", 7.0)),
    ("through_ssh", |lab| at_most(lab, "ssh-scram", 12.0)),
];

fn main() {
    // One at a time: each is told by the time that it takes.
    trials::run(1, trials::lab(&[Need::Postgres, Need::Sshd]), TRIALS);
}

/// A machine that is busy makes a run longer, and never shorter: one of a few must keep to it.
fn at_most(lab: &Lab, way: &str, most: f64) -> Result<()> {
    const TRIES: usize = 4;
    const TOLERANCE: f64 = 0.5;
    let dbdoctor = Path::new(env!("CARGO_BIN_EXE_dbdoctor"));
    let way = Way::new(lab, way, dbdoctor)?;
    let mut seen = Vec::new();
    for _ in 0..TRIES {
        let trips = way.own_round_trips()?;
        if trips < most + TOLERANCE {
            return Ok(());
        }
        seen.push(trips);
    }
    ensure!(false, "at most {most} round trips, and it took {seen:?}");
    Ok(())
}
