//! Reading TLS's vectors: numbers, and what a number of its length stands before (RFC 8446,
//! section 3.4).

/// What is left to read; every reader returns `None` where there is not enough.
pub struct VectorReader<'a>(pub &'a [u8]);

impl<'a> VectorReader<'a> {
    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }

    fn number(&mut self, bytes: usize) -> Option<usize> {
        let head = self.take(bytes)?;
        Some(head.iter().fold(0, |n, &b| n << 8 | usize::from(b)))
    }

    /// A 16-bit number.
    pub fn u16(&mut self) -> Option<u16> {
        self.number(2).map(|n| n as u16)
    }

    /// A vector with a length of 8 bits.
    pub fn vector8(&mut self) -> Option<&'a [u8]> {
        let n = self.number(1)?;
        self.take(n)
    }

    /// A vector with a length of 16 bits.
    pub fn vector16(&mut self) -> Option<&'a [u8]> {
        let n = self.number(2)?;
        self.take(n)
    }

    /// A vector with a length of 24 bits.
    pub fn vector24(&mut self) -> Option<&'a [u8]> {
        let n = self.number(3)?;
        self.take(n)
    }
}
