//! How many targets are checked, on standard error: on a terminal one line that updates,
//! otherwise a line from time to time.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::OutputArgs;
use crate::render::options::{self, Style};
use crate::system::System;

/// How often a line is written where there is no terminal.
const LINE: Duration = Duration::from_secs(5);

/// Shows them. Dropping it erases the line that changes.
pub struct Show {
    of: usize,
    done: usize,
    failed: usize,
    face: Face,
}

enum Face {
    Nothing,
    Lines(Instant),
    Bar(ProgressBar),
}

impl Show {
    /// For standard error as it is.
    pub fn new(output: &OutputArgs, around: &System, of: usize) -> Self {
        let stderr = std::io::stderr();
        let able = options::writes_over(around);
        let face = match (output.quiet, able) {
            (true, _) => Face::Nothing,
            (false, false) => Face::Lines(Instant::now()),
            (false, true) => {
                let style = Style::new(output, around, options::width_of(stderr));
                let target = ProgressDrawTarget::stderr_with_hz(8);
                let bar = ProgressBar::with_draw_target(Some(of as u64), target);
                let look = ProgressStyle::with_template("  {bar:30} {pos} of {len} targets{msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_bar());
                bar.set_style(look.progress_chars(if style.utf8 { "━╸ " } else { "=> " }));
                bar.enable_steady_tick(Duration::from_millis(250));
                Face::Bar(bar)
            }
        };
        Self {
            of,
            done: 0,
            failed: 0,
            face,
        }
    }

    /// One more is done.
    pub fn done(&mut self, failed: bool) {
        self.done += 1;
        self.failed += usize::from(failed);
        let (done, of, failed) = (self.done, self.of, self.failed);
        match &mut self.face {
            Face::Nothing => {}
            Face::Lines(told) => {
                if told.elapsed() >= LINE {
                    *told = Instant::now();
                    crate::terminal::say(format_args!(
                        "targets: {done} of {of} checked, {failed} failed"
                    ));
                }
            }
            Face::Bar(bar) => {
                bar.set_position(done as u64);
                if failed > 0 {
                    bar.set_message(format!(", {failed} failed"));
                }
            }
        }
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        if let Face::Bar(bar) = &self.face {
            bar.finish_and_clear();
        }
    }
}
