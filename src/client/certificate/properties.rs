//! The properties of certificates that stacks differ on.

use foreign_types::ForeignTypeRef;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::nid::Nid;
use openssl::pkey::Id;
use openssl::x509::{X509KeyUsage, X509Ref};

use time::OffsetDateTime;

use super::Chain;
use super::words::Flaw;

/// What the handshake itself meets, whatever is verified: a key that a stack cannot use.
pub(super) fn of_handshake(chain: &Chain<'_>) -> Vec<Flaw> {
    let Some(own) = chain.sent.first() else {
        return Vec::new();
    };
    let mut flaws = Vec::new();
    if let Some(reason) = own_key(own) {
        flaws.push(Flaw::new(reason, 0));
    }
    // The server does not even try where the client does not name these algorithms.
    for (reason, algorithm) in [
        ("chain-md5", Nid::MD5WITHRSAENCRYPTION),
        ("chain-ed448", ED448),
    ] {
        if let Some(depth) = chain
            .sent
            .iter()
            .position(|cert| signature(cert) == algorithm)
        {
            flaws.push(Flaw::new(reason, depth));
        }
    }
    flaws
}

/// The kind of key that not every stack can use.
fn own_key(own: &X509Ref) -> Option<&'static str> {
    let key = own.public_key().ok()?;
    match key.id() {
        Id::RSA if key.bits() < 1024 => Some("key-tiny"),
        Id::RSA if key.bits() < 2048 => Some("key-small"),
        Id::RSA_PSS => Some("key-pss"),
        Id::ED448 => Some("key-ed448"),
        Id::ED25519 => Some("key-ed25519"),
        Id::EC => match key.ec_key().ok()?.group().curve_name() {
            Some(Nid::X9_62_PRIME256V1 | Nid::SECP384R1) => None,
            Some(Nid::SECP521R1) => Some("key-p521"),
            _ => Some("key-curve"),
        },
        _ => None,
    }
}

/// libpq needs the digest of the certificate's signature for channel binding, and those
/// algorithms have none.
pub(super) fn without_digest(own: &X509Ref) -> Option<Flaw> {
    let is_edwards = signature(own) == ED25519 || is_ed448(own);
    is_edwards.then(|| Flaw::new("channel-binding", 0))
}

/// `NID_ED25519` and `NID_ED448` (`openssl/obj_mac.h`).
const ED25519: Nid = Nid::from_raw(1087);
const ED448: Nid = Nid::from_raw(1088);

fn is_ed448(cert: &X509Ref) -> bool {
    signature(cert) == ED448
}

/// The algorithm of the certificate's signature.
pub(super) fn signature(cert: &X509Ref) -> Nid {
    cert.signature_algorithm().object().nid()
}

/// `SHA1-RSA`, as Go calls a signature that it takes for insecure.
pub(super) fn insecure_signature(cert: &X509Ref) -> Option<&'static str> {
    match signature(cert) {
        Nid::MD5WITHRSAENCRYPTION => Some("MD5-RSA"),
        Nid::SHA1WITHRSAENCRYPTION => Some("SHA1-RSA"),
        Nid::ECDSA_WITH_SHA1 => Some("ECDSA-SHA1"),
        _ => None,
    }
}

/// Whether Go has no code for its signature.
pub(super) fn unimplemented_signature(cert: &X509Ref) -> bool {
    is_ed448(cert)
}

/// What OpenSSL knows of the extensions (`EXFLAG_…`).
#[allow(unsafe_code)]
fn flags(cert: &X509Ref) -> u32 {
    // SAFETY: the pointer is valid as long as `cert` is borrowed, and OpenSSL guards the
    // flags that it computes at the first call with a lock.
    unsafe { openssl_sys::X509_get_extension_flags(cert.as_ptr()) }
}

/// Whether it has basicConstraints.
pub(super) fn has_constraints(cert: &X509Ref) -> bool {
    flags(cert) & openssl_sys::EXFLAG_BCONS != 0
}

/// Whether basicConstraints make it an authority's.
pub(super) fn is_authority(cert: &X509Ref) -> bool {
    flags(cert) & openssl_sys::EXFLAG_CA != 0
}

/// Whether it has a critical extension that is not known.
pub(super) fn has_critical_unknown(cert: &X509Ref) -> bool {
    flags(cert) & openssl_sys::EXFLAG_CRITICAL != 0
}

/// Whether its key may be used for this; it may where nothing is said.
pub(super) fn may(cert: &X509Ref, usage: X509KeyUsage) -> bool {
    cert.key_usage()
        .is_none_or(|usages| usages.intersects(usage))
}

/// Whether its serial number is below zero.
pub(super) fn is_serial_negative(cert: &X509Ref) -> bool {
    let number = cert.serial_number().to_bn();
    number.is_ok_and(|number| number.is_negative())
}

/// Whether both are the same certificate.
pub(super) fn same(a: &X509Ref, b: &X509Ref) -> bool {
    a == b
}

/// A point in time of a certificate; none where it lies beyond what can be counted.
pub(super) fn moment(at: &Asn1TimeRef) -> Option<OffsetDateTime> {
    let diff = Asn1Time::from_unix(0).ok()?.diff(at).ok()?;
    OffsetDateTime::from_unix_timestamp(i64::from(diff.days) * 86_400 + i64::from(diff.secs)).ok()
}

/// Whether a certificate is out of date, and how.
pub(super) fn out_of_date(cert: &X509Ref) -> Option<&'static str> {
    let now = Asn1Time::days_from_now(0).ok()?;
    if cert.not_before() > now.as_ref() as &Asn1TimeRef {
        return Some("not-yet-valid");
    }
    (cert.not_after() < now.as_ref() as &Asn1TimeRef).then_some("expired")
}

/// Whether its subject alternative names are marked critical.
pub(super) fn has_critical_names(cert: &X509Ref) -> bool {
    // The object identifier 2.5.29.17, and TRUE after it.
    const CRITICAL: &[u8] = &[6, 3, 0x55, 0x1d, 0x11, 1, 1, 0xff];
    let der = cert.to_der().unwrap_or_default();
    der.windows(CRITICAL.len()).any(|bytes| bytes == CRITICAL)
}
