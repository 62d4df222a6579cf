//! What a driver's TLS library or key reader refuses in a run that OpenSSL brought to its
//! end: forms of the server's certificate and of the client's key.

use crate::cause::driver as codes;
use crate::client::Driver;
use crate::client::profile::Stack;
use crate::config::Target;
use crate::config::as_driver::view::View;
use crate::config::files;
use crate::finding::Finding;
use crate::report::{Report, Stage};

/// What the driver refuses; nothing where it takes all of it, or TLS was not used.
pub fn refused(report: &Report, driver: Driver, target: &Target) -> Option<Finding> {
    let view = target.view.as_ref()?;
    let facts = &report.find(Stage::Tls)?.facts;
    facts.get("version")?;
    certificate(facts, driver, view, target).or_else(|| key(facts, driver, target))
}

/// Go and rustls look for the host's name in subjectAltName alone.
fn certificate(
    facts: &serde_json::Map<String, serde_json::Value>,
    driver: Driver,
    view: &View,
    target: &Target,
) -> Option<Finding> {
    let leaf = facts.get("chain")?.get(0)?;
    let san = leaf
        .get("subject_alt_name")
        .and_then(serde_json::Value::as_bool);
    let host = &target.endpoints.first()?.host;
    let problem = match driver.profile.tls.stack {
        Stack::Go if view.verifies.1 && san == Some(false) => {
            "x509: certificate relies on legacy Common Name field, use SANs instead".to_owned()
        }
        Stack::Rustls if view.verifies.1 && san == Some(false) => {
            format!("invalid peer certificate: certificate not valid for name \"{host}\"")
        }
        // Whether it verifies or not.
        Stack::Rustls
            if leaf.get("x509_version").and_then(serde_json::Value::as_u64) == Some(1) =>
        {
            "invalid peer certificate: Other(OtherError(UnsupportedCertVersion))".to_owned()
        }
        _ => return None,
    };
    Some(finding(&codes::CERTIFICATE, driver, target, &problem))
}

/// pgjdbc and native-tls read PKCS#8 alone.
fn key(
    facts: &serde_json::Map<String, serde_json::Value>,
    driver: Driver,
    target: &Target,
) -> Option<Finding> {
    let asked = facts.get("client_certificate_asked")?.as_bool()?;
    let file = target.tls.key.as_ref().filter(|file| file.path.exists())?;
    target
        .tls
        .certificate
        .as_ref()
        .filter(|file| file.path.exists())?;
    if !asked {
        return None;
    }
    let bytes = files::read(&file.path).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let label = text.split("-----BEGIN ").nth(1)?.split("-----").next()?;
    let path = file.path.display().to_string();
    let plain = label == "PRIVATE KEY";
    let problem = match driver.profile.tls.stack {
        Stack::Java if driver.profile.is_below("42.7") => format!(
            "Could not read SSL key file {path}: it is PEM, and this version reads PKCS#8 in DER"
        ),
        Stack::Java if !plain => {
            format!("Could not read SSL key file {path}. <- IOException: extra data at the end")
        }
        Stack::NativeTls if !plain => {
            "error performing TLS handshake: expected PKCS#8 PEM".to_owned()
        }
        Stack::Go if label == "ENCRYPTED PRIVATE KEY" => {
            "failed to parse the key: x509: unsupported".to_owned()
        }
        _ => return None,
    };
    let converted = file
        .path
        .with_extension(match driver.profile.is_below("42.7") {
            true => "pk8",
            false => "pkcs8.pem",
        });
    Some(
        finding(&codes::KEY, driver, target, &problem)
            .with("file", path)
            .with("form", label.to_owned())
            .with("converted", converted.display().to_string()),
    )
}

fn finding(
    cause: &'static crate::cause::Cause,
    driver: Driver,
    target: &Target,
    problem: &str,
) -> Finding {
    let endpoint = target.endpoints.first().map(crate::config::Endpoint::label);
    Finding::new(cause)
        .with("driver", driver.to_string())
        .with("endpoint", endpoint)
        .with("problem", problem.to_owned())
        .with("error", problem.to_owned())
}
