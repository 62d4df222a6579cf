//! Faults of the machine that dbdoctor runs on: limits, full disks, readers that leave,
//! missing file systems, signals. And what the command after `--` finds of its machine: all
//! that dbdoctor found.

#[path = "common/process.rs"]
mod process;
#[path = "common/trials.rs"]
mod trials;

use std::convert::Infallible;
use std::ffi::{CString, OsString};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use process::{ended, isolated, run, text, until};
use serde_json::Value;

const TRIALS: &[trials::Named<()>] = &[
    ("few_descriptors_are_told", few_descriptors),
    ("little_memory_is_no_defect", little_memory),
    ("a_full_disk_is_told", full_disk),
    ("nobody_hears_standard_error", deaf_standard_error),
    ("a_reader_that_left_changes_no_status", reader_left),
    ("a_home_that_is_none_changes_no_verdict", homes),
    (
        "missing_file_systems_change_no_verdict",
        missing_file_systems,
    ),
    ("without_a_terminal_nothing_is_asked", no_terminal),
    ("a_signal_at_any_moment_leaves_a_whole_file", any_moment),
    ("what_is_ignored_interrupts_nothing", ignored_signals),
    ("a_stopped_run_goes_on", stopped),
    ("the_command_gets_our_environment", environment),
    ("the_command_gets_our_limits", limits),
    ("the_command_gets_our_descriptors", descriptors),
    ("the_command_gets_our_folder", folder),
    ("the_command_gets_our_signals", signals),
];

const BIN: &str = env!("CARGO_BIN_EXE_dbdoctor");

/// The first word for this program to change its process and become another.
const LAUNCH: &str = "launch";

/// Longer than any run here takes, however busy the machine.
const LONGEST: Duration = Duration::from_secs(60);

/// A target that refuses at once.
const REFUSED: &str = "postgres://app@127.0.0.1:1/app";

fn main() {
    let words: Vec<OsString> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == LAUNCH) {
        let Err(error) = launch(&words[2..]);
        panic!("cannot launch: {error}");
    }
    trials::run(2, Ok(()), TRIALS);
}

/// A command whose program has these words before it. Whoever runs the tests may ignore
/// signals (nohup, a shell's background), which is inherited.
fn under(prefix: &[&str], args: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/env");
    command.arg("--default-signal").args(prefix).arg(BIN);
    isolated(command, args)
}

fn dbdoctor(args: &[&str]) -> Command {
    under(&[], args)
}

fn words(output: &Output) -> String {
    format!(
        "{}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    )
}

/// Whether a run ended by itself and without a panic.
fn clean(output: &Output) -> Result<()> {
    let said = text(&output.stderr);
    let panicked = said.contains("internal error") || said.contains("panicked");
    ensure!(!panicked && output.status.code().is_some());
    Ok(())
}

/// A run that ends with this status, whatever the machine does to it.
fn ends(mut command: Command, status: i32) -> Result<Output> {
    let output = run(&mut command);
    clean(&output).with_context(|| words(&output))?;
    ensure!(output.status.code() == Some(status), "{}", words(&output));
    Ok(output)
}

fn report(bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes).with_context(|| text(bytes))
}

fn may_unshare() -> bool {
    let mut probe = Command::new("unshare");
    probe.args(["-m", "true"]).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

/// Commands of every kind, and how they end on a sound machine.
fn kinds(key: &str) -> Vec<(Vec<&str>, i32)> {
    vec![
        (vec!["check", REFUSED, "-w", "--json"], 1),
        (vec!["config", REFUSED, "-w"], 0),
        (vec!["key", key], 0),
        (vec!["explain", "connection refused"], 0),
        (vec!["completions", "bash"], 0),
        (vec!["--version"], 0),
    ]
}

/// A private key that `key` finds nothing wrong with.
fn key(folder: &Path) -> Result<String> {
    encrypted_key(folder, "")
}

fn encrypted_key(folder: &Path, passphrase: &str) -> Result<String> {
    let path = folder.join("id_ed25519");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", passphrase, "-f"])
        .arg(&path)
        .status()?;
    ensure!(made.success());
    Ok(path.to_str().context("the path is text")?.to_owned())
}

// ---- Limits ----

fn few_descriptors(_: &()) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let key = key(folder.path())?;
    for (args, sound) in kinds(&key) {
        // With fewer the loader does not find the libraries.
        for most in [4, 9, 11, 12, 16] {
            let output = run(&mut under(
                &["prlimit", &format!("--nofile={most}:{most}")],
                &args,
            ));
            let case = || format!("{args:?} {most}: {}", words(&output));
            clean(&output).with_context(case)?;
            let named = text(&[&output.stdout[..], &output.stderr].concat());
            let named = named.contains("Too many open files") || named.contains("descriptor");
            match output.status.code() {
                Some(status) if status == sound && (!named || sound == 1) => {}
                Some(1) if args[0] != "explain" => ensure!(named, case()),
                Some(3) => {
                    let one = text(&output.stderr).lines().count() == 1;
                    ensure!(named && one && output.stdout.is_empty(), case());
                }
                _ => bail!(case()),
            }
        }
    }
    Ok(())
}

