//! OpenSSL set up as libpq sets it up (`initialize_SSL`): versions, roots,
//! revocation lists, the client's certificate and key, in libpq's order, so
//! that what fails first here fails first there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Instant;

use openssl::error::ErrorStack;
use openssl::ssl::{SslContext, SslContextBuilder, SslFiletype, SslMethod, SslOptions, SslVersion};
use openssl::x509::store::{X509Lookup, X509StoreBuilderRef};
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509Crl};

use crate::cause::{config, tls as cause};
use crate::config::files::{self, Unreadable};
use crate::config::{NamedFile, Roots, SslMode, TlsSettings, TlsVersion};
use crate::finding::Finding;

use crate::wire::secured::ClientCertificate;
use crate::wire::tls::ALPN;

use super::client;
use super::failure::error_text;
use super::groups;
use super::pem::{PemFile, certificates, is_der, what_it_is};
use super::system_store;

/// Everything a handshake needs.
pub struct TlsContext {
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
    root_pem: Vec<u8>,
    crl_pem: Vec<u8>,
    // Parsed a second time only where a failure is to be explained: OpenSSL
    // keeps its own, and large files take their time.
    roots: OnceLock<Vec<X509>>,
    lists: OnceLock<Vec<X509Crl>>,
}

impl Trusted {
    /// The certificates of the root file; empty for the system's roots.
    pub fn roots(&self) -> &[X509] {
        self.roots.get_or_init(|| certificates(&self.root_pem))
    }

    /// The revocation lists of a file.
    pub fn lists(&self) -> &[X509Crl] {
        self.lists.get_or_init(|| read_lists(&self.crl_pem))
    }
}

