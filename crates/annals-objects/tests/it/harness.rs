//! A server that speaks S3, and a door in front of it that can be shut.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::thread;

use annals_objects::{S3, Settings};

/// The server takes any.
pub(crate) const CREDENTIALS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIATEST"),
    ("AWS_SECRET_ACCESS_KEY", "the secret of the tests"),
];

/// A running server; it ends with its standard input.
pub(crate) struct Server {
    child: Child,
    pub(crate) door: Door,
}

impl Server {
    /// Starts one; nothing, and a loud line, where there is none.
    pub(crate) fn start() -> Option<Server> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let python = tests.join("../../../.tools/python/bin/python");
        let started = Command::new(python)
            .arg(tests.join("moto_server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let said = started.ok().and_then(|mut child| {
            let mut line = String::new();
            let mut out = BufReader::new(child.stdout.take()?);
            out.read_line(&mut line).ok()?;
            Some((line.trim().parse().ok()?, child))
        });
        let Some((port, child)) = said else {
            let mut err = io::stderr();
            let _ = writeln!(
                err,
                "!!! NOT TESTED: there is no moto in .tools/python; `scripts/test rust` installs it !!!"
            );
            return None;
        };
        let door = Door::to(port);
        Some(Server { child, door })
    }

    pub(crate) fn settings(&self, prefix: &str) -> Settings {
        Settings {
            url: format!("s3://annals/{prefix}"),
            endpoint: Some(format!("http://127.0.0.1:{}", self.door.port)),
            region: None,
            allow_http: true,
        }
    }

    pub(crate) fn bucket(&self, prefix: &str) -> Arc<S3> {
        let environment = CREDENTIALS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Arc::new(S3::open_in(&self.settings(prefix), environment).unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Passes connections on, while it is open.
pub(crate) struct Door {
    pub(crate) port: u16,
    /// The connections of visitors; nothing while it is shut.
    open: Arc<Mutex<Option<Vec<Weak<TcpStream>>>>>,
}

impl Door {
    fn to(port: u16) -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let open = Arc::new(Mutex::new(Some(Vec::new())));
        let connections = open.clone();
        thread::spawn(move || {
            for visitor in listener.incoming() {
                let Ok(visitor) = visitor else { continue };
                let mut connections = connections.lock().unwrap();
                // One that finds the door shut is sent away at once.
                if let Some(connections) = connections.as_mut() {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
                        continue;
                    };
                    let (visitor, server) = (Arc::new(visitor), Arc::new(server));
                    connections.push(Arc::downgrade(&visitor));
                    pass_on(visitor.clone(), server.clone());
                    pass_on(server, visitor);
                }
            }
        });
        Door { port: own, open }
    }

    /// Cuts every connection, and takes no more.
    pub(crate) fn shut(&self) {
        for connection in self.open.lock().unwrap().take().unwrap_or_default() {
            if let Some(connection) = connection.upgrade() {
                let _ = connection.shutdown(Shutdown::Both);
            }
        }
    }

    pub(crate) fn open(&self) {
        *self.open.lock().unwrap() = Some(Vec::new());
    }
}

fn pass_on(from: Arc<TcpStream>, to: Arc<TcpStream>) {
    thread::spawn(move || {
        let _ = io::copy(&mut &*from, &mut &*to);
        let _ = to.shutdown(Shutdown::Both);
    });
}
