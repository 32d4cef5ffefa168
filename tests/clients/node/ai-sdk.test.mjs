// Vercel's AI SDK with `@ai-sdk/openai-compatible`, which validates every chunk.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, stepCountIs, streamText, tool } from "ai";
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  MODEL,
  USAGE,
  call,
  collect,
  openWorld,
  response,
  signature,
  signatures,
} from "./world.mjs";

async function open(t) {
  const world = await openWorld(t);
  const provider = createOpenAICompatible({
    name: "gemini",
    baseURL: world.baseURL,
    apiKey: "any",
    includeUsage: true,
  });
  return { ...world, model: provider(MODEL) };
}

const find = tool({
  description: "Where someone is.",
  inputSchema: z.object({ who: z.string() }),
  execute: async ({ who }) => `${who} is in London`,
});

const FIRST = signature("of the first call");
const SECOND = signature("of the second call");
const THREE_STEPS = [
  { responses: [response([{ text: "Let me see. " }, call("find", { who: "Ada" }, FIRST)])] },
  { responses: [response([call("find", { who: "Bob" }, SECOND)])] },
  { responses: [response([{ text: "Both in London." }])] },
];

async function assertSigned(google) {
  const asked = await google.asked();
  assert.deepEqual(asked.map(signatures), [[], [FIRST], [FIRST, SECOND]]);
}

test("13 generateText takes three steps and the signatures come back", async (t) => {
  const { google, model } = await open(t);
  await google.say(...THREE_STEPS);
  const prompt = "Where are Ada and Bob?";
  const result = await generateText({ model, prompt, tools: { find }, stopWhen: stepCountIs(5) });
  assert.equal(result.text, "Both in London.");
  assert.equal(result.steps.length, 3);
  assert.equal(result.usage.totalTokens, USAGE.totalTokenCount);
  assert.equal(result.usage.outputTokenDetails.reasoningTokens, USAGE.thoughtsTokenCount);
  await assertSigned(google);
});

test("13 streamText takes three steps and the signatures come back", async (t) => {
  const { google, model } = await open(t);
  await google.say(...THREE_STEPS);
  const prompt = "Where are Ada and Bob?";
  const result = streamText({ model, prompt, tools: { find }, stopWhen: stepCountIs(5) });
  const parts = await collect(result.fullStream);
  assert.ok(parts.every((part) => part.type !== "error"));
  assert.equal(await result.text, "Both in London.");
  assert.equal((await result.steps).length, 3);
  assert.equal((await result.usage).totalTokens, USAGE.totalTokenCount);
  await assertSigned(google);
});

test("15 a function without arguments is run", async (t) => {
  const { google, model } = await open(t);
  const clock = { inputSchema: z.object({}), execute: async () => "noon" };
  for (const ask of [generateText, streamText]) {
    await google.say(
      { responses: [response([{ functionCall: { name: "clock" } }])] },
      { text: "Noon." },
    );
    const tools = { clock: tool(clock) };
    const result = await ask({ model, prompt: "How late?", tools, stopWhen: stepCountIs(5) });
    assert.equal(await result.text, "Noon.");
    const [first] = await result.steps;
    assert.deepEqual(
      first.toolResults.map((one) => one.output),
      ["noon"],
    );
  }
});

test("22 a stream that dies delivers its text and then an error part", async (t) => {
  const { google, model } = await open(t);
  await google.say({ text: "one two three", words: true, finish: null, then: "truncate" });
  const result = streamText({ model, prompt: "Count.", onError: () => {} });
  const parts = await collect(result.fullStream);
  const text = parts.filter((part) => part.type === "text-delta").map((part) => part.text);
  assert.match(text.join(""), /^one two/);
  assert.ok(parts.some((part) => part.type === "error"));
  const finished = parts.find((part) => part.type === "finish");
  assert.ok(finished === undefined || finished.finishReason === "error");
});

test("26 an exhausted quota ends soon", async (t) => {
  const { google, model } = await open(t);
  await google.say({ error: "rate_limit", delay: "10800s", times: "always" });
  await assert.rejects(generateText({ model, prompt: "hi" }), (error) => {
    assert.match(JSON.stringify(error), /insufficient_quota/);
    return true;
  });
  // It asks twice more whatever it is told, but does not wait for hours.
  assert.equal((await google.recorded()).length, 3);
});
