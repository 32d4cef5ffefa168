//! From what Google says about an account to what is to be done. Pure.

use crate::upstream::refusal::AccountRefusal;
use crate::wire::provisioning::{LoadCodeAssistResponse, Operation, Project, Tier};

pub(super) const STANDARD_TIER: &str = "standard-tier";

/// The one tier whose users bring no project: Google makes it.
const FREE_TIER: &str = "free-tier";

/// For accounts that may have no tier by default.
const LEGACY_TIER: &str = "legacy-tier";

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: the account has its project.
    Work(Provisioned),
    /// `onboardUser`
    Enrol(Enrolment),
    /// Nothing can be done from here.
    Refuse(AccountRefusal),
}

/// Where the account works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioned {
    pub project: String,
    /// For the user to read, like `Gemini Code Assist (standard-tier)`.
    pub tier: Option<String>,
}

/// What to ask `onboardUser` for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    pub tier_id: String,
    pub tier: String,
    pub project: Option<String>,
}

/// `configured` is the user's project, where there is one. Google's wins over it.
pub fn decide(account: &LoadCodeAssistResponse, configured: Option<&str>) -> Decision {
    if let Some(current) = &account.current_tier {
        return on_board(account, current, configured);
    }
    if let Some(refusal) = validation_required(account) {
        return Decision::Refuse(refusal);
    }
    let legacy = Tier {
        id: Some(LEGACY_TIER.to_owned()),
        user_defined_cloudaicompanion_project: true,
        ..Tier::default()
    };
    let mut allowed = account.allowed_tiers.iter();
    let tier = allowed.find(|tier| tier.is_default).unwrap_or(&legacy);
    if tier.user_defined_cloudaicompanion_project && configured.is_none() {
        return Decision::Refuse(no_project(account));
    }
    let tier_id = tier.id.as_deref().unwrap_or(LEGACY_TIER);
    Decision::Enrol(Enrolment {
        tier_id: tier_id.to_owned(),
        tier: label(tier).unwrap_or_else(|| tier_id.to_owned()),
        // The free tier answers a project with "Precondition Failed".
        project: configured
            .filter(|_| tier_id != FREE_TIER)
            .map(str::to_owned),
    })
}

/// The project that comes back may differ from the one that was asked for.
pub(super) fn after_enrolment(
    operation: &Operation,
    enrolment: &Enrolment,
    account: &LoadCodeAssistResponse,
    configured: Option<&str>,
) -> Result<Provisioned, AccountRefusal> {
    let response = operation.response.as_ref();
    let given = response.and_then(|response| response.cloudaicompanion_project.as_ref());
    match given.and_then(Project::id).or(configured) {
        Some(project) => Ok(Provisioned {
            project: project.to_owned(),
            tier: Some(enrolment.tier.clone()),
        }),
        None => Err(no_project(account)),
    }
}

fn on_board(
    account: &LoadCodeAssistResponse,
    current: &Tier,
    configured: Option<&str>,
) -> Decision {
    let given = account.cloudaicompanion_project.as_ref();
    let Some(project) = given.and_then(Project::id).or(configured) else {
        return Decision::Refuse(no_project(account));
    };
    let paid = account.paid_tier.as_ref().and_then(label);
    let tier = paid
        .or_else(|| label(current))
        .unwrap_or_else(|| STANDARD_TIER.to_owned());
    Decision::Work(Provisioned {
        project: project.to_owned(),
        tier: Some(tier),
    })
}

fn validation_required(account: &LoadCodeAssistResponse) -> Option<AccountRefusal> {
    account.ineligible_tiers.iter().find_map(|tier| {
        let is_asked = tier.reason_code.as_deref() == Some("VALIDATION_REQUIRED");
        let link = tier.validation_url.as_ref()?;
        (is_asked && !link.is_empty()).then(|| AccountRefusal::ValidationRequired {
            said: tier.reason_message.clone().unwrap_or_default(),
            link: Some(link.clone()),
            learn_more: tier.validation_learn_more_url.clone(),
        })
    })
}

fn no_project(account: &LoadCodeAssistResponse) -> AccountRefusal {
    if account.ineligible_tiers.is_empty() {
        AccountRefusal::ProjectRequired
    } else {
        AccountRefusal::ineligible(&account.ineligible_tiers)
    }
}

