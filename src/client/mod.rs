//! What is known of the drivers that applications connect with: which there are, and
//! how each reads its settings. Knowledge and pure functions: nothing here connects.

pub mod driver;
pub mod profile;
pub mod version;

pub use driver::{Choice, Driver};
pub use profile::Profile;
pub use version::Version;
