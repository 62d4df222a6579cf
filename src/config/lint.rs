//! Values that can hardly be meant as they stand: a URL as host, a template,
//! blanks from a secrets file.

use super::driver;
use super::origin::Origin;
use super::parse::{self, around};
use super::resolve::Resolver;
use super::url_repair::{self, Placeholder};
use crate::cause::config as cause;
use crate::finding::Finding;

/// The parameters whose values are names or secrets, and what they are called.
const NAMES: &[(&str, &str)] = &[
    ("host", "host"),
    ("hostaddr", "hostaddr"),
    ("port", "port"),
    ("user", "user name"),
    ("dbname", "database"),
    ("password", "password"),
    ("sslmode", "sslmode"),
    ("service", "service"),
    ("passfile", "passfile"),
    ("sslrootcert", "sslrootcert"),
    ("sslcert", "sslcert"),
    ("sslkey", "sslkey"),
    ("sslcrl", "sslcrl"),
    ("sslpassword", "sslpassword"),
];

impl Resolver<'_> {
    /// Looks at every value that counts.
    ///
    /// # Errors
    /// The first that cannot be meant: a template, or more than a name as host.
    pub(super) fn doubt(&mut self) -> Result<(), Finding> {
        for (name, called) in NAMES {
            let Some(given) = self.parameters.get(name) else {
                continue;
            };
            if given.origin == Origin::Default {
                continue;
            }
            let source = self.spoken(&given.origin);
            let text = given.text();
            if matches!(*name, "password" | "sslpassword") {
                let finding = match given.origin {
                    Origin::Prompt => of_line_end(&text, &source),
                    _ => of_password(&given.value, &source),
                };
                if let Some(finding) = finding.filter(|finding| !self.told(finding)) {
                    self.record.warn(finding);
                }
                continue;
            }
            // The entries of a host list are looked at one by one later on.
            let apart = |found: &Placeholder| *name == "host" && !found.text.contains(',');
            let templates = url_repair::placeholders(&text);
            if let Some(found) = templates.iter().find(|found| !apart(found)) {
                return Err(parse::placeholder(called, &found.text, &source));
            }
            if *name == "dbname" && driver::scheme(&text).is_some() {
                return Err(Finding::new(&cause::PARAM_INVALID)
                    .with("parameter", "dbname")
                    .with("source", source)
                    .with("value", "a whole URL")
                    .with("problem", "libpq takes it as the database name")
                    .with(
                        "allowed",
                        "the database name, and pass the URL as the target",
                    ));
            }
            if let Some(found) = around(&text) {
                let effect = match *name {
                    "port" => "libpq ignores whitespace around a number",
                    _ => "libpq takes it as part of the value",
                };
                let finding =
                    parse::whitespace(called, &source, &text, effect).with("found", found);
                if !self.told(&finding) {
                    self.record.warn(finding);
                }
            }
        }
        Ok(())
    }

    /// Whether the reading of the target has told of the same already: of a
    /// template, or of what stands behind a whole URL.
    fn told(&self, finding: &Finding) -> bool {
        let same = |what: &str, known: &Finding| {
            known
                .evidence
                .get(what)
                .is_some_and(|value| Some(value) == finding.evidence.get(what))
        };
        self.record.findings.iter().any(|known| {
            let whole = known
                .evidence
                .get("parameter")
                .is_some_and(|p| p == "connection URL");
            let template = known.cause == &cause::URL_PLACEHOLDER && same("part", known);
            known.cause == finding.cause
                && same("source", known)
                && (template || whole && same("found", known))
        })
    }
}

/// What is doubtful about a password; it is used as it stands.
pub fn of_password(value: &[u8], source: &str) -> Option<Finding> {
    let text = String::from_utf8_lossy(value);
    if let Some(found) = url_repair::placeholders(&text).first() {
        return Some(parse::placeholder("password", &found.text, source).as_warning());
    }
    around(&text).map(|found| {
        let effect = "libpq takes it as part of the password";
        parse::whitespace("password", source, &text, effect).with("found", found)
    })
}

/// A line end behind a password that was written out and encoded.
fn of_line_end(text: &str, source: &str) -> Option<Finding> {
    text.ends_with(['\n', '\r']).then(|| {
        let effect = "libpq takes it as part of the password";
        parse::whitespace("password", source, text, effect)
            .with("found", around(text).unwrap_or("a trailing newline"))
    })
}

/// What is no host name where one belongs: a template, or more than a name.
/// libpq finds no address for it, and tries the next entry of the list.
pub fn no_host(host: &str, source: &str) -> Result<(), Finding> {
    match url_repair::placeholders(host).first() {
        Some(found) => Err(parse::placeholder("host", &found.text, source)),
        None => in_host(host, source),
    }
}

