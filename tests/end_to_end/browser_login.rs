//! Signing in and out in a browser, at the running server.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gemini_proxy::simulator::Simulator;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use crate::client::{Answer, open, open_with};
use crate::home::Home;
use crate::proxy::{Proxy, Road, question, recorded};

fn fields(form: &str) -> HashMap<String, String> {
    form_urlencoded::parse(form.as_bytes())
        .into_owned()
        .collect()
}

fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, 302, "{}", answer.text());
    answer.header("location").unwrap().to_owned()
}

/// A browser on its way back from Google.
pub(crate) struct Return {
    pub(crate) address: String,
    /// What the login gave it to keep.
    cookie: String,
}

impl Return {
    pub(crate) fn open(&self) -> Answer {
        self.open_at(&self.address)
    }

    /// The same browser, at another address.
    fn open_at(&self, address: &str) -> Answer {
        open_with(address, &[("Cookie", &self.cookie)])
    }
}

/// Through `/auth/login` and Google's consent.
pub(crate) fn consented(proxy: &Proxy) -> Return {
    let login = proxy.get("/auth/login");
    let given = login.header("set-cookie").unwrap();
    Return {
        address: location(&open(&location(&login))),
        cookie: given.split_once(';').unwrap().0.to_owned(),
    }
}

/// The whole way; the page at its end.
fn sign_in(proxy: &Proxy) -> Answer {
    consented(proxy).open()
}

#[test]
fn a_browser_signs_in() {
    let simulator = Simulator::start().unwrap();
    let home = Home::new(&simulator);
    let proxy = home.serve();
    let before = proxy.get("/auth/status").success();
    assert_eq!(before, json!({"authenticated": false}));
    proxy.chat(&question("Hi")).error(401);

    let page = sign_in(&proxy).page(200);
    assert!(page.contains("Authentication successful"), "{page}");
    let ready = "You can close this window. Gemini Proxy is ready.";
    assert!(page.contains(ready), "{page}");
    assert!(page.contains("ada@example.com"), "{page}");
    assert!(page.contains("Google may suspend an account"), "{page}");

    let status = proxy.get("/auth/status").success();
    assert_eq!(status["authenticated"], true);
    assert_eq!(status["email"], "ada@example.com");
    assert_eq!(status["projectId"], "stand-in-project");
    let expires: jiff::Timestamp = status["expiresAt"].as_str().unwrap().parse().unwrap();
    let left = expires.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((3000..3700).contains(&left), "{left}");
    proxy.chat(&question("Hi")).success();
}

#[test]
fn the_sign_in_is_proved_with_pkce() {
    let simulator = Simulator::start().unwrap();
    let proxy = Home::new(&simulator).serve();
    sign_in(&proxy);
    let asked = fields(&recorded(&simulator, "/o/oauth2/v2/auth")[0].query);
    let exchanged = fields(&recorded(&simulator, "/token")[0].body);
    assert_eq!(asked["code_challenge_method"], "S256");
    let verifier = &exchanged["code_verifier"];
    assert!((43..=128).contains(&verifier.len()));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    assert_eq!(asked["code_challenge"], challenge);
    assert_eq!(asked["redirect_uri"], proxy.url("/auth/callback"));
    assert_eq!(exchanged["redirect_uri"], asked["redirect_uri"]);
    assert_eq!(exchanged["grant_type"], "authorization_code");
    assert_eq!(exchanged["client_id"], asked["client_id"]);
    for (name, value) in [
        ("response_type", "code"),
        ("access_type", "offline"),
        ("prompt", "consent"),
    ] {
        assert_eq!(asked[name], value);
    }
    let scopes: Vec<_> = asked["scope"].split(' ').collect();
    let google = "https://www.googleapis.com/auth/";
    let expected = ["cloud-platform", "userinfo.email", "userinfo.profile"];
    assert_eq!(scopes, expected.map(|scope| format!("{google}{scope}")));
    assert!(asked["state"].len() >= 32);
}

#[test]
fn another_oauth_client_can_be_set() {
    let simulator = Simulator::start().unwrap();
    let proxy = Home::new(&simulator)
        .env("GOOGLE_OAUTH_CLIENT_ID", "mine.apps.googleusercontent.com")
        .env("GOOGLE_OAUTH_CLIENT_SECRET", "my-secret")
        .serve();
    sign_in(&proxy).page(200);
    let exchanged = fields(&recorded(&simulator, "/token")[0].body);
    assert_eq!(exchanged["client_id"], "mine.apps.googleusercontent.com");
    assert_eq!(exchanged["client_secret"], "my-secret");
}

