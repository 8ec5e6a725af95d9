//! Capabilities that the servers leave out, so that clients can be tried without them.

use pillarbox_engine::{imap, pop3, smtp};

use super::ConfigFile;
use crate::cli::ServeFlags;
use crate::error::Error;

/// What each protocol leaves out, by the engine's names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Without {
    /// Of what EHLO lists.
    pub smtp: Vec<Vec<u8>>,
    /// Of what CAPA lists, CAPA and APOP themselves too.
    pub pop3: Vec<Vec<u8>>,
    /// Of what CAPABILITY lists.
    pub imap: Vec<Vec<u8>>,
}

impl Without {
    /// Joins flags and file.
    ///
    /// # Errors
    /// A name is unknown, or nothing would be left.
    pub(super) fn new(flags: &ServeFlags, file: Option<&ConfigFile>) -> Result<Self, Error> {
        let smtp_file = file.map(|file| &file.smtp.without[..]).unwrap_or_default();
        let pop3_file = file.map(|file| &file.pop3.without[..]).unwrap_or_default();
        let imap_file = file.map(|file| &file.imap.without[..]).unwrap_or_default();
        let smtp_names: Vec<&str> = smtp::capability_names().collect();
        let pop3_names: Vec<&str> = pop3::capability_names().collect();
        let imap_names: Vec<&str> = imap::capability_names().collect();
        let smtp = known("smtp", smtp_file, &flags.smtp_without, &smtp_names)?;
        let pop3 = known("pop3", pop3_file, &flags.pop3_without, &pop3_names)?;
        let imap = known("imap", imap_file, &flags.imap_without, &imap_names)?;
        let has = |name: &[u8]| imap.iter().any(|known| known == name);
        if has(b"IMAP4rev1") && has(b"IMAP4rev2") {
            let place = if imap_file.is_empty() { "--imap-without" } else { "imap.without" };
            let why =
                "IMAP4rev1 and IMAP4rev2 cannot both be left out: nothing would be left to speak";
            return Err(Error::usage(format!("{place}: {why}")));
        }
        Ok(Self { smtp, pop3, imap })
    }
}

/// These names as the engine writes them.
fn known(
    protocol: &str,
    file: &[String],
    flag: &[String],
    names: &[&str],
) -> Result<Vec<Vec<u8>>, Error> {
    let (of_file, of_flag) = (format!("{protocol}.without"), format!("--{protocol}-without"));
    let named = file.iter().map(|name| (name, &of_file));
    let named = named.chain(flag.iter().map(|name| (name, &of_flag)));
    let known = |(name, place): (&String, &String)| {
        let found = names.iter().find(|known| known.eq_ignore_ascii_case(name));
        found.map(|known| known.as_bytes().to_vec()).ok_or_else(|| {
            let all = names.join(", ");
            Error::usage(format!("{place}: {name} cannot be left out; these can: {all}"))
        })
    };
    named.map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn of_flags(imap: &[&str], pop3: &[&str], smtp: &[&str]) -> Result<Without, String> {
        let flags = ServeFlags {
            imap_without: names(imap),
            pop3_without: names(pop3),
            smtp_without: names(smtp),
            ..ServeFlags::default()
        };
        Without::new(&flags, None).map_err(|error| error.message)
    }

    #[test]
    fn unknown_names_are_refused_with_the_known_ones() {
        let all = of_flags(&["Move", "auth=plain", "LoginDisabled"], &["uidl"], &["starttls"]);
        let imap = [&b"MOVE"[..], b"AUTH=PLAIN", b"LOGINDISABLED"].map(<[u8]>::to_vec).to_vec();
        let (pop3, smtp) = (vec![b"UIDL".to_vec()], vec![b"STARTTLS".to_vec()]);
        assert_eq!(all, Ok(Without { smtp, pop3, imap }));
        let file: ConfigFile =
            toml::from_str("domains = ['x']\n[imap]\nwithout = ['IDEL']").expect("it is read");
        let message = Without::new(&ServeFlags::default(), Some(&file)).map_err(|e| e.message);
        let message = message.expect_err("it is refused");
        assert!(message.starts_with("imap.without: IDEL cannot"), "{message}");
        assert!(message.contains("IDLE, ") && message.contains("AUTH=SCRAM-SHA-256"), "{message}");
        let message = of_flags(&[], &["IDLE"], &[]).expect_err("it is refused");
        assert!(message.starts_with("--pop3-without: IDLE ") && message.contains("STLS, "));
        let message = of_flags(&[], &[], &["HELO"]).expect_err("it is refused");
        assert!(message.starts_with("--smtp-without: HELO ") && message.contains("CHUNKING, "));
    }

    #[test]
    fn one_version_of_imap_is_left() {
        assert!(of_flags(&["IMAP4rev1"], &[], &[]).is_ok());
        assert!(of_flags(&["IMAP4rev2"], &[], &[]).is_ok());
        let message = of_flags(&["imap4rev1", "IMAP4REV2"], &[], &[]).expect_err("nothing is left");
        assert!(message.contains("cannot both be left out"), "{message}");
    }
}