/// More than a host name where one belongs.
pub fn in_host(host: &str, source: &str) -> Result<(), Finding> {
    if host.starts_with(['/', '@']) {
        return Ok(());
    }
    let host = host.trim();
    let finding = |what: &str, name: &str, port: &str| {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Err(Finding::new(&cause::URL_IN_HOST)
            .with("source", source.to_owned())
            .with("what", what.to_owned())
            .word("url", what.contains("URL").then_some("the URL"))
            .with("host", given(name))
            .word("alone", given(name).filter(|_| port.is_empty()))
            .with("port", given(port)))
    };
    // Behind the last @ stands the host, whatever is before it.
    let bare = |rest: &str| -> (String, String) {
        let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
        let place = rest.split(['/', '?']).next().unwrap_or_default();
        match place.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
                (name.to_owned(), port.to_owned())
            }
            _ if place.starts_with('[') => (place.to_owned(), "5432".to_owned()),
            // What is no port may be a password.
            _ => {
                let name = place.split(':').next().unwrap_or_default();
                (name.to_owned(), "5432".to_owned())
            }
        }
    };
    let url = driver::scheme(host).map(|(_, rest)| rest);
    let url = url.or_else(|| host.strip_prefix("jdbc:postgresql://"));
    if let Some(rest) = url {
        let (name, port) = bare(rest);
        return finding("a whole URL", &name, &port);
    }
    if host.contains('@') {
        let (name, port) = bare(host);
        return finding("a user name and a host", &name, &port);
    }
    if let Some(inner) = host.strip_prefix('[') {
        let (name, port) = inner.split_once(']').unwrap_or((inner, ""));
        let port = port.strip_prefix(':').unwrap_or_default();
        let what = match name.contains(':') {
            true => "an IPv6 address in brackets",
            false => "a host in brackets",
        };
        return finding(what, name, port);
    }
    if let Some(folder) = relative_folder(host) {
        return Err(Finding::new(&cause::URL_IN_HOST)
            .with("source", source.to_owned())
            .with("what", "a path that does not begin with /".to_owned())
            .word("folder", folder));
    }
    if let Some((name, _)) = host.split_once('/') {
        let (name, port) = name.split_once(':').unwrap_or((name, ""));
        return finding("a host and a path", name, port);
    }
    match host.split_once(':') {
        Some((name, port)) if !port.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => {
            finding("a host and a port", name, port)
        }
        _ => Ok(()),
    }
}

/// What to write for a socket directory whose path is not absolute, which libpq
/// takes for a host name.
fn relative_folder(host: &str) -> Option<String> {
    const TOP: [&str; 5] = ["var", "run", "tmp", "home", "cloudsql"];
    let (first, _) = host.split_once('/')?;
    match first {
        "." | ".." => Some("its full path".to_owned()),
        home if home.starts_with('~') => Some("its full path (~ is not expanded)".to_owned()),
        top if TOP.contains(&top) => Some(format!("/{host}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_name() {
        for (host, name, port) in [
            ("db:6432", "db", "6432"),
            ("postgresql://app:canary@db:6432/x", "db", "6432"),
            ("jdbc:postgresql://db/x", "db", "5432"),
            ("[::1]:6432", "::1", "6432"),
            ("app:canary@db", "db", "5432"),
            ("https://db.test/", "db.test", "5432"),
        ] {
            let finding = in_host(host, "PGHOST").unwrap_err();
            assert_eq!(finding.evidence["host"], name, "{host}");
            assert_eq!(finding.evidence["port"], port, "{host}");
            assert!(!format!("{finding:?}").contains("canary"));
        }
        // Where it names no port, the one that is set counts.
        for (host, name) in [("[::1]", "::1"), ("[db]", "db"), ("db/app", "db")] {
            let finding = in_host(host, "PGHOST").unwrap_err();
            assert_eq!(finding.evidence["host"], name, "{host}");
            assert!(!finding.fills("port"), "{host}");
        }
        for (host, folder) in [
            ("~/sock", "its full path (~ is not expanded)"),
            ("~ops/sock", "its full path (~ is not expanded)"),
            ("./sock", "its full path"),
            ("../run/postgresql", "its full path"),
            ("var/run/postgresql", "/var/run/postgresql"),
            ("cloudsql/p:europe-west1:i", "/cloudsql/p:europe-west1:i"),
        ] {
            let finding = in_host(host, "PGHOST").unwrap_err();
            let fix = &finding.fixes()[0].text;
            assert!(fix.contains(&format!("to {folder}")), "{host}: {fix}");
            assert!(!finding.fills("host"), "{host}");
        }
        for host in [
            "db",
            "::1",
            "fe80::1%lo",
            "/tmp",
            "@x",
            "db.test",
            "",
            "a b",
            "1:2:3",
        ] {
            assert!(in_host(host, "PGHOST").is_ok(), "{host}");
        }
    }

    #[test]
    fn passwords() {
        let code = |text: &str| of_password(text.as_bytes(), "PGPASSWORD").map(|f| f.cause.code);
        assert_eq!(code("canary\n"), Some("config.whitespace"));
        assert_eq!(code("'canary'"), Some("config.whitespace"));
        assert_eq!(code("${SECRET}"), Some("config.url.placeholder"));
        assert_eq!(code("can'ary\""), None);
        assert_eq!(code("p@$$w0rd"), None);
    }
}