#[test]
fn tokens_are_kept_for_their_owner_only() {
    let simulator = Simulator::start().unwrap();
    let home = Home::new(&simulator).env("TOKEN_STORE_PATH", "deep/down/tokens.json");
    sign_in(&home.serve()).page(200);
    let path = home.path("deep/down/tokens.json");
    let content: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for name in ["access_token", "refresh_token", "scope", "expiry_date"] {
        assert!(!content[name].is_null(), "{name}");
    }
    assert_eq!(content["email"], "ada@example.com");
    assert_eq!(content["project_id"], "stand-in-project");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&home.path("deep")), 0o700);
    }
}

#[test]
fn a_sign_in_outlives_the_process() {
    let simulator = Simulator::start().unwrap();
    let home = Home::new(&simulator);
    sign_in(&home.serve()).page(200);
    home.serve().chat(&question("Hi")).success();
}

#[test]
fn the_state_of_a_sign_in_is_good_once() {
    let simulator = Simulator::start().unwrap();
    let home = Home::new(&simulator);
    let proxy = home.serve();
    let callback = consented(&proxy);
    callback.open().page(200);
    let page = callback.open().page(400);
    assert!(page.contains("This sign-in is not known"), "{page}");
    assert!(page.contains("Try again"), "{page}");
    assert_eq!(recorded(&simulator, "/token").len(), 1);
}

#[test]
fn a_state_that_is_not_ours_is_refused() {
    let simulator = Simulator::start().unwrap();
    let proxy = Home::new(&simulator).serve();
    let callback = consented(&proxy);
    let (address, query) = callback.address.split_once('?').unwrap();
    let code =
        form_urlencoded::byte_serialize(fields(query)["code"].as_bytes()).collect::<String>();
    for query in [
        format!("code={code}&state=guessed"),
        format!("code={code}&state="),
        format!("code={code}"),
        "error=access_denied&state=guessed".to_owned(),
        "state=guessed".to_owned(),
        String::new(),
    ] {
        let page = callback.open_at(&format!("{address}?{query}")).page(400);
        assert!(
            page.contains("This sign-in is not known"),
            "{query}: {page}"
        );
    }
    assert!(recorded(&simulator, "/token").is_empty());
    assert_eq!(proxy.get("/auth/status").success()["authenticated"], false);
    // None of them spoilt it for the one who began it.
    callback.open().page(200);
}

#[test]
fn a_sign_in_ends_in_the_browser_where_it_began() {
    let simulator = Simulator::start().unwrap();
    let proxy = Home::new(&simulator).serve();
    let login = proxy.get("/auth/login");
    let given = login.header("set-cookie").unwrap();
    let terms = "; Path=/auth/callback; Max-Age=600; HttpOnly; SameSite=Lax";
    assert!(given.ends_with(terms), "{given}");

    // Somebody sends a link that signs whoever opens it in to his own account.
    let (theirs, other) = (consented(&proxy), consented(&proxy));
    for cookie in [
        "",
        "theme=dark",
        other.cookie.as_str(),
        &theirs.cookie[..theirs.cookie.len() - 1],
        &format!("{}0", theirs.cookie),
    ] {
        let page = open_with(&theirs.address, &[("Cookie", cookie)]).page(400);
        assert!(page.contains("not begun in this browser"), "{page}");
    }
    assert!(recorded(&simulator, "/token").is_empty());
    assert_eq!(proxy.get("/auth/status").success()["authenticated"], false);
    // Whose it is may still use it, and has no cookie of it left.
    let cookies = format!("a=b; {}; {}", other.cookie, theirs.cookie);
    let answer = open_with(&theirs.address, &[("Cookie", &cookies)]);
    answer.page(200);
    let taken = answer.header("set-cookie").unwrap();
    assert!(taken.contains("Max-Age=0"), "{taken}");
}

