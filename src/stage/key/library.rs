//! Which SSH libraries can read a key.
