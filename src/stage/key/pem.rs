//! PEM private keys, opened by OpenSSL as OpenSSH has them opened
//! (`sshkey_parse_private_pem_fileblob`), and turned into SSH's form.

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcGroupRef, EcKey, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};

use super::blob::{put_number, put_string};
use super::{KeyRefusal, OpenedKey, PrivateHalf, version};

/// Opens the first private key of a PEM text.
pub fn open(text: &[u8], passphrase: &str) -> Result<OpenedKey, KeyRefusal> {
    // OpenSSL asks for the passphrase once the frame is read: what fails
    // before that is damage, what fails after it is most likely the passphrase.
    let mut asked = false;
    let key = PKey::private_key_from_pem_callback(text, |buffer| {
        asked = true;
        let given = passphrase.as_bytes();
        match buffer.get_mut(..given.len()) {
            Some(place) => {
                place.copy_from_slice(given);
                Ok(given.len())
            }
            None => Err(ErrorStack::get()),
        }
    });
    match key {
        Ok(key) => convert(&key),
        Err(errors) => Err(match asked {
            true => unsupported(&errors).map_or(KeyRefusal::Passphrase, KeyRefusal::Cipher),
            false => KeyRefusal::Format,
        }),
    }
}

/// The algorithm that OpenSSL does not offer, if that is what stopped it: the
/// old ones wait in a provider that OpenSSH does not load.
fn unsupported(errors: &ErrorStack) -> Option<String> {
    /// `ERR_LIB_EVP`: the library's other parts use the same reason for a
    /// structure that they do not know.
    const EVP: libc::c_int = 6;
    /// `ERR_R_UNSUPPORTED`.
    const UNSUPPORTED: libc::c_int = 0x8_010c;
    let is_it =
        |e: &&openssl::error::Error| e.library_code() == EVP && e.reason_code() == UNSUPPORTED;
    let error = errors.errors().iter().find(is_it)?;
    // "…, Algorithm (DES-CBC : 8), …"
    let data = error.data().unwrap_or_default();
    let name = data
        .split_once("Algorithm (")
        .and_then(|(_, rest)| rest.split_once(" :"));
    Some(name.map_or("an algorithm", |(name, _)| name).to_owned())
}

/// Takes the key over with OpenSSH's checks.
fn convert(key: &PKey<Private>) -> Result<OpenedKey, KeyRefusal> {
    let mut pair = Vec::new();
    let read = match key.id() {
        Id::RSA => rsa(key, &mut pair),
        Id::DSA => dsa(key, &mut pair),
        Id::EC => ec(key, &mut pair),
        Id::ED25519 => match version::installed() {
            Some((major, minor)) if (major, minor) < (9, 6) => {
                return Err(KeyRefusal::NotYet(major, minor));
            }
            _ => ed25519(key, &mut pair),
        },
        other => return Err(KeyRefusal::Type(name(other))),
    };
    read?.ok_or(KeyRefusal::Format)?;
    let (private, public) = PrivateHalf::of(&pair).ok_or(KeyRefusal::Format)?;
    Ok(OpenedKey {
        public,
        private: Some(private),
        comment: None,
    })
}

/// What OpenSSL calls the types that SSH does not know.
fn name(id: Id) -> String {
    match id {
        Id::ED448 => "Ed448".to_owned(),
        Id::RSA_PSS => "RSA-PSS".to_owned(),
        Id::X25519 => "X25519".to_owned(),
        Id::X448 => "X448".to_owned(),
        Id::DH => "DH".to_owned(),
        other => Nid::from_raw(other.as_raw())
            .long_name()
            .unwrap_or("unknown")
            .to_owned(),
    }
}

/// `Ok(None)` where a part is missing or OpenSSL fails.
type Converted = Result<Option<()>, KeyRefusal>;

