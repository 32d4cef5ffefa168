// LangChain JS with `@langchain/openai`.

import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatOpenAI } from "@langchain/openai";
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { MODEL, USAGE, call, openWorld, response, signature, signatures } from "./world.mjs";

async function open(t, more = {}) {
  const world = await openWorld(t);
  const configuration = { baseURL: world.baseURL };
  const fields = { model: MODEL, apiKey: "any", configuration, maxRetries: 0, ...more };
  const chat = new ChatOpenAI(fields);
  return { ...world, chat };
}

const find = tool(({ who }) => `${who} is in London`, {
  name: "find",
  description: "Where someone is.",
  schema: z.object({ who: z.string() }),
});

test("08 streamed usage is Google's and not a multiple", async (t) => {
  const { chat, google } = await open(t);
  const words = ["one ", "two ", "three "].map((text) => response([{ text }], undefined));
  await google.say({ responses: [...words, response([{ text: "four" }])] });
  let whole;
  for await (const chunk of await chat.stream("Count.")) {
    whole = whole === undefined ? chunk : whole.concat(chunk);
  }
  assert.equal(whole.text, "one two three four");
  assert.equal(whole.usage_metadata.total_tokens, USAGE.totalTokenCount);
  assert.equal(whole.usage_metadata.input_tokens, USAGE.promptTokenCount);
});

for (const streaming of [false, true]) {
  const how = streaming ? "streamed" : "whole";
  test(`12 a loop, ${how}, brings the signature back`, async (t) => {
    const { chat, google } = await open(t);
    const signed = signature("of the first call");
    await google.say(
      { responses: [response([call("find", { who: "Ada" }, signed)])] },
      { text: "London." },
    );
    chat.streaming = streaming;
    const able = chat.bindTools([find]);
    const question = new HumanMessage("Where is Ada?");
    const asking = await able.invoke([question]);
    const result = await find.invoke(asking.tool_calls[0]);
    assert.ok(result instanceof ToolMessage);
    const answer = await able.invoke([question, asking, result]);
    assert.equal(answer.text, "London.");
    const [, second] = await google.asked();
    assert.deepEqual(signatures(second), [signed]);
  });
}

for (const streaming of [false, true]) {
  const how = streaming ? "streamed" : "whole";
  test(`40 a loop on the Responses, ${how}, brings the signature back`, async (t) => {
    const { chat, google, proxy } = await open(t, { useResponsesApi: true });
    const signed = signature("of the first call");
    const parts = [{ text: "Wait." }, call("find", { who: "Ada" }, signed)];
    await google.say({ responses: [response(parts)] }, { text: "London." });
    chat.streaming = streaming;
    const able = chat.bindTools([find]);
    const question = new HumanMessage("Where is Ada?");
    const asking = await able.invoke([question]);
    const result = await find.invoke(asking.tool_calls[0]);
    await proxy.restart();
    const answer = await able.invoke([question, asking, result]);
    assert.equal(answer.text, "London.");
    const [, second] = await google.asked();
    assert.deepEqual(signatures(second), [signed]);
  });
}

test("40 structured output of the Responses is parsed", async (t) => {
  const { chat, google } = await open(t, { useResponsesApi: true });
  await google.say({ text: '{"city": "London"}' });
  const structured = chat.withStructuredOutput(z.object({ city: z.string() }));
  assert.deepEqual(await structured.invoke("Where is Ada?"), { city: "London" });
});

for (const method of ["jsonSchema", "functionCalling", "jsonMode"]) {
  test(`16 structured output by ${method} is parsed`, async (t) => {
    const { chat, google } = await open(t);
    const place = { city: "London" };
    await google.say(
      method === "functionCalling"
        ? { calls: [{ name: "place", args: place }] }
        : { text: JSON.stringify(place) },
    );
    const schema = z.object({ city: z.string() });
    const structured = chat.withStructuredOutput(schema, { method, name: "place" });
    assert.deepEqual(await structured.invoke("Where is Ada? Answer in JSON."), place);
    assert.ok(!JSON.stringify(await google.asked()).includes("$schema"));
  });
}
