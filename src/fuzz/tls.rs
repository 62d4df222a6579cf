//! Certificates, and the messages of a handshake.

use openssl::x509::X509;

use super::parts;
use crate::stage::tls::facts;
use crate::stage::tls::names::{NameMatch, Names};
use crate::wire::handshake_log::HandshakeLog;

/// A certificate in DER, behind the host that is asked for.
pub fn certificate(data: &[u8]) {
    let [host, der] = parts(data);
    let Ok(cert) = X509::from_der(der) else {
        return;
    };
    let names = Names::of(&cert);
    let host = String::from_utf8_lossy(host);
    for host in [
        host.as_ref(),
        "db.example",
        "10.0.0.1",
        "::1",
        "x.db.example",
    ] {
        let covered = names.cover(host);
        assert_eq!(covered == NameMatch::NoHost, host.is_empty());
        // Upper and lower case are the same name.
        assert_eq!(names.cover(&host.to_ascii_uppercase()), covered, "{host}");
    }
    let fact = facts::certificate(&cert).to_string();
    assert!(fact.len() <= 4096 + 16 * der.len(), "{}", fact.len());
    facts::end_point(&cert);
    facts::called(&cert);
}

/// Messages of a handshake, each with three bytes before it: by whom and of which content,
/// and its length.
pub fn handshake(data: &[u8]) {
    let log = HandshakeLog::default();
    let mut rest = data;
    while let [kind, high, low, after @ ..] = rest {
        let length = usize::from(*high) << 8 | usize::from(*low);
        let (message, after) = after.split_at(length.min(after.len()));
        log.note(kind & 0x80 != 0, (kind & 0x7f).into(), message);
        rest = after;
    }
    let seen = log.seen();
    let kept: usize = seen.chain.iter().map(Vec::len).sum();
    assert!(kept <= data.len());
    let names = seen.certificate_request.iter().flatten();
    assert!(names.map(String::len).sum::<usize>() <= 256 + 8 * data.len());
    drop(seen);
    assert!(log.chain().len() <= data.len() / 3);
}
