//! `explain`: from an error text, a traceback or a whole log to causes.
//!
//! The text is read line by line against `rules`; what a line alone cannot
//! decide is decided by what stands around it (`text`), by the values in it
//! (`refine`), or, for messages in other languages, by PostgreSQL's own
//! message catalogues (`locale`). Whatever the user's text holds is matched
//! and never repeated: it may hold a password.

mod locale;
mod pattern;
mod refine;
mod rules;
mod text;

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Serialize;

pub use text::{LONGEST, MOST_LINES};

use crate::cause::{self, Cause};
use crate::finding::{Finding, Fix};
use crate::report::{SCHEMA_VERSION, Tool};
use pattern::Pattern;
use rules::{RULES, SQLSTATES, Weight};
use text::{Context, Text};

/// When an error comes: while connecting, or on a connection that worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// While connecting.
    Connect,
    /// On a connection that worked.
    Session,
    /// Either.
    Any,
}

/// How sure a match is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// One possibility among several.
    Low,
    /// Likely.
    Medium,
    /// Nothing else prints this.
    High,
}

/// What `explain` says, as JSON.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Explanation {
    /// The version of this shape.
    pub schema_version: u32,
    /// Which program wrote it.
    pub tool: Tool,
    /// What the text may mean, best first; empty where nothing is recognised.
    pub matches: Vec<Match>,
}

/// One cause that a text speaks of.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Match {
    /// The code.
    pub cause: &'static str,
    /// The version of dbdoctor since which the code exists.
    pub since: &'static str,
    /// How sure it is.
    pub confidence: Confidence,
    /// The text that was recognised, with `*` for values; never a value itself.
    pub matched: String,
    /// The line of the input that it stands in, from 1; null for a code.
    pub line: Option<usize>,
    /// When the error came; null where the text does not tell.
    pub phase: Option<Phase>,
    /// Who quotes the error: pools, poolers, ORMs, exception chains.
    pub unwrapped_from: Option<String>,
    /// What is wrong, without values.
    pub summary: String,
    /// What it means, and how to tell it from its neighbours.
    pub meaning: &'static str,
    /// What drivers print for it.
    pub seen_as: &'static [&'static str],
    /// What to do, in order; capital letters stand for values.
    pub fixes: Vec<Fix>,
    /// The command that confirms it or rules it out.
    pub confirm_with: Option<String>,
}

/// The best that one of several candidates can be.
const UNSURE: u32 = 84;

/// How many matches are worth reading.
const MOST: usize = 8;

/// What a line says: candidates with the sureness of each, from 0 to 100.
struct Said {
    causes: Vec<(&'static str, u32)>,
    matched: String,
    phase: Option<Phase>,
}

impl Explanation {
    /// What a text means.
    pub fn of_text(input: &str) -> Self {
        let text = Text::read(input);
        let mut best = Best::new();
        let mut seen = HashSet::new();
        for (at, line) in text.lines.iter().enumerate() {
            // Logs repeat themselves, but for times and numbers.
            let shape: String = line
                .folded
                .chars()
                .filter(|c| !c.is_ascii_digit())
                .collect();
            if seen.insert((shape, line.folded.len())) {
                for said in read_line(&text, at) {
                    file(&mut best, at, said);
                }
            }
        }
        let vague = |best: &Best| best.values().all(|(score, ..)| *score < 60);
        if vague(&best) {
            for (at, said) in locale::read(&text) {
                file(&mut best, at, said);
            }
        }
        // A terminal or a mail may have broken the line in the middle of it.
        for glue in [" ", ""] {
            if vague(&best)
                && let Some(joined) = text.joined(glue)
            {
                for at in 0..joined.lines.len() {
                    for said in read_line(&joined, at) {
                        file(&mut best, at, said);
                    }
                }
            }
        }
        let mut ranked: Vec<_> = best.into_iter().collect();
        ranked.sort_by_key(|(_, (score, at, _))| (std::cmp::Reverse(*score), *at));
        let top = ranked.first().map_or(0, |(_, (score, ..))| *score);
        let matches = ranked
            .into_iter()
            .filter(|(_, (score, ..))| top < 85 || *score >= 45)
            .filter_map(|(code, (score, at, said))| {
                let row = cause::find(code)?;
                let found = Match::new(row);
                Some(Match {
                    confidence: match score {
                        85.. => Confidence::High,
                        60.. => Confidence::Medium,
                        _ => Confidence::Low,
                    },
                    matched: said.matched,
                    line: text.lines.get(at).map(|line| line.number),
                    phase: said.phase.filter(|phase| *phase != Phase::Any),
                    unwrapped_from: text.wrappers(at),
                    ..found
                })
            })
            .take(MOST)
            .collect();
        Self::new(matches)
    }

