// OpenAI's Codex CLI, which speaks the Responses API only: `codex exec`, without a
// person, configured as README.md says.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { call, openWorld, response, signature, signatures } from "./world.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const CODEX = join(HERE, "node_modules/.bin/codex");

// Nothing but the model is to be asked.
const ALONE = `
check_for_update_on_startup = false

[analytics]
enabled = false
`;

/** A world, and an empty folder for Codex to work in. */
async function open(t, more = "") {
  const world = await openWorld(t);
  const home = join(world.google.folder, "codex");
  const folder = join(home, "work");
  await mkdir(folder, { recursive: true });
  const readme = await readFile(join(HERE, "../../../README.md"), "utf8");
  const [, block] = readme.match(/```toml\n# ~\/\.codex\/config\.toml\n(.*?)```/s);
  assert.ok(block.includes("http://127.0.0.1:3000/v1"));
  const config = block.replace("http://127.0.0.1:3000/v1", world.baseURL) + more + ALONE;
  await writeFile(join(home, "config.toml"), config);
  const codex = (...words) => run(home, folder, words);
  return { ...world, codex, folder };
}

/** Runs `codex exec` to its end. */
function run(home, cwd, words) {
  // In a sandbox of its own no other could be made, and the folder is empty anyway.
  const without = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"];
  const env = { CODEX_HOME: home, HOME: home, TMPDIR: home, PATH: process.env.PATH };
  const options = { cwd, env, timeout: 90_000 };
  return new Promise((resolve) => {
    const done = (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr });
    execFile(CODEX, ["exec", ...without, ...words], options, done).stdin.end();
  });
}

async function outputs(google) {
  const turns = (await google.asked()).at(-1).contents;
  const results = turns.flatMap((turn) => turn.parts).map((part) => part.functionResponse);
  return results.filter(Boolean).map((result) => result.response.output);
}

describe("codex", { concurrency: 2 }, () => {
  test("37 it runs a command, is told what came of it, and says what the model says", async (t) => {
    const { google, proxy, codex, folder } = await open(t);
    const signed = signature("of the command");
    const cmd = "echo hi > made.txt && cat made.txt";
    const parts = [{ text: "Hm.", thought: true }, call("exec_command", { cmd }, signed)];
    await google.say({ responses: [response(parts)] }, { text: "Made." }, { text: "Again." });
    const made = await codex("Make the file.");
    assert.equal(made.code, 0, made.stderr);
    assert.equal(made.stdout.trim(), "Made.");
    assert.equal(await readFile(join(folder, "made.txt"), "utf8"), "hi\n");
    assert.match((await outputs(google))[0], /\nhi\n/);
    assert.deepEqual(signatures((await google.asked())[1]), [signed]);

    // The proxy has forgotten all, so the signature can only be in what Codex kept.
    await proxy.restart();
    const resumed = await codex("resume", "--last", "And again.");
    assert.equal(resumed.stdout.trim(), "Again.", resumed.stderr);
    assert.deepEqual(signatures((await google.asked())[2]), [signed]);
  });

  test("37 a function in a namespace is run by its two names", async (t) => {
    const { google, codex } = await open(t);
    const name = "multi_agent_v1__close_agent";
    await google.say({ calls: [{ name, args: { target: "nobody" } }] }, { text: "Closed." });
    const closed = await codex("Close the agent.");
    assert.equal(closed.stdout.trim(), "Closed.", closed.stderr);
    const [first] = await google.asked();
    const declared = first.tools.flatMap((tool) => tool.functionDeclarations ?? []);
    assert.ok(declared.some((one) => one.name === name));
    // Codex looked for that agent, so it knew the function.
    assert.match((await outputs(google))[0], /invalid agent id nobody/);
  });

  for (const [error, words] of [
    ["quota_exhausted", /Quota exceeded/],
    ["token_limit", /ran out of room in the model's context window/],
  ]) {
    test(`38 after ${error} it does not ask again, and says why`, async (t) => {
      const { google, codex } = await open(t);
      await google.say({ error, times: "always" });
      const refused = await codex("Hi");
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, words);
      assert.equal((await google.recorded()).length, 1);
    });
  }

  test("38 a stream that dies is asked for again", async (t) => {
    const { google, codex } = await open(t);
    const dying = { text: "one two three", words: true, finish: null, then: "truncate" };
    await google.say(dying, { text: "Whole." });
    const answered = await codex("Hi");
    assert.equal(answered.code, 0, answered.stderr);
    assert.equal(answered.stdout.trim(), "Whole.");
    assert.equal((await google.recorded()).length, 2);
  });

  test("38 it bears twenty seconds of silence, though it waits for 17.5", async (t) => {
    const { google, codex } = await open(t, "stream_idle_timeout_ms = 17500\n");
    const [begun, ended] = [response([{ text: "At " }], null), response([{ text: "last." }])];
    await google.say({ responses: [begun, { gate: "silence" }, ended] });
    const silence = setTimeout(() => google.tell("release", { gate: "silence" }), 20_000);
    t.after(() => clearTimeout(silence));
    const answered = await codex("Hi");
    assert.equal(answered.stdout.trim(), "At last.", answered.stderr);
    assert.equal((await google.recorded()).length, 1);
  });
});
