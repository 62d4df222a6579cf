//! The values of options that are of no consequence here: ssh stops at a wrong
//! one all the same.

use super::read::Problem;

/// What may stand behind a keyword.
#[derive(Clone, Copy, Debug)]
pub(super) enum ValueShape {
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
    /// At most so many words, of which this says whether ssh takes them.
    Fits(usize, fn(&[String]) -> bool),
}

impl ValueShape {
    /// The most words that it takes.
    pub(super) fn most(self) -> usize {
        match self {
            ValueShape::Variables => usize::MAX,
            ValueShape::Fits(most, _) => most,
            _ => 1,
        }
    }

    /// What ssh has against these values.
    pub(super) fn problem(self, keyword: &str, words: &[String]) -> Option<Problem> {
        let first = words.first().map_or("", String::as_str);
        let among = |list: &str| list.split(' ').any(|word| word.eq_ignore_ascii_case(first));
        let fine = match self {
            ValueShape::Flag(others) => among("yes no true false") || among(others),
            ValueShape::Word(list) => among(list),
            ValueShape::Number => number(first).is_some(),
            ValueShape::Time(others) => among(others) || is_time(first),
            ValueShape::Variables => words.iter().all(|word| word.contains('=')),
            // What is too much is said of its own.
            ValueShape::Fits(most, fits) => words.len() > most || fits(words),
        };
        (!fine).then(|| match self {
            ValueShape::Variables => format!("{keyword} with a word that is not NAME=VALUE"),
            ValueShape::Number => format!("{keyword} with a value that is not a number"),
            _ => format!("{keyword} with a value that ssh does not know"),
        })
    }
}

/// A number that is not negative (misc.c, `atoi_err`).
pub(super) fn number(text: &str) -> Option<u32> {
    let number = text.trim_start_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']);
    number.parse::<i32>().ok()?.try_into().ok()
}

/// `90`, `1h30m` (misc.c, `convtime`), in seconds.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let mut rest = Some(text).filter(|text| !text.is_empty())?;
    let mut sum = 0u64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = rest.split_at(digits);
        let number = number.parse::<i32>().ok()?;
        let mut unit = behind.chars();
        let length = match unit.next().map(|c| c.to_ascii_lowercase()) {
            None | Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3_600,
            Some('d') => 86_400,
            Some('w') => 604_800,
            Some(_) => return None,
        };
        sum += u64::from(number.unsigned_abs()) * length;
        rest = unit.as_str();
    }
    (sum <= i32::MAX.unsigned_abs().into()).then_some(sum)
}

fn is_time(text: &str) -> bool {
    seconds(text).is_some()
}

fn is_one_of(list: &str, word: &str) -> bool {
    list.split(' ')
        .any(|known| known.eq_ignore_ascii_case(word))
}

/// `AddKeysToAgent`: `yes`, `no`, `ask`, `confirm` with or without a time, or
/// a time.
pub(super) fn agent_keys(words: &[String]) -> bool {
    match words {
        [word] => is_one_of("yes no true false ask confirm", word) || is_time(word),
        [word, time] => is_one_of("confirm", word) && is_time(time),
        _ => false,
    }
}

/// `RekeyLimit`: an amount of 16 bytes at least, and a time or not.
pub(super) fn rekey_limit(words: &[String]) -> bool {
    match words {
        [amount] => amount == "default" || is_amount(amount),
        [amount, time] => {
            (amount == "default" || is_amount(amount)) && (time == "none" || is_time(time))
        }
        _ => false,
    }
}

