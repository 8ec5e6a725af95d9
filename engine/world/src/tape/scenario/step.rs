//! The numbered steps of a book's figure: what each is called there, and by which entry of the log it is known.
//!
//! ```text
//! moment = "writes" device | "queues" server | "connects" node server | "hands" node server | "stores" server
//!        | "shows" device
//! ```

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What happens, in the book's sense.
    pub text: String,
    /// When it has come.
    pub moment: Moment,
}

/// What has to happen, after the step before. Nodes are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A device sends what somebody wrote on it.
    Writes(String),
    /// A server puts a message into its queue.
    Queues(String),
    /// A node opens a connection to a server.
    Connects(String, String),
    /// A node begins to send a message over a connection to a server.
    Hands(String, String),
    /// A server puts a message into a mailbox.
    Stores(String),
    /// A device shows what it fetched.
    Shows(String),
}

impl Moment {
    /// Reads a moment from its words.
    ///
    /// # Errors
    /// No moment is written like this.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split(' ').collect();
        let own = str::to_owned;
        Ok(match words[..] {
            ["writes", device] => Self::Writes(own(device)),
            ["queues", server] => Self::Queues(own(server)),
            ["connects", from, to] => Self::Connects(own(from), own(to)),
            ["hands", from, to] => Self::Hands(own(from), own(to)),
            ["stores", server] => Self::Stores(own(server)),
            ["shows", device] => Self::Shows(own(device)),
            _ => return Err(format!("no moment is written like this: {text}")),
        })
    }
}
