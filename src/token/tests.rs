//! Tokens of every kind, whole and as people get them wrong.

use dbdoctor_lab::token::{SignedUrl, base64url, encoded, jwt, noise};
use serde_json::json;

use super::*;

const HOST: &str = "orders.abcdefghijkl.eu-west-1.rds.amazonaws.com";
const CLUSTER: &str = "orders.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com";
const PROXY: &str = "orders.proxy-abcdefghijkl.eu-west-1.rds.amazonaws.com";
const DSQL: &str = "abcdefghijklmnopqrstuvwxyz.dsql.eu-west-1.on.aws";
const AZURE: &str = "orders.postgres.database.azure.com";

/// 2026-07-01 12:00 UTC.
const NOW: i64 = 1_782_907_200;

fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(NOW).unwrap()
}

/// The place that tokens are for here.
fn at(host: &str) -> Place<'_> {
    let provider = match host {
        HOST | CLUSTER => Some("Amazon RDS"),
        PROXY => Some("Amazon RDS Proxy"),
        DSQL => Some("Amazon Aurora DSQL"),
        AZURE => Some("Azure Database for PostgreSQL"),
        _ => None,
    };
    Place {
        host,
        port: 5432,
        user: "app",
        local: false,
        provider,
    }
}

/// The token of a password and its faults there, each by its words.
fn judged(password: &str, place: &Place<'_>) -> (&'static str, Vec<String>) {
    let token = read(&Secret::new(password)).unwrap_or_else(|| panic!("no token: {password}"));
    let faults = faults(&token, place, now());
    let clauses = faults.iter().map(|fault| fault.clause(now())).collect();
    (token.kind.name(), clauses)
}

/// The password is this kind of token, and its first fault is told with these words;
/// without words it has none.
fn check(name: &str, words: &str, password: &str, place: &Place<'_>) {
    let (kind, clauses) = judged(password, place);
    assert_eq!(kind, name, "{password}");
    match words {
        "" => assert!(clauses.is_empty(), "{clauses:?}: {password}"),
        words => {
            let first = clauses.first().map(String::as_str).unwrap_or_default();
            assert!(
                first.contains(words),
                "{words:?} is not in {clauses:?}: {password}"
            );
        }
    }
}

fn rds() -> SignedUrl {
    SignedUrl::rds(&format!("{HOST}:5432"), "app", "eu-west-1", NOW - 60)
}

fn rds_for(endpoint: &str) -> String {
    SignedUrl::rds(endpoint, "app", "eu-west-1", NOW - 60).text()
}

