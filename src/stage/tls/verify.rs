//! What is wrong with a chain. OpenSSL's verdict comes first, since libpq
//! stops there; the other faults are found on the presented certificates
//! afterwards, so that all are told at once.

use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::X509VerifyParam;
use openssl::x509::{
    CrlStatus, X509, X509ExtendedKeyUsage, X509PurposeId, X509Ref, X509StoreContext,
    X509StoreContextRef, X509VerifyResult,
};
use time::OffsetDateTime;

use crate::cause::tls as cause;
use crate::finding::Finding;

use super::context::Trusted;
use super::facts::{called, date, key_text, moment, name_text, serial, signature_text, span};
use super::names::{Match, Names};

/// A verification that failed: OpenSSL's code, how far from the server's own
/// certificate, and the certificate it is about.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The code (`X509_V_ERR_…`).
    pub code: i32,
    /// 0 is the server's own certificate.
    pub depth: usize,
    /// The certificate.
    pub cert: Option<X509>,
    /// The code in OpenSSL's words.
    pub text: &'static str,
}

impl Refusal {
    /// What a verification stands at.
    pub fn of(context: &X509StoreContextRef) -> Self {
        Self {
            code: context.error().as_raw(),
            depth: context.error_depth() as usize,
            cert: context.current_cert().map(ToOwned::to_owned),
            text: context.error().error_string(),
        }
    }
}

// OpenSSL's verify codes (`openssl/x509_vfy.h`); they are part of its API.
const UNABLE_TO_GET_ISSUER: i32 = 2;
const UNABLE_TO_GET_CRL: i32 = 3;
const NOT_YET_VALID: i32 = 9;
const HAS_EXPIRED: i32 = 10;
const CRL_NOT_YET_VALID: i32 = 11;
const CRL_HAS_EXPIRED: i32 = 12;
const DEPTH_ZERO_SELF_SIGNED: i32 = 18;
const SELF_SIGNED_IN_CHAIN: i32 = 19;
const UNABLE_TO_GET_ISSUER_LOCALLY: i32 = 20;
const UNABLE_TO_VERIFY_LEAF: i32 = 21;
const CHAIN_TOO_LONG: i32 = 22;
const REVOKED: i32 = 23;
const UNABLE_TO_GET_CRL_ISSUER: i32 = 33;
/// The name does not match; set by our own verification, which looks at the
/// name before anything that identifies the client is sent.
pub const HOSTNAME_MISMATCH: i32 = 62;

/// The kinds of faults that the codes fall into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Issuer,
    SelfSigned,
    Expired,
    NotYetValid,
    Revoked,
    Crl,
    Weak,
    Purpose,
    Signature,
    Name,
    Unknown,
}

fn kind(code: i32) -> Kind {
    match code {
        UNABLE_TO_GET_ISSUER
        | SELF_SIGNED_IN_CHAIN
        | UNABLE_TO_GET_ISSUER_LOCALLY
        | UNABLE_TO_VERIFY_LEAF
        | 27
        | 28 => Kind::Issuer,
        DEPTH_ZERO_SELF_SIGNED => Kind::SelfSigned,
        HAS_EXPIRED => Kind::Expired,
        NOT_YET_VALID => Kind::NotYetValid,
        REVOKED => Kind::Revoked,
        // CRL: missing, out of date, signature, fields, issuer, scope, extensions, path.
        UNABLE_TO_GET_CRL | 5 | 8 | CRL_NOT_YET_VALID | CRL_HAS_EXPIRED | 15 | 16
        | UNABLE_TO_GET_CRL_ISSUER | 35 | 36 | 44 | 54 => Kind::Crl,
        // Keys and digests too weak for the security level; Suite B.
        56..=61 | 66..=68 => Kind::Weak,
        CHAIN_TOO_LONG
        // Invalid CA, path length, purpose, key usage, and name constraints.
        | 24..=26 | 32 | 34 | 37 | 39..=41 | 47..=53 | 79..=94 => Kind::Purpose,
        // Signatures that do not hold, fields that cannot be read.
        4 | 6 | 7 | 13 | 14 => Kind::Signature,
        HOSTNAME_MISMATCH => Kind::Name,
        _ => Kind::Unknown,
    }
}

/// The clock, and what stands trial.
pub struct Trial<'a> {
    /// The presented certificates, the server's own first.
    pub chain: &'a [X509],
    /// What they were verified against.
    pub trusted: &'a Trusted,
    /// Now.
    pub now: OffsetDateTime,
    /// The `host` setting, where the name counts.
    pub host: Option<&'a str>,
}

