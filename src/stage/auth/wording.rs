//! What a server's message says, in the languages that PostgreSQL speaks.
//!
//! The last resort: only where an SQLSTATE and a routine leave several causes,
//! or where a pooler quotes a server's words without its codes.

use std::sync::LazyLock;

use crate::cause::{self, Cause};

/// `code<TAB>pattern` lines; see the head of the file.
static TABLE: &str = include_str!("wording.tsv");

/// The quotation marks of the languages.
const QUOTES: [(char, &[char]); 6] = [
    ('"', &['"']),
    ('»', &['«']),
    ('«', &['»']),
    ('“', &['”', '“']),
    ('„', &['“', '”']),
    ('「', &['」']),
];

struct WordingPattern {
    cause: &'static Cause,
    parts: Vec<&'static str>,
    weight: usize,
}

static PATTERNS: LazyLock<Vec<WordingPattern>> = LazyLock::new(|| {
    TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (code, text) = line.split_once('\t')?;
            Some(WordingPattern {
                cause: cause::find(code)?,
                parts: text.split('*').map(str::trim).collect(),
                weight: text.chars().count(),
            })
        })
        .collect()
});

/// A message taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Lower case, one space between words, `"` for each quoted name.
    pub shape: String,
    /// The quoted names.
    pub names: Vec<String>,
}

impl Message {
    /// Takes a message apart.
    pub fn of(text: &str) -> Self {
        let mut shape = String::with_capacity(text.len());
        let mut names = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            let closing = QUOTES.iter().find(|(open, _)| *open == c).map(|q| q.1);
            if let Some((name, after)) = closing.and_then(|closing| rest.split_once(closing)) {
                names.push(name.trim_matches(|c: char| c.is_whitespace()).to_owned());
                shape.push_str(" \" ");
                rest = after;
            } else {
                shape.extend(c.to_lowercase());
            }
        }
        Self {
            shape: shape.split_whitespace().collect::<Vec<_>>().join(" "),
            names,
        }
    }

    /// The cause among these that the message is known to stand for; where
    /// several patterns fit, the longest.
    pub fn among(&self, causes: &[&'static Cause]) -> Option<&'static Cause> {
        self.best(|cause| causes.iter().any(|c| c.code == cause.code))
    }

    /// The cause that the message is known to stand for.
    pub fn cause(&self) -> Option<&'static Cause> {
        self.best(|_| true)
    }

    fn best(&self, allowed: impl Fn(&Cause) -> bool) -> Option<&'static Cause> {
        PATTERNS
            .iter()
            .filter(|pattern| allowed(pattern.cause) && self.fits(&pattern.parts))
            .max_by_key(|pattern| pattern.weight)
            .map(|pattern| pattern.cause)
    }

    /// Whether the parts occur in this order.
    fn fits(&self, parts: &[&str]) -> bool {
        let mut rest = self.shape.as_str();
        parts.iter().all(|part| match rest.split_once(part) {
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<&'static str> {
        Message::of(text).cause().map(|cause| cause.code)
    }

    #[test]
    fn names_are_taken_out_of_a_message() {
        let message = Message::of("kein pg_hba.conf-Eintrag für Host »::1«, Benutzer »a b«, x");
        assert_eq!(message.names, ["::1", "a b"]);
        let message = Message::of("l'utilisateur « app »");
        assert_eq!(message.names, ["app"]);
        assert_eq!(message.shape, "l'utilisateur \"");
    }

    #[test]
    fn the_same_cause_in_several_languages() {
        for text in [
            "role \"app\" does not exist",
            "Rolle »app« existiert nicht",
            "le rôle « app » n'existe pas",
            "ロール\"app\"は存在しません",
            "роль \"app\" не существует",
        ] {
            assert_eq!(code(text), Some("auth.role.missing"), "{text}");
        }
        assert_eq!(
            code(
                "pg_hba.conf rejette la connexion pour l'hôte « ::1 », utilisateur « app », base\nde données « app », sans chiffrement"
            ),
            Some("auth.hba.reject")
        );
    }

    #[test]
    fn a_name_does_not_mislead() {
        assert_eq!(
            code("role \"the database system is starting up\" does not exist"),
            Some("auth.role.missing")
        );
        assert_eq!(code("something else"), None);
    }

    #[test]
    fn every_code_of_the_table_exists() {
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let (code, _) = line.split_once('\t').unwrap();
            // Rows of other stages may come later.
            if !code.starts_with("tls.") {
                assert!(cause::find(code).is_some(), "{code}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_message_can_be_taken_apart(text: String) {
            let _ = Message::of(&text).cause();
        }
    }
}
