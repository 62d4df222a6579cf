//! `key`: checks one key file, or those named by the SSH settings, without a target
//! or any network.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::output;
use crate::cause::key as cause;
use crate::cli::KeyArgs;
use crate::config::request::SshRequest;
use crate::config::{NamedFile, ssh};
use crate::ctx::{Ctx, Detail};
use crate::finding::{Finding, Status};
use crate::pipeline::DEFAULT_TIMEOUT;
use crate::report::{Report, Stage, StageRecord};
use crate::secret::Secret;
use crate::stage::key;
use crate::system::System;

/// The files that ssh looks for where none is named (ssh_config(5),
/// `IdentityFile`), in its order.
const DEFAULTS: [&str; 7] = [
    "id_rsa",
    "id_ecdsa",
    "id_ecdsa_sk",
    "id_ed25519",
    "id_ed25519_sk",
    "id_xmss",
    "id_dsa",
];

/// Examines the keys; whatever is found is in the report.
///
/// # Errors
/// The file of `--repair` cannot be written.
pub async fn run(
    report: &mut Report,
    args: &KeyArgs,
    surroundings: Arc<System>,
) -> Result<(), String> {
    let ctx = Ctx {
        started: report.started,
        timeout: args.time.timeout.unwrap_or(DEFAULT_TIMEOUT),
        patient: false,
        detail: Detail::Failure,
        deadline: report.started + args.time.deadline,
        surroundings: surroundings.clone(),
        environment: Arc::new(report.environment.clone()),
    };
    let Some(wanted) = wanted(report, args, &surroundings) else {
        return Ok(());
    };
    let mut record = StageRecord::new(Stage::Key);
    record.begin();
    *report.stage(Stage::Key) = record.clone();
    let (mut examined, _) = key::Examination {
        passphrase: wanted.passphrase.as_ref(),
        agents: &wanted.agents,
        libraries: true,
        ctx: &ctx,
    }
    .run(&wanted.files)
    .await;
    if let (Some(copy), [one]) = (&args.repair, examined.as_mut_slice()) {
        match one.repaired.take() {
            Some(key) => {
                output::create(copy, &key.expose_bytes())?;
                one.repaired_to(copy);
            }
            None => one.not_repaired(),
        }
    }
    key::tell(&examined, &mut record);
    for finding in examined.iter().flat_map(|e| &e.findings) {
        match finding.status {
            Status::Fail => record.provisional(finding.clone()),
            _ => record.warn(finding.clone()),
        }
    }
    if examined.iter().all(|e| e.absent_default) {
        let folder = surroundings.ssh_home().map_or("~/.ssh".to_owned(), |home| {
            home.join(".ssh").display().to_string()
        });
        record.provisional(Finding::new(&cause::MISSING).with("path", folder));
    }
    // Nothing comes after this stage that could make good for a bad key.
    record.fail_all();
    record.end(None);
    *report.stage(Stage::Key) = record;
    Ok(())
}

/// What is examined.
struct KeySelection {
    files: Vec<NamedFile>,
    passphrase: Option<Secret>,
    agents: BTreeSet<PathBuf>,
}

/// Which files are meant: PATH, else those of the hops of `--ssh`, else
/// `--ssh-key`, else the default ones. `None` where the settings are wrong,
/// which the report then says.
fn wanted(report: &mut Report, args: &KeyArgs, surroundings: &System) -> Option<KeySelection> {
    let alone = |files: Vec<NamedFile>| KeySelection {
        files,
        passphrase: surroundings.var("DBDOCTOR_SSH_PASSPHRASE").map(Secret::new),
        agents: surroundings
            .var("SSH_AUTH_SOCK")
            .filter(|socket| !socket.is_empty())
            .map(PathBuf::from)
            .into_iter()
            .collect(),
    };
    let named = |path: &PathBuf| NamedFile {
        path: path.clone(),
        named: true,
    };
    if let Some(path) = &args.path {
        return Some(alone(vec![named(path)]));
    }
    let mut record = StageRecord::new(Stage::Config);
    record.begin();
    let plan = ssh::plan(
        &SshRequest::from(&args.ssh),
        surroundings,
        None,
        &mut record,
    );
    let (plan, failure) = match plan {
        Ok(plan) => (plan, None),
        Err(finding) => (None, Some(finding)),
    };
    let failed = failure.is_some();
    record.end(failure);
    if plan.is_some() || failed {
        *report.stage(Stage::Config) = record;
        report.stages.sort_by_key(|record| record.stage);
    }
    if failed {
        return None;
    }
    let Some(plan) = plan else {
        let given: Vec<NamedFile> = args.ssh.ssh_key.iter().map(named).collect();
        return Some(alone(match given.is_empty() {
            true => defaults(surroundings),
            false => given,
        }));
    };
    Some(KeySelection {
        files: key::files(&plan),
        agents: plan
            .hops
            .iter()
            .filter_map(|hop| hop.agent.clone())
            .collect(),
        passphrase: plan.passphrase,
    })
}

fn defaults(surroundings: &System) -> Vec<NamedFile> {
    let Some(home) = surroundings.ssh_home() else {
        return Vec::new();
    };
    DEFAULTS
        .iter()
        .map(|name| NamedFile {
            path: home.join(".ssh").join(name),
            named: false,
        })
        .collect()
}
