//! Where a driver's way is another one than libpq's, and what of that explains a failure.

use crate::cause::{Cause, auth, config, driver as codes, family, pooler as refusals, server, tls};
use crate::client::pooler::{self, Pooler};
use crate::client::profile::{Addresses, Hosts, Plan, Retry, Saslprep};
use crate::client::{Driver, Profile, startup};
use crate::config::{Endpoint, Roots, SslMode, Target};
use crate::finding::{Finding, Status, shown};
use crate::report::Stage;

use super::{Fared, form, said_of_psql, text_of, view};

/// What tokio-postgres says where it was built without TLS.
pub const NO_TLS: &str = "no TLS implementation configured";

/// Whether libpq's way to this target is the driver's: the same ends, names, encryption
/// and trust. After a failure the driver's other habits count too.
pub fn same_way(theirs: &Target, ours: &Target, passed: bool) -> bool {
    let ends = |target: &Target| -> Vec<_> {
        let end = |it: &Endpoint| (it.host.clone(), it.place.clone(), it.port);
        target.endpoints.iter().map(end).collect()
    };
    let same = ends(theirs) == ends(ours)
        && passwords_agree(theirs, ours)
        && theirs.user == ours.user
        && theirs.dbname == ours.dbname
        && theirs.options == ours.options
        && theirs.session_attrs == ours.session_attrs
        && encryption(theirs) == encryption(ours)
        && certificate(theirs) == certificate(ours)
        && (theirs.tls.negotiation == ours.tls.negotiation)
        && (theirs.client.addresses == Addresses::All || only_address(theirs));
    let rules = &theirs.client;
    let habits = theirs.environment_options == ours.environment_options
        && matches!(rules.hosts, Hosts::Libpq)
        && rules.retry == Retry::Libpq
        && rules.saslprep == Saslprep::Full
        && theirs.channel_binding == ours.channel_binding
        && theirs.require_auth == ours.require_auth;
    same && (passed || habits)
}

/// Whether two drivers go the same way in everything.
pub fn same_habits(one: &Target, other: &Target) -> bool {
    let rules = |target: &Target| {
        let it = target.client;
        (
            it.hosts,
            it.addresses,
            it.retry,
            it.tls_on_sockets,
            it.always_name,
            it.saslprep,
        )
    };
    let ends = |target: &Target| -> Vec<_> {
        let end = |it: &Endpoint| (it.host.clone(), it.place.clone(), it.port);
        target.endpoints.iter().map(end).collect()
    };
    ends(one) == ends(other)
        && passwords_agree(one, other)
        && one.user == other.user
        && one.dbname == other.dbname
        && one.options == other.options
        && one.session_attrs == other.session_attrs
        && encryption(one) == encryption(other)
        && certificate(one) == certificate(other)
        && one.tls.negotiation == other.tls.negotiation
        && one.environment_options == other.environment_options
        && one.channel_binding == other.channel_binding
        && rules(one) == rules(other)
}

fn only_address(target: &Target) -> bool {
    target
        .endpoints
        .iter()
        .all(|endpoint| !matches!(endpoint.place, crate::config::Place::Name(_)))
}

fn passwords_agree(theirs: &Target, ours: &Target) -> bool {
    let secret = |it: &Endpoint| {
        it.password
            .as_ref()
            .map(|it| it.secret.expose_bytes().to_vec())
    };
    theirs
        .endpoints
        .iter()
        .map(secret)
        .eq(ours.endpoints.iter().map(secret))
}

/// What becomes of the certificate: the mode, and whom it is verified against.
fn encryption(target: &Target) -> (SslMode, bool, Option<&Roots>) {
    let verifies = verifies(target).0;
    let trust = verifies.then_some(&target.tls.roots);
    (target.tls.mode, target.checks_name() && verifies, trust)
}

fn certificate(target: &Target) -> (Option<bool>, Option<bool>) {
    let there = |file: &Option<crate::config::NamedFile>| {
        file.as_ref()
            .filter(|it| it.path.exists())
            .map(|it| it.named)
    };
    (there(&target.tls.certificate), there(&target.tls.key))
}