#[test]
fn iam_tokens_of_rds() {
    let whole = rds().text();
    let plain = SignedUrl {
        session: false,
        ..rds()
    };
    let aged = |seconds: i64| SignedUrl {
        at: NOW - seconds,
        ..rds()
    };
    let cut = |length: usize| whole[..length].to_owned();
    for (words, password) in [
        ("", whole.clone()),
        ("", plain.text()),
        ("", aged(899).text()),
        // The clocks of two machines are never the same.
        ("", aged(-120).text()),
        ("", rds_for(&format!("{}:5432", HOST.to_uppercase()))),
        ("", rds_for(&format!("{CLUSTER}:5432"))),
        (
            "expired 1 minute ago (2026-07-01 11:59 UTC)",
            aged(960).text(),
        ),
        ("expired 2 days ago", aged(86_400 * 3).text()),
        (
            "is not valid until 2026-07-01 14:00 UTC (2 hours from now)",
            aged(-7_200).text(),
        ),
        (
            "was created for billing.",
            rds_for("billing.abcdefghijkl.eu-west-1.rds.amazonaws.com:5432"),
        ),
        (
            "was created for orders.zyxwvutsrqpo",
            rds_for("orders.zyxwvutsrqpo.eu-west-1.rds.amazonaws.com:5432"),
        ),
        (
            "was created for orders.proxy-",
            rds_for(&format!("{PROXY}:5432")),
        ),
        (
            "not the name of an RDS endpoint",
            rds_for("db.corp.internal:5432"),
        ),
        ("not the name of an RDS endpoint", rds_for("localhost:5432")),
        (
            "not the name of an RDS endpoint",
            rds_for("127.0.0.1:15432"),
        ),
        (
            "was created for port 5433",
            rds_for(&format!("{HOST}:5433")),
        ),
        (
            "is signed for region us-east-1, but the host is in eu-west-1",
            SignedUrl {
                region: "us-east-1".to_owned(),
                ..rds()
            }
            .text(),
        ),
        (
            "was created for role billing",
            SignedUrl::rds(&format!("{HOST}:5432"), "billing", "eu-west-1", NOW).text(),
        ),
        (
            "was created for role App",
            SignedUrl::rds(&format!("{HOST}:5432"), "App", "eu-west-1", NOW).text(),
        ),
        (
            "is cut off: its signature is missing",
            cut(whole.find('&').unwrap()),
        ),
        (
            "is cut off: its signature is missing (255 characters",
            cut(255),
        ),
        (
            "is cut off: its signature is missing",
            cut(whole.rfind('&').unwrap()),
        ),
        (
            "its signature has 40 of 64 characters",
            cut(whole.len() - 24),
        ),
        (
            "its signature has 0 of 64 characters",
            cut(whole.len() - 64),
        ),
        (
            "its beginning, with the host, is missing",
            whole[whole.find("X-Amz").unwrap()..].to_owned(),
        ),
        (
            "has extra characters after its signature",
            format!("{whole}%"),
        ),
        ("has a line break at its end", format!("{whole}\n")),
        ("has a line break at its end", format!("{whole}\r\n")),
        ("has whitespace around it", format!(" {whole}")),
        (
            "has whitespace in it",
            whole.replacen("&X-Amz-Date", "\n&X-Amz-Date", 1),
        ),
        ("has quotes around it", format!("\"{whole}\"")),
        ("has quotes around it", format!("'{whole}'")),
        ("has \"PGPASSWORD\" in front", format!("PGPASSWORD={whole}")),
        ("has \"password\" in front", format!("password={whole}")),
        ("has \"https://\" in front", format!("https://{whole}")),
        ("percent-encoded once too often", encoded(&whole)),
        ("percent-encoded once too often", encoded(&encoded(&whole))),
        (
            "percent-encoded once too often",
            whole.replace("%2F", "%252F"),
        ),
        (
            "percent-decoded once too often",
            given::percent_decoded(&whole),
        ),
        (
            "percent-decoded once too often",
            given::percent_decoded(&whole).replace('+', " "),
        ),
        ("has &amp; in place of &", whole.replace('&', "&amp;")),
        ("has \\u0026 in place of &", whole.replace('&', "\\u0026")),
        (
            "has \\& in place of &",
            whole.replace('&', "\\&").replace('?', "\\?"),
        ),
        ("base64 once too often", base64url(whole.as_bytes())),
        (
            "is inside a JSON document",
            json!({ "token": whole }).to_string(),
        ),
        (
            "lacks the parameter DBUser",
            whole.replacen("&DBUser=app", "", 1),
        ),
    ] {
        check("RDS IAM token", words, &password, &at(HOST));
    }
}

#[test]
fn where_a_token_may_go_without_its_name() {
    let whole = rds().text();
    let tunnel = Place {
        local: true,
        port: 15_432,
        ..at(HOST)
    };
    check("RDS IAM token", "", &whole, &at("localhost"));
    check("RDS IAM token", "", &whole, &at("db.corp.internal"));
    check("RDS IAM token", "", &whole, &tunnel);
    check(
        "RDS IAM token",
        "",
        &rds_for(&format!("{HOST}:6543")),
        &tunnel,
    );
    check(
        "RDS IAM token",
        "was created for port 15432, which is the local end of a tunnel",
        &rds_for(&format!("{HOST}:15432")),
        &tunnel,
    );
    check(
        "RDS IAM token",
        "was created for orders.",
        &whole,
        &at(PROXY),
    );
    let (host, port, region) = tunnel.wants(&read(&Secret::new(whole)).unwrap().claims);
    assert_eq!(host.as_deref(), Some(HOST));
    assert_eq!((port, region.as_deref()), (Some(5432), Some("eu-west-1")));
}

