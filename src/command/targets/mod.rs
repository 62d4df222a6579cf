//! `check --targets`: many targets at once, each checked as one alone would be.

mod progress;
mod turns;

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::interrupt::interruption;
use super::look::{Judges, Look};
use super::{Exit, last_stage, output, spare_slots, thresholds, usage};
use crate::cli::{CheckArgs, Format};
use crate::config::request::{Request, TimeLimits};
use crate::config::targets::{self, NoTargets, TargetLine};
use crate::config::{Target, files, host_port, resolve};
use crate::ctx::Detail;
use crate::descriptors;
use crate::finding::Status;
use crate::pipeline::NotApplicable;
use crate::render::targets::{Entry, TargetsReport};
use crate::report::{Report, Stage, Thresholds};
use crate::run_id::RunId;
use crate::system::System;
use crate::text;
use crate::wire::timeline;

use progress::Show;
use turns::Turns;

/// How many targets have work at a time where nothing says how many.
const CONCURRENCY: u32 = 16;
/// The most targets that are under way, those that wait for an answer among them.
const MOST_UNDER_WAY: usize = 1_024;
/// How many descriptors a target may need at a time: its connection, twice, the lookups, a file.
const DESCRIPTORS: usize = 6;
/// How long a pipe may take: the list may be made at its other end.
const PATIENCE: Duration = Duration::from_secs(120);

/// Checks every target of the file.
pub async fn run(args: &CheckArgs, file: &Path) -> Exit {
    let run = &args.run;
    let until = match last_stage("check", Stage::Idle, run) {
        Ok(until) => until,
        Err(exit) => return exit,
    };
    if run
        .target
        .dbname
        .as_ref()
        .is_some_and(|it| resolve::is_dsn(&it.expose()))
    {
        return usage("--targets and a whole target in -d cannot be used together");
    }
    if let Err(exit) = output::writable(&run.output) {
        return exit;
    }
    let lines = match read(file) {
        Ok(lines) => lines,
        Err(why) => return usage(&why),
    };
    descriptors::provide_many();
    let all = Arc::new(Targets {
        until,
        around: Arc::new(System {
            interactive: false,
            ..System::of_process()
        }),
        all: Request {
            no_password: true,
            ..args.client.request(&run.target)
        },
        judges: args.client.driver,
        nagios: run.output.format() == Format::Nagios,
        limits: TimeLimits::from(&run.time),
        detail: match run.output.verbose {
            0 => Detail::Failure,
            _ => Detail::All,
        },
        turns: Turns::new(args.many.concurrency.unwrap_or(CONCURRENCY) as usize),
        lines,
    });
    let mut report = TargetsReport::new("check", crate::host_kind::detect(&all.around));
    let (interrupt, interrupted) = watch::channel(false);
    let stop = interruption();
    let watcher = tokio::spawn(async move {
        stop.await;
        let _ = interrupt.send(true);
        interrupt.closed().await;
    });
    let mut show = Show::new(&run.output, &all.around, all.lines.len());
    report.entries = check(&all, &interrupted, &mut show).await;
    drop(show);
    report.finish(*interrupted.borrow());
    watcher.abort();
    output::conclude_targets(report, &run.output, &all.around)
}

/// The targets of the file of `--targets`.
fn read(file: &Path) -> Result<Vec<TargetLine>, String> {
    let bytes = match file.as_os_str() == "-" {
        true => {
            let mut bytes = Vec::new();
            let input = std::io::stdin().lock();
            let read = input.take(targets::LARGEST + 1).read_to_end(&mut bytes);
            match read {
                Err(error) => {
                    return Err(format!("--targets: cannot read standard input: {error}"));
                }
                Ok(length) if length as u64 > targets::LARGEST => {
                    return Err("--targets: standard input is too large".to_owned());
                }
                Ok(_) => bytes,
            }
        }
        false => {
            let read = files::read_until(file, targets::LARGEST, Instant::now() + PATIENCE);
            read.map_err(|why| unreadable(file, why))?
        }
    };
    targets::parse(&bytes).map_err(|NoTargets { line, problem }| match line {
        Some(line) => format!("--targets: line {line} of the file {}", predicate(&problem)),
        None => format!("--targets: the file {problem}"),
    })
}

/// A target in place of the file is the likeliest mistake; it is not repeated.
fn unreadable(file: &Path, why: files::Unreadable) -> String {
    let is_target = file.to_str().is_some_and(resolve::is_dsn);
    match (why.forbidden, is_target) {
        (_, true) => "--targets takes a file; a single target needs no flag".to_owned(),
        (true, _) => format!("--targets: {} the file", why.problem),
        (false, _) => format!("--targets: the file {}", why.problem),
    }
}

/// What is wrong with a line, after its number.
fn predicate(problem: &str) -> String {
    match problem.starts_with("is ") || problem.starts_with("has ") {
        true => problem.to_owned(),
        false => format!("cannot be used: {problem}"),
    }
}

/// What all of them have in common.
struct Targets {
    until: Stage,
    around: Arc<System>,
    /// What the command line says for every target.
    all: Request,
    judges: Option<crate::client::Choice>,
    nagios: bool,
    limits: TimeLimits,
    /// How much is looked up beside what the stages need.
    detail: Detail,
    turns: Turns,
    lines: Vec<TargetLine>,
}

