//! OpenSSH's own private key format (PROTOCOL.key), read with OpenSSH's rules:
//! what `sshkey_parse_private2` of OpenSSH 9.2 refuses is refused here, and
//! nothing else.

use openssl::symm;
use russh::keys::PublicKey;
use russh::keys::ssh_key::{self, Cipher as SshCipher, Kdf};

use super::blob::{Blob, bits, put_number, put_string};
use super::curve;
use super::{KeyRefusal, OpenedKey, PrivateHalf};

/// The header line with its line break: nothing may stand in between.
const BEGIN: &[u8] = b"-----BEGIN OPENSSH PRIVATE KEY-----\n";
/// The footer line, line break included.
const END: &[u8] = b"-----END OPENSSH PRIVATE KEY-----\n";
/// What the decoded container begins with.
pub const MAGIC: &[u8] = b"openssh-key-v1\0";

/// The container's clear part.
#[derive(Clone, Debug)]
pub struct Container {
    /// The cipher's name; `none`.
    pub cipher: String,
    /// The key derivation function's name; `none`, `bcrypt`.
    pub kdf: String,
    /// Its salt and rounds.
    pub bcrypt: Option<(Vec<u8>, u32)>,
    /// The public key's encoding.
    pub public: Vec<u8>,
    /// The private part, encrypted or not, with what follows it.
    private: Vec<u8>,
    /// The length that the private part claims to have.
    private_length: usize,
}

/// Why a container cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerError {
    /// It is not in this format at all.
    NotOpenSsh,
    /// The header is there and the footer is not where OpenSSH looks for it.
    NoFooter,
    /// What is between them is not base64.
    Base64,
    /// It does not begin with the magic text.
    Magic,
    /// It ends before its own lengths say so.
    Short,
    /// Its fields contradict each other.
    Fields,
}

/// Takes the text apart as `private2_uudecode` does: the header must be the
/// first bytes, the footer a line of its own with its line break.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, ContainerError> {
    let body = text.strip_prefix(BEGIN).ok_or(ContainerError::NotOpenSsh)?;
    let end = body
        .windows(END.len() + 1)
        .position(|w| w.first() == Some(&b'\n') && w.get(1..) == Some(END))
        .ok_or(ContainerError::NoFooter)?;
    let encoded = body.get(..end).unwrap_or_default();
    base64(encoded).ok_or(ContainerError::Base64)
}

/// Base64 as `b64_pton` reads it: white space anywhere, padding where it
/// belongs, and nothing after a NUL.
pub fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.split(|b| *b == 0).next().unwrap_or_default();
    let packed: Vec<u8> = text
        .iter()
        .copied()
        .filter(|b| !b.is_ascii_whitespace() && *b != 0x0b)
        .collect();
    openssl::base64::decode_block(std::str::from_utf8(&packed).ok()?)
        .ok()
        .filter(|_| is_padded(&packed))
}

/// Whether the characters are base64's, with padding at the end only and no
/// bits set that the padding cuts off.
fn is_padded(packed: &[u8]) -> bool {
    let padding = packed.iter().rev().take_while(|b| **b == b'=').count();
    let digits = packed.get(..packed.len() - padding).unwrap_or_default();
    let spare = match padding {
        0 => 0,
        1 => 0b11,
        2 => 0b1111,
        _ => return false,
    };
    packed.len().is_multiple_of(4)
        && digits.iter().all(|b| digit(*b).is_some())
        && digits.last().copied().and_then(digit).unwrap_or(0) & spare == 0
}

