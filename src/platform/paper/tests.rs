use super::{Block, Sheet, Table, font::Faces, layout};
use crate::platform::language::Language;
use lopdf::{Dictionary, Document, Object};

const AZERBAIJANI: &str = "Ə ə Ğ ğ İ ı Ş ş Ç ç Ö ö Ü ü: haqqınızdakı məlumata kim baxıb?";
const RUSSIAN: &str = "Кто смотрел сведения о вас? Ё ё Щ щ Ы ы Ъ ъ «–» №";

fn foot(_: Language, page: usize, pages: usize) -> String {
    format!("page {page} of {pages}")
}

fn sheet(rows: usize) -> Sheet {
    let row = |number: usize| {
        vec![
            vec![format!("day{number}")],
            vec![format!("organisation{number}"), "somebody who works there and has a long title".to_owned()],
            vec![RUSSIAN.to_owned()],
            vec![AZERBAIJANI.to_owned()],
        ]
    };
    Sheet {
        title: "Başlıq".to_owned(),
        language: Language::Azerbaijani,
        blocks: vec![
            Block::Framed("Keep".to_owned(), "it ".repeat(60)),
            Block::Heading("A heading".to_owned()),
            Block::Text(AZERBAIJANI.to_owned()),
            Block::Table(Table {
                widths: vec![1.0, 2.0, 1.0, 1.0],
                headings: ["Column1", "Column2", "Column3", "Column4"].map(str::to_owned).to_vec(),
                rows: (0..rows).map(row).collect(),
            }),
            Block::Text("the end".to_owned()),
        ],
        foot,
    }
}

/// What another program reads on each page, without breaks.
fn read(pdf: &[u8]) -> Vec<String> {
    let document = Document::load_mem(pdf).unwrap();
    let text = |page: &u32| document.extract_text(&[*page]).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    document.get_pages().keys().map(text).collect()
}

#[test]
fn what_is_printed_is_read_again_letter_by_letter_on_every_page() {
    let pages = read(&sheet(40).print().unwrap());
    assert!(pages.len() > 2, "{}", pages.len());
    let all = pages.join(" ");
    // Broken into lines on the way: word by word.
    for word in AZERBAIJANI.split(' ').chain(RUSSIAN.split(' ')).chain(["Başlıq", "heading", "the end"]) {
        assert!(all.contains(word), "{word}: {all}");
    }
    for row in 0..40 {
        assert_eq!(all.matches(&format!("day{row} ")).count(), 1, "row {row} stands there once");
    }
    for (number, page) in pages.iter().enumerate() {
        assert!(page.contains(&format!("page {} of {}", number + 1, pages.len())), "{page}");
        // The table goes over all of them but perhaps the last.
        let table = page.contains("organisation");
        assert_eq!(page.matches("Column1").count(), usize::from(table), "its heading stands there again: {page}");
    }
    assert_eq!(read(&sheet(1).print().unwrap()).len(), 1);
}

#[test]
fn nothing_stands_outside_of_the_page_or_on_the_foot() {
    let faces = Faces::new().unwrap();
    for page in layout::pages(&sheet(60), &faces) {
        for piece in page {
            let layout::Piece::Line { x, y, size, bold, text, place } = piece else { continue };
            let right = x + faces.face(bold).width(&text) * size;
            assert!(x >= 56.0 && right <= layout::PAGE.0 - 56.0 + 0.01, "{text}: {x} to {right}");
            let is_foot = place == layout::Place::Nowhere && text.starts_with("page ");
            assert!(y > 56.0 && (is_foot || y < layout::PAGE.1 - 60.0), "{text}: {y}");
        }
    }
}

#[test]
fn a_word_that_is_too_long_is_broken_and_nothing_of_it_is_lost() {
    let faces = Faces::new().unwrap();
    let long = "ə".repeat(300);
    let lines = faces.regular.lines(&format!("a {long} b"), 20.0);
    assert!(lines.len() > 5 && lines.iter().all(|line| faces.regular.width(line) <= 20.0));
    assert_eq!(lines.concat().replace(' ', "").len(), long.len() + 2);
    assert_eq!(faces.regular.lines("", 20.0), [""]);
    // A letter that the font lacks is no empty box.
    assert!(faces.bold.glyphs("漢").iter().all(|glyph| glyph.glyph_id.to_u32() != 0));
}

fn dictionary<'a>(document: &'a Document, of: &'a Dictionary, key: &[u8]) -> &'a Dictionary {
    document.dereference(of.get(key).unwrap()).unwrap().1.as_dict().unwrap()
}

#[test]
fn it_says_its_language_can_be_read_out_and_names_nobody() {
    let pdf = sheet(3).print().unwrap();
    let document = Document::load_mem(&pdf).unwrap();
    let catalog = document.catalog().unwrap();
    assert_eq!(catalog.get(b"Lang").unwrap().as_str().unwrap(), b"az");
    assert_eq!(dictionary(&document, catalog, b"MarkInfo").get(b"Marked").unwrap(), &Object::Boolean(true));
    let tree = dictionary(&document, catalog, b"StructTreeRoot");
    assert!(tree.has(b"K"));
    let kinds: Vec<&[u8]> =
        document.objects.values().filter_map(|object| object.as_dict().ok()?.get(b"S").ok()?.as_name().ok()).collect();
    for kind in [b"H1".as_slice(), b"H2", b"P", b"Table", b"THead", b"TR", b"TH", b"TD"] {
        assert!(kinds.contains(&kind), "{}", String::from_utf8_lossy(kind));
    }
    let information = document.trailer.get(b"Info").and_then(|info| document.dereference(info)).unwrap().1;
    let told: Vec<&[u8]> = information.as_dict().unwrap().iter().map(|(key, _)| key.as_slice()).collect();
    assert_eq!(told, [b"Title"], "the title and nothing else");
    let whole = String::from_utf8_lossy(&pdf);
    for name in ["CreateDate", "CreationDate", "Producer", "krilla", "Vera", "Bitstream", "DejaVu", "himaya"] {
        assert!(!whole.contains(name), "{name}");
    }
    assert!(whole.contains("HimayaPaper-Regular") && whole.contains("HimayaPaper-Bold"));
}
