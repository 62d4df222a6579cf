//! Reads a target as it was typed: a URI, a connection string, a driver's
//! spelling of one, or a bare host. What is wrong with it is said without
//! showing any piece of a password.

use std::net::Ipv6Addr;

use super::driver::{self, Dialect, Translation};
use super::dsn::{Assignment, Rejected, RejectedPart};
use super::url_repair::{self, Placeholder};
use super::{catalog, conninfo, lint, pdo, uri};
use crate::cause::config as cause;
use crate::finding::Finding;

/// What a target says.
#[derive(Debug, Default)]
pub struct Reading {
    /// Its parameters, a later one of the same name winning.
    pub assignments: Vec<Assignment>,
    /// What was read otherwise than libpq would.
    pub translations: Vec<Translation>,
    /// What is worth a word.
    pub warnings: Vec<Finding>,
    /// Whether certificates are not to be verified, whatever files there are.
    pub no_verify: bool,
    /// The kind of server that is wanted, in the driver's own word.
    pub server_kind: Option<String>,
    /// Whether what stands in the port's place may be a password.
    pub hide_port: bool,
}

/// What encloses or follows a value that was copied or read from a file.
const JUNK: &[char] = &[
    ' ', '\t', '\n', '\r', '\u{a0}', '\u{feff}', '"', '\'', '`', '“', '”', '‘', '’',
];

/// Reads a target. `source` is what gave it, as people say it.
///
/// # Errors
/// What libpq, or the driver whose spelling it is, would stop at.
pub fn read(text: &str, source: &str) -> Result<Reading, Finding> {
    let core = text.trim_matches(JUNK);
    if core.is_empty() {
        return Err(syntax(source, "it is empty", None));
    }
    let leading = &text[..text.len() - text.trim_start_matches(JUNK).len()];
    if is_url(core) && !leading.is_empty() {
        let effect = "libpq does not recognise the URL in this form";
        return Err(whitespace("connection URL", source, text, effect).as_failure());
    }
    if driver::begins(core, "jdbc:") {
        return read_jdbc(core, source);
    }
    if let Some(settings) = driver::pdo(text) {
        let mut reading = pdo::read(text, settings, source)?;
        warn_of_form(&mut reading, text, source);
        return Ok(reading);
    }
    if let Some((scheme, rest)) = driver::scheme(text) {
        return match driver::normalised(scheme, rest) {
            Some((url, dialect, said)) => {
                let mut reading = read_uri(&url, dialect, source)?;
                reading.translations.splice(0..0, said);
                warn_of_trailing(&mut reading, text, source);
                warn_of_form(&mut reading, text, source);
                Ok(reading)
            }
            None => Err(foreign_scheme(scheme, rest, source)),
        };
    }
    if is_encoded_url(core) {
        let problem = "the whole URL is percent-encoded";
        return Err(syntax(source, problem, None));
    }
    if let Some((problem, form)) = almost_a_url(core) {
        return Err(syntax(source, problem, form));
    }
    match text.contains('=') {
        true => read_conninfo(text, source),
        false => read_bare(core, text, source),
    }
}

/// Whether it begins as a URL does.
fn is_url(text: &str) -> bool {
    driver::begins(text, "jdbc:") || driver::scheme(text).is_some()
}

/// Whether it is `scheme%3A%2F%2F…`.
fn is_encoded_url(text: &str) -> bool {
    let end = text.find('%').unwrap_or(text.len());
    let (scheme, rest) = text.split_at(end);
    let slashes = rest.get(..9).unwrap_or_default();
    !scheme.is_empty()
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'+')
        && slashes.eq_ignore_ascii_case("%3A%2F%2F")
}

/// A target that cannot be read.
pub(super) fn syntax(source: &str, problem: &str, form: Option<String>) -> Finding {
    Finding::new(&cause::URL_SYNTAX)
        .with("source", source.to_owned())
        .with("problem", problem.to_owned())
        .with("form", form)
}

