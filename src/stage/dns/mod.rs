//! `dns`: names to addresses, as applications get them, beside what each name
//! server says for itself.
//!
//! The connection waits for getaddrinfo alone. The name servers are asked at
//! the same time; their answers are compared to the side where the name
//! resolves, and tell why where it does not.

mod classify;
mod compose;
pub mod name;
mod resolv;
mod servers;
mod system;

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::report::{Stage, StageRecord, ms};
use crate::stage::{Aside, Note, Verdict};
use crate::target::{Destination, Place};
use crate::wire::Address;

use classify::{Failure, Oddity, Refusal, Settings};
use resolv::Resolv;
use servers::{Answers, Outcome, ServerAnswer};
use system::SystemAnswer;

/// The system resolver's head start over our own questions, so that a name
/// server that takes one question at a time is not made slower by them.
const HEAD_START: Duration = Duration::from_millis(20);

/// How much longer than its time the system resolver is waited for where a
/// name server has the answer: dead servers before it cost whole seconds.
const GRACE: Duration = Duration::from_millis(500);

/// How long the name servers are waited for after getaddrinfo failed.
const AFTER_FAILURE: Duration = Duration::from_millis(800);

/// How long the others are waited for once one of them has told why.
const ENOUGH: Duration = Duration::from_millis(250);

/// How long the name servers are waited for, to the side, after getaddrinfo
/// succeeded: at least and at most.
const AFTER_SUCCESS: (Duration, Duration) = (Duration::from_millis(400), SLOW);

/// The pause before the second look at answers that differ.
const SECOND_LOOK: Duration = Duration::from_millis(300);

/// From when on a look-up is slow.
const SLOW: Duration = Duration::from_secs(1);

/// How many names are looked up at once; each takes a thread.
const AT_ONCE: usize = 32;

/// The largest settings file that is read.
const LARGEST_FILE: u64 = 1 << 20;

/// What became of one destination: its addresses in getaddrinfo's order;
/// empty where it could not be resolved (a provisional finding says why).
pub type Resolved = Vec<Address>;

/// Resolves all destinations at once. Fails where none has an address; the
/// comparison with the name servers is an [`Aside`].
pub async fn probe(
    destinations: &[Destination],
    ctx: &Ctx,
    record: &mut StageRecord,
    asides: &mut Vec<Aside>,
) -> Verdict<Vec<Resolved>> {
    let mut names: Vec<String> = Vec::new();
    for destination in destinations {
        if let Place::Name(name) = &destination.place
            && !names.contains(name)
        {
            names.push(name.clone());
        }
    }
    if names.is_empty() {
        record.summary = "an address is given, no name to look up".to_owned();
        return Ok(destinations
            .iter()
            .map(|destination| literal(destination).into_iter().collect())
            .collect());
    }

    let settings = Arc::new(read_settings(ctx));
    record.fact("resolver", described_settings(&settings));
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let looks: Vec<JoinHandle<Look>> = names
        .iter()
        .map(|name| {
            let (name, ctx) = (name.clone(), ctx.clone());
            let (settings, turns) = (Arc::clone(&settings), Arc::clone(&turns));
            tokio::spawn(async move {
                let _turn = turns.acquire().await;
                look_up(name, ctx, settings).await
            })
        })
        .collect();
    let mut found = Vec::new();
    for (look, name) in looks.into_iter().zip(names) {
        found.push(match look.await {
            Ok(look) => look,
            Err(error) => Look::broken(name, &error.to_string()),
        });
    }
    let verdict = conclude(destinations, &found, record);
    record.fact(
        "lookups",
        found.iter().map(Look::described).collect::<Vec<_>>(),
    );
    asides.push(compare_aside(found, settings, ctx));
    verdict
}

/// One destination without a name: nothing to resolve.
fn literal(destination: &Destination) -> Option<Address> {
    let port = destination.port;
    match &destination.place {
        Place::Unix(path) => Some(Address::Unix(path.clone())),
        Place::Ip(IpAddr::V6(ip), scope) => {
            Some(Address::Tcp(SocketAddrV6::new(*ip, port, 0, *scope).into()))
        }
        Place::Ip(ip, _) => Some(Address::Tcp(SocketAddr::new(*ip, port))),
        Place::Name(_) => None,
    }
}

