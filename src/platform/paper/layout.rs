//! Where everything stands: blocks become lines of text on pages. Lengths are points, 72 to the inch; y grows downwards.

use super::font::Faces;
use super::{Block, Cell, Sheet, Table};

/// A4.
pub(super) const PAGE: (f32, f32) = (595.28, 841.89);
const LEFT: f32 = 56.0;
const TOP: f32 = 56.0;
/// Nothing but the foot stands below.
const BOTTOM: f32 = PAGE.1 - 64.0;
const FOOT: f32 = PAGE.1 - 36.0;
const WIDTH: f32 = PAGE.0 - 2.0 * LEFT;

const TITLE: f32 = 19.0;
const HEADING: f32 = 12.5;
const TEXT: f32 = 10.5;
const SMALL: f32 = 9.5;
/// From one line to the next, for a size of 1.
const LINE: f32 = 1.4;
/// Of the letters' height that stands above the line, for a size of 1.
const ABOVE: f32 = 0.95;
/// Between blocks.
const GAP: f32 = 9.0;
/// Within a frame, and around what stands in a row.
const PAD: f32 = 10.0;
const CELL: f32 = 6.0;

/// To what a line of text belongs, for whoever has it read out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Place {
    Title,
    Block(usize),
    /// A block that is a table, a row of it (0 is the heading), and a column.
    Cell(usize, usize, usize),
    /// Said before, or said to the eye only: a heading that stands there again, a page's number.
    Nowhere,
}

/// What stands on a page.
#[derive(Debug)]
pub(super) enum Piece {
    Line {
        x: f32,
        y: f32,
        size: f32,
        bold: bool,
        text: String,
        place: Place,
    },
    /// A line across, from one x to another.
    Rule {
        from: f32,
        to: f32,
        y: f32,
        strong: bool,
    },
    /// A filled ground: x, y, width, height.
    Ground {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
    },
}

/// All pages of a sheet, with their feet.
pub(super) fn pages(sheet: &Sheet, faces: &Faces) -> Vec<Vec<Piece>> {
    let mut flow = Flow { faces, pages: vec![vec![]], y: TOP };
    flow.text(&sheet.title, TITLE, true, Place::Title);
    flow.y += GAP / 2.0;
    for (number, block) in sheet.blocks.iter().enumerate() {
        let place = Place::Block(number);
        match block {
            Block::Heading(text) => {
                flow.y += GAP / 2.0;
                // Not alone at the end of a page.
                flow.keep(HEADING * LINE + 3.0 * TEXT * LINE);
                flow.text(text, HEADING, true, place);
                flow.y -= GAP / 2.0;
            }
            Block::Text(text) => flow.text(text, TEXT, false, place),
            Block::Framed(first, rest) => flow.framed(first, rest, place),
            Block::Table(table) => flow.table(table, number),
        }
    }
    let mut pages = flow.pages;
    let all = pages.len();
    for (number, page) in pages.iter_mut().enumerate() {
        let text = (sheet.foot)(sheet.language, number + 1, all);
        let x = PAGE.0 - LEFT - faces.regular.width(&text) * SMALL;
        page.push(Piece::Line { x, y: FOOT, size: SMALL, bold: false, text, place: Place::Nowhere });
    }
    pages
}

struct Flow<'a> {
    faces: &'a Faces,
    pages: Vec<Vec<Piece>>,
    y: f32,
}

