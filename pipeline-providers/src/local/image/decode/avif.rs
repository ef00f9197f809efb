//! AVIF: the boxes and the units of the coded data are walked to the end, then the picture and its transparency are
//! decoded by rav1d.
//!
//! AV1 has no checksums: a flipped bit may be another valid picture. The decoder is entered through functions of C, which
//! a panic cannot leave: it would end the program. None is known.

mod boxes;
mod cicp;
mod items;
mod planes;
mod stream;
#[cfg(test)]
mod tests;
mod turn;

use pipeline_core::error::{Error, Result};
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;
use re_rav1d::{Decoder, Settings};

use super::super::limits::Limits;
use super::samples::{Kind, Samples, divide};
use super::{Outline, area, profile};
use items::{Item, Items};
use planes::Planes;
use stream::Sequence;

/// The size of the main picture, as stored.
pub(super) fn size(bytes: &[u8]) -> Result<Dimensions> {
    Ok(Items::read(bytes)?.primary()?.size)
}

/// How the main picture is to be turned, by the orientations of EXIF; `None` for a damaged file.
pub(in super::super) fn orientation(bytes: &[u8]) -> Option<u32> {
    Some(Items::read(bytes).ok()?.primary().ok()?.turn.orientation())
}

pub(super) fn outline(bytes: &[u8], size: Dimensions) -> Result<Outline> {
    let items = Items::read(bytes)?;
    let picture = items.primary()?;
    let data = items.content(&picture)?;
    let sequence = Sequence::read(&data)?;
    let cicp = picture.cicp.unwrap_or(sequence.cicp);
    let profile = match picture.profile {
        Some(profile) => {
            profile::check_length(profile.len())?;
            Some(profile.to_vec())
        }
        None => cicp.profile()?,
    };
    // The coded data once more, the frame, and what is handed out.
    let mut memory = data.len() as u64 + area(size) * sequence.half_bytes() / 2 + 4 * area(size);
    if let Some((alpha, _)) = items.alpha_of(&picture)? {
        if alpha.size != size {
            return Err(unusual("transparency of another size").with("size", alpha.size));
        }
        let data = items.content(&alpha)?;
        memory += data.len() as u64 + area(size) * Sequence::read(&data)?.half_bytes() / 2;
    }
    Ok(Outline { frames: 1, memory, profile })
}

pub(super) fn decode(bytes: &[u8], limits: Limits) -> Result<Samples> {
    let items = Items::read(bytes)?;
    let picture = items.primary()?;
    let alpha = items.alpha_of(&picture)?;
    let (planes, sequence) = frame(&items, &picture)?;
    limits.check_time()?;
    let cicp = picture.cicp.unwrap_or(sequence.cicp);
    let (kind, mut pixels) = match (planes.is_grey(), alpha.is_some()) {
        (true, false) => (Kind::Grey, greys::<1>(&planes, cicp.full_range)),
        (true, true) => (Kind::GreyAlpha, greys::<2>(&planes, cicp.full_range)),
        (false, false) => (Kind::Rgb, colours::<3>(&planes, cicp)?),
        (false, true) => (Kind::Rgba, colours::<4>(&planes, cicp)?),
    };
    drop(planes);
    if let Some((alpha, premultiplied)) = alpha {
        limits.check_time()?;
        let (planes, sequence) = frame(&items, &alpha)?;
        let full_range = sequence.cicp.full_range;
        if kind == Kind::GreyAlpha {
            planes.brightness::<2>(full_range, 1, &mut pixels);
        } else {
            planes.brightness::<4>(full_range, 3, &mut pixels);
        }
        match (premultiplied, kind) {
            (false, _) => {}
            (true, Kind::GreyAlpha) => pixels.chunks_exact_mut(2).for_each(divide),
            (true, _) => pixels.chunks_exact_mut(4).for_each(divide),
        }
    }
    Ok(Samples::new(picture.size, kind, pixels))
}

/// Decodes an item, which has to be of the size that the file says.
fn frame(items: &Items<'_>, item: &Item<'_>) -> Result<(Planes, Sequence)> {
    let data = items.content(item)?;
    let sequence = Sequence::read(&data)?;
    let mut settings = Settings::new();
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    settings.set_all_layers(false);
    settings.set_frame_size_limit(u32::try_from(area(item.size)).unwrap_or(u32::MAX));
    let mut decoder = Decoder::with_settings(&settings).map_err(refused)?;
    match decoder.send_data(data.into_owned(), None, None, None) {
        Ok(()) | Err(re_rav1d::Error::Again) => {}
        Err(error) => return Err(refused(error)),
    }
    let planes = Planes::new(&decoder.get_picture().map_err(refused)?);
    let (width, height) = planes.size();
    if (width, height) != (item.size.width as usize, item.size.height as usize) {
        let found = Dimensions { width: width as u32, height: height as u32 };
        return Err(super::damaged(MediaType::Avif).with("header", item.size).with("found", found));
    }
    Ok((planes, sequence))
}

fn refused(error: re_rav1d::Error) -> Error {
    match error {
        re_rav1d::Error::UnsupportedBitstream => unusual("coded data beyond the decoder"),
        re_rav1d::Error::NotEnoughMemory => Error::unexpected("there is no memory to decode the picture"),
        other => broken(&other.to_string()),
    }
}

fn greys<const N: usize>(planes: &Planes, full_range: bool) -> Vec<u8> {
    let mut pixels = blank::<N>(planes);
    planes.brightness::<N>(full_range, 0, &mut pixels);
    pixels
}

fn colours<const N: usize>(planes: &Planes, cicp: cicp::Cicp) -> Result<Vec<u8>> {
    let mut pixels = blank::<N>(planes);
    planes.colours::<N>(cicp, &mut pixels)?;
    Ok(pixels)
}

fn blank<const N: usize>(planes: &Planes) -> Vec<u8> {
    let (width, height) = planes.size();
    vec![0; width * height * N]
}

fn broken(why: &str) -> Error {
    super::damaged(MediaType::Avif).because(why)
}

fn unusual(found: &str) -> Error {
    super::unusual(MediaType::Avif).with("found", found)
}
