//! The IMAP driver: commands, and the little of their answers that has to be understood.
//! Literals are counted and skipped, never kept; which work to do is `imap_work`'s choice.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, bail, ensure};

use crate::corpus::Message;
use crate::load::Progress;
use crate::pop3::digits;
use crate::wire::{Wire, shown};

/// A connection to an IMAP server.
pub(crate) struct Imap {
    wire: Wire,
    tag: u64,
    command: Vec<u8>,
    literal_plus: bool,
    /// Whether one APPEND may carry several messages: RFC 3502, with literals sent unasked.
    pub(crate) multi_append: bool,
}

/// What the untagged responses of one command amounted to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// FETCH responses.
    pub(crate) fetched: u64,
    /// Octets in literals.
    pub(crate) octets: u64,
    /// Numbers in SEARCH, SORT and THREAD responses.
    pub(crate) found: u64,
    /// The last EXISTS.
    pub(crate) exists: u64,
}

impl Imap {
    /// Connects and reads the greeting.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        Self::greeted(Wire::connect(address).await?).await
    }

    /// As `connect`, from an address of this machine: one address has ports for so many connections only.
    pub(crate) async fn connect_from(source: IpAddr, address: SocketAddr) -> Result<Self> {
        Self::greeted(Wire::connect_from(source, address).await?).await
    }

    async fn greeted(mut wire: Wire) -> Result<Self> {
        let greeting = wire.line().await?;
        ensure!(greeting.starts_with(b"* OK"), "expected a greeting, got {}", shown(greeting));
        Ok(Self { wire, tag: 0, command: Vec::new(), literal_plus: false, multi_append: false })
    }

    /// LOGIN.
    pub(crate) async fn login(&mut self, user: &str, password: &str) -> Result<()> {
        self.run(&format!("LOGIN {user} {password}")).await.map(|_| ())
    }

    /// SELECT; gives the number of messages.
    pub(crate) async fn select(&mut self, mailbox: &str) -> Result<u64> {
        self.run(&format!("SELECT {mailbox}")).await.map(|answer| answer.exists)
    }

    /// Asks whether APPEND may send its literal unasked: RFC 7888.
    pub(crate) async fn learn_capabilities(&mut self) -> Result<()> {
        self.begin(b"CAPABILITY");
        self.finish_command().await?;
        loop {
            let line = self.wire.line().await?;
            if let Some(rest) = line.strip_prefix(b"* CAPABILITY ") {
                let offers = |wanted: &[u8]| {
                    rest.split(|&octet| octet == b' ').any(|it| it.eq_ignore_ascii_case(wanted))
                };
                let literal_plus = offers(b"LITERAL+");
                self.multi_append = literal_plus && offers(b"MULTIAPPEND");
                self.literal_plus = literal_plus;
            } else if !line.starts_with(b"* ") {
                return completed(line, self.tag);
            }
        }
    }

    /// APPEND of one message. Without LITERAL+ it waits for the continuation first.
    pub(crate) async fn append(&mut self, mailbox: &str, message: &[u8]) -> Result<()> {
        self.begin(b"APPEND ");
        let plus = if self.literal_plus { "+" } else { "" };
        let rest = format!("{mailbox} {{{}{plus}}}\r\n", message.len());
        self.command.extend_from_slice(rest.as_bytes());
        if !self.literal_plus {
            self.wire.send(&self.command).await?;
            self.continuation().await?;
            self.command.clear();
        }
        self.command.extend_from_slice(message);
        self.finish_command().await?;
        self.answer(&Progress::default()).await.map(|_| ())
    }

    /// APPEND of several messages by one command, for servers with `multi_append`.
    pub(crate) async fn append_all(&mut self, mailbox: &str, messages: &[Message]) -> Result<()> {
        self.begin(format!("APPEND {mailbox}").as_bytes());
        for message in messages {
            let octets = message.octets();
            self.command.extend_from_slice(format!(" {{{}+}}\r\n", octets.len()).as_bytes());
            self.command.extend_from_slice(octets);
        }
        self.finish_command().await?;
        self.answer(&Progress::default()).await.map(|_| ())
    }

    /// Sends one command line and reads its answer to the end.
    pub(crate) async fn run(&mut self, command: &str) -> Result<Answer> {
        self.run_watched(command, &Progress::default()).await
    }

    /// The same, and tells `progress` of FETCH responses and literals while they arrive.
    pub(crate) async fn run_watched(
        &mut self,
        command: &str,
        progress: &Progress,
    ) -> Result<Answer> {
        self.begin(command.as_bytes());
        self.finish_command().await?;
        self.answer(progress).await
    }

    /// Begins to IDLE: RFC 2177. The connection stays idle until it is dropped.
    pub(crate) async fn idle(&mut self) -> Result<()> {
        self.begin(b"IDLE");
        self.finish_command().await?;
        self.continuation().await?;
        self.wire.rest();
        Ok(())
    }

    /// In IDLE: waits until the server tells of so many messages.
    pub(crate) async fn told_of(&mut self, messages: u64) -> Result<()> {
        let mut answer = Answer::default();
        while answer.exists < messages {
            let line = self.wire.line().await?;
            ensure!(line.starts_with(b"* "), "expected * EXISTS, got {}", shown(line));
            untagged(line, &mut answer);
        }
        Ok(())
    }

    /// LOGOUT, and waits until the server has closed.
    pub(crate) async fn logout(mut self) -> Result<()> {
        self.run("LOGOUT").await?;
        self.wire.end().await
    }

    fn begin(&mut self, command: &[u8]) {
        self.tag += 1;
        self.command.clear();
        self.command.extend_from_slice(format!("a{} ", self.tag).as_bytes());
        self.command.extend_from_slice(command);
    }

    async fn finish_command(&mut self) -> Result<()> {
        self.command.extend_from_slice(b"\r\n");
        self.wire.send(&self.command).await
    }

    async fn continuation(&mut self) -> Result<()> {
        loop {
            let line = self.wire.line().await?;
            if line.starts_with(b"+") {
                return Ok(());
            }
            ensure!(line.starts_with(b"* "), "expected a continuation, got {}", shown(line));
        }
    }

    async fn answer(&mut self, progress: &Progress) -> Result<Answer> {
        let mut answer = Answer::default();
        // Within a response that a literal has interrupted, lines begin anywhere.
        let mut inside = false;
        loop {
            let line = self.wire.line().await?;
            if !inside && !line.starts_with(b"* ") {
                completed(line, self.tag)?;
                return Ok(answer);
            }
            let literal = literal_octets(line);
            let fetch = !inside && untagged(line, &mut answer);
            if let Some(octets) = literal {
                answer.octets += octets;
                self.wire.skip(octets, |seen| progress.add(0, seen)).await?;
            }
            inside = literal.is_some();
            if fetch {
                progress.add(1, 0);
            }
        }
    }
}

