//! What was said, as values of a report.

use std::fmt::{self, Display, Formatter};

use serde_json::{Value, json};

use super::conversation::{
    ChannelBinding, ClientHello, Encryption, EncryptionAnswer, Event, Method, ServerHello, Startup,
    TlsAlert,
};
use crate::text;

impl Event {
    /// Its name in the stream of events.
    pub fn name(&self) -> &'static str {
        match self {
            Self::EncryptionAsked(_) => "encryption-requested",
            Self::EncryptionAnswered(..) => "encryption-answered",
            Self::ClientHello(_) => "client-hello",
            Self::ServerHello(_) => "server-hello",
            Self::Alert(_) => "tls-alert",
            Self::Encrypted => "encrypted",
            Self::CancelRequest { .. } => "cancel-request",
            Self::Startup(_) => "startup",
            Self::Negotiated { .. } => "protocol-negotiated",
            Self::AuthenticationAsked(_) => "authentication-requested",
            Self::MechanismChosen(..) => "mechanism-chosen",
            Self::Authenticated => "authenticated",
            Self::Ready => "ready",
            Self::Error(_) => "error",
            Self::Notice(_) => "notice",
            Self::NamedStatement(_) => "named-statement",
            Self::Terminate => "terminate",
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// Its values; null where its name says all.
    pub fn to_json(&self) -> Value {
        match self {
            Self::EncryptionAsked(asked) => json!({"asked": asked.as_str()}),
            Self::EncryptionAnswered(asked, answer) => {
                json!({"asked": asked.as_str(), "answer": answer.as_str()})
            }
            Self::ClientHello(hello) => hello.to_json(),
            Self::ServerHello(hello) => {
                json!({"version": hello.version_name(), "cipher": hello.cipher})
            }
            Self::Alert(alert) => alert.to_json(),
            Self::CancelRequest { pid } => json!({"server_pid": pid}),
            Self::Startup(startup) => startup.to_json(),
            Self::Negotiated { minor, unknown } => {
                let unknown: Vec<String> = unknown.iter().map(|it| text::clean(it)).collect();
                json!({"minor": minor, "unknown": unknown})
            }
            Self::AuthenticationAsked(method) => json!({"method": method.to_string()}),
            Self::MechanismChosen(mechanism, binding) => json!({
                "mechanism": text::clean(mechanism),
                "channel_binding": binding.to_string(),
            }),
            Self::Error(error) | Self::Notice(error) => json!({
                "severity": text::clean(&error.severity),
                "sqlstate": text::clean(&error.code),
                "message": text::clean(&error.message),
            }),
            Self::NamedStatement(name) => json!({"name": text::clean(name)}),
            Self::Encrypted
            | Self::Authenticated
            | Self::Ready
            | Self::Terminate
            | Self::Unreadable(_) => Value::Null,
        }
    }
}

impl Encryption {
    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::DirectTls => "direct-tls",
            Self::Gss => "gss",
        }
    }
}

impl EncryptionAnswer {
    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Error => "error",
            Self::Unexpected => "unexpected",
        }
    }
}

impl Startup {
    /// As it stands in reports: user, database and every parameter.
    pub fn to_json(&self) -> Value {
        let parameters: Vec<Value> = self
            .parameters
            .iter()
            .map(|(name, value)| json!({"name": text::clean(name), "value": text::clean(value)}))
            .collect();
        json!({
            "protocol": format!("{}.{}", self.protocol.0, self.protocol.1),
            "user": self.get("user").map(text::clean),
            "database": self.get("database").map(text::clean),
            "application_name": self.get("application_name").map(text::clean),
            "parameters": parameters,
        })
    }
}

impl ClientHello {
    /// As it stands in reports.
    pub fn to_json(&self) -> Value {
        json!({
            "server_name": self.server_name.as_deref().map(text::clean),
            "versions": self.versions.iter().map(|it| version_name(*it)).collect::<Vec<_>>(),
            "alpn": self.alpn.iter().map(|it| text::clean(it)).collect::<Vec<_>>(),
            "groups": self.groups,
            "key_shares": self.key_shares,
            "ciphers": self.ciphers,
            "signatures": self.signatures,
            "extensions": self.extensions,
            "resumes": self.resumes,
        })
    }
}

impl ServerHello {
    /// The version that was agreed on, as people call it.
    pub fn version_name(&self) -> String {
        version_name(self.version)
    }
}

impl TlsAlert {
    /// As it stands in reports.
    pub fn to_json(&self) -> Value {
        json!({"from": self.from.as_str(), "number": self.number, "warning": self.is_warning})
    }
}

impl Display for Method {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cleartext => f.write_str("password"),
            Self::Md5 => f.write_str("md5"),
            Self::Sasl(mechanisms) => {
                let mechanisms: Vec<String> = mechanisms.iter().map(|it| text::clean(it)).collect();
                f.write_str(&mechanisms.join(" or "))
            }
            Self::Gss => f.write_str("gss"),
            Self::Sspi => f.write_str("sspi"),
            Self::Other(number) => write!(f, "method {number}"),
        }
    }
}

impl Display for ChannelBinding {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported => f.write_str("unsupported"),
            Self::NotOffered => f.write_str("not-offered"),
            Self::Used(kind) => f.write_str(&text::clean(kind)),
        }
    }
}

/// A version of TLS, as people call it.
pub fn version_name(version: u16) -> String {
    match version {
        0x0300 => "SSL 3.0".to_owned(),
        0x0301..=0x0304 => format!("TLS 1.{}", version - 0x0301),
        other => format!("TLS version {other:#06x}"),
    }
}
