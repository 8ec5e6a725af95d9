//! The arguments of `sendmail`: single letters, their values attached or after them, as its callers have written them for
//! forty years.

use std::ffi::OsString;
use std::path::PathBuf;

use pillarbox_engine::smtp::{Notify, Ret};

use crate::cli::send::parse_notify;
use crate::error::{Error, Kind};

/// What is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// Take a message and hand it over.
    #[default]
    Deliver,
    /// Say how to call.
    Help,
}

/// A call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    pub(super) mode: Mode,
    pub(super) config: Option<PathBuf>,
    pub(super) recipients: Vec<String>,
    pub(super) read_recipients: bool,
    pub(super) ignore_dots: bool,
    pub(super) sender: Option<String>,
    pub(super) full_name: Option<String>,
    pub(super) notify: Option<Notify>,
    pub(super) ret: Option<Ret>,
    pub(super) envid: Option<String>,
    pub(super) verbose: bool,
}

/// Letters with a value that does not matter here.
const IGNORED_WITH_VALUE: &str = "ACDLXhpO";

impl Arguments {
    /// Reads them.
    ///
    /// # Errors
    /// [`Kind::Call`]: what is asked for does not exist here.
    pub(super) fn parse(arguments: Vec<OsString>) -> Result<Self, Error> {
        let mut out = Self::default();
        let mut rest = arguments.into_iter();
        let mut only_recipients = false;
        while let Some(argument) = rest.next() {
            let text = text(argument)?;
            if only_recipients || !text.starts_with('-') || text == "-" {
                out.recipients.push(text);
                continue;
            }
            match text
                .split_once('=')
                .map_or((&text[..], None), |(name, value)| (name, Some(value)))
            {
                ("--", _) => only_recipients = true,
                ("--help", _) => out.mode = Mode::Help,
                ("--config", Some(value)) => out.config = Some(PathBuf::from(value)),
                ("--config", None) => {
                    out.config = Some(PathBuf::from(value("--config", "", &mut rest)?))
                }
                (long, _) if long.starts_with("--") => return Err(unknown(&text)),
                _ => out.letters(&text[1..], &mut rest)?,
            }
        }
        Ok(out)
    }

