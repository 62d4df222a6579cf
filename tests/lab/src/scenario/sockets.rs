//! What happens on this side: processes that share a connection after a fork, and those that
//! only look as if they did.

use std::net::TcpListener;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::process::Service;
use crate::{Case, Expect, Lab, Need, Oracle, Peer, Scenario, Tool};

/// An application that opens connections and forks, in one of several ways.
const APPLICATION: &str = r#"
import os, socket, subprocess, sys, threading, time

mode, end, master = sys.argv[1], sys.argv[2], os.getpid()

def connect():
    if end.startswith("/"):
        unix = socket.socket(socket.AF_UNIX)
        unix.connect(end)
        return unix
    host, port = end.split(":")
    return socket.create_connection((host, int(port)))

def stay():
    while os.getpid() == master or os.getppid() == master:
        time.sleep(0.05)
    os._exit(0)

begun = []

def worker(work=lambda: None):
    told, tell = os.pipe()
    if os.fork() == 0:
        kept = work()
        os.write(tell, b"x")
        stay()
    begun.append(told)

kept = []
if mode == "preload":          # a pool in the master, then workers
    kept = [connect() for _ in range(3)]
    for _ in range(2):
        worker()
elif mode == "siblings":       # the master lets go of what its workers share
    shared = connect()
    for _ in range(2):
        worker()
    shared.close()
elif mode in ("forgotten", "both"):  # workers with connections of their own beside it
    kept = [connect()]
    time.sleep(0.1)
    def work():
        own = connect()
        time.sleep(0.1)
        if mode == "both":     # and one that uses what it inherited
            kept[0].sendall(b"x")
        return own
    for _ in range(2):
        worker(work)
    time.sleep(0.5)
elif mode == "own":            # every worker opens its own
    for _ in range(3):
        worker(connect)
elif mode == "pool":           # one process, several connections
    kept = [connect() for _ in range(5)]
elif mode == "threads":        # several threads, one connection
    kept = [connect()]
    for _ in range(4):
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
elif mode == "exec":           # other programs started beside it
    kept = [connect()]
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(20)"])
elif mode == "leak":           # another program that inherits what it cannot use
    kept = [connect()]
    kept[0].set_inheritable(True)
    subprocess.Popen(["sleep", "20"], close_fds=False)
elif mode == "leak-python":    # the same, and its program is the same too
    kept = [connect()]
    kept[0].set_inheritable(True)
    script = "import time; time.sleep(20)"
    subprocess.Popen([sys.executable, "-c", script], close_fds=False)
elif mode == "disposed":       # workers that close what they inherited
    kept = [connect()]
    worker(kept[0].close)
elif mode == "handed-over":    # a worker that alone goes on with it
    connection = connect()
    worker()
    connection.close()
elif mode == "commands":       # a master that starts one command after the other
    kept = [connect()]
    print("ready", flush=True)
    while True:
        child = os.fork()
        if child == 0:
            time.sleep(0.02)
            os.execvp("true", ["true"])
        os.waitpid(child, 0)
for told in begun:             # each has done its part
    os.read(told, 1)
print("ready", flush=True)
stay()
"#;

const fn row(
    name: &'static str,
    about: &'static str,
    expect: Expect,
    setup: fn(&Lab) -> Result<Case>,
) -> Scenario {
    Scenario::new(name, about, expect, &[Need::Python], setup)
        .oracle(Oracle::None("no other program tells this"))
}

const fn row_on_unix(
    name: &'static str,
    about: &'static str,
    expect: Expect,
    setup: fn(&Lab) -> Result<Case>,
) -> Scenario {
    Scenario::new(name, about, expect, &[Need::Python, Need::Postgres], setup)
        .oracle(Oracle::None("no other program tells this"))
}

/// `dbdoctor sockets` beside the application, which is connected to a port.
fn beside(lab: &Lab, mode: &'static str) -> Result<Case> {
    let database = Peer::silent()?;
    let port = database.port();
    let application = application(lab, mode, &format!("127.0.0.1:{port}"))?;
    let case = Case::new("sockets").args(&["--port"]).arg(port);
    let master = application.pid();
    Ok(case
        .assert(move |report| told(report, mode, master))
        .keep((application, database)))
}

/// The same of an application that is connected to a unix socket of the server; nothing tells
/// dbdoctor its port.
fn beside_unix(lab: &Lab, mode: &'static str) -> Result<Case> {
    let server = lab.postgres()?;
    let socket = server
        .socket_dir()
        .join(format!(".s.PGSQL.{}", server.port()));
    let socket = socket.display().to_string();
    let application = application(lab, mode, &socket)?;
    let master = application.pid();
    let case = Case::new("sockets").args(&["--pid"]).arg(master);
    Ok(case
        .assert(move |report| {
            let connection = &report["stages"][0]["facts"]["connections"][0];
            ensure!(connection["remote"] == socket.as_str(), "{connection}");
            ensure!(connection["local"].is_null(), "{connection}");
            told(report, mode, master)
        })
        .keep((application, server)))
}

