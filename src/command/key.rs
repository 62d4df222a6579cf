//! `key`: one key file, or those that the SSH settings name, without a target
//! and without any network.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cause::key as cause;
use crate::cli::KeyArgs;
use crate::ctx::Ctx;
use crate::finding::{Finding, Status};
use crate::pipeline::DEFAULT_TIMEOUT;
use crate::report::{Report, Stage, StageRecord};
use crate::secret::Secret;
use crate::stage::key;
use crate::surroundings::Surroundings;
use crate::target::NamedFile;

/// The files that ssh looks for where none is named (ssh_config(5),
/// `IdentityFile`), in its order.
const DEFAULTS: [&str; 6] = [
    "id_rsa",
    "id_ecdsa",
    "id_ecdsa_sk",
    "id_ed25519",
    "id_ed25519_sk",
    "id_dsa",
];

/// Examines the keys; whatever is found is in the report.
pub async fn run(report: &mut Report, args: &KeyArgs, surroundings: Arc<Surroundings>) {
    let ctx = Ctx {
        started: report.started,
        timeout: args.time.timeout.unwrap_or(DEFAULT_TIMEOUT),
        deadline: report.started + args.time.deadline,
        surroundings: surroundings.clone(),
        environment: Arc::new(report.environment.clone()),
    };
    let mut record = StageRecord::new(Stage::Key);
    record.begin();
    *report.stage(Stage::Key) = record.clone();

    let files = files(args, &surroundings);
    let passphrase = surroundings.var("DBDOCTOR_SSH_PASSPHRASE").map(Secret::new);
    let agents: BTreeSet<PathBuf> = surroundings
        .var("SSH_AUTH_SOCK")
        .filter(|socket| !socket.is_empty())
        .map(PathBuf::from)
        .into_iter()
        .collect();
    let (examined, _) = key::examine_all(&files, passphrase.as_ref(), &agents, &ctx).await;
    key::tell(&examined, &mut record);
    for finding in examined.iter().flat_map(|e| &e.findings) {
        match finding.status {
            Status::Fail => record.provisional(finding.clone()),
            _ => record.warn(finding.clone()),
        }
    }
    if examined.iter().all(|e| e.absent_default) {
        let folder = surroundings
            .home
            .as_ref()
            .map_or("~/.ssh".to_owned(), |home| {
                home.join(".ssh").display().to_string()
            });
        record.provisional(Finding::new(&cause::MISSING).with("path", folder));
    }
    // Nothing comes after this stage that could make good for a bad key.
    record.condemn();
    record.end(None);
    *report.stage(Stage::Key) = record;
}

/// Which files are meant: PATH, else `--ssh-key`, else the default ones.
fn files(args: &KeyArgs, surroundings: &Surroundings) -> Vec<NamedFile> {
    let named = |path: &PathBuf| NamedFile {
        path: path.clone(),
        named: true,
    };
    if let Some(path) = &args.path {
        return vec![named(path)];
    }
    if !args.ssh.ssh_key.is_empty() {
        return args.ssh.ssh_key.iter().map(named).collect();
    }
    let home = surroundings.home.clone().unwrap_or_default();
    DEFAULTS
        .iter()
        .map(|name| NamedFile {
            path: home.join(".ssh").join(name),
            named: false,
        })
        .collect()
}
