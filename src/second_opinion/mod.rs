//! The second opinion: repeats the SSH and TLS steps with client stacks that share
//! no code with the main one.
//!
//! ```text
//! SSH    dbdoctor (russh)     libssh2       ssh
//! login  dbdoctor (OpenSSL)   native-tls    psql
//! ```
//!
//! Each stack has to meet the target's requirements: the same host-key files, the
//! same verification of certificates, no weaker way to send a password. A stack that
//! cannot is skipped, with the reason. After the main run has rejected a server, a
//! stack may at most verify it ([`earned`]). [`compare`] reports which stacks
//! succeeded where others failed; a stack that fails alone is tried again first.
//!
//! - [`libssh2`], [`openssh`]: the hop and the forward
//! - [`native`], [`psql`]: encryption and login
//! - [`baseline`]: the main run, as one more row
//! - [`earned`]: what each server may receive
//! - [`subprocess`]: installed programs, bounded in time and output
//! - [`service`]: the target in libpq's own format
//! - [`forward`]: the main run's tunnel, for psql

mod baseline;
mod compare;
mod earned;
mod forward;
mod libssh2;
mod native;
mod openssh;
mod psql;
mod service;
mod subprocess;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cause::Cause;
use crate::config::{Place, Target};
use crate::pipeline::{Connected, Failure};
use crate::report::{Report, Stage, StageRecord, ms};
use earned::Earned;

/// How many stages' time a stack may take, since it goes through several.
const STAGES_IN_ONE: u32 = 3;
/// The most time a stack gets, whatever the timeouts of the run.
const LONGEST: Duration = Duration::from_secs(20);
/// A stack is not started with less time than this left before the deadline.
const LEAST: Duration = Duration::from_millis(300);
/// The pause before a stack that failed alone is tried again.
const PAUSE: Duration = Duration::from_millis(300);

/// How far a stack may get, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Name and TCP.
    Connect,
    /// SSH key exchange.
    Handshake,
    /// SSH host key.
    HostKey,
    /// SSH authentication.
    SshAuth,
    /// The forward to the database.
    Forward,
    /// TLS, or what the server says to it.
    Tls,
    /// Start-up and authentication at the database.
    Login,
    /// What libpq demands of the session (`target_session_attrs`).
    Session,
}

impl Step {
    /// In facts.
    pub fn name(self) -> &'static str {
        match self {
            Step::Connect => "connect",
            Step::Handshake => "handshake",
            Step::HostKey => "host-key",
            Step::SshAuth => "ssh-auth",
            Step::Forward => "forward",
            Step::Tls => "tls",
            Step::Login => "login",
            Step::Session => "session",
        }
    }

    /// In sentences.
    pub fn spoken(self) -> &'static str {
        match self {
            Step::Connect => "the connection",
            Step::Handshake => "the SSH key exchange",
            Step::HostKey => "the SSH host key",
            Step::SshAuth => "SSH authentication",
            Step::Forward => "the forward to the database",
            Step::Tls => "the TLS handshake",
            Step::Login => "the login",
            Step::Session => "the target_session_attrs check",
        }
    }
}

/// What a stack is tried on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The SSH server and the forward.
    Ssh,
    /// The database.
    Login,
}

/// How a stack fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It got as far as was asked, which is this step.
    Passed(Step),
    /// It failed at this step, with these words.
    Failed(Step, String),
    /// It was not tried, and why.
    Skipped(String),
}

/// One stack's row.
#[derive(Clone, Debug)]
pub struct Opinion {
    /// The stack: `libssh2`.
    pub stack: &'static str,
    /// What it was tried on.
    pub group: Group,
    /// How it fared.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
    /// What it was not shown, and why.
    pub withheld: Option<String>,
    /// Whether it is the run itself.
    pub main: bool,
    /// Whether its failure may heal by itself, so that another's success a
    /// moment later says nothing.
    pub may_heal: bool,
}

