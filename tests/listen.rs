//! `tunnel --listen`: applications go through the tunnel that is held open, each connection's
//! fate is told, and its end has a clear word and status.

#[path = "common/listening.rs"]
mod listening;
#[path = "common/trials.rs"]
mod trials;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dbdoctor_lab::{Lab, Need, Peer, Sshd};
use listening::Listening;
use serde_json::Value;

const TRIALS: &[trials::Named<Lab>] = &[
    ("applications_go_through_and_are_told", applications),
    ("ctrl_c_ends_what_is_under_way", under_way),
    ("the_end_of_sshd_is_told", killed),
    ("the_end_of_the_session_is_told", session_killed),
    ("a_database_that_went_away_is_told", database_gone),
];

fn main() {
    trials::run(2, trials::lab(&[Need::Postgres, Need::Sshd]), TRIALS);
}

/// Holds a tunnel open and waits until it listens.
fn hold(lab: &Lab, sshd: &Sshd, target: &str) -> Result<Listening> {
    let route = sshd.route();
    let mut command = Command::new("/usr/bin/env");
    command
        // Whoever runs the tests may ignore signals (nohup), which is inherited.
        .args(["--default-signal", env!("CARGO_BIN_EXE_dbdoctor")])
        .args(["tunnel", target, "--json", "--listen", "0"])
        .args(["--ssh-config", "/dev/null"])
        .arg("--ssh")
        .arg(route.hops.join(","))
        .arg("--ssh-key")
        .arg(route.key.context("no key")?)
        .arg("--ssh-known-hosts")
        .arg(route.known_hosts.context("no known hosts")?)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", lab.dir("home")?);
    Listening::start(&mut command, Duration::from_secs(30))
}

/// Its end, which comes soon: status and report.
fn end(held: &mut Listening) -> Result<(Option<i32>, Value)> {
    let asked = Instant::now();
    let (status, out) = held.end()?;
    ensure!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
    Ok((status, serde_json::from_str(&out).context(out)?))
}

fn facts(report: &Value) -> Value {
    let stages = report["stages"].as_array().into_iter().flatten();
    let mut stages = stages.filter(|record| record["stage"] == "tunnel");
    stages
        .next()
        .map_or(Value::Null, |record| record["facts"]["listen"].clone())
}

/// What psql says at the near end.
fn psql(lab: &Lab, port: u16, query: &str) -> Result<String> {
    let conn = lab
        .postgres()?
        .conn()
        .set("hostaddr", "127.0.0.1")
        .set("port", port);
    let output = Command::new("psql")
        .args(["-XAtw", "-d", &conn.to_string(), "-c", query])
        .env("PGPASSWORD", lab.password())
        .env("HOME", lab.dir("home")?)
        .output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{stderr}");
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn applications(lab: &Lab) -> Result<()> {
    let target = lab.postgres()?.conn().to_string();
    let mut held = hold(lab, &*lab.sshd()?, &target)?;
    let port = held.port;
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..4)
            .map(|n| scope.spawn(move || psql(lab, port, &format!("select {n}, pg_sleep(0.2)"))))
            .collect();
        for (n, asked) in asking.into_iter().enumerate() {
            let answer = asked.join().expect("no panic")?;
            ensure!(answer == format!("{n}|"), "{answer}");
        }
        anyhow::Ok(())
    })?;
    // More than the windows of the channel and of TCP hold.
    let much = psql(lab, port, "select repeat('x', 5000000)")?;
    ensure!(much.len() == 5_000_000, "{}", much.len());
    held.until("#5: ")?;
    held.interrupt()?;
    let (status, report) = end(&mut held)?;
    ensure!(status == Some(0), "{status:?}\n{}", held.told);
    ensure!(report["verdict"]["status"] == "pass", "{report}");
    let facts = facts(&report);
    ensure!(facts["connections"] == 5, "{facts}");
    ensure!(facts["not_forwarded"] == 0, "{facts}");
    ensure!(facts["bytes_down"].as_u64() > Some(5_000_000), "{facts}");
    for n in 1..=5 {
        let begun = format!("#{n} from 127.0.0.1:");
        // psql says goodbye and closes. The server's end may be here first, and what it says
        // to a psql that is gone is answered by a reset.
        let ends = [
            "closed by the application",
            "closed by the database side",
            "reset by the application",
        ];
        let ended = ends.map(|end| format!("#{n}: {end} after "));
        ensure!(held.told.contains(&begun), "{begun} in\n{}", held.told);
        ensure!(
            ended.iter().any(|ended| held.told.contains(ended)),
            "{ended:?} in\n{}",
            held.told
        );
    }
    Ok(())
}

