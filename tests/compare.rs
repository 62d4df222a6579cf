//! What `docs/compare.md` says of other tools, held to the tools themselves: each claim with a
//! check mark stands here.

#[path = "common/trials.rs"]
mod trials;

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use dbdoctor_lab::{CertSpec, Lab, Need};
use serde_json::Value;

const TRIALS: &[trials::Named<Lab>] = &[
    ("an_expired_certificate", expired),
    ("a_wrong_password_and_a_missing_database", refused),
];

fn main() {
    trials::run(2, trials::lab(&[Need::Postgres]), TRIALS);
}

/// What a program says, and how it ends.
fn says(program: &str, words: &[&str], password: &str) -> Result<(Option<i32>, String)> {
    let output = Command::new(program)
        .args(words)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", "/nonexistent")
        .env("PGPASSWORD", password)
        .env("PGCONNECT_TIMEOUT", "10")
        .stdin(Stdio::null())
        .output()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok((output.status.code(), text))
}

/// The cause that dbdoctor finds.
fn cause(target: &str, password: &str) -> Result<String> {
    let words = ["check", "--json", target];
    let (_, text) = says(env!("CARGO_BIN_EXE_dbdoctor"), &words, password)?;
    let report: Value = serde_json::from_str(&text)?;
    Ok(report["verdict"]["cause"]
        .as_str()
        .unwrap_or_default()
        .to_owned())
}

/// What pg_isready says of a target.
fn is_ready(target: &str) -> Result<(Option<i32>, String)> {
    says("pg_isready", &["-d", target], "")
}

fn expired(lab: &Lab) -> Result<()> {
    let certificate = lab.issue(CertSpec {
        not_after: -3,
        ..lab.cert()
    })?;
    let server = lab.new_postgres().tls(certificate).start()?;
    let conn = server.conn().set("sslmode", "verify-full");
    let target = conn.set("sslrootcert", lab.ca_file().display()).to_string();
    let (status, text) = is_ready(&target)?;
    ensure!(status == Some(2), "pg_isready: {status:?} {text}");
    ensure!(text.contains("no response"), "{text}");
    let (status, text) = says("psql", &[&target, "-c", "select 1"], lab.password())?;
    ensure!(status == Some(2), "psql: {status:?} {text}");
    ensure!(text.contains("certificate verify failed"), "{text}");
    ensure!(!text.contains("expired"), "psql says it too: {text}");
    let address = format!("127.0.0.1:{}", server.port());
    let ca = lab.ca_file().display().to_string();
    let words = [
        "s_client",
        "-starttls",
        "postgres",
        "-connect",
        &address,
        "-CAfile",
        &ca,
    ];
    let (status, text) = says("openssl", &words, "")?;
    ensure!(status == Some(0), "openssl: {status:?} {text}");
    ensure!(text.contains("certificate has expired"), "{text}");
    ensure!(cause(&target, lab.password())? == "tls.cert.expired");
    Ok(())
}

fn refused(lab: &Lab) -> Result<()> {
    let server = lab.postgres()?;
    let right = server.conn();
    let nowhere = right.clone().set("dbname", "nowhere").to_string();
    let right = right.to_string();
    ensure!(cause(&right, "not-the-password")? == "auth.password.wrong");
    ensure!(cause(&nowhere, lab.password())? == "auth.database.missing");
    // It is given no password at all.
    for target in [right, nowhere] {
        let (status, text) = is_ready(&target)?;
        ensure!(status == Some(0), "pg_isready: {status:?} {text}");
        ensure!(text.contains("accepting connections"), "{text}");
    }
    Ok(())
}