impl Flow<'_> {
    fn put(&mut self, piece: Piece) {
        if let Some(page) = self.pages.last_mut() {
            page.push(piece);
        }
    }

    /// Goes on to the next page unless so much fits on this one. Whether it did.
    fn keep(&mut self, height: f32) -> bool {
        let turns = self.y + height > BOTTOM && self.y > TOP;
        if turns {
            self.pages.push(vec![]);
            self.y = TOP;
        }
        turns
    }

    fn line(&mut self, x: f32, size: f32, bold: bool, text: String, place: Place) {
        let y = self.y + size * ABOVE;
        self.put(Piece::Line { x, y, size, bold, text, place });
        self.y += size * LINE;
    }

    fn text(&mut self, text: &str, size: f32, bold: bool, place: Place) {
        for line in self.faces.face(bold).lines(text, WIDTH / size) {
            self.keep(size * LINE);
            self.line(LEFT, size, bold, line, place);
        }
        self.y += GAP;
    }

    fn framed(&mut self, first: &str, rest: &str, place: Place) {
        let width = (WIDTH - 2.0 * PAD) / TEXT;
        let bold = self.faces.bold.lines(first, width).into_iter().map(|line| (true, line));
        let plain = self.faces.regular.lines(rest, width).into_iter().map(|line| (false, line));
        let lines: Vec<(bool, String)> = bold.chain(plain).filter(|(_, line)| !line.is_empty()).collect();
        let height = lines.iter().map(|_| TEXT * LINE).sum::<f32>() + 2.0 * PAD - TEXT * (LINE - 1.0);
        self.keep(height);
        let (top, bottom) = (self.y, self.y + height);
        self.put(Piece::Ground { x: LEFT, y: top, width: WIDTH, height });
        for y in [top, bottom] {
            self.put(Piece::Rule { from: LEFT, to: LEFT + WIDTH, y, strong: true });
        }
        self.y += PAD;
        for (bold, line) in lines {
            self.line(LEFT + PAD, TEXT, bold, line, place);
        }
        self.y = bottom + GAP + 2.0;
    }

    fn table(&mut self, table: &Table, block: usize) {
        let whole: f32 = table.widths.iter().sum();
        let widths: Vec<f32> = table.widths.iter().map(|part| part / whole * WIDTH).collect();
        let heading = |place: fn(usize, usize, usize) -> Place| -> Laid {
            let cells = table.headings.iter().map(|text| vec![(true, text.clone())]);
            self::lay(self.faces, cells.collect(), &widths, |column| place(block, 0, column))
        };
        let (first, again) = (heading(Place::Cell), heading(|_, _, _| Place::Nowhere));
        let rows: Vec<Laid> = table
            .rows
            .iter()
            .enumerate()
            .map(|(row, cells)| {
                let cells = cells.iter().map(written).collect();
                lay(self.faces, cells, &widths, |column| Place::Cell(block, row + 1, column))
            })
            .collect();
        // The heading is not left alone.
        self.keep(first.height + rows.first().map_or(0.0, |row| row.height));
        self.head(first);
        for row in rows {
            if self.keep(row.height) {
                self.head(again.clone());
            }
            self.row(row);
            let y = self.y;
            self.put(Piece::Rule { from: LEFT, to: LEFT + WIDTH, y, strong: false });
        }
        self.y += GAP;
    }

    fn head(&mut self, head: Laid) {
        let (y, height) = (self.y, head.height);
        self.put(Piece::Ground { x: LEFT, y, width: WIDTH, height });
        self.row(head);
        let y = self.y;
        self.put(Piece::Rule { from: LEFT, to: LEFT + WIDTH, y, strong: true });
    }

    fn row(&mut self, row: Laid) {
        let top = self.y;
        for Written { x, y, bold, text, place } in row.lines {
            self.put(Piece::Line { x, y: top + y, size: SMALL, bold, text, place });
        }
        self.y = top + row.height;
    }
}

/// A row whose lines are broken; y from its own top.
#[derive(Clone)]
struct Laid {
    lines: Vec<Written>,
    height: f32,
}

#[derive(Clone)]
struct Written {
    x: f32,
    y: f32,
    bold: bool,
    text: String,
    place: Place,
}

/// The first of several lines is bold.
fn written(cell: &Cell) -> Vec<(bool, String)> {
    cell.iter().enumerate().map(|(at, text)| (at == 0 && cell.len() > 1, text.clone())).collect()
}

fn lay(faces: &Faces, cells: Vec<Vec<(bool, String)>>, widths: &[f32], place: impl Fn(usize) -> Place) -> Laid {
    let (mut lines, mut tallest, mut x) = (Vec::new(), 0.0_f32, LEFT);
    for (column, (cell, width)) in cells.into_iter().zip(widths).enumerate() {
        let mut y = CELL;
        for (bold, text) in cell {
            for text in faces.face(bold).lines(&text, (width - 2.0 * CELL) / SMALL) {
                lines.push(Written { x: x + CELL, y: y + SMALL * ABOVE, bold, text, place: place(column) });
                y += SMALL * LINE;
            }
        }
        tallest = tallest.max(y);
        x += width;
    }
    Laid { lines, height: tallest + CELL - SMALL * (LINE - 1.2) }
}
