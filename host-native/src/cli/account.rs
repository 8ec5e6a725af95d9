//! `pillarbox account`: the accounts of a server profile.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::accounts::Accounts;
use crate::auth::prepared;
use crate::cli::ServeFlags;
use crate::config::{Settings, read_config};
use crate::error::Error;

/// Flags of `account`.
#[derive(Debug, Args)]
pub(super) struct AccountFlags {
    #[command(subcommand)]
    word: Word,
    /// Configuration of the server profile
    #[arg(long, value_name = "FILE", env = "PILLARBOX_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// Directory of the mail store [default: what the configuration names]
    #[arg(long, value_name = "DIR", env = "PILLARBOX_DATA", global = true)]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Word {
    /// Add an account; the password is read from standard input
    Add {
        /// Its address, such as bob@hamburger.edu
        address: String,
        #[command(flatten)]
        kept: Kept,
    },
    /// List the accounts
    List,
    /// Remove an account's login; its mail stays in the store
    Remove {
        /// Its address
        address: String,
    },
    /// Change an account's password, read from standard input
    Password {
        /// Its address
        address: String,
        #[command(flatten)]
        kept: Kept,
    },
}

/// What is kept of a password.
#[derive(Debug, Args)]
struct Kept {
    /// Keep the password itself beside its hash, for APOP and CRAM-MD5, which need it: whoever reads the accounts file
    /// then has it. Setting a password without this flag takes it out again
    #[arg(long)]
    readable: bool,
}

impl Kept {
    fn set(&self, accounts: &mut Accounts, name: &str) -> Result<(), Error> {
        let password = read_password(name)?;
        match self.readable {
            true => accounts.set_readable(name, &password),
            false => accounts.set(name, &password),
        }
    }
}

pub(super) fn run(flags: AccountFlags) -> Result<(), Error> {
    let settings = Settings::new(ServeFlags {
        config: flags.config.clone(),
        data: flags.data,
        ..ServeFlags::default()
    })?;
    let file = settings.accounts_file()?;
    let domains = match &flags.config {
        Some(path) => read_config(path)?.domains,
        None => Vec::new(),
    };
    let mut accounts = Accounts::read(&file)?;
    match flags.word {
        Word::List => {
            accounts.names().for_each(|name| println!("{name}"));
            return Ok(());
        }
        Word::Add { address, kept } => {
            let name = canonical(&address, &domains)?;
            if accounts.contains(&name) {
                let help = "to change its password, use `pillarbox account password`";
                return Err(Error::usage(format!("account {name} exists already; {help}")));
            }
            kept.set(&mut accounts, &name)?;
            println!("added {name}");
        }
        Word::Password { address, kept } => {
            let name = canonical(&address, &domains)?;
            known(&accounts, &name)?;
            kept.set(&mut accounts, &name)?;
            println!("changed the password of {name}");
        }
        Word::Remove { address } => {
            let name = canonical(&address, &domains)?;
            known(&accounts, &name)?;
            accounts.remove(&name);
            println!("removed {name}; its mail stays in the store");
        }
    }
    accounts.write(&file)
}

fn known(accounts: &Accounts, name: &str) -> Result<(), Error> {
    if accounts.contains(name) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "there is no account {name}; `pillarbox account list` shows them all"
    )))
}

fn canonical(address: &str, domains: &[String]) -> Result<String, Error> {
    // As logins compare it (RFC 4013).
    let name = prepared(address.as_bytes()).unwrap_or_default().to_lowercase();
    let odd = |c: char| c.is_control() || c.is_whitespace() || c == '"';
    let (local, domain) = match name.rsplit_once('@') {
        Some(parts) if !parts.0.is_empty() && !parts.1.is_empty() && !name.contains(odd) => parts,
        _ => {
            let message = format!("`{address}` is not an address such as bob@hamburger.edu");
            return Err(Error::usage(message));
        }
    };
    if !domains.is_empty() && !domains.iter().any(|known| known.eq_ignore_ascii_case(domain)) {
        let known = domains.join(", ");
        let message = format!("the domain of `{address}` is not one of this server's ({known})");
        return Err(Error::usage(message));
    }
    Ok(format!("{local}@{domain}"))
}

fn read_password(name: &str) -> Result<String, Error> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        // The terminal echoes: a prompt that hides typing would need a dependency for one line.
        eprint!("Password for {name} (shown as typed; pipe it in to hide it): ");
        std::io::stderr().flush().map_err(|e| Error::failed(e.to_string()))?;
    }
    let mut line = String::new();
    stdin.lock().read_line(&mut line).map_err(|e| Error::usage(format!("standard input: {e}")))?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        let message =
            "no password on standard input; try: printf 's3cret' | pillarbox account add …";
        return Err(Error::usage(message));
    }
    Ok(password.to_owned())
}
