//! Whether two readings of a conversation came to the same, for tests.

use super::{Conversation, Event};

/// The same state, and the same events but for the bytes that were there already when
/// something could not be read.
pub fn same(a: &(Conversation, Vec<Event>), b: &(Conversation, Vec<Event>)) {
    let plain = |events: &[Event]| -> Vec<Event> {
        let mut events = events.to_vec();
        for event in &mut events {
            if let Event::Unreadable(unreadable) = event {
                unreadable.bytes.clear();
            }
        }
        events
    };
    assert_eq!(plain(&a.1), plain(&b.1));
    assert_eq!(known(&a.0), known(&b.0));
}

/// What is known, without the buffers of the reading.
fn known(conversation: &Conversation) -> String {
    let Conversation {
        phase,
        encryption,
        client_hello,
        server_hello,
        encrypted,
        alerts,
        startup,
        negotiated,
        cancels,
        login,
        backend_pid,
        parameters,
        reported,
        errors,
        sqlstates,
        statements,
        transaction,
        unanswered,
        terminated,
        in_tls,
        unreadable,
        bytes,
        messages,
        ..
    } = conversation;
    format!(
        "{phase:?} {encryption:?} {client_hello:?} {server_hello:?} {encrypted:?} {alerts:?} \
         {startup:?} {negotiated:?} {cancels:?} {login:?} {backend_pid:?} {parameters:?} \
         {reported:?} {errors:?} \
         {sqlstates:?} {statements:?} {transaction:?} {unanswered} {terminated} {in_tls:?} {unreadable:?} \
         {bytes:?} {messages:?}"
    )
}