#[test]
fn a_page_elsewhere_may_lead_to_the_login_but_not_begin_one_behind_the_users_back() {
    let simulator = Simulator::start().unwrap();
    for home in [
        Home::new(&simulator),
        Home::new(&simulator).env("PROXY_API_KEY", "k"),
    ] {
        let proxy = home.serve();
        let login = |headers: &[_]| proxy.send("GET", "/auth/login", headers, b"");
        let own = proxy.url("");
        for site in ["cross-site", "same-site"] {
            for dest in ["image", "iframe", "empty"] {
                let mode = if dest == "iframe" {
                    "navigate"
                } else {
                    "no-cors"
                };
                let page = login(&[
                    ("Sec-Fetch-Site", site),
                    ("Sec-Fetch-Mode", mode),
                    ("Sec-Fetch-Dest", dest),
                ]);
                assert!(page.page(403).contains("not sign you in by itself"));
                assert_eq!(page.header("set-cookie"), None);
            }
            let link = [
                ("Sec-Fetch-Site", site),
                ("Sec-Fetch-Mode", "navigate"),
                ("Sec-Fetch-Dest", "document"),
            ];
            location(&login(&link));
        }
        for origin in ["https://evil.example", "null", "http://localhost:1"] {
            login(&[("Origin", origin)]).page(403);
        }
        location(&login(&[
            ("Origin", &own),
            ("Sec-Fetch-Site", "same-origin"),
        ]));
        location(&login(&[("Sec-Fetch-Site", "none")]));
    }
}

#[test]
fn several_sign_ins_may_be_under_way() {
    let simulator = Simulator::start().unwrap();
    let proxy = Home::new(&simulator).serve();
    let (first, second) = (consented(&proxy), consented(&proxy));
    second.open().page(200);
    first.open().page(200);
}

#[test]
fn a_refusal_at_googles_page_is_explained() {
    let simulator = Simulator::start().unwrap();
    let home = Home::new(&simulator);
    let proxy = home.serve();
    simulator
        .script(json!({"auth": [{"redirect_error": "access_denied"}]}))
        .unwrap();
    let page = sign_in(&proxy).page(403);
    assert!(page.contains("Access was not granted"), "{page}");
    assert!(page.contains("access_denied"), "{page}");
    assert!(page.contains("Try again"), "{page}");
    assert!(!home.path("tokens.json").exists());
    sign_in(&proxy).page(200);
}

#[test]
fn what_google_does_not_give_is_explained() {
    for (answer, status, words) in [
        (
            json!({"patch": {"scope": "openid https://www.googleapis.com/auth/userinfo.email"}}),
            403,
            "leave every box on Google's page ticked",
        ),
        (
            json!({"patch": {"refresh_token": null}}),
            502,
            "https://myaccount.google.com/permissions",
        ),
        (
            json!({"error": "bad_code"}),
            400,
            "Google did not accept the sign-in",
        ),
        (
            json!({"error": "internal"}),
            502,
            "Google could not be asked",
        ),
        (
            json!({"error": "bad_gateway"}),
            502,
            "Google could not be asked",
        ),
        (
            json!({"json": {}, "then": "reset"}),
            502,
            "Google could not be asked",
        ),
    ] {
        let simulator = Simulator::start().unwrap();
        let home = Home::new(&simulator);
        let proxy = home.serve();
        simulator.script(json!({"token": [answer]})).unwrap();
        let page = sign_in(&proxy).page(status).replace("&#39;", "'");
        assert!(page.contains(words), "{page}");
        assert!(!home.path("tokens.json").exists(), "{words}");
        sign_in(&proxy).page(200);
    }
}

#[test]
fn an_account_that_google_refuses_is_told_so_at_once() {
    let simulator = Simulator::start().unwrap();
    simulator
        .set_state(json!({"tier": "free-refused"}))
        .unwrap();
    let home = Home::new(&simulator);
    let proxy = home.serve();
    let page = sign_in(&proxy).page(403);
    assert!(page.contains("Google refuses this account"), "{page}");
    assert!(
        page.contains("This client is no longer supported"),
        "{page}"
    );
    assert!(page.contains("GEMINI_API_KEY"), "{page}");
    // The sign-in itself went well, and need not be repeated once that is mended.
    assert!(home.tokens()["refresh_token"].is_string());
    let status = proxy.get("/auth/status").success();
    assert_eq!(status["authenticated"], true);
    assert!(
        status["problem"]
            .as_str()
            .unwrap()
            .contains("GEMINI_API_KEY")
    );
}

#[test]
fn without_the_users_email_it_works_all_the_same() {
    let simulator = Simulator::start().unwrap();
    let proxy = Home::new(&simulator).serve();
    simulator
        .script(json!({"userinfo": [{"error": "internal", "times": "always"}]}))
        .unwrap();
    let page = sign_in(&proxy).page(200);
    assert!(page.contains("Signed in as your Google account"), "{page}");
    proxy.chat(&question("Hi")).success();
}