fn rejected(source: &str, rejected: Rejected) -> Finding {
    let problem = format!("{}, at character {}", rejected.problem, rejected.column);
    syntax(source, &problem, None).with("character", rejected.column)
}

/// Blanks or quotes around a value.
pub fn whitespace(part: &str, source: &str, value: &str, effect: &str) -> Finding {
    let line_end = value.ends_with(['\n', '\r']);
    Finding::new(&cause::WHITESPACE)
        .with("parameter", part.to_owned())
        .with("source", source.to_owned())
        .with("found", around(value).unwrap_or("quotes around it"))
        .with("effect", effect.to_owned())
        .word("item", line_end.then(|| part.to_owned()))
}

/// What stands around a value that hardly belongs to it.
pub fn around(value: &str) -> Option<&'static str> {
    let quotes = ['"', '\'', '`', '“', '”', '‘', '’'];
    let inner = value.trim();
    let quoted = inner.chars().count() > 1
        && inner.starts_with(quotes)
        && inner.chars().next_back().is_some_and(|c| {
            let first = inner.chars().next();
            Some(c) == first || matches!((first, c), (Some('“'), '”') | (Some('‘'), '’'))
        });
    match value {
        _ if quoted => Some("quotes around it"),
        value if value.ends_with("\r\n") => Some("a trailing carriage return and newline"),
        value if value.ends_with('\n') => Some("a trailing newline"),
        value if value.ends_with('\r') => Some("a trailing carriage return"),
        value if value.starts_with('\u{feff}') => Some("a leading byte-order mark"),
        value if value.starts_with(char::is_whitespace) => Some("leading whitespace"),
        value if value.ends_with(char::is_whitespace) => Some("trailing whitespace"),
        value if value.starts_with(quotes) => Some("a leading quote"),
        _ => None,
    }
}

fn warn_of_trailing(reading: &mut Reading, text: &str, source: &str) {
    let trailing = &text[text.trim_end_matches(JUNK).len()..];
    if trailing.is_empty() {
        return;
    }
    let found = match trailing.trim_matches(char::is_whitespace) {
        "" if trailing.contains("\r\n") => "a trailing carriage return and newline",
        "" if trailing.contains('\n') => "a trailing newline",
        "" if trailing.contains('\r') => "a trailing carriage return",
        "" => "trailing whitespace",
        _ => "a trailing quote",
    };
    let effect = match trailing.chars().all(|c| c == ' ') {
        true => "libpq 18 ignores it, older versions and other drivers do not",
        false => "libpq takes it as part of the last value",
    };
    let finding = whitespace("connection URL", source, trailing, effect).with("found", found);
    reading.warnings.push(finding);
}

/// That libpq reads something else in it than its driver does, and what libpq
/// would have to be told.
fn warn_of_form(reading: &mut Reading, text: &str, source: &str) {
    let Some((scheme, reader)) = driver::foreign_form(text) else {
        return;
    };
    // Where something else is doubtful, a value may hold a piece of a password.
    let certain = reading.warnings.is_empty();
    let settings = reading.assignments.iter().filter(|one| !is_secret(one));
    let settings: Vec<String> = settings
        .map(|one| conninfo::setting(&one.name, &one.text()))
        .collect();
    let finding = Finding::new(&cause::URL_SCHEME)
        .with("source", source.to_owned())
        .with("scheme", scheme)
        .with("reader", reader)
        .with(
            "effect",
            match text.contains('=') {
                true => "rejects it",
                false => "treats all of it as a database name",
            },
        )
        .word("settings", certain.then(|| settings.join(" ")));
    reading.warnings.push(finding);
}

