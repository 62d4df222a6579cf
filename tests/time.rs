//! What takes time: waiting for a server that starts, interruptions, and how little a long test
//! costs.

#[path = "common/trials.rs"]
mod trials;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dbdoctor_lab::{Fault, IdleEnd, Lab, Need, Peer, Postgres, free_port};
use serde_json::Value;

const TRIALS: &[trials::Named<Lab>] = &[
    ("wait_wins_the_race_against_a_server_that_starts", race),
    ("wait_stops_at_once_on_a_wrong_password", wrong_password),
    ("wait_gives_up_in_time", gives_up),
    (
        "wait_is_not_taken_in_by_a_server_that_starts_twice",
        starts_twice,
    ),
    ("wait_is_not_taken_in_by_first_scripts", first_scripts),
    ("wait_asks_an_old_server_once", old_server),
    ("wait_leaves_standard_output_to_the_command", command),
    ("wait_says_that_a_command_cannot_be_run", no_command),
    ("wait_does_not_run_the_command_after_a_failure", failure),
    (
        "idle_tells_what_it_knows_when_interrupted",
        interrupted_idle,
    ),
    (
        "idle_tells_a_drop_when_interrupted",
        interrupted_after_a_drop,
    ),
    ("idle_sleeps", sleeps),
    ("idle_on_a_terminal_draws_bars", terminal),
    (
        "stress_tells_what_it_knows_when_interrupted",
        interrupted_stress,
    ),
    ("stress_keeps_to_its_rate", rate),
];

fn main() {
    trials::run(2, trials::lab(&[Need::Postgres]), TRIALS);
}

/// dbdoctor in an empty environment.
fn dbdoctor(lab: &Lab, args: &[&str]) -> Result<Command> {
    let mut command = Command::new("/usr/bin/env");
    command
        // Whoever runs the tests may ignore signals (nohup), which is inherited.
        .args(["--default-signal", env!("CARGO_BIN_EXE_dbdoctor")])
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", lab.dir("home")?)
        .env("PGPASSWORD", lab.password())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(command)
}

fn report(output: &Output) -> Result<Value> {
    serde_json::from_slice(&output.stdout).with_context(|| words(output))
}

