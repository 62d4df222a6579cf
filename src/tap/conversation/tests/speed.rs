//! How fast it reads. The bounds are for a build without optimisation on a busy machine; with
//! it, large rows pass at the speed of memory, and a small message takes a few nanoseconds.

use std::time::Duration;

use super::*;

/// The shortest of some runs: other programs only make one longer.
fn shortest(mut run: impl FnMut()) -> Duration {
    let runs = (0..7).map(|_| {
        let started = Instant::now();
        run();
        started.elapsed()
    });
    runs.min().unwrap_or_default()
}

#[test]
fn large_rows_cost_their_number_and_not_their_size() {
    let (mut conversation, _) = Script::session().read();
    let row = message(b'D', &vec![0x5a; 1 << 20]);
    let time = shortest(|| {
        for _ in 0..100 {
            for piece in row.chunks(64 << 10) {
                conversation.server(at(), piece, &mut |_| {});
            }
        }
    });
    eprintln!("100 MB of large rows: {time:?}");
    assert_eq!(conversation.statements.rows, 700);
    assert!(time < Duration::from_millis(100), "{time:?}");
}

#[test]
fn small_messages_are_cheap() {
    let (mut conversation, _) = Script::session().read();
    let rows = message(b'D', b"\0\x01\0\0\0\x04text").repeat(4_000);
    let time = shortest(|| {
        for _ in 0..25 {
            conversation.server(at(), &rows, &mut |_| {});
        }
    });
    eprintln!("100,000 small rows: {time:?}");
    assert!(time < Duration::from_millis(500), "{time:?}");
    let mut query = message(b'P', b"S_1\0select $1\0\0\0");
    query.extend(message(b'B', b"\0S_1\0\0\0\0\x01\0\0\0\x04text\0\0"));
    query.extend(message(b'E', b"\0\0\0\0\0"));
    query.extend(message(b'S', b""));
    let time = shortest(|| {
        for _ in 0..25_000 {
            conversation.client(at(), &query, &mut |_| {});
            conversation.server(at(), READY, &mut |_| {});
        }
    });
    eprintln!("125,000 small messages of statements: {time:?}");
    assert_eq!(conversation.unanswered, 0);
    assert!(time < Duration::from_secs(1), "{time:?}");
}
