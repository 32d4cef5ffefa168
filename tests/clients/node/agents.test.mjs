// OpenAI's Agents SDK for JavaScript, on chat completions, and on the
// Responses, its default.

import {
  Agent,
  OpenAIChatCompletionsModel,
  OpenAIResponsesModel,
  run,
  setTracingDisabled,
  tool,
} from "@openai/agents";
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { z } from "zod";
import { MODEL, MODEL_2, call, openWorld, response, signature, signatures } from "./world.mjs";

setTracingDisabled(true);

const find = tool({
  name: "find",
  description: "Where someone is.",
  parameters: z.object({ who: z.string() }),
  execute: async ({ who }) => `${who} is in London`,
});

function agent(world, name, { Model = OpenAIChatCompletionsModel, ...more } = {}) {
  const client = new OpenAI({ baseURL: world.baseURL, apiKey: "any" });
  const model = new Model(client, name);
  return new Agent({ name: "finder", instructions: "Find people.", model, tools: [find], ...more });
}

async function output(agent, stream) {
  const result = await run(agent, "Where is Ada?", { stream });
  await result.completed;
  return result.finalOutput;
}

for (const stream of [false, true]) {
  const how = stream ? "streamed" : "whole";

  test(`12 the agent loop, ${how}, brings the signature back`, async (t) => {
    const world = await openWorld(t);
    const signed = signature("of the first call");
    await world.google.say(
      { responses: [response([call("find", { who: "Ada" }, signed)])] },
      { text: "London." },
    );
    assert.equal(await output(agent(world, MODEL), stream), "London.");
    const [, second] = await world.google.asked();
    assert.deepEqual(signatures(second), [signed]);
  });

  test(`40 the default loop, ${how}, brings the signature back through a restart`, async (t) => {
    const world = await openWorld(t);
    const signed = signature("of the first call");
    const thought = { text: "Hm.", thought: true };
    const parts = [thought, { text: "Wait." }, call("restart", {}, signed)];
    await world.google.say({ responses: [response(parts)] }, { text: "Restarted." });
    const restart = tool({
      name: "restart",
      description: "Restarts the proxy.",
      parameters: z.object({}),
      execute: async () => {
        await world.proxy.restart();
        return "done";
      },
    });
    const restarter = agent(world, MODEL, { Model: OpenAIResponsesModel, tools: [restart] });
    assert.equal(await output(restarter, stream), "Restarted.");
    const [, second] = await world.google.asked();
    assert.deepEqual(signatures(second), [signed]);
    assert.match(JSON.stringify(second.contents), /Wait\./);
  });

  const models = [OpenAIChatCompletionsModel, OpenAIResponsesModel];
  const pairs = models.flatMap((Model) => [MODEL, MODEL_2].map((name) => [Model, name]));
  for (const [Model, name] of pairs) {
    const from = `${name} by ${Model.name}`;
    test(`18 an output type beside functions, ${how}, gives an object from ${from}`, async (t) => {
      const world = await openWorld(t);
      const json = '{"city": "London"}';
      // A model that is only told to write JSON may fence it.
      const text = name === MODEL ? json : `\`\`\`json\n${json}\n\`\`\``;
      await world.google.say({ calls: [{ name: "find", args: { who: "Ada" } }] }, { text });
      const outputType = z.object({ city: z.string() });
      const place = await output(agent(world, name, { Model, outputType }), stream);
      assert.deepEqual(place, { city: "London" });
      const recorded = await world.google.recorded();
      assert.deepEqual(
        recorded.map((one) => one.status),
        [200, 200],
      );
      for (const request of await world.google.asked()) {
        const { responseMimeType } = request.generationConfig ?? {};
        assert.equal(responseMimeType, name === MODEL ? "application/json" : undefined);
      }
    });
  }
}
