//! What a program costs: time, processor time, memory, round trips.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::process::Tool;

/// What one run of a program cost, its children included.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// From the start to the first byte on standard output.
    pub answer: Duration,
    /// From the start to the end.
    pub wall: Duration,
    /// User and system time.
    pub cpu: Duration,
    /// The largest resident set of any one process, in KiB.
    pub peak_kib: u64,
}

impl Cost {
    /// Runs a program, whose success is a condition, and measures it. The kernel keeps one
    /// account of all children, so this process must have no other.
    ///
    /// # Errors
    /// Where it cannot be run, or fails.
    pub fn of(program: &str, args: &[String], stdin: Option<&Path>) -> Result<Self> {
        let stdin = match stdin {
            Some(path) => File::open(path)?.into(),
            None => Stdio::null(),
        };
        let mut command = Command::new(program);
        command.args(args).stdin(stdin);
        let (answer, wall) = timed(&mut command)?;
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let cpu = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Ok(Self {
            answer,
            wall,
            cpu: Duration::from_micros(cpu.try_into()?),
            peak_kib: usage.max_rss().try_into()?,
        })
    }

    /// The median of each figure.
    pub fn median(runs: &[Self]) -> Self {
        fn middle<T: Ord + Copy + Default>(runs: &[Cost], of: impl Fn(&Cost) -> T) -> T {
            let mut all: Vec<T> = runs.iter().map(of).collect();
            all.sort();
            all.get(all.len() / 2).copied().unwrap_or_default()
        }
        Self {
            answer: middle(runs, |run| run.answer),
            wall: middle(runs, |run| run.wall),
            cpu: middle(runs, |run| run.cpu),
            peak_kib: middle(runs, |run| run.peak_kib),
        }
    }
}

/// Runs a command, whose success is a condition: when it first printed something, and when
/// it ended.
fn timed(command: &mut Command) -> Result<(Duration, Duration)> {
    command.stdout(Stdio::piped());
    let started = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
    let mut answer = None;
    if let Some(mut stdout) = child.stdout.take() {
        let mut bytes = [0; 1 << 16];
        while stdout.read(&mut bytes)? > 0 {
            answer.get_or_insert_with(|| started.elapsed());
        }
    }
    let status = child.wait()?;
    let wall = started.elapsed();
    ensure!(status.success(), "{command:?}: {status}");
    Ok((answer.unwrap_or(wall), wall))
}

/// How long a program takes to its first byte on standard output.
///
/// # Errors
/// Where it cannot be run, or fails.
pub fn time_to_answer(tool: &Tool) -> Result<Duration> {
    Ok(timed(tool.command(&[]).stdin(Stdio::null()))?.0)
}

/// The line that `dbdoctor-lab measure` prints: three times in microseconds, and KiB.
impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [answer, wall, cpu] = [self.answer, self.wall, self.cpu].map(|time| time.as_micros());
        write!(f, "{answer} {wall} {cpu} {}", self.peak_kib)
    }
}

impl FromStr for Cost {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        let numbers: Vec<u64> = line
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        let [answer, wall, cpu, peak_kib] = numbers[..] else {
            anyhow::bail!("not a cost: {line}");
        };
        let [answer, wall, cpu] = [answer, wall, cpu].map(Duration::from_micros);
        Ok(Self {
            answer,
            wall,
            cpu,
            peak_kib,
        })
    }
}

/// Measures a program in a small process of its own (`lab` is the lab's program): the
/// kernel counts the largest memory of the process that started it, too.
///
/// # Errors
/// Where it cannot be run, or fails.
pub fn measure(lab: &Path, tool: &Tool) -> Result<Cost> {
    let measured = Tool {
        program: lab.to_string_lossy().into_owned(),
        args: ["measure", &tool.program]
            .into_iter()
            .map(str::to_owned)
            .chain(tool.args.iter().cloned())
            .collect(),
        ..tool.clone()
    };
    let done = measured.run(Duration::from_secs(300))?;
    ensure!(done.status == Some(0), "{tool}: {done}");
    done.stdout.trim().parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_read_as_it_is_printed() {
        let cost = Cost {
            answer: Duration::from_micros(12),
            wall: Duration::from_millis(3),
            cpu: Duration::from_micros(5),
            peak_kib: 17_000,
        };
        assert_eq!(cost.to_string().parse::<Cost>().unwrap(), cost);
        assert!("1 2 3".parse::<Cost>().is_err());
    }

    #[test]
    fn the_median_is_of_each_figure() {
        let run = |ms| Cost {
            wall: Duration::from_millis(ms),
            ..Cost::default()
        };
        assert_eq!(Cost::median(&[run(9), run(1), run(2)]), run(2));
    }
}
