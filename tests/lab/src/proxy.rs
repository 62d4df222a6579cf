//! Ends that misbehave, and forwards that spoil what passes through them; all in this process.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

/// A port of loopback that nothing listens on, and that refuses until something does. It lies
/// below the range that outgoing connections take theirs from, and none is given out twice.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        // Labs in other processes start elsewhere.
        let port = 10_000 + ((std::process::id() * 97 + u32::from(n)) % 22_000) as u16;
        // To bind it for a look would race: a child that another thread starts at that moment
        // holds the socket until it becomes its program.
        let taken = |address: IpAddr| TcpStream::connect((address, port)).is_ok();
        if !taken(Ipv4Addr::LOCALHOST.into()) && !taken(Ipv6Addr::LOCALHOST.into()) {
            return port;
        }
    }
}

/// What a forward does to the bytes that pass.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Nothing: passes everything on.
    None,
    /// Closes both ends once connected.
    CloseAfterConnect,
    /// Resets both ends once so many bytes went by, in both directions together.
    ResetAfter(usize),
    /// Closes both ends once so many bytes went by.
    CloseAfter(usize),
    /// Passes pieces of at most so many bytes; from the first larger one on, nothing more
    /// passes in that direction, as in a path MTU black hole.
    StallAbove(usize),
    /// Passes so many bytes in both directions together, and then nothing more.
    StallAfter(usize),
    /// Passes everything, each direction shifted by a fixed time and not serialised, so that a
    /// round trip costs twice as much.
    Delay(Duration),
    /// Passes everything until the connection was idle for so long, then goes on or off.
    Idle(Duration, IdleEnd),
}

/// What happens to a connection that was idle for too long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum IdleEnd {
    /// It is closed.
    Close,
    /// It is reset.
    Reset,
    /// It looks open and passes nothing any more.
    Silence,
}

/// A listening end of a TCP connection that follows a script.
pub struct Peer {
    addr: SocketAddr,
    shared: Arc<State>,
}

#[derive(Default)]
struct State {
    stop: AtomicBool,
    connections: AtomicUsize,
    /// The ports of our own connections that only show that all before them were counted.
    markers: Mutex<Vec<u16>>,
    turns: AtomicUsize,
    server_spoke: AtomicBool,
    received: Mutex<Vec<u8>>,
    // Weak, because a reset is only sent when the last owner of a socket lets it go.
    open: Mutex<Vec<Weak<TcpStream>>>,
}

