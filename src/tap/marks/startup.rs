//! Whether a start-up message is one that a client sends.

/// Whether these parameters, in this order unless `any_order`, are of this pattern: `name` and
/// `name=VALUE` must be there, `name?` may, `_pq_.*?` are any that begin so, and `*` any others.
pub(super) fn fits(pattern: &[&str], any_order: bool, sent: &[(String, String)]) -> bool {
    if any_order {
        let needed = pattern.iter().filter(|item| !is_optional(item));
        return sent
            .iter()
            .all(|one| pattern.iter().any(|item| is(item, one)))
            && needed
                .copied()
                .all(|item| sent.iter().any(|one| is(item, one)));
    }
    let mut rest = pattern;
    for one in sent {
        // What is passed over must be optional.
        let Some(at) = rest.iter().position(|item| is(item, one)) else {
            return false;
        };
        let (before, from) = rest.split_at(at);
        if !before.iter().all(|item| is_optional(item)) {
            return false;
        }
        rest = match from {
            [item, after @ ..] if !repeats(item) => after,
            _ => from,
        };
    }
    rest.iter().all(|item| is_optional(item))
}

fn is_optional(item: &str) -> bool {
    item.ends_with('?') || item == "*"
}

/// Whether it stands for several parameters.
fn repeats(item: &str) -> bool {
    item.trim_end_matches('?').ends_with('*')
}

fn is(item: &str, (name, value): &(String, String)) -> bool {
    match item.split_once('=') {
        Some((known, always)) => name == known && value == always,
        None => {
            let known = item.trim_end_matches('?');
            match known.strip_suffix('*') {
                Some(beginning) => name.starts_with(beginning),
                None => name == known,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(text: &str) -> Vec<(String, String)> {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, "x"));
            (name.to_owned(), value.to_owned())
        };
        text.split_whitespace().map(pair).collect()
    }

    #[test]
    fn order_values_and_strangers_decide() {
        let libpq = ["user", "database?", "options?", "_pq_.*?", "geqo?"];
        for (text, fit) in [
            ("user database", true),
            ("user", true),
            ("user options _pq_.a _pq_.b geqo", true),
            ("database user", false),
            ("user geqo options", false),
            ("user database search_path", false),
            ("database", false),
            ("user user", false),
            ("", false),
        ] {
            assert_eq!(fits(&libpq, false, &sent(text)), fit, "{text}");
        }
        let encoded = ["client_encoding=UTF8", "user", "*"];
        assert!(fits(
            &encoded,
            false,
            &sent("client_encoding=UTF8 user a b")
        ));
        assert!(!fits(&encoded, false, &sent("client_encoding=utf8 user")));
        assert!(!fits(&encoded, false, &sent("user client_encoding=UTF8")));
        let any = ["user", "database?", "datestyle=ISO"];
        assert!(fits(&any, true, &sent("datestyle=ISO database user")));
        assert!(!fits(&any, true, &sent("DateStyle=ISO database user")));
        assert!(!fits(&any, true, &sent("database user")));
    }
}
