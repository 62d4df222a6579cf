//! What a driver's TLS library or key reader refuses in a run that OpenSSL brought to its
//! end: forms of the server's certificate and of the client's key.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use openssl::x509::X509;

use crate::cause::driver as codes;
use crate::client::certificate::{self, Chain, Demand, Refusal, Stack};
use crate::client::key_form::{self, Form, KeyFile};
use crate::client::profile;
use crate::client::{Driver, Version};
use crate::config::{Endpoint, Roots, Target, files};
use crate::finding::Finding;
use crate::report::Stage;

use super::{Fared, said_of_psql};

/// What the driver refuses; nothing where it takes all of it, or TLS was not used.
pub fn refused(driver: Driver, fared: &Fared) -> Option<Finding> {
    let (target, stack) = came_through(driver, fared)?;
    // Every release refuses what the oldest did; the words are today's.
    let always = refusal(stack, Some(Version::default()), fared)?;
    let refused = always.map(|always| refusal(stack, None, fared).flatten().unwrap_or(always));
    let certificate = refused.map(|refused| certificate(driver, target, fared, &refused));
    certificate.or_else(|| key(driver, target, fared))
}

/// What only newer releases of the driver's TLS library refuse: which of them the
/// application runs with is not known.
pub fn refused_by_newer(driver: Driver, fared: &Fared, psql: &Fared) -> Option<Finding> {
    let (target, stack) = came_through(driver, fared)?;
    let newer = refusal(stack, None, fared)??;
    let since = newer.since.filter(|_| {
        let oldest = refusal(stack, Some(Version::default()), fared);
        matches!(oldest, Some(None))
    })?;
    let library = match stack {
        Stack::Python | Stack::PythonDefault => "Python",
        Stack::Node => "Node.js",
        Stack::Go => "Go",
        Stack::Java => "Java",
        _ => stack.name(),
    };
    let finding = certificate(driver, target, fared, &newer)
        .with("since", format!("{library} {since}"))
        .word(
            "refuses",
            format!("with {library} {since} or newer refuses"),
        )
        .word("psql", said_of_psql(psql));
    Some(finding)
}

/// What the driver's TLS library says of certificates that OpenSSL refused; none where it
/// is not known, or would take them.
pub fn said(driver: Driver, fared: &Fared) -> Option<String> {
    let stack = stack_of(driver)?;
    let refused = refusal(stack, None, fared)??;
    Some(refused.text)
}

/// The settings and the TLS library of a run in which TLS was established.
fn came_through(driver: Driver, fared: &Fared) -> Option<(&Target, Stack)> {
    let later = |stage: Stage| stage > Stage::Tls;
    let past = fared
        .failure
        .as_ref()
        .is_none_or(|(stage, _)| later(*stage));
    let target = fared.target.as_ref()?;
    Some((target, stack_of(driver)?)).filter(|_| past && fared.presented.is_some())
}

/// The TLS library whose refusals are known. libpq's are the run's own.
fn stack_of(driver: Driver) -> Option<Stack> {
    if driver.linked_libpq().is_some() {
        return None;
    }
    match driver.profile.tls.stack {
        profile::Stack::NativeTls => Some(Stack::NativeTls),
        profile::Stack::Python => Some(Stack::Python),
        profile::Stack::Node => Some(Stack::Node),
        profile::Stack::Go => Some(Stack::Go),
        profile::Stack::Rustls => Some(Stack::Rustls),
        profile::Stack::Java => Some(Stack::Java),
        profile::Stack::Openssl | profile::Stack::Dotnet | profile::Stack::Erlang => None,
    }
}

/// What this release of the library refuses first; none outside where it was shown no
/// certificate.
fn refusal(stack: Stack, version: Option<Version>, fared: &Fared) -> Option<Option<Refusal>> {
    let presented = fared.presented.as_ref()?;
    let target = fared.target.as_ref()?;
    let anchors = anchors(target, presented.anchor.as_ref());
    let demand = match target.view.as_ref()?.verifies {
        // Nothing is known of whom it trusts.
        _ if anchors.is_empty() => Demand::Nothing,
        (true, true) => Demand::Name,
        (true, false) => Demand::Chain,
        (false, _) => Demand::Nothing,
    };
    let chain = Chain {
        sent: &presented.sent,
        host: &presented.host,
        anchors: &anchors,
    };
    let refusals = certificate::refusals(stack, version, demand, &chain);
    Some(refusals.into_iter().next())
}