/// Loads everything; a file that is a pipe is waited for until `limit`.
///
/// # Errors
/// The finding on which libpq stops before it has sent a byte of TLS.
pub fn prepare(settings: &TlsSettings, limit: Instant) -> Result<TlsContext, Finding> {
    let mut builder = SslContext::builder(SslMethod::tls()).map_err(|e| unclassified(&e))?;
    builder.set_options(
        SslOptions::NO_SSLV2
            | SslOptions::NO_SSLV3
            | SslOptions::NO_COMPRESSION
            | SslOptions::NO_RENEGOTIATION,
    );
    groups::share_p256(&mut builder);
    versions(&mut builder, settings)?;
    builder
        .set_alpn_protos(ALPN)
        .map_err(|e| unclassified(&e))?;
    let mut warnings = Vec::new();
    let trusted = trust(&mut builder, settings, limit, &mut warnings)?;
    let client = client::load(&mut builder, settings, limit)?;
    Ok(TlsContext {
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
    limit: Instant,
    warnings: &mut Vec<Finding>,
) -> Result<Option<Trusted>, Finding> {
    let file = match &settings.roots {
        Roots::System => {
            system_store::trust(builder).map_err(|e| unclassified(&e))?;
            return Ok(Some(Trusted {
                label: "the system's root certificates".to_owned(),
                ..Trusted::default()
            }));
        }
        Roots::SystemAnd(file) => {
            system_store::trust(builder).map_err(|e| unclassified(&e))?;
            let beside = NamedFile {
                path: file.clone(),
                named: true,
            };
            let pem = PemFile::read(file, limit).map_err(|why| unread_roots(&beside, why))?;
            builder
                .load_verify_locations(Some(pem.name()), None)
                .map_err(|_| bad_roots(&beside, what_it_is(&pem.bytes)))?;
            return Ok(Some(Trusted {
                label: format!("the system's root certificates and {}", file.display()),
                root_pem: pem.bytes,
                ..Trusted::default()
            }));
        }
        Roots::Mozilla(file) => {
            let store = builder.cert_store_mut();
            for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
                let root = X509::from_der(root).map_err(|e| unclassified(&e))?;
                store.add_cert(root).map_err(|e| unclassified(&e))?;
            }
            let mut root_pem = Vec::new();
            if let Some(file) = file {
                let beside = NamedFile {
                    path: file.clone(),
                    named: true,
                };
                let pem = PemFile::read(file, limit).map_err(|why| unread_roots(&beside, why))?;
                let beside_them = certificates(&pem.bytes);
                if beside_them.is_empty() && !pem.bytes.is_empty() {
                    return Err(bad_roots(&beside, what_it_is(&pem.bytes)));
                }
                for cert in beside_them {
                    store.add_cert(cert).map_err(|e| unclassified(&e))?;
                }
                root_pem = pem.bytes;
            }
            return Ok(Some(Trusted {
                label: "Mozilla's root certificates".to_owned(),
                root_pem,
                ..Trusted::default()
            }));
        }
        Roots::Nobody => {
            return Ok(Some(Trusted {
                label: "no root certificate".to_owned(),
                ..Trusted::default()
            }));
        }
        Roots::Nowhere => return no_roots(settings, None, warnings),
        Roots::File(file) => file,
    };
    if fs::metadata(&file.path).is_err() {
        return no_roots(settings, Some(file), warnings);
    }
    let pem = PemFile::read(&file.path, limit).map_err(|why| unread_roots(file, why))?;
    if let Err(error) = builder.load_verify_locations(Some(pem.name()), None) {
        let path = || file.path.display().to_string();
        let der = is_der(&pem.bytes).then(path);
        return Err(bad_roots(file, what_it_is(&pem.bytes))
            .with("error", error_text(&error))
            .word("readable", path())
            .word("der", der));
    }
    if let Some(dir) = &settings.crl_dir
        && let Some(entry) = files::unfit_for_openssl(dir)
    {
        return Err(Finding::new(&config::FILE_MISSING)
            .with("file", dir.display().to_string())
            .with(
                "problem",
                "holds an entry that is not a plain file or is too large",
            )
            .with("entry", entry.display().to_string())
            .with("parameter", "sslcrldir"));
    }
    let lists = revocation(builder.cert_store_mut(), settings, limit);
    let (crl, crl_pem) = lists.unzip();
    Ok(Some(Trusted {
        label: file.path.display().to_string(),
        root_file: Some(file.path.clone()),
        crl,
        root_pem: pem.bytes,
        crl_pem: crl_pem.unwrap_or_default(),
        ..Trusted::default()
    }))
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
        true => &config::FILE_MISSING,
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
fn bad_roots(file: &NamedFile, reason: String) -> Finding {
    Finding::new(&cause::ROOT_INVALID)
        .with("file", file.path.display().to_string())
        .with("reason", reason)
}

/// The root file is there and cannot be read. One that was named and is closed
/// to this user is the settings' fault.
fn unread_roots(file: &NamedFile, why: Unreadable) -> Finding {
    if why.forbidden && file.named {
        return Finding::new(&config::FILE_MISSING)
            .with("file", file.path.display().to_string())
            .with("problem", why.problem)
            .with("parameter", "sslrootcert");
    }
    bad_roots(file, format!("it {}", why.problem))
}

/// Loads revocation lists as libpq does: from `sslcrl` and `sslcrldir`, else
/// from the default file. What cannot be loaded is silently left out, and
/// then nothing is checked. Where they came from, if they are checked, and
/// what is in the file.
fn revocation(
    store: &mut X509StoreBuilderRef,
    settings: &TlsSettings,
    limit: Instant,
) -> Option<(PathBuf, Vec<u8>)> {
    // libpq's default file counts only where neither is set; the settings
    // carry it as a file that was not named.
    let file = settings
        .crl
        .as_ref()
        .filter(|file| file.named || settings.crl_dir.is_none());
    let mut pem = Vec::new();
    if let Some(file) = file {
        pem = load_lists(store, &file.path, limit)?;
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
    Some((source.clone(), pem))
}

/// Loads what `X509_load_cert_crl_file` loads: lists and certificates. None
/// where there is neither.
fn load_lists(store: &mut X509StoreBuilderRef, path: &Path, limit: Instant) -> Option<Vec<u8>> {
    let pem = PemFile::read(path, limit).ok()?;
    // The loader takes the name as a C string.
    let name = pem.name().to_str().filter(|path| !path.contains('\0'))?;
    let lookup = store.add_lookup(X509Lookup::file()).ok()?;
    let mut any = lookup.load_crl_file(name, SslFiletype::PEM).is_ok();
    for cert in certificates(&pem.bytes) {
        any |= store.add_cert(cert).is_ok();
    }
    any.then_some(pem.bytes)
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
