//! TLS that cannot be agreed on, and certificates that do not hold.

use anyhow::Result;

use crate::{Ca, Case, CertSpec, Conn, Expect, Issued, Lab, Need, Oracle, Scenario};

/// A server with this certificate, and a client that verifies it in full against the lab's CA.
fn with_cert(lab: &Lab, issued: Issued) -> Result<Case> {
    let pg = lab.new_postgres().tls(issued).start()?;
    Ok(Case::check(verified(lab, pg.conn())).password(lab.password()).keep(pg))
}

fn verified(lab: &Lab, conn: Conn) -> Conn {
    conn.set("sslmode", "verify-full").set("sslrootcert", lab.ca_file().display())
}

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
        setup: |lab| with_cert(lab, lab.issue(CertSpec { not_after: -3, ..lab.cert() })?),
    },
    Scenario {
        name: "tls-cert-not-yet-valid",
        about: "valid from tomorrow",
        expect: Expect::Fail("tls.cert.not-yet-valid"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| with_cert(lab, lab.issue(CertSpec { not_before: 1, ..lab.cert() })?),
    },
    Scenario {
        name: "tls-cert-expires-soon",
        about: "expires in ten days",
        expect: Expect::Warn("tls.cert.expires-soon"),
        oracle: Oracle::Psql,
        needs: &[Need::Postgres],
        setup: |lab| with_cert(lab, lab.issue(CertSpec { not_after: 10, ..lab.cert() })?),
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
            let crl = lab.ca().crl(&lab.dir("crl")?.join("lab.crl"), &[&issued], -1, 30)?;
            let pg = lab.new_postgres().tls(issued).start()?;
            let conn = verified(lab, pg.conn()).set("sslcrl", crl.display());
            Ok(Case::check(conn).password(lab.password()).keep(pg))
        },
    },
];
