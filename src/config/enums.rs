//! libpq's enumerated parameters, with the spellings that libpq accepts
//! (PostgreSQL documentation, "Parameter Key Words").

use std::str::FromStr;

/// A value that is none of a parameter's spellings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownValue;

/// Declares an enum with libpq's spelling of each value.
macro_rules! keyword {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            /// Every value, in the documentation's order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// libpq's spelling.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl FromStr for $name {
            type Err = UnknownValue;
            fn from_str(text: &str) -> Result<Self, UnknownValue> {
                Self::ALL.iter().copied().find(|v| v.as_str() == text).ok_or(UnknownValue)
            }
        }
    };
}

keyword! {
    /// `sslmode`.
    SslMode {
        /// Never TLS.
        Disable = "disable",
        /// TLS only if the server insists.
        Allow = "allow",
        /// TLS if the server offers it.
        Prefer = "prefer",
        /// Always TLS; the chain is verified if a root file is there.
        Require = "require",
        /// And the chain must verify.
        VerifyCa = "verify-ca",
        /// And the name must match.
        VerifyFull = "verify-full",
    }
}

impl SslMode {
    /// Whether a connection without TLS is a failure.
    pub fn demands_tls(self) -> bool {
        self >= SslMode::Require
    }
}

keyword! {
    /// `sslnegotiation`.
    SslNegotiation {
        /// SSLRequest first.
        Postgres = "postgres",
        /// TLS from the first byte, with ALPN `postgresql`.
        Direct = "direct",
    }
}

keyword! {
    /// `sslcertmode`.
    SslCertMode {
        /// Never send a client certificate.
        Disable = "disable",
        /// Send one if asked and there is one.
        Allow = "allow",
        /// The server must ask for one.
        Require = "require",
    }
}

keyword! {
    /// `channel_binding`.
    ChannelBinding {
        /// Not used.
        Disable = "disable",
        /// Used where possible.
        Prefer = "prefer",
        /// Without it no authentication.
        Require = "require",
    }
}

keyword! {
    /// `target_session_attrs`.
    TargetSessionAttrs {
        /// Any server.
        Any = "any",
        /// Sessions are read-write by default.
        ReadWrite = "read-write",
        /// Sessions are read-only by default.
        ReadOnly = "read-only",
        /// Not in recovery.
        Primary = "primary",
        /// In recovery.
        Standby = "standby",
        /// In recovery if one is found, else any.
        PreferStandby = "prefer-standby",
    }
}

impl TargetSessionAttrs {
    /// Which of a cluster's addresses leads to such a server.
    pub fn side(self) -> &'static str {
        match self {
            Self::Any | Self::ReadWrite | Self::Primary => "read-write",
            Self::ReadOnly | Self::Standby | Self::PreferStandby => "read-only",
        }
    }
}

keyword! {
    /// `load_balance_hosts`.
    LoadBalance {
        /// In the order given.
        Disable = "disable",
        /// In random order.
        Random = "random",
    }
}

keyword! {
    /// A protocol version for `ssl_min_protocol_version` and `ssl_max_protocol_version`.
    TlsVersion {
        /// TLS 1.0.
        V1_0 = "TLSv1",
        /// TLS 1.1.
        V1_1 = "TLSv1.1",
        /// TLS 1.2.
        V1_2 = "TLSv1.2",
        /// TLS 1.3.
        V1_3 = "TLSv1.3",
    }
}

keyword! {
    /// `gssencmode`; understood, never attempted.
    GssEncMode {
        /// Never.
        Disable = "disable",
        /// Where there is a credential cache.
        Prefer = "prefer",
        /// Always.
        Require = "require",
    }
}

keyword! {
    /// A protocol version for `min_protocol_version` and `max_protocol_version`.
    ProtocolVersion {
        /// 3.0.
        V3_0 = "3.0",
        /// 3.2.
        V3_2 = "3.2",
        /// The newest that libpq 18 knows, which is 3.2.
        Latest = "latest",
    }
}

keyword! {
    /// A method that `require_auth` can name.
    AuthMethod {
        /// Cleartext password.
        Password = "password",
        /// MD5.
        Md5 = "md5",
        /// Kerberos through GSSAPI.
        Gss = "gss",
        /// Kerberos through Windows.
        Sspi = "sspi",
        /// SCRAM-SHA-256, with channel binding or without.
        ScramSha256 = "scram-sha-256",
        /// OAuth bearer token.
        Oauth = "oauth",
        /// No authentication exchange at all.
        None = "none",
    }
}

/// The values of a parameter that takes one of a few.
pub fn values(parameter: &str) -> Option<Vec<&'static str>> {
    fn of<T: Copy>(all: &[T], text: fn(T) -> &'static str) -> Vec<&'static str> {
        all.iter().copied().map(text).collect()
    }
    Some(match parameter {
        "sslmode" => of(SslMode::ALL, SslMode::as_str),
        "sslnegotiation" => of(SslNegotiation::ALL, SslNegotiation::as_str),
        "sslcertmode" => of(SslCertMode::ALL, SslCertMode::as_str),
        "channel_binding" => of(ChannelBinding::ALL, ChannelBinding::as_str),
        "target_session_attrs" => of(TargetSessionAttrs::ALL, TargetSessionAttrs::as_str),
        "load_balance_hosts" => of(LoadBalance::ALL, LoadBalance::as_str),
        "ssl_min_protocol_version" | "ssl_max_protocol_version" => {
            of(TlsVersion::ALL, TlsVersion::as_str)
        }
        "gssencmode" => of(GssEncMode::ALL, GssEncMode::as_str),
        "min_protocol_version" | "max_protocol_version" => {
            of(ProtocolVersion::ALL, ProtocolVersion::as_str)
        }
        "require_auth" => of(AuthMethod::ALL, AuthMethod::as_str),
        _ => return None,
    })
}

/// `require_auth`: a list of allowed methods, or of forbidden ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequireAuth {
    /// Whether `methods` are the forbidden ones (`!method`).
    pub negated: bool,
    /// The methods; empty means that everything is allowed.
    pub methods: Vec<AuthMethod>,
}

impl RequireAuth {
    /// Reads the parameter's value (PostgreSQL documentation, `require_auth`).
    ///
    /// # Errors
    /// What is wrong with it: a method that libpq does not know, one that is
    /// named twice, or allowed and forbidden ones together.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut read = Self::default();
        if text.is_empty() {
            // Set and empty: libpq then allows no method, and a server that
            // asks for none.
            read.methods.push(AuthMethod::None);
            return Ok(read);
        }
        for (at, item) in text.split(',').enumerate() {
            let (negated, name) = match item.strip_prefix('!') {
                Some(name) => (true, name),
                None => (false, item),
            };
            if at == 0 {
                read.negated = negated;
            } else if negated != read.negated {
                return Err("methods with and without ! cannot be combined");
            }
            let method = name
                .parse()
                .map_err(|UnknownValue| "it names a method that libpq does not know")?;
            if read.methods.contains(&method) {
                return Err("it names a method twice");
            }
            read.methods.push(method);
        }
        Ok(read)
    }

    /// Whether the server may ask for this method.
    pub fn allows(&self, method: AuthMethod) -> bool {
        self.methods.is_empty() || self.methods.contains(&method) != self.negated
    }
}
