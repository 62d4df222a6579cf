//! The command line: parse, run, render, exit.

use std::alloc::System;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dbdoctor::cli::Command;
use dbdoctor::command::{
    Exit, check, complete, diff, explain, generate, idle, limits, output, pid, plugin, stress, tap,
    usage,
};
use dbdoctor::report::Stage;
use dbdoctor::{initial_stack, signals, terminal, threads};
use zeroizing_alloc::ZeroAlloc;

/// Memory is overwritten when it is freed: passwords and keys pass through buffers of the
/// standard library and of crates that do not.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

/// Whether anything panicked, in whatever thread.
static DEFECT: AtomicBool = AtomicBool::new(false);

/// Whether the runtime's threads are being created.
static STARTING: AtomicBool = AtomicBool::new(false);

/// The error if they cannot be.
const NO_THREADS: &str = "dbdoctor: cannot start: no more threads available to this process \
                          (check the limits on processes and memory: ulimit -u, pids.max of the \
                          container)";

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(panic_hook));
    initial_stack::find();
    signals::note_blocked();
    dbdoctor::core_dumps::forbid();
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    plugin::note(&args);
    let exit = run(args);
    if exit == Exit::Defect {
        plugin::tell("dbdoctor could not run; its standard error says why");
    }
    exit.into()
}

fn run(args: Vec<OsString>) -> Exit {
    if let Some(text) = dbdoctor::version::asked(&args) {
        return output::print(text.as_bytes());
    }
    if let Some(candidates) = complete::answer() {
        return output::print(&candidates);
    }
    let cli = match dbdoctor::usage::parse() {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => {
            return output::print(error.render().to_string().as_bytes());
        }
        Err(error) => {
            let described = dbdoctor::usage::describe(&error, &args);
            terminal::say(format_args!("{described}"));
            let first = described.lines().next().unwrap_or_default();
            plugin::tell(first.trim_start_matches("dbdoctor: "));
            return Exit::Usage;
        }
    };
    drop(args);
    if let Some(output) = cli.command.output().filter(|output| output.redacts()) {
        dbdoctor::redact::active::begin(output.redact_salt.as_deref());
    }
    if cli
        .command
        .output()
        .is_some_and(|output| output.verbose > 1)
    {
        dbdoctor::wire::timeline::begin();
    }
    if let Err(error) = dbdoctor::descriptors::provide() {
        return limits::report(&cli.command, &error);
    }
    if let Some(exit) = pid::arrange(&cli.command) {
        return exit;
    }
    hide_secrets(&cli.command);
    let workers = match cli.command.is_parallel() {
        // What waits for Ctrl-C must go on while the run is held up.
        false => Some(1),
        true => threads::workers(),
    };
    let Some(workers) = workers else {
        terminal::say(format_args!("{NO_THREADS}"));
        return Exit::Defect;
    };
    STARTING.store(true, Ordering::SeqCst);
    let runtime = match runtime(workers) {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::say(format_args!("dbdoctor: cannot start: {error}"));
            return Exit::Defect;
        }
    };
    STARTING.store(false, Ordering::SeqCst);
    let exit = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let exit = dispatch(cli.command).await;
            dbdoctor::wire::linger::finish().await;
            exit
        })
    }));
    // A blocked look-up must not hold the process once the report is printed.
    runtime.shutdown_background();
    dbdoctor::process::started::end_all();
    match exit {
        Ok(exit) if !DEFECT.load(Ordering::Relaxed) => exit,
        _ => Exit::Defect,
    }
}

/// Writes over the passwords that this process was given, once they are read and before
/// there is a second thread. A command that is run in our place inherits the environment.
fn hide_secrets(command: &Command) {
    initial_stack::hide_arguments();
    if command.then().is_empty() {
        dbdoctor::system::remember_variables();
        initial_stack::hide_variables();
    }
}

/// The runtime, with one thread for blocking work that stays: the runtime
/// panics only where such work finds none and none can be made.
fn runtime(workers: usize) -> std::io::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        // A whole run may go on in one of them, as in the main thread.
        .thread_stack_size(8 << 20)
        .thread_keep_alive(Duration::from_secs(24 * 60 * 60))
        .enable_all()
        .build()?;
    drop(runtime.spawn_blocking(|| ()));
    Ok(runtime)
}

async fn dispatch(command: Command) -> Exit {
    match command {
        Command::Check(args) => check::all(&args).await,
        Command::Config(args) => check::config(&args).await,
        Command::Dns(args) => check::stage("dns", Stage::Dns, &args).await,
        Command::Tcp(args) => check::stage("tcp", Stage::Tcp, &args).await,
        Command::Tunnel(args) => check::tunnel(&args).await,
        Command::Tls(args) => check::login("tls", Stage::Tls, &args).await,
        Command::Auth(args) => check::login("auth", Stage::Auth, &args).await,
        Command::Idle(args) => idle::run(&args).await,
        Command::Stress(args) => stress::run(&args).await,
        Command::Key(args) => check::key(&args).await,
        Command::Diff(args) => diff::run(&args),
        Command::Tap(args) => tap::run(&args).await,
        Command::Sockets(args) => check::sockets(&args).await,
        Command::Explain(args) => explain::run(&args),
        Command::Completions { shell } => print_generated(generate::completions(shell)),
        Command::Man { command } => match generate::manual(command.as_deref()).transpose() {
            Some(page) => print_generated(page),
            None => usage("man: unknown command"),
        },
        Command::Schema { of } => output::print(&generate::schema(of)),
    }
}

/// Prints what is made of the flags' definition.
fn print_generated(text: std::io::Result<Vec<u8>>) -> Exit {
    match text {
        Ok(text) => output::print(&text),
        Err(error) => {
            terminal::say(format_args!("dbdoctor: {error}"));
            Exit::Defect
        }
    }
}

/// Prints one line for a bug in dbdoctor: where it is, without the panic's
/// message, which may quote a secret.
fn panic_hook(panic: &std::panic::PanicHookInfo<'_>) {
    if STARTING.load(Ordering::SeqCst) {
        // Another process took the threads that were free a moment ago. Unwinding
        // would wait for the runtime's threads that did start.
        terminal::say(format_args!("{NO_THREADS}"));
        std::process::exit(Exit::Defect.code().into());
    }
    DEFECT.store(true, Ordering::Relaxed);
    let place = panic
        .location()
        .map(|place| format!(" at {}:{}", place.file(), place.line()))
        .unwrap_or_default();
    terminal::say(format_args!(
        "dbdoctor {}: internal error{place}; please report this with the command you ran",
        env!("CARGO_PKG_VERSION")
    ));
}
