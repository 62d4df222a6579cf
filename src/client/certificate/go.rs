//! Go's `crypto/x509`: any certificate that is trusted ends the path, and the common name
//! is not looked at. The order of the checks is that of `Certificate.Verify`.

use openssl::pkey::Id;
use openssl::x509::{X509, X509ExtendedKeyUsage, X509KeyUsage, X509NameRef, X509Ref};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::names::{self, Names};
use super::openssl::reason_of;
use super::path::{self, Rules};
use super::words::Flaw;
use super::{Chain, Demand, properties};

/// What it refuses; its own words are `error`.
pub(super) fn flaws(demand: Demand, chain: &Chain<'_>) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    // Certificates are parsed whatever is verified.
    let negative = |cert: &X509| properties::is_serial_negative(cert);
    if let Some(depth) = chain.sent.iter().position(negative) {
        flaws.push(Flaw::new("serial-negative", depth));
    }
    if demand == Demand::Nothing {
        return flaws;
    }
    if chain.anchors.iter().all(negative) {
        flaws.push(Flaw::new("anchor-serial-negative", 0));
    }
    let Some(own) = chain.sent.first() else {
        return flaws;
    };
    if properties::has_critical_unknown(own) {
        flaws.push(Flaw::new("critical-extension", 0));
    }
    flaws.extend(out_of_date(own, 0));
    if demand == Demand::Name
        && let Some((reason, error)) = names::go(&Names::of(own), chain.host)
    {
        flaws.push(Flaw::new(reason, 0).with("error", error));
    }
    if !chain
        .anchors
        .iter()
        .any(|anchor| properties::same(anchor, own))
    {
        flaws.extend(of_path(own, chain));
    } else {
        flaws.extend(usage(&[own]));
    }
    flaws
}

fn of_path(own: &X509Ref, chain: &Chain<'_>) -> Vec<Flaw> {
    let Some(verified) = path::verify(chain, Rules::path_alone()) else {
        return Vec::new();
    };
    let path: Vec<&X509Ref> = verified.path.iter().map(AsRef::as_ref).collect();
    let unknown = |cert: &X509Ref, depth: usize, why: Option<String>| {
        let hint = why.map(|why| {
            let parent = name_of(cert.issuer_name());
            format!(
                " (possibly because of \"{why}\" while trying to verify candidate authority \
                 certificate \"{parent}\")"
            )
        });
        Flaw::new("unknown-issuer", depth).with("hint", hint.unwrap_or_default())
    };
    for (depth, pair) in path.windows(2).enumerate() {
        let (cert, parent) = (pair[0], pair[1]);
        if let Some(why) = cannot_sign(parent) {
            return vec![unknown(cert, depth, Some(why.to_owned()))];
        }
        if properties::unimplemented_signature(cert) {
            let parent = name_of(cert.issuer_name());
            return vec![Flaw::new("unimplemented", depth).with("parent", parent)];
        }
        match properties::insecure_signature(cert) {
            Some("MD5-RSA") => {
                let why = "x509: cannot verify signature: insecure algorithm MD5-RSA";
                return vec![unknown(cert, depth, Some(why.to_owned()))];
            }
            Some(algorithm) => {
                let parent = name_of(cert.issuer_name());
                let flaw = Flaw::new("weak-digest", depth);
                return vec![flaw.with("algorithm", algorithm).with("parent", parent)];
            }
            None => {}
        }
    }
    if let Some(error) = verified.error {
        let reason = reason_of(error.code);
        let at = path.get(error.depth).copied().unwrap_or(own);
        return vec![match reason {
            "unknown-issuer" | "self-signed" | "signature" => {
                let last = path.last().copied().unwrap_or(own);
                unknown(last, path.len().saturating_sub(1), wrong_key(last, chain))
            }
            "not-a-ca" => unknown(own, 0, Some(CANNOT_SIGN.to_owned())),
            reason => Flaw::new(reason, error.depth)
                .with("error", error.text)
                .with("subject", name_of(at.subject_name()))
                .with("host", chain.host),
        }];
    }
    let upper = path.iter().enumerate().skip(1);
    for (depth, cert) in upper {
        if let Some(flaw) = out_of_date(cert, depth) {
            return vec![flaw];
        }
    }
    usage(&path).into_iter().collect()
}

const CANNOT_SIGN: &str =
    "x509: invalid signature: parent certificate cannot sign this kind of certificate";

/// `CheckSignatureFrom`, before the signature itself.
fn cannot_sign(parent: &X509Ref) -> Option<&'static str> {
    let constrained = properties::has_constraints(parent);
    let is_v3 = parent.version() == 2;
    let wrong = (is_v3 && !constrained)
        || (constrained && !properties::is_authority(parent))
        || !properties::may(parent, X509KeyUsage::KEY_CERT_SIGN);
    wrong.then_some(CANNOT_SIGN)
}

/// What it says of an issuer of the same name with another key.
fn wrong_key(cert: &X509Ref, chain: &Chain<'_>) -> Option<String> {
    let issuer = cert.issuer_name();
    let is_namesake = |other: &&X509| {
        issuer
            .try_cmp(other.subject_name())
            .is_ok_and(|order| order.is_eq())
            && !properties::same(cert, other)
    };
    let known = chain.anchors.iter().chain(chain.sent).find(is_namesake)?;
    let key = known.public_key().ok()?;
    let verified = cert.verify(&key).unwrap_or(false);
    (!verified).then(|| match key.id() {
        Id::EC => "x509: ECDSA verification failure".to_owned(),
        Id::ED25519 => "x509: Ed25519 verification failure".to_owned(),
        _ => "crypto/rsa: verification error".to_owned(),
    })
}

/// The path must be for servers from end to end, the anchor included.
fn usage(path: &[&X509Ref]) -> Option<Flaw> {
    let allowed = X509ExtendedKeyUsage::SSL_SERVER | X509ExtendedKeyUsage::ANYEKU;
    let refuses = |cert: &&X509Ref| {
        cert.extended_key_usage()
            .is_some_and(|usages| !usages.intersects(allowed))
    };
    let depth = path.iter().position(refuses)?;
    Some(Flaw::new("purpose", depth))
}

fn out_of_date(cert: &X509Ref, depth: usize) -> Option<Flaw> {
    let reason = properties::out_of_date(cert)?;
    Some(Flaw::new(reason, depth).with("when", when(cert, reason)))
}

/// `2026-11-30T12:00:00Z is after 2021-01-01T00:00:00Z`
fn when(cert: &X509Ref, reason: &str) -> String {
    let now = OffsetDateTime::now_utc().replace_nanosecond(0);
    let (word, limit) = match reason {
        "expired" => ("after", cert.not_after()),
        _ => ("before", cert.not_before()),
    };
    let shown = |at: Option<OffsetDateTime>| at.and_then(|at| at.format(&Rfc3339).ok());
    let limit = shown(properties::moment(limit)).unwrap_or_default();
    format!("{} is {word} {limit}", shown(now.ok()).unwrap_or_default())
}

/// The common name, or the first organisation.
fn name_of(name: &X509NameRef) -> String {
    use openssl::nid::Nid;
    [Nid::COMMONNAME, Nid::ORGANIZATIONNAME]
        .into_iter()
        .filter_map(|part| name.entries_by_nid(part).next())
        .map(|entry| String::from_utf8_lossy(entry.data().as_slice()).into_owned())
        .next()
        .unwrap_or_default()
}
