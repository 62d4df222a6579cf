//! The rights of another process in place of ours: no more than it has. What
//! its files say is done here with them, down to the libraries that they name.

use caps::{CapSet, Capability, CapsHashSet};
use nix::errno::Errno;
use nix::unistd::{
    Gid, Uid, getegid, geteuid, getgid, getgroups, getuid, setgroups, setresgid, setresuid,
};

use super::found::Found;

/// Gives up what the process does not have, and takes its user and groups.
///
/// # Errors
/// Where the system refuses.
pub fn take(of: &Found) -> nix::Result<()> {
    let theirs = of.status.capprm;
    let denied = |_| Errno::EPERM;
    take_user(of)?;
    for set in [CapSet::Ambient, CapSet::Inheritable] {
        caps::clear(None, set).map_err(denied)?;
    }
    for set in [CapSet::Effective, CapSet::Permitted] {
        let mut kept = held(set)?;
        kept.retain(|one| has(theirs, one));
        caps::set(None, set, &kept).map_err(denied)?;
    }
    // Nor does it get them back by starting a program.
    nix::sys::prctl::set_no_new_privs()
}

fn held(set: CapSet) -> nix::Result<CapsHashSet> {
    caps::read(None, set).map_err(|_| Errno::EPERM)
}

fn has(these: u64, capability: &Capability) -> bool {
    these & capability.bitmask() != 0
}

/// Its effective user and groups, by which the system judges what it may read.
fn take_user(of: &Found) -> nix::Result<()> {
    let user = of.mapped(of.status.euid, "uid_map").ok_or(Errno::EINVAL)?;
    let group = of.mapped(of.status.egid, "gid_map").ok_or(Errno::EINVAL)?;
    let groups = of.status.groups.iter();
    let groups: Vec<Gid> = groups
        .filter_map(|group| of.mapped(*group, "gid_map"))
        .map(Gid::from_raw)
        .collect();
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    let sorted = |mut groups: Vec<Gid>| {
        groups.sort_by_key(|group| group.as_raw());
        groups
    };
    if sorted(getgroups()?) != sorted(groups.clone()) {
        match setgroups(&groups) {
            // A user namespace may forbid it, and then nobody in it has done so.
            Err(Errno::EPERM) if of.user.is_some() => {}
            // A user's own groups may have changed since the process began.
            Err(Errno::EPERM) if !geteuid().is_root() && geteuid() == user => {}
            done => done?,
        }
    }
    if (getegid(), getgid()) != (group, group) {
        setresgid(group, group, group)?;
    }
    if (geteuid(), getuid()) != (user, user) {
        setresuid(user, user, user)?;
    }
    Ok(())
}
