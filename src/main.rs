//! The command line: parse, run, render, exit.

fn main() {}
