//! The one order of stages: straight-line, typed, the same for `check` and
//! for every stage command, which only ends earlier.
//!
//! [`settings`] reads what was asked for, [`connect`] goes from there up to one
//! stage, and [`Connected::again`] opens one more session the
//! same way. What several hosts and `sslmode`'s second attempts do to the
//! report is in `session`.

mod outcome;
mod session;

pub use session::{Another, joined};

use std::sync::Arc;
use std::time::Duration;

use crate::cause::{self, Cause, family};
use crate::client::profile::Addresses;
use crate::config::request::{Request, TimeLimits};
use crate::config::{Destination, Endpoint, Family, Hop, Place, SshPlan, SslMode, Target};
use crate::ctx::{Ctx, Detail};
use crate::finding::{Finding, Status, shown};
use crate::place;
use crate::progress::Progress;
use crate::provider;
use crate::report::{Report, Stage};
use crate::secret;
use crate::stage::dns::Resolved;
use crate::stage::key::Keyring;
use crate::stage::ssh::Bastion;
use crate::stage::tcp::Reached;
use crate::stage::{BackgroundCheck, Observation, Verdict, config, dns, key, ssh, tcp, tls};
use crate::system::System;
use crate::token;
use crate::wire::session::Session;
use crate::wire::{Address, Stream};

/// The time of a stage where nothing sets one.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// A stage command whose stage does not apply to the target: wrong usage.
#[derive(Debug, PartialEq, Eq)]
pub struct NotApplicable(pub &'static str);

/// What a run that passed leaves behind for those who go on with it.
pub struct Connected {
    /// The resolved target.
    pub target: Target,
    /// The limits the run had.
    pub ctx: Ctx,
    /// The host that answered, where the run went that far.
    pub endpoint: Endpoint,
    /// The address that was dialled: the database's, or the first hop's.
    pub address: Option<Address>,
    /// What every host that this machine dials itself was found to stand for,
    /// so that nobody has to look it up again.
    pub addresses: Vec<(Destination, Resolved)>,
    /// The keys for the hops.
    pub keys: Keyring,
    /// The last hop's session, where there is a tunnel.
    pub bastion: Option<Bastion>,
    /// The database session, where the run went as far as logging in.
    pub session: Option<Session>,
    /// All that failed, in order, also what a later host made good for.
    pub failures: Vec<Failure>,
}

/// A failure on the way, for those who go on from there.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The stage that met it.
    pub stage: Stage,
    /// The host of the list that was tried ([`Endpoint::label`]), where it was one.
    pub endpoint: Option<String>,
    /// Why.
    pub cause: &'static Cause,
}

/// Whether a run up to `until` makes sense for the target.
///
/// # Errors
/// Where the last stage does not apply to it.
pub fn applicable(target: &Target, until: Stage) -> Result<(), NotApplicable> {
    if until == Stage::Tls && target.endpoints.iter().all(|e| never_tls(target, e)) {
        return Err(NotApplicable(
            "TLS is not used: sslmode is disable, or the target is a unix socket",
        ));
    }
    if matches!(until, Stage::Dns | Stage::Tcp)
        && target.ssh.as_ref().and_then(by_command).is_some()
    {
        return Err(NotApplicable(
            "nothing is looked up or connected to here: the SSH configuration's ProxyCommand is",
        ));
    }
    if until == Stage::Tunnel && target.ssh.is_none() {
        return Err(NotApplicable("no tunnel to check without --ssh"));
    }
    Ok(())
}

/// The `config` stage alone: the target, and the limits of a run that begins now.
pub async fn settings(
    report: &mut Report,
    args: &Request,
    time: &TimeLimits,
    surroundings: Arc<System>,
    progress: &mut dyn Progress,
) -> Option<(Target, Ctx)> {
    let ctx = Ctx {
        started: report.started,
        timeout: time.timeout.unwrap_or(DEFAULT_TIMEOUT),
        patient: false,
        detail: Detail::Failure,
        deadline: report.started + time.deadline,
        surroundings,
        environment: Arc::new(report.environment.clone()),
    };
    let mut run = Run {
        ctx,
        report,
        progress,
        until: Stage::Config,
        only: None,
        background: Vec::new(),
        failures: Vec::new(),
    };
    let target = run.config(args).await.ok()?;
    run.ctx.timeout = time
        .timeout
        .or(target.connect_timeout)
        .unwrap_or(DEFAULT_TIMEOUT);
    run.ctx.patient = time.timeout.or(target.connect_timeout).is_none();
    Some((target, run.ctx))
}

