//! Patterns (ssh_config(5), "PATTERNS"; match.c).

use super::read::Problem;

/// Whether a `Host` line matches: one pattern must, and none with `!`.
pub(super) fn host_matches(host: &str, patterns: &[String]) -> Result<bool, Problem> {
    let mut matched = false;
    for word in patterns {
        let (negated, text) = match word.strip_prefix('!') {
            Some(text) => (true, text),
            None => (false, word.as_str()),
        };
        if word.is_empty() {
            return Err("an empty pattern after Host".to_owned());
        }
        if pattern(text, host) {
            if negated {
                return Ok(false);
            }
            matched = true;
        }
    }
    Ok(matched)
}

/// A list separated by commas: one pattern must match, and none with `!`.
pub fn pattern_list(list: &str, text: &str) -> bool {
    let mut matched = false;
    for item in list.split(',') {
        match item.strip_prefix('!') {
            Some(negated) if pattern(negated, text) => return false,
            Some(_) => {}
            None => matched |= pattern(item, text),
        }
    }
    matched
}

/// A pattern of `*`, `?` and letters that must be the same.
pub fn pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || Some(c) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern
        .get(p..)
        .unwrap_or_default()
        .iter()
        .all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert!(pattern("*a*b", "xxaxxb"));
        assert!(!pattern("*a*b", "xxaxxbc"));
        assert!(pattern("?b", "ab"));
        assert!(!pattern("?", ""));
        assert!(pattern("**", ""));
        assert!(!pattern(&"*a".repeat(200), &"a".repeat(100)));
    }
}
