//! Which of many patterns are in a line.

use aho_corasick::AhoCorasick;

use super::pattern::Pattern;

/// Patterns with what they stand for.
#[derive(Debug)]
pub struct Finder<T> {
    entries: Vec<(Pattern, T)>,
    /// The longest piece of each pattern, which a line must have; none where the
    /// pieces are too many to look for at once.
    pieces: Option<AhoCorasick>,
}

impl<T> Finder<T> {
    /// Compiles texts.
    pub fn new(texts: impl IntoIterator<Item = (impl AsRef<str>, T)>) -> Self {
        let entries: Vec<(Pattern, T)> = texts
            .into_iter()
            .map(|(text, value)| (Pattern::new(text.as_ref()), value))
            .collect();
        let pieces = AhoCorasick::new(entries.iter().map(|(pattern, _)| pattern.longest())).ok();
        Self { entries, pieces }
    }

    /// What is in a line that is folded already, in the order of the texts.
    pub fn find(&self, folded: &str) -> Vec<(&Pattern, &T)> {
        let maybe = match &self.pieces {
            Some(pieces) => {
                let found = pieces.find_overlapping_iter(folded);
                let mut maybe: Vec<usize> = found.map(|at| at.pattern().as_usize()).collect();
                maybe.sort_unstable();
                maybe.dedup();
                maybe
            }
            None => (0..self.entries.len()).collect(),
        };
        maybe
            .into_iter()
            .filter_map(|at| self.entries.get(at))
            .filter(|(pattern, _)| pattern.is_in(folded))
            .map(|(pattern, value)| (pattern, value))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_line_is_found_in_order() {
        let finder = Finder::new([("role \"*\" gone", 1), ("EOF", 2), ("no", 3), ("eof", 4)]);
        let found = |line: &str| {
            let found = finder.find(line);
            found.iter().map(|(_, value)| **value).collect::<Vec<_>>()
        };
        assert_eq!(found("role \"a\" gone: eof"), [1, 2, 4]);
        assert_eq!(found("no role"), [3]);
        assert_eq!(found(""), [0; 0]);
    }
}
