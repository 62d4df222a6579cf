//! OpenSSL's path building and verification with chosen rules.

use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509PurposeId, X509StoreContext};

use super::Chain;

/// What is verified, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    /// OpenSSL's flags.
    pub flags: X509VerifyFlags,
    /// The least security of keys and digests, 0 to 5.
    pub level: i32,
    /// Whether it must be a server's certificate.
    pub purpose: bool,
    /// The name that it must have.
    pub host: Option<&'a str>,
}

impl Rules<'_> {
    /// The path alone, to any anchor and at any time: the rest is judged by rules of the
    /// library's own.
    pub(super) fn path_alone() -> Self {
        Rules {
            flags: X509VerifyFlags::PARTIAL_CHAIN
                | X509VerifyFlags::TRUSTED_FIRST
                | X509VerifyFlags::NO_CHECK_TIME,
            level: 0,
            purpose: false,
            host: None,
        }
    }
}

/// A verification.
#[derive(Clone, Debug)]
pub(super) struct Verified {
    /// The path from the server's own certificate to an anchor, as far as it was built.
    pub path: Vec<X509>,
    /// What it stopped at; none where it passed.
    pub error: Option<VerifyError>,
}

/// OpenSSL's error.
#[derive(Clone, Copy, Debug)]
pub(super) struct VerifyError {
    /// `X509_V_ERR_…`
    pub code: i32,
    /// Where in the path.
    pub depth: usize,
    /// In OpenSSL's words.
    pub text: &'static str,
}

/// Verifies a chain; none where OpenSSL itself fails, which proves nothing.
pub(super) fn verify(chain: &Chain<'_>, rules: Rules<'_>) -> Option<Verified> {
    run(chain, rules).ok().flatten()
}

fn run(chain: &Chain<'_>, rules: Rules<'_>) -> Result<Option<Verified>, ErrorStack> {
    let Some((own, others)) = chain.sent.split_first() else {
        return Ok(None);
    };
    let mut store = X509StoreBuilder::new()?;
    for anchor in chain.anchors {
        // The same one twice is no error that matters.
        let _ = store.add_cert(anchor.clone());
    }
    let mut param = X509VerifyParam::new()?;
    param.set_flags(rules.flags)?;
    param.set_auth_level(rules.level);
    if rules.purpose {
        param.set_purpose(X509PurposeId::SSL_SERVER)?;
    }
    if let Some(host) = rules.host {
        param.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS);
        match host.parse() {
            Ok(ip) => param.set_ip(ip)?,
            Err(_) => param.set_host(host)?,
        }
    }
    store.set_param(&param)?;
    let store = store.build();
    let mut sent = Stack::new()?;
    for cert in others {
        sent.push(cert.clone())?;
    }
    X509StoreContext::new()?
        .init(&store, own, &sent, |context| {
            let passed = context.verify_cert()?;
            let path = context
                .chain()
                .map(|path| path.iter().map(ToOwned::to_owned).collect());
            Ok(Verified {
                path: path.unwrap_or_default(),
                error: (!passed).then(|| VerifyError {
                    code: context.error().as_raw(),
                    depth: context.error_depth() as usize,
                    text: context.error().error_string(),
                }),
            })
        })
        .map(Some)
}
