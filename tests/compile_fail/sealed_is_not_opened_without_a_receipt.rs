//! The vault asks for the receipt.
use himaya::guard::keys::PersonKeys;
use himaya::guard::vault::{Sealed, open};

fn peek(keys: &PersonKeys, sealed: Vec<Sealed<String>>) {
    let _ = open(keys, sealed);
}

fn main() {}