    /// The page of a code.
    pub fn of_code(code: &str) -> Self {
        Self::new(cause::find(code).map(Match::new).into_iter().collect())
    }

    /// The whole catalogue.
    pub fn catalogue() -> Self {
        Self::new(cause::all().map(Match::new).collect())
    }

    fn new(matches: Vec<Match>) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            tool: Tool::this(),
            matches,
        }
    }
}

/// The best sighting of each cause: its score, its line, what was said.
type Best = BTreeMap<&'static str, (u32, usize, Said)>;

/// Keeps what a line says where nothing better is known of the same cause.
fn file(best: &mut Best, at: usize, said: Said) {
    for (cause, score) in &said.causes {
        if *score > best.get(cause).map_or(0, |(known, ..)| *known) {
            let said = Said {
                causes: Vec::new(),
                matched: said.matched.clone(),
                phase: said.phase,
            };
            best.insert(cause, (*score, at, said));
        }
    }
}

impl Match {
    fn new(row: &'static Cause) -> Self {
        Self {
            cause: row.code,
            since: row.since,
            confidence: Confidence::High,
            matched: row.code.to_owned(),
            line: None,
            phase: None,
            unwrapped_from: None,
            summary: format!("{}.", row.title),
            meaning: row.meaning,
            seen_as: row.seen_as,
            fixes: Finding::new(row).fixes_in_general(),
            confirm_with: confirm_with(row.code),
        }
    }
}

/// Whether an argument has the shape of a code: `word.word`.
pub fn is_code(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let parts: Vec<&str> = text.split('.').collect();
    let known = |first: &str| cause::all().any(|row| row.code.split('.').next() == Some(first));
    parts.len() >= 2
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.chars().all(plain))
        && parts.first().is_some_and(|first| known(first))
}

/// The command that confirms a cause or rules it out.
fn confirm_with(code: &str) -> Option<String> {
    let stage = code.split('.').next()?;
    let command = match (stage, code) {
        (_, "client.fork-tls" | "client.shared-socket") => "dbdoctor sockets",
        (_, "client.tunnel-library" | "client.key-library" | "client.stack-differs") => {
            "dbdoctor check --second-opinion --ssh USER@HOST TARGET"
        }
        (_, "client.cached-settings") => "dbdoctor config -v TARGET",
        (_, "client.pool-exhausted" | "client.concurrent-use" | "client.prepared-statement") => {
            "dbdoctor stress --attempts 50 --concurrency 10 TARGET"
        }
        (_, "client.scram-unsupported") => "dbdoctor auth -v TARGET",
        (_, "client.loop-closed") => "dbdoctor check TARGET",
        (_, "client.portproxy") => "dbdoctor idle --for 6m TARGET",
        ("config", _) => "dbdoctor config TARGET",
        ("key", _) => "dbdoctor key PATH",
        ("dns", _) => "dbdoctor dns TARGET",
        ("tcp", _) => "dbdoctor tcp TARGET",
        ("ssh" | "tunnel", _) => "dbdoctor tunnel --ssh USER@HOST TARGET",
        ("protocol" | "tls", _) => "dbdoctor tls TARGET",
        ("auth", _) => "dbdoctor auth TARGET",
        ("idle", _) => "dbdoctor idle --for 6m TARGET",
        _ => "dbdoctor check TARGET",
    };
    Some(command.to_owned())
}

/// A pattern of a rule, and a bit of it that a line must have.
struct Compiled {
    causes: &'static [&'static str],
    weight: Weight,
    phase: Phase,
    text: &'static str,
    pattern: Pattern,
    gram: Option<u16>,
}

impl Compiled {
    fn new(
        causes: &'static [&'static str],
        weight: Weight,
        phase: Phase,
        text: &'static str,
    ) -> Self {
        let pattern = Pattern::new(text);
        Self {
            causes,
            weight,
            phase,
            text,
            gram: gram(&pattern),
            pattern,
        }
    }

    /// How sure the text is by itself, if it counts in this context at all.
    fn base(&self, line: &str, context: Context) -> Option<u32> {
        let whole = self.pattern.weight() + 4 >= line.len();
        match (self.weight, context) {
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
            (Weight::Quoted, Context::Bare) if !whole && self.pattern.weight() < 30 => None,
            (Weight::Quoted, Context::Bare) => Some(42),
            (Weight::Quoted, _) => Some(46),
        }
    }
}

/// The shortest fragment of the catalogue that is looked for.
const SHORTEST_QUOTE: usize = 12;

