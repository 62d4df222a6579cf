//! `RevokedHostKeys`: the keys that must never be accepted, as a list of public
//! keys or as a key revocation list, read as OpenSSH reads them (authfile.c,
//! `sshkey_check_revoked`).

mod krl;

use std::path::{Path, PathBuf};
use std::time::Instant;

use openssl::base64;
use russh::keys::{Algorithm, Certificate, PublicKey};

use super::files;
use krl::Krl;

/// No list is read beyond this, in bytes.
const LARGEST: u64 = 64 << 20;

/// RSA keys of fewer bits are no keys to OpenSSH: their lines are skipped.
const LEAST_RSA_BITS: u32 = super::ssh::LEAST_RSA_BITS;

/// What ends the name of a certificate's type.
const CERTIFICATE: &str = "-cert-v01@openssh.com";

/// The content of one file.
#[derive(Clone, Debug)]
pub struct RevokedKeys {
    /// The file.
    pub file: PathBuf,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    /// The line of each key, from 1, and the key as on the wire.
    Lines(Vec<(usize, Vec<u8>)>),
    Krl(Krl),
}

impl RevokedKeys {
    /// Reads a file.
    ///
    /// # Errors
    /// What makes ssh refuse every host key, as it is said behind the file's name.
    pub fn read(file: &Path) -> Result<Self, String> {
        let limit = Instant::now() + files::PATIENCE;
        let bytes = files::read_until(file, LARGEST, limit)
            .map_err(|unreadable| unreadable.problem.to_owned())?;
        Self::of(file, &bytes)
    }

    /// The content of a file.
    ///
    /// # Errors
    /// As [`RevokedKeys::read`].
    pub(crate) fn of(file: &Path, bytes: &[u8]) -> Result<Self, String> {
        let content = match Krl::is(bytes) {
            true => Krl::parse(bytes)
                .map(Content::Krl)
                .map_err(|what| format!("is a damaged key revocation list ({what})"))?,
            false => lines(bytes)
                .map(Content::Lines)
                .map_err(|line| format!("has no public key in line {line}"))?,
        };
        Ok(Self {
            file: file.to_owned(),
            content,
        })
    }

    /// Where the file lists this host key, its certificate or the authority that
    /// signed it.
    pub fn lists(&self, key: &PublicKey, certificate: Option<&Certificate>) -> Option<String> {
        let blob = |key: &PublicKey| key.to_bytes().unwrap_or_default();
        let key = blob(key);
        let authority =
            certificate.map(|cert| blob(&PublicKey::from(cert.signature_key().clone())));
        let file = self.file.display();
        match &self.content {
            Content::Lines(lines) => lines
                .iter()
                .find(|(_, listed)| *listed == key || Some(listed) == authority.as_ref())
                .map(|(number, _)| format!("{file}:{number}")),
            Content::Krl(krl) => {
                let authority = authority.as_deref();
                let certificate = certificate.zip(authority);
                krl.revokes(&key, certificate)
                    .map(|by| format!("{file} ({by})"))
            }
        }
    }
}

/// One public key a line; the number of a line that holds something else is the
/// error.
fn lines(bytes: &[u8]) -> Result<Vec<(usize, Vec<u8>)>, usize> {
    let mut keys = Vec::new();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        // A C string ends there.
        let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let line = line.trim_start_matches([' ', '\t']);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = public_key(line).ok_or(at + 1)?;
        let short = key.key_data().rsa().map(|rsa| rsa.key_size());
        if short.is_none_or(|bits| bits >= LEAST_RSA_BITS) {
            keys.push((at + 1, key.to_bytes().map_err(|_| at + 1)?));
        }
    }
    Ok(keys)
}

/// `TYPE KEY COMMENT`; of a certificate the key within (sshkey.c, `sshkey_read`).
fn public_key(line: &str) -> Option<PublicKey> {
    let (stated, rest) = line.split_once([' ', '\t'])?;
    let encoded = rest.trim_start_matches([' ', '\t']);
    let encoded = encoded.split([' ', '\t']).next()?.trim_end_matches('\r');
    let blob = base64::decode_block(encoded).ok()?;
    if stated.ends_with(CERTIFICATE) {
        let certificate = Certificate::from_bytes(&blob).ok()?;
        let right = certificate.algorithm().to_certificate_type() == stated;
        return right.then(|| PublicKey::from(certificate.public_key().clone()));
    }
    let key = PublicKey::from_bytes(&blob).ok()?;
    let right = match (Algorithm::new(stated).ok()?, key.algorithm()) {
        (_, Algorithm::Other(_)) => false,
        (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
        (stated, own) => stated == own,
    };
    right.then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    #[test]
    fn lines_are_read_as_openssh_reads_them() {
        let read = |text: &str| lines(text.as_bytes()).map(|keys| keys.len());
        assert_eq!(read(""), Ok(0));
        assert_eq!(read("# ours\n\n \t\n"), Ok(0));
        assert_eq!(read(&format!("{ONE}\n  {ONE} a comment\r\n")), Ok(2));
        // A line of known_hosts, options, a type that is another one, half a key.
        assert_eq!(read(&format!("{ONE}\n* {ONE}\n")), Err(2));
        assert_eq!(read(&format!("cert-authority {ONE}\n")), Err(1));
        assert_eq!(read(&ONE.replace("ssh-ed25519", "ssh-rsa")), Err(1));
        assert_eq!(read("ssh-ed25519"), Err(1));
        assert_eq!(read("ssh-ed25519 AAAA"), Err(1));
        assert_eq!(read("\r\n"), Err(1));
    }

    #[test]
    fn a_file_that_cannot_be_used_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("revoked");
        let problem = |file: &Path| RevokedKeys::read(file).map(|_| ()).unwrap_err();
        assert_eq!(problem(&file), "does not exist");
        assert_eq!(problem(folder.path()), "is a directory");
        std::fs::write(&file, format!("{ONE}\nnonsense\n")).unwrap();
        assert_eq!(problem(&file), "has no public key in line 2");
        std::fs::write(&file, b"SSHKRL\n\0\0").unwrap();
        assert_eq!(
            problem(&file),
            "is a damaged key revocation list (it ends too early)"
        );
        assert!(RevokedKeys::read(Path::new("/dev/null")).is_ok());
        std::fs::write(&file, format!("# ours\n{ONE}\n")).unwrap();
        let read = RevokedKeys::read(&file).unwrap();
        let key = PublicKey::from_openssh(ONE).unwrap();
        assert_eq!(
            read.lists(&key, None),
            Some(format!("{}:2", file.display()))
        );
    }
}
