//! The broken URLs that people really write: a reserved character in a
//! password, a template that nobody filled in. Works on the URI's body (what
//! is behind `scheme://`) and shows no piece of a password.

use std::ops::Range;

use super::uri;

/// A URI's body, split where a person most likely meant it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UriShape<'a> {
    /// The user name, as it is written.
    pub user: &'a str,
    /// The password, as it is written.
    pub password: Option<&'a str>,
    /// Hosts, ports, database and parameters.
    pub rest: &'a str,
    /// Where the user information ends, in bytes.
    pub at: Option<usize>,
}

/// What is wrong with a URI's user information.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unescaped {
    /// The characters that are to be encoded, each once.
    pub characters: Vec<char>,
    /// `password` or `user name`.
    pub part: &'static str,
    /// What comes of it.
    pub effect: &'static str,
    /// Whether libpq refuses it or goes to the wrong place.
    pub fatal: bool,
    /// The URI as it should be, the password's other characters left out.
    /// None where another `@` follows: its end may be elsewhere.
    pub form: Option<String>,
}

/// Splits a URI's body where a person most likely meant it: the last `@`
/// before the parameters ends the user information, the first `:` in it ends
/// the user name.
pub fn meant(body: &str) -> UriShape<'_> {
    let at = meant_at(body).max(libpq_at(body));
    let (information, rest) = match at {
        Some(at) => (&body[..at], &body[at + 1..]),
        None => ("", body),
    };
    let (user, password) = match information.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (information, None),
    };
    UriShape {
        user,
        password,
        rest,
        at,
    }
}

/// Where libpq ends the user information: at the first `@`, unless a `/`
/// comes before it.
fn libpq_at(body: &str) -> Option<usize> {
    let at = body.find(['@', '/'])?;
    body[at..].starts_with('@').then_some(at)
}

/// The last `@` before the parameters. What follows a `?` counts as
/// parameters only if an `=` comes before the next `@`.
fn meant_at(body: &str) -> Option<usize> {
    let mut end = body.find('?').unwrap_or(body.len());
    let mut at = body[..end].rfind('@');
    while end < body.len() {
        let rest = &body[end + 1..];
        match rest.find('@') {
            Some(next) if !rest[..next].contains(['=', '&']) => {
                let from = end + 1 + next + 1;
                end = body[from..].find('?').map_or(body.len(), |q| from + q);
                at = body[..end].rfind('@');
            }
            _ => break,
        }
    }
    // A port that is none, and an @ behind the parameters: all of it is the
    // password of a user.
    let place = body.split(['/', '?', '@']).next().unwrap_or_default();
    let port = place.split_once(':').map(|(_, port)| port.trim());
    let no_port = |port: &str| port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit());
    let user = !place.starts_with('[') && port.is_some_and(no_port);
    at.or_else(|| user.then(|| body.rfind('@')).flatten())
}

/// What must be encoded in the user information, if anything.
/// `abstract_socket` says whether an abstract unix socket of that name
/// exists, which is the one thing whose host begins with `@`.
pub fn unescaped(body: &str, abstract_socket: impl Fn(&str) -> bool) -> Option<Unescaped> {
    let shape = meant(body);
    let at = shape.at?;
    let fatal = match libpq_at(body) {
        Some(theirs) if theirs == at => match percent_is_broken(&body[..at]) {
            true => Some("libpq rejects it"),
            false if has_inner_space(&shape) => Some("libpq rejects it"),
            false => None,
        },
        theirs => Some(misread(body, theirs, abstract_socket)?),
    };
    let (mut in_user, mut in_password) = (Vec::new(), Vec::new());
    collect(shape.user, &mut in_user);
    collect(shape.password.unwrap_or_default(), &mut in_password);
    if shape.password.is_some_and(|p| p.contains(':')) {
        push(':', &mut in_password);
    }
    let (part, characters) = match in_password.is_empty() {
        true => ("user name", in_user),
        false => ("password", in_password),
    };
    if characters.is_empty() {
        return None;
    }
    Some(Unescaped {
        form: (!shape.rest.contains('@')).then(|| format!("postgresql://{}", encoded_form(&shape))),
        characters,
        part,
        effect: fatal.unwrap_or("libpq reads it as intended, but other drivers do not"),
        fatal: fatal.is_some(),
    })
}

