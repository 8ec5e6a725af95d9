//! mbox (RFC 4155): many messages in one file, each behind a line that begins with `From `.
//! Lines of messages that look like one are quoted with `>`, in one of the ways that programs have come to.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::lines::{Lines, Piece};
use crate::imap::types::Flags;
use crate::text::date::{civil, days, month, month_name};

const FROM: &[u8] = b"From ";
const ANSWERED: u8 = 1;
const FLAGGED: u8 = 2;
const DELETED: u8 = 4;
const SEEN: u8 = 8;
const DRAFT: u8 = 16;
/// Octets of a field that tells flags; a longer one is no such field.
const FIELD_MAX: usize = 16 * 1024;

/// How lines that look like a separator are kept from being one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quoting {
    /// `>` before every `From ` and `>From `, so that nothing is lost: what is written, and read by default.
    #[default]
    Mboxrd,
    /// `>` before `From ` alone.
    Mboxo,
    /// None.
    Nothing,
}

/// What a file was found to hold, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A message begins; when it came, in milliseconds since 1970 UTC, if the line before it says so.
    Begin(Option<u64>),
    /// Its next octets, with CRLF.
    Octets(Vec<u8>),
    /// It is over.
    End(Ended),
}

/// What is known of a message at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Its flags, as the fields Status, X-Status and X-Keywords told them; those are taken out.
    pub flags: Flags,
    /// It is no message: some programs keep data of their own in the first one.
    pub is_internal: bool,
}

/// Why a file is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotMbox;

/// Reads a file piece by piece.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    quoting: Quoting,
    lines: Lines,
    state: State,
}

#[derive(Clone, Debug, Default)]
struct State {
    /// A message has begun.
    inside: bool,
    /// It is no mbox file.
    wrong: bool,
    in_header: bool,
    /// The last line was blank, and may belong to the file instead of to the message.
    blank: bool,
    /// The last line ended the header section.
    bare: bool,
    /// The field that is being read and taken out, with its name's octets.
    hidden: Option<Vec<u8>>,
    /// A long line that is taken out has not ended.
    hiding: bool,
    ended: Ended,
    mailer: bool,
    /// Lines that begin like a separator and have no date.
    doubtful: u64,
    /// Lines that are separators but for the blank line that RFC 4155 wants before them.
    unparted: u64,
}

impl Reader {
    /// A reader of a file that is quoted so.
    #[must_use]
    pub fn new(quoting: Quoting) -> Self {
        Self { quoting, ..Self::default() }
    }

    /// Takes the file's next octets.
    ///
    /// # Errors
    /// It does not begin as such files do.
    pub fn take(&mut self, octets: &[u8], out: &mut Vec<Item>) -> Result<(), NotMbox> {
        let Self { quoting, lines, state } = self;
        lines.take(octets, |piece| state.piece(*quoting, piece, out));
        if state.wrong { Err(NotMbox) } else { Ok(()) }
    }

    /// The file is over.
    ///
    /// # Errors
    /// As for [`Reader::take`].
    pub fn finish(&mut self, out: &mut Vec<Item>) -> Result<(), NotMbox> {
        let Self { quoting, lines, state } = self;
        lines.finish(|piece| state.piece(*quoting, piece, out));
        if state.wrong {
            return Err(NotMbox);
        }
        state.end(out);
        Ok(())
    }

    /// How many lines were taken for text though they begin as separators do, since no date stands in them.
    #[must_use]
    pub fn doubtful(&self) -> u64 {
        self.state.doubtful
    }

    /// How many lines were taken for text though they are separators, date and all, since no blank line stands before them:
    /// some programs write files so, and in others it is a line of a message.
    #[must_use]
    pub fn unparted(&self) -> u64 {
        self.state.unparted
    }
}

impl State {
    fn piece(&mut self, quoting: Quoting, piece: Piece<'_>, out: &mut Vec<Item>) {
        if self.wrong {
            // A separator that comes later must not make it right: what stood before would be lost.
            return;
        }
        let line = piece.octets;
        if piece.first && line.starts_with(FROM) && self.separates(line) {
            return self.begin(line, out);
        }
        if !self.inside {
            // Blank lines before the first message harm nobody.
            self.wrong |= !line.is_empty();
            return;
        }
        if piece.first && piece.last && line.is_empty() {
            return self.blank_line(out);
        }
        self.bare = false;
        if core::mem::take(&mut self.blank) {
            octets(out, b"\r\n");
        }
        if self.in_header && self.hides(piece) {
            return;
        }
        let line = if piece.first { unquoted(quoting, line) } else { line };
        octets(out, line);
        if piece.last {
            octets(out, b"\r\n");
        }
    }

