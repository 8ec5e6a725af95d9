//! Search: words of a person as a SEARCH of IMAP's, done by the session that does it for IMAP, so that there is one reading
//! of what matches; where a store has a full-text index, that narrows it here too.

use pillarbox_engine::imap::Server;
use pillarbox_engine::imap::types::{Answer, Ask, Config, UidRun};
use pillarbox_engine::limits::Limits;
use pillarbox_engine::sasl::{Account, AuthOffer, LoginAnswer};
use pillarbox_engine::text::date::month_name;
use pillarbox_engine::types::{Peer, Reason, TlsOffer};
use pillarbox_engine::{Input, Output, Session};

use super::desk::{Desk, newest};
use super::list::has_files;
use crate::service::{Backend, Service};
use crate::store::push_uid;

/// Octets of what is searched for.
const WORDS_MAX: usize = 500;
/// Words of one search.
const TERMS_MAX: usize = 20;
/// Messages whose files are looked for, the newest that match otherwise.
const LOOKED_AT_MAX: u64 = 5000;

/// A search that was understood.
#[derive(Debug, Default, PartialEq, Eq)]
struct Search {
    /// Search keys of IMAP's, each with a space in front.
    keys: Vec<u8>,
    /// Whether there are to be files.
    files: Option<bool>,
}

/// Words as they are written: `subject:"two words"`, `-from:bob`.
fn terms(words: &str) -> Vec<(bool, String, String)> {
    let mut out = Vec::new();
    let mut rest = words.trim_start();
    while !rest.is_empty() && out.len() < TERMS_MAX {
        let not = rest.starts_with(['-', '!']) && rest.len() > 1;
        rest = if not { &rest[1..] } else { rest };
        let name = rest.bytes().take_while(|o| o.is_ascii_alphabetic() || *o == b'-').count();
        let has_name = name > 0 && rest[name..].starts_with(':');
        let (name, value) = if has_name { (&rest[..name], &rest[name + 1..]) } else { ("", rest) };
        let (value, behind) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => value.split_once(char::is_whitespace).unwrap_or((value, "")),
        };
        out.push((not, name.to_ascii_lowercase(), value.to_owned()));
        rest = behind.trim_start();
    }
    out
}

/// A day as SEARCH writes it, of `2026-11-26`.
fn day(text: &str) -> Option<String> {
    let mut parts = text.split('-');
    let mut number = |digits: usize| -> Option<u32> {
        parts.next().filter(|part| part.len() == digits)?.parse().ok()
    };
    let (_, month, day) = (number(4)?, number(2)?, number(2)?);
    let is_day = (1..=12).contains(&month) && (1..=31).contains(&day);
    // A month is at most 12.
    let month = month_name(month as u8);
    is_day.then(|| [&day.to_string(), "-", month, "-", &text[..4]].concat())
}

/// Octets, of `2000`, `20k` or `3m`.
fn octets(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (number, shift) = match lower.strip_suffix('k') {
        Some(number) => (number, 10),
        None => lower.strip_suffix('m').map_or((&lower[..], 0), |number| (number, 20)),
    };
    let is_number = (1..=9).contains(&number.len()) && number.bytes().all(|o| o.is_ascii_digit());
    is_number.then(|| number.parse().ok().map(|number: u64| number << shift)).flatten()
}

