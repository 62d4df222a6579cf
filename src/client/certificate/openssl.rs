//! The stacks that are built on OpenSSL: its own verification, with the flags and the
//! level of security that each sets.

use ::openssl::x509::verify::X509VerifyFlags;
use ::openssl::x509::{X509, X509KeyUsage};

use super::names::{self, Names};
use super::path::{self, Rules, VerifyError};
use super::words::Flaw;
use super::{Chain, Demand, Stack, properties};
use crate::client::version::Version;

// OpenSSL's verify codes (`openssl/x509_vfy.h`); they are part of its API.
const LOCAL_ISSUER: i32 = 20;
/// 24 before OpenSSL 3.
const INVALID_CA: i32 = 79;

/// What it refuses; OpenSSL's words are `error`.
pub(super) fn flaws(
    stack: Stack,
    version: Option<Version>,
    demand: Demand,
    chain: &Chain<'_>,
) -> Vec<Flaw> {
    if demand == Demand::Nothing {
        return Vec::new();
    }
    let named = (demand == Demand::Name).then_some(chain.host);
    let at_least = |text: &str| {
        let wanted = Version::parse(text);
        version.is_none_or(|version| wanted.is_some_and(|wanted| version.at_least(wanted)))
    };
    let rules = Rules {
        flags: X509VerifyFlags::TRUSTED_FIRST,
        level: 2,
        purpose: true,
        host: named.filter(|_| stack != Stack::Node),
    };
    let weaker = Rules { level: 1, ..rules };
    let strict = Rules {
        flags: X509VerifyFlags::X509_STRICT | X509VerifyFlags::PARTIAL_CHAIN,
        ..rules
    };
    let partial = Rules {
        flags: X509VerifyFlags::PARTIAL_CHAIN,
        ..rules
    };
    let refused = |rules: Rules<'_>, reason: Option<&'static str>| {
        let verified = path::verify(chain, rules)?;
        let error = verified.error?;
        Some(match stack {
            Stack::Node => flaw(chain, last_error(error, &verified.path), reason),
            _ => flaw(chain, error, reason),
        })
    };
    let found = match stack {
        Stack::Node if at_least("24") => {
            refused(weaker, None).or_else(|| refused(rules, Some("weak-key-2")))
        }
        Stack::Node => refused(weaker, None),
        // A partial path is enough there, so that the strict rules decide alone.
        Stack::PythonDefault if at_least("3.13") => {
            let lenient = refused(partial, None);
            match (lenient, refused(strict, Some("strict"))) {
                // Refused before, too, in other words perhaps.
                (Some(lenient), Some(strict)) => Some(Flaw {
                    reason: lenient.reason,
                    ..strict
                }),
                (lenient, strict) => lenient.or(strict),
            }
        }
        _ => refused(rules, None),
    };
    let by_node = || {
        let host = named.filter(|_| stack == Stack::Node)?;
        let error = names::node(&Names::of(chain.sent.first()?), host)?;
        Some(Flaw::new("altnames", 0).with("error", error))
    };
    found.or_else(by_node).into_iter().collect()
}

/// Node goes on after an error, and shows the last one.
fn last_error(error: VerifyError, path: &[X509]) -> VerifyError {
    let (code, text) = match (error.code, path) {
        (LOCAL_ISSUER, [_]) => (21, "unable to verify the first certificate"),
        (INVALID_CA | 24, _) => match path.get(error.depth) {
            Some(cert) if !properties::may(cert, X509KeyUsage::KEY_CERT_SIGN) => {
                (32, "key usage does not include certificate signing")
            }
            _ => (26, "unsuitable certificate purpose"),
        },
        _ => return error,
    };
    VerifyError {
        code,
        text,
        ..error
    }
}

fn flaw(chain: &Chain<'_>, error: VerifyError, reason: Option<&'static str>) -> Flaw {
    let text = error.text;
    let mut letters = text.chars();
    let capital: String = letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(letters)
        .collect();
    Flaw::new(reason.unwrap_or_else(|| reason_of(error.code)), error.depth)
        .with("error", text)
        .with("Error", capital)
        .with("host", chain.host)
}

/// The kind of a verify code.
pub(super) fn reason_of(code: i32) -> &'static str {
    match code {
        2 | 20 | 21 => "unknown-issuer",
        18 | 19 => "self-signed",
        9 => "not-yet-valid",
        10 => "expired",
        4 | 6 | 7 => "signature",
        24 | 32 | 79 => "not-a-ca",
        25 => "path-length",
        26 => "purpose",
        34 => "critical-extension",
        47..=53 => "constraint",
        62..=64 => "name",
        66 | 67 => "weak-key",
        68 => "weak-digest",
        _ => "other",
    }
}