    /// Whether a line that begins with `From ` is between two messages.
    fn separates(&mut self, line: &[u8]) -> bool {
        if !self.inside {
            return true;
        }
        let dated = came(line).is_some();
        let may = self.blank || self.bare;
        self.doubtful += u64::from(may && !dated);
        self.unparted += u64::from(dated && !may);
        may && dated
    }

    fn begin(&mut self, line: &[u8], out: &mut Vec<Item>) {
        self.end(out);
        let Self { doubtful, unparted, .. } = *self;
        *self = Self { inside: true, in_header: true, doubtful, unparted, ..Self::default() };
        self.mailer = line[FROM.len()..].starts_with(b"MAILER-DAEMON");
        out.push(Item::Begin(came(line)));
    }

    fn blank_line(&mut self, out: &mut Vec<Item>) {
        if self.in_header {
            self.learn();
            self.in_header = false;
            self.bare = true;
            // The header section's end is the message's own.
            return octets(out, b"\r\n");
        }
        self.bare = false;
        if self.blank {
            octets(out, b"\r\n");
        }
        self.blank = true;
    }

    fn end(&mut self, out: &mut Vec<Item>) {
        if core::mem::take(&mut self.inside) {
            self.learn();
            out.push(Item::End(core::mem::take(&mut self.ended)));
        }
    }

    /// Takes a line of the header section out if it tells flags.
    fn hides(&mut self, piece: Piece<'_>) -> bool {
        if !piece.first {
            if self.hiding {
                self.keep(piece.octets);
                self.hiding = !piece.last;
                return true;
            }
            return false;
        }
        let folded = matches!(piece.octets.first(), Some(b' ' | b'\t'));
        if folded && self.hidden.is_some() {
            self.keep(piece.octets);
            self.hiding = !piece.last;
            return true;
        }
        self.learn();
        self.look(piece.octets);
        let name = piece.octets.split(|octet| *octet == b':').next().unwrap_or_default();
        let tells = [&b"Status"[..], b"X-Status", b"X-Keywords"];
        if !tells.iter().any(|field| name.trim_ascii_end().eq_ignore_ascii_case(field)) {
            return false;
        }
        self.hidden = Some(piece.octets.to_vec());
        self.hiding = !piece.last;
        true
    }

    fn keep(&mut self, octets: &[u8]) {
        if let Some(hidden) = &mut self.hidden
            && hidden.len() + octets.len() <= FIELD_MAX
        {
            hidden.extend_from_slice(octets);
        }
    }

    /// Whether it is the message in which UW IMAP and its heirs keep what they know of the file.
    fn look(&mut self, line: &[u8]) {
        const DATA: &[u8] = b"FOLDER INTERNAL DATA";
        let subject = line.get(..8).is_some_and(|name| name.eq_ignore_ascii_case(b"Subject:"));
        self.ended.is_internal |= self.mailer && subject && line.trim_ascii_end().ends_with(DATA);
    }

    /// Takes the flags out of the field that was read last.
    fn learn(&mut self) {
        let Some(field) = self.hidden.take() else { return };
        let Some(colon) = field.iter().position(|octet| *octet == b':') else { return };
        let (name, body) = (field[..colon].trim_ascii_end(), &field[colon + 1..]);
        let flags = &mut self.ended.flags;
        if name.eq_ignore_ascii_case(b"X-Keywords") {
            for word in body.split(|octet| matches!(octet, b' ' | b'\t' | b',')) {
                let known = flags.keywords.iter().any(|other| other.eq_ignore_ascii_case(word));
                if is_keyword(word) && !known {
                    flags.keywords.push(word.to_vec());
                }
            }
            return;
        }
        for letter in body {
            flags.system |= match letter {
                b'R' => SEEN,
                b'A' => ANSWERED,
                b'F' => FLAGGED,
                b'D' => DELETED,
                b'T' => DRAFT,
                _ => 0,
            };
        }
    }
}

/// Whether IMAP can name it: an atom (RFC 9051 §9 `flag-keyword`).
pub(super) fn is_keyword(word: &[u8]) -> bool {
    const NOT: &[u8] = b"(){%*\"\\]";
    let right = |octet: &u8| (b'!'..=b'~').contains(octet) && !NOT.contains(octet);
    !word.is_empty() && word.len() <= 64 && word.iter().all(right)
}

fn octets(out: &mut Vec<Item>, octets: &[u8]) {
    if octets.is_empty() {
        return;
    }
    match out.last_mut() {
        Some(Item::Octets(all)) => all.extend_from_slice(octets),
        _ => out.push(Item::Octets(octets.to_vec())),
    }
}

fn unquoted(quoting: Quoting, line: &[u8]) -> &[u8] {
    let quoted = match quoting {
        Quoting::Mboxrd => looks_like_from(line) && line.starts_with(b">"),
        Quoting::Mboxo => line.starts_with(b">From "),
        Quoting::Nothing => false,
    };
    if quoted { &line[1..] } else { line }
}

