//! The two faces: which glyph a letter is, how wide it is, and where a line breaks.

use super::PaperError;
use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider as _};

const REGULAR: &[u8] = include_bytes!("fonts/HimayaPaper-Regular.ttf");
const BOLD: &[u8] = include_bytes!("fonts/HimayaPaper-Bold.ttf");
/// Stands for a letter that the font lacks: nobody is shown an empty box.
const INSTEAD: char = '?';

/// One face.
pub(super) struct Face {
    pub font: Font,
    letters: FontRef<'static>,
    units: f32,
}

/// Both.
pub(super) struct Faces {
    pub regular: Face,
    pub bold: Face,
}

impl Faces {
    pub(super) fn new() -> Result<Self, PaperError> {
        Ok(Self { regular: Face::new(REGULAR)?, bold: Face::new(BOLD)? })
    }

    pub(super) fn face(&self, bold: bool) -> &Face {
        if bold { &self.bold } else { &self.regular }
    }
}

impl Face {
    fn new(bytes: &'static [u8]) -> Result<Self, PaperError> {
        let font = Font::new(bytes.into(), 0).ok_or(PaperError::Font)?;
        let letters = FontRef::new(bytes).map_err(|_| PaperError::Font)?;
        let units = font.units_per_em();
        Ok(Self { font, letters, units })
    }

    /// How wide a text is, for a size of 1.
    pub(super) fn width(&self, text: &str) -> f32 {
        self.glyphs(text).iter().map(|glyph| glyph.x_advance).sum()
    }

    pub(super) fn glyphs(&self, text: &str) -> Vec<KrillaGlyph> {
        let letters = self.letters.charmap();
        let metrics = self.letters.glyph_metrics(Size::unscaled(), LocationRef::default());
        let glyph = |(at, letter): (usize, char)| {
            let id = letters.map(letter).or_else(|| letters.map(INSTEAD)).unwrap_or_default();
            let advance = metrics.advance_width(id).unwrap_or_default() / self.units;
            let range = at..at + letter.len_utf8();
            KrillaGlyph::new(GlyphId::new(id.to_u32()), advance, 0.0, 0.0, 0.0, range, None)
        };
        text.char_indices().map(glyph).collect()
    }

    /// A text as lines that are not wider than this, for a size of 1. It breaks at plain spaces, and within a word that is too long.
    pub(super) fn lines(&self, text: &str, width: f32) -> Vec<String> {
        let (mut lines, mut line) = (Vec::new(), String::new());
        for word in text.split([' ', '\n']).filter(|word| !word.is_empty()) {
            let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if self.width(&longer) <= width {
                line = longer;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            for letter in word.chars() {
                line.push(letter);
                if self.width(&line) > width && line.chars().count() > 1 {
                    line.pop();
                    lines.push(std::mem::replace(&mut line, letter.to_string()));
                }
            }
        }
        if !line.is_empty() || lines.is_empty() {
            lines.push(line);
        }
        lines
    }
}
