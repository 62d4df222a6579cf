//! Loose matching of texts: without regard to case and kind of quotes, with
//! `*` for whatever varies.

/// A text to look for.
#[derive(Debug)]
pub struct Pattern {
    /// The pieces between the stars, folded; none is empty.
    pieces: Vec<String>,
}

impl Pattern {
    /// Compiles a pattern.
    pub fn new(text: &str) -> Self {
        let pieces = fold(text)
            .split('*')
            .map(str::trim)
            .filter(|piece| !piece.is_empty())
            .map(str::to_owned)
            .collect();
        Self { pieces }
    }

    /// How many characters are given.
    pub fn weight(&self) -> usize {
        self.pieces.iter().map(String::len).sum()
    }

    /// Its longest piece.
    pub fn longest(&self) -> &str {
        let longest = self.pieces.iter().max_by_key(|piece| piece.len());
        longest.map_or("", String::as_str)
    }

    /// Whether it is in a line that is folded already.
    pub fn is_in(&self, line: &str) -> bool {
        let Some((first, others)) = self.pieces.split_first() else {
            return false;
        };
        // Where the first piece stands decides the rest: try each place.
        line.match_indices(first.as_str()).any(|(at, _)| {
            let starts = starts_word(line, at, first);
            let mut from = at + first.len();
            starts
                && (!others.is_empty() || ends_word(line, from, first))
                && others.iter().enumerate().all(|(n, piece)| {
                    let last = n + 1 == others.len();
                    let rest = line.get(from..).unwrap_or_default();
                    let found = rest
                        .match_indices(piece.as_str())
                        .find(|(at, _)| !last || ends_word(line, from + at + piece.len(), piece));
                    match found {
                        Some((at, _)) => {
                            from += at + piece.len();
                            true
                        }
                        None => false,
                    }
                })
        })
    }
}

fn starts_word(line: &str, at: usize, piece: &str) -> bool {
    let inside = piece.starts_with(|c: char| c.is_ascii_alphanumeric());
    let before = line.get(..at).and_then(|text| text.chars().next_back());
    !(inside && before.is_some_and(|c| c.is_alphanumeric()))
}

fn ends_word(line: &str, at: usize, piece: &str) -> bool {
    let inside = piece.ends_with(|c: char| c.is_ascii_alphanumeric());
    let after = line.get(at..).and_then(|text| text.chars().next());
    !(inside && after.is_some_and(|c| c.is_alphanumeric()))
}

/// A text in the form in which texts are compared: lower case, one kind of
/// quotes, single blanks.
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let c = match c {
            '\'' | '`' | '´' | '‘' | '’' | '“' | '”' | '„' | '«' | '»' | '‹' | '›' | '「'
            | '」' => '"',
            c if c.is_whitespace() => ' ',
            c => c,
        };
        if c == ' ' && out.ends_with(' ') {
            continue;
        }
        out.extend(c.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, line: &str) -> bool {
        Pattern::new(pattern).is_in(&fold(line))
    }

    #[test]
    fn case_quotes_and_values_do_not_matter() {
        assert!(found(
            "role \"*\" does not exist",
            "FATAL:  Role 'app' does not exist"
        ));
        assert!(found(
            "lookup *: no such host",
            "dial tcp: lookup db: no such host"
        ));
        assert!(!found(
            "role \"*\" does not exist",
            "database \"a\" does not exist"
        ));
    }

    #[test]
    fn words_are_whole() {
        assert!(!found("P1001", "XP10012"));
        assert!(found("P1001", "Error: P1001: no"));
        assert!(!found("unix socket", "unix sockets"));
        assert!(!found("role * gone", "role x goner"));
        assert!(found("role * gone", "role x goner gone"));
    }
}
