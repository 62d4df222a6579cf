//! What a driver does less than the settings say, although it connects.

use crate::cause::{driver as codes, tcp};
use crate::client::Driver;
use crate::client::pooler::Mode;
use crate::client::statements::{self, Named};
use crate::config::catalog;
use crate::finding::Finding;

use super::differ::{cured, verifies};
use super::{Fared, form, said_of_psql, view};

/// Parameters whose loss changes nothing that anyone relies on.
const HARMLESS: &[&str] = &[
    "gssencmode",
    "krbsrvname",
    "gsslib",
    "gssdelegation",
    "sslcompression",
    "fallback_application_name",
    "client_encoding",
    "application_name",
    "passfile",
];

/// The warnings.
pub fn of(driver: Driver, fared: &Fared, psql: &Fared) -> Vec<Finding> {
    let mut out = Vec::new();
    out.extend(unverified(driver, fared, psql));
    out.extend(ignored(driver, fared));
    out.extend(keepalive(driver, fared));
    out.extend(timeout(driver, fared));
    out.extend(form::refused_by_newer(driver, fared, psql));
    out.extend(statements(driver, fared));
    let told = |finding| cured(finding, driver);
    out.into_iter().map(told).collect()
}

/// It verifies, or encrypts, less than libpq would.
fn unverified(driver: Driver, fared: &Fared, psql: &Fared) -> Option<Finding> {
    if fared.failure.is_some() {
        return None;
    }
    let (theirs, ours) = (fared.target.as_ref()?, psql.target.as_ref());
    let view = view(fared)?;
    let written = view.written_mode.clone()?;
    let meant = match (written.as_str(), ours) {
        ("verify-full", _) => (true, true, true),
        ("verify-ca", _) => (true, true, false),
        ("require", Some(ours)) => (true, verifies(ours).0, false),
        ("require", None) => (true, false, false),
        _ => return None,
    };
    let encrypted = theirs.uses_tls();
    let local = theirs
        .endpoints
        .iter()
        .all(|it| matches!(it.place, crate::config::Place::Unix(_)));
    let demands = theirs.tls.mode.demands_tls();
    let (chain, name) = view.verifies;
    let less = (meant.0 && !demands) || (meant.1 && !chain) || (meant.2 && !name);
    if !less || local {
        return None;
    }
    let (verified, instead) = match (encrypted, demands, chain) {
        (false, ..) => (
            "nothing, and encrypts nothing",
            "connects without TLS and verifies nothing,",
        ),
        (_, false, _) => (
            "nothing, and does not insist on TLS",
            "does not insist on TLS and verifies no certificate,",
        ),
        (_, _, true) => (
            "the chain and not the name",
            "does not check that the server's certificate is for its host name,",
        ),
        _ => (
            "nothing",
            "encrypts, but accepts any certificate of the server,",
        ),
    };
    let words = match (written.as_str(), meant.1) {
        ("require", true) => "sslmode=require with a root certificate file".to_owned(),
        _ => format!("sslmode={written}"),
    };
    Some(
        Finding::new(&codes::TLS_UNVERIFIED)
            .with("driver", driver.to_string())
            .with("verified", verified)
            .word("instead", instead)
            .with("written", words)
            .word("psql", said_of_psql(psql)),
    )
}

/// Parameters that mean something to libpq and nothing to it.
fn ignored(driver: Driver, fared: &Fared) -> Vec<Finding> {
    let Some(view) = view(fared) else {
        return Vec::new();
    };
    let lost = view.parameters.iter().filter(|it| {
        it.fate == "ignored"
            && catalog::find(&it.name).is_some()
            && !HARMLESS.contains(&it.name.as_str())
            && !it.name.starts_with("keepalives")
    });
    lost.map(|it| {
        Finding::new(&codes::PARAM_IGNORED)
            .with("driver", driver.to_string())
            .with("parameter", it.name.clone())
            .with("source", it.source.clone())
            .word("meaning", meaning(&it.name))
    })
    .collect()
}

fn meaning(name: &str) -> &'static str {
    match name {
        "channel_binding" => "whether the password is bound to this TLS connection",
        "connect_timeout" => "how long to wait for a connection",
        "target_session_attrs" => "which kind of server is wanted",
        "sslcrl" | "sslcrldir" => "which certificates are revoked",
        "sslrootcert" => "which authorities are trusted",
        "sslmode" => "whether TLS is used and what is verified",
        "require_auth" => "which authentication methods are allowed",
        "hostaddr" => "which address is connected to",
        "options" => "settings of the session",
        "sslcert" | "sslkey" | "sslpassword" | "sslcertmode" => "the client's certificate",
        "service" => "a section of the service file",
        "load_balance_hosts" => "whether hosts are tried in random order",
        "tcp_user_timeout" => "how long unacknowledged data may wait",
        _ => "a setting of the connection",
    }
}

/// Statements that break where a pooler gives the next one to another session.
fn statements(driver: Driver, fared: &Fared) -> Option<Finding> {
    let pooler = fared.pooler.as_ref()?;
    let clash = statements::verdict(&driver, pooler)?;
    let told = pooler.mode.map(Mode::as_str);
    let name = pooler.product.map(|product| product.name);
    // Of one that is not known, nothing says that it would.
    if told.is_none() && name != Some("PgBouncer") {
        return None;
    }
    let habit = match clash.named {
        Named::TwoTrips => "prepares a statement and runs it in two exchanges",
        _ => "names its prepared statements",
    };
    let endpoint = fared.target.as_ref()?.endpoints.first()?.label();
    let finding = Finding::new(&codes::STATEMENTS)
        .with("driver", driver.to_string())
        .with("endpoint", endpoint)
        .with("pooler", name)
        .with("mode", told)
        .with("error", clash.says)
        .word("habit", habit)
        .word("keeps", clash.pooler_setting)
        .fix(format!("Set {} in {}.", clash.cure, clash.place), None);
    Some(match told {
        Some(_) => finding.word("gives", "gives every transaction another server"),
        None => finding.word(
            "gives",
            "gives every transaction another server if its pool_mode is transaction",
        ),
    })
}

/// Keepalives that are asked for and not set.
fn keepalive(driver: Driver, fared: &Fared) -> Option<Finding> {
    let view = view(fared)?;
    let lost: Vec<&str> = view
        .parameters
        .iter()
        .filter(|it| it.name.starts_with("keepalives") && it.fate != "understood")
        .map(|it| it.name.as_str())
        .collect();
    (!lost.is_empty()).then(|| {
        Finding::new(&codes::KEEPALIVE)
            .with("driver", driver.to_string())
            .with("written", lost.join(", "))
            .with("keepalive", driver.profile.keepalive.unwrap_or("unknown"))
    })
}

/// A server that does not answer, and a driver that waits without a limit.
fn timeout(driver: Driver, fared: &Fared) -> Option<Finding> {
    let (_, failed) = fared.failure.as_ref()?;
    let target = fared.target.as_ref()?;
    let silent = failed.cause == &tcp::TIMEOUT;
    let bounded = driver.profile.connect_timeout.is_some() || target.connect_timeout.is_some();
    (silent && !bounded).then(|| {
        Finding::new(&codes::TIMEOUT)
            .with("driver", driver.to_string())
            .with(
                "endpoint",
                target.endpoints.first().map(crate::config::Endpoint::label),
            )
    })
}
