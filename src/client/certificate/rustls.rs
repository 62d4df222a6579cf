//! rustls: its own verifier, and its own words.

use std::sync::Arc;

use ::rustls::client::WebPkiServerVerifier;
use ::rustls::client::danger::ServerCertVerifier as _;
use ::rustls::crypto::ring;
use ::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use ::rustls::server::ParsedCertificate;
use ::rustls::{CertificateError, Error, RootCertStore};

use super::names::Names;
use super::words::Flaw;
use super::{Chain, Demand};

/// What it refuses, in its own words as `error`.
pub(super) fn flaws(demand: Demand, chain: &Chain<'_>) -> Vec<Flaw> {
    let sent: Vec<CertificateDer<'static>> = chain
        .sent
        .iter()
        .filter_map(|cert| cert.to_der().ok().map(CertificateDer::from))
        .collect();
    let Some((own, others)) = sent.split_first() else {
        return Vec::new();
    };
    let error = match demand {
        // The signature of the handshake is verified all the same.
        Demand::Nothing => ParsedCertificate::try_from(own).err(),
        _ => verify(own, others, chain).err(),
    };
    let name_matters = demand == Demand::Name;
    error
        .filter(|error| name_matters || !is_about_the_name(error))
        .map(|error| flaw(&error, chain))
        .into_iter()
        .collect()
}

fn verify(
    own: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    chain: &Chain<'_>,
) -> Result<(), Error> {
    let mut store = RootCertStore::empty();
    for anchor in chain
        .anchors
        .iter()
        .filter_map(|anchor| anchor.to_der().ok())
    {
        store.add(CertificateDer::from(anchor))?;
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider)
        .build()
        .map_err(|error| Error::General(error.to_string()))?;
    let name =
        ServerName::try_from(chain.host).map_err(|error| Error::General(error.to_string()))?;
    verifier.verify_server_cert(own, others, &name, &[], UnixTime::now())?;
    Ok(())
}

fn is_about_the_name(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        )
    )
}

fn flaw(error: &Error, chain: &Chain<'_>) -> Flaw {
    let text = error.to_string();
    // What follows is a list of object identifiers.
    let text = text.split(" { ").next().unwrap_or_default().to_owned();
    let Error::InvalidCertificate(certificate) = error else {
        return Flaw::new("other", 0).with("error", text);
    };
    use CertificateError as E;
    let debug = format!("{certificate:?}");
    let is = |word: &str| debug.contains(word);
    let reason = match certificate {
        E::Expired | E::ExpiredContext { .. } => "expired",
        E::NotValidYet | E::NotValidYetContext { .. } => "not-yet-valid",
        E::UnknownIssuer => "unknown-issuer",
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            let names = chain.sent.first().map(|own| Names::of(own));
            match names.is_some_and(|names| names.only_common(chain.host)) {
                true => "common-name",
                false => "name",
            }
        }
        E::BadSignature => "signature",
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => "purpose",
        E::BadEncoding => "malformed",
        _ if is("UnsupportedSignatureAlgorithm") => "algorithm",
        _ if is("UnsupportedCertVersion") => "version",
        _ if is("CaUsedAsEndEntity") => "ca-as-server",
        _ if is("EndEntityUsedAsCa") => "not-a-ca",
        _ if is("NameConstraint") => "constraint",
        _ if is("PathLen") => "path-length",
        _ if is("CriticalExtension") => "critical-extension",
        _ => "other",
    };
    Flaw::new(reason, 0).with("error", text)
}
