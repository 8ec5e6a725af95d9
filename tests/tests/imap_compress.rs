//! COMPRESS (RFC 4978) over sockets: both directions compressed, bounded whatever comes, refused where it is no DEFLATE.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use pillarbox_tests::server::{Scratch, Server};

/// A client that compresses once it was told to.
struct Client {
    stream: TcpStream,
    compress: Compress,
    decompress: Decompress,
    active: bool,
    heard: Vec<u8>,
    /// Octets that came, as they were on the wire.
    came: u64,
}

impl Client {
    fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("it can be set");
        let (compress, decompress) =
            (Compress::new(Compression::best(), false), Decompress::new(false));
        let heard = Vec::new();
        let mut client = Self { stream, compress, decompress, active: false, heard, came: 0 };
        client.until("IMAP server ready\r\n");
        client.command("a LOGIN bob hungry");
        client
    }

    fn compressed(address: SocketAddr) -> Self {
        let mut client = Self::new(address);
        client.command("b COMPRESS DEFLATE");
        assert!(client.heard.is_empty(), "what follows the OK is compressed");
        client.active = true;
        client
    }

    fn say(&mut self, octets: &[u8]) {
        let mut wire = octets.to_vec();
        if self.active {
            wire = Vec::with_capacity(octets.len() + 1024);
            self.compress.compress_vec(octets, &mut wire, FlushCompress::Sync).expect("room");
        }
        self.stream.write_all(&wire).expect("it reads");
    }

    /// Hears up to this text, and gives all of it.
    fn until(&mut self, end: &str) -> String {
        loop {
            let at = self.heard.windows(end.len()).position(|text| text == end.as_bytes());
            if let Some(at) = at {
                let rest = self.heard.split_off(at + end.len());
                let text = std::mem::replace(&mut self.heard, rest);
                return String::from_utf8_lossy(&text).into_owned();
            }
            let mut wire = [0; 16 * 1024];
            let count = self.stream.read(&mut wire).expect("it answers");
            assert!(count > 0, "closed after {:?}", String::from_utf8_lossy(&self.heard));
            self.came += count as u64;
            if !self.active {
                self.heard.extend_from_slice(&wire[..count]);
                continue;
            }
            let mut at = 0;
            loop {
                let mut out = Vec::with_capacity(64 * 1024);
                let before = self.decompress.total_in();
                self.decompress
                    .decompress_vec(&wire[at..count], &mut out, FlushDecompress::None)
                    .expect("it is sound");
                at += (self.decompress.total_in() - before) as usize;
                let full = out.len() == out.capacity();
                self.heard.extend(out);
                if at == count && !full {
                    break;
                }
            }
        }
    }

    fn command(&mut self, command: &str) -> String {
        let tag = command.split(' ').next().expect("a tag").to_owned();
        self.say(format!("{command}\r\n").as_bytes());
        let text = self.until(&format!("{tag} OK"));
        text + &self.until("\r\n")
    }
}

fn message() -> Vec<u8> {
    let mut message = b"Subject: long\r\n\r\n".to_vec();
    for line in 0..20_000 {
        message
            .extend_from_slice(format!("line {line} of a text that repeats itself\r\n").as_bytes());
    }
    message
}

#[test]
fn both_directions_are_compressed() {
    let scratch = Scratch::new("compress");
    let data = scratch.path().join("data");
    let server = Server::start(scratch.path(), &["--data", data.to_str().expect("UTF-8")]);
    let mut client = Client::compressed(server.imap);
    let message = message();
    client.say(format!("c APPEND INBOX {{{}+}}\r\n", message.len()).as_bytes());
    for piece in message.chunks(50_000) {
        client.say(piece);
    }
    client.say(b"\r\n");
    client.until("c OK");
    client.until("\r\n");
    client.command("d SELECT INBOX");
    let before = client.came;
    let fetched = client.command("e FETCH 1 BODY.PEEK[]");
    assert!(fetched.contains(std::str::from_utf8(&message).expect("ASCII")), "it came whole");
    let wire = client.came - before;
    assert!(wire * 5 < message.len() as u64, "{wire} octets for {}", message.len());
    // Small replies are heard at once, one by one, and what others do wakes an idle connection.
    for number in 0..50 {
        client.command(&format!("n{number} NOOP"));
    }
    client.say(b"f IDLE\r\n");
    client.until("+ idling\r\n");
    let mut other = Client::compressed(server.imap);
    other.command("c SELECT INBOX");
    other.command("d STORE 1 +FLAGS (\\Flagged)");
    client.until("FLAGS (\\Flagged)");
    client.say(b"DONE\r\n");
    client.until("f OK");
    assert!(server.stop().success());
}

/// What swells is taken a piece at a time: the longest line is passed over, and the server's memory stays as it was.
#[test]
fn a_bomb_swells_nothing() {
    let scratch = Scratch::new("compress-bomb");
    let server = Server::start(scratch.path(), &[]);
    let mut client = Client::compressed(server.imap);
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
    };
    let before = resident();
    // 256 MiB in a quarter of a megabyte.
    let piece = vec![b'a'; 1 << 20];
    for _ in 0..256 {
        client.say(&piece);
    }
    client.say(b"\r\nn NOOP\r\n");
    let text = client.until("n OK");
    assert!(text.contains("BAD The line is too long"), "{text}");
    let after = resident();
    assert!(after < before + 32 * 1024, "{before} KiB before, {after} KiB after");
}

#[test]
fn what_is_not_compressed_ends_the_connection() {
    let scratch = Scratch::new("compress-clear");
    let server = Server::start(scratch.path(), &[]);
    let mut client = Client::compressed(server.imap);
    client.active = false;
    client.say(b"c NOOP\r\nthis is in the clear, and no block of DEFLATE\r\n");
    let mut rest = Vec::new();
    // A reset is an end too.
    drop(client.stream.read_to_end(&mut rest));
    assert!(!rest.windows(4).any(|text| text == b"c OK"), "{rest:?}");
    // The others live on.
    Client::compressed(server.imap).command("c NOOP");
    assert!(server.stop().success());
}
