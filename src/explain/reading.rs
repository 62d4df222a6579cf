//! What a text of any length says: message by message, the best sighting of each
//! cause, and how often each one decided a message.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead, Read as _};

use super::rules::{Said, read_line};
use super::text::Text;
use super::{fact, moment, refine, signs};
use crate::cause::{Cause, client, family, pooler};
use crate::message::Weight;

/// So many bytes are read at once.
const BLOCK: usize = 1 << 20;
/// So many lines before and after those that are read stay in sight.
const SIGHT: usize = 400;
/// A log has no more shapes of messages than this, or it has no end of them.
const MOST_SHAPES: usize = 200_000;
/// How sure the second attempt of a client can be, from 0 to 100.
const RETRY: u32 = 70;
/// From here on a cause may be the root of what stands around it.
const LIKELY: u32 = 60;

/// A cause where a text speaks of it best.
pub struct Sighting {
    /// How sure it is, from 0 to 100.
    pub score: u32,
    /// The cause.
    pub cause: &'static Cause,
    /// What was said.
    pub said: Said,
    /// What stands around it.
    pub text: Text,
    /// The line in that text.
    pub at: usize,
}

impl Sighting {
    /// Whether it may be what another failure comes of. Where a line is the word of a
    /// pool or pooler that it cannot connect, what else it says is how that came.
    fn is_reason(&self) -> bool {
        let stated = fact::stated(&self.text, self.at).into_iter();
        let mut firsts = stated.filter_map(|it| it.fact.causes.first());
        is_reason(self.cause) && !firsts.any(|cause| cause.is_any(CONSEQUENCES))
    }

    /// The line's number in the whole input, from 1.
    pub fn line(&self) -> usize {
        self.text.lines.get(self.at).map_or(0, |line| line.number)
    }
}

/// How often a cause decided a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many messages.
    pub count: usize,
    /// The line of the first of them, from 1.
    pub first_line: usize,
    /// The line of the last.
    pub last_line: usize,
    /// When the first was written, as the log says it.
    pub first_time: Option<String>,
    /// When the last was written.
    pub last_time: Option<String>,
}

/// What has been read.
#[derive(Default)]
pub struct Reading {
    best: BTreeMap<&'static str, Sighting>,
    tallies: BTreeMap<&'static str, Tally>,
    /// What decided messages of the same shape.
    shapes: HashMap<u64, Option<&'static Cause>>,
}

/// What a line of a message says of a cause.
struct Candidate {
    at: usize,
    depth: i32,
    is_detail: bool,
    said: Said,
}

impl Reading {
    /// Reads a text that is there as a whole.
    pub fn of(input: &str) -> Self {
        let mut reading = Self::default();
        // Reading from memory does not fail.
        let _ = reading.read(input.as_bytes());
        reading
    }

    /// Reads an input to its end, with no more of it in memory than a block.
    ///
    /// # Errors
    /// What the input says.
    pub fn read(&mut self, mut input: impl BufRead) -> io::Result<()> {
        // The lines in sight, the number of their first, and that of the first unread.
        let mut buffer = Vec::new();
        let (mut first, mut unread) = (1, 1);
        loop {
            let had = buffer.len();
            input.by_ref().take(BLOCK as u64).read_to_end(&mut buffer)?;
            let ended = buffer.len() - had < BLOCK;
            if !ended && !buffer.ends_with(b"\n") {
                end_line(&mut input, &mut buffer)?;
            }
            let text = Text::read_from(&String::from_utf8_lossy(&buffer), first);
            let lines = buffer.iter().filter(|b| **b == b'\n').count();
            let next = first + lines;
            let until = if ended {
                usize::MAX
            } else {
                next.saturating_sub(SIGHT).max(unread)
            };
            self.take(&text, unread, until);
            if ended {
                if first == 1 {
                    self.take_broken(&text);
                }
                return Ok(());
            }
            unread = until;
            let keep = unread.saturating_sub(SIGHT).max(first);
            let end = |b: &u8| *b == b'\n';
            let cut = match keep - first {
                0 => 0,
                skipped => {
                    let mut ends = buffer.iter().enumerate().filter(|(_, b)| end(b));
                    ends.nth(skipped - 1).map_or(0, |(at, _)| at + 1)
                }
            };
            buffer.drain(..cut);
            first = keep;
        }
    }