impl Opinion {
    fn fact(&self) -> Value {
        let (outcome, step, error, reason) = match &self.outcome {
            Outcome::Passed(step) => ("passed", Some(*step), None, self.withheld.as_ref()),
            Outcome::Failed(step, error) => {
                ("failed", Some(*step), Some(error), self.withheld.as_ref())
            }
            Outcome::Skipped(reason) => ("skipped", None, None, Some(reason)),
        };
        let ran = !self.took.is_zero();
        json!({
            "stack": self.stack,
            "step": step.map(Step::name),
            "outcome": outcome,
            "error": error,
            "reason": reason,
            "ms": ran.then(|| ms(self.took)),
        })
    }
}

/// The independent stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stack {
    LibSsh2,
    OpenSsh,
    NativeTls,
    Psql,
}

impl Stack {
    fn name(self) -> &'static str {
        match self {
            Stack::LibSsh2 => "libssh2",
            Stack::OpenSsh => "ssh",
            Stack::NativeTls => "native-tls",
            Stack::Psql => "psql",
        }
    }

    fn group(self) -> Group {
        match self {
            Stack::LibSsh2 | Stack::OpenSsh => Group::Ssh,
            Stack::NativeTls | Stack::Psql => Group::Login,
        }
    }
}

/// What all stacks are tried on, and what the run saw there.
struct Scene<'a> {
    connected: &'a Connected,
    /// The run's records.
    stages: &'a [StageRecord],
    /// The last step that is of interest.
    until: Stage,
    /// Whether the run passed.
    passed: bool,
}

impl<'a> Scene<'a> {
    fn stage(&self, stage: Stage) -> Option<&'a StageRecord> {
        self.stages.iter().find(|record| record.stage == stage)
    }

    /// The cause of the first failure of a kind.
    fn failed(&self, kind: impl Fn(&Failure) -> bool) -> Option<&'static Cause> {
        let failures = self.connected.failures.iter();
        failures.filter(|f| kind(f)).map(|f| f.cause).next()
    }

    /// The SSH server that the run ended on: the one that it failed at, else
    /// the last.
    fn hop(&self) -> usize {
        let hops = self
            .connected
            .target
            .ssh
            .as_ref()
            .map_or(0, |p| p.hops.len());
        let visited = self.known(Stage::Ssh, "hops").and_then(Value::as_array);
        visited.map_or(0, Vec::len).min(hops).saturating_sub(1)
    }

    /// A fact of a stage.
    fn known(&self, stage: Stage, name: &str) -> Option<&'a Value> {
        self.stage(stage)?.facts.get(name)
    }
}

/// Tries the independent stacks on what a run went through, whether it passed
/// or not, and files what they say under `client`. The run's own session is
/// closed first: it may hold the last connection that the role may have.
pub async fn run(report: &mut Report, connected: &mut Connected, until: Stage, passed: bool) {
    if let Some(session) = connected.session.take() {
        let _ = connected.ctx.within(session.close()).await;
    }
    let mut record = StageRecord::new(Stage::Client);
    record.begin();
    let scene = Scene {
        connected,
        stages: &report.stages,
        until,
        passed,
    };
    let opinions = ask_all(&scene).await;
    let rows: Vec<Value> = opinions.iter().map(Opinion::fact).collect();
    record.fact("second_opinion", rows);
    record.summary = compare::summary(&opinions);
    for finding in compare::findings(&opinions) {
        record.warn(finding);
    }
    record.end(None);
    *report.stage(Stage::Client) = record;
    report.finish(false);
}

