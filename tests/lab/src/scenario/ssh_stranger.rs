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
    Scenario::new("ssh-not-ssh-web", "a real web server, which quotes our line in a page without a status line", Expect::Fail("ssh.not-ssh"), &[Need::Sshd, Need::Python], |lab| {
            let port = free_port();
            let dir = lab.dir("web")?;
            let web = Tool::new("python3").args(["-m", "http.server", "--bind", "127.0.0.1"]);
            let web = web.arg("--directory").arg(dir.display()).arg(port);
            let web = web.serve(dir.join("log"), "TERM")?;
            web.wait_ready(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())?;
            let case = case(to_port(lab, port)?).keep(web);
            Ok(names(case, "a web server (HTTP)"))
        }).oracle(Oracle::Ssh),
    Scenario::new("ssh-not-ssh-web-denied", "a web server that denies access, and closes", Expect::Fail("ssh.not-ssh"), &[Need::Sshd], |lab| {
            let case = complaint(
                lab,
                "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\nAccess denied, your IP is blocked",
            )?;
            Ok(names(case, "a web server (HTTP)"))
        }).oracle(Oracle::Ssh),
    Scenario::new("ssh-not-ssh-ftp", "a file server that has too many guests", Expect::Fail("ssh.not-ssh"), &[Need::Sshd], |lab| complaint(lab, "421 Too many connections from your address.\r\n")).oracle(Oracle::Ssh),
    Scenario::new("ssh-not-ssh-redis", "Redis, which quotes our line as an unknown command", Expect::Fail("ssh.not-ssh"), &[Need::Sshd], |lab| {
            let words = "-ERR unknown command '{line}', with args beginning with: \r\n";
            Ok(names(complaint(lab, words)?, "Redis"))
        }).oracle(Oracle::Ssh),
    Scenario::new("ssh-not-ssh-quote", "something that quotes our line, and closes", Expect::Fail("ssh.not-ssh"), &[Need::Sshd], |lab| complaint(lab, "Error: unknown command {line}\r\n")).oracle(Oracle::Ssh),
    Scenario::new("ssh-not-ssh-tag", "a mailbox server, which takes our line for a tag and begins its answer with it", Expect::Fail("ssh.not-ssh"), &[Need::Sshd], |lab| {
            let words = "* OK Mailboxes here.\r\n{line} BAD Missing command\r\n";
            Ok(names(complaint(lab, words)?, "an IMAP server"))
        }).oracle(Oracle::Ssh),
    Scenario::new("ssh-closed-words", "sshd's own words for a full house", Expect::Fail("ssh.closed"), &[Need::Sshd], |lab| complaint(lab, "Exceeded MaxStartups\r\n")).oracle(Oracle::Ssh),
    Scenario::new("ssh-closed-penalty", "sshd's own words for an address that is punished", Expect::Fail("ssh.closed"), &[Need::Sshd], |lab| complaint(lab, "Not allowed at this time\r\n")).oracle(Oracle::Ssh),
    Scenario::new("ssh-closed-once", "an SSH server that turns the first connection away and takes the next ones", Expect::Fail("ssh.closed"), &[Need::Sshd], |lab| {
            let first = AtomicBool::new(true);
            let peer = Peer::script(move |mut stream| {
                if !first.swap(false, Ordering::SeqCst) {
                    stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n")?;
                    return stream.ignore();
                }
                stream.close()
            })?;
            Ok(case(to_port(lab, peer.port())?).keep(peer))
        }).oracle(Oracle::None("what fails is over when ssh comes")),
    Scenario::new("ssh-not-ssh-tls", "a TLS server, which closes without a word", Expect::Fail("ssh.not-ssh"), &[Need::Sshd, Need::HaProxy], |lab| {
            let proxy = HaProxy::ending_tls(lab, "", &lab.sshd()?.addr())?;
            let case = case(to_port(lab, proxy.port())?).keep(proxy);
            Ok(names(case, "a TLS server"))
        }).oracle(Oracle::Ssh),
    Scenario::new("ssh-disconnected-proxy-header", "a load balancer puts a PROXY header before our identification", Expect::Fail("ssh.disconnected"), &[Need::Sshd, Need::HaProxy], |lab| {
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
        }).oracle(Oracle::Ssh),
    Scenario::new("ssh-not-ssh-postgres-jump", "PostgreSQL on the port of the second of two hops", Expect::Fail("ssh.not-ssh"), &[Need::Sshd, Need::Postgres], |lab| {
            let first = lab.sshd()?;
            let database = format!("ops@127.0.0.1:{}", lab.postgres()?.port());
            let known = fs::read_to_string(first.known_hosts())?;
            let route = first.route().then(&database);
            let route = route.known_hosts(lab.file("known_hosts", known, 0o644)?);
            Ok(names(case(route), "PostgreSQL"))
        }).oracle(Oracle::Ssh),
];
