//! What other drivers write and libpq does not read, translated into what
//! libpq would be told to do the same.

use serde_json::{Value, json};

use super::catalog;
use super::dsn::{Assignment, Rejected};
use crate::cause::config as cause;
use crate::finding::Finding;

/// One thing that was read otherwise than libpq would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// As it is written; never a value that may be secret.
    pub from: String,
    /// As libpq would be told, if there is anything to tell.
    pub to: Option<String>,
    /// Whose spelling it is.
    pub driver: String,
    /// What it means there.
    pub meaning: String,
}

impl Translation {
    /// As a fact.
    pub fn to_value(&self) -> Value {
        json!({"from": self.from, "to": self.to, "driver": self.driver, "meaning": self.meaning})
    }
}

/// The driver whose URL it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// libpq's own.
    Libpq,
    /// Another one's, by the name in its scheme; its own parameters are no surprise.
    Of(&'static str),
}

/// Schemes that mean PostgreSQL elsewhere: name, driver.
const SCHEMES: &[(&str, &str)] = &[
    ("postgis", "GeoDjango and Rails"),
    ("timescale", "Django"),
    ("timescalegis", "Django"),
    ("pgsql", "PHP and Django"),
    ("psql", "Django"),
    ("pdo-pgsql", "PHP"),
    ("pdo_pgsql", "PHP"),
    ("ecto", "Ecto"),
    ("r2dbc:postgresql", "R2DBC"),
    ("r2dbc:pool:postgresql", "R2DBC"),
    ("cockroachdb", "SQLAlchemy's dialect for CockroachDB"),
    ("cockroach", "golang-migrate"),
    ("pg", "other drivers"),
];

/// Those that read libpq's schemes in capitals too.
const ANY_CASE: &str = "drivers that ignore case";

/// What PDO begins with; every semicolon behind it counts as a space
/// (php-src, `pdo_pgsql_handle_factory`).
const PDO: &str = "pgsql:";

/// Drivers that SQLAlchemy names behind a plus sign.
const DIALECTS: &[&str] = &[
    "psycopg2",
    "psycopg2cffi",
    "psycopg",
    "psycopg_async",
    "asyncpg",
    "aiopg",
    "pg8000",
    "pygresql",
    "pypostgresql",
    "auroradataapi",
];

/// Those of them that hand every parameter to libpq.
const OVER_LIBPQ: &[&str] = &["psycopg2", "psycopg2cffi", "psycopg", "psycopg_async"];

/// What `asyncpg.connect` (0.32) and SQLAlchemy's dialect for it take by name,
/// as which SQLAlchemy hands over the parameters of a URL.
const ASYNCPG: &[&str] = &[
    "host",
    "port",
    "user",
    "password",
    "passfile",
    "service",
    "servicefile",
    "database",
    "timeout",
    "statement_cache_size",
    "max_cached_statement_lifetime",
    "max_cacheable_statement_size",
    "command_timeout",
    "ssl",
    "direct_tls",
    "target_session_attrs",
    "krbsrvname",
    "gsslib",
    "prepared_statement_cache_size",
    "async_fallback",
];

/// The scheme of a URL, and what is behind `://`.
pub fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_' | ':');
    let starts = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    (starts && scheme.chars().all(word)).then_some((scheme, rest))
}

/// The URL with libpq's scheme, and whose it was; `None` if the scheme does
/// not mean PostgreSQL.
pub fn normalised(scheme: &str, rest: &str) -> Option<(String, Dialect, Option<Translation>)> {
    let url = format!("postgresql://{rest}");
    if matches!(scheme, "postgresql" | "postgres") {
        return Some((url, Dialect::Libpq, None));
    }
    let said = |driver: &str, meaning: &str| {
        Some(Translation {
            from: format!("{scheme}://"),
            to: Some("postgresql://".to_owned()),
            driver: driver.to_owned(),
            meaning: meaning.to_owned(),
        })
    };
    let lower = scheme.to_ascii_lowercase();
    if matches!(lower.as_str(), "postgresql" | "postgres") {
        let said = said(ANY_CASE, "libpq requires the scheme in lower case");
        return Some((url, Dialect::Libpq, said));
    }
    if let Some((base, driver)) = lower.split_once('+')
        && (matches!(base, "postgresql" | "postgres") || known_scheme(base).is_some())
    {
        let name = DIALECTS.iter().find(|name| **name == driver).copied();
        let said = said("SQLAlchemy", "the driver name follows the plus sign");
        return Some((url, Dialect::Of(name.unwrap_or("SQLAlchemy")), said));
    }
    let driver = known_scheme(&lower)?;
    Some((url, Dialect::Of(driver), said(driver, "PostgreSQL")))
}

