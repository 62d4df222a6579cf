//! `stress`: many attempts, for intermittent failures.
//!
//! Each attempt is a whole run of the stages with a report of its own, of which only
//! the outcome and the times are kept. If a name has several addresses, each attempt
//! starts with a different one and continues with the next as libpq would, so that a
//! dead address is found and the success rate is still that of an application.

mod crashes;
mod progress;
mod servers;
mod stats;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::check::progress;
use super::crash_loop::{Generation, is_of_a_crash};
use super::interrupt::interruption;
use super::{Exit, last_stage, output, pid, spare_slots, thresholds};
use crate::cli::StressArgs;
use crate::config::request::TimeLimits;
use crate::config::{Endpoint, Guards, Target};
use crate::ctx::{Ctx, Detail};
use crate::finding::{Finding, Status};
use crate::host_kind;
use crate::pipeline;
use crate::report::{Report, Stage, StageRecord};
use crate::system::System;

use progress::Show;
use servers::Identity;
use stats::{Account, Miss, Sample};

/// How often the facts are brought up to date and progress is told.
const TELL: Duration = Duration::from_millis(500);
/// So many attempts that are all refused for what they log in with end the
/// test: more would only lock the account or have the client banned.
const REFUSED_LOGINS: usize = 3;

/// How hard to try.
#[derive(Clone, Copy, Debug)]
struct Load {
    /// How many attempts.
    attempts: u32,
    /// How many at once.
    concurrency: u32,
    /// At most this many begin per second; none for as fast as they go.
    rate: Option<f64>,
    /// The time of each attempt.
    deadline: Duration,
}

/// `stress`.
pub async fn run(args: &StressArgs) -> Exit {
    let run = &args.run;
    let usable = last_stage("stress", Stage::Stress, run);
    if let Err(exit) = usable.and_then(|_| output::writable(&run.output)) {
        return exit;
    }
    let around = Arc::new(System::of_process());
    if let Err(exit) = pid::says_something(&args.client.request(&run.target), &around) {
        return exit;
    }
    let begun = Instant::now();
    let drivers = pid::drivers(&around).await;
    let stages: Vec<Stage> = Stage::RUN
        .into_iter()
        .filter(|stage| *stage < Stage::Idle)
        .chain([Stage::Stress])
        .collect();
    let mut report = Report::new("stress", &stages, host_kind::detect(&around));
    let mut stop = pin!(interruption());
    let settings = {
        let mut progress = progress(&run.output, &around);
        let request = pid::request(&args.client, &run.target, &drivers);
        let limits = TimeLimits::from(&run.time);
        let settings = pipeline::settings(
            &mut report,
            &request,
            &limits,
            Arc::clone(&around),
            progress.as_mut(),
        );
        tokio::select! {
            settings = settings => Some(settings),
            () = &mut stop => None,
        }
    };
    let mut interrupted = settings.is_none();
    if let Some(Some((target, ctx))) = settings {
        let load = Load {
            attempts: args.attempts,
            concurrency: args.concurrency,
            rate: args.rate,
            deadline: run.time.deadline,
        };
        let show = Show::new(&run.output, &around, args.attempts);
        let mut test = StressTest::new(target, ctx, load, show);
        report.stage(Stage::Stress).begin();
        tokio::select! {
            () = test.run() => {}
            () = &mut stop => interrupted = true,
        }
        test.conclude(&mut report);
    }
    report.finish(interrupted);
    pid::tell(&mut report, &around, &drivers, begun);
    thresholds::judge(&mut report, &Guards::from(&run.target.guards).thresholds);
    output::conclude(&report, &run.output, &around)
}

/// The test as it goes on.
struct StressTest {
    target: Target,
    ctx: Ctx,
    load: Load,
    began: Instant,
    account: Account,
    /// Whether an attempt failed as one does at a server that goes down: from then
    /// on each that passes says who served it.
    crash_suspected: bool,
    /// The records of the first attempt that passed.
    records: Vec<StageRecord>,
    show: Show,
    told: Instant,
}

impl StressTest {
    fn new(target: Target, ctx: Ctx, load: Load, show: Show) -> Self {
        let began = Instant::now();
        Self {
            target,
            ctx,
            load,
            began,
            account: Account::default(),
            crash_suspected: false,
            records: Vec::new(),
            show,
            told: began,
        }
    }

