//! What erases entries' details when their time is over, in the hands of who sets the clocks, the periods, and the database.

use crate::erasing::supervisors;
use crate::retention::{Kept, passes, shortest};
use chrono::{Months, TimeDelta};
use ed25519_dalek::SigningKey;
use himaya::audit::note::cosignature::CosignatureKey;
use himaya::audit::note::{KeyName, unverified_text};
use himaya::audit::retention::{Passed, Period, RetentionConfig};
use himaya::audit::verify::{Believed, Finding, Report};
use himaya::audit::witnesses::Witnesses;
use serde_json::json;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sets_every_clock_forward_and_back_with_a_witness_of_their_own_is_found() {
    let kept = Kept::new().await;
    let today = kept.world.clock.now();
    // The operator's own witness goes by the operator's clock, as everything does that they run.
    kept.let_pass(25).await;
    assert!(kept.pass().await.erased > 0);
    kept.is_whole().await;
    let own = Witnesses::of(&kept.app.config).unwrap();
    let early = |report: Report| {
        let early = report.findings.iter().filter(|found| matches!(found, Finding::ErasedEarly { .. })).count();
        // Nor had anybody announced the period for so long.
        let unannounced = |found: &&Finding| matches!(found, Finding::ErasedUnannounced { .. });
        let unannounced = report.findings.iter().filter(unannounced).count();
        assert_eq!((early, early * 2), (unannounced, report.findings.len()), "{report:?}");
        assert!(early == 0 || early == report.retained.len(), "{report:?}");
        early > 0
    };
    // Whoever comes today has a clock.
    assert!(early(kept.verified_by(Believed { witnesses: own.as_ref(), ..Believed::at(today) }).await));

    // Who comes in three years has a witness who saw all of it today.
    let name = KeyName::new("two.example").unwrap();
    let witness = CosignatureKey::new(name, &SigningKey::from_bytes(&[2; 32]));
    let newest = "SELECT note FROM ledger_checkpoints ORDER BY size DESC LIMIT 1";
    let note: String = sqlx::query_scalar(newest).fetch_one(&mut kept.world.owner().await).await.unwrap();
    let line = witness.cosign(unverified_text(&note).unwrap(), today.timestamp().unsigned_abs());
    let saved = [format!("{note}{line}")];
    let named = Witnesses::named(vec![witness.verifier().clone()], 1);
    for (witnesses, found) in [(&own, false), (&named, true)] {
        let believed =
            Believed { saved: &saved, witnesses: witnesses.as_ref(), ..Believed::at(today + Months::new(36)) };
        assert_eq!(early(kept.verified_by(believed).await), found);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shorter_period_erases_when_it_was_announced_for_thirty_days() {
    let longer = RetentionConfig { refusals: Period::Months(36), lists: Period::Months(36), ..shortest() };
    let kept = Kept::with(longer).await;
    kept.let_pass(25).await;
    let (shorter, _serving) = kept.announces(shortest()).await;
    assert_eq!(passes(&shorter).await, Passed::default(), "nobody has been told");
    let auditor = kept.auditor().await;
    let told = kept.shown(&auditor).await.into_iter().find(|entry| entry["detail"]["kind"] == "configuration").unwrap();
    let periods = json!({ "records": 36, "refusals": 24, "lists": 24, "changes": 120 });
    assert_eq!(told["periods"], periods, "the newest first: {told}");
    kept.let_go(TimeDelta::days(29)).await;
    assert_eq!(passes(&shorter).await, Passed::default());
    kept.let_go(TimeDelta::days(2)).await;
    assert_eq!(kept.pass().await, Passed::default(), "a process with longer ones keeps to them");
    assert!(passes(&shorter).await.erased > 0);
    kept.is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_hides_for_a_minute_that_a_longer_period_was_announced_is_found() {
    let kept = Kept::new().await;
    let (_longer, _serving) = kept.announces(RetentionConfig::default()).await;
    kept.let_pass(25).await;
    assert_eq!(kept.pass().await, Passed::default(), "what was announced last counts");
    let announcing =
        "SELECT max(t.position) FROM ledger_tree t JOIN ledger_entries e USING (replica, lane, n)
         WHERE substring(e.leaf FROM 137 FOR 32) = sha256('himaya retention periods v1' || substring(e.leaf FROM 169 FOR 32))";
    let position = kept.count(announcing).await;
    let change = async |to: &'static str| {
        let statement = format!(
            "UPDATE ledger_entries SET leaf = {to}
             WHERE (replica, lane, n) = (SELECT replica, lane, n FROM ledger_tree WHERE position = {position})"
        );
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut kept.world.owner().await).await.unwrap();
        assert_eq!(done.rows_affected(), 1);
    };
    let leaf = "SELECT e.leaf FROM ledger_tree t JOIN ledger_entries e USING (replica, lane, n) WHERE t.position = $1";
    let leaf: Vec<u8> = sqlx::query_scalar(leaf).bind(position).fetch_one(&mut kept.world.owner().await).await.unwrap();
    // Another period is written into it: somebody is at work, and nothing is erased.
    change(
        "substring(leaf FOR 136) || sha256('himaya retention periods v1' || set_byte(substring(leaf FROM 169 FOR 32), 3, 24))
         || set_byte(substring(leaf FROM 169 FOR 32), 3, 24) || '\\x0000'",
    )
    .await;
    assert_eq!(kept.pass().await, Passed { strange: 1, ..Passed::default() });
    // It is made one that announces nothing; and then what it was.
    change("set_byte(leaf, 140, get_byte(leaf, 140) # 1)").await;
    assert!(kept.pass().await.erased > 0);
    sqlx::query(
        "UPDATE ledger_entries SET leaf = $2
         WHERE (replica, lane, n) = (SELECT replica, lane, n FROM ledger_tree WHERE position = $1)",
    )
    .bind(position)
    .bind(leaf)
    .execute(&mut kept.world.owner().await)
    .await
    .unwrap();
    let report = kept.verified().await;
    let unannounced = |found: &Finding| matches!(found, Finding::ErasedUnannounced { months: 24, .. });
    assert!(report.findings.iter().all(unannounced), "{report:?}");
    assert_eq!(report.findings.len(), report.retained.len(), "each erasure is");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_closes_a_case_or_lifts_its_hold_for_a_minute_in_the_database_is_found() {
    let kept = Kept::new().await;
    kept.let_pass(37).await;
    // Its officers work on: the case is open, and was never closed.
    kept.sql("CREATE TABLE states AS SELECT id, state FROM cases").await;
    assert!(kept.sql("UPDATE cases SET state = 'closed' WHERE state <> 'closed'").await > 0);
    let passed = kept.pass().await;
    assert!(passed.erased > 5 && passed.kept == 0, "{passed:?}");
    let case = kept.case.rsplit('/').next().unwrap().parse::<Uuid>().unwrap();
    let of_it = |found: &Finding| matches!(found, Finding::ErasedOfKeptCase { case: its, .. } if *its == case);
    // Its row says so for good, and that it was opened in years to come: labels know better.
    kept.sql("CREATE TABLE opened AS SELECT id, opened_at FROM cases").await;
    kept.sql("UPDATE cases SET opened_at = now() + interval '9 years'").await;
    let found = kept.verified().await.findings;
    assert!(
        found.iter().any(of_it) && found.iter().any(|found| matches!(found, Finding::RowChanged { .. })),
        "{found:?}"
    );
    kept.sql("UPDATE cases c SET opened_at = o.opened_at FROM opened o WHERE o.id = c.id").await;
    kept.sql("UPDATE cases c SET state = s.state FROM states s WHERE s.id = c.id").await;
    let found = kept.verified().await.findings;
    assert!(found.iter().any(of_it), "{found:?}");
    assert!(found.iter().all(|found| matches!(found, Finding::ErasedOfKeptCase { .. })), "{found:?}");
    // Nobody hides which case it was by taking away every label that there is.
    kept.sql("UPDATE ledger_entries SET label = NULL").await;
    let report = kept.verified().await;
    let found = &report.findings;
    assert!(found.iter().all(|found| matches!(found, Finding::LabelGone { .. })), "{found:?}");
    assert_eq!(found.len() as u64 + report.unlisted, passed.erased);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_erased_of_a_case_under_a_hold_is_found_when_it_is_closed_and_when_it_is_taken_up_again() {
    let kept = Kept::new().await;
    let (one, _) = supervisors(&kept.world).await;
    let held = json!({ "reason": "complaint", "until": null });
    assert_eq!(one.post(&format!("{}/holds", kept.case), &held).await.unwrap().status, 201);
    let officer = kept.world.signed_in("officer1").await;
    let become_next = async |state: &str| {
        officer.sign_in().await.unwrap();
        let etag = officer.get(&kept.case, "case_work").await.unwrap().etag.unwrap();
        let done = officer.patch(&kept.case, &etag, &json!({ "state": state })).await.unwrap();
        assert_eq!(done.status, 200, "{}", done.text);
        kept.sees_all().await;
    };
    for state in ["follow_up", "closed"] {
        become_next(state).await;
    }
    kept.let_pass(37).await;
    assert!(kept.pass().await.kept > 5, "it is held");
    kept.is_whole().await;
    kept.sql("CREATE TABLE held AS TABLE holds").await;
    assert_eq!(kept.sql("DELETE FROM holds").await, 1);
    assert!(kept.pass().await.erased > 5);
    kept.sql("INSERT INTO holds TABLE held").await;
    let of_kept = |found: &Finding| matches!(found, Finding::ErasedOfKeptCase { .. });
    let found = kept.verified().await.findings;
    assert!(!found.is_empty() && found.iter().all(of_kept), "{found:?}");
    // Without that it was held, nothing is wrong: it was closed then, and is open again for a month.
    kept.let_pass(1).await;
    become_next("open").await;
    assert_eq!(kept.verified().await.findings, found);
    kept.sql("DELETE FROM holds").await;
    let found = kept.verified().await.findings;
    assert!(
        !found.iter().any(of_kept) && found.iter().any(|found| matches!(found, Finding::RowGone { .. })),
        "{found:?}"
    );
}
