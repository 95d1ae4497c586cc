//! One entry, one opening.
use himaya::audit::receipt::Receipt;
use himaya::guard::keys::PersonKeys;
use himaya::guard::vault::{Sealed, open};

fn twice(receipt: Receipt, keys: &PersonKeys, one: Vec<Sealed<String>>, two: Vec<Sealed<String>>) {
    let _ = open(receipt, keys, one);
    let _ = open(receipt, keys, two);
}

fn main() {}
