//! The parameters that other drivers read from URLs, and what libpq would be told to
//! do the same.
//!
//! The rows are `knowledge/driver-parameters.tsv`, whose head explains the columns.

use super::catalog;

include!(concat!(env!("OUT_DIR"), "/driver_parameters.rs"));

/// A parameter of other drivers.
#[derive(Debug)]
pub struct Parameter {
    /// As it is written, in lower case.
    name: &'static str,
    /// Who understands it.
    drivers: &'static [&'static str],
    /// What it is to libpq.
    pub fate: Fate,
    /// Their values, with libpq's settings for each; none where the driver refuses it.
    values: &'static [(&'static str, Option<Settings>)],
    /// What it means there.
    pub meaning: &'static str,
}

/// Keywords of libpq and their values; `*` is the value as it is given.
type Settings = &'static [(&'static str, &'static str)];

/// What a driver's parameter is to libpq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// libpq has nothing of the kind.
    Own,
    /// It has this keyword.
    Keyword(&'static str),
    /// For every name without a row: the driver refuses it.
    NothingElse,
    /// For every name without a row: the driver leaves it to libpq.
    AsLibpq,
}

impl Parameter {
    /// Those who understand it, as they are named in a sentence.
    pub fn spoken_drivers(&self) -> String {
        self.drivers.join(", ")
    }

    /// libpq's keyword for it.
    pub fn keyword(&self) -> Option<&'static str> {
        match self.fate {
            Fate::Keyword(keyword) => Some(keyword),
            _ => None,
        }
    }

    /// Whether it says which kind of server is wanted, in words of its own.
    pub fn chooses_server(&self) -> bool {
        self.fate == Fate::Keyword("target_session_attrs") && !self.values.is_empty()
    }

    /// libpq's keyword with the same values.
    pub fn same_as(&self) -> Option<&'static str> {
        self.keyword().filter(|_| self.values.is_empty())
    }

    /// Whether libpq has it by the same name and with the same values.
    pub fn is_libpqs(&self) -> bool {
        self.same_as() == Some(self.name)
    }

    /// What libpq would be told for this value: nothing where it has no such
    /// parameter.
    ///
    /// # Errors
    /// The driver's own values, where this is none of them.
    pub fn settings(&self, value: &str) -> Result<Vec<(&'static str, String)>, Vec<&'static str>> {
        let Some(keyword) = self.keyword() else {
            return Ok(Vec::new());
        };
        if self.values.is_empty() {
            return Ok(vec![(keyword, value.to_owned())]);
        }
        let row = self
            .values
            .iter()
            .find(|(theirs, _)| theirs.eq_ignore_ascii_case(value))
            .or_else(|| self.values.iter().find(|(theirs, _)| *theirs == "*"));
        let taken = || self.values.iter().filter(|(_, ours)| ours.is_some());
        match row {
            Some((_, Some(settings))) => Ok(settings
                .iter()
                .map(|(keyword, ours)| match *ours {
                    "*" => (*keyword, value.to_ascii_lowercase()),
                    ours => (*keyword, ours.to_owned()),
                })
                .collect()),
            _ => Err(taken().map(|(theirs, _)| *theirs).collect()),
        }
    }
}

/// This driver's own parameter of this name, whatever its case.
pub fn of(driver: &str, name: &str) -> Option<&'static Parameter> {
    let name = name.to_ascii_lowercase();
    PARAMETERS
        .iter()
        .find(|row| row.name == name && row.drivers.contains(&driver))
}

/// The parameter of this name of any driver. What is libpq's keyword but for its case
/// is a slip, and nobody's.
pub fn any(name: &str) -> Option<&'static Parameter> {
    let name = name.to_ascii_lowercase();
    PARAMETERS
        .iter()
        .find(|row| row.name == name)
        .filter(|_| name != "*" && catalog::find(&name).is_none())
}

/// What becomes of the names that have no row of this driver.
pub fn rest(driver: &str) -> Option<Fate> {
    of(driver, "*").map(|row| row.fate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_the_drivers_own() {
        assert_eq!(any("SCHEMA").unwrap().spoken_drivers(), "Prisma");
        assert_eq!(of("R2DBC", "schema").unwrap().meaning, "the search path");
        assert!(of("pgjdbc", "schema").is_none());
        assert!(any("sslMode").is_none() && any("*").is_none());
        assert_eq!(rest("psycopg2"), Some(Fate::AsLibpq));
        assert_eq!(rest("SQLAlchemy (asyncpg)"), Some(Fate::NothingElse));
        assert_eq!(rest("pgjdbc"), None);
    }

    #[test]
    fn values_are_libpqs() {
        let said = |driver: &str, name: &str, value: &str| {
            let settings = of(driver, name).unwrap().settings(value);
            settings.map(|all| {
                let all = all
                    .into_iter()
                    .map(|(name, value)| format!("{name}={value}"));
                all.collect::<Vec<_>>().join(" ")
            })
        };
        for (driver, name, value, settings) in [
            ("pgjdbc", "ssl", "", "sslmode=verify-full"),
            ("pgjdbc", "ssl", "TRUE", "sslmode=verify-full"),
            ("pgjdbc", "ssl", "false", "sslmode=prefer"),
            (
                "pgjdbc",
                "applicationName",
                "Billing",
                "application_name=Billing",
            ),
            ("pgjdbc", "readOnly", "true", ""),
            ("node-postgres", "ssl", "1", "sslmode=require"),
            ("node-postgres", "ssl", "Verify-CA", "sslmode=verify-ca"),
            ("R2DBC", "sslMode", "VERIFY_FULL", "sslmode=verify-full"),
            (
                "R2DBC",
                "sslMode",
                "tunnel",
                "sslmode=require sslnegotiation=direct",
            ),
            ("R2DBC", "sslRootCert", "/CA.pem", "sslrootcert=/CA.pem"),
        ] {
            assert_eq!(said(driver, name, value).as_deref(), Ok(settings), "{name}");
        }
        let refused = said("SQLAlchemy (asyncpg)", "ssl", "true").unwrap_err();
        assert!(refused.contains(&"verify-full") && !refused.contains(&"*"));
    }

    #[test]
    fn what_libpq_is_told_it_knows() {
        for row in &PARAMETERS {
            if let Fate::Keyword(keyword) = row.fate {
                assert!(catalog::find(keyword).is_some(), "{keyword}");
            }
            let settings = row.values.iter().filter_map(|(_, ours)| *ours).flatten();
            for (keyword, _) in settings {
                assert!(catalog::find(keyword).is_some(), "{keyword}");
            }
        }
    }
}
