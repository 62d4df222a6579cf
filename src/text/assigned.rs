//! Passwords that a text assigns: `password=…` of a connection string, a
//! variable or a query, `"password": "…"` of JSON. Whole strings of settings
//! are given where a name belongs.

use crate::secret::HIDDEN;

/// How the names of secret settings end.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "pass",
    // Misspelt, and other programs' words for it.
    "pasword",
    "passwrd",
    "passwort",
    "passord",
    "pswd",
    "pw",
    "secret",
];

/// Text without the values of the passwords in it. What stands for a value
/// already is left.
pub(super) fn hide(text: String) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::new();
    let mut kept = 0;
    for (at, _) in lower.match_indices(['p', 's']) {
        let name = at >= kept && begins_name(&lower, at);
        let length = |name: &&&str| name.len();
        let names = NAMES.iter().filter(|name| lower[at..].starts_with(**name));
        if let Some(name) = names.max_by_key(length).filter(|_| name)
            && let Some((from, to)) = value(&text, at + name.len())
            && !is_stand_in(&text[from..to])
        {
            out.push_str(&text[kept..from]);
            out.push_str(HIDDEN);
            kept = to;
        }
    }
    if kept == 0 {
        return text;
    }
    out.push_str(&text[kept..]);
    out
}

/// Whether a name may begin there: `sslpassword` and `PGPASSWORD` are names of
/// passwords, `bypass` is none.
fn begins_name(lower: &str, at: usize) -> bool {
    let before = &lower[..at];
    !before.ends_with(|c: char| c.is_alphanumeric())
        || before.ends_with("ssl")
        || before.ends_with("pg")
}

/// Where the value of a name stands that ends at `at`.
fn value(text: &str, at: usize) -> Option<(usize, usize)> {
    let mut rest = &text[at..];
    let quoted = rest.starts_with(['"', '\'']);
    if quoted {
        rest = &rest[1..];
    }
    rest = rest.trim_start().strip_prefix(match quoted {
        true => [':', '='].as_slice(),
        // A colon that a blank follows may be a sentence's.
        false if rest.trim_start().starts_with(':') && !is_assigned(&text[..at], rest) => {
            return None;
        }
        false => ['=', ':'].as_slice(),
    })?;
    let blank = rest.len() - rest.trim_start().len();
    rest = rest.trim_start();
    // Nothing is assigned where the next setting follows.
    if blank > 0 && end_of_name(rest).is_some() {
        return None;
    }
    if let Some(quote @ ('"' | '\'')) = rest.chars().next() {
        let from = text.len() - rest.len() + 1;
        return Some((from, from + end_of_quoted(&rest[1..], quote)));
    }
    let from = text.len() - rest.len();
    Some((from, from + end_of_plain(rest)))
}

/// Whether a colon assigns: something follows it at once, and no cast of SQL's.
/// A quote that was opened before it ends there, as that of a quoted prompt.
fn is_assigned(before: &str, text: &str) -> bool {
    let next = text.strip_prefix(':').and_then(|rest| rest.chars().next());
    next.is_some_and(|c| match c {
        '"' | '\'' => before.matches(c).count() % 2 == 0,
        c => c.is_alphanumeric() || c == '$',
    })
}

fn end_of_quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    let end = text.find(|c| {
        let closes = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    });
    end.unwrap_or(text.len())
}

/// Up to the next blank, or to a separator with another name behind it.
fn end_of_plain(text: &str) -> usize {
    let separates = |(at, c): (usize, char)| {
        let named = || end_of_name(&text[at + c.len_utf8()..]).is_some();
        c.is_whitespace() || matches!(c, '&' | ';' | ',') && named()
    };
    let end = text.char_indices().find(|&found| separates(found));
    end.map_or(text.len(), |(at, _)| at)
}

/// The end of the name that a text begins with, where one is assigned to.
fn end_of_name(text: &str) -> Option<usize> {
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let end = text.find(|c| !of_name(c)).filter(|end| *end > 0)?;
    text[end..].starts_with('=').then_some(end)
}

/// Whether it stands for a value: a word in capital letters, a variable.
fn is_stand_in(value: &str) -> bool {
    let variable = value
        .strip_prefix("${")
        .and_then(|name| name.strip_suffix('}'))
        .or_else(|| value.strip_prefix('$'));
    let is_name = |name: &str| {
        name.chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    ["", "PASSWORD", "PASSPHRASE", HIDDEN].contains(&value)
        || value.starts_with('…')
        || variable.is_some_and(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_in_the_wrong_place_gives_nothing_away() {
        for (given, shown) in [
            (
                "host=a password=tiger port=1",
                "host=a password=(hidden) port=1",
            ),
            ("password = 'ti ger' port=1", "password = '(hidden)' port=1"),
            ("it asks \"Password:\" twice", "it asks \"Password:\" twice"),
            ("'Password:' or \"a\"", "'Password:' or \"a\""),
            ("password:\"ti ger\" x", "password:\"(hidden)\" x"),
            ("password='ti\\'ger' x", "password='(hidden)' x"),
            ("password='tiger dbname=x", "password='(hidden)"),
            (
                "Host=a;Password=ti;ger;Database=b",
                "Host=a;Password=(hidden);Database=b",
            ),
            (
                "//h/db?user=a&password=ti&ger&ssl=on",
                "//h/db?user=a&password=(hidden)&ssl=on",
            ),
            ("app;password=tiger", "app;password=(hidden)"),
            ("PGPASSWORD=tiger psql", "PGPASSWORD=(hidden) psql"),
            ("DB_PASSWORD=\"tiger\"", "DB_PASSWORD=\"(hidden)\""),
            ("sslpassword=tiger", "sslpassword=(hidden)"),
            ("host=h pasword=tiger", "host=h pasword=(hidden)"),
            ("host=h passwrd=tiger x", "host=h passwrd=(hidden) x"),
            ("host=h secret=tiger", "host=h secret=(hidden)"),
            ("host=h password:tiger", "host=h password:(hidden)"),
            ("secrets=a app=b up=c", "secrets=a app=b up=c"),
            ("the password::text", "the password::text"),
            (
                "{\"password\": \"tiger\", \"a\": 1}",
                "{\"password\": \"(hidden)\", \"a\": 1}",
            ),
            ("pwd=tiger pass=tiger", "pwd=(hidden) pass=(hidden)"),
            // Stand-ins and sentences.
            ("password=$PGPASSWORD", "password=$PGPASSWORD"),
            ("password=${DB_PASS} x", "password=${DB_PASS} x"),
            ("password=…&x=1", "password=…&x=1"),
            ("password= user=a", "password= user=a"),
            ("wrong password: user a", "wrong password: user a"),
            ("bypass=on passfile=x", "bypass=on passfile=x"),
            ("password_encryption=md5", "password_encryption=md5"),
        ] {
            assert_eq!(hide(given.to_owned()), shown, "{given}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_causes_a_panic(text in "[pas=wd\"': ;&ä\\\\$]{0,40}") {
            hide(text);
        }
    }
}
