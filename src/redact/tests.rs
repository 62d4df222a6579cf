use serde_json::{Value, json};

use super::*;
use crate::cause::{auth, tls};
use crate::report::{Environment, OriginReport, ParameterReport, Report, Stage};

/// The names that nothing redacted may have in it.
const NAMES: &[&str] = &[
    "u-zebra",
    "d-quagga",
    "okapi",
    "192.0.2.77",
    "2001:db8::77",
    "gnu.pem",
    "kudu",
];

fn parameter(value: &str) -> ParameterReport {
    ParameterReport {
        value: value.to_owned(),
        origin: OriginReport {
            kind: "service".to_owned(),
            name: Some("kudu".to_owned()),
            file: Some("/srv/kudu/pg_service.conf".to_owned()),
            line: Some(3),
        },
        shadows: Vec::new(),
    }
}

fn settings() -> TargetReport {
    let mut target = TargetReport {
        url: Some(
            "postgresql://u-zebra@db.okapi.test:5432/d-quagga?sslrootcert=%2Fsrv%2Fkudu%2Fgnu.pem"
                .to_owned(),
        ),
        ssh: vec!["u-zebra@bastion.okapi.test:22".to_owned()],
        ..TargetReport::default()
    };
    for (name, value) in [
        ("host", "db.okapi.test"),
        ("hostaddr", "192.0.2.77"),
        ("user", "u-zebra"),
        ("dbname", "d-quagga"),
        ("port", "5432"),
        ("sslmode", "verify-full"),
        ("sslrootcert", "/srv/kudu/gnu.pem"),
        ("load_balance_hosts", "disable"),
    ] {
        target.parameters.insert(name.to_owned(), parameter(value));
    }
    target
}

fn redactor() -> Redactor {
    let mut redactor = Redactor::new(None);
    redactor.learn_target(&settings());
    redactor
}

fn without_names(shown: &str) {
    for name in NAMES {
        assert!(!shown.to_lowercase().contains(name), "{name} in {shown}");
    }
}

#[test]
fn a_target_keeps_what_names_nobody() {
    let mut redactor = redactor();
    let target = serde_json::to_value(settings()).unwrap();
    let shown = redactor.target(&target);
    let value = |name: &str| shown["parameters"][name]["value"].clone();
    assert_eq!(value("host"), "host-1");
    assert_eq!(value("hostaddr"), "address-1");
    assert_eq!(value("user"), "user-1");
    assert_eq!(value("dbname"), "database-1");
    assert_eq!(value("sslmode"), "verify-full");
    assert_eq!(value("load_balance_hosts"), "disable");
    assert_eq!(value("port"), "5432");
    let origin = &shown["parameters"]["host"]["origin"];
    assert_eq!(origin["name"], "service-1");
    assert!(
        origin["file"]
            .as_str()
            .unwrap()
            .ends_with("/pg_service.conf")
    );
    assert_eq!(
        shown["url"],
        format!(
            "postgresql://user-1@host-1:5432/database-1?sslrootcert={}",
            value("sslrootcert").as_str().unwrap()
        )
    );
    without_names(&shown.to_string());
}

#[test]
fn texts_of_servers_have_no_names() {
    let mut redactor = redactor();
    for (text, shown) in [
        (
            "password authentication failed for user \"u-zebra\"",
            "password authentication failed for user \"user-1\"",
        ),
        (
            "no pg_hba.conf entry for host \"192.0.2.77\", user \"u-zebra\", database \"d-quagga\", no encryption",
            "no pg_hba.conf entry for host \"address-1\", user \"user-1\", database \"database-1\", no encryption",
        ),
        (
            "Rolle »ghost« existiert nicht",
            "Rolle »name-1« existiert nicht",
        ),
        ("rôle « gnuu »", "rôle « name-2 »"),
        (
            "database \"the server\" is missing",
            "database \"database-2\" is missing",
        ),
        (
            "role \"ghost2\" does not exist",
            "role \"user-2\" does not exist",
        ),
        (
            "connection to server at \"db.okapi.test\" (192.0.2.77), port 5432 failed",
            "connection to server at \"host-1\" (address-1), port 5432 failed",
        ),
        (
            "could not open /srv/kudu/gnu.pem: denied",
            "could not open path-1: denied",
        ),
        (
            "could not open '/srv/kudu/my gnu.pem': denied",
            "could not open 'path-2': denied",
        ),
    ] {
        assert_eq!(redactor.said(text), shown);
    }
}

