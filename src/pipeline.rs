//! The one order of stages: straight-line, typed, the same for `check` and
//! for every stage command, which only ends earlier.

use std::sync::Arc;
use std::time::Duration;

use crate::cli::{TargetArgs, TimeArgs};
use crate::ctx::Ctx;
use crate::finding::Finding;
use crate::report::{Report, Stage, StageRecord};
use crate::stage::protocol::Attempt;
use crate::stage::ssh::Bastion;
use crate::stage::tcp::Reached;
use crate::stage::{
    Aside, Note, Verdict, auth, config, dns, key, protocol, server, ssh, tcp, tls, tunnel,
};
use crate::surroundings::Surroundings;
use crate::target::{Destination, Endpoint, Place, SslMode, SslNegotiation, Target};
use crate::wire::session::Session;
use crate::wire::{Address, Stream};

/// The time of a stage where nothing sets one.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// What a run tells while it goes on.
pub trait Progress: Send {
    /// A stage is being worked on.
    fn running(&mut self, stage: Stage);
    /// A stage is over; its record is complete but for looks to the side.
    fn ended(&mut self, record: &StageRecord);
}

/// A run that told nobody.
impl Progress for () {
    fn running(&mut self, _: Stage) {}
    fn ended(&mut self, _: &StageRecord) {}
}

/// A stage command whose stage does not apply to the target: wrong usage.
#[derive(Debug, PartialEq, Eq)]
pub struct NotApplicable(pub &'static str);

/// What a run that passed leaves behind for those who go on with it.
pub struct Connected {
    /// The resolved target.
    pub target: Target,
    /// Which entry of the host list answered.
    pub endpoint: Endpoint,
    /// The limits the run had.
    pub ctx: Ctx,
    /// The session, where the run went as far as logging in.
    pub session: Option<Session>,
    /// The last hop's session, where there is a tunnel.
    pub bastion: Option<Bastion>,
}

/// Runs the stages up to and including `until`. Whatever happens is in the
/// report, also when the future is dropped half-way; `None` means that a
/// stage failed.
pub async fn run(
    report: &mut Report,
    args: &TargetArgs,
    time: &TimeArgs,
    until: Stage,
    surroundings: Arc<Surroundings>,
    progress: &mut dyn Progress,
) -> Result<Option<Connected>, NotApplicable> {
    let mut run = Run {
        ctx: Ctx {
            started: report.started,
            timeout: time.timeout.unwrap_or(DEFAULT_TIMEOUT),
            deadline: report.started + time.deadline,
            surroundings,
            environment: Arc::new(report.environment.clone()),
        },
        report,
        progress,
        until,
        asides: Vec::new(),
    };
    let Ok(target) = run.config(args).await else {
        return Ok(None);
    };
    run.ctx.timeout = time
        .timeout
        .or(target.connect_timeout)
        .unwrap_or(DEFAULT_TIMEOUT);
    if until == Stage::Tls && target.endpoints.iter().all(|e| never_tls(&target, e)) {
        return Err(NotApplicable(
            "TLS is not used here: sslmode is disable, or the target is a unix socket",
        ));
    }
    let connected = run.connect(target).await;
    run.gather_asides().await;
    Ok(connected.ok())
}

/// A stage failed and its record says why.
struct Failed;

struct Run<'a> {
    report: &'a mut Report,
    progress: &'a mut dyn Progress,
    ctx: Ctx,
    until: Stage,
    asides: Vec<Aside>,
}

/// How the database is reached: the addresses that accepted, or the bastion.
enum Ways {
    Direct(Vec<Reached>),
    Tunnel(Bastion),
}