/// All stages after `config`, up to and including `until`. Whatever happens is
/// in the report, also when the future is dropped half-way; `None` means that
/// a stage failed. With `only`, one address of each name is used:
/// the one of that number, counted round; the facts `picked` and `picked_of` say
/// which, and of how many.
pub async fn connect(
    report: &mut Report,
    target: Target,
    ctx: Ctx,
    until: Stage,
    only: Option<usize>,
    progress: &mut dyn Progress,
) -> Option<Connected> {
    match connect_as_far(report, target, ctx, until, only, progress).await {
        Ended::Passed(connected) => Some(connected),
        Ended::Failed(_) => None,
    }
}

/// How a run ended, with what it left behind.
pub enum Ended {
    /// Every stage passed.
    Passed(Connected),
    /// A stage failed; what came before it stands.
    Failed(Connected),
}

/// The same as [`connect`], keeping what a run that failed had reached.
pub async fn connect_as_far(
    report: &mut Report,
    target: Target,
    ctx: Ctx,
    until: Stage,
    only: Option<usize>,
    progress: &mut dyn Progress,
) -> Ended {
    let run = Run {
        ctx,
        report,
        progress,
        until,
        only,
        background: Vec::new(),
        failures: Vec::new(),
    };
    run.connect(target).await
}

/// A stage failed and its record says why.
struct Failed;

struct Run<'a> {
    report: &'a mut Report,
    progress: &'a mut dyn Progress,
    ctx: Ctx,
    until: Stage,
    only: Option<usize>,
    background: Vec<BackgroundCheck>,
    failures: Vec<Failure>,
}

/// How the database is reached: the addresses that accepted, or the bastion.
enum Ways {
    Direct(Vec<Reached>),
    Tunnel(Bastion),
}

