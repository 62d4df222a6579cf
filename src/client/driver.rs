//! Which driver is meant: its name, what decides within it, and its version.

use std::fmt;

use super::profile::Profile;
use super::version::Version;
use crate::text;

/// What `--as` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// One driver.
    One(Driver),
    /// Every driver that is known.
    All,
}

impl Choice {
    /// Reads the value of `--as`.
    ///
    /// # Errors
    /// What is wrong with it, and what was probably meant.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.eq_ignore_ascii_case("all") {
            true => Ok(Self::All),
            false => Driver::parse(text).map(Self::One),
        }
    }
}

/// A driver of a version.
#[derive(Clone, Copy, Debug)]
pub struct Driver {
    /// Which.
    pub profile: &'static Profile,
    /// The part that decides (`rustls`), where the driver has such parts.
    pub connector: Option<&'static str>,
    /// Whether SQLAlchemy reads the URL and hands its pieces to the driver.
    pub sqlalchemy: bool,
    /// The version.
    pub version: Version,
    /// Whether the version was given; else it is the profile's.
    pub version_known: bool,
    /// The libpq that the driver is linked with, where that was given (`psycopg2@libpq-15`).
    pub libpq: Option<Version>,
}

impl PartialEq for Driver {
    fn eq(&self, other: &Self) -> bool {
        let key = |driver: &Self| {
            let Self {
                profile,
                connector,
                sqlalchemy,
                version,
                version_known: _,
                libpq,
            } = *driver;
            (profile.name, connector, sqlalchemy, version, libpq)
        };
        key(self) == key(other)
    }
}

impl Eq for Driver {}

/// The variant without a name.
const PLAIN: &str = "plain";

/// What SQLAlchemy's drivers are written with.
const SQLALCHEMY: [&str; 4] = ["sqlalchemy+", "sqlalchemy/", "postgresql+", "postgres+"];

impl Driver {
    /// libpq itself, of the version that is judged where none is given.
    pub fn libpq() -> Self {
        Self::of(Profile::libpq())
    }

    /// A driver as it is installed today.
    pub fn of(profile: &'static Profile) -> Self {
        Self {
            profile,
            connector: profile.connector,
            sqlalchemy: false,
            version: Version::parse(profile.version).unwrap_or_default(),
            version_known: false,
            libpq: None,
        }
    }

    /// The same driver in this version.
    pub fn at(self, version: Version) -> Self {
        Self {
            version,
            version_known: true,
            ..self
        }
        .settled()
    }

    /// The same driver with the profile of its variant and version.
    fn settled(self) -> Self {
        let profile = Profile::at(self.profile.name, self.connector, self.version);
        Self {
            profile: profile.unwrap_or(self.profile),
            ..self
        }
    }

    /// The libpq that is beneath it, and its version; none where there is none.
    pub fn linked_libpq(&self) -> Option<Version> {
        let own = (self.profile.name == "libpq").then_some(self.version);
        let known = self.profile.libpq.and_then(Version::parse);
        own.or(known.map(|known| self.libpq.unwrap_or(known)))
    }

    /// Reads `tokio-postgres/rustls@0.7`, `pgjdbc`, `psycopg2@libpq-15`,
    /// `postgresql+asyncpg`, `sqlalchemy+psycopg2`.
    ///
    /// # Errors
    /// What is wrong with it, and what was probably meant.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (given, version) = match text.rsplit_once('@') {
            // `@prisma/client` is a name.
            Some((name, version)) if !name.is_empty() => (name, Some(version)),
            _ => (text, None),
        };
        if let Some((version, connector)) = version.and_then(|it| it.split_once('/')) {
            return Err(format!(
                "write the version last: {given}/{connector}@{version}"
            ));
        }
        let lower = given.to_ascii_lowercase();
        let behind = SQLALCHEMY
            .iter()
            .find_map(|prefix| lower.strip_prefix(prefix));
        let name = behind.unwrap_or(&lower);
        let (profile, connector) = match (Profile::of(name), name.split_once('/')) {
            (Some(profile), _) => (profile, None),
            (None, Some((name, connector))) => match Profile::of(name) {
                Some(profile) => (profile, Some(connector)),
                None => return Err(unknown(name)),
            },
            (None, None) => return Err(unknown(name)),
        };
        let mut driver = Self::of(profile);
        driver.sqlalchemy = behind.is_some();
        if driver.sqlalchemy && profile.language != "Python" {
            return Err(format!("SQLAlchemy has no driver {}", profile.name));
        }
        if let Some(connector) = connector {
            let known = profile.connectors.iter().find(|known| **known == connector);
            driver.connector = Some(*known.ok_or_else(|| no_connector(profile, connector))?);
            driver = driver.settled();
        }
        match version.map(|version| (version, version.strip_prefix("libpq-"))) {
            None => {}
            Some((_, Some(linked))) => driver.libpq = Some(read_version(linked)?),
            Some((version, None)) => driver = driver.at(read_version(version)?),
        }
        Ok(driver)
    }

    /// Its name with what decides within it, without the version: `tokio-postgres/rustls`,
    /// `sqlalchemy+asyncpg`.
    pub fn name(&self) -> String {
        let name = self.profile.name;
        let through = if self.sqlalchemy { "sqlalchemy+" } else { "" };
        match self.connector.filter(|connector| *connector != PLAIN) {
            Some(connector) => format!("{through}{name}/{connector}"),
            None => format!("{through}{name}"),
        }
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name(), self.version)?;
        match self.libpq {
            Some(libpq) => write!(f, " with libpq {libpq}"),
            None => Ok(()),
        }
    }
}

