//! What a person sees: the table in every style, from reports built by hand.

mod common;

use std::time::Duration;

use dbdoctor::cause::{config, tls};
use dbdoctor::finding::Finding;
use dbdoctor::render::options::{Style, Verbosity};
use dbdoctor::render::{json, table};
use dbdoctor::report::{
    Environment, OriginReport, ParameterReport, Report, ShadowReport, Stage, TargetReport,
};
use serde_json::json;

fn plain(width: usize) -> Style {
    Style {
        width,
        utf8: true,
        color: false,
        verbosity: Verbosity::Normal,
    }
}

fn origin(kind: &str, name: Option<&str>) -> OriginReport {
    OriginReport {
        kind: kind.to_owned(),
        name: name.map(str::to_owned),
        file: None,
        line: None,
    }
}

fn target() -> TargetReport {
    let from = |value: &str, kind: &str, name: Option<&str>| ParameterReport {
        value: value.to_owned(),
        origin: origin(kind, name),
        shadows: Vec::new(),
    };
    let mut target = TargetReport {
        url: Some("postgresql://app@db.corp.test:5432/orders".to_owned()),
        ssh: vec!["ops@bastion:22".to_owned()],
        ..TargetReport::default()
    };
    for (name, parameter) in [
        ("host", from("db.corp.test", "target", Some("--url"))),
        ("dbname", from("orders", "target", Some("--url"))),
        ("user", from("app", "target", Some("--url"))),
        (
            "sslmode",
            from("verify-full", "environment", Some("PGSSLMODE")),
        ),
        ("channel_binding", from("prefer", "default", None)),
        (
            "password",
            ParameterReport {
                origin: OriginReport {
                    file: Some("~/.pgpass".to_owned()),
                    line: Some(2),
                    ..origin("passfile", None)
                },
                ..from("(hidden)", "passfile", None)
            },
        ),
        (
            "port",
            ParameterReport {
                shadows: vec![ShadowReport {
                    value: "5432".to_owned(),
                    origin: origin("default", None),
                }],
                ..from("6432", "environment", Some("PGPORT"))
            },
        ),
    ] {
        target.parameters.insert(name.to_owned(), parameter);
    }
    target
}

fn report(command: &'static str, passed: &[(Stage, &str, u64)]) -> Report {
    let stages: Vec<Stage> = match command {
        "check" => Stage::RUN.to_vec(),
        _ => passed.iter().map(|(stage, ..)| *stage).collect(),
    };
    let environment = Environment {
        os: "linux".to_owned(),
        arch: "x86_64".to_owned(),
        container: Some("docker".to_owned()),
        wsl: false,
        ci: None,
    };
    let mut report = Report::new(command, &stages, environment);
    report.started_at = time::macros::datetime!(2026-11-21 09:12:00.5 UTC);
    report.target = target();
    let started = report.started;
    let mut at = started;
    for (stage, summary, micros) in passed {
        let took = Duration::from_micros(*micros);
        let record = report.stage(*stage);
        record.summary = (*summary).to_owned();
        record.fact("observed", true);
        record.ran(at, took);
        at += took;
    }
    report
}

/// The report of interface.md's sketch.
fn expired() -> Report {
    let mut report = report(
        "check",
        &[
            (
                Stage::Config,
                "host from --url, password from ~/.pgpass line 2",
                400,
            ),
            (Stage::Key, "Ed25519 SHA256:Zk3v…, 0600, not encrypted", 200),
            (
                Stage::Dns,
                "bastion → 10.0.4.7, both name servers agree",
                3_100,
            ),
            (Stage::Tcp, "10.0.4.7:22 open", 11_800),
            (
                Stage::Ssh,
                "OpenSSH_9.2, host key known, publickey accepted",
                61_000,
            ),
            (Stage::Tunnel, "bastion reaches db.corp.test:5432", 12_200),
            (Stage::Protocol, "PostgreSQL, offers TLS", 11_900),
            (Stage::Tls, "", 25_300),
        ],
    );
    let begun = report.started;
    let record = report.stage(Stage::Config);
    record.warn(
        Finding::new(&config::PASSFILE_NOMATCH)
            .with("file", "~/.pgpass")
            .with("wanted", "db.corp.test:6432:orders:app"),
    );
    record.ran(begun, Duration::from_micros(400));
    let record = report.stage(Stage::Tls);
    record.fact("version", "TLSv1.3");
    record.findings.push(
        Finding::new(&tls::CERT_EXPIRED)
            .with("host", "db.corp.test")
            .with("subject", "CN=db.corp.test")
            .with("issuer", "Corp CA 2")
            .with("not_after", "2026-11-18 09:12 UTC")
            .with("ago", "3 days")
            .with("certificate", "The server's certificate (db.corp.test)")
            .with("chain", json!([{"subject": "CN=db.corp.test", "depth": 0}, {"subject": "CN=Corp CA 2", "depth": 1}]))
            .with("clock_offset_ms", 40)
            .with("error", "certificate verify failed"),
    );
    report
        .stage(Stage::Tls)
        .ran(begun, Duration::from_micros(25_300));
    report.finish(false);
    report.took = Duration::from_micros(137_400);
    report
}

