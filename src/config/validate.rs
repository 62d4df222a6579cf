//! What libpq checks before it connects, in its order: the host list, then
//! each parameter, then those that conflict.

use std::path::Path;
use std::str::FromStr;

use super::enums::{
    ChannelBinding, GssEncMode, LoadBalance, ProtocolVersion, RequireAuth, SslCertMode, SslMode,
    SslNegotiation, TargetSessionAttrs, TlsVersion, UnknownValue,
};
use super::values::Parameters;
use crate::cause::config as cause;
use crate::finding::Finding;

/// The parameters that are not text.
#[derive(Clone, Debug)]
pub struct Checked {
    pub(super) require_auth: RequireAuth,
    pub(super) channel_binding: ChannelBinding,
    pub(super) sslmode: SslMode,
    pub(super) negotiation: SslNegotiation,
    pub(super) min_tls: Option<TlsVersion>,
    pub(super) max_tls: Option<TlsVersion>,
    pub(super) certificate_mode: SslCertMode,
    pub(super) gssencmode: GssEncMode,
    pub(super) session_attrs: TargetSessionAttrs,
    pub(super) min_protocol: Option<ProtocolVersion>,
    pub(super) max_protocol: Option<ProtocolVersion>,
    pub(super) load_balance: LoadBalance,
}

/// Looks at parameters and says what is wrong with them.
pub(super) struct Checker<'a> {
    pub(super) parameters: &'a Parameters,
    pub(super) home: Option<&'a Path>,
}

/// One entry of the host list, before anything is looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) host: String,
    pub(super) hostaddr: String,
    pub(super) port: String,
}

