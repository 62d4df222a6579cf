//! What the parsers of connection strings share.

/// One `name=value` of a connection string; a later one of the same name wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The keyword, known or not.
    pub name: String,
    /// The value, decoded; it need not be UTF-8.
    pub value: Vec<u8>,
}

impl Assignment {
    /// A value that is text.
    pub fn new(name: &str, value: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: value.as_bytes().to_vec(),
        }
    }

    /// The value as text, lossily.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.value).into_owned()
    }
}

/// Why a connection string cannot be read. It never holds a piece of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// What stands there.
    pub problem: &'static str,
    /// Where, in bytes from the beginning.
    pub offset: usize,
    /// Where, in characters from 1.
    pub column: usize,
    /// What kind of thing it is.
    pub kind: RejectedPart,
}

/// What kind of thing was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectedPart {
    /// The form.
    Form,
    /// A space inside a part of a URI.
    Space,
    /// A percent sign that encodes nothing.
    Percent,
}

impl Rejected {
    /// A rejection at a byte of the text.
    pub fn new(problem: &'static str, text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        Self {
            problem,
            offset,
            column: before.chars().count() + 1,
            kind: RejectedPart::Form,
        }
    }

    /// The same, for a space.
    pub fn spaced(self) -> Self {
        Self {
            kind: RejectedPart::Space,
            ..self
        }
    }

    /// The same, for a percent sign.
    pub fn percent(self) -> Self {
        Self {
            kind: RejectedPart::Percent,
            ..self
        }
    }
}
