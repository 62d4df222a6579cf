//! Opening a private key with OpenSSH's own order and rules: its own
//! container first, then PEM through OpenSSL.

use russh::keys::PublicKey;

use super::format::PrivateForm;
use super::openssh_v1::{Container, decode};
use super::{KeyRefusal, OpenedKey, pem};

/// How a key is encrypted, from what stands in clear.
#[derive(Clone, Debug, Default)]
pub struct Encryption {
    /// Whether a passphrase is needed.
    pub encrypted: bool,
    /// The cipher's name.
    pub cipher: Option<String>,
    /// The key derivation function's name.
    pub kdf: Option<String>,
    /// How often it is repeated.
    pub rounds: Option<u32>,
    /// The public half, where it stands in clear.
    pub public: Option<PublicKey>,
    /// The type of that public half.
    pub type_name: Option<String>,
}

/// Opens the key in a file's content. A key that is not encrypted opens with
/// any passphrase.
pub fn open(content: &[u8], passphrase: &str) -> Result<OpenedKey, KeyRefusal> {
    let container = decode(content).and_then(|decoded| Container::parse(&decoded));
    match container {
        // OpenSSH looks for PEM only where its own format is not well formed.
        Err(_) => {}
        Ok(container) => match container.open(passphrase) {
            Err(KeyRefusal::Format) => {}
            outcome => return outcome,
        },
    }
    pem::open(content, passphrase)
}

/// What stands in clear about the key in a file's content.
pub fn envelope(content: &[u8]) -> Encryption {
    match decode(content).and_then(|decoded| Container::parse(&decoded)) {
        Ok(container) => Encryption {
            encrypted: container.is_encrypted(),
            rounds: container.bcrypt.as_ref().map(|(_, rounds)| *rounds),
            public: container.public_key(),
            type_name: Some(container.type_name()),
            cipher: Some(container.cipher),
            kdf: Some(container.kdf),
        },
        Err(_) => pem_envelope(&String::from_utf8_lossy(content)),
    }
}

/// The same of a PEM text: its headers, or the parameters of its PKCS#8 form.
fn pem_envelope(text: &str) -> Encryption {
    let Some(form) = PrivateForm::ALL
        .into_iter()
        .filter(|form| *form != PrivateForm::OpenSsh)
        .filter_map(|form| {
            let header = format!("-----BEGIN {}-----", form.label());
            text.find(&header).map(|at| (at, form))
        })
        .min_by_key(|(at, _)| *at)
        .map(|(_, form)| form)
    else {
        return Encryption::default();
    };
    let header = format!("-----BEGIN {}-----", form.label());
    let block = text.split_once(&header).map_or("", |(_, rest)| rest);
    let block = block.split_once("-----END").map_or(block, |(body, _)| body);
    if form == PrivateForm::Pkcs8Encrypted {
        let body: String = block.split_whitespace().collect();
        let der = super::openssh_v1::base64(body.as_bytes()).unwrap_or_default();
        return pbes2(&der);
    }
    let dek = block
        .lines()
        .find_map(|line| line.trim().strip_prefix("DEK-Info:"))
        .and_then(|value| value.split(',').next());
    Encryption {
        encrypted: block.contains("Proc-Type: 4,ENCRYPTED")
            || block.contains("Proc-Type:4,ENCRYPTED"),
        kdf: dek.map(|_| "MD5".to_owned()),
        rounds: dek.map(|_| 1),
        cipher: dek.map(|name| name.trim().to_owned()),
        ..Encryption::default()
    }
}

/// The names of PBES2's parts (RFC 8018) by their object identifiers.
const CIPHERS: [(&[u8], &str); 6] = [
    (
        &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x02],
        "AES-128-CBC",
    ),
    (
        &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x16],
        "AES-192-CBC",
    ),
    (
        &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a],
        "AES-256-CBC",
    ),
    (
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x03, 0x07],
        "DES-EDE3-CBC",
    ),
    (&[0x2b, 0x0e, 0x03, 0x02, 0x07], "DES-CBC"),
    (
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c],
        "PKCS#12 PBE",
    ),
];
const KDFS: [(&[u8], &str); 2] = [
    (
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c],
        "PBKDF2",
    ),
    (
        &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x04, 0x0b],
        "scrypt",
    ),
];

/// Reads the encryption parameters of an EncryptedPrivateKeyInfo.
fn pbes2(der: &[u8]) -> Encryption {
    let head = der.get(..der.len().min(256)).unwrap_or_default();
    let find = |oid: &[u8]| head.windows(oid.len()).position(|w| w == oid);
    let kdf = KDFS
        .iter()
        .find_map(|(oid, name)| Some((find(oid)? + oid.len(), *name)));
    let cipher = CIPHERS.iter().find(|(oid, _)| find(oid).is_some());
    // PBKDF2-params: SEQUENCE { salt OCTET STRING, iterations INTEGER, … }.
    let rounds = kdf.and_then(|(at, name)| {
        let mut rest = (name == "PBKDF2").then_some(head.get(at..)?)?;
        (rest.first()? == &0x30).then_some(())?;
        rest = rest.get(2..)?;
        (rest.first()? == &0x04).then_some(())?;
        rest = rest.get(2 + usize::from(*rest.get(1)?)..)?;
        (rest.first()? == &0x02).then_some(())?;
        let number = rest.get(2..2 + usize::from(*rest.get(1)?))?;
        (number.len() <= 4).then(|| number.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)))
    });
    Encryption {
        encrypted: true,
        cipher: cipher.map(|(_, name)| (*name).to_owned()),
        kdf: kdf.map(|(_, name)| name.to_owned()),
        rounds,
        ..Encryption::default()
    }
}
