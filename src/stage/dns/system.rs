//! The system resolver, as applications get it: getaddrinfo, called as libpq
//! calls it, with its own error codes kept.

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// What getaddrinfo said about one name.
#[derive(Clone, Debug)]
pub struct SystemAnswer {
    /// The addresses in its order, or why there are none.
    pub result: Result<Vec<SocketAddr>, Eai>,
    /// The name that has them, where it is another than the one asked for: at
    /// the end of aliases, with its search domain.
    pub canonical: Option<String>,
    /// How long it took.
    pub took: Duration,
}

impl SystemAnswer {
    /// What getaddrinfo says where `nsswitch.conf` names no source for hosts.
    /// It is not called then: glibc 2.36 ends the process at the second call.
    pub fn no_sources() -> Self {
        Self {
            result: Err(Eai {
                code: libc::EAI_SYSTEM,
                errno: None,
                text: "System error".to_owned(),
            }),
            canonical: None,
            took: Duration::ZERO,
        }
    }
}

/// A getaddrinfo error (RFC 3493, section 6.1; `man 3 getaddrinfo`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eai {
    /// The `EAI_*` code.
    pub code: i32,
    /// The error number behind `EAI_SYSTEM`.
    pub errno: Option<i32>,
    /// The system's own words for it.
    pub text: String,
}

impl Eai {
    /// The code's name, as in `netdb.h`.
    pub fn name(&self) -> &'static str {
        match self.code {
            libc::EAI_NONAME => "EAI_NONAME",
            libc::EAI_AGAIN => "EAI_AGAIN",
            libc::EAI_FAIL => "EAI_FAIL",
            libc::EAI_NODATA => "EAI_NODATA",
            libc::EAI_MEMORY => "EAI_MEMORY",
            libc::EAI_SYSTEM => "EAI_SYSTEM",
            libc::EAI_FAMILY => "EAI_FAMILY",
            libc::EAI_OVERFLOW => "EAI_OVERFLOW",
            _ => "EAI",
        }
    }

    /// A name that cannot be handed to the C library at all.
    fn impossible() -> Self {
        Self {
            code: libc::EAI_NONAME,
            errno: None,
            text: "Name or service not known".to_owned(),
        }
    }
}

/// Asks getaddrinfo in a thread of its own. The call cannot be cancelled, so a
/// thread that nobody waits for is used: neither the caller's deadline nor the
/// end of the runtime is held up by it. Where the system gives no more
/// threads, one of the runtime's does it. Port 0 in all addresses.
pub async fn resolve(name: String) -> SystemAnswer {
    let (tell, told) = oneshot::channel();
    let started = Instant::now();
    let again = name.clone();
    let ask = move |name: &str| {
        let answer = ffi::getaddrinfo(name, libc::AI_CANONNAME);
        let (result, canonical) = match answer {
            Ok((addresses, canonical)) => (Ok(addresses), canonical),
            Err(error) => (Err(error), None),
        };
        SystemAnswer {
            result,
            canonical,
            took: started.elapsed(),
        }
    };
    let spawned = std::thread::Builder::new()
        .name("getaddrinfo".to_owned())
        .spawn(move || {
            // Nobody may be listening any more.
            let _ = tell.send(ask(&name));
        });
    let failed = |text: String, errno: Option<i32>| SystemAnswer {
        result: Err(Eai {
            code: libc::EAI_SYSTEM,
            errno,
            text,
        }),
        canonical: None,
        took: started.elapsed(),
    };
    match spawned {
        Ok(_) => told
            .await
            .unwrap_or_else(|_| failed("the resolver's thread ended".to_owned(), None)),
        Err(error) => tokio::task::spawn_blocking(move || ask(&again))
            .await
            .unwrap_or_else(|_| failed(error.to_string(), error.raw_os_error())),
    }
}

/// Reads a name as a numeric address in any spelling that getaddrinfo takes
/// (`127.1`, `0x7f000001`, `fe80::1%eth0`), without asking anybody.
pub fn numeric(name: &str) -> Option<SocketAddr> {
    ffi::getaddrinfo(name, libc::AI_NUMERICHOST)
        .ok()?
        .0
        .into_iter()
        .next()
}

/// The one foreign call.
#[allow(unsafe_code)]
mod ffi {
    use std::ffi::{CStr, CString};
    use std::ptr;

    use super::*;

    /// The list that getaddrinfo allocated; freed when dropped.
    struct List(*mut libc::addrinfo);