fn healthy() -> Report {
    let mut report = report(
        "auth",
        &[
            (
                Stage::Config,
                "host from --url, password from PGPASSWORD",
                400,
            ),
            (Stage::Dns, "db.corp.test → 10.0.4.7", 3_100),
            (Stage::Tcp, "10.0.4.7:5432 open", 1_250_000),
        ],
    );
    report.finish(false);
    report.took = Duration::from_micros(1_254_000);
    report
}

fn snapshot(name: &str, text: &str) {
    common::compare(
        format!("tests/snapshots/render/{name}.txt"),
        text.as_bytes(),
    );
}

#[test]
fn a_failing_run() {
    snapshot("fail-80", &table::render(&expired(), &plain(80)));
    snapshot("fail-50", &table::render(&expired(), &plain(50)));
}

#[test]
fn a_failing_run_in_ascii() {
    let style = Style {
        utf8: false,
        ..plain(80)
    };
    let text = table::render(&expired(), &style);
    assert!(text.is_ascii(), "{text}");
    snapshot("fail-ascii", &text);
}

#[test]
fn a_failing_run_in_colour() {
    let style = Style {
        color: true,
        ..plain(80)
    };
    let text = table::render(&expired(), &style);
    let mut pieces = text.split('\x1b');
    let mut stripped = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (_, rest) = piece.split_once('m').expect("an escape ends");
        stripped.push_str(rest);
    }
    let trimmed: String = stripped
        .lines()
        .map(|l| format!("{}\n", l.trim_end()))
        .collect();
    assert_eq!(
        trimmed,
        table::render(&expired(), &plain(80)),
        "only colour differs"
    );
    assert!(text.contains("\x1b[31m"));
}

#[test]
fn more_and_less() {
    let style = |verbosity| Style {
        verbosity,
        ..plain(80)
    };
    snapshot(
        "fail-verbose",
        &table::render(&expired(), &style(Verbosity::Verbose)),
    );
    let quiet = table::render(&expired(), &style(Verbosity::Quiet));
    assert_eq!(
        quiet,
        "✗ tls.cert.expired: The server's certificate (db.corp.test) expired on\n  2026-11-18 09:12 UTC, 3 days ago.\n"
    );
}

#[test]
fn a_healthy_run() {
    snapshot("pass-80", &table::render(&healthy(), &plain(80)));
}

#[test]
fn the_settings() {
    let mut report = report("config", &[(Stage::Config, "host from --url", 400)]);
    report.finish(false);
    report.took = Duration::from_micros(400);
    snapshot("config-80", &table::render(&report, &plain(80)));
}

#[test]
fn an_interrupted_run() {
    let mut report = report("check", &[(Stage::Config, "host from --url", 400)]);
    report.stage(Stage::Dns).begin();
    report.finish(true);
    report.took = Duration::from_secs(3);
    snapshot("interrupted", &table::render(&report, &plain(80)));
}

#[test]
fn lines_fit_the_width_but_for_commands() {
    for width in [40, 50, 80, 110] {
        let text = table::render(&expired(), &plain(width));
        for line in text.lines().filter(|line| {
            !line.contains("psql -U postgres -c") && !line.contains("dbdoctor explain")
        }) {
            let columns = unicode_width::UnicodeWidthStr::width(line);
            assert!(columns <= width, "{width}: {line}");
        }
        assert!(
            text.contains("psql -U postgres -c 'select pg_reload_conf()'\n"),
            "commands are whole"
        );
        let last = text.lines().rfind(|line| line.starts_with('✗')).unwrap();
        assert!(last.starts_with("✗ tls.cert.expired"), "{last}");
    }
}

#[test]
fn the_json_has_the_same_verdict() {
    let object: serde_json::Value = serde_json::from_slice(&json::render(&expired())).unwrap();
    common::valid(&object).unwrap();
    assert_eq!(object["verdict"]["cause"], "tls.cert.expired");
    assert_eq!(object["stages"][8]["reason"], "not run: tls failed");
}