/// What libpq takes a piece of the password for, where its split (at
/// `theirs`) comes before the one that was meant; `None` where its reading is
/// the likelier one after all.
fn misread(
    body: &str,
    theirs: Option<usize>,
    abstract_socket: impl Fn(&str) -> bool,
) -> Option<&'static str> {
    let tail = &body[theirs.map_or(0, |at| at + 1)..];
    let (hosts, rest) = tail.split_at(tail.find(['/', '?']).unwrap_or(tail.len()));
    if hosts.starts_with('@') && !hosts[1..].contains('@') && abstract_socket(hosts) {
        return None;
    }
    if hosts.contains('@') {
        return Some("part of it is taken as the host");
    }
    let no_port = |item: &str| !port_is_number(item) || (item.ends_with(':') && theirs.is_none());
    if hosts.split(',').any(no_port) {
        return Some("part of it is taken as the port");
    }
    let path = rest.strip_prefix('/').unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    match path.rsplit_once('@') {
        // A database may have an @ in its name; then a host comes before it.
        Some((_, after)) if after.contains('/') || !hosts.split(',').all(plausible_host) => {
            Some("part of it is taken as the database")
        }
        Some(_) => None,
        None => Some("part of it is taken as the parameters"),
    }
}

fn port_is_number(item: &str) -> bool {
    let behind = item.rsplit_once(']').map_or(item, |(_, behind)| behind);
    let port = behind.split_once(':').map_or("", |(_, port)| port);
    port.trim().bytes().all(|b| b.is_ascii_digit())
}

/// Whether it looks like a host and not like a user's name.
fn plausible_host(item: &str) -> bool {
    let host = item.split(':').next().unwrap_or_default();
    item.starts_with('[')
        || host.is_empty()
        || host.contains('.')
        // A socket's directory.
        || host.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("%2f"))
        || host.eq_ignore_ascii_case("localhost")
}

fn percent_is_broken(information: &str) -> bool {
    information.match_indices('%').any(|(at, _)| {
        let digits = information.get(at + 1..at + 3).unwrap_or_default();
        digits.len() != 2 || !digits.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

/// A space inside, which libpq 18 refuses; around the value it drops them.
fn has_inner_space(shape: &UriShape) -> bool {
    let inner = |text: &str| text.trim_matches(' ').contains(' ');
    inner(shape.user) || shape.password.is_some_and(inner)
}

/// The characters that some driver takes for a separator.
fn collect(text: &str, into: &mut Vec<char>) {
    let text = text.trim_matches(' ');
    for c in text
        .chars()
        .filter(|c| matches!(c, '@' | '/' | '#' | '?' | ' '))
    {
        push(c, into);
    }
    if percent_is_broken(text) {
        push('%', into);
    }
}

fn push(c: char, into: &mut Vec<char>) {
    if !into.contains(&c) {
        into.push(c);
    }
}

/// The URI's body with what must be encoded in it encoded, and every run of
/// the password's other characters left out.
fn encoded_form(shape: &UriShape) -> String {
    let mut out = encode_reserved(shape.user);
    if let Some(password) = shape.password {
        out.push(':');
        let mut skipping = false;
        let mut rest = password;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            let digits = rest.get(..2).unwrap_or_default();
            let encoded =
                c == '%' && digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_hexdigit());
            match c {
                '@' | ':' | '/' | '#' | '?' | ' ' | '%' if !encoded => {
                    out.push_str(&encode(c));
                    skipping = false;
                }
                _ if !skipping => {
                    out.push('…');
                    skipping = true;
                }
                _ => {}
            }
        }
    }
    out.push('@');
    out.push_str(without_parameters(shape.rest));
    out
}

/// A part of a URI with what is reserved encoded; what is encoded stays.
fn encode_reserved(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '@' | ':' | '/' | '#' | '?' | ' ' => encode(c),
            c => c.to_string(),
        })
        .collect()
}

