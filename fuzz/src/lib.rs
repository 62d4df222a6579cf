//! The frame of each of libFuzzer's targets; what they check is in `src/fuzz/`.

#[cfg(fuzzing)]
#[doc(hidden)]
pub use libfuzzer_sys;

/// A program that feeds the parser of its own name. Without coverage it is empty, so
/// that an ordinary build needs no libFuzzer.
#[macro_export]
macro_rules! target {
    () => {
        #[cfg(fuzzing)]
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| {
            dbdoctor::fuzz::run(env!("CARGO_BIN_NAME"), data)
        });

        #[cfg(not(fuzzing))]
        fn main() {}
    };
}
