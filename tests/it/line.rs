//! A line to the database that can lose the answer to a commit: what was committed stays committed, and the service does
//! not hear of it.

use sqlx::postgres::PgConnectOptions;
use std::io;
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::unix::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// The line; it ends with the test.
pub struct Line {
    /// The address of the same database by the same role, over this line.
    pub address: String,
    losing: Arc<AtomicBool>,
}

impl Line {
    /// A line to where this address leads.
    pub async fn to(address: &str) -> Self {
        let options = PgConnectOptions::from_str(address).unwrap();
        let folder = options.get_socket().expect("the test cluster listens on a socket");
        let socket = folder.join(format!(".s.PGSQL.{}", options.get_port()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (role, rest) = address.rsplit_once('@').unwrap();
        let database = rest.split(['/', '?']).nth(1).unwrap();
        // In the clear, so that the answers can be told apart.
        let address = format!("{role}@{}/{database}?sslmode=disable", listener.local_addr().unwrap());
        let losing = Arc::new(AtomicBool::new(false));
        tokio::spawn(listen(listener, socket, Arc::clone(&losing)));
        Self { address, losing }
    }

    /// The next commit over this line is carried out, and its answer is lost with the connection.
    pub fn lose_the_next_answer(&self) {
        self.losing.store(true, Ordering::SeqCst);
    }

    /// Whether an answer is still to be lost.
    pub fn is_losing(&self) -> bool {
        self.losing.load(Ordering::SeqCst)
    }
}

async fn listen(listener: TcpListener, socket: std::path::PathBuf, losing: Arc<AtomicBool>) {
    while let Ok((client, _)) = listener.accept().await {
        client.set_nodelay(true).unwrap();
        let server = UnixStream::connect(&socket).await.unwrap();
        tokio::spawn(carry(client, server, Arc::clone(&losing)));
    }
}

async fn carry(client: TcpStream, server: UnixStream, losing: Arc<AtomicBool>) {
    let ((mut asks, hears), (says, mut told)) = (client.into_split(), server.into_split());
    // Whichever side ends, both connections end with it.
    tokio::select! {
        _ = copy(&mut asks, &mut told) => {}
        _ = answers(says, hears, &losing) => {}
    }
}

/// Passes the server's messages on, each whole: a byte for its kind, four for its length, and the rest.
async fn answers(mut server: OwnedReadHalf, mut client: OwnedWriteHalf, losing: &AtomicBool) -> io::Result<()> {
    loop {
        let kind = server.read_u8().await?;
        let length = server.read_u32().await?;
        let mut rest = vec![0; usize::try_from(length).unwrap() - 4];
        server.read_exact(&mut rest).await?;
        // CommandComplete: from here on the transaction is durable.
        if kind == b'C' && rest == b"COMMIT\0" && losing.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        let mut message = vec![kind];
        message.extend(length.to_be_bytes());
        message.extend(rest);
        client.write_all(&message).await?;
    }
}
