//! Certificates and keys, minted when needed and never committed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Rsa;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509Extension, X509Name, X509NameBuilder, X509Ref};

use crate::process::Tool;

/// The kind of a key pair. RSA is slow to make: take it only where it matters.
#[derive(Clone, Copy, Debug, Default)]
pub enum KeyKind {
    /// NIST P-256.
    #[default]
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// Ed25519, for which TLS has no channel-binding digest.
    Ed25519,
    /// RSA of so many bits.
    Rsa(u32),
    /// RSA restricted to PSS signatures.
    RsaPss(u32),
}

impl KeyKind {
    /// Makes a private key.
    pub fn generate(self) -> Result<PKey<Private>> {
        let ec = |curve| -> Result<PKey<Private>> {
            Ok(PKey::from_ec_key(EcKey::generate(
                &*EcGroup::from_curve_name(curve)?,
            )?)?)
        };
        match self {
            KeyKind::P256 => ec(Nid::X9_62_PRIME256V1),
            KeyKind::P384 => ec(Nid::SECP384R1),
            KeyKind::P521 => ec(Nid::SECP521R1),
            KeyKind::Ed25519 => Ok(PKey::generate_ed25519()?),
            KeyKind::Rsa(bits) => Ok(PKey::from_rsa(Rsa::generate(bits)?)?),
            KeyKind::RsaPss(bits) => {
                let mut context = PkeyCtx::new_id(Id::RSA_PSS)?;
                context.keygen_init()?;
                context.set_rsa_keygen_bits(bits)?;
                Ok(context.keygen()?)
            }
        }
    }
}

/// What an end certificate may be used for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Usage {
    /// TLS servers.
    #[default]
    Server,
    /// TLS clients.
    Client,
    /// No extended key usage at all: anything.
    Any,
}

/// A certificate to be issued. Change what matters: `CertSpec { not_after: -3, ..spec }`.
#[derive(Clone, Debug)]
pub struct CertSpec {
    /// Common name; none when empty.
    pub cn: String,
    /// DNS names.
    pub dns: Vec<String>,
    /// IP addresses.
    pub ips: Vec<String>,
    /// Start of validity, in days from now.
    pub not_before: i64,
    /// End of validity, in days from now.
    pub not_after: i64,
    /// Key pair.
    pub key: KeyKind,
    /// Digest of the signature, by its OpenSSL name; an Ed25519 signer has its own.
    pub digest: &'static str,
    /// Extended key usage.
    pub usage: Usage,
    /// Whether it is a certificate authority.
    pub ca: bool,
    /// Organisation; none when empty.
    pub org: String,
    /// Where the issuer's certificate can be fetched, as the certificate says; nothing when empty.
    pub issuer_url: String,
    /// Whether the key identifier names the issuer's own issuer as well.
    pub names_upper_issuer: bool,
    /// Whether it has the issuer's key identifier at all.
    pub authority_id: bool,
    /// X.509 version 1, which has no extensions: none of the above.
    pub version_1: bool,
    /// How many authorities may follow, for an authority.
    pub path_len: Option<u32>,
    /// The one domain that an authority may issue for; any when empty.
    pub permitted: String,
}

impl CertSpec {
    /// A server's certificate for a name and more names.
    pub fn server(cn: &str, dns: &[&str], ips: &[&str]) -> Self {
        CertSpec {
            cn: cn.to_owned(),
            dns: dns.iter().map(|s| s.to_string()).collect(),
            ips: ips.iter().map(|s| s.to_string()).collect(),
            not_before: -30,
            not_after: 365,
            key: KeyKind::default(),
            digest: "sha256",
            usage: Usage::Server,
            ca: false,
            org: String::new(),
            issuer_url: String::new(),
            names_upper_issuer: false,
            authority_id: true,
            version_1: false,
            path_len: None,
            permitted: String::new(),
        }
    }

    /// A client's certificate; its common name is the role it logs in as.
    pub fn client(cn: &str) -> Self {
        CertSpec {
            usage: Usage::Client,
            ..Self::server(cn, &[], &[])
        }
    }

    /// A certificate authority's.
    pub fn authority(cn: &str) -> Self {
        CertSpec {
            ca: true,
            usage: Usage::Any,
            not_after: 3650,
            ..Self::server(cn, &[], &[])
        }
    }
}

/// A certificate, its key, and what a server sends along with it.
#[derive(Clone)]
pub struct Issued {
    /// The certificate.
    pub cert: X509,
    /// Its private key.
    pub key: PKey<Private>,
    /// Intermediates between it and the root, nearest first.
    pub chain: Vec<X509>,
}

impl Issued {
    /// A certificate that signs itself.
    pub fn self_signed(spec: &CertSpec) -> Result<Self> {
        let key = spec.key.generate()?;
        let cert = build(spec, &key, None)?;
        Ok(Issued {
            cert,
            key,
            chain: Vec::new(),
        })
    }

