//! What is wrong with a chain. OpenSSL's verdict comes first, since libpq
//! stops there; the other faults are found on the presented certificates
//! afterwards, so that all are told at once.

use openssl::x509::{CrlStatus, X509, X509ExtendedKeyUsage, X509Ref};
use time::OffsetDateTime;

use crate::cause::tls as cause;
use crate::finding::Finding;
use crate::text::moment::{date, span};

use super::codes::{self, VerifyFault, VerifyRefusal, kind};
use super::context::Trusted;
use crate::wire::tls::name_text;

use super::facts::{called, key_text, moment, serial, signature_text};
use super::issuer::{is_self_issued, same};
use super::names::{NameMatch, Names};

/// The clock, and what stands trial.
pub struct ChainCheck<'a> {
    /// The presented certificates, the server's own first.
    pub chain: &'a [X509],
    /// What they were verified against.
    pub trusted: &'a Trusted,
    /// Now.
    pub now: OffsetDateTime,
    /// The `host` setting, where the name counts.
    pub host: Option<&'a str>,
}

impl ChainCheck<'_> {
    /// Every fault, first the one that OpenSSL stopped at.
    pub fn faults(&self, refusal: &VerifyRefusal) -> Vec<Finding> {
        let first = self.first(refusal);
        let first_kind = kind(refusal.code);
        let mut faults = vec![first];
        // A chain that came as far as its name holds, dates and all. Else those
        // count that lead up from the server's own: others may be left over.
        let linked = match first_kind {
            VerifyFault::Name => Vec::new(),
            _ => self.linked(),
        };
        for (depth, cert) in linked.into_iter().enumerate() {
            let same = refusal.cert.as_deref().is_some_and(|c| same(c, cert));
            if !(same && first_kind == VerifyFault::Expired) && self.has_expired(cert) {
                faults.push(self.expired(cert, depth));
            }
            if !(same && first_kind == VerifyFault::NotYetValid) && self.is_early(cert) {
                faults.push(self.not_yet_valid(cert, depth));
            }
        }
        if first_kind != VerifyFault::Name
            && let (Some(host), Some(cert)) = (self.host, self.chain.first())
            && Names::of(cert).cover(host) != NameMatch::Yes
        {
            faults.push(hostname(cert, host));
        }
        if first_kind != VerifyFault::Revoked {
            faults.extend(self.on_a_list());
        }
        faults
    }

    /// The faults that need no verification of the chain: dates and names.
    pub fn plain_faults(&self) -> Vec<Finding> {
        let Some(cert) = self.chain.first() else {
            return Vec::new();
        };
        let mut faults = Vec::new();
        if self.has_expired(cert) {
            faults.push(self.expired(cert, 0));
        }
        if self.is_early(cert) {
            faults.push(self.not_yet_valid(cert, 0));
        }
        if let Some(host) = self.host
            && Names::of(cert).cover(host) != NameMatch::Yes
        {
            faults.push(hostname(cert, host));
        }
        faults
    }

    /// A certificate whose end is near.
    pub fn ends_soon(&self, cert: &X509Ref, depth: usize, end: OffsetDateTime) -> Finding {
        self.about(Finding::new(&cause::CERT_EXPIRES_SOON), cert, depth)
            .with("not_after", date(end))
            .with("left", span(end - self.now))
            .with("days_left", (end - self.now).whole_days())
    }

    fn first(&self, refusal: &VerifyRefusal) -> Finding {
        let subject = refusal.cert.as_ref().or(self.chain.first());
        let finding = match (kind(refusal.code), subject) {
            (_, None) => Finding::new(&cause::UNCLASSIFIED),
            (VerifyFault::Issuer, Some(cert)) => self.issuer(refusal, cert),
            (VerifyFault::SelfSigned, Some(cert)) => self.self_signed(cert),
            (VerifyFault::Expired, Some(cert)) => self.expired(cert, refusal.depth),
            (VerifyFault::NotYetValid, Some(cert)) => self.not_yet_valid(cert, refusal.depth),
            (VerifyFault::Revoked, Some(cert)) => self.revoked(cert, refusal.depth),
            (VerifyFault::Crl, Some(cert)) => self.list(refusal, cert),
            (VerifyFault::Weak, Some(cert)) => self.weak(refusal, cert),
            (VerifyFault::Purpose, Some(cert)) => self.purpose(refusal, cert),
            (VerifyFault::Signature, Some(cert)) => self.forged(refusal, cert),
            (VerifyFault::Name, Some(cert)) => hostname(cert, self.host.unwrap_or_default()),
            (VerifyFault::Unknown, Some(cert)) => {
                Finding::new(&cause::UNCLASSIFIED).with("subject", name_text(cert.subject_name()))
            }
        };
        finding
            .with("verify_code", refusal.code)
            .with("error", refusal.text)
            .with("depth", refusal.depth)
    }

    /// The certificate in a sentence: whose it is.
    fn whose(&self, cert: &X509Ref, depth: usize) -> String {
        match depth {
            0 => format!("The server's certificate ({})", called(cert)),
            _ if is_self_issued(cert) => format!("The root certificate {}", called(cert)),
            _ => format!("The intermediate certificate {}", called(cert)),
        }
    }

    pub(super) fn about(&self, finding: Finding, cert: &X509Ref, depth: usize) -> Finding {
        let role = match depth {
            0 => "server",
            _ if is_self_issued(cert) => "root",
            _ => "intermediate",
        };
        let here = depth > 0 && !self.chain.iter().any(|sent| same(sent, cert));
        finding
            .with("certificate", self.whose(cert, depth))
            .with("role", role)
            .with("from_root_file", here.then(|| self.trusted.label.clone()))
            .with("subject", name_text(cert.subject_name()))
            .with("issuer", name_text(cert.issuer_name()))
            .with("serial", serial(cert))
    }

    fn has_expired(&self, cert: &X509Ref) -> bool {
        moment(cert.not_after()).is_some_and(|end| end < self.now)
    }

    fn is_early(&self, cert: &X509Ref) -> bool {
        moment(cert.not_before()).is_some_and(|start| start > self.now)
    }

    pub(super) fn expired(&self, cert: &X509Ref, depth: usize) -> Finding {
        let end = moment(cert.not_after());
        self.about(Finding::new(&cause::CERT_EXPIRED), cert, depth)
            .with("not_after", end.map(date))
            .with("ago", end.map(|end| span(self.now - end)))
            .with("our_clock", date(self.now))
    }

    fn not_yet_valid(&self, cert: &X509Ref, depth: usize) -> Finding {
        let start = moment(cert.not_before());
        self.about(Finding::new(&cause::CERT_NOT_YET_VALID), cert, depth)
            .with("not_before", start.map(date))
            .with("ahead", start.map(|start| span(start - self.now)))
            .with("our_clock", date(self.now))
            .with("clock_suspected", self.suspects_clock(start))
    }

    /// What speaks for a clock of ours that is wrong, where a certificate is
    /// not valid yet: one was issued a moment ago by another clock, or the
    /// authority itself lies in the future.
    fn suspects_clock(&self, start: Option<OffsetDateTime>) -> Option<&'static str> {
        const A_DAY: time::Duration = time::Duration::hours(26);
        let others = self.chain.iter().skip(1).chain(self.trusted.roots());
        if others.clone().any(|cert| self.is_early(cert)) {
            return Some("an authority's certificate is not valid yet either");
        }
        match start {
            Some(start) if start - self.now < A_DAY => {
                Some("it begins within a day, which suggests a wrong time zone or a slow clock")
            }
            _ => None,
        }
    }

    fn revoked(&self, cert: &X509Ref, depth: usize) -> Finding {
        self.about(Finding::new(&cause::CERT_REVOKED), cert, depth)
            .with("crl", self.crl())
    }

    fn crl(&self) -> Option<String> {
        self.trusted.crl.as_ref().map(|p| p.display().to_string())
    }

    /// The list cannot be used.
    fn list(&self, refusal: &VerifyRefusal, cert: &X509Ref) -> Finding {
        let issuer = name_text(cert.issuer_name());
        let list = self
            .trusted
            .lists()
            .iter()
            .find(|list| name_text(list.issuer_name()) == issuer);
        let covered: Vec<String> = self
            .trusted
            .lists()
            .iter()
            .map(|list| name_text(list.issuer_name()))
            .collect();
        let since = list.and_then(|list| moment(list.last_update()));
        let until = list.and_then(|list| list.next_update().and_then(moment));
        let reason = match (refusal.code, list) {
            (codes::UNABLE_TO_GET_CRL, None) if covered.is_empty() => {
                format!("there is no list of {issuer}")
            }
            (codes::UNABLE_TO_GET_CRL, None) => format!(
                "there is no list of {issuer}, only one of {}",
                covered.join("; ")
            ),
            (codes::CRL_HAS_EXPIRED, _) => match until {
                Some(until) => format!(
                    "the list of {issuer} expired on {}, {} ago",
                    date(until),
                    span(self.now - until)
                ),
                None => format!("the list of {issuer} has expired"),
            },
            (codes::CRL_NOT_YET_VALID, _) => match since {
                Some(since) => format!("the list of {issuer} is not valid until {}", date(since)),
                None => format!("the list of {issuer} is not valid yet"),
            },
            (8 | codes::UNABLE_TO_GET_CRL_ISSUER, _) => {
                format!("the list of {issuer} was not signed by that authority's key")
            }
            _ => format!("the list of {issuer} is not valid ({})", refusal.text),
        };
        let place = match self.trusted.crl.as_ref().is_some_and(|path| path.is_dir()) {
            true => "crl_directory",
            false => "crl_file",
        };
        Finding::new(&cause::CRL)
            .with("reason", reason)
            .with("issuer", issuer)
            .with("subject", name_text(cert.subject_name()))
            .with("crl", self.crl())
            .with(place, self.crl())
            .with("last_update", since.map(date))
            .with("next_update", until.map(date))
            .with("covered", covered)
    }

    fn weak(&self, refusal: &VerifyRefusal, cert: &X509Ref) -> Finding {
        let key = cert.public_key().ok().map(|key| key_text(&key));
        let signature = signature_text(cert);
        let reason = match refusal.code {
            68 => format!("it is signed with {signature}"),
            _ => match &key {
                Some(key) => format!("its key is {key}"),
                None => refusal.text.to_owned(),
            },
        };
        self.about(Finding::new(&cause::CERT_WEAK), cert, refusal.depth)
            .with("reason", reason)
            .with("key", key)
            .with("signature", signature)
    }

    fn purpose(&self, refusal: &VerifyRefusal, cert: &X509Ref) -> Finding {
        let reason = match (refusal.code, refusal.depth) {
            (26, 0) => not_for_servers(cert).to_owned(),
            (26, _) => "the authority is not allowed to issue server certificates".to_owned(),
            (24 | 79, _) => "it issued a certificate but is not marked as an authority".to_owned(),
            (25, _) => "there are more authorities below it than it allows".to_owned(),
            (32, _) => "it signed a certificate but its key usage does not allow that".to_owned(),
            (47, _) => "its name is not permitted by the authority's name constraints".to_owned(),
            (48, _) => "its name is excluded by the authority's name constraints".to_owned(),
            (codes::CHAIN_TOO_LONG, _) => "the chain is too long".to_owned(),
            (27 | 28, _) => "the root file does not trust it for servers".to_owned(),
            (34, _) => "it has a critical extension that OpenSSL does not support".to_owned(),
            _ => refusal.text.to_owned(),
        };
        let finding = Finding::new(&cause::CERT_PURPOSE);
        let finding = match refusal.code {
            27 | 28 => finding.fix(
                "Put it into the root file as a plain CERTIFICATE, which is trusted for every purpose; \
                 a TRUSTED CERTIFICATE has limits (openssl x509 -trustout).",
                None,
            ),
            _ => finding,
        };
        self.about(finding, cert, refusal.depth)
            .with("reason", reason)
    }

    /// Certificates that stand on a list which OpenSSL did not come to.
    fn on_a_list(&self) -> Vec<Finding> {
        let mut out = Vec::new();
        for (depth, cert) in self.chain.iter().enumerate() {
            let issuer = name_text(cert.issuer_name());
            let revoked = self.trusted.lists().iter().any(|list| {
                name_text(list.issuer_name()) == issuer
                    && matches!(list.get_by_cert(cert), CrlStatus::Revoked(_))
            });
            if revoked {
                out.push(self.revoked(cert, depth));
            }
        }
        out
    }
}

