//! Connection URIs (PostgreSQL documentation, "Connection URIs"), split and
//! decoded exactly as libpq 18 does: the user information ends at the first
//! `@` before any `/`, blanks around a part are dropped, and nothing else is
//! checked here.

use super::dsn::{Assignment, Rejected};

/// What is before the authority, in the only case that libpq knows.
pub const PREFIXES: [&str; 2] = ["postgresql://", "postgres://"];

/// The URI's rest after its prefix; `None` if it has none.
pub fn strip_prefix(text: &str) -> Option<&str> {
    PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix))
}

/// Reads a URI as libpq does, to which JDBC's `ssl=true` is `sslmode=require`. Which
/// parameters exist is not judged here.
///
/// # Errors
/// What libpq rejects, with the place.
pub fn parse(text: &str) -> Result<Vec<Assignment>, Rejected> {
    let read = written(text)?;
    let translated = read.into_iter().map(|one| match one.name.as_str() {
        "ssl" if one.value == b"true" => Assignment::new("sslmode", "require"),
        _ => one,
    });
    Ok(translated.collect())
}

/// Reads a URI's parameters as they are written, for a driver that is not libpq.
///
/// # Errors
/// What libpq rejects, with the place.
pub fn written(text: &str) -> Result<Vec<Assignment>, Rejected> {
    let mut reader = UriReader {
        text,
        at: text.len() - strip_prefix(text).unwrap_or(text).len(),
        out: Vec::new(),
    };
    reader.user_information()?;
    reader.hosts()?;
    if reader.eat('/') {
        reader.part("dbname", |c| c == '?')?;
    }
    if reader.eat('?') {
        reader.parameters()?;
    }
    Ok(reader.out)
}

struct UriReader<'a> {
    text: &'a str,
    at: usize,
    out: Vec<Assignment>,
}

