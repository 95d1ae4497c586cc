//! The story of the law, as actors, and the ledger that it leaves behind.

use crate::harness::World;
use himaya::audit::verify::verify;
use himaya::demo::{stay, story, ways};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_at_three_in_the_morning_becomes_a_sealed_case_that_nobody_else_can_open() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let played = stay::play(&world.country, played).await.unwrap();
    let played = ways::play(&world.country, played).await.unwrap();
    assert!(played.lines.iter().any(|line| line.contains("who she is: read by officer1, duty1; refused to officer2")));
    world.stop().await;
    let report = whole_ledger(&world).await;
    assert!(report.records > 5 && report.leaves > 100, "{} records, {} leaves", report.records, report.leaves);
}

/// Verifies the ledger, records included, and insists that nothing is found.
pub async fn whole_ledger(world: &World) -> himaya::audit::verify::Report {
    let keys = world.app.log_keys().unwrap();
    let report = verify(&world.app.databases.auditor, &keys, &[], true).await.unwrap();
    let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    assert!(report.ok(), "{findings:#?}");
    report
}
