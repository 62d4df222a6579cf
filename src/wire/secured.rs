//! A transport as the Postgres protocol gets it, and what TLS left behind.

use std::path::PathBuf;
use std::sync::Arc;

use openssl::x509::X509;

use super::{BoxIo, Route, TeeLog, tcp_info};
use crate::wire::handshake_log::HandshakeLog;

/// A transport that is as encrypted as it will get.
pub struct Wire {
    /// The bytes of the Postgres protocol.
    pub io: BoxIo,
    /// What was seen below TLS.
    pub log: Arc<TeeLog>,
    /// How it reaches the peer.
    pub route: Route,
    /// The result of the handshake; `None` without TLS.
    pub tls: Option<Encryption>,
    /// The socket itself, to ask the kernel about it.
    pub socket: Option<Arc<socket2::Socket>>,
}

impl Wire {
    /// Whether the peer's machine acknowledges nothing of what was sent last.
    pub fn has_unacked_data(&self) -> bool {
        self.socket
            .as_deref()
            .is_some_and(tcp_info::has_unacked_data)
    }
}

/// What later stages need to know of TLS.
#[derive(Clone, Debug, Default)]
pub struct Encryption {
    /// `tls-server-end-point` channel-binding data (RFC 5929); none where the
    /// certificate's signature has no usable digest.
    pub end_point: Option<Vec<u8>>,
    /// Whether a client certificate was sent.
    pub client_certificate_sent: bool,
    /// Whether the server asked for one.
    pub client_certificate_asked: bool,
    /// The client certificate that was at hand.
    pub client: Option<ClientCertificate>,
    /// The subject of the server's certificate.
    pub subject: String,
    /// The messages and alerts of this connection, those after the handshake included.
    pub tap: Arc<HandshakeLog>,
}

/// A client certificate that is ready to be sent.
#[derive(Clone)]
pub struct ClientCertificate {
    /// Its file.
    pub file: PathBuf,
    /// Its key's file.
    pub key_file: PathBuf,
    /// The certificate.
    pub cert: X509,
}

impl std::fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientCertificate")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}
