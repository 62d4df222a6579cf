//! The client's certificate and key, loaded as libpq loads them, and refused
//! where libpq refuses them. Nothing here is sent; that is up to the handshake.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::ssl::SslContextBuilder;

use crate::cause::tls as cause;
use crate::config::{SslCertMode, TlsSettings, files};
use crate::finding::Finding;
use crate::secret::Secret;
use crate::wire::secured::ClientCertificate;

use super::failure::error_text;
use super::pem::{PemFile, certificates, what_it_is};

/// Loads certificate and key where there are any to be sent.
///
/// # Errors
/// `tls.client.key`: a certificate is there and it, or its key, cannot be used.
pub fn load(
    builder: &mut SslContextBuilder,
    settings: &TlsSettings,
    limit: Instant,
) -> Result<Option<ClientCertificate>, Finding> {
    let Some(file) = &settings.certificate else {
        return Ok(None);
    };
    if settings.certificate_mode == SslCertMode::Disable {
        return Ok(None);
    }
    let path = &file.path;
    match fs::metadata(path) {
        Ok(_) => {}
        // Without a certificate libpq goes on, and looks at no key.
        Err(error) if absent(&error) => return Ok(None),
        Err(error) => {
            let reason = format!("{} cannot be accessed", path.display());
            let finding = match (file.named, closed_by_another(path)) {
                (false, Some(closed)) => closed.finding(path),
                _ => unusable(path, reason),
            };
            return Err(finding.with("error", error.to_string()));
        }
    }
    let pem = PemFile::read(path, limit)
        .map_err(|why| unusable(path, format!("{} {}", path.display(), why.problem)))?;
    if let Err(error) = builder.set_certificate_chain_file(pem.name()) {
        return Err(bad_certificate(path, &pem.bytes, &error));
    }
    let Some(cert) = certificates(&pem.bytes).into_iter().next() else {
        return Err(unusable(
            path,
            format!("{} contains no certificate", path.display()),
        ));
    };
    let Some(key_file) = settings.key.as_ref().map(|key| &key.path) else {
        let reason = "there is no home directory to find its key in";
        return Err(unusable(path, reason.to_owned()));
    };
    // libpq reads ENGINE:KEY in a name with a colon.
    if settings.key.as_ref().is_some_and(|key| key.named)
        && key_file.to_string_lossy().contains(':')
    {
        let reason = format!(
            "libpq reads {} as ENGINE:KEY because of the colon",
            key_file.display()
        );
        return Err(unusable(path, reason));
    }
    let key = key(key_file, settings.key_password.as_ref())
        .map_err(|finding| finding.with("certificate", path.display().to_string()))?;
    if let Err(error) = builder
        .set_private_key(&key)
        .and_then(|()| builder.check_private_key())
    {
        let reason = format!(
            "the key in {} does not match the certificate in {}",
            key_file.display(),
            path.display()
        );
        return Err(unusable(key_file, reason)
            .with("certificate_file", path.display().to_string())
            .with("error", error_text(&error)));
    }
    Ok(Some(ClientCertificate {
        file: path.clone(),
        key_file: key_file.clone(),
        cert,
    }))
}

/// A directory on the way to the default certificate that another user closed
/// to this one: a service that runs with root's `HOME`, or a `~/.postgresql`
/// that `sudo` made.
struct ClosedDirectory {
    directory: PathBuf,
    owner: String,
    user: String,
    /// The home directory of the account that this process runs as.
    home: Option<PathBuf>,
}

/// The directory that keeps this process from `path`: the deepest one that can
/// be looked at, where it is another user's.
fn closed_by_another(path: &Path) -> Option<ClosedDirectory> {
    let mut above = path.ancestors().skip(1);
    let (directory, meta) = above.find_map(|dir| Some((dir, fs::metadata(dir).ok()?)))?;
    let me = nix::unistd::geteuid();
    if meta.uid() == me.as_raw() {
        return None;
    }
    let account = |uid| nix::unistd::User::from_uid(uid).ok().flatten();
    let mine = account(me);
    Some(ClosedDirectory {
        directory: directory.to_owned(),
        owner: account(meta.uid().into())
            .map_or_else(|| format!("user {}", meta.uid()), |u| u.name),
        user: mine
            .as_ref()
            .map_or_else(|| format!("user {me}"), |u| u.name.clone()),
        home: mine.map(|user| user.dir),
    })
}

