//! A chain that ends at no trusted root: who issued it, and whether a
//! link is missing or the authority is another one.

use openssl::nid::Nid;
use openssl::x509::X509Ref;

use crate::cause::tls as cause;
use crate::finding::Finding;

use super::chain::ChainCheck;
use super::codes::{SELF_SIGNED_IN_CHAIN, VerifyRefusal};
use crate::wire::tls::name_text;

use super::facts::{fingerprint, serial};

impl ChainCheck<'_> {
    pub(super) fn self_signed(&self, cert: &X509Ref) -> Finding {
        self.about(Finding::new(&cause::CERT_SELF_SIGNED), cert, 0)
            .with("roots", self.trusted.label.clone())
            .with("trusted", self.trusted_names())
            .with("fingerprint", fingerprint(cert))
    }

    fn trusted_names(&self) -> Vec<String> {
        let names = self.trusted.roots().iter();
        names.map(|r| name_text(r.subject_name())).take(5).collect()
    }

    /// The issuer is unknown: an untrusted authority, or a missing intermediate.
    pub(super) fn issuer(&self, refusal: &VerifyRefusal, cert: &X509Ref) -> Finding {
        // The last certificate of what was presented: the one whose issuer is unknown.
        let last = match refusal.code {
            SELF_SIGNED_IN_CHAIN => self.linked().pop().unwrap_or(cert),
            _ => cert,
        };
        // Where the root itself was sent, nothing is missing.
        let ties = match refusal.code == SELF_SIGNED_IN_CHAIN || is_self_issued(last) {
            true => None,
            false => self.ties(last),
        };
        let cause = match ties {
            Some(_) => &cause::CERT_INCOMPLETE_CHAIN,
            None => &cause::CERT_UNKNOWN_CA,
        };
        let sent = self.chain.len();
        Finding::new(cause)
            .with("issuer", name_text(last.issuer_name()))
            .with("subject", name_text(last.subject_name()))
            .with("roots", self.trusted.label.clone())
            .with("trusted", self.trusted_names())
            .with("certificates_sent", sent)
            .with("ties", ties)
            .with("issuer_url", issuer_url(last))
            .with("serial", serial(last))
            .with("same_name_other_key", self.namesake(last))
    }

    /// The presented certificates that lead up from the server's own, link by
    /// link, roots left out.
    pub(super) fn linked(&self) -> Vec<&X509Ref> {
        let mut out: Vec<&X509Ref> = self.chain.first().map(|own| &**own).into_iter().collect();
        while let Some(last) = out.last().copied()
            && out.len() < self.chain.len()
            && let Some(next) = self.chain.iter().find(|c| is_issuer_of(c, last))
            && !is_self_issued(next)
            && !out.iter().any(|seen| same(seen, next))
        {
            out.push(next);
        }
        out
    }

    /// What ties a certificate's unknown issuer to a trusted root: it is then
    /// most likely an intermediate that was not sent (causes.md,
    /// `tls.cert.incomplete-chain`).
    fn ties(&self, cert: &X509Ref) -> Option<Vec<String>> {
        // A root is no link: one of this name is trusted and made no such
        // signature, or it says itself what it is.
        let common = of_issuer(cert, Nid::COMMONNAME).unwrap_or_default();
        if self.namesake(cert).is_some() || common.to_lowercase().contains("root") {
            return None;
        }
        let mut ties = Vec::new();
        // Key identifiers that name the issuer's own issuer (RFC 5280, 4.2.1.1).
        let above = cert.authority_issuer().into_iter().flatten();
        let above: Vec<String> = above
            .filter_map(|name| name.directory_name().map(name_text))
            .collect();
        if let Some(root) = self.trusted.roots().iter().find(|root| {
            let subject = name_text(root.subject_name());
            above.contains(&subject) && subject != name_text(cert.issuer_name())
        }) {
            ties.push(format!(
                "its authority key identifier names {} as the issuer of its issuer",
                name_text(root.subject_name())
            ));
        }
        if let Some(url) = issuer_url(cert)
            && self.chain.len() == 1
        {
            ties.push(format!(
                "it gives the address of its issuer's certificate: {url}"
            ));
        }
        if let Some(organisation) = of_issuer(cert, Nid::ORGANIZATIONNAME)
            && let Some(root) = self.trusted.roots().iter().find(|root| {
                of_subject(root, Nid::ORGANIZATIONNAME).as_ref() == Some(&organisation)
            })
        {
            ties.push(format!(
                "its issuer and the trusted root {} have the same organisation",
                name_text(root.subject_name())
            ));
        }
        (!ties.is_empty()).then_some(ties)
    }

    /// A trusted root with the issuer's name whose key did not make the
    /// signature: an authority that was recreated under its old name.
    fn namesake(&self, cert: &X509Ref) -> Option<String> {
        let issuer = name_text(cert.issuer_name());
        self.trusted
            .roots()
            .iter()
            .find(|root| name_text(root.subject_name()) == issuer)
            .map(|root| format!("{} (serial {})", issuer, serial(root).unwrap_or_default()))
    }

    /// A signature that does not hold: issued by a key of the same name, or damaged.
    pub(super) fn forged(&self, refusal: &VerifyRefusal, cert: &X509Ref) -> Finding {
        self.about(Finding::new(&cause::CERT_UNKNOWN_CA), cert, refusal.depth)
            .with("roots", self.trusted.label.clone())
            .with("trusted", self.trusted_names())
            .with("same_name_other_key", self.namesake(cert))
    }
}

pub(super) fn same(a: &X509Ref, b: &X509Ref) -> bool {
    match (a.to_der(), b.to_der()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

pub(super) fn is_self_issued(cert: &X509Ref) -> bool {
    name_text(cert.subject_name()) == name_text(cert.issuer_name())
}

fn is_issuer_of(issuer: &X509Ref, cert: &X509Ref) -> bool {
    name_text(issuer.subject_name()) == name_text(cert.issuer_name()) && !same(issuer, cert)
}

/// Where the issuer's certificate can be fetched (authority information access).
fn issuer_url(cert: &X509Ref) -> Option<String> {
    cert.authority_info()?
        .iter()
        .filter(|access| access.method().nid() == Nid::AD_CA_ISSUERS)
        .find_map(|access| access.location().uri().map(str::to_owned))
}

fn of_issuer(cert: &X509Ref, part: Nid) -> Option<String> {
    entry(cert.issuer_name(), part)
}

fn of_subject(cert: &X509Ref, part: Nid) -> Option<String> {
    entry(cert.subject_name(), part)
}

fn entry(name: &openssl::x509::X509NameRef, part: Nid) -> Option<String> {
    name.entries_by_nid(part)
        .next()
        .map(|entry| String::from_utf8_lossy(entry.data().as_slice()).into_owned())
}
