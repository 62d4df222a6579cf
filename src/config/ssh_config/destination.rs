//! Destinations: where `--ssh`, `ProxyJump` and ssh itself are told to go.

use std::fmt;

use super::forward::port as port_number;

/// `[USER@]HOST[:PORT]`, also `ssh://…` and `[IPv6]:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The user, if one is named.
    pub user: Option<String>,
    /// The host.
    pub host: String,
    /// The port, if one is named.
    pub port: Option<u16>,
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => write!(f, "{}", self.host)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Reads a destination as ssh does; `None` if it is none.
pub fn spec(text: &str) -> Option<Spec> {
    let text = text.trim();
    let text = text
        .strip_prefix("ssh://")
        .map_or(text, |rest| rest.trim_end_matches('/'));
    let (user, place) = match text.rsplit_once('@') {
        Some(("", _)) => return None,
        Some((user, place)) => (Some(user.to_owned()), place),
        None => (None, text),
    };
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return None,
            }
        }
        None => match place.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (place, None),
        },
    };
    let port = match port {
        Some("") | None => None,
        Some(port) => Some(port_number(port).filter(|port| *port > 0)?),
    };
    let odd = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(
                c,
                '\'' | '"' | '`' | '$' | '\\' | ';' | '&' | '<' | '>' | '|' | '(' | ')' | '{' | '}'
            )
    };
    let fine = !host.is_empty()
        && !host.starts_with('-')
        && !host.contains(odd)
        && user.as_deref().is_none_or(is_user);
    fine.then(|| Spec {
        user,
        host: host.to_owned(),
        port,
    })
}

/// Whether ssh takes it for a user's name on a command line: a command may
/// get it as a word (readconf.c, `ssh_valid_ruser`).
fn is_user(name: &str) -> bool {
    let odd = |c: char| c.is_control() || "'`\";&<>|(){}".contains(c);
    let option = || {
        let pairs = name.chars().zip(name.chars().skip(1));
        pairs
            .into_iter()
            .any(|(c, next)| c.is_whitespace() && next == '-')
    };
    !name.starts_with('-') && !name.ends_with('\\') && !name.contains(odd) && !option()
}

/// A destination of `ProxyJump`, where an IPv6 address needs its brackets.
pub fn jump(text: &str) -> Option<Spec> {
    let place = match text.strip_prefix("ssh://") {
        Some(rest) => rest.trim_end_matches('/'),
        None => text,
    };
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let bare = !place.starts_with('[') && place.matches(':').count() > 1;
    spec(text).filter(|_| !bare && !place.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations() {
        let read = |text: &str| {
            spec(text).map(|s| (s.user.unwrap_or_default(), s.host, s.port.unwrap_or(0)))
        };
        let some = |user: &str, host: &str, port| Some((user.to_owned(), host.to_owned(), port));
        assert_eq!(read("ops@b:2222"), some("ops", "b", 2222));
        assert_eq!(read("b"), some("", "b", 0));
        assert_eq!(read("a@b@c"), some("a@b", "c", 0));
        assert_eq!(read("[::1]:22"), some("", "::1", 22));
        assert_eq!(read("::1"), some("", "::1", 0));
        assert_eq!(read("ssh://ops@b:3/"), some("ops", "b", 3));
        for bad in [
            "",
            "@b",
            "b:x",
            "b:0",
            "b:99999",
            "-oProxyCommand=x",
            "a b",
            "[::1",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
