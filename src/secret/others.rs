//! The secrets of other runs. A peer was not given them, and their words may be anybody's:
//! only those are taken out that are in no text by chance.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::finder::{Form, LONG, Spans, Squeezed};

/// Forms of secrets by how they begin. There may be very many, of which each is added once.
pub(super) struct Others {
    made: Option<Made>,
}

#[derive(Default)]
struct Made {
    hasher: RandomState,
    /// By a hash of their first bytes, which are not in memory so.
    by_start: HashMap<u64, Vec<Form>>,
}

impl Others {
    /// None yet.
    pub(super) const fn new() -> Self {
        Self { made: None }
    }

    /// Finds these, too, as far as they cannot be met by chance.
    pub(super) fn add(&mut self, forms: &[Form]) {
        let Made { hasher, by_start } = self.made.get_or_insert_default();
        for form in forms.iter().filter(|form| form.is_unmistakable()) {
            let squeezed = form.squeezed();
            if let Some(start) = squeezed.first_chunk::<LONG>() {
                let alike = by_start.entry(hasher.hash_one(start)).or_default();
                if alike.iter().all(|other| *other.squeezed() != *squeezed) {
                    alike.push(form.clone());
                }
            }
        }
    }

    /// `text` without them; none where there are none in it, or none but those that are part
    /// of the `known` values.
    pub(super) fn hide(&self, text: &[u8], known: &[String]) -> Option<Vec<u8>> {
        let Made { hasher, by_start } = self.made.as_ref()?;
        let squeezed = Squeezed::of(text);
        let mut spans = Spans::default();
        for (at, start) in squeezed.bytes.windows(LONG).enumerate() {
            let start = start.first_chunk::<LONG>()?;
            for form in by_start.get(&hasher.hash_one(start)).into_iter().flatten() {
                let looked_for = form.squeezed();
                let end = at + looked_for.len();
                let is_there = squeezed.bytes.get(at..end) == Some(&**looked_for);
                if is_there && !form.is_part_of(known) && !form.is_usual() {
                    let (from, to) = squeezed.span(at, end);
                    spans.add(from, to);
                }
            }
        }
        spans.hidden(text)
    }
}
