//! What the finished table answers, and what the committed policy promises about roles.

use super::super::lint::MODEL;
use super::*;
use crate::guard::action::{ALL_WORK, Work};
use std::collections::HashSet;
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

const POLICIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");

/// The committed bundle, compiled once for all tests.
async fn committed() -> Result<&'static DecisionTable, PolicyError> {
    static TABLE: OnceCell<DecisionTable> = OnceCell::const_new();
    TABLE.get_or_try_init(|| DecisionTable::from_dir(Path::new(POLICIES))).await
}

#[tokio::test]
async fn a_deny_wins_wherever_it_stands() -> Tested {
    let deny = READ.replace("allow", "deny");
    for csv in [format!("{CREATE}\n{READ}\n{deny}"), format!("{deny}\n{READ}\n{CREATE}")] {
        let table = DecisionTable::compile(MODEL, &csv).await?;
        let (role, kind) = (Role::SquadOfficer, RecordKind::Legal);
        let decision = table.decide(role, Relation::Assigned, kind, Verb::Read, Some(Purpose::CaseWork));
        assert_eq!(decision, Decision::Deny);
        assert!(!table.ever_does(role, kind, Verb::Read));
        assert!(table.ever_does(Role::HelplineOperator, RecordKind::Call, Verb::Create));
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_listed_is_denied_whatever_is_asked() -> Tested {
    let table = DecisionTable::compile(MODEL, &format!("{CREATE}\n{READ}")).await?;
    let stated: Vec<_> = std::iter::once(None).chain(Purpose::ALL.iter().copied().map(Some)).collect();
    for &role in Role::ALL {
        for &relation in Relation::ALL {
            for &kind in RecordKind::ALL {
                for &verb in Verb::ALL {
                    for &purpose in &stated {
                        let listed = match (role, relation, kind, verb) {
                            (Role::HelplineOperator, Relation::None, RecordKind::Call, Verb::Create) => true,
                            (Role::SquadOfficer, Relation::Assigned, RecordKind::Legal, Verb::Read) => {
                                purpose == Some(Purpose::CaseWork)
                            }
                            _ => false,
                        };
                        let expected = if listed { Decision::Allow } else { Decision::Deny };
                        let question = Question { role, relation, kind, verb, purpose };
                        assert_eq!(table.decide(role, relation, kind, verb, purpose), expected, "{question}");
                    }
                }
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_hash_keeps_the_files_apart() -> Tested {
    let plain = DecisionTable::compile(MODEL, CREATE).await?.hash();
    let moved = DecisionTable::compile(&format!("{MODEL}\n"), CREATE).await?.hash();
    let joined = DecisionTable::compile(MODEL, &format!("\n{CREATE}")).await?.hash();
    assert_eq!(HashSet::from([plain, moved, joined]).len(), 3, "a byte that moves between the files is seen");
    Ok(())
}

#[tokio::test]
async fn the_committed_matrix_is_what_the_committed_policy_answers() -> Tested {
    if std::env::var_os("HIMAYA_WRITE_MATRIX").is_some() {
        let file = Path::new(POLICIES).join(MATRIX_FILE);
        let written = tokio::fs::write(&file, committed().await?.matrix()).await;
        written.map_err(|source| PolicyError::Unreadable { file, source })?;
    }
    check(Path::new(POLICIES)).await.map(drop)
}

#[tokio::test]
async fn a_bundle_without_its_reviewed_matrix_is_refused() -> Tested {
    let dir = std::env::temp_dir().join(format!("himaya-policy-{}", std::process::id()));
    let found = stale(&dir).await;
    let _ = std::fs::remove_dir_all(&dir);
    let (missing, stale) = found.map_err(|source| PolicyError::Unreadable { file: dir, source })?;
    assert!(
        matches!(&missing, Err(PolicyError::Unreadable { file, .. }) if file.ends_with(MATRIX_FILE)),
        "{missing:?}"
    );
    assert!(matches!(stale, Err(PolicyError::MatrixDiffers { line: 7 })), "{stale:?}");
    Ok(())
}

/// Checks the committed bundle without a matrix, and with one in which the seventh line names another role.
async fn stale(
    dir: &Path,
) -> std::io::Result<(Result<DecisionTable, PolicyError>, Result<DecisionTable, PolicyError>)> {
    std::fs::create_dir_all(dir)?;
    for file in [MODEL_FILE, RULES_FILE] {
        std::fs::copy(Path::new(POLICIES).join(file), dir.join(file))?;
    }
    let missing = check(dir).await;
    let reviewed = std::fs::read_to_string(Path::new(POLICIES).join(MATRIX_FILE))?;
    std::fs::write(dir.join(MATRIX_FILE), reviewed.replacen("helpline_operator", "coordinator", 1))?;
    Ok((missing, check(dir).await))
}

#[tokio::test]
async fn asking_and_deciding_are_quick() -> Tested {
    let start = Instant::now();
    let table = DecisionTable::from_dir(Path::new(POLICIES)).await?;
    let asking = start.elapsed();
    assert!(
        asking < Duration::from_secs(2),
        "{asking:?} for {} questions: is casbin compiled unoptimised?",
        table.asked()
    );
    let start = Instant::now();
    for _ in 0..1000 {
        for &role in Role::ALL {
            let kind = std::hint::black_box(RecordKind::Legal);
            let _ =
                std::hint::black_box(table.decide(role, Relation::Assigned, kind, Verb::Read, Some(Purpose::CaseWork)));
        }
    }
    let deciding = start.elapsed() / 13_000;
    assert!(deciding < Duration::from_micros(10), "{deciding:?} for one decision of a debug build");
    Ok(())
}

/// What `role` may read or list, in any relation and for any purpose.
async fn seen_by(role: Role) -> Result<HashSet<RecordKind>, PolicyError> {
    let table = committed().await?;
    // What somebody sees because the person consents to it, the person can take away again.
    let by_work = |work: &&Work| {
        let relations = work.relations.iter().filter(|relation| **relation != Relation::Consented);
        relations.copied().any(|relation| {
            Purpose::ALL
                .iter()
                .any(|purpose| table.decide(role, relation, work.kind, work.verb, Some(*purpose)) == Decision::Allow)
        })
    };
    let reads = ALL_WORK.iter().filter(|work| work.asks_purpose).filter(by_work);
    Ok(reads.map(|work| work.kind).collect())
}

/// R02: no role reads everything, and who oversees or runs the system reads no content at all.
#[tokio::test]
async fn no_role_is_all_informed() -> Tested {
    use RecordKind as K;
    let sections = [K::Identity, K::ContactAndSafety, K::Narrative, K::Care, K::Legal, K::Investigation];
    for &role in Role::ALL {
        let seen = seen_by(role).await?;
        assert!(!sections.iter().all(|kind| seen.contains(kind)), "{role} reads every section");
        let works_cases = sections.iter().any(|kind| seen.contains(kind));
        assert!(!(works_cases && seen.contains(&K::Call)), "{role} reads both calls and cases");
    }
    for role in [Role::Coordinator, Role::Administrator, Role::Statistician, Role::Unadmitted] {
        assert_eq!(seen_by(role).await?, HashSet::new(), "{role}");
    }
    // What is left of an erased case is that there was one, who erased it, when and why: no content. Nor is who a pseudonym is.
    assert_eq!(seen_by(Role::Auditor).await?, HashSet::from([K::Ledger, K::AccessList, K::Erasure, K::Resolution]));
    Ok(())
}