/// Whether a target has the chain verified, and the name.
pub fn verifies(target: &Target) -> (bool, bool) {
    let trusted = match &target.tls.roots {
        Roots::Nowhere => false,
        Roots::File(file) => file.path.exists(),
        _ => true,
    };
    let chain =
        target.tls.mode >= SslMode::VerifyCa || (trusted && target.tls.mode != SslMode::Disable);
    (chain, chain && target.checks_name())
}

/// The failure in the driver's words, with what of its way explains it where psql connects.
pub fn explain(
    failed: Finding,
    stage: Stage,
    driver: Driver,
    fared: &Fared,
    psql: &Fared,
) -> Finding {
    let by_library = || form::said(driver, fared).filter(|_| failed.cause.is_of(family::TLS_CERT));
    let text = by_library().or_else(|| text_of(driver, &failed, fared.target.as_ref()));
    // It stands in a sentence.
    let problem = text.clone().unwrap_or_else(|| failed.summary());
    let problem = problem.trim_end_matches('.').to_owned();
    let psql_said = said_of_psql(psql);
    let before_tls = failed.cause == &tls::UNSUPPORTED || failed.cause == &tls::CHANNEL_BINDING;
    if failed.cause.is_of(family::TLS) && driver.connector == Some("no-tls") && !before_tls {
        // It got to no certificate.
        let finding = Finding::new(&codes::TLS_REQUIRED)
            .with("driver", driver.to_string())
            .with("endpoint", failed.value("endpoint").map(shown))
            .with("problem", NO_TLS)
            .with("error", NO_TLS)
            .word("psql", psql_said);
        return cured(finding, driver);
    }
    // The fault of a file is the file's.
    let file = failed.cause == &config::FILE_MISSING || failed.cause == &tls::ROOT_MISSING;
    // A time that was too short says nothing of the driver.
    let late = failed
        .cause
        .is_any(&[&auth::TIMEOUT, &tls::TIMEOUT, &server::TIMEOUT]);
    if psql.status == Status::Fail || file || late || failed.cause.is_of(family::DRIVER) {
        // The fault is not the driver's alone: its cause stays what it is.
        let own = failed.cause.is_of(family::DRIVER);
        let finding = match failed.evidence.contains_key("driver") {
            true => failed,
            false => failed.with("driver", driver.to_string()),
        };
        let finding = match text {
            Some(text) => finding.with("error", text),
            None => finding,
        };
        return match own {
            true => cured(finding.word("psql", psql_said), driver),
            false => finding,
        };
    }
    let (cause, extra) = reason(&failed, stage, driver, fared, psql);
    let endpoint = fared
        .target
        .as_ref()
        .and_then(|target| target.endpoints.first())
        .map(Endpoint::label);
    let mut finding = Finding::new(cause)
        .with("driver", driver.to_string())
        .with("problem", problem.clone())
        .with("error", text)
        .with("underlying", failed.cause.code)
        .with("endpoint", endpoint)
        .retryable(failed.retryable);
    for (name, value) in extra {
        finding = finding.with(name, value);
    }
    let sqlstate_said = failed.value("message").or(failed.value("error")).map(shown);
    if cause == &codes::STARTUP {
        finding = refused_parameter(finding, driver, fared);
    }
    finding = finding
        .word("server_error", sqlstate_said.unwrap_or(problem))
        .with_evidence_of(failed)
        .word("psql", psql_said);
    cured(finding, driver)
}

/// All that this driver sends and the pooler refuses, with what lets it through.
fn refused_parameter(finding: Finding, driver: Driver, fared: &Fared) -> Finding {
    let endpoint = fared.target.as_ref().and_then(|it| it.endpoints.first());
    let provider = endpoint.and_then(|it| Pooler::at(&it.host, it.port));
    // The others pass on what they do not know.
    let product = provider
        .and_then(|pooler| pooler.product)
        .or_else(|| pooler::product("PgBouncer"));
    let sent: Vec<&str> = view(fared)
        .into_iter()
        .flat_map(|view| &view.parameters)
        .filter(|it| it.fate == "sent")
        .map(|it| it.name.as_str())
        .collect();
    let refused = product.and_then(|product| startup::refused(&driver, &sent, product));
    let Some(refused) = refused else {
        return finding;
    };
    let finding = finding
        .with("pooler", product.map(|product| product.name))
        .with("setting", refused.setting.clone());
    let finding = match refused.setting {
        Some(setting) => finding.off_page().fix(
            format!(
                "Add what the driver sends to the pooler's settings, beside what the line has \
                 already, and reload it: {setting}"
            ),
            None,
        ),
        None => finding,
    };
    match refused.cure {
        Some(cure) => finding.fix(format!("Keep the driver from sending it: {cure}."), None),
        None => finding,
    }
}

