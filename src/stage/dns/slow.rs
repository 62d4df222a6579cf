//! A look-up that works, and takes its time: which question the system resolver
//! waited for, at which name server.

use std::time::Duration;

use serde_json::{Value, json};

use super::classify::{Settings, described, seconds};
use super::lookup::Lookup;
use super::servers::{AnswerKind, ServerAnswer};
use crate::cause;
use crate::finding::Finding;
use crate::report::ms;
use crate::stage::hop;

/// From when on a look-up is slow. Resolvers give a server seconds, and an
/// answer from the other side of the earth needs a third of one.
pub const SLOW: Duration = Duration::from_secs(1);

/// From when on a server's own time accounts for a slow look-up.
const LATE: Duration = Duration::from_millis(900);

/// How much shorter than their settings timeouts may be measured.
const TICK: Duration = Duration::from_millis(20);

/// What the system resolver waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A server that answers nothing, before one that does.
    Dead,
    /// The answer for IPv6 addresses; the one for IPv4 came.
    Aaaa,
    /// A name with a search domain, which is not the one that has the addresses.
    Search,
    /// Answers that came late, or that the resolver has and we have not.
    Late,
}

impl Kind {
    /// The wait as it stands in the summary.
    fn sentence(self, answer: &ServerAnswer) -> String {
        let server = answer.server.ip();
        match self {
            Kind::Dead => format!("{server} does not answer, but another name server does"),
            Kind::Aaaa => format!("{server} does not answer the query for IPv6 addresses (AAAA)"),
            Kind::Search => format!(
                "{server} does not answer the query for {}, which comes from a search domain",
                answer.asked
            ),
            Kind::Late if answer.outcome == AnswerKind::Silent => {
                format!("{server} is slow to answer")
            }
            Kind::Late => {
                let took = seconds(answer.took);
                match answer.tried.len() {
                    0 | 1 => format!("{server} took {took} to answer"),
                    n => {
                        format!("{server} took {took} to answer for {n} names, one after the other")
                    }
                }
            }
        }
    }

    fn described(self, answer: &ServerAnswer, took: Duration) -> Value {
        let query = match self {
            Kind::Aaaa => format!("{} AAAA", answer.asked),
            _ => answer.asked.clone(),
        };
        let answered = answer.outcome != AnswerKind::Silent && self != Kind::Aaaa;
        let waited = match answered {
            true => answer.took,
            false => took,
        };
        json!({
            "server": answer.server.ip().to_string(),
            "query": query,
            "answered": answered,
            "ms": ms(waited),
        })
    }
}

/// What the resolver waited for, in the order of the name servers: it comes to
/// none behind the first that has the addresses. `gave_up` is whether it can have
/// given up on a question.
fn waits<'a>(
    name: &str,
    servers: &'a [ServerAnswer],
    gave_up: bool,
) -> Vec<(Kind, &'a ServerAnswer)> {
    let mut waits = Vec::new();
    for answer in servers {
        let kind = match answer.outcome {
            AnswerKind::Silent if !gave_up => Some(Kind::Late),
            AnswerKind::Addresses if answer.half_silent && gave_up => Some(Kind::Aaaa),
            AnswerKind::Addresses if answer.took >= LATE => Some(Kind::Late),
            AnswerKind::Silent if answer.asked != name && !passed(servers, &answer.asked) => {
                Some(Kind::Search)
            }
            AnswerKind::Silent => Some(Kind::Dead),
            outcome if outcome.is_answer() && answer.took >= LATE => Some(Kind::Late),
            _ => None,
        };
        waits.extend(kind.map(|kind| (kind, answer)));
        if answer.settles() {
            break;
        }
    }
    waits
}

/// Whether a server has answered the question for this name.
fn passed(servers: &[ServerAnswer], asked: &str) -> bool {
    let passed = |answer: &ServerAnswer| {
        let tried = answer.tried.iter().any(|name| name == asked);
        let stuck = answer.outcome == AnswerKind::Silent && answer.asked == asked;
        tried && !stuck
    };
    servers.iter().any(passed)
}

