//! Runs dbdoctor and the reference client on a case, and compares what they say with what the
//! scenario calls for.

use std::fmt::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::case::{Case, Expect, Oracle, Scenario, SshRoute};
use crate::certs::write_mode;
use crate::conn::percent;
use crate::lab::Lab;
use crate::process::{Finished, Service, Tool, current_user, is_root};
use crate::proxy::free_port;

const DBDOCTOR_LIMIT: Duration = Duration::from_secs(60);

/// What was seen of a scenario.
#[derive(Debug)]
pub struct Outcome {
    /// The call, as a line for a shell.
    pub command: String,
    /// dbdoctor's end.
    pub run: Finished,
    /// Its report.
    pub report: Value,
    /// The reference client's end, if one was asked.
    pub oracle: Option<Finished>,
    /// What must not be shown in any form.
    pub secrets: Vec<String>,
}

/// Runs a scenario and holds dbdoctor to it. The error is everything needed to see why.
pub fn verify(lab: &Lab, scenario: &Scenario, bin: &Path) -> Result<Outcome, String> {
    let say = |error: anyhow::Error| format!("{}: {error:#}", scenario.name);
    // Real servers on a busy machine: one that does not start says nothing of dbdoctor.
    let case = (scenario.setup)(lab)
        .or_else(|error| {
            eprintln!("{}: set up once more: {error:#}", scenario.name);
            (scenario.setup)(lab)
        })
        .context("cannot set up")
        .map_err(say)?;
    let tool = command(lab, &case, bin).map_err(say)?;
    let run = tool.run(DBDOCTOR_LIMIT).map_err(say)?;
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or(Value::Null);
    let oracle = ask_oracle(lab, scenario, &case).map_err(say)?;
    let outcome = Outcome {
        command: tool.to_string(),
        run,
        report,
        oracle,
        secrets: [&case.secrets[..], &[lab.password().to_owned()]].concat(),
    };

    let problems = problems(scenario, &case, &outcome, bin);
    if problems.is_empty() {
        Ok(outcome)
    } else {
        Err(describe(scenario, &outcome, &problems))
    }
}

/// The call of dbdoctor for a case.
pub fn command(lab: &Lab, case: &Case, bin: &Path) -> Result<Tool> {
    let mut tool = surroundings(lab, case, Tool::new(bin.to_string_lossy()))?;
    tool.args.push(case.command.clone());
    if !case.args.iter().any(|arg| arg.contains("--format")) {
        tool = tool.args(["--format", "json"]);
    }
    if let Some(route) = &case.ssh {
        tool = tool.arg("--ssh").arg(route.hops.join(","));
        let files = [
            ("--ssh-key", &route.key),
            ("--ssh-known-hosts", &route.known_hosts),
            ("--ssh-config", &route.config),
        ];
        for (flag, path) in files {
            if let Some(path) = path {
                tool = tool.arg(flag).arg(path.display());
            }
        }
    }
    tool.stdin = case.stdin.clone();
    Ok(tool.args(&case.args))
}

/// Asks the reference client, if the scenario has one.
pub fn ask_oracle(lab: &Lab, scenario: &Scenario, case: &Case) -> Result<Option<Finished>> {
    let tool = match (&case.oracle, scenario.oracle) {
        (_, Oracle::None(_)) => return Ok(None),
        (Some(own), _) => own.clone(),
        (None, Oracle::Own) => bail!("the case does not say what to ask"),
        (None, Oracle::Psql) => match &case.ssh {
            Some(route) => return psql_through_ssh(lab, case, route).map(Some),
            None => psql(case.target.as_deref()),
        },
        (None, Oracle::Ssh) => {
            let route = case
                .ssh
                .as_ref()
                .context("the case does not go through SSH")?;
            let (tool, destination) = ssh(lab, case, route)?;
            tool.arg("-W").arg(database(case)?).arg(destination)
        }
        (None, Oracle::SshKeygen) => {
            let key = case.key.as_ref().context("the case has no key")?;
            let passphrase = variable(case, "DBDOCTOR_SSH_PASSPHRASE").unwrap_or_default();
            Tool::new("ssh-keygen")
                .args(["-y", "-P", passphrase, "-f"])
                .arg(key.display())
        }
    };
    surroundings(lab, case, tool)?.run(case.patience).map(Some)
}

/// Whether the reference client's end is what the scenario calls for.
pub fn oracle_agrees(scenario: &Scenario, oracle: Option<&Finished>) -> bool {
    let connects = !matches!(scenario.expect, Expect::Fail(_));
    oracle.is_none_or(|oracle| (oracle.status == Some(0)) == connects)
}

