//! A client's certificate and key as sqlx loads them, with rustls and native-tls.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

type Failure = Box<dyn std::error::Error>;

fn rustls(cert: &str, key: &str) -> Result<(), Failure> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(cert)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_client_auth_cert(chain, key)?;
    Ok(())
}

fn native(cert: &str, key: &str) -> Result<(), Failure> {
    native_tls::Identity::from_pkcs8(&std::fs::read(cert)?, &std::fs::read(key)?)?;
    Ok(())
}

/// Prints what both say.
pub fn main(cert: &str, key: &str) {
    println!("sqlx/rustls\t{}", super::said(rustls(cert, key)));
    println!("sqlx/native-tls\t{}", super::said(native(cert, key)));
}