fn foreign_scheme(scheme: &str, rest: &str, source: &str) -> Finding {
    let lower = scheme.to_ascii_lowercase();
    if driver::normalised(&lower, rest).is_some() {
        let problem = "SQLAlchemy reads the names of its dialects and drivers in lower case only";
        let form = certain_form(&format!("{lower}://"), rest);
        return syntax(source, problem, form).with("scheme", scheme.to_owned());
    }
    let what = match lower.split('+').next().unwrap_or_default() {
        "mysql" | "mariadb" | "mysql2" => "it is a MySQL URL",
        "redis" | "rediss" => "it is a Redis URL",
        "mongodb" => "it is a MongoDB URL",
        "sqlite" | "sqlite3" => "it is an SQLite URL",
        "http" | "https" => "it is a web address",
        "ssh" => "it is an SSH URL (to connect through an SSH server, use --ssh)",
        _ => "its scheme is not a PostgreSQL scheme",
    };
    syntax(source, what, None).with("scheme", scheme.to_owned())
}

/// A URL that is begun like this, without its password. Where it is not certain what
/// the password is, no form is shown: a piece of it could be taken for the host.
fn certain_form(start: &str, body: &str) -> Option<String> {
    let certain = match body.rsplit_once('@') {
        Some((before, _)) => !before.contains(['@', '/', '?', '#', '&']),
        None => true,
    };
    certain.then(|| format!("{start}{}", url_repair::masked(body)))
}

/// What was meant to be a URL and is not one: the problem, and the form
/// without a password.
fn almost_a_url(text: &str) -> Option<(&'static str, Option<String>)> {
    let form = |body: &str| certain_form("postgresql://", body);
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim().trim_matches(JUNK);
    if matches!(first, "psql" | "export" | "set" | "ENV") && (is_url(rest) || rest.contains("=")) {
        return Some(("it begins with a command", None));
    }
    if let Some((name, value)) = text.split_once('=')
        && name
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b == b'_' || b.is_ascii_digit())
        && is_url(value.trim_matches(JUNK))
    {
        return Some(("it begins with a variable name", None));
    }
    if text.contains(';') && dot_net(text) {
        return Some(("it is a .NET connection string", None));
    }
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '_');
    let (scheme, rest) = text.split_at(text.find(|c| !word(c)).unwrap_or(text.len()));
    let named = scheme.split_once('+');
    let base = named.map_or(scheme, |(base, _)| base);
    if ["postgresql", "postgres"]
        .iter()
        .any(|known| base.eq_ignore_ascii_case(known))
    {
        let form = |body: &str| match named {
            Some(_) => certain_form(&format!("{}://", scheme.to_ascii_lowercase()), body),
            None => form(body),
        };
        let slashes = rest.trim_start_matches([':', '/', '\\']);
        let marks = &rest[..rest.len() - slashes.len()];
        // A user named postgres: `postgres:secret@db` lacks the scheme.
        let only_colon = marks == ":" && slashes.contains('@') && named.is_none();
        if marks.len() >= 2 || (marks == ":" && !only_colon && !is_port(slashes)) {
            return Some((
                "\"//\" is missing after the scheme and its colon",
                form(slashes),
            ));
        }
    }
    if let Some(rest) = text.strip_prefix("//") {
        return Some(("the scheme is missing", form(rest)));
    }
    let before_blank = text.split(char::is_whitespace).next().unwrap_or_default();
    let head = before_blank.split(['=', '?']).next().unwrap_or_default();
    let shaped = (head.contains(['@', '/']) && !head.starts_with(['/', '@', '.']))
        || (head.contains(':') && text.contains('@'));
    let keyword = before_blank.contains('=') && catalog::find(head).is_some();
    (shaped && !keyword).then(|| ("the scheme is missing", form(text)))
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.bytes().all(|b| b.is_ascii_digit())
}

/// `Host=…;Username=…`, as Npgsql writes it.
fn dot_net(text: &str) -> bool {
    text.split(';')
        .filter(|pair| !pair.trim().is_empty())
        .all(|pair| pair.contains('='))
        && text.split(';').any(|pair| {
            let name = pair.split('=').next().unwrap_or_default().trim();
            [
                "host", "server", "username", "user id", "database", "password",
            ]
            .contains(&name.to_ascii_lowercase().as_str())
        })
        && !text.contains("://")
}

