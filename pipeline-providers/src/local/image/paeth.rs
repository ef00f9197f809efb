//! Paeth's predictor, with which PNG filters rows and takes filters off them (third edition, section 9.4).

/// Returns the neighbour that is nearest to left + above - corner. Written as in `stb_image`, which needs no branches.
#[inline]
pub(super) fn paeth(left: u8, above: u8, corner: u8) -> u8 {
    let [a, b, c] = [left, above, corner].map(i16::from);
    let threshold = 3 * c - (a + b);
    let (low, high) = (left.min(above), left.max(above));
    let nearer = if i16::from(high) <= threshold { low } else { corner };
    if threshold <= i16::from(low) { high } else { nearer }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_neighbour_is_taken_and_of_equal_ones_the_left_then_the_one_above() {
        for a in (0..=255_u8).step_by(3) {
            for b in (0..=255).step_by(5) {
                for c in 0..=255 {
                    let [left, above, corner] = [a, b, c].map(i32::from);
                    let p = left + above - corner;
                    let nearest = [left, above, corner].into_iter().min_by_key(|near| (p - near).abs());
                    assert_eq!(Some(i32::from(paeth(a, b, c))), nearest, "{a} {b} {c}");
                }
            }
        }
    }
}
