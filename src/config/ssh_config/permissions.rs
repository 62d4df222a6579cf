//! Whether ssh would use a file of the user's, by its owner and mode
//! (readconf.c, `read_config_file_depth`).

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User};

/// What ssh has against it, for a user of this number.
pub(super) fn too_open(meta: &Metadata, uid: u32) -> Option<String> {
    if meta.uid() != 0 && meta.uid() != uid {
        return Some(format!("belongs to user number {}", meta.uid()));
    }
    let mode = meta.mode() & 0o7777;
    let by_others = match mode & 0o022 {
        0 => false,
        0o020 => !(tolerates_own_group() && is_own_group(meta, uid)),
        _ => true,
    };
    by_others.then(|| format!("has mode {mode:04o}, so that others may write it"))
}

/// Debian's ssh, and that of what is made from Debian, lets the user's own
/// group write (user-group-modes.patch).
fn tolerates_own_group() -> bool {
    Path::new("/etc/debian_version").exists()
}

/// Whether nobody but the user is in the file's group (the same patch,
/// `secure_permissions`).
fn is_own_group(meta: &Metadata, uid: u32) -> bool {
    let group = Group::from_gid(Gid::from_raw(meta.gid())).ok().flatten();
    let owner = User::from_uid(Uid::from_raw(meta.uid())).ok().flatten();
    let (Some(group), Some(owner)) = (group, owner) else {
        return false;
    };
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let primary: Vec<u32> = users
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':').skip(2);
            let (user, group) = (fields.next()?, fields.next()?);
            (group.parse() == Ok(meta.gid())).then(|| user.parse().ok())?
        })
        .collect();
    primary.iter().all(|user| *user == uid)
        && group.mem.iter().all(|name| *name == owner.name)
        && group.mem.len() <= 1
        && primary.len() + group.mem.len() > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, chown};

    #[test]
    fn files_that_others_could_write() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let uid = nix::unistd::getuid().as_raw();
        let judged = |mode: u32, uid: u32| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(file.path(), mode).unwrap();
            too_open(&std::fs::metadata(file.path()).unwrap(), uid)
        };
        for mode in [0o600, 0o644, 0o755] {
            assert_eq!(judged(mode, uid), None, "{mode:o}");
        }
        for mode in [0o666, 0o602, 0o662] {
            assert!(judged(mode, uid).is_some(), "{mode:o}");
        }
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        assert!(judged(0o620, 4242).is_some());
        chown(file.path(), Some(4242), None).unwrap();
        assert_eq!(judged(0o600, 4242), None);
        let foreign = judged(0o600, 0);
        assert_eq!(foreign.as_deref(), Some("belongs to user number 4242"));
    }
}