/// Environment, namespace, user and directory: the same for both programs.
pub(crate) fn surroundings(lab: &Lab, case: &Case, mut tool: Tool) -> Result<Tool> {
    let home = match &case.home {
        Some(home) => home.clone(),
        None => lab.dir("home")?,
    };
    let cwd = match &case.cwd {
        Some(cwd) => cwd.clone(),
        None => lab.dir("cwd")?,
    };
    let mut env = vec![
        ("HOME".to_owned(), home.to_string_lossy().into_owned()),
        (
            "PGSYSCONFDIR".to_owned(),
            lab.root().to_string_lossy().into_owned(),
        ),
    ];
    env.extend(case.env.iter().cloned());
    env.append(&mut tool.env);
    let over_ssh =
        case.command == "key" || case.ssh.is_some() || case.args.iter().any(|arg| arg == "--ssh");
    let database_home = case.database_home.as_ref().unwrap_or(&home);
    let passwd = match over_ssh && is_root() {
        true => Some(passwd(lab, case, database_home)?),
        false => None,
    };
    Ok(Tool {
        passwd,
        env,
        cwd: Some(cwd),
        netns: case.netns.clone(),
        user: case.run_as.clone(),
        ..tool
    })
}

/// A user database in which the case's user has this home: ssh does not look at `HOME`, and
/// must not find the files of whoever runs the lab.
fn passwd(lab: &Lab, case: &Case, home: &Path) -> Result<PathBuf> {
    if let Some(file) = &case.passwd {
        return Ok(file.clone());
    }
    let user = case.run_as.clone().unwrap_or_else(current_user);
    let mut text = String::new();
    for line in std::fs::read_to_string("/etc/passwd")?.lines() {
        let mut fields: Vec<&str> = line.split(':').collect();
        let home = home.to_string_lossy();
        if fields.len() == 7 && fields[0] == user {
            fields[5] = &home;
        }
        writeln!(text, "{}", fields.join(":"))?;
    }
    let file = lab.dir("passwd")?.join("passwd");
    write_mode(&file, text, 0o644)?;
    Ok(file)
}

fn psql(target: Option<&str>) -> Tool {
    // Another libpq may be asked, by a program that takes the same arguments.
    let program = std::env::var("LAB_PSQL").unwrap_or_else(|_| "psql".to_owned());
    let tool = Tool::new(program).args(["-XAtw", "-c", "select 'connected'"]);
    match target {
        Some(target) => tool.arg("-d").arg(target),
        None => tool,
    }
}

/// What the reference client sees at the near end of `ssh -L`.
fn psql_through_ssh(lab: &Lab, case: &Case, route: &SshRoute) -> Result<Finished> {
    anyhow::ensure!(
        case.netns.is_none(),
        "psql through ssh from inside a namespace"
    );
    let port = free_port();
    let (tool, destination) = ssh(lab, case, route)?;
    let tool = tool.args(["-N", "-o", "ExitOnForwardFailure=yes", "-L"]);
    let tool = tool
        .arg(format!("127.0.0.1:{port}:{}", database(case)?))
        .arg(destination);
    let log = lab.dir("ssh")?.join("log");
    let forward: Service = surroundings(lab, case, tool)?.serve(log, "TERM")?;
    if let Err(error) = forward.wait_ready(|| TcpStream::connect(("127.0.0.1", port)).is_ok()) {
        let stderr = error.to_string();
        return Ok(Finished {
            status: Some(255),
            stdout: String::new(),
            stderr,
            elapsed: case.patience,
        });
    }
    let near = case
        .conn
        .clone()
        .context("the case's target is not in parts")?;
    let near = near.set("hostaddr", "127.0.0.1").set("port", port);
    let done = surroundings(lab, case, psql(Some(&near.to_string())))?.run(case.patience)?;
    Ok(Finished {
        stderr: format!("{}{}", done.stderr, forward.log()),
        ..done
    })
}

