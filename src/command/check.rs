//! `check` and the stage commands: one run of the pipeline over a target.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use super::interrupt::interruption;
use super::look::{Judges, Look, RunOutcome};
use super::wait::{Next, Waiting};
use super::{Exit, idle, output, pid, thresholds, tunnel, usage, wait};
use crate::cli::{
    CheckArgs, ClientArgs, ConfigArgs, Format, KeyArgs, LoginArgs, OutputArgs, RunArgs,
    SocketsArgs, StageArgs, TunnelArgs, WaitArgs,
};
use crate::client::detect::Detected;
use crate::config::Guards;
use crate::config::request::{Request, TimeLimits};
use crate::ctx::Detail;
use crate::host_kind;
use crate::idle::{Plan, Stop};
use crate::pipeline::NotApplicable;
use crate::progress::Progress;
use crate::render::options::{self, Style};
use crate::render::progress::RunProgress;
use crate::report::{Report, Stage};
use crate::second_opinion;
use crate::system::System;
use crate::wire::linger;

/// What one command is to do.
pub struct Job<'a> {
    /// The subcommand.
    pub command: &'static str,
    /// The last stage.
    pub until: Stage,
    /// The target, the limits, the output.
    pub run: &'a RunArgs,
    /// Whether and how it is repeated.
    pub wait: Option<&'a WaitArgs>,
    /// The idle test at the end, as far as it is known before there is a server.
    pub idle: Option<Plan>,
    /// Where the tunnel is held open at the end.
    pub listen: Option<SocketAddr>,
    /// Whether other client stacks are asked too.
    pub second_opinion: bool,
    /// Whose settings they are, where that may be another one's than libpq's.
    pub client: Option<&'a ClientArgs>,
    /// The drivers of the process that is looked from.
    pub found: Vec<Detected>,
}

impl<'a> Job<'a> {
    /// One run.
    pub fn new(command: &'static str, until: Stage, run: &'a RunArgs) -> Self {
        Self {
            command,
            until,
            run,
            wait: None,
            idle: None,
            listen: None,
            second_opinion: false,
            client: None,
            found: Vec::new(),
        }
    }
}

impl Job<'_> {
    /// What is looked up beside what the stages need: who it is that listens may be what
    /// drops idle connections.
    fn detail(&self) -> Detail {
        match self.idle.is_some() || self.run.output.verbose > 0 {
            true => Detail::All,
            false => Detail::Failure,
        }
    }

    /// One run over the target.
    fn look(&self) -> Look {
        Look {
            command: self.command,
            until: self.until,
            request: self.request(),
            limits: TimeLimits::from(&self.run.time),
            detail: self.detail(),
            idle: self.idle.is_some(),
            judges: self.client.map(|client| Judges {
                asked: client.driver,
                found: self.found.iter().map(|found| found.driver).collect(),
            }),
        }
    }

    /// The target, with whose settings it is.
    fn request(&self) -> Request {
        let mut request = match self.client {
            Some(client) => pid::request(client, &self.run.target, &self.found),
            None => Request::from(&self.run.target),
        };
        // A monitor that warned of the last days must not be content after them.
        let thresholds = &mut request.guards.thresholds;
        thresholds.expired_counts |= self.run.output.format() == Format::Nagios;
        request
    }
}

/// `config`.
pub async fn config(args: &ConfigArgs) -> Exit {
    run(Job {
        client: Some(&args.client),
        ..Job::new("config", Stage::Config, &args.run)
    })
    .await
}

/// `check`.
pub async fn all(args: &CheckArgs) -> Exit {
    if let Some(file) = &args.many.targets {
        return super::targets::run(args, file).await;
    }
    if args.many.concurrency.is_some() {
        return usage("--concurrency needs --targets");
    }
    run(Job {
        wait: Some(&args.wait),
        idle: args.idle.map(Plan::new),
        second_opinion: args.second.second_opinion,
        client: Some(&args.client),
        ..Job::new("check", Stage::Idle, &args.run)
    })
    .await
}