/// The six bits that a character stands for.
fn digit(character: u8) -> Option<u8> {
    Some(match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

impl Container {
    /// Reads the clear part of a decoded container.
    pub fn parse(decoded: &[u8]) -> Result<Self, ContainerError> {
        let rest = decoded.strip_prefix(MAGIC).ok_or(ContainerError::Magic)?;
        let mut blob = Blob(rest);
        let short = ContainerError::Short;
        let cipher = blob.text().ok_or(short)?.to_owned();
        let kdf = blob.text().ok_or(short)?.to_owned();
        let mut options = Blob(blob.string().ok_or(short)?);
        let bcrypt = match kdf.as_str() {
            "bcrypt" => {
                let salt = options.string().ok_or(ContainerError::Fields)?;
                let rounds = options.u32().ok_or(ContainerError::Fields)?;
                Some((salt.to_vec(), rounds))
            }
            _ => None,
        };
        if blob.u32().ok_or(short)? != 1 {
            return Err(ContainerError::Fields);
        }
        let public = blob.string().ok_or(short)?.to_vec();
        let private_length = usize::try_from(blob.u32().ok_or(short)?).map_err(|_| short)?;
        Ok(Self {
            cipher,
            kdf,
            bcrypt,
            public,
            private: blob.0.to_vec(),
            private_length,
        })
    }

    /// How many bytes a container claims to have, as far as it can be followed.
    pub fn lengths(decoded: &[u8]) -> Option<usize> {
        let mut blob = Blob(decoded.strip_prefix(MAGIC)?);
        let mut claimed = MAGIC.len();
        let cipher = blob.0;
        // Cipher, key derivation, its options; the number of keys; two keys.
        for part in 0..6 {
            if part == 3 {
                blob.bytes(4)?;
                claimed += 4;
                continue;
            }
            let length = usize::try_from(blob.u32()?).ok()?;
            claimed = claimed.checked_add(4)?.checked_add(length)?;
            if blob.bytes(length).is_none() {
                // What follows is unknown, and there is something.
                return Some(claimed);
            }
        }
        let cipher = Blob(cipher).text().and_then(Cipher::named);
        Some(claimed + cipher.map_or(0, |cipher| cipher.tag))
    }

    /// Whether a passphrase is needed.
    pub fn is_encrypted(&self) -> bool {
        self.kdf != "none"
    }

    /// The public key, where its type is one that SSH knows.
    pub fn public_key(&self) -> Option<PublicKey> {
        PublicKey::from_bytes(&normal(&self.public)?).ok()
    }

    /// The public key's type, by its own name.
    pub fn type_name(&self) -> String {
        let name = Blob(&self.public).string().unwrap_or_default();
        String::from_utf8_lossy(name).into_owned()
    }

    /// Whether what is there fits the lengths that are claimed, so that only
    /// the passphrase stands between us and the key.
    pub fn is_whole(&self) -> bool {
        let Some(cipher) = Cipher::named(&self.cipher) else {
            return self.private.len() >= self.private_length;
        };
        self.private_length >= cipher.block
            && self.private_length.is_multiple_of(cipher.block)
            && self.private.len() == self.private_length + cipher.tag
    }

    /// Opens the private part.
    pub fn open(&self, passphrase: &str) -> Result<OpenedKey, KeyRefusal> {
        // OpenSSH reads the clear public half before anything else.
        if !is_known(&self.type_name()) {
            return Err(KeyRefusal::Type(self.type_name()));
        }
        let public = self.public_key().ok_or(KeyRefusal::Format)?;
        let cipher =
            Cipher::named(&self.cipher).ok_or_else(|| KeyRefusal::Cipher(self.cipher.clone()))?;
        match self.kdf.as_str() {
            "none" if self.cipher != "none" => return Err(KeyRefusal::Format),
            "none" => {}
            "bcrypt" if passphrase.is_empty() => return Err(KeyRefusal::Passphrase),
            "bcrypt" => {}
            other => return Err(KeyRefusal::Cipher(other.to_owned())),
        }
        if !self.is_whole() {
            return Err(KeyRefusal::Format);
        }
        let (sealed, tag) = self
            .private
            .split_at_checked(self.private_length)
            .ok_or(KeyRefusal::Format)?;
        let plain = match &self.bcrypt {
            None => sealed.to_vec(),
            Some((salt, rounds)) => {
                let mut derived = vec![0; cipher.key + cipher.iv];
                let kdf = Kdf::Bcrypt {
                    salt: salt.clone(),
                    rounds: *rounds,
                };
                kdf.derive(passphrase, &mut derived)
                    .map_err(|_| KeyRefusal::Format)?;
                let (key, iv) = derived.split_at(cipher.key);
                cipher
                    .decrypt(key, iv, sealed, tag)
                    .ok_or(KeyRefusal::Passphrase)?
            }
        };
        self.private_part(&plain, public)
    }

    /// Reads the decrypted part: two equal numbers, the key, a comment, and
    /// the padding 1, 2, 3, ….
    fn private_part(&self, plain: &[u8], public: PublicKey) -> Result<OpenedKey, KeyRefusal> {
        let mut blob = Blob(plain);
        let checks = (
            blob.u32().ok_or(KeyRefusal::Format)?,
            blob.u32().ok_or(KeyRefusal::Format)?,
        );
        if checks.0 != checks.1 {
            // OpenSSH blames the passphrase even where there is none.
            return Err(match self.is_encrypted() {
                true => KeyRefusal::Passphrase,
                false => KeyRefusal::Format,
            });
        }
        let (inside, pair) = walk(&mut blob)?;
        if public.to_bytes().ok() != Some(inside) {
            return Err(KeyRefusal::Format);
        }
        let comment = blob.string().ok_or(KeyRefusal::Format)?;
        if comment.contains(&0) {
            return Err(KeyRefusal::Format);
        }
        let padded = blob
            .0
            .iter()
            .zip(1u8..=255)
            .all(|(have, want)| *have == want);
        if !padded || blob.0.len() > 255 {
            return Err(KeyRefusal::Format);
        }
        let comment = String::from_utf8_lossy(comment).into_owned();
        let private = PrivateHalf::of(&pair);
        Ok(OpenedKey {
            private: private.map(|(private, _)| private),
            public,
            comment: Some(comment),
        })
    }
}

/// The types of keys that OpenSSH 9.2 reads.
fn is_known(kind: &str) -> bool {
    matches!(
        kind,
        "ssh-rsa"
            | "ssh-dss"
            | "ssh-ed25519"
            | "ecdsa-sha2-nistp256"
            | "ecdsa-sha2-nistp384"
            | "ecdsa-sha2-nistp521"
            | "sk-ssh-ed25519@openssh.com"
            | "sk-ecdsa-sha2-nistp256@openssh.com"
    )
}

/// The fields of a key pair as they are read, its numbers without leading zeros: the form that
/// everything but OpenSSH insists on.
struct Fields<'b, 'a> {
    blob: &'b mut Blob<'a>,
    pair: Vec<u8>,
}

impl<'a> Fields<'_, 'a> {
    fn string(&mut self) -> Result<&'a [u8], KeyRefusal> {
        let content = self.blob.string().ok_or(KeyRefusal::Format)?;
        put_string(&mut self.pair, content);
        Ok(content)
    }

    fn number(&mut self) -> Result<&'a [u8], KeyRefusal> {
        let number = self.blob.number().ok_or(KeyRefusal::Format)?;
        put_number(&mut self.pair, number);
        Ok(number)
    }

    fn byte(&mut self) -> Result<(), KeyRefusal> {
        let byte = self.blob.bytes(1).ok_or(KeyRefusal::Format)?;
        self.pair.extend(byte);
        Ok(())
    }
}

