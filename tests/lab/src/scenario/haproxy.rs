//! HAProxy and its like between the client and the server.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::proxy::Peer;
use crate::{Case, Conn, Expect, HaProxy, Lab, Need, Scenario, Tool, free_port};

const DEFAULTS: &str = "defaults\n mode tcp\n timeout connect 2s\n timeout client 1m\n \
                        timeout server 1m\n timeout queue 20s\n";

/// Its answer on its socket (`stats socket`).
fn asked(socket: &Path, command: &str) -> Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(format!("{command}\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// What the columns of the first fix show: proxy, server, state and the health check's result.
fn states(socket: &Path) -> Result<String> {
    let shown = asked(socket, "show stat")?;
    let columns = shown.lines().map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        [0, 1, 17, 36].map(|at| fields.get(at).copied().unwrap_or_default())
    });
    let lines: Vec<String> = columns.map(|four| four.join(",")).collect();
    Ok(lines.join("\n"))
}

/// An HAProxy with this backend, and its socket.
fn before(lab: &Lab, backend: &str) -> Result<(HaProxy, PathBuf)> {
    let socket = lab.dir("haproxy-socket")?.join("admin.sock");
    let config = format!(
        "global\n stats socket {} mode 600 level operator\n{DEFAULTS}listen database\n \
         bind 127.0.0.1:{{port}}\n {backend}\n",
        socket.display()
    );
    Ok((HaProxy::start(lab, &config)?, socket))
}

fn conn(lab: &Lab, port: u16) -> Result<Conn> {
    let conn = lab.postgres()?.conn().set("host", "127.0.0.1");
    Ok(conn.without("hostaddr").set("port", port))
}

/// The first fix holds these words.
fn advised(case: Case, words: &'static str) -> Case {
    case.assert(move |report| {
        let first = report["verdict"]["fixes"][0]["text"].as_str();
        let first = first.with_context(|| report["verdict"].to_string())?;
        ensure!(first.contains(words), "{words:?} is not in {first:?}");
        Ok(())
    })
}

/// A backend whose only server HAProxy considers down.
fn down(lab: &Lab, server: &str) -> Result<Case> {
    let (haproxy, socket) = before(lab, server)?;
    let end = Instant::now() + Duration::from_secs(10);
    while !states(&socket)?.contains(",one,DOWN") {
        ensure!(Instant::now() < end, "it stays up: {}", states(&socket)?);
        thread::sleep(Duration::from_millis(100));
    }
    let case = Case::check(conn(lab, haproxy.port())?).password(lab.password());
    Ok(advised(
        case.keep(haproxy),
        "which of its servers HAProxy considers down",
    )
    .assert(move |_| {
        let shown = states(&socket)?;
        ensure!(shown.contains("database,one,DOWN,L"), "{shown}");
        Ok(())
    }))
}

/// Somebody else's answer over HTTP.
fn answers(lab: &Lab, answer: &'static str, words: &'static str) -> Result<Case> {
    let peer = Peer::answers(answer)?;
    let case = Case::check(conn(lab, peer.port())?).password(lab.password());
    Ok(advised(case.keep(peer), words))
}

const NEEDS: &[Need] = &[Need::Postgres, Need::HaProxy];

/// Proxies.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "haproxy-healthy",
        "HAProxy with a health check that a server passes",
        Expect::Pass,
        NEEDS,
        |lab| {
            let pg = lab.postgres()?;
            let (haproxy, _) = before(lab, &format!("server one {} check inter 200ms", pg.addr()))?;
            let case = Case::check(conn(lab, haproxy.port())?).password(lab.password());
            Ok(case.keep(haproxy))
        },
    ),
    Scenario::new(
        "haproxy-all-down",
        "the only server behind HAProxy is down",
        Expect::Fail("protocol.closed"),
        NEEDS,
        |lab| {
            let port = free_port();
            down(
                lab,
                &format!("server one 127.0.0.1:{port} check inter 200ms fall 1"),
            )
        },
    ),
    Scenario::new(
        "haproxy-patroni-replica",
        "the server runs, and Patroni says that it is no primary",
        Expect::Fail("protocol.closed"),
        NEEDS,
        |lab| {
            let patroni = Peer::answers("HTTP/1.0 503 Service Unavailable\r\n\r\n")?;
            let (server, check) = (lab.postgres()?.addr(), patroni.port());
            let line = format!(
                "option httpchk OPTIONS /primary\n http-check expect status 200\n \
                 server one {server} check port {check} inter 200ms fall 1"
            );
            Ok(down(lab, &line)?.keep(patroni))
        },
    ),
    Scenario::new(
        "haproxy-maxconn",
        "all connections that HAProxy may open to the server are taken",
        Expect::Fail("protocol.silent"),
        NEEDS,
        |lab| {
            let pg = lab.postgres()?;
            let (haproxy, socket) = before(lab, &format!("server one {} maxconn 1", pg.addr()))?;
            let conn = conn(lab, haproxy.port())?;
            let held = conn.clone().set("password", lab.password());
            let tool = Tool::new("psql").args(["-XAtqw", "-d"]).arg(held);
            let tool = tool.args(["-c", r"\warn at rest", "-c", "select pg_sleep(3600)"]);
            let holder = tool.serve(lab.dir("holder")?.join("log"), "TERM")?;
            holder.wait_ready(|| holder.log().contains("at rest"))?;
            let case = Case::check(conn.set("connect_timeout", 2)).password(lab.password());
            let case = case.keep((haproxy, holder)).assert(move |report| {
                let fixes = report["verdict"]["fixes"].to_string();
                ensure!(fixes.contains("maxconn"), "{fixes}");
                ensure!(states(&socket)?.contains("database,one,"), "no such server");
                Ok(())
            });
            Ok(advised(case, "HAProxy"))
        },
    ),
    Scenario::new(
        "haproxy-http-mode",
        "the port of HAProxy is in HTTP mode",
        Expect::Fail("protocol.not-postgres"),
        NEEDS,
        |lab| {
            let pg = lab.postgres()?;
            let (haproxy, _) = before(lab, &format!("mode http\n server one {}", pg.addr()))?;
            let case = Case::check(conn(lab, haproxy.port())?).password(lab.password());
            Ok(advised(case.keep(haproxy), "mode tcp"))
        },
    ),
    Scenario::new(
        "proxy-envoy-http",
        "Envoy answers with its HTTP filter",
        Expect::Fail("protocol.not-postgres"),
        &[Need::Postgres],
        |lab| {
            let answer = "HTTP/1.1 400 Bad Request\r\ncontent-length: 11\r\nserver: envoy\r\n\
                          connection: close\r\n\r\nBad Request";
            answers(lab, answer, "tcp_proxy")
        },
    ),
    Scenario::new(
        "proxy-nginx-http",
        "nginx answers from its http block",
        Expect::Fail("protocol.not-postgres"),
        &[Need::Postgres],
        |lab| {
            let answer = "<html>\r\n<head><title>400 Bad Request</title></head>\r\n<body>\r\n\
                          <hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n";
            answers(lab, answer, "`stream` block")
        },
    ),
    Scenario::new(
        "proxy-unknown-http",
        "some web server",
        Expect::Fail("protocol.not-postgres"),
        &[Need::Postgres],
        |lab| answers(lab, "HTTP/1.1 400 Bad Request\r\n\r\n", "TCP route"),
    ),
];
