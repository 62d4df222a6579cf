//! Ends that accept and are no PostgreSQL server, or only half of one.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::{
    Case, Conn, Expect, Fault, HaProxy, Lab, Need, Oracle, Peer, Postgres, Scenario, Tool,
    free_port, verdicts_finding,
};

/// What a client asks before TLS.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

fn conn(port: u16) -> Conn {
    Conn::new()
        .set("host", "127.0.0.1")
        .set("port", port)
        .set("user", "app")
        .set("connect_timeout", 2)
}

fn case(peer: Peer) -> Case {
    Case::check(conn(peer.port())).keep(peer)
}

/// The same with an `sslmode`.
fn case_with(peer: Peer, sslmode: &str) -> Case {
    Case::check(conn(peer.port()).set("sslmode", sslmode)).keep(peer)
}

/// An end that has no TLS, and says more than that.
fn behind_no(more: &'static [u8]) -> Result<Peer> {
    Peer::script(move |mut stream| {
        stream.receive()?;
        stream.write_all(&[b"N", more].concat())?;
        stream.ignore()
    })
}

/// A server with TLS behind a forward that spoils what passes.
fn spoilt(lab: &Lab, fault: Fault, sslmode: &str) -> Result<Case> {
    let pg = lab.postgres()?;
    let forward = Peer::forward(pg.addr(), fault)?;
    let conn = pg
        .conn()
        .set("port", forward.port())
        .set("sslmode", sslmode)
        .set("connect_timeout", 2);
    Ok(Case::check(conn)
        .password(lab.password())
        .keep((forward, pg)))
}

/// The kind of stranger must be this one.
fn kind(expected: &'static str) -> impl Fn(&Value) -> Result<()> + Send + 'static {
    move |report| {
        let kind = verdicts_finding(report)?["evidence"]["kind"].clone();
        ensure!(kind == expected, "kind {kind}, not {expected}");
        Ok(())
    }
}

/// The process that listens must be among the evidence.
fn names_listener(report: &Value) -> Result<()> {
    let name = verdicts_finding(report)?["evidence"]["listener"]["name"].clone();
    ensure!(name.is_string(), "no process is named: {name}");
    Ok(())
}

/// A server that waits for the end of a line and then says this.
fn reads_lines(answer: &'static str) -> Result<Peer> {
    Peer::script(move |mut stream| {
        let mut all = Vec::new();
        while !all.contains(&b'\n') {
            let piece = stream.receive()?;
            if piece.is_empty() {
                return Ok(());
            }
            all.extend(piece);
        }
        stream.write_all(answer.as_bytes())?;
        stream.close()
    })
}

/// A message of the protocol.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend((body.len() as u32 + 4).to_be_bytes());
    out.extend(body);
    out
}

/// A server with TLS, to whose yes somebody in between adds bytes.
fn injecting(lab: &Lab, bytes: &'static [u8], apart: bool, sslmode: &str) -> Result<Case> {
    let pg = lab.postgres()?;
    let between = Peer::forward_after(pg.addr(), move |client, server| {
        let mut request = [0; 8];
        client.read_exact(&mut request)?;
        server.write_all(&request)?;
        if request != SSL_REQUEST {
            return Ok(());
        }
        server.read_exact(&mut [0])?;
        if apart {
            client.write_all(b"S")?;
            client.write_all(bytes)
        } else {
            client.write_all(&[b"S", bytes].concat())
        }
    })?;
    let conn = pg
        .conn()
        .set("port", between.port())
        .set("sslmode", sslmode);
    Ok(Case::check(conn)
        .password(lab.password())
        .keep((between, pg)))
}

/// An HAProxy that speaks HTTP, in TLS or in clear.
fn web_server(lab: &Lab, tls: &str) -> Result<HaProxy> {
    let bundle = lab.dir("web")?.join("server.pem");
    lab.issue(lab.cert())?.write_bundle(&bundle)?;
    let tls = tls.replace("{bundle}", &bundle.to_string_lossy());
    HaProxy::start(
        lab,
        &format!(
            "defaults\n mode http\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n\
             listen web\n bind 127.0.0.1:{{port}} {tls}\n http-request return status 200 content-type text/plain string hello\n"
        ),
    )
}

fn behind(proxy: HaProxy, sslmode: &str) -> Case {
    Case::check(conn(proxy.port()).set("sslmode", sslmode)).keep(proxy)
}

