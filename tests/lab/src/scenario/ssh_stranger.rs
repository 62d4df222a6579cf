//! What answers on the bastion's port is no SSH server, or one behind something.

use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, ensure};

use super::ssh::{case, to_port};
use crate::{Case, Expect, HaProxy, Lab, Need, Oracle, Peer, Scenario, Tool, free_port};

/// To a server that waits for the client, says this and closes.
fn complaint(lab: &Lab, words: &'static str) -> Result<Case> {
    let peer = Peer::script(move |mut stream| {
        let line = stream.receive()?;
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        stream.write_all(words.replace("{line}", &line).as_bytes())?;
        stream.close()
    })?;
    Ok(case(to_port(lab, peer.port())?).keep(peer))
}

/// The verdict must name this end.
fn names(case: Case, what: &'static str) -> Case {
    case.assert(move |report| {
        let said = report["verdict"]["summary"].as_str().unwrap_or_default();
        ensure!(said.contains(what), "not {what}: {said}");
        Ok(())
    })
}

/// Strangers on the bastion's port.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "ssh-not-ssh-web",
        about: "a real web server, which quotes our line in a page without a status line",
        expect: Expect::Fail("ssh.not-ssh"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd, Need::Python],
        setup: |lab| {
            let port = free_port();
            let dir = lab.dir("web")?;
            let web = Tool::new("python3").args(["-m", "http.server", "--bind", "127.0.0.1"]);
            let web = web.arg("--directory").arg(dir.display()).arg(port);
            let web = web.serve(dir.join("log"), "TERM")?;
            web.wait_ready(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())?;
            let case = case(to_port(lab, port)?).keep(web);
            Ok(names(case, "a web server (HTTP)"))
        },
    },
    Scenario {
        name: "ssh-not-ssh-web-denied",
        about: "a web server that denies access, and closes",
        expect: Expect::Fail("ssh.not-ssh"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let case = complaint(
                lab,
                "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\nAccess denied, your IP is blocked",
            )?;
            Ok(names(case, "a web server (HTTP)"))
        },
    },
    Scenario {
        name: "ssh-not-ssh-ftp",
        about: "a file server that has too many guests",
        expect: Expect::Fail("ssh.not-ssh"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| complaint(lab, "421 Too many connections from your address.\r\n"),
    },
    Scenario {
        name: "ssh-not-ssh-redis",
        about: "Redis, which quotes our line as an unknown command",
        expect: Expect::Fail("ssh.not-ssh"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let words = "-ERR unknown command '{line}', with args beginning with: \r\n";
            Ok(names(complaint(lab, words)?, "Redis"))
        },
    },
    Scenario {
        name: "ssh-not-ssh-quote",
        about: "something that quotes our line, and closes",
        expect: Expect::Fail("ssh.not-ssh"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| complaint(lab, "Error: unknown command {line}\r\n"),
    },
    Scenario {
        name: "ssh-not-ssh-tag",
        about: "a mailbox server, which takes our line for a tag and begins its answer with it",
        expect: Expect::Fail("ssh.not-ssh"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let words = "* OK Mailboxes here.\r\n{line} BAD Missing command\r\n";
            Ok(names(complaint(lab, words)?, "an IMAP server"))
        },
    },
    Scenario {
        name: "ssh-closed-words",
        about: "sshd's own words for a full house",
        expect: Expect::Fail("ssh.closed"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| complaint(lab, "Exceeded MaxStartups\r\n"),
    },
    Scenario {
        name: "ssh-closed-penalty",
        about: "sshd's own words for an address that is punished",
        expect: Expect::Fail("ssh.closed"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| complaint(lab, "Not allowed at this time\r\n"),
    },
    Scenario {
        name: "ssh-closed-once",
        about: "an SSH server that turns the first connection away and takes the next ones",
        expect: Expect::Fail("ssh.closed"),
        oracle: Oracle::None("what fails is over when ssh comes"),
        needs: &[Need::Sshd],
        setup: |lab| {
            let first = AtomicBool::new(true);
            let peer = Peer::script(move |mut stream| {
                if !first.swap(false, Ordering::SeqCst) {
                    stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n")?;
                    return stream.ignore();
                }
                stream.close()
            })?;
            Ok(case(to_port(lab, peer.port())?).keep(peer))
        },
    },
    Scenario {
        name: "ssh-not-ssh-tls",
        about: "a TLS server, which closes without a word",
        expect: Expect::Fail("ssh.not-ssh"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd, Need::HaProxy],
        setup: |lab| {
            let proxy = HaProxy::ending_tls(lab, "", &lab.sshd()?.addr())?;
            let case = case(to_port(lab, proxy.port())?).keep(proxy);
            Ok(names(case, "a TLS server"))
        },
    },
    Scenario {
        name: "ssh-disconnected-proxy-header",
        about: "a load balancer puts a PROXY header before our identification",
        expect: Expect::Fail("ssh.disconnected"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd, Need::HaProxy],
        setup: |lab| {
            let sshd = lab.sshd()?;
            let proxy = HaProxy::start(
                lab,
                &format!(
                    "defaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n\
                     listen ssh\n bind 127.0.0.1:{{port}}\n server one {} send-proxy\n",
                    sshd.addr()
                ),
            )?;
            let case = case(to_port(lab, proxy.port())?).keep(proxy);
            Ok(names(case, "Invalid SSH identification string"))
        },
    },
    Scenario {
        name: "ssh-not-ssh-postgres-jump",
        about: "PostgreSQL on the port of the second of two hops",
        expect: Expect::Fail("ssh.not-ssh"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd, Need::Postgres],
        setup: |lab| {
            let first = lab.sshd()?;
            let database = format!("ops@127.0.0.1:{}", lab.postgres()?.port());
            let known = fs::read_to_string(first.known_hosts())?;
            let route = first.route().then(&database);
            let route = route.known_hosts(lab.file("known_hosts", known, 0o644)?);
            Ok(names(case(route), "PostgreSQL"))
        },
    },
];
