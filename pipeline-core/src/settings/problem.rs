//! What is wrong with a definition or with settings: every problem with its place, never only the first.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Origin;

/// A position in a text; both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Place {
    /// Returns the place of byte `offset` of `text`; the end when the text is shorter.
    pub fn of(text: &str, offset: usize) -> Self {
        let (mut line, mut column) = (1, 1);
        for (_, character) in text.char_indices().take_while(|(index, _)| *index < offset) {
            if character == '\n' {
                line += 1;
                column = 1;
            } else {
                column += 1;
            }
        }
        Self { line, column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file it stands in, when it stands in one.
    pub file: Option<String>,
    /// Where in the file.
    pub place: Option<Place>,
    /// Where the wrong value comes from, for values that do not stand in a file.
    pub origin: Option<Origin>,
    /// For example `stages.qc.settings.threshold` or `qc.threshold`.
    pub path: String,
    /// What is wrong, as a fragment without a full stop.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
}

impl Problem {
    /// Makes a problem without a place.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: None, place: None, origin: None, path: path.into(), message: message.into(), hint: None }
    }

    /// Adds what would be right.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds "did you mean" when one of `known` is near to `wrong`, else what there is.
    pub fn suggest<'a>(mut self, wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        self.hint = match nearest(wrong, known.iter().copied()) {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if known.is_empty() => None,
            None => Some(format!("there is {}", listing(&known))),
        };
        self
    }

    /// Adds where it stands.
    pub fn at(mut self, file: Option<&str>, place: Option<Place>) -> Self {
        self.file = file.map(str::to_owned);
        self.place = place;
        self
    }

    /// Adds where the wrong value comes from.
    pub fn from(mut self, origin: &Origin) -> Self {
        self.origin = Some(origin.clone());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.place) {
            (Some(file), Some(place)) => write!(f, "{file}:{place}: ")?,
            (Some(file), None) => write!(f, "{file}: ")?,
            (None, Some(place)) => write!(f, "{place}: ")?,
            (None, None) => {}
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        if let (None, Some(origin)) = (&self.file, &self.origin) {
            write!(f, " ({origin})")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// Everything that is wrong, one a line; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl Problems {
    /// Sorts by file and place; problems without a place come last.
    pub fn sort(&mut self) {
        self.0.sort_by_key(|problem| (problem.place.is_none(), problem.file.clone(), problem.place));
    }
}

/// Returns the one of `known` that `wrong` most likely meant.
pub(crate) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong: String = wrong.chars().take(64).collect();
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&wrong, word), word))
        .filter(|(distance, word)| *distance <= (word.chars().count() / 3).max(1))
        .min()
        .map(|(_, word)| word)
}

/// Writes words as "`a`, `b` and `c`".
pub(crate) fn listing<S: AsRef<str>>(words: &[S]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_ref())).collect();
    match quoted.split_last() {
        None => "nothing".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, head)) => format!("{} and {last}", head.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_prints_as_one_line_with_its_place_and_hint() {
        let problem = Problem::new("stages.qc.needs", "unknown stage `generat`")
            .suggest("generat", ["generate", "qc"])
            .at(Some("pipeline.toml"), Some(Place { line: 12, column: 3 }));
        assert_eq!(
            problem.to_string(),
            "pipeline.toml:12:3: stages.qc.needs: unknown stage `generat`; did you mean `generate`?"
        );
    }

    #[test]
    fn places_count_lines_and_characters_from_one() {
        assert_eq!(Place::of("ab\nçd", 0), Place { line: 1, column: 1 });
        assert_eq!(Place::of("ab\nçd", 5), Place { line: 2, column: 2 });
        assert_eq!(Place::of("ab", 99), Place { line: 1, column: 3 });
    }
}