impl Trial<'_> {
    /// Every fault, first the one that OpenSSL stopped at.
    pub fn faults(&self, refusal: &Refusal) -> Vec<Finding> {
        let first = self.first(refusal);
        let first_kind = kind(refusal.code);
        let mut faults = vec![first];
        // A chain that came as far as its name holds, dates and all. Else those
        // count that lead up from the server's own: others may be left over.
        let linked = match first_kind {
            Kind::Name => Vec::new(),
            _ => self.linked(),
        };
        for (depth, cert) in linked.into_iter().enumerate() {
            let same = refusal.cert.as_deref().is_some_and(|c| same(c, cert));
            if !(same && first_kind == Kind::Expired) && self.has_expired(cert) {
                faults.push(self.expired(cert, depth));
            }
            if !(same && first_kind == Kind::NotYetValid) && self.is_early(cert) {
                faults.push(self.not_yet_valid(cert, depth));
            }
        }
        if first_kind != Kind::Name
            && let (Some(host), Some(cert)) = (self.host, self.chain.first())
            && Names::of(cert).cover(host) != Match::Yes
        {
            faults.push(hostname(cert, host));
        }
        if first_kind != Kind::Revoked {
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
            && Names::of(cert).cover(host) != Match::Yes
        {
            faults.push(hostname(cert, host));
        }
        faults
    }

    /// A certificate whose end is near.
    pub fn ends_soon(&self, cert: &X509Ref, depth: usize, end: OffsetDateTime) -> Finding {
        self.about(Finding::new(&cause::EXPIRES_SOON), cert, depth)
            .with("not_after", date(end))
            .with("left", span(end - self.now))
            .with("days_left", (end - self.now).whole_days())
    }

    fn first(&self, refusal: &Refusal) -> Finding {
        let subject = refusal.cert.as_ref().or(self.chain.first());
        let finding = match (kind(refusal.code), subject) {
            (_, None) => Finding::new(&cause::UNCLASSIFIED),
            (Kind::Issuer, Some(cert)) => self.issuer(refusal, cert),
            (Kind::SelfSigned, Some(cert)) => self.self_signed(cert),
            (Kind::Expired, Some(cert)) => self.expired(cert, refusal.depth),
            (Kind::NotYetValid, Some(cert)) => self.not_yet_valid(cert, refusal.depth),
            (Kind::Revoked, Some(cert)) => self.revoked(cert, refusal.depth),
            (Kind::Crl, Some(cert)) => self.list(refusal, cert),
            (Kind::Weak, Some(cert)) => self.weak(refusal, cert),
            (Kind::Purpose, Some(cert)) => self.purpose(refusal, cert),
            (Kind::Signature, Some(cert)) => self.forged(refusal, cert),
            (Kind::Name, Some(cert)) => hostname(cert, self.host.unwrap_or_default()),
            (Kind::Unknown, Some(cert)) => {
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

    fn about(&self, finding: Finding, cert: &X509Ref, depth: usize) -> Finding {
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

    fn expired(&self, cert: &X509Ref, depth: usize) -> Finding {
        let end = moment(cert.not_after());
        self.about(Finding::new(&cause::EXPIRED), cert, depth)
            .with("not_after", end.map(date))
            .with("ago", end.map(|end| span(self.now - end)))
            .with("our_clock", date(self.now))
    }

    fn not_yet_valid(&self, cert: &X509Ref, depth: usize) -> Finding {
        let start = moment(cert.not_before());
        self.about(Finding::new(&cause::NOT_YET_VALID), cert, depth)
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
        let others = self.chain.iter().skip(1).chain(&self.trusted.roots);
        if others.clone().any(|cert| self.is_early(cert)) {
            return Some("an authority's certificate lies in the future as well");
        }
        match start {
            Some(start) if start - self.now < A_DAY => {
                Some("it begins within a day, as after a wrong time zone or a clock that is behind")
            }
            _ => None,
        }
    }

    fn revoked(&self, cert: &X509Ref, depth: usize) -> Finding {
        self.about(Finding::new(&cause::REVOKED), cert, depth)
            .with("crl", self.crl())
    }

    fn crl(&self) -> Option<String> {
        self.trusted.crl.as_ref().map(|p| p.display().to_string())
    }

    fn self_signed(&self, cert: &X509Ref) -> Finding {
        self.about(Finding::new(&cause::SELF_SIGNED), cert, 0)
            .with("roots", self.trusted.label.clone())
            .with("trusted", self.trusted_names())
            .with("fingerprint", super::facts::fingerprint(cert))
    }

    fn trusted_names(&self) -> Vec<String> {
        let names = self.trusted.roots.iter();
        names.map(|r| name_text(r.subject_name())).take(5).collect()
    }

    /// The issuer cannot be found: nobody's, or a missing link.
    fn issuer(&self, refusal: &Refusal, cert: &X509Ref) -> Finding {
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
            Some(_) => &cause::INCOMPLETE_CHAIN,
            None => &cause::UNKNOWN_CA,
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
    fn linked(&self) -> Vec<&X509Ref> {
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
        if let Some(root) = self.trusted.roots.iter().find(|root| {
            let subject = name_text(root.subject_name());
            above.contains(&subject) && subject != name_text(cert.issuer_name())
        }) {
            ties.push(format!(
                "its key identifiers say that {} issued its issuer",
                name_text(root.subject_name())
            ));
        }
        if let Some(url) = issuer_url(cert)
            && self.chain.len() == 1
        {
            ties.push(format!("it says where its issuer's certificate is: {url}"));
        }
        if let Some(organisation) = of_issuer(cert, Nid::ORGANIZATIONNAME)
            && let Some(root) = self.trusted.roots.iter().find(|root| {
                of_subject(root, Nid::ORGANIZATIONNAME).as_ref() == Some(&organisation)
            })
        {
            ties.push(format!(
                "its issuer and the trusted root {} are of one organisation",
                name_text(root.subject_name())
            ));
        }
        (!ties.is_empty()).then_some(ties)
    }

    /// A trusted root with the issuer's name whose key did not make the
    /// signature: an authority that was set up anew under its old name.
    fn namesake(&self, cert: &X509Ref) -> Option<String> {
        let issuer = name_text(cert.issuer_name());
        self.trusted
            .roots
            .iter()
            .find(|root| name_text(root.subject_name()) == issuer)
            .map(|root| format!("{} (serial {})", issuer, serial(root).unwrap_or_default()))
    }

    /// The list cannot be used.
    fn list(&self, refusal: &Refusal, cert: &X509Ref) -> Finding {
        let issuer = name_text(cert.issuer_name());
        let list = self
            .trusted
            .lists
            .iter()
            .find(|list| name_text(list.issuer_name()) == issuer);
        let covered: Vec<String> = self
            .trusted
            .lists
            .iter()
            .map(|list| name_text(list.issuer_name()))
            .collect();
        let since = list.and_then(|list| moment(list.last_update()));
        let until = list.and_then(|list| list.next_update().and_then(moment));
        let reason = match (refusal.code, list) {
            (UNABLE_TO_GET_CRL, None) if covered.is_empty() => {
                format!("there is no list of {issuer}")
            }
            (UNABLE_TO_GET_CRL, None) => format!(
                "there is no list of {issuer}, only of {}",
                covered.join("; ")
            ),
            (CRL_HAS_EXPIRED, _) => match until {
                Some(until) => format!(
                    "the list of {issuer} ended on {}, {} ago",
                    date(until),
                    span(self.now - until)
                ),
                None => format!("the list of {issuer} is out of date"),
            },
            (CRL_NOT_YET_VALID, _) => match since {
                Some(since) => format!("the list of {issuer} begins only on {}", date(since)),
                None => format!("the list of {issuer} is not valid yet"),
            },
            (8 | UNABLE_TO_GET_CRL_ISSUER, _) => {
                format!("the list of {issuer} was not signed by that authority's key")
            }
            _ => format!("the list of {issuer} does not hold ({})", refusal.text),
        };
        Finding::new(&cause::CRL)
            .with("reason", reason)
            .with("issuer", issuer)
            .with("subject", name_text(cert.subject_name()))
            .with("crl", self.crl())
            .with("last_update", since.map(date))
            .with("next_update", until.map(date))
            .with("covered", covered)
    }

    fn weak(&self, refusal: &Refusal, cert: &X509Ref) -> Finding {
        let key = cert.public_key().ok().map(|key| key_text(&key));
        let signature = signature_text(cert);
        let reason = match refusal.code {
            68 => format!("it is signed with {signature}"),
            _ => match &key {
                Some(key) => format!("its key is {key}"),
                None => refusal.text.to_owned(),
            },
        };
        self.about(Finding::new(&cause::WEAK), cert, refusal.depth)
            .with("reason", reason)
            .with("key", key)
            .with("signature", signature)
    }

    fn purpose(&self, refusal: &Refusal, cert: &X509Ref) -> Finding {
        let reason = match (refusal.code, refusal.depth) {
            (26, 0) => not_for_servers(cert).to_owned(),
            (26, _) => "the authority is not meant for servers' certificates".to_owned(),
            (24 | 79, _) => "it issued a certificate and is not marked as an authority".to_owned(),
            (25, _) => "more authorities follow it than it allows".to_owned(),
            (32, _) => "it signed a certificate without being allowed to".to_owned(),
            (47, _) => "its name is not permitted by the authority's name constraints".to_owned(),
            (48, _) => "its name is excluded by the authority's name constraints".to_owned(),
            (CHAIN_TOO_LONG, _) => "the chain is too long".to_owned(),
            (34, _) => "it has a critical extension that OpenSSL does not know".to_owned(),
            _ => refusal.text.to_owned(),
        };
        self.about(Finding::new(&cause::PURPOSE), cert, refusal.depth)
            .with("reason", reason)
    }

    /// A signature that does not hold: issued by a key of the same name, or damaged.
    fn forged(&self, refusal: &Refusal, cert: &X509Ref) -> Finding {
        self.about(Finding::new(&cause::UNKNOWN_CA), cert, refusal.depth)
            .with("roots", self.trusted.label.clone())
            .with("trusted", self.trusted_names())
            .with("same_name_other_key", self.namesake(cert))
    }

    /// Certificates that stand on a list which OpenSSL did not come to.
    fn on_a_list(&self) -> Vec<Finding> {
        let mut out = Vec::new();
        for (depth, cert) in self.chain.iter().enumerate() {
            let issuer = name_text(cert.issuer_name());
            let revoked = self.trusted.lists.iter().any(|list| {
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
        false => "its key usages do not fit a server's key",
    }
}

/// The server's certificate does not cover the host.
pub fn hostname(cert: &X509Ref, host: &str) -> Finding {
    let names = Names::of(cert);
    let shown = names.shown();
    let asked = match host {
        "" => "an address without a host name (only hostaddr is given)",
        host => host,
    };
    let plain = shown.iter().find(|name| !name.contains('*'));
    let broken = names.cover(host) == Match::Broken;
    Finding::new(&cause::HOSTNAME)
        .with(
            "names",
            match shown.is_empty() {
                true => "no name at all".to_owned(),
                false => shown.join(", "),
            },
        )
        .with("carried", (!shown.is_empty()).then(|| shown.clone()))
        .with("asked", asked)
        .with("name", plain.cloned())
        .with("subject", name_text(cert.subject_name()))
        .with("broken_name", broken.then_some(true))
}

/// What OpenSSL has against a chain, where the handshake did not ask.
///
/// # Errors
/// OpenSSL cannot be asked; a chain without a certificate.
pub fn offline(chain: &[X509], store: &X509Store) -> Result<Option<Refusal>, ErrorStack> {
    let (own, rest) = chain.split_first().ok_or_else(ErrorStack::get)?;
    let mut untrusted = Stack::new()?;
    for cert in rest {
        untrusted.push(cert.clone())?;
    }
    X509StoreContext::new()?.init(store, own, &untrusted, |context| {
        let good = context.verify_cert()?;
        Ok((!good).then(|| Refusal::of(context)))
    })
}

/// A store for [`offline`]: these roots, or the system's where there are none,
/// for servers' certificates.
pub fn store(roots: &[X509]) -> Option<X509Store> {
    let mut store = X509StoreBuilder::new().ok()?;
    match roots {
        [] => store.set_default_paths().ok()?,
        roots => {
            for root in roots {
                store.add_cert(root.clone()).ok()?;
            }
        }
    }
    let mut param = X509VerifyParam::new().ok()?;
    param.set_purpose(X509PurposeId::SSL_SERVER).ok()?;
    store.set_param(&param).ok()?;
    Some(store.build())
}

/// [`HOSTNAME_MISMATCH`] as OpenSSL's type.
#[allow(unsafe_code)]
pub fn mismatch() -> X509VerifyResult {
    // SAFETY: a number that OpenSSL defines, so that its text is a constant.
    unsafe { X509VerifyResult::from_raw(HOSTNAME_MISMATCH) }
}

fn same(a: &X509Ref, b: &X509Ref) -> bool {
    match (a.to_der(), b.to_der()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

fn is_self_issued(cert: &X509Ref) -> bool {
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
