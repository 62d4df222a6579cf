//! Holds short times to their promise: with any `--timeout` and any `--deadline` a run ends in
//! time, with the verdict of the stage that was then running or the true one, never a wrong one.
//!
//! A sample of the lab's scenarios, from every stage, is run with a few times.
//! `DEADLINES=all` runs every scenario with all of them, `DEADLINES=NAME,NAME` these.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dbdoctor_lab::scenario::STAGES;
use dbdoctor_lab::{Case, Expect, Finished, Lab, Scenario};
use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

/// What ending a run may take after its time is up.
const GRACE: Duration = Duration::from_millis(500);
/// On a busy machine a process may get no processor for as long: a run that was late is
/// repeated, and is late only if it is so every time.
const TRIES: usize = 3;
/// The deadline of a run whose `--timeout` is tried.
const DEADLINE: Duration = Duration::from_secs(2);
/// A run that does not end is stopped.
const STOPPED: Duration = Duration::from_secs(40);

/// The times of a sample, and of all, in milliseconds.
const SOME: &[u64] = &[1, 10, 100];
const ALL: &[u64] = &[1, 3, 10, 30, 100, 300, 1000];

/// At least one of every stage: what passes, what fails at once, what stays silent, what is slow.
const SAMPLE: &[&str] = &[
    "config-user-unknown",
    "key-run-permissions",
    "dns-healthy",
    "dns-nxdomain",
    "dns-silent",
    "dns-slow",
    "tcp-refused",
    "tcp-dropped",
    // A server that answers after its time was named as something unknown.
    "tcp-partial-silent",
    "ssh-closed",
    "ssh-timeout",
    "ssh-timeout-auth",
    "ssh-silent",
    "ssh-auth-agent-mute",
    "ssh-hostkey-changed",
    "tunnel-target-refused",
    "tunnel-target-timeout",
    "protocol-silent",
    "tls-cert-expired",
    "tls-cert-hostname",
    // A look that was cut off made it one that serves behind a load balancer only.
    "tls-timeout",
    "auth-hba-reject",
    "auth-timeout",
];

/// The subcommands whose time is that of their stages.
const COMMANDS: &[&str] = &["check", "config", "dns", "tcp", "tunnel", "tls", "auth"];

/// Arguments that ask for more time than the stages', or for another form of report.
const EXCEPT: &[&str] = &["--wait", "--idle", "--listen", "--format", "--pid"];

/// Causes that say of a step that its time was up.
const LATE: &[&str] = &[
    "config.ssh.undecided",
    "dns.timeout",
    "tcp.timeout",
    "ssh.silent",
    "ssh.timeout",
    "ssh.known-hosts-command",
    "ssh.proxy-command.silent",
    "ssh.auth.agent-mute",
    "tunnel.target.timeout",
    "protocol.silent",
    "protocol.stall",
    "tls.timeout",
    "auth.timeout",
    "server.timeout",
];

/// Causes that say what was seen, where the look that says why was cut off.
const SEEN: &[&str] = &[
    "protocol.closed",
    "protocol.reset",
    "protocol.error-response",
    "protocol.malformed",
    "ssh.closed",
];

fn main() {
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(2);
    let which = std::env::var("DEADLINES").unwrap_or_default();
    let named: Vec<&str> = which.split(',').collect();
    let chosen = |name: &str| match &*which {
        "" => SAMPLE.contains(&name),
        "all" => true,
        _ => named.contains(&name),
    };
    let times = if which.is_empty() { SOME } else { ALL };
    let lab = Arc::new(Lab::new().expect("a temporary directory and openssl"));
    let scenarios = STAGES
        .iter()
        .flat_map(|(stage, scenarios)| scenarios.iter().map(move |scenario| (*stage, scenario)));
    let trials = scenarios
        .filter(|(_, scenario)| chosen(scenario.name))
        .map(|(stage, scenario)| trial(stage, scenario, lab.clone(), times))
        .collect();
    let conclusion = libtest_mimic::run(&args, trials);
    drop(lab); // stops the shared servers: exiting would not
    conclusion.exit();
}

fn trial(
    stage: &'static str,
    scenario: &'static Scenario,
    lab: Arc<Lab>,
    times: &'static [u64],
) -> Trial {
    let skipped = scenario.skipped();
    let ignored = skipped.is_some() && std::env::var_os("CI").is_none();
    let run = move || match &skipped {
        Some(why) => Err(format!("skipped: {why}").into()),
        None => Ok(hold(&lab, scenario, times).map_err(|error| format!("{error:#}"))?),
    };
    Trial::test(format!("{stage}::{}", scenario.name), run).with_ignored_flag(ignored)
}

