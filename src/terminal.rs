//! Asking a person on the terminal.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use nix::sys::termios::{self, SetArg, Termios};
use nix::unistd::{getpgrp, tcgetpgrp};

use crate::progress;
use crate::secret::{self, Secret};

const TERMINAL: &str = "/dev/tty";

/// The terminal and its settings before a prompt changed them, during one.
static BEFORE: Mutex<Option<(OwnedFd, Termios)>> = Mutex::new(None);

/// Whether what is typed is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// It is a secret, and never shown from here on.
    Off,
    /// It is shown.
    On,
}

/// Prints a line on standard error. Where that takes nothing, the line is lost: `eprintln!`
/// would panic.
pub fn say(line: fmt::Arguments<'_>) {
    // In one piece: another thread's or process's line does not come in between.
    let _ = io::stderr()
        .lock()
        .write_all(format!("{line}\n").as_bytes());
}

/// Asks on the terminal, up to a limit, with the progress out of the way. The
/// caller may give up: the terminal then shows again what is typed.
///
/// # Errors
/// There is no terminal in the foreground, it was closed, or the time is over.
pub async fn ask(prompt: String, echo: Echo, limit: Instant) -> io::Result<Secret> {
    if Instant::now() >= limit {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let _progress_off = progress::suspend();
    let _restored = Restored::later()?;
    // Where this gives up, the thread goes on reading until the process ends.
    let task = tokio::task::spawn_blocking(move || match echo {
        Echo::Off => rpassword::prompt_password(prompt),
        Echo::On => read_line(&prompt),
    });
    let typed = tokio::time::timeout_at(limit.into(), task).await?;
    let typed = typed.map_err(io::Error::other)?;
    if typed
        .as_ref()
        .is_err_and(|error| error.kind() == io::ErrorKind::Interrupted)
    {
        // Ctrl-C: the signal is on its way, and ends the run.
        tokio::time::sleep_until(limit.into()).await;
    }
    let typed = Secret::new(typed?);
    if echo == Echo::Off {
        secret::guard(&typed);
    }
    Ok(typed)
}

/// Gives the terminal its settings back, if a prompt is open.
pub fn restore() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((terminal, settings)) = before
        && in_foreground(&terminal)
    {
        let _ = termios::tcsetattr(terminal, SetArg::TCSANOW, &settings);
    }
}

/// To touch the terminal from the background stops the process.
fn in_foreground(terminal: impl AsFd) -> bool {
    tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp())
}

fn read_line(prompt: &str) -> io::Result<String> {
    File::options()
        .write(true)
        .open(TERMINAL)?
        .write_all(prompt.as_bytes())?;
    let mut line = String::new();
    match BufReader::new(File::open(TERMINAL)?).read_line(&mut line)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line.trim_end_matches(['\r', '\n']).to_owned()),
    }
}

/// Restores the terminal's settings on drop.
struct Restored;

impl Restored {
    fn later() -> io::Result<Self> {
        let terminal = OwnedFd::from(File::open(TERMINAL)?);
        if !in_foreground(&terminal) {
            return Err(io::Error::other("not in the terminal's foreground"));
        }
        let settings = termios::tcgetattr(&terminal)?;
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some((terminal, settings));
        Ok(Self)
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        restore();
    }
}