/// The search that words mean.
///
/// # Errors
/// What is not understood, in words.
fn read(words: &str) -> Result<Search, String> {
    if words.len() > WORDS_MAX {
        return Err("This is too long to be searched for.".to_owned());
    }
    let mut search = Search::default();
    for (not, name, value) in terms(words) {
        let wrong = |how: &str| Err(["After ", &name, ": comes ", how, "."].concat());
        let mut key = if not { b" NOT".to_vec() } else { Vec::new() };
        let text = |key: &mut Vec<u8>, word: &str| {
            key.extend_from_slice(word.as_bytes());
            literal(key, &value);
        };
        match &name[..] {
            "" => text(&mut key, " TEXT"),
            "from" | "to" | "cc" | "bcc" | "subject" => text(&mut key, &[" ", &name].concat()),
            "reply-to" | "message-id" => text(&mut key, &[" HEADER ", &name].concat()),
            "addressed" => {
                for word in [" (OR OR FROM", " TO", " OR CC", " BCC"] {
                    text(&mut key, word);
                }
                key.push(b')');
            }
            "since" | "after" | "before" => {
                let word = if name == "before" { " BEFORE " } else { " SINCE " };
                let Some(day) = day(&value) else { return wrong("a day, such as 2026-11-26") };
                key.extend_from_slice([word, &day].concat().as_bytes());
            }
            "larger" | "smaller" => {
                let Some(octets) = octets(&value) else { return wrong("a size, such as 200k") };
                key.extend_from_slice([" ", &name, " ", &octets.to_string()].concat().as_bytes());
            }
            "is" => key.extend_from_slice(match &value[..] {
                "unread" => b" UNSEEN",
                "read" => b" SEEN",
                "flagged" | "starred" => b" FLAGGED",
                "answered" => b" ANSWERED",
                "draft" => b" DRAFT",
                "forwarded" => b" KEYWORD $Forwarded",
                _ => return wrong("unread, read, flagged, answered, forwarded or draft"),
            }),
            "has" => match &value[..] {
                "attachment" | "attachments" | "file" | "files" => {
                    search.files = Some(!not);
                    continue;
                }
                _ => return wrong("attachment"),
            },
            // A word with a colon is a word.
            _ => {
                let value = [&name, ":", &value[..]].concat();
                key.extend_from_slice(b" TEXT");
                literal(&mut key, &value);
            }
        }
        search.keys.extend(key);
    }
    Ok(search)
}

/// A text as it is, with its length in front: nothing in it is taken for anything else.
fn literal(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice([" {", &text.len().to_string(), "+}\r\n", text].concat().as_bytes());
}

impl<B: Backend> Desk<B> {
    /// UIDs of the open folder's messages that match; or what of the words is not understood.
    pub(super) async fn search(
        &mut self,
        folder: &str,
        words: &str,
    ) -> Result<Result<Vec<UidRun>, String>, Reason> {
        let search = match read(words) {
            Ok(search) => search,
            Err(why) => return Ok(Err(why)),
        };
        let keys = if search.keys.is_empty() { b" ALL" } else { &search.keys[..] };
        let mut said = b"a LOGIN a a\r\nb ENABLE IMAP4rev2\r\nc EXAMINE".to_vec();
        literal(&mut said, folder);
        said.extend([b"\r\nd UID SEARCH RETURN (ALL)", keys, b"\r\ne LOGOUT\r\n"].concat());
        let heard = self.converse(said).await?;
        let mut found = matches(&heard).ok_or(Reason::StorageFailed)?;
        if let Some(wanted) = search.files {
            let mut with = Vec::new();
            for run in newest(&found, 0, LOOKED_AT_MAX).chunks(200) {
                for letter in self.letters_of(run).await? {
                    if has_files(&letter.index) == wanted {
                        push_uid(&mut with, letter.row.uid);
                    }
                }
            }
            found = with;
        }
        Ok(Ok(found))
    }

