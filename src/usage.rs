//! Usage errors, worded here because the parser's own messages repeat the arguments,
//! and an argument may contain a password.

use std::error::Error as _;
use std::ffi::OsString;
use std::fmt::Write;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{CommandFactory, FromArgMatches};

use crate::cli::Cli;
use crate::config::host_pattern::Impossible;
use crate::invocation;

/// Reads the command line. Help has the name by which dbdoctor was called.
///
/// # Errors
/// What cannot be read, and a request for help or the version.
pub fn parse() -> Result<Cli, Error> {
    let mut definition = as_called();
    let matches = definition.try_get_matches_from_mut(std::env::args_os())?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut definition))
}

/// The command line's definition, with the name by which dbdoctor was called in usage and
/// examples.
fn as_called() -> clap::Command {
    let renamed = |command: clap::Command| match command.get_after_help() {
        Some(help) => {
            let help = invocation::as_typed(&help.to_string()).into_owned();
            command.after_help(help)
        }
        None => command,
    };
    renamed(Cli::command().bin_name(invocation::name())).mut_subcommands(renamed)
}

/// Whether it looks like a misspelt flag. A private key's text begins with
/// dashes too, and so may a password.
fn is_flag(text: &str) -> bool {
    match text.strip_prefix("--") {
        Some(name) => name.len() <= 30 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
        None => text.chars().count() == 2,
    }
}

/// What to print for a command line (`args`, without the program's name) that
/// cannot be read. Flags are named, values never are.
pub fn describe(error: &Error, args: &[OsString]) -> String {
    let flag = named(error, ContextKind::InvalidArg);
    let flag = flag.as_deref();
    let text = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            "the first argument must be a command, such as check".to_owned()
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            "no command given; to start, use check".to_owned()
        }
        ErrorKind::UnknownArgument => match flag {
            Some(flag) if is_flag(flag) && is_before_command(flag, args) => {
                format!("{flag} must come after the command")
            }
            Some(flag) if is_flag(flag) => format!("unknown flag {flag}"),
            Some(_) => "unknown flag: an argument starts with a dash".to_owned(),
            None => "too many arguments; put a connection string that contains spaces in quotes"
                .to_owned(),
        },
        ErrorKind::InvalidValue if !values(error).is_empty() => {
            format!(
                "{}: use one of {}",
                flag.unwrap_or("a value"),
                values(error).join(", ")
            )
        }
        ErrorKind::InvalidValue => format!("{} needs a value", flag.unwrap_or("a flag")),
        ErrorKind::ValueValidation => {
            let why = reason(error).unwrap_or_else(|| "invalid value".to_owned());
            format!("{}: {why}", flag.unwrap_or("a value"))
        }
        ErrorKind::ArgumentConflict => {
            let flag = flag.unwrap_or("this flag");
            match named(error, ContextKind::PriorArg) {
                Some(prior) if prior != flag => format!("{flag} cannot be used with {prior}"),
                _ => format!("{flag} can be given only once"),
            }
        }
        ErrorKind::MissingRequiredArgument => {
            let are = match flag.is_some_and(|flags| flags.contains(" and ")) {
                true => "are",
                false => "is",
            };
            format!("{} {are} missing", flag.unwrap_or("an argument"))
        }
        ErrorKind::TooManyValues | ErrorKind::WrongNumberOfValues => {
            format!("{} does not take this value", flag.unwrap_or("a flag"))
        }
        ErrorKind::TooFewValues => format!("{} needs more values", flag.unwrap_or("a flag")),
        ErrorKind::NoEquals => format!("{} needs = before its value", flag.unwrap_or("a flag")),
        ErrorKind::InvalidUtf8 => "an argument is not valid UTF-8".to_owned(),
        _ => "invalid command line".to_owned(),
    };
    let mut out = format!("dbdoctor: {text}");
    let suggested = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand]
        .into_iter()
        // Of several, clap has the best last.
        .find_map(|kind| strings(error, kind).pop());
    if let Some(suggested) = suggested {
        let _ = write!(out, "; did you mean {suggested}?");
    }
    if args.is_empty() {
        let _ = write!(out, "\n\n{}", as_called().render_help());
        return out.trim_end().to_owned();
    }
    let command = command_of(args)
        .map(|name| format!(" {name}"))
        .unwrap_or_default();
    let name = invocation::name();
    let _ = write!(out, "\nTry '{name}{command} --help'.");
    if flag.is_some_and(|flag| flag.starts_with("--host") || flag == "-h") {
        let _ = write!(out, " (-h is the host, as in psql.)");
    }
    out
}

/// Whether a flag of the command was given before the command's name.
fn is_before_command(flag: &str, args: &[OsString]) -> bool {
    let first = args.first().and_then(|arg| arg.to_str());
    let Some(name) = command_of(args) else {
        return false;
    };
    let known = Cli::command();
    let command = known.find_subcommand(&name);
    let is_its = command.is_some_and(|command| {
        command.get_arguments().any(|argument| {
            let long = argument.get_long().map(|long| format!("--{long}"));
            let short = argument.get_short().map(|short| format!("-{short}"));
            long.as_deref() == Some(flag) || short.as_deref() == Some(flag)
        })
    });
    is_its && first.is_some_and(|first| first.starts_with(flag))
}

