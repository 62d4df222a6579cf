//! The comparison of what the system resolver and the name servers say: a look
//! to the side, which delays nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::classify::Settings;
use super::compare::{self, Oddity};
use super::lookup::{Asking, Lookup};
use super::search;
use super::servers::{AnswerKind, ServerAnswer};
use super::slow::{self, SLOW};
use super::system::{self, SystemAnswer};
use crate::ctx::Ctx;
use crate::report::Stage;
use crate::stage::{BackgroundCheck, Observation};

/// How long the name servers are waited for, to the side, after getaddrinfo
/// succeeded: at least and at most.
const AFTER_SUCCESS: (Duration, Duration) = (Duration::from_millis(400), SLOW);

/// The pause before the second look at answers that differ.
const SECOND_LOOK: Duration = Duration::from_millis(300);

/// The comparison of what the name servers say, when they have said it.
pub fn compare_aside(looks: Vec<Lookup>, settings: Arc<Settings>, ctx: &Ctx) -> BackgroundCheck {
    let deadline = ctx.deadline;
    let tasks: Vec<JoinHandle<(Lookup, Vec<Observation>)>> = looks
        .into_iter()
        .map(|mut look| {
            let settings = Arc::clone(&settings);
            tokio::spawn(async move {
                // A failure, and a slow look-up, have had their time.
                if let Some(asking) = &mut look.servers
                    && look.failure.is_none()
                    && look.took < SLOW
                {
                    let (least, most) = AFTER_SUCCESS;
                    let until = Instant::now() + (look.took * 4).clamp(least, most);
                    asking.wait(until.min(deadline)).await;
                }
                let notes = oddities(&look, &settings).await;
                (look, notes)
            })
        })
        .collect();
    BackgroundCheck {
        stage: Stage::Dns,
        task: tokio::spawn(async move {
            let mut notes = Vec::new();
            let mut lookups = Vec::new();
            let mut lines = Vec::new();
            let mut late = Vec::new();
            for task in tasks {
                if let Ok((look, more)) = task.await {
                    lookups.push(look.described());
                    if look.is_slow() {
                        late.push(Observation::Warn(slow::finding(&look, &settings)));
                    }
                    let odd = more.iter().any(|note| matches!(note, Observation::Warn(_)));
                    lines.push(look.line(!odd));
                    notes.extend(more);
                }
            }
            // A name that is slow still works: what is wrong with one comes first.
            notes.extend(late);
            notes.push(Observation::Fact("lookups", lookups.into()));
            notes.push(Observation::Summary(lines.join("; ")));
            notes
        }),
    }
}

/// What is odd about a name's answers, and still so on a second look.
async fn oddities(look: &Lookup, settings: &Settings) -> Vec<Observation> {
    if look.servers.is_none() {
        return Vec::new();
    }
    let (mut system, first) = (look.ips(), look.answers());
    let mut odd = compare::compare(&look.name, &system, &first, settings);
    let mut notes = Vec::new();
    if let Some(searched) = search::searched(look, settings, AFTER_SUCCESS.0).await {
        // Of another name than is meant; and after NXDOMAIN musl tries the next one.
        let other_name = searched.warning.is_some();
        odd.retain(|oddity| match oddity {
            Oddity::HalfError => !other_name && !compare::is_half_missing(&first),
            Oddity::Ipv6Only => !other_name,
            _ => true,
        });
        notes.extend(searched.warning.map(Observation::Warn));
    }
    let warn = |oddity, servers: &[ServerAnswer]| {
        Observation::Warn(compare::odd_finding(
            oddity,
            &look.name,
            &look.ips(),
            servers,
            settings,
        ))
    };
    // A name's kinds of addresses do not change from one look to the next.
    if odd.iter().all(|oddity| *oddity == Oddity::Ipv6Only) {
        notes.extend(odd.into_iter().map(|oddity| warn(oddity, &first)));
        return notes;
    }
    tokio::time::sleep(SECOND_LOOK).await;
    let until = Instant::now() + AFTER_SUCCESS.0;
    let mut asking = Asking::begin(&look.name, settings, Duration::ZERO, until);
    if odd.contains(&Oddity::Override)
        && let Ok(SystemAnswer {
            result: Ok(again), ..
        }) = tokio::time::timeout_at(until.into(), system::resolve(look.name.clone())).await
    {
        system.extend(
            again
                .iter()
                .map(SocketAddr::ip)
                .filter(|ip| !look.ips().contains(ip)),
        );
    }
    asking.wait(until).await;
    let both = united(first, asking.answers.so_far());
    let again = compare::compare(&look.name, &system, &both, settings);
    let still_odd = odd.into_iter().filter(|oddity| again.contains(oddity));
    notes.extend(still_odd.map(|oddity| {
        Observation::Warn(compare::odd_finding(
            oddity, &look.name, &system, &both, settings,
        ))
    }));
    notes
}

/// Two looks at the same servers as one: a server that has had an address once
/// has it, and its addresses are those of both looks.
fn united(first: Vec<ServerAnswer>, second: Vec<ServerAnswer>) -> Vec<ServerAnswer> {
    first
        .into_iter()
        .map(|mut one| {
            let Some(two) = second.iter().find(|two| two.server == one.server) else {
                return one;
            };
            // A look without an answer tells nothing; the other one counts.
            if !one.outcome.is_answer() {
                return two.clone();
            }
            if !two.outcome.is_answer() {
                return one;
            }
            for ip in &two.addresses {
                if !one.addresses.contains(ip) {
                    one.addresses.push(*ip);
                }
            }
            if two.outcome == AnswerKind::Addresses {
                one.outcome = AnswerKind::Addresses;
            }
            if two.half_error().is_none() {
                (one.ipv4, one.ipv6) = (two.ipv4, two.ipv6);
            }
            one
        })
        .collect()
}
