//! How the database is reached for one more connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::Socket;
use tokio::sync::Mutex;

use crate::cause;
use crate::config::{Endpoint, Target};
use crate::ctx::Ctx;
use crate::finding::{Finding, Status, shown};
use crate::pipeline::{self, Connected};
use crate::report::{Report, Stage};
use crate::stage::ssh::Bastion;
use crate::stage::{tcp, tunnel};
use crate::wire::dial::knock;
use crate::wire::{Address, BoxIo, Stream};

/// How often an SSH server is asked for a sign of life.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// After so many unanswered ones in a row the session counts as dead.
const UNANSWERED: usize = 3;

/// For so long what was found about a target that is down is taken to hold.
const FAILURE_CACHE_TTL: Duration = Duration::from_secs(2);

/// A connection to the database.
pub struct Opened {
    /// It.
    pub io: BoxIo,
    /// Its socket, where it is one of this machine.
    pub socket: Option<Arc<Socket>>,
}

impl From<Stream> for Opened {
    fn from(stream: Stream) -> Self {
        Self {
            io: stream.io.into_inner(),
            socket: stream.socket,
        }
    }
}

/// How the database is reached.
#[derive(Clone)]
pub enum Way {
    /// By a forward of the last SSH hop.
    Tunnel(Arc<Tunnel>),
    /// From here.
    Direct(Arc<Direct>),
}

/// A tunnel, and the hosts at its end.
pub struct Tunnel {
    bastion: Bastion,
    endpoints: Vec<Endpoint>,
    ctx: Ctx,
}

/// The hosts, as they are reached from here.
pub struct Direct {
    target: Target,
    ctx: Ctx,
    known: Mutex<Known>,
}

/// What is known of the hosts' addresses.
#[derive(Default)]
struct Known {
    addresses: Vec<Address>,
    failure: Option<(Instant, Finding)>,
}

impl Way {
    /// Through a tunnel, to the first of these hosts that it reaches.
    pub fn tunnel(bastion: Bastion, endpoints: Vec<Endpoint>, ctx: Ctx) -> Self {
        Self::Tunnel(Arc::new(Tunnel {
            bastion,
            endpoints,
            ctx,
        }))
    }

    /// From here, to the first address of the target's hosts that accepts.
    pub fn direct(target: Target, ctx: Ctx) -> Self {
        Self::Direct(Arc::new(Direct {
            target,
            ctx,
            known: Mutex::default(),
        }))
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// Why it does not open, as `check` would say it.
    pub async fn open(&self) -> Result<Opened, Finding> {
        match self {
            Self::Tunnel(tunnel) => tunnel.open().await,
            Self::Direct(direct) => direct.open().await,
        }
    }

    /// Why the way itself ended, where it did.
    pub async fn lost(&self) -> Option<String> {
        let Self::Tunnel(tunnel) = self else {
            return None;
        };
        let death = tunnel.bastion.wait_for_disconnect().await?;
        Some(death.evidence.get("error").map(shown).unwrap_or_default())
    }

    /// Waits for the end of the way itself: the SSH session ends, or no longer answers. A
    /// direct one has none.
    pub async fn gone(&self) -> Finding {
        match self {
            Self::Tunnel(tunnel) => tunnel.gone().await,
            Self::Direct(_) => std::future::pending().await,
        }
    }
}

impl Tunnel {
    async fn open(&self) -> Result<Opened, Finding> {
        let ctx = self.ctx.anew();
        let mut first = None;
        for endpoint in &self.endpoints {
            match tunnel::open(&self.bastion, endpoint, &ctx, ctx.limit()).await {
                Ok(io) => return Ok(Opened { io, socket: None }),
                Err(failure) => {
                    let finding = tunnel::refused(&failure, &self.bastion, endpoint);
                    first.get_or_insert(finding);
                }
            }
        }
        Err(first.unwrap_or_else(|| Finding::new(&cause::tunnel::LOST)))
    }

    async fn gone(&self) -> Finding {
        let mut unanswered = 0;
        loop {
            tokio::select! {
                _ = self.bastion.ended() => {
                    return self.bastion.after_disconnect().await;
                }
                () = tokio::time::sleep(KEEPALIVE) => {}
            }
            let limit = Instant::now() + KEEPALIVE;
            match self.bastion.ping(&self.ctx.anew(), limit).await {
                Ok(_) => unanswered = 0,
                Err(lost) => {
                    unanswered += 1;
                    if unanswered == UNANSWERED || self.bastion.fate().is_some() {
                        return lost;
                    }
                }
            }
        }
    }
}

impl Direct {
    /// What was dialled before is dialled again; where it does not answer any more, the whole
    /// of `dns` and `tcp` tells why, or finds what the name leads to now.
    async fn open(&self) -> Result<Opened, Finding> {
        let addresses = self.known.lock().await.addresses.clone();
        for address in &addresses {
            if let Some(opened) = self.dial(address).await {
                return Ok(opened);
            }
        }
        let mut known = self.known.lock().await;
        if let Some((since, failure)) = &known.failure
            && since.elapsed() < FAILURE_CACHE_TTL
        {
            return Err(failure.clone());
        }
        match self.look().await {
            Ok(connected) => {
                known.failure = None;
                known.addresses = connected
                    .addresses
                    .iter()
                    .flat_map(|(_, all)| all.clone())
                    .collect();
                let accepted = connected.address;
                drop(known);
                // The address that accepted the look will accept once more.
                match accepted {
                    Some(address) => {
                        let keepalives = &self.target.keepalives;
                        let ctx = self.ctx.anew();
                        let dialled = tcp::dial(&address, keepalives, None, &ctx).await;
                        dialled.map(Opened::from)
                    }
                    None => Err(Finding::new(&cause::tcp::REFUSED)),
                }
            }
            Err(failure) => {
                known.addresses.clear();
                known.failure = Some((Instant::now(), failure.clone()));
                Err(failure)
            }
        }
    }

    async fn dial(&self, address: &Address) -> Option<Opened> {
        let limit = self.ctx.anew().limit();
        let attempt = knock(address, &self.target.keepalives, None, limit).await;
        attempt.result.ok().map(Opened::from)
    }

    /// Runs `dns` and `tcp`.
    async fn look(&self) -> Result<Connected, Finding> {
        let mut report = Report::new(
            "tap",
            &[Stage::Dns, Stage::Tcp],
            (*self.ctx.environment).clone(),
        );
        let ctx = self.ctx.anew();
        let reached = pipeline::connect(
            &mut report,
            self.target.clone(),
            ctx,
            Stage::Tcp,
            None,
            &mut (),
        )
        .await;
        reached.ok_or_else(|| {
            let findings = report
                .stages
                .iter()
                .flat_map(|record| record.all_findings());
            let mut failures = findings.filter(|finding| finding.status == Status::Fail);
            let refused = || Finding::new(&cause::tcp::REFUSED);
            failures.next().unwrap_or_else(refused)
        })
    }
}
