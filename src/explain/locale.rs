//! Messages in other languages, by the message catalogues that PostgreSQL's
//! packages install (`libpq5-15.mo`, `postgres-15.mo`, …).
//!
//! A catalogue pairs each English message with its translation (GNU gettext
//! manual, "The Format of GNU MO Files"). Of each, only the messages that a
//! rule knows in English are kept.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::pattern::Pattern;
use super::rules::Weight;
use super::text::{Context, Text};
use super::{COMPILED, Compiled, Grams, Said, gram, refine};

/// Where packages install catalogues.
const FOLDERS: &[&str] = &["/usr/share/locale", "/usr/local/share/locale"];
/// The catalogues that hold connection errors begin so.
const DOMAINS: &[&str] = &["libpq", "postgres-"];
/// No catalogue is larger.
const LARGEST: u64 = 8 << 20;

/// A translation of a message that a rule knows.
struct TranslatedMessage {
    rule: &'static Compiled,
    pattern: Pattern,
    gram: Option<u16>,
}

/// What the installed catalogues hold; read once, and only if it is needed.
static TRANSLATIONS: LazyLock<Vec<TranslatedMessage>> = LazyLock::new(|| {
    // The same English messages are in the catalogue of each language.
    let mut rules: HashMap<String, Option<&'static Compiled>> = HashMap::new();
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for bytes in catalogues().iter().filter_map(|path| fs::read(path).ok()) {
        for (english, translated) in messages(&bytes) {
            let rule = *rules
                .entry(english)
                .or_insert_with_key(|english| known(english));
            let Some(rule) = rule else { continue };
            let pattern = Pattern::new(&starred(&translated));
            // Short translations are words of everyday language.
            if pattern.weight() >= 12 && seen.insert(translated) {
                all.push(TranslatedMessage {
                    rule,
                    gram: gram(&pattern),
                    pattern,
                });
            }
        }
    }
    all
});

/// Reads the lines that may be translations.
pub fn read(text: &Text) -> Vec<(usize, Said)> {
    let mut found = Vec::new();
    let lines = text.lines.iter().enumerate();
    let lines = lines.filter(|(at, _)| text.context(*at) > Context::Unknown);
    for (at, line) in lines.take(200) {
        let grams = Grams::of(&line.folded);
        for it in TRANSLATIONS.iter() {
            if !grams.may_have(it.gram) || !it.pattern.is_in(&line.folded) {
                continue;
            }
            let Some(score) = it.rule.base(&line.folded, text.context(at)) else {
                continue;
            };
            let phase = refine::phase(text, at, it.rule.phase);
            let causes = refine::causes(text, at, it.rule.causes, phase);
            let said = Said {
                causes: causes
                    .into_iter()
                    .enumerate()
                    .map(|(n, cause)| (cause, score.saturating_sub(15 * n as u32)))
                    .collect(),
                matched: it.rule.text.to_owned(),
                phase,
            };
            found.push((at, said));
        }
    }
    found
}

/// The rule that knows an English message, if one does for sure.
fn known(english: &str) -> Option<&'static Compiled> {
    // A value in the place of each star, and of each directive.
    let line = super::pattern::fold(&starred(english).replace('*', "x"));
    let grams = Grams::of(&line);
    COMPILED
        .iter()
        .filter(|it| {
            !matches!(it.weight, Weight::Vague | Weight::Quoted) && grams.may_have(it.gram)
        })
        .filter(|it| it.pattern.is_in(&line))
        .max_by_key(|it| it.pattern.weight())
}

/// A message with a star for each printf directive.
fn starred(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut chars = message.trim_end().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '%' if chars.peek() == Some(&'%') => {
                chars.next();
                out.push('%');
            }
            '%' => {
                // Flags, width, position, length; the conversion ends it.
                for c in chars.by_ref() {
                    if c.is_ascii_alphabetic() && !matches!(c, 'l' | 'h' | 'z' | 'j' | 't') {
                        break;
                    }
                }
                out.push('*');
            }
            '\n' => out.push('*'),
            c => out.push(c),
        }
    }
    out
}

/// The catalogues that are installed.
fn catalogues() -> Vec<PathBuf> {
    let entries = |folder: &Path| {
        let read = fs::read_dir(folder).into_iter().flatten().flatten();
        read.map(|entry| entry.path())
    };
    let mut found = Vec::new();
    for folder in FOLDERS {
        for language in entries(Path::new(folder)) {
            for file in entries(&language.join("LC_MESSAGES")) {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                let ours = name.ends_with(".mo") && DOMAINS.iter().any(|d| name.starts_with(d));
                let small = fs::metadata(&file).is_ok_and(|about| about.len() <= LARGEST);
                if ours && small {
                    found.push(file);
                }
            }
        }
    }
    found.sort();
    found
}

/// The pairs of a catalogue: message and translation. Anything that does not
/// fit the format ends the reading.
fn messages(bytes: &[u8]) -> Vec<(String, String)> {
    let number = |at: usize| -> Option<usize> {
        let four: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(four)).ok()
    };
    let string = |table: usize, n: usize| -> Option<String> {
        let entry = table.checked_add(n.checked_mul(8)?)?;
        let (length, at) = (number(entry)?, number(entry.checked_add(4)?)?);
        let raw = bytes.get(at..at.checked_add(length)?)?;
        // Plural forms are separated by NUL: the first will do.
        let first = raw.split(|b| *b == 0).next()?;
        Some(String::from_utf8_lossy(first).into_owned())
    };
    let read = || -> Option<Vec<(String, String)>> {
        (number(0)? == 0x9504_12de).then_some(())?;
        let (count, originals, translations) = (number(8)?, number(12)?, number(16)?);
        (0..count.min(100_000))
            .map(|n| Some((string(originals, n)?, string(translations, n)?)))
            .collect()
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_become_stars() {
        assert_eq!(
            starred("role \"%s\" does not exist"),
            "role \"*\" does not exist"
        );
        assert_eq!(starred("%2$s of %1$d: 100%%\n"), "* of *: 100%");
    }

    #[test]
    fn a_catalogue_is_read() {
        let mut mo = Vec::new();
        for n in [0x9504_12deu32, 0, 1, 28, 36, 0, 0, 2, 44, 3, 47] {
            mo.extend(n.to_le_bytes());
        }
        mo.extend(b"hi\0hej\0");
        assert_eq!(messages(&mo), [("hi".to_owned(), "hej".to_owned())]);
        for cut in 0..mo.len() {
            let _ = messages(&mo[..cut]);
        }
    }
}
