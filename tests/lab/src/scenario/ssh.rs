//! SSH servers that do not let us in.

use crate::{Agent, Case, Conn, Expect, Lab, Need, Oracle, Peer, Scenario, SshRoute, free_port};

/// Through the route, to a database that is never reached.
fn case(route: SshRoute) -> Case {
    let conn = Conn::new()
        .set("host", "127.0.0.1")
        .set("port", 5432)
        .set("user", "app");
    Case::check(conn).ssh(route)
}

/// A route to a bare port, with the lab's key and no known hosts.
fn to_port(lab: &Lab, port: u16) -> anyhow::Result<SshRoute> {
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
