//! The items of a file: which one is the picture, which one its transparency, what is said of them, and where their
//! bytes lie (ISO/IEC 23008-12, sections 6 and 9).

use std::borrow::Cow;

use pipeline_core::error::Result;
use pipeline_core::provider::Dimensions;

use super::boxes::{Boxed, Fields, boxes, find};
use super::cicp::Cicp;
use super::turn::Turn;
use super::{broken, unusual};

/// Most items that say they belong to the picture and are looked at: transparency, depth, and few more.
const MAX_BESIDE: usize = 16;

/// Most properties of an item; a picture has five or so.
const MAX_PROPERTIES: usize = 64;

/// What the auxiliary picture of transparency is called.
const ALPHA: [&[u8]; 2] = [b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0", b"urn:mpeg:hevc:2015:auxid:1\0"];

/// A kind, a content, and whether it must be understood.
type Property<'a> = (&'a [u8; 4], &'a [u8], bool);

/// A coded picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    id: u64,
    pub(super) size: Dimensions,
    /// The colour profile.
    pub(super) profile: Option<&'a [u8]>,
    /// What the numbers of its pixels mean, where the file says so outside the coded data.
    pub(super) cicp: Option<Cicp>,
    pub(super) turn: Turn,
}

/// All items.
#[derive(Debug)]
pub(super) struct Items<'a> {
    file: &'a [u8],
    /// The bytes of the file's `meta` box, less version and flags.
    meta: &'a [u8],
    properties: Vec<Boxed<'a>>,
    associations: &'a [u8],
}

impl<'a> Items<'a> {
    pub(super) fn read(file: &'a [u8]) -> Result<Self> {
        // Every box is looked at: a file that is cut short is noticed whatever is missing.
        let Some(meta) = find(file, *b"meta")? else {
            return Err(match find(file, *b"moov")? {
                Some(_) => unusual("a sequence without a picture beside it"),
                None => broken("there is no picture"),
            });
        };
        let meta = meta.get(4..).ok_or_else(|| broken("the meta box is too short"))?;
        let properties = need(meta, *b"iprp")?;
        let associations = need(properties, *b"ipma")?;
        let properties = boxes(need(properties, *b"ipco")?).collect::<Result<_>>()?;
        Ok(Self { file, meta, properties, associations })
    }

