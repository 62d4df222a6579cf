//! The command line as a process: usage, exit status, streams, signals.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// dbdoctor in an environment of its own: nothing of the machine's.
fn dbdoctor(args: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/env");
    command
        // Whoever runs the tests may ignore signals (nohup), which is inherited.
        .args(["--default-signal", env!("CARGO_BIN_EXE_dbdoctor")])
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
    let version = format!("dbdoctor {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(text(&run(&["-V"]).stdout), version);
    assert_eq!(text(&run(&["--version"]).stdout), version);
}

/// What `git` says of the sources, where they are a repository's.
fn commit() -> Option<String> {
    let root = env!("CARGO_MANIFEST_DIR");
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .args(["-c", &format!("safe.directory={root}"), "-C", root])
            .args(args)
            .output()
            .ok()?;
        let said = text(&output.stdout).trim().to_owned();
        output.status.success().then_some(said)
    };
    (Path::new(&git(&["rev-parse", "--show-toplevel"])?) == Path::new(root))
        .then(|| git(&["rev-parse", "HEAD"]))?
}

/// Whether the repository has this commit.
fn is_commit_here(commit: &str) -> bool {
    let root = env!("CARGO_MANIFEST_DIR");
    let found = Command::new("git")
        .args(["-c", &format!("safe.directory={root}"), "-C", root])
        .args(["cat-file", "-e", &format!("{commit}^{{commit}}")])
        .status();
    found.is_ok_and(|status| status.success())
}