/// Reads an untagged response that begins with `line`; true for a FETCH.
fn untagged(line: &[u8], answer: &mut Answer) -> bool {
    let mut words = line[2..].splitn(3, |&octet| octet == b' ');
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if second == b"FETCH" && digits(first).is_some() {
        answer.fetched += 1;
        return true;
    }
    if second == b"EXISTS" {
        answer.exists = digits(first).unwrap_or(0);
    } else if [&b"SEARCH"[..], b"SORT", b"THREAD"].contains(&first) {
        // Threads stand in parentheses, with or without a space before the next: RFC 5256 §4.
        let numbers = line[2..].split(|octet| b" ()".contains(octet)).skip(1);
        answer.found += numbers.filter(|number| digits(number).is_some()).count() as u64;
    }
    false
}

/// The count of a literal that `line` announces at its end: RFC 3501 §4.3.
fn literal_octets(line: &[u8]) -> Option<u64> {
    let inner = line.strip_suffix(b"}")?;
    let open = inner.iter().rposition(|&octet| octet == b'{')?;
    digits(&inner[open + 1..])
}

fn completed(line: &[u8], tag: u64) -> Result<()> {
    let expected = format!("a{tag} OK");
    if !line.starts_with(expected.as_bytes()) {
        bail!("expected {expected}, got {}", shown(line));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_found_at_the_end_of_a_line_only() {
        assert_eq!(literal_octets(b"* 1 FETCH (BODY[] {20480}"), Some(20480));
        assert_eq!(literal_octets(b"* 1 FETCH (BODY[] ~{7}"), Some(7));
        assert_eq!(literal_octets(b"* 1 FETCH (ENVELOPE (\"{5}\"))"), None);
        assert_eq!(literal_octets(b"* OK {}"), None);
        assert_eq!(literal_octets(b"* OK {a}"), None);
    }

    #[test]
    fn untagged_responses_are_counted() {
        let mut answer = Answer::default();
        assert!(untagged(b"* 12 FETCH (FLAGS ())", &mut answer));
        assert!(!untagged(b"* 10000 EXISTS", &mut answer));
        assert!(!untagged(b"* SEARCH 2 84 882", &mut answer));
        assert!(!untagged(b"* SEARCH", &mut answer));
        assert!(!untagged(b"* SORT 7 1", &mut answer));
        assert!(!untagged(b"* THREAD (2)(3 6 (4 23)(44 7 96))((9)(10))", &mut answer));
        assert!(!untagged(b"* OK FETCH is not one", &mut answer));
        assert!(!untagged(b"* ", &mut answer));
        let expected = Answer { fetched: 1, octets: 0, found: 15, exists: 10000 };
        assert_eq!(answer, expected);
    }

    #[test]
    fn only_the_tagged_ok_completes() {
        assert!(completed(b"a7 OK done", 7).is_ok());
        for wrong in [&b"a7 NO quota"[..], b"a8 OK", b"a7 BAD", b""] {
            let error = completed(wrong, 7).expect_err("not OK").to_string();
            assert!(error.contains(&wrong.escape_ascii().to_string()), "{error}");
        }
    }
}
