//! Facts that several pieces of a text say together, in one of many wordings.
//!
//! The rows are `knowledge/facts.toml`, whose head explains the keys.

use std::sync::LazyLock;

use super::text::Text;
use crate::cause::{self, Cause, FixRow};
use crate::message::{Finder, Pattern, Phase, Weight};

include!(concat!(env!("OUT_DIR"), "/facts.rs"));

/// What several pieces of a text say together.
#[derive(Debug)]
pub struct Fact {
    /// The pieces, each in its wordings.
    all: &'static [&'static [&'static str]],
    none: &'static [&'static str],
    /// What it stands for, the likeliest first.
    pub causes: &'static [&'static Cause],
    /// How much it says.
    pub weight: Weight,
    /// When it is printed.
    pub phase: Phase,
    /// In place of the page's summary.
    pub summary: Option<&'static str>,
    /// Before the page's fixes.
    pub fixes: &'static [FixRow],
    /// Whether the page's fixes follow.
    pub keeps_page: bool,
}

/// A fact with its patterns.
struct Compiled {
    fact: &'static Fact,
    /// The wording of the first piece that this stands for.
    anchor: &'static str,
    /// The other pieces.
    others: Vec<Vec<Pattern>>,
    none: Vec<Pattern>,
}

impl Fact {
    /// What its pieces may capture.
    pub fn pieces(&self) -> impl Iterator<Item = &'static str> {
        self.all
            .iter()
            .flat_map(|wordings| wordings.iter().copied())
    }
}

/// A fact that a text states.
pub struct Stated {
    /// The fact.
    pub fact: &'static Fact,
    /// How its first piece is worded.
    pub anchor: &'static str,
    /// How many characters the pieces give.
    pub length: usize,
}

/// How far apart the pieces may stand, in lines.
const NEAR: usize = 15;

static INDEX: LazyLock<Finder<Compiled>> = LazyLock::new(|| {
    let patterns = |texts: &[&str]| texts.iter().map(|text| Pattern::new(text)).collect();
    let anchors = FACTS.iter().filter_map(|fact| {
        let (first, others) = fact.all.split_first()?;
        Some(first.iter().map(move |anchor| {
            let compiled = Compiled {
                fact,
                anchor,
                others: others.iter().map(|wordings| patterns(wordings)).collect(),
                none: patterns(fact.none),
            };
            (*anchor, compiled)
        }))
    });
    Finder::new(anchors.flatten())
});

/// The facts whose first piece stands in a line, and the others near it.
pub fn stated(text: &Text, at: usize) -> Vec<Stated> {
    let Some(line) = text.lines.get(at) else {
        return Vec::new();
    };
    let is_near = |pattern: &Pattern| {
        text.beside(at, NEAR)
            .any(|line| pattern.is_in(&line.folded))
    };
    let found = INDEX.find(&line.folded).into_iter();
    let stated = found.filter_map(|(anchor, compiled)| {
        let others = compiled.others.iter();
        let lengths: Option<Vec<usize>> = others
            .map(|wordings| {
                wordings
                    .iter()
                    .find(|one| is_near(one))
                    .map(Pattern::weight)
            })
            .collect();
        let length = anchor.weight() + lengths?.iter().sum::<usize>();
        (!compiled.none.iter().any(is_near)).then_some(Stated {
            fact: compiled.fact,
            anchor: compiled.anchor,
            length,
        })
    });
    stated.collect()
}
