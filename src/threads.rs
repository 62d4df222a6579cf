//! Threads: the runtime panics if it cannot create them, so this is checked
//! first.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// More workers than this have nothing to do.
const MOST: usize = 8;

/// The runtime's thread for blocking work, and one for a look-up.
const OTHERS: usize = 2;

/// How long the threads that have ended may still count.
const SETTLING: Duration = Duration::from_millis(50);

/// How many workers the runtime may have: one for each core, or as many as the
/// limits of this process allow. None if they allow no worker in addition to the
/// other threads.
pub fn workers() -> Option<usize> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let wanted = cores.min(MOST);
    let workers = available(wanted + OTHERS).saturating_sub(OTHERS);
    (workers > 0).then_some(workers)
}

/// How many threads can exist at the same time, up to `wanted`.
fn available(wanted: usize) -> usize {
    let mut threads = Vec::new();
    for _ in 0..wanted {
        let (end, ended) = mpsc::channel::<()>();
        // Each lives until its sender is dropped.
        match thread::Builder::new().spawn(move || ended.recv().is_ok()) {
            Ok(thread) => threads.push((end, thread)),
            Err(_) => break,
        }
    }
    let given = threads.len();
    for (end, thread) in threads {
        drop(end);
        let _ = thread.join();
    }
    if given < wanted {
        // The system counts a thread for a moment longer than it can be joined.
        thread::sleep(SETTLING);
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_some() {
        assert_eq!(available(3), 3);
        assert!(workers().is_some_and(|workers| (1..=MOST).contains(&workers)));
    }
}