/// Stops a server's postmaster: the kernel goes on accepting for it.
fn frozen(pg: &Postgres) -> Result<impl Drop + Send + 'static> {
    struct Thaw(u32);
    impl Drop for Thaw {
        fn drop(&mut self) {
            let _ = Tool::new("kill")
                .args(["-CONT", &self.0.to_string()])
                .succeed();
        }
    }
    let pid = pg.pid();
    Tool::new("kill")
        .args(["-STOP", &pid.to_string()])
        .succeed()?;
    Ok(Thaw(pid))
}

const CLOSED: Expect = Expect::Fail("protocol.closed");
const RESET: Expect = Expect::Fail("protocol.reset");
const SILENT: Expect = Expect::Fail("protocol.silent");
const STRANGER: Expect = Expect::Fail("protocol.not-postgres");
/// It is told that our own message does not arrive.
fn ours_stalls(report: &Value) -> Result<()> {
    let summary = report["verdict"]["summary"].as_str().unwrap_or_default();
    ensure!(summary.contains("to the server"), "{summary}");
    Ok(())
}

const STALL: Expect = Expect::Fail("protocol.stall");
const OVERSIZED: Expect = Expect::Fail("protocol.oversized");
const MALFORMED: Expect = Expect::Fail("protocol.malformed");
const INJECTED: Expect = Expect::Fail("protocol.injected");
const PG: &[Need] = &[Need::Postgres];