impl<'a> UriReader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    /// Everything before the first character that ends it.
    fn until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let part = rest.get(..rest.find(ends).unwrap_or(rest.len()));
        let part = part.unwrap_or_default();
        self.at += part.len();
        part
    }

    /// A part of the URI; an empty one counts as not given.
    fn part(&mut self, name: &str, ends: impl Fn(char) -> bool) -> Result<(), Rejected> {
        let start = self.at;
        let raw = self.until(ends);
        self.store(name, raw, start)
    }

    fn store(&mut self, name: &str, raw: &str, start: usize) -> Result<(), Rejected> {
        if !raw.is_empty() {
            let value = self.decoded(raw, start)?;
            self.out.push(Assignment {
                name: name.to_owned(),
                value,
            });
        }
        Ok(())
    }

    fn user_information(&mut self) -> Result<(), Rejected> {
        let rest = self.rest();
        let ahead = rest.find(['@', '/']);
        if !ahead.is_some_and(|at| rest[at..].starts_with('@')) {
            return Ok(());
        }
        self.part("user", |c| c == ':' || c == '@')?;
        if self.eat(':') {
            self.part("password", |c| c == '@')?;
        }
        self.eat('@');
        Ok(())
    }

    /// The hosts and their ports; both lists keep their empty entries.
    fn hosts(&mut self) -> Result<(), Rejected> {
        let start = self.at;
        let (mut hosts, mut ports) = (String::new(), String::new());
        loop {
            if self.eat('[') {
                hosts.push_str(self.bracketed()?);
            } else {
                hosts.push_str(self.until(|c| matches!(c, ':' | '/' | '?' | ',')));
            }
            if self.eat(':') {
                ports.push_str(self.until(|c| matches!(c, '/' | '?' | ',')));
            }
            if !self.eat(',') {
                break;
            }
            hosts.push(',');
            ports.push(',');
        }
        self.store("host", &hosts, start)?;
        self.store("port", &ports, start)
    }

    /// An IPv6 address, behind its opening bracket.
    fn bracketed(&mut self) -> Result<&'a str, Rejected> {
        let start = self.at;
        let host = self.until(|c| c == ']');
        if !self.eat(']') {
            return Err(Rejected::new(
                "an IPv6 address without its closing \"]\"",
                self.text,
                start - 1,
            ));
        }
        if host.is_empty() {
            return Err(Rejected::new("an empty IPv6 address", self.text, start - 1));
        }
        match self.peek() {
            None | Some(':' | '/' | '?' | ',') => Ok(host),
            Some(_) => Err(Rejected::new(
                "something other than \":\" or \"/\" after an IPv6 address",
                self.text,
                self.at,
            )),
        }
    }

    fn parameters(&mut self) -> Result<(), Rejected> {
        while !self.rest().is_empty() {
            let start = self.at;
            let pair = self.until(|c| c == '&');
            let end = self.at;
            self.eat('&');
            let Some((name, value)) = pair.split_once('=') else {
                return Err(Rejected::new("a parameter without \"=\"", self.text, start));
            };
            if let Some(second) = value.find('=') {
                return Err(Rejected::new(
                    "a second \"=\" in a parameter",
                    self.text,
                    end - value.len() + second,
                ));
            }
            let name = String::from_utf8_lossy(&self.decoded(name, start)?).into_owned();
            let value = self.decoded(value, end - value.len())?;
            self.out.push(Assignment { name, value });
        }
        Ok(())
    }

    /// Percent-decoding; spaces around the value are dropped, one within it
    /// is refused.
    fn decoded(&self, raw: &str, start: usize) -> Result<Vec<u8>, Rejected> {
        let trimmed = raw.trim_matches(' ');
        let lead = raw.len() - raw.trim_start_matches(' ').len();
        let bytes = trimmed.as_bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while let Some(&b) = bytes.get(at) {
            let rejected = |problem| Rejected::new(problem, self.text, start + lead + at);
            match b {
                b' ' => return Err(rejected("a space that is not written as %20").spaced()),
                b'%' => {
                    let digit = |at: usize| bytes.get(at).and_then(|b| (*b as char).to_digit(16));
                    match (digit(at + 1), digit(at + 2)) {
                        (Some(0), Some(0)) => return Err(rejected("the forbidden value %00")),
                        (Some(high), Some(low)) => out.push((high * 16 + low) as u8),
                        _ => {
                            return Err(rejected(
                                "a \"%\" that is not followed by two hexadecimal digits",
                            )
                            .percent());
                        }
                    }
                    at += 3;
                    continue;
                }
                b => out.push(b),
            }
            at += 1;
        }
        Ok(out)
    }
}

/// Bytes as they are written in a part of a URI: everything but the
/// unreserved characters of RFC 3986 is percent-encoded.
pub fn encoded(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &b in bytes {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(b));
            }
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
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

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected
            .iter()
            .map(|(a, b)| (a.to_string(), b.to_string()))
            .collect()
    }

    #[test]
    fn parts() {
        assert_eq!(
            read("postgresql://u%40x:p%2Fw@h1:1,[fe80::1%25lo]:2,h3/d%20b?sslmode=require&user=v"),
            pairs(&[
                ("user", "u@x"),
                ("password", "p/w"),
                ("host", "h1,fe80::1%lo,h3"),
                ("port", "1,2,"),
                ("dbname", "d b"),
                ("sslmode", "require"),
                ("user", "v"),
            ])
        );
        assert_eq!(read("postgres://"), []);
        assert_eq!(read("postgres://u:@/"), pairs(&[("user", "u")]));
        assert_eq!(
            read("postgres://h?ssl=true&host="),
            pairs(&[("host", "h"), ("sslmode", "require"), ("host", "")])
        );
    }

    #[test]
    fn what_is_rejected() {
        for bad in [
            "postgres://h/%zz",
            "postgres://h/%0",
            "postgres://h/%00",
            "postgres://[::1/",
            "postgres://[]/",
            "postgres://[::1]x/",
            "postgres://h/d?a",
            "postgres://h/d?a=b=c",
            "postgres://u:p w@h",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn encoding_is_undone_by_decoding() {
        let bytes = b"a b/@:%\xc3\xa9";
        let uri = format!("postgres://{}@h", encoded(bytes));
        assert_eq!(parse(&uri).unwrap()[0].value, bytes);
    }
}
