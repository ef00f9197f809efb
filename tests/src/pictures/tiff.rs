//! TIFF files put together tag by tag, little-endian.

/// The values of a tag.
#[derive(Clone, Debug)]
pub enum Values {
    /// Bytes of no kind.
    Bytes(Vec<u8>),
    /// Numbers of two bytes.
    Short(Vec<u16>),
    /// Numbers of four bytes.
    Long(Vec<u32>),
}

/// A TIFF file to be made.
#[derive(Clone, Debug, Default)]
pub struct Tiff {
    tags: Vec<(u16, Values)>,
    pieces: Vec<Vec<u8>>,
    tiled: bool,
    places: Option<(Values, Values)>,
}

impl Tiff {
    /// A file of `samples` samples of `bits` bits a pixel; `photometric` is 1 grey, 2 colour, 5 inks, 6 `YCbCr`;
    /// `compression` is 1 none, 5 LZW, 7 JPEG, 8 deflate.
    pub fn new(width: u32, height: u32, samples: u16, bits: u16, photometric: u16, compression: u16) -> Self {
        Self::default()
            .with(256, Values::Long(vec![width]))
            .with(257, Values::Long(vec![height]))
            .with(258, Values::Short(vec![bits; usize::from(samples)]))
            .with(259, Values::Short(vec![compression]))
            .with(262, Values::Short(vec![photometric]))
            .with(277, Values::Short(vec![samples]))
    }

    /// Adds a tag.
    pub fn with(mut self, tag: u16, values: Values) -> Self {
        self.tags.push((tag, values));
        self
    }

    /// Adds strips of so many rows.
    pub fn strips(self, rows: u32, strips: Vec<Vec<u8>>) -> Self {
        Self { pieces: strips, ..self.with(278, Values::Long(vec![rows])) }
    }

    /// Adds tiles of this size.
    pub fn tiles(self, width: u32, height: u32, tiles: Vec<Vec<u8>>) -> Self {
        let sized = self.with(322, Values::Long(vec![width])).with(323, Values::Long(vec![height]));
        Self { pieces: tiles, tiled: true, ..sized }
    }

    /// Says that pieces lie at these places and have these lengths, whatever there is. The first piece lies at 8.
    pub fn with_pieces_at(self, offsets: Values, lengths: Values) -> Self {
        Self { places: Some((offsets, lengths)), ..self }
    }

    /// Writes the file: the pieces, then the directory, then what does not fit into it.
    pub fn file(mut self) -> Vec<u8> {
        let mut bytes = vec![b'I', b'I', 42, 0, 0, 0, 0, 0];
        let (mut offsets, mut lengths) = (Vec::new(), Vec::new());
        for piece in &self.pieces {
            offsets.push(bytes.len() as u32);
            lengths.push(piece.len() as u32);
            bytes.extend_from_slice(piece);
        }
        let (offset_tag, length_tag) = if self.tiled { (324, 325) } else { (273, 279) };
        let (offsets, lengths) = self.places.take().unwrap_or((Values::Long(offsets), Values::Long(lengths)));
        self.tags.push((offset_tag, offsets));
        self.tags.push((length_tag, lengths));
        self.tags.sort_by_key(|(tag, _)| *tag);
        if bytes.len() % 2 == 1 {
            bytes.push(0);
        }
        let directory = bytes.len();
        let after = directory + 2 + 12 * self.tags.len() + 4;
        let (mut entries, mut beyond) = (Vec::new(), Vec::new());
        for (tag, values) in &self.tags {
            let (kind, count, content) = match values {
                Values::Bytes(values) => (7_u16, values.len(), values.clone()),
                Values::Short(values) => (3, values.len(), values.iter().flat_map(|n| n.to_le_bytes()).collect()),
                Values::Long(values) => (4, values.len(), values.iter().flat_map(|n| n.to_le_bytes()).collect()),
            };
            entries.extend(tag.to_le_bytes());
            entries.extend(kind.to_le_bytes());
            entries.extend((count as u32).to_le_bytes());
            if content.len() <= 4 {
                let mut inside = content;
                inside.resize(4, 0);
                entries.extend(inside);
            } else {
                entries.extend(((after + beyond.len()) as u32).to_le_bytes());
                beyond.extend(content);
            }
        }
        bytes.extend((self.tags.len() as u16).to_le_bytes());
        bytes.extend(entries);
        bytes.extend([0; 4]);
        bytes.extend(beyond);
        if let Some(place) = bytes.get_mut(4..8) {
            place.copy_from_slice(&(directory as u32).to_le_bytes());
        }
        bytes
    }
}