/// Reads the private fields of a key as `sshkey_private_deserialize` does, with the checks that
/// it makes; returns the public half that they contain, and both halves.
fn walk(blob: &mut Blob<'_>) -> Result<(Vec<u8>, Vec<u8>), KeyRefusal> {
    let pair = Vec::new();
    let mut fields = Fields { blob, pair };
    let kind = std::str::from_utf8(fields.string()?).map_err(|_| KeyRefusal::Format)?;
    let mut public = Vec::new();
    put_string(&mut public, kind.as_bytes());
    match kind {
        "ssh-rsa" => {
            let modulus = fields.number()?;
            put_number(&mut public, fields.number()?);
            put_number(&mut public, modulus);
            for _ in ["d", "iqmp", "p", "q"] {
                fields.number()?;
            }
            let length = bits(modulus);
            if length < super::RSA_MINIMUM {
                return Err(KeyRefusal::Short(length));
            }
        }
        "ssh-dss" => {
            for _ in ["p", "q", "g", "y"] {
                put_number(&mut public, fields.number()?);
            }
            fields.number()?;
        }
        "ssh-ed25519" => {
            let own = fields.string()?;
            put_string(&mut public, own);
            if (own.len(), fields.string()?.len()) != (32, 64) {
                return Err(KeyRefusal::Format);
            }
        }
        "sk-ssh-ed25519@openssh.com" | "sk-ecdsa-sha2-nistp256@openssh.com" => {
            if kind.starts_with("sk-ecdsa") {
                put_string(&mut public, fields.string()?);
            }
            put_string(&mut public, fields.string()?);
            put_string(&mut public, fields.string()?);
            fields.byte()?;
            fields.string()?;
            fields.string()?;
        }
        "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521" => {
            let curve = fields.string()?;
            let name = kind.trim_start_matches("ecdsa-sha2-");
            if curve != name.as_bytes() {
                return Err(KeyRefusal::Format);
            }
            let point = fields.string()?;
            put_string(&mut public, curve);
            put_string(&mut public, point);
            let number = fields.number()?;
            curve::bounded(name, point, number).ok_or(KeyRefusal::Format)?;
        }
        other => return Err(KeyRefusal::Type(other.to_owned())),
    }
    Ok((public, fields.pair))
}