fn words(output: &Output) -> String {
    format!(
        "status {:?}\n{}\n{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn facts(report: &Value, stage: &str) -> Value {
    let stages = report["stages"].as_array().into_iter().flatten();
    let mut stages = stages.filter(|record| record["stage"] == stage);
    stages
        .next()
        .map_or(Value::Null, |record| record["facts"].clone())
}

fn interrupt(child: &Child) -> Result<()> {
    let pid = child.id().to_string();
    let done = Command::new("kill").args(["-INT", &pid]).status()?;
    ensure!(done.success());
    Ok(())
}

/// Waits until it says something on standard error, and lets it talk on unheard: a fixed pause
/// is too short on some machine.
fn once_it_says(child: &mut Child, part: &str) -> Result<()> {
    let stderr = child.stderr.take().context("standard error is a pipe")?;
    let mut lines = BufReader::new(stderr).lines();
    let mut heard = String::new();
    for line in &mut lines {
        let line = line?;
        if line.contains(part) {
            thread::spawn(move || lines.for_each(drop));
            return Ok(());
        }
        heard.push_str(&line);
        heard.push('\n');
    }
    anyhow::bail!("it never said {part:?}, but:\n{heard}")
}

/// Starts a stopped server after a while, runs `meanwhile` and gives both back.
fn starting(
    mut pg: Postgres,
    after: Duration,
    meanwhile: impl FnOnce() -> Result<Output>,
) -> Result<(Output, Instant, Postgres)> {
    thread::scope(|scope| {
        let start = scope.spawn(move || {
            thread::sleep(after);
            let started = Instant::now();
            pg.restart().map(|()| (pg, started))
        });
        let output = meanwhile()?;
        let (pg, started) = start.join().expect("no panic")?;
        Ok((output, started, pg))
    })
}

fn race(lab: &Lab) -> Result<()> {
    let pg = lab.new_postgres().start()?;
    pg.stop();
    let target = pg.conn().to_string();
    let (output, started, _pg) = starting(pg, Duration::from_secs(2), || {
        let args = [
            "check", &target, "--wait", "30s", "--", "psql", &target, "-XAtc",
        ];
        Ok(dbdoctor(lab, &args)?.arg("select 'through'").output()?)
    })?;
    ensure!(output.status.success(), "{}", words(&output));
    ensure!(output.stdout == b"through\n", "{}", words(&output));
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(said.contains("tcp.refused"), "{said}");
    ensure!(
        started.elapsed() < Duration::from_secs(20),
        "it took {:?}",
        started.elapsed()
    );
    Ok(())
}

fn wrong_password(lab: &Lab) -> Result<()> {
    let target = lab.postgres()?.conn().to_string();
    let began = Instant::now();
    let mut command = dbdoctor(lab, &["check", &target, "--json", "--wait", "30s"])?;
    let output = command.env("PGPASSWORD", "wr0ng-canary").output()?;
    ensure!(
        began.elapsed() < Duration::from_secs(15),
        "it took {:?}",
        began.elapsed()
    );
    ensure!(output.status.code() == Some(1), "{}", words(&output));
    ensure!(report(&output)?["verdict"]["cause"] == "auth.password.wrong");
    Ok(())
}

fn gives_up(lab: &Lab) -> Result<()> {
    let target = format!("127.0.0.1:{}", free_port());
    let began = Instant::now();
    let output = dbdoctor(lab, &["tcp", &target, "--json", "--wait", "2s"])?.output()?;
    let took = began.elapsed();
    ensure!(
        took > Duration::from_millis(1_900) && took < Duration::from_secs(10),
        "{took:?}"
    );
    ensure!(output.status.code() == Some(1), "{}", words(&output));
    ensure!(report(&output)?["verdict"]["cause"] == "tcp.refused");
    // It says what it waits for, and not at every look.
    let said = String::from_utf8_lossy(&output.stderr).lines().count();
    ensure!((1..=3).contains(&said), "{}", words(&output));
    Ok(())
}

fn starts_twice(lab: &Lab) -> Result<()> {
    let mut pg = lab.new_postgres().start()?;
    pg.stop();
    let target = pg.conn().to_string();
    thread::scope(|scope| {
        let server = scope.spawn(move || -> Result<(Postgres, Instant)> {
            thread::sleep(Duration::from_millis(500));
            pg.restart()?;
            thread::sleep(Duration::from_secs(1));
            pg.stop();
            thread::sleep(Duration::from_secs(1));
            let second = Instant::now();
            pg.restart()?;
            Ok((pg, second))
        });
        let output = dbdoctor(lab, &["check", &target, "--json", "--wait", "30s"])?.output()?;
        let ended = Instant::now();
        let (_pg, second) = server.join().expect("no panic")?;
        ensure!(output.status.success(), "{}", words(&output));
        ensure!(ended > second, "it was taken in by the first start");
        Ok(())
    })
}

/// As the images of container registries start: first without any address.
fn first_scripts(lab: &Lab) -> Result<()> {
    let pg = lab.new_postgres().start()?;
    pg.stop();
    let conn = pg.conn().set("host", pg.socket_dir().display());
    let (data, log) = (pg.data_dir(), lab.dir("first-scripts")?.join("log"));
    let server = || -> Result<dbdoctor_lab::process::Service> {
        let program = postgres_program()?;
        dbdoctor_lab::Tool::new(program)
            .arg("-D")
            .arg(data.display())
            .args(["-c", "listen_addresses="])
            .user("postgres")
            .serve(log.clone(), "QUIT")
    };
    let target = conn.to_string();
    let first = server()?;
    thread::scope(|scope| {
        let scripts = scope.spawn(move || -> Result<(Postgres, Instant)> {
            thread::sleep(Duration::from_secs(6));
            first.stop();
            let mut pg = pg;
            let second = Instant::now();
            pg.restart()?;
            Ok((pg, second))
        });
        let output = dbdoctor(lab, &["check", &target, "--json", "--wait", "30s"])?.output()?;
        let ended = Instant::now();
        let (_pg, second) = scripts.join().expect("no panic")?;
        ensure!(output.status.success(), "{}", words(&output));
        ensure!(ended > second, "it was taken in by the first scripts");
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(said.contains("initialisation scripts"), "{said}");
        Ok(())
    })
}

fn postgres_program() -> Result<String> {
    let found = std::fs::read_dir("/usr/lib/postgresql")?
        .flatten()
        .map(|entry| entry.path().join("bin/postgres"))
        .find(|path| path.exists());
    let path: PathBuf = found.context("no PostgreSQL server is installed")?;
    Ok(path.to_string_lossy().into_owned())
}

fn old_server(lab: &Lab) -> Result<()> {
    let pg = lab.postgres()?;
    // It may be as young as this test.
    thread::sleep(Duration::from_secs(3));
    let target = pg.conn().to_string();
    let output = dbdoctor(lab, &["auth", &target, "--json", "--wait", "30s"])?.output()?;
    ensure!(output.status.success(), "{}", words(&output));
    // A second look is announced.
    ensure!(output.stderr.is_empty(), "{}", words(&output));
    Ok(())
}

fn command(lab: &Lab) -> Result<()> {
    let target = lab.postgres()?.conn().to_string();
    let args = [
        "tcp",
        &target,
        "--json",
        "--wait",
        "5s",
        "--",
        "sh",
        "-c",
        "echo mine; exit 7",
    ];
    let output = dbdoctor(lab, &args)?.output()?;
    ensure!(output.status.code() == Some(7), "{}", words(&output));
    ensure!(output.stdout == b"mine\n", "{}", words(&output));
    let report: Value = serde_json::from_slice(&output.stderr).with_context(|| words(&output))?;
    ensure!(report["verdict"]["status"] == "pass");
    Ok(())
}

fn no_command(lab: &Lab) -> Result<()> {
    let target = lab.postgres()?.conn().to_string();
    let args = [
        "tcp",
        &target,
        "-q",
        "--wait",
        "5s",
        "--",
        "/no/such/s3cret",
    ];
    let output = dbdoctor(lab, &args)?.output()?;
    ensure!(output.status.code() == Some(2), "{}", words(&output));
    ensure!(!words(&output).contains("s3cret"), "{}", words(&output));
    Ok(())
}

fn failure(lab: &Lab) -> Result<()> {
    let target = format!("127.0.0.1:{}", free_port());
    let args = ["tcp", &target, "--wait", "1s", "--", "echo", "mine"];
    let output = dbdoctor(lab, &args)?.output()?;
    ensure!(output.status.code() == Some(1), "{}", words(&output));
    ensure!(output.stdout.is_empty(), "{}", words(&output));
    Ok(())
}

fn interrupted_idle(lab: &Lab) -> Result<()> {
    let target = lab.postgres()?.conn().to_string();
    let mut child = dbdoctor(lab, &["idle", &target, "--json", "--for", "12s"])?.spawn()?;
    once_it_says(&mut child, "alive after 1.5 s")?;
    interrupt(&child)?;
    let asked = Instant::now();
    let output = child.wait_with_output()?;
    ensure!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
    ensure!(output.status.code() == Some(130), "{}", words(&output));
    let report = report(&output)?;
    ensure!(report["run"]["interrupted"] == true);
    let facts = facts(&report, "idle");
    ensure!(
        facts["threshold"]["survived_ms"] == 1_500.0
            || facts["threshold"]["survived_ms"] == 3_000.0,
        "{facts}"
    );
    Ok(())
}

fn interrupted_after_a_drop(lab: &Lab) -> Result<()> {
    let pg = lab.postgres()?;
    let idle = Fault::Idle(Duration::from_secs(2), IdleEnd::Close);
    let peer = Peer::forward(pg.addr(), idle)?;
    let target = pg.conn().set("port", peer.port()).to_string();
    let mut child = dbdoctor(lab, &["idle", &target, "--json", "--for", "1m"])?.spawn()?;
    once_it_says(&mut child, "closed after")?;
    interrupt(&child)?;
    let output = child.wait_with_output()?;
    ensure!(output.status.code() == Some(130), "{}", words(&output));
    ensure!(
        report(&output)?["verdict"]["cause"] == "idle.closed",
        "{}",
        words(&output)
    );
    Ok(())
}

/// The nanoseconds that a process has computed.
fn computed(pid: u32) -> Result<u64> {
    let mut all = 0;
    for task in std::fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task"))? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        all += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(all)
}

fn sleeps(lab: &Lab) -> Result<()> {
    let target = lab.postgres()?.conn().to_string();
    let mut child = dbdoctor(lab, &["idle", &target, "--json", "--for", "1h"])?.spawn()?;
    once_it_says(&mut child, "idle, never used")?;
    thread::sleep(Duration::from_secs(1));
    let before = computed(child.id())?;
    thread::sleep(Duration::from_secs(4));
    let spent = computed(child.id())? - before;
    interrupt(&child)?;
    let output = child.wait_with_output()?;
    ensure!(output.status.code() == Some(130), "{}", words(&output));
    // A second in an hour, of which the heartbeats may have their part.
    ensure!(spent < 500_000, "{spent} ns in four seconds");
    Ok(())
}

fn terminal(lab: &Lab) -> Result<()> {
    if dbdoctor_lab::process::find_program("script").is_none() {
        eprintln!("skipped: script is not installed");
        return Ok(());
    }
    let target = lab.postgres()?.conn().to_string();
    let line = format!(
        "{} idle '{target}' --for 3s",
        env!("CARGO_BIN_EXE_dbdoctor")
    );
    let mut script = Command::new("script");
    script
        .args(["-qec", &line, "/dev/null"])
        .env("TERM", "xterm")
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", lab.dir("home")?)
        .env("PGPASSWORD", lab.password())
        .stdin(Stdio::null());
    let output = script.output()?;
    let shown = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{shown}");
    for part in [
        "idle, never used",
        "━",
        "Idle test: ",
        "✓ alive after 3.0 s",
    ] {
        ensure!(shown.contains(part), "{part} is not in {shown:?}");
    }
    Ok(())
}

fn interrupted_stress(lab: &Lab) -> Result<()> {
    let target = lab.postgres()?.conn().to_string();
    let args = [
        "stress",
        &target,
        "--json",
        "--attempts",
        "1000",
        "--rate",
        "10",
    ];
    let mut child = dbdoctor(lab, &args)?.spawn()?;
    once_it_says(&mut child, "attempts, 0 failed")?;
    interrupt(&child)?;
    let output = child.wait_with_output()?;
    ensure!(output.status.code() == Some(130), "{}", words(&output));
    let facts = facts(&report(&output)?, "stress");
    let made = facts["attempts"].as_u64().unwrap_or_default();
    ensure!(
        (1..1_000).contains(&made) && facts["succeeded"] == made,
        "{facts}"
    );
    Ok(())
}

fn rate(lab: &Lab) -> Result<()> {
    let target = lab.postgres()?.conn().to_string();
    let args = [
        "stress",
        &target,
        "--json",
        "--attempts",
        "11",
        "--rate",
        "5",
    ];
    let began = Instant::now();
    let output = dbdoctor(lab, &args)?.output()?;
    ensure!(output.status.success(), "{}", words(&output));
    ensure!(
        began.elapsed() >= Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    Ok(())
}
