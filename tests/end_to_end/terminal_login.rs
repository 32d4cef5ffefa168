//! `login`, `status` and `logout`, in a terminal.

use gemini_proxy::simulator::Simulator;
use serde_json::json;
use url::form_urlencoded;

use crate::client::open;
use crate::home::Home;
use crate::proxy::{Road, question, recorded};
use crate::running::Running;

/// A login that has shown Google's address.
struct Login {
    running: Running,
    address: String,
}

impl Login {
    fn start(home: &Home, arguments: &[&str]) -> Self {
        let running = home.start(&[&["login"], arguments].concat());
        let address = running.stderr.find(|text| {
            let mut lines = text.split_inclusive('\n');
            let line = lines.find(|line| line.starts_with("  http") && line.ends_with('\n'))?;
            Some(line.trim().to_owned())
        });
        Self { running, address }
    }

    /// Gives consent: the address that Google sends the browser back to.
    fn consented(&self) -> String {
        let answer = open(&self.address);
        assert_eq!(answer.status, 302, "{}", answer.text());
        answer.header("location").unwrap().to_owned()
    }

    #[track_caller]
    fn succeeds(mut self) {
        assert!(self.running.end().success());
        let said = "Signed in as ada@example.com, in the project stand-in-project.\n";
        assert_eq!(self.running.stdout.text(), said);
    }
}

/// A field of an address's query.
fn field(address: &str, name: &str) -> String {
    let query = address.split_once('?').unwrap().1;
    let mut fields = form_urlencoded::parse(query.as_bytes());
    fields.find(|(key, _)| key == name).unwrap().1.into_owned()
}

#[test]
fn lesson_18_the_redirect_ends_the_login() {
    let simulator = Simulator::start().unwrap();
    let home = Home::new(&simulator);
    let login = Login::start(&home, &[]);
    login
        .running
        .stderr
        .wait_for("Google may suspend an account");
    let page = open(&login.consented()).page(200);
    assert!(page.contains("Authentication successful"), "{page}");
    let ready = "You can close this window. Gemini Proxy is ready.";
    assert!(page.contains(ready), "{page}");
    login.succeeds();
    assert_eq!(home.tokens()["email"], "ada@example.com");
    home.serve().chat(&question("Hi")).success();
}

#[test]
fn without_anything_to_type_on_the_redirect_still_does() {
    let simulator = Simulator::start().unwrap();
    let mut login = Login::start(&Home::new(&simulator), &[]);
    login.running.close_input();
    open(&login.consented()).page(200);
    login.succeeds();
}

#[test]
fn lesson_18_a_pasted_address_ends_the_login() {
    let simulator = Simulator::start().unwrap();
    let mut login = Login::start(&Home::new(&simulator), &[]);
    let address = login.consented();
    login.running.type_line(&address);
    login.succeeds();
}

#[test]
fn lesson_18_a_pasted_code_ends_the_login() {
    let simulator = Simulator::start().unwrap();
    for arguments in [&[][..], &["--no-browser"]] {
        let mut login = Login::start(&Home::new(&simulator), arguments);
        let code = field(&login.consented(), "code");
        login.running.type_line(&format!("  {code} "));
        login.succeeds();
    }
}

#[test]
fn a_code_that_is_still_percent_encoded_will_do() {
    let simulator = Simulator::start().unwrap();
    let mut login = Login::start(&Home::new(&simulator), &["--no-browser"]);
    let address = login.consented();
    assert!(address.starts_with("https://codeassist.google.com/authcode?"));
    let code: String =
        form_urlencoded::byte_serialize(field(&address, "code").as_bytes()).collect();
    assert!(code.contains("%2F"));
    login.running.type_line(&code);
    login.succeeds();
}

#[test]
fn nonsense_is_asked_for_again() {
    let simulator = Simulator::start().unwrap();
    let mut login = Login::start(&Home::new(&simulator), &[]);
    login.running.type_line("what am I to do?");
    login
        .running
        .stderr
        .wait_for("That is neither a code nor an address");
    let address = login.consented();
    login.running.type_line(&address);
    login.succeeds();
}

#[test]
fn an_empty_line_is_asked_again_and_the_address_to_open_is_told_apart() {
    let simulator = Simulator::start().unwrap();
    for arguments in [&[][..], &["--no-browser"]] {
        let mut login = Login::start(&Home::new(&simulator), arguments);
        login.running.type_line("  ");
        login.running.stderr.wait_for("Nothing was pasted.");
        let address = login.address.clone();
        login.running.type_line(&address);
        login
            .running
            .stderr
            .wait_for("That is the address to open.");
        let address = login.consented();
        login.running.type_line(&address);
        login.succeeds();
    }
}

