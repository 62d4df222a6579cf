//! Which names are words of the language, and which say nothing of anybody.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::cause;

/// Names that every installation has.
const COMMON: &[&str] = &[
    "postgres",
    "postgresql",
    "template0",
    "template1",
    "root",
    "nobody",
    "localhost",
    "localhost.localdomain",
    "localdomain",
    "ip6-localhost",
    "pgbouncer",
    "public",
    "all",
    "replication",
    "prefer",
    "none",
    "default",
    "unknown",
    "unix",
    "local",
    "dbdoctor",
    "(hidden)",
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
];

/// All texts of the catalogue, in small letters.
static TEXTS: LazyLock<String> = LazyLock::new(|| {
    let mut all = String::new();
    for cause in cause::all() {
        let prose = [cause.code, cause.title, cause.summary, cause.meaning];
        let fixes = cause.fixes.iter();
        let fixes = fixes.flat_map(|fix| [fix.text, fix.command.unwrap_or_default()]);
        let seen_as = cause.seen_as.iter().copied();
        for text in prose.into_iter().chain(fixes).chain(seen_as) {
            all.push_str(&text.to_lowercase());
            all.push('\n');
        }
    }
    all
});

/// The words of those texts, and their parts where they have dots, dashes or
/// underscores.
static WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let is_inside = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    let mut words = HashSet::new();
    for word in TEXTS.split(|c| !is_inside(c)) {
        let word = word.trim_matches(['.', '-', '_']);
        words.insert(word);
        words.extend(word.split(['.', '-', '_']));
    }
    words.remove("");
    words
});

/// How a name is told from the words around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rarity {
    /// It is in no text by chance: it is replaced even within another word.
    Rare,
    /// It is no word, but words have it in them: it is replaced as a word.
    NoWord,
    /// It is a word: it is replaced where a value stands.
    Word,
}

/// The fewest letters of a name that is looked for within words.
const RARE: usize = 4;

/// How a name is told from the words around it.
pub fn rarity(name: &str) -> Rarity {
    let name = name.to_lowercase();
    let has_letters = name.chars().any(char::is_alphabetic);
    match name.chars().count() {
        // One letter, or a number, may be anything.
        0 | 1 => Rarity::Word,
        _ if !has_letters || is_word(&name) => Rarity::Word,
        RARE.. if !TEXTS.contains(&name) => Rarity::Rare,
        _ => Rarity::NoWord,
    }
}

/// Whether the catalogue's texts have this word.
pub fn is_word(word: &str) -> bool {
    WORDS.contains(word.to_lowercase().as_str())
}

/// Whether every word of a text is one of the catalogue's, or a number.
pub fn are_words(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_alphanumeric());
    words.all(|word| word.chars().all(|c| c.is_ascii_digit()) || is_word(word))
}

/// Whether a name says nothing of anybody.
pub fn is_common(name: &str) -> bool {
    let name = name.trim();
    name.is_empty() || COMMON.contains(&name.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_language_are_told_from_names() {
        assert_eq!(rarity("u-zebra"), Rarity::Rare);
        assert_eq!(rarity("okapi.test"), Rarity::Rare);
        for word in ["the", "server", "password", "a", "5432", "database"] {
            assert_eq!(rarity(word), Rarity::Word, "{word}");
        }
        assert_eq!(rarity("erve"), Rarity::NoWord);
        assert_eq!(rarity("zx"), Rarity::NoWord);
    }

    #[test]
    fn what_everybody_has_is_common() {
        assert!(is_common("postgres") && is_common("LOCALHOST") && is_common(""));
        assert!(!is_common("app") && !is_common("test"));
    }
}
