//! JPEG, marker by marker (ITU T.81, annex B). Of its own: the libraries that take JPEG apart keep everything behind the
//! first scan as it is, and behind the image's end phones write whole films.

use super::CUT_OFF;

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const APP0: u8 = 0xe0;
const APP14: u8 = 0xee;

/// The image without its metadata, up to its end and no further.
pub(super) fn strip(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut rest = bytes.strip_prefix(&[0xff, SOI]).ok_or("it does not begin like one")?;
    let mut out = Vec::with_capacity(bytes.len());
    out.extend_from_slice(&[0xff, SOI]);
    let (mut frame, mut scanning, mut scanned) = (false, false, false);
    loop {
        // Behind a scan's header comes the picture, as far as the next marker; before it there is nothing between markers.
        let at = rest.iter().position(|byte| *byte == 0xff).ok_or(CUT_OFF)?;
        let (picture, after) = rest.split_at_checked(at).ok_or(CUT_OFF)?;
        if scanning {
            out.extend_from_slice(picture);
        }
        let fill = after.iter().take_while(|byte| **byte == 0xff).count();
        let (_, after) = after.split_at_checked(fill).ok_or(CUT_OFF)?;
        let (&marker, after) = after.split_first().ok_or(CUT_OFF)?;
        rest = after;
        match marker {
            // A byte of the picture that looks like a marker, and the marks within a scan.
            0x00 | 0xd0..=0xd7 if scanning => out.extend_from_slice(&[0xff, marker]),
            EOI if scanned => {
                out.extend_from_slice(&[0xff, EOI]);
                return Ok(out);
            }
            EOI => return Err("it holds no picture"),
            0x00 | 0x01 | 0xd0..=0xd7 | SOI => return Err("it is put together wrongly"),
            _ => {
                let (length, after) = rest.split_first_chunk::<2>().ok_or(CUT_OFF)?;
                let length =
                    usize::from(u16::from_be_bytes(*length)).checked_sub(2).ok_or("a part of it is too short")?;
                let (content, after) = after.split_at_checked(length).ok_or(CUT_OFF)?;
                rest = after;
                // A picture goes on behind another scan's header only.
                scanning = marker == SOS;
                scanned |= scanning;
                if scanning && !frame {
                    return Err("it holds no picture");
                }
                frame |= matches!(marker, 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf);
                if let Some(kept) = kept(marker, content) {
                    let length = u16::try_from(kept.len() + 2).map_err(|_| "a part of it is too long")?;
                    out.extend_from_slice(&[0xff, marker]);
                    out.extend_from_slice(&length.to_be_bytes());
                    out.extend_from_slice(&kept);
                }
            }
        }
    }
}

/// What is kept of a segment: tables, frames and scans whole; of the application's segments how dense the pixels are, and
/// how the colours are to be read.
fn kept(marker: u8, content: &[u8]) -> Option<Vec<u8>> {
    match marker {
        // Frames, tables, restart interval, number of lines; not 0xc8, which was reserved and is nothing.
        0xc0..=0xc7 | 0xc9..=0xcf | 0xda..=0xdd => Some(content.to_vec()),
        // Without the small copy that may hang on it.
        APP0 if content.starts_with(b"JFIF\0") => Some([content.get(..12)?, &[0, 0]].concat()),
        APP14 if content.starts_with(b"Adobe") => Some(content.get(..12)?.to_vec()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &[u8] = b"Xirdalan 40.45N";

    fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
        [&[0xff, marker][..], &u16::try_from(content.len() + 2).unwrap().to_be_bytes(), content].concat()
    }

    /// Two scans, with something that tells between them, and something behind the end.
    fn told() -> (Vec<u8>, Vec<u8>) {
        let beside = [
            segment(0xe1, &[b"Exif\0\0", SECRET].concat()),
            segment(0xe1, &[b"http://ns.adobe.com/xap/1.0/\0", SECRET].concat()),
            segment(0xed, &[b"Photoshop 3.0\0", SECRET].concat()),
            segment(0xe2, &[b"ICC_PROFILE\0", SECRET].concat()),
            segment(0xe0, &[b"JFXX\0", SECRET].concat()),
            segment(0xfe, SECRET),
            segment(0xf0, SECRET),
        ]
        .concat();
        let jfif = |thumb: &[u8]| segment(APP0, &[b"JFIF\0\x01\x02\x01\0\x48\0\x48", thumb].concat());
        let adobe = |more: &[u8]| segment(APP14, &[b"Adobe\0\x64\0\0\0\0\x01", more].concat());
        let (table, frame) = (segment(0xdb, &[1; 65]), segment(0xc2, &[8, 0, 1, 0, 1, 1, 1, 0x11, 0]));
        let scan = [segment(SOS, &[1, 1, 0, 0, 63, 0]), b"pix\xff\0els\xff\xd3more".to_vec()].concat();
        let huffman = segment(0xc4, &[0; 17]);
        let whole = [
            &[0xff, SOI][..],
            &jfif(&[&[1, 1][..], SECRET].concat()),
            &beside,
            &adobe(SECRET),
            &table,
            &beside,
            &frame,
            &[0xff, 0xff],
            &huffman,
            &scan,
            &beside,
            &huffman,
            &scan,
            &[0xff, EOI],
            b"ftypmp4",
            SECRET,
        ]
        .concat();
        let picture = [
            &[0xff, SOI][..],
            &jfif(&[0, 0]),
            &adobe(&[]),
            &table,
            &frame,
            &huffman,
            &scan,
            &huffman,
            &scan,
            &[0xff, EOI],
        ]
        .concat();
        (whole, picture)
    }

    #[test]
    fn it_keeps_its_picture_and_nothing_that_was_written_beside_it() {
        let (whole, picture) = told();
        let whole = [&whole[..2], &whole[2..]].concat();
        // Fill bytes stand in front of a marker and say nothing.
        assert_eq!(strip(&whole).unwrap(), picture);
        assert_eq!(strip(&picture).unwrap(), picture, "what is stripped stays as it is");
    }

    #[test]
    fn what_is_cut_off_or_no_picture_is_refused() {
        let (whole, picture) = told();
        let end = whole.len() - SECRET.len() - 7;
        for length in 0..end {
            assert!(strip(&whole[..length]).is_err(), "cut off at {length}");
        }
        assert_eq!(strip(&[&picture[..2], &[0xff, EOI]].concat()), Err("it holds no picture"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_loop(bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0_usize..300) {
            let _ = strip(&[&[0xff, SOI, 0xff], &bytes[..]].concat());
            let (mut whole, _) = told();
            for (place, byte) in whole.iter_mut().skip(at).zip(bytes.iter().take(3)) {
                *place = *byte;
            }
            let _ = strip(&whole);
        }
    }
}
