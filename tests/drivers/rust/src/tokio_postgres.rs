//! Connects with tokio-postgres, and says in one line of JSON what came of it:
//!
//! ```text
//! tokio-postgres-client none|native-tls|rustls CONNECTION
//! ```

mod answer;

use std::error::Error;
use std::sync::Arc;

use answer::Answer;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{NoTls, Socket};

type Failure = Box<dyn Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, connector, connection] = &args[..] else {
        panic!("usage: tokio-postgres-client CONNECTOR CONNECTION");
    };
    if connection == "--version" {
        println!("{}", env!("TOKIO_POSTGRES"));
        return;
    }
    let mut answer = Answer::default();
    let outcome = match connector.as_str() {
        "none" => run(connection, NoTls, &mut answer).await,
        "native-tls" => match native() {
            Ok(connector) => run(connection, connector, &mut answer).await,
            Err(error) => Err(error),
        },
        "rustls" => run(connection, rustls(), &mut answer).await,
        _ => panic!("no such connector"),
    };
    let code = outcome.as_ref().err().and_then(|error| {
        let error = error.downcast_ref::<tokio_postgres::Error>()?;
        Some(error.code()?.code().to_owned())
    });
    answer.finish(outcome, code);
}

/// The connector as its documentation makes it.
fn native() -> Result<postgres_native_tls::MakeTlsConnector, Failure> {
    let connector = native_tls::TlsConnector::new()?;
    Ok(postgres_native_tls::MakeTlsConnector::new(connector))
}

/// The same with the system's roots.
fn rustls() -> tokio_postgres_rustls::MakeRustlsConnect {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(Arc::new(roots))
        .with_no_client_auth();
    tokio_postgres_rustls::MakeRustlsConnect::new(config)
}

async fn run<T>(connection: &str, tls: T, answer: &mut Answer) -> Result<(), Failure>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, session) = tokio_postgres::connect(connection, tls).await?;
    tokio::spawn(session);
    answer.connected = true;
    for n in 0..7 {
        client.query("select $1::int", &[&n]).await?;
    }
    Ok(())
}
