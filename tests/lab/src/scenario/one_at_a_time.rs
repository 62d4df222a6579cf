//! Forwards on this machine that serve one connection at a time.

use anyhow::{Result, ensure};

use crate::process::Service;
use crate::{Case, Expect, Lab, Need, Oracle, Scenario, Tool, free_port};

/// Relays one connection after another to a port.
const ONE_AT_A_TIME: &str = "
import socket, sys, threading
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
print('listening', flush=True)
def relay(a, b):
    try:
        while data := a.recv(65536): b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError: pass
while True:
    near, _ = listener.accept()
    print('serving', flush=True)
    far = socket.create_connection(('127.0.0.1', int(sys.argv[2])))
    ways = [threading.Thread(target=relay, args=ends) for ends in ((near, far), (far, near))]
    for way in ways: way.start()
    for way in ways: way.join()
    near.close(); far.close()
";

/// Keeps a connection to a port open.
const HOLD: &str = "
import socket, sys, time
held = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
time.sleep(60)
";

/// A forward to the lab's server, and how dbdoctor goes through it.
fn forward(lab: &Lab) -> Result<(Service, u16, Case)> {
    let port = free_port();
    let tool = Tool::new("python3").args(["-c", ONE_AT_A_TIME]);
    let tool = tool.arg(port).arg(lab.postgres()?.port());
    let forward = tool.serve(lab.dir("forward")?.join("log"), "KILL")?;
    forward.wait_ready(|| forward.log().contains("listening"))?;
    let conn = lab.postgres()?.conn().set("port", port);
    let conn = conn.set("connect_timeout", 2);
    let case = Case::check(conn).password(lab.password());
    Ok((forward, port, case.args(&["--timeout", "1s"])))
}

/// One at a time, to an SSH server.
pub const SSH: &[Scenario] = &[Scenario::new(
    "ssh-one-at-a-time",
    "a forward to the SSH server serves one connection at a time, and another client's is open",
    Expect::Fail("ssh.silent"),
    &[Need::Postgres, Need::Sshd, Need::Python],
    |lab| {
        let sshd = lab.sshd()?;
        let port = free_port();
        let tool = Tool::new("python3").args(["-c", ONE_AT_A_TIME]);
        let tool = tool.arg(port).arg(sshd.port());
        let forward = tool.serve(lab.dir("forward")?.join("log"), "KILL")?;
        forward.wait_ready(|| forward.log().contains("listening"))?;
        let other = Tool::new("python3").args(["-c", HOLD]).arg(port);
        let other = other.serve(lab.dir("other")?.join("log"), "KILL")?;
        forward.wait_ready(|| forward.log().contains("serving"))?;
        let mut route = sshd.route().option("ConnectTimeout=2");
        route.hops = vec![format!("{}@127.0.0.1:{port}", lab.user()?)];
        let case = Case::check(lab.postgres()?.conn()).password(lab.password());
        let case = case.ssh(route).args(&["--timeout", "1s"]);
        Ok(case.keep(forward).keep(other).assert(|report| {
            let fix = report["verdict"]["fixes"][0]["text"].to_string();
            ensure!(fix.contains("one connection at a time"), "{fix}");
            Ok(())
        }))
    },
)
.oracle(Oracle::Ssh)];

/// One at a time.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "protocol-one-at-a-time",
        "a forward serves one connection at a time, and another client's is open",
        Expect::Fail("protocol.silent"),
        &[Need::Postgres, Need::Python],
        |lab| {
            let (forward, port, case) = forward(lab)?;
            let other = Tool::new("python3").args(["-c", HOLD]).arg(port);
            let other = other.serve(lab.dir("other")?.join("log"), "KILL")?;
            forward.wait_ready(|| forward.log().contains("serving"))?;
            let pid = other.pid();
            let case = case.keep(forward).keep(other);
            Ok(case.assert(move |report| {
                let fix = report["verdict"]["fixes"][0]["text"].to_string();
                ensure!(fix.contains("one connection at a time"), "{fix}");
                ensure!(fix.contains(&format!("(pid {pid})")), "{fix}");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "protocol-listener-stopped",
        "the forward is stopped, and serves nobody",
        Expect::Fail("protocol.silent"),
        &[Need::Postgres, Need::Python],
        |lab| {
            let (forward, _, case) = forward(lab)?;
            forward.signal("STOP")?;
            Ok(case.keep(forward).assert(|report| {
                let fix = report["verdict"]["fixes"][0]["text"].to_string();
                ensure!(fix.contains("hangs or is stopped"), "{fix}");
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "protocol-one-at-a-time-healthy",
        "the same forward, of which nobody else has a connection",
        Expect::Pass,
        &[Need::Postgres, Need::Python],
        |lab| {
            let (forward, _, case) = forward(lab)?;
            Ok(case.keep(forward))
        },
    ),
];
