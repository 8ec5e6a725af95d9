//! DEFLATE between a peer's octets and the session's (RFC 4978, RFC 1951): bounded whatever comes, and next to nothing
//! while a connection rests.

use std::io;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Octets that one look at what came gives at most: a bomb of any ratio is taken a piece at a time.
const PIECE_MAX: usize = 16 * 1024;

/// What stands between.
pub(super) struct Deflate {
    inward: Inward,
    outward: Outward,
}

/// What comes from the peer. It keeps the 32 KiB that the peer may refer back to.
struct Inward {
    state: Decompress,
    /// Came and was not looked at yet: one read at most.
    left: Vec<u8>,
    /// Whether more may come out without more coming in.
    more: bool,
    ended: bool,
}

/// What goes to the peer. Each run of replies is compressed by a state of its own: the peer cannot tell, and what waits
/// needs no 300 KiB.
#[derive(Default)]
struct Outward {
    state: Option<Compress>,
    /// Compressed, but not written yet.
    due: Vec<u8>,
    written: usize,
}

impl Deflate {
    pub(super) fn new() -> Self {
        let state = Decompress::new(false);
        let inward = Inward { state, left: Vec::new(), more: false, ended: false };
        Self { inward, outward: Outward::default() }
    }

    /// Whether what the peer sent is used up, so that more of it is wanted.
    pub(super) fn wants_input(&self) -> bool {
        self.inward.left.is_empty() && !self.inward.more
    }

    /// Whether the peer ended its compressed octets: it can say nothing more.
    pub(super) fn is_over(&self) -> bool {
        self.inward.ended && self.wants_input()
    }

    /// The peer sent these.
    pub(super) fn take_in(&mut self, octets: Vec<u8>) {
        self.inward.left = octets;
    }

    /// The next octets that the peer means; none yet if there are none.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`]: it is no DEFLATE, or goes on after its end.
    pub(super) fn next(&mut self) -> io::Result<Vec<u8>> {
        let Inward { state, left, more, ended } = &mut self.inward;
        if *ended {
            return Err(invalid("the peer's compressed octets go on after their end"));
        }
        let mut out = Vec::with_capacity(PIECE_MAX);
        let before = state.total_in();
        let status = state.decompress_vec(left, &mut out, FlushDecompress::None);
        let used = usize::try_from(state.total_in() - before).unwrap_or(left.len());
        left.drain(..used.min(left.len()));
        *more = out.len() == out.capacity();
        match status {
            Ok(Status::StreamEnd) => *ended = true,
            // No step was possible: it wants more input.
            Ok(Status::BufError) if out.is_empty() => {
                *more = false;
                if used == 0 && !left.is_empty() {
                    return Err(invalid("the peer's compressed octets lead nowhere"));
                }
            }
            Ok(_) => {}
            Err(_) => return Err(invalid("what the peer sends is not compressed")),
        }
        Ok(out)
    }

    /// Whether nothing waits to be written.
    pub(super) fn is_written(&self) -> bool {
        self.outward.due.is_empty()
    }

    /// What is to be written next.
    pub(super) fn due(&self) -> &[u8] {
        &self.outward.due[self.outward.written..]
    }

    /// So many of those were.
    pub(super) fn wrote(&mut self, octets: usize) {
        let Outward { due, written, .. } = &mut self.outward;
        *written += octets;
        if *written >= due.len() {
            *due = Vec::new();
            *written = 0;
        }
    }

    /// Compresses these, to be written before anything else is given.
    ///
    /// # Errors
    /// As the compressor gives them; with room for what comes out it gives none.
    pub(super) fn give(&mut self, octets: &[u8]) -> io::Result<()> {
        self.outward.run(octets, FlushCompress::None)
    }

    /// Sees to it that the peer can read all that was given so far. True if there is something to write for it.
    ///
    /// # Errors
    /// As for [`Deflate::give`].
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        if self.outward.state.is_none() {
            return Ok(false);
        }
        // RFC 1951 §3.2.4: it ends with an empty stored block, on the edge of an octet, where another state can go on.
        self.outward.run(&[], FlushCompress::Sync)?;
        self.outward.state = None;
        Ok(true)
    }
}

