//! Ends that accept and are no PostgreSQL server.

use crate::{Case, Conn, Expect, Oracle, Peer, Scenario};

fn case(peer: Peer) -> Case {
    let conn = Conn::new()
        .set("host", "127.0.0.1")
        .set("port", peer.port())
        .set("user", "app");
    Case::check(conn.set("connect_timeout", 2)).keep(peer)
}

/// The first words.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "protocol-closed",
        about: "accepts, then closes without a word",
        expect: Expect::Fail("protocol.closed"),
        oracle: Oracle::Psql,
        needs: &[],
        setup: |_| Ok(case(Peer::closing()?)),
    },
    Scenario {
        name: "protocol-reset",
        about: "accepts, then resets",
        expect: Expect::Fail("protocol.reset"),
        oracle: Oracle::Psql,
        needs: &[],
        setup: |_| Ok(case(Peer::resetting()?)),
    },
    Scenario {
        name: "protocol-silent",
        about: "accepts and never answers",
        expect: Expect::Fail("protocol.silent"),
        oracle: Oracle::Psql,
        needs: &[],
        setup: |_| Ok(case(Peer::silent()?)),
    },
    Scenario {
        name: "protocol-http",
        about: "a web server",
        expect: Expect::Fail("protocol.not-postgres"),
        oracle: Oracle::Psql,
        needs: &[],
        setup: |_| {
            Ok(case(Peer::answers(
                "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
            )?))
        },
    },
    Scenario {
        name: "protocol-ssh",
        about: "an SSH server, which speaks first",
        expect: Expect::Fail("protocol.not-postgres"),
        oracle: Oracle::Psql,
        needs: &[],
        setup: |_| Ok(case(Peer::speaks("SSH-2.0-OpenSSH_9.2\r\n")?)),
    },
];