    impl Drop for List {
        fn drop(&mut self) {
            if !self.0.is_null() {
                // SAFETY: the pointer came from getaddrinfo and is freed once.
                unsafe { libc::freeaddrinfo(self.0) }
            }
        }
    }

    /// getaddrinfo with libpq's hints: any family, stream sockets, and no
    /// `AI_ADDRCONFIG` (`PQconnectPoll` in fe-connect.c). With the addresses
    /// comes the canonical name, where the flags ask for it.
    pub fn getaddrinfo(name: &str, flags: i32) -> Result<(Vec<SocketAddr>, Option<String>), Eai> {
        let name = CString::new(name).map_err(|_| Eai::impossible())?;
        // SAFETY: addrinfo is plain data for which all zeroes is valid, and
        // what getaddrinfo demands of the unused fields of its hints.
        let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
        hints.ai_family = libc::AF_UNSPEC;
        hints.ai_socktype = libc::SOCK_STREAM;
        hints.ai_flags = flags;
        let mut list = List(ptr::null_mut());
        // SAFETY: name and hints outlive the call; the result is owned by `list`.
        let code = unsafe { libc::getaddrinfo(name.as_ptr(), ptr::null(), &hints, &mut list.0) };
        if code != 0 {
            let errno = (code == libc::EAI_SYSTEM)
                .then(|| std::io::Error::last_os_error().raw_os_error())
                .flatten();
            // SAFETY: gai_strerror returns a static, terminated string.
            let text = unsafe { CStr::from_ptr(libc::gai_strerror(code)) };
            return Err(Eai {
                code,
                errno,
                text: text.to_string_lossy().into_owned(),
            });
        }
        let mut addresses: Vec<SocketAddr> = Vec::new();
        let mut canonical = None;
        let mut entry = list.0;
        while !entry.is_null() {
            // SAFETY: every entry of the list is valid until it is freed.
            let info = unsafe { &*entry };
            if !info.ai_canonname.is_null() {
                // SAFETY: where it is not null it is a terminated string of the list.
                let name = unsafe { CStr::from_ptr(info.ai_canonname) };
                canonical.get_or_insert_with(|| name.to_string_lossy().into_owned());
            }
            // SAFETY: ai_addr points to ai_addrlen bytes.
            if let Some(address) = unsafe { socket_address(info) }
                && !addresses.contains(&address)
            {
                addresses.push(address);
            }
            entry = info.ai_next;
        }
        Ok((addresses, canonical))
    }

    /// # Safety
    /// `ai_addr` must point to `ai_addrlen` readable bytes.
    unsafe fn socket_address(info: &libc::addrinfo) -> Option<SocketAddr> {
        let length = info.ai_addrlen as usize;
        if info.ai_addr.is_null() {
            return None;
        }
        match info.ai_family {
            libc::AF_INET if length >= size_of::<libc::sockaddr_in>() => {
                // SAFETY: the family and the length say that it is a
                // sockaddr_in; read unaligned, since nothing promises more.
                let raw = unsafe { ptr::read_unaligned(info.ai_addr.cast::<libc::sockaddr_in>()) };
                let ip = u32::from_be(raw.sin_addr.s_addr);
                Some(SocketAddr::from((std::net::Ipv4Addr::from(ip), 0)))
            }
            libc::AF_INET6 if length >= size_of::<libc::sockaddr_in6>() => {
                // SAFETY: as above, a sockaddr_in6.
                let raw = unsafe { ptr::read_unaligned(info.ai_addr.cast::<libc::sockaddr_in6>()) };
                let ip = Ipv6Addr::from(raw.sin6_addr.s6_addr);
                Some(SocketAddrV6::new(ip, 0, 0, raw.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_spellings_are_read_without_asking() {
        assert_eq!(numeric("127.1").unwrap().ip().to_string(), "127.0.0.1");
        assert_eq!(numeric("0x7f000001").unwrap().ip().to_string(), "127.0.0.1");
        assert_eq!(numeric("::1").unwrap().ip().to_string(), "::1");
        assert_eq!(numeric("10.0.0.256"), None);
        assert_eq!(numeric("db"), None);
        assert_eq!(numeric("a\0b"), None);
    }

    #[tokio::test]
    async fn localhost_resolves() {
        let answer = resolve("localhost".to_owned()).await;
        assert!(answer.result.unwrap().iter().all(|a| a.ip().is_loopback()));
    }

    #[tokio::test]
    async fn codes_are_kept() {
        let answer = resolve("a\0b".to_owned()).await;
        assert_eq!(answer.result.unwrap_err().name(), "EAI_NONAME");
    }
}
