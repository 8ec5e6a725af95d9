//! UTF8 and LANG (RFC 6856): the client says that it takes UTF-8, and asks in which language it is spoken to.

use super::{Server, State};
use crate::role::Cx;
use crate::trace::Rule;

/// RFC 6856 §2.1, less strict: a message with UTF-8 in its header is sent as it is to whoever asks for it. A refusal would
/// keep mail from its owner, and a message made in its place would be another one, whose size and signatures are wrong.
pub(super) const UTF8: Rule = Rule {
    rfc: 6856,
    section: "2.1",
    gist: "UTF8 comes before the login, and no STLS comes after it.",
};
/// RFC 6856 §3.2.
pub(super) const LANG: Rule = Rule {
    rfc: 6856,
    section: "3.2",
    gist: "LANG chooses the language of the words behind +OK and -ERR, or lists those that there are.",
};

impl Server {
    /// In AUTHORIZATION alone.
    pub(super) fn enable_utf8(mut self, cx: &mut Cx<Self>, state: State) -> Self {
        self.common.utf8 = true;
        self.ok(cx, "UTF-8 is on");
        self.go(cx, state)
    }

    /// There is one language. Its words are ASCII, so they are the same in UTF-8.
    pub(super) fn speak(self, cx: &mut Cx<Self>, range: Option<&[u8]>, state: State) -> Self {
        match range {
            None => {
                self.ok(cx, "languages follow");
                cx.send(b"en", "language", Some(&LANG));
                cx.send(b" ", "SP", None);
                cx.send(b"English", "text", None);
                cx.send(b"\r\n", "CRLF", None);
                cx.send(b".\r\n", "end of response", None);
            }
            // RFC 4647 §3.4: a range finds the tag that it begins with, after what is more special is cut off.
            Some(range) if range == b"*" || range == b"en" || range.starts_with(b"en-") => {
                self.ok(cx, "en this is English");
            }
            Some(_) => self.err(cx, "en this language is not spoken here"),
        }
        self.go(cx, state)
    }
}