/// The connection string in a DSN of PDO, as PDO hands it to libpq.
pub fn pdo(text: &str) -> Option<String> {
    let rest = text.strip_prefix(PDO).filter(|rest| rest.contains('='))?;
    Some(rest.replace(';', " "))
}

/// What is to be known of a string that libpq does not read as its driver
/// does: what it begins with, and whose it is. A URL that names its driver
/// behind a plus sign, or JDBC, is known not to be for libpq.
pub fn foreign_form(text: &str) -> Option<(String, &'static str)> {
    if pdo(text).is_some() {
        return Some((PDO.to_owned(), "PHP's PDO"));
    }
    let (scheme, rest) = self::scheme(text)?;
    let reader = match normalised(scheme, rest)? {
        (_, Dialect::Libpq, said) => said.map(|_| ANY_CASE),
        (_, Dialect::Of(_), _) => known_scheme(&scheme.to_ascii_lowercase()),
    };
    Some((format!("{scheme}://"), reader?))
}

fn known_scheme(scheme: &str) -> Option<&'static str> {
    SCHEMES
        .iter()
        .find(|(name, _)| *name == scheme)
        .map(|(_, driver)| *driver)
}

/// What was made of a driver's parameters.
#[derive(Debug, Default)]
pub struct Translated {
    /// What libpq would be told.
    pub assignments: Vec<Assignment>,
    /// What was read otherwise.
    pub translations: Vec<Translation>,
    /// What libpq refuses.
    pub warnings: Vec<Finding>,
    /// Whether certificates are not to be verified, whatever files there are.
    pub no_verify: bool,
    /// The kind of server that is wanted, in the driver's own word.
    pub server_kind: Option<String>,
}

/// libpq reads `ssl=true` in a URL alone (`conninfo_uri_parse_params`), and
/// SQLAlchemy hands the parameters over one by one.
///
/// # Errors
/// It is there, and the scheme names a driver over libpq.
pub fn refuse_jdbc_ssl(url: &str, dialect: Dialect, source: &str) -> Result<(), Finding> {
    let Dialect::Of(driver) = dialect else {
        return Ok(());
    };
    let query = url.split_once('?').map_or("", |(_, query)| query);
    match OVER_LIBPQ.contains(&driver) && query.split('&').any(|pair| pair == "ssl=true") {
        true => Err(unknown("ssl", source, "pgjdbc")
            .with("meaning", "TLS")
            .with("meant", "sslmode")
            .with("reader", format!("{driver} (libpq)"))
            .as_failure()),
        false => Ok(()),
    }
}

/// Puts libpq's parameters in the place of other drivers'.
///
/// # Errors
/// A parameter that neither libpq nor a known driver understands. `hides`
/// says that its name may be a piece of a secret.
pub fn translate(
    read: Vec<Assignment>,
    dialect: Dialect,
    source: &str,
    hides: impl Fn(usize) -> bool,
) -> Result<Translated, Finding> {
    let mut out = Translated::default();
    let explicit_mode = read.iter().any(|a| a.name == "sslmode");
    let placed = ["host", "port", "user", "password", "dbname"];
    for (at, assignment) in read.into_iter().enumerate() {
        if dialect == Dialect::Of("asyncpg")
            && !ASYNCPG.contains(&assignment.name.as_str())
            && !placed.contains(&assignment.name.as_str())
            && (catalog::find(&assignment.name).is_some()
                || catalog::foreign_of(&assignment.name).is_some())
        {
            let meant = (assignment.name == "sslmode").then_some("ssl");
            out.warnings.push(
                Finding::new(&cause::PARAM_UNKNOWN)
                    .with("parameter", assignment.name.clone())
                    .word("parameter_name", assignment.name.clone())
                    .with("source", source.to_owned())
                    .with("reader", "asyncpg")
                    .with("meant", meant)
                    .word("known", "")
                    .as_warning(),
            );
        }
        if assignment.name == "sslmode" && is_no_verify(&assignment.text()) {
            out.no_verify("sslmode=no-verify");
            if dialect == Dialect::Libpq {
                out.warnings.push(
                    unknown("sslmode=no-verify", source, "node-postgres")
                        .with("meaning", "TLS without verifying the certificate"),
                );
            }
            continue;
        }
        if catalog::find(&assignment.name).is_some() || assignment.name == "requiressl" {
            out.assignments.push(required(assignment));
            continue;
        }
        let Some(foreign) = catalog::foreign_of(&assignment.name) else {
            return Err(not_known(&assignment.name, source, hides(at)));
        };
        let refused = || {
            unknown(&assignment.name, source, foreign.driver)
                .with("meaning", foreign.meaning)
                .with("meant", equivalent(foreign.name))
        };
        match dialect {
            Dialect::Libpq => out.warnings.push(refused()),
            // The scheme says who reads it, and that one does not connect.
            Dialect::Of(driver) if OVER_LIBPQ.contains(&driver) => {
                return Err(refused()
                    .with("reader", format!("{driver} (libpq)"))
                    .as_failure());
            }
            Dialect::Of(_) => {}
        }
        out.foreign(&assignment, foreign, explicit_mode);
    }
    Ok(out)
}

