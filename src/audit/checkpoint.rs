//! Checkpoints: the state of a log, as the text of a signed note.
//!
//! Implements C2SP `tlog-checkpoint` (<https://c2sp.org/tlog-checkpoint>), section
//! "Note text". Signing and verifying the text is the work of [`super::note`].

use thiserror::Error;

use super::tree::{Hash, TreeHead};

/// Why a text is no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// The origin is empty or holds a newline or another ASCII control character.
    #[error("checkpoint origin is empty or holds a control character")]
    InvalidOrigin,
    /// There are fewer than three lines, one is empty, or the last is not ended by
    /// a newline.
    #[error("checkpoint is not at least three non-empty lines")]
    InvalidLines,
    /// The second line is not the plain decimal form of a `u64`.
    #[error("checkpoint size is not a plain decimal number")]
    InvalidSize,
    /// The third line is not the base64 of 32 bytes.
    #[error("checkpoint root is not the base64 of a hash")]
    InvalidRoot,
}

/// What a log claims about itself: who it is, how many leaves it has, and their
/// root. A claim only: it is to be believed when it is the text of a
/// [`super::note::VerifiedNote`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
}

impl Checkpoint {
    /// States the head of the log with this origin.
    ///
    /// # Errors
    /// [`CheckpointError::InvalidOrigin`] when the origin cannot stand as one
    /// non-empty line of a note.
    pub fn new(origin: impl Into<String>, head: TreeHead) -> Result<Self, CheckpointError> {
        let origin = origin.into();
        if origin.is_empty() || origin.contains(|c: char| c < ' ') {
            return Err(CheckpointError::InvalidOrigin);
        }
        Ok(Self { origin, size: head.size, root: head.root })
    }

    /// The unique identifier of the log. A reader must compare it with the log it
    /// expects: one key may sign for several logs.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The RFC 6962 root hash over those leaves.
    #[must_use]
    pub const fn root(&self) -> &Hash {
        &self.root
    }

    /// Size and root together, as the proofs take them.
    #[must_use]
    pub const fn head(&self) -> TreeHead {
        TreeHead { size: self.size, root: self.root }
    }

    /// The note text: three lines, each ended by a newline, no extension lines.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// Reads a note text. Extension lines are ignored (and must not be empty), so
    /// [`Checkpoint::to_text`] need not give them back: whoever countersigns signs
    /// the note received, not a text made anew.
    ///
    /// # Errors
    /// The [`CheckpointError`] of the first line that is not as specified. Every
    /// checkpoint has one spelling only: a size with a sign or a leading zero, or
    /// base64 that is not canonical, is refused.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let body = text.strip_suffix('\n').ok_or(CheckpointError::InvalidLines)?;
        // Not `lines()`, which would take a carriage return for part of the ending.
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointError::InvalidLines);
        };
        if body.split('\n').any(str::is_empty) {
            return Err(CheckpointError::InvalidLines);
        }
        // `parse` alone would take "+1" and "01".
        let plain = size.bytes().all(|b| b.is_ascii_digit()) && (size == "0" || !size.starts_with('0'));
        let size = size.parse().ok().filter(|_| plain).ok_or(CheckpointError::InvalidSize)?;
        let root = root.parse().map_err(|_| CheckpointError::InvalidRoot)?;
        Self::new(origin, TreeHead { size, root })
    }
}

#[cfg(test)]
mod tests {
    use super::super::note::{self, KeyName, NoteSigner};
    use super::super::tree::{Frontier, leaf_hash};
    use super::*;
    use proptest::prelude::*;

