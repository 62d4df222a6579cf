//! The way over SSH, from flags, variables and `ssh_config`.

use std::path::PathBuf;

use super::{Hop, HostKeyCheck, NamedFile, SshPlan};
use crate::cli::SshArgs;
use crate::finding::Finding;
use crate::report::StageRecord;
use crate::secret::Secret;
use crate::surroundings::Surroundings;

/// The hops that `--ssh` names; `None` without it.
///
/// # Errors
/// What ssh itself would stop at.
pub fn plan(
    args: &SshArgs,
    surroundings: &Surroundings,
    _record: &mut StageRecord,
) -> Result<Option<SshPlan>, Finding> {
    if args.ssh.is_empty() {
        return Ok(None);
    }
    let folder = surroundings.home.as_ref().map(|home| home.join(".ssh"));
    let inside = |name: &str| folder.as_ref().map(|folder| folder.join(name));
    let hops = args
        .ssh
        .iter()
        .map(|text| {
            let (user, rest) = match text.rsplit_once('@') {
                Some((user, rest)) => (Some(user.to_owned()), rest),
                None => (None, text.as_str()),
            };
            let (host, port) = match rest.rsplit_once(':') {
                Some((host, port)) => (host, port.parse().unwrap_or(22)),
                None => (rest, 22),
            };
            let named: Vec<NamedFile> = args
                .ssh_key
                .iter()
                .map(|path| NamedFile {
                    path: path.clone(),
                    named: true,
                })
                .collect();
            let default = [
                "id_rsa",
                "id_ecdsa",
                "id_ecdsa_sk",
                "id_ed25519",
                "id_ed25519_sk",
            ]
            .iter()
            .filter_map(|name| {
                Some(NamedFile {
                    path: inside(name)?,
                    named: false,
                })
            })
            .collect();
            Hop {
                alias: host.to_owned(),
                host: host.to_owned(),
                port,
                user: user
                    .or_else(|| surroundings.os_user.clone())
                    .unwrap_or_default(),
                identity_files: if named.is_empty() { default } else { named },
                certificate_files: Vec::new(),
                identities_only: false,
                agent: surroundings.var("SSH_AUTH_SOCK").map(PathBuf::from),
                known_hosts: match &args.ssh_known_hosts {
                    Some(path) => vec![path.clone()],
                    None => inside("known_hosts").into_iter().collect(),
                },
                global_known_hosts: match args.ssh_known_hosts {
                    Some(_) => Vec::new(),
                    None => vec![PathBuf::from("/etc/ssh/ssh_known_hosts")],
                },
                host_key_alias: None,
                host_key_check: args.ssh_host_key_check.unwrap_or(HostKeyCheck::Yes),
            }
        })
        .collect();
    Ok(Some(SshPlan {
        hops,
        passphrase: surroundings.var("DBDOCTOR_SSH_PASSPHRASE").map(Secret::new),
        password: surroundings.var("DBDOCTOR_SSH_PASSWORD").map(Secret::new),
    }))
}
