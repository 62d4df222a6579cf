//! zsh and fish hand over words as they are written, quotes included.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use clap::Command;
use clap_complete::env::{self, EnvCompleter};

use super::line::word;

/// The adapter for zsh.
pub(super) struct Zsh;

/// The adapter for fish.
pub(super) struct Fish;

const ZSH: &str = r#"#compdef BIN
_BIN() {
    local -a candidates open whole
    candidates=("${(@f)$(VAR=zsh _CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((CURRENT - 1)) \
        COMPLETER -- "${(@)words[1,CURRENT-1]}" "$QIPREFIX$PREFIX" 2>/dev/null)}")
    # A value, or the rest of a path, comes right after these.
    open=(${(M)candidates:#*[=/]})
    whole=(${candidates:#*[=/]})
    (( $#open )) && _describe -V values open -S ''
    (( $#whole )) && _describe -V values whole
}
# zsh runs the whole file where it loads it as a function, at the first TAB.
if [[ $funcstack[1] == _BIN ]]; then
    _BIN "$@"
else
    compdef _BIN BIN
fi
"#;

impl EnvCompleter for Zsh {
    fn name(&self) -> &'static str {
        "zsh"
    }

    fn is(&self, name: &str) -> bool {
        name == "zsh"
    }

    fn write_registration(
        &self,
        variable: &str,
        _name: &str,
        program: &str,
        completer: &str,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let script = ZSH
            .replace("VAR=", &format!("{variable}="))
            .replace("COMPLETER", completer)
            .replace("BIN", program);
        out.write_all(script.as_bytes())
    }

    fn write_complete(
        &self,
        command: &mut Command,
        words: Vec<OsString>,
        folder: Option<&Path>,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        env::Zsh.write_complete(command, meant(&words), folder, out)
    }
}

impl EnvCompleter for Fish {
    fn name(&self) -> &'static str {
        "fish"
    }

    fn is(&self, name: &str) -> bool {
        name == "fish"
    }

    fn write_registration(
        &self,
        variable: &str,
        name: &str,
        program: &str,
        completer: &str,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        env::Fish.write_registration(variable, name, program, completer, out)
    }

    fn write_complete(
        &self,
        command: &mut Command,
        words: Vec<OsString>,
        folder: Option<&Path>,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        env::Fish.write_complete(command, meant(&words), folder, out)
    }
}

/// The words without their quotes.
fn meant(words: &[OsString]) -> Vec<OsString> {
    let words = words.iter().map(|written| written.to_string_lossy());
    words.map(|written| word(&written).into()).collect()
}
