//! The words of a line that is still being written: a quote may be open.

/// A line up to the cursor.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Its words without their quotes; the last one is the one that is being written.
    pub(super) words: Vec<String>,
    /// Whether the last word is in quotes that are not closed.
    pub(super) quoted: bool,
}

/// Splits a line at blanks, by the shell's quotes and backslashes.
pub(super) fn split(line: &str) -> Line {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut fresh = true;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        let letter = match (letter, quote) {
            (' ' | '\t' | '\n', None) => {
                if !fresh {
                    words.push(String::new());
                }
                fresh = true;
                continue;
            }
            ('\'' | '"', None) => {
                quote = Some(letter);
                fresh = false;
                continue;
            }
            (mark, Some(open)) if mark == open => {
                quote = None;
                continue;
            }
            ('\\', None | Some('"')) => match letters.next() {
                Some(next) => next,
                None => continue,
            },
            (letter, _) => letter,
        };
        fresh = false;
        if let Some(word) = words.last_mut() {
            word.push(letter);
        }
    }
    Line {
        words,
        quoted: quote.is_some(),
    }
}

/// A word as it is meant, without its quotes.
pub(super) fn word(written: &str) -> String {
    split(written).words.pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_a_shell_splits_them() {
        for (line, words, quoted) in [
            ("dbdoctor ", &["dbdoctor", ""][..], false),
            (
                "dbdoctor check 'host=a serv",
                &["dbdoctor", "check", "host=a serv"],
                true,
            ),
            ("dbdoctor key my\\ k", &["dbdoctor", "key", "my k"], false),
            ("dbdoctor  x \"a\\\"b\"", &["dbdoctor", "x", "a\"b"], false),
            ("dbdoctor ''", &["dbdoctor", ""], false),
            ("dbdoctor --as=p", &["dbdoctor", "--as=p"], false),
            ("dbdoctor \\", &["dbdoctor", ""], false),
        ] {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(split(line), Line { words, quoted }, "{line}");
        }
    }
}
