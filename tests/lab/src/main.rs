//! The lab as a program: list its scenarios, serve one to try things on, or run some.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use dbdoctor_lab::bench;
use dbdoctor_lab::cost::Cost;
use dbdoctor_lab::process::quote;
use dbdoctor_lab::{Expect, Lab, Scenario, ask_oracle, command, oracle_agrees, scenario, verify};

const USAGE: &str = "\
usage: dbdoctor-lab list                      list all scenarios
       dbdoctor-lab serve NAME                start its servers and print the command to try
       dbdoctor-lab oracle NAME…|all          run the reference client
       dbdoctor-lab show NAME…|all --bin PATH run dbdoctor and print its output
       dbdoctor-lab run NAME…|all --bin PATH  run dbdoctor and check its verdict
       dbdoctor-lab bench [WAY…] --bin PATH   compare what dbdoctor and psql cost
       dbdoctor-lab measure PROGRAM [ARG…]    print what one program costs: microseconds to its
                                              first output and its end, of CPU time; KiB
A NAME that is a prefix selects all scenarios that start with it.";

/// How often `bench` runs each program.
const RUNS: usize = 21;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    if let [first, program, rest @ ..] = &args[..]
        && first == "measure"
    {
        println!("{}", Cost::of(program, rest, None)?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut bin = PathBuf::from("dbdoctor");
    if let Some(i) = args.iter().position(|arg| arg == "--bin") {
        bin = args.get(i + 1).context("--bin needs a path")?.into();
        bin = bin.canonicalize().unwrap_or(bin);
        args.drain(i..i + 2);
    }
    let Some((first, names)) = args.split_first() else {
        bail!("{USAGE}")
    };
    match first.as_str() {
        "list" => {
            let mut out = std::io::stdout().lock();
            for scenario in scenario::all() {
                let (name, expected) = (scenario.name, expected(scenario));
                if writeln!(out, "{name:<32} {expected:<36} {}", scenario.about).is_err() {
                    break; // whoever read it has seen enough
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        "serve" => serve(select(names)?[0], bin),
        "oracle" => each(&select(names)?, |lab, scenario| {
            let case = (scenario.setup)(lab)?;
            let oracle = ask_oracle(lab, scenario, &case)?;
            let text = match &oracle {
                Some(oracle) => format!("{oracle}"),
                None => format!("{:?}", scenario.oracle),
            };
            Ok((
                oracle_agrees(scenario, oracle.as_ref()),
                text.trim().replace('\n', "\n        "),
            ))
        }),
        "show" => show(&select(names)?, &bin),
        "bench" => {
            print!("{}", bench::table(&bench::measurer()?, &bin, names, RUNS)?);
            Ok(ExitCode::SUCCESS)
        }
        "run" => each(&select(names)?, |lab, scenario| {
            Ok(match verify(lab, scenario, &bin) {
                Ok(outcome) => (true, format!("{:?}", outcome.run.elapsed)),
                Err(why) => (false, why),
            })
        }),
        _ => bail!("{USAGE}"),
    }
}

fn select(names: &[String]) -> Result<Vec<&'static Scenario>> {
    let mut chosen = Vec::new();
    for name in names {
        let all = scenario::all();
        let exact: Vec<_> = all.iter().copied().filter(|s| s.name == name).collect();
        let mut found = exact;
        if found.is_empty() {
            found = all
                .into_iter()
                .filter(|s| name == "all" || s.name.starts_with(name))
                .collect();
        }
        anyhow::ensure!(
            !found.is_empty(),
            "no scenario {name}; see dbdoctor-lab list"
        );
        chosen.extend(found);
    }
    anyhow::ensure!(!chosen.is_empty(), "{USAGE}");
    Ok(chosen)
}

fn each(
    scenarios: &[&'static Scenario],
    work: impl Fn(&Lab, &'static Scenario) -> Result<(bool, String)>,
) -> Result<ExitCode> {
    let lab = Lab::new()?;
    let mut failed = 0;
    for scenario in scenarios {
        let (mark, text) = match scenario.skipped() {
            Some(why) => ("skipped", why),
            None => match work(&lab, scenario) {
                Ok((true, text)) => ("ok", text),
                Ok((false, text)) => ("WRONG", text),
                Err(error) => ("ERROR", format!("{error:#}")),
            },
        };
        failed += usize::from(mark == "WRONG" || mark == "ERROR");
        println!(
            "{mark:<8}{} ({})\n        {text}",
            scenario.name,
            expected(scenario)
        );
    }
    println!("{failed} of {} went wrong", scenarios.len());
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn serve(scenario: &'static Scenario, bin: PathBuf) -> Result<ExitCode> {
    let lab = Lab::new()?;
    let case = (scenario.setup)(&lab)?;
    println!("# {}: {}", scenario.name, scenario.about);
    println!("# expected: {}", expected(scenario));
    let mut tool = command(&lab, &case, &bin)?;
    tool.args.retain(|arg| arg != "--format" && arg != "json"); // for people
    println!("{tool}");
    println!("# Ctrl-C ends it");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(tokio::signal::ctrl_c())?;
    Ok(ExitCode::SUCCESS)
}

/// Runs dbdoctor on each and passes on what it prints. Its end must be the expected one.
fn show(scenarios: &[&'static Scenario], bin: &Path) -> Result<ExitCode> {
    let terminal = std::io::stdout().is_terminal();
    let lab = Lab::new()?;
    let mut surprises = 0;
    for scenario in scenarios {
        if let Some(why) = scenario.skipped() {
            bail!("{}: {why}", scenario.name);
        }
        let case = (scenario.setup)(&lab)?.arg("--format=table");
        let case = match terminal {
            true => case.arg("--color=always"),
            false => case,
        };
        let mut tool = command(&lab, &case, bin)?;
        if let Some(columns) = columns() {
            tool = tool.env("COLUMNS", columns);
        }
        println!("# {}", scenario.about);
        let words = tool.args.iter().filter(|arg| !arg.starts_with("--color="));
        let words = words.filter(|arg| *arg != "--format=table");
        let words: Vec<String> = words.map(|arg| quote(arg)).collect();
        println!("$ dbdoctor {}", words.join(" "));
        let done = tool.run(std::time::Duration::from_secs(40))?;
        print!("{}{}", done.stdout, done.stderr);
        println!("(exit status {})\n", done.status.unwrap_or(-1));
        let wanted = i32::from(matches!(scenario.expect, Expect::Fail(_)));
        let cause = match scenario.expect {
            Expect::Pass => "",
            Expect::Warn(cause) | Expect::Fail(cause) => cause,
        };
        if done.status != Some(wanted) || !done.stdout.contains(cause) {
            surprises += 1;
            println!("This was to be {}.\n", expected(scenario));
        }
    }
    Ok(match surprises {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// The width of the terminal, as `stty` says it.
fn columns() -> Option<String> {
    let stty = std::process::Command::new("stty")
        .arg("size")
        .stdin(std::process::Stdio::inherit())
        .output()
        .ok()?;
    let text = String::from_utf8(stty.stdout).ok()?;
    text.split_whitespace().nth(1).map(str::to_owned)
}

fn expected(scenario: &Scenario) -> String {
    match scenario.expect {
        Expect::Pass => "pass".to_owned(),
        Expect::Warn(cause) => format!("warn {cause}"),
        Expect::Fail(cause) => format!("fail {cause}"),
    }
}
