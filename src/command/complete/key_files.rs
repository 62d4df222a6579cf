//! Files that may be a private key.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter};

use crate::system::System;

/// How much of a file is looked at, in bytes.
const HEAD: u64 = 64;

/// The key files that begin with this path, and the folders on the way to more; with nothing
/// written, those of `~/.ssh` too. Any file where none looks like a key: a damaged one need not.
pub(super) fn complete(current: &OsStr) -> Vec<CompletionCandidate> {
    let mut found = PathCompleter::any()
        .filter(looks_like_key)
        .complete(current);
    if current.is_empty() {
        let home = System::of_process()
            .ssh_home()
            .map(|home| home.join(".ssh"));
        let folder = home.map(|home| home.join("")).unwrap_or_default();
        let keys = PathCompleter::any().filter(looks_like_key);
        let keys = keys.complete(folder.as_os_str());
        found.extend(keys.into_iter().filter(|key| !is_folder(key)));
    }
    match found.iter().all(is_folder) {
        true => PathCompleter::file().complete(current),
        false => found,
    }
}

fn is_folder(candidate: &CompletionCandidate) -> bool {
    candidate.get_value().as_encoded_bytes().ends_with(b"/")
}

/// Whether a file begins as private keys do. A pipe or a device is never opened.
fn looks_like_key(path: &Path) -> bool {
    let mut head = Vec::new();
    path.is_file()
        && File::open(path)
            .and_then(|file| file.take(HEAD).read_to_end(&mut head))
            .is_ok()
        && is_key(&String::from_utf8_lossy(&head))
}

fn is_key(head: &str) -> bool {
    let head = head.trim_start_matches('\u{feff}').trim_start();
    let first = head.lines().next().unwrap_or_default();
    first.starts_with("PuTTY-User-Key-File")
        || (first.starts_with("-----BEGIN ") && first.contains("PRIVATE KEY"))
        || (first.starts_with("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_keys_are_told_from_other_files() {
        for head in [
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3B",
            "\u{feff}-----BEGIN RSA PRIVATE KEY-----",
            "\n-----BEGIN ENCRYPTED PRIVATE KEY-----",
            "PuTTY-User-Key-File-3: ssh-ed25519",
        ] {
            assert!(is_key(head), "{head}");
        }
        for head in [
            "ssh-ed25519 AAAA me",
            "-----BEGIN CERTIFICATE-----",
            "",
            "#",
        ] {
            assert!(!is_key(head), "{head}");
        }
    }
}
