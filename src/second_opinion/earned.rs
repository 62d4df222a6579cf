//! What the other clients may send to a server, given what the main run verified.
//! Every stack follows this and decides nothing itself: the promises of
//! interface.md apply to child processes and libraries too. libpq, for one, sends a
//! client certificate before it checks the server's name.

use super::{Group, Scene};
use crate::cause::{Cause, auth, protocol, server, ssh, tls};
use crate::config::{Endpoint, Place, SslCertMode, SslMode, Target};
use crate::report::Stage;

/// What an end may be shown.
#[derive(Clone, Copy, Debug)]
pub enum Earned {
    /// All that the target has for it.
    Everything,
    /// Whatever its verification comes before: the run did not come to it.
    Unverified,
    /// Nothing that identifies or authenticates: the run refused what it
    /// showed, and another stack may only be asked whether it does, too.
    Verification(&'static Cause),
    /// Not even another connection: it is not the server that was meant, or
    /// did what no honest one does.
    Nothing(&'static Cause),
}

/// What it showed was refused: its certificate, or its host key.
const REFUSED: &[&Cause] = &[
    &tls::CERT_EXPIRED,
    &tls::CERT_NOT_YET_VALID,
    &tls::CERT_HOSTNAME,
    &tls::CERT_UNKNOWN_CA,
    &tls::CERT_SELF_SIGNED,
    &tls::CERT_INCOMPLETE_CHAIN,
    &tls::CERT_REVOKED,
    &tls::CERT_PURPOSE,
    &tls::CERT_WEAK,
    &tls::CRL,
    &tls::ROOT_MISSING,
    &tls::ROOT_INVALID,
    &ssh::HOSTKEY_UNKNOWN,
    &ssh::HOSTKEY_CHANGED,
    &ssh::HOSTKEY_REVOKED,
    &ssh::HOSTKEY_CERTIFICATE,
];

/// The run ended the connection: the server breaks one of the target's rules for
/// the login, is the wrong server, or an attacker may be in the middle.
const BROKEN_OFF: &[&Cause] = &[
    &tls::CHANNEL_BINDING,
    &tls::INTERCEPTED,
    &protocol::INJECTED,
    &auth::METHOD_REFUSED,
    &auth::METHOD_WEAK,
    &auth::SERVER_UNPROVEN,
    &server::WRONG_IDENTITY,
];

/// The server asked for a client certificate after it had been verified.
const AFTER_VERIFICATION: &[&Cause] = &[&tls::CLIENT_REQUIRED, &tls::CLIENT_REJECTED];

impl Earned {
    /// For a stack of this group.
    pub fn by(group: Group, scene: &Scene<'_>) -> Self {
        let guard = scene.failed(|f| f.cause.is_any(&[&server::WRONG_IDENTITY]));
        match (group, guard) {
            // A guard that was hit means that nothing there is to be touched.
            (_, Some(guard)) if !scene.passed => Earned::Nothing(guard),
            (Group::Ssh, _) => Self::by_last_hop(scene),
            (Group::Login, _) => endpoints(scene)
                .into_iter()
                .map(|endpoint| Self::by_endpoint(scene, endpoint))
                .max_by_key(Self::strictness)
                .unwrap_or(Earned::Unverified),
        }
    }

    /// For the SSH server that the run ended on; it has passed those before.
    fn by_last_hop(scene: &Scene<'_>) -> Self {
        match scene.failed(|f| f.stage == Stage::Ssh && f.cause.is_any(REFUSED)) {
            Some(cause) => Earned::Verification(cause),
            None if scene.connected.bastion.is_some() => Earned::Everything,
            None => Earned::Unverified,
        }
    }

    fn by_endpoint(scene: &Scene<'_>, endpoint: &Endpoint) -> Self {
        let label = endpoint.label();
        if scene.passed && label == scene.connected.endpoint.label() {
            return Earned::Everything;
        }
        let failed = |causes: &[&Cause]| {
            scene.failed(|f| f.endpoint.as_ref() == Some(&label) && f.cause.is_any(causes))
        };
        let came_to_login =
            || scene.failed(|f| f.endpoint.as_ref() == Some(&label) && f.stage > Stage::Tls);
        if let Some(cause) = failed(BROKEN_OFF) {
            return Earned::Nothing(cause);
        }
        match failed(REFUSED) {
            Some(cause) if may_speak_tls(scene, endpoint) => Earned::Verification(cause),
            Some(cause) => Earned::Nothing(cause),
            None if came_to_login().or(failed(AFTER_VERIFICATION)).is_some() => Earned::Everything,
            None => Earned::Unverified,
        }
    }

    /// What a row says about it.
    pub fn reason(&self) -> Option<String> {
        let rejected = |cause: &Cause| format!("dbdoctor rejected this server ({})", cause.code);
        match self {
            Earned::Everything | Earned::Unverified => None,
            Earned::Verification(cause) => Some(format!(
                "only verified the server, without a user name or credentials: {}",
                rejected(cause)
            )),
            Earned::Nothing(cause) => Some(rejected(cause)),
        }
    }

    /// Whether it is only to be verified.
    pub fn only_verification(&self) -> bool {
        matches!(self, Earned::Verification(_))
    }

    /// Whether libpq would send a client certificate before anyone has looked
    /// at the server's name.
    pub fn certificate_goes_first(&self, target: &Target) -> bool {
        let settings = &target.tls;
        let certificate = settings.certificate.as_ref();
        matches!(self, Earned::Unverified)
            && settings.mode == SslMode::VerifyFull
            && settings.certificate_mode != SslCertMode::Disable
            && certificate.is_some_and(|file| file.path.exists())
    }

    fn strictness(&self) -> u8 {
        match self {
            Earned::Everything => 0,
            Earned::Unverified => 1,
            Earned::Verification(_) => 2,
            Earned::Nothing(_) => 3,
        }
    }
}

/// The hosts that a stack is given for the login: all of the list, so that it
/// goes through them in its own way; or the one that the run came to, where
/// there is a tunnel to it, or another one has not earned as much.
pub fn endpoints<'a>(scene: &'a Scene<'_>) -> Vec<&'a Endpoint> {
    let connected = scene.connected;
    let all = &connected.target.endpoints;
    let spoiled = |endpoint: &Endpoint| match Earned::by_endpoint(scene, endpoint) {
        Earned::Everything => false,
        earned @ Earned::Unverified => earned.certificate_goes_first(&connected.target),
        Earned::Verification(_) | Earned::Nothing(_) => true,
    };
    match connected.target.ssh.is_some() || (scene.passed && all.iter().any(spoiled)) {
        true => vec![&connected.endpoint],
        false => all.iter().collect(),
    }
}

fn may_speak_tls(scene: &Scene<'_>, endpoint: &Endpoint) -> bool {
    let target = &scene.connected.target;
    let unix = matches!(endpoint.place, Place::Unix(_)) && target.ssh.is_none();
    !unix && target.tls.mode != SslMode::Disable
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::Severity;

    /// A new row of the catalogue must be thought of here.
    #[test]
    fn every_refusal_of_a_certificate_or_host_key_counts() {
        let of = |prefix: &'static str| {
            let all = tls::ALL.iter().chain(ssh::ALL);
            all.filter(move |cause| cause.code.starts_with(prefix))
        };
        let expected = of("tls.cert.").chain(of("ssh.hostkey."));
        for cause in expected.filter(|cause| cause.severity == Severity::Fail) {
            assert!(cause.is_any(REFUSED), "{}", cause.code);
        }
    }
}
