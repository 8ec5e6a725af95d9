//! A blocking client that speaks lines, for tests that want to see every octet.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A connection to a server.
pub struct Wire {
    stream: BufReader<TcpStream>,
}

impl Wire {
    /// Connects; every later read fails after ten seconds of silence.
    ///
    /// # Errors
    /// As the socket gives them.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends octets.
    ///
    /// # Errors
    /// As the socket gives them.
    pub fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(octets)
    }

    /// The next line, its CRLF included.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if the server closed; else as the socket gives them.
    pub fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        if line.ends_with(b"\n") { Ok(line) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// The next so many octets.
    ///
    /// # Errors
    /// As for [`Wire::line`].
    pub fn octets(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut octets = vec![0; count];
        self.stream.read_exact(&mut octets)?;
        Ok(octets)
    }

    /// All that still comes until the server closes.
    ///
    /// # Errors
    /// As the socket gives them.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut octets = Vec::new();
        self.stream.read_to_end(&mut octets)?;
        Ok(octets)
    }

    /// An SMTP reply, all its lines; sends the command first unless it is empty.
    ///
    /// # Errors
    /// As for [`Wire::line`].
    pub fn smtp(&mut self, command: &str) -> io::Result<Vec<u8>> {
        self.command(command)?;
        let mut reply = Vec::new();
        loop {
            let line = self.line()?;
            let last = line.get(3) != Some(&b'-');
            reply.extend_from_slice(&line);
            if last {
                return Ok(reply);
            }
        }
    }

    /// Everything up to the tagged response of an IMAP command, whose tag is its first word.
    ///
    /// # Errors
    /// As for [`Wire::line`].
    pub fn imap(&mut self, command: &str) -> io::Result<Vec<u8>> {
        self.command(command)?;
        let tag = command.split(' ').next().unwrap_or_default().as_bytes();
        let mut response = Vec::new();
        loop {
            let line = self.line()?;
            let done = line.starts_with(tag) && line.get(tag.len()) == Some(&b' ');
            response.extend_from_slice(&line);
            if done {
                return Ok(response);
            }
            if let Some(size) = literal(&line) {
                response.extend_from_slice(&self.octets(size)?);
            }
        }
    }

    /// The literals of the responses to an IMAP command, in order; its tag is its first word.
    ///
    /// # Errors
    /// As for [`Wire::line`]; [`io::ErrorKind::InvalidData`] if the command fails.
    pub fn literals(&mut self, command: &str) -> io::Result<Vec<Vec<u8>>> {
        self.command(command)?;
        let tag = command.split(' ').next().unwrap_or_default().as_bytes();
        let mut literals = Vec::new();
        loop {
            let line = self.line()?;
            if let Some(size) = literal(&line) {
                literals.push(self.octets(size)?);
            } else if line.strip_prefix(tag).is_some_and(|rest| rest.starts_with(b" OK")) {
                return Ok(literals);
            } else if line.strip_prefix(tag).is_some_and(|rest| rest.starts_with(b" ")) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    line.escape_ascii().to_string(),
                ));
            }
        }
    }

    fn command(&mut self, command: &str) -> io::Result<()> {
        if command.is_empty() { Ok(()) } else { self.send(format!("{command}\r\n").as_bytes()) }
    }
}

/// The size of the literal that a line announces at its end.
fn literal(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"}\r\n")?;
    let open = line.iter().rposition(|&octet| octet == b'{')?;
    std::str::from_utf8(&line[open + 1..]).ok()?.parse().ok()
}
