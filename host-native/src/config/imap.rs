//! What the configuration says about IMAP: which capabilities are left out, so that clients can be tried without them,
//! and who says what accounts may use.

use pillarbox_engine::imap::capability_names;
use serde::Deserialize;

use crate::error::Error;

/// `[imap]` of the configuration file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImapFile {
    /// Capabilities that are neither announced nor accepted.
    #[serde(default)]
    pub without: Vec<String>,
    /// Accounts that may say what accounts may use (SETQUOTA, RFC 9208 §4.1.3).
    #[serde(default)]
    pub quota_admins: Vec<String>,
    /// Accounts of servers that take mail for others, and read by their URLs what is to be sent (`submit+`, RFC 4467 §2.3).
    #[serde(default)]
    pub submission_entities: Vec<String>,
    /// MiB that the full-text index may take on the disk [default: 1024]; 0: there is none.
    pub search_index_mib: Option<u32>,
}

/// MiB of the full-text index, unless set.
pub(super) const SEARCH_INDEX_MIB: u32 = 1024;

/// Names of accounts as they are compared: in lower case.
pub(super) fn accounts(names: &[String]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.to_lowercase().into_bytes()).collect()
}

/// Joins the capabilities that the file and the flag leave out.
pub(super) fn without(file: &[String], flag: &[String]) -> Result<Vec<Vec<u8>>, Error> {
    let named = file.iter().map(|name| (name, "imap.without"));
    let named = named.chain(flag.iter().map(|name| (name, "--imap-without")));
    let known = |(name, place): (&String, &str)| {
        let found = capability_names().find(|known| known.eq_ignore_ascii_case(name));
        found.map(|known| known.as_bytes().to_vec()).ok_or_else(|| {
            let all: Vec<&str> = capability_names().collect();
            let all = all.join(", ");
            Error::usage(format!("{place}: {name} cannot be left out; these can: {all}"))
        })
    };
    named.map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_refused_with_the_known_ones() {
        let names =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let both = without(&names(&["idle"]), &names(&["Move"]));
        assert_eq!(both.ok(), Some(vec![b"IDLE".to_vec(), b"MOVE".to_vec()]));
        let message = without(&names(&["IDEL"]), &[]).err().map(|error| error.message);
        let message = message.expect("it is refused");
        assert!(message.starts_with("imap.without: IDEL cannot"), "{message}");
        assert!(message.contains("IDLE, ") && message.contains("THREAD=REFERENCES"), "{message}");
        let message = without(&[], &names(&["X"])).err().map(|error| error.message);
        assert!(message.expect("it is refused").starts_with("--imap-without: X "));
    }
}