fn read_uri(url: &str, dialect: Dialect, source: &str) -> Result<Reading, Finding> {
    let body = uri::strip_prefix(url).unwrap_or(url);
    let templates = url_repair::placeholders(body);
    let plain = url_repair::neutral(body, &templates);
    let read = match dialect {
        Dialect::Libpq => uri::parse(url),
        Dialect::Of(_) => uri::written(url),
    };
    let mut reading = Reading::default();

    if let Some(template) = wrong_template(&plain, &templates) {
        return Err(placeholder(
            url_repair::part_of(&plain, template.range.start),
            &template.text,
            source,
        ));
    }
    if let Some(inner) = url_repair::url_within(&plain) {
        let end = inner + plain[inner..].find('?').unwrap_or(plain.len() - inner);
        lint::in_host(&body[inner..end], source)?;
    }
    if let Some(found) = url_repair::unescaped(&plain, abstract_socket) {
        let finding = Finding::new(&cause::URL_UNESCAPED)
            .with("source", source.to_owned())
            .with("part", found.part)
            .with("characters", url_repair::named(&found.characters))
            .with("encodings", url_repair::encodings(&found.characters))
            .with("effect", found.effect)
            .with("form", found.form);
        if found.fatal {
            return Err(finding);
        }
        reading.warnings.push(finding.as_warning());
    }
    let read = match read {
        Ok(read) => read,
        Err(_) if !templates.is_empty() => {
            let template = &templates[0];
            let part = url_repair::part_of(&plain, template.range.start);
            return Err(placeholder(part, &template.text, source));
        }
        Err(error) if error.kind == RejectedPart::Space => {
            return Err(rejected(source, error).fix("Write a space as %20.", None));
        }
        Err(error) => return Err(rejected(source, error)),
    };
    let shape = url_repair::meant(&plain);
    reading.hide_port = shape.password.is_none();
    if let Some(template) = templates.first() {
        let part = url_repair::part_of(&plain, template.range.start);
        if part == "password" {
            reading
                .warnings
                .push(placeholder(part, &template.text, source).as_warning());
        }
    }
    // What follows a password with an & in it may be a piece of it.
    let secrets: Vec<bool> = read.iter().map(is_secret).collect();
    let at_sign = body
        .split_once('?')
        .is_some_and(|(_, query)| query.contains('@'));
    let hides = |at: usize| at_sign || (at > 0 && secrets.get(at - 1).copied().unwrap_or(true));
    reading.fill(driver::translate(read, dialect, source, hides)?);
    Ok(reading)
}

fn is_secret(assignment: &Assignment) -> bool {
    catalog::find(&assignment.name).is_some_and(|param| param.secret)
}

/// A template where one cannot be meant literally.
fn wrong_template<'a>(plain: &str, templates: &'a [Placeholder]) -> Option<&'a Placeholder> {
    templates.iter().find(|template| {
        match url_repair::part_of(plain, template.range.start) {
            "password" | "options" => false,
            // libpq may find another host in the list.
            "host" => !plain.contains(',') || template.text.contains([',', ':', '@', '/', '?']),
            _ => true,
        }
    })
}

/// A template that was never filled in. In a password only its kind is shown.
pub fn placeholder(part: &str, text: &str, source: &str) -> Finding {
    let shown = match part {
        "password" => text
            .chars()
            .map(|c| if c.is_alphanumeric() { '…' } else { c })
            .fold(String::new(), |mut out, c| {
                if !(c == '…' && out.ends_with('…')) {
                    out.push(c);
                }
                out
            }),
        _ => text.to_owned(),
    };
    Finding::new(&cause::URL_PLACEHOLDER)
        .with("part", part.to_owned())
        .with("placeholder", shown)
        .with("source", source.to_owned())
}

