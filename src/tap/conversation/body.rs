//! What is kept of a message's body as it comes: a bounded beginning of those that are of use,
//! and of the others nothing. Statements, parameters, rows, passwords and proofs are never
//! copied.

use super::error_fields::ErrorFields;
use super::sasl_choice::SaslChoice;

/// How the body of the current message is read.
#[derive(Debug, Default)]
pub(super) enum Body {
    /// Its beginning is kept: four bytes, then up to a limit that these decide.
    Kept(fn(u32) -> usize),
    /// Parse: the statement's name, of which so much is kept.
    Name {
        longest: usize,
        is_named: Option<bool>,
        is_whole: bool,
    },
    /// Bind: whether the statement has a name, which follows the portal's.
    Bind {
        portal_ended: bool,
        is_named: Option<bool>,
    },
    /// SASLInitialResponse.
    Sasl(SaslChoice),
    /// ErrorResponse or NoticeResponse.
    Error(Box<ErrorFields>),
    /// Nothing of it.
    #[default]
    Nothing,
}

impl Body {
    pub fn name(longest: usize) -> Self {
        Body::Name {
            longest,
            is_named: None,
            is_whole: false,
        }
    }

    pub fn bind() -> Self {
        Body::Bind {
            portal_ended: false,
            is_named: None,
        }
    }

    /// The next part of it, and what was kept before.
    pub fn push(&mut self, piece: &[u8], kept: &mut Vec<u8>) {
        match self {
            Body::Kept(limit) => keep(kept, piece, *limit),
            Body::Name {
                longest,
                is_named,
                is_whole,
            } if !*is_whole => {
                let end = piece.iter().position(|&byte| byte == 0);
                let part = piece.get(..end.unwrap_or(piece.len())).unwrap_or_default();
                is_named.get_or_insert(!part.is_empty());
                let room = longest.saturating_sub(kept.len());
                kept.extend(part.iter().take(room));
                *is_whole = end.is_some();
            }
            Body::Bind {
                portal_ended,
                is_named,
            } if is_named.is_none() => {
                let mut rest = piece;
                if !*portal_ended {
                    let Some(end) = piece.iter().position(|&byte| byte == 0) else {
                        return;
                    };
                    *portal_ended = true;
                    rest = piece.get(end + 1..).unwrap_or_default();
                }
                *is_named = rest.first().map(|&byte| byte != 0);
            }
            Body::Sasl(choice) => choice.push(piece),
            Body::Error(fields) => fields.push(piece),
            Body::Name { .. } | Body::Bind { .. } | Body::Nothing => {}
        }
    }
}

fn keep(kept: &mut Vec<u8>, piece: &[u8], limit: fn(u32) -> usize) {
    let (first, rest) = piece.split_at(piece.len().min(4_usize.saturating_sub(kept.len())));
    kept.extend_from_slice(first);
    if let Some(&kind) = kept.first_chunk::<4>() {
        let room = limit(u32::from_be_bytes(kind)).saturating_sub(kept.len());
        kept.extend(rest.iter().take(room));
    }
}
