//! The key-exchange groups of the ClientHello, so that a PostgreSQL server need not ask for
//! another share: up to version 17 it takes P-256 alone (`ssl_ecdh_curve`), and OpenSSL before
//! 3.5 sends a share of its first group only, X25519, which costs a HelloRetryRequest.

use std::path::PathBuf;

use openssl::ssl::SslContextBuilder;

/// OpenSSL's own lists with a share of P-256 too, the newest form first (OpenSSL,
/// `TLS_DEFAULT_GROUP_LIST` in ssl/t1_lib.c, of 3.5 and of 3.0). What this OpenSSL cannot
/// read is passed over.
const LISTS: [&str; 2] = [
    "?*X25519MLKEM768 / ?*X25519:?*secp256r1 / ?X448:?secp384r1:?secp521r1 / \
     ?ffdhe2048:?ffdhe3072",
    "P-256:X25519:X448:P-521:P-384:ffdhe2048:ffdhe3072:ffdhe4096:ffdhe6144:ffdhe8192",
];

/// Sends a share of P-256, unless the system's settings choose the groups.
pub fn share_p256(builder: &mut SslContextBuilder) {
    if configuration().is_some_and(|text| !chooses_groups(&text)) {
        let _ = LISTS
            .iter()
            .find(|list| builder.set_groups_list(list).is_ok());
    }
}

/// The text of openssl.cnf; empty where there is none, none where it cannot be read.
fn configuration() -> Option<String> {
    let path = match std::env::var_os("OPENSSL_CONF") {
        Some(path) => PathBuf::from(path),
        // `OPENSSLDIR: "/usr/lib/ssl"`
        None => PathBuf::from(openssl::version::dir().split('"').nth(1)?).join("openssl.cnf"),
    };
    match std::fs::read(path) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(String::new()),
        Err(_) => None,
    }
}

/// Whether the settings name groups, or include a file that may (`Groups`, older `Curves`,
/// in man 3 SSL_CONF_cmd, which ignores case).
fn chooses_groups(text: &str) -> bool {
    text.lines()
        .filter_map(|line| line.split('#').next())
        .any(|line| {
            let line = line.trim_start();
            let name = line.split('=').next().unwrap_or_default().trim();
            line.starts_with(".include")
                || ["groups", "curves"]
                    .iter()
                    .any(|word| name.to_ascii_lowercase().ends_with(word))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_choose_groups_are_left_alone() {
        assert!(!chooses_groups(
            "# Groups = P-384\n[system_default_sect]\nCipherString = x\n"
        ));
        assert!(chooses_groups("  Groups = P-384\n"));
        assert!(chooses_groups("system.curves=P-384\n"));
        assert!(chooses_groups(".include = /etc/crypto-policies/x.config\n"));
    }

    #[test]
    fn openssl_reads_one_of_the_lists() {
        let mut builder =
            openssl::ssl::SslContext::builder(openssl::ssl::SslMethod::tls()).unwrap();
        assert!(
            LISTS
                .iter()
                .any(|list| builder.set_groups_list(list).is_ok())
        );
    }
}
