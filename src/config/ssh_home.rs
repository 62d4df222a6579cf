//! Two homes: OpenSSH looks for its files in that of the user database, most
//! other programs in `HOME`.

use std::path::PathBuf;

use nix::unistd::{AccessFlags, access};

use super::ssh::DEFAULT_KEYS;
use crate::cause::config as cause;
use crate::config::request::SshRequest;
use crate::finding::Finding;
use crate::system::{Account, System};

/// The files below `HOME` that ssh would read if it looked there. `None` where
/// there are none, and where both homes are one.
pub(super) fn unread(account: &Account, args: &SshRequest, system: &System) -> Option<Finding> {
    let home = system.var("HOME").filter(|home| !home.is_empty())?;
    let home = PathBuf::from(home);
    let same = |a: &PathBuf, b: &PathBuf| match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    };
    if same(&home, &account.home) {
        return None;
    }
    let (folder, read) = (home.join(".ssh"), account.home.join(".ssh"));
    if same(&folder, &read) {
        return None;
    }
    let mut names = Vec::new();
    if args.config.is_none() {
        names.push("config");
    }
    if args.known_hosts.is_none() {
        names.extend(["known_hosts", "known_hosts2"]);
    }
    if args.keys.is_empty() {
        names.extend(DEFAULT_KEYS);
    }
    let files: Vec<String> = names
        .into_iter()
        .filter(|name| folder.join(name).is_file())
        .map(|name| folder.join(name).display().to_string())
        .collect();
    (!files.is_empty()).then(|| {
        Finding::new(&cause::SSH_HOME)
            .with("home", home.display().to_string())
            .with("ssh_home", account.home.display().to_string())
            .with("files", files.join(", "))
            .with("folder", folder.display().to_string())
            .with("read", read.display().to_string())
            .with("user", account.name.clone())
    })
}

/// No entry for the user ID. That it can be added is said only where it can.
pub(super) fn no_user(system: &System) -> Finding {
    let writable = access("/etc/passwd", AccessFlags::W_OK).is_ok();
    Finding::new(&cause::SSH_NO_USER)
        .with("uid", system.uid)
        .word("passwd", writable.then_some("/etc/passwd"))
}