/// The first words.
pub const SCENARIOS: &[Scenario] = &[
    // ---- No words at all ----
    Scenario::new(
        "protocol-closed",
        "accepts, then closes without a word",
        CLOSED,
        &[],
        |_| Ok(case(Peer::closing()?).assert(names_listener)),
    ),
    Scenario::new(
        "protocol-closed-at-once",
        "closes as soon as it has accepted",
        CLOSED,
        &[],
        |_| Ok(case(Peer::script(|stream| stream.close())?)),
    ),
    Scenario::new(
        "protocol-closed-plain",
        "closes on a start-up message in clear",
        CLOSED,
        &[],
        |_| Ok(case_with(Peer::closing()?, "disable").assert(names_listener)),
    ),
    Scenario::new(
        "protocol-closed-allow",
        "closes, and sslmode=allow would try TLS next",
        CLOSED,
        &[],
        |_| Ok(case_with(Peer::closing()?, "allow")),
    ),
    Scenario::new(
        "protocol-closed-require",
        "closes, and TLS is demanded",
        CLOSED,
        &[],
        |_| Ok(case_with(Peer::closing()?, "require")),
    ),
    Scenario::new(
        "protocol-closed-haproxy",
        "a load balancer whose backend is down",
        CLOSED,
        &[Need::HaProxy],
        |lab| {
            let proxy = HaProxy::tcp(lab, &format!("127.0.0.1:{}", free_port()), "retries 0")?;
            Ok(behind(proxy, "prefer").assert(names_listener))
        },
    ),
    Scenario::new("protocol-reset", "accepts, then resets", RESET, &[], |_| {
        Ok(case(Peer::resetting()?).assert(names_listener))
    }),
    Scenario::new(
        "protocol-reset-at-once",
        "resets as soon as it has accepted, often before connect is told of it",
        RESET,
        &[],
        |_| Ok(case(Peer::script(|stream| stream.reset())?).assert(names_listener)),
    ),
    Scenario::new(
        "protocol-reset-at-once-plain",
        "resets as soon as it has accepted, in clear",
        RESET,
        &[],
        |_| {
            let peer = Peer::script(|stream| stream.reset())?;
            Ok(case_with(peer, "disable").assert(names_listener))
        },
    ),
    Scenario::new(
        "protocol-reset-plain",
        "resets on a start-up message in clear",
        RESET,
        &[],
        |_| Ok(case_with(Peer::resetting()?, "disable").assert(names_listener)),
    ),
    Scenario::new(
        "protocol-oversized-error",
        "answers SSLRequest, then an error message of two gigabytes",
        Expect::Fail("protocol.oversized"),
        &[],
        |_| {
            Ok(case(Peer::script(|mut stream| {
                stream.receive()?;
                stream.write_all(b"N")?;
                stream.receive()?;
                stream.write_all(b"E\x7f\xff\xff\xff\x01\x02\x03\x04")?;
                stream.ignore()
            })?))
        },
    ),
    Scenario::new(
        "protocol-malformed-unknown",
        "answers SSLRequest, then a message of an unknown type",
        Expect::Fail("protocol.malformed"),
        &[],
        |_| {
            Ok(case(Peer::script(|mut stream| {
                stream.receive()?;
                stream.write_all(b"N")?;
                stream.receive()?;
                stream.write_all(b"q\0\0\0\x04")?;
                stream.ignore()
            })?))
        },
    ),
    Scenario::new(
        "protocol-reset-forward",
        "a forward whose other side is gone: it accepts, then resets",
        RESET,
        &[],
        |_| {
            // What the portproxy of incident 3 does: nothing can be reached behind it.
            let gone = format!("127.0.0.1:{}", free_port());
            Ok(case(Peer::script(move |mut stream| {
                stream.receive()?;
                match TcpStream::connect(&gone) {
                    Ok(_) => stream.ignore(),
                    Err(_) => stream.reset(),
                }
            })?)
            .assert(names_listener))
        },
    ),
    Scenario::new(
        "protocol-silent",
        "accepts and never answers",
        SILENT,
        &[],
        |_| Ok(case(Peer::silent()?).assert(names_listener)),
    ),
    Scenario::new(
        "protocol-silent-plain",
        "never answers a start-up message in clear",
        SILENT,
        &[],
        |_| Ok(case_with(Peer::silent()?, "disable").assert(names_listener)),
    ),
    Scenario::new(
        "protocol-silent-frozen",
        "a server too busy to accept: the kernel accepts for it",
        SILENT,
        PG,
        |lab| {
            let pg = lab.new_postgres().start()?;
            let frozen = frozen(&pg)?;
            let conn = pg.conn().set("connect_timeout", 2);
            Ok(Case::check(conn)
                .password(lab.password())
                .keep((frozen, pg)))
        },
    ),
    // ---- Others ----
    Scenario::new(
        "protocol-http",
        "a web server that answers at once",
        STRANGER,
        &[],
        |_| {
            let peer = Peer::answers("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")?;
            Ok(case(peer).assert(kind("http")))
        },
    ),
    Scenario::new(
        "protocol-http-plain",
        "a web server, asked in clear",
        STRANGER,
        &[],
        |_| {
            let peer = Peer::answers("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")?;
            Ok(case_with(peer, "disable").assert(kind("http")))
        },
    ),
    Scenario::new(
        "protocol-http-haproxy",
        "a load balancer that speaks HTTP",
        STRANGER,
        &[Need::HaProxy],
        |lab| Ok(behind(web_server(lab, "")?, "prefer").assert(kind("http"))),
    ),
    Scenario::new(
        "protocol-http-lines",
        "a web server that waits for the end of a line",
        STRANGER,
        &[],
        |_| {
            let peer = reads_lines("HTTP/1.1 400 Bad Request\r\n\r\n")?;
            Ok(case(peer).assert(kind("http")))
        },
    ),
    Scenario::new(
        "protocol-http-lines-plain",
        "a web server that waits for the end of a line, asked in clear",
        STRANGER,
        &[],
        |_| {
            let peer = reads_lines("HTTP/1.1 400 Bad Request\r\n\r\n")?;
            Ok(case_with(peer, "disable").assert(kind("http")))
        },
    ),
    Scenario::new(
        "protocol-https",
        "an HTTPS server",
        STRANGER,
        &[Need::HaProxy],
        |lab| {
            let proxy = web_server(lab, "ssl crt {bundle} alpn h2,http/1.1")?;
            Ok(behind(proxy, "require").assert(kind("https")))
        },
    ),
    Scenario::new(
        "protocol-https-plain",
        "an HTTPS server, asked in clear",
        STRANGER,
        &[Need::HaProxy],
        |lab| {
            let proxy = web_server(lab, "ssl crt {bundle}")?;
            Ok(behind(proxy, "disable").assert(kind("https")))
        },
    ),
    Scenario::new(
        "protocol-https-direct",
        "an HTTPS server, asked for direct TLS",
        STRANGER,
        &[Need::HaProxy],
        |lab| {
            let proxy = web_server(lab, "ssl crt {bundle} alpn h2,http/1.1")?;
            let conn = conn(proxy.port())
                .set("sslmode", "require")
                .set("sslnegotiation", "direct");
            Ok(Case::check(conn).keep(proxy).assert(kind("https")))
        },
    )
    .oracle(Oracle::None(
        "the installed psql does not know sslnegotiation",
    )),
    Scenario::new(
        "protocol-ssh",
        "an SSH server, which speaks first",
        STRANGER,
        &[],
        |_| Ok(case(Peer::speaks("SSH-2.0-OpenSSH_9.2\r\n")?).assert(kind("ssh"))),
    ),
    Scenario::new(
        "protocol-ssh-plain",
        "an SSH server, spoken to in clear",
        STRANGER,
        &[],
        |_| Ok(case_with(Peer::speaks("SSH-2.0-OpenSSH_9.2\r\n")?, "disable").assert(kind("ssh"))),
    ),
    Scenario::new(
        "protocol-sshd",
        "a real SSH server",
        STRANGER,
        &[Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            Ok(Case::check(conn(sshd.port()))
                .keep(sshd)
                .assert(kind("ssh")))
        },
    ),
    Scenario::new(
        "protocol-mysql",
        "a MySQL server, which speaks first",
        STRANGER,
        &[],
        |_| {
            let greeting = b"\x4a\0\0\0\x0a8.0.36\0\x08\0\0\0aaaaaaaa\0\xff\xff\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0bbbbbbbbbbbb\0caching_sha2_password\0";
            Ok(case(Peer::speaks(greeting.as_slice())?).assert(kind("mysql")))
        },
    ),
    Scenario::new(
        "protocol-mysql-blocked",
        "a MySQL server that refuses this host",
        STRANGER,
        &[],
        |_| {
            let refusal = b"\x46\0\0\0\xffj\x04Host '10.0.0.1' is not allowed to connect to this MySQL server";
            Ok(case(Peer::script(|mut stream| {
                stream.write_all(refusal.as_slice())?;
                stream.close()
            })?)
            .assert(kind("mysql")))
        },
    ),
    Scenario::new(
        "protocol-redis",
        "a Redis server, which waits for the end of a line",
        STRANGER,
        &[],
        |_| Ok(case(reads_lines("-ERR unknown command\r\n")?).assert(kind("redis"))),
    ),
    Scenario::new(
        "protocol-smtp",
        "a mail server, which speaks first",
        STRANGER,
        &[],
        |_| Ok(case(Peer::speaks("220 mail.test ESMTP Postfix\r\n")?).assert(kind("smtp"))),
    ),
    Scenario::new(
        "protocol-garbage",
        "bytes of no known protocol",
        STRANGER,
        &[],
        |_| Ok(case(Peer::answers([0xde, 0xad, 0xbe, 0xef, 0, 1, 2, 3])?).assert(kind("unknown"))),
    ),
    Scenario::new(
        "protocol-garbage-plain",
        "bytes of no known protocol, in clear",
        STRANGER,
        &[],
        |_| {
            Ok(
                case_with(Peer::answers([0xde, 0xad, 0xbe, 0xef])?, "disable")
                    .assert(kind("unknown")),
            )
        },
    ),
    Scenario::new(
        "protocol-text",
        "a text whose first letter is that of an error",
        STRANGER,
        &[],
        |_| Ok(case(Peer::answers("Error: go away\r\n")?).assert(kind("text"))),
    ),
    Scenario::new(
        "protocol-text-plain",
        "the same, asked in clear",
        STRANGER,
        &[],
        |_| {
            let peer = Peer::answers("Error: go away\r\n")?;
            Ok(case_with(peer, "disable").assert(kind("text")))
        },
    ),
    Scenario::new(
        "protocol-memcached-plain",
        "memcached, asked in clear",
        STRANGER,
        &[],
        |_| {
            let peer = Peer::answers("ERROR\r\n")?;
            Ok(case_with(peer, "disable").assert(kind("memcached")))
        },
    ),
    Scenario::new(
        "protocol-vnc-plain",
        "a remote desktop, whose greeting begins as a message does",
        STRANGER,
        &[],
        |_| {
            let peer = Peer::answers("RFB 003.008\n")?;
            Ok(case_with(peer, "disable").assert(kind("vnc")))
        },
    ),
    // ---- Almost PostgreSQL ----
    Scenario::new(
        "protocol-oversized",
        "a message of an absurd length in answer to the request for TLS",
        OVERSIZED,
        &[],
        |_| {
            Ok(case(Peer::answers(
                b"R\x7f\xff\xff\xff\0\0\0\0".as_slice(),
            )?))
        },
    ),
    Scenario::new(
        "protocol-oversized-plain",
        "a message of an absurd length",
        OVERSIZED,
        &[],
        |_| {
            Ok(case_with(
                Peer::answers(b"R\x7f\xff\xff\xff\0\0\0\0".as_slice())?,
                "disable",
            ))
        },
    ),
    Scenario::new(
        "protocol-malformed",
        "an authentication request in answer to the request for TLS",
        MALFORMED,
        &[],
        |_| Ok(case(Peer::answers(message(b'R', &[0, 0, 0, 0]))?)),
    ),
    Scenario::new(
        "protocol-malformed-plain",
        "an authentication request that is cut short",
        MALFORMED,
        &[],
        |_| Ok(case_with(Peer::answers(message(b'R', &[0]))?, "disable")),
    ),
    Scenario::new(
        "protocol-malformed-tls",
        "agrees to TLS and goes on in clear",
        MALFORMED,
        &[],
        |_| {
            let peer = Peer::script(|mut stream| {
                stream.receive()?;
                stream.write_all(b"S")?;
                stream.receive()?;
                stream.write_all(&message(b'R', &[0, 0, 0, 0]))?;
                stream.ignore()
            })?;
            Ok(case_with(peer, "require"))
        },
    ),
    Scenario::new(
        "protocol-error-response",
        "an error in answer to the request for TLS",
        Expect::Fail("protocol.error-response"),
        &[],
        |_| {
            let peer = Peer::answers(message(b'E', b"SFATAL\0VFATAL\0C08P01\0Munsupported\0\0"))?;
            Ok(case_with(peer, "require"))
        },
    ),
    Scenario::new(
        "protocol-no-process",
        "a server that cannot start a process says so before anything else",
        Expect::Fail("server.resources"),
        &[],
        |_| {
            let peer = Peer::answers(
                "Ecould not fork new process for connection: Cannot allocate memory\n\0",
            )?;
            Ok(case(peer))
        },
    ),
    // ---- Somebody in between ----
    Scenario::new(
        "protocol-injected",
        "bytes in clear behind the yes to TLS",
        INJECTED,
        PG,
        |lab| injecting(lab, b"R\0\0\0\x08\0\0\0\0", false, "require"),
    ),
    Scenario::new(
        "protocol-injected-prefer",
        "bytes in clear behind the yes to TLS, which prefer does not forgive",
        INJECTED,
        PG,
        |lab| injecting(lab, b"R\0\0\0\x08\0\0\0\0", false, "prefer"),
    ),
    Scenario::new(
        "protocol-injected-apart",
        "bytes in clear behind the yes to TLS, in a packet of their own",
        INJECTED,
        PG,
        |lab| injecting(lab, b"R\0\0\0\x08\0\0\0\0", true, "require"),
    ),
    Scenario::new(
        "protocol-stall",
        "small messages pass and larger ones get stuck",
        STALL,
        PG,
        |lab| spoilt(lab, Fault::StallAbove(600), "require"),
    ),
    Scenario::new(
        "protocol-stall-packets",
        "a path on which large packets are lost without a word",
        STALL,
        &[Need::Postgres, Need::Nft],
        |lab| {
            let ns = lab.netns()?;
            let pg = lab
                .new_postgres()
                .netns(&ns)
                .tls(lab.issue(lab.cert())?)
                .start()?;
            ns.output(&format!("tcp sport {} meta length > 700 drop", pg.port()))?;
            let conn = pg
                .conn()
                .set("sslmode", "require")
                .set("connect_timeout", 3);
            Ok(Case::check(conn).password(lab.password()).keep((pg, ns)))
        },
    ),
    Scenario::new(
        "protocol-stall-hello",
        "a path on which our large packets are lost, the ClientHello first",
        STALL,
        &[Need::Postgres, Need::Nft],
        |lab| {
            let ns = lab.netns()?;
            let pg = lab
                .new_postgres()
                .netns(&ns)
                .tls(lab.issue(lab.cert())?)
                .start()?;
            ns.input(&format!("tcp dport {} meta length > 300 drop", pg.port()))?;
            let conn = pg
                .conn()
                .set("sslmode", "require")
                .set("connect_timeout", 3);
            let case = Case::check(conn).password(lab.password()).keep((pg, ns));
            Ok(case.assert(ours_stalls))
        },
    ),
    Scenario::new(
        "protocol-stall-password",
        "a path on which our large packets are lost, a very long password first",
        STALL,
        &[Need::Postgres, Need::Nft],
        |lab| {
            let ns = lab.netns()?;
            let token = "a".repeat(1_900);
            let pg = lab
                .new_postgres()
                .netns(&ns)
                .sql(&format!("create role long login password '{token}'"))
                .hba("host all all all password")
                .start()?;
            ns.input(&format!("tcp dport {} meta length > 1400 drop", pg.port()))?;
            let conn = pg.conn().set("user", "long").set("connect_timeout", 3);
            let case = Case::check(conn).password(&token).keep((pg, ns));
            Ok(case.assert(ours_stalls))
        },
    ),
    // ---- Neighbours that must pass ----
    Scenario::new(
        "protocol-slow-healthy",
        "everything takes 150 ms each way",
        Expect::Pass,
        PG,
        |lab| {
            let slow = Fault::Delay(Duration::from_millis(150));
            let pg = lab.postgres()?;
            let forward = Peer::forward(pg.addr(), slow)?;
            let conn = pg
                .conn()
                .set("port", forward.port())
                .set("sslmode", "require");
            Ok(Case::check(conn)
                .password(lab.password())
                .keep((forward, pg)))
        },
    ),
    Scenario::new(
        "protocol-pause-healthy",
        "answers after a moment of silence",
        Expect::Pass,
        PG,
        |lab| {
            let pg = lab.postgres()?;
            let forward = Peer::forward_after(pg.addr(), |_, _| {
                thread::sleep(Duration::from_millis(700));
                Ok(())
            })?;
            let conn = pg
                .conn()
                .set("port", forward.port())
                .set("connect_timeout", 4);
            Ok(Case::check(conn)
                .password(lab.password())
                .keep((forward, pg)))
        },
    ),
    Scenario::new(
        "protocol-no-tls-healthy",
        "a server without TLS, and sslmode does not insist",
        Expect::Pass,
        PG,
        |lab| {
            let pg = lab.new_postgres().start()?;
            Ok(Case::check(pg.conn()).password(lab.password()).keep(pg))
        },
    ),
    Scenario::new(
        "protocol-injected-then-plain",
        "a yes with garbage behind it and no TLS: prefer goes on in clear",
        Expect::Warn("protocol.malformed"),
        PG,
        |lab| {
            let pg = lab.new_postgres().start()?;
            let between = Peer::forward_after(pg.addr(), |client, server| {
                let mut request = [0; 8];
                client.read_exact(&mut request)?;
                if request == SSL_REQUEST {
                    client.write_all(b"S")?;
                    client.receive()?;
                    return client.write_all(b"this is not TLS at all\r\n");
                }
                server.write_all(&request)
            })?;
            let conn = pg.conn().set("port", between.port());
            Ok(Case::check(conn)
                .password(lab.password())
                .keep((between, pg)))
        },
    ),
    Scenario::new(
        "protocol-injected-no",
        "bytes in clear behind the no to TLS",
        INJECTED,
        &[],
        |_| Ok(case_with(behind_no(b"\x01\x02\x03")?, "require")),
    ),
    Scenario::new(
        "protocol-injected-no-prefer",
        "bytes behind the no to TLS that are no answer to anything",
        INJECTED,
        &[],
        |_| Ok(case_with(behind_no(b"\x01\x02\x03")?, "prefer")),
    ),
    Scenario::new(
        "protocol-text-no",
        "a text whose first letter is a no to TLS",
        STRANGER,
        &[],
        |_| Ok(case_with(behind_no(b"o such service here\r\n")?, "require")),
    ),
    Scenario::new(
        "protocol-malformed-tls-echo",
        "agrees to TLS and sends back what it is sent",
        MALFORMED,
        &[],
        |_| {
            let peer = Peer::script(|mut stream| {
                stream.receive()?;
                stream.write_all(b"S")?;
                let hello = stream.receive()?;
                stream.write_all(&hello)?;
                stream.ignore()
            })?;
            Ok(case_with(peer, "require"))
        },
    ),
    Scenario::new(
        "protocol-echo",
        "an end that sends back what it is sent",
        STRANGER,
        &[],
        |_| {
            let peer = Peer::script(|mut stream| {
                loop {
                    let piece = stream.receive()?;
                    if piece.is_empty() {
                        return Ok(());
                    }
                    stream.write_all(&piece)?;
                }
            })?;
            Ok(case(peer))
        },
    ),
    Scenario::new(
        "protocol-error-ancient",
        "a server before 7.4 does not know the request for TLS",
        Expect::Fail("protocol.error-response"),
        &[],
        |_| {
            let peer = Peer::answers("EFATAL:  unsupported frontend protocol\n\0")?;
            Ok(case_with(peer, "require"))
        },
    ),
];
