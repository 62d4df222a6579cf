//! A TLS server that records what each client showed it: a certificate, and what it said.
//! To a client that does not ask for TLS it says nothing.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use openssl::ssl::{Ssl, SslAcceptor, SslMethod, SslStream, SslVerifyMode};

use crate::certs::Issued;
use crate::proxy::{Peer, Stream};

/// What it answers to a start-up message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// It asks for the password in clear, and refuses it.
    AsksPassword,
    /// Nothing.
    Silence,
}

/// What one client showed.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Whether it completed the handshake.
    pub handshake: bool,
    /// Whether it sent a certificate and proved that it has the key.
    pub certificate: bool,
    /// What it said inside TLS.
    pub said: Vec<u8>,
}

/// A running one.
pub struct RecordingServer {
    peer: Peer,
    shown: Arc<Mutex<Vec<Shown>>>,
}

impl RecordingServer {
    /// One that shows these certificates, one to each client; the last to all further ones.
    pub fn start(certificates: Vec<Issued>, answer: Answer) -> Result<Self> {
        let shown = Arc::new(Mutex::new(Vec::new()));
        let record = shown.clone();
        let peer = Peer::script(move |stream| {
            let at = {
                let mut all = record.lock().unwrap_or_else(|e| e.into_inner());
                all.push(Shown::default());
                all.len() - 1
            };
            let note = |shown: Shown| {
                record.lock().unwrap_or_else(|e| e.into_inner())[at] = shown;
            };
            let issued = &certificates[at.min(certificates.len() - 1)];
            serve(stream, issued, answer, note)
        })?;
        Ok(RecordingServer { peer, shown })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.peer.port()
    }

    /// What all clients so far have shown, in the order they came.
    pub fn shown(&self) -> Vec<Shown> {
        self.shown.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }
}

fn serve(
    mut stream: Stream,
    issued: &Issued,
    answer: Answer,
    note: impl Fn(Shown),
) -> io::Result<()> {
    let mut request = [0; 8];
    stream.read_exact(&mut request)?;
    if request != [0, 0, 0, 8, 4, 210, 22, 47] {
        return stream.ignore();
    }
    stream.write_all(b"S")?;
    let mut tls = SslStream::new(ssl(issued)?, stream)?;
    if tls.accept().is_err() {
        return Ok(());
    }
    let mut shown = Shown {
        handshake: true,
        certificate: tls.ssl().peer_certificate().is_some(),
        said: Vec::new(),
    };
    note(shown.clone());
    let mut asked = false;
    loop {
        let mut bytes = [0; 4096];
        let n = tls.read(&mut bytes).unwrap_or(0);
        if n == 0 {
            return Ok(());
        }
        shown.said.extend(&bytes[..n]);
        note(shown.clone());
        match answer {
            Answer::Silence => {}
            Answer::AsksPassword if !asked => tls.write_all(b"R\0\0\0\x08\0\0\0\x03")?,
            Answer::AsksPassword => {
                let fields = b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed\0\0";
                let mut message = vec![b'E'];
                message.extend((fields.len() as u32 + 4).to_be_bytes());
                message.extend(fields);
                tls.write_all(&message)?;
                return Ok(());
            }
        }
        asked = true;
    }
}

/// Asks for a client certificate, and takes any or none.
fn ssl(issued: &Issued) -> Result<Ssl, openssl::error::ErrorStack> {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls())?;
    acceptor.set_certificate(&issued.cert)?;
    acceptor.set_private_key(&issued.key)?;
    acceptor.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
    Ssl::new(acceptor.build().context())
}
