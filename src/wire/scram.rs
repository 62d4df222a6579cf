//! The client's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802,
//! RFC 7677, PostgreSQL documentation, "SASL Authentication").
//!
//! Like libpq's: the same claims about channel binding, no upper bound on the
//! iterations, passwords that SASLprep refuses are used as they are. Unlike
//! it, each way to fail is a value.

use openssl::base64::{decode_block, encode_block};
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::pkcs5::pbkdf2_hmac;
use openssl::pkey::PKey;
use openssl::rand::rand_bytes;
use openssl::sign::Signer;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::client::profile::Saslprep;

/// The mechanism without channel binding.
pub const SCRAM_SHA_256: &str = "SCRAM-SHA-256";
/// The mechanism with channel binding.
pub const SCRAM_SHA_256_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// What the client says about channel binding (RFC 5802, section 6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// `n`: the client does not support it.
    Unsupported,
    /// `y`: the client does, and thinks that the server does not.
    NotOffered,
    /// `p`: it is used, with this `tls-server-end-point` data.
    Bound(Vec<u8>),
}

impl Claim {
    fn header(&self) -> &'static str {
        match self {
            Claim::Unsupported => "n,,",
            Claim::NotOffered => "y,,",
            Claim::Bound(_) => "p=tls-server-end-point,,",
        }
    }

    fn input(&self) -> Vec<u8> {
        let mut input = self.header().as_bytes().to_vec();
        if let Claim::Bound(data) = self {
            input.extend_from_slice(data);
        }
        input
    }
}

/// How the exchange fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScramError {
    /// A message is not what the RFC says.
    Malformed(&'static str),
    /// The server's nonce does not begin with ours.
    Nonce,
    /// The server sent `e=` and this word.
    Server(String),
    /// The server's signature is not the one that knowing the password gives.
    Signature,
    /// Our own cryptography failed.
    Local(String),
}

impl From<ErrorStack> for ScramError {
    fn from(error: ErrorStack) -> Self {
        ScramError::Local(error.to_string())
    }
}

/// The exchange after our first message.
#[derive(Clone, Debug)]
pub struct ClientFirst {
    claim: Claim,
    nonce: String,
}

/// What the server's first message asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    message: String,
    nonce: String,
    salt: Vec<u8>,
    /// How often the password is to be hashed.
    pub iterations: u32,
}

/// The exchange after our proof.
#[derive(Clone, Debug)]
pub struct ClientFinal {
    server_signature: Vec<u8>,
}

impl ClientFirst {
    /// Begins an exchange with a nonce of 18 random bytes, as libpq does.
    pub fn new(claim: Claim) -> Result<Self, ScramError> {
        let mut raw = [0; 18];
        rand_bytes(&mut raw)?;
        Ok(Self {
            claim,
            nonce: encode_block(&raw),
        })
    }

    /// The client-first-message. The user name is empty: the server knows it
    /// from the start-up message.
    pub fn message(&self) -> String {
        format!("{}{}", self.claim.header(), self.bare())
    }

    fn bare(&self) -> String {
        format!("n=,r={}", self.nonce)
    }

    /// Reads the server-first-message.
    pub fn read(&self, message: &[u8]) -> Result<Challenge, ScramError> {
        let message = std::str::from_utf8(message)
            .map_err(|_| ScramError::Malformed("the server's first message is not text"))?;
        if let Some(word) = message.strip_prefix("e=") {
            return Err(ScramError::Server(word.to_owned()));
        }
        let mut parts = message.split(',');
        let mut field = |name: &str, missing: &'static str| {
            parts
                .next()
                .and_then(|part| part.strip_prefix(name))
                .ok_or(ScramError::Malformed(missing))
        };
        let nonce = field("r=", "the server's first message has no nonce")?;
        if !nonce.starts_with(&self.nonce) {
            return Err(ScramError::Nonce);
        }
        let salt = field("s=", "the server's first message has no salt")?;
        let salt = decode_block(salt)
            .map_err(|_| ScramError::Malformed("the server's salt is not base64"))?;
        let iterations = field("i=", "the server's first message has no iteration count")?
            .parse::<u32>()
            .ok()
            .filter(|&n| (1..=i32::MAX as u32).contains(&n))
            .ok_or(ScramError::Malformed("the iteration count is not a number"))?;
        if parts.next().is_some() {
            return Err(ScramError::Malformed(
                "the server's first message has trailing data",
            ));
        }
        Ok(Challenge {
            message: message.to_owned(),
            nonce: nonce.to_owned(),
            salt,
            iterations,
        })
    }

    /// Answers the challenge: the client-final-message, and what is needed to
    /// check the server's answer. Takes as long as the server's iterations do.
    pub fn answer(
        &self,
        challenge: &Challenge,
        password: &[u8],
        saslprep: Saslprep,
    ) -> Result<(String, ClientFinal), ScramError> {
        let prepared = prepare(password, saslprep);
        let mut salted = Zeroizing::new([0; 32]);
        pbkdf2_hmac(
            &prepared,
            &challenge.salt,
            challenge.iterations as usize,
            MessageDigest::sha256(),
            &mut *salted,
        )?;
        let client_key = Zeroizing::new(hmac(&*salted, b"Client Key")?);
        let stored_key = hash(MessageDigest::sha256(), &client_key)?;
        let without_proof = format!(
            "c={},r={}",
            encode_block(&self.claim.input()),
            challenge.nonce
        );
        let auth_message = format!("{},{},{without_proof}", self.bare(), challenge.message);
        let signature = hmac(&stored_key, auth_message.as_bytes())?;
        let proof: Vec<u8> = client_key
            .iter()
            .zip(&signature)
            .map(|(a, b)| a ^ b)
            .collect();
        let server_key = hmac(&*salted, b"Server Key")?;
        Ok((
            format!("{without_proof},p={}", encode_block(&proof)),
            ClientFinal {
                server_signature: hmac(&server_key, auth_message.as_bytes())?,
            },
        ))
    }
}

