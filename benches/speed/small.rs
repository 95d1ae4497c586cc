//! What happens inside one process: a decision, sealing and opening; and a sign-in beside bare Argon2id.

use crate::Outcome;
use crate::report::{Report, median};
use crate::world::{Served, World};
use himaya::guard::action::{Purpose, Relation, Role, Verb};
use himaya::guard::bytes::{self, ContentKey, Context};
use himaya::guard::passphrase::COST;
use himaya::guard::policy::DecisionTable;
use himaya::guard::record::RecordKind;
use himaya::platform::random;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Nanoseconds that one call takes: the median of rounds.
fn nanos(rounds: usize, each: Duration, mut call: impl FnMut()) -> f64 {
    let once = |call: &mut dyn FnMut()| {
        let (start, mut calls) = (Instant::now(), 0.0);
        while start.elapsed() < each {
            for _ in 0..8 {
                call();
            }
            calls += 8.0;
        }
        start.elapsed().as_secs_f64() * 1e9 / calls
    };
    median((0..rounds).map(|_| once(&mut call)).collect())
}

/// (e): one decision of the policy.
pub fn policy(report: &mut Report, table: &DecisionTable) {
    let (role, relation) = (black_box(Role::SquadOfficer), black_box(Relation::Assigned));
    let took = nanos(5, Duration::from_millis(100), || {
        let purpose = Some(Purpose::CaseWork);
        let _ = black_box(table.decide(role, relation, black_box(RecordKind::Narrative), Verb::Read, purpose));
    });
    report.at_most("(e) a decision of the policy", format!("{took:.0} ns"), took, 1000.0, "under 1 µs");
}

/// (f): sealing and opening.
pub fn bytes(report: &mut Report) -> Outcome {
    let key = ContentKey::from_bytes(random::bytes());
    let context = Context::new("sections", random::uuid().into_bytes(), "narrative", 1, 1);
    for (size, name) in [(200, "200 B"), (4 * 1024, "4 KiB"), (1024 * 1024, "1 MiB")] {
        let plain = vec![7_u8; size];
        let sealed = bytes::seal(&key, 1, &context, &plain)?;
        let each = Duration::from_millis(200);
        let seal = nanos(5, each, || drop(black_box(bytes::seal(&key, 1, &context, black_box(&plain)))));
        let open = nanos(5, each, || drop(black_box(bytes::open(&key, 1, &context, black_box(&sealed)))));
        let line = format!("seal {:.1} µs, open {:.1} µs", seal / 1e3, open / 1e3);
        report.say(&format!("(f) {name}"), &line);
    }
    Ok(())
}

/// (d): a sign-in beside Argon2id with the same cost, one at a time, in turns.
pub async fn sign_in(report: &mut Report, world: &World, at: &Served, rounds: usize) -> Outcome {
    let params = argon2::Params::new(COST.memory_kib, COST.passes, COST.lanes, Some(32)).map_err(|_| "a cost")?;
    let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let actor = world.country.person("officer1")?.at(&format!("http://{}", at.address)).elsewhere();
    let mut ratios = Vec::with_capacity(rounds);
    let mut took = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let start = Instant::now();
        actor.sign_in().await?;
        let whole = start.elapsed().as_secs_f64();
        let mut out = [0; 32];
        let start = Instant::now();
        argon
            .hash_password_into(actor.passphrase.as_bytes(), &random::bytes::<16>(), &mut out)
            .map_err(|_| "Argon2id failed")?;
        let bare = start.elapsed().as_secs_f64();
        ratios.push(whole / bare);
        took.0.push(whole * 1e3);
        took.1.push(bare * 1e3);
    }
    let line = format!("{:.0} ms, bare Argon2id {:.0} ms: × {:.2}", median(took.0), median(took.1), median(ratios));
    report.say("(d) a sign-in", &line);
    Ok(())
}
