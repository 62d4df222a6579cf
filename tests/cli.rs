//! The command line as a process: usage, exit status, streams, signals.

use std::process::{Command, Output, Stdio};

/// dbdoctor in an environment of its own: nothing of the machine's.
fn dbdoctor(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dbdoctor"));
    command
        .args(args)
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    dbdoctor(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn help_and_version_are_asked_for() {
    for args in [
        &["--help"][..],
        &["-?"],
        &["check", "--help"],
        &["tunnel", "-?"],
        &["--version"],
        &["-V"],
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(!output.stdout.is_empty());
        assert!(output.stderr.is_empty());
    }
    let version = text(&run(&["-V"]).stdout);
    assert_eq!(version, format!("dbdoctor {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_is_status_2_on_standard_error() {
    let secret = "postgres://app:s3cr3t@127.0.0.1/db";
    for args in [
        &[][..],
        &["chekc"],
        &[secret],
        &["check", "--no-such-flag"],
        &["check", secret, secret],
        &["check", secret, "--url", secret],
        &["check", secret, "-d", secret],
        &["check", "--timeout", "0"],
        &["check", "--timeout", "s3cr3t"],
        &["check", "--password=s3cr3t"],
        &["check", "-h"],
        &["check", "-q", "-v"],
        &["tunnel", secret],
        &["check", "-o", "/nonexistent/s3cr3t.json", secret],
        &["check", "-o", "/", secret],
        &["man", "s3cr3t"],
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        let said = text(&output.stderr);
        assert!(said.starts_with("dbdoctor: "), "{args:?}: {said}");
        assert!(!said.contains("s3cr3t"), "{args:?}: {said}");
    }
    let said = text(&run(&["check", "-h"]).stderr);
    assert!(said.contains("--help"), "{said}");
}

#[test]
fn an_argument_that_is_no_text_is_an_error_of_usage() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let mut command = dbdoctor(&["check"]);
    let output = command.arg(OsStr::from_bytes(b"h\xffst")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = dbdoctor(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}

#[test]
fn a_full_disk_is_said() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let Ok(full) = full else { return };
    let output = dbdoctor(&["completions", "bash"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("standard output"));
}
