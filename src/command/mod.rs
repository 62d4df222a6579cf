//! The subcommands that are more than a run of the pipeline.

pub mod generate;
pub mod key;
pub mod stress;
pub mod wait;
