//! Keys that only an agent has: the agent is away, lacks the key, is locked, or does not sign.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{Agent, Case, Expect, Lab, Need, Oracle, Scenario, Tool};

/// The message that asks for a signature (draft-miller-ssh-agent).
const SIGN_REQUEST: u8 = 13;

/// The lab's public key, without its private half beside it.
fn public_alone(lab: &Lab) -> Result<PathBuf> {
    let public = fs::read_to_string(lab.client_key()?.with_extension("pub"))?;
    lab.file("alone.pub", public, 0o644)
}

/// To the shared database with a key that is named by its public half, and this agent.
fn by_agent(lab: &Lab, socket: &Path) -> Result<Case> {
    let route = lab.sshd()?.route().without_key().key(public_alone(lab)?);
    let case = Case::check(lab.postgres()?.conn()).password(lab.password());
    let case = case.ssh(route).env("SSH_AUTH_SOCK", socket.display());
    Ok(case.forbids("key.public").forbids("ssh.auth.publickey"))
}

/// Holds the verdict to these words, and its fixes to the agent's socket.
fn names(case: Case, socket: &Path, words: &'static str) -> Case {
    let socket = socket.display().to_string();
    case.assert(move |report: &Value| {
        let verdict = &report["verdict"];
        let summary = verdict["summary"].as_str().unwrap_or_default();
        ensure!(summary.contains(words), "not {words:?}: {summary}");
        let fixes = verdict["fixes"].as_array().context("no fixes")?;
        let first = fixes.first().and_then(|fix| fix["text"].as_str());
        ensure!(
            first.is_some_and(|text| text.contains(&socket)),
            "{first:?}"
        );
        let list = format!("SSH_AUTH_SOCK={socket} timeout 5 ssh-add -l");
        let pasted = fixes.iter().any(|fix| fix["command"] == list.as_str());
        ensure!(pasted, "no command lists the agent's keys");
        Ok(())
    })
}

/// An agent before another one that passes on only what this lets through; it answers nothing
/// else.
fn silent(lab: &Lab, agent: &Agent, lets: fn(u8) -> bool) -> Result<PathBuf> {
    let socket = lab.dir("silent")?.join("sock");
    let listener = UnixListener::bind(&socket)?;
    let behind = agent.socket().to_owned();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let behind = behind.clone();
            thread::spawn(move || pass_on(client, &behind, lets));
        }
    });
    Ok(socket)
}

fn pass_on(mut client: UnixStream, behind: &Path, lets: fn(u8) -> bool) -> Result<()> {
    let mut agent = UnixStream::connect(behind)?;
    loop {
        let request = packet(&mut client)?;
        if request.get(4).copied().is_some_and(lets) {
            agent.write_all(&request)?;
            client.write_all(&packet(&mut agent)?)?;
        }
    }
}

/// One message with its length.
fn packet(stream: &mut UnixStream) -> Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body)?;
    Ok([&length[..], &body].concat())
}

/// Keys in agents.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "agent-key-healthy",
        "the key is named by its public half, and the agent has it",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let agent = Agent::start(lab)?;
            agent.add(&lab.client_key()?)?;
            Ok(by_agent(lab, agent.socket())?.keep(agent))
        },
    ),
    Scenario::new(
        "agent-key-away",
        "the key is named by its public half, and its agent does not run",
        Expect::Fail("ssh.auth.agent"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let socket = lab.dir("away")?.join("sock");
            let case = by_agent(lab, &socket)?;
            Ok(names(case, &socket, "its socket does not exist"))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "agent-key-stale",
        "the socket of an agent that has ended",
        Expect::Fail("ssh.auth.agent"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let socket = lab.dir("stale")?.join("sock");
            drop(UnixListener::bind(&socket)?);
            let case = by_agent(lab, &socket)?;
            Ok(names(case, &socket, "nothing is listening"))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "agent-key-lacking",
        "the agent has another key",
        Expect::Fail("ssh.auth.agent"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let agent = Agent::start(lab)?;
            agent.add(&lab.ssh_key("ed25519", "")?)?;
            let case = by_agent(lab, agent.socket())?;
            let case = names(case, agent.socket(), "does not have its private key");
            Ok(case.keep(agent))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "agent-key-locked",
        "the agent has the key and is locked",
        Expect::Fail("ssh.auth.agent"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let agent = Agent::start(lab)?;
            agent.add(&lab.client_key()?)?;
            agent.lock(lab)?;
            let case = by_agent(lab, agent.socket())?;
            let case = names(case, agent.socket(), "has no keys or is locked");
            Ok(case.keep(agent))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "agent-key-unconfirmed",
        "the agent must ask before it signs, and cannot",
        Expect::Fail("ssh.auth.agent"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let agent = Agent::start(lab)?;
            let add = Tool::new("ssh-add").args(["-q", "-c"]);
            add.arg(lab.client_key()?.display())
                .env("SSH_AUTH_SOCK", agent.socket().display())
                .succeed()?;
            let case = by_agent(lab, agent.socket())?;
            let case = names(case, agent.socket(), "it refused");
            Ok(case.keep(agent))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "agent-key-mute",
        "the agent accepts connections and answers nothing",
        Expect::Fail("ssh.auth.agent"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let agent = Agent::start(lab)?;
            let socket = silent(lab, &agent, |_| false)?;
            let case = names(by_agent(lab, &socket)?, &socket, "it does not answer");
            Ok(case.keep(agent))
        },
    )
    .oracle(Oracle::None("ssh waits for ever")),
    Scenario::new(
        "agent-key-never-signs",
        "the agent lists its keys and never answers the request to sign",
        Expect::Fail("ssh.auth.agent"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let agent = Agent::start(lab)?;
            agent.add(&lab.client_key()?)?;
            let socket = silent(lab, &agent, |request| request != SIGN_REQUEST)?;
            let case = names(by_agent(lab, &socket)?, &socket, "did not sign with it");
            Ok(case.keep(agent))
        },
    )
    .oracle(Oracle::None("ssh waits for ever")),
    Scenario::new(
        "agent-key-mute-other",
        "the agent answers nothing, and the server knows none of the key files",
        Expect::Fail("ssh.auth.agent"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let agent = Agent::start(lab)?;
            let socket = silent(lab, &agent, |_| false)?;
            let route = lab.sshd()?.route().without_key();
            let route = route.key(lab.ssh_key("ed25519", "")?);
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            let case = case.ssh(route).env("SSH_AUTH_SOCK", socket.display());
            Ok(names(case, &socket, "it does not answer").keep(agent))
        },
    )
    .oracle(Oracle::None("ssh waits for ever")),
];
