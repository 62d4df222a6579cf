//! The two length-prefixed encodings of SSH (RFC 4251, section 5), read from
//! and written to memory.

/// Reads from the front of a slice; `None` where it is too short.
#[derive(Clone, Copy)]
pub struct Blob<'a>(pub &'a [u8]);

impl<'a> Blob<'a> {
    /// The next bytes.
    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A `uint32`.
    pub fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    /// A `string`.
    pub fn string(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let length = usize::try_from(ahead.u32()?).ok()?;
        let content = ahead.bytes(length)?;
        *self = ahead;
        Some(content)
    }

    /// A `string` that must be text without NUL, as `sshbuf_get_cstring` wants it.
    pub fn text(&mut self) -> Option<&'a str> {
        let text = std::str::from_utf8(self.string()?).ok()?;
        (!text.contains('\0')).then_some(text)
    }

    /// A non-negative `mpint` in the form OpenSSH accepts, without leading zeros.
    pub fn number(&mut self) -> Option<&'a [u8]> {
        /// `SSHBUF_MAX_BIGNUM`: 16384 bits.
        const LONGEST: usize = 16384 / 8;
        let number = self.string()?;
        let negative = number.first().is_some_and(|first| first & 0x80 != 0);
        let zero = number.iter().take_while(|b| **b == 0).count();
        let too_long = number.len() > LONGEST + 1 || number.len() - zero.min(1) > LONGEST;
        (!negative && !too_long).then(|| number.get(zero..).unwrap_or_default())
    }
}

/// Appends a `string`.
pub fn put_string(out: &mut Vec<u8>, content: &[u8]) {
    out.extend((content.len() as u32).to_be_bytes());
    out.extend(content);
}

/// Appends a non-negative number as an `mpint`.
pub fn put_number(out: &mut Vec<u8>, number: &[u8]) {
    let digits: Vec<u8> = number.iter().copied().skip_while(|b| *b == 0).collect();
    match digits.first() {
        Some(first) if first & 0x80 != 0 => {
            put_string(out, &[&[0], digits.as_slice()].concat());
        }
        _ => put_string(out, &digits),
    }
}

/// The length of a number in bits.
pub fn bits(number: &[u8]) -> u32 {
    let digits: Vec<u8> = number.iter().copied().skip_while(|b| *b == 0).collect();
    match digits.first() {
        Some(first) => digits.len() as u32 * 8 - first.leading_zeros(),
        None => 0,
    }
}
