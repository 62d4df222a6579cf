//! A server that warns of more at login than anyone reads.

use super::*;
use crate::scenario::findings;

/// A login with so many different warnings, and how many of them are left untold.
fn warnings(count: usize, untold: Option<u64>) -> Result<Case> {
    let peer = impostor(move |client| {
        client.ask(impostor::OK, b"")?;
        for n in 1..=count {
            let text = format!("maintenance of shard {n} is due");
            client.notice(&notices::fields("WARNING", "01000", &text))?;
        }
        client.serve()
    })?;
    Ok(Case::check(at(&peer)).keep(peer).assert(move |report| {
        let told: Vec<&Value> = findings(report)
            .filter(|one| one["cause"] == "server.notice")
            .collect();
        ensure!(told.len() == count.min(4), "{} are told", told.len());
        for (n, one) in told.iter().enumerate() {
            let expected = untold.filter(|_| n == 0);
            let further = one["evidence"]["further_warnings"].as_u64();
            ensure!(further == expected, "{n}: {further:?} more");
        }
        Ok(())
    }))
}

/// More warnings than are told, and as many.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "server-notices-many",
        "nine warnings at login: four are told, and that there are five more",
        Expect::Warn("server.notice"),
        &[],
        |_| warnings(9, Some(5)),
    ),
    Scenario::new(
        "server-notices-four",
        "four warnings at login, all of which are told",
        Expect::Warn("server.notice"),
        &[],
        |_| warnings(4, None),
    ),
];
