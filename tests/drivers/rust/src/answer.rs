//! What a client says.

use std::error::Error;

/// How far it got.
#[derive(Default)]
pub struct Answer {
    /// Whether the session stood.
    pub connected: bool,
}

impl Answer {
    /// Prints it, with the error and what caused it.
    pub fn finish(self, outcome: Result<(), Box<dyn Error>>, code: Option<String>) {
        let error = outcome.as_ref().err().map(|error| {
            let mut said = error.to_string();
            let mut source = error.source();
            while let Some(error) = source {
                let text = error.to_string();
                if !said.contains(&text) {
                    said += &format!(" <- {text}");
                }
                source = error.source();
            }
            said
        });
        let answer = serde_json::json!({
            "connected": self.connected,
            "answered": outcome.is_ok(),
            "error": error,
            "code": code,
        });
        println!("{answer}");
    }
}
