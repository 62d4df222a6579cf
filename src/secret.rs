//! A value that must never be shown.

mod finder;
mod forms;
mod masked;
mod others;
mod repeated;
mod stack;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStringExt;

use zeroize::Zeroizing;

use masked::Masked;

pub use repeated::{
    exempt_from_redaction, guard, hide, hide_in_ours, hide_part, hide_part_text, hide_text,
};
pub use stack::wiping;

/// A password, a passphrase, a private key or a text that may have one in it. It has no
/// `Display` and no `Serialize`, and its `Debug` says only that there is one, so that
/// printing it does not compile or prints nothing of use.
///
/// It is masked while it is not used, since some are needed until the end: for another
/// login, and to keep them out of what a peer says. What [`Secret::expose`] gives is
/// wiped when it is dropped. See [`crate::core_dumps`] for what keeps all of it from
/// other processes.
#[derive(Clone)]
pub struct Secret(Masked);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self::from_bytes(value.into().into_bytes())
    }

    /// Wraps a value that need not be UTF-8: libpq sends a password as the
    /// bytes that it was given.
    pub fn from_bytes(value: Vec<u8>) -> Self {
        Self(Masked::new(value))
    }

    /// The value itself, for the one place that sends or uses it. What is not
    /// UTF-8 is replaced; see [`Secret::expose_bytes`].
    pub fn expose(&self) -> Zeroizing<String> {
        let mut bytes = self.expose_bytes();
        let text = String::from_utf8(std::mem::take(&mut *bytes));
        Zeroizing::new(text.unwrap_or_else(|error| {
            let bytes = Zeroizing::new(error.into_bytes());
            String::from_utf8_lossy(&bytes).into_owned()
        }))
    }

    /// The value itself, byte by byte.
    pub fn expose_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.0.reveal()
    }

    /// The value itself, for what takes it over.
    pub fn expose_owned(&self) -> String {
        std::mem::take(&mut *self.expose())
    }

    /// The value as the system has it, for the environment of a program.
    pub fn expose_os(&self) -> OsString {
        OsString::from_vec(std::mem::take(&mut *self.expose_bytes()))
    }

    /// Whether the value is the empty string.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose_bytes() == other.expose_bytes()
    }
}

impl Eq for Secret {}

impl<T: AsRef<OsStr> + ?Sized> From<&T> for Secret {
    fn from(value: &T) -> Self {
        Self::from(value.as_ref().to_owned())
    }
}

impl From<OsString> for Secret {
    fn from(value: OsString) -> Self {
        Self::from_bytes(value.into_vec())
    }
}

/// What is shown in place of a secret that is set.
pub const HIDDEN: &str = "(hidden)";

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}