/// The page's general fix in the driver's own spelling, where it has one.
pub fn cured(finding: Finding, driver: Driver) -> Finding {
    let cure = Profile::row(driver.profile.cures, finding.cause.code);
    match cure.and_then(|cure| finding.filled_text(cure)) {
        Some(cure) => finding.word("cure", cure),
        None => finding,
    }
}

/// The cause of the difference, and its values.
fn reason(
    failed: &Finding,
    stage: Stage,
    driver: Driver,
    fared: &Fared,
    psql: &Fared,
) -> (&'static Cause, Vec<(&'static str, String)>) {
    let none = Vec::new();
    let cause = failed.cause;
    let value = |name: &str| failed.value(name).map(shown).unwrap_or_default();
    let (Some(theirs), Some(ours)) = (&fared.target, &psql.target) else {
        // It did not come further than the settings.
        return (&codes::PARAM_REFUSED, none);
    };
    let view = view(fared);
    if cause.is_of(family::CONFIG) {
        return (&codes::PARAM_REFUSED, none);
    }
    if stage <= Stage::Tcp {
        return not_reached(theirs, ours, failed);
    }
    // What was sent and refused says so by its name.
    let said = format!("{} {}", value("message"), value("error"));
    if let Some(view) = view {
        let sent = view
            .parameters
            .iter()
            .find(|it| it.fate == "sent" && said.contains(&it.name));
        if let Some(sent) = sent.filter(|_| stage >= Stage::Auth) {
            let extra = vec![
                ("parameter", sent.name.clone()),
                ("source", sent.source.clone()),
            ];
            return (&codes::PARAM_SENT, extra);
        }
        let own = view
            .startup
            .iter()
            .find(|(name, _)| said.contains(name.as_str()));
        if let Some((name, _)) =
            own.filter(|_| cause == &refusals::PARAMETER || stage >= Stage::Auth)
        {
            return (&codes::STARTUP, vec![("parameter", name.clone())]);
        }
    }
    let theirs_verify = verifies(theirs);
    let ours_verify = verifies(ours);
    let certificate = cause.is_of(family::TLS_CERT) || cause.is_of(family::TLS_ROOT);
    if stage == Stage::Tls || cause.is_of(family::TLS) {
        let trust = view.and_then(|view| view.trust.clone()).unwrap_or_default();
        if cause.is_of(family::TLS_CLIENT) {
            return (&codes::KEY, none);
        }
        if certificate || (theirs_verify.0 && cause == &tls::UNCLASSIFIED) {
            return match (ours_verify.0, ours_verify.1, theirs_verify.1) {
                // It checks a name that libpq does not check, or another one.
                (_, _, true) if cause == &tls::CERT_HOSTNAME => {
                    (&codes::TLS_VERIFIES, vec![("trust", trust)])
                }
                (true, ..) if ours.tls.mode >= SslMode::Require => {
                    (&codes::TLS_TRUST, vec![("trust", trust)])
                }
                _ => (&codes::TLS_VERIFIES, vec![("trust", trust)]),
            };
        }
        return (&codes::TLS_REQUIRED, none);
    }
    if cause.is_of(family::AUTH_HBA) {
        return match view.map(|view| view.plan) {
            Some(Plan::Off | Plan::ClearFirst) => (&codes::TLS_NOT_ASKED, none),
            _ if theirs.tls.mode == SslMode::Disable => (&codes::TLS_NOT_ASKED, none),
            _ => names(theirs, ours, fared).unwrap_or((&codes::TLS_REQUIRED, none)),
        };
    }
    if cause.is_any(&[&auth::PASSWORD_WRONG, &auth::PASSWORD_MISSING])
        || cause.is_of(family::AUTH_PASSWORD)
    {
        return password(theirs, ours, fared, driver);
    }
    names(theirs, ours, fared).unwrap_or_else(|| match stage {
        Stage::Server => (&codes::HOSTS, vec![("hosts", hosts_of(theirs))]),
        _ if theirs.endpoints.len() > 1 => (&codes::HOSTS, vec![("hosts", hosts_of(theirs))]),
        _ => (&codes::AUTH, vec![("user", theirs.user.clone())]),
    })
}

