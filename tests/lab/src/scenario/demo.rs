//! What `scripts/demo` shows: one database behind one SSH server, healthy and
//! with three faults.

use crate::{Case, CertSpec, Conn, Expect, Issued, Lab, Need, Oracle, Scenario, free_port};
use anyhow::Result;

const NEEDS: &[Need] = &[Need::Postgres, Need::Sshd];

/// The demonstration, in its order.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "demo-healthy",
        "TLS and SCRAM through an SSH server, all healthy",
        Expect::Pass,
        NEEDS,
        |lab| {
            let conn = verified(lab, lab.postgres()?.conn());
            behind(lab, conn).map(|case| case.password(lab.password()))
        },
    ),
    Scenario::new(
        "demo-certificate-expired",
        "the database's certificate expired three days ago",
        Expect::Fail("tls.cert.expired"),
        NEEDS,
        |lab| {
            let expired: Issued = lab.issue(CertSpec {
                not_after: -3,
                ..lab.cert()
            })?;
            let server = lab.new_postgres().tls(expired).start()?;
            let case = behind(lab, verified(lab, server.conn()))?;
            Ok(case.password(lab.password()).keep(server))
        },
    ),
    Scenario::new(
        "demo-password-wrong",
        "the password is wrong",
        Expect::Fail("auth.password.wrong"),
        NEEDS,
        |lab| {
            let conn = verified(lab, lab.postgres()?.conn());
            behind(lab, conn).map(|case| case.password("yesterday's-canary"))
        },
    ),
    Scenario::new(
        "demo-server-down",
        "the SSH server is up, the database is down",
        Expect::Fail("tunnel.target.refused"),
        NEEDS,
        |lab| {
            let conn = lab.postgres()?.conn().set("port", free_port());
            behind(lab, verified(lab, conn)).map(|case| case.password(lab.password()))
        },
    )
    .oracle(Oracle::Ssh),
];

fn verified(lab: &Lab, conn: Conn) -> Conn {
    conn.set("sslmode", "verify-full")
        .set("sslrootcert", lab.ca_file().display())
}

fn behind(lab: &Lab, conn: Conn) -> Result<Case> {
    Ok(Case::check(conn).ssh(lab.sshd()?.route()))
}