impl ClosedDirectory {
    fn finding(self, path: &Path) -> Finding {
        let reason = format!(
            "{} cannot be accessed, since {} belongs to {} and this process runs as {}",
            path.display(),
            self.directory.display(),
            self.owner,
            self.user
        );
        // Where HOME is right, only the directory in it is not.
        let other = self.home.filter(|home| !path.starts_with(home));
        let other = other.and_then(|home| {
            shlex::try_quote(home.to_str()?)
                .ok()
                .map(|q| q.into_owned())
        });
        let finding = unusable(path, reason)
            .with("directory", self.directory.display().to_string())
            .with("owner", self.owner)
            .with("runs_as", self.user.clone());
        let finding = match other {
            Some(home) => finding.fix(
                format!("Set HOME to the home directory of {}:", self.user),
                Some(format!("export HOME={home}")),
            ),
            None => finding,
        };
        finding.fix(
            "Or name a certificate file that does not exist: every version of libpq then does \
             without one:",
            Some("export PGSSLCERT=/nonexistent".to_owned()),
        )
    }
}

/// What libpq takes for "not there".
fn absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn unusable(file: &Path, reason: String) -> Finding {
    Finding::new(&cause::CLIENT_KEY)
        .with("file", file.display().to_string())
        .with("reason", reason)
}

fn bad_certificate(path: &Path, bytes: &[u8], error: &ErrorStack) -> Finding {
    let shown = path.display();
    let reason = match weak(error) {
        true => format!(
            "the certificate in {shown} has a key or signature that is too weak for this system's security level"
        ),
        false => format!(
            "{shown} contains no usable certificate: {}",
            what_it_is(bytes)
        ),
    };
    unusable(path, reason).with("error", error_text(error))
}

/// OpenSSL's refusals by security level: `ee key too small`, `ca md too weak`, `ca key too small`.
fn weak(error: &ErrorStack) -> bool {
    const REASONS: [i32; 3] = [399, 398, 397];
    error
        .errors()
        .iter()
        .any(|error| REASONS.contains(&error.reason_code()))
}

/// Reads the private key: a regular file, closed to others, opened with
/// `sslpassword`; PEM, else DER.
fn key(path: &Path, password: Option<&Secret>) -> Result<PKey<Private>, Finding> {
    let shown = path.display();
    let fail = |reason: String| Err(unusable(path, reason));
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return fail(format!("its key file {shown} does not exist"));
        }
        Err(error) => {
            return fail(format!(
                "its key file {shown} cannot be accessed ({})",
                error.kind()
            ));
        }
    };
    if !meta.is_file() {
        return fail(format!("its key file {shown} is not a regular file"));
    }
    if let Some(allowed) = too_open(meta.uid(), meta.mode()) {
        let reason = format!(
            "its key file {shown} has mode {:04o}, which is too open (at most {allowed:04o})",
            meta.mode() & 0o7777
        );
        let command = shlex::try_quote(&path.to_string_lossy())
            .map(|quoted| format!("chmod {allowed:04o} {quoted}"))
            .ok();
        return Err(unusable(path, reason)
            .with("mode", format!("{:04o}", meta.mode() & 0o7777))
            .fix("Restrict the key file to its owner:", command));
    }
    let bytes = match files::read(path) {
        Ok(bytes) => bytes,
        Err(why) => return fail(format!("its key file {shown} {}", why.problem)),
    };
    open(&bytes, password).map_err(|problem| {
        let encrypted = problem == KeyProblem::Encrypted;
        let reason = match problem {
            KeyProblem::Encrypted => {
                format!("its key {shown} is encrypted, and sslpassword is not set")
            }
            KeyProblem::WrongPassword => format!("sslpassword does not open its key {shown}"),
            KeyProblem::NoKey(what) => {
                format!("its key file {shown} contains no usable private key: {what}")
            }
        };
        let finding = unusable(path, reason);
        match encrypted {
            true => finding.fix(
                "Set sslpassword to the key's passphrase, in the service file or the target's settings.",
                None,
            ),
            false => finding,
        }
    })
}

