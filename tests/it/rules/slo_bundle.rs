//! Rule files that mind an SLO: bundles, policies, folders, `wavegate check`.

use crate::rules::slo::EVERYTHING;
use crate::support::daemon::run;
use std::path::PathBuf;
use wavegate::engine::BookError;
use wavegate::engine::Folders;
use wavegate::engine::RuleBook;
use wavegate::engine::SloBook;
use wavegate::rules;
use wavegate::rules::Budget;
use wavegate::rules::Scope;
use wavegate::series::Fraction;

const NAME: &str = "checkout-availability";

fn gate(budget: &str) -> String {
    format!("version: 1\nname: a\nbudget: {budget}\nchecks:\n  - {{ name: up, threshold: up, min: 1 }}\n")
}

#[track_caller]
fn budget(text: &str) -> Budget {
    let parsed = rules::parse("a.yaml", text).unwrap_or_else(|faults| panic!("\n{}", rules::render(&faults, text)));
    parsed.rules.budget.unwrap()
}

fn codes(text: &str) -> Vec<&'static str> {
    rules::parse("a.yaml", text).map_or_else(|f| f, |parsed| parsed.warnings).iter().map(|f| f.code).collect()
}

#[test]
fn a_rule_file_changes_what_it_writes_of_the_policies() {
    let minded = |said: &str| budget(&rules::bundle_slo(&gate(said), NAME, EVERYTHING));
    let plain = minded("{ slo: checkout-availability }");
    let alone = rules::parse_slo("slo.yaml", EVERYTHING).unwrap().slo;
    assert_eq!(*plain.slo, alone);
    assert_eq!(plain.policies, plain.slo.policies);
    let changed = minded(
        "{ slo: checkout-availability, reserve: off, waves_spend: 5%, page: pause, wave_burn: { scope: canary } }",
    );
    assert_eq!(*changed.slo, alone);
    let policies = changed.policies;
    assert_eq!((policies.reserve, policies.page), (None, true));
    assert_eq!(policies.waves_spend, Fraction::new(1, 20));
    assert_eq!(policies.projected, alone.policies.projected);
    let (burn, usual) = (policies.wave_burn.unwrap(), alone.policies.wave_burn.unwrap());
    assert_eq!(burn.scope, Scope::Canary);
    assert_eq!((burn.ratio, burn.floor, burn.min_events), (usual.ratio, usual.floor, usual.min_events));
    assert!(burn.level.total_cmp(&usual.level).is_eq());
    assert_eq!(minded("{ slo: checkout-availability, wave_burn: off }").policies.wave_burn, None);
}

#[test]
fn a_bundle_is_one_text_with_one_digest() {
    let own = gate("{ slo: checkout-availability }");
    assert_eq!(rules::slo_of(&own).as_deref(), Some(NAME));
    assert_eq!(rules::slo_of("version: 1\n# budget: { slo: a }\n"), None);
    assert_eq!(rules::slo_of(&gate("{ slo: '../a' }")), None);
    let digest = |slo: &str| rules::parse("a.yaml", &rules::bundle_slo(&own, NAME, slo)).unwrap().rules.digest;
    assert_ne!(digest(EVERYTHING), digest(&EVERYTHING.replace("99.95%", "99.96%")));
    // With a base that names the SLO, and one that the file changes.
    let bundle = rules::bundle(
        "version: 1\nextends: _b.yaml\nname: a\nbudget: { reserve: off, wave_burn: { min_events: 7 } }\n",
        "_b.yaml",
        "budget: { slo: checkout-availability, page: pause, wave_burn: { scope: canary } }\nchecks: [{ name: up, threshold: up, min: 1 }]\n",
    );
    assert_eq!(rules::slo_of(&bundle).as_deref(), Some(NAME));
    let minded = budget(&rules::bundle_slo(&bundle, NAME, EVERYTHING));
    let burn = minded.policies.wave_burn.unwrap();
    assert_eq!((minded.policies.reserve, minded.policies.page), (None, true));
    assert_eq!((burn.min_events, burn.scope), (7, Scope::Canary));
    // A second SLO takes the place of the first.
    let twice = rules::bundle_slo(&rules::bundle_slo(&own, NAME, "objective: 1%\n"), NAME, EVERYTHING);
    assert_eq!(twice, rules::bundle_slo(&own, NAME, EVERYTHING));
}

