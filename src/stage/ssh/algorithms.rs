//! Which algorithms are offered: what OpenSSH 9.2 offers by default or by its
//! configuration, as far as the SSH library has it, in OpenSSH's order; and
//! what the server offered.

use std::borrow::Cow;

use russh::keys::Algorithm;
use russh::{Preferred, compression, kex};

use crate::config::ssh_config::AlgorithmList;
use crate::config::ssh_config::lists::{AlgorithmLists, assemble};

/// OpenSSH's `KexAlgorithms` default.
const KEX: &[&str] = &[
    "sntrup761x25519-sha512",
    "sntrup761x25519-sha512@openssh.com",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group14-sha256",
];

/// OpenSSH's `Ciphers` default.
const CIPHERS: &[&str] = &[
    "chacha20-poly1305@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
];

/// OpenSSH's `MACs` default.
const MACS: &[&str] = &[
    "umac-64-etm@openssh.com",
    "umac-128-etm@openssh.com",
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha1-etm@openssh.com",
    "umac-64@openssh.com",
    "umac-128@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
    "hmac-sha1",
];

/// OpenSSH's `HostKeyAlgorithms` and `PubkeyAcceptedAlgorithms` default.
const SIGNATURES: &[&str] = &[
    "ssh-ed25519-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "sk-ssh-ed25519-cert-v01@openssh.com",
    "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com",
    "rsa-sha2-256-cert-v01@openssh.com",
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// OpenSSH's `CASignatureAlgorithms` default.
const CA_SIGNATURES: &[&str] = &[
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// What stands behind the name of a certificate's algorithm.
const CERTIFICATE: &str = "-cert-v01@openssh.com";

/// What known_hosts says about the host, for the order of algorithms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownKeyTypes {
    /// The key types (`ssh-ed25519`) of its plain lines.
    pub types: Vec<String>,
    /// Whether a `@cert-authority` line applies to it.
    pub authority: bool,
    /// Whether its certificate is wanted all the same: it may be revoked, or
    /// lines for the bare name know the key, which come before the plain key's.
    pub prefers_certificates: bool,
}

/// Whether known_hosts may change the order of host keys (sshconnect2.c,
/// `ssh_kex2`).
pub fn ordered_by_known_hosts(lists: &AlgorithmLists) -> bool {
    let list = lists.host_key.as_deref();
    list.is_none_or(|list| list.starts_with(['+', '-']))
}

/// What OpenSSH would offer to a host, by name, before known_hosts has its say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    kex: Vec<String>,
    host_key: Vec<String>,
    cipher: Vec<String>,
    mac: Vec<String>,
    /// For signatures by the user's keys.
    pub pubkey: Vec<String>,
    /// Whether known_hosts may change the order of host keys.
    by_known_hosts: bool,
}

impl Allowed {
    /// OpenSSH's defaults and what the configuration says about them.
    pub fn by(lists: &AlgorithmLists) -> Self {
        let host_key = lists.host_key.as_deref();
        Self {
            kex: assemble(AlgorithmList::Kex.names(), KEX, lists.kex.as_deref()),
            host_key: assemble(AlgorithmList::Signature.names(), SIGNATURES, host_key),
            cipher: assemble(
                AlgorithmList::Cipher.names(),
                CIPHERS,
                lists.cipher.as_deref(),
            ),
            mac: assemble(AlgorithmList::Mac.names(), MACS, lists.mac.as_deref()),
            pubkey: assemble(
                AlgorithmList::Signature.names(),
                SIGNATURES,
                lists.pubkey.as_deref(),
            ),
            by_known_hosts: ordered_by_known_hosts(lists),
        }
    }

    /// Whether OpenSSH would agree with the server on one of these where the
    /// SSH library cannot.
    pub fn only_openssh(&self, theirs: &[String]) -> Vec<String> {
        let ours = |name: &&String| {
            [&self.kex, &self.cipher, &self.mac]
                .iter()
                .any(|list| list.contains(name))
        };
        theirs.iter().filter(ours).cloned().collect()
    }

