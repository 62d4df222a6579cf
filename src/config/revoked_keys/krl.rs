//! Key revocation lists (OpenSSH, PROTOCOL.krl), as `ssh-keygen -k` makes them.

use std::collections::HashSet;

use openssl::hash::{MessageDigest, hash};
use russh::keys::Certificate;

const MAGIC: &[u8] = b"SSHKRL\n\0";
const FORMAT: u32 = 1;

/// Why a list cannot be read.
type Damage = &'static str;

const TOO_SHORT: Damage = "it ends too early";
const SERIALS: Damage = "serial numbers that are none";

/// What a list revokes.
#[derive(Clone, Debug, Default)]
pub(super) struct Krl {
    /// Keys as on the wire.
    keys: HashSet<Vec<u8>>,
    /// Hashes of such keys.
    sha1: HashSet<Vec<u8>>,
    sha256: HashSet<Vec<u8>>,
    certificates: Vec<Certificates>,
}

/// Certificates of one authority.
#[derive(Clone, Debug)]
struct Certificates {
    /// The authority's key as on the wire; empty for any.
    authority: Vec<u8>,
    serials: Vec<Serials>,
    key_ids: HashSet<Vec<u8>>,
}

#[derive(Clone, Debug)]
enum Serials {
    /// From one to the other, both included.
    Range(u64, u64),
    /// From the first on, a bit for each, the last byte first.
    Bitmap(u64, Vec<u8>),
}

impl Serials {
    fn has(&self, serial: u64) -> bool {
        match self {
            Serials::Range(low, high) => (*low..=*high).contains(&serial),
            Serials::Bitmap(low, bits) => {
                let at = serial.checked_sub(*low).map(|at| (at / 8, at % 8));
                let byte = at.and_then(|(byte, bit)| {
                    let byte = bits.iter().rev().nth(usize::try_from(byte).ok()?)?;
                    Some(byte >> bit & 1 == 1)
                });
                byte.unwrap_or(false)
            }
        }
    }
}

impl Krl {
    /// Whether the bytes are such a list at all.
    pub(super) fn is(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }

    /// Reads a list (krl.c, `ssh_krl_from_blob`). Signatures are passed over, as
    /// OpenSSH does since 9.4.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Damage> {
        let mut rest = Blob(bytes.get(MAGIC.len()..).unwrap_or_default());
        if rest.u32()? != FORMAT {
            return Err("its format is of another version");
        }
        // Version, date and flags; the reserved field and the comment.
        rest.take(24)?;
        rest.string()?;
        rest.string()?;
        let mut krl = Krl::default();
        while !rest.0.is_empty() {
            let (kind, mut section) = (rest.byte()?, Blob(rest.string()?));
            match kind {
                1 => krl.certificates.push(certificates(section)?),
                2 => krl.keys.extend(section.strings(None)?),
                3 => krl.sha1.extend(section.strings(Some(20))?),
                4 => drop(rest.string()?),
                5 => krl.sha256.extend(section.strings(Some(32))?),
                255 => extension(section)?,
                _ => return Err("a section of an unknown kind"),
            }
        }
        Ok(krl)
    }

    /// By what the list revokes a key, its certificate or the authority that
    /// signed it, whose key comes with it (krl.c, `ssh_krl_check_key`).
    pub(super) fn revokes(
        &self,
        key: &[u8],
        certificate: Option<(&Certificate, &[u8])>,
    ) -> Option<String> {
        self.revokes_key(key).or_else(|| {
            let (certificate, authority) = certificate?;
            self.revokes_certificate(certificate, authority)
                .or_else(|| Some(format!("the authority's {}", self.revokes_key(authority)?)))
        })
    }

    fn revokes_key(&self, key: &[u8]) -> Option<String> {
        let listed = |hashes: &HashSet<Vec<u8>>, digest: MessageDigest| {
            hash(digest, key).is_ok_and(|hash| hashes.contains(hash.as_ref()))
        };
        let by = match () {
            () if listed(&self.sha1, MessageDigest::sha1()) => "SHA-1 hash",
            () if listed(&self.sha256, MessageDigest::sha256()) => "SHA-256 hash",
            () if self.keys.contains(key) => "key",
            () => return None,
        };
        Some(by.to_owned())
    }

    /// Serial number 0 is that of an authority that does not number them.
    fn revokes_certificate(&self, certificate: &Certificate, authority: &[u8]) -> Option<String> {
        let serial = certificate.serial();
        let fitting = self
            .certificates
            .iter()
            .filter(|of| of.authority.is_empty() || of.authority == authority);
        for of in fitting {
            if of.key_ids.contains(certificate.key_id().as_bytes()) {
                return Some(format!("certificate {:?}", certificate.key_id()));
            }
            if serial != 0 && of.serials.iter().any(|serials| serials.has(serial)) {
                return Some(format!("certificate number {serial}"));
            }
        }
        None
    }
}