#[test]
fn what_is_wrong_with_a_bundle_is_told() {
    let own = gate("{ slo: checkout-availability }");
    assert_eq!(codes(&own), ["no_slo"]);
    assert_eq!(codes(&rules::bundle_slo(&own, "other", EVERYTHING)), ["no_slo"]);
    let renamed = EVERYTHING.replace("name: checkout-availability", "name: other");
    assert_eq!(codes(&rules::bundle_slo(&own, NAME, &renamed)), ["bad_slo"]);
    assert_eq!(codes(&rules::bundle_slo(&own, NAME, "[")), ["bad_slo", "not_yaml"]);
    let two = format!("{EVERYTHING}---\n{EVERYTHING}");
    assert_eq!(codes(&rules::bundle_slo(&own, NAME, &two)), ["bad_slo", "second_document"]);
    let none = "version: 1\nname: a\nchecks:\n  - { name: up, threshold: up, min: 1 }\n";
    assert_eq!(codes(&rules::bundle_slo(none, NAME, EVERYTHING)), ["second_document"]);
    // Faults of the SLO have its name and its lines.
    let text = rules::bundle_slo(&own, NAME, "version: 1\nname: checkout-availability\nobjective: 100%\n");
    let faults = rules::parse("a.yaml", &text).unwrap_err();
    let fault = faults.iter().find(|fault| fault.code == "impossible_objective").unwrap();
    assert_eq!((fault.file.as_str(), fault.line, fault.column), ("slo:checkout-availability", 3, 12));
    assert!(rules::render(&faults, &text).contains("3 | objective: 100%"), "{}", rules::render(&faults, &text));
}

#[test]
fn folders_are_read_with_their_slos_all_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path: PathBuf = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let (rules_dir, slos_dir) = (folder.path().join("rules"), folder.path().join("slos"));
    assert!(matches!(SloBook::read(&slos_dir), Err(BookError::Unreadable { .. })));
    let (none, warnings) =
        Folders { slos: slos_dir.clone(), slos_may_lack: true, ..Folders::default() }.read_slos().unwrap();
    assert!(none.is_empty() && warnings.is_empty());
    write("rules/a.yaml", &gate("{ slo: checkout-availability }"));
    write("slos/a.yaml", EVERYTHING);
    let (book, _) = SloBook::read(&slos_dir).unwrap();
    assert_eq!((book.len(), book.names().as_str()), (1, NAME));
    let (rule_book, _) = RuleBook::read(&rules_dir, &book).unwrap();
    let entry = rule_book.iter().next().unwrap();
    assert_eq!(entry.rules.budget.as_ref().unwrap().slo, book.get(NAME).unwrap().slo);
    assert!(entry.text.ends_with(EVERYTHING), "a gate keeps its SLO");
    let BookError::Refused { files } = RuleBook::read(&rules_dir, &none).unwrap_err() else { panic!("refused") };
    assert_eq!(files[0].2[0].code, "no_slo");

    write("rules/a.yaml", &gate("{ slo: checkout }"));
    let BookError::Refused { files } = RuleBook::read(&rules_dir, &book).unwrap_err() else { panic!("refused") };
    assert_eq!(files[0].2[0].help, "the SLOs are `checkout-availability`");
    // Nobody brings an SLO of his own with a rule file, nor with what it extends.
    let own = rules::bundle_slo(&gate("{ slo: checkout-availability }"), NAME, &EVERYTHING.replace("99.95%", "1%"));
    let extending = gate("{ slo: checkout-availability }") + "extends: _base.yaml\n";
    write("rules/_base.yaml", &rules::bundle_slo("defaults: {}\n", NAME, "x: 1\n"));
    for (text, code) in [(&own, "second_document"), (&extending, "bad_base")] {
        write("rules/a.yaml", text);
        let BookError::Refused { files } = RuleBook::read(&rules_dir, &book).unwrap_err() else { panic!("refused") };
        assert!(files[0].2.iter().any(|fault| fault.code == code), "{:?}", files[0].2);
    }
    write("rules/a.yaml", &gate("{ slo: checkout-availability }"));
    let (rule_book, _) = RuleBook::read(&rules_dir, &book).unwrap();
    let entry = rule_book.iter().next().unwrap();
    assert_eq!(entry.rules.budget.as_ref().unwrap().slo, book.get(NAME).unwrap().slo);

    let mut more = book.clone();
    let again = more.with_text("slos.again".into(), EVERYTHING.to_owned());
    assert!(matches!(again, Err(BookError::SameName { name, .. }) if name == NAME));
    let other = EVERYTHING.replace("name: checkout-availability", "name: other");
    assert_eq!(more.with_text("slos.other".into(), other).unwrap(), []);
    assert_eq!(more.names(), "checkout-availability, other");
    assert_ne!(more.digest(), book.digest());
    write("slos/b.yaml", "objective: 100%\n");
    let BookError::Refused { files } = SloBook::read(&slos_dir).unwrap_err() else { panic!("refused") };
    assert_eq!(files.len(), 1);
    write("slos/b.yaml", EVERYTHING);
    assert!(matches!(SloBook::read(&slos_dir), Err(BookError::SameName { .. })));
}

