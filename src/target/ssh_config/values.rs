//! The values of options that are of no consequence here: ssh stops at a wrong
//! one all the same.

use super::read::Problem;

/// What may stand behind a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `yes` or `no`, or one of these, separated by blanks.
    Flag(&'static str),
    /// One of these, separated by blanks.
    Word(&'static str),
    /// A number that is not negative.
    Number,
    /// A time (sshd_config(5), "TIME FORMATS"), or one of these.
    Time(&'static str),
    /// `NAME=VALUE`, any number of them.
    Variables,
    /// A local end, and an end on the other side.
    Ends,
}

impl Shape {
    /// What ssh has against these values.
    pub(super) fn problem(self, keyword: &str, words: &[String]) -> Option<Problem> {
        let first = words.first().map_or("", String::as_str);
        let among = |list: &str| list.split(' ').any(|word| word.eq_ignore_ascii_case(first));
        let fine = match self {
            Shape::Flag(others) => among("yes no true false") || among(others),
            Shape::Word(list) => among(list),
            Shape::Number => number(first).is_some(),
            Shape::Time(others) => among(others) || is_time(first),
            Shape::Variables => words.iter().all(|word| word.contains('=')),
            Shape::Ends => words.len() > 1,
        };
        (!fine).then(|| match self {
            Shape::Ends => format!("{keyword} without the end on the other side"),
            Shape::Variables => format!("{keyword} with a word that is no NAME=VALUE"),
            Shape::Number => format!("{keyword} with a value that is no number"),
            _ => format!("{keyword} with a value that ssh does not know"),
        })
    }
}

/// A number that is not negative (misc.c, `atoi_err`).
pub(super) fn number(text: &str) -> Option<u32> {
    let number = text.trim_start_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']);
    number.parse::<i32>().ok()?.try_into().ok()
}

/// `90`, `1h30m` (misc.c, `convtime`).
fn is_time(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = rest.split_at(digits);
        if number.parse::<i32>().is_err() {
            return false;
        }
        let mut unit = behind.chars();
        match unit.next() {
            None => return true,
            Some('s' | 'S' | 'm' | 'M' | 'h' | 'H' | 'd' | 'D' | 'w' | 'W') => {}
            Some(_) => return false,
        }
        rest = unit.as_str();
    }
    !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for fine in ["0", "90", "1h30", "1h30m", "2W"] {
            assert!(is_time(fine), "{fine}");
        }
        for bad in ["", "soon", "1x", "-1", "1 h", "99999999999"] {
            assert!(!is_time(bad), "{bad}");
        }
    }
}
