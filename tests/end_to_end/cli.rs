//! What is typed and what is set, and what is wrong with it.

use std::net::TcpListener;

use gemini_proxy::simulator::Simulator;

use crate::client::ask;
use crate::home::{Finished, Home};
use crate::proxy::Proxy;

#[track_caller]
fn refused(finished: &Finished) -> &str {
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert_eq!(finished.stdout, "", "{finished:?}");
    finished.stderr.strip_prefix("error: ").unwrap()
}

#[test]
fn help_and_version_are_printed() {
    let home = Home::bare();
    for arguments in [["--help"], ["-h"], ["help"]] {
        let finished = home.run(&arguments);
        assert_eq!(finished.code, Some(0));
        assert_eq!(finished.stderr, "");
        for word in [
            "serve",
            "demo",
            "login",
            "logout",
            "status",
            "key",
            "simulator",
            "--port",
        ] {
            assert!(finished.stdout.contains(word), "{word}");
        }
    }
    for argument in ["--version", "-V"] {
        let finished = home.run(&[argument]);
        assert_eq!(finished.code, Some(0));
        let version = format!("gemini-proxy {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(finished.stdout, version);
    }
    assert_eq!(home.files(), [""; 0], "nothing was written");
}

#[test]
fn what_is_not_understood_is_refused_with_a_hint() {
    let home = Home::bare();
    for (arguments, words) in [
        (&["sing"][..], "unknown command 'sing'"),
        (&["serve", "twice"], "twice"),
        (&["--nonsense"], "--nonsense"),
        (&["serve", "--port", "many"], "many"),
        (&["serve", "--port"], "--port"),
        (&["serve", "--no-browser"], "options of `login`"),
    ] {
        let finished = home.run(arguments);
        let message = refused(&finished);
        assert!(message.contains(words), "{message}");
        assert!(message.contains("Try `gemini-proxy --help`."), "{message}");
    }
}

#[test]
fn a_bad_setting_is_one_line_that_names_it() {
    for (name, value) in [
        ("PROXY_PORT", "eighty"),
        ("PROXY_PORT", "70000"),
        ("PROXY_UPSTREAM", "vertex"),
        ("GOOGLE_CLOUD_PROJECT", "123456789"),
        ("CODE_ASSIST_ENDPOINT", "cloudcode-pa.googleapis.com"),
        ("GEMINI_API_ENDPOINT", "ftp://example.com"),
        ("GOOGLE_OAUTH_CLIENT_ID", "alone"),
        ("HTTPS_PROXY", "not a proxy"),
        ("SSL_CERT_FILE", "/nowhere/at/all.pem"),
    ] {
        for command in ["serve", "login", "status", "logout"] {
            let finished = Home::bare().env(name, value).run(&[command]);
            let message = refused(&finished);
            assert!(message.starts_with(name), "{command}: {message}");
            assert_eq!(message.lines().count(), 1, "{message}");
        }
    }
    for host in ["0.0.0.0", "::"] {
        let finished = Home::bare().env("PROXY_HOST", host).run(&["serve"]);
        let message = refused(&finished);
        assert!(message.starts_with("PROXY_HOST"), "{message}");
    }
    let finished = Home::bare()
        .env("PROXY_UPSTREAM", "gemini-api")
        .run(&["status"]);
    let message = refused(&finished);
    assert!(message.contains("set GEMINI_API_KEY"), "{message}");
    let finished = Home::bare()
        .env("GEMINI_API_KEY", "se\u{7}cret")
        .run(&["serve"]);
    let message = refused(&finished);
    assert!(
        message.starts_with("GEMINI_API_KEY") && !message.contains("cret"),
        "{message}"
    );
}

#[test]
fn lesson_21_beyond_this_machine_it_serves_only_with_a_key() {
    let home = Home::bare();
    for host in ["0.0.0.0", "::"] {
        for command in ["serve", "demo"] {
            let finished = home.run(&[command, "--host", host]);
            let message = refused(&finished);
            assert!(message.contains("set PROXY_API_KEY"), "{message}");
            assert!(message.contains("`gemini-proxy key`"), "{message}");
        }
    }
    let home = home.env("PROXY_API_KEY", "k");
    let running = home.start(&["serve", "--host", "0.0.0.0"]);
    let line = running
        .stdout
        .find(|text| text.lines().next().map(str::to_owned));
    let port = line.rsplit(':').next().unwrap().to_owned();
    assert_eq!(
        ask(&format!("127.0.0.1:{port}"), "GET", "/health", &[], b"").status,
        200
    );
}

#[test]
fn lesson_21_one_command_makes_a_key() {
    let home = Home::bare();
    let make = || {
        let finished = home.run(&["key"]);
        assert_eq!((finished.code, &*finished.stderr), (Some(0), ""));
        finished.stdout.strip_suffix('\n').unwrap().to_owned()
    };
    let (one, other) = (make(), make());
    assert_ne!(one, other);
    let random = one.strip_prefix("sk-").unwrap();
    let is_base64url = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    assert!(
        random.len() == 43 && random.chars().all(is_base64url),
        "{one}"
    );
    assert_eq!(home.files(), [""; 0], "nothing was written");
    let running = home
        .env("PROXY_API_KEY", &one)
        .start(&["serve", "--host", "0.0.0.0", "--port", "0"]);
    assert!(Proxy::of(running).host.starts_with("0.0.0.0:"));
}

#[test]
fn a_port_in_use_is_said_so() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for command in ["serve", "demo"] {
        let finished = Home::bare().env("PROXY_PORT", &port).run(&[command]);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.stderr.contains(&port), "{finished:?}");
        assert!(
            finished
                .stderr
                .contains("choose one with --port or PROXY_PORT"),
            "{finished:?}"
        );
    }
}