fn little_memory(_: &()) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let key = key(folder.path())?;
    for (args, sound) in kinds(&key) {
        for megabytes in [48, 64, 96, 1024] {
            let limit = format!("--as={}", megabytes << 20);
            let output = run(&mut under(&["prlimit", &limit], &args));
            let case = || format!("{args:?} {megabytes} MB: {}", words(&output));
            let said = text(&output.stderr);
            let panicked = said.contains("internal error") || said.contains("panicked");
            ensure!(!panicked, case());
            match (output.status.code(), output.status.signal()) {
                (Some(status), _) if status == sound => {}
                // The loader, and our own words.
                (Some(127 | 3), _) => {
                    ensure!(said.contains("memory") || said.contains("map"), case())
                }
                // The standard library's.
                (None, Some(6)) => ensure!(said.contains("memory allocation"), case()),
                // The kernel's, before there is a program.
                (None, Some(9 | 11)) if megabytes < 96 => ensure!(said.is_empty(), case()),
                _ => bail!(case()),
            }
        }
    }
    Ok(())
}

// ---- Outputs ----

fn full() -> Result<File> {
    Ok(OpenOptions::new().write(true).open("/dev/full")?)
}

fn full_disk(_: &()) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let key = key(folder.path())?;
    for (args, _) in kinds(&key) {
        let mut command = dbdoctor(&args);
        command.stdout(full()?);
        let said = text(&ends(command, 2)?.stderr);
        let told = said.contains("standard output") && said.contains("No space left");
        ensure!(told && said.lines().count() == 1, "{args:?}: {said}");
    }
    if !may_unshare() {
        return Ok(());
    }
    // A disk with room for the name of a file, and for none of its blocks.
    let script = "mount -t tmpfs -o size=4k none \"$1\"; : >\"$1/fills\"; \
                  head -c 4096 /dev/zero >>\"$1/fills\" || true; status=0; \
                  \"$0\" check \"$2\" -w -o \"$1/report.json\" || status=$?; \
                  ls -A \"$1\" >&2; exit $status";
    let disk = folder.path().join("disk");
    fs::create_dir(&disk)?;
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-ec", script, BIN])
        .arg(&disk)
        .arg(REFUSED)
        .env("HOME", "/nonexistent")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = ends(command, 2)?;
    let said = text(&output.stderr);
    ensure!(
        said.contains("No space left") && said.ends_with("\nfills\n"),
        "{said}"
    );
    ensure!(
        text(&output.stdout).contains("tcp.refused"),
        "it is shown all the same"
    );
    Ok(())
}

/// Standard error that takes nothing: what is told there is lost, and nothing else.
fn deaf_standard_error(_: &()) -> Result<()> {
    for (args, status) in [
        (&["check", "--no-such-flag"][..], 2),
        (&["check", REFUSED, "-w", "-o", "/nonexistent/report"], 2),
        (&["tcp", REFUSED, "--wait", "1s"], 1),
        (&["key", "/nonexistent/key"], 1),
        (&["idle", REFUSED, "-w"], 1),
        (&["stress", REFUSED, "-w"], 1),
    ] {
        for gone in [false, true] {
            let mut command = dbdoctor(args);
            match gone {
                true => command.stderr(OwnedFd::from(std::io::pipe()?.1)),
                false => command.stderr(full()?),
            };
            ends(command, status).with_context(|| format!("{args:?}, gone: {gone}"))?;
        }
    }
    Ok(())
}

