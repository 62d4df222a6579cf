//! Progress of the idle test on standard error: on a terminal one line with a bar
//! per connection, otherwise a line per event.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::AbortHandle;

use super::layout::wrap;
use super::options::{self, Style};
use crate::cli::OutputArgs;
use crate::idle::{Event, format_duration};
use crate::redact;
use crate::system::System;
use crate::text;

/// The time between two frames; the time left is shown in seconds.
const FRAME: Duration = Duration::from_millis(500);
/// Below this width the lines have no bars.
const BARS_BESIDE: usize = 76;
/// The steps of a full bar.
const STEPS: u64 = 1_000;

/// Shows the test. Dropping it erases what is drawn.
pub struct Board {
    face: IdleScreen,
    began: Instant,
}

enum IdleScreen {
    Nothing,
    Lines(BTreeMap<usize, String>),
    Bars {
        bars: Arc<Mutex<Bars>>,
        ticker: AbortHandle,
    },
}

impl Board {
    /// A board for standard error as it is.
    pub fn new(output: &OutputArgs, around: &System) -> Self {
        let able = options::writes_over(around);
        let face = match (output.quiet, able) {
            (true, _) => IdleScreen::Nothing,
            (false, false) => IdleScreen::Lines(BTreeMap::new()),
            (false, true) => {
                let style = Style::new(output, around, options::width_of(std::io::stderr()));
                IdleScreen::bars(style)
            }
        };
        Self {
            face,
            began: Instant::now(),
        }
    }

    /// Shows what happened.
    pub fn tell(&mut self, event: Event) {
        match &mut self.face {
            IdleScreen::Nothing => {}
            IdleScreen::Lines(names) => {
                if let Some(line) = line(names, event) {
                    crate::terminal::say(format_args!(
                        "idle {:>9}  {line}",
                        format_duration(self.began.elapsed())
                    ));
                }
            }
            IdleScreen::Bars { bars, .. } => lock(bars).tell(event),
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        if let IdleScreen::Bars { bars, ticker } = &self.face {
            ticker.abort();
            let _ = lock(bars).all.clear();
        }
    }
}

/// A peer's text as it may be shown.
fn shown(text: &str) -> String {
    text::clean(&redact::active::line(text))
}

/// An event as a line, where it is worth one.
fn line(names: &mut BTreeMap<usize, String>, event: Event) -> Option<String> {
    Some(match event {
        Event::Opened {
            id,
            care,
            begun,
            until,
        } => {
            let name = format!("{care}, {}", format_duration(until - begun));
            names.insert(id, name.clone());
            format!("opened: {name}")
        }
        Event::Ended { id, what, .. } => {
            let name = names.remove(&id).unwrap_or_default();
            format!("{}: {name}", shown(&what))
        }
        Event::Retired { id } => {
            names.remove(&id);
            return None;
        }
        Event::Note(note) => shown(&note),
        Event::Hurried { .. } | Event::Known(_) => return None,
    })
}

/// The lines on the screen.
struct Bars {
    all: MultiProgress,
    head: ProgressBar,
    lines: BTreeMap<usize, ConnectionLine>,
    look: ProgressStyle,
    marks: Marks,
    know: String,
    width: usize,
}

/// One connection's line.
struct ConnectionLine {
    bar: ProgressBar,
    begun: Instant,
    until: Instant,
}

/// The characters that may be used.
#[derive(Clone, Copy)]
struct Marks {
    lived: &'static str,
    died: &'static str,
    fill: &'static str,
}

impl IdleScreen {
    fn bars(style: Style) -> Self {
        let marks = match style.utf8 {
            true => Marks {
                lived: "✓",
                died: "✗",
                fill: "━╸ ",
            },
            false => Marks {
                lived: "+",
                died: "x",
                fill: "=> ",
            },
        };
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(4));
        let head = all.add(ProgressBar::no_length());
        let plain = |template: &str| {
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
        };
        head.set_style(plain("{msg}"));
        let wide = (style.width / 3).clamp(10, 32);
        let look = match style.width {
            ..BARS_BESIDE => plain("  {prefix:26!} {msg}"),
            _ => plain(&format!("  {{prefix:28!}} {{bar:{wide}}} {{msg}}")),
        };
        let bars = Arc::new(Mutex::new(Bars {
            all,
            head,
            lines: BTreeMap::new(),
            look: look.progress_chars(marks.fill),
            marks,
            know: "no results yet".to_owned(),
            width: style.width,
        }));
        let shared = Arc::clone(&bars);
        let ticker = tokio::spawn(async move {
            let mut frame = tokio::time::interval(FRAME);
            frame.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                frame.tick().await;
                lock(&shared).tick();
            }
        });
        IdleScreen::Bars {
            bars,
            ticker: ticker.abort_handle(),
        }
    }
}

