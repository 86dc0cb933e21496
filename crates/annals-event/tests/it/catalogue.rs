use annals_event::{
    Catalogue, Category, Change, Draft, Event, MemberKind, Outcome, Rules, Scope, Timestamp,
    is_name,
};

/// The list as the product's article publishes it: `Display Name: what it records`, one to a line, in order.
const ARTICLE: &str = include_str!("fixtures/article-events.txt");

/// `Workspace User Left` → `workspace.user_left`: the first word, a dot, the rest with underscores.
fn action_of(display_name: &str) -> String {
    let name = display_name.to_lowercase();
    let (first, rest) = name.split_once(' ').expect("two words");
    format!("{first}.{}", rest.replace(' ', "_"))
}

fn category_of(display_name: &str) -> Category {
    match display_name.split(' ').next() {
        Some("Issue" | "Comment") => Category::IssueTracking,
        Some("Project") => Category::Project,
        Some("Workspace") => Category::Workspace,
        Some("User") => Category::User,
        other => panic!("unknown group {other:?}"),
    }
}

#[test]
fn the_catalogue_is_the_articles_list() {
    let names: Vec<_> = ARTICLE
        .lines()
        .map(|line| line.split_once(':').expect("a colon").0)
        .collect();
    assert_eq!(names.len(), 43);
    let entries: Vec<_> = Catalogue::builtin()
        .all()
        .filter(|entry| !entry.extension)
        .collect();
    assert_eq!(entries.len(), 43);
    for (name, entry) in names.iter().zip(entries) {
        assert_eq!(entry.display_name, *name);
        assert_eq!(entry.action, action_of(name));
        assert_eq!(entry.category, category_of(name));
        let account = entry.category == Category::User;
        assert_eq!(
            entry.scope,
            if account {
                Scope::Account
            } else {
                Scope::Workspace
            }
        );
        let failed = name.ends_with(" Failed");
        assert_eq!(
            entry.outcome,
            if failed {
                Outcome::Failure
            } else {
                Outcome::Success
            }
        );
        assert_eq!(entry.reasons.is_empty(), !failed, "{name}");
        assert_eq!(Catalogue::builtin().get(entry.action), Some(entry));
    }
}

#[test]
fn its_groups_have_the_articles_sizes() {
    let count = |category| {
        Catalogue::builtin()
            .all()
            .filter(|entry| entry.category == category)
            .count()
    };
    let sizes = [
        Category::IssueTracking,
        Category::Project,
        Category::Workspace,
        Category::User,
    ]
    .map(count);
    assert_eq!(sizes, [7, 11, 14, 11]);
}

#[test]
fn our_own_events_are_extensions_under_one_prefix() {
    for entry in Catalogue::builtin().all() {
        assert_eq!(
            entry.extension,
            entry.action.starts_with("audit_log.") || entry.action == "outbox.gap",
            "{}",
            entry.action
        );
        assert_eq!(entry.extension, entry.category == Category::AuditLog);
    }
    let own = [
        "viewed",
        "exported",
        "export_downloaded",
        "retention_changed",
        "pruned",
    ];
    let own = own
        .iter()
        .chain(&["hold_placed", "hold_lifted", "subject_erased", "gap"]);
    let own = own.chain(&[
        "entitlement_changed",
        "key_created",
        "key_revoked",
        "link_created",
        "link_revoked",
    ]);
    for name in own.chain(&["signed_in", "access_denied", "schema_changed"]) {
        assert!(
            Catalogue::builtin()
                .get(&format!("audit_log.{name}"))
                .is_some(),
            "{name}"
        );
    }
}

#[test]
fn actions_and_reasons_are_plain_names_and_unique() {
    let mut seen = std::collections::HashSet::new();
    for entry in Catalogue::builtin().all() {
        assert!(
            is_name(entry.action) && seen.insert(entry.action),
            "{}",
            entry.action
        );
        let mut reasons = std::collections::HashSet::new();
        for reason in entry.reasons {
            assert!(is_name(reason) && reasons.insert(reason), "{reason}");
        }
    }
}