#[test]
fn the_way_back_is_the_address_the_browser_came_by() {
    let simulator = Simulator::start().unwrap();
    let proxy = Home::new(&simulator).serve();
    let port = proxy.host.split_once(':').unwrap().1;
    for host in [
        format!("localhost:{port}"),
        "127.0.0.1:8080".into(),
        format!("[::1]:{port}"),
    ] {
        let answer = proxy.send("GET", "/auth/login", &[("Host", &host)], b"");
        let address = location(&answer);
        let asked = fields(address.split_once('?').unwrap().1);
        assert_eq!(
            asked["redirect_uri"],
            format!("http://{host}/auth/callback")
        );
    }
}

#[test]
fn from_another_machine_the_page_says_what_to_do_instead() {
    let simulator = Simulator::start().unwrap();
    let proxy = Home::new(&simulator).serve();
    for host in [
        "proxy.example:3000",
        "192.168.1.7:3000",
        "localhost.evil.example",
    ] {
        let answer = proxy.send("GET", "/auth/login", &[("Host", host)], b"");
        let page = answer.page(400);
        assert!(page.contains("gemini-proxy login"), "{page}");
        assert!(page.contains("ssh -L"), "{page}");
    }
    assert!(simulator.requests().is_empty());
}

#[test]
fn the_gemini_api_needs_no_sign_in() {
    let simulator = Simulator::start().unwrap();
    let proxy = Road::GeminiApi.home(&simulator).serve();
    let page = proxy.get("/auth/login").page(200);
    assert!(page.contains("No sign-in needed"), "{page}");
    let status = proxy.get("/auth/status").success();
    assert_eq!(status, json!({"authenticated": false}));
}

#[test]
fn signing_out_revokes_and_forgets() {
    let simulator = Simulator::start().unwrap();
    let home = Road::CodeAssist.home(&simulator);
    let refresh_token = home.tokens()["refresh_token"].as_str().unwrap().to_owned();
    let proxy = home.serve();
    proxy.chat(&question("Hi")).success();
    let outcome = proxy.send("POST", "/auth/logout", &[], b"").success();
    assert_eq!(outcome, json!({"authenticated": false, "revoked": true}));
    let revoked = recorded(&simulator, "/revoke");
    assert_eq!(fields(&revoked[0].body)["token"], refresh_token);
    assert!(!home.path("tokens.json").exists());
    assert_eq!(proxy.get("/auth/status").success()["authenticated"], false);
    proxy.chat(&question("Hi")).error(401);
    sign_in(&proxy).page(200);
    proxy.chat(&question("Hi")).success();
}

#[test]
fn signing_out_forgets_even_if_google_cannot_be_told() {
    let simulator = Simulator::start().unwrap();
    let home = Road::CodeAssist.home(&simulator);
    let proxy = home.serve();
    simulator
        .script(json!({"revoke": [{"error": "internal"}]}))
        .unwrap();
    let outcome = proxy.send("POST", "/auth/logout", &[], b"").success();
    assert_eq!(outcome, json!({"authenticated": false, "revoked": false}));
    assert!(!home.path("tokens.json").exists());
}

#[test]
fn no_link_and_no_other_site_can_sign_the_user_out() {
    let simulator = Simulator::start().unwrap();
    let home = Road::CodeAssist.home(&simulator);
    let proxy = home.serve();
    let answer = proxy.get("/auth/logout");
    answer.error(405);
    assert_eq!(answer.header("allow"), Some("POST"));
    for origin in ["https://evil.example", "null", "http://localhost:1"] {
        let answer = proxy.send("POST", "/auth/logout", &[("Origin", origin)], b"");
        assert_eq!(answer.error(403)["code"], "origin_not_allowed");
    }
    for site in ["cross-site", "same-site"] {
        let from = [("Sec-Fetch-Site", site)];
        let answer = proxy.send("POST", "/auth/logout", &from, b"");
        assert_eq!(answer.error(403)["code"], "origin_not_allowed");
    }
    let rebound = [("Host", "evil.example"), ("Origin", "http://evil.example")];
    let answer = proxy.send("POST", "/auth/logout", &rebound, b"");
    assert_eq!(answer.error(403)["code"], "host_not_allowed");
    assert_eq!(proxy.get("/auth/status").success()["authenticated"], true);
    assert!(simulator.requests().is_empty());
    let own = proxy.url("");
    let answer = proxy.send("POST", "/auth/logout", &[("Origin", &own)], b"");
    assert_eq!(answer.success()["revoked"], true);
}
