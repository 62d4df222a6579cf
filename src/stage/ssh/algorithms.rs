//! Which algorithms are offered: what OpenSSH 9.2 offers by default, as far as
//! the SSH library has it, in OpenSSH's order; and what the server offered.

use std::borrow::Cow;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{Preferred, cipher, compression, kex, mac};

/// Algorithms of OpenSSH's defaults that the SSH library does not have. A
/// server that has nothing else is no fault of the server's.
const ONLY_OPENSSH: &[&str] = &[
    "sntrup761x25519-sha512",
    "sntrup761x25519-sha512@openssh.com",
    "umac-64-etm@openssh.com",
    "umac-128-etm@openssh.com",
    "umac-64@openssh.com",
    "umac-128@openssh.com",
];

/// Host key algorithms in the order of OpenSSH's `HostKeyAlgorithms` default.
const HOST_KEYS: &[Algorithm] = &[
    Algorithm::Ed25519,
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP256,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP384,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP521,
    },
    Algorithm::SkEd25519,
    Algorithm::SkEcdsaSha2NistP256,
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha512),
    },
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha256),
    },
];

/// What known_hosts says about the host, for the order of algorithms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The key types (`ssh-ed25519`) of its plain lines.
    pub types: Vec<String>,
    /// Whether a `@cert-authority` line applies to it.
    pub authority: bool,
}

/// The offer to a host. Key types that are known come first unless the best
/// one is among them (sshconnect2.c, `order_hostkeyalgs`): a host whose RSA
/// key alone is known must show that one. Certificates are asked for only
/// where an authority is known; OpenSSH would take any other for the plain
/// key within. Certificates keep their order whatever else is known.
pub fn preferred(known: &Known) -> Preferred {
    let is_known = |algorithm: &Algorithm| known.types.iter().any(|t| *t == key_type(algorithm));
    let mut keys = HOST_KEYS.to_vec();
    if !keys.first().is_some_and(is_known) {
        keys.sort_by_key(|algorithm| !is_known(algorithm));
    }
    let certificates = match known.authority {
        true => HOST_KEYS.to_vec(),
        false => Vec::new(),
    };
    Preferred {
        kex: Cow::Borrowed(&[
            kex::CURVE25519,
            kex::CURVE25519_PRE_RFC_8731,
            kex::ECDH_SHA2_NISTP256,
            kex::ECDH_SHA2_NISTP384,
            kex::ECDH_SHA2_NISTP521,
            kex::DH_GEX_SHA256,
            kex::DH_G16_SHA512,
            kex::DH_G18_SHA512,
            kex::DH_G14_SHA256,
            kex::EXTENSION_SUPPORT_AS_CLIENT,
            kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
        ]),
        key: Cow::Owned(keys),
        host_key_certificates: Cow::Owned(certificates),
        cipher: Cow::Borrowed(&[
            cipher::CHACHA20_POLY1305,
            cipher::AES_128_CTR,
            cipher::AES_192_CTR,
            cipher::AES_256_CTR,
            cipher::AES_128_GCM,
            cipher::AES_256_GCM,
        ]),
        mac: Cow::Borrowed(&[
            mac::HMAC_SHA256_ETM,
            mac::HMAC_SHA512_ETM,
            mac::HMAC_SHA1_ETM,
            mac::HMAC_SHA256,
            mac::HMAC_SHA512,
            mac::HMAC_SHA1,
        ]),
        compression: Cow::Borrowed(&[compression::NONE, compression::ZLIB_LEGACY]),
    }
}

/// The type of the keys that an algorithm signs with: `ssh-rsa` for
/// `rsa-sha2-512`.
pub fn key_type(algorithm: &Algorithm) -> String {
    match algorithm {
        Algorithm::Rsa { .. } => "ssh-rsa".to_owned(),
        other => other.as_str().to_owned(),
    }
}

/// Whether OpenSSH would agree with the server on one of these where the SSH
/// library cannot.
pub fn only_openssh(theirs: &[String]) -> Vec<String> {
    theirs
        .iter()
        .filter(|name| ONLY_OPENSSH.contains(&name.as_str()))
        .cloned()
        .collect()
}

/// What a server offers (RFC 4253, section 7.1), client to server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerOffer {
    /// Key exchange.
    pub kex: Vec<String>,
    /// Host key.
    pub host_key: Vec<String>,
    /// Cipher.
    pub cipher: Vec<String>,
    /// MAC.
    pub mac: Vec<String>,
}

/// Reads the server's KEXINIT from its first packets, which are in clear.
pub fn server_offer(clear: &[u8]) -> Option<ServerOffer> {
    let payload = clear_packets(clear).find(|payload| payload.first() == Some(&20))?;
    let mut rest = payload.get(17..)?;
    let mut list = || -> Option<Vec<String>> {
        let names = take_string(&mut rest)?;
        let names = String::from_utf8_lossy(names);
        Some(
            names
                .split(',')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    };
    let (kex, host_key, cipher, _, mac) = (list()?, list()?, list()?, list()?, list()?);
    Some(ServerOffer {
        kex,
        host_key,
        cipher,
        mac,
    })
}

/// The payloads of the complete packets at the beginning of clear text.
fn clear_packets(mut clear: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let packet = take_string(&mut clear)?;
        let (&padding, content) = packet.split_first()?;
        content.get(..content.len().checked_sub(usize::from(padding))?)
    })
}

/// Takes a string with its length before it (RFC 4251, section 5).
pub fn take_string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (string, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(string)
}

/// Adds a string with its length before it.
pub fn put_string(out: &mut Vec<u8>, string: &[u8]) {
    let length = u32::try_from(string.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(string);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_types_come_first_unless_the_best_is_known() {
        let order = |types: &[&str]| {
            let known = Known {
                types: types.iter().map(|t| t.to_string()).collect(),
                authority: false,
            };
            preferred(&known).key.first().map(key_type)
        };
        assert_eq!(order(&[]).as_deref(), Some("ssh-ed25519"));
        assert_eq!(order(&["ssh-rsa"]).as_deref(), Some("ssh-rsa"));
        assert_eq!(
            order(&["ssh-rsa", "ssh-ed25519"]).as_deref(),
            Some("ssh-ed25519")
        );
    }

    #[test]
    fn a_kexinit_is_read_and_garbage_is_not() {
        let mut payload = vec![20];
        payload.extend([0; 16]);
        for list in ["kex", "a,b", "c", "d", "m", "n", "none", "none", "", ""] {
            put_string(&mut payload, list.as_bytes());
        }
        payload.extend([0; 5]);
        let mut packet = vec![4];
        packet.extend(&payload);
        packet.extend([0; 4]);
        let mut clear = Vec::new();
        put_string(&mut clear, &packet);
        let offer = server_offer(&clear).unwrap();
        assert_eq!(offer.host_key, ["a", "b"]);
        assert_eq!(offer.mac, ["m"]);
        for cut in 0..clear.len() {
            assert_eq!(server_offer(&clear[..cut]), None);
        }
        assert_eq!(server_offer(&[0xff; 64]), None);
        assert_eq!(server_offer(&[0, 0, 0, 1, 0xff]), None);
    }
}