    /// The certificate followed by its intermediates, in PEM.
    pub fn chain_pem(&self) -> Result<Vec<u8>> {
        let mut pem = self.cert.to_pem()?;
        for cert in &self.chain {
            pem.extend(cert.to_pem()?);
        }
        Ok(pem)
    }

    /// The same without the intermediates: an incomplete chain.
    pub fn without_chain(mut self) -> Self {
        self.chain.clear();
        self
    }

    /// Writes `NAME.crt` (with the chain) and `NAME.key` (mode 0600), and returns their paths.
    pub fn write(&self, dir: &Path, name: &str) -> Result<(PathBuf, PathBuf)> {
        let (cert, key) = (
            dir.join(format!("{name}.crt")),
            dir.join(format!("{name}.key")),
        );
        write_mode(&cert, self.chain_pem()?, 0o644)?;
        write_mode(&key, self.key.private_key_to_pem_pkcs8()?, 0o600)?;
        Ok((cert, key))
    }

    /// Certificate and key in one PEM file, as HAProxy wants it.
    pub fn write_bundle(&self, path: &Path) -> Result<()> {
        let mut pem = self.chain_pem()?;
        pem.extend(self.key.private_key_to_pem_pkcs8()?);
        write_mode(path, pem, 0o600)
    }
}

/// A certificate authority.
#[derive(Clone)]
pub struct Ca {
    own: Issued,
    root: bool,
}

impl Ca {
    /// A root.
    pub fn new(cn: &str) -> Result<Self> {
        Ca::with(&CertSpec::authority(cn))
    }

    /// A root with a certificate of one's own design.
    pub fn with(spec: &CertSpec) -> Result<Self> {
        Ok(Ca {
            own: Issued::self_signed(spec)?,
            root: true,
        })
    }

    /// An authority below this one.
    pub fn intermediate(&self, cn: &str) -> Result<Self> {
        self.intermediate_with(&CertSpec::authority(cn))
    }

    /// An authority below this one with a certificate of one's own design.
    pub fn intermediate_with(&self, spec: &CertSpec) -> Result<Self> {
        Ok(Ca {
            own: self.issue(spec)?,
            root: false,
        })
    }

    /// Issues a certificate.
    pub fn issue(&self, spec: &CertSpec) -> Result<Issued> {
        let key = spec.key.generate()?;
        let cert = build(spec, &key, Some(&self.own))?;
        let mut chain = Vec::new();
        if !self.root {
            chain.push(self.own.cert.clone());
            chain.extend(self.own.chain.iter().cloned());
        }
        Ok(Issued { cert, key, chain })
    }

    /// Its certificate.
    pub fn cert(&self) -> &X509 {
        &self.own.cert
    }

    /// Writes its certificate, for `sslrootcert`.
    pub fn write(&self, path: &Path) -> Result<PathBuf> {
        write_mode(path, self.own.cert.to_pem()?, 0o644)?;
        Ok(path.to_owned())
    }

    /// Writes a revocation list that revokes `revoked`, valid between two dates given in days
    /// from now.
    pub fn crl(&self, path: &Path, revoked: &[&Issued], from: i64, until: i64) -> Result<PathBuf> {
        let dir = tempfile::tempdir()?;
        let (cert, key) = self.own.write(dir.path(), "ca")?;
        let mut index = String::new();
        for issued in revoked {
            let serial = issued
                .cert
                .serial_number()
                .to_bn()?
                .to_hex_str()?
                .to_string();
            index += &format!(
                "R\t{0}\t{0}\t{serial}\tunknown\t/CN=revoked\n",
                utc_time(-1)?
            );
        }
        fs::write(dir.path().join("index.txt"), index)?;
        fs::write(dir.path().join("crlnumber"), "01\n")?;
        let config = dir.path().join("ca.cnf");
        let text = "[ca]\ndefault_ca=lab\n[lab]\ndatabase=DIR/index.txt\ncrlnumber=DIR/crlnumber\ndefault_md=sha256\n";
        fs::write(&config, text.replace("DIR", &dir.path().to_string_lossy()))?;
        let mut tool = Tool::new("openssl")
            .args(["ca", "-gencrl", "-config"])
            .arg(config.display());
        tool = tool
            .arg("-cert")
            .arg(cert.display())
            .arg("-keyfile")
            .arg(key.display());
        tool = tool.arg("-crl_lastupdate").arg(utc_time(from)?);
        tool = tool.arg("-crl_nextupdate").arg(utc_time(until)?);
        tool.arg("-out").arg(path.display()).succeed()?;
        Ok(path.to_owned())
    }
}

