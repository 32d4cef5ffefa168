// The built program with the stand-in for Google behind it, for one check each.
//
// What the stand-in can be told stands at the top of `src/simulator/script.rs`; its
// switches in `src/simulator/state.rs`.

import { spawn } from "node:child_process";
import { openSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const PROGRAM = process.env.GEMINI_PROXY;

// Gemini 3 wants thought signatures; 2.5 bears no JSON mode beside functions.
export const MODEL = "gemini-3.5-flash";
export const MODEL_2 = "gemini-2.5-flash";

// What Google gives for histories that none of its models produced.
export const SENTINEL = "skip_thought_signature_validator";

export const USAGE = {
  promptTokenCount: 11,
  candidatesTokenCount: 5,
  thoughtsTokenCount: 2,
  totalTokenCount: 18,
};

/** A stand-in with a proxy before it, until the check is over; then the log, if it failed. */
export async function openWorld(t, settings = {}) {
  const folder = await mkdtemp(join(tmpdir(), "gemini-proxy-client-"));
  const google = await Google.start(folder);
  const proxy = await Proxy.start(google, settings);
  t.after(async () => {
    await proxy.stop();
    await stop(google.process);
    if (!t.passed) t.diagnostic(proxy.log());
    await rm(folder, { recursive: true });
  });
  return { google, proxy, baseURL: `${proxy.address}/v1` };
}

/** `gemini-proxy simulator` */
class Google {
  static async start(folder) {
    const google = new Google();
    google.folder = folder;
    google.process = start(["simulator", "--port", "0"], folder);
    google.address = await firstLine(google.process);
    return google;
  }

  /** What to answer next, one item for a request. */
  async say(...items) {
    await this.tell("script", items);
  }

  async tell(command, body = {}) {
    const answer = await fetch(`${this.address}/_simulator/${command}`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }

  /** All requests for generation, as they came. */
  async recorded() {
    const answer = await fetch(`${this.address}/_simulator/requests`);
    return (await answer.json()).filter((one) => one.path.includes("enerateContent"));
  }

  /** Each of them: the `GenerateContentRequest` in it. */
  async asked() {
    return (await this.recorded()).map((one) => JSON.parse(one.body).request);
  }
}

/** `gemini-proxy serve`, signed in to Code Assist. */
class Proxy {
  static async start(google, settings) {
    const tokens = await google.tell("sign_in");
    await writeFile(join(google.folder, "tokens.json"), JSON.stringify(tokens));
    const proxy = new Proxy();
    proxy.folder = google.folder;
    proxy.settings = {
      CODE_ASSIST_ENDPOINT: google.address,
      GOOGLE_OAUTH_AUTH_URL: `${google.address}/o/oauth2/v2/auth`,
      GOOGLE_OAUTH_TOKEN_URL: `${google.address}/token`,
      GOOGLE_USERINFO_URL: `${google.address}/oauth2/v2/userinfo`,
      GOOGLE_REVOKE_URL: `${google.address}/revoke`,
      PROXY_PORT: "0",
      ...settings,
    };
    await proxy.start();
    return proxy;
  }

  async start() {
    this.process = start(["serve"], this.folder, this.settings);
    this.address = await firstLine(this.process);
  }

  stop() {
    return stop(this.process);
  }

  /** At the same address, with an empty memory. */
  async restart() {
    await this.stop();
    this.settings.PROXY_PORT = new URL(this.address).port;
    await this.start();
  }

  log() {
    return readFileSync(join(this.folder, "serve.log"), "utf8");
  }
}

/** With no environment but its own; its log goes to a file. */
function start(args, folder, settings = {}) {
  return spawn(PROGRAM, args, {
    cwd: folder,
    env: { HOME: folder, TMPDIR: folder, NO_BROWSER: "1", ...settings },
    stdio: ["ignore", "pipe", openSync(join(folder, `${args[0]}.log`), "a")],
  });
}

async function firstLine(process) {
  for await (const line of createInterface({ input: process.stdout })) return line.trim();
  throw new Error(`${PROGRAM} ended before it said where it listens`);
}

function stop(process) {
  return new Promise((resolve) => {
    process.once("exit", resolve);
    process.kill("SIGKILL");
  });
}

/** One `GenerateContentResponse`, to be the only or the last of an answer. */
export function response(parts, finishReason = "STOP") {
  const content = { role: "model", parts };
  return { candidates: [{ content, index: 0, finishReason }], usageMetadata: USAGE };
}

export const call = (name, args = {}, thoughtSignature = undefined) => ({
  functionCall: { name, args },
  thoughtSignature,
});

/** An opaque value such as Google's are. */
export const signature = (name) => Buffer.from(`signature ${name}`).toString("base64");

/** Those on the function calls of a request, in order. */
export const signatures = (request) =>
  request.contents
    .flatMap((turn) => turn.parts)
    .filter((part) => part.functionCall)
    .map((part) => part.thoughtSignature);

export async function collect(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}
