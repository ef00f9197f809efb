//! Who decides, for the record.

use pipeline_engine::Engine;

use crate::output::Failure;

/// Returns who was named with `--by`, otherwise whom the engine acts for, otherwise the user of this process.
pub(crate) fn actor(engine: &Engine, named: Option<&str>) -> Result<String, Failure> {
    match named {
        Some(name) if name.trim().is_empty() => {
            Err(Failure::wrong("--by is empty").hint("accepted: any text that is not empty"))
        }
        Some(name) => Ok(name.to_owned()),
        None if engine.acts_for_one() => Ok(engine.owner().to_owned()),
        None => {
            let user = ["USER", "USERNAME", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
            Ok(user.filter(|user| !user.trim().is_empty()).unwrap_or_else(|| "system".to_owned()))
        }
    }
}
