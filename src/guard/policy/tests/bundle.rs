//! Each fault of a bundle and each trap of casbin, with a bundle that has it.

use super::super::lint::{self, MODEL};
use super::super::table::{ask, confirmed};
use super::*;
use crate::guard::words::UnknownWord;
use casbin::{CoreApi, DefaultModel, Enforcer, NullAdapter};

/// Asserts that a bundle whose second line is `line` is refused for this fault of that line.
async fn refused(line: &str, expected: RuleFault) {
    let found = DecisionTable::compile(MODEL, &format!("{CREATE}\n{line}\n")).await;
    assert!(matches!(&found, Err(PolicyError::Rule { line: 2, fault }) if *fault == expected), "{line}: {found:?}");
}

async fn model_refused(model: &str, expected: ModelFault) {
    let found = DecisionTable::compile(model, CREATE).await;
    assert!(matches!(&found, Err(PolicyError::Model(fault)) if *fault == expected), "{model}: {found:?}");
}

#[tokio::test]
async fn a_word_that_is_not_in_the_vocabulary_is_refused() {
    for (line, vocabulary) in [
        ("p, squad_oficer, assigned, legal, read, case_work, allow", "Role"),
        ("p, squad_officer, asigned, legal, read, case_work, allow", "Relation"),
        ("p, squad_officer, assigned, legall, read, case_work, allow", "RecordKind"),
        ("p, squad_officer, assigned, legal, raed, case_work, allow", "Verb"),
        ("p, squad_officer, assigned, legal, read, case-work, allow", "Purpose"),
        ("p, squad_officer, assigned, legal, read, any, allow", "Purpose"),
        ("p, *, assigned, legal, read, case_work, allow", "Role"),
    ] {
        refused(line, RuleFault::UnknownWord(UnknownWord(vocabulary))).await;
    }
    refused("p, squad_officer, assigned, legal, read, case_work, Allow", RuleFault::UnknownEffect).await;
    refused("g, squad_officer, assigned, legal, read, case_work, allow", RuleFault::NotARule).await;
}

#[tokio::test]
async fn a_field_too_many_too_few_or_empty_is_refused() {
    refused("p, squad_officer, assigned, legal, read, case_work", RuleFault::Fields(6)).await;
    refused(&format!("{READ}, # why"), RuleFault::Fields(8)).await;
    refused("p, squad_officer, , legal, read, case_work, allow", RuleFault::EmptyField("relation")).await;
    refused("p, squad_officer, assigned, legal, read, , allow", RuleFault::EmptyField("purpose")).await;
    refused("p,,,,,,", RuleFault::EmptyField("role")).await;
}

#[tokio::test]
async fn a_rule_for_what_cannot_happen_is_refused() {
    let kind = RecordKind::Ledger;
    refused("p, auditor, none, ledger, write, -, allow", RuleFault::NoSuchWork { kind, verb: Verb::Write }).await;
    refused("p, auditor, assigned, ledger, list, audit, allow", RuleFault::NoSuchRelation(Relation::Assigned)).await;
}

#[tokio::test]
async fn a_read_names_its_purpose_and_other_work_names_none() {
    refused("p, squad_officer, assigned, legal, read, -, allow", RuleFault::PurposeMissing).await;
    refused("p, squad_officer, assigned, legal, write, case_work, allow", RuleFault::PurposeUnasked).await;
}

#[tokio::test]
async fn the_unadmitted_keep_to_themselves_and_to_founding() -> Tested {
    for line in [
        "p, unadmitted, none, call, create, -, allow",
        "p, unadmitted, responsible_of, membership, countersign, -, allow",
        "p, unadmitted, none, organisation, found, -, allow",
        "p, unadmitted, none, account, list, -, allow",
    ] {
        refused(line, RuleFault::Unadmitted).await;
    }
    for line in [
        "p, unadmitted, oneself, session, close, -, allow",
        "p, unadmitted, oneself, account, disable, -, allow",
        "p, unadmitted, responsible_of, organisation, found, -, allow",
        "p, unadmitted, responsible_of, organisation, countersign, -, allow",
    ] {
        lint::rules(line)?;
    }
    Ok(())
}

#[tokio::test]
async fn the_same_rule_twice_is_refused() {
    refused(" p ,helpline_operator,none,call,create,-,allow", RuleFault::Duplicate { first: 1 }).await;
}

#[tokio::test]
async fn casbin_allows_everything_by_an_empty_policy_so_an_empty_policy_is_refused() -> Tested {
    let enforcer = Enforcer::new(DefaultModel::from_str(MODEL).await?, NullAdapter).await?;
    assert!(enforcer.enforce(("", "", "", "", ""))?, "the trap is gone: casbin has changed");
    for empty in ["", "\n\n", "# p, helpline_operator, none, call, create, -, allow\n"] {
        let found = DecisionTable::compile(MODEL, empty).await;
        assert!(matches!(found, Err(PolicyError::Empty)), "{found:?}");
    }
    Ok(())
}

#[tokio::test]
async fn only_the_one_model_is_accepted() -> Tested {
    let expected = |start: &str| MODEL.lines().find(|line| line.starts_with(start)).unwrap_or_default();
    let (effect, matcher) = (expected("e ="), expected("m ="));
    for (from, to) in [("eft == deny", "eft == denied"), (" && !some(where (p.eft == deny))", "")] {
        model_refused(&MODEL.replace(from, to), ModelFault::Line { line: 6, expected: effect }).await;
    }
    for (from, to) in [
        ("r.purpose == p.purpose", "r.purpos == p.purpos"),
        (" && r.purpose == p.purpose", ""),
        ("r.role == p.role", "true"),
        ("r.purpose == p.purpose", "r.purpose == p.purpose || r.role == \"coordinator\""),
    ] {
        model_refused(&MODEL.replace(from, to), ModelFault::Line { line: 8, expected: matcher }).await;
    }
    model_refused(&MODEL.replace(matcher, ""), ModelFault::Missing { expected: matcher }).await;
    model_refused(&format!("{MODEL}m2 = true\n"), ModelFault::Surplus { line: 9 }).await;
    model_refused("", ModelFault::Missing { expected: "[request_definition]" }).await;
    lint::model(&format!("# why\n\n{}", MODEL.replace(" = ", "  =  ")))?;
    Ok(())
}

/// These go past the linter, straight to casbin: the comparison has to hold without it.
#[tokio::test]
async fn a_casbin_that_answers_otherwise_than_the_rules_is_refused() -> Tested {
    let rules = lint::rules(READ)?;
    for (from, to) in [
        ("r.purpose == p.purpose", "r.purpos == p.purpose"), // denies in silence, or errs: either way no table
        ("r.purpose == p.purpose", "r.purpose != p.purpos"),
        (" && r.purpose == p.purpose", ""),
        ("r.role == p.role && ", ""),
    ] {
        let answers = ask(&MODEL.replace(from, to), &rules).await;
        let found = answers.and_then(|allowed| confirmed(allowed, &rules));
        assert!(matches!(found, Err(PolicyError::Disagrees(_) | PolicyError::Casbin(_))), "{to}: {found:?}");
    }
    let found = ask(&MODEL.replace("r.role == p.role", "p.rol"), &rules).await;
    assert!(matches!(found, Err(PolicyError::Casbin(_))), "an error is not an answer: {found:?}");
    assert_eq!(confirmed(ask(MODEL, &rules).await?, &rules)?.len(), 1);
    Ok(())
}
