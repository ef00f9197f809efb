//! Who decides, for the record.

use crate::output::Failure;

/// Returns who was named with `--as`, otherwise the user of this process.
pub(crate) fn actor(named: Option<&str>) -> Result<String, Failure> {
    match named {
        Some(name) if name.trim().is_empty() => {
            Err(Failure::wrong("--as is empty").hint("accepted: any text that is not empty"))
        }
        Some(name) => Ok(name.to_owned()),
        None => {
            let user = ["USER", "USERNAME", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
            Ok(user.filter(|user| !user.trim().is_empty()).unwrap_or_else(|| "system".to_owned()))
        }
    }
}