impl Translated {
    fn no_verify(&mut self, from: &str) {
        self.no_verify = true;
        self.assignments.push(Assignment::new("sslmode", "require"));
        self.translations.push(Translation {
            from: from.to_owned(),
            to: Some("sslmode=require, without a root certificate file".to_owned()),
            driver: "node-postgres".to_owned(),
            meaning: "TLS without verifying the certificate".to_owned(),
        });
    }

    fn foreign(&mut self, given: &Assignment, foreign: &catalog::Foreign, explicit_mode: bool) {
        let value = given.text();
        let to = match foreign.name {
            "ssl" if explicit_mode => None,
            "ssl" => match value.to_ascii_lowercase().as_str() {
                value if is_no_verify(value) => return self.no_verify("ssl=no-verify"),
                "1" | "true" | "yes" | "on" | "t" => Some(("sslmode", "require".to_owned())),
                "0" | "false" | "no" | "off" | "f" => Some(("sslmode", "disable".to_owned())),
                value => Some(("sslmode", value.to_owned())),
            },
            "targetservertype" => {
                self.server_kind = Some(value.clone());
                Some(("target_session_attrs", session_attrs(value)))
            }
            name => equivalent(name).map(|keyword| (keyword, value)),
        };
        if let Some((keyword, value)) = &to {
            self.assignments.push(Assignment::new(keyword, value));
        }
        self.translations.push(Translation {
            from: given.name.clone(),
            to: to.map(|(keyword, _)| keyword.to_owned()),
            driver: foreign.driver.to_owned(),
            meaning: foreign.meaning.to_owned(),
        });
    }
}

/// libpq's words for the kind of server that pgjdbc or R2DBC are to choose. Both
/// take for a primary what answers `off` to `show transaction_read_only`
/// (pgjdbc, `ConnectionFactoryImpl.isPrimary`), as `read-write` does. A value that
/// neither knows stays as it is, to be refused.
fn session_attrs(value: String) -> String {
    let known = match value.as_str() {
        "any" | "ANY" | "preferPrimary" => "any",
        "primary" | "master" | "PRIMARY" | "MASTER" => "read-write",
        "secondary" | "slave" | "SECONDARY" => "read-only",
        "preferSecondary" | "preferSlave" | "PREFER_SECONDARY" => "prefer-standby",
        _ => return value,
    };
    known.to_owned()
}

/// libpq's keyword for another driver's parameter with the same values.
fn equivalent(name: &str) -> Option<&'static str> {
    Some(match name {
        "ssl-mode" => "sslmode",
        "ssl-ca" => "sslrootcert",
        "ssl-cert" => "sslcert",
        "ssl-key" => "sslkey",
        "encoding" => "client_encoding",
        "applicationname" => "application_name",
        "connecttimeout" | "logintimeout" => "connect_timeout",
        "channelbinding" => "channel_binding",
        "gssencmode" => "gssencmode",
        // With values of its own.
        "targetservertype" => "target_session_attrs",
        _ => return None,
    })
}

fn is_no_verify(value: &str) -> bool {
    value.eq_ignore_ascii_case("no-verify")
}