#[test]
fn templates_are_well_formed() {
    const GROUPS: [&str; 4] = ["target", "previous", "next", "metadata"];
    for entry in Catalogue::builtin().all() {
        let (mut optional, mut rest) = (false, entry.template);
        while let Some(at) = rest.find(['[', ']', '{', '}']) {
            match &rest[at..=at] {
                "[" if !optional => optional = true,
                "]" if optional => optional = false,
                "{" => {
                    let end = rest.find('}').expect("a closing brace");
                    let name = &rest[at + 1..end];
                    let group = name.split_once('.').map(|(group, _)| group);
                    let known = group.map_or(["actor", "target", "reason"].contains(&name), |g| {
                        GROUPS.contains(&g)
                    });
                    assert!(known, "{name} in {}", entry.action);
                    // What may be absent stands in brackets, so that the sentence never has a hole.
                    assert!(
                        optional || ["actor", "target"].contains(&name),
                        "{}",
                        entry.action
                    );
                    rest = &rest[end + 1..];
                    continue;
                }
                _ => panic!("unbalanced template of {}", entry.action),
            }
            rest = &rest[at + 1..];
        }
        assert!(!optional);
    }
}

#[test]
fn unknown_actions_get_a_name_from_their_words() {
    let catalogue = Catalogue::with_actions(["invoice.was_paid".to_owned()]);
    assert!(catalogue.knows("invoice.was_paid") && catalogue.knows("user.login"));
    assert!(!catalogue.knows("invoice.sent") && !Catalogue::builtin().knows("invoice.was_paid"));
    assert_eq!(
        catalogue.display_name("invoice.was_paid"),
        "Invoice Was Paid"
    );
    assert_eq!(catalogue.display_name("über-raschung"), "Über Raschung");
    assert_eq!(catalogue.category_of("invoice.was_paid"), Category::Other);
    assert_eq!(catalogue.custom().collect::<Vec<_>>(), ["invoice.was_paid"]);
    let mut catalogue = catalogue;
    assert!(!catalogue.add("invoice.was_paid") && !catalogue.add("user.login"));
    assert!(catalogue.add("invoice.sent"));
}

#[test]
fn members_are_plain_and_each_stands_once() {
    for entry in Catalogue::builtin().all() {
        let mut seen = std::collections::HashSet::new();
        let changed = entry.changed().map(|member| ("changed", member));
        for (part, member) in changed.chain(entry.metadata().map(|member| ("metadata", member))) {
            assert!(
                is_name(member.name) && seen.insert((part, member.name)),
                "{} {member:?}",
                entry.action
            );
            let words = member.words().count();
            assert_eq!(matches!(member.kind, MemberKind::Word(_)), words > 0);
            assert_ne!(words, 1, "{} {member:?}", entry.action);
        }
        assert!(entry.related().all(is_name));
        let changes = entry.change != Change::None;
        assert!(
            entry.extension || (entry.changed().count() > 0) == changes,
            "{}",
            entry.action
        );
        // The sentence names no member that the table does not know.
        for (group, names) in [
            (
                "metadata",
                entry.metadata().map(|m| m.name).collect::<Vec<_>>(),
            ),
            ("next", entry.changed().map(|m| m.name).collect()),
            ("previous", entry.changed().map(|m| m.name).collect()),
            ("target", entry.related().chain([entry.target]).collect()),
        ] {
            for part in entry.template.split('{').skip(1) {
                let name = part.split('}').next().unwrap();
                if let Some((of, name)) = name.split_once('.')
                    && of == group
                    && !entry.extension
                {
                    assert!(names.contains(&name), "{}: {group}.{name}", entry.action);
                }
            }
        }
    }
}

#[test]
fn a_producer_may_tell_of_a_gap_in_its_outbox() {
    let time = Timestamp::from_micros(0).unwrap();
    let actor = annals_event::Actor::new("system", "outbox");
    let rules = Rules {
        strict: true,
        ..Rules::open()
    };
    let draft = |action: &str| {
        Draft::new(
            Event::new(action, time, actor.clone()),
            &rules,
            time,
            || "id".to_owned(),
        )
    };
    assert!(draft("outbox.gap").is_ok());
    assert!(draft("audit_log.gap").is_err());
}
