//! The arguments and the environment as the kernel handed them over. They stay in memory,
//! and every user sees the arguments with `ps`: passwords in them are written over once
//! they have been read.

#[cfg(target_os = "linux")]
pub use linux::{find, hide_arguments, hide_variables};

/// Variables that hold a secret as a whole.
#[cfg(target_os = "linux")]
const SECRETS: &[&[u8]] = &[
    b"DATABASE_URL",
    b"PGPASSWORD",
    b"DBDOCTOR_SSH_PASSPHRASE",
    b"DBDOCTOR_SSH_PASSWORD",
];

/// What is written over a secret.
#[cfg(target_os = "linux")]
const OVER: u8 = b'x';

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{File, OpenOptions};
    use std::ops::Range;
    use std::os::unix::fs::FileExt;
    use std::sync::OnceLock;

    use zeroize::Zeroizing;

    use super::{SECRETS, hidden, hidden_part};

    /// More than the system allows: no reading of what cannot be right.
    const LONGEST: u64 = 16 << 20;

    static FOUND: OnceLock<Places> = OnceLock::new();

    struct Places {
        memory: File,
        arguments: Range<u64>,
        environment: Range<u64>,
    }

    /// Finds them. To be called before [`crate::core_dumps::forbid`], after which
    /// `/proc/self/mem` is root's. Where there is no `/proc`, nothing is hidden.
    pub fn find() {
        if let Some(places) = places() {
            let _ = FOUND.set(places);
        }
    }

    fn places() -> Option<Places> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The name before may have blanks and parentheses in it; from the third
        // field on there are numbers (proc_pid_stat(5)).
        let (_, rest) = stat.rsplit_once(") ")?;
        let field = |number: usize| rest.split(' ').nth(number - 3)?.trim_end().parse().ok();
        let range = |from: u64, to: u64| (from > 0 && from <= to).then_some(from..to);
        let mut memory = OpenOptions::new();
        Some(Places {
            memory: memory.read(true).write(true).open("/proc/self/mem").ok()?,
            arguments: range(field(48)?, field(49)?)?,
            environment: range(field(50)?, field(51)?)?,
        })
    }

    /// Writes over the passwords in the arguments, and leaves the rest for `ps`.
    pub fn hide_arguments() {
        if let Some(places) = FOUND.get() {
            places.hide(&places.arguments, hidden_part);
        }
    }

    /// Writes over the variables that hold secrets. What reads or inherits this
    /// process's own environment afterwards does not get them.
    pub fn hide_variables() {
        if let Some(places) = FOUND.get() {
            places.hide(&places.environment, |entry| {
                let at = entry.iter().position(|byte| *byte == b'=')?;
                match SECRETS.contains(&&entry[..at]) {
                    true => Some(at + 1..entry.len()),
                    false => hidden_part(entry),
                }
            });
        }
    }

    impl Places {
        fn hide(&self, range: &Range<u64>, part: impl Fn(&[u8]) -> Option<Range<usize>>) {
            let length = range.end - range.start;
            let length = usize::try_from(length.min(LONGEST)).unwrap_or_default();
            let mut bytes = Zeroizing::new(vec![0; length]);
            if self.memory.read_exact_at(&mut bytes, range.start).is_err() {
                return;
            }
            for (at, over) in hidden(&bytes, part) {
                // Where the system refuses, it stays as it is: a precaution.
                let _ = self.memory.write_all_at(&over, range.start + at as u64);
            }
        }
    }
}

/// Where strings that end with NUL are written over, and with what.
#[cfg(target_os = "linux")]
fn hidden(
    bytes: &[u8],
    part: impl Fn(&[u8]) -> Option<std::ops::Range<usize>>,
) -> Vec<(usize, Vec<u8>)> {
    let mut all = Vec::new();
    let mut at = 0;
    for text in bytes.split(|byte| *byte == 0) {
        if let Some(range) = part(text).filter(|range| !range.is_empty()) {
            all.push((at + range.start, vec![OVER; range.len()]));
        }
        at += text.len() + 1;
    }
    all
}

/// From the first password in an argument to the end of the last one: what differs
/// from the text in which passwords are hidden.
#[cfg(target_os = "linux")]
fn hidden_part(argument: &[u8]) -> Option<std::ops::Range<usize>> {
    // Of the same length, since places in it are those in the argument.
    let plain = |byte: &u8| char::from(if byte.is_ascii() { *byte } else { b'?' });
    let text: String = argument.iter().map(plain).collect();
    let text = text.replace("sslpassword", "   password");
    let shown = crate::text::without_passwords(&text);
    if shown == text {
        return None;
    }
    let same = |a: &mut dyn Iterator<Item = u8>, b: &mut dyn Iterator<Item = u8>| {
        a.zip(b).take_while(|(a, b)| a == b).count()
    };
    let argument = text.as_bytes();
    let from = same(&mut argument.iter().copied(), &mut shown.bytes());
    let rest = (argument.len() - from).min(shown.len().saturating_sub(from));
    let after = same(
        &mut argument.iter().rev().copied().take(rest),
        &mut shown.bytes().rev().take(rest),
    );
    Some(from..argument.len() - after)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_utf_8_is_written_over_in_its_place() {
        let argument = b"\xff\xfepostgres://a:hunt\xffr2@db";
        let all = hidden(argument, hidden_part);
        assert_eq!(all, [(15, b"xxxxxxx".to_vec())]);
    }

    fn shown(argument: &str) -> String {
        let mut bytes = argument.as_bytes().to_vec();
        for (at, over) in hidden(argument.as_bytes(), hidden_part) {
            bytes[at..at + over.len()].copy_from_slice(&over);
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn passwords_are_written_over_and_nothing_else() {
        for (argument, expected) in [
            ("check\0-h\0db", "check\0-h\0db"),
            (
                "check\0postgres://app:hunter2@db/x\0--json",
                "check\0postgres://app:xxxxxxx@db/x\0--json",
            ),
            (
                "--url=postgres://app:hunter2@db/x",
                "--url=postgres://app:xxxxxxx@db/x",
            ),
            (
                "host=db password=hunter2 user=app",
                "host=db password=xxxxxxx user=app",
            ),
            (
                "postgres://a:hunter2@db/x?sslpassword=hunter3",
                "postgres://a:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            ),
        ] {
            let shown = shown(argument);
            assert!(!shown.contains("hunter"), "{shown}");
            assert_eq!(shown, expected);
        }
    }
}

/// Other systems have no file of a process's own memory.
#[cfg(not(target_os = "linux"))]
mod elsewhere {
    /// Finds nothing.
    pub fn find() {}

    /// Hides nothing.
    pub fn hide_arguments() {}

    /// Hides nothing.
    pub fn hide_variables() {}
}
#[cfg(not(target_os = "linux"))]
pub use elsewhere::{find, hide_arguments, hide_variables};