    /// One argument, which may be several letters.
    fn letters(
        &mut self,
        letters: &str,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> Result<(), Error> {
        let mut left = letters;
        while let Some(letter) = left.chars().next() {
            let attached = &left[letter.len_utf8()..];
            match letter {
                't' => self.read_recipients = true,
                'i' => self.ignore_dots = true,
                'v' => self.verbose = true,
                'n' | 'U' | 'G' | 'm' | 's' | 'x' => {}
                'b' => return mode(attached),
                'o' => return self.option(attached, rest),
                'q' => return Err(no_queue("-q")),
                'e' | 'd' => return Ok(()),
                _ => return self.valued(letter, attached, rest),
            }
            left = attached;
        }
        Ok(())
    }

    /// A letter with a value, attached or in the next argument.
    fn valued(
        &mut self,
        letter: char,
        attached: &str,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> Result<(), Error> {
        let name = format!("-{letter}");
        if !"fFrNRVB".contains(letter) && !IGNORED_WITH_VALUE.contains(letter) {
            return Err(unknown(&name));
        }
        let value = value(&name, attached, rest)?;
        let wrong = |what: &str| {
            Error::new(Kind::Call, format!("{name}: `{}` is not {what}", value.escape_debug()))
        };
        match letter {
            'f' | 'r' => self.sender = Some(value),
            'F' => self.full_name = Some(value),
            'N' => {
                let notify = parse_notify(&value);
                let words = "never, or some of success, failure and delay";
                self.notify = Some(notify.ok_or_else(|| wrong(words))?);
            }
            'R' if value.eq_ignore_ascii_case("full") => self.ret = Some(Ret::Full),
            'R' if value.eq_ignore_ascii_case("hdrs") => self.ret = Some(Ret::Headers),
            'R' => return Err(wrong("full or hdrs")),
            'V' => {
                let printable = value.bytes().all(|octet| (b' '..=b'~').contains(&octet));
                if value.is_empty() || value.len() > 100 || !printable {
                    return Err(wrong("an id of at most 100 printable characters"));
                }
                self.envid = Some(value);
            }
            'B' => {
                let known =
                    ["7BIT", "8BITMIME"].iter().any(|kind| value.eq_ignore_ascii_case(kind));
                return if known { Ok(()) } else { Err(wrong("7BIT or 8BITMIME")) };
            }
            _ => {}
        }
        Ok(())
    }

    /// `-oX`, or `-o X`; all but `i` have no meaning here.
    fn option(
        &mut self,
        attached: &str,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> Result<(), Error> {
        let option = value("-o", attached, rest)?;
        // `-oi`, or a long one such as `-oIgnoreDots`: only the first letter counts, and it is small.
        self.ignore_dots |= option.starts_with('i');
        Ok(())
    }
}

fn mode(letter: &str) -> Result<(), Error> {
    match letter {
        "m" | "" => Ok(()),
        "p" => Err(no_queue("-bp")),
        "s" => {
            let help = "send to the server itself, by SMTP";
            Err(Error::new(Kind::Call, format!("-bs is not there; {help}")))
        }
        "d" | "D" => {
            Err(Error::new(Kind::Call, "-bd is not there; `pillarbox serve` is the server"))
        }
        _ => Err(unknown(&format!("-b{letter}"))),
    }
}

fn no_queue(flag: &str) -> Error {
    let message = format!("{flag}: there is no queue here; `pillarbox queue` is that of a server");
    Error::new(Kind::Call, message)
}

fn value(
    name: &str,
    attached: &str,
    rest: &mut impl Iterator<Item = OsString>,
) -> Result<String, Error> {
    if !attached.is_empty() {
        return Ok(attached.to_owned());
    }
    let next = rest.next();
    text(next.ok_or_else(|| Error::new(Kind::Call, format!("{name}: its value is missing")))?)
}

fn text(argument: OsString) -> Result<String, Error> {
    argument.into_string().map_err(|argument| {
        let shown = argument.to_string_lossy().escape_debug().to_string();
        Error::new(Kind::Call, format!("`{shown}` is not UTF-8"))
    })
}

fn unknown(argument: &str) -> Error {
    let shown = argument.escape_debug();
    Error::new(
        Kind::Call,
        format!("{shown} is not known; `pillarbox sendmail --help` says what is"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, Error> {
        Arguments::parse(
            line.split(' ').filter(|word| !word.is_empty()).map(OsString::from).collect(),
        )
    }

    #[test]
    fn callers_are_understood() {
        let plain = Arguments { ignore_dots: true, ..Arguments::default() };
        let to = |name: &str| vec![name.to_owned()];
        // PHP
        let php = Arguments { read_recipients: true, ..plain.clone() };
        assert_eq!(parse("-t -i").expect("right"), php);
        assert_eq!(parse("-ti").expect("right"), php);
        // cron
        let cron = Arguments {
            full_name: Some("CronDaemon".to_owned()),
            recipients: to("root"),
            ..plain.clone()
        };
        assert_eq!(parse("-FCronDaemon -i -odi -B8BITMIME -oem root").expect("right"), cron);
        assert_eq!(parse("-i -FCronDaemon -B8BITMIME -oem root").expect("right"), cron);
        // git
        let git = Arguments {
            sender: Some("a@b.c".to_owned()),
            recipients: vec!["d@e.f".to_owned(), "g@h.i".to_owned()],
            ..plain.clone()
        };
        assert_eq!(parse("-i -f a@b.c d@e.f g@h.i").expect("right"), git);
        assert_eq!(parse("-oi -fa@b.c -- d@e.f g@h.i").expect("right"), git);
        // mutt
        let notify = Notify { success: true, failure: true, delay: false };
        let mutt = Arguments {
            notify: Some(notify),
            ret: Some(Ret::Headers),
            recipients: to("-x@y.z"),
            ..plain
        };
        assert_eq!(parse("-oem -oi -N success,failure -R hdrs -- -x@y.z").expect("right"), mutt);
        let rest = parse("-o i -O DeliveryMode=b -h 3 -bm -v -V id -L tag -em").expect("right");
        assert!(rest.ignore_dots && rest.verbose && rest.recipients.is_empty());
        assert_eq!(rest.envid.as_deref(), Some("id"));
        assert_eq!(parse("--help").expect("right").mode, Mode::Help);
        assert!(parse("--config=a").expect("right").config.is_some());
        let null = Arguments::parse(vec!["-f".into(), "".into()]).expect("right");
        assert_eq!(null.sender.as_deref(), Some(""));
    }

    #[test]
    fn what_is_not_there_is_said() {
        for line in [
            "-bp", "-q", "-q30m", "-bs", "-bd", "-bz", "-y", "--frob", "-f", "-N often", "-R some",
            "-B 9BIT",
        ] {
            let error = parse(line).expect_err(line);
            assert_eq!(error.kind, Kind::Call, "{line}");
        }
        assert!(parse("-bp").expect_err("no queue").message.contains("pillarbox queue"));
    }
}