/// `requiressl`, which libpq still reads.
fn required(assignment: Assignment) -> Assignment {
    match assignment.name.as_str() {
        "requiressl" if assignment.value.first() == Some(&b'1') => {
            Assignment::new("sslmode", "require")
        }
        "requiressl" => Assignment::new("sslmode", "prefer"),
        _ => assignment,
    }
}

/// A driver's parameter that libpq refuses.
fn unknown(parameter: &str, source: &str, driver: &str) -> Finding {
    Finding::new(&cause::PARAM_UNKNOWN)
        .with("parameter", parameter.to_owned())
        .with("source", source.to_owned())
        .with("driver", driver.to_owned())
        .word(
            "known",
            match driver.contains([',', ' ']) {
                true => format!("; {driver} do"),
                false => format!("; {driver} does"),
            },
        )
        .as_warning()
}

/// A parameter that nobody knows.
pub fn not_known(name: &str, source: &str, hidden: bool) -> Finding {
    let meant = catalog::meant(name);
    // What is no word at all may be a piece of a value.
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let hidden = hidden || name.len() > 40 || !name.chars().all(letter);
    let shown = match (hidden && meant.is_none(), name) {
        (true, _) => crate::secret::HIDDEN.to_owned(),
        (false, "") => "\"\" (an empty name)".to_owned(),
        (false, name) => format!("\"{name}\""),
    };
    Finding::new(&cause::PARAM_UNKNOWN)
        .with("parameter", shown.clone())
        .word("parameter_name", shown)
        .with("source", source.to_owned())
        .word(
            "known",
            match meant {
                Some(meant) => format!("; {meant} was probably intended"),
                None => String::new(),
            },
        )
        .with("meant", meant)
}

/// Reads a JDBC URL (pgJDBC documentation, "Connecting to the Database"):
/// no user information before the host, `+` is a space, `localhost` over TCP
/// is the default.
///
/// # Errors
/// What pgJDBC cannot read.
pub fn jdbc(text: &str) -> Result<Vec<Assignment>, Rejected> {
    const PREFIX: &str = "jdbc:postgresql:";
    let rest = text.get(PREFIX.len()..).unwrap_or_default();
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut out = Vec::new();
    let dbname = match place.strip_prefix("//") {
        Some(place) => {
            let (hosts, dbname) = place.split_once('/').unwrap_or((place, ""));
            let mut ports = Vec::new();
            let mut names = Vec::new();
            for item in hosts.split(',') {
                let behind = item.rfind(']').map_or(0, |at| at + 1);
                let (host, port) = match item[behind..].split_once(':') {
                    Some((front, port)) => (&item[..behind + front.len()], port),
                    None => (item, ""),
                };
                let host = host.trim_start_matches('[').trim_end_matches(']');
                names.push(if host.is_empty() { "localhost" } else { host });
                ports.push(if port.is_empty() { "5432" } else { port });
            }
            out.push(Assignment::new("host", &names.join(",")));
            out.push(Assignment::new("port", &ports.join(",")));
            dbname
        }
        None => {
            out.push(Assignment::new("host", "localhost"));
            out.push(Assignment::new("port", "5432"));
            place.trim_start_matches('/')
        }
    };
    if !dbname.is_empty() {
        out.push(Assignment {
            name: "dbname".to_owned(),
            value: form_decoded(dbname, text, text.len() - rest.len())?,
        });
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let offset = pair.as_ptr() as usize - text.as_ptr() as usize;
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = form_decoded(value, text, offset)?;
        match name {
            "ssl" if !query.contains("sslmode=") => {
                let on = value.is_empty() || value.eq_ignore_ascii_case(b"true");
                let mode = if on { "verify-full" } else { "prefer" };
                out.push(Assignment::new("sslmode", mode));
            }
            "ssl" => {}
            _ => out.push(Assignment {
                name: name.to_owned(),
                value,
            }),
        }
    }
    Ok(out)
}

