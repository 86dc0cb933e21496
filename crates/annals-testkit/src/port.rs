//! A port for a server that comes and goes.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

/// A loopback port that is kept for whoever is told of it, such as a server that a test starts later or again.
///
/// A port that was free a moment ago may be anybody's by now. This one is bound but not listened at, so the system gives it to
/// nobody who asks for any port, while a listener that names it gets it: both allow its reuse (socket(7), `SO_REUSEADDR`), as
/// the listeners of the standard library and of tokio do.
#[derive(Debug)]
pub struct HeldPort {
    _socket: OwnedFd,
    address: SocketAddr,
}

impl HeldPort {
    /// Takes a free port of 127.0.0.1 until it is dropped.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn take() -> Self {
        let bound = || -> std::io::Result<Self> {
            let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
            set_socket_reuseaddr(&socket, true)?;
            bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
            let address = SocketAddrV4::try_from(getsockname(&socket)?)?;
            Ok(Self {
                _socket: socket,
                address: address.into(),
            })
        };
        bound().expect("a free port")
    }

    /// Where to listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
