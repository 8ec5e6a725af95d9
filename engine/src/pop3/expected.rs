//! What may be said to a POP3 session, as tables: commands to a server, lines of replies to a client.
//! Which of them may be said now is told by the roles.

use alloc::vec::Vec;

use crate::expected::{Expected, Form, form, of_words};

/// What a client may say.
pub const COMMANDS: &[Form] = &[
    form("USER", "USER SP name", "USER bob", 1939, "7", "Say whose mail you want to read."),
    form("PASS", "PASS SP password", "PASS hungry", 1939, "7", "Say the password."),
    form(
        "APOP",
        "APOP SP name SP digest",
        "APOP bob c4c9334bac560ecc979e58001b3e22fb",
        1939,
        "7",
        "Log in without sending the password.",
    ),
    form(
        "AUTH",
        "AUTH SP mechanism [SP Base64]",
        "AUTH PLAIN",
        5034,
        "4",
        "Log in by a mechanism.",
    ),
    form("CAPA", "CAPA", "CAPA", 2449, "5", "Ask what the server can do."),
    form("STLS", "STLS", "STLS", 2595, "4", "Go on encrypted."),
    form("STAT", "STAT", "STAT", 1939, "5", "Ask how many messages there are, and how large."),
    form("LIST", "LIST [SP msg]", "LIST", 1939, "5", "Ask for the sizes of the messages."),
    form("UIDL", "UIDL [SP msg]", "UIDL", 1939, "7", "Ask for the messages' lasting names."),
    form("RETR", "RETR SP msg", "RETR 1", 1939, "5", "Fetch a message."),
    form(
        "TOP",
        "TOP SP msg SP n",
        "TOP 1 0",
        1939,
        "7",
        "Fetch the header and some lines of a message.",
    ),
    form("DELE", "DELE SP msg", "DELE 1", 1939, "5", "Mark a message as deleted."),
    form("RSET", "RSET", "RSET", 1939, "5", "Take back all marks."),
    form("NOOP", "NOOP", "NOOP", 1939, "5", "Do nothing."),
    form("QUIT", "QUIT", "QUIT", 1939, "6", "Say goodbye; now what is marked is deleted."),
    form(
        "response",
        "Base64",
        "AGJvYgBodW5ncnk=",
        5034,
        "4",
        "Answer the server's challenge, in base64.",
    ),
    form("cancellation", "*", "*", 5034, "4", "Give up this login."),
];

/// What a server may say.
pub const REPLIES: &[Form] = &[
    form("+OK", "+OK [SP Text]", "+OK", 1939, "3", "Done."),
    form("-ERR", "-ERR [SP Text]", "-ERR no", 1939, "3", "It did not work."),
    form("+", "+ SP Base64", "+ ", 5034, "4", "Go on with the login."),
    form("size", "msg SP size", "1 120", 1939, "5", "A message and its size."),
    form(
        "unique-id",
        "msg SP unique-id",
        "1 whqtswO00WBw418f9t5JxYwZ",
        1939,
        "7",
        "A message and its lasting name.",
    ),
    form(
        "capability",
        "keyword *(SP Parameter)",
        "UIDL",
        2449,
        "5",
        "Something that this server can do.",
    ),
    form(
        "language",
        "tag SP Text",
        "en English",
        6856,
        "3.1",
        "A language that this server speaks.",
    ),
    form(
        "text",
        "Text",
        "Do you like ketchup?",
        1939,
        "3",
        "A line of the message; one that begins with a dot gets another dot in front.",
    ),
    form("end", ".", ".", 1939, "3", "A dot alone ends the answer."),
];

/// What a client may say to a server of which only the name of its state is known. What a server's settings allow besides,
/// TLS or a login by a mechanism, its state does not tell.
#[must_use]
pub fn in_state(state: &str) -> Vec<Expected> {
    let words: &[&str] = match state {
        "AUTHORIZATION" => &["USER", "PASS", "CAPA", "QUIT"],
        "TRANSACTION" => {
            &["STAT", "LIST", "UIDL", "RETR", "TOP", "DELE", "RSET", "NOOP", "CAPA", "QUIT"]
        }
        _ => &[],
    };
    of_words(COMMANDS, words, "")
}
