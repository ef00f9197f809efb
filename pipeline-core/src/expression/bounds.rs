//! How large and how deep an expression may be: the parser descends recursively, so depth is capped before it runs.

use super::ConditionError;

/// The most characters of an expression.
const MAX_LENGTH: usize = 2000;
/// The deepest nesting of parentheses, brackets and braces.
const MAX_NESTING: usize = 16;
/// The most signs that may each be one more level of the tree.
const MAX_SIGNS: usize = 160;

/// Refuses what could exhaust the stack.
///
/// The parser goes on after an error, so what stands in a broken text may be read as code: signs are counted
/// everywhere, and the depth is computed from quotes only where there is no doubt about them.
pub(super) fn check(source: &str) -> Result<(), ConditionError> {
    let refuse = |message: String| Err(ConditionError(message));
    let length = source.chars().count();
    if length > MAX_LENGTH {
        return refuse(format!("the condition has {length} characters; at most {MAX_LENGTH} are allowed"));
    }
    if source.trim().is_empty() {
        return refuse("the condition is empty".to_owned());
    }
    let signs = source.chars().filter(|c| "+-*/%!?<>=&|.([{".contains(*c)).count() + source.matches("in").count();
    if signs > MAX_SIGNS {
        return refuse("the condition is too long; split it over several stages".to_owned());
    }
    if source.contains("'''") || source.contains("\"\"\"") {
        return refuse("texts in three quotes are not allowed".to_owned());
    }
    let depth =
        if source.contains('\\') { source.chars().filter(|c| "([{".contains(*c)).count() } else { nesting(source)? };
    if depth > MAX_NESTING {
        return refuse(format!("the condition is nested deeper than {MAX_NESTING} levels"));
    }
    Ok(())
}

/// The deepest nesting outside of quotes, in a source without escapes.
fn nesting(source: &str) -> Result<usize, ConditionError> {
    let (mut depth, mut deepest, mut quote, mut before) = (0_usize, 0, None, ' ');
    for character in source.chars() {
        if let Some(open) = quote {
            match character {
                '\n' | '\r' => break,
                close if open == close => quote = None,
                _ => {}
            }
            before = character;
            continue;
        }
        match character {
            '\'' | '"' => quote = Some(character),
            '/' if before == '/' => return Err(ConditionError("comments are not allowed".to_owned())),
            '(' | '[' | '{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        before = character;
    }
    if quote.is_some() {
        return Err(ConditionError("a text is not closed by its quote".to_owned()));
    }
    Ok(deepest)
}
