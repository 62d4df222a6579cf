//! Passwords that are tokens: servers that refuse them, and what is wrong with each.

use serde_json::json;

use super::*;
use crate::Postgres;
use crate::impostor::CLEARTEXT;
use crate::scenario::findings;
use crate::token::{SignedUrl, base64url, encoded, jwt, noise, now};

const RDS: &str = "orders.abcdefghijkl.eu-west-1.rds.amazonaws.com";
const DSQL: &str = "abcdefghijkl.dsql.eu-west-1.on.aws";
const AZURE: &str = "orders.postgres.database.azure.com";
const SQL: &str = "abcdef.europe-west1.sql.goog";

/// A server that asks for the password itself, as one does that passes it on to PAM.
fn cleartext(lab: &Lab) -> Result<Postgres> {
    lab.new_postgres().hba("host all all all password").start()
}

/// A token that is right for this server under its name at RDS.
fn iam(port: u16) -> SignedUrl {
    SignedUrl::rds(&format!("{RDS}:{port}"), "app", "eu-west-1", now() - 60)
}

fn entra(audience: &str, until: i64) -> String {
    jwt(&json!({
        "aud": audience,
        "iss": "https://sts.windows.net/7f1c9a55-0000-0000-0000-000000000000/",
        "nbf": until - 5_400,
        "exp": until,
        "upn": "app@corp.test",
    }))
}

const OSSRDBMS: &str = "https://ossrdbms-aad.database.windows.net";

/// Where this server is reached under that name.
fn named(pg: &Postgres, host: &str) -> Conn {
    pg.conn()
        .set("host", host)
        .set("hostaddr", "127.0.0.1")
        .set("sslmode", "disable")
}

/// No eight characters of the token's secret parts are in the report.
fn shows_nothing_of(case: Case, password: &str) -> Case {
    let secret = match password.split_once("X-Amz-Signature") {
        Some((_, signature)) => signature.trim_start_matches(['=', '%']).to_owned(),
        None if password.contains("ey") => password.rsplit('.').next().unwrap_or_default().into(),
        None => String::new(),
    };
    case.assert(move |report| {
        let report = report.to_string();
        let pieces: Vec<char> = secret.trim().chars().collect();
        for piece in pieces.windows(8) {
            let piece: String = piece.iter().collect();
            ensure!(!report.contains(&piece), "{piece:?} is shown");
        }
        Ok(())
    })
}

/// A case whose summary has the one word and whose first fix has the other.
fn told(conn: Conn, password: &str, summary: &'static str, fix: &'static str) -> Case {
    let case = Case::check(conn).password(password);
    let case = case.assert(move |report| {
        let verdict = &report["verdict"];
        let text = verdict["summary"].as_str().unwrap_or_default();
        ensure!(text.contains(summary), "{summary:?} is not in {text:?}");
        let first = &verdict["fixes"][0];
        let first = format!(
            "{} {}",
            first["text"].as_str().unwrap_or_default(),
            first["command"].as_str().unwrap_or_default()
        );
        ensure!(first.contains(fix), "{fix:?} is not in {first:?}");
        ensure!(verdict["retryable"] == false, "it is not retryable");
        Ok(())
    });
    shows_nothing_of(case, password)
}

/// `dbdoctor config` with this token.
fn config(token: &str, words: &'static str) -> Result<Case> {
    let conn = Conn::new().set("host", RDS).set("user", "app");
    let case = Case::check(conn).command("config").password(token);
    let case = case.assert(move |report| {
        let summary = report["verdict"]["summary"].as_str().unwrap_or_default();
        ensure!(summary.contains(words), "{words:?} is not in {summary:?}");
        Ok(())
    });
    Ok(shows_nothing_of(case, token))
}

/// The login's finding has this evidence.
fn has(case: Case, name: &'static str, value: &'static str) -> Case {
    case.assert(move |report| {
        let found: Vec<String> = findings(report)
            .map(|finding| finding["evidence"][name].to_string())
            .collect();
        ensure!(
            found.iter().any(|text| text.contains(value)),
            "{name} has no {value:?}: {found:?}"
        );
        Ok(())
    })
}

