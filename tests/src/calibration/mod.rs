//! What the quality rules are calibrated with: pictures made by code, what spoils a picture, and what is measured of both.

mod made;
mod measured;
mod spoil;

pub use made::{made_table, scene};
pub use measured::{MEASURES, value};
pub use spoil::{CHANGES, Change, SPOILS, Spoil};

/// A stream of numbers from 0 to 1 that is the same for the same seed, everywhere (xorshift, 64 bits).
fn draws(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    }
}
