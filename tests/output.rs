//! `-o FILE`: whole or not at all, private, never through another user's link,
//! never waiting for a reader.

#[path = "common/process.rs"]
mod process;

use std::fs::{self, OpenOptions, Permissions};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, chown, geteuid, mkfifo};
use serde_json::Value;

use process::{dbdoctor, dbdoctor_as, ended, run, text, until};

/// Users without an account.
const EVE: u32 = 61_234;
const BOB: u32 = 61_235;

/// A run that fails at once: nothing listens on port 1.
const TARGET: &str = "postgres://app@127.0.0.1:1/app";

fn check(to: &Path) -> Command {
    dbdoctor(&["check", TARGET, "-w", "-o", to.to_str().unwrap()])
}

/// A file that holds a whole report.
fn holds_report(path: &Path) -> bool {
    let bytes = fs::read(path).unwrap_or_default();
    serde_json::from_slice::<Value>(&bytes)
        .is_ok_and(|report| report["verdict"]["cause"] == "tcp.refused")
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

/// A directory like `/tmp` in a directory of the test's own.
struct Shared {
    folder: tempfile::TempDir,
}

impl Shared {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let shared = Self { folder };
        fs::create_dir(shared.path("")).unwrap();
        fs::set_permissions(shared.path(""), Permissions::from_mode(0o1777)).unwrap();
        shared
    }

    /// A path in it.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("tmp").join(name)
    }

    /// A path beside it, where only its owner makes files.
    fn own(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn give(path: &Path, user: u32) {
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(user));
    nix::unistd::fchownat(
        nix::fcntl::AT_FDCWD,
        path,
        Some(user),
        Some(group),
        nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW,
    )
    .unwrap();
}

fn link(to: &Path, at: &Path, owner: u32) {
    symlink(to, at).unwrap();
    give(at, owner);
}

fn refused(output: &Output, what: &str) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{what}: {said}");
    assert!(
        said.starts_with("dbdoctor: cannot write the --output file"),
        "{what}: {said}"
    );
}

#[test]
fn a_pipe_without_a_reader_is_an_error_and_no_wait() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let output = run(&mut check(&pipe));
    refused(&output, "no reader");
    assert!(text(&output.stderr).contains("no process reads"));
    assert!(
        text(&output.stdout).contains("tcp.refused"),
        "it is shown all the same"
    );
}

#[test]
fn a_pipe_whose_reader_stalls_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let reader = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(&pipe)
        .unwrap();
    fcntl(&reader, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    let output = run(&mut check(&pipe));
    refused(&output, "a stalled reader");
    assert!(text(&output.stderr).contains("reader"));
    assert!(text(&output.stdout).contains("tcp.refused"));
}

#[test]
fn a_pipe_whose_reader_reads_gets_everything() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let path = pipe.clone();
    let reader = std::thread::spawn(move || fs::read(path).unwrap());
    // Its opening waits for a writer, the program's does not wait for it.
    let keep = OpenOptions::new().write(true).open(&pipe).unwrap();
    let output = run(&mut check(&pipe));
    drop(keep);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&reader.join().unwrap()).unwrap();
    assert_eq!(report["verdict"]["cause"], "tcp.refused");
}

#[test]
fn devices_and_open_files_are_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_dbdoctor");
    let bash = |script: &str| {
        let script = script.replace("RUN", &format!("{program} check {TARGET} -w -q"));
        let mut bash = Command::new("bash");
        bash.args(["-c", &script])
            .current_dir(folder.path())
            .env_clear()
            .env("HOME", "/nonexistent")
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = run(&mut bash);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{script}: {}",
            text(&output.stderr)
        );
        output
    };
    bash("RUN -o /dev/null");
    for (script, to) in [
        ("RUN -o /dev/stderr 2>stderr >/dev/null", "stderr"),
        ("RUN -o /dev/fd/7 7>seven >/dev/null", "seven"),
        ("RUN -o /proc/self/fd/8 8>eight", "eight"),
        ("RUN -o >(cat >cat.part; mv cat.part cat)", "cat"),
        (
            "exec 3> >(cat >piped.part; mv piped.part piped); RUN -o /dev/fd/3",
            "piped",
        ),
        ("ln -s /dev/stderr link; RUN -o link 2>linked", "linked"),
    ] {
        bash(script);
        until(script, || holds_report(&folder.path().join(to)));
    }
    for script in [
        "RUN -o /dev/stdout",
        "RUN -o /dev/stdout >both; s=$?; cat both; exit $s",
    ] {
        let said = text(&bash(script).stdout);
        assert!(said.contains("\"schema_version\""), "{script}: {said}");
        assert!(said.contains("tcp.refused: "), "{said}");
    }
    let full = run(&mut check(Path::new("/dev/full")));
    refused(&full, "/dev/full");
}

