//! One name: getaddrinfo decides, the name servers explain.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::classify::{self, ResolverFailure, ResolverRefusal, Settings};
use super::servers::{self, AnswerKind, Answers, ServerAnswer};
use super::slow::SLOW;
use super::system::{self, SystemAnswer};
use super::{cluster, compare, name};
use crate::cause;
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::report::ms;

/// The system resolver's head start over our own questions, so that a name
/// server that takes one question at a time is not made slower by them. Once it
/// is back there is nothing to wait for.
const HEAD_START: Duration = Duration::from_millis(20);

/// How much longer than its time the system resolver is waited for where a
/// name server has the answer: dead servers before it cost whole seconds.
const GRACE: Duration = Duration::from_millis(500);

/// How long the name servers are waited for after getaddrinfo failed.
const AFTER_FAILURE: Duration = Duration::from_millis(800);

/// How long the others are waited for once one of them has told why.
const ENOUGH: Duration = Duration::from_millis(250);

/// What became of one name.
pub struct Lookup {
    /// The name.
    pub name: String,
    /// Port 0; in getaddrinfo's order.
    pub addresses: Vec<SocketAddr>,
    /// The name that has them, as the system resolver knows it.
    pub canonical: Option<String>,
    /// Why there are none.
    pub failure: Option<Finding>,
    /// Whether the system resolver came back.
    pub back: bool,
    /// How long the system resolver took, or was waited for.
    pub took: Duration,
    /// Its error.
    pub error: Option<String>,
    /// The name servers' answers and the task that collects them; none for a
    /// name that they are not asked about.
    pub servers: Option<Asking>,
}

/// Name servers that are being asked.
pub struct Asking {
    /// What has come in.
    pub answers: Answers,
    head_start_over: Arc<Notify>,
    task: Option<JoinHandle<()>>,
}

impl Asking {
    /// Starts asking; the answers fill in as they come, until `limit`.
    pub fn begin(name: &str, settings: &Settings, head_start: Duration, limit: Instant) -> Self {
        let answers = Answers::default();
        let resolv = Arc::new(settings.resolv.clone());
        let (place, name) = (answers.clone(), name.to_owned());
        let head_start_over = Arc::new(Notify::new());
        let over = Arc::clone(&head_start_over);
        let task = tokio::spawn(async move {
            let _ = tokio::time::timeout(head_start, over.notified()).await;
            servers::ask_all(place, resolv, name, limit).await;
        });
        Self {
            answers,
            head_start_over,
            task: Some(task),
        }
    }

    /// Asks now, whatever is left of the head start.
    fn without_head_start(&self) {
        self.head_start_over.notify_one();
    }

    /// Whether a name server has not answered yet.
    fn is_waiting(&self) -> bool {
        self.task.as_ref().is_some_and(|task| !task.is_finished())
    }

