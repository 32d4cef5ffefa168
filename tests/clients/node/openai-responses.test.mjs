// OpenAI's SDK for Node: the Responses API.

import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
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

const ASK = { model: MODEL, input: "Where is Ada?" };
const FIND = {
  type: "function",
  name: "find",
  parameters: { type: "object", properties: { who: { type: "string" } } },
};

async function open(t) {
  const world = await openWorld(t);
  const client = new OpenAI({ baseURL: world.baseURL, apiKey: "any", maxRetries: 2 });
  return { ...world, responses: client.responses };
}

test("40 an answer has text and a sum", async (t) => {
  const { google, responses } = await open(t);
  await google.say({ responses: [response([{ text: "Hm.", thought: true }, { text: "London." }])] });
  const answer = await responses.create(ASK);
  assert.deepEqual([answer.status, answer.output_text], ["completed", "London."]);
  assert.equal(answer.output[0].summary[0].text, "Hm.");
  assert.equal(answer.usage.input_tokens, USAGE.promptTokenCount);
  assert.equal(answer.usage.total_tokens, USAGE.totalTokenCount);
});

test("40 a stream has gapless numbers and ends with all of it", async (t) => {
  const { google, responses } = await open(t);
  const parts = [{ text: "Hm.", thought: true }, { text: "Wait." }, call("find", {}, signature("x"))];
  await google.say({ responses: [response(parts)], write_size: 1 });
  const events = await collect(await responses.create({ ...ASK, tools: [FIND], stream: true }));
  assert.deepEqual(
    events.map((event) => event.sequence_number),
    events.map((_, nth) => nth),
  );
  assert.equal(events[0].type, "response.created");
  assert.deepEqual(events[0].response.output, []);
  const done = events.filter((event) => event.type === "response.output_item.done");
  const last = events.at(-1);
  assert.equal(last.type, "response.completed");
  assert.deepEqual(
    last.response.output,
    done.map((event) => event.item),
  );
  const kinds = last.response.output.map((item) => item.type);
  assert.deepEqual(kinds, ["reasoning", "message", "reasoning", "function_call"]);
});

test("40 the stream helper ends with the answer", async (t) => {
  const { google, responses } = await open(t);
  const parts = [{ text: "Hm.", thought: true }, { text: "In London." }, call("find", { who: "Ada" })];
  await google.say({ responses: [response(parts)] });
  const answer = await responses.stream({ ...ASK, tools: [FIND] }).finalResponse();
  assert.equal(answer.output_text, "In London.");
  assert.equal(answer.output[0].summary[0].text, "Hm.");
  assert.equal(answer.output.at(-1).arguments, '{"who":"Ada"}');
});

test("40 an object is parsed, whole and streamed", async (t) => {
  const { google, responses } = await open(t);
  await google.say({ text: '{"city": "London"}', times: 2 });
  const text = { format: zodTextFormat(z.object({ city: z.string() }), "place") };
  const whole = await responses.parse({ ...ASK, text });
  const streamed = await responses.stream({ ...ASK, text }).finalResponse();
  for (const answer of [whole, streamed]) {
    assert.deepEqual(answer.output_parsed, { city: "London" });
  }
  for (const { generationConfig } of await google.asked()) {
    assert.deepEqual(Object.keys(generationConfig.responseJsonSchema.properties), ["city"]);
  }
});

for (const stream of [false, true]) {
  const how = stream ? "streamed" : "whole";
  test(`40 a loop, ${how}, brings the signature back through a restart`, async (t) => {
    const { google, proxy, responses } = await open(t);
    const signed = signature("of the call");
    const parts = [{ text: "Wait." }, call("find", { who: "Ada" }, signed)];
    await google.say({ responses: [response(parts)] }, { text: "London." });
    const input = [{ role: "user", content: "Where is Ada?" }];
    const ask = { model: MODEL, input, tools: [FIND] };
    const first = stream
      ? await responses.stream(ask).finalResponse()
      : await responses.create(ask);
    const { call_id } = first.output.at(-1);
    input.push(...first.output, { type: "function_call_output", call_id, output: "London" });
    await proxy.restart();
    const second = await responses.create(ask);
    assert.equal(second.output_text, "London.");
    const [, asked] = await google.asked();
    assert.deepEqual(signatures(asked), [signed]);
  });

  test(`40 quota and overflow, ${how}, are told once`, async (t) => {
    const { google, responses } = await open(t);
    for (const [error, kind, code] of [
      ["quota_exhausted", OpenAI.RateLimitError, "insufficient_quota"],
      ["token_limit", OpenAI.BadRequestError, "context_length_exceeded"],
    ]) {
      await google.tell("reset");
      await google.say({ error, times: "always" });
      await assert.rejects(responses.create({ ...ASK, stream }), (raised) => {
        assert.ok(raised instanceof kind);
        assert.equal(raised.code, code);
        return true;
      });
      assert.equal((await google.recorded()).length, 1);
    }
  });
}

test("40 what was said before is remembered until it is deleted", async (t) => {
  const { google, responses } = await open(t);
  await google.say({ text: "Hello Ada." }, { text: "Ada." });
  const { id } = await responses.create({ model: MODEL, input: "I am Ada." });
  const more = { model: MODEL, input: "Who am I?", previous_response_id: id };
  assert.equal((await responses.create(more)).output_text, "Ada.");
  const [, { contents }] = await google.asked();
  const told = contents.map((turn) => turn.parts[0].text);
  assert.deepEqual(told, ["I am Ada.", "Hello Ada.", "Who am I?"]);
  assert.equal((await responses.retrieve(id)).output_text, "Hello Ada.");
  await responses.delete(id);
  await assert.rejects(responses.retrieve(id), OpenAI.NotFoundError);
  await assert.rejects(responses.create(more), { code: "previous_response_not_found" });
});

test("40 the tokens of an input are counted", async (t) => {
  const { responses } = await open(t);
  const counted = await responses.inputTokens.count({ ...ASK, tools: [FIND] });
  assert.equal(counted.object, "response.input_tokens");
  assert.ok(counted.input_tokens > 0);
});

test("40 an answer cut short is incomplete", async (t) => {
  const { google, responses } = await open(t);
  for (const [finish, reason] of [
    ["MAX_TOKENS", "max_output_tokens"],
    ["SAFETY", "content_filter"],
  ]) {
    await google.say({ responses: [response([{ text: "Lon" }], finish)], times: 2 });
    const whole = await responses.create(ASK);
    const streamed = await responses.stream(ASK).finalResponse();
    for (const answer of [whole, streamed]) {
      assert.equal(answer.status, "incomplete");
      assert.deepEqual(answer.incomplete_details, { reason });
      assert.equal(answer.output_text, "Lon");
    }
  }
});

test("40 a stream that dies delivers its text and then fails", async (t) => {
  const { google, responses } = await open(t);
  await google.say({ text: "one two three", words: true, finish: null, then: "truncate" });
  const events = await collect(await responses.create({ ...ASK, stream: true }));
  const deltas = events.filter((event) => event.type === "response.output_text.delta");
  assert.match(deltas.map((event) => event.delta).join(""), /^one two/);
  const last = events.at(-1);
  assert.equal(last.type, "response.failed");
  assert.equal(last.response.error.code, "upstream_stream_error");
});