/// A token that a server under RDS's name refuses.
macro_rules! refused_at_rds {
    ($name:literal, $summary:literal, $fix:literal, $token:expr) => {
        Scenario::new(
            concat!("auth-token-rds-", $name),
            concat!("an IAM token that is refused: ", $name),
            Expect::Fail("auth.password.token"),
            &[Need::Postgres],
            |lab| {
                let pg = cleartext(lab)?;
                let make: fn(u16) -> String = $token;
                let token = make(5_432);
                Ok(told(named(&pg, RDS), &token, $summary, $fix).keep(pg))
            },
        )
    };
}

/// A token that a server of this name refuses.
macro_rules! refused {
    ($name:literal, $host:expr, $summary:literal, $fix:literal, $token:expr) => {
        Scenario::new(
            concat!("auth-token-", $name),
            concat!("a token that is refused: ", $name),
            Expect::Fail("auth.password.token"),
            &[Need::Postgres],
            |lab| {
                let pg = cleartext(lab)?;
                let token: String = $token;
                Ok(told(named(&pg, $host), &token, $summary, $fix).keep(pg))
            },
        )
    };
}

/// An end that asks for the password and refuses it in these words.
fn says(host: &str, sqlstate: &'static str, message: &'static str) -> Result<(Peer, Conn)> {
    let peer = impostor(move |client| {
        client.ask(CLEARTEXT, b"")?;
        client.receive()?;
        client.error(&[('S', "FATAL"), ('C', sqlstate), ('M', message)])
    })?;
    let conn = at(&peer).set("host", host).set("hostaddr", "127.0.0.1");
    Ok((peer, conn))
}

