//! The report if this process may not open enough files to start: the same finding
//! as when a run hits the limit at its first connection.

use super::{Exit, output};
use crate::cause::tcp;
use crate::cli::{Command, OutputArgs};
use crate::finding::Finding;
use crate::report::{Environment, Report, Stage};
use crate::system::System;

/// Reports the lack for a command that would have connected; for any other it
/// says so and ends as a program that cannot start.
pub fn report(command: &Command, error: &std::io::Error) -> Exit {
    let Some((name, until, output)) = connects(command) else {
        crate::terminal::say(format_args!("dbdoctor: cannot start: {error}"));
        return Exit::Defect;
    };
    if let Err(exit) = output::writable(output) {
        return exit;
    }
    let stages: Vec<Stage> = Stage::RUN.into_iter().filter(|s| *s <= until).collect();
    let mut report = Report::new(name, &stages, Environment::default());
    let record = report.stage(Stage::Tcp);
    record.begin();
    record.end(Some(
        Finding::new(&tcp::LOCAL)
            .with("address", "the server")
            .with("resource", "this process's file descriptors")
            .with("error", error.to_string())
            .with("errno", "EMFILE"),
    ));
    report.finish(false);
    output::conclude(&report, output, &System::of_process())
}

/// The command's name, its last stage and its output, where it gets as far as
/// a connection.
fn connects(command: &Command) -> Option<(&'static str, Stage, &OutputArgs)> {
    Some(match command {
        // There is no report of one target.
        Command::Check(args) if args.many.targets.is_some() => return None,
        Command::Check(args) => ("check", Stage::Idle, &args.run.output),
        Command::Tcp(args) => ("tcp", Stage::Tcp, &args.run.output),
        Command::Tunnel(args) => ("tunnel", Stage::Tunnel, &args.run.output),
        Command::Tls(args) => ("tls", Stage::Tls, &args.stage.run.output),
        Command::Auth(args) => ("auth", Stage::Auth, &args.stage.run.output),
        Command::Idle(args) => ("idle", Stage::Idle, &args.run.output),
        Command::Stress(args) => ("stress", Stage::Server, &args.run.output),
        _ => return None,
    })
}
