//! Ports and forwards: of no consequence here, but ssh stops at a wrong one.

use crate::config::files;

use super::values::number;

/// A port, by its number or by its name in `/etc/services` (misc.c, `a2port`);
/// it may be 0.
pub(super) fn port(text: &str) -> Option<u16> {
    match number(text) {
        Some(number) if number <= 65_535 => u16::try_from(number).ok(),
        _ => service(text),
    }
}

/// services(5): `NAME PORT/PROTOCOL ALIASES`.
fn service(name: &str) -> Option<u16> {
    let bytes = files::read("/etc/services".as_ref()).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines().find_map(|line| {
        let line = line.split('#').next()?;
        let mut words = line.split_whitespace();
        let (first, place) = (words.next()?, words.next()?);
        let named = first == name || words.any(|alias| alias == name);
        place.strip_suffix("/tcp").filter(|_| named)?.parse().ok()
    })
}

/// What a forward is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forward {
    Local,
    Remote,
    Dynamic,
}

/// A part of a forward, and whether it is a path.
type Field = (String, bool);

/// `LocalForward`: both ends. `RemoteForward` may go without the second, and
/// `DynamicForward` has none.
pub(super) fn fits(kind: Forward, words: &[String]) -> bool {
    let (first, second) = match words {
        [first] => (first, ""),
        [first, second] => (first, second.as_str()),
        _ => return false,
    };
    match (kind, second) {
        (_, _) if first.is_empty() => false,
        (Forward::Local, "") => false,
        (Forward::Local, _) => holds(&format!("{first}:{second}"), false, false),
        (Forward::Remote, "") => holds(first, true, true),
        (Forward::Remote, _) => holds(&format!("{first}:{second}"), false, true),
        (Forward::Dynamic, "") => holds(first, true, false),
        (Forward::Dynamic, _) => false,
    }
}

/// readconf.c, `parse_forward`. What a variable holds is not looked at.
fn holds(text: &str, dynamic: bool, remote: bool) -> bool {
    if text.contains("${") {
        return true;
    }
    let Some(fields) = fields(text) else {
        return false;
    };
    let number = |(text, _): &Field| port(text).map_or(-1, i32::from);
    // Port and path of the local end, then of the other; -2 for a path.
    let (listen, connect) = match fields.as_slice() {
        [(_, true)] => ((-2, true), (0, false)),
        [end] => ((number(end), false), (0, false)),
        [(_, true), (_, true)] => ((-2, true), (-2, true)),
        [end, (_, true)] => ((number(end), false), (-2, true)),
        [_, end] => ((number(end), false), (0, false)),
        [(_, true), _, other] => ((-2, true), (number(other), false)),
        [_, end, (_, true)] => ((number(end), false), (-2, true)),
        [end, _, other] | [_, end, _, other] => ((number(end), false), (number(other), false)),
        _ => return false,
    };
    let shape = match dynamic {
        true => fields.len() < 3,
        false => (fields.len() > 2 || connect.1 || listen.1) && (connect.0 > 0 || connect.1),
    };
    shape && (listen.1 || listen.0 > 0 || (remote && listen.0 == 0))
}

/// The parts between colons, at most four; brackets and backslashes protect
/// theirs (readconf.c, `parse_fwd_field`).
fn fields(text: &str) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() && fields.len() < 4 {
        if let Some(inside) = rest.strip_prefix('[') {
            let (inside, behind) = inside.split_once(']')?;
            fields.push((inside.to_owned(), inside.contains('/')));
            rest = match behind.strip_prefix(':') {
                Some(behind) => behind,
                None if behind.is_empty() => behind,
                None => return None,
            };
            continue;
        }
        let (mut field, mut is_path) = (String::new(), false);
        let mut chars = rest.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => field.push(chars.next()?),
                ':' => break,
                c => {
                    is_path |= c == '/';
                    field.push(c);
                }
            }
        }
        fields.push((field, is_path));
        rest = chars.as_str();
    }
    rest.is_empty().then_some(fields)
}

/// `PermitRemoteOpen`: `any`, `none`, or a list of `HOST:PORT`.
pub(super) fn opens(words: &[String]) -> bool {
    let alone = |word: &str| ["any", "none"].iter().any(|w| w.eq_ignore_ascii_case(word));
    let place = |word: &str| {
        let behind = match word.strip_prefix('[') {
            Some(rest) => rest.split_once(']').map(|(_, behind)| behind),
            None => word.find([':', '/']).and_then(|at| word.get(at..)),
        };
        let port_text = behind.and_then(|behind| behind.strip_prefix(':'));
        port_text.is_some_and(|text| text == "*" || port(text).is_some_and(|port| port > 0))
    };
    match words {
        [] => false,
        [word] if alone(word) => true,
        words => words.iter().all(|word| place(word)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwards() {
        let holds = |kind, text: &str| {
            let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            fits(kind, &words)
        };
        for fine in [
            "1 a:2",
            "b:1 a:2",
            "[::1]:1 [::2]:2",
            "/a /b",
            "1 /b",
            "/a b:2",
        ] {
            assert!(holds(Forward::Local, fine), "{fine}");
        }
        for bad in [
            "1",
            "1 a",
            "x a:2",
            "1 a:0",
            "0 a:2",
            "b:1 a:2:3",
            "[::1:1 a:2",
        ] {
            assert!(!holds(Forward::Local, bad), "{bad}");
        }
        assert!(holds(Forward::Remote, "0 a:2"));
        assert!(holds(Forward::Remote, "0"));
        assert!(!holds(Forward::Remote, "x"));
        assert!(holds(Forward::Dynamic, "b:1080"));
        assert!(!holds(Forward::Dynamic, "x"));
    }
}
