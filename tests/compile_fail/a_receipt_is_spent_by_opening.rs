//! One entry, one opening.
use himaya::audit::receipt::Receipt;
use himaya::guard::session::Who;
use himaya::guard::vault::{Sealed, open};

fn twice(receipt: Receipt, who: &Who, one: Vec<Sealed<String>>, two: Vec<Sealed<String>>) {
    let _ = open(receipt, who, one);
    let _ = open(receipt, who, two);
}

fn main() {}