/// Starts a command whose standard output takes no more, waits until it has
/// written its report, and interrupts it.
fn interrupted(mut command: Command, report: &Path, stdout: Stdio, signal: Signal) {
    let child = command.stdout(stdout).spawn().unwrap();
    until("written", || holds_report(report));
    std::thread::sleep(Duration::from_millis(300));
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(pid, signal).unwrap();
    let output = ended(child, Duration::from_secs(10));
    assert_eq!(output.status.code(), Some(130), "{signal}");
    fs::remove_file(report).unwrap();
}

#[test]
fn a_stalled_standard_output_neither_keeps_the_file_nor_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        for form in ["--json", "-v", "-q"] {
            // A pipe that is full and that nobody reads.
            let (reader, mut writer) = std::io::pipe().unwrap();
            fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
            std::io::Write::write_all(&mut writer, &[b'x'; 4096]).unwrap();
            let mut command = check(&path);
            command.arg(form);
            interrupted(command, &path, writer.into(), signal);
            drop(reader);
        }
        // A terminal that was stopped with Ctrl-S.
        let terminal = nix::pty::openpty(None, None).unwrap();
        nix::sys::termios::tcflow(terminal.slave.as_fd(), nix::sys::termios::FlowArg::TCOOFF)
            .unwrap();
        interrupted(check(&path), &path, terminal.slave.into(), signal);
    }
}

