//! Pages as PDF, tagged: what is a heading, a paragraph, a table, and in which order it is read.

use super::font::Faces;
use super::layout::{PAGE, Piece, Place};
use super::{Block, PaperError, Sheet};
use krilla::color::rgb;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule, Stroke};
use krilla::surface::Surface;
use krilla::tagging::{
    Artifact, ArtifactType, ContentTag, Identifier, SpanTag, TableHeaderScope, Tag, TagGroup, TagKind, TagTree,
};
use krilla::{Document, SerializeSettings};
use std::collections::BTreeMap;
use std::num::NonZeroU16;

/// Shades of grey: from 0, black, to 255.
const INK: u8 = 20;
const THIN: u8 = 190;
const GROUND: u8 = 240;

/// What was drawn for each place, in the order in which it is read.
type Drawn = BTreeMap<Place, Vec<Identifier>>;

pub(super) fn draw(sheet: &Sheet, pages: &[Vec<Piece>], faces: &Faces) -> Result<Vec<u8>, PaperError> {
    let mut document = Document::new_with(SerializeSettings::default());
    let mut drawn = Drawn::new();
    for pieces in pages {
        let settings = PageSettings::from_wh(PAGE.0, PAGE.1).ok_or(PaperError::Draw)?;
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        for piece in pieces {
            put(&mut surface, piece, faces, &mut drawn);
        }
        surface.finish();
        page.finish();
    }
    let language = sheet.language.as_str().to_owned();
    document.set_tag_tree(tree(sheet, drawn).with_lang(Some(language.clone())));
    // Who made it, with which program and when: nothing of that is anybody's to learn from a file that is found.
    document.set_metadata(Metadata::new().title(sheet.title.clone()).language(language));
    document.finish().map_err(|_| PaperError::Draw)
}

fn put(surface: &mut Surface<'_>, piece: &Piece, faces: &Faces, drawn: &mut Drawn) {
    match piece {
        Piece::Line { x, y, size, bold, text, place } => {
            let tag = match place {
                Place::Nowhere => ContentTag::Artifact(Artifact::with_kind(ArtifactType::Footer)),
                _ => ContentTag::Span(SpanTag::empty()),
            };
            let identifier = surface.start_tagged(tag);
            surface.set_stroke(None);
            surface.set_fill(Some(fill(INK)));
            // A space at the end keeps the words of two lines apart for whoever has them read out.
            let text = format!("{text} ");
            let face = faces.face(*bold);
            surface.draw_glyphs(Point::from_xy(*x, *y), &face.glyphs(&text), face.font.clone(), &text, *size, false);
            surface.end_tagged();
            if *place != Place::Nowhere {
                drawn.entry(*place).or_default().push(identifier);
            }
        }
        Piece::Rule { from, to, y, strong } => {
            let mut path = PathBuilder::new();
            path.move_to(*from, *y);
            path.line_to(*to, *y);
            let (shade, width) = if *strong { (INK, 0.9) } else { (THIN, 0.6) };
            surface.set_fill(None);
            surface.set_stroke(Some(Stroke { paint: grey(shade).into(), width, ..Stroke::default() }));
            ornament(surface, path);
        }
        Piece::Ground { x, y, width, height } => {
            let mut path = PathBuilder::new();
            if let Some(rect) = Rect::from_xywh(*x, *y, *width, *height) {
                path.push_rect(rect);
            }
            surface.set_stroke(None);
            surface.set_fill(Some(fill(GROUND)));
            ornament(surface, path);
        }
    }
}

fn ornament(surface: &mut Surface<'_>, path: PathBuilder) {
    let artifact = Artifact::with_kind(ArtifactType::Layout);
    let _none = surface.start_tagged(ContentTag::Artifact(artifact));
    if let Some(path) = path.finish() {
        surface.draw_path(&path);
    }
    surface.end_tagged();
}

fn grey(shade: u8) -> rgb::Color {
    rgb::Color::new(shade, shade, shade)
}

fn fill(shade: u8) -> Fill {
    Fill { paint: grey(shade).into(), opacity: NormalizedF32::ONE, rule: FillRule::default() }
}

fn tree(sheet: &Sheet, mut drawn: Drawn) -> TagTree {
    let mut tree = TagTree::new();
    let level =
        |level: u16, title: &str| Tag::Hn(NonZeroU16::new(level).unwrap_or(NonZeroU16::MIN), Some(title.to_owned()));
    tree.push(group(level(1, &sheet.title), drawn.remove(&Place::Title)));
    for (number, block) in sheet.blocks.iter().enumerate() {
        let own = drawn.remove(&Place::Block(number));
        match block {
            Block::Heading(text) => tree.push(group(level(2, text), own)),
            Block::Text(_) | Block::Framed(..) => tree.push(group(Tag::P, own)),
            Block::Table(table) => {
                let mut all = TagGroup::new(Tag::Table);
                let mut body = TagGroup::new(Tag::TBody);
                for row in 0..=table.rows.len() {
                    let mut line = TagGroup::new(Tag::TR);
                    for column in 0..table.headings.len() {
                        let cell = drawn.remove(&Place::Cell(number, row, column));
                        line.push(match row {
                            0 => group(Tag::TH(TableHeaderScope::Column), cell),
                            _ => group(Tag::TD, cell),
                        });
                    }
                    if row == 0 {
                        let mut head = TagGroup::new(Tag::THead);
                        head.push(line);
                        all.push(head);
                    } else {
                        body.push(line);
                    }
                }
                all.push(body);
                tree.push(all);
            }
        }
    }
    tree
}

fn group(tag: impl Into<TagKind>, drawn: Option<Vec<Identifier>>) -> TagGroup {
    let mut group = TagGroup::new(tag);
    for identifier in drawn.unwrap_or_default() {
        group.push(identifier);
    }
    group
}