#[test]
fn every_fault_is_told() {
    let token = SignedUrl::rds("billing.xyz.us-east-1.rds.amazonaws.com:5432", "me", "x", 0);
    let (_, clauses) = judged(&format!("{}\n", token.text()), &at(HOST));
    let all = clauses.join(", ");
    for words in [
        "line break",
        "expired 56 years ago",
        "for billing.",
        "role me",
    ] {
        assert!(all.contains(words), "{words:?} is not in {all}");
    }
}

#[test]
fn tokens_of_aurora_dsql() {
    let of = |action: &str, at: i64| SignedUrl::dsql(DSQL, action, "eu-west-1", at);
    let admin = Place {
        user: "admin",
        ..at(DSQL)
    };
    let app = at(DSQL);
    let whole = of("DbConnect", NOW - 60);
    let for_admin = of("DbConnectAdmin", NOW - 60);
    let other = SignedUrl::dsql("zyx.dsql.eu-west-1.on.aws", "DbConnect", "eu-west-1", NOW);
    for (words, password, place) in [
        ("", whole.text(), &app),
        ("", for_admin.text(), &admin),
        (
            "",
            SignedUrl {
                expires: 604_800,
                at: NOW - 86_400,
                ..whole.clone()
            }
            .text(),
            &app,
        ),
        ("allows only DbConnect", whole.text(), &admin),
        ("allows only DbConnectAdmin", for_admin.text(), &app),
        (
            "expired 15 minutes ago",
            of("DbConnect", NOW - 1_800).text(),
            &app,
        ),
        ("was created for zyx.dsql", other.text(), &app),
        (
            "is signed for region us-east-1",
            SignedUrl {
                region: "us-east-1".to_owned(),
                ..whole.clone()
            }
            .text(),
            &app,
        ),
        (
            "its signature is missing",
            whole.text()[..200].to_owned(),
            &app,
        ),
        ("has a line break", format!("{}\n", whole.text()), &app),
        (
            "\"https://\" in front",
            format!("https://{}", whole.text()),
            &app,
        ),
        ("Amazon RDS does not accept", whole.text(), &at(HOST)),
    ] {
        check("Aurora DSQL token", words, &password, place);
    }
    check(
        "RDS IAM token",
        "Amazon Aurora DSQL does not accept",
        &rds().text(),
        &app,
    );
    let cache = SignedUrl {
        service: "elasticache".to_owned(),
        ..rds()
    };
    let name = "signed AWS request for another service";
    check(
        name,
        "no PostgreSQL server accepts",
        &cache.text(),
        &at(HOST),
    );
}

fn entra(audience: &str, until: i64) -> String {
    jwt(&json!({
        "aud": audience,
        "iss": "https://sts.windows.net/7f1c9a55-0000-0000-0000-000000000000/",
        "nbf": until - 5_400,
        "exp": until,
        "upn": "app@corp.test",
        "oid": "5b7c0000-0000-0000-0000-000000000000",
    }))
}

