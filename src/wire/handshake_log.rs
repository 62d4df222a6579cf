//! A tap on the TLS handshake: the messages and alerts as OpenSSL hands them
//! over, decrypted. It is how the chain is known even where the handshake
//! fails, and how an alert is known that came after it.

use std::ffi::{c_int, c_void};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use foreign_types::{ForeignType, ForeignTypeRef};
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslRef};
use openssl::x509::{X509, X509Name};

use super::timeline::Timeline;
use super::tls::name_text;
use super::vector_reader::VectorReader;

/// The most that is kept of one handshake message, in bytes (OpenSSL's own
/// limit for a chain is 100 kB).
const MESSAGE_MAX: usize = 128 * 1024;

/// What passed in a handshake.
#[derive(Debug, Default)]
pub struct TlsTranscript {
    /// Alerts from the server, in order: level and description (RFC 8446, 6).
    pub alerts: Vec<(u8, u8)>,
    /// The last fatal alert that this side sent.
    pub alert_sent: Option<u8>,
    /// The version and cipher of the ServerHello, as numbers.
    pub server_hello: Option<(u16, u16)>,
    /// The certificates that the server presented, in DER, its own first.
    pub chain: Vec<Vec<u8>>,
    /// Whether the server asked for a client certificate, and the authorities it named.
    pub certificate_request: Option<Vec<String>>,
    /// Whether a client certificate was sent; an empty message is `false`.
    pub certificate_sent: Option<bool>,
    /// Whether the server's Finished came.
    pub server_finished: bool,
    /// Where the messages are recorded, under `-vv`.
    pub timeline: Option<Arc<Timeline>>,
}

/// The shared memory of one handshake.
#[derive(Debug, Default)]
pub struct HandshakeLog(Mutex<TlsTranscript>);

impl HandshakeLog {
    /// What passed so far.
    pub fn seen(&self) -> MutexGuard<'_, TlsTranscript> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The presented chain.
    pub fn chain(&self) -> Vec<X509> {
        self.seen()
            .chain
            .iter()
            .filter_map(|der| X509::from_der(der).ok())
            .collect()
    }

    /// Taps a connection before its handshake.
    ///
    /// # Errors
    /// OpenSSL cannot keep the tap beside the connection.
    pub fn attach(ssl: &mut Ssl) -> Result<Arc<Self>, ErrorStack> {
        let tap = Arc::new(Self::default());
        ssl.set_ex_data(index()?, Arc::clone(&tap));
        listen(ssl);
        Ok(tap)
    }

    /// Notes a message or an alert, by whom and of which content it is.
    pub(crate) fn note(&self, sent: bool, content: c_int, bytes: &[u8]) {
        if let (Some(timeline), Ok(content)) = (&self.seen().timeline, u8::try_from(content)) {
            timeline.tls(sent, content, bytes);
        }
        match (content, bytes) {
            (ALERT, [level, description, ..]) => self.alert(sent, *level, *description),
            (HANDSHAKE, [kind, _, _, _, body @ ..]) => self.message(sent, *kind, body),
            _ => {}
        }
    }

    fn alert(&self, sent: bool, level: u8, description: u8) {
        const FATAL: u8 = 2;
        let mut seen = self.seen();
        match sent {
            true if level == FATAL => seen.alert_sent = Some(description),
            true => {}
            false => seen.alerts.push((level, description)),
        }
    }

    fn message(&self, sent: bool, kind: u8, body: &[u8]) {
        let mut seen = self.seen();
        match (kind, sent) {
            (SERVER_HELLO, false) => seen.server_hello = server_hello(body),
            (CERTIFICATE, false) if seen.chain.is_empty() && !seen.server_finished => {
                let tls13 = is_tls13(&seen);
                seen.chain = certificates(body, tls13).unwrap_or_default();
            }
            (CERTIFICATE, true) => {
                let tls13 = is_tls13(&seen);
                let any = certificates(body, tls13).is_some_and(|chain| !chain.is_empty());
                seen.certificate_sent = Some(any);
            }
            (CERTIFICATE_REQUEST, false) => {
                let tls13 = is_tls13(&seen);
                let names = authorities(body, tls13).unwrap_or_default();
                seen.certificate_request = Some(names);
            }
            (FINISHED, false) => seen.server_finished = true,
            _ => {}
        }
    }
}

// TLS's content and handshake types (RFC 8446, B.1 and B.3).
const ALERT: c_int = 21;
const HANDSHAKE: c_int = 22;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const CERTIFICATE_REQUEST: u8 = 13;
const FINISHED: u8 = 20;

/// TLS 1.3's number.
pub const TLS1_3: u16 = 0x0304;

fn is_tls13(seen: &TlsTranscript) -> bool {
    seen.server_hello
        .is_some_and(|(version, _)| version == TLS1_3)
}

/// Version and cipher of a ServerHello; the version is that of the
/// supported_versions extension where there is one (RFC 8446, 4.1.3).
fn server_hello(body: &[u8]) -> Option<(u16, u16)> {
    let mut body = VectorReader(body);
    let mut version = body.u16()?;
    body.take(32)?;
    body.vector8()?;
    let cipher = body.u16()?;
    body.take(1)?;
    if let Some(extensions) = body.vector16() {
        let mut extensions = VectorReader(extensions);
        while let (Some(kind), Some(value)) = (extensions.u16(), extensions.vector16()) {
            if let (43, [high, low]) = (kind, value) {
                version = u16::from_be_bytes([*high, *low]);
            }
        }
    }
    Some((version, cipher))
}