fn hosts_of(target: &Target) -> String {
    let labels: Vec<String> = target.endpoints.iter().map(Endpoint::label).collect();
    labels.join(", ")
}

/// No connection: another host, other addresses, or a list that it does not use up.
fn not_reached(
    theirs: &Target,
    ours: &Target,
    failed: &Finding,
) -> (&'static Cause, Vec<(&'static str, String)>) {
    let first = |target: &Target| {
        target
            .endpoints
            .first()
            .map(Endpoint::label)
            .unwrap_or_default()
    };
    let hosts = hosts_of(theirs);
    if theirs.endpoints.len() > 1 {
        return (&codes::HOSTS, vec![("hosts", hosts)]);
    }
    if hosts == hosts_of(ours) {
        let address = failed.value("address").map(shown);
        return (
            &codes::ADDRESS,
            vec![("tried", address.unwrap_or_else(|| first(theirs)))],
        );
    }
    let origin = |target: &Target, name: &str| {
        let parameter = target.report.parameters.get(name)?;
        let origin = &parameter.origin;
        Some((origin.kind.clone(), origin.name.clone().unwrap_or_default()))
    };
    // What libpq took from a source that the driver does not read.
    for (name, what) in [("host", "host"), ("hostaddr", "address"), ("port", "port")] {
        let (ours, theirs) = (origin(ours, name), origin(theirs, name));
        if let Some((kind, source)) = ours.clone()
            && ours != theirs
            && kind != "default"
            && !matches!(kind.as_str(), "url" | "target" | "flag")
        {
            return (
                &codes::SOURCE,
                vec![("source_name", source), ("what", what.to_owned())],
            );
        }
    }
    match origin(theirs, "host") {
        Some((kind, _)) if kind != "default" => {
            (&codes::URL, vec![("part", "the host".to_owned())])
        }
        _ => (&codes::ADDRESS, vec![("tried", first(theirs))]),
    }
}

/// Another user or database than libpq's.
fn names(
    theirs: &Target,
    ours: &Target,
    _fared: &Fared,
) -> Option<(&'static Cause, Vec<(&'static str, String)>)> {
    let differs = [
        ("dbname", "database", &theirs.dbname, &ours.dbname),
        ("user", "user", &theirs.user, &ours.user),
    ];
    let (name, what, ..) = differs.into_iter().find(|(_, _, a, b)| a != b)?;
    let origin = &ours.report.parameters.get(name)?.origin;
    Some(match origin.kind.as_str() {
        "url" | "target" | "flag" => (&codes::URL, vec![("part", format!("the {what}"))]),
        "default" => (
            &codes::SOURCE,
            vec![
                ("source_name", "the name of the account".to_owned()),
                ("what", what.to_owned()),
            ],
        ),
        _ => (
            &codes::SOURCE,
            vec![
                ("source_name", origin.name.clone().unwrap_or_default()),
                ("what", what.to_owned()),
            ],
        ),
    })
}

/// A password that is refused or missing.
fn password(
    theirs: &Target,
    ours: &Target,
    fared: &Fared,
    _driver: Driver,
) -> (&'static Cause, Vec<(&'static str, String)>) {
    if let Some(found) = names(theirs, ours, fared) {
        return found;
    }
    if passwords_agree(theirs, ours) {
        return (&codes::AUTH, vec![("user", theirs.user.clone())]);
    }
    let source = |target: &Target| {
        let first = target.endpoints.iter().find_map(|it| it.password.as_ref());
        first.map(|password| password.source.clone())
    };
    match (source(theirs), source(ours)) {
        (theirs, Some(ours)) if theirs.as_ref() != Some(&ours) => (
            &codes::SOURCE,
            vec![("source_name", ours), ("what", "password".to_owned())],
        ),
        _ => (&codes::URL, vec![("part", "the password".to_owned())]),
    }
}
