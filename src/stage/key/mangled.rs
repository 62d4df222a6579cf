//! What happened to a private key that is damaged.

use std::path::Path;

use crate::cause::key as cause;
use crate::finding::Finding;

/// A diagnosis.
#[derive(Clone, Debug)]
pub struct Damage {
    /// The text as it was, where it could be had back.
    pub repaired: Option<Vec<u8>>,
}

impl Damage {
    /// The names of what happened.
    pub fn names(&self) -> Vec<String> {
        Vec::new()
    }
    /// The finding.
    pub fn finding(&self, path: &Path, _readable: bool) -> Finding {
        Finding::new(&cause::MANGLED).with("path", path.display().to_string())
    }
}

/// Looks for damage; `None` where there is none, or no key to begin with.
pub fn diagnose(content: &[u8]) -> Option<Damage> {
    let _ = content;
    None
}
