//! The main run as a row next to the others: how far its own clients got.

use super::{Group, Opinion, Outcome, Scene, Step};
use crate::cause::{Cause, family};
use crate::config::TargetSessionAttrs;
use crate::finding::{Finding, Status};
use crate::report::Stage;

const SSH: &str = "dbdoctor (russh)";
const LOGIN: &str = "dbdoctor (OpenSSL)";

/// From the records of `dns` to `tunnel`.
pub fn ssh(scene: &Scene<'_>) -> Opinion {
    use Stage::*;
    let failure = first_failure(scene, &[Dns, Tcp, Ssh, Tunnel]);
    let outcome = match &failure {
        Some((_, finding)) => Outcome::Failed(ssh_step(finding.cause), words(finding)),
        None if ran(scene, Ssh) => match ran(scene, Tunnel) {
            true => Outcome::Passed(Step::Forward),
            false => Outcome::Passed(Step::SshAuth),
        },
        None => Outcome::Skipped("the run did not come to it".to_owned()),
    };
    row(
        SSH,
        Group::Ssh,
        outcome,
        failure,
        scene,
        &[Tcp, Ssh, Tunnel],
    )
}

/// From the records of `protocol` to `server`; and before them those of the
/// way there, where there is no tunnel.
pub fn login(scene: &Scene<'_>) -> Opinion {
    use Stage::*;
    let direct = scene.connected.target.ssh.is_none();
    let mut stages = vec![Protocol, Tls, Auth, Server];
    if direct {
        stages.splice(0..0, [Dns, Tcp]);
    }
    let attrs = scene.connected.target.session_attrs != TargetSessionAttrs::Any;
    // Only what libpq itself demands of a session is compared.
    let failure = first_failure(scene, &stages).filter(|(stage, _)| *stage != Server || attrs);
    let outcome = match &failure {
        Some((stage, finding)) => Outcome::Failed(
            match stage {
                Dns | Tcp => Step::Connect,
                Protocol | Tls => Step::Tls,
                Auth => Step::Login,
                _ => Step::Session,
            },
            words(finding),
        ),
        None if ran(scene, Server) && attrs => Outcome::Passed(Step::Session),
        None if ran(scene, Auth) => Outcome::Passed(Step::Login),
        None if ran(scene, Protocol) => Outcome::Passed(Step::Tls),
        None => Outcome::Skipped("the run did not come to it".to_owned()),
    };
    let own: &[Stage] = &[Protocol, Tls, Auth, Server];
    row(LOGIN, Group::Login, outcome, failure, scene, own)
}

fn row(
    stack: &'static str,
    group: Group,
    outcome: Outcome,
    failure: Option<(Stage, Finding)>,
    scene: &Scene<'_>,
    stages: &[Stage],
) -> Opinion {
    Opinion {
        stack,
        group,
        outcome,
        took: stages
            .iter()
            .filter_map(|stage| scene.stage(*stage))
            .map(|record| record.duration())
            .sum(),
        withheld: None,
        main: true,
        may_heal: failure.is_some_and(|(stage, finding)| {
            finding.retryable || matches!(stage, Stage::Dns | Stage::Tcp)
        }),
    }
}

fn ran(scene: &Scene<'_>, stage: Stage) -> bool {
    scene
        .stage(stage)
        .is_some_and(|record| record.has_run() && record.status != Status::Fail)
}

fn first_failure(scene: &Scene<'_>, stages: &[Stage]) -> Option<(Stage, Finding)> {
    stages.iter().find_map(|stage| {
        let record = scene.stage(*stage)?;
        let finding = record.all_findings().find(|f| f.status == Status::Fail)?;
        Some((*stage, finding))
    })
}

fn ssh_step(cause: &Cause) -> Step {
    match cause.stage {
        Some(Stage::Ssh) if cause.is_of(family::SSH_HOSTKEY) => Step::HostKey,
        Some(Stage::Ssh) if cause.is_of(family::SSH_AUTH) => Step::SshAuth,
        Some(Stage::Ssh) => Step::Handshake,
        Some(Stage::Tunnel) => Step::Forward,
        _ => Step::Connect,
    }
}

/// The code, and the raw error where there is one.
fn words(finding: &Finding) -> String {
    match finding
        .evidence
        .get("error")
        .and_then(|error| error.as_str())
    {
        Some(error) => format!("{}: {error}", finding.cause.code),
        None => format!("{}: {}", finding.cause.code, finding.summary()),
    }
}