/// The first argument that is a command's name: flags with values may precede it.
fn command_of(args: &[OsString]) -> Option<String> {
    let known = Cli::command();
    args.iter()
        .find_map(|arg| known.find_subcommand(arg.to_str()?))
        .map(|command| command.get_name().to_owned())
}

/// The name of a flag or positional argument, without `=` and what follows.
/// None if the text is a value in the place of a name.
fn named(error: &Error, kind: ContextKind) -> Option<String> {
    let names: Vec<String> = strings(error, kind)
        .iter()
        .map(|text| text.split('=').next().unwrap_or_default())
        .filter(|name| {
            let is_flag = name.strip_prefix('-').is_some_and(|rest| {
                let rest = rest.trim_start_matches('-');
                rest.split(' ')
                    .next()
                    .unwrap_or_default()
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '?'))
            });
            let is_argument = name.starts_with(['<', '[']);
            is_flag || is_argument
        })
        .map(str::to_owned)
        .collect();
    (!names.is_empty()).then(|| names.join(" and "))
}

/// The values that a flag takes.
fn values(error: &Error) -> Vec<String> {
    strings(error, ContextKind::ValidValue)
}

/// Why one of our parsers rejected a value, unless the reason quotes the value.
fn reason(error: &Error) -> Option<String> {
    let source = error.source()?;
    if source.is::<std::num::ParseIntError>() {
        return Some("use a whole number".to_owned());
    }
    let why = source.to_string();
    if source.is::<Impossible>() {
        return Some(why);
    }
    let value = strings(error, ContextKind::InvalidValue);
    let repeats = value
        .iter()
        .any(|value| !value.is_empty() && why.contains(value.as_str()));
    // The bounds that our own parsers name are not the value, even where equal.
    let ours = why.starts_with("use a number") || why.starts_with("use a duration");
    (ours || !repeats).then_some(why)
}

fn strings(error: &Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        Some(ContextValue::StyledStr(text)) => vec![text.to_string()],
        Some(ContextValue::StyledStrs(texts)) => texts.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn message(args: &[&str]) -> String {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        match Cli::try_parse_from([OsString::from("dbdoctor")].iter().chain(&args)) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => describe(&error, &args),
        }
    }

    #[test]
    fn no_value_is_repeated() {
        let secret = "s3cr3t";
        let url = "postgres://app:s3cr3t@db/orders";
        for args in [
            vec![url],
            vec!["check", url, url],
            vec!["check", url, "--url", url],
            vec!["check", "--timeout", secret],
            vec!["check", "--format", secret],
            vec!["check", "--password=s3cr3t"],
            vec!["check", "--pasword=s3cr3t"],
            vec!["check", "--pasword", secret],
            vec!["check", "--expect-server-version", secret],
            vec!["check", "--expect-role", secret],
            vec!["check", "--not-host", "s3cr3t,"],
            vec!["check", "--color", secret, "--quiet"],
            vec!["key", "-----BEGIN OPENSSH PRIVATE KEY-----\ns3cr3t\n"],
            vec!["check", "-s3cr3t"],
            vec!["check", "--s3cr3t"],
            vec!["completions", secret],
            vec!["check", "--deadline=s3cr3t", "-q", "-v"],
        ] {
            let said = message(&args);
            assert!(!said.contains(secret), "{args:?}: {said}");
            assert!(said.starts_with("dbdoctor: "), "{args:?}: {said}");
        }
    }

    #[test]
    fn the_flag_and_its_values_are_named() {
        assert_eq!(
            message(&["check", "--timeout", "soon"]),
            "dbdoctor: --timeout <DURATION>: use a number with ms, s, m or h\n\
             Try 'dbdoctor check --help'."
        );
        assert_eq!(
            message(&["check", "--timeot", "5s"]),
            "dbdoctor: unknown flag --timeot; did you mean --timeout?\n\
             Try 'dbdoctor check --help'."
        );
        let said = message(&["check", "--format", "yaml"]);
        assert!(
            said.contains("--format <FORMAT>: use one of table, json"),
            "{said}"
        );
        // A reason may hold a short value by accident.
        for pattern in ["", " ", "!", ",", "a b"] {
            let said = message(&["check", "--not-host", pattern]);
            assert!(said.contains("a pattern is a host name"), "{said}");
        }
        for args in [
            &["--timeout", "3", "check"][..],
            &["-W", "check", "db"],
            &["--timeout=3", "check"],
        ] {
            let said = message(args);
            assert!(said.contains("must come after the command"), "{said}");
        }
        assert_eq!(
            message(&["chekc"]),
            "dbdoctor: the first argument must be a command, such as check; did you mean check?\n\
             Try 'dbdoctor --help'."
        );
    }
}
