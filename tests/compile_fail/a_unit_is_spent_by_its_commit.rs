//! After its commit a unit changes nothing more: what is done has its entry in the same commit.
use himaya::audit::unit::Unit;
use himaya::guard::gate::{kinds, verbs};
use himaya::guard::record::CaseId;

async fn goes_on(mut unit: Unit<verbs::Write, kinds::Case>) {
    let _committed = unit.commit().await;
    unit.touch(CaseId::random().0);
    let _ = unit.commit().await;
}

fn main() {}
