//! Sealed bytes against an independent implementation, and against every change of a bit, a length or a place.

use super::chunks::{COMMITMENT, MAX_CHUNKS, MessageKeys, TAG};
use super::*;
use proptest::prelude::*;
use serde_json::Value;

const VECTORS: &str = include_str!("../../../tests/vectors/chunked_encryption.json");
const GONE: OpenError = OpenError::NotThisRecord;

fn hex(v: &Value) -> Vec<u8> {
    let digits = v.as_str().unwrap().as_bytes().chunks(2);
    digits.map(|d| u8::from_str_radix(str::from_utf8(d).unwrap(), 16).unwrap()).collect()
}
fn hex_n<const N: usize>(v: &Value) -> [u8; N] {
    hex(v).try_into().unwrap()
}
fn pattern(len: u64) -> Vec<u8> {
    (0..len).map(|i| u8::try_from((7 * i + 13) % 251).unwrap()).collect()
}
fn key(byte: u8) -> ContentKey {
    ContentKey::from_bytes([byte; KEY])
}
fn place() -> Context {
    Context::new("notes", [5; 16], "body", 3, 9)
}
fn with(blob: &[u8], at: usize, to: u8) -> Vec<u8> {
    [&blob[..at], &[to], &blob[at + 1..]].concat()
}
/// Checks `run` (vector, salt, key, plaintext → blob) against the vectors of `group`.
fn known(group: &str, run: impl Fn(&Value, &[u8; SALT], &ContentKey, &[u8]) -> Vec<u8>) {
    let all: Value = serde_json::from_str(VECTORS).unwrap();
    for v in all[group].as_array().unwrap() {
        let plain = pattern(v["plaintext_len"].as_u64().unwrap());
        let key = ContentKey::from_bytes(hex_n(&v["key"]));
        let blob = run(v, &hex_n(&v["salt"]), &key, &plain);
        assert_eq!(blob.len() as u64, v["sealed_len"].as_u64().unwrap());
        assert_eq!(digest(&blob), hex_n(&v["sealed_sha256"]));
        assert!(v["sealed"].is_null() || blob == hex(&v["sealed"]));
    }
}

#[test]
fn messages_match_the_independent_implementation() {
    known("messages", |v, salt, key, plain| {
        let context = hex(&v["context"]);
        let blob = seal_chunks(key, salt, &context, plain).unwrap();
        assert_eq!(*open_chunks(key, &context, &blob).unwrap(), plain);
        blob
    });
}

#[test]
fn records_match_the_independent_implementation() {
    known("records", |v, salt, key, plain| {
        let epoch = u32::from_be_bytes(hex_n(&v["epoch"]));
        let version = u64::from_be_bytes(hex_n(&v["version"]));
        let [table, section] = ["table", "section"].map(|name| v[name].as_str().unwrap());
        let context = Context::new(table, hex_n(&v["row"]), section, epoch, version);
        assert_eq!(context.0, hex(&v["context"]));
        let blob = seal_with_salt(key, epoch, &context, salt, plain).unwrap();
        assert_eq!(*open(key, epoch, &context, &blob).unwrap(), plain);
        blob
    });
}

#[test]
fn the_header_is_refused_by_name_and_bound() {
    let blob = seal(&key(1), 3, &place(), b"x").unwrap();
    let opened = |epoch, blob: &[u8]| open(&key(1), epoch, &place(), blob).unwrap_err();
    assert_eq!(opened(3, &with(&blob, 0, 2)), OpenError::Version(2));
    assert_eq!(opened(3, &with(&blob, 1, 2)), OpenError::Suite(2));
    let epoch = OpenError::Epoch { found: 3, expected: 4 };
    assert_eq!(opened(4, &blob), epoch);
    // The header rewritten to what the caller expects: the commitment knows better.
    assert_eq!(opened(4, &with(&blob, 5, 4)), GONE);
}

#[test]
fn every_bit_every_length_and_every_chunk_counts() {
    let blob = seal(&key(1), 3, &place(), b"").unwrap();
    for bit in 0..blob.len() * 8 {
        let bad = with(&blob, bit / 8, blob[bit / 8] ^ (1 << (bit % 8)));
        assert!(open(&key(1), 3, &place(), &bad).is_err(), "bit {bit}");
    }
    let message = seal_chunks(&key(1), &[2; SALT], b"", &pattern(2 * CHUNK as u64)).unwrap();
    let (start, chunks) = message.split_at(SALT + COMMITMENT);
    let (one, rest) = chunks.split_at(CHUNK + TAG);
    let (two, last) = rest.split_at(CHUNK + TAG);
    let opened = |parts: &[&[u8]]| open_chunks(&key(1), b"", &[start, &parts.concat()].concat());
    assert!(opened(&[one, two, last]).is_ok());
    for cut in [&[][..], &[one], &[one, two], &[one, last], &[two, one, last], &[last]] {
        assert_eq!(opened(cut), Err(GONE));
    }
    let keys = MessageKeys::derive(&key(1), &[2; SALT], b"").unwrap();
    assert!(keys.nonce(MAX_CHUNKS - 1).is_some() && keys.nonce(MAX_CHUNKS).is_none());
}

#[test]
fn another_place_does_not_open() {
    let of = |table, row, section, epoch, version| Context::new(table, [row; 16], section, epoch, version);
    // The row is sixteen times "a": without lengths the first three would be one place.
    let places = [
        of("aa", b'a', "", 1, 1),
        of("a", b'a', "a", 1, 1),
        of("", b'a', "aa", 1, 1),
        of("aa", b'b', "", 1, 1),
        of("aa", b'a', "", 2, 1),
        of("aa", b'a', "", 1, 2),
    ];
    for (i, a) in places.iter().enumerate() {
        let blob = seal(&key(1), 3, a, b"x").unwrap();
        for (j, b) in places.iter().enumerate() {
            assert_eq!(open(&key(1), 3, b, &blob).is_ok(), i == j);
        }
    }
}

#[test]
fn padding_has_one_form() {
    let good = pad(b"abc").unwrap();
    assert_eq!(**unpad(&good).unwrap(), *b"abc");
    let longer = [&good[..], &[0; 768]].concat();
    let (dirty, end) = (with(&good, 7, 1), with(&good, 255, 1));
    let (length, huge) = (with(&good, 2, 1), with(&good, 0, 255));
    for bad in [&dirty, &end, &length, &huge, &longer, &good[..255], &[0; 3], &[]] {
        assert!(unpad(bad).is_none());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn sealed_opens_again_and_only_whole(
        plain in prop_oneof![0..600_usize, 0..70_000_usize]
            .prop_flat_map(|len| prop::collection::vec(any::<u8>(), len)),
        (bit, cut) in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let blob = seal(&key(1), 3, &place(), &plain).unwrap();
        prop_assert_eq!(&*open(&key(1), 3, &place(), &blob).unwrap(), &plain);
        prop_assert_ne!(&blob, &seal(&key(1), 3, &place(), &plain).unwrap());
        let bit = bit.index(blob.len() * 8);
        let flipped = with(&blob, bit / 8, blob[bit / 8] ^ (1 << (bit % 8)));
        prop_assert!(open(&key(1), 3, &place(), &flipped).is_err());
        prop_assert_eq!(open(&key(1), 3, &place(), &blob[..cut.index(blob.len())]), Err(GONE));
        prop_assert_eq!(open(&key(2), 3, &place(), &blob), Err(GONE));
    }
}
