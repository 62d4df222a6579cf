//! Asking a person on the terminal.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use nix::sys::termios::{self, SetArg, Termios};

use crate::progress;
use crate::secret::{self, Secret};

/// Asks for a secret on the terminal, without showing what is typed. Whoever
/// waits may give up: the terminal then shows again what is typed.
///
/// # Errors
/// There is no terminal, or it was closed.
pub async fn ask(prompt: String) -> io::Result<Secret> {
    let _echo = Echo::kept();
    let task =
        tokio::task::spawn_blocking(move || progress::aside(|| rpassword::prompt_password(prompt)));
    let typed = task.await.map_err(io::Error::other)??;
    let typed = Secret::new(typed);
    secret::guard(&typed);
    Ok(typed)
}

/// The terminal's settings, restored on drop.
struct Echo(Option<(OwnedFd, Termios)>);

impl Echo {
    fn kept() -> Self {
        let settings = || {
            let terminal = OwnedFd::from(File::open("/dev/tty").ok()?);
            let settings = termios::tcgetattr(&terminal).ok()?;
            Some((terminal, settings))
        };
        Self(settings())
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        if let Some((terminal, settings)) = &self.0 {
            let _ = termios::tcsetattr(terminal, SetArg::TCSANOW, settings);
        }
    }
}
