//! TLS that cannot be agreed on, and certificates that do not hold.

use std::io::{Read, Write};

use anyhow::Result;

use crate::{
    Ca, Case, CertSpec, Conn, Expect, HaProxy, Issued, KeyKind, Lab, Need, Oracle, Peer, Scenario,
};

/// A server with this certificate, and a client that verifies it in full against the lab's CA.
fn with_cert(lab: &Lab, issued: Issued) -> Result<Case> {
    let pg = lab.new_postgres().tls(issued).start()?;
    Ok(Case::check(verified(lab, pg.conn()))
        .password(lab.password())
        .keep(pg))
}

fn verified(lab: &Lab, conn: Conn) -> Conn {
    conn.set("sslmode", "verify-full")
        .set("sslrootcert", lab.ca_file().display())
}

/// What a client asks before TLS.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// TLS.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "tls-unsupported",
        about: "the server has no TLS and sslmode demands it",
        expect: Expect::Fail("tls.unsupported"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let pg = lab.new_postgres().start()?;
            let conn = pg.conn().set("sslmode", "require");
            Ok(Case::check(conn).password(lab.password()).keep(pg))
        },
    },
    Scenario {
        name: "tls-cert-expired",
        about: "expired three days ago",
        expect: Expect::Fail("tls.cert.expired"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            with_cert(
                lab,
                lab.issue(CertSpec {
                    not_after: -3,
                    ..lab.cert()
                })?,
            )
        },
    },
    Scenario {
        name: "tls-cert-not-yet-valid",
        about: "valid from tomorrow",
        expect: Expect::Fail("tls.cert.not-yet-valid"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            with_cert(
                lab,
                lab.issue(CertSpec {
                    not_before: 1,
                    ..lab.cert()
                })?,
            )
        },
    },
    Scenario {
        name: "tls-cert-expires-soon",
        about: "expires in ten days",
        expect: Expect::Warn("tls.cert.expires-soon"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            with_cert(
                lab,
                lab.issue(CertSpec {
                    not_after: 10,
                    ..lab.cert()
                })?,
            )
        },
    },
    Scenario {
        name: "tls-cert-hostname",
        about: "a good certificate for other names",
        expect: Expect::Fail("tls.cert.hostname"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let conn = lab.postgres()?.conn();
            let conn = conn.set("host", "other.test").set("hostaddr", "127.0.0.1");
            Ok(Case::check(verified(lab, conn)).password(lab.password()))
        },
    },
    Scenario {
        name: "tls-cert-unknown-ca",
        about: "issued by an authority that is not in sslrootcert",
        expect: Expect::Fail("tls.cert.unknown-ca"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| with_cert(lab, Ca::new("Other CA")?.issue(&lab.cert())?),
    },
    Scenario {
        name: "tls-cert-self-signed",
        about: "the certificate signs itself",
        expect: Expect::Fail("tls.cert.self-signed"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| with_cert(lab, Issued::self_signed(&lab.cert())?),
    },
    Scenario {
        name: "tls-intermediate",
        about: "a complete chain through an intermediate",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| with_cert(lab, lab.ca().intermediate("Lab CA 2")?.issue(&lab.cert())?),
    },
    Scenario {
        name: "tls-cert-revoked",
        about: "on the revocation list",
        expect: Expect::Fail("tls.cert.revoked"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let issued = lab.issue(lab.cert())?;
            let crl = lab
                .ca()
                .crl(&lab.dir("crl")?.join("lab.crl"), &[&issued], -1, 30)?;
            let pg = lab.new_postgres().tls(issued).start()?;
            let conn = verified(lab, pg.conn()).set("sslcrl", crl.display());
            Ok(Case::check(conn).password(lab.password()).keep(pg))
        },
    },
    Scenario {
        name: "tls-direct-only",
        about: "an end that speaks TLS from the first byte",
        expect: Expect::Fail("tls.direct-only"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::HaProxy],
        setup: |lab| {
            let (pg, bundle) = (lab.postgres()?, lab.dir("tls")?.join("server.pem"));
            lab.issue(lab.cert())?.write_bundle(&bundle)?;
            let proxy = HaProxy::start(
                lab,
                &format!(
                    "defaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n\
                     listen database\n bind 127.0.0.1:{{port}} ssl crt {} alpn postgresql\n\
                     server one {}\n",
                    bundle.display(),
                    pg.addr()
                ),
            )?;
            let conn = pg
                .conn()
                .set("port", proxy.port())
                .set("sslmode", "require");
            Ok(Case::check(conn).password(lab.password()).keep(proxy))
        },
    },
    Scenario {
        name: "tls-intercepted",
        about: "somebody terminates TLS in between, with a certificate of the same authority",
        expect: Expect::Fail("tls.intercepted"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres, Need::HaProxy],
        setup: |lab| {
            let (pg, bundle) = (lab.postgres()?, lab.dir("tls")?.join("other.pem"));
            lab.issue(lab.cert())?.write_bundle(&bundle)?;
            // HAProxy does the TLS on both sides; the request for it is dealt with around it.
            let far = Peer::forward_after(pg.addr(), |_, server| {
                server.write_all(&SSL_REQUEST)?;
                server.read_exact(&mut [0])
            })?;
            let proxy = HaProxy::start(
                lab,
                &format!(
                    "defaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n\
                     listen database\n bind 127.0.0.1:{{port}} ssl crt {}\n\
                     server one {} ssl verify none\n",
                    bundle.display(),
                    far.addr()
                ),
            )?;
            let near = Peer::forward_after(format!("127.0.0.1:{}", proxy.port()), |client, _| {
                client.read_exact(&mut [0; 8])?;
                client.write_all(b"S")
            })?;
            let conn = verified(lab, pg.conn().set("port", near.port()));
            Ok(Case::check(conn)
                .password(lab.password())
                .keep((near, proxy, far)))
        },
    },
    Scenario {
        name: "tls-rsa-pss-healthy",
        about: "channel binding with an RSA-PSS certificate",
        expect: Expect::Pass,
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let spec = CertSpec {
                key: KeyKind::RsaPss(2048),
                digest: "sha384",
                ..lab.cert()
            };
            let pg = lab
                .new_postgres()
                .tls(Issued::self_signed(&spec)?)
                .start()?;
            let conn = pg
                .conn()
                .set("sslmode", "require")
                .set("channel_binding", "require");
            Ok(Case::check(conn).password(lab.password()).keep(pg))
        },
    },
    Scenario {
        name: "tls-channel-binding-plain",
        about: "channel binding required of a server without TLS",
        expect: Expect::Fail("tls.channel-binding"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| {
            let pg = lab.new_postgres().start()?;
            let conn = pg.conn().set("channel_binding", "require");
            Ok(Case::check(conn).password(lab.password()).keep(pg))
        },
    },
];
