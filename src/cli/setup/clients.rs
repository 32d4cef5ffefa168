//! The clients, with the format that each documents. The texts are files, which
//! README.md shows word for word.

/// A client, and what is printed for it.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    /// For a proxy without a key at its default address.
    pub(super) text: &'static str,
    /// What is replaced by what, if the proxy wants a key.
    pub(super) with_key: &'static [(&'static str, &'static str)],
    pub(super) where_to: &'static str,
    /// How the client comes by the key.
    pub(super) about_key: &'static str,
}

const FROM_ENVIRONMENT: &str =
    "It takes the key from the variable PROXY_API_KEY: export it there, too.";

const PYTHON_KEY: (&str, &str) = ("api_key=\"any\"", "api_key=os.environ[\"PROXY_API_KEY\"]");

pub(super) const CLIENTS: &[Client] = &[
    // https://developers.openai.com/codex/config-reference
    Client {
        name: "codex",
        what: "OpenAI's Codex",
        text: include_str!("codex.toml"),
        with_key: &[(
            "wire_api = \"responses\"\n",
            "wire_api = \"responses\"\nenv_key = \"PROXY_API_KEY\"\n",
        )],
        where_to: "Put it into ~/.codex/config.toml, above any [table] that is there.",
        about_key: FROM_ENVIRONMENT,
    },
    // https://docs.continue.dev/reference
    Client {
        name: "continue",
        what: "Continue, for VS Code and JetBrains",
        text: include_str!("continue.yaml"),
        with_key: &[("apiKey: any", "apiKey: ${{ secrets.PROXY_API_KEY }}")],
        where_to: "Put it into ~/.continue/config.yaml.",
        about_key: "Write the key into ~/.continue/.env: PROXY_API_KEY=…",
    },
    // https://docs.cline.bot/cline-cli/installation
    Client {
        name: "cline",
        what: "Cline, in the terminal and for VS Code",
        text: include_str!("cline.sh"),
        with_key: &[("--apikey any", "--apikey \"$PROXY_API_KEY\"")],
        where_to: "Run it in a terminal. In VS Code choose the provider \"OpenAI Compatible\" and \
                   enter the same base URL, key and model.",
        about_key: FROM_ENVIRONMENT,
    },
    // https://docs.roocode.com/features/settings-management
    Client {
        name: "roo",
        what: "Roo Code, for VS Code",
        text: include_str!("roo.json"),
        with_key: &[("\"any\"", "\"YOUR_PROXY_API_KEY\"")],
        where_to: "Save it to a file, and import that in Roo's settings (About → Import), or name it \
                   in VS Code's setting roo-cline.autoImportSettingsPath.",
        about_key: "Roo knows no variables: write the value of PROXY_API_KEY in place of \
                    YOUR_PROXY_API_KEY.",
    },
    // https://aider.chat/docs/config/aider_conf.html
    Client {
        name: "aider",
        what: "Aider",
        text: include_str!("aider.yaml"),
        with_key: &[(
            "openai-api-key: any",
            "# The key: export OPENAI_API_KEY=\"$PROXY_API_KEY\"",
        )],
        where_to: "Put it into .aider.conf.yml, in your home folder or the repository's.",
        about_key: "It takes the key from OPENAI_API_KEY: export OPENAI_API_KEY=\"$PROXY_API_KEY\"",
    },
    // https://opencode.ai/docs/providers/
    Client {
        name: "opencode",
        what: "OpenCode",
        text: include_str!("opencode.json"),
        with_key: &[("\"any\"", "\"{env:PROXY_API_KEY}\"")],
        where_to: "Put it into opencode.json in the project, or ~/.config/opencode/opencode.json.",
        about_key: FROM_ENVIRONMENT,
    },
    // https://zed.dev/docs/ai/use-api-access
    Client {
        name: "zed",
        what: "Zed",
        text: include_str!("zed.json"),
        with_key: &[],
        where_to: "Put it into Zed's settings.json. Zed wants a key, any will do: export \
                   GEMINI_PROXY_API_KEY=any, or enter it in the agent's settings.",
        about_key: "The proxy has a key: export GEMINI_PROXY_API_KEY=\"$PROXY_API_KEY\"",
    },
    // https://docs.openwebui.com/getting-started/env-configuration
    Client {
        name: "open-webui",
        what: "Open WebUI",
        text: include_str!("open-webui.sh"),
        with_key: &[("API_KEY=any", "API_KEY=\"$PROXY_API_KEY\"")],
        where_to: "It reads these at its first start only; later, Admin Settings → Connections. In a \
                   container 127.0.0.1 is the container itself: start the proxy with --host 0.0.0.0 \
                   and a PROXY_API_KEY, and name host.docker.internal instead.",
        about_key: FROM_ENVIRONMENT,
    },
    // https://docs.litellm.ai/docs/proxy/configs
    Client {
        name: "litellm",
        what: "LiteLLM's proxy",
        text: include_str!("litellm.yaml"),
        with_key: &[("api_key: any", "api_key: os.environ/PROXY_API_KEY")],
        where_to: "Put it into LiteLLM's config.yaml.",
        about_key: FROM_ENVIRONMENT,
    },
    Client {
        name: "langchain",
        what: "LangChain for Python",
        text: include_str!("langchain.py"),
        with_key: &[
            PYTHON_KEY,
            (
                "from langchain_openai",
                "import os\n\nfrom langchain_openai",
            ),
        ],
        where_to: "It wants `pip install langchain-openai`.",
        about_key: FROM_ENVIRONMENT,
    },
    Client {
        name: "ai-sdk",
        what: "the AI SDK for JavaScript",
        text: include_str!("ai-sdk.mjs"),
        with_key: &[("apiKey: \"any\"", "apiKey: process.env.PROXY_API_KEY")],
        where_to: "It wants `npm install ai @ai-sdk/openai zod`.",
        about_key: FROM_ENVIRONMENT,
    },
    Client {
        name: "agents-sdk",
        what: "OpenAI's Agents SDK for Python",
        text: include_str!("agents-sdk.py"),
        with_key: &[
            PYTHON_KEY,
            (
                "from agents import Agent",
                "import os\n\nfrom agents import Agent",
            ),
        ],
        where_to: "It wants `pip install openai-agents`.",
        about_key: FROM_ENVIRONMENT,
    },
    // https://llm.datasette.io/en/stable/other-models.html
    Client {
        name: "llm",
        what: "Simon Willison's llm",
        text: include_str!("llm.yaml"),
        with_key: &[("  can_stream", "  api_key_name: gemini-proxy\n  can_stream")],
        where_to: "Put it into extra-openai-models.yaml in the folder of `llm logs path`; then \
                   `llm -m gemini-proxy 'Hello'`.",
        about_key: "Give llm the key: llm keys set gemini-proxy --value \"$PROXY_API_KEY\"",
    },
    Client {
        name: "env",
        what: "the variables that OpenAI's SDKs and many programs read",
        text: include_str!("env.sh"),
        with_key: &[("API_KEY=any", "API_KEY=\"$PROXY_API_KEY\"")],
        where_to: "Put it into the shell's profile, or: eval \"$(gemini-proxy setup env)\". The model \
                   is named in each request.",
        about_key: FROM_ENVIRONMENT,
    },
];
