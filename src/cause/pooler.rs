//! What a pooler says in place of the server, observed in `auth` or `server`.

use super::Cause;

/// The rows of this file.
pub static ALL: &[&Cause] = &[];