/// The addresses of every destination, its failures, and the summary line.
fn conclude(
    destinations: &[Destination],
    looks: &[Look],
    record: &mut StageRecord,
) -> Verdict<Vec<Resolved>> {
    let resolved: Vec<Resolved> = destinations
        .iter()
        .map(|destination| match &destination.place {
            Place::Name(name) => looks
                .iter()
                .filter(|look| look.name == *name)
                .flat_map(|look| &look.addresses)
                .map(|address| {
                    let mut address = *address;
                    address.set_port(destination.port);
                    Address::Tcp(address)
                })
                .collect(),
            _ => literal(destination).into_iter().collect(),
        })
        .collect();

    for warning in looks.iter().filter_map(|look| look.warning.clone()) {
        record.warn(warning);
    }
    let first_good = resolved.iter().position(|addresses| !addresses.is_empty());
    let mut verdict = None;
    let mut told: Vec<&str> = Vec::new();
    for (at, destination) in destinations.iter().enumerate() {
        let Place::Name(name) = &destination.place else {
            continue;
        };
        let failure = looks
            .iter()
            .find(|look| look.name == *name)
            .and_then(|look| look.failure.clone());
        let Some(failure) = failure.filter(|_| !told.contains(&name.as_str())) else {
            continue;
        };
        told.push(name);
        match first_good {
            None if verdict.is_none() => verdict = Some(failure),
            // libpq would come to this host only after one that it tries first.
            Some(good) if good < at => record.warn(failure),
            _ => record.provisional(failure),
        }
    }
    record.summary = summary(looks);
    match verdict {
        Some(failure) => Err(failure),
        None => Ok(resolved),
    }
}

