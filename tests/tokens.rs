//! Passwords that are tokens: nothing of their secret parts is shown, wherever they stand
//! and whoever repeats them, and the command that creates a new one works as it is printed.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use dbdoctor_lab::impostor::{CLEARTEXT, impostor};
use dbdoctor_lab::token::{SignedUrl, encoded, jwt, noise, now};
use dbdoctor_lab::{Lab, Need, Peer};
use serde_json::{Value, json};

const RDS: &str = "orders.abcdefghijkl.eu-west-1.rds.amazonaws.com";
const DSQL: &str = "abcdefghijkl.dsql.eu-west-1.on.aws";
const AZURE: &str = "orders.postgres.database.azure.com";
const COSMOS: &str = "c-orders.abcdef.postgres.cosmos.azure.com";
const SQL: &str = "abcdef.europe-west1.sql.goog";
const ALLOYDB: &str = "abc.alloydb-psc.goog";

/// dbdoctor in an environment of its own: nothing of the machine's.
fn dbdoctor(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dbdoctor"));
    command
        .args(args)
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null());
    command
}

/// The tokens of this test, each with what of it is secret.
fn tokens() -> Vec<(String, Vec<String>)> {
    let aws = |at: i64| SignedUrl::rds(&format!("{RDS}:5432"), "app", "eu-west-1", at);
    let mut tokens = Vec::new();
    for token in [aws(now()), aws(0)] {
        let secret = vec![token.signature(), noise("a", 300), noise("b", 300)];
        let text = token.text();
        for text in [
            text.clone(),
            format!("{text}\n"),
            encoded(&text),
            text.replace("%2F", "%252F"),
            text.replace("%2B", "+").replace("%2F", "/"),
            format!("password={text}"),
            text[..text.len() - 20].to_owned(),
        ] {
            tokens.push((text, secret.clone()));
        }
    }
    for until in [now() + 60, 0] {
        let text = jwt(&json!({ "iss": "https://sts.windows.net/x/", "exp": until }));
        let signature = text.rsplit('.').next().unwrap_or_default().to_owned();
        let cut = text[..text.len() - 100].to_owned();
        tokens.push((
            json!({ "accessToken": text }).to_string(),
            vec![signature.clone()],
        ));
        tokens.push((cut, vec![signature.clone()]));
        tokens.push((text, vec![signature]));
    }
    let google = format!("ya29.{}", noise("google", 200));
    tokens.push((google.clone(), vec![google]));
    tokens
}

/// No eight characters in a row of any of these are in what was said, whether or not a line
/// of the table ends within them.
fn nothing_shown(secrets: &[String], said: &str, what: &str) {
    let folded: String = said.split_whitespace().collect();
    for secret in secrets {
        let secret: Vec<char> = secret.chars().collect();
        for piece in secret.windows(8) {
            let piece: String = piece.iter().collect();
            assert!(
                !folded.contains(&piece),
                "{what}: {piece:?} is shown:\n{said}"
            );
        }
    }
}

/// All that a run says, on both streams and in the file of the report.
fn said(mut command: Command) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.json");
    let output = command.arg("-o").arg(&file).output().unwrap();
    let report = std::fs::read_to_string(&file).unwrap_or_default();
    let streams = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&streams).into_owned() + &report
}

/// A server that refuses the password and repeats it, whole or in its parts.
fn repeats() -> Peer {
    impostor(move |client| {
        client.ask(CLEARTEXT, b"")?;
        let (_, password) = client.receive()?;
        let password = String::from_utf8_lossy(&password)
            .trim_end_matches('\0')
            .to_owned();
        let part = password.rsplit(['=', '.']).next().unwrap_or_default();
        client.error(&[
            ('S', "FATAL"),
            ('C', "28P01"),
            ('M', &format!("password authentication failed: {password}")),
            (
                'D',
                &format!("The signature {part} is not that of the token."),
            ),
            ('H', &password.replace('&', "&amp;")),
        ])
    })
    .unwrap()
}

#[test]
fn nothing_of_a_token_is_shown_by_a_refusal() {
    let peer = repeats();
    let conn = format!(
        "host={RDS} hostaddr=127.0.0.1 port={} user=app",
        peer.port()
    );
    for (token, secrets) in tokens() {
        for args in [&["-vv"][..], &["--json"], &["-q"]] {
            let mut command = dbdoctor(&["check", &conn]);
            command.args(args).env("PGPASSWORD", &token);
            nothing_shown(&secrets, &said(command), &token);
        }
        let mut command = dbdoctor(&["config", "-v", &conn]);
        command.env("PGPASSWORD", &token);
        nothing_shown(&secrets, &said(command), &token);
    }
}

