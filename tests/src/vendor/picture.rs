//! The pictures the vendor sells: small, real and the same for the same seed.

/// Draws a PNG whose pixels follow from `seed` alone.
pub(super) fn draw(width: u32, height: u32, seed: u64) -> Result<Vec<u8>, png::EncodingError> {
    // Neighbouring seeds are to look different; xorshift must not start at zero.
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66_D1CE_4E5B;
    let (mut base, mut pixels) = ([0_u8; 3], Vec::with_capacity(width as usize * height as usize * 3));
    for channel in &mut base {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *channel = (state >> 24) as u8;
    }
    for y in 0..height {
        for x in 0..width {
            let stripe = if (x / 8 + y / 8) % 2 == 0 { 0 } else { 96 };
            pixels.extend(base.map(|channel| channel.wrapping_add(stripe).wrapping_add((x + y) as u8)));
        }
    }
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(file)
}
