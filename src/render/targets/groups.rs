//! What is the matter with which targets: the same said once for all that have it.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value;

use super::TargetsReport;
use crate::finding::{Finding, Status};
use crate::report::{Stage, StageRecord};
use crate::run_id::RunId;

/// A finding, and the targets that have it.
pub struct Group {
    /// The stage that found it.
    pub stage: Stage,
    /// As the first of the targets has it.
    pub finding: Finding,
    /// The run of the first.
    pub run: RunId,
    /// What to do, without the values of this finding: the same for two that differ only in
    /// the target.
    pub advice: String,
    /// The targets, by their number.
    pub targets: Vec<usize>,
}

/// The groups of one cause.
pub struct OfCause {
    /// Those that differ in what is shown, the largest first.
    pub groups: Vec<Group>,
}

impl OfCause {
    /// The targets with this cause.
    pub fn targets(&self) -> Vec<usize> {
        let all = self.groups.iter().flat_map(|group| &group.targets);
        let mut all: Vec<usize> = all.copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// The findings of this status of the targets whose verdict it is, those of the most frequent
/// cause first. They are the same where the sentence and the advice are.
pub fn of_status(report: &TargetsReport, status: Status) -> Vec<OfCause> {
    let mut causes: Vec<OfCause> = Vec::new();
    let mut known: HashMap<&'static str, usize> = HashMap::new();
    let mut same: HashMap<(&'static str, String, String), usize> = HashMap::new();
    for (at, entry) in report.entries.iter().enumerate() {
        if entry.report.verdict().status != status {
            continue;
        }
        for record in &entry.report.stages {
            for finding in found(record, status) {
                let code = finding.cause.code;
                let cause = *known.entry(code).or_insert_with(|| {
                    causes.push(OfCause { groups: Vec::new() });
                    causes.len() - 1
                });
                let groups = &mut causes[cause].groups;
                let (summary, advice) = (entry.run).enter(|| (finding.summary(), advice(&finding)));
                let key = (code, summary, advice.clone());
                let group = *same.entry(key).or_insert_with(|| {
                    groups.push(Group {
                        stage: record.stage,
                        finding,
                        run: entry.run,
                        advice,
                        targets: Vec::new(),
                    });
                    groups.len() - 1
                });
                if groups[group].targets.last() != Some(&at) {
                    groups[group].targets.push(at);
                }
            }
        }
    }
    for cause in &mut causes {
        let groups = &mut cause.groups;
        groups.sort_by_key(|group| std::cmp::Reverse(group.targets.len()));
    }
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.targets().len()));
    causes
}

fn found(record: &StageRecord, status: Status) -> impl Iterator<Item = Finding> {
    let all = record.all_findings();
    all.filter(move |finding| finding.status == status)
}

/// The words of what to do, but for the values of this finding.
fn advice(finding: &Finding) -> String {
    let mut values = HashSet::new();
    finding
        .evidence
        .values()
        .for_each(|it| collect(it, &mut values));
    let fixes = finding.fixes();
    let texts = fixes
        .iter()
        .flat_map(|fix| [Some(&fix.text), fix.command.as_ref()]);
    let of_text = |text: &String| -> BTreeSet<String> {
        words(text).filter(|word| !values.contains(word)).collect()
    };
    texts
        .map(|text| {
            let words: Vec<String> = text.map(of_text).unwrap_or_default().into_iter().collect();
            words.join(" ")
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// The words of every value within a value.
fn collect(value: &Value, words_of: &mut HashSet<String>) {
    match value {
        Value::String(text) => words_of.extend(words(text)),
        Value::Number(number) => {
            words_of.insert(number.to_string());
        }
        Value::Array(items) => items.iter().for_each(|it| collect(it, words_of)),
        Value::Object(map) => map.values().for_each(|it| collect(it, words_of)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// The words of a text, names and addresses among them.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let parts = text.split(|c: char| !c.is_alphanumeric() && !"._-/".contains(c));
    let words = parts.map(|word| word.trim_matches('.'));
    words.filter(|word| !word.is_empty()).map(str::to_owned)
}

/// The most frequent causes of this status, with how many targets have each as theirs.
pub fn frequent(report: &TargetsReport, status: Status) -> Vec<(&'static str, usize)> {
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    for entry in &report.entries {
        let verdict = entry.report.verdict();
        let Some(cause) = verdict.cause.filter(|_| verdict.status == status) else {
            continue;
        };
        match counts.iter_mut().find(|(code, _)| *code == cause.code) {
            Some((_, count)) => *count += 1,
            None => counts.push((cause.code, 1)),
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// The most frequent causes in words: `tcp.refused (2), tls.cert.expired`.
pub fn in_words(counts: &[(&'static str, usize)], most: usize) -> String {
    let word = |(code, count): &(&str, usize)| match count {
        1 => (*code).to_owned(),
        n => format!("{code} ({n})"),
    };
    let mut words: Vec<String> = counts.iter().take(most).map(word).collect();
    if counts.len() > most {
        words.push(format!("{} other causes", counts.len() - most));
    }
    words.join(", ")
}

/// The first of some names, and how many more there are.
pub fn names(labels: &[String], targets: &[usize], most: usize) -> Vec<String> {
    let shown = targets.iter().take(most).filter_map(|at| labels.get(*at));
    let mut names: Vec<String> = shown.cloned().collect();
    if targets.len() > most {
        names.push(format!("and {} more", targets.len() - most));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::auth;

    #[test]
    fn advice_is_the_same_whatever_the_target() {
        let of = |database: &str, user: &str| {
            let finding = Finding::new(&auth::DATABASE_MISSING)
                .with("database", database.to_owned())
                .with("user", user.to_owned())
                .with("endpoint", "127.0.0.1:5432");
            advice(&finding)
        };
        assert_eq!(of("orders", "app"), of("bills", "billing"));
        let other = advice(&Finding::new(&auth::PASSWORD_WRONG));
        assert_ne!(of("orders", "app"), other);
    }

    #[test]
    fn names_and_causes_in_words() {
        let labels = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(names(&labels, &[0, 2], 2), ["a", "c"]);
        assert_eq!(names(&labels, &[0, 1, 2], 1), ["a", "and 2 more"]);
        let counts = [("tcp.refused", 2), ("dns.not-found", 1), ("x.y", 1)];
        assert_eq!(in_words(&counts, 1), "tcp.refused (2), 2 other causes");
        assert_eq!(in_words(&counts[1..2], 5), "dns.not-found");
    }
}