fn under_way(lab: &Lab) -> Result<()> {
    let target = lab.postgres()?.conn().to_string();
    let mut held = hold(lab, &*lab.sshd()?, &target)?;
    let mut application = TcpStream::connect(("127.0.0.1", held.port))?;
    held.until("#1 from ")?;
    held.interrupt()?;
    let (status, report) = end(&mut held)?;
    ensure!(status == Some(0), "{status:?}\n{}", held.told);
    ensure!(facts(&report)["connections"] == 1, "{report}");
    ensure!(
        held.told.contains("#1: closed with the tunnel"),
        "{}",
        held.told
    );
    application.set_read_timeout(Some(Duration::from_secs(2)))?;
    ensure!(matches!(application.read(&mut [0]), Ok(0) | Err(_)));
    Ok(())
}

/// Kills something of a server of our own, and holds the tunnel to its word.
fn lost(lab: &Lab, kill: impl FnOnce(&Sshd)) -> Result<()> {
    let target = lab.postgres()?.conn().to_string();
    let sshd = lab.new_sshd().start()?;
    let mut held = hold(lab, &sshd, &target)?;
    ensure!(psql(lab, held.port, "select 1")? == "1");
    let mut application = TcpStream::connect(("127.0.0.1", held.port))?;
    held.until("#2 from ")?;
    kill(&sshd);
    let (status, report) = end(&mut held)?;
    ensure!(status == Some(1), "{status:?}\n{}", held.told);
    ensure!(report["verdict"]["cause"] == "tunnel.lost", "{report}");
    ensure!(
        held.told.contains("ended while it was in use"),
        "{}",
        held.told
    );
    ensure!(held.told.contains("by the tunnel after"), "{}", held.told);
    application.set_read_timeout(Some(Duration::from_secs(2)))?;
    let _ = application.write_all(b"anybody there?");
    ensure!(matches!(application.read(&mut [0]), Ok(0) | Err(_)));
    Ok(())
}

fn killed(lab: &Lab) -> Result<()> {
    lost(lab, |sshd| {
        let _ = sshd.killer()();
    })
}

fn session_killed(lab: &Lab) -> Result<()> {
    lost(lab, |sshd| {
        let _ = sshd.session_killer()();
    })
}

/// The tunnel itself is well: it goes on, and says what became of the connection.
fn database_gone(lab: &Lab) -> Result<()> {
    let database = Peer::closing()?;
    let target = format!("host=127.0.0.1 port={} user=app", database.port());
    let mut held = hold(lab, &*lab.sshd()?, &target)?;
    let mut application = TcpStream::connect(("127.0.0.1", held.port))?;
    application.write_all(b"hello")?;
    held.until("#1: closed by the database side")?;
    let gone = database.addr();
    drop(database);
    while TcpStream::connect(gone).is_ok() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let _late = TcpStream::connect(("127.0.0.1", held.port))?;
    held.until("#2 from ")?;
    held.interrupt()?;
    let (status, report) = end(&mut held)?;
    ensure!(status == Some(0), "{status:?}\n{}", held.told);
    ensure!(
        held.told.contains("not forwarded, tunnel.target.refused"),
        "{}",
        held.told
    );
    ensure!(facts(&report)["not_forwarded"] == 1, "{report}");
    Ok(())
}