#[test]
fn nothing_of_a_token_is_shown_where_it_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(".env");
    // Each of these is read some fifty times.
    for (token, secrets) in tokens().into_iter().step_by(5) {
        let place = format!("{RDS}:1/appdb");
        let targets = [
            format!("postgresql://app:{token}@{place}"),
            format!("postgresql://{token}@{place}"),
            format!("postgresql://app:{token}"),
            format!("postgresql://app@{place}?password={token}"),
            format!("host={RDS} password={token} user=app"),
            format!("host={RDS} password='{token} user=app"),
            format!("host={token} user=app"),
            format!("jdbc:postgresql://{place}?user=app&password={token}"),
            format!("PGPASSWORD={token} psql -h {RDS}"),
        ];
        for target in &targets {
            let said = said(dbdoctor(&["config", "-v", target]));
            nothing_shown(&secrets, &said, &format!("{target} as a target"));
        }
        let mut lines: Vec<String> = targets
            .iter()
            .map(|target| format!("DATABASE_URL={target}\n"))
            .collect();
        lines.push(format!("DATABASE_URL=\"{}\n", targets[0]));
        lines.push(format!("PGPASSWORD={token}\nPGHOST={RDS}\n"));
        lines.push(format!("export PGPASSWORD '{token}\n"));
        for line in lines {
            std::fs::write(&file, &line).unwrap();
            let file = file.to_str().unwrap();
            let said = said(dbdoctor(&["config", "-v", "--env-file", file]));
            nothing_shown(&secrets, &said, &format!("{line} in a file"));
        }
    }
}

/// Runs the command of the first fix, with a program of that name that creates a token which
/// the server accepts, and dbdoctor after it.
fn pasted(lab: &Lab, host: &str, user: &str, token: &str, wanted: &[&str]) {
    let pg = lab
        .new_postgres()
        .hba("host all all all password")
        .sql("create role admin login")
        .sql(&format!("alter role admin password '{}'", lab.password()))
        .start()
        .unwrap();
    let conn = pg
        .conn()
        .set("host", host)
        .set("hostaddr", "127.0.0.1")
        .set("user", user)
        .set("sslmode", "disable")
        .to_string();
    let mut command = dbdoctor(&["auth", "--json", &conn]);
    let output = command.env("PGPASSWORD", token).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let verdict = &report["verdict"];
    assert_eq!(
        verdict["cause"], "auth.password.token",
        "{host}: {verdict:#}"
    );
    let fix = verdict["fixes"][0]["command"].as_str().unwrap_or_default();

    let dir = tempfile::tempdir().unwrap();
    let (program, arguments) = wanted.split_first().unwrap();
    let checks = format!(
        "#!/bin/sh\n[ \"$*\" = \"{}\" ] || exit 9\nprintf '%s\\n' '{}'\n",
        arguments.join(" "),
        lab.password()
    );
    let decoy = dir.path().join(program);
    std::fs::write(&decoy, checks).unwrap();
    std::fs::set_permissions(&decoy, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new("sh")
        .args(["-c", &format!("{fix}\nexec \"$0\" auth \"$1\"")])
        .args([env!("CARGO_BIN_EXE_dbdoctor"), &conn])
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("PGPASSWORD", token)
        .env("PATH", format!("{}:/usr/bin:/bin", dir.path().display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{fix}\n{said}");
}

#[test]
fn the_command_that_creates_a_token_works_as_it_is_printed() {
    if let Some(why) = Need::Postgres.missing() {
        assert!(std::env::var_os("CI").is_none(), "{why}");
        return;
    }
    let lab = Lab::new().unwrap();
    let rds = SignedUrl::rds(&format!("{RDS}:5432"), "app", "eu-west-1", 0).text();
    let words = format!(
        "aws rds generate-db-auth-token --hostname {RDS} --port PORT --region eu-west-1 --username app"
    );
    // Behind a tunnel, the port of the server.
    let other = format!("{RDS}:6543");
    let port = SignedUrl::rds(&other, "app", "eu-west-1", 0).text();
    let wanted = words.replace("PORT", "6543");
    pasted(
        &lab,
        RDS,
        "app",
        &port,
        &wanted.split(' ').collect::<Vec<_>>(),
    );
    let tunnel = words.replace("PORT", "5432");
    pasted(
        &lab,
        RDS,
        "app",
        &rds,
        &tunnel.split(' ').collect::<Vec<_>>(),
    );
    pasted(
        &lab,
        "localhost",
        "app",
        &rds,
        &tunnel.split(' ').collect::<Vec<_>>(),
    );
    pasted(
        &lab,
        RDS,
        "app",
        &rds[..255],
        &tunnel.split(' ').collect::<Vec<_>>(),
    );

    for (user, action, name) in [
        ("app", "DbConnect", "generate-db-connect-auth-token"),
        (
            "admin",
            "DbConnectAdmin",
            "generate-db-connect-admin-auth-token",
        ),
    ] {
        let token = SignedUrl::dsql(DSQL, action, "eu-west-1", 0).text();
        let words = format!("aws dsql {name} --hostname {DSQL} --region eu-west-1");
        let wanted: Vec<&str> = words.split(' ').collect();
        pasted(&lab, DSQL, user, &token, &wanted);
        pasted(&lab, DSQL, user, &token[..300], &wanted);
    }
    let entra = jwt(&json!({ "iss": "https://sts.windows.net/x/", "exp": 1_000 }));
    let google = jwt(&json!({ "iss": "https://accounts.google.com", "exp": now() + 60 }));
    for (host, token, words) in [
        (
            AZURE,
            &entra,
            "az account get-access-token --resource-type oss-rdbms --query accessToken --output tsv",
        ),
        (
            COSMOS,
            &entra,
            "az account get-access-token --resource https://token.postgres.cosmos.azure.com --query accessToken --output tsv",
        ),
        (SQL, &google, "gcloud sql generate-login-token"),
        (ALLOYDB, &google, "gcloud auth print-access-token"),
    ] {
        let wanted: Vec<&str> = words.split(' ').collect();
        pasted(&lab, host, "app", token, &wanted);
        pasted(&lab, host, "app", &format!("{token}\n"), &wanted);
    }
}