/// The clear public half, its numbers without leading zeros.
fn normal(public: &[u8]) -> Option<Vec<u8>> {
    let mut blob = Blob(public);
    let kind = blob.text()?;
    let mut out = Vec::new();
    put_string(&mut out, kind.as_bytes());
    while !blob.0.is_empty() {
        match kind {
            "ssh-rsa" | "ssh-dss" => put_number(&mut out, blob.number()?),
            _ => put_string(&mut out, blob.string()?),
        }
    }
    Some(out)
}

/// A cipher of OpenSSH's, with its sizes in bytes.
struct Cipher {
    /// What does the work; `None` for `none`.
    engine: Engine,
    block: usize,
    key: usize,
    iv: usize,
    tag: usize,
}

enum Engine {
    None,
    OpenSsl(symm::Cipher),
    ChaCha,
}

impl Cipher {
    /// The ciphers of OpenSSH 9.2 (`cipher.c`).
    fn named(name: &str) -> Option<Self> {
        let openssl = |cipher: symm::Cipher, block, iv, tag| Self {
            key: cipher.key_len(),
            engine: Engine::OpenSsl(cipher),
            block,
            iv,
            tag,
        };
        Some(match name {
            "none" => Self {
                engine: Engine::None,
                block: 8,
                key: 0,
                iv: 0,
                tag: 0,
            },
            "3des-cbc" => openssl(symm::Cipher::des_ede3_cbc(), 8, 8, 0),
            "aes128-cbc" => openssl(symm::Cipher::aes_128_cbc(), 16, 16, 0),
            "aes192-cbc" => openssl(symm::Cipher::aes_192_cbc(), 16, 16, 0),
            "aes256-cbc" => openssl(symm::Cipher::aes_256_cbc(), 16, 16, 0),
            "aes128-ctr" => openssl(symm::Cipher::aes_128_ctr(), 16, 16, 0),
            "aes192-ctr" => openssl(symm::Cipher::aes_192_ctr(), 16, 16, 0),
            "aes256-ctr" => openssl(symm::Cipher::aes_256_ctr(), 16, 16, 0),
            "aes128-gcm@openssh.com" => openssl(symm::Cipher::aes_128_gcm(), 16, 12, 16),
            "aes256-gcm@openssh.com" => openssl(symm::Cipher::aes_256_gcm(), 16, 12, 16),
            "chacha20-poly1305@openssh.com" => Self {
                engine: Engine::ChaCha,
                block: 8,
                key: 64,
                iv: 0,
                tag: 16,
            },
            _ => return None,
        })
    }

    /// Decrypts; `None` where a tag does not fit, which means another key.
    fn decrypt(&self, key: &[u8], iv: &[u8], sealed: &[u8], tag: &[u8]) -> Option<Vec<u8>> {
        match &self.engine {
            Engine::None => Some(sealed.to_vec()),
            Engine::OpenSsl(cipher) if self.tag > 0 => {
                symm::decrypt_aead(*cipher, key, Some(iv), &[], sealed, tag).ok()
            }
            Engine::OpenSsl(cipher) => {
                let mut crypter =
                    symm::Crypter::new(*cipher, symm::Mode::Decrypt, key, Some(iv)).ok()?;
                crypter.pad(false);
                let mut plain = vec![0; sealed.len() + cipher.block_size()];
                let written = crypter.update(sealed, &mut plain).ok()?;
                plain.truncate(written);
                Some(plain)
            }
            // The second half of the key would encrypt a packet's length.
            Engine::ChaCha => {
                let mut plain = sealed.to_vec();
                let tag: ssh_key::cipher::Tag = tag.try_into().ok()?;
                SshCipher::ChaCha20Poly1305
                    .decrypt(key.get(..32)?, &[0; 8], &mut plain, Some(tag))
                    .ok()?;
                Some(plain)
            }
        }
    }
}