impl Run<'_> {
    async fn config(&mut self, args: &TargetArgs) -> Result<Target, Failed> {
        self.progress.running(Stage::Config);
        let mut record = self.begin(Stage::Config);
        let mut described = Default::default();
        let verdict =
            config::probe(args, &self.ctx.surroundings, &mut described, &mut record).await;
        self.report.target = described;
        self.end(record, verdict)
    }

    async fn connect(&mut self, target: Target) -> Result<Connected, Failed> {
        let ctx = self.ctx.clone();
        let mut connected = Connected {
            endpoint: target.endpoints[0].clone(),
            ctx: ctx.clone(),
            session: None,
            bastion: None,
            target,
        };
        let target = &connected.target;
        if self.until == Stage::Config {
            return Ok(connected);
        }

        let keys = match &target.ssh {
            Some(plan) => {
                let mut record = self.begin(Stage::Key);
                let keys = key::probe(plan, &ctx, &mut record).await;
                Some((plan, self.end(record, Ok(keys))?))
            }
            None => {
                for stage in [Stage::Key, Stage::Ssh, Stage::Tunnel] {
                    self.skip(stage, "no SSH tunnel asked for");
                }
                None
            }
        };

        let destinations = destinations(target);
        let mut record = self.begin(Stage::Dns);
        let verdict = dns::probe(&destinations, &ctx, &mut record, &mut self.asides).await;
        let resolved = self.end(record, verdict)?;
        if self.until == Stage::Dns {
            return Ok(connected);
        }

        let mut record = self.begin(Stage::Tcp);
        let verdict = tcp::probe(
            &destinations,
            &resolved,
            &target.keepalives,
            &ctx,
            &mut record,
            &mut self.asides,
        )
        .await;
        let verdict = self.end(record, verdict);
        if verdict.is_err() {
            // No host is left that could make good for a name that failed.
            self.report.stage(Stage::Dns).condemn();
        }
        let mut reached = verdict?;
        if self.until == Stage::Tcp {
            return Ok(connected);
        }

        let ways = match keys {
            None => Ways::Direct(reached),
            Some((plan, keys)) => {
                let stream = match reached[0].stream.take() {
                    Some(stream) => stream,
                    None => return Err(Failed),
                };
                let mut record = self.begin(Stage::Ssh);
                let verdict = ssh::probe(stream, plan, &keys, &ctx, &mut record).await;
                let refused = matches!(&verdict, Err(f) if f.cause.code.starts_with("ssh.auth."));
                let verdict = self.end(record, verdict);
                if refused {
                    // No other key, agent or password made good for a bad key.
                    self.report.stage(Stage::Key).condemn();
                }
                Ways::Tunnel(verdict?)
            }
        };
        if let Ways::Tunnel(bastion) = &ways {
            connected.bastion = Some(bastion.clone());
        }
        let (session, endpoint) = self.session(&connected.target, ways).await?;
        connected.session = session;
        connected.endpoint = endpoint;
        Ok(connected)
    }

    /// Tries the ways in libpq's order, each with the encryptions that
    /// `sslmode` allows, until one passes or libpq would give up.
    async fn session(
        &mut self,
        target: &Target,
        ways: Ways,
    ) -> Result<(Option<Session>, Endpoint), Failed> {
        let mut failures: Vec<FailedAttempt> = Vec::new();
        let mut ways = ways;
        let count = match &ways {
            Ways::Direct(reached) => reached.len(),
            Ways::Tunnel(_) => target.endpoints.len(),
        };
        'ways: for at in 0..count {
            let (endpoint, unix) = match &ways {
                Ways::Direct(reached) => (
                    &target.endpoints[reached[at].destination],
                    matches!(reached[at].address, Address::Unix(_)),
                ),
                Ways::Tunnel(_) => (&target.endpoints[at], false),
            };
            let attempts = attempts(target, unix);
            for (n, attempt) in attempts.iter().enumerate() {
                let stream = match &mut ways {
                    Ways::Direct(reached) => self.dial(target, &mut reached[at]).await,
                    Ways::Tunnel(bastion) => self.forward(bastion, endpoint).await,
                };
                let outcome = match stream {
                    Ok(stream) => self.attempt(target, endpoint, stream, *attempt).await,
                    Err(finding) => Err((Stage::Tunnel, finding, false)),
                };
                match outcome {
                    Ok(session) => {
                        let endpoint = endpoint.clone();
                        self.forgive(failures);
                        return Ok((session, endpoint));
                    }
                    Err((stage, finding, in_clear)) => {
                        let onward = finding.onward;
                        failures.push(FailedAttempt {
                            endpoint: endpoint.label(),
                            attempt: *attempt,
                            stage,
                            finding,
                            records: self.take_records(),
                        });
                        // `prefer` that already spoke in clear has nothing else to try.
                        let other_left = n + 1 < attempts.len()
                            && !(n == 0 && in_clear && *attempt == Attempt::Tls);
                        if onward.other_encryption && other_left {
                            continue;
                        }
                        if onward.next_host {
                            continue 'ways;
                        }
                        break 'ways;
                    }
                }
            }
        }
        self.condemn(failures);
        Err(Failed)
    }

    /// One attempt on one connection. The error names the stage that failed
    /// and whether the attempt had come to speak in clear.
    async fn attempt(
        &mut self,
        target: &Target,
        endpoint: &Endpoint,
        stream: Stream,
        attempt: Attempt,
    ) -> Result<Option<Session>, (Stage, Finding, bool)> {
        let ctx = self.ctx.clone();
        if self.until <= Stage::Tunnel {
            return Ok(None);
        }
        let mut record = self.begin(Stage::Protocol);
        let verdict = protocol::probe(stream, attempt, endpoint, &ctx, &mut record).await;
        let greeted = self.step(record, verdict, false)?;

        let mut record = self.begin(Stage::Tls);
        if attempt == Attempt::Plain {
            record.skip("in clear, as sslmode says");
        }
        let verdict = tls::probe(greeted, attempt, target, endpoint, &ctx, &mut record).await;
        let wire = self.step(record, verdict, false)?;
        if self.until <= Stage::Tls {
            return Ok(None);
        }
        let in_clear = wire.tls.is_none();

        let mut record = self.begin(Stage::Auth);
        let verdict = auth::probe(wire, target, endpoint, &ctx, &mut record).await;
        let mut session = self.step(record, verdict, in_clear)?;
        if self.until == Stage::Auth {
            return Ok(Some(session));
        }

        let mut record = self.begin(Stage::Server);
        let verdict = server::probe(&mut session, target, endpoint, &ctx, &mut record).await;
        self.step(record, verdict, in_clear)?;
        Ok(Some(session))
    }

    async fn dial(&mut self, target: &Target, reached: &mut Reached) -> Verdict<Stream> {
        match reached.stream.take() {
            Some(stream) => Ok(stream),
            None => tcp::dial(&reached.address, &target.keepalives, &self.ctx)
                .await
                .map_err(Finding::then_next_host),
        }
    }

    async fn forward(&mut self, bastion: &Bastion, endpoint: &Endpoint) -> Verdict<Stream> {
        let ctx = self.ctx.clone();
        let mut record = self.begin(Stage::Tunnel);
        let verdict = tunnel::probe(bastion, endpoint, &ctx, &mut record).await;
        record.end(None);
        *self.report.stage(Stage::Tunnel) = record;
        verdict
    }

    /// The records of the stages that the last attempt wrote, taken out of the report.
    fn take_records(&mut self) -> Vec<StageRecord> {
        self.attempted()
            .into_iter()
            .map(|stage| std::mem::replace(self.report.stage(stage), StageRecord::new(stage)))
            .collect()
    }

    /// The stages that an attempt writes; without SSH `tunnel` is not one.
    fn attempted(&self) -> Vec<Stage> {
        let tunnel = self
            .report
            .stages
            .iter()
            .any(|record| record.stage == Stage::Tunnel && record.has_run());
        let listed = |stage: &Stage| self.report.stages.iter().any(|r| r.stage == *stage);
        SESSION_STAGES
            .into_iter()
            .filter(|stage| *stage != Stage::Tunnel || tunnel)
            .filter(listed)
            .collect()
    }

    /// A later attempt passed: what failed before it is a warning.
    fn forgive(&mut self, failures: Vec<FailedAttempt>) {
        for failure in failures {
            let stage = home(failure.stage, &failure.finding);
            let finding = failure
                .finding
                .with("endpoint", failure.endpoint)
                .with("attempt", failure.attempt.name());
            self.report.stage(stage).warn(finding);
        }
        self.tell_session_stages();
    }

    /// Every attempt failed: the first one's failure is the verdict, the
    /// others are its evidence, and nothing makes good for dead hosts.
    fn condemn(&mut self, failures: Vec<FailedAttempt>) {
        let mut failures = failures.into_iter();
        let Some(first) = failures.next() else {
            return;
        };
        for record in first.records {
            let stage = record.stage;
            // What never ran keeps the record that says why it was skipped.
            if record.has_run() || record.reason.is_some() {
                *self.report.stage(stage) = record;
            }
        }
        let then: Vec<serde_json::Value> = failures
            .map(|later| {
                serde_json::json!({
                    "endpoint": later.endpoint,
                    "attempt": later.attempt.name(),
                    "cause": later.finding.cause.code,
                    "summary": later.finding.summary(),
                    "evidence": later.finding.evidence,
                })
            })
            .collect();
        let mut finding = first.finding.with("endpoint", first.endpoint);
        if !then.is_empty() {
            finding = finding.with("then", then);
        }
        let stage = home(first.stage, &finding);
        if stage != first.stage && first.stage != Stage::Tunnel {
            let record = self.report.stage(first.stage);
            let facts = std::mem::take(&mut record.facts);
            *record = StageRecord::new(first.stage);
            record.facts = facts;
        }
        let record = self.report.stage(stage);
        record.begin();
        record.end(Some(finding));
        self.report.stage(Stage::Dns).condemn();
        self.report.stage(Stage::Tcp).condemn();
        self.tell_session_stages();
    }

    fn tell_session_stages(&mut self) {
        for stage in self.attempted() {
            let record = self.report.stage(stage).clone();
            if record.has_run() || record.reason.is_some() {
                self.progress.ended(&record);
            }
        }
    }

    fn begin(&mut self, stage: Stage) -> StageRecord {
        self.progress.running(stage);
        let mut record = StageRecord::new(stage);
        record.begin();
        *self.report.stage(stage) = record.clone();
        record
    }

    fn skip(&mut self, stage: Stage, reason: &str) {
        if self.report.stages.iter().any(|r| r.stage == stage) {
            self.report.stage(stage).skip(reason);
            let record = self.report.stage(stage).clone();
            self.progress.ended(&record);
        }
    }

    /// Ends a stage of an attempt; a failure is not filed yet, since another
    /// attempt may make it good.
    fn step<T>(
        &mut self,
        mut record: StageRecord,
        verdict: Verdict<T>,
        in_clear: bool,
    ) -> Result<T, (Stage, Finding, bool)> {
        let stage = record.stage;
        if record.reason.is_none() {
            record.end(None);
        }
        *self.report.stage(stage) = record;
        verdict.map_err(|finding| (stage, finding, in_clear))
    }

    /// Ends a stage that is not retried.
    fn end<T>(&mut self, mut record: StageRecord, verdict: Verdict<T>) -> Result<T, Failed> {
        let stage = record.stage;
        let outcome = match verdict {
            Ok(next) => {
                record.end(None);
                *self.report.stage(stage) = record;
                Ok(next)
            }
            Err(finding) => {
                let at = home(stage, &finding);
                if at == stage {
                    record.condemn();
                    // A condemned finding may already say it all.
                    let known = record.findings.iter().any(|f| {
                        f.cause.code == finding.cause.code && f.evidence == finding.evidence
                    });
                    record.end((!known).then_some(finding));
                } else {
                    record.end(None);
                    let other = self.report.stage(at);
                    other.begin();
                    other.end(Some(finding));
                }
                *self.report.stage(stage) = record;
                Err(Failed)
            }
        };
        let record = self.report.stage(stage).clone();
        self.progress.ended(&record);
        outcome
    }

    /// Adds what the looks to the side found. They had the whole run's time
    /// already; what is not back soon is given up.
    async fn gather_asides(&mut self) {
        let limit = self.ctx.limit();
        for aside in std::mem::take(&mut self.asides) {
            let abort = aside.task.abort_handle();
            match self.ctx.until(limit, aside.task).await {
                Ok(Ok(notes)) => {
                    let record = self.report.stage(aside.stage);
                    for note in notes {
                        match note {
                            Note::Fact(name, value) => record.fact(name, value),
                            Note::Warn(finding) => record.warn(finding),
                        }
                    }
                }
                _ => abort.abort(),
            }
        }
    }
}