/// Every failure that the table shows stands after the verdict's own, which
/// also ends the page.
#[test]
fn the_table_leads_with_the_verdict_of_the_json() {
    use dbdoctor::cause::{key, ssh};
    let mut report = Report::new("check", &[Stage::Key, Stage::Ssh], Environment::default());
    for (stage, cause) in [
        (Stage::Key, &key::PUBLIC),
        (Stage::Ssh, &ssh::AUTH_PUBLICKEY),
    ] {
        let record = report.stage(stage);
        record.begin();
        record.end(Some(Finding::new(cause)));
    }
    report
        .stage(Stage::Ssh)
        .warn(Finding::new(&ssh::HOSTKEY_UNKNOWN));
    report.finish(false);
    let cause = report.verdict().cause.unwrap().code;
    assert_eq!(cause, "key.public");
    let page = table::render(&report, &plain(80));
    let failing: Vec<&str> = page.lines().filter(|line| line.starts_with('✗')).collect();
    assert_eq!(failing.len(), 3, "{page}");
    assert!(failing[0].contains(cause), "{page}");
    assert!(failing[1].contains("ssh.auth.publickey"), "{page}");
    assert!(failing[2].contains(cause), "{page}");
}

/// The committed table of every scenario shows its outcome on the first screen: the whole
/// of a healthy run, and the cause of any other.
#[test]
fn the_outcome_is_on_the_first_screen() {
    const SCREEN: usize = 24;
    let mut files = Vec::new();
    for folder in std::fs::read_dir(common::root().join("tests/snapshots")).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            files.push(file.unwrap().path());
        }
    }
    assert!(files.len() > 300, "{} tables", files.len());
    for file in files {
        let name = file.display();
        let table = std::fs::read_to_string(&file).unwrap();
        // Other widths, and what was asked for with -v or `config`.
        if file.to_string_lossy().contains("render/") {
            continue;
        }
        let lines: Vec<&str> = table.lines().collect();
        let begins = |sign: &str| lines.iter().position(|line| line.starts_with(sign));
        let outcome = match begins("✗ ").or(begins("! ")) {
            // The sentence stands beside the code or below it.
            Some(at) => at + 2,
            None => lines.len(),
        };
        assert!(outcome <= SCREEN, "{name}: {outcome} lines\n{table}");
    }
}

fn settled(stage: Stage, facts: serde_json::Value) -> Report {
    let mut report = report("check", &[(stage, "as follows", 1_000)]);
    let record = report.stage(stage);
    for (name, value) in facts.as_object().unwrap() {
        record.fact(name, value.clone());
    }
    report.stage(Stage::Idle).reason = Some("not requested".to_owned());
    report.finish(false);
    report.took = Duration::from_millis(1);
    report
}

