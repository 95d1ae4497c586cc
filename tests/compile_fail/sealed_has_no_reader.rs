//! What lies in the database has no field to read.
use himaya::guard::vault::Sealed;

fn peek(sealed: Sealed<String>) -> String {
    sealed.content
}

fn main() {}
