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

mod advice;
mod confirm;
mod driver;
mod entry;
mod fact;
mod forms;
mod moment;
mod prefix;
mod reading;
mod refine;
mod rules;
mod signs;
mod speakers;
mod text;
mod url;
mod values;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cause::{self, Cause};
use crate::finding::{Finding, Fix};
pub use crate::message::Phase;
use crate::report::{SCHEMA_VERSION, Tool};
use reading::Reading;
use rules::{Said, UNSURE};
pub use values::Values;
use values::{Read, Reader};

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
    #[schemars(skip_serializing_if = "older_versions_lack_it")]
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
    #[schemars(skip_serializing_if = "older_versions_lack_it")]
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
    /// What the text says of the connection; every key is null for a code.
    #[schemars(skip_serializing_if = "older_versions_lack_it")]
    pub values: Values,
    /// What is wrong.
    pub summary: String,
    /// What it means, and how to tell it from its neighbours.
    pub meaning: &'static str,
    /// What drivers print for it.
    pub seen_as: &'static [&'static str],
    /// What to do, in order; capital letters stand for values that are not known.
    pub fixes: Vec<Fix>,
    /// The command that confirms it or rules it out; null where none would.
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
            .map(|it| Match {
                confidence: Confidence::of(it.score),
                line: Some(it.line()),
                phase: it.said.phase.filter(|phase| *phase != Phase::Any),
                unwrapped_from: it.text.wrappers(it.at),
                ..Match::of(it.cause, it.said, &mut Reader::new(&it.text), it.at)
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
            values: Values::default(),
            summary: format!("{}.", row.title),
            meaning: row.meaning,
            seen_as: row.seen_as,
            fixes: Finding::new(row).fixes_in_general(),
            confirm_with: confirm::with(row, &Read::default()),
        }
    }

    /// What a line of a text says, filled with what it says of the connection.
    fn of(row: &'static Cause, said: Said, reader: &mut Reader<'_>, at: usize) -> Self {
        let mut read = reader.read(at, row, &said);
        let advice = advice::of(row, said.fact, &mut read);
        Self {
            matched: said.matched,
            confirm_with: confirm::with(row, &read),
            values: read.values,
            summary: advice.summary,
            fixes: advice.fixes,
            ..Self::new(row)
        }
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
