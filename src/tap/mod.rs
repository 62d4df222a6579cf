//! `tap`: what an application really sends.
//!
//! ```text
//! application ─► Forwarder ─► target         every byte passes unchanged
//!                   │
//!                   └─► Conversation ─► events, findings, the driver's marks
//! ```

pub mod conversation;
