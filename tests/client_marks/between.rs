//! What stands between a client and the server, takes TLS off with the server's own
//! certificate, so that channel binding holds, and reads along.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dbdoctor::tap::conversation::Conversation;
use dbdoctor_lab::Issued;
use openssl::ssl::{AlpnError, Ssl, SslAcceptor, SslConnector, SslMethod, SslVerifyMode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_openssl::SslStream;

/// The code of an SSLRequest.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// The code of a GSSENCRequest.
const GSS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 48];
/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;

/// What was seen of one connection.
#[derive(Default)]
pub struct Seen {
    /// Up to TLS, where there is any.
    pub outer: Conversation,
    /// All the rest.
    pub inner: Option<Conversation>,
}

impl Seen {
    /// The conversation that has the start-up message.
    pub fn inner(&self) -> &Conversation {
        self.inner.as_ref().unwrap_or(&self.outer)
    }
}

/// A port that leads to the server.
pub struct Between {
    /// On 127.0.0.1.
    pub port: u16,
    runtime: Option<Runtime>,
    seen: Arc<Mutex<Vec<Arc<Mutex<Seen>>>>>,
}

impl Between {
    /// Leads to a server on 127.0.0.1, with TLS by this certificate or refusing it.
    pub fn new(server: u16, certificate: Option<&Issued>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let port = listener.local_addr()?.port();
        let acceptor = certificate.map(acceptor).transpose()?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let all = seen.clone();
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let one = Arc::new(Mutex::new(Seen::default()));
                all.lock().expect("connections").push(one.clone());
                let acceptor = acceptor.clone();
                tokio::spawn(async move { serve(client, server, acceptor, &one).await });
            }
        });
        Ok(Self {
            port,
            runtime: Some(runtime),
            seen,
        })
    }

    /// All that was seen, the connections ended.
    pub fn end(mut self) -> Vec<Seen> {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(2));
        }
        let all = std::mem::take(&mut *self.seen.lock().expect("connections"));
        let take = |one: Arc<Mutex<Seen>>| std::mem::take(&mut *one.lock().expect("a connection"));
        all.into_iter().map(take).collect()
    }
}

fn acceptor(certificate: &Issued) -> Result<SslAcceptor> {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls())?;
    acceptor.set_certificate(&certificate.cert)?;
    acceptor.set_private_key(&certificate.key)?;
    acceptor.set_alpn_select_callback(|_, offered| {
        let known = b"\x0apostgresql";
        openssl::ssl::select_next_proto(known, offered).ok_or(AlpnError::NOACK)
    });
    Ok(acceptor.build())
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

async fn serve(
    mut client: TcpStream,
    server: u16,
    acceptor: Option<SslAcceptor>,
    seen: &Mutex<Seen>,
) -> Result<()> {
    loop {
        let mut first = [0; 8];
        client.peek(&mut first[..1]).await?;
        if first[0] == HANDSHAKE {
            let hello = peek_record(&client).await?;
            tell(seen, |seen| {
                seen.outer.client(Instant::now(), &hello, &mut |_| ())
            });
            let client = accept(client, &acceptor.context("TLS was refused")?).await?;
            tell(seen, |seen| seen.inner = Some(Conversation::new()));
            let server = connect(server).await?;
            return copy(Box::new(client), Box::new(server), seen).await;
        }
        client.read_exact(&mut first).await?;
        tell(seen, |seen| {
            seen.outer.client(Instant::now(), &first, &mut |_| ())
        });
        let answer = match (first, &acceptor) {
            (SSL_REQUEST, Some(_)) => b"S",
            (SSL_REQUEST | GSS_REQUEST, _) => b"N",
            _ => {
                let mut server = TcpStream::connect(("127.0.0.1", server)).await?;
                server.write_all(&first).await?;
                return copy(Box::new(client), Box::new(server), seen).await;
            }
        };
        client.write_all(answer).await?;
        tell(seen, |seen| {
            seen.outer.server(Instant::now(), answer, &mut |_| ())
        });
    }
}

fn tell(seen: &Mutex<Seen>, what: impl FnOnce(&mut Seen)) {
    what(&mut seen.lock().expect("a connection"));
}

/// The first record, left where it is.
async fn peek_record(client: &TcpStream) -> Result<Vec<u8>> {
    let mut bytes = vec![0; 16384];
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let got = client.peek(&mut bytes).await?;
        if let [_, _, _, high, low, ..] = bytes[..got] {
            let whole = 5 + usize::from(u16::from_be_bytes([high, low]));
            if got >= whole {
                bytes.truncate(whole);
                return Ok(bytes);
            }
        }
        ensure!(Instant::now() < until, "no whole record");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn accept(client: TcpStream, acceptor: &SslAcceptor) -> Result<SslStream<TcpStream>> {
    let mut stream = SslStream::new(Ssl::new(acceptor.context())?, client)?;
    Pin::new(&mut stream).accept().await?;
    Ok(stream)
}

/// The server itself, in TLS: it offers channel binding there.
async fn connect(server: u16) -> Result<SslStream<TcpStream>> {
    let mut stream = TcpStream::connect(("127.0.0.1", server)).await?;
    stream.write_all(&SSL_REQUEST).await?;
    ensure!(stream.read_u8().await? == b'S', "the server has no TLS");
    let mut connector = SslConnector::builder(SslMethod::tls())?;
    connector.set_verify(SslVerifyMode::NONE);
    let ssl = connector
        .build()
        .configure()?
        .verify_hostname(false)
        .into_ssl("localhost")?;
    let mut stream = SslStream::new(ssl, stream)?;
    Pin::new(&mut stream).connect().await?;
    Ok(stream)
}

async fn copy(
    mut client: Box<dyn Stream>,
    mut server: Box<dyn Stream>,
    seen: &Mutex<Seen>,
) -> Result<()> {
    let (mut from_client, mut from_server) = (vec![0; 65536], vec![0; 65536]);
    loop {
        tokio::select! {
            got = client.read(&mut from_client) => {
                let bytes = &from_client[..got?];
                if bytes.is_empty() {
                    return Ok(());
                }
                tell(seen, |seen| {
                    let Seen { outer, inner } = seen;
                    inner.as_mut().unwrap_or(outer).client(Instant::now(), bytes, &mut |_| ());
                });
                server.write_all(bytes).await?;
                server.flush().await?;
            }
            got = server.read(&mut from_server) => {
                let bytes = &from_server[..got?];
                if bytes.is_empty() {
                    return Ok(());
                }
                tell(seen, |seen| {
                    let Seen { outer, inner } = seen;
                    inner.as_mut().unwrap_or(outer).server(Instant::now(), bytes, &mut |_| ());
                });
                client.write_all(bytes).await?;
                client.flush().await?;
            }
        }
    }
}
