//! COMPRESS (RFC 4978) over sockets: both directions compressed, bounded whatever comes, refused where it is no DEFLATE.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use pillarbox_tests::server::{Scratch, Server};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// What a client reads and writes, in the clear or over TLS.
trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("it can be set");
    stream
}

/// Goes on over TLS with the server whose certificate this is.
fn secured(stream: TcpStream, certificate: &Path) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    let own = CertificateDer::from_pem_file(certificate).expect("the server wrote it");
    roots.add(own).expect("a good certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().expect("there are some");
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("it is right");
    StreamOwned::new(connection, stream)
}

/// A client that compresses once it was told to.
struct Client {
    stream: Box<dyn Stream>,
    compress: Compress,
    decompress: Decompress,
    active: bool,
    heard: Vec<u8>,
    /// Octets that came, as they were on the wire.
    came: u64,
}

impl Client {
    fn new(address: SocketAddr) -> Self {
        let mut client = Self::on(Box::new(connect(address)));
        client.until("IMAP server ready\r\n");
        client.command("a LOGIN bob hungry");
        client
    }

    fn on(stream: Box<dyn Stream>) -> Self {
        let (compress, decompress) =
            (Compress::new(Compression::best(), false), Decompress::new(false));
        let heard = Vec::new();
        Self { stream, compress, decompress, active: false, heard, came: 0 }
    }

    fn compressed(address: SocketAddr) -> Self {
        Self::new(address).compressing()
    }

    fn compressing(mut self) -> Self {
        self.command("b COMPRESS DEFLATE");
        assert!(self.heard.is_empty(), "what follows the OK is compressed");
        self.active = true;
        self
    }

    fn say(&mut self, octets: &[u8]) {
        let mut wire = octets.to_vec();
        if self.active {
            wire = Vec::with_capacity(octets.len() + 1024);
            self.compress.compress_vec(octets, &mut wire, FlushCompress::Sync).expect("room");
        }
        self.stream.write_all(&wire).expect("it reads");
        self.stream.flush().expect("it reads");
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
    client.until("FLAGS (\\Flagged");
    client.say(b"DONE\r\n");
    client.until("f OK");
    assert!(server.stop().success());
}

/// What swells is taken a piece at a time: the longest line is passed over, and the server's memory stays as it was.
#[test]
fn a_bomb_swells_nothing() {
    let scratch = Scratch::new("compress-bomb");
    let server = Server::start(scratch.path(), &["--memory"]);
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
    let mut bomb = Vec::with_capacity(1 << 20);
    for _ in 0..256 {
        client.compress.compress_vec(&piece, &mut bomb, FlushCompress::Sync).expect("room");
    }
    // A line without end is hung up on, so not all of it need be taken, and the rest may be a reset.
    drop(client.stream.write_all(&bomb));
    let mut rest = Vec::new();
    drop(client.stream.read_to_end(&mut rest));
    let after = resident();
    assert!(after < before + 32 * 1024, "{before} KiB before, {after} KiB after");
    // A line that is too long and ends is one command that fails.
    let mut client = Client::compressed(server.imap);
    client.say(&vec![b'a'; 1 << 19]);
    client.say(b"\r\nn NOOP\r\n");
    let text = client.until("n OK");
    assert!(text.contains("BAD The line is too long"), "{text}");
    assert!(server.stop().success());
}

#[test]
fn what_is_not_compressed_ends_the_connection() {
    let scratch = Scratch::new("compress-clear");
    let server = Server::start(scratch.path(), &["--memory"]);
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

fn file_below(directory: &Path, name: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(directory).ok()?.flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter().find_map(|path| match path.is_dir() {
        true => file_below(&path, name),
        false => (path.file_name()? == name).then_some(path),
    })
}

/// RFC 4978 §3: compression stands within TLS.
#[test]
fn what_is_compressed_is_encrypted_too() {
    let scratch = Scratch::new("compress-tls");
    let data = scratch.path().join("data");
    let flags = ["--data", data.to_str().expect("UTF-8"), "--starttls"];
    let server = Server::start(scratch.path(), &flags);
    let certificate = file_below(scratch.path(), "certificate.pem").expect("the server made it");
    let mut stream = connect(server.imap);
    let mut greeting = [0; 4096];
    assert!(stream.read(&mut greeting).expect("a greeting") > 0);
    stream.write_all(b"x STARTTLS\r\n").expect("it reads");
    assert!(stream.read(&mut greeting).expect("it answers") > 0);
    assert!(greeting.starts_with(b"x OK"), "{}", String::from_utf8_lossy(&greeting));
    let mut client = Client::on(Box::new(secured(stream, &certificate)));
    client.command("a LOGIN bob hungry");
    let mut client = client.compressing();
    let message = message();
    client.say(format!("c APPEND INBOX {{{}+}}\r\n", message.len()).as_bytes());
    client.say(&message);
    client.say(b"\r\n");
    client.until("c OK");
    client.until("\r\n");
    client.command("d SELECT INBOX");
    let before = client.came;
    let fetched = client.command("e FETCH 1 BODY.PEEK[]");
    assert!(fetched.contains(std::str::from_utf8(&message).expect("ASCII")), "it came whole");
    let wire = client.came - before;
    assert!(wire * 5 < message.len() as u64, "{wire} octets for {}", message.len());
    for number in 0..20 {
        client.command(&format!("n{number} NOOP"));
    }
    // The session may be frozen meanwhile: TLS and what the peer refers back to stay as they are.
    for round in 0..2 {
        let until = std::time::Instant::now() + Duration::from_secs(30);
        while server.metric("pillarbox_sessions_frozen{protocol=\"imap\"}") != 1 {
            assert!(std::time::Instant::now() < until, "it is not frozen");
            std::thread::sleep(Duration::from_millis(50));
        }
        let fetched = client.command(&format!("f{round} FETCH 1 BODY.PEEK[]"));
        assert!(fetched.contains(std::str::from_utf8(&message).expect("ASCII")), "it came whole");
    }
    assert!(server.stop().success());
}

/// A peer that ends its compressed octets has said its last; what stands behind the end is answered at once, by the end of
/// the connection.
#[test]
fn what_follows_the_end_of_what_is_compressed_ends_the_connection_at_once() {
    let scratch = Scratch::new("compress-end");
    let server = Server::start(scratch.path(), &["--memory"]);
    for behind in [&b""[..], b"c NOOP\r\n"] {
        let mut client = Client::compressed(server.imap);
        let mut end = Vec::with_capacity(1024);
        client.compress.compress_vec(b"", &mut end, FlushCompress::Finish).expect("room");
        end.extend_from_slice(behind);
        client.active = false;
        client.say(&end);
        let began = std::time::Instant::now();
        drop(client.stream.read_to_end(&mut Vec::new()));
        assert!(began.elapsed() < Duration::from_secs(10), "{behind:?}: it idles");
    }
    assert!(server.stop().success());
}
