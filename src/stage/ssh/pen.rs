//! Who signs for a key: its private half, the agent, or nobody.

use std::sync::Arc;

use russh::keys::agent::AgentIdentity;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{HashAlg, PrivateKey};
use russh::{SendError, Signer};

use super::agent::{Agent, Trouble};
use super::algorithms::put_string;
use super::offer::Hand;

/// Why there is no signature; the server's offer to take one stays open, and
/// the next key can be offered.
pub enum Unsigned {
    /// The library could not be spoken to: the session is over.
    Gone,
    /// The private half is not at hand.
    Nobody,
    /// The agent or the key does not sign.
    Trouble(Trouble),
}

impl From<SendError> for Unsigned {
    fn from(_: SendError) -> Self {
        Unsigned::Gone
    }
}

/// Signs what the library asks for.
pub struct Pen<'a> {
    /// Who signs.
    pub hand: &'a Hand,
    /// The agent, where there is one.
    pub agent: Option<&'a mut Agent>,
}

impl Signer for Pen<'_> {
    type Error = Unsigned;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        mut data: Vec<u8>,
    ) -> Result<Vec<u8>, Unsigned> {
        let signature = match (self.hand, &mut self.agent) {
            (Hand::Key(key), _) => sign(Arc::clone(key), hash, &data),
            (Hand::Agent(blob), Some(agent)) => agent.sign(blob, hash, &data).await,
            (Hand::Agent(_), None) => Err(Trouble::Broken("it is no longer available".to_owned())),
            (Hand::Nobody, _) => return Err(Unsigned::Nobody),
        };
        put_string(&mut data, &signature.map_err(Unsigned::Trouble)?);
        Ok(data)
    }
}

/// A signature by a private key, as it goes on the wire.
fn sign(key: Arc<PrivateKey>, hash: Option<HashAlg>, data: &[u8]) -> Result<Vec<u8>, Trouble> {
    let failed =
        |error: &dyn std::fmt::Display| Trouble::Broken(format!("signing failed: {error}"));
    let signature = match key.key_data() {
        KeypairData::Rsa(pair) => (pair, hash).try_sign(data),
        other => other.try_sign(data),
    }
    .map_err(|error| failed(&error))?;
    let mut out = Vec::new();
    signature.encode(&mut out).map_err(|error| failed(&error))?;
    Ok(out)
}