impl Run<'_> {
    async fn config(&mut self, args: &Request) -> Result<Target, Failed> {
        let mut record = self.begin(Stage::Config);
        let mut described = Default::default();
        let mut view = None;
        let verdict = config::probe(
            args,
            &self.ctx.surroundings,
            self.ctx.deadline,
            &mut described,
            &mut record,
            &mut view,
        )
        .await;
        if let Ok(target) = &verdict {
            guard_secrets(target);
        }
        self.report.target = described;
        if let Some(view) = view {
            let client = self.report.stage(Stage::Client);
            client.begin();
            client.summary = view.driver.to_string();
            for (name, value) in view.facts() {
                client.fact(name, value);
            }
            client.end(None);
        }
        if let Ok(Target {
            ssh: Some(plan), ..
        }) = &verdict
        {
            self.report.target.ssh = plan.hops.iter().map(|hop| hop.label()).collect();
        }
        self.end(record, verdict)
    }

    async fn connect(mut self, target: Target) -> Ended {
        let mut connected = Connected {
            endpoint: target.endpoints[0].clone(),
            ctx: self.ctx.clone(),
            address: None,
            addresses: Vec::new(),
            keys: Keyring::default(),
            bastion: None,
            session: None,
            failures: Vec::new(),
            target,
        };
        let outcome = self.stages(&mut connected).await;
        connected.failures = std::mem::take(&mut self.failures);
        self.recheck_tcp(&connected);
        if outcome.is_err() {
            let check = dns::check_pinned(&connected.target, &self.ctx);
            self.background.extend(check);
        }
        let wanted = match outcome {
            Ok(()) => Detail::All,
            Err(_) => Detail::Failure,
        };
        if self.ctx.detail >= wanted {
            let address = connected.address.as_ref();
            self.background.extend(address.and_then(tcp::find_listener));
        }
        self.collect_background().await;
        self.advise(&connected.target);
        self.lead(&connected.target);
        match outcome {
            Ok(()) => Ended::Passed(connected),
            Err(Failed) => Ended::Failed(connected),
        }
    }

    /// The order of the stages, from the keys to the database.
    async fn stages(&mut self, connected: &mut Connected) -> Result<(), Failed> {
        let ctx = self.ctx.clone();
        let target = &connected.target;
        if self.until == Stage::Config {
            // What goes on to connect learns more: whether anyone asks for it.
            let now = time::OffsetDateTime::now_utc();
            let mut passwords = target.endpoints.iter().filter_map(|e| e.password.as_ref());
            if let Some(finding) = passwords.find_map(|password| token::doubt(password, now)) {
                self.report.stage(Stage::Config).warn(finding);
            }
            // Of the files that `tls` will want, nothing later will tell.
            if target.uses_tls() {
                let record = self.report.stage(Stage::Config);
                for warning in tls::foresee(target, &ctx).await {
                    record.warn(warning);
                }
            }
            return Ok(());
        }

        if let Some(plan) = &target.ssh {
            let mut record = self.begin(Stage::Key);
            let keys = key::probe(plan, &ctx, &mut record).await;
            connected.keys = self.end(record, Ok(keys))?;
        } else {
            for stage in [Stage::Key, Stage::Ssh, Stage::Tunnel] {
                self.skip(stage, "no SSH tunnel configured");
            }
        }

        if let Some((plan, hop)) = target.ssh.as_ref().and_then(by_command) {
            for stage in [Stage::Dns, Stage::Tcp] {
                self.skip(stage, &format!("ProxyCommand connects to {}", hop.host));
            }
            let verdict = ssh::by_command(hop, &ctx);
            let bastion = self.ssh(plan, verdict, &connected.keys).await?;
            return self.arrive(connected, Ways::Tunnel(bastion)).await;
        }

        let destinations = destinations(target);
        let mut record = self.begin(Stage::Dns);
        let verdict = dns::probe(
            &destinations,
            &target.guards.not_host,
            &ctx,
            &mut record,
            &mut self.background,
        )
        .await;
        let mut resolved = self.end(record, verdict)?;
        if target.client.addresses == Addresses::FirstIpv4 && target.ssh.is_none() {
            for addresses in resolved.iter_mut().filter(|all| all.len() > 1) {
                let first = addresses.iter().position(is_ipv4).unwrap_or(0);
                *addresses = vec![addresses.swap_remove(first)];
            }
        }
        let looked_up = destinations.iter().cloned();
        connected.addresses = looked_up.zip(resolved.iter().cloned()).collect();
        if let Some(number) = self.only {
            for addresses in resolved.iter_mut().filter(|a| a.len() > 1) {
                let of = addresses.len();
                let picked = addresses.swap_remove(number % of);
                let record = self.report.stage(Stage::Dns);
                record.fact("picked", picked.to_string());
                record.fact("picked_of", of);
                *addresses = vec![picked];
            }
        }
        if self.until == Stage::Dns {
            return Ok(());
        }

        let mut record = self.begin(Stage::Tcp);
        let verdict = tcp::probe(
            &destinations,
            &resolved,
            &target.keepalives,
            target.connect_timeout,
            &ctx,
            &mut record,
            &mut self.background,
        )
        .await;
        let verdict = self.end(record, verdict);
        if verdict.is_err() {
            // No host is left that could make good for a name that failed.
            self.report.stage(Stage::Dns).fail_all();
        }
        let mut reached = verdict?;
        if let Some(first) = reached.first() {
            connected.address = Some(first.address.clone());
            if target.ssh.is_none() {
                connected.endpoint = target.endpoints[first.destination].clone();
            }
        }
        if self.until == Stage::Tcp {
            return Ok(());
        }

        let ways = match &target.ssh {
            None => Ways::Direct(reached),
            Some(plan) => {
                let stream = match reached[0].stream.take() {
                    Some(stream) => stream,
                    None => return Err(Failed),
                };
                Ways::Tunnel(self.ssh(plan, Ok(stream), &connected.keys).await?)
            }
        };
        self.arrive(connected, ways).await
    }

    /// The SSH servers on the way, over a stream to the first.
    async fn ssh(
        &mut self,
        plan: &SshPlan,
        stream: Verdict<Stream>,
        keys: &Keyring,
    ) -> Result<Bastion, Failed> {
        let ctx = self.ctx.clone();
        let mut record = self.begin(Stage::Ssh);
        let verdict = match stream {
            Ok(stream) => ssh::probe(stream, plan, keys, &ctx, &mut record).await,
            Err(finding) => Err(finding),
        };
        let refused = matches!(&verdict, Err(f) if f.cause.is_of(family::SSH_AUTH));
        let verdict = self.end(record, verdict);
        if refused {
            // No other key, agent or password made good for a bad key.
            self.report.stage(Stage::Key).fail_all();
        }
        verdict
    }

    /// From the last thing before the database to a session.
    async fn arrive(&mut self, connected: &mut Connected, ways: Ways) -> Result<(), Failed> {
        if let Ways::Tunnel(bastion) = &ways {
            connected.bastion = Some(bastion.clone());
            if self.until == Stage::Ssh {
                return Ok(());
            }
        }
        let arrived = self.session(&connected.target, ways).await?;
        connected.session = arrived.session;
        connected.endpoint = arrived.endpoint;
        if let Some(address) = arrived.address {
            connected.address = Some(address);
        }
        Ok(())
    }

    /// Adds to each finding what holds where dbdoctor runs, and to those about a database
    /// what its provider advises.
    fn advise(&mut self, target: &Target) {
        let tunnel = target.ssh.is_some();
        let pod = dns::pod(&self.ctx);
        for record in &mut self.report.stages {
            for finding in &mut record.findings {
                let taken = std::mem::replace(finding, Finding::new(finding.cause));
                *finding = place::advise(taken, &self.ctx.environment, pod.as_ref());
            }
            let dialled = matches!(record.stage, Stage::Dns | Stage::Tcp) && !tunnel;
            if !dialled && record.stage < Stage::Tunnel {
                continue;
            }
            for finding in &mut record.findings {
                let value = |name: &str| finding.evidence.get(name).map(shown);
                let (endpoint, name) = (value("endpoint"), value("name"));
                let of_it = |e: &&Endpoint| {
                    let named = record.stage == Stage::Dns && Some(&e.host) == name.as_ref();
                    named || Some(e.label()) == endpoint
                };
                let endpoint = match target.endpoints.as_slice() {
                    [only] => Some(only),
                    several => several.iter().find(of_it),
                };
                // An alias may lead to a provider.
                let alias_end = value("alias_end");
                if let Some(endpoint) = endpoint {
                    let taken = std::mem::replace(finding, Finding::new(finding.cause));
                    let taken = dns::with_command(taken, target, endpoint)
                        .word("user", target.user.clone())
                        .word("database", target.dbname.clone());
                    let host = alias_end.as_ref().unwrap_or(&endpoint.host);
                    *finding = provider::advise(taken, host);
                }
            }
        }
    }

    /// Adds to each failure the earlier warnings that are its likely reason.
    fn lead(&mut self, target: &Target) {
        let records = self.report.stages.iter();
        let leading: Vec<(Stage, Finding)> = records
            .flat_map(|record| record.findings.iter().map(|it| (record.stage, it)))
            .filter(|(_, finding)| finding.leads && finding.status == Status::Warn)
            .map(|(stage, finding)| (stage, finding.clone()))
            .collect();
        for record in &mut self.report.stages {
            let stage = record.stage;
            let failures = record.findings.iter_mut();
            for finding in failures.filter(|it| it.status == Status::Fail) {
                let warnings: Vec<&Finding> = leading
                    .iter()
                    .filter(|(earlier, warning)| {
                        *earlier < stage && concerns(warning, finding, target)
                    })
                    .map(|(_, warning)| warning)
                    .collect();
                if !warnings.is_empty() {
                    let taken = std::mem::replace(finding, Finding::new(finding.cause));
                    *finding = taken.led_by(&warnings);
                }
            }
        }
    }

    /// Asks the kernel once more about the connection that is open: packets may
    /// have been lost after it was.
    fn recheck_tcp(&mut self, connected: &Connected) {
        let session = connected.session.as_ref();
        if let Some(socket) = session.and_then(|session| session.wire().socket.as_ref())
            && let Some(address) = &connected.address
        {
            tcp::watch(address, socket, self.report.stage(Stage::Tcp));
        }
    }

    /// Adds what the looks to the side found. They had the whole run's time
    /// already; what is not back within one stage's time is given up.
    async fn collect_background(&mut self) {
        let limit = self.ctx.limit();
        for aside in std::mem::take(&mut self.background) {
            let abort = aside.task.abort_handle();
            match self.ctx.until(limit, aside.task).await {
                Ok(Ok(notes)) => {
                    let record = self.report.stage(aside.stage);
                    for note in notes {
                        match note {
                            Observation::Fact(name, value) => record.fact(name, value),
                            Observation::Warn(finding) => record.warn(finding),
                            Observation::Summary(line) => record.summary = line,
                        }
                    }
                }
                _ => abort.abort(),
            }
        }
    }
}

