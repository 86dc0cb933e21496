//! Where a request came from, so that handlers need to say only who did what.
//!
//! This file is pure; the layer that calls it is [`ContextLayer`].

#[cfg(feature = "tower")]
mod layer;

#[cfg(feature = "tower")]
pub use layer::{ContextFuture, ContextLayer, ContextService};

use std::cell::RefCell;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use annals_event::{Context, is_event_id};

/// Where a request came from: address, user agent, request id, trace id, session.
///
/// Whatever is recorded while it is current takes it over, as far as the event does not say something else. [`ContextLayer`] makes it
/// current while the handler runs. Work that goes to another thread takes it along:
///
/// ```
/// # use annals_client::RequestContext;
/// let context = RequestContext::current().unwrap_or_default();
/// std::thread::spawn(move || context.scope(|| { /* record here */ }));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestContext(Context);

/// A network of addresses in prefix notation, such as `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

/// A text that is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is neither an address nor a network such as 10.0.0.0/8")]
pub struct NetworkError;

thread_local! {
    static CURRENT: RefCell<Option<RequestContext>> = const { RefCell::new(None) };
}

impl RequestContext {
    /// A context with these values.
    pub fn new(context: Context) -> Self {
        Self(context)
    }

    /// The context that is current on this thread.
    pub fn current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Runs `work` with this context current on this thread.
    pub fn scope<T>(&self, work: impl FnOnce() -> T) -> T {
        struct Restore(Option<RequestContext>);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
            }
        }
        let _restore = Restore(CURRENT.replace(Some(self.clone())));
        work()
    }

    /// The values.
    pub fn context(&self) -> &Context {
        &self.0
    }

    pub(crate) fn with_current<T>(work: impl FnOnce(Option<&Context>) -> T) -> T {
        CURRENT.with_borrow(|current| work(current.as_ref().map(|current| &current.0)))
    }
}

impl From<RequestContext> for Context {
    fn from(context: RequestContext) -> Self {
        context.0
    }
}

impl From<&RequestContext> for Context {
    fn from(context: &RequestContext) -> Self {
        context.0.clone()
    }
}

/// The address of the client: the peer's, or, where the peer is a trusted proxy, the last one of `X-Forwarded-For` that no trusted proxy
/// wrote of another trusted proxy. What stands further left may be written by anybody.
pub fn client_address(peer: IpAddr, forwarded: &str, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut address = peer.to_canonical();
    if !is_trusted(address) {
        return address;
    }
    for hop in forwarded.rsplit(',') {
        let Some(hop) = read_hop(hop.trim()) else {
            break;
        };
        address = hop;
        if !is_trusted(hop) {
            break;
        }
    }
    address
}

/// `192.0.2.7`, `192.0.2.7:80`, `2001:db8::1` or `[2001:db8::1]:80`.
fn read_hop(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(address) = text.parse::<std::net::SocketAddr>() {
        return Some(address.ip().to_canonical());
    }
    let inside = text.strip_prefix('[')?.strip_suffix(']')?;
    inside.parse::<IpAddr>().ok().map(|a| a.to_canonical())
}

/// The trace id of a `traceparent` header (W3C Trace Context §3.2), if it is one.
pub fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.trim().split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let (parent, flags) = (parts.next()?, parts.next()?);
    let hex = |text: &str, length: usize| {
        text.len() == length
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let whole = hex(version, 2) && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
    // Version ff is forbidden, version 00 has exactly four parts, and an id of zeros is none.
    let known = version != "ff" && (version != "00" || parts.next().is_none());
    let set = |text: &str| text.bytes().any(|byte| byte != b'0');
    (whole && known && set(trace) && set(parent)).then_some(trace)
}

/// A request id as it may be recorded: 1 to 128 printable characters.
pub fn request_id(header: &str) -> Option<&str> {
    let id = header.trim();
    is_event_id(id).then_some(id)
}

impl Network {
    /// Whether `address` lies in this network. An IPv4 address written as IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let high = |a: Ipv4Addr| a.to_bits().checked_shr(32 - self.prefix).unwrap_or(0);
                high(ours) == high(theirs)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let high = |a: Ipv6Addr| a.to_bits().checked_shr(128 - self.prefix).unwrap_or(0);
                high(ours) == high(theirs)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address = address
            .parse::<IpAddr>()
            .map_err(|_| NetworkError)?
            .to_canonical();
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| NetworkError)?,
            None => longest,
        };
        (prefix <= longest)
            .then_some(Self { address, prefix })
            .ok_or(NetworkError)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::{Network, client_address, request_id, trace_id};

    #[test]
    fn the_address_is_the_last_one_that_no_trusted_proxy_vouches_for() {
        let trusted: Vec<Network> = ["10.0.0.0/8", "fd00::/8"]
            .map(|n| n.parse().unwrap())
            .into();
        let of = |peer: &str, forwarded: &str| {
            client_address(peer.parse().unwrap(), forwarded, &trusted).to_string()
        };
        assert_eq!(
            of("192.0.2.1", "203.0.113.9"),
            "192.0.2.1",
            "an untrusted peer"
        );
        assert_eq!(of("10.0.0.1", ""), "10.0.0.1");
        assert_eq!(of("10.0.0.1", "203.0.113.9"), "203.0.113.9");
        assert_eq!(
            of("10.0.0.1", "6.6.6.6, 203.0.113.9, 10.9.9.9"),
            "203.0.113.9"
        );
        assert_eq!(of("::ffff:10.0.0.1", "203.0.113.9:4711"), "203.0.113.9");
        assert_eq!(of("fd00::1", "[2001:db8::7]:80"), "2001:db8::7");
        assert_eq!(of("10.0.0.1", "6.6.6.6, rubbish, 10.0.0.2"), "10.0.0.2");
    }

    #[test]
    fn networks_are_read_and_refused() {
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/x"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(
            all.contains("192.0.2.1".parse().unwrap()) && !all.contains("::1".parse().unwrap())
        );
        assert_eq!(
            "192.0.2.7".parse::<Network>().unwrap().to_string(),
            "192.0.2.7/32"
        );
    }

    #[test]
    fn trace_ids_are_those_of_the_recommendation() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(&format!("00-{id}-00f067aa0ba902b7-01")), Some(id));
        assert_eq!(
            trace_id(&format!("cc-{id}-00f067aa0ba902b7-01-what-will-come")),
            Some(id)
        );
        for wrong in [
            format!("ff-{id}-00f067aa0ba902b7-01"),
            format!("00-{id}-00f067aa0ba902b7-01-more"),
            format!("00-{id}-0000000000000000-01"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{}-00f067aa0ba902b7-01", id.to_uppercase()),
            format!("00-{id}"),
            String::new(),
        ] {
            assert_eq!(trace_id(&wrong), None, "{wrong}");
        }
        assert_eq!(request_id(" req-1 "), Some("req-1"));
        assert!(request_id("a b").is_none() && request_id("").is_none());
    }
}
