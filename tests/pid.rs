//! `--pid`: what it refuses, in one line and without a guess; what stays where dbdoctor was
//! started; and that the process is left as it was.

#[path = "common/trials.rs"]
mod trials;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dbdoctor_lab::process::Service;
use dbdoctor_lab::{Lab, Need, Netns, Peer, Tool};
use serde_json::Value;

const TRIALS: &[trials::Named<Lab>] = &[
    ("what_may_not_be_done_is_said", forbidden),
    ("what_cannot_be_looked_from_is_said", impossible),
    ("nothing_is_taken_for_a_target", nothing),
    ("the_report_and_the_command_stay_ours", ours),
    ("an_interruption_is_passed_on", interrupted),
    ("the_process_is_left_as_it_was", left_alone),
];

/// Nobody's.
const USER: &str = "65534";

fn main() {
    trials::run(2, trials::lab(&[Need::Netns, Need::Python]), TRIALS);
}

/// A process that sleeps, after these lines of Python.
fn sleeper(lab: &Lab, lines: &str, tool: Tool) -> Result<Service> {
    let script = format!("{lines}\nimport time\nprint('ready', flush=True)\ntime.sleep(600)\n");
    let tool = tool.args(["-c", &script]);
    let process = tool.serve(lab.dir("process")?.join("log"), "TERM")?;
    process.wait_ready(|| process.log().contains("ready"))?;
    Ok(process)
}

/// A process of nobody's in this namespace, with a password in its environment.
fn in_a_network(lab: &Lab, ns: &Netns, host: &str) -> Result<Service> {
    let tool = ns.tool("python3").user(USER);
    let tool = tool.env("PGHOST", host).env("PGPASSWORD", lab.password());
    sleeper(lab, "", tool)
}

fn dbdoctor(args: &[&str], user: Option<&str>) -> Command {
    let program = env!("CARGO_BIN_EXE_dbdoctor");
    let mut command = match user {
        Some(user) => {
            let mut command = Command::new("setpriv");
            let ids = ["--reuid", user, "--regid", user, "--clear-groups"];
            command.args(ids).arg(program);
            command
        }
        None => Command::new(program),
    };
    command
        .args(args)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir("/")
        .stdin(Stdio::null());
    command
}

/// dbdoctor must say this in one line, and nothing else.
fn refused(lab: &Lab, args: &[&str], user: Option<&str>, words: &[&str]) -> Result<()> {
    let Output {
        status,
        stdout,
        stderr,
    } = dbdoctor(args, user).output()?;
    let said = String::from_utf8(stderr)?;
    ensure!(status.code() == Some(2), "{args:?}: {status}: {said}");
    ensure!(stdout.is_empty(), "{}", String::from_utf8_lossy(&stdout));
    ensure!(said.lines().count() == 1, "{said}");
    ensure!(!said.contains(lab.password()), "{said}");
    for word in words {
        ensure!(said.contains(word), "{word:?} is not in {said}");
    }
    Ok(())
}

fn forbidden(lab: &Lab) -> Result<()> {
    let ns = lab.netns()?;
    let process = in_a_network(lab, &ns, "db.test")?;
    let pid = process.pid().to_string();
    let command = format!(
        "run: sudo {} check --pid {pid}",
        env!("CARGO_BIN_EXE_dbdoctor")
    );
    let about = format!("process {pid} (python3");
    let args = ["check", "--pid", &pid];
    let words = ["environment", "uid 65534", &about, &command];
    refused(lab, &args, Some("1"), &words)?;
    let words = ["another network namespace", &about, &command];
    refused(lab, &args, Some(USER), &words)?;
    // What the command line says is not repeated.
    let secret = format!("postgres://app:{}@db/x", lab.password());
    refused(
        lab,
        &["check", &secret, "--pid", &pid],
        Some(USER),
        &[&command],
    )
}

fn impossible(lab: &Lab) -> Result<()> {
    refused(
        lab,
        &["check", "--pid", "4194305"],
        None,
        &["no process has the pid 4194305"],
    )?;
    for bad in ["0", "-1", "x", ""] {
        let output = dbdoctor(&["check", "--pid", bad], None).output()?;
        ensure!(output.status.code() == Some(2), "{bad}: {output:?}");
    }
    let title = "import ctypes\n\
                 fields = open('/proc/self/stat').read().rsplit(') ', 1)[1].split()\n\
                 start, end = int(fields[47]), int(fields[48])\n\
                 ctypes.memset(start, 0, end - start)";
    let titled = sleeper(lab, title, Tool::new("python3").env("PGHOST", "db.test"))?;
    let pid = titled.pid().to_string();
    refused(
        lab,
        &["check", "--pid", &pid],
        None,
        &["title over its environment"],
    )?;
    let fork = "import os\nchild = os.fork()\nif child == 0: os._exit(0)\nprint(child, flush=True)";
    let parent = sleeper(lab, fork, Tool::new("python3"))?;
    let ended = parent.log().lines().next().context("no child")?.to_owned();
    let waits = || fs::read_to_string(format!("/proc/{ended}/stat"));
    parent.wait_ready(|| waits().is_ok_and(|stat| stat.contains(") Z ")))?;
    refused(
        lab,
        &["check", "--pid", &ended],
        None,
        &["has ended", &parent.pid().to_string()],
    )?;
    // A container sees no threads of the kernel.
    if fs::read_to_string("/proc/2/comm").is_ok_and(|name| name.trim() == "kthreadd") {
        refused(
            lab,
            &["check", "--pid", "2"],
            None,
            &["thread of the kernel"],
        )?;
    }
    let output = dbdoctor(&["idle", "--pid", &pid], None).output()?;
    ensure!(output.status.code() == Some(2), "{output:?}");
    Ok(())
}

