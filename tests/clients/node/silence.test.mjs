// Google is silent for a while, then answers: to every client at once.

import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { ChatOpenAI } from "@langchain/openai";
import {
  Agent,
  OpenAIChatCompletionsModel,
  OpenAIResponsesModel,
  run,
  setTracingDisabled,
} from "@openai/agents";
import { streamText } from "ai";
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import OpenAI from "openai";
import { MODEL, openWorld } from "./world.mjs";

const SECONDS = 20;
const ANSWER = "At last.";

setTracingDisabled(true);

const clients = {
  async openai(baseURL) {
    const client = new OpenAI({ baseURL, apiKey: "any" });
    const messages = [{ role: "user", content: "hi" }];
    const stream = client.chat.completions.stream({ model: MODEL, messages });
    return stream.finalContent();
  },
  async "openai's responses"(baseURL) {
    const client = new OpenAI({ baseURL, apiKey: "any" });
    const stream = client.responses.stream({ model: MODEL, input: "hi" });
    return (await stream.finalResponse()).output_text;
  },
  async "the AI SDK's responses"(baseURL) {
    const provider = createOpenAI({ baseURL, apiKey: "any" });
    return streamText({ model: provider(MODEL), prompt: "hi" }).text;
  },
  async "the AI SDK"(baseURL) {
    const provider = createOpenAICompatible({ name: "gemini", baseURL, apiKey: "any" });
    return streamText({ model: provider(MODEL), prompt: "hi" }).text;
  },
  async LangChain(baseURL) {
    const chat = new ChatOpenAI({ model: MODEL, apiKey: "any", configuration: { baseURL } });
    let text = "";
    for await (const chunk of await chat.stream("hi")) text += chunk.text;
    return text;
  },
  async "the Agents SDK by default"(baseURL) {
    return this["the Agents SDK"](baseURL, OpenAIResponsesModel);
  },
  async "the Agents SDK"(baseURL, Model = OpenAIChatCompletionsModel) {
    const client = new OpenAI({ baseURL, apiKey: "any" });
    const model = new Model(client, MODEL);
    const result = await run(new Agent({ name: "one", model }), "hi", { stream: true });
    await result.completed;
    return result.finalOutput;
  },
};

describe("silence", { concurrency: true }, () => {
  for (const name of Object.keys(clients)) {
    test(`23 twenty seconds of silence are borne by ${name}`, async (t) => {
      const { google, baseURL } = await openWorld(t);
      await google.say({ text: ANSWER, hold: "silence" });
      const silence = setTimeout(() => google.tell("release", { gate: "silence" }), SECONDS * 1000);
      t.after(() => clearTimeout(silence));
      assert.equal(await clients[name](baseURL), ANSWER);
      assert.equal((await google.recorded()).length, 1);
    });
  }
});
