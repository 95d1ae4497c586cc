//! Secrets have no Debug.
use himaya::guard::bytes::ContentKey;
use himaya::guard::keys::{PersonKeys, RecordKey};
use himaya::guard::passphrase::Passphrase;
use himaya::guard::session::SessionSecret;

fn print(a: &ContentKey, b: &PersonKeys, c: &RecordKey, d: &Passphrase, e: &SessionSecret) -> String {
    format!("{a:?} {b:?} {c:?} {d:?} {e:?}")
}

fn main() {}
