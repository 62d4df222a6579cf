//! How a text report is printed: width, characters, colour, verbosity.

use std::io::IsTerminal;

use crate::cli::{OutputArgs, When};
use crate::system::System;

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// The verdict alone.
    Quiet,
    /// The stages, every finding, the verdict.
    Normal,
    /// And the facts of every stage, and every setting.
    Verbose,
    /// And what was sent and received.
    Wire,
}

/// How a report for people is written. Nothing else decides it: a table is a
/// function of the report and of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// The columns to fill.
    pub width: usize,
    /// Whether characters beyond ASCII may be used.
    pub utf8: bool,
    /// Whether colours may be used.
    pub color: bool,
    /// How much is shown.
    pub verbosity: Verbosity,
}

/// The width where there is no terminal to ask.
const PIPED: usize = 80;
/// Lines longer than this are hard to read.
const WIDEST: usize = 110;
/// Narrower than this, the table would be all line breaks.
const NARROWEST: usize = 40;

impl Style {
    /// The style for a stream that is a terminal of some width, or none.
    pub fn new(args: &OutputArgs, around: &System, terminal: Option<usize>) -> Self {
        let columns = || around.var("COLUMNS")?.trim().parse().ok();
        let width = terminal.or_else(columns).unwrap_or(PIPED);
        Self {
            width: width.clamp(NARROWEST, WIDEST),
            utf8: is_utf8(around),
            color: wants_color(args.color, around, terminal.is_some()),
            verbosity: match (args.quiet, args.verbose) {
                (true, _) => Verbosity::Quiet,
                (_, 0) => Verbosity::Normal,
                (_, 1) => Verbosity::Verbose,
                _ => Verbosity::Wire,
            },
        }
    }

    /// The style for standard output as it is.
    pub fn of_stdout(args: &OutputArgs, around: &System) -> Self {
        Self::new(args, around, width_of(std::io::stdout()))
    }
}

/// Whether standard error is a terminal on which a line can be written over.
pub fn writes_over(around: &System) -> bool {
    std::io::stderr().is_terminal()
        && around
            .var("TERM")
            .is_some_and(|term| !matches!(term.as_str(), "" | "dumb"))
}

/// A stream's width, if it is a terminal. One that does not know its size has
/// the columns of a pipe.
pub fn width_of(stream: impl IsTerminal + std::os::fd::AsFd) -> Option<usize> {
    stream
        .is_terminal()
        .then(|| match terminal_size::terminal_size_of(stream) {
            Some((terminal_size::Width(columns), _)) if columns > 0 => columns.into(),
            _ => PIPED,
        })
}

/// Whether the locale's characters are UTF-8, by POSIX's order of variables.
/// Without any, the locale is `C`, which is ASCII.
fn is_utf8(around: &System) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(|name| around.var(name))
        .find(|value| !value.is_empty())
        .unwrap_or_default()
        .to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// `--color`, then `NO_COLOR` (no-color.org), then `CLICOLOR_FORCE` and
/// `CLICOLOR` (bixense.com/clicolors), then whether a terminal can show it.
fn wants_color(when: When, around: &System, terminal: bool) -> bool {
    let var = |name| around.var(name).filter(|value| !value.is_empty());
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto if var("NO_COLOR").is_some() => false,
        When::Auto if var("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        When::Auto if var("CLICOLOR").is_some_and(|value| value == "0") => false,
        When::Auto => terminal && var("TERM").is_none_or(|value| value != "dumb"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(vars: &[(&str, &str)]) -> System {
        System {
            vars: vars.iter().map(|(n, v)| (n.into(), v.into())).collect(),
            ..System::default()
        }
    }

    #[test]
    fn colour_is_for_terminals_that_want_it() {
        let auto = |vars, terminal| wants_color(When::Auto, &around(vars), terminal);
        assert!(auto(&[], true));
        assert!(!auto(&[], false));
        assert!(!auto(&[("NO_COLOR", "1")], true));
        assert!(auto(&[("NO_COLOR", "")], true), "empty means unset");
        assert!(!auto(&[("TERM", "dumb")], true));
        assert!(auto(&[("CLICOLOR_FORCE", "1")], false));
        assert!(!auto(&[("CLICOLOR_FORCE", "0")], false));
        assert!(!auto(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false));
        assert!(wants_color(
            When::Always,
            &around(&[("NO_COLOR", "1")]),
            false
        ));
        assert!(!wants_color(When::Never, &around(&[]), true));
    }

    #[test]
    fn the_locale_is_read_in_posix_order() {
        assert!(is_utf8(&around(&[("LANG", "de_DE.UTF-8")])));
        assert!(is_utf8(&around(&[("LC_ALL", ""), ("LANG", "C.utf8")])));
        assert!(!is_utf8(&around(&[("LC_ALL", "C"), ("LANG", "C.UTF-8")])));
        assert!(!is_utf8(&around(&[])));
    }
}
