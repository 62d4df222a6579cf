//! `-vv`: what was sent and received, by the names of the messages.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{Case, Expect, Need, Scenario};

/// The messages of the connection to a place, each as `direction message`.
fn messages(report: &Value, to: &str) -> Result<Vec<String>> {
    let all = report["wire"].as_array().context("no timeline")?;
    let found = all
        .iter()
        .find(|one| one["to"].as_str().is_some_and(|it| it.contains(to)));
    let events = found.context("no such connection")?["events"].as_array();
    let events = events.context("no events")?;
    let at: Vec<f64> = events
        .iter()
        .filter_map(|event| event["at_ms"].as_f64())
        .collect();
    ensure!(at.is_sorted(), "out of order: {at:?}");
    let word = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let lines = events.iter();
    Ok(lines
        .map(|it| format!("{} {}", word(it, "direction"), word(it, "message")))
        .collect())
}

/// Whether these are among the messages, in this order.
fn in_order(all: &[String], wanted: &[&str]) -> Result<()> {
    let mut rest = all.iter();
    for one in wanted {
        ensure!(rest.any(|it| it == one), "no {one} in its place: {all:#?}");
    }
    Ok(())
}

const LOGIN: &[&str] = &[
    "sent StartupMessage 3.0",
    "received AuthenticationSASL",
    "sent password or SASL response",
    "received AuthenticationSASLContinue",
    "sent password or SASL response",
    "received AuthenticationSASLFinal",
    "received AuthenticationOk",
    "received ParameterStatus server_version",
    "received BackendKeyData",
    "received ReadyForQuery",
];

const HANDSHAKE: &[&str] = &[
    "sent SSLRequest",
    "received S (encryption accepted)",
    "sent TLS ClientHello",
    "received TLS ServerHello",
    "received TLS Certificate",
    "received TLS Finished",
    "sent TLS Finished",
];

/// Recording what passes.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "timeline-login",
        "-vv tells each message of a login through TLS",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn().set("sslmode", "require");
            let case = Case::check(conn).password(lab.password()).arg("-vv");
            Ok(case.assert(|report| {
                let all = messages(report, "127.0.0.1")?;
                in_order(&all, HANDSHAKE)?;
                in_order(&all, LOGIN)?;
                let events = report["wire"][0]["events"].as_array();
                let login = events.into_iter().flatten();
                let mut login =
                    login.filter(|event| event["message"] == "password or SASL response");
                ensure!(
                    login.all(|event| event["bytes"].is_null()),
                    "its size is shown"
                );
                Ok(())
            }))
        },
    ),
    Scenario::new(
        "timeline-refused",
        "-vv tells the SQLSTATE that ended a login without TLS",
        Expect::Fail("auth.password.wrong"),
        &[Need::Postgres],
        |lab| {
            let conn = lab.postgres()?.conn().set("sslmode", "disable");
            let case = Case::check(conn).password("wrong-canary").arg("-vv");
            Ok(case.assert(|report| {
                let all = messages(report, "127.0.0.1")?;
                in_order(&all, &LOGIN[..5])?;
                in_order(&all, &["received ErrorResponse 28P01"])
            }))
        },
    ),
    Scenario::new(
        "timeline-tunnel",
        "-vv tells SSH's packets up to its keys, and the login within",
        Expect::Pass,
        &[Need::Postgres, Need::Sshd],
        |lab| {
            let sshd = lab.sshd()?;
            let address = sshd.addr();
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            Ok(case.ssh(sshd.route()).arg("-vv").assert(move |report| {
                let ssh = messages(report, &address)?;
                in_order(
                    &ssh,
                    &[
                        "sent SSH identification",
                        "sent SSH KEXINIT",
                        "sent SSH NEWKEYS",
                    ],
                )?;
                in_order(
                    &ssh,
                    &["received SSH identification", "received SSH KEXINIT"],
                )?;
                in_order(
                    &ssh,
                    &["received SSH NEWKEYS", "received SSH encrypted packets"],
                )?;
                in_order(&messages(report, "through")?, LOGIN)
            }))
        },
    ),
    Scenario::new(
        "timeline-not-asked",
        "-v records nothing",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let case = Case::check(lab.postgres()?.conn()).password(lab.password());
            Ok(case.arg("-v").assert(|report| {
                ensure!(report["wire"].is_null(), "{}", report["wire"]);
                Ok(())
            }))
        },
    ),
];
