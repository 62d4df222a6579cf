//! Programs of the user's own that run beside us, with all that they start.

use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How long a program has to end by itself, and again once it was told to.
const GRACE: Duration = Duration::from_millis(100);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(2);

/// Those that have not been ended.
static RUNNING: Mutex<Vec<Arc<Started>>> = Mutex::new(Vec::new());

/// A program that leads a process group of its own ([`super::shell`]).
#[derive(Debug)]
pub struct Started {
    group: Pid,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    child: Child,
    ended: Option<ExitStatus>,
}

impl Started {
    /// Starts it. It runs until it ends by itself, or is ended here.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn begin(command: &mut Command) -> std::io::Result<(Arc<Self>, Pipes)> {
        let mut child = command.spawn()?;
        let pipes = Pipes {
            input: child.stdin.take(),
            output: child.stdout.take(),
            errors: child.stderr.take(),
        };
        let group = i32::try_from(child.id()).map_err(std::io::Error::other)?;
        let started = Arc::new(Self {
            group: Pid::from_raw(group),
            state: Mutex::new(State { child, ended: None }),
        });
        running().push(Arc::clone(&started));
        Ok((started, pipes))
    }

    /// How it ended, if it has. What it left running ends then.
    pub fn ended(&self) -> Option<ExitStatus> {
        let mut state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        if state.ended.is_none() {
            state.ended = state.child.try_wait().ok().flatten();
            if state.ended.is_some() {
                self.signal(Signal::SIGKILL);
            }
        }
        state.ended
    }

    /// How it ended, where that happens before the limit. Blocks until then.
    pub fn wait(&self, limit: Instant) -> Option<ExitStatus> {
        loop {
            match self.ended() {
                None if Instant::now() < limit => std::thread::sleep(LOOK),
                ended => return ended,
            }
        }
    }

    /// Ends it and what it started: it gets a moment, then SIGHUP as ssh sends
    /// it (sshconnect.c, `ssh_kill_proxy_command`), then SIGKILL.
    pub fn end(&self) {
        end(&[self]);
        running().retain(|other| !std::ptr::eq(Arc::as_ptr(other), self));
    }

    fn signal(&self, signal: Signal) {
        let _ = killpg(self.group, signal);
    }
}

/// Its standard streams, where they are piped.
pub struct Pipes {
    /// Its standard input.
    pub input: Option<std::process::ChildStdin>,
    /// Its standard output.
    pub output: Option<std::process::ChildStdout>,
    /// Its standard error.
    pub errors: Option<std::process::ChildStderr>,
}

/// Ends all that still run: the process is about to end.
pub fn end_all() {
    let all = std::mem::take(&mut *running());
    end(&all.iter().map(Arc::as_ref).collect::<Vec<_>>());
}

fn end(these: &[&Started]) {
    for signal in [Signal::SIGHUP, Signal::SIGKILL] {
        if all_ended(these) {
            return;
        }
        for one in these.iter().filter(|one| one.ended().is_none()) {
            one.signal(signal);
        }
    }
    all_ended(these);
}

/// Waits a moment for them to end.
fn all_ended(these: &[&Started]) -> bool {
    let patience = Instant::now() + GRACE;
    loop {
        // All are looked at, since looking is what takes them off the system.
        if these.iter().filter(|one| one.ended().is_none()).count() == 0 {
            return true;
        }
        if Instant::now() >= patience {
            return false;
        }
        std::thread::sleep(LOOK);
    }
}

fn running() -> MutexGuard<'static, Vec<Arc<Started>>> {
    RUNNING.lock().unwrap_or_else(|broken| broken.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Variables, shell};

    fn variables() -> Variables {
        let path = std::env::var_os("PATH").unwrap_or_default();
        [("PATH".into(), path.into())].into()
    }

    fn is_there(pid: i32) -> bool {
        nix::sys::signal::kill(Pid::from_raw(pid), None).is_ok()
    }

    #[test]
    fn what_ignores_a_hangup_ends_too_with_all_that_it_started() {
        use std::io::{BufRead, BufReader};
        let line = "trap '' HUP; sleep 60 & echo $!; wait";
        let mut command = shell(line, &variables());
        command.stdout(std::process::Stdio::piped());
        let (started, pipes) = Started::begin(&mut command).unwrap();
        let mut said = String::new();
        BufReader::new(pipes.output.unwrap())
            .read_line(&mut said)
            .unwrap();
        let inner: i32 = said.trim().parse().unwrap();
        assert!(is_there(inner) && started.ended().is_none());
        started.end();
        assert!(started.ended().is_some());
        // It is its new parent's to be taken off the system.
        let state = || std::fs::read_to_string(format!("/proc/{inner}/stat"));
        let gone = || state().map_or(true, |stat| stat.contains(") Z "));
        let patience = Instant::now() + Duration::from_secs(2);
        while !gone() && Instant::now() < patience {
            std::thread::sleep(LOOK);
        }
        assert!(gone());
    }

    #[test]
    fn the_users_shell_runs_it_without_our_secrets() {
        let mut environment = variables();
        environment.insert("DBDOCTOR_SSH_PASSWORD".into(), "x".into());
        environment.insert("LC_ALL".into(), "de_DE.UTF-8".into());
        environment.insert("SHELL".into(), "/bin/sh".into());
        let output = shell("exec env", &environment).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(!said.contains("DBDOCTOR"), "{said}");
        assert!(said.contains("LC_ALL=de_DE.UTF-8"), "{said}");
        let odd = [("SHELL".into(), "/nonexistent/shell".into())].into();
        assert!(shell("true", &odd).output().is_err());
    }
}
