//! A message that a server or a pooler sends to us, in the languages that
//! PostgreSQL speaks.
//!
//! The last resort: only where an SQLSTATE and a routine leave several causes,
//! or where a pooler stands in between.

use std::sync::LazyLock;

use super::{Finder, Live, Row, fold, rows};
use crate::cause::Cause;

/// The quotation marks of the languages.
const QUOTES: [(char, &[char]); 6] = [
    ('"', &['"']),
    ('»', &['«']),
    ('«', &['»']),
    ('“', &['”', '“']),
    ('„', &['“', '”']),
    ('「', &['」']),
];

/// The rows that such messages are compared with, without what stands between
/// quotation marks: a name must not be taken for words.
static LIVE: LazyLock<Finder<(&'static Cause, Live)>> = LazyLock::new(|| {
    let live = rows().filter_map(|row: &Row| {
        let cause = row.causes.first().copied()?;
        Some((Message::of(row.text).shape, (cause, row.live?)))
    });
    Finder::new(live)
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

    /// The cause among these that the message of a server is known to stand
    /// for; where several texts fit, the longest counts.
    pub fn among(&self, causes: &[&Cause]) -> Option<&'static Cause> {
        self.longest(Live::Server, |cause| cause.is_any(causes))
    }

    /// The cause that the message of a server is known to stand for.
    pub fn cause(&self) -> Option<&'static Cause> {
        self.longest(Live::Server, |_| true)
    }

    /// The same for a message that a pooler passes on without its codes.
    pub fn relayed(&self) -> Option<&'static Cause> {
        self.cause()
            .or_else(|| self.longest(Live::Relayed, |_| true))
    }

    /// Which pooler says this, and what it stands for; the first text that fits
    /// counts.
    pub fn of_pooler(&self) -> Option<(&'static str, &'static Cause)> {
        let found = LIVE.find(&fold(&self.shape));
        found.into_iter().find_map(|(_, (cause, live))| match live {
            Live::Pooler(make) => Some((*make, *cause)),
            _ => None,
        })
    }

    fn longest(&self, of: Live, allowed: impl Fn(&Cause) -> bool) -> Option<&'static Cause> {
        let found = LIVE.find(&fold(&self.shape));
        found
            .into_iter()
            .filter(|(_, (cause, live))| *live == of && allowed(cause))
            .max_by_key(|(pattern, _)| pattern.weight())
            .map(|(_, (cause, _))| *cause)
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
    fn poolers_are_told_by_their_words() {
        let said = |text: &str| Message::of(text).of_pooler();
        let (make, cause) = said("no such database: orders").unwrap();
        assert_eq!((make, cause.code), ("PgBouncer", "pooler.database"));
        let (make, cause) = said("(ENOTFOUND) tenant/user a.b not found").unwrap();
        assert_eq!((make, cause.code), ("Supavisor", "pooler.tenant"));
        // The longer text stands before the shorter one that it contains.
        let (_, cause) = said("unix socket login rejected").unwrap();
        assert_eq!(cause.code, "auth.peer");
        assert_eq!(said("something else"), None);
    }

    #[test]
    fn what_a_pooler_passes_on_is_a_server_s() {
        let message = Message::of("could not load library \"/x.so\": gone");
        assert_eq!(message.cause(), None);
        assert_eq!(message.relayed().unwrap().code, "server.library");
        let full = Message::of("could not load library \"/x.so\": No space left on device");
        assert_eq!(full.relayed().unwrap().code, "server.resources");
    }

    proptest::proptest! {
        #[test]
        fn any_message_can_be_taken_apart(text: String) {
            let _ = Message::of(&text).cause();
        }
    }
}
