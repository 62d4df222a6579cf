//! Progress of the attempts on standard error: on a terminal one line that updates,
//! otherwise a line from time to time.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::stats::{Account, wilson};
use crate::cli::OutputArgs;
use crate::redact;
use crate::render::options::{self, Style};
use crate::report::ms;
use crate::system::System;
use crate::text;

/// How often a line is written where there is no terminal.
const LINE: Duration = Duration::from_secs(2);
/// The rows of the histogram.
const ROWS: usize = 8;

/// Shows the attempts. Dropping it erases the line that changes.
pub struct Show {
    face: StressScreen,
}

enum StressScreen {
    Nothing,
    Lines { told: Instant, of: u32 },
    Bar { bar: ProgressBar, style: Style },
}

impl Show {
    /// For standard error as it is.
    pub fn new(output: &OutputArgs, around: &System, of: u32) -> Self {
        let stderr = std::io::stderr();
        let able = options::writes_over(around);
        let face = match (output.quiet, able) {
            (true, _) => StressScreen::Nothing,
            (false, false) => StressScreen::Lines {
                told: Instant::now(),
                of,
            },
            (false, true) => {
                let style = Style::new(output, around, options::width_of(stderr));
                let target = ProgressDrawTarget::stderr_with_hz(4);
                let bar = ProgressBar::with_draw_target(Some(of.into()), target);
                let look = ProgressStyle::with_template("  {bar:30} {pos} of {len} attempts{msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_bar());
                bar.set_style(look.progress_chars(if style.utf8 { "━╸ " } else { "=> " }));
                StressScreen::Bar { bar, style }
            }
        };
        Self { face }
    }

    /// Something worth a word.
    pub fn note(&self, words: &str) {
        let words = text::clean(&redact::active::line(words));
        match &self.face {
            StressScreen::Nothing => {}
            StressScreen::Lines { .. } => crate::terminal::say(format_args!("stress: {words}")),
            StressScreen::Bar { bar, .. } => bar.println(words),
        }
    }

    /// What is known so far.
    pub fn progress(&mut self, account: &Account) {
        let (made, passed) = (account.samples.len(), account.succeeded());
        match &mut self.face {
            StressScreen::Nothing => {}
            StressScreen::Lines { told, of } => {
                if told.elapsed() >= LINE || made == *of as usize {
                    *told = Instant::now();
                    crate::terminal::say(format_args!(
                        "stress: {made} of {of} attempts, {} failed",
                        made - passed
                    ));
                }
            }
            StressScreen::Bar { bar, .. } => {
                let (low, high) = wilson(passed, made);
                bar.set_position(made as u64);
                bar.set_message(format!(
                    ", {} failed; success rate {:.0} to {:.0} %",
                    made - passed,
                    low * 100.0,
                    high * 100.0
                ));
            }
        }
    }

    /// The end: the times of the attempts that passed, as a few bars.
    pub fn done(&self, account: &Account) {
        let StressScreen::Bar { bar, style } = &self.face else {
            return;
        };
        bar.finish_and_clear();
        let times = account
            .samples
            .iter()
            .filter(|sample| sample.failure.is_none())
            .map(|sample| ms(sample.total));
        for line in histogram(times, if style.utf8 { "▇" } else { "#" }) {
            crate::terminal::say(format_args!("  {line}"));
        }
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        if let StressScreen::Bar { bar, .. } = &self.face {
            bar.finish_and_clear();
        }
    }
}

/// Milliseconds by frequency, the shortest first.
fn histogram(times: impl Iterator<Item = f64>, fill: &str) -> Vec<String> {
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    let (Some(&low), Some(&high)) = (times.first(), times.last()) else {
        return Vec::new();
    };
    let width = ((high - low) / ROWS as f64).max(0.1);
    let mut counts = [0usize; ROWS];
    for time in &times {
        let row = ((time - low) / width) as usize;
        if let Some(count) = counts.get_mut(row.min(ROWS - 1)) {
            *count += 1;
        }
    }
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    counts
        .iter()
        .enumerate()
        .map(|(row, count)| {
            let from = low + width * row as f64;
            let bar = fill.repeat((count * 30).div_ceil(most));
            format!("{from:>9.1} ms {count:>6}  {bar}")
                .trim_end()
                .to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_histogram_counts_everything() {
        let lines = histogram([1.0, 1.1, 1.2, 9.0].into_iter(), "#");
        assert_eq!(lines.len(), ROWS);
        assert!(lines[0].ends_with(&"#".repeat(30)), "{lines:?}");
        assert!(lines[ROWS - 1].contains(" 1  #"), "{lines:?}");
        assert!(histogram([].into_iter(), "#").is_empty());
        assert_eq!(histogram([5.0].into_iter(), "#").len(), ROWS);
    }
}