#[test]
fn another_user_s_link_is_not_followed() {
    if !geteuid().is_root() {
        return;
    }
    for user in [0, BOB] {
        let shared = Shared::new();
        let home = shared.own("home");
        fs::create_dir(&home).unwrap();
        let precious = home.join("precious");
        fs::write(&precious, "precious").unwrap();
        for mine in [&home, &precious] {
            chown(mine, Some(Uid::from_raw(user)), None).unwrap();
        }
        link(&precious, &shared.path("file"), EVE);
        link(&home, &shared.path("directory"), EVE);
        link(&home.join("new"), &shared.path("dangling"), EVE);
        link(Path::new("file"), &shared.path("chain"), user);
        // Not only in a sticky directory, where the kernel would look too.
        let open = shared.own("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        link(&precious, &open.join("file"), EVE);
        let eves = shared.own("eve");
        fs::create_dir(&eves).unwrap();
        link(&precious, &eves.join("file"), EVE);
        chown(&eves, Some(Uid::from_raw(EVE)), None).unwrap();

        for to in [
            shared.path("file"),
            shared.path("directory/precious"),
            shared.path("directory/../home/precious"),
            shared.path("directory/new"),
            shared.path("dangling"),
            shared.path("chain"),
            open.join("file"),
            eves.join("file"),
        ] {
            let args = ["check", TARGET, "-w", "-o", to.to_str().unwrap()];
            let output = run(&mut dbdoctor_as(user, shared.folder.path(), &args));
            refused(&output, &format!("{user}: {}", to.display()));
            assert!(output.stdout.is_empty(), "it is refused before the run");
            assert!(text(&output.stderr).contains(&format!("uid {EVE}")));
        }
        assert_eq!(fs::read(&precious).unwrap(), b"precious");
        assert!(!home.join("new").exists());
    }
}

#[test]
fn another_user_s_file_in_a_shared_directory_is_not_written_to() {
    if !geteuid().is_root() {
        return;
    }
    for user in [0, BOB] {
        let shared = Shared::new();
        for (name, mode) in [("file", 0o666), ("set-id", 0o6777), ("pipe", 0o666)] {
            let path = shared.path(name);
            match name {
                "pipe" => mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap(),
                _ => fs::write(&path, "eve's").unwrap(),
            }
            give(&path, EVE);
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        }
        let mut eve = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(shared.path("pipe"))
            .unwrap();
        for name in ["file", "set-id", "pipe"] {
            let to = shared.path(name);
            let args = ["check", TARGET, "-w", "-o", to.to_str().unwrap()];
            let output = run(&mut dbdoctor_as(user, shared.folder.path(), &args));
            refused(&output, &format!("{user}: {name}"));
            assert_eq!(fs::metadata(&to).unwrap().uid(), EVE);
        }
        assert_eq!(fs::read(shared.path("file")).unwrap(), b"eve's");
        assert_eq!(mode(&shared.path("set-id")), 0o6777);
        let mut leaked = Vec::new();
        assert_eq!(eve.read_to_end(&mut leaked).unwrap(), 0, "no writer came");
    }
}

#[test]
fn our_own_links_and_those_of_root_are_followed() {
    if !geteuid().is_root() {
        return;
    }
    for user in [0, BOB] {
        let shared = Shared::new();
        let home = shared.own("home");
        fs::create_dir(&home).unwrap();
        chown(&home, Some(Uid::from_raw(user)), None).unwrap();
        link(Path::new("../home/report.json"), &shared.path("ours"), user);
        link(&home, &shared.path("root's"), 0);
        link(Path::new("ours"), &shared.path("chain"), 0);
        let report = home.join("report.json");
        for to in [
            "ours",
            "root's/report.json",
            "chain",
            "../tmp/../home/./report.json",
            "plain",
        ] {
            let to = shared.path(to);
            let args = ["check", TARGET, "-w", "-o", to.to_str().unwrap()];
            let output = run(&mut dbdoctor_as(user, shared.folder.path(), &args));
            assert_eq!(
                output.status.code(),
                Some(1),
                "{user} {}: {}",
                to.display(),
                text(&output.stderr)
            );
            let written = match to.ends_with("plain") {
                true => &to,
                false => &report,
            };
            assert!(holds_report(written), "{user} {}", to.display());
            fs::remove_file(written).unwrap();
        }
        assert!(shared.path("ours").is_symlink());
    }
}

#[test]
fn a_new_file_is_private_whatever_the_umask() {
    for mask in ["000", "022", "077", "777"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        let program = env!("CARGO_BIN_EXE_dbdoctor");
        let script = format!(
            "umask {mask}; exec {program} check {TARGET} -w -o {}",
            path.display()
        );
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &script])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = run(&mut shell);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert_eq!(mode(&path), 0o600, "umask {mask}");
        assert!(holds_report(&path));
    }
}

#[test]
fn a_mode_is_kept_for_our_own_file_alone_and_without_set_id() {
    let folder = tempfile::tempdir().unwrap();
    let to = |name: &str, before: u32| {
        let path = folder.path().join(name);
        fs::write(&path, "before").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(before)).unwrap();
        path
    };
    let after = |path: &Path| {
        let output = run(&mut check(path));
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert!(holds_report(path));
        mode(path)
    };
    assert_eq!(after(&to("plain", 0o640)), 0o640);
    assert_eq!(after(&to("set-id", 0o7755)), 0o755);
    // Another name of a file may have been given to it by somebody else.
    let first = to("first", 0o644);
    let second = folder.path().join("second");
    fs::hard_link(&first, &second).unwrap();
    assert_eq!(after(&second), 0o600);
    assert_eq!(fs::read(&first).unwrap(), b"before");
    if geteuid().is_root() {
        let foreign = to("foreign", 0o644);
        give(&foreign, EVE);
        assert_eq!(after(&foreign), 0o600);
        assert_eq!(fs::metadata(&foreign).unwrap().uid(), 0);
    }
}

#[test]
fn what_is_planted_during_the_run_is_refused_at_its_end() {
    if !geteuid().is_root() {
        return;
    }
    let shared = Shared::new();
    let (precious, path) = (shared.own("precious"), shared.path("report.json"));
    fs::write(&precious, "precious").unwrap();
    // It accepts and never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("postgres://app@{}/app", listener.local_addr().unwrap());
    let to = path.to_str().unwrap();
    let args = ["check", &target, "-w", "-o", to, "--timeout", "20s"];
    let child = dbdoctor(&args).spawn().unwrap();
    let _asked = listener.accept().unwrap();
    link(&precious, &path, EVE);
    kill(
        Pid::from_raw(i32::try_from(child.id()).unwrap()),
        Signal::SIGTERM,
    )
    .unwrap();
    let output = ended(child, Duration::from_secs(20));
    refused(&output, "planted");
    assert!(!output.stdout.is_empty(), "it is shown all the same");
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
    assert_eq!(fs::read_dir(shared.path("")).unwrap().count(), 1);
}

