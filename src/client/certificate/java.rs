//! Java's PKIX with pgjdbc's factory: any certificate of the root file is an anchor, and
//! what an anchor says of its own time, usages and names is not looked at.

use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509ExtendedKeyUsage, X509KeyUsage, X509Ref};
use time::OffsetDateTime;

use super::names::{self, Names};
use super::openssl::reason_of;
use super::path::{self, Rules};
use super::words::Flaw;
use super::{Chain, Demand, properties};

/// What it refuses, with its own words as `error`.
pub(super) fn flaws(demand: Demand, chain: &Chain<'_>) -> Vec<Flaw> {
    let Some(own) = chain.sent.first() else {
        return Vec::new();
    };
    let mut flaws = Vec::new();
    // Certificates are parsed whatever is verified.
    if let Some(depth) = chain.sent.iter().position(|cert| is_incomplete(cert)) {
        flaws.push(Flaw::new("empty-subject", depth));
    }
    if demand == Demand::Nothing {
        return flaws;
    }
    // What is an anchor itself is trusted as it is.
    if !chain
        .anchors
        .iter()
        .any(|anchor| properties::same(anchor, own))
    {
        flaws.extend(of_path(own, chain));
    }
    if demand == Demand::Name && !names::pgjdbc(&Names::of(own), chain.host) {
        flaws.push(Flaw::new("name", 0).with("host", chain.host));
    }
    flaws
}

/// A certificate without a subject whose alternative names are not critical: RFC 5280
/// forbids it, and the JDK does not read it.
fn is_incomplete(cert: &X509Ref) -> bool {
    cert.subject_name().entries().next().is_none() && !properties::has_critical_names(cert)
}

fn of_path(own: &X509Ref, chain: &Chain<'_>) -> Option<Flaw> {
    let verified = path::verify(chain, Rules::path_alone())?;
    let path: Vec<&X509Ref> = verified.path.iter().map(AsRef::as_ref).collect();
    let anchor = path.len().saturating_sub(1);
    let complete = path.last().is_some_and(|last| {
        chain
            .anchors
            .iter()
            .any(|known| properties::same(known, last))
    });
    if !complete {
        let reason = match has_namesake(&path, chain) {
            true => "wrong-anchor",
            false => "unknown-issuer",
        };
        return Some(Flaw::new(reason, anchor));
    }
    if let Some(flaw) = of_anchor(path[anchor], anchor) {
        return Some(flaw);
    }
    // From the anchor down.
    for (depth, cert) in path.iter().enumerate().take(anchor).rev() {
        if let Some(flaw) = of_issued(cert, depth) {
            return Some(flaw);
        }
    }
    if let Some(error) = verified
        .error
        .filter(|error| error.depth < anchor || is_limit(error.code))
    {
        let reason = reason_of(error.code);
        // The anchor's own limits are not kept.
        let by_anchor = is_limit(error.code) && !limits_below(&path[..anchor], chain);
        if !by_anchor && reason != "other" {
            return Some(Flaw::new(reason, error.depth));
        }
    }
    of_own(own)
}

/// Path length and name constraints.
fn is_limit(code: i32) -> bool {
    matches!(code, 25 | 47..=53)
}

/// Whether the limits are broken without those of the anchor.
fn limits_below(path: &[&X509Ref], chain: &Chain<'_>) -> bool {
    let Some(last) = path.last() else {
        return false;
    };
    // The certificate below the anchor as the anchor: its limits are kept by OpenSSL.
    let anchors = [(*last).to_owned()];
    let below = Chain {
        anchors: &anchors,
        ..*chain
    };
    let rules = Rules {
        flags: X509VerifyFlags::PARTIAL_CHAIN | X509VerifyFlags::NO_CHECK_TIME,
        ..Rules::path_alone()
    };
    path::verify(&below, rules)
        .and_then(|verified| verified.error)
        .is_some_and(|error| is_limit(error.code))
}

