//! Failures that come and go.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{Case, Conn, Expect, HaProxy, Lab, Need, Oracle, Scenario, Tool, free_port};

const NOBODY: Oracle = Oracle::None("a single attempt of another client proves nothing");

/// The facts of the stress test.
pub fn facts(report: &Value) -> Result<&Value> {
    let stages = report["stages"].as_array().context("no stages")?;
    let stage = stages.iter().find(|stage| stage["stage"] == "stress");
    Ok(&stage.context("no stage stress")?["facts"])
}

/// So many attempts were made, and this share of successes lies in the interval.
fn rate(attempts: u64, truth: f64) -> impl Fn(&Value) -> Result<()> {
    move |report| {
        let facts = facts(report)?;
        ensure!(
            facts["attempts"] == attempts,
            "{} attempts",
            facts["attempts"]
        );
        let rate = &facts["success_rate"];
        let bound = |name: &str| rate[name].as_f64().context("no bound");
        let (low, value, high) = (bound("low")?, bound("value")?, bound("high")?);
        ensure!(low <= truth && truth <= high, "the interval is {rate}");
        ensure!(low <= value && value <= high, "the interval is {rate}");
        let made = facts["succeeded"].as_u64().context("no successes")? as f64;
        ensure!((made / attempts as f64 - value).abs() < 0.001, "{facts}");
        let failed: u64 = facts["causes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|cause| cause["count"].as_u64())
            .sum();
        ensure!(failed + made as u64 == attempts, "{}", facts["causes"]);
        Ok(())
    }
}

fn stress(lab: &Lab, conn: Conn) -> Case {
    let case = Case::check(conn).password(lab.password());
    case.command("stress")
}

/// Listens on a port, relays one connection to another, and ends.
const ONE_CONNECTION: &str = "
import socket, sys, threading
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
print('listening', flush=True)
near, _ = listener.accept()
listener.close()
far = socket.create_connection(('127.0.0.1', int(sys.argv[2])))
def relay(a, b):
    while data := a.recv(65536): b.sendall(data)
    b.shutdown(socket.SHUT_WR)
ways = [threading.Thread(target=relay, args=ends) for ends in ((near, far), (far, near))]
for way in ways: way.start()
for way in ways: way.join()
";

/// Many attempts.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "stress-healthy",
        "every attempt passes",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let case = stress(lab, lab.postgres()?.conn());
            Ok(case.assert(rate(20, 1.0)).assert(|report| {
                let facts = facts(report)?;
                for part in ["p50", "p90", "p99", "max"] {
                    let value = facts["latency_ms"]["total"][part].as_f64();
                    ensure!(value.is_some_and(|ms| ms > 0.0), "no {part}");
                }
                ensure!(facts["by_address"].is_null(), "{}", facts["by_address"]);
                Ok(())
            }))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "stress-ssh-healthy",
        "every attempt passes an SSH server",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let case = stress(lab, lab.postgres()?.conn()).ssh(lab.sshd()?.route());
            let case = case.args(&["--attempts", "8", "--concurrency", "2"]);
            Ok(case.assert(rate(8, 1.0)))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "stress-one-of-three-dead",
        "HAProxy hands each connection to another server, and one of three is dead",
        Expect::Fail("protocol.closed"),
        &[Need::Postgres, Need::HaProxy],
        |lab| {
            let pg = lab.postgres()?;
            let others = format!(
                "balance roundrobin\n retries 0\n server two {}\n server three 127.0.0.1:{}",
                pg.addr(),
                free_port()
            );
            let proxy = HaProxy::tcp(lab, &pg.addr(), &others)?;
            let case = stress(lab, pg.conn().set("port", proxy.port()));
            Ok(case
                .args(&["--attempts", "30"])
                .assert(rate(30, 2.0 / 3.0))
                .keep(proxy))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "stress-one-address-dead",
        "one of a name's three addresses refuses: libpq goes on to the next",
        Expect::Warn("tcp.partial"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let ns = lab.netns()?;
            ns.hosts(
                "127.0.0.1 localhost\n127.0.0.1 db.test\n127.0.0.2 db.test\n127.0.0.3 db.test\n",
            )?;
            let pg = lab
                .new_postgres()
                .netns(&ns)
                .conf("listen_addresses", "127.0.0.1,127.0.0.3")
                .start()?;
            let case = stress(lab, pg.conn().set("host", "db.test"));
            Ok(case
                .args(&["--attempts", "12"])
                .assert(rate(12, 1.0))
                .assert(|report| {
                    let addresses = &facts(report)?["by_address"];
                    let dead = addresses.as_object().context("no addresses")?;
                    let dead: Vec<_> = dead.iter().filter(|(_, a)| a["succeeded"] == 0).collect();
                    ensure!(
                        dead.len() == 1 && dead[0].0.starts_with("127.0.0.2"),
                        "{addresses}"
                    );
                    Ok(())
                })
                .keep(pg)
                .netns(ns))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "stress-ipv6-first",
        "localhost is ::1 first, and the server listens on 127.0.0.1 alone",
        Expect::Warn("tcp.ipv6-first"),
        &[Need::Postgres, Need::Netns],
        |lab| {
            let (pg, ns) = (lab.new_postgres(), lab.netns()?);
            let pg = pg
                .netns(&ns)
                .conf("listen_addresses", "127.0.0.1")
                .start()?;
            let case = stress(lab, pg.conn().set("host", "localhost"));
            Ok(case.assert(rate(20, 1.0)).keep(pg).netns(ns))
        },
    ),
    Scenario::new(
        "stress-max-startups",
        "the SSH server drops connections at random: MaxStartups",
        Expect::Fail("ssh.closed"),
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab.new_sshd().config("MaxStartups 1:50:40").start()?;
            let case = stress(lab, lab.postgres()?.conn()).ssh(sshd.route());
            Ok(case
                .args(&["--attempts", "40", "--concurrency", "16"])
                .assert(|report| {
                    let facts = facts(report)?;
                    let rate = facts["success_rate"]["value"].as_f64().context("no rate")?;
                    ensure!(rate > 0.0 && rate < 1.0, "{}", facts["success_rate"]);
                    Ok(())
                })
                .keep(sshd))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "stress-password-wrong",
        "a wrong password is not tried again and again",
        Expect::Fail("auth.password.wrong"),
        &[Need::Postgres],
        |lab| {
            let case = Case::check(lab.postgres()?.conn()).password("wr0ng-canary");
            Ok(case.command("stress").assert(|report| {
                let facts = facts(report)?;
                ensure!(facts["attempts"] == 3, "{} attempts", facts["attempts"]);
                ensure!(facts["stopped"].is_string(), "nothing is said of stopping");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "stress-few-slots-healthy",
        "a server with few slots is spared",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab
                .new_postgres()
                .conf("max_connections", 6)
                .conf("superuser_reserved_connections", 1)
                .start()?;
            let case = stress(lab, pg.conn()).args(&["--concurrency", "32"]);
            Ok(case.assert(rate(20, 1.0)).keep(pg))
        },
    )
    .oracle(NOBODY),
    Scenario::new(
        "stress-refused",
        "nothing listens",
        Expect::Fail("tcp.refused"),
        &[],
        |lab| {
            let conn = Conn::new()
                .set("host", "127.0.0.1")
                .set("port", free_port())
                .set("user", "app");
            Ok(stress(lab, conn).assert(rate(20, 0.0)))
        },
    ),
    Scenario::new(
        "stress-forward-ends",
        "a forward on this machine serves one connection and ends, as socat without fork does",
        Expect::Fail("tcp.listener-gone"),
        &[Need::Postgres, Need::Python],
        |lab| {
            let port = free_port();
            let to = lab.postgres()?.port();
            let forward = Tool::new("python3").args(["-c", ONE_CONNECTION]);
            let forward = forward.arg(port).arg(to);
            let forward = forward.serve(lab.dir("forward")?.join("log"), "KILL")?;
            forward.wait_ready(|| forward.log().contains("listening"))?;
            let case = stress(lab, lab.postgres()?.conn().set("port", port));
            let case = case.args(&["--attempts", "3", "--concurrency", "1"]);
            Ok(case.keep(forward).assert(|report| {
                let fix = &report["verdict"]["fixes"][0]["text"];
                let forward = fix
                    .as_str()
                    .is_some_and(|text| text.contains("port-forward"));
                ensure!(forward, "{fix}");
                let all = report["verdict"]["fixes"].to_string();
                ensure!(!all.contains("listen_addresses"), "{all}");
                ensure!(!all.contains("container"), "{all}");
                Ok(())
            }))
        },
    )
    .oracle(NOBODY),
];