fn certificates(mut section: Blob) -> Result<Certificates, Damage> {
    let authority = section.string()?.to_vec();
    if !authority.is_empty() && russh::keys::PublicKey::from_bytes(&authority).is_err() {
        return Err("an authority that is no public key");
    }
    section.string()?;
    let (mut serials, mut key_ids) = (Vec::new(), HashSet::new());
    while !section.0.is_empty() {
        let (kind, mut part) = (section.byte()?, Blob(section.string()?));
        match kind {
            0x20 => {
                while !part.0.is_empty() {
                    let serial = part.u64()?;
                    serials.push(range(serial, serial)?);
                }
            }
            0x21 => serials.push(range(part.u64()?, part.u64()?)?),
            0x22 => serials.push(bitmap(part.u64()?, part.string()?)?),
            0x23 => key_ids.extend(part.strings(None)?),
            0x39 => {
                extension(part)?;
                continue;
            }
            _ => return Err("certificates by an unknown property"),
        }
        if !part.0.is_empty() {
            return Err("bytes behind the end of a section");
        }
    }
    Ok(Certificates {
        authority,
        serials,
        key_ids,
    })
}

fn range(low: u64, high: u64) -> Result<Serials, Damage> {
    match low > 0 && low <= high {
        true => Ok(Serials::Range(low, high)),
        false => Err(SERIALS),
    }
}

/// The bits are a number that is not negative (RFC 4251, section 5, "mpint").
fn bitmap(low: u64, bits: &[u8]) -> Result<Serials, Damage> {
    let zeros = bits.iter().take_while(|byte| **byte == 0).count();
    let negative = bits.first().is_some_and(|byte| byte & 0x80 != 0);
    let digits = bits.get(zeros..).unwrap_or_default();
    let highest = digits
        .first()
        .map(|first| digits.len() as u64 * 8 - 1 - u64::from(first.leading_zeros()));
    let wraps = highest.is_some_and(|at| low.checked_add(at).is_none());
    let zeroth = low == 0 && digits.last().is_some_and(|last| last & 1 == 1);
    match negative || wraps || zeroth {
        true => Err(SERIALS),
        false => Ok(Serials::Bitmap(low, digits.to_vec())),
    }
}

/// What is said to be critical must be understood, and nothing is.
fn extension(mut section: Blob) -> Result<(), Damage> {
    section.string()?;
    match section.byte()? {
        0 => Ok(()),
        _ => Err("an extension that must be understood"),
    }
}

/// What is left to be read.
struct Blob<'a>(&'a [u8]);

