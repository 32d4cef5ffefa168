//! Commands that tell something: `setup`, `models`, `quota`, `completions`, and help.

use std::io::Write;
use std::process::{Command, Stdio};

use gemini_proxy::simulator::Simulator;
use serde_json::{Value, json};

use crate::home::{Finished, Home};
use crate::proxy::{Proxy, Road};

#[track_caller]
fn printed(finished: &Finished) -> &str {
    assert_eq!(finished.code, Some(0), "{finished:?}");
    &finished.stdout
}

/// The names that `setup` lists.
fn clients(home: &Home) -> Vec<String> {
    let list = home.run(&["setup"]);
    let lines = printed(&list).lines();
    let names = lines.filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

#[test]
fn lesson_28_setup_prints_the_settings_of_every_client_and_never_the_key() {
    let home = Home::bare().without("PROXY_PORT");
    let clients = clients(&home);
    assert_eq!(clients.len(), 14);
    for client in &clients {
        let finished = home.run(&["setup", client]);
        assert!(printed(&finished).contains("http://127.0.0.1:3000/v1"));
        assert!(!finished.stderr.is_empty(), "it says where to put it");
    }
    let chosen = home.run(&["setup", "env", "--port", "0"]);
    assert!(
        chosen.stderr.contains("Name one with --port."),
        "{chosen:?}"
    );
    let home = home
        .env("PROXY_API_KEY", "sk-mine")
        .env("PROXY_HOST", "0.0.0.0");
    for client in &clients {
        let finished = home.run(&["setup", client, "--port", "8080", "--model", "gemini-9-pro"]);
        let text = printed(&finished);
        assert!(text.contains("http://127.0.0.1:8080/v1"), "{text}");
        assert_eq!(
            text.contains("gemini-9-pro"),
            !["env", "open-webui"].contains(&&**client)
        );
        let all = format!("{text}{}", finished.stderr);
        assert!(
            all.contains("PROXY_API_KEY") && !all.contains("sk-mine"),
            "{all}"
        );
    }
    assert_eq!(home.files(), [""; 0], "nothing was written");
}

/// JSON here, the rest by whatever interpreter this machine has.
#[test]
fn settings_that_are_printed_can_be_parsed() {
    let home = Home::bare();
    let with_key = Home::bare().env("PROXY_API_KEY", "k");
    for home in [&home, &with_key] {
        for client in ["roo", "opencode", "zed"] {
            let text = home.run(&["setup", client]);
            serde_json::from_str::<Value>(printed(&text)).unwrap();
        }
        let python = |code: &'static str| vec!["python3", "-c", code];
        for (clients, check) in [
            (
                &["codex"][..],
                python("import sys,tomllib; tomllib.load(sys.stdin.buffer)"),
            ),
            (
                &["continue", "aider", "litellm", "llm"],
                python("import sys,yaml; yaml.safe_load(sys.stdin)"),
            ),
            (
                &["langchain", "agents-sdk"],
                python("import sys,ast; ast.parse(sys.stdin.read())"),
            ),
            (
                &["ai-sdk"],
                vec!["node", "--check", "--input-type=module", "-"],
            ),
            (&["cline", "open-webui", "env"], vec!["sh", "-n"]),
        ] {
            for client in clients {
                let text = home.run(&["setup", client]);
                assert_is_understood(&check, printed(&text));
            }
        }
    }
}

/// Whether a program takes this for its input; machines without it cannot tell.
fn assert_is_understood(command: &[&str], text: &str) {
    let has_yaml = || {
        let mut python = Command::new("python3");
        python
            .args(["-c", "import yaml, tomllib"])
            .stderr(Stdio::null());
        python.status().is_ok_and(|status| status.success())
    };
    if Command::new(command[0]).arg("--version").output().is_err()
        || command[0] == "python3" && !has_yaml()
    {
        return;
    }
    let mut child = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success(), "{command:?}\n{text}");
}

#[test]
fn the_settings_of_codex_are_as_plain_toml_as_can_be_read_anywhere() {
    let text = Home::bare()
        .env("PROXY_API_KEY", "k")
        .run(&["setup", "codex"]);
    let is_line = |line: &str| {
        let is_pair = line
            .split_once(" = \"")
            .is_some_and(|(_, value)| value.ends_with('"'));
        line.is_empty() || line.starts_with('#') || line.starts_with('[') || is_pair
    };
    assert!(printed(&text).lines().all(is_line), "{}", text.stdout);
    assert!(text.stdout.contains("env_key = \"PROXY_API_KEY\"\n"));
}