/// `1G`, `512k` (scan_scaled(3)), 0 or 16 at least.
fn is_amount(text: &str) -> bool {
    const UNITS: &str = "BKMGTPE";
    let text = text.trim_start();
    let text = text.strip_prefix('+').unwrap_or(text);
    let upper = text.to_ascii_uppercase();
    let (digits, unit) = match upper.char_indices().last() {
        Some((at, c)) if c.is_ascii_alphabetic() => match UNITS.find(c) {
            Some(power) => (upper.get(..at).unwrap_or_default(), power),
            None => return false,
        },
        _ => (upper.as_str(), 0),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if text.is_empty() || whole.len() > 18 || !all_digits(whole) || !all_digits(part) {
        return false;
    }
    let amount =
        whole.parse::<f64>().unwrap_or(0.0) * 1024f64.powi(i32::try_from(unit).unwrap_or(0));
    (amount == 0.0 || amount >= 16.0) && amount < 9.2e18
}

/// `IPQoS`: one or two classes, by name or by number.
pub(super) fn qualities(words: &[String]) -> bool {
    const NAMES: &str = "af11 af12 af13 af21 af22 af23 af31 af32 af33 af41 af42 af43 cs0 cs1 cs2 \
                         cs3 cs4 cs5 cs6 cs7 ef le lowdelay throughput reliability none";
    let number = |word: &str| match word.strip_prefix("0x") {
        Some(digits) => u8::from_str_radix(digits, 16).is_ok(),
        None if word.len() > 1 && word.starts_with('0') => u8::from_str_radix(word, 8).is_ok(),
        None => word.parse::<u8>().is_ok(),
    };
    let known = |word: &String| is_one_of(NAMES, word) || number(word);
    matches!(words.len(), 1 | 2) && words.iter().all(known)
}

/// `SendEnv`: names, or patterns of them.
pub(super) fn names(words: &[String]) -> bool {
    words
        .iter()
        .all(|word| !word.is_empty() && !word.contains('='))
}

/// `EscapeChar`: a character, `^` with one, or `none`.
pub(super) fn escape(words: &[String]) -> bool {
    match words.first().map_or(&b""[..], |word| word.as_bytes()) {
        b"none" | [_] => true,
        [b'^', c] => (64..128).contains(c),
        _ => false,
    }
}

/// `TunnelDevice`: `LOCAL` or `LOCAL:REMOTE`, each a number or `any`.
pub(super) fn device(words: &[String]) -> bool {
    let one = |text: &str| {
        text.eq_ignore_ascii_case("any") || number(text).is_some_and(|n| n < 0x7fff_ffff)
    };
    match words.first().map(|word| word.split_once(':')) {
        Some(Some((local, remote))) => one(local) && one(remote),
        Some(None) => words.first().is_some_and(|word| one(word)),
        None => false,
    }
}

/// `StreamLocalBindMask`: an octal number, whatever follows it.
pub(super) fn mask(words: &[String]) -> bool {
    let word = words.first().map_or("", |word| word.trim_start());
    let word = word.strip_prefix('+').unwrap_or(word);
    let digits = word
        .bytes()
        .take_while(|b| matches!(b, b'0'..=b'7'))
        .count();
    let digits = word.get(..digits).unwrap_or_default();
    u32::from_str_radix(digits, 8).is_ok_and(|mask| mask <= 0o777)
}

/// `CanonicalDomains` (misc.c, `valid_domain`).
pub(super) fn domains(words: &[String]) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let valid = |word: &String| {
        word.starts_with(|c: char| c.is_ascii_alphanumeric())
            && word.chars().all(allowed)
            && !word.contains("..")
    };
    let none = |word: &String| word.eq_ignore_ascii_case("none");
    words.iter().all(valid) && (words.len() < 2 || !words.iter().any(none))
}

/// `CanonicalizePermittedCNAMEs`: `SOURCES:TARGETS`, `*` or `none`.
pub(super) fn aliases(words: &[String]) -> bool {
    let none = |word: &String| word.eq_ignore_ascii_case("none");
    let pair = |word: &String| {
        let target = word.split_once(':').map(|(_, target)| target);
        word == "*" || none(word) || target.is_some_and(|target| !target.is_empty())
    };
    words.iter().all(pair) && (words.len() < 2 || !words.iter().any(none))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (fine, sum) in [
            ("0", 0),
            ("90", 90),
            ("1h30", 3_630),
            ("1h30m", 5_400),
            ("2W", 1_209_600),
        ] {
            assert_eq!(seconds(fine), Some(sum), "{fine}");
        }
        for bad in ["", "soon", "1x", "-1", "1 h", "99999999999", "3551w"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