    /// Waits until all have answered, at most until `limit`.
    pub async fn wait(&mut self, limit: Instant) {
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

impl Lookup {
    pub fn broken(name: String, error: &str) -> Self {
        let failure = Finding::new(&crate::cause::dns::UNCLASSIFIED)
            .with("name", name.clone())
            .with("error", error.to_owned());
        Self {
            name,
            addresses: Vec::new(),
            canonical: None,
            failure: Some(failure),
            back: true,
            took: Duration::ZERO,
            error: Some(error.to_owned()),
            servers: None,
        }
    }

    pub fn ips(&self) -> Vec<IpAddr> {
        self.addresses.iter().map(SocketAddr::ip).collect()
    }

    /// Whether it resolves, and takes its time.
    pub fn is_slow(&self) -> bool {
        !self.addresses.is_empty() && (!self.back || self.took > SLOW)
    }

    pub fn answers(&self) -> Vec<ServerAnswer> {
        self.servers
            .as_ref()
            .map(|asking| asking.answers.so_far())
            .unwrap_or_default()
    }

    /// The names that the addresses are known to belong to: the canonical one,
    /// and those that the name servers came by. These are waited for, a
    /// little, since getaddrinfo tells no alias in between.
    pub async fn names(&mut self, ctx: &Ctx) -> Vec<String> {
        if let Some(asking) = &mut self.servers {
            let (limit, now) = (ctx.limit(), Instant::now());
            asking.wait(limit.min(now + ENOUGH)).await;
            if !any_addresses(&asking.answers.so_far()) {
                asking.wait(limit.min(now + AFTER_FAILURE)).await;
            }
        }
        let answers = self.answers().into_iter();
        answers
            .filter(|answer| answer.outcome == AnswerKind::Addresses)
            .flat_map(|answer| std::iter::once(answer.asked).chain(answer.chain))
            .chain(self.canonical.clone())
            .collect()
    }

    /// The name in the stage's summary: `db.test → 10.0.4.7`. Where the answers
    /// have been compared and nothing is odd, what the name servers say goes
    /// with it.
    pub fn line(&self, compared: bool) -> String {
        const SHOWN: usize = 3;
        let shown: Vec<String> = self
            .addresses
            .iter()
            .take(SHOWN)
            .map(|address| address.ip().to_string())
            .collect();
        let line = match (shown.is_empty(), self.addresses.len().saturating_sub(SHOWN)) {
            (true, _) => return format!("{} does not resolve", self.name),
            (_, 0) => format!("{} → {}", self.name, shown.join(", ")),
            (_, more) => format!("{} → {} and {more} more", self.name, shown.join(", ")),
        };
        let answers = self.answers();
        let agreeing = answers
            .iter()
            .filter(|answer| answer.outcome == AnswerKind::Addresses)
            .count();
        match (compared, agreeing == answers.len(), agreeing) {
            (true, true, 1) => format!("{line}, the name server agrees"),
            (true, true, 2) => format!("{line}, both name servers agree"),
            (true, true, n) if n > 2 => format!("{line}, all {n} name servers agree"),
            (true, false, n) if n > 0 => {
                format!("{line}, {n} of {} name servers answer", answers.len())
            }
            _ => line,
        }
    }

    pub fn described(&self) -> Value {
        json!({
            "name": self.name,
            "addresses": self.ips().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "canonical_name": self.canonical,
            "ms": ms(self.took),
            "error": self.error,
            "name_servers": classify::described_by_kind(&self.answers()),
        })
    }
}

/// Looks one name up: getaddrinfo decides, the name servers explain.
pub async fn look_up(name: String, ctx: Ctx, settings: Arc<Settings>) -> Lookup {
    let started = Instant::now();
    let limit = ctx.limit();
    if let Some(address) = system::numeric(&name) {
        return Lookup {
            name,
            addresses: vec![address],
            canonical: None,
            failure: None,
            back: true,
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
    let (asked, no_source) = (name.clone(), settings.sources.is_empty());
    let mut resolving = Box::pin(async move {
        match no_source {
            true => SystemAnswer::no_sources(),
            false => system::resolve(asked).await,
        }
    });
    let mut answer = ctx.until(limit, &mut resolving).await.ok();
    if let (Some(_), Some(asking)) = (&answer, &servers) {
        asking.without_head_start();
    }
    if answer.is_none() && any_addresses(&known()) {
        let grace = (limit + GRACE).min(ctx.deadline);
        answer = ctx.until(grace, &mut resolving).await.ok();
    }
    let mut look = Lookup {
        name,
        addresses: Vec::new(),
        canonical: None,
        failure: None,
        back: answer.is_some(),
        took: answer
            .as_ref()
            .map_or_else(|| started.elapsed(), |a| a.took),
        error: None,
        servers,
    };
    match answer {
        Some(SystemAnswer {
            result: Ok(addresses),
            canonical,
            ..
        }) if !addresses.is_empty() => {
            look.addresses = addresses;
            look.canonical = canonical;
        }
        Some(SystemAnswer { result: Ok(_), .. }) => {
            look.failure =
                Some(Lookup::broken(look.name.clone(), "no address and no error").failure)
                    .flatten();
        }
        Some(SystemAnswer {
            result: Err(eai), ..
        }) => {
            look.error = Some(format!("{} ({})", eai.text, eai.name()));
            // The C library has asked about such a name all the same.
            look.servers.get_or_insert_with(|| {
                Asking::begin(&look.name, &settings, HEAD_START, ctx.deadline)
            });
            look.failure = Some(
                fail(
                    &mut look,
                    ResolverRefusal::Error(eai),
                    limit,
                    &ctx,
                    &settings,
                )
                .await,
            );
        }
        None => {
            let answers = look.answers();
            let settled = answers.iter().any(ServerAnswer::settles);
            if settled && compare::explains_delay(&answers) {
                // The system resolver will come to the server that has the
                // answer; the servers before it account for the wait.
                look.addresses = preferred(&answers).await;
                look.error = Some("not back yet".to_owned());
            } else {
                look.error = Some("no answer in time".to_owned());
                look.servers.get_or_insert_with(|| {
                    Asking::begin(&look.name, &settings, HEAD_START, ctx.deadline)
                });
                look.failure =
                    Some(fail(&mut look, ResolverRefusal::Late, limit, &ctx, &settings).await);
            }
        }
    }
    look
}

/// The finding for a name that the system resolver does not resolve: the name
/// servers' answers are awaited, for a while, to tell why.
async fn fail(
    look: &mut Lookup,
    refusal: ResolverRefusal,
    limit: Instant,
    ctx: &Ctx,
    settings: &Settings,
) -> Finding {
    let begun = Instant::now();
    let mut cut = false;
    // A name that cannot be says enough by itself.
    if let Some(asking) = &mut look.servers
        && name::flaw(&look.name).is_none()
    {
        let limit = limit.min(ctx.deadline);
        let now = begun;
        asking.wait(limit.min(now + ENOUGH)).await;
        let says =
            |a: &ServerAnswer| a.outcome.is_answer() || matches!(a.outcome, AnswerKind::Failed(_));
        if !asking.answers.so_far().iter().any(says) {
            asking.wait(limit.min(now + AFTER_FAILURE)).await;
        }
        // They have been asked for as long as the system resolver.
        let had = look.took + begun.elapsed();
        cut = asking.is_waiting() && had < AFTER_FAILURE && Instant::now() >= limit;
    }
    let servers = look.answers();
    let failed = |a: &ServerAnswer| matches!(a.outcome, AnswerKind::Failed(_));
    let no_service = match &settings.pod {
        Some(pod) if servers.iter().any(failed) => {
            cluster::has_no(pod, &look.name, ctx.deadline).await
        }
        _ => false,
    };
    let finding = ResolverFailure {
        name: &look.name,
        refusal: &refusal,
        waited: look.took,
        servers: &servers,
        settings,
        no_service,
        cut,
    }
    .finding();
    match &settings.pod {
        Some(pod) if finding.cause == &cause::dns::SERVICE_NAME => {
            cluster::explain(finding, pod, &look.name, ctx.deadline).await
        }
        _ => finding,
    }
}

fn any_addresses(answers: &[ServerAnswer]) -> bool {
    answers.iter().any(|a| a.outcome == AnswerKind::Addresses)
}

/// The addresses of the first server that settles it, in the order of getaddrinfo
/// as far as it matters: what this machine cannot reach comes last (RFC 6724,
/// rule 1), IPv6 before IPv4.
async fn preferred(answers: &[ServerAnswer]) -> Vec<SocketAddr> {
    let first = answers.iter().find(|a| a.settles());
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