#[test]
fn tokens_of_entra() {
    const OSSRDBMS: &str = "https://ossrdbms-aad.database.windows.net";
    let whole = entra(OSSRDBMS, NOW + 3_600);
    let parts: Vec<&str> = whole.split('.').collect();
    let place = at(AZURE);
    for (words, password) in [
        ("", whole.clone()),
        ("", entra(&format!("{OSSRDBMS}/"), NOW + 60)),
        ("", entra("123cd850-d9df-40bd-94d5-c9f07b7fa203", NOW + 60)),
        (
            "",
            entra("https://ossrdbms-aad.database.usgovcloudapi.net", NOW + 60),
        ),
        (
            "",
            entra("https://ossrdbms-aad.database.chinacloudapi.cn/", NOW + 60),
        ),
        (
            "expired 5 minutes ago (2026-07-01 11:55 UTC)",
            entra(OSSRDBMS, NOW - 300),
        ),
        ("expired 2 days ago", entra(OSSRDBMS, NOW - 172_800)),
        (
            "is not valid until 2026-07-01 13:30 UTC",
            entra(OSSRDBMS, NOW + 5_400 * 2),
        ),
        (
            "was issued for https://management.azure.com/, not for https://ossrdbms",
            entra("https://management.azure.com/", NOW + 60),
        ),
        (
            "was issued for https://graph.microsoft.com",
            entra("https://graph.microsoft.com", NOW + 60),
        ),
        (
            "was issued for https://database.windows.net",
            entra("https://database.windows.net/", NOW + 60),
        ),
        (
            "its signature is missing",
            format!("{}.{}", parts[0], parts[1]),
        ),
        (
            "its signature is missing",
            format!("{}.{}.", parts[0], parts[1]),
        ),
        (
            "has 100 of 342 characters",
            format!("{}.{}.{}", parts[0], parts[1], &parts[2][..100]),
        ),
        ("has a line break at its end", format!("{whole}\n")),
        ("has quotes around it", format!("\"{whole}\"")),
        ("has brackets around it", format!("{{{whole}}}")),
        ("has \"Bearer\" in front", format!("Bearer {whole}")),
        (
            "is inside a JSON document",
            json!({ "accessToken": whole, "tokenType": "Bearer" }).to_string(),
        ),
        ("base64 once too often", base64url(whole.as_bytes())),
        ("has whitespace in it", whole.replacen('.', ".\n", 1)),
        (
            "has extra characters after its signature",
            format!("{whole}%0A"),
        ),
        ("has too many parts", format!("{whole}.x.y.z")),
    ] {
        check("Microsoft Entra token", words, &password, &place);
    }
    check(
        "Microsoft Entra token",
        "Amazon RDS does not accept",
        &whole,
        &at(HOST),
    );
    // Cut before its issuer can be read.
    for length in [60, 99, 128] {
        check(
            "JWT",
            "its second half is missing",
            &whole[..length],
            &at("db.test"),
        );
    }
}

#[test]
fn tokens_of_google_and_others() {
    let other = at("db.test");
    let claims = |issuer: &str, until: i64| json!({ "iss": issuer, "exp": until, "sub": "app@corp.test", "email": "app@corp.test" });
    let of = |issuer: &str| jwt(&claims(issuer, NOW + 60));
    let ya29 = format!("ya29.{}", noise("google", 220));
    let google = Place {
        provider: Some("Google Cloud SQL"),
        ..other
    };
    for (name, words, password, place) in [
        ("Google access token", "", ya29.clone(), &google),
        ("Google access token", "", ya29.clone(), &other),
        (
            "Google access token",
            "line break",
            format!("{ya29}\n"),
            &google,
        ),
        (
            "Google access token",
            "quotes",
            format!("'{ya29}'"),
            &google,
        ),
        (
            "Google access token",
            "\"Bearer\"",
            format!("Bearer {ya29}"),
            &google,
        ),
        (
            "Google access token",
            "Amazon RDS does not accept",
            ya29.clone(),
            &at(HOST),
        ),
        (
            "Google access token",
            "JSON document",
            json!({ "access_token": ya29, "expires_in": 3599 }).to_string(),
            &google,
        ),
        (
            "Google identity token",
            "no PostgreSQL server accepts",
            of("https://accounts.google.com"),
            &google,
        ),
        (
            "Databricks token",
            "",
            of("https://dbc-1234.cloud.databricks.com/oidc"),
            &other,
        ),
        (
            "Databricks token",
            "expired",
            jwt(&claims("https://adb-1.2.azuredatabricks.net/oidc", NOW - 1)),
            &other,
        ),
        (
            "Databricks personal access token",
            "no PostgreSQL",
            format!("dapi{}", "0f".repeat(16)),
            &other,
        ),
        (
            "Supabase API key",
            "no PostgreSQL",
            jwt(&json!({ "iss": "supabase", "role": "anon", "exp": NOW + 60 })),
            &other,
        ),
        (
            "Supabase API key",
            "no PostgreSQL",
            format!("sb_secret_{}", noise("s", 31)),
            &other,
        ),
        (
            "Supabase session token",
            "no PostgreSQL",
            of("https://abc.supabase.co/auth/v1"),
            &other,
        ),
        ("JWT", "", of("https://login.corp.test/"), &other),
        ("JWT", "", jwt(&json!({ "sub": "app" })), &other),
        (
            "JWT",
            "expired 1 hour ago",
            jwt(&claims("https://login.corp.test", NOW - 3_600)),
            &other,
        ),
        (
            "JWT",
            "is not valid until",
            jwt(&json!({ "sub": "app", "nbf": NOW + 3_600 })),
            &other,
        ),
        (
            "JWT",
            "Google Cloud SQL does not accept",
            of("https://login.corp.test"),
            &google,
        ),
    ] {
        check(name, words, &password, place);
    }
}