    /// The picture.
    pub(super) fn primary(&self) -> Result<Item<'a>> {
        let id = Fields::versioned(need(self.meta, *b"pitm")?)
            .and_then(|(mut fields, version, _)| fields.number(if version == 0 { 2 } else { 4 }));
        self.item(id.ok_or_else(|| broken("the main picture is not named"))?)
    }

    /// The transparency of a picture, and whether its colours are multiplied with it.
    pub(super) fn alpha_of(&self, picture: &Item<'a>) -> Result<Option<(Item<'a>, bool)>> {
        let Some(references) = find(self.meta, *b"iref")? else { return Ok(None) };
        let (fields, version, _) = Fields::versioned(references).ok_or_else(|| broken("a reference is cut off"))?;
        let bytes = if version == 0 { 2 } else { 4 };
        let mut alpha = None;
        let mut premultiplied_with = None;
        let mut looked_at = 0;
        for each in boxes(fields.0) {
            let (kind, content) = each?;
            let mut fields = Fields(content);
            let ends = fields.number(bytes).zip(fields.number(2)).zip(fields.number(bytes));
            let ((from, _), to) = ends.ok_or_else(|| broken("a reference is cut off"))?;
            match kind {
                b"auxl" if to == picture.id && alpha.is_none() && looked_at < MAX_BESIDE => {
                    looked_at += 1;
                    alpha = self.alpha(from)?;
                }
                b"prem" if from == picture.id => premultiplied_with = Some(to),
                _ => {}
            }
        }
        Ok(alpha.map(|alpha| (alpha, premultiplied_with == Some(alpha.id))))
    }

    /// The bytes of an item.
    pub(super) fn content(&self, item: &Item<'a>) -> Result<Cow<'a, [u8]>> {
        let places = need(self.meta, *b"iloc")?;
        let (method, extents) = places_of(places, item.id).ok_or_else(|| broken("a picture has no place"))?;
        let source = match method {
            0 => self.file,
            1 => need(self.meta, *b"idat")?,
            _ => return Err(unusual("a picture made from other items")),
        };
        let mut content = Cow::Borrowed(&[][..]);
        for (offset, length) in extents {
            let from = usize::try_from(offset).ok().and_then(|offset| source.get(offset..));
            let piece = match usize::try_from(length) {
                Ok(0) => from,
                Ok(length) => from.and_then(|from| from.get(..length)),
                Err(_) => None,
            };
            let piece = piece.ok_or_else(|| broken("a picture lies outside the file"))?;
            if content.is_empty() {
                content = Cow::Borrowed(piece);
            } else if content.len() + piece.len() <= self.file.len() {
                content.to_mut().extend_from_slice(piece);
            } else {
                return Err(broken("a picture is longer than the file"));
            }
        }
        Ok(content)
    }

    /// An item that is a picture coded as AV1.
    fn item(&self, id: u64) -> Result<Item<'a>> {
        match self.kind(id)?.ok_or_else(|| broken("an item is not described"))? {
            b"av01" => self.described(id),
            b"grid" => Err(unusual("a grid of pictures")),
            other => Err(unusual(&String::from_utf8_lossy(other))),
        }
    }

    /// An item as transparency; `None` when it is something else.
    fn alpha(&self, id: u64) -> Result<Option<Item<'a>>> {
        let listed = self.of(id)?;
        let is_alpha = listed.iter().any(|(kind, content, _)| *kind == b"auxC" && names_alpha(content));
        if is_alpha { self.item(id).map(Some) } else { Ok(None) }
    }

    /// The kind of an item.
    fn kind(&self, id: u64) -> Result<Option<&'a [u8; 4]>> {
        let cut = || broken("the list of items is cut off");
        let (mut fields, version, _) = Fields::versioned(need(self.meta, *b"iinf")?).ok_or_else(cut)?;
        fields.number(if version == 0 { 2 } else { 4 }).ok_or_else(cut)?;
        for each in boxes(fields.0) {
            let (kind, content) = each?;
            let (mut fields, version, _) = Fields::versioned(content).ok_or_else(cut)?;
            if kind != b"infe" || version < 2 || fields.number(if version == 2 { 2 } else { 4 }) != Some(id) {
                continue;
            }
            if fields.number(2).ok_or_else(cut)? != 0 {
                return Err(unusual("an encrypted picture"));
            }
            return fields.0.first_chunk::<4>().map(Some).ok_or_else(cut);
        }
        Ok(None)
    }

    /// Reads what is said of an item. A property that must be understood, and is not, is an error.
    fn described(&self, id: u64) -> Result<Item<'a>> {
        let mut size = None;
        let nothing = Dimensions { width: 0, height: 0 };
        let mut item = Item { id, size: nothing, profile: None, cicp: None, turn: Turn::default() };
        for (kind, content, essential) in self.of(id)? {
            let cut = || broken("a property is cut off");
            match kind {
                b"ispe" => {
                    let (mut fields, _, _) = Fields::versioned(content).ok_or_else(cut)?;
                    let (width, height) = fields.number(4).zip(fields.number(4)).ok_or_else(cut)?;
                    size = Some(Dimensions { width: width as u32, height: height as u32 });
                }
                b"colr" => match content.split_first_chunk::<4>().ok_or_else(cut)? {
                    (b"prof" | b"rICC", profile) => item.profile = item.profile.or(Some(profile)),
                    (b"nclx", values) => item.cicp = Some(Cicp::read(values).ok_or_else(cut)?),
                    _ => {}
                },
                b"irot" => item.turn = item.turn.anticlockwise(*content.first().ok_or_else(cut)?),
                b"imir" => item.turn = item.turn.mirrored(*content.first().ok_or_else(cut)?),
                b"av1C" | b"auxC" | b"pixi" => {}
                other if essential => return Err(unusual(&String::from_utf8_lossy(other))),
                _ => {}
            }
        }
        item.size = size.ok_or_else(|| broken("a picture says no size"))?;
        Ok(item)
    }

    /// The properties of an item.
    fn of(&self, id: u64) -> Result<Vec<Property<'a>>> {
        let cut = || broken("the list of properties is cut off");
        let (mut fields, version, flags) = Fields::versioned(self.associations).ok_or_else(cut)?;
        let wide = flags & 1 == 1;
        let mut found = Vec::new();
        for _ in 0..fields.number(4).ok_or_else(cut)? {
            let item = fields.number(if version == 0 { 2 } else { 4 }).ok_or_else(cut)?;
            for _ in 0..fields.number(1).ok_or_else(cut)? {
                let (essential, index) = match fields.number(if wide { 2 } else { 1 }).ok_or_else(cut)? {
                    number if wide => (number >> 15 == 1, number & 0x7fff),
                    number => (number >> 7 == 1, number & 0x7f),
                };
                // Number 0 is no property.
                if item == id && index > 0 {
                    if found.len() == MAX_PROPERTIES {
                        return Err(broken("a picture has too many properties"));
                    }
                    let property = self.properties.get(index as usize - 1);
                    let (kind, content) = property.ok_or_else(|| broken("a property is missing"))?;
                    found.push((*kind, *content, essential));
                }
            }
        }
        Ok(found)
    }
}

fn need(bytes: &[u8], kind: [u8; 4]) -> Result<&[u8]> {
    find(bytes, kind)?.ok_or_else(|| broken(&format!("there is no {} box", String::from_utf8_lossy(&kind))))
}

fn names_alpha(content: &[u8]) -> bool {
    content.get(4..).is_some_and(|name| ALPHA.iter().any(|alpha| name.starts_with(alpha)))
}

/// Where the pieces of an item lie: what is counted from, and each one's place and length.
fn places_of(places: &[u8], wanted: u64) -> Option<(u64, Vec<(u64, u64)>)> {
    let (mut fields, version, _) = Fields::versioned(places)?;
    let sizes = fields.number(2)?;
    let [for_offset, for_length, for_base, for_index] = [12, 8, 4, 0].map(|shift| (sizes >> shift & 0xf) as usize);
    if [for_offset, for_length, for_base, for_index].iter().any(|bytes| *bytes > 8) {
        return None;
    }
    let for_id = if version < 2 { 2 } else { 4 };
    for _ in 0..fields.number(for_id)? {
        let id = fields.number(for_id)?;
        let method = if version == 0 { 0 } else { fields.number(2)? & 0xf };
        let elsewhere = fields.number(2)? != 0;
        let base = fields.number(for_base)?;
        let mut extents = Vec::new();
        for _ in 0..fields.number(2)? {
            if version > 0 {
                fields.number(for_index)?;
            }
            let (offset, length) = (fields.number(for_offset)?, fields.number(for_length)?);
            if id == wanted {
                extents.push((base.checked_add(offset)?, length));
            }
        }
        if id == wanted {
            return (!elsewhere).then_some((method, extents));
        }
    }
    None
}