/// The run itself, and every stack that applies.
async fn ask_all(scene: &Scene<'_>) -> Vec<Opinion> {
    let (over_ssh, login) = (
        scene.connected.target.ssh.is_some(),
        scene.until > Stage::Tunnel,
    );
    let mut ssh = Vec::new();
    let mut database = Vec::new();
    let ask_ssh = async {
        if over_ssh {
            ssh.push(baseline::ssh(scene));
            let (first, second) =
                tokio::join!(ask(Stack::LibSsh2, scene), ask(Stack::OpenSsh, scene));
            ssh.extend([first, second]);
            again(&mut ssh, scene).await;
        }
    };
    let ask_database = async {
        if login {
            database.push(baseline::login(scene));
            // One after the other: connections may be scarce.
            database.push(ask(Stack::NativeTls, scene).await);
            database.push(ask(Stack::Psql, scene).await);
            again(&mut database, scene).await;
        }
    };
    tokio::join!(ask_ssh, ask_database);
    ssh.extend(database);
    ssh
}

/// A stack that failed where another got through is tried once more: only a
/// failure that stays is told.
async fn again(opinions: &mut [Opinion], scene: &Scene<'_>) {
    for at in 0..opinions.len() {
        let Some(stack) = stack_of(opinions[at].stack) else {
            continue;
        };
        if !compare::fails_alone(&opinions[at], opinions) {
            continue;
        }
        tokio::time::sleep(PAUSE).await;
        let once_more = ask(stack, scene).await;
        match once_more.outcome {
            Outcome::Skipped(_) => opinions[at].may_heal = true,
            _ => opinions[at] = once_more,
        }
    }
}

fn stack_of(name: &str) -> Option<Stack> {
    [
        Stack::LibSsh2,
        Stack::OpenSsh,
        Stack::NativeTls,
        Stack::Psql,
    ]
    .into_iter()
    .find(|stack| stack.name() == name)
}

/// One stack, within its time.
async fn ask(stack: Stack, scene: &Scene<'_>) -> Opinion {
    let ctx = &scene.connected.ctx;
    let began = Instant::now();
    let full = began + (ctx.timeout * STAGES_IN_ONE).min(LONGEST);
    let limit = full.min(ctx.deadline);
    let earned = Earned::by(stack.group(), scene);
    let opinion = |outcome: Outcome, took: Duration| Opinion {
        stack: stack.name(),
        group: stack.group(),
        outcome,
        took,
        withheld: earned.reason(),
        main: false,
        may_heal: false,
    };
    if let (Earned::Nothing(_), Some(why)) = (earned, earned.reason()) {
        return opinion(Outcome::Skipped(why), Duration::ZERO);
    }
    if limit.saturating_duration_since(began) < LEAST {
        let why = "no time left before --deadline".to_owned();
        return opinion(Outcome::Skipped(why), Duration::ZERO);
    }
    let outcome = match stack {
        Stack::LibSsh2 => libssh2::ask(scene, earned, limit).await,
        Stack::OpenSsh => openssh::ask(scene, earned, limit).await,
        Stack::NativeTls => native::ask(scene, earned, limit).await,
        Stack::Psql => psql::ask(scene, earned, limit).await,
    };
    let cut_short = Instant::now() >= ctx.deadline;
    match outcome {
        Outcome::Failed(..) if cut_short => {
            let why = "--deadline passed before it finished".to_owned();
            opinion(Outcome::Skipped(why), Duration::ZERO)
        }
        Outcome::Skipped(why) => opinion(Outcome::Skipped(why), Duration::ZERO),
        outcome => opinion(outcome, began.elapsed()),
    }
}

/// Why a stack that would look this name up by itself is not asked: what it
/// found would not be judged.
fn would_look_up(target: &Target, place: &Place) -> Option<String> {
    let guarded = !target.guards.not_host.is_empty();
    (guarded && matches!(place, Place::Name(_)))
        .then(|| "it resolves the name itself, bypassing --not-host".to_owned())
}

/// The words for a stack that did not come back in time.
fn late(limit: Instant, began: Instant) -> String {
    let waited = limit.saturating_duration_since(began);
    format!("not finished after {:.1} s", waited.as_secs_f64())
}
