//! What a server says of an error: every field of an ErrorResponse or a
//! NoticeResponse (PostgreSQL documentation, "Error and Notice Message Fields").

use crate::wire::frames::{Fields, decode};

/// The fields of an ErrorResponse or NoticeResponse. All of it is text from
/// the peer: it is cleaned where it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerError {
    /// `FATAL`, `ERROR`, `PANIC`, …, never translated (field `V`); servers
    /// before 9.6 and poolers send only the translated one (field `S`).
    pub severity: String,
    /// Whether the severity came in field `V`.
    pub severity_is_fixed: bool,
    /// The SQLSTATE; empty where the peer sends none.
    pub code: String,
    /// The message, in the server's language.
    pub message: String,
    /// What is added to it.
    pub detail: Option<String>,
    /// The server's own advice.
    pub hint: Option<String>,
    /// The setting, table or the like that it is about is named in here.
    pub context: Option<String>,
    /// The source file that raised it. PostgreSQL always sends it, poolers do not.
    pub file: Option<String>,
    /// The line in that file.
    pub line: Option<u32>,
    /// The C function that raised it: the same in every language.
    pub routine: Option<String>,
}

impl ServerError {
    /// Reads a message's body. `None` where it is not one.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let mut fields = Fields(body);
        let mut error = ServerError::default();
        let mut translated = String::new();
        loop {
            let kind = match fields.u8() {
                // Some poolers forget the final zero.
                None | Some(0) => break,
                Some(kind) => kind,
            };
            let value = match fields.string() {
                Some(value) => value,
                None => {
                    let rest = decode(fields.0);
                    fields.0 = &[];
                    rest
                }
            };
            match kind {
                b'V' => {
                    error.severity = value;
                    error.severity_is_fixed = true;
                }
                b'S' => translated = value,
                b'C' => error.code = value,
                b'M' => error.message = value,
                b'D' => error.detail = Some(value),
                b'H' => error.hint = Some(value),
                b'W' => error.context = Some(value),
                b'F' => error.file = Some(value),
                b'L' => error.line = value.parse().ok(),
                b'R' => error.routine = Some(value),
                _ => {}
            }
        }
        if !error.severity_is_fixed {
            error.severity = translated;
        }
        (!error.message.is_empty() || !error.code.is_empty()).then_some(error)
    }

    /// The routine, or nothing.
    pub fn routine(&self) -> &str {
        self.routine.as_deref().unwrap_or_default()
    }

    /// Whether it has the fields that every PostgreSQL server sends and no
    /// pooler does.
    pub fn is_from_postgres(&self) -> bool {
        self.routine.is_some() && self.file.is_some()
    }

    /// The whole of it in one line, as the evidence keeps it.
    pub fn one_line(&self) -> String {
        let mut line = format!("{} {}: {}", self.severity, self.code, self.message);
        if let Some(detail) = &self.detail {
            line.push_str("; DETAIL: ");
            line.push_str(detail);
        }
        if let Some(hint) = &self.hint {
            line.push_str("; HINT: ");
            line.push_str(hint);
        }
        line
    }
}

impl std::fmt::Display for ServerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.one_line())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_kept() {
        let error =
            ServerError::parse(b"SFATAL\0VFATAL\0C28P01\0Mno\0Fauth.c\0L335\0Rauth_failed\0\0")
                .unwrap();
        assert_eq!(error.code, "28P01");
        assert_eq!(error.routine(), "auth_failed");
        assert_eq!(error.line, Some(335));
        assert!(error.is_from_postgres() && error.severity_is_fixed);
    }

    #[test]
    fn a_careless_pooler_is_understood() {
        let error = ServerError::parse(b"SFATAL\0C08P01\0Mno such database: x").unwrap();
        assert_eq!(error.message, "no such database: x");
        assert!(!error.is_from_postgres());
        assert_eq!(ServerError::parse(b"\0"), None);
    }

    proptest::proptest! {
        #[test]
        fn nothing_a_peer_sends_panics(body: Vec<u8>) {
            let _ = ServerError::parse(&body);
        }
    }
}