/// Writes a file with a mode.
pub fn write_mode(path: &Path, bytes: impl AsRef<[u8]>, mode: u32) -> Result<()> {
    fs::write(path, bytes)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(())
}

fn build(spec: &CertSpec, key: &PKey<Private>, issuer: Option<&Issued>) -> Result<X509> {
    static SERIAL: AtomicU32 = AtomicU32::new(0x1000);
    let mut builder = X509Builder::new()?;
    builder.set_version(if spec.version_1 { 0 } else { 2 })?;
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    builder.set_serial_number(&*BigNum::from_u32(serial)?.to_asn1_integer()?)?;
    let subject = name(spec)?;
    builder.set_subject_name(&subject)?;
    builder.set_issuer_name(issuer.map_or(&subject, |i| i.cert.subject_name()))?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&*days_from_now(spec.not_before)?)?;
    builder.set_not_after(&*days_from_now(spec.not_after)?)?;

    if !spec.version_1 {
        extensions(&mut builder, spec, issuer.map(|i| &*i.cert))?;
    }
    let signer = issuer.map_or(key, |i| &i.key);
    let digest = match signer.id() {
        Id::ED25519 => MessageDigest::null(),
        _ => MessageDigest::from_name(spec.digest).context("unknown digest")?,
    };
    builder.sign(signer, digest)?;
    Ok(builder.build())
}

fn extensions(builder: &mut X509Builder, spec: &CertSpec, parent: Option<&X509Ref>) -> Result<()> {
    let subject_id = SubjectKeyIdentifier::new().build(&builder.x509v3_context(parent, None))?;
    builder.append_extension(subject_id)?;
    if parent.is_some() && spec.authority_id {
        let context = builder.x509v3_context(parent, None);
        let authority_id = AuthorityKeyIdentifier::new()
            .keyid(true)
            .issuer(spec.names_upper_issuer)
            .build(&context)?;
        builder.append_extension(authority_id)?;
    }
    if spec.ca {
        let mut constraints = BasicConstraints::new();
        constraints.critical().ca();
        if let Some(length) = spec.path_len {
            constraints.pathlen(length);
        }
        builder.append_extension(constraints.build()?)?;
        builder.append_extension(
            KeyUsage::new()
                .critical()
                .key_cert_sign()
                .crl_sign()
                .build()?,
        )?;
    }
    match spec.usage {
        Usage::Server => {
            builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?
        }
        Usage::Client => {
            builder.append_extension(ExtendedKeyUsage::new().client_auth().build()?)?
        }
        Usage::Any => {}
    }
    if !spec.dns.is_empty() || !spec.ips.is_empty() {
        let mut names = SubjectAlternativeName::new();
        for dns in &spec.dns {
            names.dns(dns);
        }
        for ip in &spec.ips {
            names.ip(ip);
        }
        let names = names.build(&builder.x509v3_context(parent, None))?;
        builder.append_extension(names)?;
    }

    if !spec.issuer_url.is_empty() {
        let value = format!("caIssuers;URI:{}", spec.issuer_url);
        builder.append_extension(extension(builder, parent, Nid::INFO_ACCESS, &value)?)?;
    }
    if !spec.permitted.is_empty() {
        let value = format!("critical,permitted;DNS:{}", spec.permitted);
        builder.append_extension(extension(builder, parent, Nid::NAME_CONSTRAINTS, &value)?)?;
    }
    Ok(())
}

/// An extension in OpenSSL's own notation, which has no builder of its own.
#[allow(deprecated)]
fn extension(
    builder: &X509Builder,
    parent: Option<&X509Ref>,
    nid: Nid,
    value: &str,
) -> Result<X509Extension> {
    let context = builder.x509v3_context(parent, None);
    Ok(X509Extension::new_nid(None, Some(&context), nid, value)?)
}

fn name(spec: &CertSpec) -> Result<X509Name> {
    let mut name = X509NameBuilder::new()?;
    if !spec.org.is_empty() {
        name.append_entry_by_nid(Nid::ORGANIZATIONNAME, &spec.org)?;
    }
    if !spec.cn.is_empty() {
        name.append_entry_by_nid(Nid::COMMONNAME, &spec.cn)?;
    }
    Ok(name.build())
}

fn seconds_from_now(days: i64) -> Result<i64> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(now.as_secs() as i64 + days * 86_400)
}

fn days_from_now(days: i64) -> Result<Asn1Time> {
    Ok(Asn1Time::from_unix(seconds_from_now(days)?)?)
}

/// `YYMMDDHHMMSSZ`, as `openssl ca` reads it.
fn utc_time(days: i64) -> Result<String> {
    let at = format!("@{}", seconds_from_now(days)?);
    let text = Tool::new("date")
        .args(["-u", "-d", &at, "+%y%m%d%H%M%SZ"])
        .succeed()?;
    Ok(text.trim().to_owned())
}
