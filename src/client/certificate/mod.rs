//! The server's certificate as each TLS stack sees it: what a stack refuses, in its own
//! words, from the chain that the server sent.
//!
//! Where a stack's own verification can be run here, it is: OpenSSL's for the stacks
//! that are built on it, rustls' own verifier. For the others the path is built by
//! OpenSSL, and `properties` of its certificates are compared with what the stack is
//! known to refuse. The words, versions and sources are `knowledge/certificates.toml`;
//! `tests/stacks` has what the real stacks said.

mod go;
mod java;
mod names;
mod openssl;
mod path;
mod properties;
mod rustls;
mod words;

use ::openssl::x509::X509;

use super::version::Version;

pub use words::Reason;

/// What verifies the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// libpq with OpenSSL. Its verification is the run's own; here is only what comes
    /// after it.
    Libpq,
    /// native-tls on Linux: OpenSSL with its own comparison of names.
    NativeTls,
    /// A context of Python's `ssl` that a driver makes itself, as asyncpg does for
    /// `sslmode`.
    Python,
    /// The context of `ssl.create_default_context()`: asyncpg's `ssl=True`, and what
    /// applications give to pg8000 and asyncpg. Its version is Python's.
    PythonDefault,
    /// Node's `tls`. Its version is Node's.
    Node,
    /// Go's `crypto/tls`. Its version is Go's.
    Go,
    /// rustls with webpki and ring.
    Rustls,
    /// Java's TLS with pgjdbc's comparison of names. Its version is Java's.
    Java,
}

impl Stack {
    /// Its name in `knowledge/certificates.toml` and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Libpq => "libpq",
            Self::NativeTls => "native-tls",
            Self::Python => "python",
            Self::PythonDefault => "python-default",
            Self::Node => "node",
            Self::Go => "go",
            Self::Rustls => "rustls",
            Self::Java => "java",
        }
    }

    /// The lowest version of TLS that it speaks by default, as OpenSSL calls it, with
    /// what it says to a server that has only older ones.
    pub fn lowest_tls(self, version: Option<Version>) -> (&'static str, &'static str) {
        words::lowest_tls(self.name(), version)
    }
}

/// How much of the certificate is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Demand {
    /// Nothing: any certificate will do. Some stacks refuse some all the same.
    Nothing,
    /// Who issued it.
    Chain,
    /// Who issued it, and whose it is.
    Name,
}

/// What the server showed, and what it is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'a> {
    /// The certificates as they were sent, the server's own first.
    pub sent: &'a [X509],
    /// The host name or address that was asked for.
    pub host: &'a str,
    /// The certificates that the client trusts.
    pub anchors: &'a [X509],
}

/// Why a stack refuses a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The kind.
    pub reason: Reason,
    /// What the stack says, with its values.
    pub text: String,
    /// The first version of the stack that refuses it; none for all of them.
    pub since: Option<Version>,
    /// Where it is in the path that was verified: 0 is the server's own certificate.
    pub depth: usize,
    /// Where the rule was read, or `measured`.
    pub source: &'static str,
}

/// What a stack refuses this chain for, in the order in which it looks; nothing where it
/// accepts it. Without a version, everything that any version refuses: `since` tells
/// from which on.
pub fn refusals(
    stack: Stack,
    version: Option<Version>,
    demand: Demand,
    chain: &Chain<'_>,
) -> Vec<Refusal> {
    let Some(own) = chain.sent.first() else {
        return Vec::new();
    };
    let mut flaws = properties::of_handshake(chain);
    match stack {
        Stack::Libpq => flaws.extend(properties::without_digest(own)),
        Stack::Rustls => flaws.extend(rustls::flaws(demand, chain)),
        Stack::Go => flaws.extend(go::flaws(demand, chain)),
        Stack::Java => flaws.extend(java::flaws(demand, chain)),
        Stack::NativeTls | Stack::Python | Stack::PythonDefault | Stack::Node => {
            flaws.extend(openssl::flaws(stack, version, demand, chain));
        }
    }
    let mut refusals: Vec<Refusal> = flaws
        .into_iter()
        .filter_map(|flaw| words::said(stack.name(), version, &flaw))
        .collect();
    refusals.dedup_by(|a, b| a.text == b.text);
    refusals
}

#[cfg(test)]
mod tests;