/// Tokens.
pub const SCENARIOS: &[Scenario] = &[
    refused_at_rds!(
        "expired",
        "an RDS IAM token that expired 45 minutes ago",
        "generate-db-auth-token --hostname orders.abcdefghijkl.eu-west-1.rds.amazonaws.com",
        |port| SignedUrl {
            at: now() - 3_600,
            ..iam(port)
        }
        .text()
    ),
    refused_at_rds!("early", "is not valid until", "Correct the clock", |port| {
        SignedUrl {
            at: now() + 7_200,
            ..iam(port)
        }
        .text()
    }),
    refused_at_rds!(
        "other-host",
        "was created for billing.abcdefghijkl.eu-west-1.rds.amazonaws.com",
        "--hostname orders.abcdefghijkl.eu-west-1.rds.amazonaws.com",
        |port| SignedUrl {
            endpoint: format!("billing.abcdefghijkl.eu-west-1.rds.amazonaws.com:{port}"),
            ..iam(port)
        }
        .text()
    ),
    refused_at_rds!(
        "alias",
        "was created for db.corp.test, which is not the name of an RDS endpoint",
        "--hostname orders.abcdefghijkl.eu-west-1.rds.amazonaws.com",
        |port| SignedUrl {
            endpoint: format!("db.corp.test:{port}"),
            ..iam(port)
        }
        .text()
    ),
    Scenario::new(
        "auth-token-rds-tunnel-port",
        "an IAM token for another port than the tunnel's, which may be the server's",
        Expect::Fail("auth.password.wrong"),
        &[Need::Postgres],
        |lab| {
            let pg = cleartext(lab)?;
            let token = iam(6_543).text();
            let case = Case::check(named(&pg, RDS)).password(&token);
            Ok(has(shows_nothing_of(case, &token), "token", "RDS IAM token").keep(pg))
        },
    ),
    Scenario::new(
        "auth-token-rds-own-tunnel-port",
        "an IAM token for the port of the tunnel itself",
        Expect::Fail("auth.password.token"),
        &[Need::Postgres],
        |lab| {
            let pg = cleartext(lab)?;
            let token = iam(pg.port()).text();
            let fix = "--port 5432 --region eu-west-1";
            let summary = "which is the local end of a tunnel";
            Ok(told(named(&pg, RDS), &token, summary, fix).keep(pg))
        },
    ),
    refused_at_rds!(
        "other-region",
        "is signed for region us-east-1, but the host is in eu-west-1",
        "--region eu-west-1 --username app",
        |port| SignedUrl {
            region: "us-east-1".to_owned(),
            ..iam(port)
        }
        .text()
    ),
    refused_at_rds!(
        "other-role",
        "was created for role billing",
        "--username app",
        |port| SignedUrl {
            request: "Action=connect&DBUser=billing".to_owned(),
            ..iam(port)
        }
        .text()
    ),
    refused_at_rds!(
        "cut-by-a-shell",
        "is cut off: its signature is missing",
        "in quotes in a shell",
        |port| {
            let text = iam(port).text();
            text.split('&').next().unwrap_or_default().to_owned()
        }
    ),
    refused_at_rds!(
        "cut-by-a-column",
        "is cut off: its signature is missing (255 characters were given)",
        "pass it unchanged",
        |port| iam(port).text()[..255].to_owned()
    ),
    refused_at_rds!(
        "cut-at-its-end",
        "its signature has 44 of 64 characters",
        "pass it unchanged",
        |port| {
            let text = iam(port).text();
            text[..text.len() - 20].to_owned()
        }
    ),
    refused_at_rds!(
        "encoded-twice",
        "is percent-encoded once too often",
        "percent-encoded exactly once in a URL",
        |port| iam(port).text().replace("%2F", "%252F")
    ),
    refused_at_rds!(
        "decoded",
        "was percent-decoded once too often",
        "pass it unchanged",
        |port| iam(port).text().replace("%2B", "+").replace("%2F", "/")
    ),
    refused_at_rds!(
        "line-break",
        "has a line break at its end",
        "without a line break",
        |port| format!("{}\n", iam(port).text())
    ),
    refused_at_rds!(
        "scheme",
        "has \"https://\" in front of it",
        "pass it unchanged",
        |port| format!("https://{}", iam(port).text())
    ),
    refused_at_rds!(
        "of-entra",
        "a Microsoft Entra token that Amazon RDS does not accept",
        "generate-db-auth-token",
        |_| entra(OSSRDBMS, now() + 3_600)
    ),
    Scenario::new(
        "auth-token-rds-url",
        "an IAM token that was percent-encoded twice in a URL",
        Expect::Fail("auth.password.token"),
        &[Need::Postgres],
        |lab| {
            let pg = cleartext(lab)?;
            let token = iam(pg.port()).text();
            let twice = encoded(&encoded(&token));
            let url = format!(
                "postgresql://app:{twice}@{RDS}:{}/appdb?hostaddr=127.0.0.1&sslmode=disable",
                pg.port()
            );
            let case = has(Case::target(url), "problem", "damaged");
            Ok(shows_nothing_of(case, &token).keep(pg))
        },
    ),
    Scenario::new(
        "auth-token-rds-pam",
        "an IAM token that has expired, and RDS refuses it through PAM",
        Expect::Fail("auth.password.token"),
        &[],
        |_| {
            let words = "PAM authentication failed for user \"app\"";
            let (peer, conn) = says(RDS, "28000", words)?;
            let token = SignedUrl {
                at: now() - 7_200,
                ..iam(peer.port())
            };
            let case = told(
                conn,
                &token.text(),
                "that expired",
                "generate-db-auth-token",
            );
            Ok(case.keep(peer))
        },
    ),
    Scenario::new(
        "auth-token-rds-pam-whole",
        "an IAM token without a fault, and RDS refuses it through PAM",
        Expect::Fail("auth.pam"),
        &[],
        |_| {
            let words = "PAM authentication failed for user \"app\"";
            let (peer, conn) = says(RDS, "28000", words)?;
            let token = iam(5_432).text();
            let conn = conn.set("sslmode", "disable");
            let case = told(conn, &token, "PAM", "rds-db:connect");
            Ok(has(case, "token_until", "UTC").keep(peer))
        },
    ),
    Scenario::new(
        "auth-token-rds-scram",
        "an IAM token without a fault, and the server compares it with a stored password",
        Expect::Fail("auth.password.wrong"),
        &[Need::Postgres],
        |lab| {
            let pg = with_tls(lab, None)?.start()?;
            let token = iam(5_432).text();
            let conn = named(&pg, RDS).set("sslmode", "require");
            let case = told(
                conn,
                &token,
                "does not accept the password",
                "Grant rds_iam",
            );
            Ok(has(case, "token", "RDS IAM token").keep(pg))
        },
    ),
    Scenario::new(
        "auth-token-rds-plain",
        "an IAM token without a fault, and no TLS, without which RDS accepts none",
        Expect::Fail("auth.password.wrong"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().start()?;
            let token = iam(5_432).text();
            let conn = named(&pg, RDS);
            let case = told(
                conn,
                &token,
                "does not accept the password",
                "sslmode=require",
            );
            Ok(has(case, "token_endpoint", RDS).keep(pg))
        },
    ),
    Scenario::new(
        "auth-token-rds-plain-hba",
        "an IAM token through a tunnel, and pg_hba.conf takes TLS alone",
        Expect::Fail("auth.hba.needs-tls"),
        &[Need::Postgres],
        |lab| {
            let pg = with_tls(lab, None)?
                .hba("hostssl all all all password")
                .start()?;
            let conn = pg.conn().set("sslmode", "disable");
            let case = Case::check(conn).password(&iam(5_432).text());
            Ok(has(case, "token", "RDS IAM token").keep(pg))
        },
    ),
    Scenario::new(
        "auth-token-rds-tunnel",
        "an IAM token without a fault through a tunnel, whose host and port are others",
        Expect::Fail("auth.password.wrong"),
        &[Need::Postgres],
        |lab| {
            let pg = cleartext(lab)?;
            let conn = pg.conn().set("host", "localhost").set("sslmode", "disable");
            let case = told(
                conn,
                &iam(5_432).text(),
                "does not accept",
                "sslmode=require",
            );
            Ok(has(case, "provider", "Amazon RDS").keep(pg))
        },
    ),
    Scenario::new(
        "auth-token-rds-alias-of-both",
        "an IAM token for the alias that the connection goes to",
        Expect::Fail("auth.password.token"),
        &[Need::Postgres],
        |lab| {
            let pg = cleartext(lab)?;
            let token = SignedUrl {
                endpoint: format!("db.corp.test:{}", pg.port()),
                ..iam(0)
            };
            let conn = named(&pg, "db.corp.test");
            let summary = "which is not the name of an RDS endpoint";
            Ok(told(conn, &token.text(), summary, "for the endpoint's own name").keep(pg))
        },
    ),
    Scenario::new(
        "auth-token-rds-env-file",
        "an IAM token that has expired, in an environment file",
        Expect::Fail("auth.password.token"),
        &[Need::Postgres],
        |lab| {
            let pg = cleartext(lab)?;
            let token = SignedUrl {
                at: now() - 3_600,
                ..iam(pg.port())
            };
            let token = token.text();
            let file = lab.dir("token")?.join(".env");
            std::fs::write(&file, format!("PGPASSWORD=\"{token}\"\n"))?;
            let case = Case::check(named(&pg, RDS)).args(&["--env-file"]);
            let case = case.arg(file.display()).env("PGPASSWORD", &token);
            Ok(shows_nothing_of(has(case, "problem", "expired"), &token).keep(pg))
        },
    ),
    Scenario::new(
        "auth-token-trust",
        "a token that has expired, and a server that asks for no password",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().hba("host all all all trust").start()?;
            let token = SignedUrl {
                at: 0,
                ..iam(5_432)
            };
            let case = Case::check(pg.conn()).password(&token.text());
            let case = case.forbids("auth.password.token");
            Ok(case.forbids("config.password.token").keep(pg))
        },
    ),
    Scenario::new(
        "auth-token-stored",
        "a token that has expired, and is the role's password",
        Expect::Pass,
        &[Need::Postgres],
        |lab| {
            let token = SignedUrl {
                at: 0,
                ..iam(5_432)
            };
            let sql = format!("alter role app password '{}'", token.text());
            let pg = lab.new_postgres().sql(&sql).start()?;
            let case = Case::check(pg.conn()).password(&token.text());
            Ok(case.forbids("auth.password.token").keep(pg))
        },
    ),
    refused!(
        "dsql-expired",
        DSQL,
        "an Aurora DSQL token that expired",
        "generate-db-connect-auth-token --hostname abcdefghijkl.dsql.eu-west-1.on.aws",
        SignedUrl::dsql(DSQL, "DbConnect", "eu-west-1", now() - 3_600).text()
    ),
    refused!(
        "dsql-action",
        DSQL,
        "that allows only DbConnectAdmin",
        "the action that roles other than admin need",
        SignedUrl::dsql(DSQL, "DbConnectAdmin", "eu-west-1", now()).text()
    ),
    refused!(
        "dsql-at-rds",
        RDS,
        "an Aurora DSQL token that Amazon RDS does not accept",
        "aws rds generate-db-auth-token",
        SignedUrl::dsql(DSQL, "DbConnect", "eu-west-1", now()).text()
    ),
    refused!(
        "entra-expired",
        AZURE,
        "a Microsoft Entra token that expired 2 hours ago",
        "az account get-access-token --resource-type oss-rdbms",
        entra(OSSRDBMS, now() - 7_201)
    ),
    refused!(
        "entra-audience",
        AZURE,
        "was issued for https://management.azure.com/, not for https://ossrdbms-aad",
        "az account get-access-token --resource-type oss-rdbms",
        entra("https://management.azure.com/", now() + 3_600)
    ),
    refused!(
        "entra-cut",
        AZURE,
        "is cut off: its signature is missing",
        "pass it unchanged",
        {
            let token = entra(OSSRDBMS, now() + 3_600);
            token[..token.rfind('.').unwrap_or_default()].to_owned()
        }
    ),
    refused!(
        "entra-base64",
        AZURE,
        "is encoded in base64 once too often",
        "pass it unchanged",
        base64url(entra(OSSRDBMS, now() + 3_600).as_bytes())
    ),
    refused!(
        "entra-json",
        AZURE,
        "is inside a JSON document",
        "--query accessToken --output tsv",
        json!({ "accessToken": entra(OSSRDBMS, now() + 3_600) }).to_string()
    ),
    Scenario::new(
        "auth-token-entra-whole",
        "a token of Entra without a fault, and no role for it",
        Expect::Fail("auth.password.wrong"),
        &[Need::Postgres],
        |lab| {
            let pg = cleartext(lab)?;
            let token = entra(OSSRDBMS, now() + 3_600);
            let case = told(
                named(&pg, AZURE),
                &token,
                "does not accept the password",
                "Log in as app@corp.test, for whom the token was issued",
            );
            Ok(has(case, "token_user", "app@corp.test").keep(pg))
        },
    ),
    Scenario::new(
        "auth-token-entra-own",
        "a token of Entra without a fault for the role itself, which does not exist there",
        Expect::Fail("auth.password.wrong"),
        &[Need::Postgres],
        |lab| {
            let pg = cleartext(lab)?;
            let token = entra(OSSRDBMS, now() + 3_600);
            let case = told(
                named(&pg, AZURE).set("user", "app@corp.test"),
                &token,
                "does not accept the password",
                "pgaadauth_create_principal('app@corp.test'",
            );
            Ok(case.keep(pg))
        },
    ),
    Scenario::new(
        "auth-token-azure-words",
        "a password that is no token, and Azure says that it is none",
        Expect::Fail("auth.password.token"),
        &[],
        |_| {
            let words = "The access token has invalid format. Please ensure the token is passed \
                         exactly as returned by the authentication endpoint and retry.";
            let (peer, conn) = says(AZURE, "28000", words)?;
            let case = told(
                conn,
                "an-0rdinary-canary",
                "token",
                "az account get-access-token",
            );
            Ok(case.keep(peer))
        },
    ),
    Scenario::new(
        "auth-token-azure-expired-words",
        "Azure says that the token has expired, and it says so itself",
        Expect::Fail("auth.password.token"),
        &[],
        |_| {
            let words = "The access token has expired. Please acquire a new token and retry.";
            let (peer, conn) = says(AZURE, "28P01", words)?;
            let token = entra(OSSRDBMS, now() - 60);
            let case = told(
                conn,
                &token,
                "that expired 1 minute ago",
                "Create a new token",
            );
            Ok(case.keep(peer))
        },
    ),
    Scenario::new(
        "auth-token-rds-proxy-words",
        "RDS Proxy refuses a token that has expired",
        Expect::Fail("auth.password.token"),
        &[],
        |_| {
            let host = "orders.proxy-abcdefghijkl.eu-west-1.rds.amazonaws.com";
            let words = "The IAM authentication failed for the role app. Check the IAM token for \
                         this role and try again.";
            let (peer, conn) = says(host, "28P01", words)?;
            let token = SignedUrl {
                endpoint: format!("{host}:{}", peer.port()),
                at: now() - 3_600,
                ..iam(0)
            };
            let case = told(
                conn,
                &token.text(),
                "that expired",
                "generate-db-auth-token",
            );
            Ok(case.keep(peer))
        },
    ),
    refused!(
        "google-identity",
        SQL,
        "a Google identity token that no PostgreSQL server accepts as a password",
        "gcloud sql generate-login-token",
        jwt(
            &json!({ "iss": "https://accounts.google.com", "exp": now() + 60, "email": "a@b.test" })
        )
    ),
    refused!(
        "google-line-break",
        SQL,
        "a Google access token that has a line break at its end",
        "gcloud sql generate-login-token",
        format!("ya29.{}\n", noise("google", 200))
    ),
    Scenario::new(
        "auth-token-google-scram",
        "an access token of Google, and the server compares it with a stored password",
        Expect::Fail("auth.password.wrong"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().start()?;
            let token = format!("ya29.{}", noise("google", 200));
            let case = told(
                named(&pg, SQL),
                &token,
                "does not accept",
                "cloudsql.iam_authentication",
            );
            Ok(case.keep(pg))
        },
    ),
    refused!(
        "supabase-key",
        "db.abcdefghijklmnopqrst.supabase.co",
        "a Supabase API key that no PostgreSQL server accepts",
        "the role's own password",
        jwt(
            &json!({ "iss": "supabase", "ref": "abcdefghijklmnopqrst", "role": "anon", "exp": now() + 60 })
        )
    ),
    refused!(
        "jwt-expired",
        "db.corp.test",
        "a JWT that expired 2 hours ago",
        "Create a new token",
        jwt(&json!({ "iss": "https://login.corp.test", "exp": now() - 7_201 }))
    ),
    refused!(
        "databricks-expired",
        "instance-1.database.cloud.databricks.com",
        "a Databricks token that expired",
        "Create a new token",
        jwt(&json!({ "iss": "https://dbc-1.cloud.databricks.com/oidc", "exp": now() - 7_201 }))
    ),
    Scenario::new(
        "auth-token-jwt-whole",
        "a JWT without a fault, and a server that knows only its own passwords",
        Expect::Fail("auth.password.wrong"),
        &[Need::Postgres],
        |lab| {
            let pg = lab.new_postgres().start()?;
            let token = jwt(&json!({ "iss": "https://login.corp.test", "exp": now() + 3_600 }));
            let conn = named(&pg, "db.corp.test");
            let case = told(conn, &token, "does not accept", "the password is a token");
            Ok(has(case, "token_issuer", "https://login.corp.test").keep(pg))
        },
    ),
    Scenario::new(
        "config-token-expired",
        "an IAM token that has expired, and nobody is connected to",
        Expect::Warn("config.password.token"),
        &[],
        |_| {
            config(
                &SignedUrl {
                    at: 0,
                    ..iam(5_432)
                }
                .text(),
                "that expired",
            )
        },
    )
    .oracle(Oracle::None("nothing is connected to")),
    Scenario::new(
        "config-token-cut",
        "a token of Entra that is cut off, and nobody is connected to",
        Expect::Warn("config.password.token"),
        &[],
        |_| config(&entra(OSSRDBMS, now() + 3_600)[..200], "is cut off"),
    )
    .oracle(Oracle::None("nothing is connected to")),
    Scenario::new(
        "config-token-healthy",
        "an IAM token that is valid, and nobody is connected to",
        Expect::Pass,
        &[],
        |_| {
            let case = config(&iam(5_432).text(), "")?;
            Ok(case.forbids("config.password.token"))
        },
    )
    .oracle(Oracle::None("nothing is connected to")),
];
