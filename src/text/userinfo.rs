//! Passwords of URLs in a text: one may have been given where a path or a name
//! belongs, and a program may quote the one that it was given.

use crate::secret::HIDDEN;

/// Text without the passwords of the URLs in it. What stands for a password
/// already is left.
pub(super) fn hide(text: String) -> String {
    replaced(text, false)
}

/// The same for text that was cut off: a URL at its end may go on.
pub(super) fn hide_part(text: String) -> String {
    replaced(text, true)
}

fn replaced(text: String, goes_on: bool) -> String {
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        rest = after;
        if let Some((from, to)) = password_in(after, goes_on) {
            out.push_str(&after[..from]);
            out.push_str(HIDDEN);
            rest = &after[to..];
        }
    }
    if out.is_empty() {
        return without_scheme(&text).unwrap_or(text);
    }
    out.push_str(rest);
    out
}

/// A text that is nothing but a URL whose scheme is missing or broken, as
/// `app:password@host`; none where it is something else.
fn without_scheme(text: &str) -> Option<String> {
    if let Some(rest) = text.strip_prefix("//") {
        return without_scheme(rest).map(|hidden| format!("//{hidden}"));
    }
    if let Some(at) = passfile_password(text) {
        return Some(format!("{}{HIDDEN}", &text[..at]));
    }
    let (first, rest) = text.split_once(':')?;
    let (password, host) = rest.rsplit_once('@')?;
    let bare = !text.contains(char::is_whitespace) && !text.starts_with(['/', '[', '@']);
    let address = ["email", "mailto"].contains(&first.to_ascii_lowercase().as_str());
    // A list of SSH servers has ports there.
    let port = password.split(',').next().unwrap_or_default();
    let list = password.contains(',') && port.chars().all(|c| c.is_ascii_digit());
    (bare && !address && !list && !is_stand_in(password))
        .then(|| format!("{first}:{HIDDEN}@{host}"))
}

/// Where the password begins in a line of a password file
/// (`host:port:database:user:password`); none in what is no such line. Addresses
/// and fingerprints are hexadecimal digits and colons, too.
fn passfile_password(text: &str) -> Option<usize> {
    let fields: Vec<&str> = text.splitn(5, ':').collect();
    let [_, port, _, _, password] = fields.as_slice() else {
        return None;
    };
    let is_port = *port == "*" || !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let place = match text.split_once('@') {
        Some((user, place)) if !user.contains(':') => place,
        _ => text,
    };
    let digits = |field: &str| field.len() <= 4 && field.bytes().all(|b| b.is_ascii_hexdigit());
    let inside = place
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'));
    let address = inside.map_or(place, |(address, _)| address);
    let address = address.split(['%', '/']).next().unwrap_or_default();
    let is_address = place.starts_with("MD5:") || address.split(':').all(digits);
    (is_port && !is_address && !is_stand_in(password) && !text.contains(char::is_whitespace))
        .then(|| text.len() - password.len())
}

/// Where the password of a URL is, or what may be one in the place of the port.
/// `text` begins after the scheme and goes on after the URL.
fn password_in(text: &str, goes_on: bool) -> Option<(usize, usize)> {
    let end = text
        .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\''))
        .unwrap_or(text.len());
    let (url, behind) = text.split_at_checked(end)?;
    let authority = url.split(['/', '?', '#']).next()?;
    let end = match authority.rfind('@').or_else(|| url.rfind('@')) {
        Some(at) => at,
        None if goes_on && authority.len() == text.len() => end,
        None if has_ports(authority) => return None,
        // The password has blanks or quotes in it, or no host comes after it.
        None => {
            let behind = behind.split("://").next()?;
            behind.rfind('@').map_or(end, |at| end + at)
        }
    };
    let (from, to) = match text[..end].find(':') {
        Some(colon) => (colon + 1, end),
        None => {
            let hosts = authority.get(end..)?;
            let colon = hosts.rfind(':').filter(|_| !has_ports(hosts))?;
            (end + colon + 1, authority.len())
        }
    };
    (!is_stand_in(&text[from..to])).then_some((from, to))
}

/// Whether hosts with ports, or without, are all that it holds. A sentence may
/// go on right after them.
fn has_ports(authority: &str) -> bool {
    authority.split(',').all(|host| {
        let port = host.rsplit_once(':').map_or("", |(_, port)| port);
        let port = port.trim_matches(|c: char| !c.is_alphanumeric());
        port == "PORT" || port.chars().all(|c| c.is_ascii_digit())
    })
}

