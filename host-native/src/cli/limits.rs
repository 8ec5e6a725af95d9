//! `pillarbox limits`: what the server bounds, for people.

use std::path::PathBuf;

use clap::Args;

use crate::cli::ServeFlags;
use crate::config::Settings;
use crate::engine::EngineSettings;
use crate::error::Error;
use crate::limits;

/// Flags of `limits`.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct LimitsFlags {
    /// Configuration of a server profile, which may change limits
    #[arg(long, value_name = "FILE", env = "PILLARBOX_CONFIG")]
    config: Option<PathBuf>,
    /// Connections at once, as for `serve`
    #[arg(long, value_name = "N", env = "PILLARBOX_SLOTS")]
    slots: Option<u32>,
}

pub(super) fn run(flags: LimitsFlags) -> Result<(), Error> {
    let LimitsFlags { config, slots } = flags;
    // Without a configuration nothing is kept anywhere.
    let memory = config.is_none();
    let settings = Settings::new(ServeFlags { config, slots, memory, ..ServeFlags::default() })?;
    let slots = EngineSettings::new(settings.engine, settings.slots).slots()?;
    print!("{}", limits::print(&settings, slots));
    Ok(())
}