/// The warning for a look-up that took too long. The time is a lower bound where
/// the system resolver is not back yet.
pub fn finding(look: &Lookup, settings: &Settings) -> Finding {
    let servers = look.answers();
    let name = look.name.trim_end_matches('.');
    // The first time that it gives up is after the first server's time.
    let gave_up = look.took + TICK >= settings.resolv.timeout;
    let waits = waits(name, &servers, gave_up);
    let of = |wanted: Kind| {
        let found = waits.iter().find(|(kind, _)| *kind == wanted);
        found.map(|(_, answer)| *answer)
    };
    let ip = |kind: Kind| of(kind).map(|answer| answer.server.ip().to_string());
    let silent: Vec<String> = waits
        .iter()
        .filter(|(kind, _)| *kind != Kind::Late)
        .map(|(_, answer)| answer.server.ip().to_string())
        .collect();
    let reason: Vec<String> = waits
        .iter()
        .map(|(kind, answer)| kind.sentence(answer))
        .collect();
    let first = waits
        .first()
        .map(|(_, answer)| answer.server.ip().to_string());
    let took = match look.back {
        true => seconds(look.took),
        false => format!("more than {}", seconds(look.took)),
    };
    let mut finding = Finding::new(&cause::dns::SLOW)
        .with("name", look.name.clone())
        .with("took", took)
        .with("ms", ms(look.took))
        .with("server", first)
        .with("silent", (!silent.is_empty()).then_some(silent))
        .with(
            "waits",
            waits
                .iter()
                .map(|(kind, answer)| kind.described(answer, look.took))
                .collect::<Vec<_>>(),
        )
        .with("name_servers", described(&servers))
        .word(
            "reason",
            (!reason.is_empty()).then(|| format!(": {}", reason.join("; "))),
        )
        .word("dead_server", ip(Kind::Dead))
        .word(
            "timeout",
            ip(Kind::Dead).map(|_| seconds(settings.resolv.timeout)),
        )
        .word("aaaa_server", ip(Kind::Aaaa))
        .word(
            "aaaa_name",
            of(Kind::Aaaa).map(|answer| answer.asked.clone()),
        )
        .word(
            "search_query",
            of(Kind::Search).map(|answer| answer.asked.clone()),
        )
        .word("late_server", ip(Kind::Late));
    let by_search = of(Kind::Search)
        .or_else(|| of(Kind::Late).filter(|answer| answer.tried.len() > 1))
        .is_some();
    if by_search && !look.name.ends_with('.') {
        let dots = name.matches('.').count();
        let dotted = (dots > 0).then(|| format!("{name}."));
        let too_many = dots > 0 && settings.resolv.ndots > dots;
        finding = finding.word("ndots", too_many.then_some(dots));
        finding = match settings.hop {
            Some(_) => finding.word("dotted_hop", dotted),
            None => finding.word("dotted", dotted),
        };
    }
    if waits.is_empty() {
        // No name server is to blame: it is another source, or over by now.
        let others = settings.sources.iter().filter(|source| *source != "files");
        let others: Vec<String> = others.cloned().collect();
        finding = finding
            .word("source", others.first().cloned())
            .with("sources", settings.sources.clone());
    }
    match &settings.hop {
        Some(hop) => hop::dialled(finding, hop),
        None => finding,
    }
}

#[cfg(test)]
mod tests {
    use super::super::compare::fixtures::server;
    use super::*;
    use AnswerKind::{Addresses, NxDomain, Silent};

    /// A server that is or was asked for these names, the last of which its
    /// outcome is about.
    fn asked(n: u8, outcome: AnswerKind, tried: &[&str]) -> ServerAnswer {
        let addresses: &[[u8; 4]] = match outcome {
            Addresses => &[[10, 9, 9, 9]],
            _ => &[],
        };
        ServerAnswer {
            asked: tried.last().map_or("", |name| name).to_owned(),
            tried: tried.iter().map(|name| (*name).to_owned()).collect(),
            ..server(n, outcome, addresses)
        }
    }

    fn kinds(name: &str, servers: &[ServerAnswer]) -> Vec<(Kind, u8)> {
        waits(name, servers, true)
            .into_iter()
            .map(|(kind, answer)| {
                let at = servers.iter().position(|s| s.server == answer.server);
                (kind, at.unwrap_or_default() as u8)
            })
            .collect()
    }

    #[test]
    fn a_dead_server_before_the_one_that_answers() {
        let name = "db.test";
        let (dead, good) = (asked(1, Silent, &[name]), asked(2, Addresses, &[name]));
        assert_eq!(
            kinds(name, &[dead.clone(), good.clone()]),
            [(Kind::Dead, 0)]
        );
        // Nobody comes to what is behind it.
        assert_eq!(kinds(name, &[good, dead]), []);
    }

    #[test]
    fn a_dead_server_is_none_for_a_search_domain() {
        let (short, full) = ("db", "db.corp.test");
        let dead = asked(1, Silent, &[full]);
        let good = asked(2, Addresses, &[full]);
        assert_eq!(kinds(short, &[dead.clone(), good]), [(Kind::Dead, 0)]);
        // The other one got past it, too.
        let good = asked(2, Addresses, &[full, "db.other.test"]);
        assert_eq!(kinds(short, &[dead, good]), [(Kind::Dead, 0)]);
    }

    #[test]
    fn a_search_domain_that_does_not_answer() {
        let stuck = |n| asked(n, Silent, &["db.test.slow.test"]);
        assert_eq!(kinds("db.test", &[stuck(1)]), [(Kind::Search, 0)]);
        let both = [(Kind::Search, 0), (Kind::Search, 1)];
        assert_eq!(kinds("db.test", &[stuck(1), stuck(2)]), both);
    }

    #[test]
    fn half_an_answer_and_a_late_one() {
        let mut half = asked(1, Addresses, &["db.test"]);
        half.half_silent = true;
        assert_eq!(kinds("db.test", &[half]), [(Kind::Aaaa, 0)]);
        let mut late = asked(1, Addresses, &["db.test"]);
        late.took = Duration::from_millis(1_200);
        assert_eq!(kinds("db.test", &[late]), [(Kind::Late, 0)]);
        let mut late = asked(1, NxDomain, &["db.test"]);
        late.took = Duration::from_millis(1_200);
        let good = asked(2, Addresses, &["db.test"]);
        assert_eq!(kinds("db.test", &[late, good]), [(Kind::Late, 0)]);
        assert_eq!(kinds("db.test", &[asked(1, Addresses, &["db.test"])]), []);
        // The resolver has an answer that we do not have yet.
        let behind = [asked(1, Silent, &["db.test"])];
        assert_eq!(waits("db.test", &behind, false)[0].0, Kind::Late);
    }
}
