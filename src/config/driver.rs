//! What other drivers write and libpq does not read, translated into what
//! libpq would be told to do the same.

use serde_json::{Value, json};

use super::catalog;
use super::driver_parameter::{self, Fate, Parameter};
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
    ("cockroachdb", "SQLAlchemy's dialect for CockroachDB"),
    ("cockroach", "golang-migrate"),
    ("pg", "other drivers"),
];

/// The driver for reactive Java programs.
const R2DBC: &str = "R2DBC";

/// Those that read libpq's schemes in capitals too.
const ANY_CASE: &str = "drivers that ignore case";

/// What PDO begins with.
const PDO: &str = "pgsql:";

/// What pgJDBC begins with.
pub const JDBC: &str = "jdbc:postgresql:";

/// Whether the first of these begins with the second, whatever its case.
pub fn begins(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Drivers that SQLAlchemy names behind a plus sign.
const DIALECTS: &[&str] = &[
    "psycopg2",
    "psycopg2cffi",
    "psycopg",
    "psycopg_async",
    "aiopg",
    "pg8000",
    "pygresql",
    "pypostgresql",
    "auroradataapi",
];

/// What SQLAlchemy's dialect for asyncpg is called: it reads parameters otherwise than
/// asyncpg does.
const ASYNCPG: &str = "SQLAlchemy (asyncpg)";

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
    if let Some(with_tls) = r2dbc(&lower) {
        let url = match (with_tls, url.split_once('?')) {
            (false, _) => url,
            (true, Some((place, query))) => format!("{place}?ssl=true&{query}"),
            (true, None) => format!("{url}?ssl=true"),
        };
        return Some((url, Dialect::Of(R2DBC), said(R2DBC, "PostgreSQL")));
    }
    // SQLAlchemy looks its dialects up by the name as it is written.
    if let Some((base, driver)) = scheme.split_once('+')
        && scheme == lower
        && (matches!(base, "postgresql" | "postgres") || known_scheme(base).is_some())
    {
        let name = match driver {
            "asyncpg" => Some(ASYNCPG),
            driver => DIALECTS.iter().find(|name| **name == driver).copied(),
        };
        let said = said("SQLAlchemy", "the driver name follows the plus sign");
        return Some((url, Dialect::Of(name.unwrap_or("SQLAlchemy")), said));
    }
    let driver = known_scheme(&lower)?;
    Some((url, Dialect::Of(driver), said(driver, "PostgreSQL")))
}

/// Whether a scheme is R2DBC's for PostgreSQL, and if so, whether it asks for TLS
/// (`r2dbcs:`); `pool` and `proxy` may stand in between.
fn r2dbc(scheme: &str) -> Option<bool> {
    let (protocol, drivers) = scheme.split_once(':')?;
    let driver = drivers.rsplit(':').next()?;
    let with_tls = match protocol {
        "r2dbc" => false,
        "r2dbcs" => true,
        _ => return None,
    };
    matches!(driver, "postgresql" | "postgres").then_some(with_tls)
}

/// The settings in a DSN of PDO, whatever its case; PDO itself reads lower case alone.
pub fn pdo(text: &str) -> Option<&str> {
    let rest = begins(text, PDO).then(|| &text[PDO.len()..])?;
    (rest.contains('=') && !rest.starts_with("//")).then_some(rest)
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
        (_, Dialect::Of(R2DBC), _) => Some(R2DBC),
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
    let given: Vec<String> = read
        .iter()
        .map(|one| one.name.to_ascii_lowercase())
        .collect();
    for (at, assignment) in read.into_iter().enumerate() {
        let name = assignment.name.as_str();
        let own = match dialect {
            Dialect::Libpq => None,
            Dialect::Of(driver) => driver_parameter::of(driver, name),
        };
        let is_keyword = catalog::find(name).is_some();
        if let Dialect::Of(driver) = dialect
            && driver_parameter::rest(driver) == Some(Fate::NothingElse)
            && own.is_none()
            && !PLACED.contains(&name)
            && (is_keyword || driver_parameter::any(name).is_some())
        {
            out.warnings.push(refused_by(driver, name, source));
        }
        if name == "sslmode" && is_no_verify(&assignment.text()) {
            out.no_verify("sslmode=no-verify");
            if dialect == Dialect::Libpq {
                out.warnings.push(
                    unknown("sslmode=no-verify", source, "node-postgres")
                        .with("meaning", "TLS without verifying the certificate"),
                );
            }
            continue;
        }
        let as_libpq = own.is_none_or(Parameter::is_libpqs);
        if as_libpq && (is_keyword || name == "requiressl") {
            out.assignments.push(required(assignment));
            continue;
        }
        let Some(foreign) = own.or_else(|| driver_parameter::any(name)) else {
            return Err(not_known(name, source, hides(at)));
        };
        let refused = || {
            unknown(name, source, &foreign.spoken_drivers())
                .with("meaning", foreign.meaning)
                .with("meant", foreign.same_as())
        };
        match dialect {
            Dialect::Libpq => out.warnings.push(refused()),
            // The scheme says who reads it, and that one does not connect.
            Dialect::Of(driver) if hands_to_libpq(driver) => {
                return Err(refused()
                    .with("meant", foreign.keyword())
                    .with("reader", format!("{driver} (libpq)"))
                    .as_failure());
            }
            Dialect::Of(_) => {}
        }
        out.foreign(&assignment, foreign, &given, source);
    }
    Ok(out)
}

