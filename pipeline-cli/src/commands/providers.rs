//! `providers list`.

use serde_json::json;

use pipeline_engine::Engine;

use crate::output::{Exit, Failure, Output, Row, Table, money};

use super::gates::limits;

/// Lists the providers settings can name.
pub(crate) fn list(engine: &Engine, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let mut table = Table::new(&["name", "does", "where", "price", "limits", "what it is"]).empty("no providers");
    for provider in engine.providers() {
        let info = &provider.info;
        let price = match info.price {
            None => "not known".to_owned(),
            Some(price) => match (price.per_call.as_micros(), price.per_unit.as_micros()) {
                (0, 0) => "free".to_owned(),
                (_, 0) => format!("{} a call", money(price.per_call)),
                (0, _) => format!("{} a piece", money(price.per_unit)),
                _ => format!("{} a call + {} a piece", money(price.per_call), money(price.per_unit)),
            },
        };
        let place = if info.local { "this machine" } else { "remote" };
        let cells = [
            provider.name.clone(),
            info.capability.to_string(),
            place.to_owned(),
            price,
            limits(info.limits),
            info.summary.clone(),
        ];
        let value = json!({
            "name": provider.name,
            "vendor": info.name,
            "model": info.model,
            "capability": info.capability,
            "summary": info.summary,
            "local": info.local,
            "repeat": info.repeat,
            "limits": info.limits,
            "price": info.price.map(|price| json!({
                "per_call_micros": price.per_call.as_micros(),
                "per_unit_micros": price.per_unit.as_micros(),
            })),
        });
        table.push(Row::new(cells, value));
    }
    output.rows(&table)?;
    Ok(Exit::Good)
}
