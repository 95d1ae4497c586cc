//! How useful what was published is, beside the truth.

#![expect(clippy::indexing_slicing, reason = "every place comes from the layout that made the rows")]

use super::super::catalogue::{Catalogue, Span};
use super::super::gates::sums;
use super::super::layout::Layout;
use super::mean::Mean;
use super::world::{Shown, World};

/// Measured over worlds.
#[derive(Default)]
pub struct Utility {
    /// Error of the year's one-way figures in December, where anybody is or is said to be; a hidden figure is taken for 2.
    pub one_way: Mean,
    pub largest: i64,
    /// Whether each of the three largest words of an attribute is among the three largest that were published.
    pub top_three: Mean,
    /// Error of a month's total.
    pub month: Mean,
    /// Which sums of the year's tables add; a sum with something hidden does not. Sums of
    /// nothing but zeros are left out.
    pub adds: Mean,
    /// Which cells with anybody in them are hidden.
    pub hidden: Mean,
}

impl Utility {
    pub fn measure(&mut self, world: &World, published: &[Shown]) {
        for (new, shown) in world.months.iter().zip(published) {
            for place in world.layout.places().iter().filter(|p| p.span == Span::Month && p.attributes.is_empty()) {
                if let Some(figure) = shown[place.start] {
                    self.month.add(error(figure, new.exact[place.start]));
                } else {
                    self.month.add(error(2, new.exact[place.start]));
                }
            }
        }
        let Some((new, shown)) = world.months.iter().zip(published).next_back() else { return };
        for place in world.layout.places().iter().filter(|place| place.span == Span::YearToDate) {
            let cells = place.start..place.start + place.len;
            for cell in cells.clone().filter(|cell| new.exact[*cell] > 0) {
                self.hidden.add(f64::from(u8::from(shown[cell].is_none())));
            }
            if place.attributes.len() != 1 {
                continue;
            }
            let figure = |cell: usize| shown[cell].unwrap_or(2);
            for cell in cells.clone().filter(|cell| new.exact[*cell] > 0 || figure(*cell) > 0) {
                self.one_way.add(error(figure(cell), new.exact[cell]));
                self.largest = self.largest.max((figure(cell) - new.exact[cell]).abs());
            }
            let mut truly: Vec<usize> = cells.clone().filter(|cell| new.exact[*cell] > 0).collect();
            truly.sort_by_key(|cell| std::cmp::Reverse(new.exact[*cell]));
            let mut said: Vec<i64> = cells.map(figure).collect();
            said.sort_unstable_by(|a, b| b.cmp(a));
            let third = said.get(2).copied().unwrap_or(0);
            for cell in truly.iter().take(3) {
                self.top_three.add(f64::from(u8::from(figure(*cell) >= third)));
            }
        }
        let figures: Vec<i64> = shown.iter().map(|figure| figure.unwrap_or(0)).collect();
        let hidden: Vec<i64> = shown.iter().map(|figure| i64::from(figure.is_none())).collect();
        // Not every method shows the tables of months; those of the year stand first in the row.
        let domains = &world.domains;
        let year = Layout::of(&Catalogue::of(domains.stage(), domains.extent()).only(Span::YearToDate), domains);
        let pairs = sums(&year, &figures).zip(sums(&year, &hidden));
        for ((sum, said), (parts, whole)) in
            pairs.filter(|((sum, said), hidden)| *sum != 0 || *said != 0 || *hidden != (0, 0))
        {
            self.adds.add(f64::from(u8::from(sum == said && parts == 0 && whole == 0)));
        }
    }
}

/// By how many people a figure is wrong.
fn error(figure: i64, exact: i64) -> f64 {
    f64::from(i32::try_from((figure - exact).abs()).unwrap_or(i32::MAX))
}
