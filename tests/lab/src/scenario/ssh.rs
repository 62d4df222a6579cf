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
    Scenario {
        name: "ssh-refused",
        about: "nothing listens on the bastion's port",
        expect: Expect::Fail("tcp.refused"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| Ok(case(to_port(lab, free_port())?)),
    },
    Scenario {
        name: "ssh-closed",
        about: "closed before the identification",
        expect: Expect::Fail("ssh.closed"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let peer = Peer::closing()?;
            Ok(case(to_port(lab, peer.port())?).keep(peer))
        },
    },
    Scenario {
        name: "ssh-reset",
        about: "reset before the identification",
        expect: Expect::Fail("ssh.closed"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let peer = Peer::resetting()?;
            Ok(case(to_port(lab, peer.port())?).keep(peer))
        },
    },
    Scenario {
        name: "ssh-maxstartups",
        about: "MaxStartups turns us away",
        expect: Expect::Fail("ssh.closed"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let sshd = lab.new_sshd().config("MaxStartups 1:100:1").start()?;
            let settle = || std::thread::sleep(Duration::from_millis(300));
            settle(); // whoever looked whether it listens is still counted
            let idle = TcpStream::connect(sshd.addr())?;
            settle();
            Ok(case(sshd.route()).keep((idle, sshd)))
        },
    },
    Scenario {
        name: "ssh-not-ssh-http",
        about: "a web server",
        expect: Expect::Fail("ssh.not-ssh"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let peer = Peer::script(|mut stream| {
                stream.receive()?;
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")?;
                stream.close()
            })?;
            Ok(case(to_port(lab, peer.port())?).keep(peer))
        },
    },
    Scenario {
        name: "ssh-not-ssh-mysql",
        about: "MySQL, which speaks first and in binary",
        expect: Expect::Fail("ssh.not-ssh"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let peer = Peer::speaks(*b"J\0\0\0\x0a8.0.36\0\x08\0\0\0abcdefgh\0\xff\xff")?;
            Ok(case(to_port(lab, peer.port())?).patience(4).keep(peer))
        },
    },
    Scenario {
        name: "ssh-not-ssh-mail",
        about: "a mail server, which speaks a line and waits",
        expect: Expect::Fail("ssh.not-ssh"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let peer = Peer::speaks(*b"220 mail.test ESMTP\r\n")?;
            let case = case(to_port(lab, peer.port())?).args(&["--timeout", "2s"]);
            Ok(case.patience(4).keep(peer))
        },
    },
    Scenario {
        name: "ssh-not-ssh-postgres",
        about: "PostgreSQL, which closes without a word",
        expect: Expect::Fail("ssh.not-ssh"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd, Need::Postgres],
        setup: |lab| Ok(case(to_port(lab, lab.postgres()?.port())?)),
    },
    Scenario {
        name: "ssh-timeout",
        about: "it identifies itself, and is silent from then on",
        expect: Expect::Fail("ssh.timeout"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let peer = Peer::speaks(*b"SSH-2.0-OpenSSH_9.2p1\r\n")?;
            let case = case(to_port(lab, peer.port())?).args(&["--timeout", "2s"]);
            Ok(case.patience(4).keep(peer))
        },
    },
    Scenario {
        name: "ssh-timeout-auth",
        about: "it stalls during authentication",
        expect: Expect::Fail("ssh.timeout"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let sshd = lab.sshd()?;
            let peer = Peer::forward(sshd.addr(), Fault::StallAfter(3050))?;
            let case = case(sshd.route_by(lab, &peer)?).args(&["--timeout", "2s"]);
            Ok(case.patience(4).keep(peer))
        },
    },
    Scenario {
        name: "ssh-disconnected",
        about: "it identifies itself, and closes",
        expect: Expect::Fail("ssh.disconnected"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let peer = Peer::script(|mut stream| {
                stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n")?;
                stream.receive()?;
                stream.close()
            })?;
            Ok(case(to_port(lab, peer.port())?).keep(peer))
        },
    },
    Scenario {
        name: "ssh-disconnected-words",
        about: "it says why it ends the session",
        expect: Expect::Fail("ssh.disconnected"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
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
    },
    Scenario {
        name: "ssh-disconnected-reset",
        about: "the connection is reset during the key exchange",
        expect: Expect::Fail("ssh.disconnected"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let sshd = lab.sshd()?;
            let peer = Peer::forward(sshd.addr(), Fault::ResetAfter(1500))?;
            Ok(case(sshd.route_by(lab, &peer)?).keep(peer))
        },
    },
    Scenario {
        name: "ssh-malformed",
        about: "it identifies itself, and sends what is no packet",
        expect: Expect::Fail("ssh.malformed"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let peer = Peer::speaks(*b"SSH-2.0-OpenSSH_9.2p1\r\nHTTP/1.1 400 Bad Request\r\n\r\n")?;
            Ok(case(to_port(lab, peer.port())?).patience(4).keep(peer))
        },
    },
    Scenario {
        name: "ssh-algorithms-kex",
        about: "the server exchanges keys with SHA-1 alone",
        expect: Expect::Fail("ssh.algorithms"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let line = "KexAlgorithms diffie-hellman-group14-sha1";
            let sshd = lab.new_sshd().config(line).start()?;
            Ok(case(sshd.route()).keep(sshd))
        },
    },
    Scenario {
        name: "ssh-algorithms-hostkey",
        about: "the server signs with ssh-rsa alone",
        expect: Expect::Fail("ssh.algorithms"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let sshd = lab
                .new_sshd()
                .config("HostKeyAlgorithms ssh-rsa")
                .host_key(lab.ssh_key("rsa", "")?)
                .start()?;
            Ok(case(sshd.route()).keep(sshd))
        },
    },
    Scenario {
        name: "ssh-algorithms-cipher",
        about: "the server encrypts with CBC alone",
        expect: Expect::Fail("ssh.algorithms"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let sshd = lab.new_sshd().config("Ciphers aes256-cbc").start()?;
            Ok(case(sshd.route()).keep(sshd))
        },
    },
    Scenario {
        name: "ssh-unsupported-kex",
        about: "the server exchanges keys with sntrup761 alone, which OpenSSH has",
        expect: Expect::Fail("ssh.unsupported"),
        oracle: Oracle::None("the one known difference: OpenSSH gets in, and dbdoctor says so"),
        needs: &[Need::Sshd],
        setup: |lab| {
            let line = "KexAlgorithms sntrup761x25519-sha512@openssh.com";
            let sshd = lab.new_sshd().config(line).start()?;
            Ok(case(sshd.route()).keep(sshd))
        },
    },
    Scenario {
        name: "ssh-unsupported-mac",
        about: "the server takes UMAC alone, which OpenSSH has",
        expect: Expect::Fail("ssh.unsupported"),
        oracle: Oracle::None("the one known difference: OpenSSH gets in, and dbdoctor says so"),
        needs: &[Need::Sshd],
        setup: |lab| {
            let sshd = lab
                .new_sshd()
                .config("Ciphers aes256-ctr,aes128-ctr")
                .config("MACs umac-128-etm@openssh.com,umac-64-etm@openssh.com")
                .start()?;
            Ok(case(sshd.route()).keep(sshd))
        },
    },
    Scenario {
        name: "ssh-algorithms-old-healthy",
        about: "a server with the oldest algorithms that OpenSSH still takes",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
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
    },
    Scenario {
        name: "ssh-lines-before",
        about: "a server that says a hundred lines before its identification",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let sshd = lab.sshd()?;
            let peer = Peer::forward_after(sshd.addr(), |client, _| {
                client.write_all(&b"a line of welcome\r\n".repeat(100))
            })?;
            Ok(Case::check(lab.postgres()?.conn())
                .password(lab.password())
                .ssh(sshd.route_by(lab, &peer)?)
                .keep(peer))
        },
    },
    Scenario {
        name: "ssh-silent",
        about: "no identification",
        expect: Expect::Fail("ssh.silent"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let peer = Peer::silent()?;
            Ok(case(to_port(lab, peer.port())?)
                .keep(peer)
                .args(&["--timeout", "2s"]))
        },
    },
    Scenario {
        name: "ssh-hostkey-unknown",
        about: "an empty known_hosts file",
        expect: Expect::Fail("ssh.hostkey.unknown"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| Ok(case(to_port(lab, lab.sshd()?.port())?)),
    },
    Scenario {
        name: "ssh-hostkey-changed",
        about: "known_hosts has another key for this host",
        expect: Expect::Fail("ssh.hostkey.changed"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| {
            let sshd = lab.sshd()?;
            let other = std::fs::read_to_string(lab.ssh_key("ed25519", "")?.with_extension("pub"))?;
            let known = format!("[127.0.0.1]:{} {other}", sshd.port());
            Ok(case(sshd.route().known_hosts(lab.file(
                "known_hosts",
                known,
                0o644,
            )?)))
        },
    },
    Scenario {
        name: "ssh-auth-publickey",
        about: "a key that the server does not know",
        expect: Expect::Fail("ssh.auth.publickey"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd],
        setup: |lab| Ok(case(lab.sshd()?.route().key(lab.ssh_key("ed25519", "")?))),
    },
    Scenario {
        name: "ssh-auth-password",
        about: "a wrong password",
        expect: Expect::Fail("ssh.auth.password"),
        oracle: Oracle::Ssh,
        needs: &[Need::Sshd, Need::Root],
        setup: |lab| {
            let sshd = lab
                .new_sshd()
                .authorized_keys("")
                .password("right")?
                .start()?;
            Ok(case(sshd.route().without_key())
                .ssh_password("wr0ng-canary")
                .keep(sshd))
        },
    },
    Scenario {
        name: "ssh-agent-healthy",
        about: "the key is in an agent alone",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
            let agent = Agent::start(lab)?;
            agent.add(&lab.client_key()?)?;
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            let case = case.ssh(lab.sshd()?.route().without_key());
            Ok(case
                .env("SSH_AUTH_SOCK", agent.socket().display())
                .keep(agent))
        },
    },
    Scenario {
        name: "ssh-config-healthy",
        about: "an alias, port, user and key from a configuration file",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::Sshd],
        setup: |lab| {
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
    },
];
