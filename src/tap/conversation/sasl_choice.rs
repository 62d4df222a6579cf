//! What the client chooses in SASL: the mechanism, the GS2 header up to its first comma
//! (RFC 5802, section 7), and of the user in a first SCRAM message whether it is left out. A
//! name, a nonce or a token is never copied.

use super::{ChannelBinding, ScramUser};

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
    user: Option<ScramUser>,
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
    /// So many commas before the user.
    Commas(usize),
    /// So many bytes into `n=`.
    UserMark(usize),
    /// At the first byte of the user.
    User,
    /// After an asterisk.
    Star,
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
            user: None,
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
                Place::Commas(more) => match (byte, more) {
                    (b',', 1) => Place::UserMark(0),
                    (b',', _) => Place::Commas(more - 1),
                    // Another identity to act as: nobody sends one.
                    _ => Place::Done,
                },
                Place::UserMark(0) if byte == b'n' => Place::UserMark(1),
                Place::UserMark(1) if byte == b'=' => Place::User,
                Place::UserMark(_) => Place::Done,
                Place::User => match byte {
                    b',' => self.user(ScramUser::Empty),
                    b'*' => Place::Star,
                    _ => self.user(ScramUser::Name),
                },
                Place::Star if byte == b',' => self.user(ScramUser::Star),
                Place::Star => self.user(ScramUser::Name),
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
        Place::Commas(2)
    }

    fn user(&mut self, user: ScramUser) -> Place {
        self.user = Some(user);
        Place::Done
    }

    fn binding_type(&mut self, byte: u8) -> Place {
        match &mut self.binding {
            Some(ChannelBinding::Used(kind)) if kind.len() < LONGEST_TYPE => match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => {
                    kind.push(char::from(byte));
                    Place::Type
                }
                b',' => Place::Commas(1),
                _ => Place::Done,
            },
            _ => Place::Done,
        }
    }

    /// The mechanism, where it is one that was offered or is known, the channel binding and the
    /// user.
    pub fn chosen(self) -> Option<(String, Option<ChannelBinding>, Option<ScramUser>)> {
        if matches!(self.place, Place::Mechanism(_)) {
            return None;
        }
        let mut names = self.names.into_iter().enumerate();
        let (_, name) = names.find(|(bit, _)| self.agree & (1 << bit) != 0)?;
        Some((name, self.binding, self.user))
    }
}
