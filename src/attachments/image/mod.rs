//! Images, without what a camera or a program wrote beside the picture: where and when it was taken, by which device, a
//! small copy of what was cut off.
//!
//! What an image is, its bytes say and not its sender. What is kept is listed, so a chunk that nobody thought of goes. A
//! picture's orientation and its colour profile are metadata too, and go as well.

mod jpeg;
mod png;
mod webp;

const CUT_OFF: &str = "it is cut off";
const NO_PICTURE: &str = "it holds no picture";

/// So many bytes are enough to tell what it is: a box of brands may name many.
pub(super) const TELLING: usize = 256;

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
    pub(super) fn strip(self, bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
        match self {
            Self::Jpeg => jpeg::strip(bytes),
            Self::Png => png::strip(bytes),
            Self::WebP => webp::strip(bytes),
        }
    }
}

/// Brands of boxes (ISO/IEC 14496-12) that hold pictures. Films have others, and are taken as they are.
const BRANDS: [(&[u8; 4], &str); 14] = [
    (b"heic", HEIF),
    (b"heix", HEIF),
    (b"hevc", HEIF),
    (b"hevx", HEIF),
    (b"heim", HEIF),
    (b"heis", HEIF),
    (b"hevm", HEIF),
    (b"hevs", HEIF),
    (b"mif1", HEIF),
    (b"mif2", HEIF),
    (b"msf1", HEIF),
    (b"avif", HEIF),
    (b"avis", HEIF),
    (b"crx ", RAW),
];
const HEIF: &str = "HEIC or AVIF";
const RAW: &str = "TIFF or a camera's raw format";
const JPEG_2000: &str = "JPEG 2000";

/// What other images begin with.
const BEGINNINGS: [(&[u8], &str); 18] = [
    (b"II*\0", RAW),
    (b"MM\0*", RAW),
    // BigTIFF.
    (b"II+\0", RAW),
    (b"MM\0+", RAW),
    // Olympus, Panasonic, Fujifilm, Sigma.
    (b"IIRO", RAW),
    (b"IIRS", RAW),
    (b"MMOR", RAW),
    (b"IIU\0", RAW),
    (b"FUJIFILMCCD-RAW", RAW),
    (b"FOVb", RAW),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", JPEG_2000),
    (b"\xff\x4f\xff\x51", JPEG_2000),
    (b"II\xbc\x01", "JPEG XR"),
    (b"8BPS", "a Photoshop document"),
];

/// What a file is, by its beginning.
pub(super) fn recognise(head: &[u8]) -> Recognised {
    let at = |from: usize, wanted: &[u8]| head.get(from..from + wanted.len()) == Some(wanted);
    if at(0, b"\xff\xd8\xff") {
        return Recognised::Image(Image::Jpeg);
    }
    if at(0, png::SIGNATURE) {
        return Recognised::Image(Image::Png);
    }
    if at(0, b"RIFF") && at(8, b"WEBP") {
        return Recognised::Image(Image::WebP);
    }
    let begins = BEGINNINGS.iter().find(|(beginning, _)| head.starts_with(beginning)).map(|(_, what)| *what);
    begins.or_else(|| brand(head)).map_or(Recognised::Opaque, Recognised::OtherImage)
}

/// The first brand of a picture in the box of brands, if a file begins with one: its own, or one with which it says that it
/// can be read as well.
fn brand(head: &[u8]) -> Option<&'static str> {
    let (length, rest) = head.split_first_chunk::<4>()?;
    let brands = rest.strip_prefix(b"ftyp")?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?.saturating_sub(8);
    let brands = brands.get(..length.clamp(4, brands.len().max(4))).unwrap_or(brands);
    let (brands, _) = brands.as_chunks::<4>();
    // The second is no brand: a version.
    let named = brands.iter().enumerate().filter(|(at, _)| *at != 1);
    named.filter_map(|(_, named)| BRANDS.iter().find(|(brand, _)| *brand == named)).map(|(_, what)| *what).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const SECRET: &[u8] = b"Xirdalan 40.45N";

    pub(super) fn holds(image: &[u8], wanted: &[u8]) -> bool {
        image.windows(wanted.len()).any(|part| part == wanted)
    }

    #[test]
    fn a_file_is_what_its_first_bytes_say() {
        for (head, what) in [
            (&b"\0\0\0\x18ftypheic\0\0\0\0"[..], "HEIC or AVIF"),
            (b"\0\0\0\x1cftypavif\0\0\0\0", "HEIC or AVIF"),
            (b"II*\0\x08\0\0\0", "TIFF or a camera's raw format"),
            (b"MM\0*\0\0\0\x08", "TIFF or a camera's raw format"),
            (b"GIF89a\x01\0", "GIF"),
            (b"\0\0\0\x18ftyphevm\0\0\0\0", "HEIC or AVIF"),
            (b"\0\0\0\x18ftyphevs\0\0\0\0", "HEIC or AVIF"),
            // Its own brand says nothing, one of the others does; a box may also have no end that is known.
            (b"\0\0\0\x18ftypXXXX\0\0\0\0miafheic", "HEIC or AVIF"),
            (b"\0\0\0\0ftypheic\0\0\0\0", "HEIC or AVIF"),
            (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "TIFF or a camera's raw format"),
            (b"FUJIFILMCCD-RAW 0201FF", "TIFF or a camera's raw format"),
            (b"IIRO\x08\0\0\0", "TIFF or a camera's raw format"),
            (b"IIRS\x08\0\0\0", "TIFF or a camera's raw format"),
            (b"MMOR\0\0\0\x08", "TIFF or a camera's raw format"),
            (b"IIU\0\x18\0\0\0", "TIFF or a camera's raw format"),
            (b"II+\0\x08\0\0\0", "TIFF or a camera's raw format"),
            (b"MM\0+\0\x08\0\0", "TIFF or a camera's raw format"),
            (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
            (b"\xff\x4f\xff\x51\0", "JPEG 2000"),
            (b"II\xbc\x01\x20\0\0\0", "JPEG XR"),
            (b"8BPS\0\x01", "a Photoshop document"),
        ] {
            assert_eq!(recognise(head), Recognised::OtherImage(what));
        }
        for head in [
            &b""[..],
            b"%PDF-1.7",
            b"PK\x03\x04",
            b"\0\0\0\x18ftypisom\0\0\0\0",
            b"RIFF\0\0\0\0WAVE",
            b"\xff\xd8",
            b"\0\0\0\x10ftypisom\0\0\0\0heicheic",
            b"\0\0\0\x14ftypisomheicmp42",
        ] {
            assert_eq!(recognise(head), Recognised::Opaque);
        }
    }
}
