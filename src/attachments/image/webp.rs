//! WebP, chunk by chunk (RFC 9649). By hand, like PNG.

use super::{CUT_OFF, NO_PICTURE};

/// The picture, and the frames of one that moves.
const KEPT: [&[u8; 4]; 5] = [b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"];
/// What is kept within a frame.
const KEPT_OF_FRAME: [&[u8; 4]; 3] = [b"VP8 ", b"VP8L", b"ALPH"];
/// The bits that promise a colour profile, EXIF and XMP.
const METADATA: u8 = 0b0010_1100;
/// What stands in a frame before its chunks.
const PLACE: usize = 16;

/// The image without its metadata, up to its end and no further.
pub(super) fn strip(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    let rest = bytes.strip_prefix(b"RIFF").ok_or("it does not begin like one")?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or(CUT_OFF)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| CUT_OFF)?;
    let (content, _) = rest.split_at_checked(length).ok_or(CUT_OFF)?;
    let mut rest = content.strip_prefix(b"WEBP").ok_or("it does not begin like one")?;
    let mut out = Vec::with_capacity(bytes.len() + 1);
    out.extend_from_slice(b"RIFF\0\0\0\0WEBP");
    let mut picture = false;
    while !rest.is_empty() {
        let (kind, data, after) = next(rest)?;
        rest = after;
        picture |= matches!(kind, b"VP8 " | b"VP8L" | b"ANMF");
        let begun = begin(&mut out, *kind);
        if kind == b"VP8X" {
            let (flags, size) = data.split_first().ok_or(CUT_OFF)?;
            out.push(flags & !METADATA);
            out.extend_from_slice(size);
        } else if kind == b"ANMF" {
            frame(data, &mut out)?;
        } else if KEPT.contains(&kind) {
            out.extend_from_slice(data);
        } else {
            out.truncate(begun - 8);
            continue;
        }
        end(&mut out, begun)?;
    }
    if !picture {
        return Err(NO_PICTURE);
    }
    measure(&mut out, 8)?;
    Ok(out)
}

/// A frame of an animation: where it stands, and chunks of which only the picture's are kept.
fn frame(data: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
    let (place, mut rest) = data.split_at_checked(PLACE).ok_or(CUT_OFF)?;
    out.extend_from_slice(place);
    while !rest.is_empty() {
        let (kind, data, after) = next(rest)?;
        rest = after;
        if KEPT_OF_FRAME.contains(&kind) {
            let begun = begin(out, *kind);
            out.extend_from_slice(data);
            end(out, begun)?;
        }
    }
    Ok(())
}

/// A chunk's kind, its content, and what follows it.
type Next<'a> = (&'a [u8; 4], &'a [u8], &'a [u8]);

/// The next chunk's kind and content, and what follows it. The byte that makes an odd length even may be missing at the end.
fn next(bytes: &[u8]) -> Result<Next<'_>, &'static str> {
    let (kind, rest) = bytes.split_first_chunk::<4>().ok_or(CUT_OFF)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or(CUT_OFF)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| CUT_OFF)?;
    let (data, rest) = rest.split_at_checked(length).ok_or(CUT_OFF)?;
    Ok((kind, data, rest.get(length % 2..).unwrap_or_default()))
}

/// Begins a chunk of which the length is not known yet; where its content begins.
fn begin(out: &mut Vec<u8>, kind: [u8; 4]) -> usize {
    out.extend_from_slice(&kind);
    out.extend_from_slice(&[0; 4]);
    out.len()
}

fn end(out: &mut Vec<u8>, begun: usize) -> Result<(), &'static str> {
    measure(out, begun)?;
    if (out.len() - begun) % 2 == 1 {
        out.push(0);
    }
    Ok(())
}

/// Writes the length of everything behind a place in front of it.
fn measure(out: &mut [u8], begun: usize) -> Result<(), &'static str> {
    let length = u32::try_from(out.len() - begun).map_err(|_| "it is too large")?;
    out.get_mut(begun - 4..begun).ok_or(CUT_OFF)?.copy_from_slice(&length.to_le_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SECRET, holds};
    use super::*;

    fn chunk(id: [u8; 4], data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap().to_le_bytes();
        [&id[..], &length[..], data, &vec![0; data.len() % 2]].concat()
    }

    fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
        let body = [b"WEBP".to_vec(), chunks.concat()].concat();
        [b"RIFF".to_vec(), u32::try_from(body.len()).unwrap().to_le_bytes().to_vec(), body].concat()
    }

    #[test]
    fn it_keeps_its_picture_and_says_that_there_is_no_more() {
        let inner = [chunk(*b"VP8 ", b"pixels"), chunk(*b"EXIF", SECRET), chunk(*b"ALPH", b"odd")].concat();
        let whole = riff(&[
            chunk(*b"VP8X", &[0b0011_1110, 0, 0, 0, 1, 0, 0, 1, 0, 0]),
            chunk(*b"ICCP", SECRET),
            chunk(*b"ANMF", &[&[7; 16][..], &inner].concat()),
            chunk(*b"VP8L", b"other pixels."),
            chunk(*b"EXIF", SECRET),
            chunk(*b"XMP ", SECRET),
            chunk(*b"what", SECRET),
        ]);
        let whole = [whole, SECRET.to_vec()].concat();
        let stripped = strip(&whole).unwrap();
        assert!(!holds(&stripped, SECRET) && holds(&stripped, b"pixels") && holds(&stripped, b"other pixels"));
        let kept = [chunk(*b"VP8 ", b"pixels"), chunk(*b"ALPH", b"odd")].concat();
        let expected = riff(&[
            chunk(*b"VP8X", &[0b0001_0010, 0, 0, 0, 1, 0, 0, 1, 0, 0]),
            chunk(*b"ANMF", &[&[7; 16][..], &kept].concat()),
            chunk(*b"VP8L", b"other pixels."),
        ]);
        assert_eq!(stripped, expected);
        assert_eq!(strip(&riff(&[chunk(*b"EXIF", SECRET)])), Err("it holds no picture"));
        for length in 0..whole.len() - SECRET.len() {
            assert!(strip(&whole[..length]).is_err(), "cut off at {length}");
        }
        // A chunk that says it is longer than what is left.
        let longer = [&b"VP8L"[..], &[200, 0, 0, 0], b"pixels"].concat();
        assert_eq!(strip(&riff(std::slice::from_ref(&longer))), Err("it is cut off"));
        assert_eq!(strip(&riff(&[chunk(*b"ANMF", &[&[7; 16][..], &longer].concat())])), Err("it is cut off"));
    }

    #[test]
    fn two_million_empty_chunks_cost_nothing_but_their_length() {
        for (kind, kept) in [(b"what", 0), (b"ALPH", 2 << 20)] {
            let many = chunk(*kind, b"").repeat(2 << 20);
            for whole in [
                riff(&[many.clone(), chunk(*b"VP8L", b"pixels")]),
                riff(&[chunk(*b"ANMF", &[&[7; 16][..], &many].concat()), chunk(*b"VP8L", b"pixels")]),
            ] {
                let stripped = strip(&whole).unwrap();
                assert_eq!(stripped.len(), whole.len() - many.len() + kept * 8);
                assert!(stripped.capacity() <= whole.len() + 1);
            }
        }
    }
}
