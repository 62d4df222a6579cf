//! The TLS library that a client uses, by its ClientHello.

use crate::tap::conversation::ClientHello;

/// A cipher suite that is none (RFC 5746, section 3.3): some libraries send it in the place
/// of an extension.
const RENEGOTIATION_INFO: u16 = 0x00ff;

/// A TLS library: a row of `knowledge/client-marks.toml`.
#[derive(Debug)]
pub struct Stack {
    /// How the table's clients name it.
    pub id: &'static str,
    /// The library, whatever its settings.
    pub family: &'static str,
    /// As it is shown.
    pub name: &'static str,
    /// A run of the signature algorithms that it has.
    pub(super) signatures: &'static [u16],
    /// All its cipher suites, where they are the mark.
    pub(super) ciphers: Option<&'static [u16]>,
    /// Where that was read or measured.
    pub source: &'static str,
}

impl Stack {
    /// The library that begins TLS like this; none where it is not known.
    pub fn of(hello: &ClientHello) -> Option<&'static Self> {
        super::STACKS.iter().find(|stack| stack.fits(hello))
    }

    /// The row of this name.
    pub(super) fn named(id: &str) -> Option<&'static Self> {
        super::STACKS.iter().find(|stack| stack.id == id)
    }

    fn fits(&self, hello: &ClientHello) -> bool {
        let mut runs = hello.signatures.windows(self.signatures.len());
        let ciphers = || {
            let all = hello.ciphers.iter().copied();
            all.filter(|cipher| *cipher != RENEGOTIATION_INFO)
        };
        runs.any(|run| run == self.signatures)
            && self
                .ciphers
                .is_none_or(|known| ciphers().eq(known.iter().copied()))
    }
}
