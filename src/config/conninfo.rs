//! `key=value` connection strings (PostgreSQL documentation, "Keyword/Value
//! Connection Strings").

use super::dsn::{Assignment, Rejected};
use super::{Endpoint, Place, Target};
use crate::secret;

/// Reads a connection string. Which keywords exist is not judged here.
///
/// # Errors
/// A word without `=`, or an unterminated quote, as libpq rejects them.
pub fn parse(text: &str) -> Result<Vec<Assignment>, Rejected> {
    let bytes = text.as_bytes();
    let mut reader = ConninfoReader { bytes, at: 0 };
    let mut out = Vec::new();
    loop {
        reader.skip_blanks();
        if reader.peek().is_none() {
            return Ok(out);
        }
        let start = reader.at;
        let name = reader.until(|b| b == b'=' || is_space(b));
        reader.skip_blanks();
        if reader.peek() != Some(b'=') {
            return Err(Rejected::new("a word without \"=\" after it", text, start));
        }
        reader.at += 1;
        reader.skip_blanks();
        let quoted = reader.peek() == Some(b'\'');
        let opened = reader.at;
        let value = match quoted {
            true => reader
                .quoted()
                .ok_or_else(|| Rejected::new("an unterminated quote", text, opened))?,
            false => reader.bare(),
        };
        out.push(Assignment {
            name: String::from_utf8_lossy(name).into_owned(),
            value,
        });
    }
}

/// What C's `isspace` takes for blank.
pub fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t'..=b'\r')
}

struct ConninfoReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> ConninfoReader<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let b = self.peek()?;
        self.at += 1;
        Some(b)
    }

    fn skip_blanks(&mut self) {
        self.until(|b| !is_space(b));
    }

    /// Everything before the first byte that ends it.
    fn until(&mut self, ends: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|b| ends(*b)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// A value without quotes: up to a blank; a backslash takes the next byte as it is.
    fn bare(&mut self) -> Vec<u8> {
        let mut value = Vec::new();
        while let Some(b) = self.next() {
            match b {
                b if is_space(b) => break,
                b'\\' => value.extend(self.next()),
                b => value.push(b),
            }
        }
        value
    }

    /// A value in single quotes; `None` if they are not closed.
    fn quoted(&mut self) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        self.at += 1;
        loop {
            match self.next()? {
                b'\'' => return Some(value),
                b'\\' => value.extend(self.next()),
                b => value.push(b),
            }
        }
    }
}

/// A setting as it stands in a connection string, quoted where it has to be
/// (PostgreSQL documentation, "Keyword/Value Connection Strings").
pub fn setting(name: &str, value: &str) -> String {
    let special = |c: char| c.is_whitespace() || matches!(c, '\'' | '\\');
    match value.is_empty() || value.contains(special) {
        true => format!(
            "{name}='{}'",
            value.replace('\\', "\\\\").replace('\'', "\\'")
        ),
        false => format!("{name}={value}"),
    }
}

/// The target's settings as a connection string without its secrets, with this
/// one of its hosts, some of them replaced.
pub fn of(target: &Target, endpoint: &Endpoint, replaced: &[(&str, &str)]) -> String {
    let port = endpoint.port.to_string();
    let address = match &endpoint.place {
        // An address that was given; a name is looked up again.
        place @ Place::Ip(ip, _) if *place != Place::of_host(&endpoint.host) => ip.to_string(),
        _ => String::new(),
    };
    let mut settings: Vec<(&str, &str)> = vec![
        ("host", &endpoint.host),
        ("hostaddr", &address),
        ("port", &port),
    ];
    for (name, given) in &target.report.parameters {
        let kept = !matches!(
            name.as_str(),
            "host" | "hostaddr" | "port" | "password" | "sslpassword" | "service"
        ) && given.origin.kind != "default"
            && given.value != secret::HIDDEN;
        if kept || matches!(name.as_str(), "user" | "dbname") {
            settings.push((name, &given.value));
        }
    }
    for &(name, value) in replaced {
        match settings.iter_mut().find(|(known, _)| *known == name) {
            Some(setting) => setting.1 = value,
            None => settings.push((name, value)),
        }
    }
    let words = settings
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| setting(name, value));
    words.collect::<Vec<_>>().join(" ")
}

/// The psql command with the settings of [`of`]; `None` where a shell cannot
/// be told them.
pub fn psql(target: &Target, endpoint: &Endpoint, replaced: &[(&str, &str)]) -> Option<String> {
    let conninfo = of(target, endpoint, replaced);
    Some(format!("psql {}", shlex::try_quote(&conninfo).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        parse(text)
            .unwrap()
            .into_iter()
            .map(|a| (a.name, String::from_utf8(a.value).unwrap()))
            .collect()
    }

    #[test]
    fn settings_are_read_as_they_were_written() {
        for value in [
            "a",
            "",
            "it's me",
            "a\\b",
            "a\tb\nc",
            "-c x='y z'",
            "'",
            "\\",
        ] {
            let text = [setting("user", value), setting("dbname", "x")].join(" ");
            let read = read(&text);
            assert_eq!(read[0], ("user".to_owned(), value.to_owned()), "{text}");
            assert_eq!(read.len(), 2, "{text}");
        }
    }

    #[test]
    fn quotes_backslashes_and_blanks() {
        assert_eq!(
            read("host = a\tport=5\n user='it\\'s me' dbname=x\\ y password= "),
            [
                ("host", "a"),
                ("port", "5"),
                ("user", "it's me"),
                ("dbname", "x y"),
                ("password", "")
            ]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
    }

    #[test]
    fn what_is_rejected() {
        assert!(parse("host=a b").is_err());
        assert!(parse("host='a").is_err());
        assert!(parse("host='a\\'").is_err());
        assert!(parse("").unwrap().is_empty());
    }
}
