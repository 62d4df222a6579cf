//! What tokio-postgres and sqlx print for a target: `record DRIVER URL`, for `record.py`.
//!
//! It is no part of the workspace. In a crate of its own it needs tokio (rt, macros, time),
//! tokio-postgres 0.7, native-tls, postgres-native-tls, and sqlx 0.8 (runtime-tokio,
//! tls-native-tls, postgres).

use std::error::Error;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPoolOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let attempt = connect(&args[1], &args[2]);
    let limit = Duration::from_secs(20);
    if let Ok(Err(words)) = tokio::time::timeout(limit, attempt).await {
        eprintln!("{words}");
        std::process::exit(1);
    }
}

async fn connect(driver: &str, url: &str) -> Result<(), String> {
    match driver {
        "tokio-postgres" => {
            let tls = native_tls::TlsConnector::new().map_err(|e| e.to_string())?;
            let tls = postgres_native_tls::MakeTlsConnector::new(tls);
            let (client, connection) = tokio_postgres::connect(url, tls).await.map_err(chain)?;
            tokio::spawn(connection);
            client.simple_query("select 1").await.map_err(chain)?;
        }
        "sqlx" => {
            let connected = PgConnection::connect(url).await;
            connected.map_err(|error| format!("Error: {error:?}"))?;
        }
        _ => {
            let pool = PgPoolOptions::new().acquire_timeout(Duration::from_secs(3));
            let connected = pool.connect(url).await;
            connected.map_err(|error| format!("Error: {error}"))?;
        }
    }
    Ok(())
}

/// An error and its causes, as anyhow prints them.
fn chain(error: tokio_postgres::Error) -> String {
    let mut text = format!("Error: {error}\n\nCaused by:");
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!("\n    {cause}");
        source = cause.source();
    }
    text
}
