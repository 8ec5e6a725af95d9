//! `pillarbox limits`: what the server bounds, for people.

use std::path::PathBuf;

use clap::Args;

use crate::cli::ServeFlags;
use crate::config::Settings;
use crate::engine::{self, EngineSettings};
use crate::error::Error;
use crate::limits;

/// Flags of `limits`.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct LimitsFlags {
    /// Configuration of a server profile, which may change limits
    #[arg(long, value_name = "FILE", env = "PILLARBOX_CONFIG")]
    config: Option<PathBuf>,
    /// Sessions at work at once, as for `serve`
    #[arg(long, value_name = "N", env = "PILLARBOX_SLOTS")]
    slots: Option<u32>,
    /// Connections at once, as for `serve`
    #[arg(long, value_name = "N", env = "PILLARBOX_CONNECTIONS")]
    connections: Option<u32>,
}

pub(super) fn run(flags: LimitsFlags) -> Result<(), Error> {
    let LimitsFlags { config, slots, connections } = flags;
    // Without a configuration nothing is kept anywhere.
    let memory = config.is_none();
    let flags = ServeFlags { config, slots, connections, memory, ..ServeFlags::default() };
    let settings = Settings::new(flags)?;
    let slots = EngineSettings::new(settings.engine, settings.slots).slots()?;
    let connections = engine::connections(settings.connections, slots)?;
    print!("{}", limits::print(&settings, slots, connections));
    Ok(())
}
