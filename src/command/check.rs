//! `check` and the stage commands: one run of the pipeline over a target.

use std::io::IsTerminal;
use std::sync::Arc;

use super::interrupt::interruption;
use super::{Exit, output, usage};
use crate::cli::{KeyArgs, OutputArgs, RunArgs};
use crate::environment;
use crate::pipeline::{self, Progress};
use crate::render::live::Live;
use crate::render::style::{self, Style};
use crate::report::{Report, Stage};
use crate::surroundings::Surroundings;

/// Runs the stages up to and including `until` and prints the report.
pub async fn run(command: &'static str, until: Stage, args: &RunArgs) -> Exit {
    if args.target.names_two_targets() {
        return usage(
            "the target is given twice: give TARGET, --url or -d with a URI, not two of them",
        );
    }
    if until == Stage::Tunnel && args.target.ssh.ssh.is_empty() {
        return usage("there is no tunnel to check: say which SSH server to go through with --ssh");
    }
    let stages: Vec<Stage> = Stage::RUN.into_iter().filter(|s| *s <= until).collect();
    reported(
        command,
        &stages,
        &args.output,
        async |report, around, progress| {
            pipeline::run(report, &args.target, &args.time, until, around, progress)
                .await
                .map(drop)
        },
    )
    .await
}

/// `key`: the keys alone.
pub async fn key(args: &KeyArgs) -> Exit {
    reported(
        "key",
        &[Stage::Key],
        &args.output,
        async |report, around, progress| {
            progress.running(Stage::Key);
            super::key::run(report, args, around).await;
            Ok(())
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
    work: impl AsyncFnOnce(
        &mut Report,
        Arc<Surroundings>,
        &mut dyn Progress,
    ) -> Result<(), pipeline::NotApplicable>,
) -> Exit {
    if let Err(exit) = output::writable(output) {
        return exit;
    }
    let around = Arc::new(Surroundings::of_process());
    let mut report = Report::new(command, stages, environment::detect(&around));
    let mut progress = progress(output, &around);
    let outcome = tokio::select! {
        outcome = work(&mut report, Arc::clone(&around), progress.as_mut()) => Some(outcome),
        () = interruption() => None,
    };
    drop(progress);
    let interrupted = outcome.is_none();
    if let Some(Err(pipeline::NotApplicable(why))) = outcome {
        return usage(why);
    }
    report.finish(interrupted);
    output::conclude(&report, output, &around)
}

/// Progress on standard error where that is a terminal that can take it.
pub fn progress(output: &OutputArgs, around: &Surroundings) -> Box<dyn Progress> {
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
    let style = Style::new(output, around, style::width_of(stderr));
    Box::new(Live::start(style, height))
}
