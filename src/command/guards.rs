//! Which command checks which guard. A guard that the command would not check is a
//! usage error: ignoring it would let any server pass.

use crate::cli::GuardArgs;
use crate::report::Stage;

/// Every guard, by the name of its flag, and the stage that judges it.
const GUARDS: [(&str, Stage); 9] = [
    ("not-host", Stage::Config),
    ("expect-database", Stage::Server),
    ("expect-role", Stage::Server),
    ("expect-server-version", Stage::Server),
    ("expect-cluster-name", Stage::Server),
    ("expect-writable", Stage::Server),
    ("warn-cert-days", Stage::Tls),
    ("fail-cert-days", Stage::Tls),
    ("warn-latency", Stage::Dns),
];

/// Every command that takes guards, and the last stage that it comes to where
/// one asks for it.
const COMMANDS: [(&str, Stage); 10] = [
    ("config", Stage::Config),
    ("tap", Stage::Config),
    ("dns", Stage::Dns),
    ("tcp", Stage::Tcp),
    ("tunnel", Stage::Tunnel),
    ("tls", Stage::Tls),
    ("auth", Stage::Server),
    ("check", Stage::Idle),
    ("idle", Stage::Idle),
    ("stress", Stage::Stress),
];

/// The last stage of a run that ends at `until` when nothing is guarded: `auth`
/// goes on to the server where a guard is about it.
///
/// # Errors
/// The usage error if the command does not run the stage that checks a guard. A
/// guard or command that is in neither table counts as not checked.
pub fn last_stage(command: &str, until: Stage, guards: &GuardArgs) -> Result<Stage, String> {
    let mut last = until;
    for flag in guards.given() {
        match (judge(flag), reach(command)) {
            (Some(judge), Some(reach)) if judge <= reach => last = last.max(judge),
            (judge, _) => return Err(unjudged(command, flag, judge)),
        }
    }
    Ok(last)
}

fn judge(flag: &str) -> Option<Stage> {
    GUARDS.iter().find(|row| row.0 == flag).map(|row| row.1)
}

fn reach(command: &str) -> Option<Stage> {
    COMMANDS
        .iter()
        .find(|row| row.0 == command)
        .map(|row| row.1)
}

fn unjudged(command: &str, flag: &str, judge: Option<Stage>) -> String {
    let others: Vec<String> = ["tls", "auth", "check"]
        .iter()
        .filter(|other| reach(other) >= judge)
        .map(|other| format!("dbdoctor {other}"))
        .collect();
    format!(
        "{command} does not check --{flag}: use {}",
        others.join(" or ")
    )
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::cli::{Cli, Command, RunArgs};

    /// The guards that clap knows for a command, with a value for each.
    fn guards_of(command: &clap::Command) -> Vec<(String, Vec<String>)> {
        command
            .get_arguments()
            .filter(|arg| arg.get_help_heading() == Some("Guards"))
            .map(|arg| {
                let flag = arg.get_long().unwrap().to_owned();
                let mut given = vec![format!("--{flag}")];
                if arg.get_action().takes_values() {
                    let possible = arg.get_possible_values();
                    let value = match possible.first() {
                        Some(value) => value.get_name().to_owned(),
                        None => "15".to_owned(),
                    };
                    given.push(value);
                }
                (flag, given)
            })
            .collect()
    }

    fn run_args(command: &Command) -> Option<&RunArgs> {
        match command {
            Command::Config(args) => Some(&args.run),
            Command::Check(args) => Some(&args.run),
            Command::Dns(args) | Command::Tcp(args) => Some(&args.run),
            Command::Tunnel(args) => Some(&args.run),
            Command::Tls(args) | Command::Auth(args) => Some(&args.stage.run),
            Command::Idle(args) => Some(&args.run),
            Command::Stress(args) => Some(&args.run),
            Command::Tap(args) => Some(&args.run),
            Command::Key(_)
            | Command::Sockets(_)
            | Command::Explain(_)
            | Command::Diff(_)
            | Command::Completions { .. }
            | Command::Man { .. }
            | Command::Schema { .. } => None,
        }
    }

    #[test]
    fn every_command_judges_or_refuses_every_guard() {
        let mut commands = Vec::new();
        let mut flags = Vec::new();
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            let takes_target = command.get_arguments().any(|arg| arg.get_id() == "target");
            let guards = guards_of(command);
            assert_eq!(takes_target, !guards.is_empty(), "{name}");
            if guards.is_empty() {
                continue;
            }
            commands.push(name.to_owned());
            flags = guards.iter().map(|(flag, _)| flag.clone()).collect();
            for (flag, given) in guards {
                let args = ["dbdoctor", name].into_iter().map(str::to_owned);
                let cli = Cli::try_parse_from(args.chain(given)).unwrap();
                let guards = &run_args(&cli.command).unwrap().target.guards;
                assert_eq!(guards.given().collect::<Vec<_>>(), [&flag]);
                let judged = last_stage(name, Stage::Config, guards);
                let until_server = matches!(name, "auth" | "check" | "idle" | "stress");
                let expected = match flag.as_str() {
                    "not-host" => true,
                    "warn-latency" => !matches!(name, "config" | "tap"),
                    "warn-cert-days" | "fail-cert-days" => name == "tls" || until_server,
                    _ => until_server,
                };
                match judged {
                    Ok(last) => assert!(expected && Some(last) == judge(&flag), "{name} {flag}"),
                    Err(said) => {
                        assert!(!expected, "{name} {flag}: {said}");
                        for part in [name, &flag, "dbdoctor auth or dbdoctor check"] {
                            assert!(said.contains(part), "{said}");
                        }
                    }
                }
            }
        }
        // Neither table has a row for what is not there.
        let sorted = |mut list: Vec<String>| {
            list.sort();
            list
        };
        let names = |rows: &[(&str, Stage)]| rows.iter().map(|row| row.0.to_owned()).collect();
        assert_eq!(sorted(commands), sorted(names(&COMMANDS)));
        assert_eq!(sorted(flags), sorted(names(&GUARDS)));
    }
}
