//! What a computation with a secret leaves on the stack.

use std::hint::black_box;

/// How much is wiped: more than any computation here uses.
const DEPTH: usize = 128 * 1024;

/// Does a piece of work, and wipes the part of the stack that it used: libraries keep
/// keys in local variables, and moving a value leaves a copy where it was.
pub fn wiping<T>(work: impl FnOnce() -> T) -> T {
    let result = beneath(work);
    wipe();
    result
}

/// In a frame of its own, which lies where [`wipe`] writes.
#[inline(never)]
fn beneath<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}

#[inline(never)]
fn wipe() {
    let mut room = [0_u8; DEPTH];
    black_box(&mut room);
}
