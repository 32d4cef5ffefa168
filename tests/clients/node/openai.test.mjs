// OpenAI's SDK for Node.

import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import {
  MODEL,
  SENTINEL,
  USAGE,
  call,
  collect,
  openWorld,
  response,
  signature,
  signatures,
} from "./world.mjs";

const HI = { model: MODEL, messages: [{ role: "user", content: "hi" }] };

async function open(t, options = {}) {
  const world = await openWorld(t);
  const client = new OpenAI({ baseURL: world.baseURL, apiKey: "any", ...options });
  return { ...world, client, chat: client.chat.completions };
}

test("02 an answer is an object with text, a reason, a sum and an id", async (t) => {
  const { chat } = await open(t);
  const answer = await chat.create(HI);
  assert.equal(typeof answer, "object");
  const [choice] = answer.choices;
  assert.equal(typeof choice.message.content, "string");
  assert.ok(choice.message.content);
  assert.equal(choice.finish_reason, "stop");
  const { prompt_tokens, completion_tokens, total_tokens } = answer.usage;
  assert.ok(prompt_tokens > 0 && completion_tokens > 0);
  assert.equal(total_tokens, prompt_tokens + completion_tokens);
  assert.match(answer._request_id, /^req_/);
});

test("03 a stream begins with the role and keeps its text intact", async (t) => {
  const { chat, google } = await open(t);
  const words = "Straße, 東京, 👩‍👩‍👧 and 🇪🇺: intact";
  await google.say({ text: words, words: true, write_size: 1 });
  const chunks = await collect(await chat.create({ ...HI, stream: true }));
  const [first, ...rest] = chunks.map((chunk) => chunk.choices[0].delta);
  assert.deepEqual([first.role, first.content], ["assistant", ""]);
  assert.ok(rest.every((delta) => delta.role === undefined));
  assert.equal(rest.map((delta) => delta.content ?? "").join(""), words);
});

test("05 the stream helper ends with a completion", async (t) => {
  const { chat } = await open(t);
  const completion = await chat.stream(HI).finalChatCompletion();
  assert.equal(completion.choices[0].finish_reason, "stop");
  assert.equal(completion.choices[0].message.role, "assistant");
  assert.ok(completion.choices[0].message.content);
});

test("06 usage comes once and last if it is asked for", async (t) => {
  const { chat, google } = await open(t);
  await google.say({ responses: [response([{ text: "Hello" }])] });
  const options = { stream: true, stream_options: { include_usage: true } };
  const chunks = await collect(await chat.create({ ...HI, ...options }));
  const last = chunks.pop();
  assert.ok(chunks.length && chunks.every((chunk) => chunk.usage === null));
  assert.deepEqual(last.choices, []);
  assert.equal(last.usage.total_tokens, USAGE.totalTokenCount);
});

/** Two functions that note when they are run. */
function twoTools(ran) {
  const tool = (name) => ({
    type: "function",
    function: {
      name,
      parameters: { type: "object", properties: { who: { type: "string" } } },
      parse: JSON.parse,
      function: async ({ who }) => {
        await ran(name);
        return `${name} ${who}`;
      },
    },
  });
  return [tool("find"), tool("greet")];
}

const SIGNED = signature("of the first of two calls");
const TWO_CALLS = {
  responses: [response([call("find", { who: "Ada" }, SIGNED), call("greet", { who: "Bob" })])],
};

for (const stream of [false, true]) {
  const how = stream ? "streamed" : "whole";

  test(`11 runTools, ${how}: both run and the signature comes back`, async (t) => {
    const { chat, google } = await open(t);
    await google.say(TWO_CALLS, { text: "Done." });
    const ran = [];
    const tools = twoTools((name) => ran.push(name));
    const runner = chat.runTools({ ...HI, tools, stream });
    assert.equal(await runner.finalContent(), "Done.");
    assert.deepEqual(ran.sort(), ["find", "greet"]);
    const [, second] = await google.asked();
    assert.deepEqual(signatures(second), [SIGNED, undefined]);
  });

  test(`14 runTools, ${how}: a restart between turns leaves the sentinel`, async (t) => {
    const { chat, google, proxy } = await open(t);
    await google.say(TWO_CALLS, { text: "Done." });
    const tools = twoTools(async (name) => name === "find" && (await proxy.restart()));
    const runner = chat.runTools({ ...HI, tools, stream });
    assert.equal(await runner.finalContent(), "Done.");
    const recorded = await google.recorded();
    assert.deepEqual(
      recorded.map((one) => one.status),
      [200, 200],
    );
    const [, second] = await google.asked();
    assert.deepEqual(signatures(second), [SENTINEL, undefined]);
  });
}

test("15 a call without arguments has an empty object", async (t) => {
  const { chat, google } = await open(t);
  await google.say({ responses: [response([{ functionCall: { name: "find" } }])], times: 2 });
  const tools = [{ type: "function", function: { name: "find" } }];
  const whole = await chat.create({ ...HI, tools });
  const streamed = await chat.stream({ ...HI, tools }).finalChatCompletion();
  for (const answer of [whole, streamed]) {
    assert.equal(answer.choices[0].message.tool_calls[0].function.arguments, "{}");
  }
});

test("16 zodResponseFormat gives a parsed object and its schema reaches Google", async (t) => {
  const { chat, google } = await open(t);
  await google.say({ text: '{"city": "London"}' });
  const response_format = zodResponseFormat(z.object({ city: z.string() }), "place");
  const answer = await chat.parse({ ...HI, response_format });
  assert.deepEqual(answer.choices[0].message.parsed, { city: "London" });
  const [{ generationConfig }] = await google.asked();
  assert.equal(generationConfig.responseMimeType, "application/json");
  assert.deepEqual(Object.keys(generationConfig.responseJsonSchema.properties), ["city"]);
  assert.ok(!JSON.stringify(generationConfig).includes("$schema"));
});

test("22 a stream that dies delivers its text and then throws", async (t) => {
  const { chat, google } = await open(t);
  await google.say({ text: "one two three", words: true, finish: null, then: "truncate" });
  const choices = [];
  const reading = (async () => {
    for await (const chunk of await chat.create({ ...HI, stream: true })) {
      choices.push(chunk.choices[0]);
    }
  })();
  await assert.rejects(reading, (error) => {
    assert.ok(error instanceof OpenAI.APIError);
    assert.equal(error.code, "upstream_stream_error");
    return true;
  });
  assert.match(choices.map((choice) => choice.delta.content ?? "").join(""), /^one two/);
  assert.ok(choices.every((choice) => choice.finish_reason === null));
});

test("25 an exhausted quota is told once", async (t) => {
  const { chat, google } = await open(t, { maxRetries: 2 });
  await google.say({ error: "rate_limit", delay: "10800s", times: "always" });
  await assert.rejects(chat.create(HI), (error) => {
    assert.ok(error instanceof OpenAI.RateLimitError);
    assert.equal(error.code, "insufficient_quota");
    return true;
  });
  assert.equal((await google.recorded()).length, 1);
});