#[test]
fn forms_are_told_from_the_words_around_them() {
    let mut redactor = Redactor::new(None);
    for (text, shown) in [
        ("PGHOST=$DB host=%h user=<you> dbname={name}", ""),
        // Kept.
        ("localhost:5432, 127.0.0.1, ::1 and 0.0.0.0/0", ""),
        ("10.0.0.0/8 is private", ""),
        (
            "set listen_addresses in postgresql.conf, see pg_hba.conf",
            "",
        ),
        (
            "libpq.so.5 of PostgreSQL 15.18 (Debian 15.18-0+deb12u1)",
            "",
        ),
        ("tls.cert.expired at 12:30:45 on 2026-11-30 09:12 UTC", ""),
        ("cat ~/.pgpass /etc/resolv.conf ~/.ssh/known_hosts", ""),
        ("chacha20-poly1305@openssh.com and asyncpg@0.29", ""),
        ("std::fs::read, Error::CertNotValidForName", ""),
        ("see https://www.postgresql.org/docs/current/libpq.html", ""),
        ("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10", ""),
        ("50% of 1/2, and/or 3/4", ""),
        // Replaced.
        ("at 192.0.2.77:5432.", "at address-1:5432."),
        ("[2001:db8::77]:5432", "[address-2]:5432"),
        ("fe80::1%eth0 is local", "address-3 is local"),
        ("network 192.0.2.0/24", "network address-4/24"),
        ("db.okapi.test.", "host-1."),
        ("*.okapi.test", "*.host-2"),
        (
            "x.abc.eu-west-1.rds.amazonaws.com",
            "host-3.rds.amazonaws.com",
        ),
        ("ops@bastion:22", "user-1@host-4:22"),
        (
            "SHA256:Zk3vFINGERPRINT0000000000000000000000000000 is new",
            "fingerprint-1 is new",
        ),
        ("4f:1a:00:11:22:33:44:55:66", "fingerprint-2"),
        ("52:54:00:12:34:56", "address-5"),
        ("arn:aws:iam::123456789012:role/zebra", "id-1"),
        ("account 123456789012", "account id-2"),
        ("7f1c9a55-0000-4000-8000-000000000000", "id-3"),
        ("CN=okapi", "CN=name-1"),
        (
            "psql 'host=db7 user=ann dbname=ledger sslmode=require'",
            "psql 'host=host-5 user=user-2 dbname=database-1 sslmode=require'",
        ),
        ("/home/zebra/.pgpass line 2", "path-1/.pgpass line 2"),
        ("/srv/x.crt:12", "path-2:12"),
        ("\\\\wsl$\\Debian\\home\\zebra", "path-3"),
        ("C:\\Users\\zebra\\id_rsa", "path-4"),
        (
            "see https://git.okapi.test/zebra/db",
            "see https://host-6/path-5",
        ),
    ] {
        let shown = if shown.is_empty() { text } else { shown };
        assert_eq!(redactor.text(text), shown, "{text}");
    }
}

#[test]
fn words_stay_where_they_are_no_values() {
    let mut redactor = Redactor::new(None);
    redactor.names.learn(Kind::User, "the");
    redactor.names.learn(Kind::Database, "test");
    redactor.names.learn(Kind::Host, "server");
    for (text, shown) in [
        (
            "the server ends the connection after a test",
            "the server ends the connection after a test",
        ),
        (
            "logged in as the on test",
            "logged in as user-1 on database-1",
        ),
        ("role \"the\" is missing", "role \"user-1\" is missing"),
        (
            "psql -U the -d test -h server",
            "psql -U user-1 -d database-1 -h host-1",
        ),
        ("user=the", "user=user-1"),
        ("server:5432 refuses", "host-1:5432 refuses"),
        ("the@server", "user-1@host-1"),
        (
            "postgres://the@server/test",
            "postgres://user-1@host-1/database-1",
        ),
    ] {
        assert_eq!(redactor.text(text), shown);
    }
}