/// Whether a line is `From ` with any number of `>` before it.
fn looks_like_from(line: &[u8]) -> bool {
    let start = line.iter().position(|octet| *octet != b'>').unwrap_or(line.len());
    line[start..].starts_with(FROM)
}

/// When a message came, by the line before it: `From SENDER Fri Jul 17 12:34:56 2026`, in UTC unless a zone is named.
fn came(line: &[u8]) -> Option<u64> {
    let (mut of_month, mut of_day, mut of_year, mut of_time, mut zone) =
        (None, None, None, None, 0);
    let words = line.split(|octet| matches!(octet, b' ' | b'\t')).filter(|word| !word.is_empty());
    // The sender is one word, and nothing of it is a date.
    for word in words.skip(2) {
        let word = word.strip_suffix(b",").unwrap_or(word);
        let digits = word.iter().all(u8::is_ascii_digit);
        match word.len() {
            1 | 2 if digits => of_day = number(word),
            4 if digits => of_year = number(word),
            5 if matches!(word[0], b'+' | b'-') => {
                let (hours, minutes) = (number(&word[1..3])?, number(&word[3..])?);
                let minutes = hours * 60 + minutes;
                zone = if word[0] == b'-' { -minutes } else { minutes };
            }
            _ if word.contains(&b':') => of_time = time(word),
            3 => of_month = of_month.or(month(word)),
            _ => {}
        }
    }
    let (day, seconds) = (of_day.filter(|day| (1..=31).contains(day))?, of_time?);
    let days = days(of_year?, of_month?, day as u8);
    let seconds = days * 86_400 + seconds - zone * 60;
    u64::try_from(seconds).ok()?.checked_mul(1000)
}

/// `hh:mm` or `hh:mm:ss`, in seconds.
fn time(word: &[u8]) -> Option<i64> {
    let mut parts = word.split(|octet| *octet == b':');
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    let second = parts.next().map_or(Some(0), number)?;
    let right = hour < 24 && minute < 60 && second <= 60 && parts.next().is_none();
    right.then_some(hour * 3600 + minute * 60 + second)
}

fn number(digits: &[u8]) -> Option<i64> {
    let right = (1..=4).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    right.then(|| digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
}

/// Writes messages as mboxrd, one after another.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    lines: Lines,
}

impl Writer {
    /// A message begins, which this sender sent and which came then.
    ///
    /// The fields that tell its flags are written before its own.
    pub fn begin(&mut self, sender: &[u8], unix_ms: u64, flags: &Flags, out: &mut Vec<u8>) {
        let right = |octet: &u8| octet.is_ascii_graphic();
        let named = !sender.is_empty() && sender.iter().all(right);
        out.extend_from_slice(FROM);
        out.extend_from_slice(if named { sender } else { b"MAILER-DAEMON" });
        out.push(b' ');
        out.extend_from_slice(asctime(unix_ms).as_bytes());
        out.push(b'\n');
        let has = |bit: u8| flags.system & bit != 0;
        // O: somebody has seen that it is there.
        out.extend_from_slice(if has(SEEN) { b"Status: RO\n" } else { b"Status: O\n" });
        let letters = [(ANSWERED, 'A'), (FLAGGED, 'F'), (DRAFT, 'T'), (DELETED, 'D')];
        let letters: String =
            letters.iter().filter(|(bit, _)| has(*bit)).map(|(_, letter)| *letter).collect();
        if !letters.is_empty() {
            out.extend_from_slice(format!("X-Status: {letters}\n").as_bytes());
        }
        if !flags.keywords.is_empty() {
            out.extend_from_slice(b"X-Keywords: ");
            out.extend_from_slice(&flags.keywords.join(&b' '));
            out.push(b'\n');
        }
    }

    /// Its next octets.
    pub fn take(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        self.lines.take(octets, |piece| written(piece, out));
    }

    /// It is over.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if self.lines.finish(|piece| written(piece, out)) {
            out.push(b'\n');
        }
        out.push(b'\n');
    }
}

fn written(piece: Piece<'_>, out: &mut Vec<u8>) {
    if piece.first && looks_like_from(piece.octets) {
        out.push(b'>');
    }
    out.extend_from_slice(piece.octets);
    if piece.last {
        out.push(b'\n');
    }
}

/// `Fri Jul 17 12:34:56 2026`, in UTC.
fn asctime(unix_ms: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let seconds = unix_ms / 1000;
    let days = (seconds / 86_400) as i64;
    let date = civil(days);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let (of_week, of_year) = (DAYS[(days % 7) as usize], month_name(date.month));
    // Four digits are what readers know a year by.
    let year = date.year.clamp(0, 9999);
    format!("{of_week} {of_year} {:>2} {hour:02}:{minute:02}:{second:02} {year:04}", date.day)
}
