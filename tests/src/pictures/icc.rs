//! Colour profiles (ICC.1:2001-04) small enough to be written by hand.

/// The colorants of sRGB, adapted to D50, in units of 1/65536.
const RED: [i32; 3] = [28_574, 14_581, 912];
const GREEN: [i32; 3] = [25_241, 46_981, 6_363];
const BLUE: [i32; 3] = [9_376, 3_974, 46_798];
const WHITE: [i32; 3] = [63_190, 65_536, 54_061];

/// A profile in red, green and blue with these colorants and one gamma, in units of 1/256.
pub fn rgb_profile(colorants: [[i32; 3]; 3], gamma: u16) -> Vec<u8> {
    let [red, green, blue] = colorants.map(xyz);
    let curve = curve(gamma);
    let tags: [(&[u8; 4], &[u8]); 7] = [
        (b"rXYZ", &red),
        (b"gXYZ", &green),
        (b"bXYZ", &blue),
        (b"rTRC", &curve),
        (b"gTRC", &curve),
        (b"bTRC", &curve),
        (b"wtpt", &xyz(WHITE)),
    ];
    profile(b"mntr", b"RGB ", b"XYZ ", &tags)
}

/// A profile that means green where others mean red, and the other way round.
pub fn swapped_profile() -> Vec<u8> {
    rgb_profile([GREEN, RED, BLUE], 563)
}

/// A grey profile of this gamma, in units of 1/256.
pub fn grey_profile(gamma: u16) -> Vec<u8> {
    profile(b"mntr", b"GRAY", b"XYZ ", &[(b"kTRC", &curve(gamma)), (b"wtpt", &xyz(WHITE))])
}

/// A profile of inks on white paper: black is black, the other inks are all the same middle grey.
pub fn cmyk_profile() -> Vec<u8> {
    pale_cmyk_profile(0)
}

/// As [`cmyk_profile`], with a black of this lightness, in units of 100/255.
pub fn pale_cmyk_profile(black_ink: u8) -> Vec<u8> {
    let mut table = b"mft1\0\0\0\0\x04\x03\x02\0".to_vec();
    for place in 0..9 {
        table.extend(if place % 4 == 0 { 65_536_i32 } else { 0 }.to_be_bytes());
    }
    let straight: Vec<u8> = (0..=255).collect();
    table.extend(straight.repeat(4));
    for node in 0..16 {
        let (black, inks) = (node & 1 != 0, node >> 1 != 0);
        table.extend([
            if black {
                black_ink
            } else if inks {
                128
            } else {
                255
            },
            128,
            128,
        ]);
    }
    table.extend(straight.repeat(3));
    profile(b"prtr", b"CMYK", b"Lab ", &[(b"A2B0", &table), (b"wtpt", &xyz(WHITE))])
}

fn xyz(values: [i32; 3]) -> Vec<u8> {
    [b"XYZ \0\0\0\0".to_vec(), values.iter().flat_map(|value| value.to_be_bytes()).collect()].concat()
}

fn curve(gamma: u16) -> Vec<u8> {
    [b"curv\0\0\0\0\0\0\0\x01".as_slice(), &gamma.to_be_bytes(), &[0, 0]].concat()
}

fn profile(class: &[u8], space: &[u8], connection: &[u8], tags: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut head = vec![0; 128];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = head.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    put(8, &[2, 0x40, 0, 0]);
    put(12, class);
    put(16, space);
    put(20, connection);
    put(36, b"acsp");
    put(68, &WHITE.iter().flat_map(|value| value.to_be_bytes()).collect::<Vec<_>>());
    let mut table = (tags.len() as u32).to_be_bytes().to_vec();
    let mut content = Vec::new();
    let start = 128 + 4 + 12 * tags.len();
    for (name, bytes) in tags {
        table.extend_from_slice(*name);
        table.extend(((start + content.len()) as u32).to_be_bytes());
        table.extend((bytes.len() as u32).to_be_bytes());
        content.extend_from_slice(bytes);
        content.resize(content.len().next_multiple_of(4), 0);
    }
    let mut bytes = [head, table, content].concat();
    let length = (bytes.len() as u32).to_be_bytes();
    if let Some(place) = bytes.get_mut(..4) {
        place.copy_from_slice(&length);
    }
    bytes
}
