//! `explain`: from an error text, a traceback or a whole log to causes.
//!
//! The text is cut into messages (`text`, after `prefix` took off what stands before
//! its lines and `entry` told a server's own log), whose lines are read against the
//! table of texts ([`message`]) and the facts (`fact`). What a line alone cannot decide
//! is decided by what stands around it (`refine`), by the frames of its trace (`moment`)
//! and by the other lines of its message (`reading`, which also counts). Whatever the
//! user's text holds is matched and never repeated: it may hold a password.
//!
//! [`message`]: crate::message

mod entry;
mod fact;
mod moment;
mod prefix;
mod reading;
mod refine;
mod rules;
mod signs;
mod speakers;
mod text;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cause::{self, Cause, auth, client, family, pooler, server};
use crate::finding::{Finding, Fix};
pub use crate::message::Phase;
use crate::report::{SCHEMA_VERSION, Tool};
use fact::Fact;
use reading::Reading;
use rules::UNSURE;

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

impl Confidence {
    /// Of a score from 0 to 100.
    fn of(score: u32) -> Self {
        match score {
            85.. => Self::High,
            60.. => Self::Medium,
            _ => Self::Low,
        }
    }
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
    /// How often each of them decided a message of the text, the commonest first;
    /// empty for a code.
    pub summary: Vec<Count>,
}

/// How often a cause decided a message of a text.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Count {
    /// The code.
    pub cause: &'static str,
    /// In how many messages: a log's record with its continuation lines, a traceback.
    pub count: usize,
    /// The line of the first of them, from 1.
    pub first_line: usize,
    /// The line of the last.
    pub last_line: usize,
    /// When the first was written, as the text says it; null where it does not.
    pub first_time: Option<String>,
    /// When the last was written.
    pub last_time: Option<String>,
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

/// How many matches are worth reading.
const MOST: usize = 8;

impl Explanation {
    /// What a text means.
    pub fn of_text(input: &str) -> Self {
        Self::of_reading(Reading::of(input))
    }

    /// What an input of any length means; no more of it is in memory than a block.
    ///
    /// # Errors
    /// What the input says.
    pub fn of_input(input: impl std::io::BufRead) -> std::io::Result<Self> {
        let mut reading = Reading::default();
        reading.read(input)?;
        Ok(Self::of_reading(reading))
    }

    fn of_reading(reading: Reading) -> Self {
        let (ranked, tallies) = reading.finish();
        let top = ranked.iter().map(|it| it.score).max().unwrap_or(0);
        let matches: Vec<Match> = ranked
            .into_iter()
            .filter(|it| top < 85 || it.score >= 45)
            .take(MOST)
            .map(|it| {
                let found = Match::new(it.cause).with(it.said.fact);
                Match {
                    confidence: Confidence::of(it.score),
                    line: Some(it.line()),
                    phase: it.said.phase.filter(|phase| *phase != Phase::Any),
                    unwrapped_from: it.text.wrappers(it.at),
                    matched: it.said.matched,
                    ..found
                }
            })
            .collect();
        let is_shown = |code| matches.iter().any(|it| it.cause == code);
        let summary = tallies
            .into_iter()
            .filter(|(code, _)| is_shown(*code))
            .map(|(cause, tally)| Count {
                cause,
                count: tally.count,
                first_line: tally.first_line,
                last_line: tally.last_line,
                first_time: tally.first_time,
                last_time: tally.last_time,
            })
            .collect();
        Self {
            summary,
            ..Self::new(matches)
        }
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
            summary: Vec::new(),
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
