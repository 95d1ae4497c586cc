//! A recipient is made from a signed statement, by the guard.
use himaya::guard::keys::{KemPublic, WrapContext, wrap};
use himaya::guard::record::CaseId;

fn main() {
    let context = WrapContext { purpose: "x", case: None, key_id: CaseId::random().0, epoch: 1, grant: None };
    let _ = wrap(b"secret", &KemPublic([0; 32]), &context);
}
