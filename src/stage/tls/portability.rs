//! What a chain that satisfies libpq lacks for other TLS stacks: psql works,
//! and an application on the same server is refused.

use foreign_types::ForeignTypeRef;
use openssl::stack::{Stack, StackRef};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509Ref, X509StoreContext};
use serde_json::{Value, json};

use crate::cause::tls as cause;
use crate::finding::Finding;

use super::chain::ChainCheck;
use super::codes::VerifyRefusal;
use super::facts::called;
use super::issuer::same;
use super::names::{NameMatch, Names};

/// What another stack does not accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    /// No subject alternative name is the host's: libpq reads the common name.
    CommonName,
    /// Not X.509 version 3.
    Version,
    /// An authority's own certificate.
    Authority,
    /// Something that RFC 5280 requires is missing.
    Strict,
}

/// A stack that does not accept a flaw.
struct Rule {
    flaw: Flaw,
    stack: &'static str,
    /// Its first version that does not; none for all of them.
    since: Option<&'static str>,
    source: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        flaw: Flaw::CommonName,
        stack: "Go",
        since: Some("1.15"),
        source: "https://go.dev/doc/go1.15#commonname",
    },
    Rule {
        flaw: Flaw::CommonName,
        stack: "rustls",
        since: None,
        source: "https://docs.rs/rustls-webpki (Error::CertNotValidForName)",
    },
    Rule {
        flaw: Flaw::Version,
        stack: "rustls",
        since: None,
        source: "https://docs.rs/rustls-webpki (Error::UnsupportedCertVersion)",
    },
    Rule {
        flaw: Flaw::Authority,
        stack: "rustls",
        since: None,
        source: "https://docs.rs/rustls-webpki (Error::CaUsedAsEndEntity)",
    },
    // `ssl.create_default_context` sets VERIFY_X509_STRICT.
    Rule {
        flaw: Flaw::Strict,
        stack: "Python",
        since: Some("3.13"),
        source: "https://docs.python.org/3/whatsnew/3.13.html#ssl",
    },
];

impl Flaw {
    fn rules(self) -> impl Iterator<Item = &'static Rule> {
        RULES.iter().filter(move |rule| rule.flaw == self)
    }
}

impl Rule {
    fn stack(&self) -> String {
        match self.since {
            Some(version) => format!("{} {version}+", self.stack),
            None => self.stack.to_owned(),
        }
    }
}

