//! Named statements behind a pooler: whether a driver's break, and what turns them off.

use super::driver::Driver;
use super::pooler::{Mode, Pooler};
use super::range;

include!(concat!(env!("OUT_DIR"), "/statements.rs"));

/// How a driver names the statements that it prepares.
#[derive(Debug)]
struct Row {
    drivers: &'static [&'static str],
    since: Option<&'static str>,
    until: Option<&'static str>,
    named: Named,
    says: Option<&'static str>,
    cure: Option<&'static str>,
    place: Option<&'static str>,
    source: &'static str,
}

/// When a driver names a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// With every query that has parameters.
    Always,
    /// From the fifth or so use of a query on.
    Repeated,
    /// Where the application asks for it.
    Asked,
    /// Never, but it prepares and runs in two exchanges.
    TwoTrips,
    /// Never.
    Never,
}

impl Named {
    /// The word for it in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Repeated => "repeated",
            Self::Asked => "asked",
            Self::TwoTrips => "two-trips",
            Self::Never => "never",
        }
    }
}

/// Statements that break behind a pooler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clash {
    /// When the driver names them.
    pub named: Named,
    /// Whether the pooler is known to be in transaction mode, and to keep no statements.
    pub is_certain: bool,
    /// What the application sees.
    pub says: &'static str,
    /// The driver's setting that turns them off, in its own spelling.
    pub cure: &'static str,
    /// Where that is written.
    pub place: &'static str,
    /// What makes the pooler keep them; none where nothing does, or where it is not known.
    pub pooler_setting: Option<&'static str>,
    /// Where the driver's part was read.
    pub source: &'static str,
}

/// When this driver names statements; none where that is not known.
pub fn named(driver: &Driver) -> Option<Named> {
    row(driver).map(|row| row.named)
}

fn row(driver: &Driver) -> Option<&'static Row> {
    let name = driver.name();
    ROWS.iter().find(|row| {
        row.drivers.contains(&name.as_str()) && range::holds(driver.version, row.since, row.until)
    })
}

/// What this driver's statements meet behind this pooler; none where they work, and where
/// it is the application alone that names them.
pub fn verdict(driver: &Driver, pooler: &Pooler) -> Option<Clash> {
    let row = row(driver)?;
    let breaks = matches!(row.named, Named::Always | Named::Repeated | Named::TwoTrips);
    let keeps = pooler.product.is_some_and(|product| product.keeps);
    if !breaks || keeps || pooler.mode == Some(Mode::Session) {
        return None;
    }
    let setting = pooler.product.and_then(|product| product.prepared);
    Some(Clash {
        named: row.named,
        // Whether the pooler was set up to keep them cannot be seen from outside.
        is_certain: pooler.mode == Some(Mode::Transaction)
            && pooler.product.is_some()
            && setting.is_none(),
        says: row.says?,
        cure: row.cure?,
        place: row.place?,
        pooler_setting: setting,
        source: row.source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Profile;
    use crate::client::pooler::product;

    fn clash(driver: &str, name: &str, mode: Option<Mode>) -> Option<Clash> {
        let pooler = Pooler {
            product: product(name),
            mode,
        };
        verdict(&Driver::parse(driver).unwrap(), &pooler)
    }

    #[test]
    fn each_driver_has_its_cure() {
        for (driver, cure) in [
            ("pgjdbc", "prepareThreshold=0"),
            ("asyncpg", "statement_cache_size=0"),
            ("postgres.js", "prepare: false"),
            ("pgx@5.7", "default_query_exec_mode=simple_protocol"),
            ("pgx@4.15", "statement_cache_mode=describe"),
            ("psycopg", "prepare_threshold=None"),
            ("prisma@6", "pgbouncer=true"),
            ("postgrex", "prepare: :unnamed"),
            ("sqlx/native-tls", "statement-cache-capacity=0"),
            ("lib-pq", "binary_parameters=yes"),
            ("pdo-pgsql", "PDO::ATTR_EMULATE_PREPARES => true"),
        ] {
            let found = clash(driver, "Supavisor", Some(Mode::Transaction)).unwrap();
            assert_eq!(found.cure, cure, "{driver}");
            assert!(found.is_certain);
        }
        for driver in [
            "libpq",
            "psycopg2",
            "node-postgres",
            "prisma@7",
            "npgsql",
            "ruby-pg",
        ] {
            assert_eq!(
                clash(driver, "Supavisor", Some(Mode::Transaction)),
                None,
                "{driver}"
            );
        }
    }

    #[test]
    fn the_pooler_decides() {
        assert_eq!(clash("asyncpg", "Supavisor", Some(Mode::Session)), None);
        assert_eq!(clash("asyncpg", "Pgpool-II", None), None);
        assert_eq!(
            clash("asyncpg", "Neon's pooler", Some(Mode::Transaction)),
            None
        );
        let bouncer = clash("asyncpg", "PgBouncer", Some(Mode::Transaction)).unwrap();
        assert!(!bouncer.is_certain && bouncer.pooler_setting.unwrap().contains("1.21"));
        assert!(!clash("asyncpg", "of some kind", None).unwrap().is_certain);
    }

    #[test]
    fn every_driver_is_known() {
        for profile in Profile::all() {
            let plain = Driver::of(profile);
            let all = profile.connectors.iter().map(|connector| Driver {
                connector: Some(connector),
                ..plain
            });
            for driver in all.chain([plain]) {
                assert!(named(&driver).is_some(), "{driver}");
            }
        }
        for name in ["psycopg2", "psycopg", "asyncpg", "pg8000"] {
            let driver = Driver::parse(&format!("sqlalchemy+{name}")).unwrap();
            assert!(named(&driver).is_some(), "{driver}");
        }
    }
}