/// Whether a failure would be the same whichever machine was reached: what it needs
/// is missing here.
fn is_of_this_side(failure: &Finding) -> bool {
    let cause = failure.cause;
    cause.is_of(family::CONFIG)
        || cause.is_of(family::TLS_ROOT)
        || cause.is_any(&[
            &cause::tls::CRL,
            &cause::tls::CLIENT_KEY,
            &cause::auth::PASSWORD_MISSING,
        ])
}

/// Whether a warning about a name is about the host that a failure is about.
fn concerns(warning: &Finding, failure: &Finding, target: &Target) -> bool {
    if is_of_this_side(failure) {
        return false;
    }
    let several = target.endpoints.len() > 1 && target.ssh.is_none();
    // `tcp` names an address behind the host and port.
    let evidence = &failure.evidence;
    let failed = evidence.get("endpoint").or(evidence.get("host")).map(shown);
    let name = warning.evidence.get("name").map(shown);
    match (several, failed) {
        (true, Some(failed)) => target.endpoints.iter().any(|endpoint| {
            let label = endpoint.label();
            let of_it = failed == label || failed.starts_with(&format!("{label} "));
            of_it && Some(&endpoint.host) == name.as_ref()
        }),
        _ => true,
    }
}

/// The parameters that name files.
const FILES: [&str; 6] = [
    "passfile",
    "servicefile",
    "sslcert",
    "sslkey",
    "sslrootcert",
    "sslcrl",
];