#[test]
fn a_file_is_written_where_its_directory_may_not_be() {
    if !geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let path = folder.path().join("report.json");
    fs::write(&path, "x".repeat(100_000)).unwrap();
    give(&path, BOB);
    let args = ["check", TARGET, "-w", "-o", path.to_str().unwrap()];
    let output = run(&mut dbdoctor_as(BOB, folder.path(), &args));
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(holds_report(&path));
    let new = folder.path().join("new.json");
    let args = ["check", TARGET, "-w", "-o", new.to_str().unwrap()];
    let output = run(&mut dbdoctor_as(BOB, folder.path(), &args));
    refused(&output, "no right to the directory");
    assert!(output.stdout.is_empty());
}

/// Runs a script with `$0` for the program, in mounts of its own; none where
/// that is not allowed.
fn in_mounts(folder: &Path, script: &str) -> Option<Output> {
    let mut command = Command::new("unshare");
    let allowed = Command::new("unshare")
        .args(["-m", "true"])
        .stderr(Stdio::null())
        .status();
    command
        .args(["-m", "sh", "-ec", script, env!("CARGO_BIN_EXE_dbdoctor")])
        .arg(TARGET)
        .current_dir(folder)
        .env("HOME", "/nonexistent")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    allowed
        .is_ok_and(|status| status.success())
        .then(|| run(&mut command))
}

#[test]
fn a_full_disk_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    // Once where a new file is made, once where the file is a mount point.
    for (to, mount) in [
        ("small/r.json", ""),
        ("point", "touch point; mount --bind small/r.json point"),
    ] {
        let script = format!(
            "mkdir -p small; mount -t tmpfs -o size=8k none small; echo before > small/r.json
             head -c 4096 /dev/zero > small/filler; {mount}
             \"$0\" check \"$1\" -w -q -o {to} || test $? = 2
             cat {to}; ls -A small | wc -l"
        );
        let Some(output) = in_mounts(folder.path(), &script) else {
            return;
        };
        let (shown, said) = (text(&output.stdout), text(&output.stderr));
        assert!(shown.ends_with("before\n2\n"), "{shown} {said}");
        assert!(said.contains("No space left"), "{said}");
    }
}

#[test]
fn a_mount_point_is_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let script = "echo 'something longer than nothing' > host.json; touch point
                  mount --bind host.json point; \"$0\" check \"$1\" -w -q -o point || test $? = 1";
    let Some(output) = in_mounts(folder.path(), script) else {
        return;
    };
    let said = text(&output.stderr);
    assert!(holds_report(&folder.path().join("host.json")), "{said}");
}

/// A key whose line breaks were escaped, and the key as it was.
fn damaged_key(folder: &Path) -> (PathBuf, Vec<u8>) {
    let key = openssl::pkey::PKey::from_rsa(openssl::rsa::Rsa::generate(2048).unwrap()).unwrap();
    let sound = key.private_key_to_pem_pkcs8().unwrap();
    let path = folder.join("id");
    fs::write(&path, text(&sound).replace('\n', "\\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    (path, sound)
}

fn repair(key: &Path, to: &Path) -> Output {
    let (key, to) = (key.to_str().unwrap(), to.to_str().unwrap());
    run(&mut dbdoctor(&["key", key, "--repair", to]))
}

/// What is in a directory, by name.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_repaired_key_is_private_whatever_the_umask_and_never_shown() {
    for (mask, level) in [("000", "-q"), ("022", "-v"), ("777", "--json")] {
        let folder = tempfile::tempdir().unwrap();
        let (key, sound) = damaged_key(folder.path());
        let copy = folder.path().join("copy");
        let script = format!(
            "umask {mask}; exec \"$0\" key {} --repair {} {level}",
            key.display(),
            copy.display()
        );
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &script, env!("CARGO_BIN_EXE_dbdoctor")])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = run(&mut shell);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert_eq!(mode(&copy), 0o600, "umask {mask}");
        assert_eq!(fs::read(&copy).unwrap(), sound);
        assert_eq!(names(folder.path()), ["copy", "id"]);
        let body = text(&sound);
        let secret = body.lines().filter(|line| !line.starts_with('-'));
        for piece in secret.map(|line| line.get(..16).unwrap_or(line)) {
            assert!(!said.contains(piece), "{level}: {said}");
        }
    }
}