static COMPILED: LazyLock<Vec<Compiled>> = LazyLock::new(|| {
    let rules = RULES.iter().flat_map(|rule| {
        let texts = rule.texts.iter();
        texts.map(|text| Compiled::new(rule.causes, rule.weight, rule.phase, text))
    });
    let quotes = cause::all().flat_map(|row| {
        let long = |text: &&&str| Pattern::new(text).weight() >= SHORTEST_QUOTE;
        let texts = row.seen_as.iter().filter(long);
        texts.map(|text| {
            let causes = std::slice::from_ref(&row.code);
            Compiled::new(causes, Weight::Quoted, Phase::Any, text)
        })
    });
    rules.chain(quotes).collect()
});

/// The first four letters of a pattern's longest piece.
fn gram(pattern: &Pattern) -> Option<u16> {
    pattern.longest().as_bytes().first_chunk().map(hash)
}

fn hash(four: &[u8; 4]) -> u16 {
    let mixed = u32::from_le_bytes(*four).wrapping_mul(0x9E37_79B1);
    (mixed >> 16) as u16
}

/// Every four letters of a line, so that most patterns need not be tried.
struct Grams(Vec<u64>);

impl Grams {
    fn of(line: &str) -> Self {
        let mut bits = vec![0; 1024];
        for four in line.as_bytes().windows(4) {
            if let Some(four) = four.first_chunk() {
                let at = usize::from(hash(four));
                bits[at / 64] |= 1 << (at % 64);
            }
        }
        Self(bits)
    }

    fn may_have(&self, gram: Option<u16>) -> bool {
        gram.map(usize::from)
            .is_none_or(|at| self.0[at / 64] & (1 << (at % 64)) != 0)
    }
}

/// What a line says. Texts that only one cause has win over those that any
/// program prints, longer ones over shorter ones.
fn read_line(text: &Text, at: usize) -> Vec<Said> {
    let Some(line) = text.lines.get(at) else {
        return Vec::new();
    };
    if rules::NORMAL.iter().any(|sign| line.folded.contains(sign)) {
        return Vec::new();
    }
    let context = text.context(at);
    let grams = Grams::of(&line.folded);
    let mut hits: Vec<(u32, &Compiled)> = COMPILED
        .iter()
        .filter(|it| grams.may_have(it.gram) && it.pattern.is_in(&line.folded))
        .filter_map(|it| Some((it.base(&line.folded, context)?, it)))
        .collect();
    hits.sort_by_key(|(base, it)| std::cmp::Reverse((*base, it.pattern.weight())));

    let mut said: Vec<Said> = own_codes(&line.folded);
    let exact = hits.iter().any(|(_, it)| it.weight == Weight::Exact);
    if !exact {
        said.extend(sqlstate(&line.text, &line.folded));
    }
    let mut most = 99;
    for (n, (base, it)) in hits.iter().enumerate() {
        let same = hits.first().is_some_and(|(_, first)| first.text == it.text);
        if n > 0 && it.weight != Weight::Exact && !same {
            break;
        }
        let phase = refine::phase(text, at, it.phase);
        let causes = refine::causes(text, at, it.causes, phase);
        // Ever so slightly: the more is said, the surer it is.
        let length = (it.pattern.weight() / 4).min(9) as u32;
        let root = u32::from(refine::is_root(&line.folded)) * 3;
        // Several candidates are several: none of them is sure.
        let sure = if causes.len() > 1 { UNSURE } else { 99 };
        let score = (base + length + root).min(sure).min(most);
        // What fewer words say comes after what more words say.
        most = if same { score } else { score.saturating_sub(8) };
        said.push(Said {
            causes: causes
                .into_iter()
                .enumerate()
                .map(|(n, cause)| (cause, score.saturating_sub(15 * n as u32)))
                .collect(),
            matched: with_quotes_of(&line.text, it.text),
            phase,
        });
    }
    said
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
            causes: vec![(row.code, 97)],
            matched: row.code.to_owned(),
            phase: None,
        })
        .collect()
}

/// An SQLSTATE in a line, which says it in any language.
fn sqlstate(text: &str, folded: &str) -> Option<Said> {
    SQLSTATES.iter().find_map(|(state, cause, _)| {
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
            causes: vec![(*cause, if lettered { 92 } else { 78 })],
            matched: format!("SQLSTATE {state}"),
            phase: None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_holds_causes_of_the_catalogue() {
        let codes = RULES
            .iter()
            .flat_map(|rule| rule.causes)
            .chain(SQLSTATES.iter().map(|(_, code, _)| code));
        let missing: HashSet<_> = codes.filter(|code| cause::find(code).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn no_rule_matches_anything() {
        for it in COMPILED.iter() {
            assert!(it.pattern.weight() >= 4, "{}", it.text);
        }
    }

    #[test]
    fn codes_have_a_shape() {
        assert!(is_code("client.fork-tls"));
        assert!(is_code("client.no-such-code"));
        assert!(!is_code("db.example.com"));
        assert!(!is_code("Connection refused."));
    }
}
