//! Who signs for a key: its private half, the agent, or nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::RsaPrivateKeyBuilder;
use openssl::sign;
use russh::keys::agent::AgentIdentity;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode;
use russh::keys::ssh_key::private::{KeypairData, RsaKeypair};
use russh::keys::ssh_key::{Mpint, Signature};
use russh::keys::{Algorithm, HashAlg};
use russh::{SendError, Signer};

use super::agent::{Agent, AgentTrouble};
use super::algorithms::put_string;
use super::identities::SigningKey;
use crate::secret;
use crate::stage::key::PrivateHalf;

/// Why there is no signature; the server's offer to take one stays open, and
/// the next key can be offered.
pub enum SignError {
    /// The library could not be spoken to: the session is over.
    Gone,
    /// The private half is not at hand.
    Nobody,
    /// The agent or the key does not sign.
    Trouble(AgentTrouble),
}

impl From<SendError> for SignError {
    fn from(_: SendError) -> Self {
        SignError::Gone
    }
}

/// Signs what the library asks for.
pub struct KeySigner<'a> {
    /// Who signs.
    pub hand: &'a SigningKey,
    /// The agent, where there is one.
    pub agent: Option<&'a mut Agent>,
    /// Until when the agent may take to sign.
    pub agent_until: Instant,
    /// Whether it was asked.
    pub signing: Arc<AtomicBool>,
    /// How long it took.
    pub waited: Duration,
    /// Whether a signature was made.
    pub signed: bool,
}

impl Signer for KeySigner<'_> {
    type Error = SignError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        mut data: Vec<u8>,
    ) -> Result<Vec<u8>, SignError> {
        let signature = match (self.hand, &mut self.agent) {
            (SigningKey::Key(key), _) => secret::wiping(|| sign(key, hash, &data)),
            (SigningKey::Agent(blob), Some(agent)) => {
                self.signing.store(true, Ordering::Relaxed);
                let began = Instant::now();
                let signing = agent.sign(blob, hash, &data);
                let signed = tokio::time::timeout_at(self.agent_until.into(), signing).await;
                self.waited = began.elapsed();
                signed.unwrap_or(Err(AgentTrouble::Mute))
            }
            (SigningKey::Agent(_), None) => {
                Err(AgentTrouble::Broken("it is no longer available".to_owned()))
            }
            (SigningKey::Nobody | SigningKey::AgentAlone, _) => return Err(SignError::Nobody),
        };
        put_string(&mut data, &signature.map_err(SignError::Trouble)?);
        self.signed = true;
        Ok(data)
    }
}

/// A signature by a private key, as it goes on the wire.
fn sign(key: &PrivateHalf, hash: Option<HashAlg>, data: &[u8]) -> Result<Vec<u8>, AgentTrouble> {
    let failed =
        |error: &dyn std::fmt::Display| AgentTrouble::Broken(format!("signing failed: {error}"));
    let key = key
        .open()
        .ok_or_else(|| failed(&"the key cannot be read"))?;
    let signature = match key.key_data() {
        KeypairData::Rsa(pair) => sign_by_rsa(pair, hash, data).map_err(|error| failed(&error))?,
        other => other.try_sign(data).map_err(|error| failed(&error))?,
    };
    let mut out = Vec::new();
    signature.encode(&mut out).map_err(|error| failed(&error))?;
    Ok(out)
}

/// An RSA signature by OpenSSL: the time that the `rsa` crate takes for one
/// may tell of the key (RUSTSEC-2023-0071).
fn sign_by_rsa(
    pair: &RsaKeypair,
    hash: Option<HashAlg>,
    data: &[u8],
) -> Result<Signature, Box<dyn std::error::Error>> {
    let number = |number: &Mpint| {
        let bytes = number
            .as_positive_bytes()
            .ok_or("a number of the key is negative")?;
        // OpenSSL clears its copies of such a number too.
        let mut number = BigNum::new_secure()?;
        number.copy_from_slice(bytes)?;
        Ok::<_, Box<dyn std::error::Error>>(number)
    };
    let (public, private) = (pair.public(), pair.private());
    let (d, p, q) = (
        number(private.d())?,
        number(private.p())?,
        number(private.q())?,
    );
    // What d is in the arithmetic of each prime; OpenSSH's format leaves it out.
    let reduced = |prime: &BigNumRef| {
        let (mut less, mut rest) = (prime.to_owned()?, BigNum::new_secure()?);
        less.sub_word(1)?;
        rest.nnmod(&d, &less, &mut *BigNumContext::new_secure()?)?;
        Ok::<_, ErrorStack>(rest)
    };
    let (dmp1, dmq1) = (reduced(&p)?, reduced(&q)?);
    let key = RsaPrivateKeyBuilder::new(number(public.n())?, number(public.e())?, d)?
        .set_factors(p, q)?
        .set_crt_params(dmp1, dmq1, number(private.iqmp())?)?
        .build();
    let digest = match hash {
        Some(HashAlg::Sha512) => MessageDigest::sha512(),
        Some(_) => MessageDigest::sha256(),
        None => MessageDigest::sha1(),
    };
    let key = PKey::from_rsa(key)?;
    let signature = sign::Signer::new(digest, &key)?.sign_oneshot_to_vec(data)?;
    Ok(Signature::new(Algorithm::Rsa { hash }, signature)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use russh::keys::signature::Verifier as _;

    #[test]
    fn rsa_signatures_are_those_of_ssh() {
        let pem = openssl::rsa::Rsa::generate(2048)
            .unwrap()
            .private_key_to_pem()
            .unwrap();
        let key = russh::keys::decode_secret_key(std::str::from_utf8(&pem).unwrap(), None).unwrap();
        let KeypairData::Rsa(pair) = key.key_data() else {
            panic!("it is an RSA key")
        };
        for hash in [Some(HashAlg::Sha512), Some(HashAlg::Sha256), None] {
            let signature = sign_by_rsa(pair, hash, b"data").unwrap();
            assert_eq!(signature.algorithm(), Algorithm::Rsa { hash });
            assert_eq!(signature, (pair, hash).try_sign(b"data").unwrap());
            let public = key.public_key().key_data();
            assert!(public.verify(b"data", &signature).is_ok() || hash.is_none());
            assert!(public.verify(b"other", &signature).is_err());
        }
    }
}
