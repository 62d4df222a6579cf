//! Facts that several pieces of a text say together, in one of many wordings.
//!
//! The rows are `knowledge/facts.toml`, whose head explains the keys.

use std::sync::LazyLock;

use super::text::{Line, Text};
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
    /// How deep in the message's chain of exceptions its deepest piece stands.
    pub depth: i32,
    /// Whether a piece of it is a server's DETAIL.
    pub is_detail: bool,
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
    let near = |pattern: &Pattern| {
        let mut beside = text.beside(at, NEAR);
        beside.find(|line| pattern.is_in(&line.folded) || line.is_spoken(pattern))
    };
    let mut found = INDEX.find(&line.folded);
    if let Some(spoken) = line.spoken() {
        // What a program says without its name is found already.
        let named = INDEX.find(&spoken).into_iter();
        found.extend(named.filter(|(anchor, _)| !anchor.is_in(&line.folded)));
    }
    let stated = found.into_iter().filter_map(|(anchor, compiled)| {
        let others = compiled.others.iter().map(|wordings| {
            let found = |one: &Pattern| Some((one.weight(), near(one)?));
            wordings.iter().find_map(found)
        });
        let others: Vec<(usize, &Line)> = others.collect::<Option<_>>()?;
        if compiled.none.iter().any(|one| near(one).is_some()) {
            return None;
        }
        let length = others.iter().map(|(length, _)| length).sum::<usize>();
        let own = || {
            let lines = others.iter().map(|(_, line)| *line);
            lines.filter(|other| other.message == line.message)
        };
        Some(Stated {
            fact: compiled.fact,
            anchor: compiled.anchor,
            length: anchor.weight() + length,
            depth: own().map(|line| line.depth).fold(line.depth, i32::max),
            is_detail: own().chain([line]).any(Line::is_detail),
        })
    });
    stated.collect()
}
