//! The algorithms that OpenSSH knows by name (`ssh -Q kex` and its like), and
//! whether a list names others: ssh stops at such a list.

use super::pattern::pattern;
use super::read::Problem;

/// What a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlgorithmList {
    /// `KexAlgorithms`.
    Kex,
    /// `Ciphers`.
    Cipher,
    /// `MACs`.
    Mac,
    /// `HostKeyAlgorithms`, `PubkeyAcceptedAlgorithms` and their like.
    Signature,
}

impl AlgorithmList {
    /// Every name of this family, in OpenSSH's order: those of 9.2, and of
    /// later releases what they added.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            AlgorithmList::Kex => KEX,
            AlgorithmList::Cipher => CIPHERS,
            AlgorithmList::Mac => MACS,
            AlgorithmList::Signature => SIGNATURES,
        }
    }

    /// Whether ssh takes it in a list. Key types alone may be patterns.
    fn has(self, item: &str) -> bool {
        let among = |names: &[&str]| names.contains(&item);
        match self {
            AlgorithmList::Signature => SIGNATURES.iter().any(|name| pattern(item, name)),
            AlgorithmList::Kex => among(KEX) || KERBEROS.iter().any(|name| item.starts_with(name)),
            family => among(family.names()),
        }
    }

    /// What ssh has against a list (kex.c, `kex_names_valid`; cipher.c,
    /// `ciphers_valid`; mac.c, `mac_valid`; sshkey.c, `sshkey_names_valid2`).
    /// What is taken away with `-` need not exist, and nothing behind an
    /// empty name is looked at.
    pub(super) fn problem(self, written: &str) -> Option<Problem> {
        if written.starts_with('-') {
            return None;
        }
        let list = written.strip_prefix(['+', '^']).unwrap_or(written);
        let kind = match self {
            AlgorithmList::Kex => "key exchange",
            AlgorithmList::Cipher => "cipher",
            AlgorithmList::Mac => "MAC",
            AlgorithmList::Signature => "key type",
        };
        if list.is_empty() {
            return Some(format!("a list without a {kind}"));
        }
        let mut items = list.split(',').take_while(|item| !item.is_empty());
        let foreign = items.find(|item| !self.has(item))?;
        Some(format!("ssh does not know the {kind} {foreign}"))
    }
}

const KEX: &[&str] = &[
    "diffie-hellman-group1-sha1",
    "diffie-hellman-group14-sha1",
    "diffie-hellman-group14-sha256",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group-exchange-sha1",
    "diffie-hellman-group-exchange-sha256",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "sntrup761x25519-sha512",
    "sntrup761x25519-sha512@openssh.com",
    "mlkem768x25519-sha256",
];

/// What Debian and others add; a mechanism's name stands behind.
const KERBEROS: &[&str] = &[
    "gss-gex-sha1-",
    "gss-group1-sha1-",
    "gss-group14-sha1-",
    "gss-group14-sha256-",
    "gss-group16-sha512-",
    "gss-nistp256-sha256-",
    "gss-curve25519-sha256-",
];

const CIPHERS: &[&str] = &[
    "3des-cbc",
    "aes128-cbc",
    "aes192-cbc",
    "aes256-cbc",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
];

const MACS: &[&str] = &[
    "hmac-sha1",
    "hmac-sha1-96",
    "hmac-sha2-256",
    "hmac-sha2-512",
    "hmac-md5",
    "hmac-md5-96",
    "umac-64@openssh.com",
    "umac-128@openssh.com",
    "hmac-sha1-etm@openssh.com",
    "hmac-sha1-96-etm@openssh.com",
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-md5-etm@openssh.com",
    "hmac-md5-96-etm@openssh.com",
    "umac-64-etm@openssh.com",
    "umac-128-etm@openssh.com",
];

const SIGNATURES: &[&str] = &[
    "ssh-ed25519",
    "ssh-ed25519-cert-v01@openssh.com",
    "sk-ssh-ed25519@openssh.com",
    "sk-ssh-ed25519-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-dss",
    "ssh-dss-cert-v01@openssh.com",
    "ssh-rsa",
    "ssh-rsa-cert-v01@openssh.com",
    "rsa-sha2-256",
    "rsa-sha2-256-cert-v01@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-512-cert-v01@openssh.com",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_ssh_stops_at() {
        for (family, list, problem) in [
            (
                AlgorithmList::Mac,
                "foo",
                Some("ssh does not know the MAC foo"),
            ),
            (
                AlgorithmList::Mac,
                "+foo",
                Some("ssh does not know the MAC foo"),
            ),
            (
                AlgorithmList::Mac,
                "^hmac-*",
                Some("ssh does not know the MAC hmac-*"),
            ),
            (AlgorithmList::Mac, "hmac-sha1,,foo", None),
            (AlgorithmList::Mac, "-foo,hmac-*", None),
            (AlgorithmList::Mac, "+", Some("a list without a MAC")),
            (
                AlgorithmList::Cipher,
                "arcfour",
                Some("ssh does not know the cipher arcfour"),
            ),
            (
                AlgorithmList::Cipher,
                "AES128-CTR",
                Some("ssh does not know the cipher AES128-CTR"),
            ),
            (
                AlgorithmList::Cipher,
                "none",
                Some("ssh does not know the cipher none"),
            ),
            (
                AlgorithmList::Kex,
                "curve25519-sha256,x",
                Some("ssh does not know the key exchange x"),
            ),
            (AlgorithmList::Kex, "+gss-group14-sha256-x", None),
            (AlgorithmList::Signature, "+ssh-*", None),
            (
                AlgorithmList::Signature,
                "foo*",
                Some("ssh does not know the key type foo*"),
            ),
            (
                AlgorithmList::Signature,
                "!ssh-rsa",
                Some("ssh does not know the key type !ssh-rsa"),
            ),
        ] {
            assert_eq!(family.problem(list).as_deref(), problem, "{list}");
        }
    }
}