/// Runs a scenario with every time, as `--timeout` and as `--deadline`.
fn hold(lab: &Lab, scenario: &Scenario, times: &[u64]) -> Result<()> {
    let case = (scenario.setup)(lab).or_else(|_| (scenario.setup)(lab));
    let mut case = case.context("cannot set up")?;
    let beside = |arg: &String| EXCEPT.iter().any(|except| arg.starts_with(except));
    if !COMMANDS.contains(&&*case.command) || case.args.iter().any(beside) {
        return Ok(());
    }
    for flag in ["--timeout", "--deadline"] {
        if let Some(at) = case.args.iter().position(|arg| arg == flag) {
            case.args.drain(at..(at + 2).min(case.args.len()));
        }
    }
    let mut problems = Vec::new();
    for ms in times {
        let limit = Duration::from_millis(*ms);
        problems.extend(run(lab, scenario, &case, Some(limit), DEADLINE)?);
        problems.extend(run(lab, scenario, &case, None, limit)?);
    }
    if !problems.is_empty() {
        // At once: a run of all takes long.
        eprintln!("{}: {}", scenario.name, problems.join("\n"));
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

/// Runs it with these times; what is wrong with it, if anything.
fn run(
    lab: &Lab,
    scenario: &Scenario,
    case: &Case,
    timeout: Option<Duration>,
    deadline: Duration,
) -> Result<Option<String>> {
    let bin = Path::new(env!("CARGO_BIN_EXE_dbdoctor"));
    let mut tool = dbdoctor_lab::command(lab, case, bin)?;
    let flag = |of: Duration| format!("{}ms", of.as_millis());
    tool = tool.args(["--deadline", &flag(deadline)]);
    if let Some(timeout) = timeout {
        tool = tool.args(["--timeout", &flag(timeout)]);
    }
    let mut late = None;
    for _ in 0..TRIES {
        let run = tool.run(STOPPED)?;
        let took = run.elapsed;
        if let Some(wrong) = wrong(scenario, &run) {
            let times = format!("timeout {timeout:?}, deadline {deadline:?}");
            return Ok(Some(format!("{times}: {wrong}")));
        }
        if took <= deadline + GRACE {
            return Ok(None);
        }
        late = Some(format!(
            "timeout {timeout:?}, deadline {deadline:?}: it took {took:?}: {}",
            stages(&serde_json::from_str(&run.stdout)?)
        ));
    }
    Ok(late)
}

/// Why an end is not one that this scenario may have under any limit.
fn wrong(scenario: &Scenario, run: &Finished) -> Option<String> {
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_default();
    let verdict = &report["verdict"];
    let status = verdict["status"].as_str().unwrap_or("none");
    let cause = verdict["cause"].as_str();
    let expected = match scenario.expect {
        Expect::Pass => None,
        Expect::Warn(cause) | Expect::Fail(cause) => Some(cause),
    };
    let must_fail = matches!(scenario.expect, Expect::Fail(_));
    let right = match (status, run.status) {
        ("pass" | "warn", Some(0)) => !must_fail,
        ("fail", Some(1)) => {
            let is_late = cause.is_some_and(|cause| LATE.contains(&cause));
            let is_seen = cause.is_some_and(|cause| SEEN.contains(&cause));
            let early = !must_fail || rank(expected) >= rank(cause);
            // What is a warning elsewhere is the verdict where no other way was left in time.
            cause == expected || is_late && early || is_seen && must_fail && early
        }
        _ => false,
    };
    (!right).then(|| {
        let status = run.status;
        let said = run.stderr.trim_end();
        format!(
            "status {status:?}, verdict {verdict:#}, expected {:?}: {}\n{said}",
            scenario.expect,
            stages(&report)
        )
    })
}

/// Where in a run a cause belongs: a time that was up after the stage of a fault would mean that
/// the fault was passed. A bad key is a verdict once the SSH server has refused what is left; a
/// tunnel that dies does so under a later stage, and so do larger packets that get stuck.
fn rank(cause: Option<&str>) -> usize {
    if matches!(cause, Some("tunnel.lost" | "protocol.stall")) {
        return usize::MAX;
    }
    const ORDER: &[&str] = &[
        "config", "dns", "tcp", "ssh", "tunnel", "protocol", "tls", "auth",
    ];
    let family = cause.and_then(|cause| cause.split('.').next());
    let family = family.map(|family| if family == "key" { "ssh" } else { family });
    let at = ORDER.iter().position(|stage| Some(*stage) == family);
    at.unwrap_or(ORDER.len())
}

/// Each stage with its status and time.
fn stages(report: &Value) -> String {
    let stages = report["stages"].as_array().into_iter().flatten();
    let stages = stages.filter(|stage| stage["status"] != "skip");
    let one = |stage: &Value| {
        format!(
            "{} {} {}",
            stage["stage"].as_str().unwrap_or_default(),
            stage["status"].as_str().unwrap_or_default(),
            stage["duration_ms"]
        )
    };
    stages.map(one).collect::<Vec<_>>().join(", ")
}
