//! What older releases of libpq do not know (PostgreSQL's release notes).

use super::version::Version;

/// Parameters by the major release that brought them.
const SINCE: &[(&str, u32)] = &[
    ("gssencmode", 12),
    ("channel_binding", 13),
    ("ssl_min_protocol_version", 13),
    ("ssl_max_protocol_version", 13),
    ("sslpassword", 13),
    ("sslcrldir", 14),
    ("sslsni", 14),
    ("require_auth", 16),
    ("sslcertmode", 16),
    ("gssdelegation", 16),
    ("load_balance_hosts", 16),
    ("sslnegotiation", 17),
    ("min_protocol_version", 18),
    ("max_protocol_version", 18),
    ("scram_client_key", 18),
    ("scram_server_key", 18),
    ("oauth_issuer", 18),
    ("oauth_client_id", 18),
    ("oauth_client_secret", 18),
    ("oauth_scope", 18),
    ("sslkeylogfile", 18),
];

/// The release that brought this parameter, where it is later than this version.
pub fn later(version: Version, parameter: &str) -> Option<u32> {
    let row = SINCE.iter().find(|(name, _)| *name == parameter)?;
    (version.major() < row.1).then_some(row.1)
}

/// Whether this version takes `sslrootcert=system` for the system's authorities, and not
/// for a file.
pub fn knows_system_roots(version: Version) -> bool {
    version.major() >= 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_releases_lack_parameters() {
        let version = |text| Version::parse(text).unwrap();
        assert_eq!(later(version("15.18"), "sslnegotiation"), Some(17));
        assert_eq!(later(version("17"), "sslnegotiation"), None);
        assert_eq!(later(version("12"), "host"), None);
        assert!(!knows_system_roots(version("15")));
    }
}
