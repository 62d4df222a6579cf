//! ClientHello and ServerHello (RFC 8446, sections 4.1.2 and 4.1.3), as far as they were kept:
//! what was cut off is left out.

use super::{ClientHello, ServerHello};
use crate::wire::vector_reader::VectorReader;

/// The most entries that are kept of a list.
const LONGEST_LIST: usize = 128;
/// The longest protocol name of ALPN that is kept, and the most of them.
const LONGEST_PROTOCOL: usize = 64;
const MOST_PROTOCOLS: usize = 16;

/// The random of a HelloRetryRequest (RFC 8446, section 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

// Types of extensions (IANA, "TLS ExtensionType Values").
const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const SESSION_TICKET: u16 = 35;
const PRE_SHARED_KEY: u16 = 41;
const SUPPORTED_VERSIONS: u16 = 43;
const KEY_SHARE: u16 = 51;

/// TLS 1.3's number.
pub(super) const TLS1_3: u16 = 0x0304;

/// Reads a ClientHello's body; none where not even its cipher suites are there.
pub(super) fn client_hello(body: &[u8]) -> Option<ClientHello> {
    let mut body = VectorReader(body);
    let legacy_version = body.u16()?;
    body.take(32)?;
    let has_session = !body.vector8()?.is_empty();
    let mut hello = ClientHello {
        ciphers: numbers(body.vector16()?),
        ..ClientHello::default()
    };
    body.vector8();
    body.u16();
    while let Some(kind) = body.u16() {
        if !is_grease(kind) && hello.extensions.len() < LONGEST_LIST {
            hello.extensions.push(kind);
        }
        let Some(value) = body.vector16() else { break };
        extension(&mut hello, kind, value);
    }
    if hello.versions.is_empty() {
        hello.versions.push(legacy_version);
        // In TLS 1.3 every client may send one, for the sake of middleboxes.
        hello.resumes |= has_session;
    }
    Some(hello)
}

fn extension(hello: &mut ClientHello, kind: u16, value: &[u8]) {
    let mut value = VectorReader(value);
    match kind {
        SERVER_NAME => {
            let mut names = VectorReader(value.vector16().unwrap_or_default());
            // The only type of name is 0, a host's.
            if let (Some([0]), Some(name)) = (names.take(1), names.vector16()) {
                let name = name.get(..255).unwrap_or(name);
                hello.server_name = Some(String::from_utf8_lossy(name).into_owned());
            }
        }
        SUPPORTED_GROUPS => hello.groups = numbers(value.vector16().unwrap_or_default()),
        SIGNATURE_ALGORITHMS => hello.signatures = numbers(value.vector16().unwrap_or_default()),
        SUPPORTED_VERSIONS => hello.versions = numbers(value.vector8().unwrap_or_default()),
        ALPN => {
            let mut names = VectorReader(value.vector16().unwrap_or_default());
            while hello.alpn.len() < MOST_PROTOCOLS
                && let Some(name) = names.vector8()
            {
                let name = name.get(..LONGEST_PROTOCOL).unwrap_or(name);
                hello.alpn.push(String::from_utf8_lossy(name).into_owned());
            }
        }
        KEY_SHARE => {
            let mut shares = VectorReader(value.vector16().unwrap_or_default());
            while hello.key_shares.len() < LONGEST_LIST
                && let (Some(group), Some(_)) = (shares.u16(), shares.vector16())
            {
                if !is_grease(group) {
                    hello.key_shares.push(group);
                }
            }
        }
        SESSION_TICKET => hello.resumes |= !value.0.is_empty(),
        PRE_SHARED_KEY => hello.resumes = true,
        _ => {}
    }
}

/// Reads a ServerHello's body.
pub(super) fn server_hello(body: &[u8]) -> Option<ServerHello> {
    let mut body = VectorReader(body);
    let mut version = body.u16()?;
    let is_retry = body.take(32)? == RETRY;
    body.vector8()?;
    let cipher = body.u16()?;
    body.take(1)?;
    body.u16();
    while let (Some(kind), Some(value)) = (body.u16(), body.vector16()) {
        if let (SUPPORTED_VERSIONS, [high, low]) = (kind, value) {
            version = u16::from_be_bytes([*high, *low]);
        }
    }
    Some(ServerHello {
        version,
        cipher,
        is_retry,
    })
}

/// The 16-bit numbers of a list, without GREASE.
fn numbers(list: &[u8]) -> Vec<u16> {
    let (pairs, _) = list.as_chunks::<2>();
    let all = pairs.iter().map(|&pair| u16::from_be_bytes(pair));
    all.filter(|&number| !is_grease(number))
        .take(LONGEST_LIST)
        .collect()
}

/// RFC 8701: both bytes are the same, and end in `a`.
fn is_grease(number: u16) -> bool {
    let [high, low] = number.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}
