//! What may be said to an SMTP session, as tables: commands and lines of a message to a server, replies to a client.
//! Which of them may be said now is told by the roles.

use alloc::vec::Vec;

use crate::expected::{Expected, Form, form, of_words};

/// What a client may say.
pub const COMMANDS: &[Form] = &[
    form(
        "EHLO",
        "EHLO SP Domain",
        "EHLO crepes.fr",
        5321,
        "4.1.1.1",
        "Say who you are, and ask what the server can do.",
    ),
    form(
        "HELO",
        "HELO SP Domain",
        "HELO crepes.fr",
        5321,
        "4.1.1.1",
        "Say who you are, the old way.",
    ),
    form(
        "LHLO",
        "LHLO SP Domain",
        "LHLO crepes.fr",
        2033,
        "4.1",
        "Say who you are; this server speaks LMTP.",
    ),
    form(
        "MAIL",
        "MAIL FROM:<Mailbox> [SP Parameters]",
        "MAIL FROM:<alice@crepes.fr>",
        5321,
        "4.1.1.2",
        "Begin a message; reports about it go to this address.",
    ),
    form(
        "RCPT",
        "RCPT TO:<Mailbox> [SP Parameters]",
        "RCPT TO:<bob@hamburger.edu>",
        5321,
        "4.1.1.3",
        "Name a recipient, one for each command.",
    ),
    form("DATA", "DATA", "DATA", 5321, "4.1.1.4", "Ask to send the message now."),
    form(
        "BDAT",
        "BDAT SP Octets [SP LAST]",
        "BDAT 0 LAST",
        3030,
        "2",
        "Send so many octets of the message, which follow at once.",
    ),
    form("RSET", "RSET", "RSET", 5321, "4.1.1.5", "Forget the message; begin anew."),
    form("NOOP", "NOOP", "NOOP", 5321, "4.1.1.9", "Do nothing."),
    form("VRFY", "VRFY SP String", "VRFY bob", 5321, "4.1.1.6", "Ask whether a mailbox exists."),
    form("EXPN", "EXPN SP String", "EXPN staff", 5321, "4.1.1.7", "Ask who is on a list."),
    form("HELP", "HELP [SP String]", "HELP", 5321, "4.1.1.8", "Ask which commands there are."),
    form("AUTH", "AUTH SP Mechanism [SP Base64]", "AUTH PLAIN", 4954, "4", "Log in."),
    form("STARTTLS", "STARTTLS", "STARTTLS", 3207, "4", "Go on encrypted."),
    form(
        "ETRN",
        "ETRN SP Domain",
        "ETRN crepes.fr",
        1985,
        "5",
        "Have the mail sent that waits for this domain.",
    ),
    form("QUIT", "QUIT", "QUIT", 5321, "4.1.1.10", "Say goodbye."),
    form(
        "text",
        "Text",
        "Do you like ketchup?",
        5321,
        "4.1.1.4",
        "A line of the message; one that begins with a dot gets another dot in front.",
    ),
    form("end of data", ".", ".", 5321, "4.1.1.4", "A dot alone ends the message."),
    form(
        "response",
        "Base64",
        "AGJvYgBodW5ncnk=",
        4954,
        "4",
        "Answer the server's challenge, in base64.",
    ),
    form("cancellation", "*", "*", 4954, "4", "Give up this login."),
];

/// What a server may say.
pub const REPLIES: &[Form] = &[
    form(
        "220",
        "220 SP Domain [SP Text]",
        "220 hamburger.edu",
        5321,
        "4.2.3",
        "Ready: the greeting, or the word to begin TLS.",
    ),
    form("221", "221 SP Text", "221 hamburger.edu closing connection", 5321, "4.2.3", "Goodbye."),
    form(
        "235",
        "235 SP Text",
        "235 2.7.0 Authentication successful",
        4954,
        "6",
        "The login worked.",
    ),
    form(
        "250",
        "250 SP Text",
        "250 OK",
        5321,
        "4.2.3",
        "Done; after the end of the data it means: I answer for this message.",
    ),
    form(
        "251",
        "251 SP Text",
        "251 User not local; will forward",
        5321,
        "4.2.3",
        "Taken, and passed on.",
    ),
    form("334", "334 SP Base64", "334 ", 4954, "4", "Go on with the login."),
    form(
        "354",
        "354 SP Text",
        "354 Enter mail, end with \".\" on a line by itself",
        5321,
        "4.2.3",
        "Send the message now.",
    ),
    form(
        "421",
        "421 SP Text",
        "421 hamburger.edu closing connection",
        5321,
        "3.8",
        "I must close the connection; come again.",
    ),
    form("450", "450 SP Text", "450 Mailbox busy", 5321, "4.2.3", "Not now: the mailbox is busy."),
    form("451", "451 SP Text", "451 Local error", 5321, "4.2.3", "Not now: something broke here."),
    form("452", "452 SP Text", "452 Insufficient storage", 5321, "4.2.3", "Not now: no room."),
    form("454", "454 SP Text", "454 TLS not available", 3207, "4", "Not now: it cannot be done."),
    form(
        "500",
        "500 SP Text",
        "500 Command unrecognized",
        5321,
        "4.2.3",
        "This command is not known.",
    ),
    form(
        "502",
        "502 SP Text",
        "502 Command not implemented",
        5321,
        "4.2.4",
        "This command is not done here.",
    ),
    form(
        "535",
        "535 SP Text",
        "535 5.7.8 Wrong name or password",
        4954,
        "6",
        "Name or password is wrong.",
    ),
    form("550", "550 SP Text", "550 No such user", 5321, "4.2.3", "No: there is no such mailbox."),
    form("552", "552 SP Text", "552 Message too large", 5321, "4.2.3", "No: too large."),
    form(
        "554",
        "554 SP Text",
        "554 Transaction failed",
        5321,
        "4.2.3",
        "No; as a greeting: I serve nobody.",
    ),
];

/// What a client may say to a server of which only the name of its state is known. What a server's settings allow besides,
/// TLS or a login, its state does not tell.
#[must_use]
pub fn in_state(state: &str) -> Vec<Expected> {
    let always = ["RSET", "NOOP", "VRFY", "HELP", "QUIT"];
    let own: &[&str] = match state {
        "Connected" => &["EHLO", "HELO"],
        "Greeted" => &["MAIL"],
        "MailGiven" => &["RCPT"],
        "RcptGiven" => &["RCPT", "DATA"],
        "Data" => return of_words(COMMANDS, &["text", "end of data"], ""),
        "Authenticating" => return of_words(COMMANDS, &["response", "cancellation"], ""),
        _ => return Vec::new(),
    };
    of_words(COMMANDS, &[own, &always].concat(), "")
}
