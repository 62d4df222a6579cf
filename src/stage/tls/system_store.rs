//! The system's certificates, as OpenSSL finds them.

use openssl::error::ErrorStack;
use openssl::ssl::SslContextBuilder;

/// Trusts them: those of `SSL_CERT_FILE` and `SSL_CERT_DIR`, else those where the
/// system's OpenSSL has its own.
///
/// # Errors
/// Only what memory can fail with: a file that is not there is no error.
pub fn trust(builder: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    builder.set_default_verify_paths()?;
    #[cfg(feature = "portable")]
    trust_known_places(builder);
    Ok(())
}

/// An OpenSSL that is built in knows the places of one distribution: those of
/// the others are looked for, as far as no variable names another.
#[cfg(feature = "portable")]
fn trust_known_places(builder: &mut SslContextBuilder) {
    use openssl_probe::{ENV_CERT_DIR, ENV_CERT_FILE};

    let unset = |variable: &str| std::env::var_os(variable).is_none();
    let found = openssl_probe::probe();
    // A file that cannot be read adds nothing, as for OpenSSL itself.
    if let Some(file) = found.cert_file.filter(|_| unset(ENV_CERT_FILE)) {
        let _ = builder.load_verify_locations(Some(&file), None);
    }
    for folder in found.cert_dir.iter().filter(|_| unset(ENV_CERT_DIR)) {
        let _ = builder.load_verify_locations(None, Some(folder));
    }
}