/// Percent-decoding with `+` for a space.
fn form_decoded(raw: &str, text: &str, offset: usize) -> Result<Vec<u8>, Rejected> {
    let bytes = raw.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&b) = bytes.get(at) {
        let digit = |at: usize| bytes.get(at).and_then(|b| (*b as char).to_digit(16));
        match (b, digit(at + 1), digit(at + 2)) {
            (b'+', ..) => out.push(b' '),
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'%', ..) => {
                let problem = "a \"%\" that is not followed by two hexadecimal digits";
                return Err(Rejected::new(problem, text, offset + at).percent());
            }
            _ => out.push(b),
        }
        at += 1;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(read: &[Assignment]) -> Vec<(String, String)> {
        read.iter().map(|a| (a.name.clone(), a.text())).collect()
    }

    fn made(list: &[(&str, &str)], dialect: Dialect) -> Translated {
        let read = list.iter().map(|(n, v)| Assignment::new(n, v)).collect();
        translate(read, dialect, "TARGET", |_| false).unwrap()
    }

    #[test]
    fn schemes() {
        for (scheme, dialect) in [
            ("postgres", Dialect::Libpq),
            ("PostgreSQL", Dialect::Libpq),
            ("postgresql+asyncpg", Dialect::Of("asyncpg")),
            ("postgres+future", Dialect::Of("SQLAlchemy")),
            ("postgis", Dialect::Of("GeoDjango and Rails")),
        ] {
            let (url, found, _) = normalised(scheme, "h/d").unwrap();
            assert_eq!((url.as_str(), found), ("postgresql://h/d", dialect));
        }
        assert!(normalised("mysql", "h").is_none());
        assert!(normalised("mysql+x", "h").is_none());
        assert_eq!(scheme("host=a://b"), None);
        assert_eq!(scheme("a:b@c://"), None);
    }

    #[test]
    fn jdbc_urls() {
        let read = jdbc(
            "jdbc:postgresql://db:6432,[::1]/a%20b?user=u&password=p+w&ssl=true&currentSchema=x",
        )
        .unwrap();
        assert_eq!(
            pairs(&read),
            [
                ("host", "db,::1"),
                ("port", "6432,5432"),
                ("dbname", "a b"),
                ("user", "u"),
                ("password", "p w"),
                ("sslmode", "verify-full"),
                ("currentSchema", "x"),
            ]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
        assert_eq!(jdbc("jdbc:postgresql:orders").unwrap()[2].text(), "orders");
        assert!(jdbc("jdbc:postgresql://h/%").is_err());
    }

    #[test]
    fn what_drivers_mean_is_said() {
        let read = made(&[("schema", "x"), ("host", "h")], Dialect::Libpq);
        assert_eq!(read.warnings.len(), 1);
        assert_eq!(read.translations[0].driver, "Prisma");
        assert_eq!(pairs(&read.assignments).len(), 1);

        let read = made(&[("sslmode", "no-verify")], Dialect::Of("x"));
        assert!(read.no_verify && read.warnings.is_empty());
        assert_eq!(read.assignments[0].text(), "require");

        let read = made(&[("ssl", "0")], Dialect::Of("asyncpg"));
        assert_eq!(read.assignments[0].text(), "disable");
        let read = made(&[("ssl", "require")], Dialect::Of("asyncpg"));
        assert_eq!(read.assignments[0].text(), "require");
    }

    #[test]
    fn a_drivers_kind_of_server_is_libpqs() {
        for (kind, attrs) in [
            ("any", "any"),
            ("primary", "read-write"),
            ("master", "read-write"),
            ("secondary", "read-only"),
            ("slave", "read-only"),
            ("preferSecondary", "prefer-standby"),
            ("preferSlave", "prefer-standby"),
            ("preferPrimary", "any"),
            ("PREFER_SECONDARY", "prefer-standby"),
            // Refused as the driver refuses it.
            ("Primary", "Primary"),
        ] {
            let read = made(&[("targetServerType", kind)], Dialect::Of("pgjdbc"));
            let pair = ("target_session_attrs".to_owned(), attrs.to_owned());
            assert_eq!(pairs(&read.assignments), [pair]);
            assert_eq!(read.server_kind.as_deref(), Some(kind));
            assert!(read.warnings.is_empty());
        }
    }

    #[test]
    fn what_nobody_knows_is_refused() {
        let read = vec![Assignment::new("hots", "canary")];
        let finding = translate(read, Dialect::Libpq, "TARGET", |_| true).unwrap_err();
        assert_eq!(finding.evidence["meant"], "host");
        assert!(!format!("{finding:?}").contains("canary"));
        let read = vec![Assignment::new("canary", "x")];
        let finding = translate(read, Dialect::Libpq, "TARGET", |_| true).unwrap_err();
        assert!(!format!("{finding:?}").contains("canary"));
    }
}