impl Bars {
    fn tell(&mut self, event: Event) {
        match event {
            Event::Opened {
                id,
                care,
                begun,
                until,
            } => {
                let bar = self.all.add(ProgressBar::new(STEPS));
                bar.set_style(self.look.clone());
                bar.set_prefix(text::clean(&care));
                self.lines.insert(id, ConnectionLine { bar, begun, until });
            }
            Event::Hurried { id, until } => {
                if let Some(line) = self.lines.get_mut(&id) {
                    line.until = until;
                }
            }
            Event::Ended { id, what, lived } => {
                if let Some(line) = self.lines.remove(&id) {
                    let mark = if lived {
                        self.marks.lived
                    } else {
                        self.marks.died
                    };
                    line.place();
                    line.bar
                        .abandon_with_message(format!("{mark} {}", shown(&what)));
                }
            }
            Event::Retired { id } => {
                if let Some(line) = self.lines.remove(&id) {
                    self.all.remove(&line.bar);
                }
            }
            Event::Known(know) => self.know = shown(&know),
            Event::Note(note) => {
                let _ = self.all.println(shown(&note));
            }
        }
        self.tick();
    }

    fn tick(&mut self) {
        let now = Instant::now();
        let last = self.lines.values().map(|line| line.until).max();
        let left = last
            .map(|last| last.saturating_duration_since(now))
            .unwrap_or_default();
        let head = format!(
            "Idle test: {} left; so far: {} (Ctrl-C stops and reports)",
            seconds(left),
            self.know
        );
        self.head.set_message(wrap(&head, self.width).join("\n"));
        for line in self.lines.values() {
            line.place();
            let left = line.until.saturating_duration_since(now);
            line.bar.set_message(match left.is_zero() {
                true => "waiting for an answer".to_owned(),
                false => format!("{} left", seconds(left)),
            });
        }
    }
}

impl ConnectionLine {
    fn place(&self) {
        let whole = self.until.saturating_duration_since(self.begun);
        let part = self.begun.elapsed().as_secs_f64() / whole.as_secs_f64().max(0.001);
        self.bar.set_position((part.min(1.0) * STEPS as f64) as u64);
    }
}

/// Whole seconds: a number that does not flicker.
fn seconds(time: Duration) -> String {
    match time.as_secs_f64().ceil() as u64 {
        whole @ 0..=9 => format!("{whole} s"),
        whole => format_duration(Duration::from_secs(whole)),
    }
}

fn lock(bars: &Mutex<Bars>) -> MutexGuard<'_, Bars> {
    bars.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_lines() {
        let mut names = BTreeMap::new();
        let begun = Instant::now();
        let opened = Event::Opened {
            id: 3,
            care: "idle".to_owned(),
            begun,
            until: begun + Duration::from_secs(45),
        };
        assert_eq!(
            line(&mut names, opened).as_deref(),
            Some("opened: idle, 45 s")
        );
        let ended = Event::Ended {
            id: 3,
            what: "reset after 12 s\x1b[2J".to_owned(),
            lived: false,
        };
        assert_eq!(
            line(&mut names, ended).as_deref(),
            Some("reset after 12 s: idle, 45 s")
        );
        assert!(names.is_empty());
    }

    #[test]
    fn bars_take_every_event_without_a_terminal() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let style = Style {
                width: 40,
                utf8: false,
                color: false,
                verbosity: options::Verbosity::Normal,
            };
            let mut board = Board {
                face: IdleScreen::bars(style),
                began: Instant::now(),
            };
            let begun = Instant::now();
            board.tell(Event::Opened {
                id: 0,
                care: "idle".to_owned(),
                begun,
                until: begun,
            });
            board.tell(Event::Hurried {
                id: 0,
                until: begun,
            });
            board.tell(Event::Known("closed".to_owned()));
            board.tell(Event::Ended {
                id: 0,
                what: "closed".to_owned(),
                lived: false,
            });
            board.tell(Event::Retired { id: 7 });
        });
    }
}
