//! An ErrorResponse or NoticeResponse, read field by field as it comes: each is bounded, and
//! after the login those that may quote data are not copied.

use super::text;
use crate::wire::server_error::ServerError;

/// Which fields may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All: nothing of a statement can be in it before the login.
    All,
    /// Severity, SQLSTATE and where it was raised; the message where the session ends with it.
    WithoutData,
}

/// A message as it is read.
#[derive(Debug)]
pub(super) struct ErrorFields {
    wanted: Wanted,
    error: ServerError,
    translated: String,
    field: Option<u8>,
    value: Vec<u8>,
    is_over: bool,
}

impl ErrorFields {
    pub fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            error: ServerError::default(),
            translated: String::new(),
            field: None,
            value: Vec::new(),
            is_over: false,
        }
    }

    /// The next part of the message.
    pub fn push(&mut self, mut piece: &[u8]) {
        while !self.is_over
            && let Some((&first, rest)) = piece.split_first()
        {
            let Some(field) = self.field else {
                self.is_over = first == 0;
                self.field = Some(first);
                piece = rest;
                continue;
            };
            let end = piece.iter().position(|&byte| byte == 0);
            let part = piece.get(..end.unwrap_or(piece.len())).unwrap_or_default();
            let room = self.longest(field).saturating_sub(self.value.len());
            self.value.extend(part.iter().take(room));
            let Some(end) = end else {
                return;
            };
            self.end_field(field);
            piece = piece.get(end + 1..).unwrap_or_default();
        }
    }

    /// The most that is kept of a field, in bytes.
    fn longest(&self, field: u8) -> usize {
        let all = self.wanted == Wanted::All;
        match field {
            b'V' | b'S' => 32,
            b'C' => 5,
            b'F' | b'R' => 64,
            b'L' => 10,
            b'M' if all || self.ends_the_session() => 2_000,
            b'D' | b'H' | b'W' if all => 1_000,
            _ => 0,
        }
    }

    fn ends_the_session(&self) -> bool {
        let severity = match self.error.severity_is_fixed {
            true => &self.error.severity,
            false => &self.translated,
        };
        matches!(severity.as_str(), "FATAL" | "PANIC")
    }

    fn end_field(&mut self, field: u8) {
        let value = text(&self.value);
        self.value.clear();
        self.field = None;
        let all = self.wanted == Wanted::All;
        match field {
            b'V' => {
                self.error.severity = value;
                self.error.severity_is_fixed = true;
            }
            b'S' => self.translated = value,
            b'C' => self.error.code = value,
            b'M' => self.error.message = value,
            b'D' if all => self.error.detail = Some(value),
            b'H' if all => self.error.hint = Some(value),
            b'W' if all => self.error.context = Some(value),
            b'F' => self.error.file = Some(value),
            b'L' => self.error.line = value.parse().ok(),
            b'R' => self.error.routine = Some(value),
            _ => {}
        }
    }

    /// The message once it is complete. Some poolers forget the zeroes at the end.
    pub fn finish(mut self) -> ServerError {
        if let Some(field) = self.field
            && !self.is_over
        {
            self.end_field(field);
        }
        if !self.error.severity_is_fixed {
            self.error.severity = self.translated;
        }
        self.error
    }
}
