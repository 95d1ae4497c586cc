//! PNG, chunk by chunk (ISO/IEC 15948). By hand, like JPEG: what is kept is copied into one piece of memory, and a file that
//! is made of nothing but empty chunks costs no more than its length.

use super::CUT_OFF;

pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The picture, and how it is to be shown; everything else is written beside it.
const KEPT: [&[u8; 4]; 11] =
    [b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs"];
/// Of an animation: without these only one picture of it would be left.
const MOVES: [&[u8; 4]; 3] = [b"acTL", b"fcTL", b"fdAT"];

/// The image without its metadata, up to its end and no further.
pub(super) fn strip(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut rest = bytes.strip_prefix(SIGNATURE).ok_or("it does not begin like one")?;
    let mut out = Vec::with_capacity(bytes.len());
    out.extend_from_slice(SIGNATURE);
    let mut picture = false;
    loop {
        let (length, _) = rest.split_first_chunk::<4>().ok_or(CUT_OFF)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| CUT_OFF)?;
        // The length, the kind, the content, and the sum of the two before it.
        let (chunk, after) = length.checked_add(12).and_then(|whole| rest.split_at_checked(whole)).ok_or(CUT_OFF)?;
        let (summed, sum) = chunk.get(4..).and_then(<[u8]>::split_last_chunk::<4>).ok_or(CUT_OFF)?;
        if crc(summed) != u32::from_be_bytes(*sum) {
            return Err("a part of it does not fit its checksum");
        }
        let (kind, _) = summed.split_first_chunk::<4>().ok_or(CUT_OFF)?;
        if out.len() == SIGNATURE.len() && kind != b"IHDR" {
            return Err(super::NO_PICTURE);
        }
        if MOVES.contains(&kind) {
            return Err("it is an animation, of which one picture would be left");
        }
        picture |= kind == b"IDAT";
        if KEPT.contains(&kind) {
            out.extend_from_slice(chunk);
        }
        if kind == b"IEND" {
            return if picture { Ok(out) } else { Err(super::NO_PICTURE) };
        }
        rest = after;
    }
}

/// CRC-32 of each half of a byte, to be put together.
const TABLE: [u32; 16] = [
    0x0000_0000,
    0x1db7_1064,
    0x3b6e_20c8,
    0x26d9_30ac,
    0x76dc_4190,
    0x6b6b_51f4,
    0x4db2_6158,
    0x5005_713c,
    0xedb8_8320,
    0xf00f_9344,
    0xd6d6_a3e8,
    0xcb61_b38c,
    0x9b64_c2b0,
    0x86d3_d2d4,
    0xa00a_e278,
    0xbdbd_f21c,
];

fn crc(bytes: &[u8]) -> u32 {
    let half = |sum: u32| TABLE.get((sum & 0xf) as usize).copied().unwrap_or_default() ^ (sum >> 4);
    !bytes.iter().fold(!0, |sum, byte| half(half(sum ^ u32::from(*byte))))
}

#[cfg(test)]
mod tests {
    use super::super::tests::SECRET;
    use super::*;

    fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
        let summed = [&kind[..], data].concat();
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&length[..], &summed, &crc(&summed).to_be_bytes()].concat()
    }

    fn picture() -> [Vec<u8>; 3] {
        let header = chunk(*b"IHDR", b"\0\0\0\x01\0\0\0\x01\x08\0\0\0\0");
        [header, chunk(*b"IDAT", b"pixels"), chunk(*b"IEND", b"")]
    }

    #[test]
    fn the_sum_is_that_of_the_standard() {
        assert_eq!(crc(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc(b"IEND"), 0xae42_6082);
    }

    #[test]
    fn it_keeps_its_picture_and_nothing_that_was_written_beside_it() {
        let [header, pixels, end] = picture();
        let beside: Vec<u8> =
            [b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"tIME", b"iCCP", b"prVt"].map(|kind| chunk(*kind, SECRET)).concat();
        let whole = [SIGNATURE, &header, &beside, &pixels, &beside, &end, SECRET].concat();
        assert_eq!(strip(&whole).unwrap(), [SIGNATURE, &header, &pixels, &end].concat());
        for length in 0..whole.len() - SECRET.len() {
            assert!(strip(&whole[..length]).is_err(), "cut off at {length}");
        }
        for at in [SIGNATURE.len() + 20, whole.len() - SECRET.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(strip(&changed).is_err(), "changed at {at}");
        }
        let late = [SIGNATURE, &pixels, &header, &end].concat();
        assert_eq!(strip(&late), Err("it holds no picture"));
        assert_eq!(strip(&[SIGNATURE, &header, &end].concat()), Err("it holds no picture"));
    }

    #[test]
    fn one_that_moves_is_refused_and_not_made_into_one_picture() {
        let [header, pixels, end] = picture();
        for moves in MOVES {
            let whole = [SIGNATURE, &header, &chunk(*moves, &[0; 8]), &pixels, &end].concat();
            assert!(strip(&whole).unwrap_err().contains("animation"), "{moves:?}");
        }
    }

    #[test]
    fn a_million_empty_chunks_cost_nothing_but_their_length() {
        let [header, pixels, end] = picture();
        for (kind, kept) in [(b"prVt", 0), (b"IDAT", 1 << 20)] {
            let many = chunk(*kind, b"").repeat(1 << 20);
            let whole = [SIGNATURE, &header, &many, &pixels, &end].concat();
            let stripped = strip(&whole).unwrap();
            assert_eq!(stripped.len(), whole.len() - many.len() + kept * 12);
            assert!(stripped.capacity() <= whole.len());
        }
    }
}
