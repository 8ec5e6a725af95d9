//! What faults on purpose do to a connection's octets: slower, in pieces, with flipped bits, with LF alone.
//! A connection without faults has no such value, and pays nothing for it.

use std::time::Duration;

use pillarbox_world::fault::Decision;

/// Pieces that a second of throttled output is written in, so that it flows rather than jumps.
const PIECES_PER_S: u64 = 10;

/// How a connection's octets are changed.
#[derive(Debug, Default)]
pub(super) struct Pace {
    octets_per_s: Option<u64>,
    piece_octets: Option<u32>,
    lf_only: bool,
    /// Octets to send before each one whose bit is flipped.
    corrupt: Vec<u64>,
    /// The last octet sent was a CR that was kept back.
    after_cr: bool,
}

impl Pace {
    /// None if the decision leaves the octets as they are.
    pub(super) fn join(own: Option<Box<Self>>, decision: &Decision) -> Option<Box<Self>> {
        let Decision { octets_per_s, piece_octets, corrupt, lf_only, .. } = decision;
        let changes =
            octets_per_s.is_some() || piece_octets.is_some() || *lf_only || !corrupt.is_empty();
        if !changes {
            return own;
        }
        let mut pace = own.unwrap_or_default();
        pace.octets_per_s = octets_per_s.or(pace.octets_per_s);
        pace.piece_octets = piece_octets.or(pace.piece_octets);
        pace.lf_only |= lf_only;
        pace.corrupt.extend(corrupt.iter().map(|number| number - 1));
        Some(pace)
    }

    /// Flips the bits that are to be flipped in the next octets sent.
    pub(super) fn garble(&mut self, octets: &mut [u8]) {
        let sent = octets.len() as u64;
        for before in &mut self.corrupt {
            if let Some(octet) = usize::try_from(*before).ok().and_then(|at| octets.get_mut(at)) {
                *octet ^= 1;
            }
        }
        self.corrupt.retain(|before| *before >= sent);
        self.corrupt.iter_mut().for_each(|before| *before -= sent);
    }

    /// The next octets sent, as they go to the wire.
    pub(super) fn lines(&mut self, octets: &[u8]) -> Vec<u8> {
        if !self.lf_only {
            return octets.to_vec();
        }
        let mut out = Vec::with_capacity(octets.len());
        for &octet in octets {
            if self.after_cr && octet != b'\n' {
                out.push(b'\r');
            }
            self.after_cr = octet == b'\r';
            if !self.after_cr {
                out.push(octet);
            }
        }
        out
    }

    /// How many of so many octets are written next, and how long to wait after them.
    pub(super) fn piece(&self, left: usize) -> (usize, Duration) {
        let by_rate = self.octets_per_s.map(|octets| (octets / PIECES_PER_S).max(1));
        let piece = match (by_rate, self.piece_octets.map(u64::from)) {
            (Some(rate), Some(piece)) => rate.min(piece),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return (left, Duration::ZERO),
        };
        let piece = usize::try_from(piece).unwrap_or(usize::MAX).min(left);
        // Without a rate the pieces only have to be packets of their own.
        let rest =
            if self.octets_per_s.is_some() { self.time(piece) } else { Duration::from_millis(1) };
        (piece, rest)
    }

    /// How long so many octets take at the rate.
    pub(super) fn time(&self, octets: usize) -> Duration {
        self.octets_per_s.map_or(Duration::ZERO, |rate| {
            Duration::from_micros((octets as u64).saturating_mul(1_000_000) / rate)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(decision: Decision) -> Box<Pace> {
        Pace::join(None, &decision).expect("it changes something")
    }

    #[test]
    fn a_decision_without_changes_costs_nothing() {
        assert!(Pace::join(None, &Decision { delay_ms: 5, ..Decision::default() }).is_none());
    }

    #[test]
    fn one_bit_of_the_counted_octet_is_flipped() {
        let mut pace = pace(Decision { corrupt: vec![1, 5], ..Decision::default() });
        let mut said = b"250".to_vec();
        pace.garble(&mut said);
        assert_eq!(said, b"350");
        let mut said = b"-x\r\n".to_vec();
        pace.garble(&mut said);
        assert_eq!(said, b"-y\r\n");
        pace.garble(&mut said);
        assert_eq!(said, b"-y\r\n");
    }

    #[test]
    fn only_cr_before_lf_goes() {
        let mut pace = pace(Decision { lf_only: true, ..Decision::default() });
        let said: Vec<u8> =
            [&b"a\r"[..], b"\nb\r\r\nc\rd"].iter().flat_map(|o| pace.lines(o)).collect();
        assert_eq!(said, b"a\nb\r\nc\rd");
    }

    #[test]
    fn pieces_keep_the_rate() {
        let slow = pace(Decision { octets_per_s: Some(100), ..Decision::default() });
        assert_eq!(slow.piece(1000), (10, Duration::from_millis(100)));
        assert_eq!(slow.time(50), Duration::from_millis(500));
        let slowest = pace(Decision { octets_per_s: Some(1), ..Decision::default() });
        assert_eq!(slowest.piece(1000), (1, Duration::from_secs(1)));
        let pieces = pace(Decision { piece_octets: Some(3), ..Decision::default() });
        assert_eq!(pieces.piece(1000).0, 3);
        assert_eq!(pieces.piece(2).0, 2);
    }
}