/// Whether a key file is more open than libpq allows, and the widest mode that
/// it does: 0640 for one owned by root, 0600 for any other.
fn too_open(uid: u32, mode: u32) -> Option<u32> {
    let (forbidden, allowed) = match uid {
        0 => (0o037, 0o640),
        _ => (0o077, 0o600),
    };
    (mode & forbidden != 0).then_some(allowed)
}

#[derive(Debug, PartialEq, Eq)]
enum KeyProblem {
    Encrypted,
    WrongPassword,
    NoKey(String),
}

/// Opens a key in any form that OpenSSL reads.
fn open(bytes: &[u8], password: Option<&Secret>) -> Result<PKey<Private>, KeyProblem> {
    // An empty sslpassword is as good as none (libpq installs no callback).
    let password = password.filter(|password| !password.is_empty());
    let mut asked = false;
    let from_pem = PKey::private_key_from_pem_callback(bytes, |buffer| {
        asked = true;
        let secret = password.map(Secret::expose).unwrap_or_default();
        let length = secret.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(secret.as_bytes()) {
            *to = *from;
        }
        Ok(length)
    });
    match from_pem {
        Ok(key) => Ok(key),
        Err(_) if asked && password.is_none() => Err(KeyProblem::Encrypted),
        Err(_) if asked => Err(KeyProblem::WrongPassword),
        Err(_) => PKey::private_key_from_der(bytes).map_err(|_| KeyProblem::NoKey(no_key(bytes))),
    }
}

/// What a file is that is no private key.
fn no_key(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if bytes.is_empty() {
        "it is empty".to_owned()
    } else if text.contains("BEGIN OPENSSH PRIVATE KEY") {
        "it is in OpenSSH's own format, which TLS libraries cannot read".to_owned()
    } else if text.contains("BEGIN CERTIFICATE") && !text.contains("PRIVATE KEY") {
        "it contains a certificate and no key".to_owned()
    } else if text.contains("BEGIN PUBLIC KEY") {
        "it contains only a public key".to_owned()
    } else if text.contains("PRIVATE KEY") {
        "the key in it is damaged".to_owned()
    } else {
        "there is no key in it".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::symm::Cipher;

    #[test]
    fn modes_as_libpq_allows_them() {
        assert_eq!(too_open(1000, 0o100600), None);
        assert_eq!(too_open(1000, 0o100640), Some(0o600));
        assert_eq!(too_open(0, 0o100640), None);
        assert_eq!(too_open(0, 0o100644), Some(0o640));
        assert_eq!(too_open(0, 0o100660), Some(0o640));
    }

    #[test]
    fn encrypted_keys_and_their_password() {
        let key = PKey::generate_ed25519().unwrap();
        let pem = key
            .private_key_to_pem_pkcs8_passphrase(Cipher::aes_128_cbc(), b"right")
            .unwrap();
        let with = |password: &str| open(&pem, Some(&Secret::new(password))).map(|_| ());
        assert_eq!(with("right"), Ok(()));
        assert_eq!(with("wrong"), Err(KeyProblem::WrongPassword));
        assert_eq!(with(""), Err(KeyProblem::Encrypted));
        assert_eq!(open(&pem, None).map(|_| ()), Err(KeyProblem::Encrypted));
    }

    #[test]
    fn der_is_read_too() {
        let key = PKey::generate_ed25519().unwrap();
        assert!(open(&key.private_key_to_pkcs8().unwrap(), None).is_ok());
        assert!(matches!(open(b"x", None), Err(KeyProblem::NoKey(_))));
    }
}