/// `db.test → 10.0.4.7, 10.0.4.8`.
fn summary(looks: &[Look]) -> String {
    const SHOWN: usize = 3;
    let one = |look: &Look| {
        let shown: Vec<String> = look
            .addresses
            .iter()
            .take(SHOWN)
            .map(|address| address.ip().to_string())
            .collect();
        let more = look.addresses.len().saturating_sub(SHOWN);
        match (shown.is_empty(), more) {
            (true, _) => format!("{} does not resolve", look.name),
            (_, 0) => format!("{} → {}", look.name, shown.join(", ")),
            (_, more) => format!("{} → {} and {more} more", look.name, shown.join(", ")),
        }
    };
    looks.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// What became of one name.
struct Look {
    name: String,
    /// Port 0; in getaddrinfo's order.
    addresses: Vec<SocketAddr>,
    /// Why there are none.
    failure: Option<Finding>,
    /// What is wrong although there are some.
    warning: Option<Finding>,
    /// How long the system resolver took, or was waited for.
    took: Duration,
    /// Its error.
    error: Option<String>,
    /// The name servers' answers and the task that collects them; none for a
    /// name that they are not asked about.
    servers: Option<Asking>,
}

/// Name servers that are being asked.
struct Asking {
    answers: Answers,
    task: Option<JoinHandle<()>>,
}

impl Asking {
    /// Starts asking; the answers fill in as they come, until `limit`.
    fn begin(name: &str, settings: &Settings, head_start: Duration, limit: Instant) -> Self {
        let answers = Answers::default();
        let resolv = Arc::new(settings.resolv.clone());
        let (place, name) = (answers.clone(), name.to_owned());
        let task = tokio::spawn(async move {
            tokio::time::sleep(head_start).await;
            servers::ask_all(place, resolv, name, limit).await;
        });
        Self {
            answers,
            task: Some(task),
        }
    }

    /// Waits until all have answered, at most until `limit`.
    async fn wait(&mut self, limit: Instant) {
        if let Some(task) = &mut self.task
            && tokio::time::timeout_at(limit.into(), task).await.is_ok()
        {
            self.task = None;
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Look {
    fn broken(name: String, error: &str) -> Self {
        let failure = Finding::new(&crate::cause::dns::UNCLASSIFIED)
            .with("name", name.as_str())
            .with("error", error);
        Self {
            name,
            addresses: Vec::new(),
            failure: Some(failure),
            warning: None,
            took: Duration::ZERO,
            error: Some(error.to_owned()),
            servers: None,
        }
    }

    fn ips(&self) -> Vec<IpAddr> {
        self.addresses.iter().map(SocketAddr::ip).collect()
    }

    fn answers(&self) -> Vec<ServerAnswer> {
        self.servers
            .as_ref()
            .map(|asking| asking.answers.so_far())
            .unwrap_or_default()
    }

    fn described(&self) -> Value {
        json!({
            "name": self.name,
            "addresses": self.ips().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "ms": ms(self.took),
            "error": self.error,
            "name_servers": classify::described(&self.answers()),
        })
    }
}

/// Looks one name up: getaddrinfo decides, the name servers explain.
async fn look_up(name: String, ctx: Ctx, settings: Arc<Settings>) -> Look {
    let started = Instant::now();
    let limit = ctx.limit();
    if let Some(address) = system::numeric(&name) {
        return Look {
            name,
            addresses: vec![address],
            failure: None,
            warning: None,
            took: started.elapsed(),
            error: None,
            servers: None,
        };
    }
    // What means this machine is nothing to ask others about (RFC 6761, 6.3).
    let servers = (!name::is_localhost(&name))
        .then(|| Asking::begin(&name, &settings, HEAD_START, ctx.deadline));
    let known = || {
        servers
            .as_ref()
            .map(|asking| asking.answers.so_far())
            .unwrap_or_default()
    };
    let mut resolving = Box::pin(system::resolve(name.clone()));
    let mut answer = ctx.until(limit, &mut resolving).await.ok();
    if answer.is_none() && any_addresses(&known()) {
        let grace = (limit + GRACE).min(ctx.deadline);
        answer = ctx.until(grace, &mut resolving).await.ok();
    }
    let mut look = Look {
        name,
        addresses: Vec::new(),
        failure: None,
        warning: None,
        took: answer
            .as_ref()
            .map_or_else(|| started.elapsed(), |a| a.took),
        error: None,
        servers,
    };
    match answer {
        Some(SystemAnswer {
            result: Ok(addresses),
            took,
        }) if !addresses.is_empty() => {
            look.addresses = addresses;
            if took > SLOW {
                look.warning = Some(classify::slow(&look.name, took, true, &look.answers()));
            }
        }
        Some(SystemAnswer { result: Ok(_), .. }) => {
            look.failure =
                Some(Look::broken(look.name.clone(), "no address, and no error").failure).flatten();
        }
        Some(SystemAnswer {
            result: Err(eai), ..
        }) => {
            look.error = Some(format!("{} ({})", eai.text, eai.name()));
            look.failure = Some(fail(&mut look, Refusal::Error(eai), limit, &ctx, &settings).await);
        }
        None => {
            let answers = look.answers();
            if any_addresses(&answers) && classify::explains_delay(&answers) {
                // The system resolver will come to the server that has the
                // answer; the servers before it account for the wait.
                look.addresses = preferred(&answers).await;
                look.warning = Some(classify::slow(&look.name, look.took, false, &answers));
                look.error = Some("not back yet".to_owned());
            } else {
                look.error = Some("no answer in time".to_owned());
                look.failure = Some(fail(&mut look, Refusal::Late, limit, &ctx, &settings).await);
            }
        }
    }
    look
}

/// The finding for a name that the system resolver does not resolve: the name
/// servers' answers are awaited, for a while, to tell why.
async fn fail(
    look: &mut Look,
    refusal: Refusal,
    limit: Instant,
    ctx: &Ctx,
    settings: &Settings,
) -> Finding {
    // A name that cannot be says enough by itself.
    if let Some(asking) = &mut look.servers
        && name::flaw(&look.name).is_none()
    {
        let limit = limit.min(ctx.deadline);
        let now = Instant::now();
        asking.wait(limit.min(now + ENOUGH)).await;
        let says =
            |a: &ServerAnswer| a.outcome.is_answer() || matches!(a.outcome, Outcome::Failed(_));
        if !asking.answers.so_far().iter().any(says) {
            asking.wait(limit.min(now + AFTER_FAILURE)).await;
        }
    }
    let servers = look.answers();
    Failure {
        name: &look.name,
        refusal: &refusal,
        waited: look.took,
        servers: &servers,
        settings,
    }
    .finding()
}

fn any_addresses(answers: &[ServerAnswer]) -> bool {
    answers.iter().any(|a| a.outcome == Outcome::Addresses)
}

/// The addresses of the first server that has some, in the order of getaddrinfo
/// as far as it matters: what this machine cannot reach comes last (RFC 6724,
/// rule 1), IPv6 before IPv4.
async fn preferred(answers: &[ServerAnswer]) -> Vec<SocketAddr> {
    let first = answers.iter().find(|a| a.outcome == Outcome::Addresses);
    let ips = first.map(|a| a.addresses.clone()).unwrap_or_default();
    let mut ranked: Vec<(u8, SocketAddr)> = ips
        .into_iter()
        .map(|ip| {
            let address = SocketAddr::new(ip, 0);
            let rank = match (has_route(address), ip.is_ipv6()) {
                (true, true) => 0,
                (true, false) => 1,
                (false, _) => 2,
            };
            (rank, address)
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, address)| address).collect()
}

/// Whether this machine has a route to an address; nothing is sent.
fn has_route(mut address: SocketAddr) -> bool {
    address.set_port(53);
    let wildcard: SocketAddr = match address {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    std::net::UdpSocket::bind(wildcard).is_ok_and(|socket| socket.connect(address).is_ok())
}

/// The comparison of what the name servers say, when they have said it.
fn compare_aside(looks: Vec<Look>, settings: Arc<Settings>, ctx: &Ctx) -> Aside {
    let deadline = ctx.deadline;
    let tasks: Vec<JoinHandle<(Value, Vec<Note>)>> = looks
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
                (look.described(), notes)
            })
        })
        .collect();
    Aside {
        stage: Stage::Dns,
        task: tokio::spawn(async move {
            let mut notes = Vec::new();
            let mut lookups = Vec::new();
            for task in tasks {
                if let Ok((described, more)) = task.await {
                    lookups.push(described);
                    notes.extend(more);
                }
            }
            notes.insert(0, Note::Fact("lookups", lookups.into()));
            notes
        }),
    }
}

/// What is odd about a name's answers, and still so on a second look.
async fn oddities(look: &Look, settings: &Settings) -> Vec<Note> {
    if look.servers.is_none() {
        return Vec::new();
    }
    let (mut system, first) = (look.ips(), look.answers());
    let odd = classify::compare(&look.name, &system, &first, settings);
    if odd.is_empty() {
        return Vec::new();
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
    let again = classify::compare(&look.name, &system, &both, settings);
    odd.into_iter()
        .filter(|oddity| again.contains(oddity))
        .map(|oddity| {
            Note::Warn(classify::odd_finding(
                oddity, &look.name, &system, &both, settings,
            ))
        })
        .collect()
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
            if two.outcome == Outcome::Addresses {
                one.outcome = Outcome::Addresses;
            }
            one
        })
        .collect()
}