fn reader_left(_: &()) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let key = key(folder.path())?;
    for (args, status) in kinds(&key) {
        let mut command = dbdoctor(&args);
        command.stdout(OwnedFd::from(std::io::pipe()?.1));
        let said = ends(command, status)?.stderr;
        ensure!(said.is_empty(), "{args:?}: {}", text(&said));
        for closed in [">&-", "<&- >&- 2>&-"] {
            let script = format!("exec \"$0\" \"$@\" {closed}");
            let command = under(&["sh", "-c", &script], &args);
            let output = ends(command, status).with_context(|| format!("{args:?} {closed}"))?;
            ensure!(output.stderr.is_empty(), "{args:?}: {}", words(&output));
        }
    }
    Ok(())
}

// ---- What is missing ----

fn homes(_: &()) -> Result<()> {
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
    let home = folder.path().join("home");
    fs::create_dir(&home)?;
    fs::set_permissions(&home, Permissions::from_mode(0o000))?;
    let home = home.to_str().context("the path is text")?;
    for home in [
        None,
        Some(""),
        Some("."),
        Some("/dev/null"),
        Some("/nonexistent"),
        Some(home),
    ] {
        let args = ["check", REFUSED, "-w", "--json"];
        let mut commands = vec![dbdoctor(&args)];
        if nix::unistd::geteuid().is_root() {
            commands.push(process::dbdoctor_as(61_234, folder.path(), &args));
        }
        for mut command in commands {
            match home {
                None => command.env_remove("HOME"),
                Some(home) => command.env("HOME", home),
            };
            let output = ends(command, 1).with_context(|| format!("{home:?}"))?;
            let report = report(&output.stdout)?;
            ensure!(
                report["verdict"]["cause"] == "tcp.refused",
                "{home:?}: {report}"
            );
        }
    }
    Ok(())
}

fn missing_file_systems(_: &()) -> Result<()> {
    if !may_unshare() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let key = key(folder.path())?;
    for place in ["/proc", "/sys", "/dev", "/etc"] {
        let script = format!("mount -t tmpfs none {place}; exec \"$0\" \"$@\"");
        for (args, status) in kinds(&key) {
            let command = under(&["unshare", "-m", "sh", "-ec", &script], &args);
            let output = ends(command, status).with_context(|| format!("{args:?} {place}"))?;
            if args.contains(&"--json") {
                let report = report(&output.stdout)?;
                ensure!(
                    report["verdict"]["cause"] == "tcp.refused",
                    "{place}: {report}"
                );
            }
        }
    }
    Ok(())
}

fn no_terminal(_: &()) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let key = encrypted_key(folder.path(), "not empty")?;
    for (args, cause) in [
        (&["check", REFUSED, "-W", "--json"][..], "tcp.refused"),
        (&["key", &key, "--json"], "key.passphrase.missing"),
    ] {
        let output = ends(under(&["setsid", "--wait"], args), 1)?;
        let report = report(&output.stdout)?;
        ensure!(report["verdict"]["cause"] == cause, "{report}");
        ensure!(output.stderr.is_empty(), "{}", words(&output));
    }
    Ok(())
}

// ---- Signals ----

fn send(child: &Child, signal: Signal) -> Result<()> {
    Ok(kill(Pid::from_raw(i32::try_from(child.id())?), signal)?)
}

/// No moment is waited for here: whichever it hits, the same holds.
fn any_moment(_: &()) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("report.json");
    let to = path.to_str().context("the path is text")?;
    let moments = [0, 4, 8, 12, 16, 20, 25, 30, 40, 60, 90, 150];
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        for (at, moment) in moments.into_iter().enumerate() {
            let before = at % 2 == 1;
            let _ = fs::remove_file(&path);
            if before {
                fs::write(&path, "before")?;
            }
            let child = dbdoctor(&["check", REFUSED, "-w", "-o", to]).spawn()?;
            std::thread::sleep(Duration::from_millis(moment));
            send(&child, signal)?;
            let output = ended(child, LONGEST);
            let case = || format!("{signal} after {moment} ms: {}", words(&output));
            let ends = match (output.status.code(), output.status.signal()) {
                (Some(1 | 130), _) => true,
                // Before it listens.
                (None, Some(number)) => number == signal as i32,
                _ => false,
            };
            ensure!(
                ends && !text(&output.stderr).contains("internal error"),
                case()
            );
            match fs::read(&path) {
                Ok(found) if before && found == b"before" => {}
                Ok(found) => drop(report(&found).with_context(case)?),
                Err(_) => ensure!(!before, case()),
            }
            let names = fs::read_dir(folder.path())?.count();
            ensure!(names == usize::from(path.exists()), case());
        }
    }
    Ok(())
}

