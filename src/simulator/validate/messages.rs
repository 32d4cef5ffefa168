//! The messages of the protocol, field by field: what may be sent at all.

use super::fields::Kind::{
    Any, Bool, Bytes, Enum, Int, List, Map, Message as Of, Number, Struct, Text,
};
use super::fields::{Kind, Message};

const TEXTS: Kind = List(&Text);

/// What Code Assist puts around a request. `enabled_credit_types` is missing on
/// purpose: it spends the user's money, so nothing of ours may ever send it.
pub(in crate::simulator) static CODE_ASSIST_ENVELOPE: Message = Message {
    name: "GenerateContentRequest",
    fields: &[
        ("model", Text),
        ("project", Text),
        ("user_prompt_id", Text),
        ("request", Of(&CODE_ASSIST_REQUEST)),
    ],
};

pub(in crate::simulator) static CODE_ASSIST_REQUEST: Message = Message {
    name: "VertexGenerateContentRequest",
    fields: &[
        ("contents", List(&Of(&CONTENT))),
        ("systemInstruction", Of(&CONTENT)),
        ("cachedContent", Text),
        ("tools", List(&Of(&TOOL))),
        ("toolConfig", Of(&TOOL_CONFIG)),
        ("labels", Map(&Text)),
        ("safetySettings", List(&Of(&SAFETY_SETTING))),
        ("generationConfig", Of(&GENERATION_CONFIG)),
        ("session_id", Text),
    ],
};

/// Here `model` and `project` stand in no envelope, and the model is inside.
pub(in crate::simulator) static CODE_ASSIST_COUNT_ENVELOPE: Message = Message {
    name: "CountTokensRequest",
    fields: &[("request", Of(&CODE_ASSIST_COUNT_REQUEST))],
};

static CODE_ASSIST_COUNT_REQUEST: Message = Message {
    name: "VertexCountTokensRequest",
    fields: &[
        ("model", Text),
        ("contents", List(&Of(&CONTENT))),
        ("systemInstruction", Of(&CONTENT)),
        ("tools", List(&Of(&TOOL))),
        ("generationConfig", Of(&GENERATION_CONFIG)),
    ],
};

pub(in crate::simulator) static LOAD_CODE_ASSIST: Message = Message {
    name: "LoadCodeAssistRequest",
    fields: &[
        ("cloudaicompanionProject", Text),
        ("metadata", Of(&CLIENT_METADATA)),
        (
            "mode",
            Enum(
                "Mode",
                &["MODE_UNSPECIFIED", "FULL_ELIGIBILITY_CHECK", "HEALTH_CHECK"],
            ),
        ),
    ],
};

pub(in crate::simulator) static ONBOARD_USER: Message = Message {
    name: "OnboardUserRequest",
    fields: &[
        ("tierId", Text),
        ("cloudaicompanionProject", Text),
        ("metadata", Of(&CLIENT_METADATA)),
    ],
};

pub(in crate::simulator) static RETRIEVE_USER_QUOTA: Message = Message {
    name: "RetrieveUserQuotaRequest",
    fields: &[("project", Text), ("userAgent", Text)],
};

static CLIENT_METADATA: Message = Message {
    name: "ClientMetadata",
    fields: &[
        (
            "ideType",
            Enum(
                "ClientMetadata.IdeType",
                &[
                    "IDE_UNSPECIFIED",
                    "VSCODE",
                    "INTELLIJ",
                    "VSCODE_CLOUD_WORKSTATION",
                    "INTELLIJ_CLOUD_WORKSTATION",
                    "CLOUD_SHELL",
                    "GEMINI_CLI",
                ],
            ),
        ),
        ("ideVersion", Text),
        ("pluginVersion", Text),
        (
            "platform",
            Enum(
                "ClientMetadata.Platform",
                &[
                    "PLATFORM_UNSPECIFIED",
                    "DARWIN_AMD64",
                    "DARWIN_ARM64",
                    "LINUX_AMD64",
                    "LINUX_ARM64",
                    "WINDOWS_AMD64",
                ],
            ),
        ),
        ("updateChannel", Text),
        ("duetProject", Text),
        (
            "pluginType",
            Enum(
                "ClientMetadata.PluginType",
                &[
                    "PLUGIN_UNSPECIFIED",
                    "CLOUD_CODE",
                    "GEMINI",
                    "AIPLUGIN_INTELLIJ",
                    "AIPLUGIN_STUDIO",
                ],
            ),
        ),
        ("ideName", Text),
    ],
};

