//! Password files (PostgreSQL documentation, "The Password File").

/// What a line must match.
#[derive(Clone, Copy, Debug)]
pub struct PassfileQuery<'a> {
    /// The host as it was given, `localhost` for the default socket directory.
    pub host: &'a str,
    /// The port as it was given.
    pub port: &'a str,
    /// The database.
    pub dbname: &'a str,
    /// The user.
    pub user: &'a str,
}

impl PassfileQuery<'_> {
    fn fields(&self) -> [(&'static str, &str); 4] {
        [
            ("host", self.host),
            ("port", self.port),
            ("database", self.dbname),
            ("user", self.user),
        ]
    }

    /// The line's beginning that would match.
    pub fn as_line(&self) -> String {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace(':', "\\:");
        self.fields().map(|(_, value)| escaped(value)).join(":")
    }
}

/// Whether libpq takes the last field of this line for shorter than it is written: a colon in a
/// password ends it unless a backslash stands before it.
pub fn is_cut(file: &[u8], number: usize) -> bool {
    let line = lines(file).find(|(at, _)| *at == number);
    line.is_some_and(|(_, line)| {
        let mut rest = Some(line.as_slice());
        for _ in 0..5 {
            rest = rest.and_then(after_field);
        }
        rest.is_some_and(|behind| !behind.is_empty())
    })
}

/// The first line that matches: its number, from 1, and its password.
pub fn find(file: &[u8], wanted: &PassfileQuery) -> Option<(usize, Vec<u8>)> {
    lines(file).find_map(|(number, line)| {
        let rest = wanted
            .fields()
            .iter()
            .try_fold(line.as_slice(), |rest, (_, token)| {
                matched(rest, token.as_bytes())
            })?;
        Some((number, password(rest)))
    })
}

/// The line that misses by the fewest fields: its number and what differs.
/// Nothing of the line itself is shown but its number.
pub fn nearest(file: &[u8], wanted: &PassfileQuery) -> Option<(usize, Vec<&'static str>)> {
    lines(file)
        .filter_map(|(number, line)| {
            let mut rest = line.as_slice();
            let mut differs = Vec::new();
            for (name, token) in wanted.fields() {
                match matched(rest, token.as_bytes()) {
                    Some(after) => rest = after,
                    None => {
                        differs.push(name);
                        rest = after_field(rest)?;
                    }
                }
            }
            Some((number, differs))
        })
        .filter(|(_, differs)| differs.len() <= 2)
        .min_by_key(|(_, differs)| differs.len())
}

/// The lines that count, without their ends. Of a line with a zero byte libpq
/// sees no end: what is before the zero stands before the next line.
fn lines(file: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    let mut before = Vec::new();
    let last = file.iter().filter(|b| **b == b'\n').count();
    file.split(|b| *b == b'\n')
        .enumerate()
        .filter_map(move |(at, line)| {
            let zero = line.iter().position(|b| *b == 0);
            before.extend_from_slice(line.get(..zero.unwrap_or(line.len())).unwrap_or_default());
            // The file's end ends a line all the same.
            if zero.is_some() && at < last {
                return None;
            }
            let mut whole = std::mem::take(&mut before);
            let end = whole.iter().rposition(|b| *b != b'\r');
            whole.truncate(end.map_or(0, |end| end + 1));
            Some((at + 1, whole))
        })
        .filter(|(_, line)| !line.is_empty() && line.first() != Some(&b'#'))
}

/// The rest of the line behind a field that matches the token.
fn matched<'a>(line: &'a [u8], token: &[u8]) -> Option<&'a [u8]> {
    if let Some(rest) = line.strip_prefix(b"*:") {
        return Some(rest);
    }
    let mut rest = line;
    let mut token = token;
    loop {
        let (&b, after) = rest.split_first()?;
        if b == b':' && token.is_empty() {
            return Some(after);
        }
        let (b, after) = match (b, after.split_first()) {
            (b'\\', Some((&escaped, after))) => (escaped, after),
            (b'\\', None) => return None,
            _ => (b, after),
        };
        let (&t, token_after) = token.split_first()?;
        if b != t {
            return None;
        }
        (rest, token) = (after, token_after);
    }
}

/// The rest behind the next field, whatever it holds.
fn after_field(line: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    while let Some(b) = line.get(at) {
        match b {
            b':' => return line.get(at + 1..),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// The last field, up to a colon that is not escaped.
fn password(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = field.iter().copied();
    while let Some(b) = bytes.next() {
        match b {
            b':' => break,
            b'\\' => out.push(bytes.next().unwrap_or(b'\\')),
            b => out.push(b),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: PassfileQuery = PassfileQuery {
        host: "db",
        port: "5432",
        dbname: "orders",
        user: "app",
    };

    #[test]
    fn the_first_match_counts() {
        let file = b"# x\ndb:5433:*:*:no\n\n*:*:orders:app:se\\:cr\\\\et:rest\r\ndb:5432:orders:app:late\n";
        assert_eq!(find(file, &WANTED), Some((4, b"se:cr\\et".to_vec())));
        assert_eq!(find(b"db:5432:orders:app", &WANTED), None);
        // As libpq reads it, line by line with fgets.
        let after_zero = |first: &[u8]| {
            let file = [first, b"\n*:*:*:*:a\ndb:*:*:*:b\n"].concat();
            find(&file, &WANTED)
        };
        assert_eq!(after_zero(b"x\0y"), Some((3, b"b".to_vec())));
        assert_eq!(after_zero(b"# \0"), Some((3, b"b".to_vec())));
        assert_eq!(find(b"db:*:*:*:a\0b", &WANTED), Some((1, b"a".to_vec())));
        assert_eq!(after_zero(b"\0"), Some((2, b"a".to_vec())));
        assert_eq!(find(b"db:5432:orders:app:", &WANTED), Some((1, vec![])));
        assert_eq!(find(b"d\\b:*:*:*:x\\", &WANTED), Some((1, b"x\\".to_vec())));
    }

    #[test]
    fn a_colon_that_is_not_escaped_is_seen() {
        for (line, cut) in [
            ("h:5432:d:u:secret", false),
            ("h:5432:d:u:se\\:cret", false),
            ("h:5432:d:u:se:cret", true),
            ("*:*:*:*:se:c:ret", true),
            ("h:5432:d:u:secret:", false),
            ("\\:\\:1:5432:d:u:secret", false),
        ] {
            assert_eq!(is_cut(line.as_bytes(), 1), cut, "{line}");
        }
    }

    #[test]
    fn the_nearest_miss_is_named() {
        let file = b"other:1:x:y:no\ndb:6432:orders:app:no\n";
        assert_eq!(nearest(file, &WANTED), Some((2, vec!["port"])));
        assert_eq!(nearest(b"nonsense", &WANTED), None);
    }

    #[test]
    fn the_wanted_line_escapes() {
        let wanted = PassfileQuery {
            host: "::1",
            ..WANTED
        };
        assert_eq!(wanted.as_line(), "\\:\\:1:5432:orders:app");
    }
}