/// A server that accepts and never answers, and a run that waits for it.
fn waiting(prefix: &[&str]) -> Result<(Child, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let target = format!("postgres://app@{}/app", listener.local_addr()?);
    let args = ["check", &target, "-w", "--json", "--timeout", "50s"];
    let child = under(prefix, &args).spawn()?;
    let (mut server, _) = listener.accept()?;
    server.read_exact(&mut [0; 8])?;
    Ok((child, server))
}

fn ignored_signals(_: &()) -> Result<()> {
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM] {
        for ignored in [true, false] {
            let prefix = format!("--ignore-signal={}", signal.as_str());
            let prefix = ["env", &prefix];
            let (child, server) = waiting(if ignored { &prefix } else { &[] })?;
            send(&child, signal)?;
            let kept = (!ignored).then_some(server);
            let output = ended(child, LONGEST);
            drop(kept);
            let interrupted = report(&output.stdout)?["run"]["interrupted"] == true;
            let expected = if ignored { 1 } else { 130 };
            ensure!(
                output.status.code() == Some(expected) && interrupted != ignored,
                "{signal}, ignored: {ignored}: {}",
                words(&output)
            );
        }
    }
    Ok(())
}

fn stopped(_: &()) -> Result<()> {
    let (child, server) = waiting(&[])?;
    send(&child, Signal::SIGSTOP)?;
    let stat = format!("/proc/{}/stat", child.id());
    until("stopped", || {
        fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T "))
    });
    drop(server);
    send(&child, Signal::SIGCONT)?;
    let output = ended(child, LONGEST);
    clean(&output).with_context(|| words(&output))?;
    let report = report(&output.stdout)?;
    ensure!(report["run"]["interrupted"] != true, "{report}");
    ensure!(output.status.code() == Some(1), "{}", words(&output));
    Ok(())
}

// ---- The command after `--` ----

/// An environment as no shell makes it.
const ENVIRONMENT: &[&[u8]] = &[
    b"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    b"HOME=/nonexistent",
    b"PGPASSWORD=s3cr3t 'canary'",
    b"DATABASE_URL=postgres://app:s3cr3t@db.invalid/app?sslmode=disable",
    b"DBDOCTOR_SSH_PASSWORD=s3cr3t",
    b"PGOPTIONS=",
    b"TWICE=1",
    b"without an equals sign",
    b"TWICE=2",
    b"=at the beginning",
    b"",
    b"NOT_TEXT=\xff\xfe\n\x01",
    b"\xff=\x80",
];

/// Becomes the program that these words are, in a process that has something of its own
/// everywhere: the environment, the limits, the mask of new files, an open file.
fn launch(words: &[OsString]) -> Result<Infallible> {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o137));
    for (resource, soft) in [(Resource::RLIMIT_CORE, 4096), (Resource::RLIMIT_NOFILE, 77)] {
        let (_, hard) = getrlimit(resource)?;
        setrlimit(resource, soft.min(hard), hard)?;
    }
    let open = File::open("/dev/null")?;
    nix::fcntl::fcntl(&open, nix::fcntl::FcntlArg::F_DUPFD(9))?;
    let word = |word: &OsString| CString::new(word.clone().into_vec());
    let words = words.iter().map(word).collect::<Result<Vec<_>, _>>()?;
    let entry = |entry: &&[u8]| CString::new(*entry);
    let environment = ENVIRONMENT
        .iter()
        .map(entry)
        .collect::<Result<Vec<_>, _>>()?;
    let program = words.first().context("no program")?;
    Ok(nix::unistd::execve(program, &words, &environment)?)
}

/// What a program prints, started by itself and by dbdoctor.
fn both(signals: &[&str], program: &[&str]) -> Result<[Vec<u8>; 2]> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let target = listener.local_addr()?.to_string();
    let ours = [BIN, "tcp", &target, "--wait", "20s", "--"];
    let folder = tempfile::tempdir()?;
    let print = |prefix: &[&str]| -> Result<Vec<u8>> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args([LAUNCH, "/usr/bin/env", "--default-signal"])
            .args(signals)
            .args(prefix)
            .args(program)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = run(&mut command);
        ensure!(output.status.success(), "{program:?}: {}", words(&output));
        Ok(output.stdout)
    };
    Ok([print(&[])?, print(&ours)?])
}