/// `generateContent` of the Gemini API: no envelope.
pub(in crate::simulator) static GEMINI_API_REQUEST: Message = Message {
    name: "GenerateContentRequest",
    fields: &[
        ("model", Text),
        ("contents", List(&Of(&CONTENT))),
        ("systemInstruction", Of(&CONTENT)),
        ("cachedContent", Text),
        ("tools", List(&Of(&TOOL))),
        ("toolConfig", Of(&TOOL_CONFIG)),
        ("safetySettings", List(&Of(&SAFETY_SETTING))),
        ("generationConfig", Of(&GENERATION_CONFIG)),
    ],
};

pub(in crate::simulator) static GEMINI_API_COUNT_REQUEST: Message = Message {
    name: "CountTokensRequest",
    fields: &[
        ("contents", List(&Of(&CONTENT))),
        ("generateContentRequest", Of(&GEMINI_API_REQUEST)),
    ],
};

pub(in crate::simulator) static CONTENT: Message = Message {
    name: "Content",
    fields: &[("role", Text), ("parts", List(&Of(&PART)))],
};

/// The members of `Part`'s oneof `data`: exactly one must be set.
pub(super) const PART_DATA: [&str; 7] = [
    "text",
    "functionCall",
    "functionResponse",
    "inlineData",
    "fileData",
    "executableCode",
    "codeExecutionResult",
];

static PART: Message = Message {
    name: "Part",
    fields: &[
        ("text", Text),
        ("thought", Bool),
        // Not `Bytes`: the documented dummies are sent as they are.
        ("thoughtSignature", Text),
        ("functionCall", Of(&FUNCTION_CALL)),
        ("functionResponse", Of(&FUNCTION_RESPONSE)),
        ("inlineData", Of(&BLOB)),
        ("fileData", Of(&FILE_DATA)),
        ("executableCode", Struct),
        ("codeExecutionResult", Struct),
        ("videoMetadata", Struct),
        ("mediaResolution", Struct),
    ],
};

static FUNCTION_CALL: Message = Message {
    name: "FunctionCall",
    fields: &[("id", Text), ("name", Text), ("args", Struct)],
};

static FUNCTION_RESPONSE: Message = Message {
    name: "FunctionResponse",
    fields: &[
        ("id", Text),
        ("name", Text),
        ("response", Struct),
        ("parts", List(&Of(&FUNCTION_RESPONSE_PART))),
    ],
};

static FUNCTION_RESPONSE_PART: Message = Message {
    name: "FunctionResponsePart",
    fields: &[
        ("inlineData", Of(&NAMED_BLOB)),
        ("fileData", Of(&FILE_DATA)),
    ],
};

static BLOB: Message = Message {
    name: "Blob",
    fields: &[("mimeType", Text), ("data", Bytes)],
};

static NAMED_BLOB: Message = Message {
    name: "FunctionResponseBlob",
    fields: &[("mimeType", Text), ("data", Bytes), ("displayName", Text)],
};

static FILE_DATA: Message = Message {
    name: "FileData",
    fields: &[("mimeType", Text), ("fileUri", Text)],
};

static TOOL: Message = Message {
    name: "Tool",
    fields: &[
        ("functionDeclarations", List(&Of(&FUNCTION_DECLARATION))),
        ("googleSearch", Struct),
        ("googleSearchRetrieval", Struct),
        ("urlContext", Struct),
        ("codeExecution", Struct),
    ],
};

static FUNCTION_DECLARATION: Message = Message {
    name: "FunctionDeclaration",
    fields: &[
        ("name", Text),
        ("description", Text),
        ("parameters", Of(&SCHEMA)),
        ("parametersJsonSchema", Any),
        ("response", Of(&SCHEMA)),
        ("responseJsonSchema", Any),
    ],
};