fn encode(c: char) -> String {
    uri::encoded(c.to_string().as_bytes())
}

/// How each of these is written: `%40 for @`.
pub fn encodings(characters: &[char]) -> String {
    let named: Vec<_> = characters
        .iter()
        .map(|c| match c {
            ' ' => "%20 for a space".to_owned(),
            c => format!("{} for {c}", encode(*c)),
        })
        .collect();
    named.join(", ")
}

/// The characters as they are said.
pub fn named(characters: &[char]) -> String {
    let named: Vec<_> = characters
        .iter()
        .map(|c| match c {
            ' ' => "a space".to_owned(),
            c => format!("\"{c}\""),
        })
        .collect();
    match named.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => named.concat(),
    }
}

/// What a URI's body may be shown as: its password hidden, its parameters
/// left out, and a port that is no number hidden too, since a password may
/// stand there.
pub fn masked(body: &str) -> String {
    let shape = meant(body);
    let rest = without_parameters(shape.rest);
    match (shape.at, shape.password) {
        (Some(_), Some(_)) => format!("{}:(hidden)@{rest}", encode_reserved(shape.user)),
        (Some(_), None) => format!("{}@{rest}", encode_reserved(shape.user)),
        (None, _) => {
            let (hosts, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            match hosts.split(',').all(port_is_number) {
                true => rest.to_owned(),
                false => {
                    let host = hosts.split(':').next().unwrap_or_default();
                    format!("{host}:(hidden){path}")
                }
            }
        }
    }
}

fn without_parameters(rest: &str) -> &str {
    rest.split('?').next().unwrap_or_default()
}

/// A part of a text that is still a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    /// Where, in bytes.
    pub range: Range<usize>,
    /// As it is written.
    pub text: String,
}

/// Everything in a text that looks like a template. `$NAME`, `%NAME%`,
/// `<name>` and `[NAME]` count only where they fill the space between two of
/// a URI's separators.
pub fn placeholders(text: &str) -> Vec<Placeholder> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let alone = text[..at].ends_with(['/', ':', '@', '?', '=', '&', ',']) || at == 0;
        let length = braces(rest).or_else(|| {
            let length = alone.then(|| whole(rest)).flatten()?;
            let behind = &rest[length..];
            let ends = behind.is_empty()
                || behind.starts_with(['/', ':', '@', '?', '&', ',', '\n', '\r', ' ']);
            ends.then_some(length)
        });
        match length {
            Some(length) => {
                found.push(Placeholder {
                    range: at..at + length,
                    text: rest[..length].to_owned(),
                });
                at += length;
            }
            None => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    found
}

/// `$(NAME)`, `${NAME}`, `${NAME:-default}`, `${{ secrets.NAME }}`, `{{ name }}`, `#{name}`: anywhere.
fn braces(text: &str) -> Option<usize> {
    for (open, close) in [("${{", "}}"), ("{{", "}}"), ("${", "}"), ("#{", "}")] {
        if let Some(inner) = text.strip_prefix(open) {
            let end = inner.find(close)?;
            let name = inner[..end].trim();
            let first = name.chars().next()?;
            let plain = (first.is_ascii_alphabetic() || matches!(first, '_' | '.' | '$'))
                && name.len() <= 80
                && !name.contains(['@', '\n']);
            return plain.then_some(open.len() + end + close.len());
        }
    }
    // Kubernetes leaves a variable that it does not know as it is.
    let name = text.strip_prefix("$(")?;
    let end = name.find(')')?;
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && (2..=80).contains(&end)
        && name[..end].bytes().all(word);
    plain.then_some(end + 3)
}

