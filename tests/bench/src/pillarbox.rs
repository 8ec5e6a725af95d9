//! Starts Pillarbox itself, as a user would, on free ports.
//! The ready file tells when it accepts and where.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::server::{Addresses, Kind, Process, Server};

/// Where the protocol logic runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// In the component, one instance per connection.
    Sandboxed,
    /// Linked into the server.
    Native,
}

/// Starts `binary` with its data below `home`: as a server for development, or as one that relays
/// everything to a next hop.
pub(crate) fn start(
    binary: &Path,
    home: &Path,
    engine: Engine,
    next_hop: Option<SocketAddr>,
) -> Result<Server> {
    let ready_file = home.join("ready.json");
    if ready_file.exists() {
        fs::remove_file(&ready_file)?;
    }
    let mut command = Command::new(binary);
    command.arg("serve").arg("--data").arg(home.join("data"));
    for listener in ["--smtp", "--pop3", "--imap", "--http"] {
        command.args([listener, "127.0.0.1:0"]);
    }
    command.arg("--ready-file").arg(&ready_file);
    if next_hop.is_none() {
        // What conversations say is kept for tests, not for whoever measures.
        command.args(["--keep-sessions", "0"]);
    }
    if let Some(next_hop) = next_hop {
        let config = home.join("pillarbox.toml");
        let text = format!(
            "host_name = \"relay.bench.example\"\ndomains = [\"home.example\"]\n\
             [relay]\nnetworks = [\"127.0.0.1\"]\n[[relay.routes]]\ndomain = \"*\"\n\
             next_hop = \"[{}]:{}\"\ntls = \"none\"\n",
            next_hop.ip(),
            next_hop.port()
        );
        fs::write(&config, text)?;
        command.arg("--config").arg(config);
    }
    if engine == Engine::Native {
        command.args(["--engine", "native"]);
    }
    let process = Process::start(command, home.join("log"), None)?;
    process.wait_for(|| ready_file.exists())?;
    let ready = fs::read_to_string(&ready_file)?;
    let addresses = addresses(&ready).with_context(|| format!("reading the ready file {ready}"))?;
    let kind = match engine {
        Engine::Sandboxed => Kind::Pillarbox,
        Engine::Native => Kind::Native,
    };
    let facts = format!(
        "{}, {}; SQLite in WAL mode with synchronous=FULL, a sync before each 250 and OK, \
         shared by connections that commit at the same time",
        version(binary),
        match engine {
            Engine::Sandboxed => "one sandboxed component instance per connection",
            Engine::Native => "engine linked in natively (for measuring only)",
        }
    );
    Ok(Server { kind, addresses, facts, process })
}

/// Builds the server, unless `given` names a binary; gives where it is.
pub(crate) fn binary(given: Option<PathBuf>, target: &Path) -> Result<PathBuf> {
    if let Some(binary) = given {
        if !binary.is_file() {
            bail!("{} is no file", binary.display());
        }
        return Ok(binary);
    }
    let binary = target.join("release/pillarbox");
    // `cargo run` sets CARGO. Started by hand, the program takes what is there.
    if let Some(cargo) = std::env::var_os("CARGO") {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
        let status = Command::new(cargo)
            .args(["build", "--release", "--quiet", "--package", "pillarbox"])
            .arg("--manifest-path")
            .arg(manifest)
            .arg("--target-dir")
            .arg(target)
            .status()
            .context("running cargo")?;
        if !status.success() {
            bail!("the server does not build");
        }
    }
    Ok(binary)
}

fn version(binary: &Path) -> String {
    let output = Command::new(binary).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| "pillarbox".to_owned())
}

fn addresses(ready: &str) -> Result<Addresses> {
    let ready: Value = serde_json::from_str(ready)?;
    let address = |name: &str| -> Result<Option<SocketAddr>> {
        let text = ready[name].as_str().with_context(|| format!("no address for {name}"))?;
        Ok(Some(text.parse().with_context(|| format!("{name}: {text}"))?))
    };
    Ok(Addresses {
        smtp: address("smtp")?,
        lmtp: None,
        pop3: address("pop3")?,
        imap: address("imap")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_file_gives_addresses_or_says_what_is_wrong() {
        let ready = r#"{"pid":7,"smtp":"127.0.0.1:40001","pop3":"127.0.0.1:2",
            "imap":"[::1]:3","http":"127.0.0.1:4"}"#;
        let found = addresses(ready).expect("complete");
        assert_eq!(found.smtp, Some(SocketAddr::from(([127, 0, 0, 1], 40001))));
        assert_eq!(found.imap.map(|address| address.port()), Some(3));
        assert!(addresses(r#"{"pid":7}"#).expect_err("empty").to_string().contains("smtp"));
        assert!(addresses("{").is_err());
    }
}
