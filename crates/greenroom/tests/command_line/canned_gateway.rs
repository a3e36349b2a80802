//! A control plane that gives prepared answers, one a connection.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

/// A listener that gives these answers in turn.
pub(crate) struct CannedGateway {
    /// Its address.
    pub(crate) address: String,
    served: JoinHandle<Vec<String>>,
}

impl CannedGateway {
    /// Gives each status and JSON body in turn.
    pub(crate) fn start(responses: Vec<(u16, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind a free port");
        let address = listener.local_addr().expect("it has an address").to_string();
        let served = std::thread::spawn(move || {
            let serve = |(status, body): (u16, String)| {
                let (mut stream, _) = listener.accept().expect("accept a connection");
                let target = read_request(&mut stream);
                let head =
                    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                stream.write_all((head + &body).as_bytes()).expect("write the response");
                target
            };
            responses.into_iter().map(serve).collect()
        });
        Self { address, served }
    }

    /// Targets of the requests, once all answers are given.
    pub(crate) fn targets(self) -> Vec<String> {
        self.served.join().expect("it has served all")
    }
}

/// Reads a request to its end. Returns its target.
fn read_request(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("read the head");
        head.extend(byte);
    }
    let head = String::from_utf8(head).expect("the head is text");
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().expect("a length"))
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).expect("read the body");
    head.split(' ').nth(1).expect("a target").to_owned()
}
