//! Which SSH libraries can read a key: told as a fact, since an application
//! may fail with a key that OpenSSH reads.
//!
//! The rules are those of the libraries' own loaders: paramiko `pkey.py`,
//! JSch `KeyPair`, node's ssh2 `keyParser.js`,
//! Go's x/crypto/ssh `keys.go`. libssh2 and russh are in this program and are
//! asked themselves.

use serde_json::Value;

use super::decrypt::Encryption;
use super::format::PrivateForm;

/// A library's answer.
enum Reads {
    Yes,
    No(&'static str),
    /// To try it would take too long.
    Untried,
}

use Reads::{No, Untried, Yes};

/// With more rounds of key derivation than these (ssh-keygen makes 16, since
/// 9.4 24), the key is not opened again for each library.
const MOST_ROUNDS: u32 = 32;

/// What is known of the key.
pub struct Key<'a> {
    /// Its form.
    pub form: PrivateForm,
    /// How it is encrypted.
    pub envelope: &'a Encryption,
    /// SSH's name of its type.
    pub type_name: &'a str,
    /// The content, and the passphrase that opens it.
    pub content: &'a [u8],
    /// The passphrase; empty for none.
    pub passphrase: &'a str,
}

/// The table: `yes`, or `no` and why, for each library.
pub fn table(key: &Key<'_>) -> Value {
    let rows = [
        ("paramiko before 2.7", old_paramiko(key)),
        ("paramiko", paramiko(key)),
        ("JSch 0.1.55 (com.jcraft)", old_jsch(key)),
        ("JSch (com.github.mwiede)", jsch(key)),
        ("libssh2", libssh2(key)),
        ("ssh2 for Node.js", node(key)),
        ("golang.org/x/crypto/ssh", go(key)),
        ("russh", russh(key)),
    ];
    let row = |(library, reads): (&str, Reads)| {
        let answer = match reads {
            Yes => "yes".to_owned(),
            No(why) => format!("no: {why}"),
            Untried => "not tried: its key derivation takes too long".to_owned(),
        };
        (library.to_owned(), Value::String(answer))
    };
    Value::Object(rows.into_iter().map(row).collect())
}

impl Key<'_> {
    /// Whether opening it once more takes long. The rounds of PKCS#8 are
    /// other ones, thousands at no cost.
    fn is_slow(&self) -> bool {
        self.is_openssh()
            && self
                .envelope
                .rounds
                .is_some_and(|rounds| rounds > MOST_ROUNDS)
    }

    fn is_openssh(&self) -> bool {
        self.form == PrivateForm::OpenSsh
    }

    fn is_pkcs8(&self) -> bool {
        matches!(self.form, PrivateForm::Pkcs8 | PrivateForm::Pkcs8Encrypted)
    }

    fn is_ed25519(&self) -> bool {
        self.type_name == "ssh-ed25519"
    }

    fn is_dsa(&self) -> bool {
        self.type_name == "ssh-dss"
    }

    /// Whether it is encrypted, with none of these ciphers.
    fn beyond(&self, ciphers: &[&str]) -> bool {
        let name = self.envelope.cipher.as_deref().unwrap_or_default();
        self.envelope.encrypted && !ciphers.contains(&name)
    }
}

const PKCS8: &str = "it does not read PKCS#8";
const OPENSSH: &str = "it does not read OpenSSH's own format";
const CIPHER: &str = "it does not know the cipher";
const DSA: &str = "it has no DSA";
const TRIED: &str = "tried with the version in this program";

fn old_paramiko(key: &Key<'_>) -> Reads {
    match () {
        _ if key.is_openssh() && !key.is_ed25519() => No(OPENSSH),
        _ => paramiko(key),
    }
}

fn paramiko(key: &Key<'_>) -> Reads {
    let ciphers = match key.is_openssh() {
        true => &["aes256-cbc", "aes256-ctr"][..],
        false => &["AES-128-CBC", "AES-256-CBC", "DES-EDE3-CBC"][..],
    };
    match () {
        _ if key.is_pkcs8() => No("it does not read PKCS#8, except through PKey.from_path of 3.2"),
        _ if key.is_dsa() => No("it has no DSA since 4.0"),
        _ if key.beyond(ciphers) => No(CIPHER),
        _ => Yes,
    }
}

