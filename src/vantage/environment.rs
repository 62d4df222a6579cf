//! The environment of another process in place of ours.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The variables of `/proc/PID/environ`, or nothing where the process wrote
/// something else over them, as programs do that change their title: they
/// begin at its front and fill what is left with NUL.
pub fn read(bytes: &[u8]) -> Option<Vec<(OsString, OsString)>> {
    let mut entries = bytes.split(|byte| *byte == 0).map(|entry| {
        let (name, value) = entry.split_at_checked(entry.iter().position(|b| *b == b'=')?)?;
        let owned = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let value = value.get(1..).unwrap_or_default();
        (!name.is_empty()).then(|| (owned(name), owned(value)))
    });
    match bytes {
        [] => Some(Vec::new()),
        _ => Some(
            std::iter::once(entries.next()??)
                .chain(entries.flatten())
                .collect(),
        ),
    }
}

/// Whether a variable stays as it is here: it is about the terminal of the
/// report, or about this program.
fn stays(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(b"DBDOCTOR_")
        || name.starts_with(b"LC_")
        || matches!(
            name,
            b"TERM"
                | b"COLORTERM"
                | b"NO_COLOR"
                | b"CLICOLOR"
                | b"CLICOLOR_FORCE"
                | b"COLUMNS"
                | b"LANG"
        )
}

/// Replaces our environment, for the libraries too: the resolver and OpenSSL
/// read variables of their own. It does so before there is a second thread.
#[allow(unsafe_code)]
pub fn replace(by: Vec<(OsString, OsString)>) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| !stays(name)) {
        // SAFETY: there is no other thread that could read the environment
        // meanwhile; `main` calls this before it starts the first.
        unsafe { std::env::remove_var(name) };
    }
    for (name, value) in by.into_iter().filter(|(name, _)| !stays(name)) {
        // SAFETY: as above. `read` gives no empty name, no `=` in a name and
        // no NUL, which this would panic at.
        unsafe { std::env::set_var(name, value) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(bytes: &[u8]) -> Option<Vec<String>> {
        let read = read(bytes)?;
        let names = read.into_iter().map(|(name, _)| name.into_string());
        Some(names.map(Result::unwrap).collect())
    }

    #[test]
    fn variables_are_read() {
        assert_eq!(names(b"A=1\0B=x=y\0C=\0").unwrap(), ["A", "B", "C"]);
        assert_eq!(names(b"").unwrap(), [""; 0]);
        let value = read(b"B=x=y\0").unwrap().remove(0).1;
        assert_eq!(value, "x=y");
        // What is no variable among them is nobody's.
        assert_eq!(names(b"A=1\0=C:=C:\\\0x\0\0B=2\0").unwrap(), ["A", "B"]);
    }

    #[test]
    fn what_a_title_was_written_over_is_told() {
        assert_eq!(names(b"\0\0\0\0"), None);
        assert_eq!(names(b"ker [app]\0A=1\0"), None);
    }
}