    /// What an IMAP session says to this, that knows who it is.
    async fn converse(&mut self, said: Vec<u8>) -> Result<Vec<u8>, Reason> {
        let config = Config {
            host_name: self.service.backend().host_name().to_vec(),
            peer: Peer { address: b"127.0.0.1".to_vec(), name: None },
            session_id: b"web".to_vec(),
            tls: TlsOffer::None,
            auth: AuthOffer { mechanisms: Vec::new(), password_commands: true, cleartext: true },
            preauth: None,
            without: Vec::new(),
            faults: false,
            limits: Limits::IMAP,
            trace: false,
        };
        let mut session = Session::<Server>::new(config, self.now);
        let (mut heard, mut at, mut input) = (Vec::new(), 0, Input::Nothing);
        loop {
            let step = session.step(self.now, input).map_err(|_| Reason::StorageFailed)?;
            at += step.taken;
            input = Input::Nothing;
            let (mut asked, mut rests) = (false, false);
            for output in step.outputs {
                match output {
                    Output::Transmit(octets) => heard.extend(octets),
                    Output::Ask(id, ask) => {
                        asked = true;
                        let answer = match ask {
                            // They have signed in before they came here.
                            Ask::Login(_) => Answer::Login(LoginAnswer::Accepted(Account {
                                name: self.service.account().unwrap_or_default().to_vec(),
                                server_signature: Vec::new(),
                            })),
                            ask => self.service.answer(self.now, ask, &mut ()).await,
                        };
                        input = Input::Answer(id, answer);
                    }
                    Output::Wait { .. } => rests = true,
                    Output::Close => return Ok(heard),
                    // Facts, and nothing that a search leaves behind.
                    _ => {}
                }
            }
            if !asked && rests {
                if at >= said.len() {
                    return Ok(heard);
                }
                input = Input::Receive(said[at..].to_vec());
            }
        }
    }
}

/// The UIDs that `ESEARCH` tells; none if the search was not done.
fn matches(heard: &[u8]) -> Option<Vec<UidRun>> {
    let text = String::from_utf8_lossy(heard);
    let mut runs = Vec::new();
    for line in text.split("\r\n") {
        let all = line.strip_prefix("* ESEARCH ").and_then(|line| line.split_once(" ALL "));
        let Some((_, set)) = all else { continue };
        for run in set.split([',', ' ']) {
            let (first, last) = run.split_once(':').unwrap_or((run, run));
            runs.push(UidRun { first: first.parse().ok()?, last: last.parse().ok()? });
        }
    }
    text.contains("\r\nd OK ").then_some(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(words: &str) -> String {
        let search = read(words).expect("it is understood");
        String::from_utf8(search.keys).expect("UTF-8")
    }

    #[test]
    fn words_are_keys() {
        assert_eq!(keys("Crème brûlée"), " TEXT {6+}\r\nCrème TEXT {8+}\r\nbrûlée");
        assert_eq!(
            keys("from:bob -subject:\"two words\""),
            " from {3+}\r\nbob NOT subject {9+}\r\ntwo words"
        );
        assert_eq!(
            keys("since:2026-11-01 before:2026-11-26"),
            " SINCE 1-Nov-2026 BEFORE 26-Nov-2026"
        );
        assert_eq!(keys("is:unread !is:flagged"), " UNSEEN NOT FLAGGED");
        assert_eq!(keys("larger:20k smaller:3m"), " larger 20480 smaller 3145728");
        assert_eq!(keys("http://a"), " TEXT {8+}\r\nhttp://a");
        let all = " (OR OR FROM {1+}\r\na TO {1+}\r\na OR CC {1+}\r\na BCC {1+}\r\na)";
        assert_eq!(keys("addressed:a"), all);
        assert_eq!(read("-has:attachment"), Ok(Search { keys: Vec::new(), files: Some(false) }));
        assert_eq!(keys("\"a\r\nx LOGOUT\""), " TEXT {11+}\r\na\r\nx LOGOUT");
        for words in [
            "since:yesterday",
            "is:odd",
            "has:wings",
            "larger:big",
            "before:2026-13-01",
            &"x".repeat(501),
        ] {
            assert!(read(words).is_err(), "{words}");
        }
        assert_eq!(terms(&"a ".repeat(200)).len(), TERMS_MAX);
        for words in ["", " ", "-", "\"", ":", "from:", "-\"", "é:x", "!!"] {
            _ = read(words);
        }
    }
}