    async fn run(&mut self) {
        // The first attempts go alone until one passes: it tells how many
        // slots are free, and whether the login is any good.
        let mut next = 0;
        while next < self.load.attempts && self.records.is_empty() {
            self.pause(next).await;
            let outcome = self.attempt(next).await;
            self.take(outcome);
            next += 1;
            let futile = self.account.refused_logins(REFUSED_LOGINS);
            if let Some(words) = futile.or_else(|| self.account.guarded()) {
                self.show.note(&words);
                self.account.stopped = Some(words);
                return;
            }
            // What fails for other reasons may be the very thing to be counted.
            if next as usize == REFUSED_LOGINS {
                break;
            }
        }
        self.warn_of_crowding();

        let mut tasks = JoinSet::new();
        while next < self.load.attempts || !tasks.is_empty() {
            let room = tasks.len() < self.load.concurrency as usize;
            let due = self.due(next);
            tokio::select! {
                () = tokio::time::sleep_until(due.into()), if room && next < self.load.attempts => {
                    tasks.spawn(self.attempt(next));
                    next += 1;
                }
                Some(outcome) = tasks.join_next() => {
                    if let Ok(outcome) = outcome {
                        self.take(outcome);
                    }
                }
            }
        }
    }

    /// When an attempt may begin.
    fn due(&self, number: u32) -> Instant {
        match self.load.rate {
            Some(rate) => self.began + Duration::from_secs_f64(f64::from(number) / rate),
            None => self.began,
        }
    }

    async fn pause(&self, number: u32) {
        tokio::time::sleep_until(self.due(number).into()).await;
    }

    fn attempt(&self, number: u32) -> impl Future<Output = Outcome> + Send + use<> {
        let (target, ctx) = (self.target.clone(), self.ctx.clone());
        let (deadline, began) = (self.load.deadline, self.began);
        let identify = self.crash_suspected;
        async move { attempt(target, &ctx, deadline, number as usize, began, identify).await }
    }

    /// Takes in an attempt that is over.
    fn take(&mut self, (sample, records): Outcome) {
        if sample.failure.is_none() && self.records.is_empty() {
            self.records = records;
        }
        let failure = sample.failure.as_ref();
        self.crash_suspected |= failure.is_some_and(|it| is_of_a_crash(it.cause));
        self.account.samples.push(sample);
        let all = self.account.samples.len() == self.load.attempts as usize;
        if all || self.told.elapsed() >= TELL {
            self.told = Instant::now();
            self.show.progress(&self.account);
        }
    }

    /// A word before a large part of the free slots is taken.
    fn warn_of_crowding(&mut self) {
        let free = self
            .records
            .iter()
            .find(|record| record.stage == Stage::Server)
            .and_then(spare_slots);
        let Some(free) = free else { return };
        let wanted = u64::from(self.load.concurrency);
        if wanted * 2 > free {
            let spared = u32::try_from(free / 2).unwrap_or(u32::MAX).max(1);
            let instead = match spared {
                1 => "running them one by one".to_owned(),
                _ => format!("running {spared} at a time"),
            };
            let words = format!(
                "{wanted} attempts at a time would use more than half of the {free} free connection slots; {instead}"
            );
            self.load.concurrency = spared.min(self.load.concurrency);
            self.show.note(&words);
            self.account.spared = Some(words);
        }
    }

    fn conclude(self, report: &mut Report) {
        for record in self.records {
            let stage = record.stage;
            if stage != Stage::Config && stage < Stage::Idle {
                *report.stage(stage) = record;
            }
        }
        if self.account.samples.is_empty() {
            return;
        }
        let is_of_attempts = |record: &&mut StageRecord| {
            record.stage < Stage::Idle && record.stage != Stage::Config && !record.has_run()
        };
        for record in report.stages.iter_mut().filter(is_of_attempts) {
            // Each attempt has been through some of them: `stress` says how far.
            record.skip("no attempt passed");
        }
        self.show.done(&self.account);
        let (host, endpoint) = place(&self.target);
        self.account
            .conclude(report.stage(Stage::Stress), &host, &endpoint);
    }
}

