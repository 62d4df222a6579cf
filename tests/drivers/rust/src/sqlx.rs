//! Connects with sqlx, built with rustls or native-tls, and says in one line of JSON what came of it:
//!
//! ```text
//! sqlx-client URL
//! ```

mod answer;

use std::error::Error;

use answer::Answer;
use sqlx::{Connection, PgConnection};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1).expect("usage: sqlx-client URL");
    if url == "--version" {
        println!("{}", env!("SQLX"));
        return;
    }
    let mut answer = Answer::default();
    let outcome = run(&url, &mut answer).await;
    let code = match &outcome {
        Err(sqlx::Error::Database(error)) => error.code().map(|code| code.into_owned()),
        _ => None,
    };
    answer.finish(outcome.map_err(Box::<dyn Error>::from), code);
}

async fn run(url: &str, answer: &mut Answer) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    answer.connected = true;
    for n in 0..7 {
        sqlx::query("select $1::int").bind(n).execute(&mut connection).await?;
    }
    Ok(())
}
