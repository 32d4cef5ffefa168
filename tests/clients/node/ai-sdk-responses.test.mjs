// Vercel's AI SDK with `@ai-sdk/openai`, which speaks the Responses API.

import { createOpenAI } from "@ai-sdk/openai";
import { generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { MODEL, USAGE, call, collect, openWorld, response, signature, signatures } from "./world.mjs";

async function open(t) {
  const world = await openWorld(t);
  const sent = [];
  const watching = (url, init) => {
    sent.push(JSON.parse(init.body));
    return fetch(url, init);
  };
  const provider = createOpenAI({ baseURL: world.baseURL, apiKey: "any", fetch: watching });
  return { ...world, sent, model: provider(MODEL) };
}

const find = tool({
  description: "Where someone is.",
  inputSchema: z.object({ who: z.string() }),
  execute: async ({ who }) => `${who} is in London`,
});

for (const ask of [generateText, streamText]) {
  test(`39 ${ask.name} takes two steps; what was said before the call is not lost`, async (t) => {
    const { google, model, sent } = await open(t);
    const signed = signature("of the call");
    const thought = { text: "Hm.", thought: true };
    const parts = [thought, { text: "Let me see." }, call("find", { who: "Ada" }, signed)];
    await google.say({ responses: [response(parts)] }, { text: "London." });
    const prompt = "Where is Ada?";
    const result = await ask({ model, prompt, tools: { find }, stopWhen: stepCountIs(5) });
    assert.equal(await result.text, "London.");
    assert.equal((await result.steps).length, 2);
    // It sends the name of the text, not the text.
    const references = sent[1].input.filter((item) => item.type === "item_reference");
    assert.ok(references.some((item) => item.id.startsWith("msg_")));
    assert.ok(!JSON.stringify(sent[1]).includes("Let me see."));
    const [, second] = await google.asked();
    const kept = second.contents.flatMap((turn) => turn.parts).filter((part) => part.text);
    assert.deepEqual(
      kept.map((part) => part.text),
      [prompt, "Let me see."],
    );
    assert.deepEqual(signatures(second), [signed]);
  });
}

test("40 without a store the reasoning item brings the signature through a restart", async (t) => {
  const { google, proxy, model } = await open(t);
  const signed = signature("of the call");
  const parts = [{ text: "Let me see." }, call("restart", {}, signed)];
  await google.say({ responses: [response(parts)] }, { text: "Restarted." });
  const restart = tool({
    description: "Restarts the proxy.",
    inputSchema: z.object({}),
    execute: () => proxy.restart().then(() => "done"),
  });
  const include = ["reasoning.encrypted_content"];
  const { text } = await generateText({
    model,
    prompt: "Restart!",
    tools: { restart },
    stopWhen: stepCountIs(5),
    providerOptions: { openai: { store: false, include } },
  });
  assert.equal(text, "Restarted.");
  const [, second] = await google.asked();
  assert.deepEqual(signatures(second), [signed]);
});

test("40 a stream has text, thoughts and usage", async (t) => {
  const { google, model } = await open(t);
  await google.say({ responses: [response([{ text: "Hm.", thought: true }, { text: "London." }])] });
  const result = streamText({ model, prompt: "Where is Ada?" });
  const parts = await collect(result.fullStream);
  assert.ok(parts.every((part) => part.type !== "error"));
  assert.equal(await result.text, "London.");
  assert.equal(await result.reasoningText, "Hm.");
  const usage = await result.usage;
  assert.equal(usage.totalTokens, USAGE.totalTokenCount);
  assert.equal(usage.outputTokenDetails.reasoningTokens, USAGE.thoughtsTokenCount);
});

test("40 generateObject gives an object", async (t) => {
  const { google, model } = await open(t);
  await google.say({ text: '{"city": "London"}' });
  const schema = z.object({ city: z.string() });
  const { object } = await generateObject({ model, schema, prompt: "Where is Ada?" });
  assert.deepEqual(object, { city: "London" });
  const [{ generationConfig }] = await google.asked();
  assert.deepEqual(Object.keys(generationConfig.responseJsonSchema.properties), ["city"]);
});

test("40 a stream that dies delivers its text and then an error part", async (t) => {
  const { google, model } = await open(t);
  await google.say({ text: "one two three", words: true, finish: null, then: "truncate" });
  const result = streamText({ model, prompt: "Count.", onError: () => {} });
  const parts = await collect(result.fullStream);
  const text = parts.filter((part) => part.type === "text-delta").map((part) => part.text);
  assert.match(text.join(""), /^one two/);
  const finished = parts.find((part) => part.type === "finish");
  assert.ok(finished === undefined || finished.finishReason !== "stop");
  assert.ok(parts.some((part) => part.type === "error") || finished.finishReason === "error");
});

test("40 an exhausted quota ends soon", async (t) => {
  const { google, model } = await open(t);
  await google.say({ error: "quota_exhausted", times: "always" });
  await assert.rejects(generateText({ model, prompt: "hi" }), (error) => {
    assert.match(JSON.stringify(error), /insufficient_quota/);
    return true;
  });
  // It asks twice more whatever it is told, but does not wait for hours.
  assert.equal((await google.recorded()).length, 3);
});
