//! Only the gate mints a permission.
use himaya::guard::gate::{Authorized, kinds, verbs};

fn main() {
    let _: Authorized<verbs::Read, kinds::Case> = Authorized { relation: himaya::guard::action::Relation::Assigned };
}