/// The target's host, and how it is named in sentences.
fn place(target: &Target) -> (String, String) {
    let hosts = target.endpoints.iter().map(|it| it.host.as_str());
    let labels: Vec<String> = target.endpoints.iter().map(Endpoint::label).collect();
    (hosts.collect::<Vec<_>>().join(","), labels.join(", "))
}

/// An attempt, reduced to what is counted, and its records if it passed.
type Outcome = (Sample, Vec<StageRecord>);

/// One attempt: every stage after the settings, with its own time; the
/// addresses of a name in turn, as long as libpq would go on to the next.
async fn attempt(
    target: Target,
    ctx: &Ctx,
    deadline: Duration,
    number: usize,
    began: Instant,
    identify: bool,
) -> Outcome {
    let start = Instant::now();
    let target = turned(target, number);
    // Nobody is asked anything in the middle of many attempts.
    let ctx = Ctx {
        started: start,
        patient: false,
        detail: Detail::Outcome,
        deadline: start + deadline,
        ..ctx.anew()
    };
    let mut passed_over = Vec::new();
    let mut turn = number;
    loop {
        let environment = ctx.environment.as_ref().clone();
        let mut report = Report::new("stress", &Stage::RUN, environment);
        let connected = pipeline::connect(
            &mut report,
            target.clone(),
            ctx.clone(),
            Stage::Server,
            Some(turn),
            &mut (),
        )
        .await;
        let total = start.elapsed();
        let passed = connected.is_some();
        let reached = connected
            .as_ref()
            .and_then(|connected| connected.address.as_ref().map(ToString::to_string));
        let mut served_by = None;
        if let Some(mut session) = connected.and_then(|connected| connected.session) {
            if identify {
                served_by = Box::pin(Generation::ask(&mut session, &ctx)).await;
            }
            // A goodbye that cannot be said must not hold the attempt up.
            let _ = ctx.within(session.close()).await;
        }
        report.finish(false);
        let dns = &report.stage(Stage::Dns).facts;
        let picked = dns.get("picked").and_then(serde_json::Value::as_str);
        let address = picked.map(str::to_owned).or(reached);
        let of = dns.get("picked_of").and_then(serde_json::Value::as_u64);
        let failure = match passed {
            true => None,
            false => Some(first_failure(&report)),
        };
        if let (Some(finding), Some(address), Some(of)) = (&failure, &address, of)
            && goes_on(finding)
            && turn + 1 < number + of as usize
            && Instant::now() < ctx.deadline
        {
            passed_over.push(Miss {
                address: address.clone(),
                finding: finding.clone(),
            });
            turn += 1;
            continue;
        }
        let stages = report
            .stages
            .iter()
            .filter(|record| record.has_run())
            .map(|record| (record.stage, record.duration()))
            .collect();
        let sample = Sample {
            began: start - began,
            total,
            failure,
            address,
            server: Identity::of(&report.stage(Stage::Server).facts),
            passed_over,
            stages,
            served_by,
        };
        return (sample, report.stages);
    }
}

/// The target as this attempt has it: a random order of hosts is another for each
/// connection, and every host gets its turn.
fn turned(mut target: Target, number: usize) -> Target {
    let parameters = &target.report.parameters;
    let random = parameters
        .get("load_balance_hosts")
        .is_some_and(|it| it.value == "random");
    if random && !target.endpoints.is_empty() {
        let by = number % target.endpoints.len();
        target.endpoints.rotate_left(by);
    }
    target
}

/// Whether libpq would go on to the name's next address (interface.md,
/// Promises); an SSH client does only where it cannot connect.
fn goes_on(finding: &Finding) -> bool {
    finding.onward.next_host || finding.cause.is_of(crate::cause::family::TCP)
}

/// Why an attempt failed.
fn first_failure(report: &Report) -> Finding {
    report
        .stages
        .iter()
        .flat_map(StageRecord::all_findings)
        .find(|finding| finding.status == Status::Fail)
        .unwrap_or_else(|| {
            Finding::new(&crate::cause::server::UNCLASSIFIED)
                .with("error", "an attempt failed without a finding")
        })
}
