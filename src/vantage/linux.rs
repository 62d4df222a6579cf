//! Going where a process stands, in the order that rights allow.

use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{chdir, chroot, fchdir, getegid, geteuid, getppid};

use super::found::Found;
use super::{Refusal, Vantage, environment, rights};

/// Reads what a process shows, then goes where it stands.
pub fn take(pid: i32) -> Result<Vantage, Refusal> {
    let parent = getppid();
    let mut found = Found::look(pid)?;
    let before = (geteuid().as_raw(), getegid().as_raw());
    let apart = [
        ("network", found.network.is_some()),
        ("files", found.root.is_some()),
        (
            "user",
            found.user.is_some() || before != (found.status.euid, found.status.egid),
        ),
    ];
    go(&found)?;
    rights::take(&found).map_err(|error| refused(&found, "runs as another user", error))?;
    again_as_before(parent).map_err(|error| refused(&found, "cannot be followed", error))?;
    environment::replace(std::mem::take(&mut found.variables));
    Ok(Vantage {
        pid,
        name: found.name,
        apart: apart
            .into_iter()
            .filter_map(|(name, is)| is.then_some(name))
            .collect(),
        traces: found.traces,
    })
}

/// A change of user undoes what was arranged at the start: that this process
/// ends with its parent, and that others may not read its memory.
fn again_as_before(parent: nix::unistd::Pid) -> nix::Result<()> {
    crate::process::die_with(parent)?;
    nix::sys::prctl::set_dumpable(false)
}

fn go(found: &Found) -> Result<(), Refusal> {
    // Whoever is not root gets the rights to the others in its user namespace,
    // where it owns that; root would lose its rights to the others there.
    let user_first = !geteuid().is_root();
    if user_first {
        enter_user(found)?;
    }
    if let Some(network) = &found.network {
        let entered = setns(network, CloneFlags::CLONE_NEWNET);
        entered.map_err(|error| refused(found, "is in another network namespace", error))?;
    }
    see_its_files(found).map_err(|error| refused(found, "has files of its own", error))?;
    if !user_first {
        enter_user(found)?;
    }
    // One that was removed leaves nothing for relative paths to mean.
    if chdir(&found.directory).is_err() {
        chdir("/").map_err(|error| refused(found, "has files of its own", error))?;
    }
    Ok(())
}

fn enter_user(found: &Found) -> Result<(), Refusal> {
    let Some(user) = &found.user else {
        return Ok(());
    };
    setns(user, CloneFlags::CLONE_NEWUSER)
        .map_err(|error| refused(found, "is in another user namespace", error))
}

/// The process's root directory and mounts, in a mount namespace of our own:
/// what is mounted here is not seen there.
fn see_its_files(found: &Found) -> nix::Result<()> {
    let Some(root) = &found.root else {
        return Ok(());
    };
    if let Some(mounts) = &found.mounts {
        setns(mounts, CloneFlags::CLONE_NEWNS)?;
    }
    fchdir(root)?;
    unshare(CloneFlags::CLONE_NEWNS)?;
    let nothing = None::<&str>;
    mount(
        nothing,
        "/",
        nothing,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        nothing,
    )?;
    chroot(".")?;
    // In a container `/proc` has no entry for us, whose pid is of outside.
    if !Path::new("/proc/self/status").exists() {
        let flags =
            MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        let _ = mount(Some("proc"), "/proc", Some("proc"), flags, nothing);
    }
    Ok(())
}

fn refused(found: &Found, what: &str, error: Errno) -> Refusal {
    let process = format!("process {} ({}) {what}", found.pid, found.name);
    match error {
        Errno::EPERM | Errno::EACCES => Refusal {
            why: format!("{process}, where this user may not go"),
            privileged: true,
        },
        error => Refusal {
            why: format!("{process}: {}", error.desc()),
            privileged: false,
        },
    }
}