fn application(lab: &Lab, mode: &str, end: &str) -> Result<Service> {
    let tool = Tool::new("python3").args(["-c", APPLICATION, mode, end]);
    let application = tool.serve(lab.dir("application")?.join("log"), "TERM")?;
    application.wait_ready(|| application.log().contains("ready"))?;
    Ok(application)
}

/// A pooler's port, without a word about it.
fn usual_port(lab: &Lab) -> Result<Case> {
    let pooler = TcpListener::bind("127.61.43.2:6432")?;
    let application = application(lab, "preload", "127.61.43.2:6432")?;
    let master = application.pid();
    let case = Case::new("sockets").args(&["--pid"]).arg(master);
    Ok(case
        .assert(move |report| told(report, "preload", master))
        .keep((application, pooler)))
}

/// The facts must name the processes, and no argument of theirs.
fn told(report: &Value, mode: &str, master: u32) -> Result<()> {
    let text = report.to_string();
    ensure!(!text.contains("create_connection"), "arguments are shown");
    let facts = &report["stages"][0]["facts"];
    let connections = facts["connections"].as_array().map_or(0, Vec::len);
    let expected = match mode {
        "preload" | "own" | "forgotten" | "both" => 3,
        "pool" => 5,
        _ => 1,
    };
    ensure!(
        connections == expected,
        "{connections} connections: {facts:#}"
    );
    if mode == "preload" {
        let processes = &facts["connections"][0]["processes"];
        ensure!(processes[0]["pid"] == master, "{processes}");
        ensure!(processes[1]["ppid"] == master, "{processes}");
        ensure!(processes.as_array().map_or(0, Vec::len) == 3, "{processes}");
        ensure!(facts["connections"][0]["shared"] == true, "{facts:#}");
    }
    Ok(())
}

/// This side.
pub const SCENARIOS: &[Scenario] = &[
    row(
        "client-sockets-preload",
        "a pool made before the workers were forked",
        Expect::Fail("client.shared-socket"),
        |lab| beside(lab, "preload"),
    ),
    row(
        "client-sockets-siblings",
        "workers that share what the master has closed",
        Expect::Fail("client.shared-socket"),
        |lab| beside(lab, "siblings"),
    ),
    row(
        "client-sockets-both",
        "workers that use what they inherited beside connections of their own",
        Expect::Fail("client.shared-socket"),
        |lab| beside(lab, "both"),
    ),
    row(
        "client-sockets-forgotten",
        "workers that forget what they inherited and cannot close it",
        Expect::Pass,
        |lab| beside(lab, "forgotten"),
    ),
    row(
        "client-sockets-own",
        "workers with connections of their own",
        Expect::Pass,
        |lab| beside(lab, "own"),
    ),
    row(
        "client-sockets-pool",
        "a pool in one process",
        Expect::Pass,
        |lab| beside(lab, "pool"),
    ),
    row(
        "client-sockets-threads",
        "threads of one process",
        Expect::Pass,
        |lab| beside(lab, "threads"),
    ),
    row(
        "client-sockets-exec",
        "another program started beside it",
        Expect::Pass,
        |lab| beside(lab, "exec"),
    ),
    row(
        "client-sockets-leak",
        "another program that inherited the descriptor",
        Expect::Warn("client.leaked-socket"),
        |lab| beside(lab, "leak"),
    ),
    row(
        "client-sockets-leak-python",
        "another program in the same interpreter that inherited the descriptor",
        Expect::Warn("client.leaked-socket"),
        |lab| beside(lab, "leak-python"),
    ),
    row_on_unix(
        "client-sockets-unix-preload",
        "a pool on a unix socket, made before the workers were forked",
        Expect::Fail("client.shared-socket"),
        |lab| beside_unix(lab, "preload"),
    ),
    row_on_unix(
        "client-sockets-unix-forgotten",
        "workers on a unix socket with connections of their own beside what they inherited",
        Expect::Warn("client.shared-socket"),
        |lab| beside_unix(lab, "forgotten"),
    ),
    row_on_unix(
        "client-sockets-unix-leak",
        "another program that inherited the descriptor of a unix socket",
        Expect::Warn("client.leaked-socket"),
        |lab| beside_unix(lab, "leak"),
    ),
    row_on_unix(
        "client-sockets-unix-own",
        "workers on a unix socket with connections of their own",
        Expect::Pass,
        |lab| beside_unix(lab, "own"),
    ),
    row(
        "client-sockets-usual-port",
        "a pool behind a pooler's usual port, made before the workers were forked",
        Expect::Fail("client.shared-socket"),
        usual_port,
    ),
    row(
        "client-sockets-disposed",
        "workers that close what they inherited",
        Expect::Pass,
        |lab| beside(lab, "disposed"),
    ),
    row(
        "client-sockets-handed-over",
        "a connection that a worker goes on with alone",
        Expect::Pass,
        |lab| beside(lab, "handed-over"),
    ),
    row(
        "client-sockets-commands",
        "one command started after the other",
        Expect::Pass,
        |lab| beside(lab, "commands"),
    ),
    row(
        "client-sockets-nothing",
        "no connection at all",
        Expect::Pass,
        |_| Ok(Case::new("sockets").args(&["--port", "1"])),
    ),
];