#[test]
fn a_file_in_the_folder_of_the_other_kind_is_told_as_that() {
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| std::fs::write(folder.path().join("a.yaml"), text).unwrap();
    let faults = |refused: BookError| {
        let BookError::Refused { files } = refused else { panic!("{refused}") };
        files[0].2.iter().map(|fault| fault.message.clone()).collect::<Vec<_>>()
    };
    write(EVERYTHING);
    let among = RuleBook::read(folder.path(), &SloBook::default()).unwrap_err();
    assert_eq!(faults(among), ["this is an SLO among rule files"]);
    write(&gate("{ slo: a }"));
    assert_eq!(faults(SloBook::read(folder.path()).unwrap_err()), ["this is a rule file among SLOs"]);
}

#[track_caller]
fn check(arguments: &[&str], code: i32) -> String {
    let ended = run(["check"].into_iter().chain(arguments.iter().copied()));
    assert_eq!(ended.code, Some(code), "{arguments:?}\n{}", ended.out);
    ended.out
}

#[test]
fn check_finds_the_slo_among_the_files_in_a_folder_or_beside_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for name in ["rules", "slos", "elsewhere"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    std::fs::write(path("rules/a.yaml"), gate("{ slo: checkout-availability }")).unwrap();
    std::fs::write(path("elsewhere/b.yaml"), EVERYTHING).unwrap();
    let (rules, slo, elsewhere) = (path("rules"), path("elsewhere/b.yaml"), path("elsewhere"));
    assert!(check(&[&rules], 2).contains("error[no_slo]: there is no SLO `checkout-availability`"));
    check(&[&rules, &slo], 0);
    check(&[&slo, &rules], 0);
    check(&[&rules, "--slos", &elsewhere], 0);
    std::fs::write(path("slos/b.yaml"), EVERYTHING).unwrap();
    check(&[&rules], 0);
    check(&[&rules, "--slos", &rules], 2);
    // A fault of the SLO is told with the rule file too, and is one result for machines each.
    std::fs::write(path("slos/b.yaml"), EVERYTHING.replace("99.95%", "99.95")).unwrap();
    let told = check(&[&rules, &path("slos"), "--format", "json"], 2);
    let listed: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(listed[0]["diagnostics"][0]["code"], "bad_slo");
    assert_eq!(listed[1]["diagnostics"][0]["code"], "wrong_unit");
    let sarif = check(&[&rules, &path("slos"), "--format", "sarif"], 2);
    assert!(sarif.contains("\"ruleId\": \"bad_slo\"") && sarif.contains("slos/b.yaml"), "{sarif}");
}