    /// Whether this key exchange, this cipher and this MAC only stand in for ones
    /// that the SSH library lacks.
    pub fn stand_ins(&self, kex: &str, cipher: &str, mac: &str) -> (bool, bool, bool) {
        let foreign = |list: &[String], name: &str| !list.iter().any(|own| own == name);
        (
            foreign(&self.kex, kex),
            foreign(&self.cipher, cipher),
            foreign(&self.mac, mac),
        )
    }

    /// Whether the server has one of the allowed key exchanges.
    pub fn has_kex_of(&self, theirs: &[String]) -> bool {
        theirs.iter().any(|name| self.kex.contains(name))
    }

    /// Whether the server has one of the allowed ciphers.
    pub fn has_cipher_of(&self, theirs: &[String]) -> bool {
        theirs.iter().any(|name| self.cipher.contains(name))
    }

    /// Whether the server has one of the allowed MACs.
    pub fn has_mac_of(&self, theirs: &[String]) -> bool {
        theirs.iter().any(|name| self.mac.contains(name))
    }

    /// Whether a key of this type may sign, and for RSA with this hash.
    pub fn signs(&self, algorithm: &Algorithm, certificate: bool) -> bool {
        let name = match certificate {
            true => algorithm.to_certificate_type(),
            false => algorithm.as_str().to_owned(),
        };
        self.pubkey.contains(&name)
    }
}

/// The offer to a host, as far as the SSH library has the algorithms. Key
/// types that are known come first unless the best one is among them
/// (sshconnect2.c, `order_hostkeyalgs`): a host whose RSA key alone is known
/// must show that one. Certificates are asked for only where an authority is
/// known; OpenSSH would take any other for the plain key within. Where one may
/// be revoked, those are asked for as well that OpenSSH would prefer to plain
/// keys. Certificates keep their order whatever else is known.
pub fn preferred(allowed: &Allowed, known: &KnownKeyTypes) -> Preferred {
    let is_known = |algorithm: &Algorithm| known.types.iter().any(|t| *t == key_type(algorithm));
    let (certificates, plain): (Vec<&str>, Vec<&str>) = allowed
        .host_key
        .iter()
        .map(String::as_str)
        .partition(|name| name.ends_with(CERTIFICATE));
    let mut keys: Vec<Algorithm> = plain.iter().filter_map(|name| signature(name)).collect();
    let best_is_known = keys.first().is_some_and(is_known);
    if allowed.by_known_hosts && !best_is_known {
        keys.sort_by_key(|algorithm| !is_known(algorithm));
    }
    let in_order = !allowed.by_known_hosts || best_is_known || known.types.is_empty();
    let certificates = certificates
        .iter()
        .filter(|name| allowed.by_known_hosts || before_plain_keys(&allowed.host_key, name))
        .filter_map(|name| signature(&plain_name(name)?))
        .filter(|algorithm| {
            // Without plain ones, what is within a certificate may be known.
            let alone = plain.is_empty();
            alone
                || known.authority
                || (known.prefers_certificates && (in_order || is_known(algorithm)))
        })
        .collect();
    let mut kex: Vec<kex::Name> = having(&allowed.kex, KEX);
    kex.push(kex::EXTENSION_SUPPORT_AS_CLIENT);
    kex.push(kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT);
    Preferred {
        kex: Cow::Owned(kex),
        key: Cow::Owned(keys),
        host_key_certificates: Cow::Owned(certificates),
        cipher: Cow::Owned(having(&allowed.cipher, CIPHERS)),
        mac: Cow::Owned(having(&allowed.mac, MACS)),
        compression: Cow::Borrowed(&[compression::NONE, compression::ZLIB_LEGACY]),
    }
}

/// Whether a certificate's algorithm stands before those of plain keys. The
/// SSH library asks for certificates first; in an order that known_hosts does
/// not change, those behind would be asked for too early.
fn before_plain_keys(order: &[String], name: &str) -> bool {
    let mut leading = order.iter().take_while(|name| name.ends_with(CERTIFICATE));
    leading.any(|leading| leading == name)
}

