//! Commands of CI systems in a job's log: GitHub's runner takes any line that begins
//! with `::NAME::` for one, whoever wrote it.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// The beginning of a line that the runner may take for a command.
static COMMAND: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?m)^([ \t]*):(:[A-Za-z][^\n]*::)").ok());

/// A text none of whose lines is a command: where one may be, a blank parts the
/// colons that it begins with. What may stand anywhere in a line, [`clean`] has
/// parted already.
///
/// [`clean`]: crate::text::clean
pub fn inert(text: &str) -> Cow<'_, str> {
    if !text.contains("::") {
        return Cow::Borrowed(text);
    }
    match &*COMMAND {
        Some(command) => command.replace_all(text, "$1: $2"),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_a_command() {
        assert_eq!(
            inert("a\n  ::stop-commands::x\n::set-output name=a::b"),
            "a\n  : :stop-commands::x\n: :set-output name=a::b"
        );
        for text in [
            "::1 port 5432",
            "::ffff:10.0.0.1",
            "a ::error::b",
            "x::y::z",
        ] {
            assert_eq!(inert(text), text);
        }
    }
}
