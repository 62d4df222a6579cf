//! dbdoctor as a process with an environment of its own, and a bound on the
//! time that it may take.

#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// dbdoctor with nothing of the machine's environment.
pub fn dbdoctor(args: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/env");
    // Whoever runs the tests may ignore signals (nohup), which is inherited.
    command.args(["--default-signal", env!("CARGO_BIN_EXE_dbdoctor")]);
    isolated(command, args)
}

/// The same as another user, who may run the copy in this folder.
pub fn dbdoctor_as(user: u32, folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    let user = user.to_string();
    command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "--"]);
    command.arg(installed(folder));
    isolated(command, args)
}

/// The command with these arguments, and nothing of the machine's environment.
pub fn isolated(mut command: Command, args: &[&str]) -> Command {
    command
        .args(args)
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A copy that any user may run, wherever this is built.
fn installed(folder: &Path) -> PathBuf {
    let program = folder.join("dbdoctor");
    if !program.exists() {
        std::fs::copy(env!("CARGO_BIN_EXE_dbdoctor"), &program).unwrap();
    }
    program
}

/// Waits for a process to end, and fails where it does not.
pub fn ended(child: Child, within: Duration) -> Output {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    let (done, output) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    output.recv_timeout(within).map_or_else(
        |_| {
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::SIGKILL);
            panic!("it did not end within {within:?}")
        },
        |output| output.unwrap(),
    )
}

/// Runs a command to its end within a minute.
pub fn run(command: &mut Command) -> Output {
    ended(command.spawn().unwrap(), Duration::from_secs(60))
}

/// Waits until something holds, and fails where it does not come to that.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(30), "never {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a process printed.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
