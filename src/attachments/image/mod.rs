//! Images, without what a camera or a program wrote beside the picture: where and when it was taken, by which device, a
//! small copy of what was cut off.
//!
//! What an image is, its bytes say and not its sender. What is kept is listed, so a chunk that nobody thought of goes. A
//! picture's orientation and its colour profile are metadata too, and go as well.

mod jpeg;

use axum::body::Bytes;
use img_parts::Error;
use img_parts::png::Png;
use img_parts::riff::{RiffChunk, RiffContent};
use img_parts::webp::{CHUNK_ALPH, CHUNK_ANIM, CHUNK_ANMF, CHUNK_VP8, CHUNK_VP8L, CHUNK_VP8X, WebP};

/// So many bytes are enough to tell what it is.
pub(super) const TELLING: usize = 16;

/// A kind of image whose metadata is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Image {
    Jpeg,
    Png,
    WebP,
}

/// What some bytes begin like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recognised {
    Image(Image),
    /// An image that this program cannot take apart, by its name.
    OtherImage(&'static str),
    Opaque,
}

impl Image {
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
        }
    }

    /// The image without its metadata.
    ///
    /// # Errors
    /// A sentence's end that says what is wrong with it.
    pub(super) fn strip(self, bytes: Bytes) -> Result<Bytes, &'static str> {
        match self {
            Self::Jpeg => jpeg::strip(&bytes).map(Bytes::from),
            Self::Png => png(bytes),
            Self::WebP => webp(bytes),
        }
    }
}

/// What a file is, by its beginning.
pub(super) fn recognise(head: &[u8]) -> Recognised {
    use Recognised::OtherImage;
    const HEIF: [&[u8]; 11] =
        [b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"mif2", b"msf1", b"avif", b"avis"];
    let at = |from: usize, wanted: &[u8]| head.get(from..from + wanted.len()) == Some(wanted);
    if at(0, b"\xff\xd8\xff") {
        Recognised::Image(Image::Jpeg)
    } else if at(0, b"\x89PNG\r\n\x1a\n") {
        Recognised::Image(Image::Png)
    } else if at(0, b"RIFF") && at(8, b"WEBP") {
        Recognised::Image(Image::WebP)
    } else if at(4, b"ftyp") && HEIF.iter().any(|brand| at(8, brand)) {
        OtherImage("HEIC or AVIF")
    } else if at(0, b"II*\0") || at(0, b"MM\0*") {
        OtherImage("TIFF or a camera's raw format")
    } else if at(0, b"GIF87a") || at(0, b"GIF89a") {
        OtherImage("GIF")
    } else if at(0, b"\0\0\0\x0cJXL ") || at(0, b"\xff\x0a") {
        OtherImage("JPEG XL")
    } else {
        Recognised::Opaque
    }
}

fn said(error: &Error) -> &'static str {
    match error {
        Error::WrongSignature => "it does not begin like one",
        Error::BadCRC => "a part of it does not fit its checksum",
        Error::Truncated => "it is cut off",
    }
}

fn png(bytes: Bytes) -> Result<Bytes, &'static str> {
    const KEPT: [&[u8; 4]; 11] =
        [b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs"];
    let mut image = Png::from_bytes(bytes).map_err(|error| said(&error))?;
    let chunks = image.chunks_mut();
    let kind = |chunk: Option<&img_parts::png::PngChunk>| chunk.map(img_parts::png::PngChunk::kind);
    if kind(chunks.first()) != Some(*b"IHDR") || !chunks.iter().any(|chunk| chunk.kind() == *b"IDAT") {
        return Err("it holds no picture");
    }
    if kind(chunks.last()) != Some(*b"IEND") {
        return Err("it is cut off");
    }
    chunks.retain(|chunk| KEPT.contains(&&chunk.kind()));
    Ok(image.encoder().bytes())
}

fn webp(bytes: Bytes) -> Result<Bytes, &'static str> {
    /// The bits that promise a colour profile, EXIF and XMP.
    const METADATA: u8 = 0b0010_1100;
    let mut image = WebP::from_bytes(bytes).map_err(|error| said(&error))?;
    let chunks = image.chunks_mut();
    chunks
        .retain(|chunk| [CHUNK_VP8X, CHUNK_VP8, CHUNK_VP8L, CHUNK_ALPH, CHUNK_ANIM, CHUNK_ANMF].contains(&chunk.id()));
    for chunk in chunks.iter_mut() {
        let id = chunk.id();
        let RiffContent::Data(data) = chunk.content_mut() else { return Err("it is put together wrongly") };
        if id == CHUNK_VP8X {
            let mut flags = data.to_vec();
            let first = flags.first_mut().ok_or("it is cut off")?;
            *first &= !METADATA;
            *data = flags.into();
        } else if id == CHUNK_ANMF {
            *data = frame(data)?;
        }
    }
    if !chunks.iter().any(|chunk| [CHUNK_VP8, CHUNK_VP8L, CHUNK_ANMF].contains(&chunk.id())) {
        return Err("it holds no picture");
    }
    Ok(image.encoder().bytes())
}

