//! Progress on a terminal: the stages that have ended, and below them the current one.
//!
//! It is drawn on standard error and erased when the run is over; then the report
//! goes to standard output. Short runs draw nothing.

use std::any::Any;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::layout::{Ink, Page, pad};
use super::options::{Style, Verbosity};
use super::stages::{self, Columns};
use crate::progress::{self, Progress};
use crate::redact;
use crate::report::{Stage, StageRecord};

/// Runs shorter than this show nothing but their report.
const PATIENCE: Duration = Duration::from_millis(120);
/// The time between two frames.
const FRAME: Duration = Duration::from_millis(100);

/// What is on the screen. One at most, since there is one terminal.
static SCREEN: Mutex<Option<Screen>> = Mutex::new(None);

/// How many want the terminal for something else.
static SUSPENDED: AtomicUsize = AtomicUsize::new(0);

struct Screen {
    style: Style,
    height: usize,
    since: Instant,
    ended: Vec<StageRecord>,
    running: Option<(Stage, Instant)>,
    frame: usize,
    drawn: usize,
}

/// The progress of one run; dropping it erases what is drawn.
pub struct RunProgress {
    over: Arc<(Mutex<bool>, Condvar)>,
    ticker: Option<std::thread::JoinHandle<()>>,
}

impl RunProgress {
    /// Progress in this style, on a terminal of `height` lines.
    pub fn start(style: Style, height: usize) -> Self {
        progress::suspended_by(suspend);
        *screen() = Some(Screen {
            style: Style {
                verbosity: Verbosity::Normal,
                ..style
            },
            height,
            since: Instant::now(),
            ended: Vec::new(),
            running: None,
            frame: 0,
            drawn: 0,
        });
        let over = Arc::new((Mutex::new(false), Condvar::new()));
        let told = Arc::clone(&over);
        let ticker = std::thread::Builder::new()
            .name("progress".to_owned())
            .spawn(move || {
                let (over, changed) = &*told;
                let mut guard = over.lock().unwrap_or_else(PoisonError::into_inner);
                while !*guard {
                    let (next, _) = changed
                        .wait_timeout(guard, FRAME)
                        .unwrap_or_else(PoisonError::into_inner);
                    guard = next;
                    if let (false, Some(screen)) = (*guard, screen().as_mut()) {
                        screen.frame += 1;
                        screen.draw();
                    }
                }
            })
            .ok();
        Self { over, ticker }
    }
}

impl Progress for RunProgress {
    fn running(&mut self, stage: Stage) {
        if let Some(screen) = screen().as_mut() {
            screen.running = Some((stage, Instant::now()));
            screen.draw();
        }
    }

    fn ended(&mut self, record: &StageRecord) {
        if let Some(screen) = screen().as_mut() {
            screen.ended.retain(|known| known.stage != record.stage);
            screen
                .ended
                .push(redact::active::stage(record).into_owned());
            screen.ended.sort_by_key(|record| record.stage);
            if screen
                .running
                .is_some_and(|(stage, _)| stage == record.stage)
            {
                screen.running = None;
            }
            screen.draw();
        }
    }
}

impl Drop for RunProgress {
    fn drop(&mut self) {
        let (over, changed) = &*self.over;
        *over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
        if let Some(ticker) = self.ticker.take() {
            let _ = ticker.join();
        }
        if let Some(mut screen) = screen().take() {
            screen.erase();
        }
    }
}

/// Keeps the progress off the terminal. Not by the lock: a run that ends
/// meanwhile must not wait for the person who is asked.
fn suspend() -> Box<dyn Any + Send> {
    SUSPENDED.fetch_add(1, Ordering::SeqCst);
    if let Some(screen) = screen().as_mut() {
        screen.erase();
    }
    Box::new(Suspended)
}

struct Suspended;

impl Drop for Suspended {
    fn drop(&mut self) {
        SUSPENDED.fetch_sub(1, Ordering::SeqCst);
    }
}

fn screen() -> MutexGuard<'static, Option<Screen>> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Screen {
    fn draw(&mut self) {
        if self.since.elapsed() < PATIENCE || SUSPENDED.load(Ordering::SeqCst) > 0 {
            return;
        }
        let text = self.text();
        // One write, so that no half-drawn frame is seen.
        let mut bytes = erasing(self.drawn);
        bytes.push_str(&text);
        self.drawn = text.lines().count();
        write(&bytes);
    }

    fn erase(&mut self) {
        if self.drawn > 0 {
            write(&erasing(self.drawn));
            self.drawn = 0;
        }
    }

    /// The last lines that fit on the screen.
    fn text(&self) -> String {
        let style = &self.style;
        let columns = Columns::of(&self.ended, style);
        let mut page = Page::new(style);
        for record in &self.ended {
            stages::row(&mut page, record, record.status, &columns, 1, style);
        }
        if let Some((stage, since)) = self.running {
            let signs: &[&str] = match style.utf8 {
                true => &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"],
                false => &["| ", "/ ", "- ", "\\ "],
            };
            let sign = signs[self.frame % signs.len()];
            let waited = match since.elapsed() {
                short if short < Duration::from_secs(1) => String::new(),
                long => match progress::awaited() {
                    Some(what) => format!("{} s, {what}", long.as_secs()),
                    None => format!("{} s", long.as_secs()),
                },
            };
            page.line(&[
                (Ink::Command, &format!("  {sign} ")),
                (Ink::Plain, &pad(stage.name(), 8)),
                (Ink::Faint, &format!("  … {waited}")),
            ]);
        }
        let text = page.into_text();
        let lines: Vec<&str> = text.lines().collect();
        let fits = self.height.saturating_sub(2).max(1);
        let shown = &lines[lines.len().saturating_sub(fits)..];
        shown.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// Moves up over what was drawn and clears from there (ECMA-48 CPL, ED).
fn erasing(lines: usize) -> String {
    match lines {
        0 => String::new(),
        n => format!("\x1b[{n}F\x1b[J"),
    }
}

fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr
        .write_all(text.as_bytes())
        .and_then(|()| stderr.flush());
}
