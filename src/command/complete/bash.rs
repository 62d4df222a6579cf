//! Bash splits a line into words at `=`, `:` and `@` too, and replaces only what comes after
//! the last of them. So the line is split here, as a shell reads it, and of a candidate only
//! what replaces bash's own piece is printed.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use clap::Command;
use clap_complete::engine;
use clap_complete::env::EnvCompleter;

use super::line::{split, word};

/// The adapter for bash, from version 3.2.
pub(super) struct Bash;

/// The line up to the cursor.
const LINE: &str = "_DBDOCTOR_LINE";

/// What bash replaces: the end of the line's last word.
const PIECE: &str = "_DBDOCTOR_PIECE";

const SCRIPT: &str = r#"_BIN() {
    local candidate
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <(VAR=bash LINE="${COMP_LINE:0:COMP_POINT}" PIECE="$2" \
        COMPLETER -- "${COMP_WORDS[@]}" 2>/dev/null)
    # A value, or the rest of a path, comes right after these.
    case "${COMPREPLY[0]-}" in
        *[=/,]) compopt -o nospace 2>/dev/null ;;
    esac
}
complete -o bashdefault -F _BIN BIN
"#;

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        "bash"
    }

    fn is(&self, name: &str) -> bool {
        name == "bash"
    }

    fn write_registration(
        &self,
        variable: &str,
        _name: &str,
        program: &str,
        completer: &str,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let script = SCRIPT
            .replace("LINE=", &format!("{LINE}="))
            .replace("PIECE=", &format!("{PIECE}="))
            .replace("VAR=", &format!("{variable}="))
            .replace("COMPLETER", completer)
            .replace("BIN", program);
        out.write_all(script.as_bytes())
    }

    fn write_complete(
        &self,
        command: &mut Command,
        _words: Vec<OsString>,
        folder: Option<&Path>,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let line = split(&variable(LINE));
        let Some(last) = line.words.last() else {
            return Ok(());
        };
        let kept = kept(last, &variable(PIECE), line.quoted);
        let words: Vec<OsString> = line.words.iter().map(OsString::from).collect();
        let index = words.len() - 1;
        for candidate in engine::complete(command, words, index, folder)? {
            let value = candidate.get_value().to_string_lossy();
            let Some(rest) = value.strip_prefix(kept) else {
                continue;
            };
            match line.quoted {
                true => writeln!(out, "{rest}")?,
                false => writeln!(out, "{}", escaped(rest))?,
            }
        }
        Ok(())
    }
}

/// The beginning of a word that bash leaves as it is.
fn kept<'a>(whole: &'a str, piece: &str, quoted: bool) -> &'a str {
    let piece = match piece {
        // A mark at which bash splits may be the piece itself.
        "=" | ":" | "@" => String::new(),
        piece if quoted => piece.to_owned(),
        piece => word(piece),
    };
    whole.strip_suffix(piece.as_str()).unwrap_or_default()
}

/// Text with a backslash before every character that means something to a shell.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if !letter.is_alphanumeric() && !"_-+=.,:/@%~".contains(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bash_keeps_what_stands_before_its_piece() {
        assert_eq!(kept("--as=asy", "asy", false), "--as=");
        assert_eq!(kept("--as=", "=", false), "--as=");
        assert_eq!(kept("--as=", "", false), "--as=");
        assert_eq!(kept("ops@ba", "ba", false), "ops@");
        assert_eq!(kept("tls.c", "tls.c", false), "");
        assert_eq!(kept("my k", "my\\ k", false), "");
        assert_eq!(kept("host=a ser", "host=a ser", true), "");
    }

    #[test]
    fn candidates_are_escaped() {
        assert_eq!(escaped("tls.cert.expired"), "tls.cert.expired");
        assert_eq!(escaped("a b$(x)'"), "a\\ b\\$\\(x\\)\\'");
    }
}
