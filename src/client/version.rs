//! Versions of drivers.

use std::fmt;

/// A version as numbers; what is not given is 0, so that `18` is before `18.1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    numbers: [u32; 3],
    /// How many of the numbers were given.
    given: u8,
}

impl Version {
    /// Reads `42.7.3`, `8.11`, `18`, `v5.9.2`, `0.9.0-alpha.1`, `42.7.14-SNAPSHOT`,
    /// `2.9.13+deb12`: at most three numbers, what follows them left out.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let plain = text
            .split_once(['-', '+', '~', ' '])
            .map_or(text, |(plain, _)| plain);
        let mut version = Self::default();
        for (at, part) in plain.split('.').enumerate() {
            let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, rest) = part.split_at(digits);
            match (at, number.parse()) {
                (0..3, Ok(number)) => {
                    version.numbers[at] = number;
                    version.given += 1;
                }
                (0, Err(_)) => return None,
                _ => break,
            }
            // `3.0.0rc1`
            if !rest.is_empty() {
                if at == 0 {
                    return None;
                }
                break;
            }
        }
        Some(version)
    }

    /// The first number.
    pub fn major(self) -> u32 {
        self.numbers[0]
    }

    /// Whether it is this one or a later one, as far as both are given: `42.7` is at
    /// least `42.7.4`, since its last release is.
    pub fn at_least(self, other: Version) -> bool {
        let given = usize::from(self.given.min(other.given));
        self.numbers[..given] >= other.numbers[..given]
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = &self.numbers[..usize::from(self.given.max(1))];
        let text: Vec<String> = numbers.iter().map(u32::to_string).collect();
        f.write_str(&text.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_shown() {
        for (text, shown) in [
            ("42.7.3", "42.7.3"),
            ("v5.9", "5.9"),
            ("18", "18"),
            ("0.9.0-alpha.1", "0.9.0"),
            ("42.7.14-SNAPSHOT", "42.7.14"),
            ("3.0.0rc1", "3.0.0"),
            ("1.2.3.4", "1.2.3"),
        ] {
            assert_eq!(Version::parse(text).unwrap().to_string(), shown);
        }
        for bad in ["", "x", "latest", "5x", "-1", "99999999999"] {
            assert_eq!(Version::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_short_version_is_its_last_release() {
        let version = |text| Version::parse(text).unwrap();
        assert!(version("42.7").at_least(version("42.7.4")));
        assert!(version("8").at_least(version("8.11")));
        assert!(!version("42.7.3").at_least(version("42.7.4")));
        assert!(!version("8.11.5").at_least(version("8.22")));
        assert!(version("18").at_least(version("17.2")));
    }
}