#[test]
fn an_unknown_client_is_answered_with_the_nearest() {
    let finished = Home::bare().run(&["setup", "open-code"]);
    assert_eq!(finished.code, Some(2));
    assert!(
        finished.stderr.contains("did you mean 'opencode'?"),
        "{finished:?}"
    );
    let finished = Home::bare().run(&["setup", "codex", "--model", "a\"b"]);
    assert_eq!(finished.code, Some(2), "{finished:?}");
}

#[test]
fn models_are_listed_with_what_this_account_may_use() {
    for road in [Road::CodeAssist, Road::GeminiApi] {
        let simulator = Simulator::start().unwrap();
        let home = road.home(&simulator);
        let table = home.run(&["models"]);
        let line = |id: &str| {
            let mut lines = printed(&table).lines();
            let line = lines.find(|line| line.split_whitespace().next() == Some(id));
            line.unwrap_or_else(|| panic!("{id}: {table:?}")).to_owned()
        };
        assert!(line("gemini-3.5-flash").contains(" yes  "), "{table:?}");
        assert!(line("gemini-2.0-flash").contains("(→ gemini-3.5-flash-lite)"));
        let document: Value =
            serde_json::from_str(printed(&home.run(&["models", "--json"]))).unwrap();
        assert_eq!(document["asked_google"], true);
        let models = document["models"].as_array().unwrap();
        let flash = models
            .iter()
            .find(|model| model["id"] == "gemini-3.5-flash")
            .unwrap();
        assert_eq!(
            (&flash["offered"], &flash["tools"]),
            (&json!(true), &json!(true))
        );
        assert_eq!(flash["context"], 1_048_576);
        let old = models
            .iter()
            .find(|model| model["id"] == "gemini-1.5-pro")
            .unwrap();
        assert_eq!(old["offered"], false);
    }
}

#[test]
fn models_are_listed_even_if_google_cannot_be_asked_and_it_is_said() {
    let simulator = Simulator::start().unwrap();
    let finished = Home::new(&simulator).run(&["models"]);
    assert!(printed(&finished).contains("gemini-3.5-flash"));
    let trouble = "Google could not be asked what it offers: not signed in";
    assert!(finished.stderr.contains(trouble), "{finished:?}");
    let finished = Home::new(&simulator).run(&["models", "--json"]);
    let document: Value = serde_json::from_str(printed(&finished)).unwrap();
    assert_eq!(document["asked_google"], false);
    assert_eq!(document["models"][0]["offered"], Value::Null);
}

#[test]
fn lesson_34_quota_is_what_google_says_in_one_call() {
    let simulator = Simulator::start().unwrap();
    let home = Road::CodeAssist.home(&simulator);
    let buckets = json!([
        {"modelId": "gemini-3-flash", "tokenType": "REQUESTS", "remainingFraction": 0.5,
         "remainingAmount": "750", "resetTime": "2026-12-01T07:00:00Z"},
        {"modelId": "gemini-2.5-pro", "tokenType": "REQUESTS"},
    ]);
    simulator
        .script(json!({"quota": [{"json": {"buckets": buckets}, "times": "always"}]}))
        .unwrap();
    let finished = home.run(&["quota"]);
    let text = printed(&finished);
    let line = |id: &str| text.lines().find(|line| line.starts_with(id)).unwrap();
    assert!(
        line("gemini-3.5-flash").contains("50 %       750  2026-12-01T07:00:00Z"),
        "{text}"
    );
    assert!(line("gemini-2.5-pro").contains(" 0 % "), "{text}");
    assert!(
        finished.stderr.contains("retrieveUserQuota"),
        "{finished:?}"
    );
    let document: Value = serde_json::from_str(printed(&home.run(&["quota", "--json"]))).unwrap();
    assert_eq!(document["quotas"][0]["amount_left"], "750");
    let calls = simulator.requests();
    let calls = calls
        .iter()
        .filter(|call| call.path.ends_with(":retrieveUserQuota"));
    assert_eq!(calls.count(), 2);
}

