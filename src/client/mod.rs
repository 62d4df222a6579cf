//! What is known of the drivers that applications connect with: which there are, and
//! how each reads its settings. Knowledge and pure functions: nothing here connects.

pub mod certificate;
pub mod detect;
pub mod driver;
pub mod key_form;
pub mod libpq;
pub mod pooler;
pub mod profile;
mod range;
pub mod rules;
pub mod startup;
pub mod statements;
pub mod version;

pub use driver::{Choice, Driver};
pub use profile::Profile;
pub use rules::Rules;
pub use version::Version;