fn nothing(lab: &Lab) -> Result<()> {
    let process = sleeper(lab, "", Tool::new("python3"))?;
    let pid = process.pid().to_string();
    let words = ["says nothing about a database", "--env-file"];
    for command in ["check", "config", "stress"] {
        refused(lab, &[command, "--pid", &pid], None, &words)?;
    }
    let output = dbdoctor(&["config", "--pid", &pid, "-h", "db.test"], None).output()?;
    ensure!(output.status.success(), "{output:?}");
    Ok(())
}

fn ours(lab: &Lab) -> Result<()> {
    let ns = lab.netns()?;
    let process = in_a_network(lab, &ns, "127.0.0.1")?;
    let pid = process.pid().to_string();
    let folder = tempfile::tempdir()?; // no other user may enter it
    let file = folder.path().join("report.json");
    let file = file.to_str().context("no text")?;
    let args = [
        "dns", "--pid", &pid, "-o", file, "--wait", "5s", "--", "sh", "-c",
    ];
    let script = "id -u; pwd; echo \"<$PGHOST>\"; readlink /proc/self/ns/net";
    let mut command = dbdoctor(&args, None);
    let output = command.arg(script).output()?;
    ensure!(output.status.success(), "{output:?}");
    let network = fs::read_link("/proc/self/ns/net")?;
    let expected = format!("0\n/\n<>\n{}\n", network.display());
    let said = String::from_utf8(output.stdout)?;
    ensure!(said == expected, "{said}");
    let about = fs::metadata(file)?;
    ensure!(
        (about.uid(), about.mode() & 0o777) == (0, 0o600),
        "{about:?}"
    );
    let report: Value = serde_json::from_str(&fs::read_to_string(file)?)?;
    ensure!(report["verdict"]["status"] == "pass", "{report:#}");
    // What fails runs no command, and its report is written all the same.
    let args = [
        "tcp", "--pid", &pid, "-p", "1", "-o", file, "--wait", "1s", "--", "echo", "ran",
    ];
    let output = dbdoctor(&args, None).output()?;
    ensure!(output.status.code() == Some(1), "{output:?}");
    ensure!(output.stdout.is_empty(), "{output:?}");
    let report: Value = serde_json::from_str(&fs::read_to_string(file)?)?;
    ensure!(report["verdict"]["cause"] == "tcp.refused", "{report:#}");
    Ok(())
}

fn interrupted(lab: &Lab) -> Result<()> {
    let silent = Peer::silent()?;
    let process = sleeper(
        lab,
        "",
        Tool::new("python3").user(USER).env("PGHOST", "127.0.0.1"),
    )?;
    let port = silent.port().to_string();
    let pid = process.pid().to_string();
    let args = [
        "auth",
        "--json",
        "--pid",
        &pid,
        "-p",
        &port,
        "--timeout",
        "20s",
    ];
    for signal in ["TERM", "INT"] {
        let mut command = dbdoctor(&args, None);
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        std::thread::sleep(Duration::from_millis(1500));
        let begun = Instant::now();
        Tool::new("kill")
            .args(["-s", signal])
            .arg(child.id())
            .succeed()?;
        let output = child.wait_with_output()?;
        ensure!(begun.elapsed() < Duration::from_secs(10), "it went on");
        ensure!(output.status.code() == Some(130), "{output:?}");
        let report: Value = serde_json::from_slice(&output.stdout)?;
        ensure!(report["run"]["interrupted"] == true, "{report:#}");
    }
    Ok(())
}

fn left_alone(lab: &Lab) -> Result<()> {
    let ns = lab.netns()?;
    let process = in_a_network(lab, &ns, "127.0.0.1")?;
    let pid = process.pid();
    let look = || -> Result<String> {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}"));
        let mut all = read("environ")? + &read("mountinfo")?;
        for line in read("status")?.lines() {
            let kept = ["Name", "TracerPid", "Uid", "Cap", "Sig", "Shd", "Threads"];
            if kept.iter().any(|name| line.starts_with(name)) {
                all += line;
            }
        }
        for kind in ["net", "mnt", "user"] {
            let link = fs::read_link(format!("/proc/{pid}/ns/{kind}"))?;
            all += &link.to_string_lossy();
        }
        Ok(all)
    };
    let before = look()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let pid = pid.to_string();
    let output = dbdoctor(&["check", "--pid", &pid, "-p", "1"], None).output()?;
    ensure!(output.status.code() == Some(1), "{output:?}");
    ensure!(look()? == before, "{}", look()?);
    let after = fs::read_to_string("/proc/self/mountinfo")?;
    let count = |text: &str| {
        text.lines()
            .filter(|line| line.contains(" - proc "))
            .count()
    };
    ensure!(count(&after) == count(&mounts), "{after}");
    Ok(())
}
