//! Which clients succeeded where others failed. Pure: rows in, sentences out.

use super::{Group, Opinion, Outcome, Step};
use crate::cause::client;
use crate::finding::Finding;

/// Whether this one got past the step at which another failed.
fn passed(opinion: &Opinion, step: Step) -> bool {
    match &opinion.outcome {
        Outcome::Passed(reached) => *reached >= step,
        Outcome::Failed(at, _) => *at > step,
        Outcome::Skipped(_) => false,
    }
}

/// Whether this one failed where another of its group got through.
pub fn fails_alone(opinion: &Opinion, all: &[Opinion]) -> bool {
    match opinion.outcome {
        Outcome::Failed(step, _) => all
            .iter()
            .any(|other| other.group == opinion.group && through(other, step)),
        _ => false,
    }
}

/// One that got through as far as was asked of it, and past the step: one that
/// itself fails later is no proof that all is well.
fn through(opinion: &Opinion, step: Step) -> bool {
    matches!(opinion.outcome, Outcome::Passed(_)) && passed(opinion, step)
}

/// A finding for each stack that fails where others get through.
pub fn findings(all: &[Opinion]) -> Vec<Finding> {
    all.iter()
        .filter(|opinion| !opinion.may_heal)
        .filter_map(|opinion| differs(opinion, all))
        .collect()
}

fn differs(opinion: &Opinion, all: &[Opinion]) -> Option<Finding> {
    let Outcome::Failed(step, error) = &opinion.outcome else {
        return None;
    };
    let passes: Vec<&str> = all
        .iter()
        .filter(|other| other.group == opinion.group && through(other, *step))
        .map(|other| other.stack)
        .collect();
    if passes.is_empty() {
        return None;
    }
    let error = error.trim().trim_end_matches('.');
    Some(
        Finding::new(&client::STACK_DIFFERS)
            .with("fails", opinion.stack)
            .with("passes", joined(&passes))
            .with("step", step.spoken())
            .with("error", error.to_owned()),
    )
}

/// One line on all of it.
pub fn summary(all: &[Opinion]) -> String {
    let parts: Vec<String> = [(Group::Ssh, "SSH"), (Group::Login, "database")]
        .into_iter()
        .filter_map(|(group, name)| {
            let of: Vec<&Opinion> = all.iter().filter(|o| o.group == group).collect();
            (!of.is_empty()).then(|| format!("{name}: {}", verdict(&of)))
        })
        .collect();
    match parts.is_empty() {
        true => "no alternative client available for these steps".to_owned(),
        false => parts.join("; "),
    }
}

fn verdict(of: &[&Opinion]) -> String {
    let names = |wanted: fn(&Outcome) -> bool| -> Vec<&str> {
        of.iter()
            .filter(|opinion| wanted(&opinion.outcome))
            .map(|opinion| opinion.stack)
            .collect()
    };
    let passed = names(|outcome| matches!(outcome, Outcome::Passed(_)));
    let failed = names(|outcome| matches!(outcome, Outcome::Failed(..)));
    let alone = of
        .iter()
        .all(|o| o.main || matches!(o.outcome, Outcome::Skipped(_)));
    match (passed.as_slice(), failed.as_slice()) {
        ([], []) => "no client could be tried".to_owned(),
        _ if alone => "no other client could be tried".to_owned(),
        (passed, []) => format!("all clients succeeded ({})", joined(passed)),
        ([], failed) => format!("all clients failed ({})", joined(failed)),
        (passed, failed) => {
            let healing = of.iter().any(|o| o.main && o.may_heal);
            let later = match healing {
                true => "; dbdoctor's own failure may be transient",
                false => "",
            };
            format!(
                "{} succeeded, {} failed{later}",
                joined(passed),
                joined(failed)
            )
        }
    }
}

fn joined(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn row(stack: &'static str, outcome: Outcome) -> Opinion {
        Opinion {
            stack,
            group: Group::Login,
            outcome,
            took: Duration::from_millis(1),
            withheld: None,
            main: stack == "main",
            may_heal: false,
        }
    }

    fn failed(step: Step) -> Outcome {
        Outcome::Failed(step, "no.".to_owned())
    }

    #[test]
    fn agreement_is_no_finding() {
        let all = [
            row("main", Outcome::Passed(Step::Login)),
            row("a", Outcome::Passed(Step::Login)),
            row("b", Outcome::Skipped("absent".to_owned())),
        ];
        assert!(findings(&all).is_empty());
        assert_eq!(
            summary(&all),
            "database: all clients succeeded (main and a)"
        );
        let all = [
            row("main", failed(Step::Tls)),
            row("a", failed(Step::Login)),
        ];
        assert!(findings(&all).is_empty());
        assert!(summary(&all).contains("all clients failed"));
    }

    #[test]
    fn one_that_fails_alone_is_named() {
        let all = [
            row("main", Outcome::Passed(Step::Login)),
            row("a", failed(Step::Tls)),
            row("b", Outcome::Passed(Step::Login)),
        ];
        let found = findings(&all);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].evidence["fails"], "a");
        assert_eq!(found[0].evidence["passes"], "main and b");
        assert_eq!(found[0].evidence["error"], "no");
    }

    #[test]
    fn one_that_was_asked_for_less_says_nothing_about_the_rest() {
        let all = [
            row("main", failed(Step::Login)),
            row("a", Outcome::Passed(Step::Tls)),
        ];
        assert!(findings(&all).is_empty());
    }

    #[test]
    fn a_failure_that_may_heal_is_no_difference() {
        let mut main = row("main", failed(Step::Connect));
        main.may_heal = true;
        let all = [main, row("a", Outcome::Passed(Step::Login))];
        assert!(findings(&all).is_empty());
        assert!(summary(&all).contains("may be transient"));
    }
}
