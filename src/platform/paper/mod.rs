//! Paper: what is printed for people who have no screen of ours. A4, as PDF, in the letters of Azerbaijani, Russian and English.
//!
//! A [`Sheet`] says what stands there; `layout` breaks it into lines and pages, `draw` writes the PDF, `font` knows how wide a word is. The
//! PDF names no author, no program and no time, says its language, and is tagged, so that it can be read out.

mod draw;
mod font;
mod layout;
#[cfg(test)]
mod tests;

use crate::platform::language::Language;

/// What is to be printed.
pub struct Sheet {
    /// Also the name of the document; it names nobody.
    pub title: String,
    pub language: Language,
    pub blocks: Vec<Block>,
    /// At the foot of each page: the page, and how many there are.
    pub foot: fn(Language, usize, usize) -> String,
}

/// What stands one below the other.
pub enum Block {
    /// Below the title.
    Heading(String),
    Text(String),
    /// In a frame, the first line bold: what nobody may overlook.
    Framed(String, String),
    Table(Table),
}

/// A table whose heading stands on each of its pages.
pub struct Table {
    /// The parts of the width that the columns have; as many as there are headings.
    pub widths: Vec<f32>,
    pub headings: Vec<String>,
    /// Each as long as the headings.
    pub rows: Vec<Vec<Cell>>,
}

/// What stands in a row of a table: lines one below the other, the first of them bold if there are several.
pub type Cell = Vec<String>;

/// Why there is no paper.
#[derive(Debug, thiserror::Error)]
pub enum PaperError {
    #[error("a font that was built in is not one")]
    Font,
    #[error("a page cannot be drawn")]
    Draw,
}

impl Sheet {
    /// The sheet as PDF.
    ///
    /// # Errors
    /// [`PaperError`], which would be a fault of the program.
    pub fn print(&self) -> Result<Vec<u8>, PaperError> {
        let faces = font::Faces::new()?;
        draw::draw(self, &layout::pages(self, &faces), &faces)
    }
}
