//! Causes of the `server` stage.

use super::{Cause, Severity, fix};

/// Something went wrong here that no other row describes.
pub static UNCLASSIFIED: Cause = Cause {
    code: "server.unclassified",
    severity: Severity::Fail,
    retryable: false,
    title: "A failure that dbdoctor does not recognise",
    summary: "The server stage failed in a way that dbdoctor does not recognise: {error}",
    meaning: "The raw error is in the evidence. Every sighting is a gap to close.",
    fixes: &[fix(
        "Report it with the output of the same command and --format json.",
    )],
    seen_as: &[],
};

/// `target_session_attrs` cannot be met.
pub static READ_ONLY: Cause = Cause {
    code: "server.read-only",
    severity: Severity::Fail,
    retryable: false,
    title: "The server's role is not the one that target_session_attrs asks for",
    summary: "The server's role is not the one that target_session_attrs asks for.",
    meaning: "The server answers and lets us in, but it is a primary where a standby is asked for, or the other way round.",
    fixes: &[fix(
        "Name the right server, or another target_session_attrs.",
    )],
    seen_as: &["session is read-only"],
};

/// The rows of this file.
pub static ALL: &[&Cause] = &[&UNCLASSIFIED, &READ_ONLY];
