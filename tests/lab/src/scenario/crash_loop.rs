//! Servers that go down again and again while they are looked at.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::impostor::impostor;
use crate::{Case, Expect, HaProxy, Lab, Need, Oracle, Postgres, Scenario, Tool, verdicts_finding};

const NOBODY: Oracle = Oracle::None("a single attempt of another client proves nothing");

/// Does something again and again, until it is dropped.
struct Again {
    over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Again {
    fn every(period: Duration, mut act: impl FnMut() + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let seen = over.clone();
        let thread = thread::spawn(move || {
            while !seen.load(Ordering::SeqCst) {
                act();
                thread::sleep(period);
            }
        });
        Again {
            over,
            thread: Some(thread),
        }
    }
}

impl Drop for Again {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A server one of whose processes is sent this signal again and again.
fn crashing(lab: &Lab, signal: &'static str, period: Duration) -> Result<(Case, Again)> {
    let pg = lab.new_postgres().start()?;
    let case = Case::check(pg.conn()).password(lab.password());
    let postmaster = pg.pid();
    let again = Again::every(period, move || {
        let children = Tool::new("pgrep")
            .arg("-P")
            .arg(postmaster)
            .args(["-f", "checkpointer"]);
        if let Ok(children) = children.succeed()
            && let Some(pid) = children.lines().next()
        {
            let _ = Tool::new("kill").arg(signal).arg(pid).succeed();
        }
    });
    Ok((case.keep(pg), again))
}

/// A server that is killed and started again and again, as a container runtime does.
fn restarting(lab: &Lab, up: Duration, down: Duration) -> Result<(Case, Again)> {
    let mut pg: Postgres = lab.new_postgres().start()?;
    let case = Case::check(pg.conn()).password(lab.password());
    let again = Again::every(up, move || {
        pg.stop();
        thread::sleep(down);
        let _ = pg.restart();
    });
    Ok((case, again))
}

fn stress((case, again): (Case, Again)) -> Case {
    let case =
        case.command("stress")
            .args(&["--attempts", "60", "--rate", "10", "--concurrency", "2"]);
    case.patience(60).keep(again)
}

/// So many restarts were seen, of these.
fn restarted(what: &'static str) -> impl Fn(&Value) -> Result<()> + Send + 'static {
    move |report| {
        let evidence = &verdicts_finding(report)?["evidence"];
        ensure!(evidence["restarts"].as_u64() >= Some(2), "{evidence}");
        ensure!(evidence["restarted"] == what, "{evidence}");
        Ok(())
    }
}

/// The servers, and those that only come up or fail otherwise.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "crash-loop-killed",
        "a process of the server is killed with signal 9 twice a second",
        Expect::Fail("server.crashing"),
        &[Need::Postgres],
        |lab| {
            let crashing = crashing(lab, "-KILL", Duration::from_millis(500))?;
            Ok(stress(crashing).assert(restarted("its processes")))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "crash-loop-segfault",
        "a process of the server ends by signal 11 twice a second",
        Expect::Fail("server.crashing"),
        &[Need::Postgres],
        |lab| {
            let crashing = crashing(lab, "-SEGV", Duration::from_millis(500))?;
            Ok(stress(crashing).assert(restarted("its processes")))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "crash-loop-restarts",
        "the whole server is stopped and started every two seconds",
        Expect::Fail("server.crashing"),
        &[Need::Postgres],
        |lab| {
            let restarting =
                restarting(lab, Duration::from_millis(1000), Duration::from_millis(300))?;
            Ok(stress(restarting).assert(restarted("the whole server")))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "crash-loop-wait",
        "a server that never gets ready is killed and started again, and waited for",
        Expect::Fail("server.crashing"),
        &[Need::Postgres],
        |lab| {
            let mut pg = lab
                .new_postgres()
                .file("recovery.signal", "")
                .conf("restore_command", "sleep 1000")
                .never_ready()
                .start()?;
            let case = Case::check(pg.conn()).password(lab.password());
            let again = Again::every(Duration::from_millis(900), move || {
                pg.stop();
                thread::sleep(Duration::from_millis(700));
                let _ = pg.relaunch();
            });
            let case = case.args(&["--wait", "12s"]).patience(60).keep(again);
            Ok(case.assert(restarted("the whole server")))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "crash-loop-not-two-servers",
        "a balancer leads to a server that runs and to one that is in recovery",
        Expect::Fail("server.recovering"),
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let recovering = impostor(|client| {
                client.error(&[
                    ('S', "FATAL"),
                    ('V', "FATAL"),
                    ('C', "57P03"),
                    ('M', "the database system is in recovery mode"),
                    ('F', "postmaster.c"),
                    ('R', "ProcessStartupPacket"),
                ])
            })?;
            let pg = lab.postgres()?;
            let others = format!("balance roundrobin\n server two {}", recovering.addr());
            let proxy = HaProxy::tcp(lab, &pg.addr(), &others)?;
            let case = Case::check(pg.conn().set("port", proxy.port())).password(lab.password());
            let case = case.command("stress").args(&["--attempts", "20"]);
            Ok(case.keep((proxy, recovering)))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "crash-loop-not-a-start",
        "a server comes up for good while it is waited for",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let mut pg = lab.new_postgres().start()?;
            let case = Case::check(pg.conn()).password(lab.password());
            pg.stop();
            let (ready, kept) = channel();
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(1500));
                let _ = pg.relaunch();
                let _ = ready.send(pg);
            });
            let case = case.args(&["--wait", "20s"]).patience(60);
            Ok(case.forbids("server.crashing").keep(Mutex::new(kept)))
        },
    )
    .oracle(NOBODY),
];