#[test]
fn a_verbose_version_and_every_report_say_how_it_was_built() {
    let said = text(&run(&["-v", "--version"]).stdout);
    assert_eq!(said, text(&run(&["--version", "-v"]).stdout));
    let line = |name: &str| {
        let name = format!("{name}:");
        let line = said.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("{name} is missing: {said}"))
            .trim()
            .to_owned()
    };
    let output = run(&["config", "--json", "host=127.0.0.1"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let tool = &report["tool"];
    assert_eq!(tool["version"], env!("CARGO_PKG_VERSION"));
    let named = std::env::var("DBDOCTOR_COMMIT")
        .ok()
        .filter(|name| !name.is_empty());
    match (named, commit()) {
        (Some(named), _) => assert_eq!(tool["commit"], named),
        // A build may be older than the last commit, but is of this repository.
        (None, Some(_)) => {
            let built = tool["commit"].as_str().unwrap();
            assert!(is_commit_here(built), "{built}");
            assert_eq!(line("commit"), built);
        }
        (None, None) => assert!(tool.as_object().unwrap()["commit"].is_null()),
    }
    assert_eq!(tool["target"], line("target"));
    assert!(line("target").starts_with(std::env::consts::ARCH), "{said}");
    let openssl = tool["openssl"]["version"].as_str().unwrap();
    assert_eq!(openssl, openssl::version::version());
    assert_eq!(tool["openssl"]["built_in"], cfg!(feature = "portable"));
    let whose = match cfg!(feature = "portable") {
        true => "built in",
        false => "the system's",
    };
    assert_eq!(line("openssl"), format!("{openssl}, {whose}"));
    assert!(line("libssh2").starts_with("1."), "{said}");
}

#[test]
fn the_schemas_are_printed() {
    for (args, title) in [
        (&["schema"][..], "ReportJson"),
        (&["schema", "report"], "ReportJson"),
        (&["schema", "explain"], "Explanation"),
        (&["schema", "diff"], "Diff"),
        (&["schema", "targets"], "TargetsJson"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(schema["title"], title);
    }
    assert_eq!(run(&["schema", "chekc"]).status.code(), Some(2));
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

/// A port that nothing listens on, as far as one can know.
fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// `check` of a port on loopback.
fn check(port: u16, more: &[&str]) -> Command {
    let port = port.to_string();
    let args = ["check", "-h", "127.0.0.1", "-p", &port, "-U", "app", "-w"];
    let args: Vec<&str> = args.iter().chain(more).copied().collect();
    dbdoctor(&args)
}

#[test]
fn a_cause_is_status_1_in_every_format() {
    let port = closed_port();
    for more in [
        &[][..],
        &["--json"],
        &["--format", "json"],
        &["-q"],
        &["-v"],
    ] {
        let output = check(port, more).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{more:?}");
        assert!(text(&output.stdout).contains("tcp.refused"), "{more:?}");
        assert!(output.stderr.is_empty(), "nothing is told to a pipe");
    }
}

#[test]
fn colour_is_for_those_who_want_it() {
    let port = closed_port();
    let plain = check(port, &[]).output().unwrap();
    assert!(!text(&plain.stdout).contains('\x1b'));
    let forced = check(port, &[])
        .env("CLICOLOR_FORCE", "1")
        .output()
        .unwrap();
    assert!(text(&forced.stdout).contains('\x1b'));
    let asked = check(port, &["--color", "always"]).output().unwrap();
    assert!(text(&asked.stdout).contains('\x1b'));
    let json = check(port, &["--json", "--color", "always"])
        .output()
        .unwrap();
    assert!(!text(&json.stdout).contains('\x1b'));
}

#[test]
fn ascii_is_enough_without_utf_8() {
    let port = closed_port();
    assert!(text(&check(port, &[]).output().unwrap().stdout).is_ascii());
    let utf8 = check(port, &[]).env("LANG", "C.UTF-8").output().unwrap();
    assert!(text(&utf8.stdout).contains('✗'));
}

#[test]
fn the_report_is_written_whole_whatever_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let output = check(closed_port(), &["-q", "-o"])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(report["verdict"]["cause"], "tcp.refused");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    let again = dbdoctor(&["diff"]).args([&path, &path]).output().unwrap();
    assert_eq!(again.status.code(), Some(0));
    let other = dbdoctor(&["diff", "Cargo.toml"])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(other.status.code(), Some(2));
}

#[test]
fn an_interrupted_run_says_what_it_knows() {
    // It accepts and never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for signal in [nix::sys::signal::SIGINT, nix::sys::signal::SIGTERM] {
        let child = check(port, &["--json", "--timeout", "20s"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        let (mut asked, _) = listener.accept().unwrap();
        let mut request = [0; 8];
        std::io::Read::read_exact(&mut asked, &mut request).unwrap();
        nix::sys::signal::kill(pid, signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{signal}");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["run"]["interrupted"], true);
        assert_eq!(report["stages"][3]["status"], "pass", "tcp was over");
    }
}

#[test]
fn explain_ends_by_what_it_knows() {
    let status = |args: &[&str]| run(args).status.code();
    assert_eq!(status(&["explain", "tls.cert.expired"]), Some(0));
    assert_eq!(status(&["explain", "tls.cert.no-such"]), Some(1));
    assert_eq!(status(&["explain", "--list"]), Some(0));
    assert_eq!(status(&["explain", "nothing", "of", "ours"]), Some(1));
    assert_eq!(status(&["explain"]), Some(2));
    let output = run(&[
        "explain",
        "--json",
        "password authentication failed for user \"x\"",
    ]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["schema_version"], 1);
    assert_eq!(found["matches"][0]["cause"], "auth.password.wrong");
    assert_eq!(found["matches"][0]["confidence"], "high");
}

/// dbdoctor checks a port where nothing listens, under limits on its file descriptors.
fn with_few_descriptors(soft: u64, hard: u64) -> (Option<i32>, serde_json::Value) {
    let output = Command::new("prlimit")
        .arg(format!("--nofile={soft}:{hard}"))
        .arg(env!("CARGO_BIN_EXE_dbdoctor"))
        .args(["check", "postgres://app@127.0.0.1:1/app", "--json"])
        .env_clear()
        .env("HOME", "/nonexistent")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), report["verdict"]["cause"].clone())
}

#[test]
fn too_few_descriptors_are_named_and_a_low_soft_limit_does_not_count() {
    for hard in [4, 6, 8, 11] {
        let end = with_few_descriptors(hard, hard);
        assert_eq!(end, (Some(1), "tcp.local".into()), "{hard}");
    }
    let end = with_few_descriptors(6, 1024);
    assert_eq!(end, (Some(1), "tcp.refused".into()));
}

/// dbdoctor checks a port where nothing listens, as a user of its own who may
/// have this many processes and threads.
fn with_few_threads(program: &Path, most: u32) -> (Option<i32>, String) {
    let output = Command::new("setpriv")
        .args(["--reuid", "61234", "--regid", "61234", "--clear-groups"])
        .args(["prlimit", &format!("--nproc={most}")])
        .args(["timeout", "--foreground", "-s", "KILL", "60"])
        .arg(program)
        .args(["check", "postgres://app@127.0.0.1:1/app", "--json"])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/nonexistent")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

#[test]
fn too_few_threads_are_told_at_once() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    // Where that user may run it, wherever this is built.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("dbdoctor");
    std::fs::copy(env!("CARGO_BIN_EXE_dbdoctor"), &program).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    // `timeout` is one process and dbdoctor another.
    for most in [2, 3] {
        let (status, said) = with_few_threads(&program, most);
        assert_eq!(status, Some(3), "{most}: {said}");
        assert!(said.contains("no more threads"), "{most}: {said}");
        assert_eq!(said.lines().count(), 1, "{most}: {said}");
    }
    // A run over one connection needs one thread for what blocks, and one for Ctrl-C.
    for most in [4, 100] {
        let (status, said) = with_few_threads(&program, most);
        assert_eq!(status, Some(1), "{most}: {said}");
    }
}