fn styles() -> [(&'static str, Style); 3] {
    let ascii = Style {
        utf8: false,
        ..plain(80)
    };
    [("80", plain(80)), ("50", plain(50)), ("ascii", ascii)]
}

#[test]
fn latencies_are_histograms() {
    let row = |buckets: &[(f64, u32)], p50: f64, max: f64| {
        let buckets: Vec<_> = (buckets.iter())
            .map(|(bound, count)| json!({"le_ms": bound, "count": count}))
            .collect();
        json!({"p50": p50, "p90": max, "p99": max, "max": max, "buckets": buckets})
    };
    let facts = json!({
        "latency_ms": {
            "auth": row(&[(39.811, 12), (50.119, 5), (630.957, 1)], 38.2, 612.0),
            "dns": row(&[(0.01, 18)], 0.01, 0.01),
            "tcp": row(&[(0.2, 2), (0.251, 16)], 0.24, 0.25),
            "total": row(&[(50.119, 14), (63.096, 3), (630.957, 1)], 41.0, 621.0),
        },
        "by_address": {
            "10.0.4.7:5432": {"attempts": 10, "succeeded": 10},
            "10.0.4.8:5432": {"attempts": 10, "succeeded": 8},
        },
    });
    let report = settled(Stage::Stress, facts);
    for (name, style) in styles() {
        snapshot(&format!("stress-{name}"), &table::render(&report, &style));
    }
}

#[test]
fn the_idle_test_is_a_timeline() {
    let rung = |silence: u32, outcome: &str| json!({"silence_ms": silence * 1_000, "outcome": outcome, "detail": null});
    let facts = json!({
        "rungs": [
            rung(45, "survived"), rung(90, "survived"), rung(180, "survived"),
            rung(240, "dropped"), rung(300, "unclear"), rung(360, "dropped"),
        ],
        "threshold": {"survived_ms": 180_000, "dropped_ms": 240_000},
        "configured": {"silence_ms": 360_000, "outcome": "survived"},
        "keepalive_helps": true,
        "heartbeat_helps": false,
    });
    let report = settled(Stage::Idle, facts);
    for (name, style) in styles() {
        snapshot(&format!("idle-{name}"), &table::render(&report, &style));
    }
}

#[test]
fn addresses_and_name_servers_stand_side_by_side() {
    let mut report = settled(
        Stage::Tcp,
        json!({"addresses": [
            {"address": "10.0.4.7:5432", "outcome": "timeout", "ms": 5_000, "errno": null},
            {"address": "[fd00::7]:5432", "outcome": "refused", "ms": 1, "errno": "ECONNREFUSED"},
            {"address": "10.0.4.8:5432", "outcome": "open", "ms": 1.2, "errno": null},
            {"address": "10.0.4.9:5432", "outcome": "unknown", "ms": null, "errno": null},
        ]}),
    );
    let began = report.started;
    let record = report.stage(Stage::Dns);
    record.reason = None;
    record.summary = "db.corp.test → 10.0.4.7, 10.0.4.8".to_owned();
    record.fact(
        "lookups",
        json!([{"name_servers": [
            {"server": "10.0.0.2", "outcome": "addresses", "addresses": ["10.0.4.7", "10.0.4.8"]},
            {"server": "10.0.0.3", "outcome": "NXDOMAIN", "addresses": []},
        ]}]),
    );
    record.ran(began, Duration::from_millis(1));
    for (name, style) in styles() {
        snapshot(&format!("several-{name}"), &table::render(&report, &style));
    }
}

/// A stage that does not apply, and one that observed nothing, have no row; those after a
/// failure share one.
#[test]
fn rows_that_say_nothing_are_left_out() {
    let mut report = report(
        "check",
        &[
            (Stage::Config, "host from TARGET", 400),
            (Stage::Tcp, "open", 100),
        ],
    );
    report.target.ssh.clear();
    let began = report.started;
    let record = report.stage(Stage::Dns);
    record.summary = "IP address given, no lookup needed".to_owned();
    record.ran(began, Duration::from_millis(1));
    for stage in [Stage::Key, Stage::Ssh, Stage::Tunnel] {
        report.stage(stage).skip("no SSH tunnel configured");
    }
    report.stage(Stage::Idle).skip("not requested");
    let record = report.stage(Stage::Protocol);
    record.begin();
    record.end(Some(Finding::new(&tls::UNSUPPORTED)));
    report.finish(false);
    let rows = |style: &Style| -> Vec<String> {
        let table = table::render(&report, style);
        let rows = table.lines().skip(2).take_while(|line| !line.is_empty());
        rows.filter_map(|row| row.split_whitespace().nth(1).map(str::to_owned))
            .collect()
    };
    assert_eq!(rows(&plain(80)), ["config", "tcp", "protocol", "tls,"]);
    assert!(table::render(&report, &plain(80)).contains("  · tls, auth, server  not run\n"));
    let verbose = Style {
        verbosity: Verbosity::Verbose,
        ..plain(80)
    };
    let all = table::render(&report, &verbose);
    for words in [
        "no SSH tunnel configured",
        "no lookup needed",
        "not requested",
    ] {
        assert!(all.contains(words), "{words}: {all}");
    }
}

/// A warning of another stage does not stand before the failure, and is told in brief.
#[test]
fn a_failing_run_begins_with_its_cause() {
    let table = table::render(&expired(), &plain(80));
    let at = |words: &str| {
        table
            .find(words)
            .unwrap_or_else(|| panic!("{words}: {table}"))
    };
    assert!(at("✗ tls.cert.expired") < at("! config.passfile.nomatch"));
    assert_eq!(table.matches("Details").count(), 1, "{table}");
    let all = Style {
        verbosity: Verbosity::Verbose,
        ..plain(80)
    };
    assert_eq!(
        table::render(&expired(), &all).matches("Details").count(),
        2
    );
}

/// No colour that cannot be read on a white or on a black background.
#[test]
fn colours_suit_every_background() {
    let style = Style {
        color: true,
        ..plain(80)
    };
    for report in [expired(), healthy()] {
        let text = table::render(&report, &style);
        for escape in text.split("\x1b[").skip(1) {
            let code = escape.split('m').next().unwrap_or_default();
            assert!(
                ["0", "1", "2", "31", "32", "35"].contains(&code),
                "{code}: {text}"
            );
        }
    }
}