/// What stands in a URL's own places, whoever reads it.
const PLACED: [&str; 5] = ["host", "port", "user", "password", "dbname"];

/// Whether a driver hands every parameter to libpq.
fn hands_to_libpq(driver: &str) -> bool {
    driver_parameter::rest(driver) == Some(Fate::AsLibpq)
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

    /// What is said in libpq's words as well (`ssl=true&sslmode=disable`) counts in
    /// those.
    fn foreign(&mut self, own: &Assignment, foreign: &Parameter, given: &[String], source: &str) {
        let value = own.text();
        if foreign.chooses_server() {
            self.server_kind = Some(value.clone());
        }
        let settings = foreign.settings(&value).unwrap_or_else(|taken| {
            self.warnings.push(invalid(own, foreign, &taken, source));
            Vec::new()
        });
        let is_mode = |(name, value): &(&str, String)| *name == "sslmode" && is_no_verify(value);
        if settings.iter().any(is_mode) && !given.iter().any(|name| name == "sslmode") {
            return self.no_verify("ssl=no-verify");
        }
        let settings = settings.into_iter().filter(|(keyword, _)| {
            own.name.eq_ignore_ascii_case(keyword) || !given.iter().any(|name| name == keyword)
        });
        let mut to = Vec::new();
        for (keyword, value) in settings {
            self.assignments.push(Assignment::new(keyword, &value));
            to.push(keyword);
        }
        self.translations.push(Translation {
            from: own.name.clone(),
            to: (!to.is_empty()).then(|| to.join(", ")),
            driver: foreign.spoken_drivers(),
            meaning: foreign.meaning.to_owned(),
        });
    }
}

/// A parameter that libpq or another driver knows, and the one that reads it does not.
fn refused_by(driver: &str, parameter: &str, source: &str) -> Finding {
    let meant = (parameter == "sslmode").then_some("ssl");
    Finding::new(&cause::PARAM_UNKNOWN)
        .with("parameter", parameter.to_owned())
        .word("parameter_name", parameter.to_owned())
        .with("source", source.to_owned())
        .with("reader", driver.to_owned())
        .with("meant", meant)
        .word("known", "")
        .as_warning()
}

/// A value that the driver whose parameter it is does not take.
fn invalid(own: &Assignment, foreign: &Parameter, taken: &[&str], source: &str) -> Finding {
    Finding::new(&cause::PARAM_INVALID)
        .with("parameter", own.name.clone())
        .with("source", source.to_owned())
        .with("value", format!("\"{}\"", own.text()))
        .with(
            "problem",
            format!("{} does not take it", foreign.spoken_drivers()),
        )
        .with("allowed", taken.join(", "))
        .as_warning()
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
    let rest = text.get(JDBC.len()..).unwrap_or_default();
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
        out.push(Assignment {
            name: name.to_owned(),
            value,
        });
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
            ("postgresql+asyncpg", Dialect::Of(ASYNCPG)),
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
                ("ssl", "true"),
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

        let read = made(&[("ssl", "0")], Dialect::Of("node-postgres"));
        assert_eq!(read.assignments[0].text(), "disable");
        let read = made(&[("ssl", "require")], Dialect::Of(ASYNCPG));
        assert_eq!(read.assignments[0].text(), "require");
        let read = made(&[("ssl", "true")], Dialect::Of(ASYNCPG));
        assert!(read.assignments.is_empty());
        assert_eq!(read.warnings[0].cause, &cause::PARAM_INVALID);

        // libpq's own word counts.
        let both = [("ssl", "true"), ("sslmode", "disable")];
        let read = made(&both, Dialect::Of("pgjdbc"));
        assert_eq!(
            pairs(&read.assignments),
            [("sslmode".to_owned(), "disable".to_owned())]
        );
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
            // Refused as the driver refuses it.
            ("primry", "primry"),
        ] {
            let read = made(&[("targetServerType", kind)], Dialect::Of("pgjdbc"));
            let pair = ("target_session_attrs".to_owned(), attrs.to_owned());
            assert_eq!(pairs(&read.assignments), [pair], "{kind}");
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
