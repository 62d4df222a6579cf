//! OpenSSL set up as libpq sets it up (`initialize_SSL`): versions, roots,
//! revocation lists, the client's certificate and key, in libpq's order, so
//! that what fails first here fails first there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use openssl::error::ErrorStack;
use openssl::ssl::{SslContext, SslContextBuilder, SslFiletype, SslMethod, SslOptions, SslVersion};
use openssl::x509::store::{X509Lookup, X509StoreBuilderRef};
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509Crl};

use crate::cause::{self as catalogue, Cause, tls as cause};
use crate::finding::Finding;
use crate::target::{NamedFile, Roots, SslMode, TlsSettings, TlsVersion};

use super::client::{self, ClientCertificate};
use super::failure::error_text;

/// The protocol name `postgresql`, as ALPN sends it. libpq 17 and later always
/// send it.
pub const ALPN: &[u8] = b"\x0apostgresql";

/// Everything a handshake needs.
pub struct Prepared {
    /// OpenSSL's context, roots and client certificate loaded.
    pub context: SslContext,
    /// Whether the chain is verified: roots were loaded, whatever `sslmode` says.
    pub verifies: bool,
    /// The roots.
    pub trusted: Trusted,
    /// The client certificate that would be sent if the server asks.
    pub client: Option<ClientCertificate>,
    /// What libpq goes on without.
    pub warnings: Vec<Finding>,
}

/// What the chain is verified against.
#[derive(Default)]
pub struct Trusted {
    /// Where the roots come from, in words: a path, or the system's roots.
    pub label: String,
    /// The root file; none for the system's roots.
    pub root_file: Option<PathBuf>,
    /// Where revocation lists come from, if any are checked.
    pub crl: Option<PathBuf>,
    // Read a second time only where a failure is to be explained: OpenSSL
    // keeps its own, and large files take their time.
    roots: OnceLock<Vec<X509>>,
    lists: OnceLock<Vec<X509Crl>>,
}

impl Trusted {
    /// The certificates of the root file; empty for the system's roots.
    pub fn roots(&self) -> &[X509] {
        let read = || {
            let file = self.root_file.as_deref();
            file.map(certificates).unwrap_or_default()
        };
        self.roots.get_or_init(read)
    }

    /// The revocation lists of a file.
    pub fn lists(&self) -> &[X509Crl] {
        let read = || {
            let pem = self.crl.as_ref().and_then(|file| fs::read(file).ok());
            pem.map(|pem| read_lists(&pem)).unwrap_or_default()
        };
        self.lists.get_or_init(read)
    }
}

/// Loads everything.
///
/// # Errors
/// The finding on which libpq stops before it has sent a byte of TLS.
pub fn prepare(settings: &TlsSettings) -> Result<Prepared, Finding> {
    let mut builder = SslContext::builder(SslMethod::tls()).map_err(|e| unclassified(&e))?;
    builder.set_options(
        SslOptions::NO_SSLV2
            | SslOptions::NO_SSLV3
            | SslOptions::NO_COMPRESSION
            | SslOptions::NO_RENEGOTIATION,
    );
    versions(&mut builder, settings)?;
    builder
        .set_alpn_protos(ALPN)
        .map_err(|e| unclassified(&e))?;
    let mut warnings = Vec::new();
    let trusted = trust(&mut builder, settings, &mut warnings)?;
    let client = client::load(&mut builder, settings)?;
    Ok(Prepared {
        context: builder.build(),
        verifies: trusted.is_some(),
        trusted: trusted.unwrap_or_default(),
        client,
        warnings,
    })
}

fn unclassified(error: &ErrorStack) -> Finding {
    Finding::new(&cause::UNCLASSIFIED).with("error", error_text(error))
}

/// The allowed versions; a bound that is not set is openssl.cnf's.
fn versions(builder: &mut SslContextBuilder, settings: &TlsSettings) -> Result<(), Finding> {
    if let Some(min) = settings.min_version {
        builder
            .set_min_proto_version(Some(version(min)))
            .map_err(|e| unclassified(&e))?;
    }
    if let Some(max) = settings.max_version {
        builder
            .set_max_proto_version(Some(version(max)))
            .map_err(|e| unclassified(&e))?;
    }
    Ok(())
}

