//! What no form of a report may show: secrets ever, the target's names where it is
//! redacted.

use clap::{Parser, ValueEnum};
use dbdoctor::cause::{self, Cause};
use dbdoctor::cli::{Cli, Format, OutputArgs};
use dbdoctor::redact::Redactor;
use dbdoctor::render;
use dbdoctor::render::options::Style;
use dbdoctor::system::System;
use serde_json::Value;

/// The settings whose values name somebody.
const NAMING: &[&str] = &[
    "host",
    "hostaddr",
    "user",
    "dbname",
    "service",
    "application_name",
    "passfile",
    "servicefile",
    "sslcert",
    "sslkey",
    "sslrootcert",
    "sslcrl",
    "sslcrldir",
];

/// Names that every installation has, and addresses of this machine.
const COMMON: &[&str] = &[
    "postgres",
    "root",
    "localhost",
    "nobody",
    "system",
    "dbdoctor",
    "~/.",
    "127.",
    "::1",
    "var/run/",
    "nonexistent",
    "dev/",
];

/// Shorter names are in every text by chance.
const SHORTEST: usize = 5;

/// Every form of output, by its name.
pub fn formats() -> Vec<String> {
    let names = Format::value_variants().iter();
    let names = names.filter_map(|format| Some(format.to_possible_value()?.get_name().to_owned()));
    names.collect()
}

/// Holds every form of a report, plain and redacted, to what it must not show.
pub fn check(report: &Value, secrets: &[String]) -> Result<(), String> {
    for secret in secrets {
        each_form(report, |format, shown| {
            match shown.contains(secret.as_str()) {
                true => Err(format!("{format} shows the secret {secret}")),
                false => Ok(()),
            }
        })?;
    }
    let names = names(report);
    let redacted = Redactor::new(None).json(report);
    each_form(&redacted, |format, shown| {
        match names.iter().find(|name| shown.contains(name.as_str())) {
            Some(name) => Err(format!("{format} shows the name {name}:\n{shown}")),
            None => Ok(()),
        }
    })
}

/// The names of a report's target that may not be in a redacted one.
fn names(report: &Value) -> Vec<String> {
    let parameters = &report["target"]["parameters"];
    let values = NAMING
        .iter()
        .filter_map(|name| parameters[*name]["value"].as_str());
    let hops = report["target"]["ssh"].as_array().into_iter().flatten();
    let hops = hops.filter_map(Value::as_str);
    let parts = values.chain(hops).flat_map(|value| value.split([',', '@']));
    let parts = parts.map(|part| part.rsplit_once(':').map_or(part, |(host, _)| host));
    let telling = |name: &&str| {
        name.len() >= SHORTEST
            && !COMMON.iter().any(|common| bare(name).starts_with(common))
            && !is_word(name)
    };
    parts.filter(telling).map(str::to_owned).collect()
}

/// A name without what may stand before it: a bracket, the root of all paths.
fn bare(name: &str) -> &str {
    name.trim_start_matches(['[', '/'])
}

/// Whether the pages have it as a word, which then names nobody: `bastion`.
fn is_word(name: &str) -> bool {
    let texts = |cause: &'static Cause| {
        let fixes = cause.fixes.iter();
        let fixes = fixes.flat_map(|fix| [fix.text, fix.command.unwrap_or_default()]);
        [cause.summary, cause.meaning].into_iter().chain(fixes)
    };
    cause::all().flat_map(texts).any(|text| {
        let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '-');
        words.any(|word| word.eq_ignore_ascii_case(name))
    })
}

fn each_form(
    report: &Value,
    holds: impl Fn(&str, &str) -> Result<(), String>,
) -> Result<(), String> {
    let report = super::snapshot::rebuilt(report)?;
    for format in formats() {
        for verbose in ["-v", "-q"] {
            let output = output(&["--format", &format, verbose]);
            let style = Style::new(&output, &System::default(), None);
            let shown = render::report(&report, &output, &style);
            holds(&format, &String::from_utf8_lossy(&shown))?;
        }
    }
    Ok(())
}

fn output(args: &[&str]) -> OutputArgs {
    let cli = Cli::try_parse_from([&["dbdoctor", "check"], args].concat()).unwrap();
    cli.command.output().unwrap().clone()
}