/// `$NAME`, `%NAME%`, `<name>`, `[YOUR-PASSWORD]`: only where they stand alone.
fn whole(text: &str) -> Option<usize> {
    let word = |text: &str, least: usize, more: &[char]| {
        let end =
            text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || more.contains(&c)));
        let end = end.unwrap_or(text.len());
        let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        (starts && end >= least).then_some(end)
    };
    if let Some(inner) = text.strip_prefix('$') {
        return word(inner, 2, &[]).map(|n| n + 1);
    }
    if let Some(inner) = text.strip_prefix('%') {
        let n = word(inner, 1, &[])?;
        return inner[n..].starts_with('%').then_some(n + 2);
    }
    if let Some(inner) = text.strip_prefix('<') {
        let n = word(inner, 2, &['-', ' ', '.'])?;
        return inner[n..].starts_with('>').then_some(n + 2);
    }
    if let Some(inner) = text.strip_prefix('[') {
        let n = word(inner, 2, &['-', ' '])?;
        let template = ["YOUR", "PASSWORD", "your", "password", "DB", "HOST", "USER"]
            .iter()
            .any(|word| inner[..n].contains(word));
        return (template && inner[n..].starts_with(']')).then_some(n + 2);
    }
    None
}

/// The text with every placeholder replaced by letters, so that the
/// separators within them no longer count.
pub fn neutral(text: &str, placeholders: &[Placeholder]) -> String {
    let mut out = text.to_owned();
    for placeholder in placeholders {
        let letters = "x".repeat(placeholder.range.len());
        out.replace_range(placeholder.range.clone(), &letters);
    }
    out
}

/// Where another URL begins in a URI's body, in the place of its host: at its
/// start, or behind an `@` or a comma.
pub fn url_within(body: &str) -> Option<usize> {
    const SCHEMES: [&str; 11] = [
        "postgres",
        "postgresql",
        "jdbc:postgresql",
        "http",
        "https",
        "ftp",
        "tcp",
        "ssh",
        "mysql",
        "redis",
        "file",
    ];
    let place = body.split('?').next().unwrap_or_default();
    place.match_indices("://").find_map(|(at, _)| {
        let before = &place[..at];
        let start = before.rfind(['@', ',']).map_or(0, |at| at + 1);
        let known = |scheme: &str| before[start..].eq_ignore_ascii_case(scheme);
        SCHEMES.iter().any(|scheme| known(scheme)).then_some(start)
    })
}

