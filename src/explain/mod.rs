//! `explain`: from an error text, a traceback or a whole log to causes.
//!
//! The text is read line by line against the table of texts ([`message`]); what
//! a line alone cannot decide is decided by what stands around it (`text`) and
//! by the values in it (`refine`). Whatever the user's text holds is matched
//! and never repeated: it may hold a password.
//!
//! [`message`]: crate::message

mod entry;
mod fact;
mod prefix;
mod refine;
mod rules;
mod signs;
mod text;

use std::collections::{BTreeMap, HashSet};

use schemars::JsonSchema;
use serde::Serialize;

use crate::cause::{self, Cause, auth, client, family, pooler, server};
use crate::finding::{Finding, Fix};
pub use crate::message::Phase;
use crate::report::{SCHEMA_VERSION, Tool};
use fact::Fact;
use rules::{Said, UNSURE, read_line};
use text::Text;

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

/// How sure the second attempt of a client can be, from 0 to 100.
const RETRY: u32 = 70;

/// How many matches are worth reading.
const MOST: usize = 8;

impl Explanation {
    /// What a text means.
    ///
    /// Of libpq's two lines about one server the first is the fault, and the second
    /// the attempt without TLS that came after it.
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
                let is_retry = text.is_retry(at) && !read_line(&text, at - 1).is_empty();
                for mut said in read_line(&text, at) {
                    if is_retry {
                        said.causes
                            .iter_mut()
                            .for_each(|(_, score)| *score = (*score).min(RETRY));
                    }
                    file(&mut best, at, said);
                }
            }
        }
        let vague = |best: &Best| best.values().all(|(score, ..)| *score < 60);
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
        ranked.sort_by_key(|(_, (score, at, cause, _))| {
            let stops = *score >= UNSURE && refine::stops_a_server(cause);
            (!stops, std::cmp::Reverse(*score), *at)
        });
        let top = ranked.first().map_or(0, |(_, (score, ..))| *score);
        let matches = ranked
            .into_iter()
            .filter(|(_, (score, ..))| top < 85 || *score >= 45)
            .map(|(_, (score, at, cause, said))| {
                let found = Match::new(cause).with(said.fact);
                Match {
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
                }
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

/// The best sighting of each cause, by its code: its score, its line, the cause,
/// what was said.
type Best = BTreeMap<&'static str, (u32, usize, &'static Cause, Said)>;

/// Keeps what a line says where nothing better is known of the same cause.
fn file(best: &mut Best, at: usize, said: Said) {
    for (cause, score) in &said.causes {
        if *score > best.get(cause.code).map_or(0, |(known, ..)| *known) {
            let said = Said {
                causes: Vec::new(),
                matched: said.matched.clone(),
                phase: said.phase,
                fact: said.fact,
            };
            best.insert(cause.code, (*score, at, cause, said));
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
            confirm_with: confirm_with(row),
        }
    }

    /// The same with what a fact knows beside the page.
    fn with(mut self, fact: Option<&Fact>) -> Self {
        let Some(fact) = fact else {
            return self;
        };
        if let Some(summary) = fact.summary {
            self.summary = summary.to_owned();
        }
        if !fact.keeps_page {
            self.fixes.clear();
        }
        let fixes = fact.fixes.iter().map(|fix| Fix {
            text: fix.text.to_owned(),
            command: fix.command.map(str::to_owned),
        });
        self.fixes.splice(0..0, fixes);
        self
    }
}

/// Whether an argument has the shape of a code: `word.word`.
pub fn is_code(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() >= 2
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.chars().all(plain))
        && parts.first().is_some_and(|first| cause::has_family(first))
}

/// The command that confirms a cause or rules it out.
fn confirm_with(cause: &Cause) -> Option<String> {
    let any = |causes: &[&Cause]| cause.is_any(causes);
    let of = |family| cause.is_of(family);
    if refine::stops_a_server(cause) {
        // What its log says is known; a connection shows no more than that it is down.
        return None;
    }
    let command = if any(&[
        &client::FORK_TLS,
        &client::SHARED_SOCKET,
        &client::LEAKED_SOCKET,
    ]) {
        "dbdoctor sockets"
    } else if any(&[
        &client::TUNNEL_LIBRARY,
        &client::KEY_LIBRARY,
        &client::STACK_DIFFERS,
    ]) {
        "dbdoctor check --second-opinion --ssh USER@HOST TARGET"
    } else if any(&[&client::CACHED_SETTINGS]) {
        "dbdoctor config -v TARGET"
    } else if any(&[
        &client::POOL_EXHAUSTED,
        &client::CONCURRENT_USE,
        &client::PREPARED_STATEMENT,
    ]) {
        "dbdoctor stress --attempts 50 --concurrency 10 TARGET"
    } else if any(&[&server::READ_ONLY, &server::READ_ONLY_SETTING]) {
        "dbdoctor check --expect-writable TARGET"
    } else if any(&[&server::SEVERAL]) {
        "dbdoctor stress TARGET"
    } else if any(&[&client::SCRAM_UNSUPPORTED]) {
        "dbdoctor auth -v TARGET"
    } else if any(&[&client::PORTPROXY]) || of(family::IDLE) {
        "dbdoctor idle --for 6m TARGET"
    } else if of(family::CONFIG) {
        "dbdoctor config TARGET"
    } else if of(family::KEY) {
        "dbdoctor key PATH"
    } else if of(family::DNS) {
        "dbdoctor dns TARGET"
    } else if of(family::TCP) {
        "dbdoctor tcp TARGET"
    } else if of(family::SSH) || of(family::TUNNEL) {
        "dbdoctor tunnel --ssh USER@HOST TARGET"
    } else if of(family::SERVER_REPLICATION)
        || any(&[&auth::ROLE_REPLICATION, &pooler::REPLICATION])
    {
        "dbdoctor check 'TARGET?replication=database'"
    } else if of(family::PROTOCOL) || of(family::TLS) {
        "dbdoctor tls TARGET"
    } else if of(family::AUTH) {
        "dbdoctor auth TARGET"
    } else {
        "dbdoctor check TARGET"
    };
    Some(command.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_a_shape() {
        assert!(is_code("client.fork-tls"));
        assert!(is_code("client.no-such-code"));
        assert!(!is_code("db.example.com"));
        assert!(!is_code("Connection refused."));
    }
}