/// The certificates of a Certificate message (RFC 8446, 4.4.2; RFC 5246, 7.4.2).
fn certificates(body: &[u8], tls13: bool) -> Option<Vec<Vec<u8>>> {
    let mut body = VectorReader(body);
    if tls13 {
        body.vector8()?;
    }
    let mut list = VectorReader(body.vector24()?);
    let mut out = Vec::new();
    while let Some(der) = list.vector24() {
        out.push(der.to_vec());
        if tls13 {
            list.vector16()?;
        }
    }
    Some(out)
}

/// The authorities that a CertificateRequest names (RFC 8446, 4.2.4; RFC 5246, 7.4.4).
fn authorities(body: &[u8], tls13: bool) -> Option<Vec<String>> {
    let mut body = VectorReader(body);
    body.vector8()?;
    let list = if tls13 {
        let mut extensions = VectorReader(body.vector16()?);
        let mut found = None;
        while let (Some(kind), Some(value)) = (extensions.u16(), extensions.vector16()) {
            if kind == 47 {
                found = VectorReader(value).vector16();
            }
        }
        found?
    } else {
        body.vector16()?;
        body.vector16()?
    };
    let mut list = VectorReader(list);
    let mut out = Vec::new();
    while let Some(der) = list.vector16() {
        if let Ok(name) = X509Name::from_der(der) {
            out.push(name_text(&name));
        }
    }
    Some(out)
}

/// Where the tap is kept in OpenSSL's object.
fn index() -> Result<Index<Ssl, Arc<HandshakeLog>>, ErrorStack> {
    static INDEX: OnceLock<Index<Ssl, Arc<HandshakeLog>>> = OnceLock::new();
    if let Some(index) = INDEX.get() {
        return Ok(*index);
    }
    let new = Ssl::new_ex_index()?;
    Ok(*INDEX.get_or_init(|| new))
}

/// The ciphers that a connection would offer, strongest first.
#[allow(unsafe_code)]
pub fn ciphers(ssl: &SslRef) -> Vec<String> {
    unsafe extern "C" {
        /// `SSL_get_cipher_list(3)`: the n-th cipher's name, or null.
        fn SSL_get_cipher_list(ssl: *const openssl_sys::SSL, n: c_int) -> *const std::ffi::c_char;
    }
    (0..200)
        .map_while(|n| {
            // SAFETY: the connection is alive; the name is a constant of OpenSSL, or null.
            let name = unsafe { SSL_get_cipher_list(ssl.as_ptr(), n) };
            if name.is_null() {
                return None;
            }
            // SAFETY: not null, and terminated, as documented.
            let name = unsafe { std::ffi::CStr::from_ptr(name) };
            Some(name.to_string_lossy().into_owned())
        })
        .collect()
}

/// Calls OpenSSL by hand: the `openssl` crate does not wrap
/// the message callback, and there is no other way to the messages of an
/// encrypted handshake.
#[allow(unsafe_code)]
fn listen(ssl: &mut Ssl) {
    type Callback = unsafe extern "C" fn(
        c_int,
        c_int,
        c_int,
        *const c_void,
        usize,
        *mut openssl_sys::SSL,
        *mut c_void,
    );
    unsafe extern "C" {
        /// `SSL_set_msg_callback(3)`.
        fn SSL_set_msg_callback(ssl: *mut openssl_sys::SSL, callback: Option<Callback>);
    }

    unsafe extern "C" fn heard(
        sent: c_int,
        _version: c_int,
        content: c_int,
        bytes: *const c_void,
        length: usize,
        ssl: *mut openssl_sys::SSL,
        _arg: *mut c_void,
    ) {
        if ssl.is_null() || bytes.is_null() || length > MESSAGE_MAX {
            return;
        }
        // SAFETY: OpenSSL calls this with its own live connection and with a
        // buffer of `length` bytes, both valid for the length of the call.
        let (ssl, bytes) = unsafe {
            (
                SslRef::from_ptr(ssl),
                std::slice::from_raw_parts(bytes.cast::<u8>(), length),
            )
        };
        if let Some(tap) = index().ok().and_then(|index| ssl.ex_data(index)) {
            tap.note(sent != 0, content, bytes);
        }
    }

    // SAFETY: the connection is alive, and the callback has the documented
    // signature and is a static function.
    unsafe { SSL_set_msg_callback(ssl.as_ptr(), Some(heard)) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_server_hello_is_the_extension_s() {
        let mut body = vec![3, 3];
        body.extend([0; 32]);
        body.extend([0, 0x13, 0x02, 0]);
        body.extend([0, 6, 0, 43, 0, 2, 3, 4]);
        assert_eq!(server_hello(&body), Some((TLS1_3, 0x1302)));
        body.truncate(38);
        assert_eq!(server_hello(&body), Some((0x0303, 0x1302)));
    }

    #[test]
    fn certificate_messages_of_both_forms() {
        let old = [0, 0, 5, 0, 0, 2, 7, 8];
        assert_eq!(certificates(&old, false), Some(vec![vec![7, 8]]));
        let new = [0, 0, 0, 7, 0, 0, 2, 7, 8, 0, 0];
        assert_eq!(certificates(&new, true), Some(vec![vec![7, 8]]));
        assert_eq!(certificates(&[0, 0, 0], false), Some(vec![]));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_cause_a_panic(sent: bool, content in 20..24, bytes: Vec<u8>) {
            HandshakeLog::default().note(sent, content, &bytes);
        }
    }
}