impl ClientFinal {
    /// Checks the server-final-message: whether the server knows the password too.
    pub fn check(&self, message: &[u8]) -> Result<(), ScramError> {
        let message = std::str::from_utf8(message)
            .map_err(|_| ScramError::Malformed("the server's final message is not text"))?;
        if let Some(word) = message.strip_prefix("e=") {
            return Err(ScramError::Server(word.to_owned()));
        }
        let signature = message.strip_prefix("v=").ok_or(ScramError::Malformed(
            "the server's final message has no signature",
        ))?;
        let signature = decode_block(signature)
            .map_err(|_| ScramError::Malformed("the server's signature is not base64"))?;
        if signature.len() == self.server_signature.len()
            && openssl::memcmp::eq(&signature, &self.server_signature)
        {
            Ok(())
        } else {
            Err(ScramError::Signature)
        }
    }
}

/// SASLprep (RFC 4013); what it refuses, is not UTF-8, or comes to nothing is
/// used as it is (`pg_saslprep`). Other clients do less.
fn prepare(password: &[u8], saslprep: Saslprep) -> Zeroizing<Vec<u8>> {
    let text = std::str::from_utf8(password).ok();
    let prepared = match saslprep {
        Saslprep::Full => text.and_then(|text| Some(stringprep::saslprep(text).ok()?.into_owned())),
        Saslprep::Skipped => None,
        // RFC 8265, OpaqueString: one kind of space, composed.
        Saslprep::Precis => text.map(|text| {
            let space = |c: char| if c.is_whitespace() { ' ' } else { c };
            text.chars().map(space).nfc().collect()
        }),
    };
    Zeroizing::new(match prepared {
        Some(text) if !text.is_empty() => text.into_bytes(),
        _ => password.to_vec(),
    })
}

fn hmac(key: &[u8], data: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let key = PKey::hmac(key)?;
    let mut signer = Signer::new(MessageDigest::sha256(), &key)?;
    signer.sign_oneshot_to_vec(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677, section 3, with the user name left out of the
    /// messages as PostgreSQL does it, so the proof is our own; what is checked
    /// is that a server that computes the RFC's way agrees.
    fn exchange() -> (ClientFirst, Challenge) {
        let first = ClientFirst {
            claim: Claim::Unsupported,
            nonce: "rOprNGfwEbeRWgbNEkqO".to_owned(),
        };
        let challenge = first
            .read(b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
            .unwrap();
        (first, challenge)
    }

    #[test]
    fn the_salted_password_is_the_rfcs() {
        let (_, challenge) = exchange();
        assert_eq!(challenge.iterations, 4096);
        let mut salted = [0; 32];
        pbkdf2_hmac(
            b"pencil",
            &challenge.salt,
            4096,
            MessageDigest::sha256(),
            &mut salted,
        )
        .unwrap();
        let auth = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let server_key = hmac(&salted, b"Server Key").unwrap();
        let signature = hmac(&server_key, auth.as_bytes()).unwrap();
        assert_eq!(
            encode_block(&signature),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
    }

    #[test]
    fn passwords_are_prepared_as_by_libpq() {
        let full = |password: &[u8]| prepare(password, Saslprep::Full);
        assert_eq!(full("a\u{a0}b".as_bytes()).as_slice(), b"a b");
        assert_eq!(full(b"p\xe4ss").as_slice(), b"p\xe4ss");
        let hyphen = "\u{ad}".as_bytes();
        assert_eq!(full(hyphen).as_slice(), hyphen);
        assert_eq!(full("a\u{ad}".as_bytes()).as_slice(), b"a");
    }

    #[test]
    fn only_the_right_signature_is_accepted() {
        let (first, challenge) = exchange();
        let (message, end) = first.answer(&challenge, b"pencil", Saslprep::Full).unwrap();
        assert!(message.starts_with("c=biws,r="));
        let good = format!("v={}", encode_block(&end.server_signature));
        assert_eq!(end.check(good.as_bytes()), Ok(()));
        let bad = format!("v={}", encode_block(&[0; 32]));
        assert_eq!(end.check(bad.as_bytes()), Err(ScramError::Signature));
        assert_eq!(
            end.check(b"e=invalid-proof"),
            Err(ScramError::Server("invalid-proof".to_owned()))
        );
        assert!(end.check(b"v=!").is_err());
        assert!(matches!(end.check(b""), Err(ScramError::Malformed(_))));
    }

    #[test]
    fn a_foreign_nonce_and_nonsense_are_refused() {
        let (first, _) = exchange();
        assert_eq!(first.read(b"r=other,s=,i=1"), Err(ScramError::Nonce));
        for bad in [
            &b"r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=0"[..],
            b"r=rOprNGfwEbeRWgbNEkqOx,s=QQ==,i=1,x=y",
            b"r=rOprNGfwEbeRWgbNEkqOx,s=QQ==",
            b"\xff",
        ] {
            assert!(matches!(first.read(bad), Err(ScramError::Malformed(_))));
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_a_server_sends_panics(message: Vec<u8>, salt in "[A-Za-z0-9+/=]{0,8}") {
            let (first, challenge) = exchange();
            let _ = first.read(&message);
            let _ = first.read(format!("r={}x,s={salt},i=1", first.nonce).as_bytes());
            let challenge = Challenge { iterations: 1, ..challenge };
            let (_, end) = first.answer(&challenge, b"x", Saslprep::Full).unwrap();
            let _ = end.check(&message);
            let _ = end.check(format!("v={salt}").as_bytes());
        }
    }
}