/// Holds a program to printing the same, and returns that.
fn same(signals: &[&str], program: &[&str]) -> Result<Vec<u8>> {
    let [alone, ours] = both(signals, program)?;
    ensure!(
        ours == alone,
        "{signals:?} {program:?} prints\n{}\nand after dbdoctor\n{}",
        text(&alone),
        text(&ours)
    );
    Ok(alone)
}

fn environment(_: &()) -> Result<()> {
    let all = same(&[], &["cat", "/proc/self/environ"])?;
    let expected = [&ENVIRONMENT.join(&0)[..], b"\0"].concat();
    ensure!(all == expected, "{}", text(&all));
    Ok(())
}

fn limits(_: &()) -> Result<()> {
    let all = text(&same(&[], &["cat", "/proc/self/limits"])?);
    for (limit, soft) in [("Max open files", "77"), ("Max core file size", "4096")] {
        let line = all.lines().find_map(|line| line.strip_prefix(limit));
        let found = line.and_then(|line| line.split_whitespace().next());
        ensure!(found == Some(soft), "{all}");
    }
    Ok(())
}

fn descriptors(_: &()) -> Result<()> {
    let all = text(&same(&[], &["ls", "/proc/self/fd"])?);
    ensure!(all.lines().any(|line| line == "9"), "{all}");
    Ok(())
}

fn folder(_: &()) -> Result<()> {
    same(&[], &["readlink", "/proc/self/cwd"]).map(drop)
}

fn signals(_: &()) -> Result<()> {
    use Signal::{SIGCHLD, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGUSR1};
    let kept = "^(Umask|Sig(Pnd|Blk|Ign|Cgt)|ShdPnd|NoNewPrivs|Seccomp|Uid|Gid|Groups|Cap.*):";
    for (flag, field, signals) in [
        ("--default-signal", "SigIgn:", &[][..]),
        ("--ignore-signal", "SigIgn:", &[SIGPIPE]),
        ("--ignore-signal", "SigIgn:", &[SIGHUP]),
        ("--ignore-signal", "SigIgn:", &[SIGINT]),
        ("--ignore-signal", "SigIgn:", &[SIGTERM]),
        ("--ignore-signal", "SigIgn:", &[SIGCHLD]),
        // A shell's background, and a whole CI system's.
        ("--ignore-signal", "SigIgn:", &[SIGINT, SIGQUIT]),
        (
            "--ignore-signal",
            "SigIgn:",
            &[SIGHUP, SIGINT, SIGQUIT, SIGPIPE],
        ),
        ("--block-signal", "SigBlk:", &[SIGTERM, SIGUSR1]),
    ] {
        let names: Vec<_> = signals.iter().map(|signal| signal.as_str()).collect();
        let named = match names.is_empty() {
            true => flag.to_owned(),
            false => format!("{flag}={}", names.join(",")),
        };
        let [all, ours] = both(&[&named], &["grep", "-E", kept, "/proc/self/status"])?
            .map(|status| with_names(&text(&status)));
        ensure!(ours == all, "{named}:\n{all}\nand after dbdoctor\n{ours}");
        let mut expected = signals.to_vec();
        expected.sort();
        let expected = format!("{field} {expected:?}\n");
        ensure!(all.contains(&expected), "{expected}{all}");
        ensure!(all.contains("Umask:\t0137\n"), "{all}");
    }
    Ok(())
}

/// Of a process's status, the masks as the signals that have names: others are the C
/// library's own.
fn with_names(status: &str) -> String {
    let line = |line: &str| {
        let mask = line
            .strip_prefix("Sig")
            .and_then(|rest| rest.split_once(":\t"));
        let bits = mask.and_then(|(name, mask)| Some((name, u64::from_str_radix(mask, 16).ok()?)));
        bits.map_or(format!("{line}\n"), |(name, bits)| {
            let is_set = |signal: &Signal| bits & (1 << (*signal as i32 - 1)) != 0;
            let set: Vec<Signal> = Signal::iterator().filter(is_set).collect();
            format!("Sig{name}: {set:?}\n")
        })
    };
    status.lines().map(line).collect()
}
