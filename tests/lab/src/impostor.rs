//! Ends that speak the Postgres protocol and are no PostgreSQL server. What they receive is
//! recorded by the [`Peer`].

use std::io::{self, Read, Write};

use anyhow::Result;

use crate::proxy::{Peer, Stream};

/// Numbers of authentication requests.
pub const OK: u32 = 0;
/// A password in clear.
pub const CLEARTEXT: u32 = 3;
/// A password as an MD5 hash.
pub const MD5: u32 = 5;
/// A list of SASL mechanisms.
pub const SASL: u32 = 10;
/// The next SASL message.
pub const SASL_CONTINUE: u32 = 11;
/// The last SASL message.
pub const SASL_FINAL: u32 = 12;

/// A client, as an impostor sees it.
pub struct Client(Stream);

/// A listening impostor: `script` is run for each client whose start-up message has come. Asked
/// for TLS, it says no.
pub fn impostor(
    script: impl Fn(&mut Client) -> io::Result<()> + Send + Sync + 'static,
) -> Result<Peer> {
    impostor_on("127.0.0.1", script)
}

/// The same on this address.
pub fn impostor_on(
    address: &str,
    script: impl Fn(&mut Client) -> io::Result<()> + Send + Sync + 'static,
) -> Result<Peer> {
    Peer::script_on(address, move |stream| {
        let mut client = Client(stream);
        client.start_up()?;
        script(&mut client)?;
        client.0.close()
    })
}

impl Client {
    fn start_up(&mut self) -> io::Result<()> {
        loop {
            let message = self.rest()?;
            if message != [4, 210, 22, 47] {
                return Ok(());
            }
            self.0.write_all(b"N")?;
        }
    }

    /// What a length announces.
    fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length).saturating_sub(4).min(100_000);
        let mut body = vec![0; length as usize];
        self.0.read_exact(&mut body)?;
        Ok(body)
    }

    /// The client's next message: its type and its body.
    pub fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut tag = [0];
        self.0.read_exact(&mut tag)?;
        Ok((tag[0], self.rest()?))
    }

    /// Sends a message.
    pub fn send(&mut self, tag: u8, body: &[u8]) -> io::Result<()> {
        let mut message = vec![tag];
        message.extend((body.len() as u32 + 4).to_be_bytes());
        message.extend(body);
        self.0.write_all(&message)
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Asks for authentication, or says that it is done.
    pub fn ask(&mut self, request: u32, data: &[u8]) -> io::Result<()> {
        let mut body = request.to_be_bytes().to_vec();
        body.extend(data);
        self.send(b'R', &body)
    }

    /// An error with these fields: `C` for the SQLSTATE, `M` for the message, and so on.
    pub fn error(&mut self, fields: &[(char, &str)]) -> io::Result<()> {
        self.say(b'E', fields)
    }

    /// A notice with these fields, as for an error.
    pub fn notice(&mut self, fields: &[(char, &str)]) -> io::Result<()> {
        self.say(b'N', fields)
    }

    fn say(&mut self, tag: u8, fields: &[(char, &str)]) -> io::Result<()> {
        let mut body = Vec::new();
        for (kind, value) in fields {
            body.push(*kind as u8);
            body.extend(value.as_bytes());
            body.push(0);
        }
        body.push(0);
        self.send(tag, &body)
    }

    /// Offers SCRAM, answers the client's first message with a salt of its own and returns the
    /// client's proof, which it cannot check.
    pub fn scram(&mut self) -> io::Result<Vec<u8>> {
        self.ask(SASL, b"SCRAM-SHA-256\0\0")?;
        let (_, first) = self.receive()?;
        let text = String::from_utf8_lossy(&first);
        let nonce = text.rsplit("r=").next().unwrap_or_default();
        let answer = format!("r={nonce}impostor,s=c2FsdHNhbHRzYWx0,i=4096");
        self.ask(SASL_CONTINUE, answer.as_bytes())?;
        Ok(self.receive()?.1)
    }

    /// Begins a session.
    pub fn begin(&mut self) -> io::Result<()> {
        for (name, value) in [("server_version", "15.0"), ("client_encoding", "UTF8")] {
            self.send(b'S', format!("{name}\0{value}\0").as_bytes())?;
        }
        self.send(b'K', &[0, 0, 1, 0, 0, 0, 0, 1])?;
        self.send(b'Z', b"I")
    }

    /// Plays a server that answers a query for columns with one row, until the client goes: each
    /// column with the value of the first word that it contains, else NULL.
    pub fn serve_facts(&mut self, answers: &[(&str, &str)]) -> io::Result<()> {
        self.begin()?;
        while let Ok((b'Q', query)) = self.receive() {
            let query = String::from_utf8_lossy(&query).into_owned();
            let columns = columns(&query);
            let mut row = (columns.len() as u16).to_be_bytes().to_vec();
            for column in columns {
                match answers.iter().find(|(word, _)| column.contains(word)) {
                    Some((_, value)) => {
                        row.extend((value.len() as u32).to_be_bytes());
                        row.extend(value.as_bytes());
                    }
                    None => row.extend([0xff; 4]),
                }
            }
            self.send(b'D', &row)?;
            self.send(b'C', b"SELECT 1\0")?;
            self.send(b'Z', b"I")?;
        }
        Ok(())
    }

    /// Plays a server that answers every query with one row, until the client goes.
    pub fn serve(&mut self) -> io::Result<()> {
        self.begin()?;
        while let Ok((b'Q', _)) = self.receive() {
            let column = b"\0\x01a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0";
            self.send(b'T', column)?;
            self.send(b'D', b"\0\x01\0\0\0\x011")?;
            self.send(b'C', b"SELECT 1\0")?;
            self.send(b'Z', b"I")?;
        }
        Ok(())
    }
}

/// The expressions of a SELECT, split at the commas outside parentheses.
fn columns(query: &str) -> Vec<&str> {
    let list = query.trim_start_matches("SELECT");
    let (mut depth, mut from, mut out) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                out.push(&list[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    out.push(&list[from..]);
    out
}
