//! rustls as sqlx and tokio-postgres-rustls use it, and native-tls.

mod keys;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

type Failure = Box<dyn std::error::Error>;

fn dial(port: &str) -> Result<TcpStream, Failure> {
    let mut raw = TcpStream::connect(format!("127.0.0.1:{port}"))?;
    raw.set_read_timeout(Some(std::time::Duration::from_secs(10)))?;
    raw.write_all(&[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f])?;
    raw.read_exact(&mut [0])?;
    Ok(raw)
}

/// sqlx's verifier for `require`: the signature of the handshake alone.
#[derive(Debug)]
struct Any(CryptoProvider);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn rustls(port: &str, host: &str, roots: &str, demand: &str) -> Result<(), Failure> {
    let mut raw = dial(port)?;
    let provider = ring::default_provider();
    let builder = ClientConfig::builder_with_provider(Arc::new(provider.clone()))
        .with_safe_default_protocol_versions()?;
    let config = match demand {
        "none" => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Any(provider)))
            .with_no_client_auth(),
        _ => {
            let mut store = RootCertStore::empty();
            for cert in CertificateDer::pem_file_iter(roots)? {
                store.add(cert?)?;
            }
            let verifier =
                WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::new(provider))
                    .build()?;
            builder.with_webpki_verifier(verifier).with_no_client_auth()
        }
    };
    let name = ServerName::try_from(host.to_owned())?;
    let mut connection = ClientConnection::new(Arc::new(config), name)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut raw)?;
    }
    Ok(())
}

fn native(port: &str, host: &str, roots: &str, demand: &str) -> Result<(), Failure> {
    let mut builder = native_tls::TlsConnector::builder();
    if demand == "none" {
        builder.danger_accept_invalid_certs(true);
    } else {
        for cert in native_tls::Certificate::stack_from_pem(&std::fs::read(roots)?)? {
            builder.add_root_certificate(cert);
        }
    }
    if demand != "name" {
        builder.danger_accept_invalid_hostnames(true);
    }
    match builder.build()?.connect(host, dial(port)?) {
        Ok(_) => Ok(()),
        Err(native_tls::HandshakeError::Failure(error)) => Err(error.into()),
        Err(error) => Err(error.to_string().into()),
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, how, cert, key] = &arguments[..]
        && how == "keys"
    {
        return keys::main(cert, key);
    }
    let [_, port, host, roots] = &arguments[..] else {
        return;
    };
    println!("version rustls 0.23\nversion native-tls 0.2");
    for demand in ["none", "name"] {
        println!(
            "rustls\t{demand}\t{}",
            said(rustls(port, host, roots, demand))
        );
    }
    for demand in ["none", "chain", "name"] {
        println!(
            "native-tls\t{demand}\t{}",
            said(native(port, host, roots, demand))
        );
    }
}

fn said(outcome: Result<(), Failure>) -> String {
    match outcome {
        Ok(()) => "ok".to_owned(),
        Err(error) => error.to_string().replace('\n', " "),
    }
}