/// `script` (util-linux) gives it a terminal; machines without it cannot tell.
#[cfg(target_os = "linux")]
#[test]
fn control_d_gives_up_and_says_how_to_begin_again() {
    let simulator = Simulator::start().unwrap();
    let program = env!("CARGO_BIN_EXE_gemini-proxy");
    let command = format!("'{program}' login");
    let mut script = std::process::Command::new("script");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
    let Some(mut running) = Home::new(&simulator).start_other(script) else {
        return;
    };
    running.stdout.wait_for("paste that page's address here:");
    running.type_line("\u{4}");
    assert_eq!(running.end().code(), Some(1));
    let said = running.stdout.text();
    assert!(said.contains("the sign-in was given up"), "{said}");
    assert!(
        said.contains("To begin again, run `gemini-proxy login`."),
        "{said}"
    );
}

#[test]
fn while_google_sets_up_a_project_it_is_said_so() {
    let simulator = Simulator::start().unwrap();
    simulator.set_state(json!({"tier": "free-new"})).unwrap();
    let login = Login::start(&Home::new(&simulator), &[]);
    open(&login.consented());
    login
        .running
        .stderr
        .wait_for("Google is setting up a project for this account");
    login.succeeds();
}

#[test]
fn a_mistyped_code_can_be_typed_again() {
    let simulator = Simulator::start().unwrap();
    let mut login = Login::start(&Home::new(&simulator), &["--no-browser"]);
    login.running.type_line("4/0mistyped");
    login
        .running
        .stderr
        .wait_for("Google does not accept this code");
    login.running.stderr.wait_for("Still waiting");
    let code = field(&login.consented(), "code");
    login.running.type_line(&code);
    login.succeeds();
}

#[test]
fn lesson_18_somebody_elses_redirect_does_not_end_it() {
    let simulator = Simulator::start().unwrap();
    let mut login = Login::start(&Home::new(&simulator), &[]);
    let address = login.consented();
    let foreign = address.replace(&field(&address, "state"), "guessed");
    let page = open(&foreign).page(400);
    assert!(page.contains("This sign-in is not known"), "{page}");
    login.running.stderr.wait_for("was not begun here");
    login.running.type_line(&foreign);
    let origin = address.split("/auth").next().unwrap();
    assert_eq!(open(&format!("{origin}/favicon.ico")).status, 404);
    open(&address);
    login.succeeds();
}

#[test]
fn a_refusal_ends_it_with_its_reason() {
    let simulator = Simulator::start().unwrap();
    let home = Home::new(&simulator);
    simulator
        .script(json!({"auth": [{"redirect_error": "access_denied", "times": 2}]}))
        .unwrap();
    for is_pasted in [true, false] {
        let mut login = Login::start(&home, &[]);
        let address = login.consented();
        if is_pasted {
            login.running.type_line(&address);
        } else {
            open(&address);
        }
        assert_eq!(login.running.end().code(), Some(1));
        login.running.stderr.wait_for("access_denied");
        assert!(!home.path("tokens.json").exists());
    }
}

#[test]
fn an_account_that_google_refuses_is_told_why() {
    let simulator = Simulator::start().unwrap();
    simulator
        .set_state(json!({"tier": "free-refused"}))
        .unwrap();
    let mut login = Login::start(&Home::new(&simulator), &[]);
    open(&login.consented());
    assert_eq!(login.running.end().code(), Some(1));
    login
        .running
        .stderr
        .wait_for("This client is no longer supported");
    login.running.stderr.wait_for("GEMINI_API_KEY");
}

#[test]
fn the_gemini_clis_sign_in_is_taken_over() {
    let simulator = Simulator::start().unwrap();
    let credentials = simulator.sign_in().to_string();
    let own = ".gemini/oauth_creds.json";
    let elsewhere = "elsewhere/.gemini/oauth_creds.json";
    for (home, arguments) in [
        (Home::new(&simulator).with_file(own, &credentials), vec![]),
        (
            Home::new(&simulator)
                .with_file(elsewhere, &credentials)
                .env("GEMINI_CLI_HOME", "elsewhere"),
            vec![],
        ),
        (
            Home::new(&simulator).with_file("creds.json", &credentials),
            vec!["creds.json"],
        ),
    ] {
        let finished = home.run(&[vec!["login", "--import"], arguments].concat());
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let said = "Signed in as ada@example.com, in the project stand-in-project.\n";
        assert_eq!(finished.stdout, said);
        assert!(
            finished.stderr.contains("Google may suspend"),
            "{finished:?}"
        );
        home.serve().chat(&question("Hi")).success();
    }
    let refreshed = recorded(&simulator, "/token");
    assert_eq!(refreshed.len(), 3, "each is tried before it is taken over");
}