pub(super) fn read_conninfo(text: &str, source: &str) -> Result<Reading, Finding> {
    let quoted = text.trim();
    let leading = quoted.starts_with(['"', '\'', '`', '“', '‘']);
    let read = match conninfo::parse(text) {
        _ if leading => {
            let effect = "libpq takes the quote as part of the first keyword";
            return Err(whitespace("connection string", source, quoted, effect).as_failure());
        }
        Ok(read) => read,
        Err(error) => return Err(rejected(source, error)),
    };
    // What follows a password without quotes may be a piece of it.
    let secret = read.iter().position(is_secret).unwrap_or(read.len());
    let mut reading = Reading::default();
    let hides = |at: usize| at > secret;
    reading.fill(driver::translate(read, Dialect::Libpq, source, hides)?);
    Ok(reading)
}

fn read_jdbc(text: &str, source: &str) -> Result<Reading, Finding> {
    let Some(rest) = text.strip_prefix(driver::JDBC) else {
        let problem = match driver::begins(text, driver::JDBC) {
            true => "pgJDBC reads \"jdbc:postgresql:\" in lower case only",
            false => "only jdbc:postgresql: is for PostgreSQL",
        };
        return Err(syntax(source, problem, None));
    };
    let place = rest.split('?').next().unwrap_or_default();
    if place.contains('@') {
        let body = place.trim_start_matches('/');
        let shape = url_repair::meant(body);
        let form = format!(
            "jdbc:postgresql://{}?user={}&password=…",
            shape.rest, shape.user
        );
        let problem = "pgJDBC does not accept a user name or password before the host";
        return Err(syntax(source, problem, Some(form)));
    }
    if let Some(template) = wrong_template(rest, &url_repair::placeholders(rest)) {
        let part = url_repair::part_of(rest, template.range.start);
        return Err(placeholder(part, &template.text, source));
    }
    let read = driver::jdbc(text).map_err(|error| rejected(source, error))?;
    let mut reading = Reading {
        hide_port: true,
        ..Reading::default()
    };
    reading.translations.push(Translation {
        from: "jdbc:postgresql:".to_owned(),
        to: Some("postgresql:".to_owned()),
        driver: "pgjdbc".to_owned(),
        meaning: "host localhost and TCP by default; ssl=true verifies certificate and name"
            .to_owned(),
    });
    reading.fill(driver::translate(
        read,
        Dialect::Of("pgjdbc"),
        source,
        |_| false,
    )?);
    Ok(reading)
}

/// A bare `host[:port]`, or several separated by commas.
fn read_bare(core: &str, text: &str, source: &str) -> Result<Reading, Finding> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for item in core.split(',') {
        let bracketed = item.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (host, port) = match (bracketed, item.rsplit_once(':')) {
            (Some((host, rest)), _) => (host, rest.strip_prefix(':').unwrap_or(rest)),
            (None, Some((host, port))) if !host.contains(':') => (host, port),
            _ => (item, ""),
        };
        if let Some(problem) = not_a_host(host) {
            return Err(syntax(source, problem, None));
        }
        hosts.push(host);
        ports.push(port);
    }
    let mut reading = Reading {
        hide_port: true,
        ..Reading::default()
    };
    reading
        .assignments
        .push(Assignment::new("host", &hosts.join(",")));
    if ports.iter().any(|port| !port.is_empty()) {
        reading
            .assignments
            .push(Assignment::new("port", &ports.join(",")));
    }
    if core != text {
        let effect = "it is ignored";
        reading
            .warnings
            .push(whitespace("host", source, text, effect));
    }
    Ok(reading)
}

