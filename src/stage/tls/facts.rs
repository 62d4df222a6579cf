//! Certificates and ciphers as facts.

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKeyRef, Public};
use openssl::ssl::SslRef;
use openssl::x509::X509Ref;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::text::moment::date;
use crate::wire::tls::name_text;

use super::names::Names;

/// The subject as people call it: the common name, else the first name it
/// carries, else the whole subject.
pub fn called(cert: &X509Ref) -> String {
    let common = cert
        .subject_name()
        .entries_by_nid(Nid::COMMONNAME)
        .next()
        .map(|entry| String::from_utf8_lossy(entry.data().as_slice()).into_owned());
    common
        .or_else(|| Names::of(cert).shown().into_iter().next())
        .unwrap_or_else(|| name_text(cert.subject_name()))
}

/// The serial number in hexadecimal, pairs parted by colons.
pub fn serial(cert: &X509Ref) -> Option<String> {
    let hex = cert.serial_number().to_bn().ok()?.to_hex_str().ok()?;
    Some(pairs(&hex.to_lowercase()))
}

/// The SHA-256 fingerprint, as `openssl x509 -fingerprint -sha256` shows it.
pub fn fingerprint(cert: &X509Ref) -> Option<String> {
    let digest = cert.digest(MessageDigest::sha256()).ok()?;
    let hex: Vec<String> = digest.iter().map(|b| format!("{b:02X}")).collect();
    Some(hex.join(":"))
}

fn pairs(hex: &str) -> String {
    let bytes: Vec<char> = hex.chars().collect();
    bytes
        .chunks(2)
        .map(|pair| pair.iter().collect::<String>())
        .collect::<Vec<_>>()
        .join(":")
}

/// A point in time of a certificate; none where it lies beyond what can be counted.
pub fn moment(at: &Asn1TimeRef) -> Option<OffsetDateTime> {
    let epoch = Asn1Time::from_unix(0).ok()?;
    let diff = epoch.diff(at).ok()?;
    let seconds = i64::from(diff.days) * 86_400 + i64::from(diff.secs);
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

/// A key as people call it: `RSA 2048`, `EC prime256v1`, `Ed25519`.
pub fn key_text(key: &PKeyRef<Public>) -> String {
    match key.id() {
        Id::RSA => format!("RSA {}", key.bits()),
        Id::RSA_PSS => format!("RSA-PSS {}", key.bits()),
        Id::DSA => format!("DSA {}", key.bits()),
        Id::EC => {
            let curve = key.ec_key().ok().and_then(|ec| ec.group().curve_name());
            let name = curve.and_then(|nid| nid.short_name().ok());
            format!("EC {}", name.unwrap_or("of an unnamed curve"))
        }
        Id::ED25519 => "Ed25519".to_owned(),
        Id::ED448 => "Ed448".to_owned(),
        Id::X25519 => "X25519".to_owned(),
        Id::X448 => "X448".to_owned(),
        other => Nid::from_raw(other.as_raw())
            .long_name()
            .unwrap_or("a key of unknown type")
            .to_owned(),
    }
}

/// The algorithm of a certificate's signature.
pub fn signature_text(cert: &X509Ref) -> String {
    let nid = cert.signature_algorithm().object().nid();
    nid.long_name().unwrap_or("unknown").to_owned()
}

/// One certificate as a fact.
pub fn certificate(cert: &X509Ref) -> Value {
    json!({
        "subject": name_text(cert.subject_name()),
        "names": Names::of(cert).shown(),
        "subject_alt_name": cert.subject_alt_names().is_some(),
        "x509_version": cert.version() + 1,
        "issuer": name_text(cert.issuer_name()),
        "serial": serial(cert),
        "not_before": moment(cert.not_before()).map(date),
        "not_after": moment(cert.not_after()).map(date),
        "key": cert.public_key().ok().map(|key| key_text(&key)),
        "signature": signature_text(cert),
        "fingerprint": fingerprint(cert),
    })
}

/// The key-exchange group, as far as OpenSSL tells.
pub fn group(ssl: &SslRef) -> Option<String> {
    let key = ssl.peer_tmp_key().ok()?;
    Some(match key.id() {
        Id::EC => key_text(&key).trim_start_matches("EC ").to_owned(),
        Id::DH => format!("finite field {}", key.bits()),
        _ => key_text(&key),
    })
}

/// `tls-server-end-point` channel-binding data (RFC 5929, 4.1): the digest of
/// the certificate by its signature's own hash, MD5 and SHA-1 replaced by
/// SHA-256. None where the signature has no hash of its own (Ed25519).
pub fn end_point(cert: &X509Ref) -> Option<Vec<u8>> {
    let nid = cert.signature_algorithm().object().nid();
    let digest = match nid {
        Nid::RSASSAPSS => pss_digest(&cert.to_der().ok()?)?,
        nid => nid.signature_algorithms()?.digest,
    };
    let digest = match digest {
        Nid::MD5 | Nid::SHA1 => MessageDigest::sha256(),
        other => MessageDigest::from_nid(other)?,
    };
    Some(cert.digest(digest).ok()?.to_vec())
}

/// The hash among RSA-PSS parameters; SHA-1 where they are left out (RFC 4055,
/// 3.1). Read from the outer signature algorithm, the second part of a
/// certificate.
fn pss_digest(der: &[u8]) -> Option<Nid> {
    let (_, certificate, _) = element(der)?;
    let (_, _, after_body) = element(certificate)?;
    let (_, algorithm, _) = element(after_body)?;
    let (_, _, parameters) = element(algorithm)?;
    if parameters.is_empty() {
        return Some(Nid::SHA1);
    }
    let (_, parameters, _) = element(parameters)?;
    let Some((0xa0, hash, _)) = element(parameters) else {
        return Some(Nid::SHA1);
    };
    let (_, hash, _) = element(hash)?;
    let (_, oid, _) = element(hash)?;
    match oid {
        [0x2b, 0x0e, 0x03, 0x02, 0x1a] => Some(Nid::SHA1),
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last] => match last {
            1 => Some(Nid::SHA256),
            2 => Some(Nid::SHA384),
            3 => Some(Nid::SHA512),
            4 => Some(Nid::SHA224),
            _ => None,
        },
        _ => None,
    }
}

/// The first element of DER: its tag, its content, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = bytes.iter().fold(0usize, |n, &b| n << 8 | usize::from(b));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_moment() {
        let at = OffsetDateTime::from_unix_timestamp(1_795_000_320).unwrap();
        let asn1 = Asn1Time::from_unix(1_795_000_320).unwrap();
        assert_eq!(moment(&asn1), Some(at));
    }

    proptest::proptest! {
        #[test]
        fn no_der_causes_a_panic(bytes: Vec<u8>) {
            pss_digest(&bytes);
        }
    }
}
