//! What a setting means: which of its values are allowed, and where it is kept.

use std::time::Duration;

use super::destination::jump;
use super::forward::port as port_number;
use super::keyword::ValueKind;
use super::line::Setting;
use super::names::AlgorithmList as Algorithms;
use super::read::{LinePlace, Problem, Reader};
use super::values::{self, ValueShape};
use super::{Unsupported, Written};
use crate::config::Family;

impl Reader<'_> {
    /// Reads a setting, and keeps it where the block matches.
    pub(super) fn set(
        &mut self,
        kind: ValueKind,
        setting: &mut Setting,
        number: usize,
        place: &LinePlace,
        active: bool,
    ) -> Result<(), Problem> {
        let options = &mut self.options;
        let written = |text: String| Written {
            text,
            file: place.path.to_owned(),
            line: number,
        };
        match kind {
            ValueKind::HostName => keep(&mut options.hostname, setting.value()?, active),
            ValueKind::User => keep(&mut options.user, setting.value()?, active),
            ValueKind::HostKeyAlias => keep(&mut options.host_key_alias, setting.value()?, active),
            ValueKind::IdentityAgent => keep(&mut options.identity_agent, setting.value()?, active),
            ValueKind::Port => {
                let port = setting.value()?;
                let port = port_number(&port).filter(|port| *port > 0);
                keep(&mut options.port, port.ok_or("an invalid port")?, active);
                let at = (place.path.to_owned(), number);
                keep(&mut options.port_place, at, active);
            }
            ValueKind::IdentitiesOnly => {
                let value = flag(&setting.value()?)?;
                keep(&mut options.identities_only, value, active);
            }
            ValueKind::StrictHostKeyChecking => {
                let value = setting.value()?.to_ascii_lowercase();
                match value.as_str() {
                    "yes" | "true" | "no" | "false" | "off" | "ask" | "accept-new" => {
                        keep(&mut options.strict, value, active);
                    }
                    _ => {
                        return Err(
                            "StrictHostKeyChecking with a value that ssh does not know".to_owned()
                        );
                    }
                }
            }
            ValueKind::IdentityFile => add(&mut options.identity_files, setting.value()?, active),
            ValueKind::CertificateFile => {
                add(&mut options.certificate_files, setting.value()?, active)
            }
            ValueKind::UserKnownHostsFile
            | ValueKind::GlobalKnownHostsFile
            | ValueKind::RevokedHostKeys => {
                let files: Vec<String> = setting.rest();
                if files.len() > 1 && files.iter().any(|f| f.eq_ignore_ascii_case("none")) {
                    return Err(format!(
                        "none together with other values of {}",
                        setting.keyword
                    ));
                }
                let into = match kind {
                    ValueKind::UserKnownHostsFile => &mut options.user_known_hosts,
                    ValueKind::RevokedHostKeys => &mut options.revoked_host_keys,
                    _ => &mut options.global_known_hosts,
                };
                keep(into, files, active);
            }
            ValueKind::ProxyJump => {
                let value = setting.value()?;
                if !value.eq_ignore_ascii_case("none")
                    && value.split(',').any(|h| jump(h).is_none())
                {
                    return Err("a ProxyJump that is not a list of [USER@]HOST[:PORT]".to_owned());
                }
                let first = options.proxy_command.is_none() && options.proxy_jump.is_none();
                if active && first {
                    if cut_apart(setting.raw, &value) {
                        return Err(format!(
                            "ProxyJump {value} with quotes or a comment, which ssh takes for a part of it"
                        ));
                    }
                    options.proxy_jump = Some(value);
                }
            }
            ValueKind::ProxyCommand => {
                // Whichever of the two comes first wins; none is no jump.
                let jumps = options.proxy_jump.as_deref();
                let jumps = jumps.is_some_and(|jumps| !jumps.eq_ignore_ascii_case("none"));
                let command = written(setting.command().to_owned());
                keep(&mut options.proxy_command, command, active && !jumps);
            }
            ValueKind::KnownHostsCommand => {
                let command = written(setting.command().to_owned());
                keep(&mut options.known_hosts_command, command, active);
            }
            ValueKind::Tag => keep(&mut options.tag, setting.value()?, active),
            ValueKind::BindAddress => {
                keep(&mut options.bind_address, written(setting.value()?), active);
            }
            ValueKind::BindInterface => {
                keep(
                    &mut options.bind_interface,
                    written(setting.value()?),
                    active,
                );
            }
            ValueKind::IgnoreUnknown => {
                let patterns = setting.value()?;
                keep(&mut self.ignored, patterns.to_ascii_lowercase(), active);
            }
            ValueKind::KexAlgorithms => keep(
                &mut options.algorithms.kex,
                setting.names(Algorithms::Kex)?,
                active,
            ),
            ValueKind::HostKeyAlgorithms => {
                keep(
                    &mut options.algorithms.host_key,
                    setting.names(Algorithms::Signature)?,
                    active,
                );
            }
            ValueKind::Ciphers => keep(
                &mut options.algorithms.cipher,
                setting.names(Algorithms::Cipher)?,
                active,
            ),
            ValueKind::Macs => keep(
                &mut options.algorithms.mac,
                setting.names(Algorithms::Mac)?,
                active,
            ),
            ValueKind::PubkeyAcceptedAlgorithms => {
                keep(
                    &mut options.algorithms.pubkey,
                    setting.names(Algorithms::Signature)?,
                    active,
                );
            }
            ValueKind::CaSignatureAlgorithms => {
                keep(
                    &mut options.algorithms.ca_signature,
                    setting.names(Algorithms::Signature)?,
                    active,
                );
            }
            ValueKind::PreferredAuthentications => {
                keep(&mut options.preferred_methods, setting.value()?, active);
            }
            ValueKind::NoHostAuthenticationForLocalhost => {
                keep(
                    &mut options.trusts_loopback,
                    flag(&setting.value()?)?,
                    active,
                );
            }
            ValueKind::PasswordAuthentication => {
                keep(&mut options.password, flag(&setting.value()?)?, active);
            }
            ValueKind::KbdInteractiveAuthentication => {
                keep(&mut options.questions, flag(&setting.value()?)?, active);
            }
            ValueKind::PubkeyAuthentication => {
                let value = setting.value()?;
                let value = match value.as_str() {
                    "unbound" | "host-bound" => true,
                    value => flag(value)?,
                };
                keep(&mut options.pubkey, value, active);
            }
            ValueKind::AddressFamily => {
                let family = match setting.value()?.to_ascii_lowercase().as_str() {
                    "any" => Family::Any,
                    "inet" => Family::V4,
                    "inet6" => Family::V6,
                    _ => return Err("AddressFamily with a value that ssh does not know".to_owned()),
                };
                keep(&mut options.address_family, family, active);
            }
            ValueKind::ControlPath => keep(&mut options.control_path, setting.value()?, active),
            ValueKind::ConnectionAttempts => {
                let count = values::number(&setting.value()?)
                    .ok_or("ConnectionAttempts with a value that is not a number")?;
                keep(&mut options.connection_attempts, count, active);
            }
            ValueKind::ProxyUseFdpass => {
                let place = || (place.path.to_owned(), number);
                let passes = flag(&setting.value()?)?.then(place);
                keep(&mut options.passes_descriptor, passes, active);
            }
            ValueKind::CheckHostIp => {
                keep(&mut options.check_host_ip, flag(&setting.value()?)?, active);
            }
            ValueKind::RequiredRsaSize => {
                let bits = values::number(&setting.value()?)
                    .ok_or("RequiredRSASize with a value that is not a number")?;
                keep(&mut options.required_rsa_size, bits, active);
            }
            ValueKind::ServerAliveInterval => {
                let value = setting.value()?;
                // A later line counts where this one says none.
                if !value.eq_ignore_ascii_case("none") {
                    let seconds = values::seconds(&value)
                        .ok_or("ServerAliveInterval with a value that ssh does not know")?;
                    let interval = Duration::from_secs(seconds);
                    keep(&mut options.server_alive_interval, interval, active);
                }
            }
            ValueKind::TcpKeepAlive => {
                keep(&mut options.tcp_keepalive, flag(&setting.value()?)?, active);
            }
            ValueKind::Shaped(shape) => {
                let values = setting.rest();
                if let Some(problem) = shape.problem(setting.keyword, &values) {
                    return Err(problem);
                }
                if values.len() > shape.most() {
                    return Err(format!("more than one value after {}", setting.keyword));
                }
            }
            ValueKind::CanonicalDomains => {
                let domains = setting.rest();
                let shape = ValueShape::Fits(usize::MAX, values::domains);
                if let Some(problem) = shape.problem(setting.keyword, &domains) {
                    return Err(problem);
                }
                keep(&mut options.canonical_domains, domains, active);
            }
            ValueKind::Names(family) => {
                setting.names(family)?;
            }
            // Where it counts, reading ends before it comes here.
            ValueKind::One | ValueKind::RefuseConnection => {
                setting.value()?;
            }
            ValueKind::Unfollowed(name, harmless) => {
                let values = setting.rest();
                let problem = match name {
                    "CanonicalizeHostname" => {
                        ValueShape::Flag("always").problem(setting.keyword, &values)
                    }
                    "CanonicalizePermittedCNAMEs" => ValueShape::Fits(usize::MAX, values::aliases)
                        .problem(setting.keyword, &values),
                    "VerifyHostKeyDNS" => ValueShape::Flag("ask").problem(setting.keyword, &values),
                    _ => None,
                };
                if let Some(problem) = problem {
                    return Err(problem);
                }
                let default = values.first().is_some_and(|value| {
                    harmless.split(' ').any(|h| h.eq_ignore_ascii_case(value))
                });
                if active && name == "CanonicalizeHostname" {
                    self.options.canonicalizes.get_or_insert(!default);
                }
                if active && !default {
                    self.not_followed(name, number, place);
                }
            }
            ValueKind::Many | ValueKind::Host | ValueKind::Match | ValueKind::Include => {
                setting.rest();
            }
        }
        Ok(())
    }

    /// Notes a setting that is not followed, once.
    pub(super) fn not_followed(&mut self, keyword: &str, line: usize, place: &LinePlace) {
        let known = |other: &Unsupported| other.keyword == keyword;
        if !self.options.unsupported.iter().any(known) {
            self.options.unsupported.push(Unsupported {
                keyword: keyword.to_owned(),
                file: place.path.to_owned(),
                line,
            });
        }
    }
}

/// Whether quotes or a comment would end up in the name of a jump host: ssh
/// looks for `none`, commas, users and ports in the line as it is written
/// (readconf.c, `parse_jump`). About a bare name the shell takes them off again.
fn cut_apart(raw: &str, value: &str) -> bool {
    let line = raw.trim_start_matches([' ', '\t', '\r', '=']).trim_end();
    let parts = value.contains([',', ':', '@', '[']);
    let quoted = line.contains(['"', '\'']);
    line != value && (value.eq_ignore_ascii_case("none") || (parts && quoted))
}

/// The first value wins.
fn keep<T>(into: &mut Option<T>, value: T, active: bool) {
    if active {
        into.get_or_insert(value);
    }
}

fn add(into: &mut Vec<String>, value: String, active: bool) {
    if active && !into.contains(&value) && into.len() < 100 {
        into.push(value);
    }
}

fn flag(value: &str) -> Result<bool, Problem> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err("a value that is neither yes nor no".to_owned()),
    }
}