fn old_jsch(key: &Key<'_>) -> Reads {
    match () {
        _ if key.is_openssh() => No(OPENSSH),
        _ if key.form == PrivateForm::Pkcs8Encrypted => {
            No("it reads PKCS#8 only without a passphrase")
        }
        _ if key.is_ed25519() => No("it has no Ed25519"),
        _ => Yes,
    }
}

fn jsch(key: &Key<'_>) -> Reads {
    let ciphers = [
        "aes128-cbc",
        "aes192-cbc",
        "aes256-cbc",
        "aes128-ctr",
        "aes192-ctr",
        "aes256-ctr",
        "3des-cbc",
    ];
    match key.is_openssh() && key.beyond(&ciphers) {
        true => No(CIPHER),
        false => Yes,
    }
}

/// Not looked up but tried: libssh2 derives the public half before it says a
/// word to anybody, so a session that leads nowhere ends in an error of its
/// socket where the key was read, and in one of the file where it was not
/// (userauth.c, `userauth_publickey_frommemory`).
fn libssh2(key: &Key<'_>) -> Reads {
    /// `LIBSSH2_ERROR_SOCKET_SEND`, `LIBSSH2_ERROR_SOCKET_DISCONNECT` and
    /// `LIBSSH2_ERROR_BAD_SOCKET` (libssh2.h).
    const SOCKET: [i32; 3] = [-7, -13, -45];
    if key.is_slow() {
        return Untried;
    }
    let (Ok(session), Ok(text)) = (ssh2::Session::new(), std::str::from_utf8(key.content)) else {
        return No(TRIED);
    };
    let passphrase = key.envelope.encrypted.then_some(key.passphrase);
    match session.userauth_pubkey_memory("nobody", None, text, passphrase) {
        Err(error) if matches!(error.code(), ssh2::ErrorCode::Session(code) if SOCKET.contains(&code)) => {
            Yes
        }
        _ => No(TRIED),
    }
}

fn node(key: &Key<'_>) -> Reads {
    match () {
        _ if key.is_pkcs8() => No(PKCS8),
        _ => Yes,
    }
}

fn go(key: &Key<'_>) -> Reads {
    match () {
        _ if key.form == PrivateForm::Pkcs8Encrypted => {
            No("it reads PKCS#8 only without a passphrase")
        }
        _ if key.is_openssh() && key.is_dsa() => No(DSA),
        _ if key.is_openssh() && key.beyond(&["aes256-cbc", "aes256-ctr"]) => No(CIPHER),
        _ => Yes,
    }
}

/// Not looked up but tried.
fn russh(key: &Key<'_>) -> Reads {
    if key.is_slow() {
        return Untried;
    }
    let passphrase = key.envelope.encrypted.then_some(key.passphrase);
    let text = String::from_utf8_lossy(key.content);
    match russh::keys::decode_secret_key(&text, passphrase) {
        Ok(_) => Yes,
        Err(_) => No(TRIED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What libssh2 makes of a key that russh wrote, and of the same with a
    /// wrong passphrase, cut short, and of nothing.
    #[test]
    fn libssh2_is_really_asked() {
        use russh::keys::PrivateKey;
        use russh::keys::ssh_key::LineEnding;
        use russh::keys::ssh_key::private::Ed25519Keypair;
        use russh::keys::ssh_key::{Cipher, Kdf};
        let made = PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]));
        let kdf = Kdf::Bcrypt {
            salt: vec![1; 16],
            rounds: 2,
        };
        let locked = made
            .encrypt_with(Cipher::Aes256Ctr, kdf, 1, "right")
            .unwrap();
        let written = locked.to_openssh(LineEnding::LF).unwrap();
        let reads = |content: &[u8], passphrase| {
            let key = Key {
                form: PrivateForm::OpenSsh,
                envelope: &super::super::decrypt::envelope(content),
                type_name: "ssh-ed25519",
                content,
                passphrase,
            };
            matches!(libssh2(&key), Yes)
        };
        assert!(reads(written.as_bytes(), "right"));
        assert!(!reads(written.as_bytes(), "wrong"));
        assert!(!reads(&written.as_bytes()[..200], "right"));
        assert!(!reads(b"", ""));
        let plain = made.to_openssh(LineEnding::LF).unwrap();
        assert!(reads(plain.as_bytes(), ""));
    }
}
