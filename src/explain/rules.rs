//! What a line says, by the table of texts, by facts, by SQLSTATEs and by our own codes.

use std::ops::Range;
use std::sync::LazyLock;

use super::fact::{self, Fact};
use super::refine;
use super::signs::{self, SQLSTATES};
use super::text::{Context, Text};
use crate::cause::{self, Cause};
use crate::message::{self, Finder, Pattern, Phase, Weight};

/// The best that one of several candidates can be.
pub const UNSURE: u32 = 84;

/// What a line says.
pub struct Said {
    /// Candidates with the sureness of each, from 0 to 100.
    pub causes: Vec<(&'static Cause, u32)>,
    /// What was recognised, with `*` for values.
    pub matched: String,
    /// When the error came.
    pub phase: Option<Phase>,
    /// The pattern that matched; empty for a code.
    pub pattern: &'static str,
    /// The fact, where it is one.
    pub fact: Option<&'static Fact>,
    /// How deep in a chain of exceptions the deepest piece of that fact stands.
    pub depth: Option<i32>,
    /// Whether a piece of it is a server's DETAIL.
    pub is_detail: bool,
}

impl Said {
    /// How sure its likeliest cause is.
    pub fn most(&self) -> u32 {
        self.causes
            .iter()
            .map(|(_, score)| *score)
            .max()
            .unwrap_or(0)
    }

    /// Makes it no surer than this.
    pub fn lower(&mut self, most: u32) {
        for (_, score) in &mut self.causes {
            *score = (*score).min(most);
        }
    }

    /// The same without its causes, for the one that was chosen.
    pub fn without_causes(&self) -> Self {
        Self {
            causes: Vec::new(),
            matched: self.matched.clone(),
            ..*self
        }
    }
}

/// What a text of the table says to a reader who does not know its origin.
struct Rule {
    causes: &'static [&'static Cause],
    weight: Weight,
    phase: Phase,
    text: &'static str,
}

/// How sure a text is by itself, if it counts in this context at all. `length` is how
/// much of the line it gives.
fn base(weight: Weight, length: usize, line: &str, context: Context) -> Option<u32> {
    let whole = length + 4 >= line.len();
    match (weight, context) {
        (Weight::Exact, _) => Some(90),
        (_, Context::Foreign | Context::Unknown) => None,
        (Weight::Broad, Context::Here) => Some(80),
        (Weight::Broad, Context::Near) => Some(70),
        (Weight::Broad, Context::Bare) => Some(62),
        (Weight::General, Context::Here) => Some(68),
        (Weight::General, Context::Near) => Some(64),
        (Weight::General, Context::Bare) => Some(60),
        (Weight::Vague, Context::Bare) => Some(48),
        (Weight::Vague, _) => Some(52),
        // Everyday words count among ours, or where they are all there is.
        (Weight::Quoted, Context::Bare) if !whole && length < 30 => None,
        (Weight::Quoted, Context::Bare) => Some(42),
        (Weight::Quoted, _) => Some(46),
    }
}

/// How much surer a text is for what it gives: ever so slightly.
fn bonus(length: usize) -> u32 {
    (length / 4).min(9) as u32
}

/// What pages show is looked for from so many characters on.
const SHORTEST_QUOTE: usize = 12;

static RULES: LazyLock<Finder<Rule>> = LazyLock::new(|| {
    let rules = message::rows().filter_map(|row| {
        let rule = Rule {
            causes: &row.causes,
            weight: row.weight?,
            phase: row.phase,
            text: row.text,
        };
        Some((row.text, rule))
    });
    // One for each page, so that every cause that shows the text is named.
    let quotes = message::rows()
        .filter(|row| Pattern::new(row.text).weight() >= SHORTEST_QUOTE)
        .flat_map(|row| {
            row.pages.iter().map(|page| {
                let rule = Rule {
                    causes: std::slice::from_ref(page),
                    weight: Weight::Quoted,
                    phase: Phase::Any,
                    text: row.text,
                };
                (row.text, rule)
            })
        });
    Finder::new(rules.chain(quotes))
});

