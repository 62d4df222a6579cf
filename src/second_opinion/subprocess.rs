//! Runs installed programs ([`crate::process`]) with limits on time and output, and
//! with no secrets in their arguments.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::secret;

/// No program's words are kept beyond this.
const LARGEST: u64 = 256 * 1024;

/// How a program ended.
pub struct ExitReport {
    /// Its exit status; `None` where a signal ended it.
    pub status: Option<i32>,
    /// What it complained of.
    pub stderr: String,
}

/// Why there is no end to tell of.
pub enum SpawnError {
    /// There is no such program.
    Absent,
    /// It did not start.
    Broken(std::io::Error),
    /// It did not end in time.
    Late,
}

/// Runs a program to its end, or kills it at the limit.
///
/// # Errors
/// Where it is not there, did not start, or did not end.
pub async fn run(mut command: Command, limit: Instant) -> Result<ExitReport, SpawnError> {
    let mut child = start(command.stdin(Stdio::null()))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let all = async {
        let (_, stderr) = tokio::join!(text(stdout), text(stderr));
        (child.wait().await, stderr)
    };
    match tokio::time::timeout_at(limit.into(), all).await {
        Ok((Ok(status), stderr)) => Ok(ExitReport {
            status: status.code(),
            stderr,
        }),
        Ok((Err(error), _)) => Err(SpawnError::Broken(error)),
        Err(_) => {
            end(&mut child).await;
            Err(SpawnError::Late)
        }
    }
}

/// Starts a program that is killed when its handle is dropped.
///
/// # Errors
/// Where it is not there or did not start.
pub fn start(command: &mut Command) -> Result<Child, SpawnError> {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .process_group(0)
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => SpawnError::Absent,
            _ => SpawnError::Broken(error),
        })
}

/// Ends a program and what it started, gently first.
pub async fn end(child: &mut Child) {
    use nix::sys::signal::{Signal, killpg};
    let group = child.id().and_then(|id| i32::try_from(id).ok());
    let tell = |signal: Signal| {
        if let Some(id) = group {
            let _ = killpg(nix::unistd::Pid::from_raw(id), signal);
        }
    };
    tell(Signal::SIGTERM);
    if tokio::time::timeout(Duration::from_millis(500), child.wait())
        .await
        .is_err()
    {
        tell(Signal::SIGKILL);
        let _ = child.wait().await;
    }
}

async fn text(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let _ = pipe.take(LARGEST).read_to_end(&mut bytes).await;
    }
    // What was not read may be the rest of a secret.
    if bytes.len() as u64 == LARGEST {
        bytes = secret::hide_part(&bytes).into_owned();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn programs_end_in_time() {
        let soon = || Instant::now() + Duration::from_millis(200);
        let mut slow = Command::new("sleep");
        slow.arg("30");
        assert!(matches!(run(slow, soon()).await, Err(SpawnError::Late)));
        let none = Command::new("there-is-no-such-program");
        assert!(matches!(run(none, soon()).await, Err(SpawnError::Absent)));
    }
}
