//! The command line: parse, run, render, exit.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use dbdoctor::cli::{Cli, Command, FailOn, Format, KeyArgs, OutputArgs, RunArgs};
use dbdoctor::command::{generate, key};
use dbdoctor::finding::Status;
use dbdoctor::report::{Environment, Report, Stage};
use dbdoctor::surroundings::Surroundings;
use dbdoctor::{pipeline, render};

/// Wrong usage, or a file that cannot be written.
const USAGE: u8 = 2;
/// A defect of dbdoctor.
const DEFECT: u8 = 3;
/// Ended by Ctrl-C.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("dbdoctor: cannot start: {error}");
            return ExitCode::from(DEFECT);
        }
    };
    let status = runtime.block_on(dispatch(cli.command));
    // A blocked look-up must not hold the process once the report is printed.
    runtime.shutdown_background();
    ExitCode::from(status)
}

async fn dispatch(command: Command) -> u8 {
    match command {
        Command::Check(args) => check("check", Stage::Idle, &args).await,
        Command::Config(args) => check("config", Stage::Config, &args).await,
        Command::Dns(args) => check("dns", Stage::Dns, &args).await,
        Command::Tcp(args) => check("tcp", Stage::Tcp, &args).await,
        Command::Tunnel(args) => check("tunnel", Stage::Tunnel, &args.run).await,
        Command::Tls(args) => check("tls", Stage::Tls, &args).await,
        Command::Auth(args) => check("auth", Stage::Auth, &args).await,
        Command::Key(args) => keys(&args).await,
        Command::Completions { shell } => print(&generate::completions(shell)),
        Command::Man { command } => match generate::manual(command.as_deref()) {
            Ok(Some(page)) => print(&page),
            Ok(None) => usage("there is no such command"),
            Err(error) => {
                eprintln!("dbdoctor: {error}");
                DEFECT
            }
        },
    }
}

/// One run over a target, up to and including a stage.
async fn check(name: &'static str, until: Stage, args: &RunArgs) -> u8 {
    let stages: Vec<Stage> = Stage::RUN.into_iter().filter(|s| *s <= until).collect();
    let mut report = Report::new(name, &stages, Environment::default());
    let surroundings = Arc::new(Surroundings::of_process());
    let mut quiet = ();
    let outcome = tokio::select! {
        outcome = pipeline::run(&mut report, &args.target, &args.time, until, surroundings, &mut quiet) => Some(outcome),
        _ = tokio::signal::ctrl_c() => None,
    };
    let interrupted = outcome.is_none();
    if let Some(Err(pipeline::NotApplicable(why))) = outcome {
        return usage(why);
    }
    report.finish(interrupted);
    conclude(&report, &args.output)
}

/// Private keys, without a target.
async fn keys(args: &KeyArgs) -> u8 {
    let mut report = Report::new("key", &[Stage::Key], Environment::default());
    let surroundings = Arc::new(Surroundings::of_process());
    let interrupted = tokio::select! {
        () = key::run(&mut report, args, surroundings) => false,
        _ = tokio::signal::ctrl_c() => true,
    };
    report.finish(interrupted);
    conclude(&report, &args.output)
}

/// Prints the report and says how the process ends.
fn conclude(report: &Report, output: &OutputArgs) -> u8 {
    let shown = match output.format() {
        Format::Table => render::table::render(report),
        Format::Json => render::json::render(report),
    };
    let printed = print(&shown);
    if let Some(path) = &output.output
        && let Err(error) = std::fs::write(path, render::json::render(report))
    {
        eprintln!("dbdoctor: cannot write {}: {error}", path.display());
        return USAGE;
    }
    match report.verdict().status {
        _ if report.interrupted => INTERRUPTED,
        Status::Fail => 1,
        Status::Warn if output.fail_on == FailOn::Warn => 1,
        _ => printed,
    }
}

fn usage(why: &str) -> u8 {
    eprintln!("dbdoctor: {why}");
    USAGE
}

/// Writes to standard output; a reader that went away is not our failure.
fn print(bytes: &[u8]) -> u8 {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
    0
}
