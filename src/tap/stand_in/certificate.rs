//! The certificate that a stand-in shows: an untrusted throw-away one, or one
//! from a file.

use std::path::Path;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509, X509NameBuilder};

/// The name in the throw-away certificate. No host has it (RFC 2606).
pub const NAME: &str = "dbdoctor-stand-in.invalid";

/// A certificate with its chain and key.
pub struct Certificate {
    /// The certificates, the server's own first.
    pub chain: Vec<X509>,
    /// Its private key.
    pub key: PKey<Private>,
    /// Whether it was made here, so that nobody can have reason to trust it.
    pub is_throw_away: bool,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotUsable {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// There is no certificate in it.
    #[error("it holds no certificate in PEM form")]
    NoCertificate,
    /// There is no key in it.
    #[error("it holds no unencrypted private key in PEM form")]
    NoKey,
    /// OpenSSL refuses it.
    #[error("OpenSSL refuses it: {0}")]
    Refused(#[from] ErrorStack),
}

impl Certificate {
    /// A new self-signed certificate for another name than any server's, valid for a day.
    ///
    /// # Errors
    /// OpenSSL's.
    pub fn throw_away() -> Result<Self, NotUsable> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
        let mut name = X509NameBuilder::new()?;
        name.append_entry_by_text("CN", NAME)?;
        name.append_entry_by_text("O", "dbdoctor tap --stand-in")?;
        let name = name.build();
        let mut builder = X509::builder()?;
        builder.set_version(2)?;
        let mut serial = BigNum::new()?;
        serial.rand(127, openssl::bn::MsbOption::MAYBE_ZERO, false)?;
        let serial = serial.to_asn1_integer()?;
        builder.set_serial_number(&serial)?;
        builder.set_subject_name(&name)?;
        builder.set_issuer_name(&name)?;
        builder.set_pubkey(&key)?;
        let (from, until) = (Asn1Time::days_from_now(0)?, Asn1Time::days_from_now(1)?);
        builder.set_not_before(&from)?;
        builder.set_not_after(&until)?;
        let names = SubjectAlternativeName::new()
            .dns(NAME)
            .build(&builder.x509v3_context(None, None))?;
        builder.append_extension(names)?;
        builder.sign(&key, MessageDigest::sha256())?;
        Ok(Self {
            chain: vec![builder.build()],
            key,
            is_throw_away: true,
        })
    }

    /// A certificate, the chain behind it and its key, all in one PEM file.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn read(path: &Path) -> Result<Self, NotUsable> {
        let pem = zeroize::Zeroizing::new(std::fs::read(path)?);
        let chain = X509::stack_from_pem(&pem)?;
        if chain.is_empty() {
            return Err(NotUsable::NoCertificate);
        }
        // An empty passphrase: nobody is asked for one.
        let key = PKey::private_key_from_pem_passphrase(&pem, b"").map_err(|_| NotUsable::NoKey)?;
        Ok(Self {
            chain,
            key,
            is_throw_away: false,
        })
    }
}
