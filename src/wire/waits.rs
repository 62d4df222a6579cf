//! How long a peer lets this side wait for one answer, and from when on that is
//! a delay that the link does not account for.

use std::time::Duration;

use serde_json::{Value, json};
use socket2::Socket;

use crate::report::ms;
use crate::wire::tcp_info::{TcpInfo, tcp_info};

/// The least delay that is told. A look-up that is given up, a directory or a
/// pool that is waited for costs seconds. Below one second lie what nobody can
/// set otherwise: a round trip around the world (0.3 s), a retransmission
/// (0.2 s and up), a fork and a cold cache on a machine with more to do than
/// processors.
pub const LEAST_DELAY: Duration = Duration::from_secs(1);

/// How many round trips an answer may take: one is needed, and the smoothed
/// value lags behind a queue that fills up.
const ROUND_TRIPS: u32 = 4;

/// The least time after which a segment is sent again (`TCP_RTO_MIN` of Linux).
const LEAST_RTO: Duration = Duration::from_millis(200);

/// What was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// The answer to SSLRequest.
    TlsOffer,
    /// The messages of the TLS handshake.
    TlsHandshake,
    /// The answer to the start-up message: a request for authentication, or
    /// the login where none is needed.
    AuthRequest,
    /// The answer to the first message of SCRAM.
    Challenge,
    /// The answer to the password or its proof.
    Login,
    /// ReadyForQuery, where AuthenticationOk came before it.
    Session,
    /// An SSH server's identification.
    Identification,
    /// The messages of SSH's key exchange.
    KeyExchange,
    /// The answer to an SSH authentication request of this method.
    SshAuth(&'static str),
    /// A person who confirms the login on another device.
    Person,
}

impl Awaited {
    /// The message that the peer was to answer, in the protocol's terms.
    pub fn name(self) -> &'static str {
        match self {
            Awaited::TlsOffer => "SSLRequest",
            Awaited::TlsHandshake => "TLS handshake",
            Awaited::AuthRequest => "StartupMessage",
            Awaited::Challenge => "SASLInitialResponse",
            Awaited::Login => "password",
            Awaited::Session => "AuthenticationOk",
            Awaited::Identification => "identification",
            Awaited::KeyExchange => "key exchange",
            Awaited::SshAuth(method) => method,
            Awaited::Person => "confirmation",
        }
    }
}

/// A wait that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// For what.
    pub awaited: Awaited,
    /// The longest pause before something came.
    pub took: Duration,
}

impl Wait {
    /// For evidence.
    pub fn described(self) -> Value {
        json!({"awaited": self.awaited.name(), "ms": ms(self.took)})
    }
}

/// The waits of a connection that are delays.
#[derive(Debug)]
pub struct Delays {
    /// The longest of them.
    pub longest: Wait,
    /// All of them together.
    pub total: Duration,
    /// Each, for evidence.
    pub described: Vec<Value>,
    /// The link's round trip, in milliseconds, where it is known.
    pub rtt_ms: Option<f64>,
}

impl Delays {
    /// Those of these waits; `None` where none is one.
    pub fn among<'a>(
        waits: impl Iterator<Item = &'a Wait>,
        socket: Option<&Socket>,
    ) -> Option<Self> {
        let late: Vec<Wait> = waits
            .filter(|wait| is_delay(wait.took, socket))
            .copied()
            .collect();
        Some(Self {
            longest: late.iter().max_by_key(|wait| wait.took).copied()?,
            total: late.iter().map(|wait| wait.took).sum(),
            described: late.iter().map(|wait| wait.described()).collect(),
            rtt_ms: socket.and_then(tcp_info).map(|info| ms(info.rtt)),
        })
    }
}

/// Whether a wait for one answer is longer than the link accounts for. Without
/// a socket the link is not known, and counts for nothing.
pub fn is_delay(took: Duration, socket: Option<&Socket>) -> bool {
    let link = socket.and_then(tcp_info).map(|info| share_of_link(&info));
    took >= LEAST_DELAY + link.unwrap_or_default()
}

/// The most that round trips and lost segments may have cost one answer. Each
/// further loss of the same segment doubles the time until it is sent again
/// (RFC 6298, 5.5).
fn share_of_link(info: &TcpInfo) -> Duration {
    let lost = info.retransmits.saturating_sub(info.spurious).min(6);
    info.rtt * ROUND_TRIPS + (info.rtt + LEAST_RTO) * ((1 << lost) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(rtt: u64, retransmits: u32) -> Duration {
        share_of_link(&TcpInfo {
            rtt: Duration::from_millis(rtt),
            retransmits,
            spurious: 0,
            sack: true,
            path_mtu: 1500,
            mss: 1448,
            advertised_mss: 1448,
            received_mss: 536,
            unacked: 0,
            since_received: Duration::ZERO,
            bytes_received: 0,
            bytes_acked: 0,
            out_of_order: 0,
        })
    }

    #[test]
    fn a_link_accounts_for_its_round_trips_and_losses() {
        assert_eq!(link(300, 0).as_millis(), 1_200);
        assert_eq!(link(1, 0).as_millis(), 4);
        assert_eq!(link(0, 1).as_millis(), 200);
        assert_eq!(link(0, 3).as_millis(), 1_400);
        assert!(link(0, 1_000) < Duration::from_secs(15));
    }

    #[test]
    fn without_a_socket_the_floor_decides() {
        assert!(!is_delay(Duration::from_millis(999), None));
        assert!(is_delay(Duration::from_millis(1_000), None));
    }
}