/// Reads the system's settings for names.
fn read_settings(ctx: &Ctx) -> Settings {
    let host = nix::unistd::gethostname().unwrap_or_default();
    let surroundings = &ctx.surroundings;
    Settings {
        resolv: Resolv::parse(
            &read("/etc/resolv.conf"),
            &host.to_string_lossy(),
            surroundings.var("LOCALDOMAIN").as_deref(),
            surroundings.var("RES_OPTIONS").as_deref(),
        ),
        hosts: read("/etc/hosts"),
        sources: resolv::host_sources(&read("/etc/nsswitch.conf")),
        services: compose::services(&surroundings.cwd),
        environment: (*ctx.environment).clone(),
    }
}

/// A settings file, bounded; nothing where it cannot be read.
fn read(path: &str) -> String {
    use std::io::Read;
    let mut bytes = Vec::new();
    let read = std::fs::File::open(Path::new(path))
        .and_then(|file| file.take(LARGEST_FILE).read_to_end(&mut bytes));
    match read {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    }
}

fn described_settings(settings: &Settings) -> Value {
    let resolv = &settings.resolv;
    json!({
        "name_servers": resolv.servers.iter().map(|s| s.ip().to_string()).collect::<Vec<_>>(),
        "search": resolv.search,
        "ndots": resolv.ndots,
        "sources": settings.sources,
    })
}
