//! Of the tls pages.

use anyhow::{Context, Result};

use super::{CONNECTED, Excuse, FixRun, SELECT, Then, kept_server};
use crate::case::Case;
use crate::lab::Lab;

/// A good certificate, in place of the server's own.
fn renew(lab: &Lab, case: &Case) -> Result<()> {
    kept_server(case)?.install(&lab.issue(lab.cert())?)
}

/// A current list, without its hash link, in the directory of `sslcrldir`.
fn add_list(lab: &Lab, case: &Case) -> Result<()> {
    let conn = case.conn.as_ref().context("no settings")?;
    let dir = conn.get("sslcrldir").context("no sslcrldir")?;
    let list = std::path::Path::new(dir).join("lab.crl");
    lab.ca().crl(&list, &[], -1, 30).map(drop)
}

pub(super) const RUN: &[FixRun] = &[
    FixRun::new("tls.cert.expired", "psql", "tls-cert-expired", Then::Passes)
        .on_server()
        .after(renew),
    FixRun::new(
        "tls.cert.expires-soon",
        "psql",
        "tls-cert-expires-soon",
        Then::Gone,
    )
    .on_server()
    .after(renew),
    FixRun::new("tls.cert.hostname", "psql", "tls-cert-hostname", CONNECTED).typing(SELECT),
    FixRun::new("tls.cert.hostname", "psql", "tls-name-none", CONNECTED).typing(SELECT),
    FixRun::new(
        "tls.cert.portability",
        "openssl s_client",
        "tls-cert-portability-key-identifier",
        Then::PrintsEvidence("strict_error"),
    ),
    FixRun::new(
        "tls.cert.purpose",
        "openssl s_client",
        "tls-cert-purpose",
        Then::Prints("Extended Key Usage: TLS Web Client Authentication"),
    ),
    FixRun::new(
        "tls.cert.purpose",
        "openssl s_client",
        "tls-cert-path-length",
        Then::Prints("CA:TRUE, pathlen:0"),
    ),
    FixRun::new(
        "tls.cert.purpose",
        "openssl s_client",
        "tls-cert-name-constraint",
        Then::Prints("Permitted: DNS:corp.example"),
    ),
    FixRun::new(
        "tls.cert.self-signed",
        "openssl s_client",
        "tls-cert-self-signed",
        Then::PrintsEvidence("fingerprint"),
    ),
    FixRun::new(
        "tls.cert.self-signed",
        "openssl s_client",
        "tls-cert-self-signed-direct",
        Then::PrintsEvidence("fingerprint"),
    ),
    FixRun::new(
        "tls.cert.self-signed",
        "openssl s_client",
        "tls-cert-self-signed-by-name",
        Then::PrintsEvidence("fingerprint"),
    ),
    FixRun::new(
        "tls.cert.self-signed",
        "ssh openssl s_client",
        "ssh-self-signed",
        Then::PrintsEvidence("fingerprint"),
    ),
    FixRun::new(
        "tls.cert.unknown-ca",
        "openssl s_client",
        "tls-cert-unknown-ca",
        Then::Prints("i:CN = Other CA"),
    ),
    FixRun::new(
        "tls.cert.weak",
        "openssl version",
        "tls-cert-weak-by-policy",
        Then::Prints("CipherString = DEFAULT:@SECLEVEL=3"),
    ),
    FixRun::new(
        "tls.cipher",
        "psql",
        "tls-cipher",
        Then::Prints("ssl_ciphers | ECDHE-ECDSA-AES128-GCM-SHA256"),
    )
    .on_server(),
    FixRun::new(
        "tls.cipher",
        "openssl ciphers",
        "tls-cipher",
        Then::Prints("ECDHE-ECDSA-AES256-GCM-SHA384 TLSv1.2"),
    ),
    FixRun::new(
        "tls.client.key",
        "chmod",
        "tls-client-key-open",
        Then::Passes,
    ),
    FixRun::new(
        "tls.client.key",
        "openssl x509",
        "tls-client-key-mismatch",
        Then::PrintsTwoLines,
    ),
    FixRun::new(
        "tls.client.rejected",
        "openssl x509",
        "tls-client-rejected",
        Then::Prints("issuer=CN = Other CA"),
    ),
    FixRun::new(
        "tls.client.rejected",
        "openssl x509",
        "tls-client-rejected-purpose",
        Then::Prints("TLS Web Server Authentication"),
    ),
    FixRun::new(
        "tls.crl",
        "openssl storeutl",
        "tls-crl-other-authority",
        Then::Prints("Issuer: CN=Other CA"),
    ),
    FixRun::new(
        "tls.crl",
        "openssl rehash",
        "tls-crl-directory-empty",
        Then::Passes,
    )
    .after(add_list),
    FixRun::new(
        "tls.intercepted",
        "openssl s_client",
        "tls-intercepted",
        Then::Prints("subject=CN = db.test"),
    ),
    FixRun::new(
        "tls.root.invalid",
        "openssl x509 -in ",
        "tls-root-damaged",
        Then::Prints("Could not read certificate"),
    ),
    FixRun::new(
        "tls.root.invalid",
        "openssl x509 -inform DER",
        "tls-root-der",
        Then::PassesWith("/root.crt", "/root.crt.pem"),
    ),
    FixRun::new(
        "tls.unsupported",
        "psql",
        "tls-unsupported",
        Then::Prints("ssl | off"),
    )
    .on_server(),
    FixRun::new(
        "tls.version",
        "openssl s_client",
        "tls-version-server-newer",
        Then::Prints("alert protocol version"),
    ),
];

pub(super) const NOT_RUN: &[Excuse] = &[
    (
        "tls.cert.expired",
        "date",
        "prints the time, which is right",
    ),
    (
        "tls.cert.incomplete-chain",
        "curl",
        "the address in the certificate leads to nobody, and the lab stays off the network",
    ),
    (
        "tls.cert.not-yet-valid",
        "date",
        "prints the time, which is right",
    ),
];