/// The strict door: Google's own dialect of OpenAPI, not JSON Schema.
static SCHEMA: Message = Message {
    name: "Schema",
    fields: &[
        ("type", Enum("Type", SCHEMA_TYPES)),
        ("format", Text),
        ("title", Text),
        ("description", Text),
        ("nullable", Bool),
        ("default", Any),
        ("example", Any),
        ("enum", TEXTS),
        ("items", Of(&SCHEMA)),
        ("minItems", Int),
        ("maxItems", Int),
        ("properties", Map(&Of(&SCHEMA))),
        ("propertyOrdering", TEXTS),
        ("required", TEXTS),
        ("minProperties", Int),
        ("maxProperties", Int),
        ("minimum", Number),
        ("maximum", Number),
        ("minLength", Int),
        ("maxLength", Int),
        ("pattern", Text),
        ("anyOf", List(&Of(&SCHEMA))),
    ],
};

const SCHEMA_TYPES: &[&str] = &[
    "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL", "string", "number",
    "integer", "boolean", "array", "object", "null",
];

static TOOL_CONFIG: Message = Message {
    name: "ToolConfig",
    fields: &[
        ("functionCallingConfig", Of(&FUNCTION_CALLING_CONFIG)),
        ("retrievalConfig", Struct),
        ("includeServerSideToolInvocations", Bool),
    ],
};

static FUNCTION_CALLING_CONFIG: Message = Message {
    name: "FunctionCallingConfig",
    fields: &[
        (
            "mode",
            Enum(
                "FunctionCallingConfig.Mode",
                &["AUTO", "ANY", "NONE", "VALIDATED"],
            ),
        ),
        ("allowedFunctionNames", TEXTS),
    ],
};

/// Only the four categories that every model takes.
static SAFETY_SETTING: Message = Message {
    name: "SafetySetting",
    fields: &[
        (
            "category",
            Enum(
                "HarmCategory",
                &[
                    "HARM_CATEGORY_HARASSMENT",
                    "HARM_CATEGORY_HATE_SPEECH",
                    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
                    "HARM_CATEGORY_DANGEROUS_CONTENT",
                ],
            ),
        ),
        (
            "threshold",
            Enum(
                "SafetySetting.HarmBlockThreshold",
                &[
                    "BLOCK_LOW_AND_ABOVE",
                    "BLOCK_MEDIUM_AND_ABOVE",
                    "BLOCK_ONLY_HIGH",
                    "BLOCK_NONE",
                    "OFF",
                ],
            ),
        ),
    ],
};

static GENERATION_CONFIG: Message = Message {
    name: "GenerationConfig",
    fields: &[
        ("temperature", Number),
        ("topP", Number),
        ("topK", Number),
        ("candidateCount", Int),
        ("maxOutputTokens", Int),
        ("stopSequences", TEXTS),
        ("responseLogprobs", Bool),
        ("logprobs", Int),
        ("presencePenalty", Number),
        ("frequencyPenalty", Number),
        ("seed", Int),
        ("responseMimeType", Text),
        ("responseSchema", Of(&SCHEMA)),
        ("responseJsonSchema", Any),
        ("routingConfig", Struct),
        ("modelSelectionConfig", Struct),
        ("responseModalities", TEXTS),
        (
            "mediaResolution",
            Enum(
                "GenerationConfig.MediaResolution",
                &[
                    "MEDIA_RESOLUTION_LOW",
                    "MEDIA_RESOLUTION_MEDIUM",
                    "MEDIA_RESOLUTION_HIGH",
                ],
            ),
        ),
        ("speechConfig", Struct),
        ("audioTimestamp", Bool),
        ("thinkingConfig", Of(&THINKING_CONFIG)),
        ("imageConfig", Struct),
    ],
};

static THINKING_CONFIG: Message = Message {
    name: "ThinkingConfig",
    fields: &[
        ("includeThoughts", Bool),
        ("thinkingBudget", Int),
        (
            "thinkingLevel",
            Enum(
                "ThinkingConfig.ThinkingLevel",
                &[
                    "MINIMAL", "LOW", "MEDIUM", "HIGH", "minimal", "low", "medium", "high",
                ],
            ),
        ),
    ],
};
