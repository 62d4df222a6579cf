//! The secrets of other runs. A peer was not given them, and their words may be anybody's:
//! only those are taken out that are in no text by chance.

use std::collections::HashMap;

use super::finder::{Form, LONG, Spans, Squeezed};

/// Forms of secrets by how they begin. There may be very many, of which each is added once.
#[derive(Debug)]
pub(super) struct Others {
    by_start: Option<HashMap<[u8; LONG], Vec<Form>>>,
}

impl Others {
    /// None yet.
    pub(super) const fn new() -> Self {
        Self { by_start: None }
    }

    /// Finds these, too, as far as they cannot be met by chance.
    pub(super) fn add(&mut self, forms: &[Form]) {
        let by_start = self.by_start.get_or_insert_default();
        for form in forms.iter().filter(|form| form.is_unmistakable()) {
            if let Some(start) = form.squeezed().first_chunk::<LONG>() {
                let alike = by_start.entry(*start).or_default();
                if !alike.contains(form) {
                    alike.push(form.clone());
                }
            }
        }
    }

    /// `text` without them; none where there are none in it, or none but those that are part
    /// of the `known` values.
    pub(super) fn hide(&self, text: &[u8], known: &[String]) -> Option<Vec<u8>> {
        let by_start = self.by_start.as_ref()?;
        let squeezed = Squeezed::of(text);
        let mut spans = Spans::default();
        for (at, start) in squeezed.bytes.windows(LONG).enumerate() {
            let start = start.first_chunk::<LONG>()?;
            for form in by_start.get(start).into_iter().flatten() {
                let end = at + form.squeezed().len();
                let is_there = squeezed.bytes.get(at..end) == Some(form.squeezed());
                if is_there && !form.is_part_of(known) && !form.is_usual() {
                    let (from, to) = squeezed.span(at, end);
                    spans.add(from, to);
                }
            }
        }
        spans.hidden(text)
    }
}