/// Whom the driver trusts: its file, and of lists that are long the one that was used.
fn anchors(target: &Target, used: Option<&X509>) -> Vec<X509> {
    let file = match &target.tls.roots {
        Roots::File(file) => Some(&file.path),
        Roots::SystemAnd(file) | Roots::Mozilla(Some(file)) => Some(file),
        _ => None,
    };
    let pem = file
        .and_then(|file| files::read(file).ok())
        .unwrap_or_default();
    let mut anchors = X509::stack_from_pem(&pem).unwrap_or_default();
    if let Some(used) = used.filter(|used| !anchors.contains(used)) {
        anchors.push(used.clone());
    }
    anchors
}

fn certificate(driver: Driver, target: &Target, fared: &Fared, refused: &Refusal) -> Finding {
    let host = fared.presented.as_ref().map(|it| it.host.as_str());
    finding(&codes::CERTIFICATE, driver, target, &refused.text)
        .with("reason", refused.reason.as_str())
        .with("depth", (refused.depth > 0).then_some(refused.depth))
        .word(
            "again",
            again(refused.reason.as_str(), host.unwrap_or_default()),
        )
}

/// In which form the certificate is to be issued again.
fn again(reason: &str, host: &str) -> Option<String> {
    let form = match reason {
        "common-name" | "name" | "altnames" => {
            return Some(format!("with {host} in subjectAltName"));
        }
        "version" => "as X.509 version 3",
        "key-tiny" | "key-small" | "key-pss" | "key-ed448" | "key-ed25519" | "key-p521"
        | "key-curve" | "weak-key" | "weak-key-2" => {
            "with an RSA key of 2048 bits or more, or an ECDSA key on P-256"
        }
        "weak-digest" | "chain-md5" | "chain-ed448" | "algorithm" | "unimplemented" => {
            "and those above it too, signed with SHA-256"
        }
        "serial-negative" | "anchor-serial-negative" => "with a serial number above zero",
        "purpose" => "with serverAuth in extendedKeyUsage",
        "usage" => "with digitalSignature in keyUsage",
        "ca-as-server" => "with CA:FALSE in basicConstraints",
        "strict" => "with the extensions that RFC 5280 demands",
        _ => return None,
    };
    Some(form.to_owned())
}

/// A key that the driver is given and does not read.
fn key(driver: Driver, target: &Target, fared: &Fared) -> Option<Finding> {
    let there = |file: &&crate::config::NamedFile| file.path.exists();
    let key = target.tls.key.as_ref().filter(there)?;
    target.tls.certificate.as_ref().filter(there)?;
    // Java's key manager is asked when the server asks; the others load it before.
    if driver.profile.stack_is(profile::Stack::Java) && !fared.certificate_asked {
        return None;
    }
    let form = Form::of(&files::read(&key.path).ok()?)?;
    let metadata = key.path.metadata().ok()?;
    let refused = key_form::refusal(
        &driver,
        &KeyFile {
            path: &key.path,
            form,
            mode: Some(metadata.permissions().mode()),
            is_roots: metadata.uid() == 0,
            has_password: target.tls.key_password.is_some(),
        },
    )?;
    let path = key.path.display().to_string();
    let other = (refused.file != path).then_some(refused.file);
    let told = finding(&codes::KEY, driver, target, &refused.text)
        .with("file", path)
        .with("form", form.spoken())
        .with("converted", other.clone())
        .off_page()
        .fix(refused.remedy, Some(refused.command));
    Some(match other {
        Some(file) => told.fix(format!("Name the new file: sslkey={file}"), None),
        None => told,
    })
}

fn finding(
    cause: &'static crate::cause::Cause,
    driver: Driver,
    target: &Target,
    problem: &str,
) -> Finding {
    Finding::new(cause)
        .with("driver", driver.to_string())
        .with("endpoint", target.endpoints.first().map(Endpoint::label))
        .with("problem", problem.trim_end_matches('.').to_owned())
        .with("error", problem.to_owned())
}
