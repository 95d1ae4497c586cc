//! The text of notes: what a note may consist of, and its parts (section "Format").

use super::key::is_key_name;
use super::{MAX_NOTE_BYTES, MAX_SIGNATURES, NoteError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What opens each signature line: em dash, space (section "Format").
const LINE_PREFIX: &str = "\u{2014} ";

/// One signature line, decoded but not verified.
pub(super) struct SignatureLine<'n> {
    pub(super) name: &'n str,
    pub(super) key_id: u32,
    pub(super) signature: Vec<u8>,
}

impl<'n> SignatureLine<'n> {
    /// Parses a line without its newline. The base64 must be canonical, so that a
    /// signature has one spelling only.
    fn parse(line: &'n str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(LINE_PREFIX)?.split_once(' ')?;
        let bytes = STANDARD.decode(encoded).ok()?;
        let (id, signature) = bytes.split_first_chunk::<4>()?;
        (is_key_name(name) && !signature.is_empty()).then(|| Self {
            name,
            key_id: u32::from_be_bytes(*id),
            signature: signature.to_vec(),
        })
    }
}

/// A signature line, its newline included.
pub(super) fn signature_line(name: &str, key_id: u32, signature: &[u8]) -> String {
    let mut bytes = key_id.to_be_bytes().to_vec();
    bytes.extend_from_slice(signature);
    format!("{LINE_PREFIX}{name} {}\n", STANDARD.encode(bytes))
}

/// Splits a note into its text and its signature lines (section "Format").
pub(super) fn split(note: &str) -> Result<(&str, Vec<SignatureLine<'_>>), NoteError> {
    check_size(note)?;
    check_characters(note)?;
    // The *last* empty line separates; the text keeps the newline before it.
    let (text, block) =
        note.rfind("\n\n").and_then(|at| note.split_at_checked(at + 1)).ok_or(NoteError::MissingSignatures)?;
    let block =
        block.strip_prefix('\n').and_then(|block| block.strip_suffix('\n')).ok_or(NoteError::MissingSignatures)?;
    // Counted before anything is decoded. Not `lines()`, which forgives too much.
    if block.split('\n').count() > MAX_SIGNATURES {
        return Err(NoteError::TooManySignatures);
    }
    let lines = block
        .split('\n')
        .zip(1..)
        .map(|(line, number)| SignatureLine::parse(line).ok_or(NoteError::GarbledSignature(number)))
        .collect::<Result<Vec<_>, _>>()?;
    Ok((text, lines))
}

pub(super) fn check_size(note: &str) -> Result<(), NoteError> {
    if note.len() > MAX_NOTE_BYTES {
        return Err(NoteError::TooLarge);
    }
    Ok(())
}

pub(super) fn check_characters(text: &str) -> Result<(), NoteError> {
    if text.contains(|c: char| c < ' ' && c != '\n') {
        return Err(NoteError::ControlCharacter);
    }
    if !text.ends_with('\n') {
        return Err(NoteError::MissingNewline);
    }
    Ok(())
}