#[test]
fn a_repaired_key_is_written_over_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (key, _) = damaged_key(folder.path());
    let at = |name: &str| folder.path().join(name);
    fs::write(at("file"), "before").unwrap();
    symlink(at("file"), at("link")).unwrap();
    symlink(at("nowhere"), at("dangling")).unwrap();
    mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    fs::create_dir(at("directory")).unwrap();
    let there = names(folder.path());
    for to in ["id", "file", "link", "dangling", "pipe", "directory"] {
        let output = repair(&key, &at(to));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{to}: {said}");
        assert!(said.contains("is there already"), "{to}: {said}");
        assert!(output.stdout.is_empty(), "it is refused before the run");
    }
    for to in ["/dev/stdout", "/dev/null", "missing/copy", "copy/"] {
        let output = repair(&key, &at(to));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{to}: {said}");
        assert!(output.stdout.is_empty(), "{to}");
    }
    assert_eq!(names(folder.path()), there);
    assert_eq!(fs::read(at("file")).unwrap(), b"before");
}

#[test]
fn a_repaired_key_is_not_written_through_another_user_s_link() {
    if !geteuid().is_root() {
        return;
    }
    let shared = Shared::new();
    let (key, _) = damaged_key(&shared.own(""));
    let home = shared.own("home");
    fs::create_dir(&home).unwrap();
    link(&home, &shared.path("directory"), EVE);
    let output = repair(&key, &shared.path("directory/copy"));
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(&format!("uid {EVE}")), "{said}");
    assert!(names(&home).is_empty());
}

#[test]
fn a_repair_needs_a_path_and_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (key, _) = damaged_key(folder.path());
    let (copy, alias) = (folder.path().join("copy"), folder.path().join("alias"));
    symlink("copy", &alias).unwrap();
    let (key, copy) = (key.to_str().unwrap(), copy.to_str().unwrap());
    let alias = alias.to_str().unwrap();
    for (args, why) in [
        (vec!["key", "--repair", copy], "needs PATH"),
        (
            vec!["key", "--ssh-key", key, "--repair", copy],
            "needs PATH",
        ),
        (
            vec!["key", key, "--repair", copy, "-o", copy],
            "the same file",
        ),
        (
            vec!["key", key, "--repair", copy, "-o", alias],
            "the same file",
        ),
    ] {
        let output = run(&mut dbdoctor(&args));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(why), "{args:?}: {said}");
        assert!(!Path::new(copy).exists());
    }
}

#[test]
fn a_full_disk_leaves_no_piece_of_a_repaired_key() {
    let folder = tempfile::tempdir().unwrap();
    damaged_key(folder.path());
    let script = "mkdir small; mount -t tmpfs -o size=8k none small
                  head -c 8192 /dev/zero > small/filler
                  \"$0\" key id --repair small/copy || test $? = 2; ls -A small";
    let Some(output) = in_mounts(folder.path(), script) else {
        return;
    };
    let said = text(&output.stderr);
    assert_eq!(text(&output.stdout), "filler\n", "{said}");
    assert!(
        said.contains("--repair cannot be written: No space left"),
        "{said}"
    );
}

#[test]
fn a_copy_of_a_key_in_a_read_only_mount_goes_to_the_working_directory() {
    let folder = tempfile::tempdir().unwrap();
    let (_, sound) = damaged_key(folder.path());
    let script = "mkdir secret; mount -t tmpfs none secret; cp -p id secret/
                  mount -o remount,ro none secret
                  \"$0\" key secret/id | grep -F 'dbdoctor key secret/id --repair id.repaired'
                  \"$0\" key secret/id --repair id.repaired";
    let Some(output) = in_mounts(folder.path(), script) else {
        return;
    };
    let said = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(fs::read(folder.path().join("id.repaired")).unwrap(), sound);
}
