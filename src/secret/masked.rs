//! Bytes that are in memory in another form than the one they are used in.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use zeroize::{Zeroize, Zeroizing};

/// Bytes that a search of this process's memory does not find: each is XORed with a
/// byte that follows from a random number. It hides them from who looks through a core
/// dump, a swapped page or a heap that leaked; it is no encryption, since the number is
/// in the same memory.
#[derive(Clone)]
pub(super) struct Masked {
    seed: u64,
    bytes: Vec<u8>,
}

impl Masked {
    /// Takes the bytes where they are, so that no copy is left.
    pub(super) fn new(mut bytes: Vec<u8>) -> Self {
        let seed = RandomState::new().build_hasher().finish();
        apply(seed, &mut bytes);
        Self { seed, bytes }
    }

    /// The bytes as they are used; the copy is wiped when it is dropped.
    pub(super) fn reveal(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(self.bytes.clone());
        apply(self.seed, &mut bytes);
        bytes
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

impl Drop for Masked {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}

/// XORs with what follows from the seed (SplitMix64); twice is nothing.
fn apply(seed: u64, bytes: &mut [u8]) {
    let mut state = seed;
    for chunk in bytes.chunks_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        for (byte, mask) in chunk.iter_mut().zip(mixed.to_ne_bytes()) {
            *byte ^= mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_back_and_are_not_there_meanwhile() {
        let text = b"hunter2-and-more!".repeat(9);
        let masked = Masked::new(text.clone());
        assert_eq!(*masked.reveal(), text);
        assert_eq!(*masked.clone().reveal(), text);
        assert!(
            !masked
                .bytes
                .windows(4)
                .any(|part| text.windows(4).any(|t| t == part))
        );
        assert_ne!(masked.bytes, Masked::new(text).bytes);
        assert!(Masked::new(Vec::new()).reveal().is_empty());
    }
}