#[test]
fn flags_win_over_the_environment() {
    let home = Home::bare()
        .env("PROXY_PORT", "1")
        .env("PROXY_HOST", "0.0.0.0");
    let proxy = Proxy::of(home.start(&["--port", "0", "--host", "127.0.0.1"]));
    assert!(proxy.host.starts_with("127.0.0.1:"));
    assert_eq!(proxy.get("/health").status, 200);
    let home = Home::bare().env("PROXY_UPSTREAM", "code-assist");
    let finished = home.run(&["serve", "--upstream", "gemini-api"]);
    assert!(refused(&finished).contains("set GEMINI_API_KEY"));
}

#[test]
fn without_a_command_it_serves() {
    let proxy = Proxy::of(Home::bare().start(&[]));
    assert_eq!(proxy.get("/health").status, 200);
}

#[test]
fn a_dotenv_file_of_the_working_directory_is_read() {
    let dotenv = "# settings\nPROXY_API_KEY='from the file'\nexport PROXY_PORT=0\n";
    let home = Home::bare().without("PROXY_PORT").with_file(".env", dotenv);
    let proxy = home.serve();
    let with = |key: &str| {
        let header = [("x-api-key", key)];
        proxy
            .send("GET", "/v1/models/gemini-2.5-pro", &header, b"")
            .status
    };
    assert_eq!((with("from the file"), with("other")), (200, 401));
}

#[test]
fn the_real_environment_wins_over_the_dotenv_file() {
    let home = Home::bare()
        .with_file(".env", "PROXY_API_KEY=from-the-file\nPROXY_PORT=1\n")
        .env("PROXY_API_KEY", "real");
    let proxy = home.serve();
    let with = |key: &str| {
        let header = [("x-api-key", key)];
        proxy
            .send("GET", "/v1/models/gemini-2.5-pro", &header, b"")
            .status
    };
    assert_eq!((with("from-the-file"), with("real")), (401, 200));
}

#[test]
fn a_dotenv_file_that_cannot_be_read_is_said_so_without_its_secrets() {
    for line in [
        "GEMINI_API_KEY='never closed secret",
        "PROXY_API_KEY=a secret",
        "PROXY_API_KEY=se$cret",
    ] {
        let home = Home::bare().with_file(".env", &format!("# keys\n{line}\n"));
        let finished = home.run(&["serve"]);
        let message = refused(&finished);
        assert!(message.starts_with(".env: line 2 "), "{message}");
        assert!(!message.contains("cret"), "{message}");
    }
}

#[test]
fn the_first_line_is_the_address_and_the_rest_is_log() {
    let simulator = Simulator::start().unwrap();
    let proxy = Proxy::start(&simulator);
    proxy
        .log()
        .wait_for(&format!("point an OpenAI client at {}", proxy.url("/v1")));
    assert_eq!(proxy.stdout().text(), format!("{}\n", proxy.url("")));
}