fn rsa(key: &PKey<Private>, pair: &mut Vec<u8>) -> Converted {
    let Ok(rsa) = key.rsa() else { return Ok(None) };
    let bits = u32::try_from(rsa.n().num_bits()).unwrap_or(0);
    if bits < super::RSA_MINIMUM {
        return Err(KeyRefusal::Short(bits));
    }
    put_string(pair, b"ssh-rsa");
    let (Some(p), Some(q), Some(iqmp)) = (rsa.p(), rsa.q(), rsa.iqmp()) else {
        return Ok(None);
    };
    for number in [rsa.n(), rsa.e(), rsa.d(), iqmp, p, q] {
        put_number(pair, &number.to_vec());
    }
    Ok(Some(()))
}

fn dsa(key: &PKey<Private>, pair: &mut Vec<u8>) -> Converted {
    let Ok(dsa) = key.dsa() else { return Ok(None) };
    put_string(pair, b"ssh-dss");
    for number in [dsa.p(), dsa.q(), dsa.g(), dsa.pub_key(), dsa.priv_key()] {
        put_number(pair, &number.to_vec());
    }
    Ok(Some(()))
}

fn ec(key: &PKey<Private>, pair: &mut Vec<u8>) -> Converted {
    let Ok(ec) = key.ec_key() else {
        return Ok(None);
    };
    let curve = match curve(ec.group()) {
        Some(Nid::X9_62_PRIME256V1) => "nistp256",
        Some(Nid::SECP384R1) => "nistp384",
        Some(Nid::SECP521R1) => "nistp521",
        other => {
            let name = other.and_then(|nid| nid.short_name().ok());
            return Err(KeyRefusal::Type(
                name.unwrap_or("EC on another curve").to_owned(),
            ));
        }
    };
    Ok(ec_fields(&ec, curve, pair))
}

fn ec_fields(ec: &EcKey<Private>, curve: &str, pair: &mut Vec<u8>) -> Option<()> {
    super::curve::within(ec.group(), ec.public_key(), ec.private_key())?;
    let mut context = BigNumContext::new().ok()?;
    let form = PointConversionForm::UNCOMPRESSED;
    let point = ec.public_key().to_bytes(ec.group(), form, &mut context);
    put_string(pair, format!("ecdsa-sha2-{curve}").as_bytes());
    put_string(pair, curve.as_bytes());
    put_string(pair, &point.ok()?);
    put_number(pair, &ec.private_key().to_vec());
    Some(())
}

/// The curve by name, also where the file spells out its parameters.
fn curve(group: &EcGroupRef) -> Option<Nid> {
    if let Some(named) = group.curve_name() {
        return Some(named);
    }
    let known = [Nid::X9_62_PRIME256V1, Nid::SECP384R1, Nid::SECP521R1];
    let parameters = parameters(group)?;
    known.into_iter().find(|nid| {
        EcGroup::from_curve_name(*nid)
            .ok()
            .and_then(|named| self::parameters(&named))
            .is_some_and(|named| named == parameters)
    })
}

/// The numbers that make a curve: prime, coefficients, order, generator.
fn parameters(group: &EcGroupRef) -> Option<Vec<Vec<u8>>> {
    let mut context = BigNumContext::new().ok()?;
    let new = || BigNum::new().ok();
    let (mut p, mut a, mut b, mut order) = (new()?, new()?, new()?, new()?);
    group
        .components_gfp(&mut p, &mut a, &mut b, &mut context)
        .ok()?;
    group.order(&mut order, &mut context).ok()?;
    let form = PointConversionForm::UNCOMPRESSED;
    let generator = group
        .generator_opt()?
        .to_bytes(group, form, &mut context)
        .ok()?;
    Some(vec![
        p.to_vec(),
        a.to_vec(),
        b.to_vec(),
        order.to_vec(),
        generator,
    ])
}

fn ed25519(key: &PKey<Private>, pair: &mut Vec<u8>) -> Converted {
    let (Ok(public), Ok(private)) = (key.raw_public_key(), key.raw_private_key()) else {
        return Ok(None);
    };
    put_string(pair, b"ssh-ed25519");
    put_string(pair, &public);
    put_string(pair, &[private, public].concat());
    Ok(Some(()))
}
