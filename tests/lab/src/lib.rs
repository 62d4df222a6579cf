//! The fault lab: real servers on loopback, each with one injected fault.
