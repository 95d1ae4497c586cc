//! Each measure is counted from what the service itself enters: not only from entries that a test makes up.

use crate::access_list::another_case;
use crate::custody::{invoke, opened_by};
use crate::harness::World;
use crate::snooping::hands_on;
use chrono::{NaiveDate, TimeDelta, Timelike as _};
use himaya::audit::entry::Pseudonyms;
use himaya::audit::snooping::{Measure, SnoopingConfig};
use himaya::demo::actor::Actor;
use himaya::demo::story;
use himaya::guard::record::AccountId;
use himaya::platform::app::App;
use himaya::platform::config::Config;
use serde_json::json;

/// A configuration by whose clocks it is this hour, so that no day ends while the test runs.
fn at_hour(world: &World, hour: i32) -> Config {
    let minutes = i32::try_from(world.clock.now().time().num_seconds_from_midnight() / 60).unwrap();
    let snooping = SnoopingConfig { utc_offset_minutes: hour * 60 - minutes, ..SnoopingConfig::default() };
    Config { snooping, ..world.app.config.clone() }
}

/// How much of this is counted for somebody on a day, over all processes that handed on.
async fn counted(world: &World, app: &App, who: &Actor, measure: Measure, day: NaiveDate) -> i32 {
    hands_on(app).await.unwrap();
    let tag = Pseudonyms::new(world.app.secrets.pseudonyms.clone()).tag(AccountId(who.account), world.clock.now());
    let found = sqlx::query_scalar("SELECT counted FROM snooping_days WHERE person = $1 AND measure = $2 AND day = $3")
        .bind(tag)
        .bind(measure.as_str())
        .bind(day)
        .fetch_optional(&mut world.owner().await)
        .await;
    found.unwrap().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_measure_is_counted_from_what_the_service_enters() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let case = format!("/api/v1/cases/{}", played.case);
    let narrative = format!("{case}/sections/narrative");
    let (app, serving, base) = world.replica_of(at_hour(&world, 12)).await;
    let today = app.config.snooping.day(world.clock.now());
    let reads = async |who: &Actor, purpose: &str, times: usize| {
        for _ in 0..times {
            let read = who.get(&narrative, purpose).await.unwrap();
            assert_eq!(read.status, 200, "{}: {}", who.handle, read.text);
        }
    };
    let officer = world.signed_in("officer1").await.at(&base);
    let other = world.signed_in("officer2").await.at(&base);
    let now = async |who: &Actor, measure| counted(&world, &app, who, measure, today).await;

    // The same, read again: from the fourth time on. One record, however often.
    let before = (now(&officer, Measure::Repeats).await, now(&officer, Measure::Records).await);
    reads(&officer, "case_work", 6).await;
    assert_eq!(
        (now(&officer, Measure::Repeats).await, now(&officer, Measure::Records).await),
        (before.0 + 3, before.1 + 1)
    );

    // Asked for, and not theirs.
    let before = now(&other, Measure::Refused).await;
    assert_eq!(other.get(&narrative, "case_work").await.unwrap().status, 404);
    assert_eq!(now(&other, Measure::Refused).await, before + 1);

    // Read right after they were put on it: by a colleague, and by an absence of the colleague's.
    let theirs = format!("/api/v1/cases/{}", another_case(&world).await);
    let granted = json!({ "account": officer.account, "relation": "granted", "reason": "expertise" });
    assert_eq!(other.post(&format!("{theirs}/access"), &granted).await.unwrap().status, 201);
    let away = json!({ "stand_in": other.account, "until": world.clock.now() + TimeDelta::days(3) });
    assert_eq!(officer.post("/api/v1/absences", &away).await.unwrap().status, 201);
    for (who, case) in [(&officer, &theirs), (&other, &case)] {
        let before = now(who, Measure::AfterChange).await;
        let read = who.get(&format!("{case}/sections/narrative"), "case_work").await.unwrap();
        assert_eq!(read.status, 200, "{}", read.text);
        assert_eq!(now(who, Measure::AfterChange).await, before + 1, "{}", who.handle);
    }
    let before = now(&officer, Measure::AfterChange).await;
    reads(&officer, "case_work", 1).await;
    assert_eq!(now(&officer, Measure::AfterChange).await, before, "who changed it is not who was put there");

    // Read by an emergency: the case counts once.
    let stranger = world.signed_in("duty2").await.at(&base);
    let opening = invoke(&world, &stranger, played.case, &["narrative"], 1).await;
    opened_by(&world, opening, "ssupervisor1", "duty1").await;
    let before = now(&stranger, Measure::Emergencies).await;
    reads(&stranger, "emergency", 3).await;
    assert_eq!(now(&stranger, Measure::Emergencies).await, before + 1);

    // At two at night by the country's clocks; at noon nothing of it counted.
    let (night, serving_at_night, at_night) = world.replica_of(at_hour(&world, 2)).await;
    let date = night.config.snooping.day(world.clock.now());
    let before = counted(&world, &app, &officer, Measure::OffHours, date).await;
    reads(&officer.at(&at_night), "case_work", 4).await;
    assert_eq!(counted(&world, &night, &officer, Measure::OffHours, date).await, before + 4);

    // Two cases read and no work on either are counted when the day is over; one read, and another worked on, are not.
    world.clock.advance(TimeDelta::days(1) + TimeDelta::hours(4));
    let idle = async |who: &Actor| counted(&world, &app, who, Measure::Fruitless, today).await;
    assert_eq!((idle(&officer).await, idle(&other).await), (2, 0));
    serving.stop().await.unwrap();
    serving_at_night.stop().await.unwrap();
}