/// The stages that one attempt runs through.
const SESSION_STAGES: [Stage; 5] = [
    Stage::Tunnel,
    Stage::Protocol,
    Stage::Tls,
    Stage::Auth,
    Stage::Server,
];

/// An attempt that failed, kept until it is known whether it counts.
struct FailedAttempt {
    endpoint: String,
    attempt: Attempt,
    stage: Stage,
    finding: Finding,
    records: Vec<StageRecord>,
}

/// The stage that a finding is filed under: its code's prefix, since a stage
/// may see the cause of another (the peer's first byte while TLS waits for
/// it). What the settings or a pooler do stays with the stage that saw it.
fn home(seen_by: Stage, finding: &Finding) -> Stage {
    let prefix = finding.cause.code.split('.').next().unwrap_or_default();
    match prefix {
        "config" | "pooler" => seen_by,
        _ => Stage::RUN
            .into_iter()
            .find(|stage| stage.name() == prefix)
            .unwrap_or(seen_by),
    }
}

/// The attempts that libpq makes on one address (`sslmode`, PostgreSQL
/// documentation, "SSL Mode Descriptions").
fn attempts(target: &Target, unix: bool) -> &'static [Attempt] {
    match (target.tls.mode, target.tls.negotiation) {
        _ if unix => &[Attempt::Plain],
        (_, SslNegotiation::Direct) => &[Attempt::DirectTls],
        (SslMode::Disable, _) => &[Attempt::Plain],
        (SslMode::Allow, _) => &[Attempt::Plain, Attempt::Tls],
        (SslMode::Prefer, _) => &[Attempt::Tls, Attempt::Plain],
        (SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull, _) => &[Attempt::Tls],
    }
}

fn never_tls(target: &Target, endpoint: &Endpoint) -> bool {
    target.tls.mode == SslMode::Disable
        || (target.ssh.is_none() && matches!(endpoint.place, Place::Unix(_)))
}

/// What this machine itself dials: the database, or the first hop.
fn destinations(target: &Target) -> Vec<Destination> {
    match &target.ssh {
        Some(plan) => {
            let hop = &plan.hops[0];
            vec![Destination {
                place: Place::of_host(&hop.host),
                port: hop.port,
            }]
        }
        None => target
            .endpoints
            .iter()
            .map(|endpoint| Destination {
                place: endpoint.place.clone(),
                port: endpoint.port,
            })
            .collect(),
    }
}
