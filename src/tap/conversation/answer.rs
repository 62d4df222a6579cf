//! What the client chooses in SASL: the mechanism and the GS2 header up to its first comma
//! (RFC 5802, section 7). What follows is a name, a nonce or a token, and is never copied.

use super::ChannelBinding;

/// Mechanisms of PostgreSQL and of what stands in front of it, offered or not.
const KNOWN: [&str; 10] = [
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-512-PLUS",
    "SCRAM-SHA-512",
    "SCRAM-SHA-1",
    "OAUTHBEARER",
    "XOAUTH2",
    "PLAIN",
    "GSSAPI",
    "EXTERNAL",
];

/// The longest type of channel binding (RFC 5056 registers shorter ones), in bytes.
const LONGEST_TYPE: usize = 64;

/// A SASLInitialResponse as it is read.
#[derive(Debug)]
pub(super) struct SaslChoice {
    names: Vec<String>,
    /// Which of the names agree so far. The name itself is not copied: a client that does not
    /// know SASL sends its password in this place.
    agree: u64,
    place: Place,
    binding: Option<ChannelBinding>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// So many bytes into the mechanism.
    Mechanism(usize),
    /// So many bytes into the length of the response; whether they are all ones, for none.
    Length(usize, bool),
    /// At the first byte of the response.
    Flag,
    /// After `p`.
    Equals,
    /// In the type of the channel binding.
    Type,
    /// Nothing more is of interest.
    Done,
}

impl SaslChoice {
    /// One of these mechanisms, or of the well-known ones.
    pub fn among(offered: &[String]) -> Self {
        let known = KNOWN.iter().map(|&name| name.to_owned());
        let names: Vec<String> = offered.iter().cloned().chain(known).take(64).collect();
        Self {
            agree: u64::MAX,
            names,
            place: Place::Mechanism(0),
            binding: None,
        }
    }

    /// The next part of the message.
    pub fn push(&mut self, piece: &[u8]) {
        for &byte in piece {
            self.place = match self.place {
                Place::Mechanism(at) => self.mechanism(at, byte),
                Place::Length(3, true) if byte == 0xff => Place::Done,
                Place::Length(3, _) => Place::Flag,
                Place::Length(at, ones) => Place::Length(at + 1, ones && byte == 0xff),
                Place::Flag => match byte {
                    b'n' => self.bound(ChannelBinding::Unsupported),
                    b'y' => self.bound(ChannelBinding::NotOffered),
                    b'p' => Place::Equals,
                    _ => Place::Done,
                },
                Place::Equals if byte == b'=' => {
                    self.bound(ChannelBinding::Used(String::new()));
                    Place::Type
                }
                Place::Equals => Place::Done,
                Place::Type => self.binding_type(byte),
                Place::Done => return,
            };
        }
    }

    fn mechanism(&mut self, at: usize, byte: u8) -> Place {
        for (bit, name) in self.names.iter().enumerate() {
            // The names end as the message's does.
            let expected = name.as_bytes().get(at).copied().unwrap_or_default();
            if expected != byte {
                self.agree &= !(1 << bit);
            }
        }
        match byte {
            0 => Place::Length(0, true),
            _ => Place::Mechanism(at + 1),
        }
    }

    fn bound(&mut self, binding: ChannelBinding) -> Place {
        self.binding = Some(binding);
        Place::Done
    }

    fn binding_type(&mut self, byte: u8) -> Place {
        match &mut self.binding {
            Some(ChannelBinding::Used(kind)) if kind.len() < LONGEST_TYPE => match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => {
                    kind.push(char::from(byte));
                    Place::Type
                }
                _ => Place::Done,
            },
            _ => Place::Done,
        }
    }

    /// The mechanism, where it is one that was offered or is known, and the channel binding.
    pub fn chosen(self) -> Option<(String, Option<ChannelBinding>)> {
        if matches!(self.place, Place::Mechanism(_)) {
            return None;
        }
        let mut names = self.names.into_iter().enumerate();
        let (_, name) = names.find(|(bit, _)| self.agree & (1 << bit) != 0)?;
        Some((name, self.binding))
    }
}