/// Why this can be neither a name, nor an address, nor a socket directory.
fn not_a_host(host: &str) -> Option<&'static str> {
    let address = host.split('%').next().unwrap_or_default();
    match host {
        _ if host.starts_with(['/', '@']) => None,
        _ if host.contains(char::is_whitespace) => {
            Some("it is neither a URL, nor key=value pairs, nor a host: it contains whitespace")
        }
        _ if host.contains(':') && address.parse::<Ipv6Addr>().is_err() => {
            Some("it is neither a host and a port nor an IPv6 address: it has several colons")
        }
        _ => None,
    }
}

impl Reading {
    fn fill(&mut self, translated: driver::Translated) {
        self.assignments.extend(translated.assignments);
        self.translations.extend(translated.translations);
        self.warnings.extend(translated.warnings);
        self.no_verify |= translated.no_verify;
        self.server_kind = translated.server_kind.or(self.server_kind.take());
    }
}

/// Whether an abstract unix socket of PostgreSQL's listens below this name.
fn abstract_socket(hosts: &str) -> bool {
    let (name, port) = hosts.split_once(':').unwrap_or((hosts, "5432"));
    let wanted = format!("{name}/.s.PGSQL.{port}");
    std::fs::read_to_string("/proc/net/unix").is_ok_and(|list| {
        list.lines()
            .any(|line| line.split_whitespace().next_back() == Some(wanted.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> &'static str {
        match read(text, "TARGET") {
            Ok(reading) => reading.warnings.first().map_or("pass", |f| f.cause.code),
            Err(finding) => finding.cause.code,
        }
    }

    fn value(text: &str, name: &str) -> Option<String> {
        let reading = read(text, "TARGET").unwrap();
        reading
            .assignments
            .iter()
            .rev()
            .find(|a| a.name == name)
            .map(Assignment::text)
    }

    #[test]
    fn guess_format() {
        for (text, expected) in [
            ("host localhost", "config.url.syntax"),
            ("db.corp.test:5432:5433", "config.url.syntax"),
            ("", "config.url.syntax"),
            (" \n", "config.url.syntax"),
            ("''", "config.url.syntax"),
            ("postgresql://app:p@ss@db/app", "config.url.unescaped"),
            ("postgresql://app:p#ss@db/app", "config.url.unescaped"),
            (
                "postgresql://app:pw@${DB_HOST}/app",
                "config.url.placeholder",
            ),
            (
                "postgresql://app:pw@${DB_HOST:-db}:5432/app",
                "config.url.placeholder",
            ),
            ("postgresql://%U%:%P%@%H%/app", "config.url.placeholder"),
            (
                "postgresql://app:pw@{{ host }}/app",
                "config.url.placeholder",
            ),
            (
                "postgresql://app:<password>@db/app",
                "config.url.placeholder",
            ),
            (
                "postgresql://app:[YOUR-PASSWORD]@db.x/app",
                "config.url.placeholder",
            ),
            ("postgresql://app:{{ pw }}@db/app", "config.url.placeholder"),
            ("postgres:/db/app", "config.url.syntax"),
            ("postgres//db/app", "config.url.syntax"),
            ("postgresql:db/app", "config.url.syntax"),
            ("app:secret@db:5432/app", "config.url.syntax"),
            ("postgres%3A%2F%2Fapp%3Ax%40h%2Fx", "config.url.syntax"),
            (
                "postgres://app:x@https://127.0.0.1:5432/appdb",
                "config.url.in-host",
            ),
            ("postgres://http://127.0.0.1/appdb", "config.url.in-host"),
            ("postgres://app:x@ftp://db", "config.url.in-host"),
            (
                "postgres://app:x@postgres://app:y@db/app",
                "config.url.in-host",
            ),
            (
                "postgres://postgres://app:x@127.0.0.1/appdb",
                "config.url.in-host",
            ),
            (
                "postgres://app:x@$(DB_HOST)/appdb",
                "config.url.placeholder",
            ),
            (
                "postgres://app:$(DB_PASSWORD)@db/appdb",
                "config.url.placeholder",
            ),
            ("app:secret@db/app?sslmode=require", "config.url.syntax"),
            ("db.example.com/app", "config.url.syntax"),
            ("//db/app", "config.url.syntax"),
            ("mysql://db/app", "config.url.syntax"),
            ("psql 'postgresql://db/app'", "config.url.syntax"),
            ("DATABASE_URL=postgresql://db/app", "config.url.syntax"),
            (
                "export DATABASE_URL=postgresql://db/app",
                "config.url.syntax",
            ),
            ("Host=db;Username=app;Password=canary", "config.url.syntax"),
            ("\"postgresql://db/app\"", "config.whitespace"),
            (" postgresql://db/app", "config.whitespace"),
            ("postgresql://db/app\n", "config.whitespace"),
            ("postgresql://db/app ", "config.whitespace"),
            ("\"host=db\"", "config.whitespace"),
            ("postgresql://db/app?sslmod=require", "config.param.unknown"),
            ("postgresql://db/app?schema=public", "config.param.unknown"),
            ("postgis://app@db/app", "config.url.scheme"),
            ("POSTGRES://app@db/app", "config.url.scheme"),
            (
                "PostgreSQL://app@db/app?sslmode=require",
                "config.url.scheme",
            ),
            ("r2dbc:postgresql://app@db/app", "config.url.scheme"),
            ("cockroachdb://app@db/app", "config.url.scheme"),
            ("pgsql://app@db/app", "config.url.scheme"),
            ("pgsql:host=db;port=5432;dbname=app", "config.url.scheme"),
            ("pgsql:host=db dbname=app;user=x", "config.url.scheme"),
            ("pgsql:host=db;charset=utf8", "config.param.unknown"),
            (
                "postgresql://db/app?sslmode=no-verify",
                "config.param.unknown",
            ),
            ("host=db hots=db", "config.param.unknown"),
            ("jdbc:postgresql://app:pw@db/app", "config.url.syntax"),
            ("jdbc:mysql://db/app", "config.url.syntax"),
            // In capitals neither the driver nor libpq reads these.
            ("JDBC:postgresql://db/app", "config.url.syntax"),
            ("jdbc:PostgreSQL://db/app", "config.url.syntax"),
            ("POSTGRESQL+ASYNCPG://app@db/app", "config.url.syntax"),
            ("postgresql+Psycopg2://app@db/app", "config.url.syntax"),
            ("PGSQL:host=db;dbname=app", "config.url.syntax"),
            ("postgresql+asyncpg:app@db/app", "config.url.syntax"),
            ("postgresql+psycopg:/app@db/app", "config.url.syntax"),
            ("postgresql+asyncpg:app:canary@db/app", "config.url.syntax"),
            ("r2dbcs:postgresql://app@db/app", "config.url.scheme"),
            ("r2dbc:pool:postgresql://app@db/app", "config.url.scheme"),
            ("r2dbcs:pool:postgres://app@db/app", "config.url.scheme"),
            ("r2dbc:mysql://app@db/app", "config.url.syntax"),
            (
                "r2dbc:postgresql://db/app?sslMode=require&schema=x",
                "config.url.scheme",
            ),
            (
                "postgresql://db/app?sslMode=require",
                "config.param.unknown",
            ),
            // A semicolon is a space to PDO, in a password too.
            // libpq reads ssl=true in a URL alone; asyncpg wants a mode there.
            (
                "postgresql+psycopg2://db/app?ssl=true",
                "config.param.unknown",
            ),
            (
                "postgresql+asyncpg://db/app?ssl=true",
                "config.param.invalid",
            ),
            ("pgsql:host=db;user=app;password=x;y", "config.url.syntax"),
            ("pgsql:host=db;user=app;password=x;y=z", "config.url.syntax"),
            ("pgsql:host=db;user=app;password='x;y'", "config.url.syntax"),
            ("postgresql://[::1/app", "config.url.syntax"),
            ("host='db", "config.url.syntax"),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_right() {
        for text in [
            "postgresql://app:p%40ss@db/app?sslmode=require",
            "postgresql:///app?host=/tmp",
            "postgres://h1:1,h2:2/app",
            "host=db user=app password='a b'",
            "\n host = db\n user = app\n",
            "jdbc:postgresql://db/app?user=app&password=x&currentSchema=y",
            "postgresql+asyncpg://app:pw@db/app?prepared_statement_cache_size=0",
            "postgresql://app@db/app?ssl=true",
            "postgresql://db/app?options=-c%20search_path%3D%22$user%22",
            "postgresql://app:a$(1)@db/app?application_name=http://x",
            "db",
            "db:5432",
            "postgres",
            "postgres:5432",
            "/var/run/postgresql",
            "[::1]:5432",
            "::1",
            "user=app@tenant host=db",
            "sslrootcert=/a/b host=db",
        ] {
            assert_eq!(code(text), "pass", "{text}");
        }
        assert_eq!(value("[::1]:6432", "host").unwrap(), "::1");
        for (text, mode) in [
            ("r2dbcs:postgresql://db/app", "verify-full"),
            ("r2dbcs:postgresql://db/app?sslMode=REQUIRE", "require"),
            (
                "r2dbc:postgresql://db/app?sslMode=VERIFY_CA&ssl=true",
                "verify-ca",
            ),
            (
                "postgresql+asyncpg://db/app?ssl=verify-ca&timeout=3",
                "verify-ca",
            ),
        ] {
            assert_eq!(value(text, "sslmode").as_deref(), Some(mode), "{text}");
        }
        assert_eq!(value("a:1,b", "port").unwrap(), "1,");
        assert_eq!(value("::1", "host").unwrap(), "::1");
    }

    #[test]
    fn no_piece_of_a_password_is_shown() {
        for text in [
            "postgresql://app:canary@pass@db/app",
            "postgresql://app:canary/pass@db/app",
            "postgresql://app:can%zzary@db/app",
            "postgresql://app:canary pass@db/app",
            "app:canary@db/app",
            "app:canary/pass@db",
            "postgres:canary@db",
            "postgres%3A%2F%2Fapp%3Acanary%40h%2Fx",
            "postgres://postgres://app:canary@127.0.0.1/appdb",
            "postgres://http://h:canary/appdb",
            "postgres://app:x@postgres://app:canary@db/app",
            "postgresql://app:${canary}@db/app",
            "postgresql://db/app?password=canary&canary=x",
            "postgresql://db/app?password=x&canary",
            "host=db password=x canary=y",
            "host=db password=x canary",
            "Host=db;Password=canary",
            "pgsql:host=db;user=app;password=canary",
            "pgsql:host=db;user=app;password=x;canary",
            "pgsql:host=db;password=x canary=y",
            "pgsql:host=db;password=x;canary=y",
            "pgsql:host=db;password='x;canary'",
            "PGSQL:host=db;password=canary",
            "JDBC:postgresql://db/app?password=canary",
            "POSTGRESQL+ASYNCPG://app:canary@db/app",
            "postgresql+asyncpg:app:canary@db/app",
            "r2dbcs:postgresql://app:canary@db/app?password=canary",
            "r2dbc:postgresql://app:canary@db/app",
            "POSTGRESQL://app:canary@db/app?password=canary",
            "cockroachdb://app:canary/pass@db/app",
            "pgsql://app:canary@pass@db/app",
            "jdbc:postgresql://app:canary@db/app",
            "\"postgresql://app:canary@db/app\"",
            "postgresql://app:canary@db/app\n",
            "postgres:/app:canary@db/app",
        ] {
            let shown = match read(text, "TARGET") {
                Ok(reading) => format!("{:?}", reading.warnings),
                Err(finding) => format!("{finding:?} {} {:?}", finding.summary(), finding.fixes()),
            };
            assert!(
                !shown.contains("canary") && !shown.contains("pass@"),
                "{text}: {shown}"
            );
        }
    }
}