/// Checks them, in the order of the file as far as there are places. Those that an
/// interruption comes before are among the results, too.
async fn check(
    all: &Arc<Targets>,
    interrupted: &watch::Receiver<bool>,
    show: &mut Show,
) -> Vec<Entry> {
    let most = descriptors::limit().saturating_sub(64) / DESCRIPTORS;
    let most = most.clamp(1, MOST_UNDER_WAY);
    let mut entries: Vec<Option<Entry>> = all.lines.iter().map(|_| None).collect();
    let mut numbers = HashMap::new();
    let mut tasks = JoinSet::new();
    let mut next = 0;
    while next < all.lines.len() || !tasks.is_empty() {
        if next < all.lines.len() && tasks.len() < most && !*interrupted.borrow() {
            let (all, stop) = (Arc::clone(all), interrupted.clone());
            let task = tasks.spawn(async move { all.one(next, stop).await });
            numbers.insert(task.id(), next);
            next += 1;
            continue;
        }
        match tasks.join_next_with_id().await {
            Some(Ok((id, entry))) => {
                show.done(entry.report.verdict().status == Status::Fail);
                if let Some(at) = numbers.remove(&id).and_then(|at| entries.get_mut(at)) {
                    *at = Some(entry);
                }
            }
            // A defect, which was told; its target counts as one that did not run.
            Some(Err(_)) => {}
            None => break,
        }
    }
    let lines = all.lines.iter().zip(entries);
    lines
        .map(|(line, entry)| entry.unwrap_or_else(|| all.not_run(line)))
        .collect()
}

impl Targets {
    /// One target, from its settings to its verdict.
    async fn one(&self, at: usize, stop: watch::Receiver<bool>) -> Entry {
        let line = &self.lines[at];
        let run = RunId::new();
        let report = run.scope(async {
            let mut report = self.checked(line, stop).await;
            self.finish(line, &mut report);
            report
        });
        Entry {
            line: line.line,
            run,
            report: report.await,
            has_run: true,
        }
    }

    async fn checked(&self, line: &TargetLine, stop: watch::Receiver<bool>) -> Report {
        let look = self.look(line);
        let mut stop = Box::pin(stopped(stop));
        let mut report = look.report(&self.around);
        let mut untold = ();
        let settled = tokio::select! {
            settled = look.settle(&mut report, &self.around, &mut untold) => settled,
            () = &mut stop => {
                report.finish(true);
                return report;
            }
        };
        let settled = match settled {
            Ok(Some(settled)) => settled,
            Ok(None) | Err(NotApplicable(_)) => {
                report.finish(false);
                return report;
            }
        };
        let turn = tokio::select! {
            turn = self.turns.take(host(settled.target())) => turn,
            () = &mut stop => {
                report.finish(true);
                return report;
            }
        };
        let mut settled = Some(settled);
        let mut steps = turn.steps();
        let work = async {
            let ran = look.run(&mut settled, &self.around, &mut steps, stop.as_mut());
            let mut seen = ran.await.ok()?;
            let slots = seen.report.find(Stage::Server).and_then(spare_slots);
            look.through_application(&mut seen, &self.around, stop.as_mut())
                .await;
            seen.close().await;
            Some((seen.report, slots))
        };
        let Some((report, slots)) = Box::pin(turn.during(work)).await else {
            report.finish(true);
            return report;
        };
        if let Some(free) = slots {
            turn.spare(free);
        }
        report
    }

    fn look(&self, line: &TargetLine) -> Look {
        let mut request = line.request(&self.all);
        // A monitor that warned of the last days must not be content after them.
        request.guards.thresholds.expired_counts |= self.nagios;
        Look {
            command: "check",
            until: self.until,
            request,
            limits: self.limits,
            detail: self.detail,
            idle: false,
            judges: Some(Judges {
                asked: line.driver.or(self.judges),
                found: Vec::new(),
            }),
        }
    }

    /// What a report has beside what the stages found.
    fn finish(&self, line: &TargetLine, report: &mut Report) {
        let limits: &Thresholds = &self.all.guards.thresholds;
        thresholds::judge(report, limits);
        report.target.name = line.name.as_deref().map(text::clean);
        report.wire = timeline::since(report.started);
    }

    /// A target that an interruption came before.
    fn not_run(&self, line: &TargetLine) -> Entry {
        let mut report = self.look(line).report(&self.around);
        report.target.name = line.name.as_deref().map(text::clean);
        report.finish(true);
        Entry {
            line: line.line,
            run: RunId::new(),
            report,
            has_run: false,
        }
    }
}

/// Waits for the interruption.
async fn stopped(mut interrupted: watch::Receiver<bool>) {
    if interrupted.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What the target connects to from here, for which its turns are counted.
fn host(target: &Target) -> String {
    let hop = target.ssh.iter().flat_map(|plan| plan.hops.first()).next();
    let first = target.endpoints.first();
    let host = match (hop, first) {
        (Some(hop), _) => host_port(&hop.host, hop.port),
        (None, Some(endpoint)) => endpoint.label(),
        (None, None) => String::new(),
    };
    host.to_ascii_lowercase()
}