/// What a line says. Texts that only one cause has win over those that any
/// program prints, longer ones over shorter ones.
pub fn read_line(text: &Text, at: usize) -> Vec<Said> {
    let Some(line) = text.lines.get(at) else {
        return Vec::new();
    };
    if line.code {
        return Vec::new();
    }
    let is_normal = signs::NORMAL.iter().any(|sign| line.folded.contains(sign));
    if is_normal || line.folded.starts_with(signs::SENT) || text.is_routine(at) {
        return Vec::new();
    }
    let context = text.context(at);
    let hits: Vec<(&Pattern, &Rule, Vec<Range<usize>>)> = RULES
        .find(&line.folded)
        .into_iter()
        .map(|(pattern, rule)| {
            let places = pattern.place(&line.folded).unwrap_or_default();
            (pattern, rule, places)
        })
        .collect();
    let mut hits: Vec<(u32, usize, &Rule)> = hits
        .iter()
        // What is a part of something longer is not said for itself.
        .filter(|(pattern, rule, places)| {
            !hits.iter().any(|(longer, other, around)| {
                other.weight == Weight::Exact
                    && rule.weight != Weight::Quoted
                    && longer.weight() > pattern.weight()
                    && is_inside(places, around)
            })
        })
        .filter_map(|(pattern, rule, _)| {
            let base = base(rule.weight, pattern.weight(), &line.folded, context)?;
            Some((base, pattern.weight(), *rule))
        })
        .collect();
    hits.sort_by_key(|(base, length, _)| std::cmp::Reverse((*base, *length)));

    let mut said: Vec<Said> = own_codes(&line.folded);
    let facts = facts(text, at, context);
    // What a fact says counts before what a part of it says.
    let mut most = facts
        .iter()
        .flat_map(|said| &said.causes)
        .map(|(_, score)| score.saturating_sub(8))
        .min()
        .unwrap_or(99);
    said.extend(facts);
    let exact = hits.iter().any(|(.., it)| it.weight == Weight::Exact);
    if !exact {
        said.extend(sqlstate(&line.text, &line.folded));
    }
    for (n, (base, length, it)) in hits.iter().enumerate() {
        let same = hits
            .first()
            .is_some_and(|(.., first)| first.text == it.text);
        if n > 0 && it.weight != Weight::Exact && !same {
            break;
        }
        let phase = refine::phase(text, at, it.phase);
        let causes = refine::causes(text, at, it.causes, phase);
        let root = u32::from(refine::is_root(&line.folded)) * 3;
        // Several candidates are several: none of them is sure.
        let sure = if causes.len() > 1 { UNSURE } else { 99 };
        let score = (base + bonus(*length) + root).min(sure).min(most);
        // What fewer words say comes after what more words say.
        most = if same { score } else { score.saturating_sub(8) };
        said.push(Said {
            causes: ranked(&causes, score).collect(),
            matched: with_quotes_of(&line.text, &message::shown(it.text)),
            phase,
            pattern: it.text,
            fact: None,
            depth: None,
            is_detail: false,
        });
    }
    said
}

/// Whether every piece of one pattern is in a piece of another.
fn is_inside(places: &[Range<usize>], around: &[Range<usize>]) -> bool {
    !places.is_empty()
        && places.iter().all(|place| {
            let holds = |it: &Range<usize>| it.start <= place.start && place.end <= it.end;
            around.iter().any(holds)
        })
}

/// The facts that a line states.
fn facts(text: &Text, at: usize, context: Context) -> Vec<Said> {
    let Some(line) = text.lines.get(at) else {
        return Vec::new();
    };
    let stated = fact::stated(text, at).into_iter();
    let said = stated.filter_map(|stated| {
        let fact = stated.fact;
        let base = base(fact.weight, stated.length, &line.folded, context)?;
        let sure = if fact.causes.len() > 1 { UNSURE } else { 99 };
        let score = (base + bonus(stated.length)).min(sure);
        Some(Said {
            causes: ranked(fact.causes, score).collect(),
            matched: with_quotes_of(&line.text, &message::shown(stated.anchor)),
            phase: refine::phase(text, at, fact.phase),
            pattern: stated.anchor,
            fact: Some(fact),
            depth: Some(stated.depth),
            is_detail: stated.is_detail,
        })
    });
    said.collect()
}

/// Candidates with the sureness of each, the likeliest first.
fn ranked(causes: &[&'static Cause], score: u32) -> impl Iterator<Item = (&'static Cause, u32)> {
    let lower = move |n: usize| score.saturating_sub(15 * n as u32);
    let ranked = causes.iter().enumerate();
    ranked.map(move |(n, cause)| (*cause, lower(n)))
}

/// A rule's text with the kind of quotes that the line has: rules are written
/// with double ones, and match any.
fn with_quotes_of(line: &str, text: &str) -> String {
    match line.contains('\'') && !line.contains('"') {
        true => text.replace('"', "'"),
        false => text.to_owned(),
    }
}

/// Codes of the catalogue itself, from a pasted report of ours.
fn own_codes(folded: &str) -> Vec<Said> {
    if !folded.contains('.') {
        return Vec::new();
    }
    folded
        .split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-')))
        .map(|word| word.trim_matches('.'))
        .filter(|word| word.contains('.'))
        .filter_map(cause::find)
        .map(|row| Said {
            causes: vec![(row, 97)],
            matched: row.code.to_owned(),
            phase: None,
            pattern: "",
            fact: None,
            depth: None,
            is_detail: false,
        })
        .collect()
}

/// An SQLSTATE in a line, which says it in any language.
fn sqlstate(text: &str, folded: &str) -> Option<Said> {
    SQLSTATES.iter().find_map(|(state, causes)| {
        let at = text.find(state)?;
        let before = text.get(..at)?;
        let after = text.get(at + state.len()..)?;
        let alone = !before.ends_with(|c: char| c.is_ascii_alphanumeric())
            && !after.starts_with(|c: char| c.is_ascii_alphanumeric());
        let lettered = state.contains(|c: char| c.is_ascii_alphabetic());
        // Five digits may be anything: something must say what they are.
        let told = ["sqlstate", "sql state", "code", "state:"]
            .iter()
            .any(|sign| folded.contains(sign))
            || (before.ends_with(":  ") && after.starts_with(": "))
            || text.trim() == *state;
        (alone && (lettered || told)).then(|| Said {
            causes: ranked(causes, if lettered { 92 } else { 78 }).collect(),
            matched: format!("SQLSTATE {state}"),
            phase: None,
            pattern: "",
            fact: None,
            depth: None,
            is_detail: false,
        })
    })
}
