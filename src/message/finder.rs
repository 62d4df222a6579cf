//! Which of many patterns are in a line.

use std::collections::HashMap;

use super::pattern::Pattern;

/// The first four bytes of a pattern's longest piece, which a line must have.
type Gram = [u8; 4];

/// Patterns with what they stand for.
#[derive(Debug)]
pub struct Finder<T> {
    entries: Vec<(Pattern, T)>,
    by_gram: HashMap<Gram, Vec<usize>>,
    /// Those that are too short to have four bytes.
    short: Vec<usize>,
}

impl<T> Finder<T> {
    /// Compiles texts.
    pub fn new(texts: impl IntoIterator<Item = (impl AsRef<str>, T)>) -> Self {
        let mut finder = Self {
            entries: Vec::new(),
            by_gram: HashMap::new(),
            short: Vec::new(),
        };
        for (at, (text, value)) in texts.into_iter().enumerate() {
            let pattern = Pattern::new(text.as_ref());
            match pattern.longest().as_bytes().first_chunk() {
                Some(gram) => finder.by_gram.entry(*gram).or_default().push(at),
                None => finder.short.push(at),
            }
            finder.entries.push((pattern, value));
        }
        finder
    }

    /// What is in a line that is folded already, in the order of the texts.
    pub fn find(&self, folded: &str) -> Vec<(&Pattern, &T)> {
        let mut maybe = self.short.clone();
        let windows = folded.as_bytes().windows(4);
        for gram in windows.filter_map(|four| four.first_chunk()) {
            maybe.extend(self.by_gram.get(gram).into_iter().flatten());
        }
        maybe.sort_unstable();
        maybe.dedup();
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
