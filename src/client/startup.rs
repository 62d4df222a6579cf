//! What drivers send at start-up, and which of it a pooler refuses.

use super::driver::Driver;
use super::pooler::{Product, STARTS};
use super::range;

/// What a driver sends besides the user, the database, client_encoding and
/// application_name, whatever its settings are.
#[derive(Debug)]
pub(super) struct Starts {
    pub(super) drivers: &'static [&'static str],
    pub(super) since: Option<&'static str>,
    pub(super) until: Option<&'static str>,
    pub(super) parameters: &'static [&'static str],
    pub(super) cure: Option<&'static str>,
    pub(super) source: &'static str,
}

/// A parameter that a pooler refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The parameter, as it is sent.
    pub parameter: String,
    /// What the pooler says.
    pub text: String,
    /// What keeps the driver from sending it; none where it always does.
    pub cure: Option<&'static str>,
    /// The line of the pooler's settings that lets all that this driver sends through.
    pub setting: Option<String>,
    /// Where the driver's part was read.
    pub source: &'static str,
}

/// What a driver sends of itself, in lower case.
pub fn sent(driver: &Driver) -> &'static [&'static str] {
    starts(driver).map_or(&[], |row| row.parameters)
}

fn starts(driver: &Driver) -> Option<&'static Starts> {
    let name = driver.name();
    STARTS.iter().find(|row| {
        row.drivers.contains(&name.as_str()) && range::holds(driver.version, row.since, row.until)
    })
}

/// The first parameter that this pooler refuses: of those that the settings say
/// (`given`), then of the driver's own.
pub fn refused(driver: &Driver, given: &[&str], pooler: &Product) -> Option<Refused> {
    let text = pooler.refusal?;
    let own = sent(driver);
    let takes = |name: &&str| {
        let name = name.to_ascii_lowercase();
        // Extensions of the protocol are answered, not refused.
        name.starts_with("_pq_.") || pooler.accepts.contains(&name.as_str())
    };
    let wrong: Vec<&str> = given
        .iter()
        .chain(own)
        .copied()
        .filter(|name| !takes(name))
        .collect();
    let first = *wrong.first()?;
    let row = starts(driver).filter(|_| own.contains(&first));
    Some(Refused {
        parameter: first.to_owned(),
        text: text.replace("{parameter}", first),
        cure: row.and_then(|row| row.cure),
        setting: pooler
            .setting
            .map(|setting| format!("{setting} = {}", wrong.join(", "))),
        source: row.map_or("measured", |row| row.source),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::pooler::product;

    fn said(driver: &str, given: &[&str], pooler: &str) -> Option<(String, Option<String>)> {
        let driver = Driver::parse(driver).unwrap();
        refused(&driver, given, product(pooler).unwrap()).map(|it| (it.text, it.setting))
    }

    #[test]
    fn what_pgbouncer_refuses() {
        let digits = Some((
            "unsupported startup parameter: extra_float_digits".to_owned(),
            Some("ignore_startup_parameters = extra_float_digits".to_owned()),
        ));
        for driver in [
            "pgjdbc@42.5.5",
            "lib-pq@1.10.7",
            "sqlx/rustls",
            "sqlx/native-tls",
        ] {
            assert_eq!(said(driver, &[], "PgBouncer"), digits, "{driver}");
        }
        for driver in [
            "pgjdbc@42.7",
            "lib-pq@1.11",
            "libpq",
            "asyncpg",
            "postgres.js",
            "pgx",
        ] {
            assert_eq!(said(driver, &[], "PgBouncer"), None, "{driver}");
        }
        let (text, setting) =
            said("sqlx", &["search_path", "Application_Name"], "PgBouncer").unwrap();
        assert_eq!(text, "unsupported startup parameter: search_path");
        let all = "ignore_startup_parameters = search_path, extra_float_digits";
        assert_eq!(setting.as_deref(), Some(all));
        let sqlx = Driver::parse("sqlx").unwrap();
        let refused = refused(&sqlx, &[], product("PgBouncer").unwrap()).unwrap();
        assert!(refused.cure.unwrap().contains("extra_float_digits"));
    }

    #[test]
    fn others_take_more() {
        for pooler in ["Pgpool-II", "Supavisor", "Neon's pooler", "RDS Proxy"] {
            assert_eq!(said("sqlx", &[], pooler), None, "{pooler}");
        }
        assert!(said("pgx", &["search_path"], "Neon's pooler").is_some());
        assert_eq!(said("libpq", &["_pq_.x"], "PgBouncer"), None);
    }
}