#[test]
fn without_a_quota_to_ask_for_it_is_said_where_to_look() {
    let simulator = Simulator::start().unwrap();
    let finished = Road::GeminiApi.home(&simulator).run(&["quota"]);
    assert!(printed(&finished).contains("https://aistudio.google.com/"));
    assert!(simulator.requests().is_empty());
    let finished = Home::new(&simulator).run(&["quota"]);
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stderr.contains("Run `gemini-proxy login`."),
        "{finished:?}"
    );
    simulator
        .script(json!({"quota": [{"error": "subscription_required"}]}))
        .unwrap();
    let finished = Road::CodeAssist.home(&simulator).run(&["quota"]);
    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.contains("licence"), "{finished:?}");
}

#[test]
fn completions_are_scripts_that_their_shells_understand() {
    let home = Home::bare();
    for shell in ["bash", "zsh", "fish"] {
        let script = home.run(&["completions", shell]);
        for word in ["doctor", "opencode", "no-browser"] {
            assert!(printed(&script).contains(word), "{shell}: {word}");
        }
        assert_is_understood(&[shell, "-n"], &script.stdout);
    }
    let finished = home.run(&["completions"]);
    assert_eq!(finished.code, Some(2));
}

#[test]
fn bash_completes_commands_clients_and_options() {
    let script = Home::bare().run(&["completions", "bash"]).stdout;
    let offered = |words: &str| {
        let words: Vec<_> = words.split(' ').collect();
        let line = words.join("' '");
        let last = words.len() - 1;
        let ask = format!(
            "{script}\nCOMP_WORDS=('{line}'); COMP_CWORD={last}; _gemini_proxy; echo ${{COMPREPLY[@]}}"
        );
        let output = Command::new("bash").args(["-c", &ask]).output();
        output.map(|output| String::from_utf8(output.stdout).unwrap().trim().to_owned())
    };
    for (typed, completed) in [
        ("gemini-proxy doc", "doctor"),
        ("gemini-proxy setup open", "opencode open-webui"),
        ("gemini-proxy login --no", "--no-browser"),
        ("gemini-proxy serve --j", ""),
        ("gemini-proxy serve --upstream g", "gemini-api"),
    ] {
        // Machines without bash cannot tell.
        if let Ok(offered) = offered(typed) {
            assert_eq!(offered, completed, "{typed}");
        }
    }
}

#[test]
fn each_command_has_a_help_of_its_own() {
    let home = Home::bare();
    for command in ["serve", "login", "doctor", "setup", "completions"] {
        let usage = format!("Usage: gemini-proxy {command}");
        for arguments in [[command, "--help"], ["help", command]] {
            let finished = home.run(&arguments);
            assert!(printed(&finished).contains(&usage), "{finished:?}");
            assert_eq!(finished.stderr, "");
        }
    }
}

/// `script` (util-linux) gives it a terminal; machines without it cannot tell.
#[cfg(target_os = "linux")]
#[test]
fn words_are_coloured_on_a_terminal_unless_that_is_not_wanted() {
    let command = format!("'{}' sevre", env!("CARGO_BIN_EXE_gemini-proxy"));
    for (home, shown) in [
        (
            Home::bare(),
            "\u{1b}[31merror\u{1b}[0m: unknown command 'sevre'",
        ),
        (
            Home::bare().env("NO_COLOR", "1"),
            "error: unknown command 'sevre'",
        ),
    ] {
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
        let Some(mut running) = home.start_other(script) else {
            return;
        };
        assert_eq!(running.end().code(), Some(2));
        let said = running.stdout.text();
        assert!(said.starts_with(shown), "{said:?}");
    }
}

#[test]
fn a_port_where_we_are_already_is_said_so_with_its_address() {
    let simulator = Simulator::start().unwrap();
    let running = Proxy::start(&simulator);
    let port = running.host.rsplit(':').next().unwrap();
    let finished = Home::bare().run(&["serve", "--port", port]);
    assert_eq!(finished.code, Some(1));
    let lines: Vec<_> = finished.stderr.lines().collect();
    assert!(
        lines[0].starts_with("error: cannot listen on "),
        "{finished:?}"
    );
    assert!(lines[1].starts_with("caused by: "), "{finished:?}");
    let address = format!(
        "already running there: point clients at {}",
        running.url("/v1")
    );
    assert!(lines[2].contains(&address), "{finished:?}");
}