/// `dns`, `tcp`.
pub async fn stage(command: &'static str, until: Stage, args: &StageArgs) -> Exit {
    run(Job {
        wait: Some(&args.wait),
        client: Some(&args.client),
        ..Job::new(command, until, &args.run)
    })
    .await
}

/// `tls`, `auth`.
pub async fn login(command: &'static str, until: Stage, args: &LoginArgs) -> Exit {
    run(Job {
        wait: Some(&args.stage.wait),
        second_opinion: args.second.second_opinion,
        client: Some(&args.stage.client),
        ..Job::new(command, until, &args.stage.run)
    })
    .await
}

/// `tunnel`.
pub async fn tunnel(args: &TunnelArgs) -> Exit {
    run(Job {
        wait: Some(&args.wait),
        listen: args.listen,
        second_opinion: args.second.second_opinion,
        ..Job::new("tunnel", Stage::Tunnel, &args.run)
    })
    .await
}

/// Runs the stages, again and again where that was asked for, then the idle
/// test, prints the report, and hands over to a command that waits for it.
pub async fn run(job: Job<'_>) -> Exit {
    let job = match usable(job) {
        Ok(job) => job,
        Err(exit) => return exit,
    };
    let around = Arc::new(System::of_process());
    let mut stop = pin!(interruption());
    if let Err(exit) = pid::says_something(&Request::from(&job.run.target), &around) {
        return exit;
    }
    let begun = Instant::now();
    let job = Job {
        found: pid::drivers(&around).await,
        ..job
    };
    let look = job.look();
    let mut settled = None;
    let mut waiting = Waiting::new(job.wait.and_then(|wait| wait.wait));
    let mut last: Option<Report> = None;
    let mut seen = loop {
        let mut progress = progress(&job.run.output, &around);
        let looked = look
            .run(&mut settled, &around, progress.as_mut(), stop.as_mut())
            .await;
        drop(progress);
        let mut seen = match looked {
            Ok(seen) => seen,
            Err(NotApplicable(why)) => return usage(why),
        };
        // A look that was cut short says less than the one before it.
        if seen.report.interrupted
            && seen.report.verdict().cause.is_none()
            && let Some(mut before) = last.take()
        {
            before.finish(true);
            seen.report = before;
        }
        match waiting.after(&seen.report, seen.connected.as_mut()).await {
            Next::Stop => break seen,
            Next::Again(pause) => {
                seen.close().await;
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = &mut stop => {
                        seen.report.finish(true);
                        break seen;
                    }
                }
                last = Some(seen.report);
            }
        }
    };
    waiting.conclude(&mut seen.report);
    look.through_application(&mut seen, &around, stop.as_mut())
        .await;
    // It has the target as it was written, and what comes next may last.
    drop(look);
    second_opinion(&job, &mut seen, &around, stop.as_mut()).await;
    match (job.idle, seen.connected.take()) {
        (None, Some(connected)) if job.listen.is_some() && !seen.report.interrupted => {
            if let Some(address) = job.listen {
                tunnel::hold(&mut seen.report, connected, address, stop).await;
            }
        }
        (Some(plan), Some(connected)) if !seen.report.interrupted => {
            let output = &job.run.output;
            idle::test(&mut seen.report, connected, plan, output, &around, stop).await;
        }
        (_, connected) => seen.connected = connected,
    }
    pid::tell(&mut seen.report, &around, &job.found, begun);
    thresholds::judge(
        &mut seen.report,
        &Guards::from(&job.run.target.guards).thresholds,
    );
    let then = job.wait.map(|wait| &wait.command[..]).unwrap_or_default();
    let to = match then {
        [] => output::To::Stdout,
        _ => output::To::Stderr,
    };
    let exit = output::conclude_to(to, &seen.report, &job.run.output, &around);
    seen.close().await;
    drop(seen);
    if exit.passes() && !then.is_empty() {
        linger::finish().await;
        return wait::exec(then);
    }
    exit
}