impl<'a> Blob<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(TOO_SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        self.take(N)?.try_into().map_err(|_| TOO_SHORT)
    }

    fn byte(&mut self) -> Result<u8, Damage> {
        self.array().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, Damage> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, Damage> {
        self.array().map(u64::from_be_bytes)
    }

    fn string(&mut self) -> Result<&'a [u8], Damage> {
        let length = self.u32()?;
        self.take(usize::try_from(length).map_err(|_| TOO_SHORT)?)
    }

    /// All that are left, each of this length if one is given.
    fn strings(&mut self, length: Option<usize>) -> Result<Vec<Vec<u8>>, Damage> {
        let mut strings = Vec::new();
        while !self.0.is_empty() {
            let string = self.string()?;
            if length.is_some_and(|length| length != string.len()) {
                return Err("a hash of another length");
            }
            strings.push(string.to_vec());
        }
        Ok(strings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&length[..], bytes].concat()
    }

    fn section(kind: u8, content: &[u8]) -> Vec<u8> {
        [&[kind][..], &string(content)].concat()
    }

    /// A list with these sections.
    fn list(sections: &[u8]) -> Vec<u8> {
        let empty = string(b"");
        [MAGIC, &[0, 0, 0, 1], &[0; 24], &empty, &empty, sections].concat()
    }

    /// One about any authority's certificates.
    fn about(kind: u8, content: &[u8]) -> Vec<u8> {
        let empty = string(b"");
        let content = [&empty[..], &empty, &section(kind, content)].concat();
        list(&section(1, &content))
    }

    fn serials(kind: u8, content: &[u8], serial: u64) -> Result<bool, Damage> {
        let krl = Krl::parse(&about(kind, content))?;
        let mut all = krl.certificates.iter().flat_map(|of| &of.serials);
        Ok(all.any(|serials| serials.has(serial)))
    }

    #[test]
    fn serial_numbers() {
        let range = |low: u64, high: u64| [low.to_be_bytes(), high.to_be_bytes()].concat();
        assert_eq!(serials(0x21, &range(3, 5), 5), Ok(true));
        assert_eq!(serials(0x21, &range(3, 5), 6), Ok(false));
        assert_eq!(serials(0x21, &range(0, 5), 5), Err(SERIALS));
        assert_eq!(serials(0x21, &range(5, 3), 5), Err(SERIALS));
        assert_eq!(serials(0x20, &range(3, 9), 9), Ok(true));
        assert_eq!(serials(0x20, &range(3, 9), 5), Ok(false));
        let bits = |low: u64, bits: &[u8]| [low.to_be_bytes().to_vec(), string(bits)].concat();
        assert_eq!(serials(0x22, &bits(10, &[0, 0x81, 2]), 11), Ok(true));
        assert_eq!(serials(0x22, &bits(10, &[0, 0x81, 2]), 18), Ok(true));
        assert_eq!(serials(0x22, &bits(10, &[0, 0x81, 2]), 25), Ok(true));
        for serial in [0, 9, 10, 12, 24, 26, u64::MAX] {
            assert_eq!(serials(0x22, &bits(10, &[0, 0x81, 2]), serial), Ok(false));
        }
        assert_eq!(serials(0x22, &bits(0, &[3]), 1), Err(SERIALS));
        assert_eq!(serials(0x22, &bits(1, &[0x80]), 1), Err(SERIALS));
        assert_eq!(serials(0x22, &bits(u64::MAX, &[2]), 1), Err(SERIALS));
        assert_eq!(serials(0x22, &bits(u64::MAX, &[1]), u64::MAX), Ok(true));
        assert_eq!(serials(0x22, &bits(1, &[]), 1), Ok(false));
    }

    #[test]
    fn what_openssh_refuses_to_load() {
        let extension = |critical: u8| {
            let content = [&string(b"x@test")[..], &[critical], &string(b"")].concat();
            Krl::parse(&list(&section(255, &content))).map(|_| ())
        };
        assert_eq!(extension(0), Ok(()));
        assert!(extension(1).is_err());
        for sections in [
            section(9, b""),
            section(3, &string(b"short")),
            section(5, &string(&[0; 20])),
            section(1, &[string(b"no key"), string(b"")].concat()),
        ] {
            assert!(Krl::parse(&list(&sections)).is_err(), "{sections:?}");
        }
        assert!(Krl::parse(&about(0x24, b"")).is_err());
        assert!(Krl::parse(&list(b"")).is_ok());
        // A signature is passed over, and no cut makes a list that is taken for whole.
        let signed = [
            section(4, b"key"),
            string(b"signature"),
            section(2, &string(b"k")),
        ];
        let whole = list(&signed.concat());
        assert_eq!(Krl::parse(&whole).unwrap().keys.len(), 1);
        let header = list(b"").len();
        let signature = header + signed[0].len() + signed[1].len();
        for cut in (0..whole.len()).filter(|cut| ![header, signature].contains(cut)) {
            assert!(Krl::parse(&whole[..cut]).is_err(), "{cut}");
        }
    }
}
