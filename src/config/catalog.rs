//! The connection parameters of libpq 18 (PostgreSQL documentation,
//! "Parameter Key Words").

use crate::text;

/// One parameter that libpq knows.
#[derive(Debug)]
pub struct Param {
    /// Its keyword.
    pub name: &'static str,
    /// The environment variable that stands in for it.
    pub variable: Option<&'static str>,
    /// What holds where nothing sets it.
    pub default: Option<&'static str>,
    /// Whether its value must never be shown.
    pub secret: bool,
}

const fn param(
    name: &'static str,
    variable: Option<&'static str>,
    default: Option<&'static str>,
) -> Param {
    Param {
        name,
        variable,
        default,
        secret: false,
    }
}

const fn secret(name: &'static str, variable: Option<&'static str>) -> Param {
    Param {
        name,
        variable,
        default: None,
        secret: true,
    }
}

/// Every parameter of libpq 18, in its own order.
pub static PARAMS: &[Param] = &[
    param("service", Some("PGSERVICE"), None),
    param("user", Some("PGUSER"), None),
    secret("password", Some("PGPASSWORD")),
    param("passfile", Some("PGPASSFILE"), None),
    param("channel_binding", Some("PGCHANNELBINDING"), Some("prefer")),
    param("connect_timeout", Some("PGCONNECT_TIMEOUT"), None),
    param("dbname", Some("PGDATABASE"), None),
    param("host", Some("PGHOST"), None),
    param("hostaddr", Some("PGHOSTADDR"), None),
    param("port", Some("PGPORT"), Some("5432")),
    param("client_encoding", Some("PGCLIENTENCODING"), None),
    param("options", Some("PGOPTIONS"), None),
    param("application_name", Some("PGAPPNAME"), None),
    param("fallback_application_name", None, None),
    param("keepalives", None, None),
    param("keepalives_idle", None, None),
    param("keepalives_interval", None, None),
    param("keepalives_count", None, None),
    param("tcp_user_timeout", None, None),
    param("sslmode", Some("PGSSLMODE"), Some("prefer")),
    param("sslnegotiation", Some("PGSSLNEGOTIATION"), Some("postgres")),
    param("sslcompression", Some("PGSSLCOMPRESSION"), Some("0")),
    param("sslcert", Some("PGSSLCERT"), None),
    param("sslkey", Some("PGSSLKEY"), None),
    param("sslcertmode", Some("PGSSLCERTMODE"), Some("allow")),
    secret("sslpassword", None),
    param("sslrootcert", Some("PGSSLROOTCERT"), None),
    param("sslcrl", Some("PGSSLCRL"), None),
    param("sslcrldir", Some("PGSSLCRLDIR"), None),
    param("sslsni", Some("PGSSLSNI"), Some("1")),
    param("requirepeer", Some("PGREQUIREPEER"), None),
    param("require_auth", Some("PGREQUIREAUTH"), None),
    param("min_protocol_version", Some("PGMINPROTOCOLVERSION"), None),
    param("max_protocol_version", Some("PGMAXPROTOCOLVERSION"), None),
    param(
        "ssl_min_protocol_version",
        Some("PGSSLMINPROTOCOLVERSION"),
        Some("TLSv1.2"),
    ),
    param(
        "ssl_max_protocol_version",
        Some("PGSSLMAXPROTOCOLVERSION"),
        None,
    ),
    param("gssencmode", Some("PGGSSENCMODE"), Some("prefer")),
    param("krbsrvname", Some("PGKRBSRVNAME"), Some("postgres")),
    param("gsslib", Some("PGGSSLIB"), None),
    param("gssdelegation", Some("PGGSSDELEGATION"), Some("0")),
    param("replication", None, None),
    param(
        "target_session_attrs",
        Some("PGTARGETSESSIONATTRS"),
        Some("any"),
    ),
    param(
        "load_balance_hosts",
        Some("PGLOADBALANCEHOSTS"),
        Some("disable"),
    ),
    secret("scram_client_key", None),
    secret("scram_server_key", None),
    param("oauth_issuer", None, None),
    param("oauth_client_id", None, None),
    secret("oauth_client_secret", None),
    param("oauth_scope", None, None),
    param("sslkeylogfile", None, None),
];

/// The parameter with this keyword.
pub fn find(name: &str) -> Option<&'static Param> {
    PARAMS.iter().find(|param| param.name == name)
}

/// What this parameter is by default in libpq 18; psycopg's and Debian's
/// builds have `sslcertmode` unset, which means `allow`.
pub fn default_of(name: &str) -> Option<&'static str> {
    find(name).and_then(|param| param.default)
}

/// The keyword that an unknown one was most likely meant to be: at most two
/// letters changed, and at most a third of them.
pub fn meant(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    ALIASES
        .iter()
        .find(|(alias, _)| *alias == name)
        .map(|(_, keyword)| *keyword)
        .or_else(|| {
            PARAMS
                .iter()
                .map(|param| (text::distance(&name, param.name), param.name))
                .filter(|(far, keyword)| *far <= 2 && far * 3 <= keyword.len())
                .min()
                .map(|(_, keyword)| keyword)
        })
}

/// What people call parameters that libpq calls otherwise.
const ALIASES: &[(&str, &str)] = &[
    ("database", "dbname"),
    ("db", "dbname"),
    ("db_name", "dbname"),
    ("hostname", "host"),
    ("server", "host"),
    ("username", "user"),
    ("user_name", "user"),
    ("user id", "user"),
    ("uid", "user"),
    ("pass", "password"),
    ("passwd", "password"),
    ("pwd", "password"),
    ("ssl_mode", "sslmode"),
    ("ssl-mode", "sslmode"),
    ("sslca", "sslrootcert"),
    ("ssl_ca", "sslrootcert"),
    ("ssl_root_cert", "sslrootcert"),
    ("ssl_cert", "sslcert"),
    ("ssl_key", "sslkey"),
    ("timeout", "connect_timeout"),
    ("encoding", "client_encoding"),
    ("app_name", "application_name"),
    ("schema", "options"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised() {
        assert_eq!(meant("sslmod"), Some("sslmode"));
        assert_eq!(meant("hots"), Some("host"));
        assert_eq!(meant("database"), Some("dbname"));
        assert_eq!(meant("application-name"), Some("application_name"));
        assert_eq!(meant("zzzz"), None);
        assert_eq!(meant(""), None);
        assert_eq!(meant(&"x".repeat(100_000)), None);
    }

    #[test]
    fn no_name_is_listed_twice() {
        let unique: std::collections::BTreeSet<_> = PARAMS.iter().map(|p| p.name).collect();
        assert_eq!(unique.len(), PARAMS.len());
    }
}
