//! `--warn-latency` and the days of a certificate: what works, judged.

use std::time::Duration;

use anyhow::Result;

use crate::{Case, CertSpec, Expect, Fault, Lab, Need, Oracle, Peer, Scenario};

const NO_ORACLE: Oracle = Oracle::None("psql connects: the limit is dbdoctor's");

/// A server whose certificate, which nothing verifies, expires in so many days.
fn expiring(lab: &Lab, days: i64) -> Result<Case> {
    let spec = CertSpec {
        not_after: days,
        ..lab.cert()
    };
    let pg = lab.new_postgres().tls(lab.issue(spec)?).start()?;
    Ok(Case::check(pg.conn().set("sslmode", "require"))
        .password(lab.password())
        .keep(pg))
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "client-latency",
        "a distant server: the login takes longer than --warn-latency",
        Expect::Warn("client.latency"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.postgres()?;
            let far = Fault::Delay(Duration::from_millis(40));
            let far = Peer::forward(pg.addr(), far)?;
            let conn = pg.conn().set("host", "127.0.0.1").set("port", far.port());
            let conn = conn.set("sslmode", "disable");
            Ok(Case::check(conn)
                .password(lab.password())
                .args(&["--warn-latency", "150ms"])
                .keep(far))
        },
    ),
    Scenario::new(
        "client-latency-healthy",
        "the login takes no longer than --warn-latency",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab.postgres()?;
            Ok(Case::check(pg.conn())
                .password(lab.password())
                .args(&["--warn-latency", "20s"])
                .forbids("client.latency"))
        },
    ),
    Scenario::new(
        "tls-cert-fail-days",
        "the certificate expires in ten days, and must not in fourteen",
        Expect::Fail("tls.cert.expires-soon"),
        &[Need::Postgres],
        |lab| Ok(expiring(lab, 10)?.args(&["--fail-cert-days", "14"])),
    )
    .oracle(NO_ORACLE),
    Scenario::new(
        "tls-no-certificate",
        "the days of a certificate are watched, and the connection has none",
        Expect::Fail("tls.no-certificate"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.postgres()?;
            Ok(Case::check(pg.conn().set("sslmode", "disable"))
                .password(lab.password())
                .args(&["--fail-cert-days", "14"])
                .keep(pg))
        },
    )
    .oracle(NO_ORACLE),
    Scenario::new(
        "tls-cert-warn-days-healthy",
        "the certificate expires in ten days, and five are enough",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            Ok(expiring(lab, 10)?
                .args(&["--warn-cert-days", "5"])
                .forbids("tls.cert.expires-soon"))
        },
    ),
    Scenario::new(
        "tls-expired-require-warn-days",
        "expired, and nothing verifies it, but the days of certificates are watched",
        Expect::Warn("tls.cert.expired"),
        &[Need::Postgres],
        |lab| Ok(expiring(lab, -3)?.args(&["--warn-cert-days", "14"])),
    ),
];