impl ChainCheck<'_> {
    /// A warning for each certificate of a verified chain that another stack
    /// refuses, the server's own first.
    pub(super) fn portability(
        &self,
        verified: &StackRef<X509>,
        s_client: Option<&[String]>,
    ) -> Vec<Finding> {
        let Some(own) = verified.iter().next() else {
            return Vec::new();
        };
        let mut flaws = Vec::new();
        if let Some(words) = self.without_alternative_name(own) {
            flaws.push((Flaw::CommonName, words));
        }
        if own.version() < 2 {
            flaws.push((
                Flaw::Version,
                format!("X.509 version {}", own.version() + 1),
            ));
        }
        if is_authority(own) {
            flaws.push((Flaw::Authority, "a CA certificate".to_owned()));
        }
        let mut out = Vec::new();
        let strict = self.strict_refusal(verified);
        let (of_own, of_upper) = match strict {
            Some(refusal) if refusal.depth > 0 => (None, Some(refusal)),
            strict => (strict, None),
        };
        if let Some(refusal) = &of_own {
            flaws.push((Flaw::Strict, refusal.text.to_owned()));
        }
        if !flaws.is_empty() {
            out.push(self.refused_elsewhere(own, 0, &flaws, s_client));
        }
        if let Some(refusal) = of_upper
            && let Some(cert) = &refusal.cert
        {
            let flaw = (Flaw::Strict, refusal.text.to_owned());
            out.push(self.refused_elsewhere(cert, refusal.depth, &[flaw], s_client));
        }
        out
    }

    fn refused_elsewhere(
        &self,
        cert: &X509Ref,
        depth: usize,
        flaws: &[(Flaw, String)],
        s_client: Option<&[String]>,
    ) -> Finding {
        let has = |flaw: Flaw| flaws.iter().find(|(known, _)| *known == flaw);
        let sentence = flaws.iter().map(|(flaw, words)| {
            let stacks: Vec<String> = flaw.rules().map(Rule::stack).collect();
            format!("{words} ({})", stacks.join(", "))
        });
        let refusals = flaws.iter().flat_map(|(flaw, words)| {
            flaw.rules().map(move |rule| {
                json!({
                    "stack": rule.stack,
                    "since": rule.since,
                    "flaw": words,
                    "source": rule.source,
                })
            })
        });
        let name = self.host.filter(|host| !host.is_empty());
        let name = name.map_or_else(|| called(cert), str::to_owned);
        let finding = self
            .about(Finding::new(&cause::CERT_PORTABILITY), cert, depth)
            .with("flaws", sentence.collect::<Vec<_>>())
            .with("refused_by", refusals.collect::<Vec<Value>>())
            .with("missing_name", has(Flaw::CommonName).map(|_| name))
            .with("version", has(Flaw::Version).map(|_| cert.version() + 1))
            .with("authority", has(Flaw::Authority).map(|_| called(cert)));
        let Some((_, error)) = has(Flaw::Strict) else {
            return finding;
        };
        let root_file = self.trusted.root_file.as_ref();
        let root_file = root_file.map(|path| path.display().to_string());
        // Without a file it is verified against the system's.
        let root = root_file.iter().flat_map(|file| ["-CAfile", file]);
        let root: Vec<String> = root.map(str::to_owned).collect();
        finding
            .with("strict_error", error.clone())
            .with("root_file", root_file)
            .word("s_client", s_client.map(|words| [words, &root].concat()))
    }

    /// What is missing where libpq reads the common name, or would.
    fn without_alternative_name(&self, own: &X509Ref) -> Option<String> {
        let names = Names {
            common: None,
            ..Names::of(own)
        };
        match self.host {
            _ if names.shown().is_empty() => Some("no subject alternative name".to_owned()),
            Some(host) if names.cover(host) != NameMatch::Yes => {
                Some(format!("no subject alternative name for {host}"))
            }
            _ => None,
        }
    }

    /// Where OpenSSL's own strict verification stops, as Python 3.13 sets it
    /// up; none where that passes, or the chain does not verify without it.
    fn strict_refusal(&self, verified: &StackRef<X509>) -> Option<VerifyRefusal> {
        let as_usual = X509VerifyFlags::PARTIAL_CHAIN;
        let strict = as_usual | X509VerifyFlags::X509_STRICT;
        let last = [verified.iter().last()?];
        if refusal(verified, &last, as_usual).is_some() {
            return None;
        }
        refusal(verified, &last, strict)?;
        // An authority in the middle ends the chain, too, where the root file has it.
        let anchors: Vec<&X509Ref> = verified
            .iter()
            .filter(|cert| self.trusted.roots().iter().any(|root| same(root, cert)))
            .chain(last)
            .collect();
        refusal(verified, &anchors, strict)
    }
}

/// Where the verification of a chain stops with these flags.
fn refusal(
    chain: &StackRef<X509>,
    anchors: &[&X509Ref],
    flags: X509VerifyFlags,
) -> Option<VerifyRefusal> {
    let verify = || {
        let mut store = X509StoreBuilder::new()?;
        for anchor in anchors {
            store.add_cert((*anchor).to_owned())?;
        }
        store.set_flags(flags)?;
        let store = store.build();
        let mut others = Stack::new()?;
        for cert in chain.iter().skip(1) {
            others.push(cert.to_owned())?;
        }
        let Some(own) = chain.iter().next() else {
            return Ok(None);
        };
        X509StoreContext::new()?.init(&store, own, &others, |context| {
            Ok((!context.verify_cert()?).then(|| VerifyRefusal::of(context)))
        })
    };
    // An error of our own proves nothing.
    let outcome: Result<_, openssl::error::ErrorStack> = verify();
    outcome.ok().flatten()
}

/// Whether basicConstraints make it an authority's. The crate reads that
/// extension only where it has a path length.
#[allow(unsafe_code)]
fn is_authority(cert: &X509Ref) -> bool {
    // SAFETY: the pointer is valid as long as `cert` is borrowed, and OpenSSL
    // guards the flags that it computes at the first call with a lock.
    let flags = unsafe { openssl_sys::X509_get_extension_flags(cert.as_ptr()) };
    flags & openssl_sys::EXFLAG_CA != 0
}
