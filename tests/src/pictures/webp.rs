//! WebP files put together chunk by chunk.

/// Writes a file of these chunks.
pub fn riff(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut content = b"WEBP".to_vec();
    for (kind, bytes) in chunks {
        content.extend_from_slice(*kind);
        content.extend((bytes.len() as u32).to_le_bytes());
        content.extend_from_slice(bytes);
        if bytes.len() % 2 == 1 {
            content.push(0);
        }
    }
    [b"RIFF".as_slice(), &(content.len() as u32).to_le_bytes(), &content].concat()
}

/// The chunks of a file, each with its name.
pub fn webp_chunks(file: &[u8]) -> Vec<([u8; 4], Vec<u8>)> {
    let mut rest = file.get(12..).unwrap_or_default();
    let mut chunks = Vec::new();
    while let Some((kind, after)) = rest.split_first_chunk::<4>() {
        let Some((length, after)) = after.split_first_chunk::<4>() else { break };
        let length = u32::from_le_bytes(*length) as usize;
        chunks.push((*kind, after.get(..length).unwrap_or(after).to_vec()));
        rest = after.get(length + length % 2..).unwrap_or_default();
    }
    chunks
}

/// Three bytes of a number, the least first.
fn three(number: u32) -> [u8; 3] {
    let [low, middle, high, _] = number.to_le_bytes();
    [low, middle, high]
}

/// The header of an extended file: `flags` are 2 animation, 8 EXIF, 16 alpha, 32 profile.
pub(super) fn extended(flags: u8, width: u32, height: u32) -> Vec<u8> {
    [&[flags, 0, 0, 0][..], &three(width - 1), &three(height - 1)].concat()
}

/// A frame of an animation at the top left, of a coded picture.
pub(super) fn frame(width: u32, height: u32, kind: &[u8], coded: &[u8]) -> Vec<u8> {
    let place = [&[0; 6][..], &three(width - 1), &three(height - 1), &three(100), &[0]].concat();
    let filling = vec![0; coded.len() % 2];
    [&place[..], kind, &(coded.len() as u32).to_le_bytes(), coded, &filling].concat()
}
