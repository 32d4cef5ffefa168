import { createOpenAI } from "@ai-sdk/openai";
import { stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const gemini = createOpenAI({ baseURL: "http://127.0.0.1:3000/v1", apiKey: "any" });

const getWeather = tool({
  description: "The weather in a city.",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `It is sunny in ${city}.`,
});

const { textStream } = streamText({
  model: gemini("gemini-3.5-flash"),
  prompt: "How is the weather in Paris?",
  tools: { get_weather: getWeather },
  stopWhen: stepCountIs(5),
});
for await (const text of textStream) process.stdout.write(text);
console.log();
