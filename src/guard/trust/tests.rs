use super::*;
use crate::guard::action::Role;
use crate::guard::keys::{KemPrivate, PersonKeys};
use crate::guard::record::MembershipId;
use crate::guard::record::SharedKeyId;
use crate::guard::statement::OrganisationKind;
use crate::guard::statement::{FoundingMember, FoundingStatement, MembershipStatement, hex};
use crate::platform::clock::Clock;
use crate::platform::secrets::Live;
use chrono::DateTime;
use std::path::Path;
use zeroize::Zeroizing;

type Person = (AccountId, PersonKeys);

fn person() -> Person {
    (AccountId::random(), PersonKeys::generate())
}

fn signed(statement: &impl statement::Statement, two: [&Person; 2]) -> String {
    let note = statement::sign(statement, two[0].0, &two[0].1).unwrap();
    statement::countersign(&note, two[1].0, &two[1].1).unwrap()
}

/// A founding of this organisation by these three, the first two of them responsible.
fn founding(organisation: OrganisationId, people: &[Person; 3]) -> String {
    let member = |(number, (account, keys)): (usize, &Person)| FoundingMember {
        account: *account,
        handle: account.to_string(),
        role: Role::SquadSupervisor,
        responsible: number < 2,
        custodian: true,
        keys: keys.public().unwrap().into(),
    };
    let stated = FoundingStatement {
        organisation,
        kind: OrganisationKind::Squad,
        name: "squad".to_owned(),
        custody_key: SharedKeyId::random(),
        custody_public: hex(&KemPrivate::generate().public().unwrap().0),
        members: people.iter().enumerate().map(member).collect(),
        made_at: DateTime::UNIX_EPOCH,
        succession: None,
    };
    signed(&stated, [&people[0], &people[1]])
}

#[tokio::test]
async fn a_membership_that_one_founding_admitted_is_checked_anew_under_another() {
    let organisation = OrganisationId(uuid::Uuid::from_u128(1));
    let (ours, theirs) = ([person(), person(), person()], [person(), person(), person()]);
    let (first, second) = (founding(organisation, &ours), founding(organisation, &theirs));
    let newcomer = person();
    let stated = MembershipStatement {
        membership: MembershipId::random(),
        organisation,
        account: newcomer.0,
        role: Role::SquadOfficer,
        keys: newcomer.1.public().unwrap().into(),
        made_at: DateTime::UNIX_EPOCH,
    };
    let admitted = signed(&stated, [&ours[0], &ours[1]]);
    let pins = std::env::temp_dir().join(format!("himaya-pins-{}", crate::platform::random::uuid()));
    let prints = [&first, &second].map(|note| hex(&statement::fingerprint(note).unwrap()));
    std::fs::write(&pins, prints.join("\n")).unwrap();
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let policy = Arc::new(DecisionTable::from_dir(&policies).await.unwrap());
    let voucher = Voucher::new(Live::only("one", Zeroizing::new([1; 32])), Clock::default());
    let trust = Trust::new(pins.clone(), policy, voucher);
    assert!(trust.member_of_notes(newcomer.0, Some(&first), Some(&admitted)).is_ok());
    assert!(trust.member_of_notes(newcomer.0, Some(&second), Some(&admitted)).is_err(), "remembered from the first");
    std::fs::remove_file(pins).unwrap();
}
