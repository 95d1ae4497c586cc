//! What a client says of a file in its headers, checked before anything of the file is read.

use super::model::LONGEST_NAME;
use crate::platform::problem::Problem;
use axum::http::{HeaderMap, header};
use percent_encoding::percent_decode_str;

/// The header in which the file's name travels: headers like it are not logged, as addresses are.
const NAME_HEADER: &str = "himaya-file-name";

/// What a client says of the file, checked.
pub(super) struct Told {
    pub name: String,
    pub media_type: String,
}

impl Told {
    /// # Errors
    /// 422 with the header's name.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        plain(headers)?;
        Ok(Self { name: name(headers)?, media_type: media_type(headers)? })
    }
}

/// What is encoded would be stored encoded, under the name and the type of what it is not, and an image in it with all its
/// metadata.
fn plain(headers: &HeaderMap) -> Result<(), Problem> {
    let plain = |value: &header::HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    if headers.get_all(header::CONTENT_ENCODING).iter().all(plain) {
        return Ok(());
    }
    Err(Problem::field("Content-Encoding", "is not taken: send the file as it is, without an encoding"))
}

/// Letters that nobody sees: they part nothing that a person would miss, and make two names look the same. Some keyboards
/// put them into names, so they are left out and not refused.
fn unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// Letters that turn the direction of reading make `exe.pdf` out of `fdp.exe`; others begin a new line.
fn turns(c: char) -> bool {
    let marks = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    marks || matches!(c, '\u{2028}' | '\u{2029}')
}

fn name(headers: &HeaderMap) -> Result<String, Problem> {
    let wrong = |why: &str| Problem::field("Himaya-File-Name", why);
    let sent = headers.get(NAME_HEADER).ok_or_else(|| wrong("is needed: the file's name, UTF-8, percent-encoded"))?;
    let sent = sent.to_str().map_err(|_| wrong("is not percent-encoded"))?;
    let name = percent_decode_str(sent).decode_utf8().map_err(|_| wrong("is not UTF-8, percent-encoded"))?;
    let name: String = name.chars().filter(|c| !unseen(*c)).collect();
    if name.trim().is_empty() || name == "." || name == ".." {
        return Err(wrong("is no name"));
    }
    if name.chars().count() > LONGEST_NAME {
        return Err(wrong(&format!("is longer than {LONGEST_NAME} characters")));
    }
    if name.chars().any(|c| c.is_control() || turns(c)) {
        return Err(wrong("holds a character that cannot be seen"));
    }
    if name.contains(['/', '\\']) {
        return Err(wrong("holds a / or a \\: a name, without folders"));
    }
    Ok(name)
}

/// `type/subtype`, in small letters and without parameters.
fn media_type(headers: &HeaderMap) -> Result<String, Problem> {
    let wrong = |why| Problem::field("Content-Type", why);
    let shape = || wrong("is one media type, like application/pdf");
    let mut sent = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(first) = sent.next() else { return Ok("application/octet-stream".to_owned()) };
    let first = first.to_str().ok().filter(|_| sent.next().is_none()).ok_or_else(shape)?;
    let essence = first.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let token =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
    let parts: Vec<&str> = essence.split('/').collect();
    if essence.len() > 127 || !matches!(parts[..], [kind, subtype] if token(kind) && token(subtype)) {
        return Err(shape());
    }
    // A form holds the file among other things: stored as it came, an image in it would keep its metadata.
    if essence.starts_with("multipart/") || essence == "application/x-www-form-urlencoded" {
        return Err(wrong("is that of a form: the body is the file itself, byte for byte"));
    }
    Ok(essence)
}
