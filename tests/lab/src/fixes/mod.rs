//! The commands in the fixes of the pages, each run on its fault.
//!
//! A [`FixRun`] takes a scenario, has dbdoctor find its cause, runs the command that the report
//! prints, as it stands, in a shell, and looks at what is so afterwards.

mod auth;
mod client;
mod config;
mod dns;
mod idle;
mod pooler;
mod protocol;
mod server;
mod server_log;
mod ssh;
mod tap;
mod tcp;
mod tls;

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::case::{Case, Scenario};
use crate::certs::write_mode;
use crate::lab::Lab;
use crate::postgres::{Postgres, bin_dir};
use crate::process::{Finished, PATH, Tool};
use crate::proxy::free_port;
use crate::run::{command, surroundings};
use crate::scenario;

/// Of the locked keys in `scenario/key.rs`.
const PASSPHRASE: &str = "open sesame";

const LIMIT: Duration = Duration::from_secs(60);

/// How long a server may take to act on what it was told.
const SETTLE: Duration = Duration::from_secs(3);

/// A command of a fix, and what it does to its fault.
#[derive(Debug)]
pub struct FixRun {
    /// The cause whose page has it.
    pub cause: &'static str,
    /// How the command begins.
    pub command: &'static str,
    /// The scenario with the fault.
    pub scenario: &'static str,
    /// What is so afterwards.
    then: Then,
    /// Whether it is pasted on the server's machine, and not where the client runs.
    on_server: bool,
    /// What the text of the fix says to do before.
    first: Option<fn(&Lab, &Case) -> Result<()>>,
    /// What is typed into the program that the command starts.
    typed: Option<&'static str>,
    /// A word that the text of the fix says to replace by the password.
    password: Option<&'static str>,
}

impl FixRun {
    const fn new(
        cause: &'static str,
        command: &'static str,
        scenario: &'static str,
        then: Then,
    ) -> Self {
        FixRun {
            cause,
            command,
            scenario,
            then,
            on_server: false,
            first: None,
            typed: None,
            password: None,
        }
    }

    /// Pasted on the server's machine.
    const fn on_server(self) -> Self {
        FixRun {
            on_server: true,
            ..self
        }
    }

    /// Pasted after this was done.
    const fn after(self, first: fn(&Lab, &Case) -> Result<()>) -> Self {
        FixRun {
            first: Some(first),
            ..self
        }
    }

    /// Pasted, and then this typed.
    const fn typing(self, typed: &'static str) -> Self {
        FixRun {
            typed: Some(typed),
            ..self
        }
    }

    /// Pasted with the password in place of this word.
    const fn with_password(self, word: &'static str) -> Self {
        FixRun {
            password: Some(word),
            ..self
        }
    }
}