fn version(version: TlsVersion) -> SslVersion {
    match version {
        TlsVersion::V1_0 => SslVersion::TLS1,
        TlsVersion::V1_1 => SslVersion::TLS1_1,
        TlsVersion::V1_2 => SslVersion::TLS1_2,
        TlsVersion::V1_3 => SslVersion::TLS1_3,
    }
}

/// Loads the roots, and the revocation lists where there are roots of a file.
/// None where there are none and `sslmode` does not insist.
fn trust(
    builder: &mut SslContextBuilder,
    settings: &TlsSettings,
    warnings: &mut Vec<Finding>,
) -> Result<Option<Trusted>, Finding> {
    let file = match &settings.roots {
        Roots::System => {
            builder
                .set_default_verify_paths()
                .map_err(|e| unclassified(&e))?;
            return Ok(Some(Trusted {
                label: "the system's roots".to_owned(),
                ..Trusted::default()
            }));
        }
        Roots::Nowhere => return no_roots(settings, None, warnings),
        Roots::File(file) => file,
    };
    if fs::metadata(&file.path).is_err() {
        return no_roots(settings, Some(file), warnings);
    }
    if let Err(error) = builder.load_verify_locations(Some(&file.path), None) {
        return Err(bad_roots(file, &error));
    }
    Ok(Some(Trusted {
        label: file.path.display().to_string(),
        root_file: Some(file.path.clone()),
        crl: revocation(builder.cert_store_mut(), settings),
        ..Trusted::default()
    }))
}

/// A named file that is not there is the settings' fault.
fn file_missing(otherwise: &'static Cause) -> &'static Cause {
    catalogue::find("config.file.missing").unwrap_or(otherwise)
}

/// There is no root file: an end where the certificate is to be verified, a
/// word where the user named a file, and nothing to say otherwise.
fn no_roots(
    settings: &TlsSettings,
    file: Option<&NamedFile>,
    warnings: &mut Vec<Finding>,
) -> Result<Option<Trusted>, Finding> {
    let named = file.is_some_and(|file| file.named);
    let cause = match named {
        true => file_missing(&cause::ROOT_MISSING),
        false => &cause::ROOT_MISSING,
    };
    let shown = match file {
        Some(file) => file.path.display().to_string(),
        None => "~/.postgresql/root.crt (no home directory is known)".to_owned(),
    };
    let finding = Finding::new(cause)
        .with("file", shown)
        .with("problem", "does not exist")
        .with("parameter", "sslrootcert")
        .with("sslmode", settings.mode.as_str());
    if settings.mode >= SslMode::VerifyCa {
        return Err(finding);
    }
    if named {
        warnings.push(finding.as_warning());
    }
    Ok(None)
}

/// The root file is there and OpenSSL takes nothing from it.
fn bad_roots(file: &NamedFile, error: &ErrorStack) -> Finding {
    let path = file.path.display().to_string();
    let reason = match fs::read(&file.path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let cause = match file.named {
                true => file_missing(&cause::ROOT_INVALID),
                false => &cause::ROOT_INVALID,
            };
            return Finding::new(cause)
                .with("file", path)
                .with("problem", "this user may not read")
                .with("parameter", "sslrootcert")
                .with("reason", "this user may not read it")
                .with("error", error.to_string());
        }
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        Err(error) => error.to_string(),
        Ok(bytes) => what_it_is(&bytes),
    };
    Finding::new(&cause::ROOT_INVALID)
        .with("file", path)
        .with("reason", reason)
        .with("error", error_text(error))
}

