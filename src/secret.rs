//! A value that must never be shown.

mod finder;
mod forms;
mod others;
mod repeated;

use std::fmt;

use zeroize::Zeroize;

pub use repeated::{
    exempt_from_redaction, guard, hide, hide_in_ours, hide_part, hide_part_text, hide_text,
};

/// A password or passphrase. It has no `Display` and no `Serialize`, and its
/// `Debug` says only that there is one, so that printing it does not compile
/// or prints nothing of use.
///
/// Its memory is wiped when it is dropped. What was read from the process's
/// environment stays there, the forms that [`guard`] looks for stay until the
/// end, and libraries have buffers of their own: see [`crate::core_dumps`] for
/// what keeps all of it from other processes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    text: String,
    /// The value as it is, where it is not UTF-8.
    raw: Option<Vec<u8>>,
}

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self {
            text: value.into(),
            raw: None,
        }
    }

    /// Wraps a value that need not be UTF-8: libpq sends a password as the
    /// bytes that it was given.
    pub fn from_bytes(value: Vec<u8>) -> Self {
        match String::from_utf8(value) {
            Ok(text) => Self::new(text),
            Err(error) => Self {
                text: String::from_utf8_lossy(error.as_bytes()).into_owned(),
                raw: Some(error.into_bytes()),
            },
        }
    }

    /// The value itself, for the one place that sends or uses it. What is not
    /// UTF-8 is replaced; see [`Secret::expose_bytes`].
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The value itself, byte by byte.
    pub fn expose_bytes(&self) -> &[u8] {
        self.raw.as_deref().unwrap_or(self.text.as_bytes())
    }

    /// Whether the value is the empty string.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.text.zeroize();
        self.raw.zeroize();
    }
}

/// What is shown in place of a secret that is set.
pub const HIDDEN: &str = "(hidden)";

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}