impl Checker<'_> {
    /// The host list: as many entries as `hostaddr` or else `host` has, with
    /// one port for all or one for each.
    pub(super) fn entries(&self) -> Result<Vec<Entry>, Finding> {
        let list = |name: &str| -> Vec<String> {
            match self.parameters.text(name) {
                Some(text) => text.split(',').map(str::to_owned).collect(),
                None => Vec::new(),
            }
        };
        let (hosts, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
        let count = match (addresses.len(), hosts.len()) {
            (0, 0) => 1,
            (0, hosts) => hosts,
            (addresses, _) => addresses,
        };
        if !addresses.is_empty() && !hosts.is_empty() && hosts.len() != count {
            return Err(self.lengths("host", hosts.len(), "hostaddr", count));
        }
        if ports.len() > 1 && ports.len() != count {
            let other = match addresses.is_empty() {
                true => "host",
                false => "hostaddr",
            };
            return Err(self.lengths("port", ports.len(), other, count));
        }
        let pick = |list: &[String], at: usize| list.get(at).cloned().unwrap_or_default();
        Ok((0..count)
            .map(|at| Entry {
                host: pick(&hosts, at),
                hostaddr: pick(&addresses, at),
                port: pick(&ports, if ports.len() == 1 { 0 } else { at }),
            })
            .collect())
    }

    fn lengths(&self, first: &str, n: usize, second: &str, m: usize) -> Finding {
        let count = |n: usize| match n {
            1 => "1 value".to_owned(),
            n => format!("{n} values"),
        };
        self.conflict(
            (first, second),
            &format!("the first has {}, the second has {}", count(n), count(m)),
            match first {
                "port" => "Set one port for all hosts, or one for each.",
                _ => "Set one host for each hostaddr, in the same order.",
            },
        )
    }

    /// Everything that libpq checks before its first packet.
    pub(super) fn settings(&self) -> Result<Checked, Finding> {
        let require_auth = self
            .parameters
            .get("require_auth")
            .map_or(Ok(RequireAuth::default()), |given| {
                RequireAuth::parse(&given.text())
            })
            .map_err(|problem| match problem.contains("cannot be combined") {
                true => self.invalid("require_auth", problem, None),
                false => self.invalid(
                    "require_auth",
                    problem,
                    Some("one or more of password, md5, gss, sspi, scram-sha-256, oauth and none, separated by commas without spaces, either all or none of them with ! in front".to_owned()),
                ),
            })?;
        let channel_binding = self.keyword("channel_binding", ChannelBinding::ALL)?;
        let sslmode = self.keyword("sslmode", SslMode::ALL)?;
        let negotiation = self.keyword("sslnegotiation", SslNegotiation::ALL)?;
        if negotiation == SslNegotiation::Direct && !sslmode.demands_tls() {
            return Err(self.conflict(
                ("sslnegotiation", "sslmode"),
                "direct TLS cannot fall back to an unencrypted connection",
                "Set sslmode to require, verify-ca or verify-full, or remove sslnegotiation.",
            ));
        }
        if self.text("sslrootcert") == "system" && sslmode != SslMode::VerifyFull {
            return Err(self.conflict(
                ("sslrootcert", "sslmode"),
                "anyone can get a certificate from the system's authorities, so the host name must be verified",
                "Set sslmode to verify-full.",
            ));
        }
        let min_tls = self.tls_version("ssl_min_protocol_version")?;
        let max_tls = self.tls_version("ssl_max_protocol_version")?;
        if let (Some(min), Some(max)) = (min_tls, max_tls)
            && min > max
        {
            return Err(self.conflict(
                ("ssl_min_protocol_version", "ssl_max_protocol_version"),
                "the minimum version is above the maximum version",
                "Raise ssl_max_protocol_version or remove it.",
            ));
        }
        let certificate_mode = self.keyword("sslcertmode", SslCertMode::ALL)?;
        let gssencmode = self.keyword("gssencmode", GssEncMode::ALL)?;
        if gssencmode == GssEncMode::Require {
            return Err(self.invalid(
                "gssencmode",
                "it requires Kerberos encryption, which dbdoctor does not support",
                Some("prefer or disable".to_owned()),
            ));
        }
        let session_attrs = self.keyword("target_session_attrs", TargetSessionAttrs::ALL)?;
        for key in ["scram_client_key", "scram_server_key"] {
            self.scram_key(key)?;
        }
        let min_protocol = self.optional("min_protocol_version", ProtocolVersion::ALL)?;
        let max_protocol = self.optional("max_protocol_version", ProtocolVersion::ALL)?;
        let least = min_protocol.unwrap_or(ProtocolVersion::V3_0);
        if max_protocol == Some(ProtocolVersion::V3_0) && least != ProtocolVersion::V3_0 {
            return Err(self.conflict(
                ("min_protocol_version", "max_protocol_version"),
                "the minimum version is above the maximum version",
                "Raise max_protocol_version or remove it.",
            ));
        }
        Ok(Checked {
            require_auth,
            channel_binding,
            sslmode,
            negotiation,
            min_tls,
            max_tls,
            certificate_mode,
            gssencmode,
            session_attrs,
            min_protocol,
            max_protocol,
            load_balance: self.keyword("load_balance_hosts", LoadBalance::ALL)?,
        })
    }

    fn text(&self, name: &str) -> String {
        self.parameters.text(name).unwrap_or_default()
    }

    /// A keyword; libpq does not take an empty one.
    fn keyword<T>(&self, name: &str, all: &[T]) -> Result<T, Finding>
    where
        T: FromStr<Err = UnknownValue> + Copy + Spelled,
    {
        self.text(name).parse().map_err(|UnknownValue| {
            self.invalid(name, "libpq does not know this value", Some(spellings(all)))
        })
    }

    /// A keyword that need not be set; set to nothing it is refused too.
    fn optional<T>(&self, name: &str, all: &[T]) -> Result<Option<T>, Finding>
    where
        T: FromStr<Err = UnknownValue> + Copy + Spelled,
    {
        match self.parameters.get(name) {
            Some(_) => self.keyword(name, all).map(Some),
            None => Ok(None),
        }
    }

    /// A TLS version, in any case; empty means none.
    fn tls_version(&self, name: &str) -> Result<Option<TlsVersion>, Finding> {
        let text = self.text(name);
        let version = |v: &&TlsVersion| v.as_str().eq_ignore_ascii_case(&text);
        match TlsVersion::ALL.iter().find(version) {
            Some(version) => Ok(Some(*version)),
            None if text.is_empty() => Ok(None),
            None => Err(self.invalid(
                name,
                "libpq does not know this version",
                Some(spellings(TlsVersion::ALL)),
            )),
        }
    }

    /// A SCRAM key: 32 bytes in base64.
    fn scram_key(&self, name: &str) -> Result<(), Finding> {
        let Some(given) = self.parameters.get(name) else {
            return Ok(());
        };
        match openssl::base64::decode_block(&given.text()) {
            Ok(key) if key.len() == 32 => Ok(()),
            _ => Err(self.invalid(name, "it is not a 32-byte key in base64", None)),
        }
    }

    /// A whole number as libpq reads it: blanks around it, a sign.
    pub(super) fn number(&self, name: &str) -> Result<Option<i32>, Finding> {
        match self.parameters.get(name) {
            None => Ok(None),
            Some(given) => match integer(&given.text()) {
                Some(number) => Ok(Some(number)),
                None => Err(self.invalid(
                    name,
                    "it is not a whole number",
                    Some("a number".to_owned()),
                )),
            },
        }
    }

    /// A parameter with a value that libpq refuses.
    pub(super) fn invalid(&self, name: &str, problem: &str, allowed: Option<String>) -> Finding {
        let given = self.parameters.get(name);
        let shown = given.map(|given| self.parameters.shown(name, given));
        let shown = match shown.unwrap_or_default().as_str() {
            "" => "empty".to_owned(),
            value if value == crate::secret::HIDDEN => value.to_owned(),
            value => format!("\"{value}\""),
        };
        Finding::new(&cause::PARAM_INVALID)
            .with("parameter", name.to_owned())
            .with("source", self.parameters.source(name, self.home))
            .with("value", shown)
            .with("problem", problem.to_owned())
            .with("allowed", allowed)
    }

    /// Two parameters that libpq refuses together.
    pub(super) fn conflict(&self, (a, b): (&str, &str), problem: &str, remedy: &str) -> Finding {
        let said = |name: &str| {
            format!(
                "{name}={} ({})",
                self.text(name),
                self.parameters.source(name, self.home)
            )
        };
        Finding::new(&cause::PARAM_CONFLICT)
            .with("first", said(a))
            .with("second", said(b))
            .with("problem", problem.to_owned())
            .with("remedy", remedy.to_owned())
    }
}