/// Whether an authority's signature by this algorithm counts
/// (`CASignatureAlgorithms`).
pub fn signs_certificates(algorithm: &Algorithm, lists: &AlgorithmLists) -> bool {
    // Certificates are signed by plain keys.
    let plain = |name: &&&str| !name.ends_with(CERTIFICATE);
    let all: Vec<&str> = AlgorithmList::Signature
        .names()
        .iter()
        .filter(plain)
        .copied()
        .collect();
    assemble(&all, CA_SIGNATURES, lists.ca_signature.as_deref())
        .iter()
        .any(|name| name == algorithm.as_str())
}

/// Those that the SSH library has. Where it lacks one, the defaults stand in
/// for it at the end: what ssh agrees on with the server is not to be found
/// wanting here.
fn having<N>(names: &[String], defaults: &[&str]) -> Vec<N>
where
    N: for<'a> TryFrom<&'a str> + PartialEq,
{
    let usable = |name: &str| match name {
        "none" | "clear" => None,
        name => N::try_from(name).ok(),
    };
    let mut own: Vec<N> = names.iter().filter_map(|name| usable(name)).collect();
    if own.len() < names.len() {
        for stand_in in defaults.iter().filter_map(|name| usable(name)) {
            if !own.contains(&stand_in) {
                own.push(stand_in);
            }
        }
    }
    own
}

/// The algorithm of the key within a certificate.
fn plain_name(certificate: &str) -> Option<String> {
    let name = certificate.strip_suffix(CERTIFICATE)?;
    Some(match name.starts_with("sk-") {
        true => format!("{name}@openssh.com"),
        false => name.to_owned(),
    })
}

/// An algorithm for signatures by a plain key.
fn signature(name: &str) -> Option<Algorithm> {
    match Algorithm::new(name).ok()? {
        Algorithm::Other(_) => None,
        algorithm => Some(algorithm),
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
            let known = KnownKeyTypes {
                types: types.iter().map(|t| t.to_string()).collect(),
                ..KnownKeyTypes::default()
            };
            preferred(&Allowed::by(&AlgorithmLists::default()), &known)
                .key
                .first()
                .map(key_type)
        };
        assert_eq!(order(&[]).as_deref(), Some("ssh-ed25519"));
        assert_eq!(order(&["ssh-rsa"]).as_deref(), Some("ssh-rsa"));
        assert_eq!(
            order(&["ssh-rsa", "ssh-ed25519"]).as_deref(),
            Some("ssh-ed25519")
        );
    }

    #[test]
    fn all_but_a_few_defaults_are_there_and_old_ones_on_demand() {
        let offer = preferred(
            &Allowed::by(&AlgorithmLists::default()),
            &KnownKeyTypes {
                authority: true,
                ..KnownKeyTypes::default()
            },
        );
        assert_eq!(offer.kex.len(), KEX.len() - 2 + 2);
        assert_eq!(offer.cipher.len(), CIPHERS.len());
        assert_eq!(offer.mac.len(), MACS.len() - 4);
        assert_eq!(offer.key.len(), 8);
        assert_eq!(offer.host_key_certificates.len(), 8);
        let lists = AlgorithmLists {
            kex: Some("+diffie-hellman-group14-sha1,diffie-hellman-group1-sha1".into()),
            host_key: Some("+ssh-rsa".into()),
            cipher: Some("^aes128-cbc,3des-cbc".into()),
            ..AlgorithmLists::default()
        };
        let offer = preferred(&Allowed::by(&lists), &KnownKeyTypes::default());
        assert!(offer.kex.contains(&kex::DH_G14_SHA1) && offer.kex.contains(&kex::DH_G1_SHA1));
        assert_eq!(offer.key.last(), Some(&Algorithm::Rsa { hash: None }));
        assert_eq!(offer.cipher.first().map(AsRef::as_ref), Some("aes128-cbc"));
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