/// Whether it stands for a password already, as `…%40…` does.
fn is_stand_in(password: &str) -> bool {
    let blank = |text: &str| {
        let mut pieces = text.split('%');
        let first = pieces.next().unwrap_or_default();
        let behind = |piece: &str| piece.get(2..).unwrap_or_default().to_owned();
        let plain = first.to_owned() + &pieces.map(behind).collect::<String>();
        !plain.contains(char::is_alphanumeric)
    };
    ["", "PASSWORD", HIDDEN].contains(&password) || password.contains('…') && blank(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_in_the_wrong_place_gives_nothing_away() {
        for (given, shown) in [
            (
                "ls -l postgresql://app:tiger@db/x, which",
                "ls -l postgresql://app:(hidden)@db/x, which",
            ),
            (
                "a://u:p@s/w@h b://u:p@h",
                "a://u:(hidden)@s/w@h b://u:(hidden)@h",
            ),
            ("a://u:p/w@h/x", "a://u:(hidden)@h/x"),
            ("a://h:5432/x", "a://h:5432/x"),
            ("a://u@h:5432", "a://u@h:5432"),
            ("a://u:…%40…@h", "a://u:…%40…@h"),
            ("a://USER:PASSWORD@HOST:PORT", "a://USER:PASSWORD@HOST:PORT"),
            ("a://HOST:PORT/x", "a://HOST:PORT/x"),
            ("://", "://"),
            // Without an at sign, with blanks, with quotes.
            ("a://u:tiger", "a://u:(hidden)"),
            ("a://u:ti ger@h/x", "a://u:(hidden)@h/x"),
            ("a://u:ti'ger@h/x", "a://u:(hidden)@h/x"),
            ("a://h:1,g:2/x b@c", "a://h:1,g:2/x b@c"),
            ("see http://h:80.", "see http://h:80."),
            ("(http://[::1]:80)", "(http://[::1]:80)"),
            ("a://u:b://v:tiger@h", "a://u:(hidden)@h"),
            ("a://a://u:tiger@h", "a://a:(hidden)@h"),
            ("a://u@corp:tiger@h", "a://u@corp:(hidden)@h"),
            ("a://u:TIGER@h", "a://u:(hidden)@h"),
            ("a://u:tig…er@h", "a://u:(hidden)@h"),
            ("a://u@h:tiger/x", "a://u@h:(hidden)/x"),
            // Without a scheme, or half of it.
            ("u:tiger@h:1/x", "u:(hidden)@h:1/x"),
            ("postgres//u:tiger@h:1/x", "postgres//u:(hidden)@h:1/x"),
            ("postgres:/u:tiger@h:1/x", "postgres:(hidden)@h:1/x"),
            ("//u:tiger@h:1/x", "//u:(hidden)@h:1/x"),
            ("h:5432:db:app:tiger", "h:5432:db:app:(hidden)"),
            ("*:*:*:*:ti:ger", "*:*:*:*:(hidden)"),
            ("u@h:5432:db:app:tiger", "u@h:5432:db:app:(hidden)"),
            ("2001:1:2:3:4:5:6:7", "2001:1:2:3:4:5:6:7"),
            ("00:16:3e:5e:6c:00", "00:16:3e:5e:6c:00"),
            ("MD5:00:16:3e:5e:6c", "MD5:00:16:3e:5e:6c"),
            ("[fd00:200:1::2]:5432", "[fd00:200:1::2]:5432"),
            ("ops@[fd00:200:1::2]:22", "ops@[fd00:200:1::2]:22"),
            ("fd00:200:1:2::/64", "fd00:200:1:2::/64"),
            ("fe80:200:1:2::1%eth0", "fe80:200:1:2::1%eth0"),
            ("h:5432:db:app:p@ab", "h:5432:db:app:(hidden)"),
            ("h:5432:db:app:PASSWORD", "h:5432:db:app:PASSWORD"),
            ("u@h:22,v@g:22", "u@h:22,v@g:22"),
            ("email:u@h", "email:u@h"),
            ("/run/a:b@c", "/run/a:b@c"),
            ("said a:b@c", "said a:b@c"),
        ] {
            assert_eq!(hide(given.to_owned()), shown);
        }
    }

    #[test]
    fn a_url_that_was_cut_gives_nothing_away() {
        for (given, shown) in [
            ("a://u:1234", "a://u:(hidden)"),
            ("a://u:tig", "a://u:(hidden)"),
            ("a://u:1234/", "a://u:1234/"),
            ("a://u:1234 b", "a://u:1234 b"),
            ("a://u", "a://u"),
        ] {
            assert_eq!(hide_part(given.to_owned()), shown);
        }
    }
}
