//! OpenSSL's verdict on a chain: its verify codes, and the kinds they fall into.

use openssl::x509::{X509, X509StoreContextRef, X509VerifyResult};

/// A verification that failed: OpenSSL's code, how far from the server's own
/// certificate, and the certificate it is about.
#[derive(Clone, Debug)]
pub(super) struct VerifyRefusal {
    /// The code (`X509_V_ERR_…`).
    pub code: i32,
    /// 0 is the server's own certificate.
    pub depth: usize,
    /// The certificate.
    pub cert: Option<X509>,
    /// The code in OpenSSL's words.
    pub text: &'static str,
}

impl VerifyRefusal {
    /// What a verification stands at.
    pub fn of(context: &X509StoreContextRef) -> Self {
        Self {
            code: context.error().as_raw(),
            depth: context.error_depth() as usize,
            cert: context.current_cert().map(ToOwned::to_owned),
            text: context.error().error_string(),
        }
    }
}

// OpenSSL's verify codes (`openssl/x509_vfy.h`); they are part of its API.
pub(super) const UNABLE_TO_GET_ISSUER: i32 = 2;
pub(super) const UNABLE_TO_GET_CRL: i32 = 3;
pub(super) const NOT_YET_VALID: i32 = 9;
pub(super) const HAS_EXPIRED: i32 = 10;
pub(super) const CRL_NOT_YET_VALID: i32 = 11;
pub(super) const CRL_HAS_EXPIRED: i32 = 12;
pub(super) const DEPTH_ZERO_SELF_SIGNED: i32 = 18;
pub(super) const SELF_SIGNED_IN_CHAIN: i32 = 19;
pub(super) const UNABLE_TO_GET_ISSUER_LOCALLY: i32 = 20;
pub(super) const UNABLE_TO_VERIFY_LEAF: i32 = 21;
pub(super) const CHAIN_TOO_LONG: i32 = 22;
pub(super) const REVOKED: i32 = 23;
pub(super) const UNABLE_TO_GET_CRL_ISSUER: i32 = 33;
/// The name does not match; set by our own verification, which looks at the
/// name before anything that identifies the client is sent.
pub(super) const HOSTNAME_MISMATCH: i32 = 62;

/// The kinds of faults that the codes fall into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VerifyFault {
    Issuer,
    SelfSigned,
    Expired,
    NotYetValid,
    Revoked,
    Crl,
    Weak,
    Purpose,
    Signature,
    Name,
    Unknown,
}

/// The kind of a code.
pub(super) fn kind(code: i32) -> VerifyFault {
    match code {
        UNABLE_TO_GET_ISSUER
        | SELF_SIGNED_IN_CHAIN
        | UNABLE_TO_GET_ISSUER_LOCALLY
        | UNABLE_TO_VERIFY_LEAF => VerifyFault::Issuer,
        DEPTH_ZERO_SELF_SIGNED => VerifyFault::SelfSigned,
        HAS_EXPIRED => VerifyFault::Expired,
        NOT_YET_VALID => VerifyFault::NotYetValid,
        REVOKED => VerifyFault::Revoked,
        // CRL: missing, out of date, signature, fields, issuer, scope, extensions, path.
        UNABLE_TO_GET_CRL | 5 | 8 | CRL_NOT_YET_VALID | CRL_HAS_EXPIRED | 15 | 16
        | UNABLE_TO_GET_CRL_ISSUER | 35 | 36 | 44 | 54 => VerifyFault::Crl,
        // Keys and digests too weak for the security level; Suite B.
        56..=61 | 66..=68 => VerifyFault::Weak,
        CHAIN_TOO_LONG
        // Invalid CA, path length, purpose, trust settings, key usage, and name constraints.
        | 24..=28 | 32 | 34 | 37 | 39..=41 | 47..=53 | 79..=94 => VerifyFault::Purpose,
        // Signatures that do not hold, fields that cannot be read.
        4 | 6 | 7 | 13 | 14 => VerifyFault::Signature,
        HOSTNAME_MISMATCH => VerifyFault::Name,
        _ => VerifyFault::Unknown,
    }
}

/// [`HOSTNAME_MISMATCH`] as OpenSSL's type.
#[allow(unsafe_code)]
pub(super) fn mismatch() -> X509VerifyResult {
    // SAFETY: a number that OpenSSL defines, so that its text is a constant.
    unsafe { X509VerifyResult::from_raw(HOSTNAME_MISMATCH) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_fall_into_kinds() {
        assert_eq!(kind(UNABLE_TO_GET_ISSUER_LOCALLY), VerifyFault::Issuer);
        assert_eq!(kind(DEPTH_ZERO_SELF_SIGNED), VerifyFault::SelfSigned);
        assert_eq!(kind(26), VerifyFault::Purpose);
        assert_eq!(kind(68), VerifyFault::Weak);
        assert_eq!(kind(UNABLE_TO_GET_CRL), VerifyFault::Crl);
        assert_eq!(kind(999), VerifyFault::Unknown);
    }
}
