//! Clients that keep their connections alive and ask again as soon as they are answered.
//!
//! They share one thread and read no more of an answer than its status, its length and its `ETag`: what they cost is cost
//! that the service does not get, and it is the same for every contestant.

use crate::Outcome;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long the connections are warmed before anything counts.
const WARM: Duration = Duration::from_millis(200);

/// What one client sends.
pub trait Asks {
    /// The next request, whole.
    fn next(&mut self) -> Vec<u8>;
    /// What it came to.
    fn answered(&mut self, etag: Option<&str>);
}

/// Asks for one of several things, whichever comes.
pub struct Reads {
    pub requests: Vec<Vec<u8>>,
    pub seed: u64,
}

impl Asks for Reads {
    fn next(&mut self) -> Vec<u8> {
        // Xorshift: even enough to spread clients over records.
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        let place = usize::try_from(self.seed).unwrap_or_default() % self.requests.len().max(1);
        self.requests.get(place).cloned().unwrap_or_default()
    }

    fn answered(&mut self, _etag: Option<&str>) {}
}

/// Replaces one thing again and again, with the version that the last answer named.
pub struct Writes {
    /// The request up to the value of `If-Match`, and from behind it.
    pub before: Vec<u8>,
    pub after: Vec<u8>,
    pub etag: String,
}

impl Asks for Writes {
    fn next(&mut self) -> Vec<u8> {
        [&self.before, self.etag.as_bytes(), &self.after].concat()
    }

    fn answered(&mut self, etag: Option<&str>) {
        if let Some(etag) = etag {
            etag.clone_into(&mut self.etag);
        }
    }
}

/// How many requests a second were answered, all of them with 200.
pub async fn rate<A: Asks + Send + 'static>(
    address: SocketAddr,
    clients: Vec<A>,
    during: Duration,
) -> Outcome<(f64, Vec<A>)> {
    let begin = Instant::now() + WARM;
    let mut tasks = Vec::with_capacity(clients.len());
    for mut client in clients {
        tasks.push(tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (mut counted, mut buffer) = (0_u32, Vec::with_capacity(16 * 1024));
            loop {
                let request = client.next();
                let etag = ask(&mut stream, &request, &mut buffer).await?;
                client.answered(etag.as_deref());
                let now = Instant::now();
                if now >= begin + during {
                    return Outcome::Ok((counted, client));
                }
                counted += u32::from(now >= begin);
            }
        }));
    }
    let (mut answered, mut back) = (0.0, Vec::new());
    for task in tasks {
        let (counted, client) = task.await??;
        answered += f64::from(counted);
        back.push(client);
    }
    Ok((answered / during.as_secs_f64(), back))
}

/// What a request came to.
pub struct Answer {
    pub status: u16,
    pub etag: Option<String>,
    pub body: String,
}

async fn ask(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> Outcome<Option<String>> {
    let Answer { status, etag, body } = exchange(stream, request, buffer).await?;
    if status == 200 { Ok(etag) } else { Err(format!("{status}: {body}").into()) }
}

/// Sends a request and reads its answer; of one that is well only what is needed of it.
pub async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> Outcome<Answer> {
    stream.write_all(request).await?;
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err("a connection was closed before its answer".into());
        }
        let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(buffer.get(..end).unwrap_or_default())?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or_default();
        let (mut length, mut etag) = (0, None);
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse()?;
            } else if name.eq_ignore_ascii_case("etag") {
                etag = Some(value.to_owned());
            }
        }
        while buffer.len() < end + 4 + length {
            if stream.read_buf(buffer).await? == 0 {
                return Err("a connection was closed within its answer".into());
            }
        }
        let body = buffer.get(end + 4..).filter(|_| status != 200).unwrap_or_default();
        return Ok(Answer { status, etag, body: String::from_utf8_lossy(body).into_owned() });
    }
}