/// `ssh` with the route's files, and the destination to end the call with. All is said in a
/// configuration file, since jump hosts take nothing from the command line.
pub(crate) fn ssh(lab: &Lab, case: &Case, route: &SshRoute) -> Result<(Tool, String)> {
    let dir = lab.dir("ssh")?;
    let mut config = String::from("Host *\n");
    for option in &route.options {
        writeln!(config, "{option}")?;
    }
    if let Some(key) = &route.key {
        writeln!(config, "IdentityFile {}", key.display())?;
    }
    if let Some(file) = &route.config {
        config += &std::fs::read_to_string(file).unwrap_or_default();
        config += "\nHost *\n"; // what the file does not say
    }
    let home_file = |name: &str| {
        case.database_home
            .as_ref()
            .or(case.home.as_ref())
            .map(|home| home.join(".ssh").join(name))
    };
    let defaults = ["id_rsa", "id_ecdsa", "id_ed25519"];
    let defaults: Vec<PathBuf> = defaults.iter().filter_map(|name| home_file(name)).collect();
    if route.key.is_none() && route.config.is_none() {
        // Not the files of whoever runs the lab: ssh does not look at HOME.
        for path in defaults.iter().filter(|path| path.exists()) {
            writeln!(config, "IdentityFile {}", path.display())?;
        }
        config += "IdentityFile none\n";
    }
    let known_hosts = route
        .known_hosts
        .clone()
        .or_else(|| home_file("known_hosts"));
    let known_hosts = known_hosts.unwrap_or_else(|| PathBuf::from("/dev/null"));
    writeln!(config, "UserKnownHostsFile {}", known_hosts.display())?;
    config += "GlobalKnownHostsFile /dev/null\nStrictHostKeyChecking yes\nUpdateHostKeys no\n";
    config += "ConnectTimeout 5\nNumberOfPasswordPrompts 1\n";

    let mut tool = Tool::new("ssh");
    let secrets = ["DBDOCTOR_SSH_PASSPHRASE", "DBDOCTOR_SSH_PASSWORD"];
    if secrets.iter().any(|name| variable(case, name).is_some()) {
        let ask = "#!/bin/sh\ncase \"$1\" in\n*passphrase*) echo \"$DBDOCTOR_SSH_PASSPHRASE\";;\n\
                   *) echo \"$DBDOCTOR_SSH_PASSWORD\";;\nesac\n";
        write_mode(&dir.join("askpass"), ask, 0o755)?;
        tool = tool.env("SSH_ASKPASS", dir.join("askpass").display());
        tool = tool.env("SSH_ASKPASS_REQUIRE", "force");
    } else {
        config += "BatchMode yes\n";
    }
    let path = dir.join("config");
    write_mode(&path, config, 0o644)?;
    tool = tool.arg("-F").arg(path.display());
    let (last, jumps) = route.hops.split_last().context("no SSH destination")?;
    if !jumps.is_empty() {
        tool = tool.arg("-J").arg(jumps.join(","));
    }
    let destination = if last.contains(':') {
        format!("ssh://{last}")
    } else {
        last.clone()
    };
    Ok((tool, destination))
}

/// The database's `HOST:PORT`, as the last hop sees it.
fn database(case: &Case) -> Result<String> {
    let conn = case
        .conn
        .as_ref()
        .context("the case's target is not in parts")?;
    let host = conn
        .get("hostaddr")
        .or(conn.get("host"))
        .unwrap_or("localhost");
    let port = conn.get("port").unwrap_or("5432");
    Ok(if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    })
}

fn variable<'a>(case: &'a Case, name: &str) -> Option<&'a str> {
    case.env
        .iter()
        .find(|(n, _)| n == name)
        .map(|(_, value)| value.as_str())
}

fn problems(scenario: &Scenario, case: &Case, outcome: &Outcome, bin: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    let Outcome {
        run,
        report,
        oracle,
        ..
    } = outcome;
    let (status, verdict, cause) = match scenario.expect {
        Expect::Pass => (0, None, None),
        Expect::Warn(cause) => (0, Some("warn"), Some(cause)),
        Expect::Fail(cause) => (1, Some("fail"), Some(cause)),
    };
    if run.status != Some(status) {
        problems.push(format!("exit status {:?}, not {status}", run.status));
    }
    if report.is_null() {
        problems.push("standard output is not a JSON report".to_owned());
    }
    let said = |name: &str| report["verdict"][name].as_str();
    match verdict {
        Some(verdict) if said("status") != Some(verdict) => {
            problems.push(format!("verdict {:?}, not {verdict:?}", said("status")));
        }
        None if !matches!(said("status"), Some("pass" | "warn")) => {
            problems.push(format!("verdict {:?}, not pass or warn", said("status")));
        }
        _ => {}
    }
    if let Some(cause) = cause
        && said("cause") != Some(cause)
    {
        problems.push(format!("cause {:?}, not {cause:?}", said("cause")));
    }
    let found = findings(report);
    let first = found.iter().find(|(_, status)| *status == "fail");
    if let Some((first, _)) = first
        && said("cause") != Some(first)
    {
        problems.push(format!("{first} fails first, and is not the verdict"));
    }
    for cause in &case.warns {
        if !found.contains(&(cause, "warn")) {
            problems.push(format!("no warning {cause}"));
        }
    }
    for cause in &case.forbids {
        if found.iter().any(|(found, _)| found == cause) {
            problems.push(format!("a finding {cause}"));
        }
    }
    for secret in &outcome.secrets {
        let shown = |form: &str| run.stdout.contains(form) || run.stderr.contains(form);
        if shown(secret) || shown(&percent(secret)) {
            problems.push(format!("a secret is shown: {secret}"));
        }
    }
    for check in &case.checks {
        if let Err(error) = check(report, bin) {
            problems.push(format!("{error:#}"));
        }
    }
    if !oracle_agrees(scenario, oracle.as_ref()) {
        problems.push("the reference client says otherwise than the scenario".to_owned());
    }
    problems
}

