//! SSH servers that do not let us in.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use crate::{
    Agent, Case, Conn, Expect, Fault, Lab, Need, Oracle, Peer, Scenario, SshRoute, free_port,
};

/// Through the route, to a database that is never reached.
pub(super) fn case(route: SshRoute) -> Case {
    let conn = Conn::new()
        .set("host", "127.0.0.1")
        .set("port", 5432)
        .set("user", "app");
    Case::check(conn).ssh(route)
}

/// A route to a bare port, with the lab's key and no known hosts.
pub(super) fn to_port(lab: &Lab, port: u16) -> anyhow::Result<SshRoute> {
    let route = SshRoute::new(&format!("ops@127.0.0.1:{port}"));
    Ok(route
        .key(lab.client_key()?)
        .known_hosts(lab.file("known_hosts", "", 0o644)?))
}

/// The SSH session.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "ssh-refused",
        "nothing listens on the bastion's port",
        Expect::Fail("tcp.refused"),
        &[Need::Sshd],
        |lab| Ok(case(to_port(lab, free_port())?)),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-closed",
        "closed before the identification",
        Expect::Fail("ssh.closed"),
        &[Need::Sshd],
        |lab| {
            let peer = Peer::closing()?;
            Ok(case(to_port(lab, peer.port())?).keep(peer))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-reset",
        "reset before the identification",
        Expect::Fail("ssh.closed"),
        &[Need::Sshd],
        |lab| {
            let peer = Peer::resetting()?;
            Ok(case(to_port(lab, peer.port())?).keep(peer))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-maxstartups",
        "MaxStartups turns us away",
        Expect::Fail("ssh.closed"),
        &[Need::Sshd],
        |lab| {
            let sshd = lab.new_sshd().config("MaxStartups 1:100:1").start()?;
            let settle = || std::thread::sleep(Duration::from_millis(300));
            settle(); // whoever looked whether it listens is still counted
            let idle = TcpStream::connect(sshd.addr())?;
            settle();
            Ok(case(sshd.route()).keep((idle, sshd)))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-not-ssh-http",
        "a web server",
        Expect::Fail("ssh.not-ssh"),
        &[Need::Sshd],
        |lab| {
            let peer = Peer::script(|mut stream| {
                stream.receive()?;
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")?;
                stream.close()
            })?;
            Ok(case(to_port(lab, peer.port())?).keep(peer))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-not-ssh-mysql",
        "MySQL, which speaks first and in binary",
        Expect::Fail("ssh.not-ssh"),
        &[Need::Sshd],
        |lab| {
            let peer = Peer::speaks(*b"J\0\0\0\x0a8.0.36\0\x08\0\0\0abcdefgh\0\xff\xff")?;
            Ok(case(to_port(lab, peer.port())?).patience(4).keep(peer))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-not-ssh-mail",
        "a mail server, which speaks a line and waits",
        Expect::Fail("ssh.not-ssh"),
        &[Need::Sshd],
        |lab| {
            let peer = Peer::speaks(*b"220 mail.test ESMTP\r\n")?;
            let case = case(to_port(lab, peer.port())?).args(&["--timeout", "2s"]);
            Ok(case.patience(4).keep(peer))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-not-ssh-postgres",
        "PostgreSQL, which closes without a word",
        Expect::Fail("ssh.not-ssh"),
        &[Need::Sshd, Need::Postgres],
        |lab| Ok(case(to_port(lab, lab.postgres()?.port())?)),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-timeout",
        "it identifies itself, and is silent from then on",
        Expect::Fail("ssh.timeout"),
        &[Need::Sshd],
        |lab| {
            let peer = Peer::speaks(*b"SSH-2.0-OpenSSH_9.2p1\r\n")?;
            let case = case(to_port(lab, peer.port())?).args(&["--timeout", "2s"]);
            Ok(case.patience(4).keep(peer))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-timeout-auth",
        "it stalls during authentication",
        Expect::Fail("ssh.timeout"),
        &[Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let peer = Peer::forward(sshd.addr(), Fault::StallAfter(3050))?;
            let case = case(sshd.route_by(lab, &peer)?).args(&["--timeout", "2s"]);
            Ok(case.patience(4).keep(peer))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-disconnected",
        "it identifies itself, and closes",
        Expect::Fail("ssh.disconnected"),
        &[Need::Sshd],
        |lab| {
            let peer = Peer::script(|mut stream| {
                stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n")?;
                stream.receive()?;
                stream.close()
            })?;
            Ok(case(to_port(lab, peer.port())?).keep(peer))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-disconnected-words",
        "it says why it ends the session",
        Expect::Fail("ssh.disconnected"),
        &[Need::Sshd],
        |lab| {
            let peer = Peer::script(|mut stream| {
                let words = b"Too many users, come back later";
                let mut payload = vec![1, 0, 0, 0, 12, 0, 0, 0, words.len() as u8];
                payload.extend(words);
                payload.extend([0; 4]);
                let padding = 8 - (payload.len() + 5) % 8 + 8;
                let mut packet = ((payload.len() + padding + 1) as u32)
                    .to_be_bytes()
                    .to_vec();
                packet.push(padding as u8);
                packet.extend(payload);
                packet.extend(vec![0; padding]);
                stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n")?;
                stream.receive()?;
                stream.write_all(&packet)?;
                stream.close()
            })?;
            Ok(case(to_port(lab, peer.port())?).keep(peer))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-disconnected-reset",
        "the connection is reset during the key exchange",
        Expect::Fail("ssh.disconnected"),
        &[Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let peer = Peer::forward(sshd.addr(), Fault::ResetAfter(1500))?;
            Ok(case(sshd.route_by(lab, &peer)?).keep(peer))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-malformed",
        "it identifies itself, and sends what is no packet",
        Expect::Fail("ssh.malformed"),
        &[Need::Sshd],
        |lab| {
            let peer = Peer::speaks(*b"SSH-2.0-OpenSSH_9.2p1\r\nHTTP/1.1 400 Bad Request\r\n\r\n")?;
            Ok(case(to_port(lab, peer.port())?).patience(4).keep(peer))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-algorithms-kex",
        "the server exchanges keys with SHA-1 alone",
        Expect::Fail("ssh.algorithms"),
        &[Need::Sshd],
        |lab| {
            let line = "KexAlgorithms diffie-hellman-group14-sha1";
            let sshd = lab.new_sshd().config(line).start()?;
            Ok(case(sshd.route()).keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-algorithms-hostkey",
        "the server signs with ssh-rsa alone",
        Expect::Fail("ssh.algorithms"),
        &[Need::Sshd],
        |lab| {
            let sshd = lab
                .new_sshd()
                .config("HostKeyAlgorithms ssh-rsa")
                .host_key(lab.ssh_key("rsa", "")?)
                .start()?;
            Ok(case(sshd.route()).keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-algorithms-cipher",
        "the server encrypts with CBC alone",
        Expect::Fail("ssh.algorithms"),
        &[Need::Sshd],
        |lab| {
            let sshd = lab.new_sshd().config("Ciphers aes256-cbc").start()?;
            Ok(case(sshd.route()).keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-unsupported-kex",
        "the server exchanges keys with sntrup761 alone, which OpenSSH has",
        Expect::Fail("ssh.unsupported"),
        &[Need::Sshd],
        |lab| {
            let line = "KexAlgorithms sntrup761x25519-sha512@openssh.com";
            let sshd = lab.new_sshd().config(line).start()?;
            Ok(case(sshd.route()).keep(sshd))
        },
    )
    .oracle(Oracle::None(
        "the one known difference: OpenSSH gets in, and dbdoctor says so",
    )),
    Scenario::new(
        "ssh-unsupported-mac",
        "the server takes UMAC alone, which OpenSSH has",
        Expect::Fail("ssh.unsupported"),
        &[Need::Sshd],
        |lab| {
            let sshd = lab
                .new_sshd()
                .config("Ciphers aes256-ctr,aes128-ctr")
                .config("MACs umac-128-etm@openssh.com,umac-64-etm@openssh.com")
                .start()?;
            Ok(case(sshd.route()).keep(sshd))
        },
    )
    .oracle(Oracle::None(
        "the one known difference: OpenSSH gets in, and dbdoctor says so",
    )),
    Scenario::new(
        "ssh-algorithms-old-healthy",
        "a server with the oldest algorithms that OpenSSH still takes",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab
                .new_sshd()
                .config("KexAlgorithms diffie-hellman-group14-sha256")
                .config("Ciphers aes128-ctr")
                .config("MACs hmac-sha1")
                .config("HostKeyAlgorithms rsa-sha2-256")
                .host_key(lab.ssh_key("rsa", "")?)
                .start()?;
            Ok(Case::check(lab.postgres()?.conn())
                .password(lab.password())
                .ssh(sshd.route())
                .keep(sshd))
        },
    ),
    Scenario::new(
        "ssh-lines-before",
        "a server that says a hundred lines before its identification",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let peer = Peer::forward_after(sshd.addr(), |client, _| {
                client.write_all(&b"a line of welcome\r\n".repeat(100))
            })?;
            Ok(Case::check(lab.postgres()?.conn())
                .password(lab.password())
                .ssh(sshd.route_by(lab, &peer)?)
                .keep(peer))
        },
    ),
    Scenario::new(
        "ssh-silent",
        "no identification",
        Expect::Fail("ssh.silent"),
        &[Need::Sshd],
        |lab| {
            let peer = Peer::silent()?;
            Ok(case(to_port(lab, peer.port())?)
                .keep(peer)
                .args(&["--timeout", "2s"]))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-hostkey-unknown",
        "an empty known_hosts file",
        Expect::Fail("ssh.hostkey.unknown"),
        &[Need::Sshd],
        |lab| Ok(case(to_port(lab, lab.sshd()?.port())?)),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-hostkey-changed",
        "known_hosts has another key for this host",
        Expect::Fail("ssh.hostkey.changed"),
        &[Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let other = std::fs::read_to_string(lab.ssh_key("ed25519", "")?.with_extension("pub"))?;
            let known = format!("[127.0.0.1]:{} {other}", sshd.port());
            Ok(case(sshd.route().known_hosts(lab.file(
                "known_hosts",
                known,
                0o644,
            )?)))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-publickey",
        "a key that the server does not know",
        Expect::Fail("ssh.auth.publickey"),
        &[Need::Sshd],
        |lab| Ok(case(lab.sshd()?.route().key(lab.ssh_key("ed25519", "")?))),
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-auth-password",
        "a wrong password",
        Expect::Fail("ssh.auth.password"),
        &[Need::Sshd, Need::Root],
        |lab| {
            let sshd = lab
                .new_sshd()
                .authorized_keys("")
                .password("right")?
                .start()?;
            Ok(case(sshd.route().without_key())
                .ssh_password("wr0ng-canary")
                .keep(sshd))
        },
    )
    .oracle(Oracle::Ssh),
    Scenario::new(
        "ssh-agent-healthy",
        "the key is in an agent alone",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let agent = Agent::start(lab)?;
            agent.add(&lab.client_key()?)?;
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            let case = case.ssh(lab.sshd()?.route().without_key());
            Ok(case
                .env("SSH_AUTH_SOCK", agent.socket().display())
                .keep(agent))
        },
    ),
    Scenario::new(
        "ssh-config-healthy",
        "an alias, port, user and key from a configuration file",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let config = format!(
                "Host bastion\n  HostName {}\n  Port {}\n  User {}\n  IdentityFile {}\n  UserKnownHostsFile {}\n",
                sshd.host(),
                sshd.port(),
                lab.user()?,
                lab.client_key()?.display(),
                sshd.known_hosts().display(),
            );
            let route = SshRoute::new("bastion").config(lab.file("config", config, 0o600)?);
            Ok(Case::check(lab.postgres()?.conn())
                .password(lab.password())
                .ssh(route))
        },
    ),
];
