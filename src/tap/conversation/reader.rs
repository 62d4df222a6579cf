//! Framing of one direction: where a message or record begins, how long it is, and its body in
//! the pieces that come. Nothing of a body is kept here.

/// How the bytes are framed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Framing {
    /// A length of four bytes, which counts itself.
    #[default]
    Startup,
    /// A type, and a length of four bytes, which counts itself.
    Message,
    /// A TLS record: type, version, and a length of two bytes (RFC 8446, section 5.1).
    Record,
}

/// The beginning of a message or record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The type; none of a start-up packet.
    pub tag: u8,
    /// The version in a TLS record.
    pub version: u16,
    /// The length as it stands there.
    pub length: u32,
}

/// What comes next in one direction.
#[derive(Debug)]
pub(super) enum Item<'a> {
    /// A message begins.
    Head(Head),
    /// A part of its body.
    Piece(&'a [u8]),
    /// It is complete.
    End,
}

/// The state of one direction.
#[derive(Debug, Default)]
pub(super) struct Reader {
    framing: Framing,
    head: [u8; 5],
    have: usize,
    is_in_body: bool,
    is_skipping: bool,
    /// Bytes of the body that are still to come.
    left: u32,
}

impl Reader {
    /// Whether the next byte begins a message.
    pub fn is_at_start(&self) -> bool {
        self.have == 0 && !self.is_in_body
    }

    /// The framing of what comes next.
    pub fn set_framing(&mut self, framing: Framing) {
        self.framing = framing;
    }

    /// The framing.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// The bytes of the current head.
    pub fn head(&self) -> &[u8] {
        self.head.get(..self.have).unwrap_or_default()
    }

    /// Leaves out the body of the message that began: neither its pieces nor its end are told.
    pub fn skip(&mut self) {
        self.is_skipping = true;
    }

    /// The next of `bytes`, which is moved on; none where they are used up.
    #[inline]
    pub fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<Item<'a>> {
        if self.is_in_body {
            let here = (self.left as usize).min(bytes.len());
            let (piece, rest) = bytes.split_at(here);
            match (self.left, self.is_skipping) {
                (0, false) => {
                    self.end_body();
                    return Some(Item::End);
                }
                (_, false) if piece.is_empty() => return None,
                _ => {}
            }
            *bytes = rest;
            // No more than `left`, which is 32 bits.
            self.left -= here as u32;
            match (self.left, self.is_skipping) {
                (_, false) => return Some(Item::Piece(piece)),
                (0, true) => self.end_body(),
                (_, true) => return None,
            }
        }
        self.next_head(bytes).map(Item::Head)
    }

    fn end_body(&mut self) {
        self.is_in_body = false;
        self.is_skipping = false;
        self.have = 0;
    }

    #[inline]
    fn next_head(&mut self, bytes: &mut &[u8]) -> Option<Head> {
        let size = match self.framing {
            Framing::Startup => 4,
            Framing::Message | Framing::Record => 5,
        };
        if let (0, 5, Some((head, rest))) = (self.have, size, bytes.split_first_chunk()) {
            (self.head, self.have) = (*head, size);
            *bytes = rest;
        }
        while self.have < size {
            let (&first, rest) = bytes.split_first()?;
            *self.head.get_mut(self.have)? = first;
            self.have += 1;
            *bytes = rest;
        }
        let [a, b, c, d, e] = self.head;
        let head = match self.framing {
            Framing::Startup => Head {
                tag: 0,
                version: 0,
                length: u32::from_be_bytes([a, b, c, d]),
            },
            Framing::Message => Head {
                tag: a,
                version: 0,
                length: u32::from_be_bytes([b, c, d, e]),
            },
            Framing::Record => Head {
                tag: a,
                version: u16::from_be_bytes([b, c]),
                length: u16::from_be_bytes([d, e]).into(),
            },
        };
        self.is_in_body = true;
        self.left = match self.framing {
            Framing::Record => head.length,
            _ => head.length.saturating_sub(4),
        };
        Some(head)
    }
}