fn of_anchor(anchor: &X509Ref, depth: usize) -> Option<Flaw> {
    let subject = || rfc2253(anchor);
    // Versions before 3 have no extension to say it with.
    if anchor.version() == 2 && !properties::is_authority(anchor) {
        return Some(Flaw::new("anchor-not-a-ca", depth).with("subject", subject()));
    }
    if !properties::may(anchor, X509KeyUsage::KEY_CERT_SIGN) {
        return Some(Flaw::new("anchor-usage", depth).with("subject", subject()));
    }
    small(anchor).map(|flaw| Flaw { depth, ..flaw })
}

fn of_issued(cert: &X509Ref, depth: usize) -> Option<Flaw> {
    if properties::insecure_signature(cert) == Some("MD5-RSA") {
        return Some(Flaw::new("weak-digest", depth));
    }
    if let Some(flaw) = small(cert) {
        return Some(Flaw { depth, ..flaw });
    }
    if let Some(reason) = properties::out_of_date(cert) {
        let limit = match reason {
            "expired" => cert.not_after(),
            _ => cert.not_before(),
        };
        let date = properties::moment(limit).map(java_date).unwrap_or_default();
        return Some(Flaw::new(reason, depth).with("date", date));
    }
    if depth > 0 && !properties::may(cert, X509KeyUsage::KEY_CERT_SIGN) {
        return Some(Flaw::new("usage-of-ca", depth));
    }
    if depth > 0 && !properties::is_authority(cert) {
        return Some(Flaw::new("not-a-ca", depth));
    }
    properties::has_critical_unknown(cert).then(|| Flaw::new("critical-extension", depth))
}

/// The checks of a server's own certificate.
fn of_own(own: &X509Ref) -> Option<Flaw> {
    let server = X509ExtendedKeyUsage::SSL_SERVER | X509ExtendedKeyUsage::ANYEKU;
    let refused = own
        .extended_key_usage()
        .is_some_and(|usages| !usages.intersects(server));
    if refused {
        return Some(Flaw::new("purpose", 0));
    }
    let signs = properties::may(own, X509KeyUsage::DIGITAL_SIGNATURE);
    (!signs).then(|| Flaw::new("usage", 0))
}

/// `jdk.certpath.disabledAlgorithms`: RSA below 1024 bits.
fn small(cert: &X509Ref) -> Option<Flaw> {
    let key = cert.public_key().ok()?;
    let is_rsa = matches!(
        key.id(),
        openssl::pkey::Id::RSA | openssl::pkey::Id::RSA_PSS
    );
    (is_rsa && key.bits() < 1024).then(|| Flaw::new("weak-key", 0))
}

/// Whether an anchor has the issuer's name, and another key.
fn has_namesake(path: &[&X509Ref], chain: &Chain<'_>) -> bool {
    let Some(last) = path.last() else {
        return false;
    };
    let issuer = last.issuer_name();
    let is_namesake = |anchor: &X509| {
        issuer
            .try_cmp(anchor.subject_name())
            .is_ok_and(|order| order.is_eq())
    };
    chain.anchors.iter().any(is_namesake)
}

/// `CN=Corp Root, O=Corp`, the last part first.
fn rfc2253(cert: &X509Ref) -> String {
    let parts: Vec<String> = cert
        .subject_name()
        .entries()
        .map(|entry| {
            let name = entry.object().nid().short_name().unwrap_or("?");
            format!(
                "{name}={}",
                String::from_utf8_lossy(entry.data().as_slice())
            )
        })
        .collect();
    parts.into_iter().rev().collect::<Vec<_>>().join(", ")
}

/// `Fri Jan 01 00:00:00 UTC 2021`
fn java_date(at: OffsetDateTime) -> String {
    let short = |text: String| text.chars().take(3).collect::<String>();
    format!(
        "{} {} {:02} {:02}:{:02}:{:02} UTC {}",
        short(at.weekday().to_string()),
        short(at.month().to_string()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.year()
    )
}