/// A command that is not run: cause, how the command begins, and why.
pub type Excuse = (&'static str, &'static str, &'static str);

/// Why a command of a cluster is not run.
const KUBECTL: &str = "needs a Kubernetes cluster, which the tests do not start";

/// What a command does.
#[derive(Debug)]
enum Then {
    /// The fault is gone: dbdoctor passes.
    Passes,
    /// The fault is gone, and with it what hid this one.
    Fails(&'static str),
    /// The cause is no longer found, whatever the rest of the run.
    Gone,
    /// The cause is no longer found, and ssh-keygen finds this host in the file of known hosts.
    GoneAndKnown(&'static str),
    /// It only looks, and prints this, on either stream.
    Prints(&'static str),
    /// The fault is gone where this word of dbdoctor's arguments is replaced by that one.
    PassesWith(&'static str, &'static str),
    /// The fault is gone where the target has this host.
    PassesAt(&'static str),
    /// It stays, and dbdoctor passes through the forward that it opens.
    Forwards,
    /// It only looks, and prints what the evidence of this name says.
    PrintsEvidence(&'static str),
    /// It only looks, and prints two lines that differ.
    PrintsTwoLines,
    /// It prints this and no more, not even the end of the line.
    PrintsOnly(&'static str),
    /// It only looks, there is nothing to see, and its exit status says so.
    FindsNothing,
    /// It writes a key that dbdoctor finds no fault with: the last word of the command, or the
    /// file that the evidence of this name says, with this behind it.
    WritesKey(Option<&'static str>, &'static str),
}

/// What a psql is asked that a command starts, and its answer.
const SELECT: &str = "select 'conn' || 'ected';\n";
const CONNECTED: Then = Then::Prints("connected");

/// What is run and what is not, of each family; those that wait longest come first.
const TABLES: &[(&[FixRun], &[Excuse])] = &[
    (idle::RUN, idle::NOT_RUN),
    (ssh::RUN, ssh::NOT_RUN),
    (tls::RUN, tls::NOT_RUN),
    (auth::RUN, auth::NOT_RUN),
    (config::RUN, config::NOT_RUN),
    (dns::RUN, dns::NOT_RUN),
    (tcp::RUN, tcp::NOT_RUN),
    (server::RUN, server::NOT_RUN),
    (server_log::RUN, server_log::NOT_RUN),
    (pooler::RUN, pooler::NOT_RUN),
    (protocol::RUN, protocol::NOT_RUN),
    (client::RUN, client::NOT_RUN),
    (tap::RUN, tap::NOT_RUN),
];

/// Every command that is run.
pub fn runs() -> impl Iterator<Item = &'static FixRun> {
    TABLES.iter().flat_map(|(runs, _)| *runs)
}

/// Every command that is not.
pub fn excuses() -> impl Iterator<Item = &'static Excuse> {
    TABLES.iter().flat_map(|(_, excuses)| *excuses)
}

/// Runs the command on its fault.
///
/// # Errors
/// Why it is no fix.
pub fn run_fix(lab: &Lab, fix: &FixRun, bin: &Path) -> Result<()> {
    let scenario = scenario(fix)?;
    let mut case = (scenario.setup)(lab)?;
    // What a command leaves there must be found afterwards.
    case.home = case.home.map_or_else(|| lab.dir("home"), Ok).map(Some)?;
    case.cwd = case.cwd.map_or_else(|| lab.dir("cwd"), Ok).map(Some)?;
    let before = report(lab, &case, bin)?;
    let finding = find(&before, fix.cause).context("dbdoctor does not find the cause")?;
    let command = fixes(finding)
        .find(|command| command.starts_with(fix.command))
        .or_else(|| fixes(finding).find(|command| has_words(command, fix.command)))
        .with_context(|| format!("no fix begins with {:?}: {finding:#}", fix.command))?;
    if let Some(first) = fix.first {
        first(lab, &case).context("cannot do what comes before")?;
    }
    if matches!(fix.then, Then::Forwards) {
        return forwards(lab, &case, command, bin).with_context(|| format!("by {command}"));
    }
    let done = paste(lab, &case, fix, command, bin)?;
    let printed = format!("{}{}", done.stdout, done.stderr);
    let describe = || format!("after {command}\n{printed}");
    match fix.then {
        Then::Prints(text) => {
            // Columns are as wide as their widest value.
            let words: Vec<&str> = printed.split_whitespace().collect();
            ensure!(words.join(" ").contains(text), "no {text:?} {}", describe());
        }
        Then::PrintsTwoLines => {
            let lines: Vec<&str> = printed.lines().collect();
            let [one, two] = lines[..] else {
                bail!("not two lines {}", describe());
            };
            ensure!(one != two, "they are the same {}", describe());
        }
        Then::PrintsEvidence(name) => {
            let text = finding["evidence"][name].as_str();
            let text = text.with_context(|| format!("no evidence {name}: {finding:#}"))?;
            ensure!(printed.contains(text), "no {text:?} {}", describe());
        }
        Then::PrintsOnly(text) => ensure!(printed == text, "it prints {printed:?}"),
        Then::FindsNothing => ensure!(
            printed.trim().is_empty() && done.status != Some(0),
            "status {:?} {}",
            done.status,
            describe()
        ),
        Then::WritesKey(evidence, suffix) => {
            let path = match evidence {
                Some(name) => finding["evidence"][name].as_str(),
                None => command.split_whitespace().last(),
            };
            let path = format!("{}{suffix}", path.context("no such evidence")?);
            let case = Case::key(path);
            let verdict = report(lab, &case, bin).with_context(describe)?;
            ensure!(
                verdict["verdict"]["status"] != "fail",
                "{verdict:#} {}",
                describe()
            );
        }
        Then::Forwards => {}
        Then::Gone => mended(lab, &case, fix, bin).with_context(describe)?,
        Then::GoneAndKnown(host) => {
            mended(lab, &case, fix, bin).with_context(describe)?;
            let route = case.ssh.as_ref().context("no route")?;
            let file = route.known_hosts.as_ref().context("no known hosts")?;
            let find = Tool::new("ssh-keygen").args(["-F", host, "-f"]);
            find.arg(file.display()).succeed().with_context(describe)?;
        }
        Then::PassesWith(from, to) => {
            for arg in &mut case.args {
                *arg = arg.replace(from, to);
            }
            mended(lab, &case, fix, bin).with_context(describe)?;
        }
        Then::PassesAt(host) => {
            let conn = case.conn.clone().context("the target is not in parts")?;
            let (before, after) = (conn.to_string(), conn.set("host", host).to_string());
            for arg in &mut case.args {
                *arg = arg.replace(&before, &after);
            }
            mended(lab, &case, fix, bin).with_context(describe)?;
        }
        Then::Passes | Then::Fails(_) => mended(lab, &case, fix, bin).with_context(describe)?,
    }
    Ok(())
}

/// Whether dbdoctor gets to the case's database through the forward of a command, which is given
/// a free port.
fn forwards(lab: &Lab, case: &Case, command: &str, bin: &Path) -> Result<()> {
    let port = free_port();
    let command = command.replace("127.0.0.1:15432:", &format!("127.0.0.1:{port}:"));
    let tool = Tool::new("bash").arg("-c").arg(command);
    let log = lab.dir("forward")?.join("log");
    let forward = surroundings(lab, case, tool)?.serve(log, "TERM")?;
    forward.wait_ready(|| TcpStream::connect(("127.0.0.1", port)).is_ok())?;
    let conn = case.conn.clone().context("the target is not in parts")?;
    let conn = conn.set("host", "127.0.0.1").set("port", port);
    let near = Case::check(conn).password(lab.password());
    let after = report(lab, &near, bin)?;
    let status = after["verdict"]["status"].as_str();
    ensure!(
        matches!(status, Some("pass" | "warn")),
        "{:#}",
        after["verdict"]
    );
    Ok(())
}

/// Whether the fault is gone. A server reads its files again some time after it was told to.
fn mended(lab: &Lab, case: &Case, fix: &FixRun, bin: &Path) -> Result<()> {
    let end = Instant::now() + SETTLE;
    loop {
        let after = report(lab, case, bin)?;
        let verdict = &after["verdict"];
        let status = verdict["status"].as_str();
        let mended = match fix.then {
            Then::Passes | Then::PassesWith(..) | Then::PassesAt(_) => {
                matches!(status, Some("pass" | "warn"))
            }
            Then::Fails(cause) => status == Some("fail") && verdict["cause"] == cause,
            _ => find(&after, fix.cause).is_none(),
        };
        if mended {
            return Ok(());
        }
        if !fix.on_server || Instant::now() > end {
            bail!("still there: {verdict:#}");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The scenario that has the fault.
///
/// # Errors
/// There is none of that name.
pub fn scenario(fix: &FixRun) -> Result<&'static Scenario> {
    let mut all = scenario::all().into_iter();
    all.find(|scenario| scenario.name == fix.scenario)
        .with_context(|| format!("no scenario {}", fix.scenario))
}

fn report(lab: &Lab, case: &Case, bin: &Path) -> Result<Value> {
    let run = command(lab, case, bin)?.run(LIMIT)?;
    serde_json::from_str(&run.stdout).with_context(|| format!("no report: {run}"))
}

fn find<'a>(report: &'a Value, cause: &str) -> Option<&'a Value> {
    scenario::findings(report).find(|finding| finding["cause"] == cause)
}

/// Whether the command has these words in this order, and the first one at its beginning: `ssh -N`
/// is `ssh -F FILE -N` where the configuration was named.
fn has_words(command: &str, words: &str) -> bool {
    let mut all = command.split_whitespace();
    let mut words = words.split_whitespace();
    words.next() == all.next() && words.all(|word| all.any(|other| other == word))
}

fn fixes(finding: &Value) -> impl Iterator<Item = &str> {
    let fixes = finding["fixes"].as_array().into_iter().flatten();
    fixes.filter_map(|fix| fix["command"].as_str())
}

/// Runs a command as a person would who pastes it: in a shell, where the case runs or, for a
/// command for the server, on a machine whose PostgreSQL is the case's. What ssh's programs ask
/// is answered with the passphrase of the lab's keys.
fn paste(lab: &Lab, case: &Case, fix: &FixRun, command: &str, bin: &Path) -> Result<Finished> {
    let command = match fix.password {
        Some(word) => command.replace(word, lab.password()),
        None => command.to_owned(),
    };
    // Without the terminal of whoever runs the test, on which programs would ask.
    let mut tool = Tool::new("setsid").args(["-w", "bash", "-c"]).arg(command);
    if let Some(typed) = fix.typed {
        tool = tool.stdin(typed);
    }
    let tool = if fix.on_server {
        let server = kept_server(case)?;
        let programs = bin_dir().context("no PostgreSQL server is installed")?;
        tool.env("PATH", format!("{PATH}:{}", programs.display()))
            .env("PGHOST", server.socket_dir().display())
            .env("PGPORT", server.port())
            .env("PGDATA", server.data_dir().display())
    } else {
        let dir = lab.dir("paste")?;
        let ask = format!("#!/bin/sh\necho '{PASSPHRASE}'\n");
        write_mode(&dir.join("askpass"), ask, 0o755)?;
        let folder = bin.parent().context("a program without a folder")?;
        let tool = tool
            .env("PATH", format!("{}:{PATH}", folder.display()))
            .env("SSH_ASKPASS", dir.join("askpass").display())
            .env("SSH_ASKPASS_REQUIRE", "force");
        surroundings(lab, case, tool)?
    };
    tool.run(LIMIT)
}

/// The PostgreSQL server that the case keeps.
fn kept_server(case: &Case) -> Result<&Postgres> {
    let mut kept = case.guard.iter();
    let server = kept.find_map(|thing| match thing.downcast_ref::<Arc<Postgres>>() {
        Some(shared) => Some(shared.as_ref()),
        None => thing.downcast_ref::<Postgres>(),
    });
    server.context("the case keeps no PostgreSQL server")
}