/// Which part of a URI's body a byte belongs to.
pub fn part_of(body: &str, at: usize) -> &'static str {
    let shape = meant(body);
    let user = shape.user.len();
    if let Some(end) = shape.at
        && at < end
    {
        return match at <= user {
            true => "user name",
            false => "password",
        };
    }
    let before = &body[shape.at.map_or(0, |end| end + 1)..at];
    match before.find(['/', '?']) {
        None => match before
            .rsplit([',', ']'])
            .next()
            .unwrap_or_default()
            .contains(':')
        {
            true => "port",
            false => "host",
        },
        Some(split) if before[split..].contains('?') => {
            let name = before.rsplit(['?', '&']).next().unwrap_or_default();
            match name {
                "password=" => "password",
                "options=" => "options",
                name if name.starts_with("host=") => "host",
                _ => "parameter",
            }
        }
        Some(_) => "database",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(body: &str) -> Option<Unescaped> {
        unescaped(body, |_| false)
    }

    #[test]
    fn a_misread_password_is_recognised() {
        for (body, effect, form) in [
            ("app:p@ss@db/app", "host", "app:…%40…@db/app"),
            ("app:hunter2/x@db/app", "port", "app:…%2F…@db/app"),
            ("app:12/34@db/app", "database", "app:…%2F…@db/app"),
            ("app:p@s/s@db/app", "database", "app:…%40…%2F…@db/app"),
            (
                "app:p/w?x@db/app?sslmode=require",
                "port",
                "app:…%2F…%3F…@db/app",
            ),
            (
                "app@srv:secret@srv.example/db",
                "host",
                "app%40srv:…@srv.example/db",
            ),
            ("app:pass@@db/app", "host", "app:…%40@db/app"),
            (
                "app:pa@s?w@db/app?sslmode=require",
                "parameters",
                "app:…%40…%3F…@db/app",
            ),
        ] {
            let found = find(body).unwrap_or_else(|| panic!("{body}"));
            assert!(found.fatal, "{body}");
            assert!(found.effect.contains(effect), "{body}: {}", found.effect);
            assert_eq!(found.form, Some(format!("postgresql://{form}")));
        }
        assert_eq!(find("app:p@ss@db/app").unwrap().characters, ['@']);
        assert_eq!(find("app:100%off@db/app").unwrap().characters, ['%']);
        assert!(find("app:100%off@db/app").unwrap().fatal);
        assert!(find("app:a b@db/app").unwrap().fatal);
    }

    #[test]
    fn what_libpq_reads_as_meant_is_a_warning() {
        for (body, character) in [
            ("app:p#ss@db/app", '#'),
            ("app:p:ss@db/app", ':'),
            ("app:p?ss@db/app", '?'),
            ("app:p?s=s@db/app?sslmode=require", '?'),
        ] {
            let found = find(body).unwrap_or_else(|| panic!("{body}"));
            assert!(!found.fatal, "{body}");
            assert_eq!(found.characters, [character]);
        }
    }

    #[test]
    fn what_is_right_is_left_alone() {
        for body in [
            "app:p%40ss@db/app",
            "app@db/app",
            "db/app",
            "app:pw@h1:1,h2:2/db?user=x@y",
            "localhost:5432/my@db",
            "app:pw@db.example.com/my@db",
            "app:pw@[::1]:5432/db",
            "app:p,w!$&'()*+;=@db",
            "/db?host=/tmp&options=-c%20x=a@b",
            "app:[YOUR-PASSWORD]@db.example.com/db",
            "",
            "@",
        ] {
            assert_eq!(find(body), None, "{body}");
        }
        assert_eq!(unescaped("app@@sock/db", |_| true), None);
    }

    #[test]
    fn templates() {
        let texts = |text: &str| -> Vec<String> {
            placeholders(text).into_iter().map(|p| p.text).collect()
        };
        assert_eq!(
            texts("${U}:${P:-x@y}@{{ host }}:$PORT/%DB%"),
            ["${U}", "{{ host }}", "$PORT", "%DB%"]
        );
        assert_eq!(
            texts("<user>:<password>@<host>"),
            ["<user>", "<password>", "<host>"]
        );
        assert_eq!(texts("app:[YOUR-PASSWORD]@db"), ["[YOUR-PASSWORD]"]);
        assert_eq!(texts("${{ secrets.DB }}"), ["${{ secrets.DB }}"]);
        assert_eq!(texts("a$(DB_HOST)b"), ["$(DB_HOST)"]);
        for none in [
            "a$b",
            "my%20db",
            "[::1]:5432",
            "p<q",
            "$",
            "${",
            "%%",
            "${}",
            "$1abc:$",
            "p$(1)",
            "$(a b)",
            "$(",
        ] {
            assert_eq!(texts(none), [""; 0], "{none}");
        }
    }

    #[test]
    fn parts() {
        let body = "user:pw@host:5432/db?sslmode=x&password=y";
        for (needle, part) in [
            ("user", "user name"),
            ("pw", "password"),
            ("host", "host"),
            ("5432", "port"),
            ("db", "database"),
            ("x", "parameter"),
            ("y", "password"),
        ] {
            assert_eq!(part_of(body, body.rfind(needle).unwrap()), part, "{needle}");
        }
    }

    #[test]
    fn nothing_of_a_password_is_shown() {
        for body in [
            "app:canary/pass@db/app",
            "app:canary",
            "app:canarypass/db",
            "app:can@arypass@db?password=canary",
        ] {
            let shown = masked(body);
            assert!(
                !shown.contains("canary") && !shown.contains("arypass"),
                "{shown}"
            );
        }
    }
}