/// Keeps the target's secrets out of what peers say.
fn guard_secrets(target: &Target) {
    let parameters = target.report.parameters.iter();
    let shown = parameters
        .filter(|(name, parameter)| match name.as_str() {
            "host" | "hostaddr" | "user" | "dbname" => true,
            name => FILES.contains(&name) && parameter.origin.kind != "default",
        })
        .map(|(_, parameter)| parameter.value.clone())
        .filter(|value| value != secret::HIDDEN);
    let hops = target.ssh.iter().flat_map(|plan| &plan.hops);
    secret::exempt_from_redaction(&target.user, shown.chain(hops.map(|hop| hop.label())));
    let passwords = target.endpoints.iter().filter_map(|e| e.password.as_ref());
    let ssh = target.ssh.iter();
    passwords
        .map(|password| &password.secret)
        .chain(&target.tls.key_password)
        .chain(ssh.flat_map(|plan| plan.passphrase.iter().chain(&plan.password)))
        .for_each(secret::guard);
    let tokens = target.endpoints.iter().filter_map(|e| e.password.as_ref());
    tokens
        .flat_map(|password| token::parts(&password.secret))
        .for_each(|part| secret::guard(&part));
}

/// Whether an address is an IPv4 one.
fn is_ipv4(address: &Address) -> bool {
    matches!(address, Address::Tcp(to) if to.is_ipv4())
}

/// Whether nothing about this host can ever use TLS.
fn never_tls(target: &Target, endpoint: &Endpoint) -> bool {
    target.tls.mode == SslMode::Disable
        || (target.ssh.is_none() && matches!(endpoint.place, Place::Unix(_)))
}

/// The first hop, where a command reaches it.
fn by_command(plan: &SshPlan) -> Option<(&SshPlan, &Hop)> {
    let first = plan.hops.first()?;
    first.proxy_command.as_ref().map(|_| (plan, first))
}

/// What this machine itself dials: the database's hosts, or the first hop.
fn destinations(target: &Target) -> Vec<Destination> {
    match &target.ssh {
        Some(plan) => plan
            .hops
            .iter()
            .take(1)
            .map(|hop| Destination {
                place: Place::of_host(&hop.host),
                port: hop.port,
                family: hop.family,
                hop: Some(Arc::new(hop.clone())),
            })
            .collect(),
        None => target
            .endpoints
            .iter()
            .map(|endpoint| Destination {
                place: endpoint.place.clone(),
                port: endpoint.port,
                family: Family::Any,
                hop: None,
            })
            .collect(),
    }
}
