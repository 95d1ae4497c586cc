//! What a log submits: the size that the witness is thought to know, the proof from there on, and the checkpoint.

use crate::audit::tree::Hash;

/// Hashes in a proof at most: a tree has no more levels.
const MOST_HASHES: usize = 63;

/// A submission, taken apart; nothing of it is believed yet.
#[derive(Debug, PartialEq, Eq)]
pub struct Submission<'b> {
    /// The size of the checkpoint that the proof begins with.
    pub old: u64,
    pub proof: Vec<Hash>,
    /// The checkpoint as it was sent.
    pub note: &'b str,
}

impl<'b> Submission<'b> {
    /// Takes a body apart. Every submission has one spelling only.
    ///
    /// # Errors
    /// What does not fit, for whoever sent it.
    pub fn parse(body: &'b str) -> Result<Self, String> {
        let (head, note) = body.split_once("\n\n").ok_or("there is no empty line before the checkpoint")?;
        let mut lines = head.split('\n');
        let old =
            lines.next().and_then(|line| line.strip_prefix("old ")).ok_or("the first line is not `old` and a size")?;
        let old = decimal(old).ok_or("the old size is not a plain decimal number")?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == MOST_HASHES {
                return Err(format!("the proof has more than {MOST_HASHES} lines"));
            }
            proof.push(line.parse().map_err(|_| "a line of the proof is not the base64 of a hash")?);
        }
        Ok(Self { old, proof, note })
    }

    /// The body that says this.
    #[must_use]
    pub fn body(old: u64, proof: &[Hash], note: &str) -> String {
        let proof = proof.iter().fold(String::new(), |lines, hash| lines + hash.to_string().as_str() + "\n");
        format!("old {old}\n{proof}\n{note}")
    }
}

/// A number as the protocol writes it: no sign, no zero before it.
#[must_use]
pub fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tree::leaf_hash;

    #[test]
    fn what_is_written_reads_back() {
        for count in [0, 1, 63_u64] {
            let proof: Vec<Hash> = (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect();
            let body = Submission::body(count, &proof, "a\n1\nb\n\n— n x\n");
            assert_eq!(Submission::parse(&body), Ok(Submission { old: count, proof, note: "a\n1\nb\n\n— n x\n" }));
        }
    }

    #[test]
    fn another_spelling_is_refused() {
        let hash = leaf_hash(b"");
        let many = format!("\n{}", vec![hash.to_string(); 64].join("\n"));
        let long = format!("old 1{many}\n\nnote\n");
        let all = [
            "",
            "old 1",
            "old 1\n",
            "old 1\nnote\n",
            "old\n\nnote\n",
            "old  1\n\nnote\n",
            "old 1 \n\nnote\n",
            "old +1\n\nnote\n",
            "old 01\n\nnote\n",
            "old -1\n\nnote\n",
            "old 1\r\n\r\nnote\n",
            "Old 1\n\nnote\n",
            "\nold 1\n\nnote\n",
            "old 18446744073709551616\n\nnote\n",
            "old 1\nabc\n\nnote\n",
            &long,
        ];
        for body in all {
            assert!(Submission::parse(body).is_err(), "{body:?}");
        }
        assert!(Submission::parse("old 0\n\nnote\n").is_ok());
        assert!(Submission::parse(&format!("old 1\n{hash}\n\nnote\n")).is_ok());
        assert!(Submission::parse(&format!("old 1\n{hash} \n\nnote\n")).is_err());
    }
}
