//! What each RFC 3463 status means for people who never heard of one: why it failed, and what helps.

use crate::smtp::client::types::EnhancedStatus;

/// One status in plain words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) why: &'static str,
    pub(super) advice: &'static str,
}

const fn words(why: &'static str, advice: &'static str) -> Words {
    Words { why, advice }
}

/// The words for a status; for one that is not known, those of its class and subject.
pub(super) fn explain(status: EnhancedStatus) -> Words {
    let EnhancedStatus { class, subject, detail } = status;
    match subject {
        1 => address(detail),
        2 => mailbox(detail),
        3 => system(detail),
        4 => network(detail),
        5 if detail == 3 => words(
            "The server does not take so many recipients at once.",
            "Send the message to fewer people at a time.",
        ),
        5 => words(
            "The servers did not understand each other.",
            "Tell the operator of this mail system, with this report.",
        ),
        6 => content(detail),
        7 => policy(detail),
        _ if class == 4 => words(
            "The server could not take the message.",
            "Send it again later, or reach the recipient in another way.",
        ),
        _ => words(
            "The server refused the message.",
            "Its own words may say what to change; if not, reach the recipient in another way.",
        ),
    }
}

/// X.1: about an address.
fn address(detail: u16) -> Words {
    match detail {
        2 => words(
            "The domain of the address does not exist.",
            "Look for a typing error after the @, then send the message again.",
        ),
        3 => words(
            "The server does not take the address for one.",
            "Look for a typing error in the address, then send the message again.",
        ),
        6 => words(
            "The recipient has moved and left no new address here.",
            "Ask the recipient for the new address in another way.",
        ),
        7 | 8 => words(
            "The server does not accept your own address as a sender.",
            "Check the address that your mail program sends from, then send the message again.",
        ),
        10 => words(
            "The domain of the address takes no mail at all.",
            "Look for a typing error after the @, or ask for another address.",
        ),
        _ => words(
            "There is no such mailbox.",
            "Look for a typing error in the address, then send the message again.",
        ),
    }
}

/// X.2: about a mailbox.
fn mailbox(detail: u16) -> Words {
    match detail {
        2 => words(
            "The recipient's mailbox is full.",
            "Tell the recipient in another way, and send the message again later.",
        ),
        3 => too_large(),
        _ => words(
            "The recipient's mailbox takes no mail now.",
            "Reach the recipient in another way.",
        ),
    }
}

/// X.3: about a mail system.
fn system(detail: u16) -> Words {
    match detail {
        4 => too_large(),
        _ => words(
            "A mail system on the way has a problem of its own.",
            "Send the message again later, or tell the operator of this mail system.",
        ),
    }
}

const fn too_large() -> Words {
    words(
        "The message is too large for the recipient.",
        "Send a smaller one: without attachments, or with a link to the file.",
    )
}

/// X.4: about the network and the way.
fn network(detail: u16) -> Words {
    match detail {
        3 => words(
            "The directory of domain names did not answer for the recipient's domain.",
            "Send the message again later, or reach the recipient in another way.",
        ),
        4 => words(
            "No mail server could be found for the recipient's domain.",
            "Look for a typing error after the @, or reach the recipient in another way.",
        ),
        6 => words(
            "The message would have gone round in a circle.",
            "Tell the operator of this mail system, with this report.",
        ),
        7 => words(
            "The message waited for too long.",
            "Send the message again later, or reach the recipient in another way.",
        ),
        _ => words(
            "The recipient's mail server could not be reached, or did not answer.",
            "Send the message again later, or reach the recipient in another way.",
        ),
    }
}

/// X.6: about the content. X.6.7 to X.6.9 are of RFC 6531.
fn content(detail: u16) -> Words {
    match detail {
        7..=9 => words(
            "The next server does not take addresses with letters beyond a to z.",
            "Ask the recipient for an address in plain letters, or send from such a one.",
        ),
        _ => words(
            "The server does not take content of this kind.",
            "Send it in another form, or reach the recipient in another way.",
        ),
    }
}

/// X.7: about rules and security.
fn policy(detail: u16) -> Words {
    match detail {
        4 | 5 | 6 | 10 | 11 | 30 => words(
            "No connection to the recipient's server was as secure as it must be.",
            "Tell the recipient in another way; the operator of that server must mend it.",
        ),
        _ => words(
            "The server refused the message by one of its rules.",
            "Its own words may say which; their postmaster or yours can help.",
        ),
    }
}
