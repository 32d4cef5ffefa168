// Google is silent for a while, then answers: to every client at once.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { ChatOpenAI } from "@langchain/openai";
import { Agent, OpenAIChatCompletionsModel, run, setTracingDisabled } from "@openai/agents";
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
  async "the Agents SDK"(baseURL) {
    const client = new OpenAI({ baseURL, apiKey: "any" });
    const model = new OpenAIChatCompletionsModel(client, MODEL);
    const result = await run(new Agent({ name: "one", model }), "hi", { stream: true });
    await result.completed;
    return result.finalOutput;
  },
};

describe("silence", { concurrency: true }, () => {
  for (const [name, ask] of Object.entries(clients)) {
    test(`23 twenty seconds of silence are borne by ${name}`, async (t) => {
      const { google, baseURL } = await openWorld(t);
      await google.say({ text: ANSWER, hold: "silence" });
      const silence = setTimeout(() => google.tell("release", { gate: "silence" }), SECONDS * 1000);
      t.after(() => clearTimeout(silence));
      assert.equal(await ask(baseURL), ANSWER);
      assert.equal((await google.recorded()).length, 1);
    });
  }
});