/// Which of its extensions keeps a certificate from being a server's.
fn not_for_servers(cert: &X509Ref) -> &'static str {
    let extended = cert.extended_key_usage();
    match extended.is_some_and(|usage| !usage.intersects(X509ExtendedKeyUsage::SSL_SERVER)) {
        true => "its extended key usages do not include serverAuth",
        false => "its key usages do not match a server's key",
    }
}

/// Whether a certificate's name can be a host at all: Cloud SQL's
/// `project:instance` and a company's name cannot.
fn is_host_name(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    super::names::is_ip_address(name) || (!name.is_empty() && name.bytes().all(letter))
}

/// The server's certificate does not cover the host.
pub fn hostname(cert: &X509Ref, host: &str) -> Finding {
    const MOST: usize = 20;
    let names = Names::of(cert);
    let mut shown = names.shown();
    if shown.len() > MOST {
        let more = shown.len() - MOST;
        shown.truncate(MOST);
        shown.push(format!("and {more} more"));
    }
    let asked = match host {
        "" => "an address without a host name (only hostaddr is set)",
        host => host,
    };
    let plain = shown.iter().find(|name| is_host_name(name));
    let usable = shown
        .iter()
        .any(|name| is_host_name(name.strip_prefix("*.").unwrap_or(name)));
    let broken = names.cover(host) == NameMatch::Broken;
    Finding::new(&cause::CERT_HOSTNAME)
        .with(
            "names",
            match shown.is_empty() {
                true => "no host name".to_owned(),
                false => shown.join(", "),
            },
        )
        .with("carried", usable.then(|| shown.clone()))
        .with("asked", asked.to_owned())
        .with("missing_name", (!host.is_empty()).then(|| host.to_owned()))
        .with("name", plain.cloned())
        .with("subject", name_text(cert.subject_name()))
        .with("broken_name", broken.then_some(true))
}