#[test]
fn what_cannot_be_imported_is_explained() {
    let simulator = Simulator::start().unwrap();
    for (content, words) in [
        (None, "there is no file"),
        (
            Some("{\"access_token\": \"ya"),
            "is not a file of credentials in JSON",
        ),
        (
            Some("{\"access_token\": \"ya29.x\"}"),
            "holds no refresh token",
        ),
        (Some("0a1b:2c3d:4e5f"), "encrypted"),
    ] {
        let mut home = Home::new(&simulator);
        if let Some(content) = content {
            home = home.with_file(".gemini/oauth_creds.json", content);
        }
        let finished = home.run(&["login", "--import"]);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.stderr.contains(words), "{finished:?}");
        assert!(!home.path("tokens.json").exists());
    }
}

#[test]
fn an_import_that_google_no_longer_honours_is_explained() {
    let simulator = Simulator::start().unwrap();
    let mut credentials = simulator.sign_in();
    credentials["expiry_date"] = json!(1);
    simulator.revoke_refresh_tokens();
    let home =
        Home::new(&simulator).with_file(".gemini/oauth_creds.json", &credentials.to_string());
    let finished = home.run(&["login", "--import"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.stderr.contains("expired or revoked"),
        "{finished:?}"
    );
    assert!(
        finished.stderr.contains("gemini-proxy login"),
        "{finished:?}"
    );
}

#[test]
fn lesson_20_status_says_who_is_signed_in_and_whether_all_is_well() {
    let simulator = Simulator::start().unwrap();
    let home = Home::new(&simulator);
    let finished = home.run(&["status"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stdout.contains("signed in: no\n"), "{finished:?}");
    let tokens = format!("tokens: {}\n", home.path("tokens.json").display());
    assert!(finished.stdout.contains(&tokens), "{finished:?}");

    let home = home.signed_in(&simulator);
    home.serve().chat(&question("Hi")).success();
    let finished = home.run(&["status"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    for line in [
        "upstream: Code Assist, with a Google account\n",
        "signed in: yes\n",
        "account: ada@example.com\n",
        "project: stand-in-project\n",
        "tier: Gemini Code Assist (standard-tier)\n",
    ] {
        assert!(finished.stdout.contains(line), "{line}{finished:?}");
    }

    let finished = Road::GeminiApi.home(&simulator).run(&["status"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(
        finished.stdout.contains("upstream: Gemini API"),
        "{finished:?}"
    );
}

#[test]
fn logout_revokes_and_forgets() {
    let simulator = Simulator::start().unwrap();
    let home = Home::new(&simulator).signed_in(&simulator);
    let refresh_token = home.tokens()["refresh_token"].as_str().unwrap().to_owned();
    let finished = home.run(&["logout"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(
        finished.stdout.contains("Google has revoked the tokens"),
        "{finished:?}"
    );
    let body = format!("?{}", recorded(&simulator, "/revoke")[0].body);
    assert_eq!(field(&body, "token"), refresh_token);
    assert!(!home.path("tokens.json").exists());

    let finished = home.run(&["logout"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(finished.stdout, "Nobody was signed in.\n");
}

#[test]
fn logout_forgets_even_if_google_cannot_be_told() {
    let simulator = Simulator::start().unwrap();
    let home = Home::new(&simulator).signed_in(&simulator);
    simulator
        .script(json!({"revoke": [{"error": "internal"}]}))
        .unwrap();
    let finished = home.run(&["logout"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let where_to = "https://myaccount.google.com/permissions";
    assert!(finished.stdout.contains(where_to), "{finished:?}");
    assert!(!home.path("tokens.json").exists());
}

#[test]
fn a_login_says_what_will_not_be_as_the_settings_ask() {
    let simulator = Simulator::start().unwrap();
    let settings = [
        (
            "GOOGLE_CLOUD_PROJECT",
            "mine",
            "GOOGLE_CLOUD_PROJECT is mine, but",
        ),
        (
            "GEMINI_API_KEY",
            "k",
            "GEMINI_API_KEY is set and goes before the account",
        ),
    ];
    for (name, value, said) in settings {
        let home = Home::new(&simulator).env(name, value);
        let mut login = Login::start(&home, &[]);
        open(&login.consented());
        assert!(login.running.end().success());
        let told = login.running.stderr.text();
        assert!(told.contains(said), "{told}");
        let tokens = home.path("tokens.json");
        assert!(told.contains(&*tokens.to_string_lossy()), "{told}");
    }
}
