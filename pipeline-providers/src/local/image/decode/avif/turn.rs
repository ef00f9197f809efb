//! How a picture is turned and mirrored, as the orientation of EXIF.

/// An orientation, 1 to 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn(u32);

impl Default for Turn {
    fn default() -> Self {
        Self(1)
    }
}

impl Turn {
    /// Then turned by this many quarters against the clock (`irot`).
    pub(super) fn anticlockwise(self, quarters: u8) -> Self {
        (0..quarters & 3).fold(self, |turn, _| turn.then([8, 5, 6, 7, 4, 1, 2, 3]))
    }

    /// Then mirrored (`imir`): top to bottom, or left to right for an odd axis.
    pub(super) fn mirrored(self, axis: u8) -> Self {
        self.then(if axis & 1 == 1 { [2, 1, 4, 3, 6, 5, 8, 7] } else { [4, 3, 2, 1, 8, 7, 6, 5] })
    }

    pub(super) fn orientation(self) -> u32 {
        self.0
    }

    fn then(self, orientations: [u32; 8]) -> Self {
        Self(orientations.get(self.0 as usize - 1).copied().unwrap_or(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_orientation_is_a_turn_and_a_mirror() {
        let plain = [0, 3, 2, 1].map(|quarters| Turn::default().anticlockwise(quarters).orientation());
        assert_eq!(plain, [1, 6, 3, 8]);
        let mirrored = [0, 1, 2, 3].map(|quarters| Turn::default().anticlockwise(quarters).mirrored(0).orientation());
        assert_eq!(mirrored, [4, 5, 2, 7]);
        assert_eq!(Turn::default().mirrored(1).orientation(), 2);
    }
}