    const SPEC: &str = "example.com/behind-the-sofa\n20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    fn refused(from: &str, to: &str) -> CheckpointError {
        Checkpoint::parse(&SPEC.replacen(from, to, 1)).unwrap_err()
    }

    #[test]
    fn the_specs_example() {
        let note = format!(
            "{SPEC}\n— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
        );
        let checkpoint = Checkpoint::parse(note::unverified_text(&note).unwrap()).unwrap();
        assert_eq!(checkpoint.origin(), "example.com/behind-the-sofa");
        assert_eq!(checkpoint.size(), 20_852_163);
        assert_eq!(checkpoint.root().to_string(), "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=");
        assert_eq!(checkpoint.to_text(), SPEC);
    }

    #[test]
    fn extension_lines_are_ignored_but_never_empty() {
        let plain = Checkpoint::parse(SPEC).unwrap();
        let extended = format!("{SPEC}an extension\nand another 1 +2\n");
        assert_eq!(Checkpoint::parse(&extended), Ok(plain));
        for tail in ["\n", "x\n\n", "\nx\n", "x"] {
            let text = format!("{SPEC}{tail}");
            let error = Err(CheckpointError::InvalidLines);
            assert_eq!(Checkpoint::parse(&text), error, "{tail:?}");
        }
    }

    #[test]
    fn misspelled_checkpoints_are_refused() {
        use CheckpointError::{InvalidLines, InvalidOrigin, InvalidRoot, InvalidSize};
        assert_eq!(refused("example.com/behind-the-sofa", ""), InvalidLines);
        assert_eq!(refused("=\n", "="), InvalidLines);
        assert_eq!(refused("\nCsU", "CsU"), InvalidLines);
        assert_eq!(Checkpoint::parse(""), Err(InvalidLines));
        assert_eq!(Checkpoint::parse("\n"), Err(InvalidLines));
        assert_eq!(refused("sofa", "so\tfa"), InvalidOrigin);
        assert_eq!(refused("sofa\n", "sofa\r\n"), InvalidOrigin);
        for size in ["+1", "-1", "01", "00", "0x1", "1 ", " 1", "1.0", "1_0", "1\r", "٣", "18446744073709551616"] {
            assert_eq!(refused("20852163", size), InvalidSize, "{size:?}");
        }
        for size in ["0", "1", "10", "18446744073709551615"] {
            assert!(Checkpoint::parse(&SPEC.replace("20852163", size)).is_ok());
        }
        assert_eq!(refused("2I=", "2J="), InvalidRoot);
        assert_eq!(refused("2I=", "2I"), InvalidRoot);
        assert_eq!(refused("CsUY", ""), InvalidRoot);
        assert_eq!(refused("=\n", "= \n"), InvalidRoot);
    }

    #[test]
    fn an_origin_cannot_smuggle_lines() {
        let head = Checkpoint::parse(SPEC).unwrap().head();
        for origin in ["", "a\nb", "a\n", "a\r", "a\u{0}"] {
            let error = Err(CheckpointError::InvalidOrigin);
            assert_eq!(Checkpoint::new(origin, head), error, "{origin:?}");
        }
        assert!(Checkpoint::new("with space + plus, é", head).is_ok());
    }

    #[test]
    fn a_log_signs_its_head() {
        let mut log = Frontier::new();
        log.append(leaf_hash(b"first")).unwrap();
        let stated = Checkpoint::new("himaya.example/audit", log.head()).unwrap();
        let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        let signer = NoteSigner::new(KeyName::new(stated.origin()).unwrap(), &key);
        let sent = note::sign(&stated.to_text(), &[&signer]).unwrap();
        let opened = note::open(&sent, &[signer.verifier().clone()]).unwrap();
        let read = Checkpoint::parse(opened.text()).unwrap();
        assert_eq!(read, stated);
        assert_eq!(read.head(), log.head());
    }

    proptest! {
        #[test]
        fn text_and_back(origin in "\\PC{1,20}", size: u64, root: [u8; 32]) {
            let head = TreeHead { size, root: Hash::from_bytes(root) };
            let checkpoint = Checkpoint::new(origin, head).unwrap();
            prop_assert_eq!(Checkpoint::parse(&checkpoint.to_text()), Ok(checkpoint));
        }
    }
}
