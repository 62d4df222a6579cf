//! The dials that are out at the same time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::config::Keepalives;
use crate::config::local_end::LocalEnd;
use crate::ctx::Ctx;
use crate::run_id::inherited;
use crate::wire::dial::{ConnectAttempt, ConnectError, close_socket, knock};
use crate::wire::{Address, Stream};

/// How many addresses are dialled at once.
const AT_ONCE: usize = 16;

/// An accepted connection that waited longer than this for an earlier address
/// is dialled anew: the peer may have its own ideas about silence.
const FRESH: Duration = Duration::from_secs(1);

/// The dials that are out, and the connections that came of them.
pub struct Dials {
    keepalives: Keepalives,
    local_end: Option<LocalEnd>,
    ctx: Ctx,
    /// How many addresses have been dialled.
    begun: usize,
    /// The addresses, known once dialling has begun.
    addresses: Arc<Vec<Address>>,
    tasks: JoinSet<(usize, ConnectAttempt)>,
    /// Open connections, with the time they were opened.
    open: Vec<(usize, Stream, Instant)>,
}

impl Dials {
    pub fn new(keepalives: Keepalives, local_end: Option<LocalEnd>, ctx: Ctx) -> Self {
        Self {
            keepalives,
            local_end,
            ctx,
            begun: 0,
            addresses: Arc::default(),
            tasks: JoinSet::new(),
            open: Vec::new(),
        }
    }

    /// Dials the next addresses, where those before them are all back and
    /// none is open.
    pub fn begin(&mut self, addresses: &[Address]) {
        if self.addresses.is_empty() {
            self.addresses = Arc::new(addresses.to_vec());
        }
        if !self.tasks.is_empty() || !self.open.is_empty() {
            return;
        }
        let limit = self.ctx.limit();
        for at in (self.begun..self.addresses.len()).take(AT_ONCE) {
            let (addresses, keepalives) = (Arc::clone(&self.addresses), self.keepalives);
            let local_end = self.local_end.clone();
            self.tasks.spawn(inherited(async move {
                let local_end = local_end.as_ref();
                (
                    at,
                    knock(&addresses[at], &keepalives, local_end, limit).await,
                )
            }));
            self.begun = at + 1;
        }
    }

    /// The next address that is back: the time it took to accept, or its miss.
    pub async fn next(&mut self) -> Option<(usize, Result<Duration, ConnectError>)> {
        let (at, knock) = self.tasks.join_next().await?.ok()?;
        Some(match knock.result {
            Ok(stream) => {
                self.open.push((at, stream, Instant::now()));
                (at, Ok(knock.took))
            }
            Err(miss) => (at, Err(miss)),
        })
    }

    /// The open connection of an address, dialled anew if it waited too long.
    pub async fn take(&mut self, at: usize) -> Result<Stream, ConnectError> {
        let held = self.open.iter().position(|(other, _, _)| *other == at);
        if let Some(held) = held {
            let (_, stream, since) = self.open.swap_remove(held);
            if since.elapsed() < FRESH {
                return Ok(stream);
            }
            close_socket(stream);
        }
        let local_end = self.local_end.as_ref();
        let (address, limit) = (&self.addresses[at], self.ctx.limit());
        knock(address, &self.keepalives, local_end, limit)
            .await
            .result
    }

    /// Hangs up on everything that is open: it was only a look.
    pub fn settle(&mut self) {
        for (_, stream, _) in self.open.drain(..) {
            close_socket(stream);
        }
    }

    pub fn pending(&self) -> usize {
        self.tasks.len()
    }
}
