//! Flags of commands that read mail at another server: how it must prove itself, and what proves us.

use std::path::PathBuf;

use clap::Args;

use crate::agent::{Access, TlsChoice};

/// How a server is reached that has mail.
#[derive(Clone, Debug, Args)]
pub(super) struct ReadFlags {
    /// Whom to log in as, if the URL does not say
    #[arg(long, value_name = "USER", env = "PILLARBOX_USER", global = true)]
    user: Option<String>,
    /// File whose first line is the password; or set PILLARBOX_PASSWORD, or type it when asked
    #[arg(long, value_name = "FILE", env = "PILLARBOX_PASSWORD_FILE", global = true)]
    password_file: Option<PathBuf>,
    /// File whose first line is an OAuth 2.0 access token, in place of a password
    #[arg(
        long,
        value_name = "FILE",
        env = "PILLARBOX_TOKEN_FILE",
        global = true,
        conflicts_with = "password_file"
    )]
    token_file: Option<PathBuf>,
    /// Our own certificate, as PEM, for a server that asks for one; with a user, or EXTERNAL, in place of a password
    #[arg(long, value_name = "FILE", env = "PILLARBOX_CERT", global = true)]
    cert: Option<PathBuf>,
    /// The certificate's private key, as PEM
    #[arg(long, value_name = "FILE", env = "PILLARBOX_KEY", global = true)]
    key: Option<PathBuf>,
    /// The login's only mechanism, such as SCRAM-SHA-256 [default: the best that both sides have]
    #[arg(long, value_name = "NAME", env = "PILLARBOX_MECHANISM", global = true)]
    mechanism: Option<String>,
    /// How far TLS is insisted on [default: implicit for imaps and pop3s, else opportunistic on this machine, else required]
    #[arg(long, value_name = "HOW", env = "PILLARBOX_TLS", value_enum, global = true)]
    tls: Option<TlsChoice>,
    /// Certificate authorities that are trusted beside those of the system, as PEM
    #[arg(long, value_name = "FILE", env = "PILLARBOX_CA", global = true)]
    ca: Option<PathBuf>,
    /// Show the conversation, explained, on standard error; secrets are masked
    #[arg(long, global = true)]
    pub(super) trace: bool,
}

impl ReadFlags {
    pub(super) fn access(&self) -> Access {
        Access {
            tls: self.tls,
            ca: self.ca.clone(),
            user: self.user.clone(),
            // No flag: other users see the flags of a program.
            password: std::env::var("PILLARBOX_PASSWORD").ok(),
            password_file: self.password_file.clone(),
            token_file: self.token_file.clone(),
            cert: self.cert.clone(),
            key: self.key.clone(),
            mechanism: self.mechanism.clone(),
            ..Access::default()
        }
    }
}
