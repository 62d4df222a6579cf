//! Feeds `passfile` of `src/fuzz/`.
#![cfg_attr(fuzzing, no_main)]

dbdoctor_fuzz::target!();