impl Peer {
    /// Runs `script` for each connection; when it returns, the connection is closed.
    pub fn script(
        script: impl Fn(Stream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Result<Self> {
        Peer::script_on("127.0.0.1", script)
    }

    /// The same on another address.
    pub fn script_on(
        host: &str,
        script: impl Fn(Stream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind((host, free_port()))?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(State::default());
        let (state, script) = (shared.clone(), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if state.stop.load(Ordering::Relaxed) {
                    return;
                }
                if let Ok(from) = stream.peer_addr()
                    && let mut markers = lock(&state.markers)
                    && let Some(at) = markers.iter().position(|marker| *marker == from.port())
                {
                    markers.swap_remove(at);
                    continue;
                }
                state.connections.fetch_add(1, Ordering::Relaxed);
                let stream = Arc::new(stream);
                lock(&state.open).push(Arc::downgrade(&stream));
                let (state, script) = (state.clone(), script.clone());
                thread::spawn(move || script(Stream { stream, state }));
            }
        });
        Ok(Peer { addr, shared })
    }

    /// Accepts, then closes without a word, once the client has said something.
    pub fn closing() -> Result<Self> {
        Peer::script(|mut stream| {
            stream.receive()?;
            stream.close()
        })
    }

    /// Accepts, then resets.
    pub fn resetting() -> Result<Self> {
        Peer::script(|mut stream| {
            stream.receive()?;
            stream.reset()
        })
    }

    /// Accepts and never answers.
    pub fn silent() -> Result<Self> {
        Peer::script(|mut stream| stream.ignore())
    }

    /// Says this once the client has spoken, and then listens.
    pub fn answers(bytes: impl Into<Vec<u8>>) -> Result<Self> {
        let bytes = bytes.into();
        Peer::script(move |mut stream| {
            stream.receive()?;
            stream.write_all(&bytes)?;
            stream.ignore()
        })
    }

    /// Says this first, as SSH and MySQL servers do, and then listens.
    pub fn speaks(bytes: impl Into<Vec<u8>>) -> Result<Self> {
        let bytes = bytes.into();
        Peer::script(move |mut stream| {
            stream.write_all(&bytes)?;
            stream.ignore()
        })
    }

    /// Passes everything on to `to` (`HOST:PORT`), spoilt by a fault.
    pub fn forward(to: impl Into<String>, fault: Fault) -> Result<Self> {
        Peer::forward_on("127.0.0.1", to, fault)
    }

    /// The same on another address, such as the host's end of a namespace.
    pub fn forward_on(host: &str, to: impl Into<String>, fault: Fault) -> Result<Self> {
        let to = to.into();
        Peer::script_on(host, move |client| {
            let server = connect(&to)?;
            forward(client, server, fault)
        })
    }

    /// Passes everything on; `act` is called when a client begins to speak for the `turn`th
    /// time (see [`Peer::round_trips`]), before its words pass. All passes a little late, so
    /// that what is sent at once counts as one word.
    pub fn forward_acting(
        to: impl Into<String>,
        turn: usize,
        act: impl Fn() -> Then + Send + Sync + 'static,
    ) -> Result<Self> {
        let (to, act): (_, Act) = (to.into(), Arc::new(act));
        Peer::script(move |client| {
            let server = connect(&to)?;
            let delay = Fault::Delay(Duration::from_millis(20));
            forward_acting(client, server, delay, Some((turn, act.clone())))
        })
    }

    /// Passes everything on once `prelude` has dealt with the client (first) and the server.
    pub fn forward_after(
        to: impl Into<String>,
        prelude: impl Fn(&mut Stream, &mut Stream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Result<Self> {
        let to = to.into();
        Peer::script(move |mut client| {
            let mut server = connect(&to)?;
            prelude(&mut client, &mut server)?;
            forward(client, server, Fault::None)
        })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// Its address and port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many connections it has seen. A client may be gone before its connection is taken
    /// from the queue: those that came before this call are waited for.
    pub fn connections(&self) -> usize {
        let _ = self.pass_marker();
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Connects behind all others, and waits until the queue has been taken up to there.
    fn pass_marker(&self) -> io::Result<()> {
        let socket = Socket::new(Domain::for_address(self.addr), Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(self.addr.ip(), 0).into())?;
        let from = socket.local_addr()?.as_socket().map(|end| end.port());
        lock(&self.shared.markers).extend(from);
        socket.connect_timeout(&self.addr.into(), Duration::from_secs(5))?;
        let end = Instant::now() + Duration::from_secs(5);
        let waits = || {
            lock(&self.shared.markers)
                .iter()
                .any(|it| Some(*it) == from)
        };
        while waits() && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// How often a client spoke to a forward after it had been spoken to, or first: the number
    /// of round trips, where there is one connection at a time.
    pub fn round_trips(&self) -> usize {
        self.shared.turns.load(Ordering::Relaxed)
    }

    /// All it has received from clients, of all connections.
    pub fn received(&self) -> Vec<u8> {
        lock(&self.shared.received).clone()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.addr); // wakes the listener
        for stream in lock(&self.shared.open)
            .drain(..)
            .filter_map(|weak| weak.upgrade())
        {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// A connection as a script sees it; what it reads is recorded. Dropping it closes the
/// connection, by a reset where something is left unread.
pub struct Stream {
    stream: Arc<TcpStream>,
    state: Arc<State>,
}

impl Stream {
    /// What the client sends next; empty at the end.
    pub fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; 65_536];
        let n = self.read(&mut bytes)?;
        bytes.truncate(n);
        Ok(bytes)
    }

    /// Listens to the client to its end, without an answer.
    pub fn ignore(&mut self) -> io::Result<()> {
        while !self.receive()?.is_empty() {}
        Ok(())
    }

    /// Closes the connection cleanly, whatever is still on its way.
    pub fn close(mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)?;
        self.stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        self.ignore()
    }

    /// Resets the connection.
    pub fn reset(self) -> io::Result<()> {
        SockRef::from(&*self.stream).set_linger(Some(Duration::ZERO))
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = (&*self.stream).read(buffer)?;
        lock(&self.state.received).extend(&buffer[..n]);
        Ok(n)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.stream).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn connect(to: &str) -> io::Result<Stream> {
    let stream = Arc::new(TcpStream::connect(to)?);
    Ok(Stream {
        stream,
        state: Arc::default(),
    })
}

fn forward(client: Stream, server: Stream, fault: Fault) -> io::Result<()> {
    forward_acting(client, server, fault, None)
}

/// What is done at a turn.
type Act = Arc<dyn Fn() -> Then + Send + Sync>;

/// What comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// All passes as before.
    Pass,
    /// Nothing passes any more.
    Stall,
}

fn forward_acting(
    client: Stream,
    server: Stream,
    fault: Fault,
    act: Option<(usize, Act)>,
) -> io::Result<()> {
    client.state.server_spoke.store(true, Ordering::Relaxed);
    server.stream.set_nodelay(true)?;
    client.stream.set_nodelay(true)?;
    if matches!(fault, Fault::CloseAfterConnect) {
        return client.close();
    }
    let flow = Arc::new(Flow {
        fault,
        act,
        turns: AtomicUsize::new(0),
        ends: [
            Arc::downgrade(&client.stream),
            Arc::downgrade(&server.stream),
        ],
        passed: AtomicUsize::new(0),
        last: Mutex::new(Instant::now()),
        stalled: [AtomicBool::new(false), AtomicBool::new(false)],
        state: client.state.clone(),
    });
    let (to_server, to_client) = (server.stream.clone(), client.stream.clone());
    thread::spawn({
        let flow = flow.clone();
        move || flow.pump(1, server, to_client)
    });
    if let Fault::Idle(limit, end) = fault {
        let flow = flow.clone();
        thread::spawn(move || flow.watch(limit, end));
    }
    flow.pump(0, client, to_server)
}

/// Both directions of one forwarded connection.
struct Flow {
    fault: Fault,
    act: Option<(usize, Act)>,
    turns: AtomicUsize,
    ends: [Weak<TcpStream>; 2],
    passed: AtomicUsize,
    last: Mutex<Instant>,
    stalled: [AtomicBool; 2],
    state: Arc<State>,
}

impl Flow {
    fn pump(&self, direction: usize, mut from: Stream, to: Arc<TcpStream>) -> io::Result<()> {
        let late = match self.fault {
            Fault::Delay(by) => Some(delayed(to.clone(), by)),
            _ => None,
        };
        let stalled = &self.stalled[direction];
        loop {
            let bytes = from.receive().unwrap_or_default();
            if bytes.is_empty() {
                break;
            }
            *lock(&self.last) = Instant::now();
            let was = self
                .state
                .server_spoke
                .swap(direction == 1, Ordering::Relaxed);
            if was && direction == 0 {
                self.state.turns.fetch_add(1, Ordering::Relaxed);
                let turn = self.turns.fetch_add(1, Ordering::Relaxed) + 1;
                if let Some((wanted, act)) = &self.act
                    && turn == *wanted
                    && act() == Then::Stall
                {
                    self.stalled.iter().for_each(stall);
                }
            }
            let before = self.passed.fetch_add(bytes.len(), Ordering::Relaxed);
            let after = before + bytes.len();
            match self.fault {
                Fault::ResetAfter(limit) if after > limit => self.end(true),
                Fault::CloseAfter(limit) if after > limit => self.end(false),
                Fault::StallAbove(limit) if bytes.len() > limit => stall(stalled),
                Fault::StallAfter(limit) if after > limit => stall(stalled),
                _ => {}
            }
            match &late {
                _ if stalled.load(Ordering::Relaxed) => {}
                Some(late) => drop(late.send((Instant::now(), bytes))),
                None => (&*to).write_all(&bytes)?,
            }
        }
        // A late direction says its goodbye after its last bytes.
        if late.is_none() && !stalled.load(Ordering::Relaxed) {
            let _ = to.shutdown(Shutdown::Write);
        }
        Ok(())
    }

    /// Ends the connection: nothing passes any more, and both sides are told.
    fn end(&self, by_reset: bool) {
        self.stalled.iter().for_each(stall);
        for stream in self.ends.iter().filter_map(Weak::upgrade) {
            let _ = if by_reset {
                let _ = SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
                stream.shutdown(Shutdown::Read) // wakes the pumps, which then let go
            } else {
                stream.shutdown(Shutdown::Write)
            };
        }
    }

    fn watch(&self, limit: Duration, end: IdleEnd) {
        while !self.state.stop.load(Ordering::Relaxed) {
            let idle = lock(&self.last).elapsed();
            if idle >= limit {
                return match end {
                    IdleEnd::Silence => self.stalled.iter().for_each(stall),
                    IdleEnd::Close => self.end(false),
                    IdleEnd::Reset => self.end(true),
                };
            }
            thread::sleep((limit - idle).min(Duration::from_millis(100)));
        }
    }
}

fn stall(direction: &AtomicBool) {
    direction.store(true, Ordering::Relaxed);
}

/// A writer that lags behind by a fixed time.
fn delayed(to: Arc<TcpStream>, by: Duration) -> mpsc::Sender<(Instant, Vec<u8>)> {
    let (send, inbox) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        for (read_at, bytes) in inbox {
            thread::sleep((read_at + by).saturating_duration_since(Instant::now()));
            if (&*to).write_all(&bytes).is_err() {
                return;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
    send
}

/// An address that never answers a connection attempt, without a firewall: a listening socket
/// whose queue is full.
pub struct Blackhole {
    port: u16,
    _sockets: Vec<Socket>,
}

impl Blackhole {
    /// A new one on loopback.
    pub fn new() -> Result<Self> {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let port = free_port();
        let addr = SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        listener.bind(&addr)?;
        listener.listen(0)?;
        let mut sockets = vec![listener];
        for _ in 0..16 {
            let client = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            let full = client
                .connect_timeout(&addr, Duration::from_millis(150))
                .is_err();
            sockets.push(client);
            if full {
                return Ok(Blackhole {
                    port,
                    _sockets: sockets,
                });
            }
        }
        bail!("the kernel goes on accepting connections that nobody takes")
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(peer: &Peer, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(peer.addr())?;
        stream.set_read_timeout(Some(Duration::from_millis(500)))?;
        stream.write_all(bytes)?;
        let mut answer = vec![0; 100];
        let n = stream.read(&mut answer)?;
        answer.truncate(n);
        Ok(answer)
    }

    fn echo() -> Peer {
        Peer::script(|mut stream| {
            loop {
                let bytes = stream.receive()?;
                stream.write_all(&bytes)?;
            }
        })
        .unwrap()
    }

    fn through(fault: Fault) -> io::Result<Vec<u8>> {
        let echo = echo();
        ask(
            &Peer::forward(echo.addr().to_string(), fault).unwrap(),
            b"hello",
        )
    }

    #[test]
    fn peers_end_as_they_say() {
        assert_eq!(ask(&Peer::closing().unwrap(), b"hello").unwrap(), b"");
        let reset = ask(&Peer::resetting().unwrap(), b"hello").unwrap_err();
        assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
        let silent = Peer::silent().unwrap();
        assert_eq!(
            ask(&silent, b"hello").unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        assert_eq!(
            (silent.connections(), silent.received()),
            (1, b"hello".to_vec())
        );
    }

    #[test]
    fn forwards_spoil_as_they_say() {
        assert_eq!(through(Fault::None).unwrap(), b"hello");
        let (echo, ms) = (echo(), Duration::from_millis);
        let peer = Peer::forward(echo.addr().to_string(), Fault::None).unwrap();
        ask(&peer, b"one").unwrap();
        ask(&peer, b"two").unwrap();
        assert_eq!(peer.round_trips(), 2);
        assert_eq!(through(Fault::CloseAfterConnect).unwrap(), b"");
        assert_eq!(through(Fault::CloseAfter(7)).unwrap(), b"");
        let reset = through(Fault::ResetAfter(7)).unwrap_err();
        assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(through(Fault::StallAbove(5)).unwrap(), b"hello");
        assert_eq!(
            through(Fault::StallAbove(4)).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        let started = Instant::now();
        assert_eq!(through(Fault::Delay(ms(60))).unwrap(), b"hello");
        assert!(started.elapsed() >= ms(120));
    }

    #[test]
    fn idle_connections_are_ended() {
        let echo = echo();
        let fault = Fault::Idle(Duration::from_millis(100), IdleEnd::Reset);
        let peer = Peer::forward(echo.addr().to_string(), fault).unwrap();
        let mut stream = TcpStream::connect(peer.addr()).unwrap();
        let error = stream.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}