/// A frame of an animation: sixteen bytes, and chunks of which only the picture's are kept.
fn frame(data: &Bytes) -> Result<Bytes, &'static str> {
    const PLACE: usize = 16;
    let (place, chunks) = data.split_at_checked(PLACE).ok_or("it is cut off")?;
    let length = u32::try_from(chunks.len() + 4).map_err(|_| "it is too large")?;
    // The library reads chunks within a list: a list is put around them.
    let list = [b"RIFF", &length.to_le_bytes()[..], b"ANMF", chunks].concat();
    let mut list = RiffChunk::from_bytes(list.into()).map_err(|error| said(&error))?;
    let RiffContent::List { subchunks, .. } = list.content_mut() else { return Err("it is put together wrongly") };
    subchunks.retain(|chunk| [CHUNK_VP8, CHUNK_VP8L, CHUNK_ALPH].contains(&chunk.id()));
    let kept = list.encoder().bytes();
    Ok([place, kept.get(12..).unwrap_or_default()].concat().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"Xirdalan 40.45N";

    fn holds(image: &[u8], wanted: &[u8]) -> bool {
        image.windows(wanted.len()).any(|part| part == wanted)
    }

    fn chunk(id: [u8; 4], data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap().to_le_bytes();
        [&id[..], &length[..], data, &vec![0; data.len() % 2]].concat()
    }

    fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
        let body = [b"WEBP".to_vec(), chunks.concat()].concat();
        [b"RIFF".to_vec(), u32::try_from(body.len()).unwrap().to_le_bytes().to_vec(), body].concat()
    }

    #[test]
    fn a_png_keeps_its_picture_and_nothing_that_was_written_beside_it() {
        use img_parts::png::PngChunk;
        let part =
            |kind: &[u8; 4], data: &'static [u8]| PngChunk::new(*kind, Bytes::from_static(data)).encoder().bytes();
        let picture =
            [part(b"IHDR", b"\0\0\0\x01\0\0\0\x01\x08\0\0\0\0"), part(b"IDAT", b"pixels"), part(b"IEND", b"")];
        let [header, pixels, end] = &picture;
        let beside: Vec<Bytes> =
            [b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"tIME", b"iCCP", b"prVt"].map(|kind| part(kind, SECRET)).into();
        let signature = b"\x89PNG\r\n\x1a\n";
        let whole = [&signature[..], header, &beside.concat(), pixels, &beside.concat(), end, SECRET].concat();
        assert_eq!(recognise(&whole), Recognised::Image(Image::Png));
        let stripped = Image::Png.strip(whole.clone().into()).unwrap();
        assert_eq!(stripped, [&signature[..], &picture.concat()].concat());
        for length in 0..whole.len() - SECRET.len() {
            assert!(Image::Png.strip(whole[..length].to_vec().into()).is_err(), "cut off at {length}");
        }
    }

    #[test]
    fn a_webp_keeps_its_picture_and_says_that_there_is_no_more() {
        let inner = [chunk(*b"VP8 ", b"pixels"), chunk(*b"EXIF", SECRET)].concat();
        let whole = riff(&[
            chunk(*b"VP8X", &[0b0011_1110, 0, 0, 0, 1, 0, 0, 1, 0, 0]),
            chunk(*b"ICCP", SECRET),
            chunk(*b"ANMF", &[&[7; 16][..], &inner].concat()),
            chunk(*b"VP8L", b"other pixels"),
            chunk(*b"EXIF", SECRET),
            chunk(*b"XMP ", SECRET),
            chunk(*b"what", SECRET),
        ]);
        let whole = [whole, SECRET.to_vec()].concat();
        assert_eq!(recognise(&whole), Recognised::Image(Image::WebP));
        let stripped = Image::WebP.strip(whole.clone().into()).unwrap();
        assert!(!holds(&stripped, SECRET) && holds(&stripped, b"pixels") && holds(&stripped, b"other pixels"));
        let expected = riff(&[
            chunk(*b"VP8X", &[0b0001_0010, 0, 0, 0, 1, 0, 0, 1, 0, 0]),
            chunk(*b"ANMF", &[&[7; 16][..], &chunk(*b"VP8 ", b"pixels")].concat()),
            chunk(*b"VP8L", b"other pixels"),
        ]);
        assert_eq!(stripped, expected);
        assert_eq!(Image::WebP.strip(riff(&[chunk(*b"EXIF", SECRET)]).into()), Err("it holds no picture"));
        for length in 0..whole.len() - SECRET.len() {
            assert!(Image::WebP.strip(whole[..length].to_vec().into()).is_err(), "cut off at {length}");
        }
    }

    #[test]
    fn a_file_is_what_its_first_bytes_say() {
        for (head, what) in [
            (&b"\0\0\0\x18ftypheic\0\0\0\0"[..], "HEIC or AVIF"),
            (b"\0\0\0\x1cftypavif\0\0\0\0", "HEIC or AVIF"),
            (b"II*\0\x08\0\0\0", "TIFF or a camera's raw format"),
            (b"MM\0*\0\0\0\x08", "TIFF or a camera's raw format"),
            (b"GIF89a\x01\0", "GIF"),
        ] {
            assert_eq!(recognise(head), Recognised::OtherImage(what));
        }
        for head in
            [&b""[..], b"%PDF-1.7", b"PK\x03\x04", b"\0\0\0\x18ftypisom\0\0\0\0", b"RIFF\0\0\0\0WAVE", b"\xff\xd8"]
        {
            assert_eq!(recognise(head), Recognised::Opaque);
        }
    }
}