/// Asks other client stacks about what the run went through, whether it
/// passed or not.
async fn second_opinion(
    job: &Job<'_>,
    seen: &mut RunOutcome,
    around: &Arc<System>,
    stop: Stop<'_>,
) {
    let passed = seen.connected.is_some();
    let Some(connected) = seen.connected.as_mut().or(seen.left.as_mut()) else {
        return;
    };
    if !job.second_opinion || seen.report.interrupted {
        return;
    }
    let mut progress = progress(&job.run.output, around);
    progress.running(Stage::Client);
    let interrupted = tokio::select! {
        () = second_opinion::run(&mut seen.report, connected, job.until, passed) => false,
        () = stop => true,
    };
    drop(progress);
    if interrupted {
        seen.report.finish(true);
    }
}

/// What can be said about a command line before anything is done; a guard may
/// move the end of the run.
fn usable(job: Job<'_>) -> Result<Job<'_>, Exit> {
    let until = super::last_stage(job.command, job.until, job.run)?;
    if job.until == Stage::Tunnel && job.run.target.ssh.ssh.is_empty() {
        return Err(usage("no tunnel to check: set the SSH server with --ssh"));
    }
    output::writable(&job.run.output)?;
    Ok(Job { until, ..job })
}

/// `key`: the keys alone.
pub async fn key(args: &KeyArgs) -> Exit {
    if let Some(copy) = &args.repair {
        if args.path.is_none() {
            return usage("--repair needs PATH, the key file to repair");
        }
        if let Err(why) = output::creatable(copy, &args.output) {
            return usage(&why);
        }
    }
    reported(
        "key",
        &[Stage::Key],
        &args.output,
        async |report, around, progress| {
            progress.running(Stage::Key);
            super::key::run(report, args, around).await
        },
    )
    .await
}

/// `sockets`: connections that several processes hold.
pub async fn sockets(args: &SocketsArgs) -> Exit {
    reported(
        "sockets",
        &[Stage::Client],
        &args.output,
        async |report, around, progress| {
            progress.running(Stage::Client);
            let ran = super::sockets::run(report, args, around).await;
            ran.map_err(|NotApplicable(why)| why.to_owned())
        },
    )
    .await
}

/// Does what leaves a report, shows progress meanwhile, and prints the report;
/// also when it is interrupted.
async fn reported(
    command: &'static str,
    stages: &[Stage],
    output: &OutputArgs,
    work: impl AsyncFnOnce(&mut Report, Arc<System>, &mut dyn Progress) -> Result<(), String>,
) -> Exit {
    if let Err(exit) = output::writable(output) {
        return exit;
    }
    let around = Arc::new(System::of_process());
    let stop = interruption();
    let mut report = Report::new(command, stages, host_kind::detect(&around));
    let mut progress = progress(output, &around);
    let outcome = tokio::select! {
        outcome = work(&mut report, Arc::clone(&around), progress.as_mut()) => Some(outcome),
        () = stop => None,
    };
    drop(progress);
    let interrupted = outcome.is_none();
    if let Some(Err(why)) = outcome {
        return usage(&why);
    }
    report.finish(interrupted);
    output::conclude(&report, output, &around)
}

/// Progress on standard error where that is a terminal that can take it.
pub fn progress(output: &OutputArgs, around: &System) -> Box<dyn Progress> {
    let stderr = std::io::stderr();
    let able = stderr.is_terminal()
        && !output.quiet
        && around
            .var("TERM")
            .is_some_and(|term| !matches!(term.as_str(), "" | "dumb"));
    if !able {
        return Box::new(());
    }
    let height = match terminal_size::terminal_size_of(&stderr) {
        Some((_, terminal_size::Height(lines))) if lines > 0 => lines.into(),
        _ => 24,
    };
    let style = Style::new(output, around, options::width_of(stderr));
    Box::new(RunProgress::start(style, height))
}