/// What a file is that is no PEM certificate.
pub fn what_it_is(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "it is empty".to_owned();
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return "it holds only white space".to_owned();
    }
    if X509::from_der(bytes).is_ok() {
        return "it is a certificate in DER, and PEM is needed".to_owned();
    }
    let text = String::from_utf8_lossy(bytes);
    let label = text
        .split("-----BEGIN ")
        .nth(1)
        .and_then(|rest| rest.split("-----").next());
    match label {
        Some("CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE") => {
            "the certificate in it is damaged".to_owned()
        }
        Some(other) if other.len() < 40 => {
            format!("it holds a block of another kind ({other})")
        }
        Some(_) => "it is damaged".to_owned(),
        None if text.trim_start().starts_with("MII") => {
            "it is base64 without the BEGIN CERTIFICATE line".to_owned()
        }
        None => "there is no BEGIN CERTIFICATE line in it".to_owned(),
    }
}

/// The certificates of a PEM file, as far as they can be read.
pub fn certificates(path: &Path) -> Vec<X509> {
    fs::read(path)
        .ok()
        .and_then(|pem| X509::stack_from_pem(&pem).ok())
        .unwrap_or_default()
}

/// Loads revocation lists as libpq does: from `sslcrl` and `sslcrldir`, else
/// from the default file. What cannot be loaded is silently left out, and
/// then nothing is checked. Where they came from, if they are checked.
fn revocation(store: &mut X509StoreBuilderRef, settings: &TlsSettings) -> Option<PathBuf> {
    // libpq's default file counts only where neither is set; the settings
    // carry it as a file that was not named.
    let file = settings
        .crl
        .as_ref()
        .filter(|file| file.named || settings.crl_dir.is_none());
    if let Some(file) = file {
        load_lists(store, &file.path)?;
    }
    if let Some(dir) = &settings.crl_dir {
        let path = dir.to_str().filter(|path| !path.contains('\0'))?;
        store
            .add_lookup(X509Lookup::hash_dir())
            .and_then(|lookup| lookup.add_dir(path, SslFiletype::PEM))
            .ok()?;
    }
    let source = file.map(|file| &file.path).or(settings.crl_dir.as_ref())?;
    store
        .set_flags(X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL)
        .ok()?;
    Some(source.clone())
}

/// Loads what `X509_load_cert_crl_file` loads: lists and certificates. None
/// where there is neither.
fn load_lists(store: &mut X509StoreBuilderRef, path: &Path) -> Option<()> {
    let pem = fs::read(path).ok()?;
    // The loader takes the name as a C string.
    path.to_str().filter(|path| !path.contains('\0'))?;
    let lookup = store.add_lookup(X509Lookup::file()).ok()?;
    let mut any = lookup.load_crl_file(path, SslFiletype::PEM).is_ok();
    for cert in X509::stack_from_pem(&pem).unwrap_or_default() {
        any |= store.add_cert(cert).is_ok();
    }
    any.then_some(())
}

/// The lists of a PEM file, for the evidence.
fn read_lists(pem: &[u8]) -> Vec<X509Crl> {
    const BEGIN: &str = "-----BEGIN X509 CRL-----";
    let text = String::from_utf8_lossy(pem);
    text.split(BEGIN)
        .skip(1)
        .filter_map(|block| X509Crl::from_pem(format!("{BEGIN}{block}").as_bytes()).ok())
        .collect()
}

/// Whether libpq sends this host as server name: not an address (RFC 6066, 3),
/// by libpq's own rough test.
pub fn sends_server_name(host: &str) -> bool {
    !host.is_empty()
        && !host.contains([':', '\0'])
        && !host.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_no_server_names() {
        assert!(sends_server_name("db.test"));
        for host in ["", "10.0.0.1", "::1", "1234"] {
            assert!(!sends_server_name(host), "{host}");
        }
    }

    #[test]
    fn files_that_are_no_certificates_are_named() {
        assert_eq!(what_it_is(b""), "it is empty");
        assert!(what_it_is(b"-----BEGIN PRIVATE KEY-----\nx").contains("PRIVATE KEY"));
        assert!(what_it_is(b"hello").contains("no BEGIN CERTIFICATE"));
    }
}
