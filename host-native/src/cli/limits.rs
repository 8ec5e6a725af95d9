//! `pillarbox limits`: what the server bounds, for people.

use crate::cli::ServeFlags;
use crate::config::Settings;
use crate::engine::EngineSettings;
use crate::error::Error;
use crate::limits;

pub(super) fn run(flags: ServeFlags) -> Result<(), Error> {
    let settings = Settings::new(flags)?;
    let slots = EngineSettings::new(settings.engine, settings.slots).slots()?;
    print!("{}", limits::print(&settings, slots));
    Ok(())
}
