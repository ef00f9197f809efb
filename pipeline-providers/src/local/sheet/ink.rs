//! Lines of text, and the colours they come in.

/// A colour of text that can be told from the others, and read, on white.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ink {
    /// Nearly black.
    #[default]
    Plain,
    /// Grey, for what is said beside.
    Faint,
    /// Green, for what went well.
    Good,
    /// Amber, for what was sorted out.
    Warning,
    /// Red, for what failed.
    Bad,
}

impl Ink {
    /// Returns red, green and blue.
    pub(super) const fn rgb(self) -> [u8; 3] {
        match self {
            Self::Plain => [28, 28, 30],
            Self::Faint => [96, 96, 102],
            Self::Good => [22, 101, 52],
            Self::Warning => [146, 64, 14],
            Self::Bad => [185, 28, 28],
        }
    }
}

/// One line of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub(super) text: String,
    pub(super) ink: Ink,
    pub(super) bold: bool,
}

impl Line {
    /// Makes a line; what does not fit beside the others is cut off with an ellipsis.
    pub fn new(text: impl Into<String>, ink: Ink) -> Self {
        Self { text: text.into(), ink, bold: false }
    }

    /// Makes it bold.
    pub fn bold(mut self) -> Self {
        self.bold = true;
        self
    }
}
