//! A scheme that names a driver, whose rules then hold.

use crate::{Case, Expect, Lab, Need, Oracle, Scenario};

const DRIVER: Oracle = Oracle::None("the driver that the scheme names judges, and psql cannot");

/// The shared server behind a URL of this scheme, with this parameter.
fn url(lab: &Lab, scheme: &str, parameter: &str) -> anyhow::Result<Case> {
    let conn = lab.postgres()?.conn().set("password", lab.password());
    let url = conn.url().replace("postgresql://", &format!("{scheme}://"));
    Ok(Case::target(format!("{url}?{parameter}")).secret(lab.password()))
}

/// What connects.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "config-scheme-psycopg2-ssl",
        "psycopg2 hands ssl=true to libpq, which does not know it",
        Expect::Fail("driver.param.refused"),
        &[Need::Postgres],
        |lab| url(lab, "postgresql+psycopg2", "ssl=true"),
    )
    .oracle(DRIVER),
    Scenario::new(
        "config-scheme-psycopg-schema",
        "psycopg hands Prisma's schema to libpq",
        Expect::Fail("driver.param.refused"),
        &[Need::Postgres],
        |lab| url(lab, "postgresql+psycopg", "schema=x"),
    )
    .oracle(DRIVER),
    Scenario::new(
        "config-scheme-asyncpg-sslmode",
        "asyncpg's connect has no argument sslmode",
        Expect::Fail("driver.param.refused"),
        &[Need::Postgres],
        |lab| url(lab, "postgresql+asyncpg", "sslmode=prefer"),
    )
    .oracle(DRIVER),
    Scenario::new(
        "config-scheme-asyncpg-channel-binding",
        "asyncpg's connect has no argument channel_binding",
        Expect::Fail("driver.param.refused"),
        &[Need::Postgres],
        |lab| url(lab, "postgresql+asyncpg", "channel_binding=prefer"),
    )
    .oracle(DRIVER),
    Scenario::new(
        "config-scheme-asyncpg-own",
        "asyncpg's own parameter",
        Expect::Pass,
        &[Need::Postgres],
        |lab| Ok(url(lab, "postgresql+asyncpg", "ssl=prefer")?.forbids("config.param.unknown")),
    )
    .oracle(DRIVER),
    Scenario::new(
        "config-scheme-psycopg2-own",
        "libpq's parameter for psycopg2",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let case = url(lab, "postgresql+psycopg2", "sslmode=prefer")?;
            Ok(case.forbids("config.param.unknown"))
        },
    )
    .oracle(DRIVER),
];
