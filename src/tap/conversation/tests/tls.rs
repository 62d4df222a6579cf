//! Handshakes that OpenSSL makes at both ends, and records made by hand.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::sync::Arc;

use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    ErrorCode, HandshakeError, Ssl, SslContext, SslContextBuilder, SslMethod, SslStream,
    SslVerifyMode, SslVersion,
};
use openssl::x509::{X509, X509NameBuilder};

use super::*;

/// One end of a connection in memory, which notes what was sent.
struct Pipe {
    side: Side,
    wire: Rc<RefCell<Wire>>,
}

#[derive(Default)]
struct Wire {
    to_client: VecDeque<u8>,
    to_server: VecDeque<u8>,
    said: Vec<(Side, Vec<u8>)>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.wire.borrow_mut();
        let queue = match self.side {
            C => &mut wire.to_client,
            S => &mut wire.to_server,
        };
        match queue.read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut wire = self.wire.borrow_mut();
        wire.said.push((self.side, bytes.to_vec()));
        match self.side {
            C => wire.to_server.extend(bytes),
            S => wire.to_client.extend(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How a handshake is made.
struct Setup {
    version: SslVersion,
    /// Whether the client checks the certificate, which it does not know.
    verifies: bool,
    /// Whether the server demands a certificate, which the client has not.
    demands: bool,
    /// The server's groups; the client offers X25519 first.
    groups: &'static str,
}

const PLAIN: Setup = Setup {
    version: SslVersion::TLS1_3,
    verifies: false,
    demands: false,
    groups: "X25519",
};

fn certificate() -> (X509, PKey<Private>) {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "db.corp.test").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    let from = Asn1Time::days_from_now(0).unwrap();
    let until = Asn1Time::days_from_now(9).unwrap();
    builder.set_not_before(&from).unwrap();
    builder.set_not_after(&until).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    (builder.build(), key)
}

type Attempt = Result<SslStream<Pipe>, HandshakeError<Pipe>>;

/// Goes on with a handshake that waits; otherwise leaves it as it is.
fn go_on(attempt: Attempt) -> Attempt {
    match attempt {
        Err(HandshakeError::WouldBlock(waiting)) => waiting.handshake(),
        other => other,
    }
}

/// OpenSSL's server.
fn server(setup: &Setup) -> SslContext {
    let mut server: SslContextBuilder = SslContext::builder(SslMethod::tls_server()).unwrap();
    let (certificate, key) = certificate();
    server.set_certificate(&certificate).unwrap();
    server.set_private_key(&key).unwrap();
    server.set_groups_list(setup.groups).unwrap();
    server.set_num_tickets(0).unwrap();
    if setup.demands {
        server.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    }
    server.build()
}

/// What both ends say in a handshake; then the client logs in, and both say goodbye.
fn handshake(setup: &Setup) -> Vec<(Side, Vec<u8>)> {
    let version = Some(setup.version);
    let mut client = SslContext::builder(SslMethod::tls_client()).unwrap();
    client.set_max_proto_version(version).unwrap();
    client
        .set_min_proto_version(Some(SslVersion::TLS1_2))
        .unwrap();
    client.set_alpn_protos(b"\x0apostgresql").unwrap();
    client.set_groups_list("X25519:P-256").unwrap();
    if setup.verifies {
        client.set_verify(SslVerifyMode::PEER);
    }
    let wire = Rc::new(RefCell::new(Wire::default()));
    let pipe = |side| Pipe {
        side,
        wire: wire.clone(),
    };
    let mut ssl = Ssl::new(&client.build()).unwrap();
    ssl.set_hostname("db.corp.test").unwrap();
    let mut client = ssl.connect(pipe(C));
    let mut server = Ssl::new(&server(setup)).unwrap().accept(pipe(S));
    for _ in 0..4 {
        client = go_on(client);
        server = go_on(server);
    }
    if let Ok(client) = &mut client {
        client.write_all(&startup()).unwrap();
        let mut bytes = [0; 64];
        if let Ok(server) = &mut server {
            server.read_exact(&mut bytes[..8]).unwrap();
            server.write_all(OK).unwrap();
        }
        // An alert may come instead.
        if let Err(error) = client.ssl_read(&mut bytes) {
            assert_ne!(error.code(), ErrorCode::WANT_WRITE);
        }
        let _ = client.shutdown();
    }
    if let Ok(server) = &mut server {
        let _ = server.shutdown();
    }
    drop((client, server));
    wire.take().said
}

/// The handshake of a client of rustls that trusts nobody.
fn refused_by_rustls() -> Vec<(Side, Vec<u8>)> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = "db.corp.test".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let wire = Rc::new(RefCell::new(Wire::default()));
    let pipe = |side| Pipe {
        side,
        wire: wire.clone(),
    };
    client.write_tls(&mut pipe(C)).unwrap();
    let server = Ssl::new(&server(&PLAIN)).unwrap().accept(pipe(S));
    client.read_tls(&mut pipe(C)).unwrap();
    client.process_new_packets().unwrap_err();
    while client.wants_write() {
        client.write_tls(&mut pipe(C)).unwrap();
    }
    drop(server);
    wire.take().said
}

/// A conversation that asks for TLS and makes that handshake.
fn through(setup: &Setup) -> (Conversation, Vec<Event>) {
    let mut script = Script::new().with(C, SSL).with(S, b"S");
    script.0.extend(handshake(setup));
    script.checked()
}

fn alert(from: Side, number: Option<u8>, is_warning: bool) -> TlsAlert {
    TlsAlert {
        from,
        number,
        is_warning,
    }
}

#[test]
fn both_hellos_are_read() {
    for (version, number) in [(SslVersion::TLS1_3, 0x0304), (SslVersion::TLS1_2, 0x0303)] {
        let (conversation, events) = through(&Setup { version, ..PLAIN });
        let hello = conversation.client_hello.clone().unwrap();
        assert_eq!(hello.server_name.as_deref(), Some("db.corp.test"));
        assert_eq!(hello.alpn, ["postgresql"]);
        assert_eq!(hello.versions[0], number);
        assert_eq!(hello.groups, [0x001d, 0x0017]);
        assert_eq!(hello.key_shares.is_empty(), number == 0x0303);
        assert!(hello.signatures.contains(&0x0804) && hello.extensions.contains(&0));
        assert!(!hello.resumes && hello.ciphers.len() > 3);
        let server = conversation.server_hello.unwrap();
        assert_eq!((server.version, server.is_retry), (number, false));
        assert!(conversation.encrypted.is_some());
        assert_eq!(conversation.phase, Phase::Tls);
        // Each side's close_notify.
        let farewells = [alert(C, None, true), alert(S, None, true)];
        assert_eq!(conversation.alerts, farewells);
        let encrypted = events.iter().position(|event| *event == Event::Encrypted);
        assert_eq!(encrypted, Some(4), "{events:?}");
    }
}

#[test]
fn direct_tls_is_answered_by_its_hello() {
    let script = Script(handshake(&PLAIN));
    let (conversation, events) = script.checked();
    let accepted = EncryptionAnswer::Accepted;
    assert_eq!(
        conversation.encryption,
        [EncryptionRequest {
            asked: Encryption::DirectTls,
            answer: Some(accepted),
        }]
    );
    assert_eq!(events[0], Event::EncryptionAsked(Encryption::DirectTls));
    assert_eq!(
        events[2],
        Event::EncryptionAnswered(Encryption::DirectTls, accepted)
    );
    // A clear alert refuses it, and an HTTP server answers something else.
    let hello = script.0[0].1.clone();
    let (conversation, _) = Script::new()
        .with(C, &hello)
        .with(S, b"\x15\x03\x01\0\x02\x02\x28")
        .checked();
    let refused = Some(EncryptionAnswer::Refused);
    assert_eq!(conversation.encryption[0].answer, refused);
    assert_eq!(conversation.alerts, [alert(S, Some(40), false)]);
    let (conversation, _) = Script::new()
        .with(C, &hello)
        .with(S, b"HTTP/1.1 400 ")
        .checked();
    let unexpected = Some(EncryptionAnswer::Unexpected);
    assert_eq!(conversation.encryption[0].answer, unexpected);
    assert_eq!(conversation.unreadable.unwrap().bytes, b"HTTP/1.1 400 ");
}

#[test]
fn a_retry_is_told_and_the_first_hello_kept() {
    let (conversation, events) = through(&Setup {
        groups: "P-256",
        ..PLAIN
    });
    let hellos: Vec<bool> = events
        .iter()
        .filter_map(|event| match event {
            Event::ServerHello(hello) => Some(hello.is_retry),
            _ => None,
        })
        .collect();
    assert_eq!(hellos, [true, false]);
    assert!(!conversation.server_hello.unwrap().is_retry);
    assert_eq!(conversation.client_hello.unwrap().key_shares, [0x001d]);
    assert!(conversation.encrypted.is_some());
}

#[test]
fn a_client_that_refuses_the_certificate_says_so_in_an_alert() {
    for version in [SslVersion::TLS1_3, SslVersion::TLS1_2] {
        let (conversation, events) = through(&Setup {
            version,
            verifies: true,
            ..PLAIN
        });
        // unknown_ca, which OpenSSL sends in clear even in TLS 1.3.
        assert_eq!(conversation.alerts, [alert(C, Some(48), false)]);
        assert_eq!(conversation.encrypted, None);
        assert!(!events.contains(&Event::Encrypted));
    }
    // rustls encrypts it, as other libraries do.
    let mut script = Script::new().with(C, SSL).with(S, b"S");
    script.0.extend(refused_by_rustls());
    let (conversation, _) = script.checked();
    assert_eq!(conversation.alerts, [alert(C, None, false)]);
    assert_eq!(conversation.encrypted, None);
    assert_eq!(conversation.client_hello.unwrap().versions, [0x0304]);
    let script = until_flight()
        .with(C, record(20, 1))
        .with(C, record(23, 19));
    let (conversation, events) = script.checked();
    assert_eq!(conversation.alerts, [alert(C, None, false)]);
    assert_eq!(events.last(), Some(&Event::Alert(alert(C, None, false))));
    assert_eq!(conversation.encrypted, None);
}

/// TLS 1.3 up to the server's flight.
fn until_flight() -> Script {
    let mut script = Script::new().with(C, SSL).with(S, b"S");
    let mut is_hello = true;
    let flight = |(side, _): &(Side, Vec<u8>)| *side == S || std::mem::take(&mut is_hello);
    script
        .0
        .extend(handshake(&PLAIN).into_iter().take_while(flight));
    script
}

#[test]
fn a_client_that_closes_after_the_handshake_has_accepted_the_certificate() {
    // So does libpq, where the name is another.
    let finished = until_flight().with(C, record(23, 53));
    let closed = finished.clone().with(C, record(23, 19));
    let (conversation, _) = closed.with(S, record(23, 19)).checked();
    let farewells = [alert(C, None, true), alert(S, None, true)];
    assert_eq!(conversation.alerts, farewells);
    assert!(conversation.encrypted.is_some());
    // The server's word on the client's certificate comes without.
    let (conversation, _) = finished.with(S, record(23, 19)).checked();
    assert_eq!(conversation.alerts, [alert(S, None, false)]);
}

#[test]
fn a_server_that_demands_a_certificate_ends_the_handshake() {
    for (version, number) in [(SslVersion::TLS1_3, None), (SslVersion::TLS1_2, Some(40))] {
        let (conversation, _) = through(&Setup {
            version,
            demands: true,
            ..PLAIN
        });
        let of_server: Vec<_> = conversation
            .alerts
            .iter()
            .filter(|alert| alert.from == S)
            .collect();
        assert_eq!(
            of_server,
            [&alert(S, number, false)],
            "{:?}",
            conversation.alerts
        );
    }
}

fn record(tag: u8, length: usize) -> Vec<u8> {
    let mut record = vec![tag, 3, 3];
    record.extend((length as u16).to_be_bytes());
    record.resize(5 + length, 0x5a);
    record
}

#[test]
fn short_data_is_no_alert() {
    let mut script = Script::new().with(C, SSL).with(S, b"S");
    script.0.extend(handshake(&PLAIN));
    // Without the two farewells, which are the last.
    script.0.truncate(script.0.len() - 2);
    let after = |records: &[(Side, usize)]| {
        let mut script = script.clone();
        for &(side, length) in records {
            script = script.with(side, record(23, length));
        }
        script.checked().0.alerts
    };
    assert_eq!(after(&[]), []);
    assert_eq!(after(&[(C, 40), (C, 19)]), [alert(C, None, true)]);
    // It went on.
    assert_eq!(after(&[(C, 40), (C, 19), (C, 40)]), []);
    // The rest of a large write.
    assert_eq!(after(&[(S, (1 << 14) + 17), (S, 19)]), []);
    assert_eq!(after(&[(C, 40), (C, 19), (S, 40), (S, 19)]).len(), 2);
}

#[test]
fn what_is_no_record_is_told() {
    let tls = || Script::new().with(C, SSL).with(S, b"S");
    // A start-up message without TLS, after the server has agreed.
    let (conversation, _) = tls().with(C, startup()).checked();
    let unreadable = conversation.unreadable.unwrap();
    assert_eq!((unreadable.from, unreadable.phase), (C, Phase::Tls));
    // Data where the handshake should begin; a record that is too long; another version.
    for bytes in [
        &b"\x17\x03\x03\0\x05"[..],
        b"\x16\x03\x01\x60\0",
        b"\x16\x02\0\0\x10",
    ] {
        assert_eq!(tls().with(C, bytes).checked().0.phase, Phase::Lost);
    }
    let mut script = tls();
    script.0.extend(handshake(&PLAIN));
    let (conversation, _) = script.with(S, b"CANARY").checked();
    assert!(conversation.unreadable.unwrap().bytes.is_empty());
}

#[test]
fn a_hello_that_is_cut_off_is_read_as_far_as_it_goes() {
    let all = handshake(&PLAIN);
    let hello = &all[0].1;
    for cut in 0..hello.len() {
        let (conversation, _) = Script::new().with(C, &hello[..cut]).read();
        assert!(conversation.client_hello.is_none());
        // As its body, whatever it lacks.
        let _ = super::super::hello::client_hello(&hello[9.min(cut)..cut]);
    }
    // Spread over many records.
    let mut script = Script::new();
    for byte in &hello[5..] {
        script = script.with(C, [0x16, 3, 1, 0, 1, *byte]);
    }
    let (conversation, _) = script.checked();
    assert_eq!(
        conversation.client_hello,
        Script(all).checked().0.client_hello
    );
    // One of 16 MB takes no more memory than another.
    let script = Script::new().with(C, b"\x16\x03\x01\x40\0\x01\xff\xff\xff");
    let mut script = script.with(C, vec![0; (1 << 14) - 4]);
    for _ in 0..20 {
        script = script.with(C, record(0x16, 1 << 14));
    }
    let (conversation, _) = script.read();
    assert!(conversation.client.tls.kept() <= 4 + (12 << 10));
    assert_eq!(conversation.phase, Phase::Tls);
}