/// A keyword's spelling, for lists of what is allowed.
pub(super) trait Spelled {
    fn spelled(&self) -> &'static str;
}

macro_rules! spelled {
    ($($name:ident),+) => { $(impl Spelled for $name {
        fn spelled(&self) -> &'static str { self.as_str() }
    })+ };
}
spelled!(
    ChannelBinding,
    GssEncMode,
    LoadBalance,
    ProtocolVersion,
    SslCertMode,
    SslMode,
    SslNegotiation,
    TargetSessionAttrs,
    TlsVersion
);

fn spellings<T: Spelled>(all: &[T]) -> String {
    let names: Vec<_> = all.iter().map(Spelled::spelled).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// An integer as `strtol` and libpq read it: blanks before and after, a sign,
/// and nothing beyond 32 bits.
pub(super) fn integer(text: &str) -> Option<i32> {
    let text = text.trim_matches(|c: char| u8::try_from(c).is_ok_and(super::conninfo::is_space));
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::origin::Origin;

    fn given(list: &[(&str, &str)]) -> Parameters {
        let mut parameters = Parameters::default();
        for (name, value) in list {
            parameters.add(name, *value, Origin::Target("TARGET"));
        }
        for param in super::super::catalog::PARAMS {
            if let Some(default) = param.default {
                parameters.add(param.name, default, Origin::Default);
            }
        }
        parameters
    }

    fn code(list: &[(&str, &str)]) -> Option<&'static str> {
        let parameters = given(list);
        let checker = Checker {
            parameters: &parameters,
            home: None,
        };
        checker
            .entries()
            .and_then(|_| checker.settings())
            .err()
            .map(|finding| finding.cause.code)
    }

    #[test]
    fn numbers() {
        assert_eq!(integer(" +5\n"), Some(5));
        assert_eq!(integer("-1"), Some(-1));
        for bad in [
            "",
            " ",
            "x",
            "5x",
            "1 2",
            "99999999999",
            "+-1",
            "0x5",
            "--1",
        ] {
            assert_eq!(integer(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_empty_require_auth_is_not_an_absent_one() {
        use crate::config::enums::AuthMethod;
        let rule = |list: &[(&str, &str)]| {
            let parameters = given(list);
            let rule = parameters
                .get("require_auth")
                .map_or(Ok(RequireAuth::default()), |given| {
                    RequireAuth::parse(&given.text())
                })
                .unwrap_or_default();
            (
                rule.allows(AuthMethod::ScramSha256),
                rule.allows(AuthMethod::None),
            )
        };
        assert_eq!(rule(&[]), (true, true));
        assert_eq!(rule(&[("require_auth", "")]), (false, true));
    }

    #[test]
    fn what_libpq_refuses() {
        const INVALID: Option<&str> = Some("config.param.invalid");
        const CONFLICT: Option<&str> = Some("config.param.conflict");
        for (list, expected) in [
            (&[("sslmode", "Require")][..], INVALID),
            (&[("sslmode", "")], INVALID),
            (&[("max_protocol_version", "")], INVALID),
            (&[("require_auth", "md5,")], INVALID),
            (&[("require_auth", "md5, gss")], INVALID),
            (&[("require_auth", "md5,!gss")], INVALID),
            (&[("require_auth", "md5,md5")], INVALID),
            (&[("require_auth", "!md5,!gss")], None),
            (&[("scram_client_key", "x")], INVALID),
            (&[("ssl_min_protocol_version", "tlsv1")], None),
            (&[("ssl_max_protocol_version", "TLSv1.1")], CONFLICT),
            (&[("sslnegotiation", "direct")], CONFLICT),
            (
                &[("sslnegotiation", "direct"), ("sslmode", "require")],
                None,
            ),
            (
                &[("sslrootcert", "system"), ("sslmode", "require")],
                CONFLICT,
            ),
            (
                &[
                    ("min_protocol_version", "latest"),
                    ("max_protocol_version", "3.0"),
                ],
                CONFLICT,
            ),
            (&[("host", "a"), ("hostaddr", "1.1.1.1,2.2.2.2")], CONFLICT),
            (&[("host", "a"), ("port", "1,2")], CONFLICT),
            (&[("host", "a,b,"), ("port", "1")], None),
        ] {
            assert_eq!(code(list), expected, "{list:?}");
        }
    }
}
