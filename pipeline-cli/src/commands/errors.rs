//! `errors`: what each code means and what helps.

use serde_json::{Value, json};

use pipeline_core::model::{Advice, FORMER_CODES};

use crate::output::{Exit, Failure, Output, Row, Table, clean};

/// Prints the catalogue, or one entry of it.
pub(crate) fn errors(code: Option<&str>, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let Some(text) = code else {
        let mut table = Table::new(&["id", "code", "kind", "retry", "what happened"]);
        for advice in Advice::all() {
            let cells = [advice.support, advice.code, advice.kind.as_str(), advice.retryable(), advice.what];
            table.push(Row::new(cells.map(str::to_owned), value(&advice)));
        }
        output.rows(&table)?;
        return Ok(Exit::Good);
    };
    let advice = Advice::find(text).ok_or_else(|| {
        let known: Vec<&str> = Advice::all().map(|advice| advice.code).collect();
        Failure::wrong(format!("there is no code `{}`", clean(text)))
            .hint(format!("accepted: a support id such as P106, or {}", known.join(", ")))
    })?;
    if !output.is_table() {
        output.value(&value(&advice))?;
        return Ok(Exit::Good);
    }
    output.pairs(&[
        ("code", advice.code.to_owned()),
        ("support id", advice.support.to_owned()),
        ("kind", advice.kind.to_string()),
        ("what happened", advice.what.to_owned()),
        ("what to do next", advice.next.to_owned()),
        ("retry", advice.retryable().to_owned()),
        ("was called", former(&advice).join(", ")),
    ])?;
    Ok(Exit::Good)
}

/// Names a code for people, with its support id.
pub(super) fn named(advice: &Advice) -> String {
    format!("{} ({})", advice.code, advice.support)
}

fn former(advice: &Advice) -> Vec<&'static str> {
    FORMER_CODES.iter().filter(|(_, code)| *code == advice.code).map(|(old, _)| *old).collect()
}

/// Returns what machines get of an entry.
pub(super) fn value(advice: &Advice) -> Value {
    json!({
        "code": advice.code,
        "support_id": advice.support,
        "kind": advice.kind,
        "what": advice.what,
        "next": advice.next,
        "retry": advice.retryable(),
        "was_called": former(advice),
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    const PAGE: &str = include_str!("../../../docs/errors.md");

    /// The page as the catalogue says it is.
    fn page() -> String {
        let mut page = "# Errors\n\n\
            What can go wrong, what to do next, and the id to quote when you ask for help. The command prints it too: \
            `pipeline errors`, `pipeline errors P106`, `pipeline errors timeout`. A test keeps this page equal to the \
            catalogue in `pipeline-core/src/model/advice.rs`; a support id never changes its meaning.\n\n\
            *Kind* says where the trouble lies: in the request, with a provider, in data, in the place this runs in, in this \
            program, or with a person who has to decide. *Retry* says what trying again can do; a failure of an item may say \
            something more exact, because providers classify their own errors.\n\n"
            .to_owned();
        for advice in Advice::all() {
            write!(
                page,
                "## {} `{}`\n\n- kind: {}\n- what happened: {}\n- what to do next: {}\n- retry: {}\n\n",
                advice.support,
                advice.code,
                advice.kind,
                advice.what,
                advice.next,
                advice.retryable()
            )
            .unwrap();
        }
        page.push_str("## Exit codes\n\n| code | meaning |\n|---|---|\n");
        for exit in Exit::ALL {
            writeln!(page, "| {} | {} |", *exit as u8, exit.meaning()).unwrap();
        }
        page.push_str(
            "\n## Codes of the products before this one\n\nWhere their codes are now. `pipeline errors CODE` takes the old ones \
             as well.\n\n| old code | code | id |\n|---|---|---|\n",
        );
        for (old, code) in FORMER_CODES {
            let advice = Advice::all().find(|advice| advice.code == *code).unwrap();
            writeln!(page, "| `{old}` | `{code}` | {} |", advice.support).unwrap();
        }
        page
    }

    #[test]
    fn the_page_says_what_the_catalogue_says() {
        let page = page();
        assert!(page == PAGE, "docs/errors.md is to be:\n{page}");
    }

    #[test]
    fn the_help_of_the_command_says_the_same_of_exit_codes() {
        let help = crate::args::EXIT_CODES;
        for exit in Exit::ALL {
            let line = format!("  {:<5}{}", *exit as u8, exit.meaning());
            assert!(help.lines().any(|one| one == line), "{line}");
        }
        assert_eq!(help.lines().count(), 1 + Exit::ALL.len());
    }
}
