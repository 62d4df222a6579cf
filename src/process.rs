//! Programs that are started: what they inherit, and that none outlives us.

pub mod output;
pub mod started;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::process::Command;

use crate::secret::Secret;

/// The environment of a process; any value may hold a secret.
pub type Variables = BTreeMap<OsString, Secret>;

/// A program with this environment but for our own settings, which may hold
/// secrets; with these descriptors, beside the standard ones; and without a
/// way to outlive us, where the system has one.
pub fn command(program: &str, environment: &Variables, inherited: Vec<OwnedFd>) -> Command {
    let mut command = Command::new(program);
    let foreign = exposed(environment, |name| !is_setting(name));
    command.env_clear().envs(foreign).env("LC_ALL", "C");
    before_it_runs(&mut command, inherited, false);
    command
}

/// A line for the user's shell, which is run as ssh runs the commands of its
/// configuration (sshconnect.c, `ssh_proxy_connect`; readconf.c,
/// `execute_in_shell`), but for our own settings in its environment. Its
/// session is its own, so that nothing it starts asks at the terminal that the
/// report is for: what would have asked says so instead.
pub fn shell(line: &str, environment: &Variables) -> Command {
    let named = environment.get(OsStr::new("SHELL"));
    let shell = named.filter(|shell| !shell.is_empty());
    let shell = shell.map_or(OsString::from("/bin/sh"), Secret::expose_os);
    let mut command = users_own(&shell, environment);
    command.arg("-c").arg(line);
    command
}

/// A program that the user's configuration names, with the user's environment
/// but for our own settings, in a session of its own.
pub fn users_own(program: &OsStr, environment: &Variables) -> Command {
    let mut command = Command::new(program);
    let kept = |name: &OsStr| !is_setting(name) || name == "SSH_ASKPASS";
    command.env_clear().envs(exposed(environment, kept));
    before_it_runs(&mut command, Vec::new(), true);
    command
}

/// The variables with such names, as a program gets them.
fn exposed(
    environment: &Variables,
    kept: impl Fn(&OsStr) -> bool,
) -> impl Iterator<Item = (&OsString, OsString)> {
    let kept = environment.iter().filter(move |(name, _)| kept(name));
    kept.map(|(name, value)| (name, value.expose_os()))
}

/// This program once more, as it was called, with these descriptors beside the
/// standard ones, and without a way to outlive us.
#[cfg(target_os = "linux")]
pub fn again(inherited: Vec<OwnedFd>) -> Command {
    use std::os::unix::process::CommandExt;
    let mut words = std::env::args_os();
    // Whatever has become of the file, this is the program that runs.
    let mut command = Command::new("/proc/self/exe");
    if let Some(name) = words.next() {
        command.arg0(name);
    }
    command.args(words);
    before_it_runs(&mut command, inherited, false);
    command
}

/// Whether a variable is read by dbdoctor or libpq as part of a target.
fn is_setting(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    ["PG", "PSQL", "DBDOCTOR_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || matches!(name.as_ref(), "DATABASE_URL" | "SSH_ASKPASS")
}

/// What the child does between fork and exec.
#[allow(unsafe_code)]
fn before_it_runs(command: &mut Command, inherited: Vec<OwnedFd>, own_session: bool) {
    use std::os::unix::process::CommandExt;
    let parent = nix::unistd::getpid();
    let prepare = move || {
        die_with(parent)?;
        if own_session {
            nix::unistd::setsid()?;
        }
        for descriptor in &inherited {
            keep_open(descriptor)?;
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls that are safe after a fork
    // (signal-safety(7): prctl, getppid, setsid, fcntl), and neither allocates nor
    // takes a lock. The standard library has no other way to either.
    unsafe {
        command.pre_exec(prepare);
    }
}

/// The descriptor survives exec in this process alone: no other child that is
/// started meanwhile gets it.
fn keep_open(descriptor: &OwnedFd) -> nix::Result<()> {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::empty())).map(drop)
}

/// Asks the kernel for SIGKILL once the parent is gone, killed or not. It goes
/// by the thread that forked: the main thread and the runtime's, which start
/// all our children, stay as long as the process does (`main.rs`).
#[cfg(target_os = "linux")]
pub(crate) fn die_with(parent: nix::unistd::Pid) -> nix::Result<()> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    // It may have been killed before we asked.
    match nix::unistd::getppid() == parent {
        true => Ok(()),
        false => Err(nix::Error::ESRCH),
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with(_: nix::unistd::Pid) -> nix::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::temporary::Nameless;

    fn variables(of: &[(&str, &str)]) -> Variables {
        let path = std::env::var_os("PATH").unwrap_or_default();
        of.iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .chain([("PATH".into(), path.into())])
            .collect()
    }

    #[test]
    fn settings_are_not_inherited() {
        let environment = variables(&[
            ("PGPASSWORD", "x"),
            ("DBDOCTOR_SSH_PASSWORD", "x"),
            ("DATABASE_URL", "x"),
            ("PGSSLKEY", "x"),
            ("TERM", "dumb"),
        ]);
        let output = command("env", &environment, Vec::new()).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let names: Vec<_> = said.lines().filter_map(|l| l.split('=').next()).collect();
        assert_eq!(names, ["LC_ALL", "PATH", "TERM"]);
    }

    #[test]
    fn a_descriptor_is_inherited_by_its_own_child_alone() {
        let file = Nameless::new(b"for one child").unwrap();
        let path = file.path();
        let read = |inherited| {
            let mut cat = command("cat", &variables(&[]), inherited);
            cat.arg(&path).output().unwrap()
        };
        // It is open here, and the other child does not see it.
        assert!(!read(Vec::new()).status.success());
        assert_eq!(read(vec![file.into()]).stdout, b"for one child");
    }
}