/// The causes and statuses of all findings.
fn findings(report: &Value) -> Vec<(&str, &str)> {
    let stages = report["stages"].as_array().into_iter().flatten();
    let findings = stages.flat_map(|stage| stage["findings"].as_array().into_iter().flatten());
    findings
        .filter_map(|f| Some((f["cause"].as_str()?, f["status"].as_str()?)))
        .collect()
}

fn describe(scenario: &Scenario, outcome: &Outcome, problems: &[String]) -> String {
    let Outcome {
        command,
        run,
        report,
        oracle,
        ..
    } = outcome;
    let mut text = format!("{} ({})\n", scenario.name, scenario.about);
    for problem in problems {
        let _ = writeln!(text, "  * {problem}");
    }
    let _ = writeln!(text, "expected: {:?}\ncommand: {command}", scenario.expect);
    if report.is_null() {
        let _ = writeln!(text, "dbdoctor: {run}");
    } else {
        let _ = writeln!(text, "status {:?} after {:?}", run.status, run.elapsed);
        let _ = writeln!(text, "verdict: {:#}", report["verdict"]);
        for stage in report["stages"].as_array().into_iter().flatten() {
            let _ = writeln!(
                text,
                "  {} {}: {}",
                stage["stage"], stage["status"], stage["summary"]
            );
        }
        let _ = writeln!(
            text,
            "findings: {:?}\nstderr: {}",
            findings(report),
            run.stderr.trim_end()
        );
    }
    match oracle {
        Some(oracle) => drop(writeln!(text, "reference client: {oracle}")),
        None => drop(writeln!(text, "reference client: {:?}", scenario.oracle)),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `verify` says of a dbdoctor that answers so.
    fn verdict_on(lab: &Lab, report: &str, status: i32) -> Result<Outcome, String> {
        let script = format!("#!/bin/sh\necho '{report}'\nexit {status}\n");
        let bin = lab.file("dbdoctor", script, 0o755).unwrap();
        let scenario = Scenario {
            name: "test",
            about: "fails as it should",
            expect: Expect::Fail("tcp.refused"),
            oracle: Oracle::Own,
            needs: &[],
            setup: |_| {
                let case = Case::target("host=db")
                    .asks(Tool::new("false"))
                    .warns("dns.slow");
                Ok(case.forbids("dns.disagree").secret("s3cr3t%"))
            },
        };
        verify(lab, &scenario, &bin)
    }

    #[test]
    fn holds_dbdoctor_to_the_scenario() {
        let lab = Lab::new().unwrap();
        let report = |cause: &str, warning: &str| {
            format!(
                r#"{{"verdict": {{"status": "fail", "cause": "{cause}"}},
                "stages": [{{"findings": [{{"cause": "{warning}", "status": "warn"}}]}}]}}"#
            )
        };
        let good = report("tcp.refused", "dns.slow");
        assert!(
            verdict_on(&lab, &good, 0)
                .unwrap_err()
                .contains("exit status Some(0), not 1")
        );
        assert!(
            verdict_on(&lab, "oops", 1)
                .unwrap_err()
                .contains("not a JSON report")
        );
        let other = verdict_on(&lab, &report("tcp.timeout", "dns.slow"), 1).unwrap_err();
        assert!(
            other.contains("cause Some(\"tcp.timeout\"), not \"tcp.refused\""),
            "{other}"
        );
        let warning = verdict_on(&lab, &report("tcp.refused", "dns.disagree"), 1).unwrap_err();
        assert!(warning.contains("no warning dns.slow"), "{warning}");
        assert!(warning.contains("a finding dns.disagree"), "{warning}");
        let leak = verdict_on(&lab, &report("tcp.refused", "s3cr3t%25"), 1).unwrap_err();
        assert!(leak.contains("a secret is shown"), "{leak}");
        verdict_on(&lab, &good, 1).unwrap();
    }
}
