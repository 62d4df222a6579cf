//! How far `explain` can be trusted, in numbers: the corpora split into the half
//! that rules were made on and the half that they were not, and the texts that were
//! written down before the rules were (`corpus/held-out.txt`).

use std::collections::BTreeMap;
use std::path::Path;

use dbdoctor::explain::{Confidence, Explanation};

/// A text with the causes that are right for it.
struct Entry {
    causes: Vec<String>,
    text: String,
}

/// The entries of a corpus file, as `explain.rs` reads them.
fn entries(path: &Path) -> Vec<Entry> {
    let corpus = std::fs::read_to_string(path).unwrap();
    let parts = corpus
        .split("### ")
        .filter_map(|entry| entry.split_once('\n'));
    let entry = |(head, text): (&str, &str)| Entry {
        causes: head
            .split('|')
            .next()
            .unwrap_or_default()
            .split('/')
            .map(|code| code.trim().to_owned())
            .collect(),
        text: text.trim_end().to_owned(),
    };
    parts.map(entry).collect()
}

fn corpus(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(name)
}

/// FNV-1a, which is the same everywhere and for ever.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Whether a text is of the half that no rule is tuned on.
fn is_kept_aside(entry: &Entry) -> bool {
    hash(&entry.text) % 2 == 1
}

/// How often the first answer of each confidence is right.
#[derive(Default)]
struct Score {
    right: BTreeMap<Option<Confidence>, usize>,
    all: BTreeMap<Option<Confidence>, usize>,
}

impl Score {
    fn of(entries: &[Entry]) -> Self {
        let mut score = Self::default();
        for entry in entries {
            let found = Explanation::of_text(&entry.text).matches;
            let first = found.first();
            let confidence = first.map(|it| it.confidence);
            let right = first.is_some_and(|it| entry.causes.iter().any(|code| code == it.cause));
            *score.all.entry(confidence).or_default() += 1;
            *score.right.entry(confidence).or_default() += usize::from(right);
            if !right {
                let matches = found.iter().map(|it| (it.cause, it.confidence));
                println!(
                    "  {} is taken for {:?}\n    {}",
                    entry.causes.join("/"),
                    matches.take(3).collect::<Vec<_>>(),
                    entry.text.lines().next().unwrap_or_default()
                );
            }
        }
        score
    }

    /// Right answers and all, of one confidence.
    fn part(&self, confidence: Option<Confidence>) -> (usize, usize) {
        let of = |counts: &BTreeMap<_, usize>| counts.get(&confidence).copied().unwrap_or(0);
        (of(&self.right), of(&self.all))
    }

    fn recall(&self) -> (usize, usize) {
        (self.right.values().sum(), self.all.values().sum())
    }

    fn print(&self, of: &str) {
        println!("{of}:");
        for (name, confidence) in [
            ("high", Some(Confidence::High)),
            ("medium", Some(Confidence::Medium)),
            ("low", Some(Confidence::Low)),
        ] {
            println!("  {name:<7} {}", rate(self.part(confidence)));
        }
        println!("  nothing {}", self.part(None).1);
        println!("  recall  {}", rate(self.recall()));
    }
}

fn rate((right, all): (usize, usize)) -> String {
    let percent = 100.0 * right as f64 / all.max(1) as f64;
    format!("{right} of {all} right ({percent:.0} %)")
}

/// The corpora, but for what is written down apart.
fn known() -> Vec<Entry> {
    let mut all = entries(&corpus("known.txt"));
    all.extend(entries(&corpus("recorded.txt")));
    let mut stacks: Vec<_> = std::fs::read_dir(corpus("stacks"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    stacks.sort();
    all.extend(stacks.iter().flat_map(|path| entries(path)));
    all
}

#[test]
fn what_is_said_surely_is_right() {
    let (aside, tuned): (Vec<_>, Vec<_>) = known().into_iter().partition(is_kept_aside);
    assert!(aside.len() >= 300, "{} texts", aside.len());
    Score::of(&tuned).print("the half that rules are tuned on");
    let aside = Score::of(&aside);
    aside.print("the half that is kept aside");
    let (right, all) = aside.part(Some(Confidence::High));
    assert!(right * 10 >= all * 9, "high: {right} of {all}");
}

#[test]
fn what_was_never_seen_is_explained() {
    let held = entries(&corpus("held-out.txt"));
    assert!(held.len() >= 120, "{} texts", held.len());
    let score = Score::of(&held);
    score.print("texts that were written down before the rules");
    let (right, all) = score.part(Some(Confidence::High));
    assert!(right * 10 >= all * 9, "high: {right} of {all}");
    let (right, all) = score.recall();
    assert!(right * 100 >= all * 85, "first answers: {right} of {all}");
}