fn read_version(text: &str) -> Result<Version, String> {
    Version::parse(text)
        .ok_or_else(|| "the version is no number: write it as in pgjdbc@42.7".to_owned())
}

fn no_connector(profile: &Profile, connector: &str) -> String {
    let name = profile.name;
    let known = variants(profile);
    match known.is_empty() {
        true => format!("{name} has no variants: write {name}"),
        false => {
            let connector = text::visible(connector);
            format!(
                "{name} has no variant {connector}: use {}",
                known.join(", ")
            )
        }
    }
}

/// The names of a driver's variants, as `--as` takes them.
pub fn variants(profile: &Profile) -> Vec<String> {
    let named = profile.connectors.iter().filter(|known| **known != PLAIN);
    named
        .map(|known| format!("{}/{known}", profile.name))
        .collect()
}

/// The names of all drivers, as they are listed in messages and in the help.
pub fn names() -> Vec<&'static str> {
    Profile::all().map(|profile| profile.name).collect()
}

fn unknown(name: &str) -> String {
    if name == "sqlalchemy" {
        return "name the driver that SQLAlchemy uses: sqlalchemy+psycopg2, sqlalchemy+psycopg, \
                sqlalchemy+asyncpg or sqlalchemy+pg8000"
            .to_owned();
    }
    let spellings = Profile::all().flat_map(|profile| {
        std::iter::once(&profile.name)
            .chain(profile.called)
            .map(|called| (text::distance(name, called), profile.name))
    });
    let meant = spellings
        .min()
        .filter(|(far, _)| *far <= 3 && far * 3 <= name.len());
    match meant {
        Some((_, meant)) => format!("no driver of this name is known; did you mean {meant}?"),
        None => format!(
            "no driver of this name is known; use all, or one of {}",
            names().join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_are_read() {
        for (text, shown) in [
            ("libpq@15", "libpq 15"),
            ("psql", "libpq 18.0"),
            ("tokio-postgres/rustls@0.7", "tokio-postgres/rustls 0.7"),
            ("tokio-postgres", "tokio-postgres/no-tls 0.7.18"),
            ("sqlx/native-tls", "sqlx/native-tls 0.8.6"),
            ("prisma@6", "prisma 6"),
            ("@prisma/client@6.1", "prisma 6.1"),
            (
                "node-postgres/uselibpqcompat",
                "node-postgres/uselibpqcompat 8.23.1",
            ),
            ("PG@8.11", "node-postgres 8.11"),
            ("postgresql+asyncpg", "sqlalchemy+asyncpg 0.32.0"),
            ("sqlalchemy+psycopg2@2.9", "sqlalchemy+psycopg2 2.9"),
            ("psycopg2@libpq-15", "psycopg2 2.9.13 with libpq 15"),
            ("lib/pq@1.10", "lib-pq 1.10"),
        ] {
            assert_eq!(Driver::parse(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_was_meant_is_said() {
        for (text, part) in [
            ("asycpg", "did you mean asyncpg?"),
            ("pgjbdc@42", "did you mean pgjdbc?"),
            ("mysql2", "node-postgres"),
            (
                "sqlx/openssl",
                "use sqlx/native-tls, sqlx/no-tls, sqlx/rustls",
            ),
            ("pgjdbc/x", "pgjdbc has no variants"),
            ("pgjdbc@new", "no number"),
            ("sqlx@0.8/rustls", "sqlx/rustls@0.8"),
            ("sqlalchemy", "sqlalchemy+psycopg2"),
            ("postgresql+pgjdbc", "SQLAlchemy has no driver pgjdbc"),
            ("", "one of libpq"),
        ] {
            let why = Driver::parse(text).unwrap_err();
            assert!(why.contains(part), "{text}: {why}");
        }
    }

    #[test]
    fn every_profile_names_a_version() {
        for profile in Profile::all() {
            assert!(
                Version::parse(profile.version).is_some(),
                "{}",
                profile.name
            );
        }
        assert_eq!(Driver::libpq().profile.name, "libpq");
        assert_eq!(Choice::parse("ALL"), Ok(Choice::All));
    }
}