fn label(tier: &Tier) -> Option<String> {
    match (&tier.name, tier.id.as_ref()?) {
        (Some(name), id) if !name.is_empty() => Some(format!("{name} ({id})")),
        (_, id) => Some(id.clone()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn decided(account: &str, configured: Option<&str>) -> Decision {
        decide(&serde_json::from_str(account).unwrap(), configured)
    }

    fn work(project: &str, tier: &str) -> Decision {
        Decision::Work(Provisioned {
            project: project.into(),
            tier: Some(tier.into()),
        })
    }

    fn enrol(tier_id: &str, project: Option<&str>) -> Decision {
        Decision::Enrol(Enrolment {
            tier_id: tier_id.into(),
            tier: tier_id.into(),
            project: project.map(Into::into),
        })
    }

    fn refused(account: &str, configured: Option<&str>) -> AccountRefusal {
        match decided(account, configured) {
            Decision::Refuse(refusal) => refusal,
            other => panic!("{account} led to {other:?}"),
        }
    }

    #[test]
    fn an_account_on_board_works_in_googles_project_else_in_its_own() {
        let given = r#"{"currentTier":{"id":"standard-tier","name":"Gemini Code Assist"},
            "cloudaicompanionProject":"googles"}"#;
        let label = "Gemini Code Assist (standard-tier)";
        assert_eq!(decided(given, None), work("googles", label));
        assert_eq!(decided(given, Some("mine")), work("googles", label));
        let none = r#"{"currentTier":{"id":"standard-tier"}}"#;
        assert_eq!(decided(none, Some("mine")), work("mine", "standard-tier"));
        assert_eq!(refused(none, None), AccountRefusal::ProjectRequired);
    }

    #[test]
    fn a_project_may_be_an_object_and_members_may_be_null() {
        let account = r#"{"currentTier":{"id":null,"name":null,"isDefault":null},
            "paidTier":null,"allowedTiers":null,"ineligibleTiers":null,
            "cloudaicompanionProject":{"id":"googles","name":"x"},"unknown":{"a":1}}"#;
        assert_eq!(decided(account, None), work("googles", "standard-tier"));
        let empty = r#"{"currentTier":{},"cloudaicompanionProject":""}"#;
        assert_eq!(decided(empty, Some("mine")), work("mine", "standard-tier"));
    }

    #[test]
    fn a_paid_tier_is_the_one_to_name() {
        let account = r#"{"currentTier":{"id":"free-tier","name":"Free"},
            "paidTier":{"id":"g1-pro-tier","name":"Pro"},"cloudaicompanionProject":"p"}"#;
        assert_eq!(decided(account, None), work("p", "Pro (g1-pro-tier)"));
    }

    #[test]
    fn a_new_account_is_enrolled_in_its_default_tier() {
        let free =
            r#"{"allowedTiers":[{"id":"standard-tier"},{"id":"free-tier","isDefault":true}]}"#;
        assert_eq!(decided(free, None), enrol("free-tier", None));
        assert_eq!(decided(free, Some("mine")), enrol("free-tier", None));
        let standard = r#"{"allowedTiers":[{"id":"standard-tier","isDefault":true,
            "userDefinedCloudaicompanionProject":true}]}"#;
        assert_eq!(
            decided(standard, Some("mine")),
            enrol("standard-tier", Some("mine"))
        );
        assert_eq!(refused(standard, None), AccountRefusal::ProjectRequired);
    }

    #[test]
    fn an_account_google_says_nothing_about_needs_a_project() {
        for account in ["{}", r#"{"allowedTiers":[]}"#, r#"{"currentTier":null}"#] {
            assert_eq!(
                decided(account, Some("mine")),
                enrol("legacy-tier", Some("mine"))
            );
            assert_eq!(refused(account, None), AccountRefusal::ProjectRequired);
        }
    }

    #[test]
    fn personal_accounts_are_told_the_way_out() {
        let account = r#"{"ineligibleTiers":[
            {"reasonCode":"UNSUPPORTED_LOCATION","reasonMessage":"Not here."},
            {"reasonCode":"UNSUPPORTED_CLIENT","reasonMessage":"Not with this client."}]}"#;
        let refusal = refused(account, None);
        assert!(matches!(refusal, AccountRefusal::UnsupportedClient { .. }));
        let text = refusal.to_string();
        for part in [
            "Not here.",
            "Not with this client.",
            "18 June 2026",
            "GEMINI_API_KEY",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn every_reason_is_shown_known_or_not() {
        let account = r#"{"ineligibleTiers":[
            {"reasonCode":"UNSUPPORTED_LOCATION","reasonMessage":"Not here."},
            {"reasonCode":"INVENTED_YESTERDAY","reasonMessage":"Not now."},
            {"reasonCode":"WITHOUT_WORDS"}, {"reasonMessage":null}]}"#;
        let text = refused(account, None).to_string();
        for part in [
            "\"Not here.\"",
            "\"Not now.\"",
            "INVENTED_YESTERDAY",
            "WITHOUT_WORDS",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_validation_comes_before_everything_but_a_tier() {
        let tiers = r#""ineligibleTiers":[{"reasonCode":"VALIDATION_REQUIRED",
            "reasonMessage":"Verify it is you.","validationUrl":"https://verify.example"}],
            "allowedTiers":[{"id":"free-tier","isDefault":true}]"#;
        let refusal = refused(&format!("{{{tiers}}}"), Some("mine"));
        let text = refusal.to_string();
        assert!(text.contains("https://verify.example") && text.contains("Verify it is you."));
        let on_board = format!(r#"{{"currentTier":{{"id":"t"}},{tiers}}}"#);
        assert_eq!(decided(&on_board, Some("mine")), work("mine", "t"));
    }

    #[test]
    fn a_validation_without_a_link_is_a_reason_like_any_other() {
        let account = r#"{"ineligibleTiers":[{"reasonCode":"VALIDATION_REQUIRED",
            "reasonMessage":"Verify it is you.","validationUrl":""}]}"#;
        let refusal = refused(account, None);
        assert!(matches!(refusal, AccountRefusal::Ineligible { .. }));
    }

    #[test]
    fn after_enrolment_googles_project_wins() {
        let account = LoadCodeAssistResponse::default();
        let Decision::Enrol(enrolment) = decide(&account, Some("mine")) else {
            panic!("not enrolled");
        };
        let after = |operation: &str, configured| {
            let operation = serde_json::from_str(operation).unwrap();
            after_enrolment(&operation, &enrolment, &account, configured)
        };
        let other = r#"{"done":true,"response":{"cloudaicompanionProject":{"id":"other"}}}"#;
        assert_eq!(after(other, Some("mine")).unwrap().project, "other");
        let empty = r#"{"done":true,"response":{}}"#;
        assert_eq!(after(empty, Some("mine")).unwrap().project, "mine");
        assert_eq!(after(empty, None), Err(AccountRefusal::ProjectRequired));
    }
}
