//! Whole numbers as arguments.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Makes a reader of whole numbers that says which are accepted.
pub(super) fn whole<N>(
    accepted: RangeInclusive<N>,
) -> impl Fn(&str) -> Result<N, String> + Clone + Send + Sync + 'static
where
    N: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let number = text.parse().ok().filter(|number| accepted.contains(number));
        number.ok_or_else(|| format!("expected a whole number from {} to {}", accepted.start(), accepted.end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_or_out_of_range_is_told_what_is_accepted() {
        let read = whole(3..=3600_u64);
        assert_eq!((read("3"), read("3600")), (Ok(3), Ok(3600)));
        for wrong in ["2", "3601", "", "-5", "3.5", "x", "99999999999999999999"] {
            assert_eq!(read(wrong), Err("expected a whole number from 3 to 3600".to_owned()), "{wrong}");
        }
    }
}
