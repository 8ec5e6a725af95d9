//! Makes inputs of other inputs: octets and bits changed, pieces doubled, moved, cut out and taken from others, words of
//! the grammar put in, and numbers that lie about lengths.

use crate::seeded::Seeded;

/// Numbers at which bounds break.
const NUMBERS: [&str; 16] = [
    "0",
    "1",
    "-1",
    "2",
    "127",
    "255",
    "256",
    "998",
    "4096",
    "65535",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775808",
    "18446744073709551616",
];

/// Octets that mean something in most grammars.
const OCTETS: &[u8] = b"\0\t\n\r \"#$%&'()*+,-./0129:;<=>?@AZ[\\]^_`az{|}~\x7f\x80\xbf\xc0\xe2\xff";

/// How inputs of one target are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mutator {
    pub(crate) words: &'static [&'static str],
    pub(crate) lines: bool,
    pub(crate) size_max: usize,
}

impl Mutator {
    /// An input made of one input, with pieces of another.
    pub(crate) fn mutated(self, input: &[u8], other: &[u8], random: &mut Seeded) -> Vec<u8> {
        let mut out = input.to_vec();
        // Mostly little, since most of what is changed much is refused at once.
        for _ in 0..1 + random.below(4) * random.below(4) {
            if self.lines && random.below(2) == 0 {
                move_lines(&mut out, other, random);
            } else {
                self.change(&mut out, other, random);
            }
        }
        out.truncate(self.size_max);
        out
    }

    fn change(self, out: &mut Vec<u8>, other: &[u8], random: &mut Seeded) {
        let at = random.place(out.len());
        match random.below(12) {
            0 if at < out.len() => out[at] ^= 1 << random.below(8),
            1 if at < out.len() => out[at] = random.next() as u8,
            2 if at < out.len() => out[at] = OCTETS[random.below(OCTETS.len())],
            3 => out.insert(at, OCTETS[random.below(OCTETS.len())]),
            4 if at < out.len() => drop(out.remove(at)),
            5 => {
                let piece = piece(out, random).to_vec();
                put(out, at, &piece);
            }
            6 => {
                let piece = piece(other, random).to_vec();
                put(out, at, &piece);
            }
            7 | 8 => {
                if let Some(word) = random.pick(self.words) {
                    put(out, at, word.as_bytes());
                }
            }
            9 => lie(out, random),
            10 if random.below(3) == 0 => out.truncate(at),
            10 => {
                let end = (at + random.below(40)).min(out.len());
                out.drain(at..end);
            }
            _ => self.repeat(out, at, random),
        }
    }

    /// Something small many times: what costs more than it should shows itself.
    fn repeat(self, out: &mut Vec<u8>, at: usize, random: &mut Seeded) {
        let end = (at + 1 + random.below(8)).min(out.len());
        let times = 1 << random.below(9);
        let piece = out[at..end].repeat(times);
        if out.len() + piece.len() <= self.size_max {
            put(out, at, &piece);
        }
    }
}

fn put(out: &mut Vec<u8>, at: usize, piece: &[u8]) {
    out.splice(at..at, piece.iter().copied());
}

/// Up to some hundred octets of it.
fn piece<'a>(of: &'a [u8], random: &mut Seeded) -> &'a [u8] {
    let at = random.place(of.len());
    let scale = 1 + random.below(8);
    let length = random.below(1 << scale);
    &of[at..(at + length).min(of.len())]
}

/// Another number in place of one that stands there.
fn lie(out: &mut Vec<u8>, random: &mut Seeded) {
    let from = random.place(out.len());
    let Some(start) = out[from..].iter().position(u8::is_ascii_digit).map(|at| at + from) else {
        return;
    };
    let digits = out[start..].iter().take_while(|octet| octet.is_ascii_digit()).count();
    let number = std::str::from_utf8(&out[start..start + digits]).ok().and_then(|n| n.parse().ok());
    let new = match (random.below(3), number) {
        (0, Some(number)) => u64::wrapping_add(number, 1).to_string(),
        (1, Some(number)) => u64::saturating_sub(number, 1).to_string(),
        _ => NUMBERS[random.below(NUMBERS.len())].to_owned(),
    };
    out.splice(start..start + digits, new.bytes());
}

/// Lines doubled, dropped, moved, or taken from elsewhere.
fn move_lines(out: &mut Vec<u8>, other: &[u8], random: &mut Seeded) {
    let mut lines: Vec<&[u8]> = out.split_inclusive(|octet| *octet == b'\n').collect();
    let others: Vec<&[u8]> = other.split_inclusive(|octet| *octet == b'\n').collect();
    let at = random.place(lines.len());
    match random.below(6) {
        0 if at < lines.len() => drop(lines.remove(at)),
        1 if at < lines.len() => lines.insert(at, lines[at]),
        2 if !lines.is_empty() => {
            let line = lines.remove(random.below(lines.len()));
            lines.insert(random.place(lines.len()), line);
        }
        3 | 4 => {
            let from = random.place(others.len());
            let end = (from + 1 + random.below(4)).min(others.len());
            lines.splice(at..at, others[from..end].iter().copied());
        }
        _ => lines.truncate(at.max(1)),
    }
    *out = lines.concat();
}