#[test]
fn a_report_has_no_names_and_the_same_findings() {
    let mut report = Report::new("check", &[Stage::Tls, Stage::Auth], Environment::default());
    report.target = settings();
    let record = report.stage(Stage::Tls);
    record.begin();
    record.fact(
        "chain",
        json!([{"subject": "CN=db.okapi.test, O=Kudu Ltd", "serial": "4f:1a"}]),
    );
    record.warn(
        Finding::new(&tls::CERT_EXPIRED)
            .with("host", "db.okapi.test".to_owned())
            .with("subject", "CN=db.okapi.test, O=Kudu Ltd".to_owned())
            .with("not_after", "2026-11-18 09:12 UTC"),
    );
    record.end(None);
    let record = report.stage(Stage::Auth);
    record.begin();
    record.end(Some(
        Finding::new(&auth::PASSWORD_WRONG)
            .with("user", "u-zebra".to_owned())
            .with("message", "no, Ltd says \"u-zebra\" at Kudu Ltd".to_owned())
            .word("more", "of d-quagga".to_owned())
            .fix(
                "Ask u-zebra:",
                Some("psql -U u-zebra -d d-quagga".to_owned()),
            ),
    ));
    report.finish(false);
    let shown = redactor().report(&report);
    let text = serde_json::to_string(&shown.to_json()).unwrap();
    without_names(&text);
    let read: Value = serde_json::from_str(&text).unwrap();
    let chain = &read["stages"][0]["facts"]["chain"][0];
    assert_eq!(chain["subject"], "CN=host-1, O=name-1");
    assert_eq!(chain["serial"], "serial-1");
    assert_eq!(read["verdict"]["cause"], "auth.password.wrong");
    assert_eq!(
        read["verdict"]["fixes"][0]["command"],
        "psql -U user-1 -d database-1"
    );
    assert_eq!(shown.stages[0].duration(), report.stages[0].duration());
    // The same from its JSON, as `diff` reads it.
    let json = serde_json::to_value(report.to_json()).unwrap();
    without_names(&redactor().json(&json).to_string());
}

#[test]
fn a_banner_may_name_anybody() {
    let shown = redactor().value(
        "banner",
        &json!("Kudu Ltd: authorized access to okapi only"),
    );
    assert!(!shown.as_str().unwrap().contains("Kudu"), "{shown}");
    without_names(&shown.to_string());
}

#[test]
fn certificates_of_providers_keep_their_name() {
    let mut redactor = Redactor::new(None);
    let shown = redactor.value(
        "issuer",
        &json!("CN=Amazon RDS eu-west-1 Root CA RSA2048 G1, O=Kudu"),
    );
    assert_eq!(
        shown,
        "CN=Amazon RDS eu-west-1 Root CA RSA2048 G1, O=name-1"
    );
}

#[test]
fn a_backslash_of_the_shell_is_left() {
    let mut redactor = Redactor::new(None);
    let command = shlex::try_quote("\\é\\\"").unwrap().into_owned();
    assert!(command.starts_with('"'), "{command}");
    let shown = redactor.text(&command);
    assert!(shlex::split(&shown).is_some(), "{command} {shown}");
}

#[test]
fn what_is_redacted_is_left() {
    let mut redactor = redactor();
    for text in [
        "postgresql://u-zebra@db.okapi.test/d-quagga",
        "no /srv/kudu/gnu.pem at 192.0.2.77",
    ] {
        let once = redactor.text(text);
        assert_eq!(redactor.text(&once), once);
    }
}

proptest::proptest! {
    #[test]
    fn no_spelling_of_a_name_is_left(
        name in "q[a-z]{4,9}[0-9]{2}",
        before in "[ -~]{0,12}",
        after in "[ -~]{0,12}",
    ) {
        let mut redactor = Redactor::new(None);
        redactor.names.learn(Kind::User, &name);
        for form in [name.clone(), name.to_uppercase(), format!("'{name}'"), format!("{name}:x")] {
            let shown = redactor.text(&format!("{before}{form}{after}"));
            proptest::prop_assert!(!shown.to_lowercase().contains(&name), "{}", shown);
        }
    }

    #[test]
    fn a_command_is_as_good_a_shells_as_before(
        name in "[a-z0-9é][a-z0-9é@:.$&;()* _]{0,9}[a-z0-9é]",
    ) {
        let mut redactor = Redactor::new(None);
        redactor.names.learn(Kind::Database, &name);
        let quoted = shlex::try_quote(&name).unwrap();
        let command = format!("psql -U app -d {quoted} -c 'select 1'");
        let shown = redactor.text(&command);
        let words = shlex::split(&shown);
        proptest::prop_assert_eq!(words.map(|it| it.len()), Some(7), "{} {}", command, shown);
    }

    #[test]
    fn no_text_causes_a_panic(text: String, name: String, key in "[a-z_]{1,12}") {
        let mut redactor = Redactor::new(Some("salt"));
        redactor.learn(&key, &json!(name));
        for key in [key.as_str(), "host", "path", "subject", "banner", "program", "error", "url"] {
            redactor.learn(key, &json!(text));
            redactor.value(key, &json!(text));
        }
        redactor.target(&json!({"url": text, "parameters": {"host": {"value": text}}}));
    }
}
