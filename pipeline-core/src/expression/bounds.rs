//! How large and how deep an expression may be: the parser descends recursively, so depth is capped before it runs.

use super::ConditionError;

/// The most characters of an expression.
const MAX_LENGTH: usize = 2000;
/// The deepest nesting of parentheses, brackets and braces.
const MAX_NESTING: usize = 16;
/// The most operators; each may be one more level of the tree.
const MAX_OPERATORS: usize = 96;

/// Refuses what could exhaust the stack.
pub(super) fn check(source: &str) -> Result<(), ConditionError> {
    let length = source.chars().count();
    if length > MAX_LENGTH {
        return Err(ConditionError(format!("the condition has {length} characters; at most {MAX_LENGTH} are allowed")));
    }
    if source.trim().is_empty() {
        return Err(ConditionError("the condition is empty".to_owned()));
    }
    // Counted without regard to quotes: a wrong guess where a text ends must not let depth slip through.
    let depth_all = depth(source.chars());
    let quoted = Outside { chars: source.chars(), quote: None };
    if depth_all > MAX_NESTING && (depth(quoted) > MAX_NESTING || depth_all > 4 * MAX_NESTING) {
        return Err(ConditionError(format!("the condition is nested deeper than {MAX_NESTING} levels")));
    }
    let operators = Outside { chars: source.chars(), quote: None }.filter(|c| "+-*/%!?<>=&|.".contains(*c)).count();
    if operators > 2 * MAX_OPERATORS {
        return Err(ConditionError(format!("the condition has more than {MAX_OPERATORS} operators")));
    }
    Ok(())
}

fn depth(characters: impl Iterator<Item = char>) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for character in characters {
        match character {
            '(' | '[' | '{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The characters outside of quotes.
struct Outside<'a> {
    chars: std::str::Chars<'a>,
    quote: Option<char>,
}

impl Iterator for Outside<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        loop {
            let character = self.chars.next()?;
            match (self.quote, character) {
                (Some(_), '\\') => {
                    self.chars.next();
                }
                (Some(open), close) if open == close => self.quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => self.quote = Some(character),
                (None, other) => return Some(other),
            }
        }
    }
}