    /// The best sightings, the surest first, and the tallies.
    pub fn finish(mut self) -> (Vec<Sighting>, Vec<(&'static str, Tally)>) {
        self.yield_to_reasons();
        let mut ranked: Vec<Sighting> = self.best.into_values().collect();
        ranked.sort_by_key(|it| {
            let stops = it.score >= super::UNSURE && refine::stops_a_server(it.cause);
            // Of failures of a log that are as sure, the first one counts.
            let first = self
                .tallies
                .get(it.cause.code)
                .map(|tally| tally.first_line);
            let first = first.unwrap_or(usize::MAX);
            let first = if it.text.is_log() { first } else { 0 };
            let sure = super::Confidence::of(it.score);
            (!stops, Reverse(sure), first, Reverse(it.score), it.line())
        });
        let mut tallies: Vec<_> = self.tallies.into_iter().collect();
        tallies.sort_by_key(|(_, tally)| (Reverse(tally.count), tally.first_line));
        (ranked, tallies)
    }

    /// Takes what the messages say that begin in lines with these numbers.
    fn take(&mut self, text: &Text, from: usize, until: usize) {
        for lines in text.messages() {
            let first = lines.first().and_then(|at| text.lines.get(*at));
            if first.is_some_and(|line| line.number >= from && line.number < until) {
                self.take_message(text, &lines);
            }
        }
    }

    fn take_message(&mut self, text: &Text, lines: &[usize]) {
        let shape = shape(text, lines);
        let decided = match self.shapes.get(&shape) {
            Some(known) => *known,
            None => {
                let mut candidates = candidates(text, lines);
                settle(&mut candidates);
                let decided = leading(&candidates);
                for candidate in candidates {
                    self.file(text, candidate);
                }
                if self.shapes.len() < MOST_SHAPES {
                    self.shapes.insert(shape, decided);
                }
                decided
            }
        };
        let first = lines.first().and_then(|at| text.lines.get(*at));
        if let (Some(cause), Some(line)) = (decided, first) {
            let tally = self.tallies.entry(cause.code).or_default();
            if tally.count == 0 {
                tally.first_line = line.number;
                tally.first_time.clone_from(&line.time);
            }
            tally.count += 1;
            tally.last_line = line.number;
            if line.time.is_some() {
                tally.last_time.clone_from(&line.time);
            }
        }
    }

    /// A terminal or a mail may have broken a line in the middle of it.
    fn take_broken(&mut self, text: &Text) {
        for glue in [" ", ""] {
            let vague = self.best.values().all(|it| it.score < LIKELY);
            if let Some(joined) = text.joined(glue).filter(|_| vague) {
                for at in 0..joined.lines.len() {
                    for said in read_line(&joined, at) {
                        let candidate = Candidate {
                            at,
                            depth: 0,
                            is_detail: false,
                            said,
                        };
                        self.file(&joined, candidate);
                    }
                }
            }
        }
    }

    /// Keeps what a line says where nothing better is known of the same cause.
    fn file(&mut self, text: &Text, candidate: Candidate) {
        let Candidate { at, said, .. } = candidate;
        for (cause, score) in &said.causes {
            let known = self.best.get(cause.code).map_or(0, |known| known.score);
            if *score > known {
                let (text, at) = text.excerpt(at);
                let sighting = Sighting {
                    score: *score,
                    cause,
                    said: said.without_causes(),
                    text,
                    at,
                };
                self.best.insert(cause.code, sighting);
            }
        }
    }

    /// A pool that ran dry because no connection could be made is a consequence, and so
    /// is a pooler's word that it cannot connect: what kept them from it comes first.
    fn yield_to_reasons(&mut self) {
        let reasons = self.best.values().filter(|it| it.is_reason());
        let Some(most) = reasons.clone().map(|it| it.score).max() else {
            return;
        };
        let best = reasons.filter(|it| it.score == most);
        let Some(line) = best.map(Sighting::line).min().filter(|_| most >= LIKELY) else {
            return;
        };
        for it in self
            .best
            .values_mut()
            .filter(|it| it.cause.is_any(CONSEQUENCES))
        {
            let in_use = signs::POOL_IN_USE.iter().any(|sign| it.text.mentions(sign))
                && !it.text.mentions(signs::POOL_EMPTY);
            if !in_use && (line <= it.line() || it.text.is_one_message(it.at, line)) {
                it.score = it.score.min(most - 1);
            }
        }
    }
}

/// What comes of a connection that cannot be made.
const CONSEQUENCES: &[&Cause] = &[&client::POOL_EXHAUSTED, &pooler::BACKEND, &pooler::WAIT];

/// Whether a cause keeps every connection from being made.
fn is_reason(cause: &Cause) -> bool {
    let families = [
        family::DNS,
        family::TCP,
        family::PROTOCOL,
        family::TLS,
        family::AUTH,
        family::SSH,
        family::TUNNEL,
        family::POOLER,
        family::SERVER,
    ];
    !cause.is_any(CONSEQUENCES) && families.iter().any(|family| cause.is_of(*family))
}

/// Reads on to the end of a line, as far as lines are read.
fn end_line(input: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<()> {
    let mut rest = Vec::new();
    while !rest.ends_with(b"\n") {
        rest.clear();
        let read = input.take(BLOCK as u64).read_until(b'\n', &mut rest)?;
        if read == 0 {
            break;
        }
        // Of a line without an end no more than a block is kept.
        if buffer.len() < 2 * BLOCK {
            buffer.append(&mut rest.clone());
        } else if rest.ends_with(b"\n") {
            buffer.push(b'\n');
        }
    }
    Ok(())
}

/// Logs repeat themselves, but for times and numbers.
fn shape(text: &Text, lines: &[usize]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for line in lines.iter().filter_map(|at| text.lines.get(*at)) {
        for byte in line.folded.bytes().filter(|b| !b.is_ascii_digit()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        hash = hash.rotate_left(1) ^ line.context_mark();
    }
    hash
}

/// What the lines of a message say.
fn candidates(text: &Text, lines: &[usize]) -> Vec<Candidate> {
    let mut out = Vec::new();
    for at in lines {
        let mut retry = None;
        let depth = text.lines.get(*at).map_or(0, |line| line.depth);
        for mut said in read_line(text, *at) {
            let is_retry = *retry.get_or_insert_with(|| text.is_retry(*at));
            if is_retry {
                said.lower(RETRY);
            }
            moment::decide(text, *at, &mut said);
            out.push(Candidate {
                at: *at,
                depth: said.depth.unwrap_or(depth),
                is_detail: said.is_detail || text.is_detail(*at),
                said,
            });
        }
    }
    out
}

/// Orders what the lines of one message say: what a server's DETAIL says comes before
/// its first line, the root of a chain of exceptions before those who wrap it.
fn settle(candidates: &mut [Candidate]) {
    let most = |of: &dyn Fn(&Candidate) -> bool, candidates: &[Candidate]| {
        let of = candidates.iter().filter(|it| of(it));
        of.map(|it| it.said.most()).max().unwrap_or(0)
    };
    let detail = most(&|it| it.is_detail, candidates);
    if detail >= super::UNSURE {
        let others = candidates.iter_mut().filter(|it| !it.is_detail);
        others.for_each(|it| it.said.lower(detail - 3));
    }
    let outermost = candidates.iter().map(|it| it.depth).min().unwrap_or(0);
    let best = most(&|it| it.depth == outermost, candidates).min(LIKELY);
    let roots = candidates.iter().filter(|it| it.said.most() >= best.max(1));
    let Some(depth) = roots.map(|it| it.depth).max().filter(|it| *it > outermost) else {
        return;
    };
    let root = most(&|it| it.depth == depth, candidates);
    // A fact says what the words inside it mean here, unless they are as sure.
    let says_more = |said: &Said| {
        let exact = said.fact.is_some_and(|fact| fact.weight == Weight::Exact);
        exact && root < super::UNSURE
    };
    let outer = candidates.iter_mut().filter(|it| it.depth < depth);
    let outer = outer.filter(|it| !says_more(&it.said));
    outer.for_each(|it| it.said.lower(root.saturating_sub(3)));
}

/// The cause that decides a message.
fn leading(candidates: &[Candidate]) -> Option<&'static Cause> {
    let all = candidates.iter().flat_map(|it| &it.said.causes);
    let best = all.clone().map(|(_, score)| *score).max()?;
    all.into_iter()
        .find(|(_, score)| *score == best)
        .map(|(cause, _)| *cause)
}