#[test]
fn an_ordinary_password_is_no_token() {
    for password in [
        "",
        "hunter2",
        "correct horse battery staple",
        "https://db.corp.test/?action=connect&x=y",
        "Action=connect&DBUser=app-but-no-token",
        "eyeglasses.are.not-a-token-at-all",
        "ewe.lamb.ram.sheep.and.goat",
        "orders.abcdefghijkl.eu-west-1.rds.amazonaws.com:5432",
        "{\"user\": \"app\", \"host\": \"db.corp.test\"}",
        "npg_abcdefghijkl0123456789",
        "AVNS_abcdefghijklmnopqrs",
        "Zm9yIHNob3J0IHRoaW5ncyB0aGF0IGFyZSBiYXNlNjQ=",
        "%41%42%43%44%45%46%47%48%49",
        "\u{1f511}\u{1f511}\u{1f511}\u{1f511}\u{1f511}\u{1f511}",
    ] {
        assert!(read(&Secret::new(password)).is_none(), "{password}");
    }
}

#[test]
fn a_limit_is_named_where_a_token_ends_at_it() {
    let whole = rds().text();
    for length in [255, 256, 512, 1000, 1024] {
        let Some(text) = whole.get(..length) else {
            continue;
        };
        let token = read(&Secret::new(text)).unwrap();
        let limits: Vec<&str> = token.damage.iter().filter_map(|d| d.limit()).collect();
        assert_eq!(limits.len(), 1, "{length}: {:?}", token.damage);
    }
}

#[test]
fn the_secret_parts_are_guarded_alone() {
    let token = rds();
    let parts = parts(&Secret::new(token.text()));
    let has = |text: &str| parts.iter().any(|part| part.expose().as_str() == text);
    assert_eq!(parts.len(), 3);
    assert!(has(&token.signature()));
    let twice = super::parts(&Secret::new(encoded(&encoded(&token.text()))));
    assert!(
        twice
            .iter()
            .any(|part| part.expose().as_str() == token.signature())
    );
    assert!(!has("AWS4-HMAC-SHA256") && !has(HOST));
    let jwt = entra("x", NOW);
    assert_eq!(super::parts(&Secret::new(jwt)).len(), 3);
    assert!(super::parts(&Secret::new("an ordinary password")).is_empty());
}

proptest::proptest! {
    #[test]
    fn no_password_causes_a_panic(text: String) {
        if let Some(token) = read(&Secret::new(text)) {
            faults(&token, &at(HOST), now());
        }
    }

    #[test]
    fn no_piece_of_a_token_causes_a_panic(from in 0..900usize, to in 0..900usize) {
        let jwt = entra("x", NOW);
        for whole in [rds().text(), jwt] {
            let piece: String = whole.chars().skip(from).take(to).collect();
            if let Some(token) = read(&Secret::new(piece)) {
                faults(&token, &at(HOST), now());
            }
        }
    }

    #[test]
    fn no_claim_causes_a_panic(from: i64, until: i64, expires: u32) {
        let text = jwt(&json!({ "nbf": from, "exp": until }));
        if let Some(token) = read(&Secret::new(text)) {
            for fault in faults(&token, &at(HOST), now()) {
                fault.clause(now());
            }
        }
        read(&Secret::new(SignedUrl { expires, ..rds() }.text()));
    }
}
