//! What to do about a cause where dbdoctor runs: in a CI system, a container, WSL.
//!
//! The rows are `knowledge/place_fixes.tsv`, whose head explains the columns. What is not
//! there has the fixes of its page, which are an ordinary machine's.

use crate::cause::{self, Cause, FixRow};
use crate::finding::{Finding, shown};
use crate::kubernetes::Pod;
use crate::provider::Condition;
use crate::report::Environment;

include!(concat!(env!("OUT_DIR"), "/places.rs"));

/// What to do about some causes at some places.
struct PlaceFix {
    places: &'static [&'static str],
    causes: &'static [&'static Cause],
    when: &'static [Condition],
    /// Whether the page's fixes hold there, too.
    keeps_page: bool,
    fix: FixRow,
}

/// The finding with the fixes of the place. They follow those that the stage found, and
/// precede or replace those of the page. `pod` is the one that dbdoctor runs in.
pub fn advise(finding: Finding, here: &Environment, pod: Option<&Pod>) -> Finding {
    let Some(place) = place(&finding, here) else {
        return finding;
    };
    let is_hop = finding.fills("hop");
    let own_namespace = pod.and_then(|pod| pod.namespace.clone());
    let servers = finding.value("namespace").map(shown);
    let finding = finding
        .word("sought", if is_hop { "SSH server" } else { "database" })
        .word(
            "client_namespace",
            own_namespace
                .clone()
                .filter(|own| servers.as_ref() != Some(own)),
        )
        .word("own_namespace", own_namespace)
        .word("pod", pod.and_then(|pod| pod.name.clone()));
    let value = |name: &str| match name {
        "container" => here.container.clone(),
        name => finding.value(name).map(shown),
    };
    let rows: Vec<&PlaceFix> = FIXES
        .iter()
        .filter(|row| {
            let holds = |condition: &Condition| condition.holds_for(value(condition.name));
            row.places.contains(&place)
                && finding.cause.is_any(row.causes)
                && row.when.iter().all(holds)
        })
        .collect();
    let keeps_page = rows.iter().all(|row| row.keeps_page);
    let finding = finding.with_fixes_of(rows.into_iter().map(|row| &row.fix));
    let replaced = finding.clone().off_page();
    match keeps_page || replaced.fixes().is_empty() {
        true => finding,
        false => replaced,
    }
}

/// The place whose rules hold for what was found.
fn place<'a>(finding: &Finding, here: &'a Environment) -> Option<&'a str> {
    let container = here.container.as_deref();
    // A CI system's services have short names; any other Service is the cluster's.
    let short = finding
        .value("name")
        .is_some_and(|name| !shown(name).contains('.'));
    let of_ci = short && here.ci.is_some();
    if container == Some("kubernetes") && finding.fills("namespace") && !of_ci {
        return container;
    }
    let wsl = here.wsl.then_some("wsl");
    here.ci.as_deref().or(container).or(wsl)
}