impl Outward {
    fn run(&mut self, octets: &[u8], flush: FlushCompress) -> io::Result<()> {
        let state = self.state.get_or_insert_with(|| Compress::new(Compression::fast(), false));
        let mut rest = octets;
        loop {
            let room = rest.len() / 2 + 1024;
            self.due.reserve(room);
            let (before, had) = (state.total_in(), self.due.len());
            state.compress_vec(rest, &mut self.due, flush).map_err(io::Error::other)?;
            let used = usize::try_from(state.total_in() - before).unwrap_or(rest.len());
            rest = &rest[used.min(rest.len())..];
            // All was taken, and all that it makes has come out, once room is left.
            if rest.is_empty() && self.due.len() < self.due.capacity() {
                return Ok(());
            }
            if used == 0 && self.due.len() == had {
                return Err(io::Error::other("the compressor makes no step"));
            }
        }
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a peer would do it, with a state that lives as long as the connection.
    fn compressed(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut state = Compress::new(Compression::best(), false);
        let mut all = Vec::new();
        for piece in pieces {
            let mut out = Vec::with_capacity(piece.len() + 1024);
            state.compress_vec(piece, &mut out, FlushCompress::Sync).expect("there is room");
            all.push(out);
        }
        all
    }

    fn read_all(deflate: &mut Deflate, octets: &[u8]) -> io::Result<Vec<u8>> {
        deflate.take_in(octets.to_vec());
        let mut out = Vec::new();
        while !deflate.wants_input() {
            let piece = deflate.next()?;
            assert!(piece.len() <= PIECE_MAX);
            out.extend(piece);
        }
        Ok(out)
    }

    #[test]
    fn what_comes_is_read_octet_by_octet_and_whole() {
        let lines: [&[u8]; 3] = [b"a NOOP\r\n", b"b NOOP\r\n", b"c LOGOUT\r\n"];
        let pieces = compressed(&lines);
        let mut deflate = Deflate::new();
        for (piece, line) in pieces.iter().zip(lines) {
            assert_eq!(read_all(&mut deflate, piece).expect("it is sound"), line);
        }
        let mut deflate = Deflate::new();
        let mut out = Vec::new();
        for octet in pieces.concat() {
            out.extend(read_all(&mut deflate, &[octet]).expect("it is sound"));
        }
        assert_eq!(out, lines.concat());
    }

    #[test]
    fn a_bomb_comes_a_piece_at_a_time() {
        let zeros = vec![0; 8 << 20];
        let bomb = compressed(&[&zeros]).concat();
        assert!(bomb.len() < 16 * 1024, "{}", bomb.len());
        let mut deflate = Deflate::new();
        assert_eq!(read_all(&mut deflate, &bomb).expect("it is sound").len(), zeros.len());
    }

    #[test]
    fn what_is_not_compressed_is_refused() {
        let mut deflate = Deflate::new();
        assert!(read_all(&mut deflate, b"a LOGOUT in the clear\r\n").is_err());
        let mut state = Compress::new(Compression::fast(), false);
        let mut ended = Vec::with_capacity(1024);
        state.compress_vec(b"x", &mut ended, FlushCompress::Finish).expect("there is room");
        ended.extend_from_slice(b"more");
        let mut deflate = Deflate::new();
        assert!(read_all(&mut deflate, &ended).is_err());
        // An end with nothing behind it is the end of what the peer says.
        let mut deflate = Deflate::new();
        assert_eq!(read_all(&mut deflate, &ended[..ended.len() - 4]).expect("sound"), b"x");
        assert!(deflate.is_over());
    }

    #[test]
    fn what_goes_is_read_by_a_peer_that_knows_nothing_of_our_states() {
        let mut deflate = Deflate::new();
        let mut peer = Decompress::new(false);
        let mut random = 1u32;
        let noise = (0..200_000).map(|_| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 24) as u8
        });
        let noise: Vec<u8> = noise.collect();
        let long = b"* 1 FETCH (FLAGS ())\r\n".repeat(10_000);
        for reply in [&b"a OK Done\r\n"[..], &long, &noise, b"b OK Done\r\n"] {
            deflate.give(reply).expect("there is room");
            assert!(deflate.flush().expect("there is room"));
            assert!(!deflate.flush().expect("there is nothing"), "once is enough");
            let mut read = Vec::with_capacity(reply.len() + 1024);
            let due = deflate.due().to_vec();
            peer.decompress_vec(&due, &mut read, FlushDecompress::Sync).expect("it is sound");
            assert_eq!(read, reply);
            assert!(reply.len() != long.len() || due.len() < long.len() / 20, "{}", due.len());
            deflate.wrote(due.len());
            assert!(deflate.is_written());
        }
    }
}
