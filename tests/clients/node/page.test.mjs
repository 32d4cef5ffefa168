// The page at `/` in a real Chromium: what a person sees and does there, and what the
// browser must never do for it.

import assert from "node:assert/strict";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { after, before, test } from "node:test";

import { chromium } from "playwright-core";

import { MODEL, openWorld, response } from "./world.mjs";

const KEY = "the-key-of-this-proxy";

const NOT_SIGNED_IN = { TOKEN_STORE_PATH: "nobodys-tokens.json" };

let browser;

before(async () => {
  browser = await chromium.launch({ executablePath: installed(), env: { HOME: process.env.HOME } });
});

after(() => browser?.close());

/** The machine's own: a browser that playwright brings comes from no registry. */
function installed() {
  const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
  const folders = process.env.PATH.split(delimiter);
  for (const path of names.flatMap((name) => folders.map((folder) => join(folder, name)))) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next one, then.
    }
  }
  throw new Error("there is no Chromium on this machine; in Debian the package is chromium");
}

/** A page with a clock of its own, and a record of what it asks and complains of. */
async function openPage(t, world, settings = {}) {
  const context = await browser.newContext(settings);
  t.after(() => context.close());
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const asked = [];
  const complaints = [];
  page.on("request", (request) => asked.push(request));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  await page.exposeFunction("complain", (what) => complaints.push(what));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      window.complain(`${event.violatedDirective}: ${event.blockedURI}`);
    });
  });
  await page.clock.install();
  await page.goto(`${world.proxy.address}/`);
  return { page, asked, complaints };
}

/** Lets the page look again. */
const look = (page) => page.clock.fastForward(4000);

/** Waits until the page, which looks again and again, says so. */
async function says(page, selector, text) {
  await page.locator(selector).filter({ hasText: text }).first().waitFor();
}

/** Seen or not, but without the page's own script. */
const shown = (page) => page.locator("body").innerHTML();

const isStatus = (request) => new URL(request.url()).pathname === "/status";

async function chat(world, body = {}) {
  return fetch(`${world.baseURL}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${KEY}` },
    body: JSON.stringify({ model: MODEL, messages: [{ role: "user", content: "a-secret-prompt" }], ...body }),
  });
}

test("signing in and out from the page, with no complaint and no request to anyone else", async (t) => {
  const world = await openWorld(t, NOT_SIGNED_IN);
  const { page, asked, complaints } = await openPage(t, world);
  await says(page, "#summary", "Nobody is signed in to Google yet.");
  await says(page, "#terms", "Google may suspend an account");
  assert.equal(await page.getByRole("button", { name: "Sign out" }).isVisible(), false);

  // By keyboard alone.
  await page.getByRole("link", { name: "Sign in with Google" }).focus();
  await page.keyboard.press("Enter");
  await says(page, "h1", "Authentication successful");
  await page.getByRole("link", { name: "To the front page" }).click();
  await says(page, "#summary", "Signed in as ada@example.com.");
  assert.equal(await page.locator("#project").textContent(), "stand-in-project");
  assert.equal(await page.getByRole("link", { name: "Sign in with Google" }).isVisible(), false);

  await page.getByRole("button", { name: "Sign out" }).focus();
  await page.keyboard.press("Enter");
  await says(page, "#summary", "Nobody is signed in to Google yet.");
  await says(page, "#news", "Nobody is signed in");
  assert.equal(await page.evaluate(() => document.activeElement.id), "account-title");
  const status = await fetch(`${world.proxy.address}/auth/status`);
  assert.equal((await status.json()).authenticated, false);

  assert.deepEqual(complaints, []);
  const elsewhere = asked.filter((request) => !request.url().startsWith(`${world.proxy.address}/`));
  const kinds = elsewhere.map((request) => [new URL(request.url()).pathname, request.isNavigationRequest()]);
  // The sign-in itself is at Google's.
  assert.deepEqual(kinds, [["/o/oauth2/v2/auth", true]]);
});

test("a refused account is told the way out", async (t) => {
  const world = await openWorld(t, NOT_SIGNED_IN);
  await world.google.tell("state", { tier: "free-refused" });
  const { page, complaints } = await openPage(t, world);
  await page.getByRole("link", { name: "Sign in with Google" }).click();
  await says(page, "h1", "Google refuses this account");
  await page.getByRole("link", { name: "To the front page" }).click();
  await says(page, "#summary", "Signed in as ada@example.com.");
  await says(page, "#problem", "Google refuses Code Assist to personal accounts");
  await says(page, "#problem", "GEMINI_API_KEY");
  const way = page.locator("#problem a");
  assert.equal(await way.getAttribute("href"), "https://aistudio.google.com/apikey");
  assert.equal(await page.getByRole("link", { name: "Sign in with Google" }).isVisible(), true);
  const refusals = complaints.filter((text) => !text.includes("status of 403"));
  assert.deepEqual(refusals, []);
});

test("with a key nothing is shown before it is entered, and it is in no address", async (t) => {
  const world = await openWorld(t, { PROXY_API_KEY: KEY });
  await chat(world);
  const { page, asked, complaints } = await openPage(t, world);
  const key = page.getByLabel("Key of this proxy");
  await key.waitFor();
  assert.doesNotMatch(await shown(page), /ada@example.com|stand-in-project|gemini-3/);
  assert.equal(asked.filter(isStatus).length, 0);

  await key.fill("a-wrong-key");
  await key.press("Enter");
  await says(page, "#key-problem", "The proxy does not know this key.");
  assert.equal(await page.locator("#state").isVisible(), false);
  // What the browser itself says of the 401.
  assert.deepEqual(complaints.splice(0).map((text) => /status of 401/.test(text)), [true]);

  await key.fill(KEY);
  await key.press("Enter");
  await says(page, "#project", "stand-in-project");
  assert.equal(await page.locator("#locked").isVisible(), false);
  assert.doesNotMatch(await shown(page), new RegExp(KEY));
  assert.equal(await page.evaluate(() => document.activeElement.id), "account-title");
  // It outlives a reload in this tab, and is sent as a bearer.
  await page.reload();
  await says(page, "#project", "stand-in-project");
  const bearer = await asked.filter(isStatus).at(-1).headerValue("authorization");
  assert.equal(bearer, `Bearer ${KEY}`);
  assert.ok(asked.every((request) => !request.url().includes("key")));

  await page.getByRole("button", { name: "Sign out" }).click();
  await says(page, "#summary", "Nobody is signed in to Google yet.");
  await page.getByRole("button", { name: "Forget the key" }).click();
  await key.waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "key");
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  assert.doesNotMatch(await shown(page), /signed in to Google yet|gemini-3/);
  assert.deepEqual(complaints, []);
});

test("what runs and what goes wrong appears while the page is open", async (t) => {
  const world = await openWorld(t);
  const { page, complaints } = await openPage(t, world);
  await says(page, "section", "No request is being answered.");
  await says(page, "section", "Nothing, since the proxy was started.");

  const slow = { responses: [response([{ text: "Half" }], null), { gate: "slow" }, response([{ text: " an hour" }])] };
  await world.google.say(slow, { error: "internal", times: "always" });
  const answer = await chat(world, { stream: true });
  await look(page);
  await says(page, "#running li", MODEL);
  await says(page, "#running li", "chat_completions");
  await world.google.tell("release", { gate: "slow" });
  await answer.text();
  await look(page);
  await says(page, "section", "No request is being answered.");

  for (let nth = 0; nth < 2; nth += 1) assert.equal((await chat(world)).status, 502);
  await chat(world, { messages: [{ role: "a-secret-role" }] });
  await look(page);
  await says(page, "#failures li:nth-child(2)", "502 upstream_error");
  await says(page, "#failures li:nth-child(2)", "×\u00a02");
  await says(page, "#failures li:nth-child(2)", "Google failed");
  await says(page, "#failures li:nth-child(1)", "400 invalid_value");
  await says(page, "#news", "New failure: 400");
  assert.doesNotMatch(await shown(page), /a-secret/);
  assert.deepEqual(complaints, []);
});

test("it says when the proxy is gone and when it is back, and rests while nobody looks", async (t) => {
  const world = await openWorld(t);
  const { page, asked } = await openPage(t, world);
  await says(page, "#fresh", "As of");
  await world.proxy.stop();
  await look(page);
  await says(page, "#gone", "No answer since");
  await says(page, "h1", "Gemini Proxy does not answer");
  world.proxy.settings.PROXY_PORT = new URL(world.proxy.address).port;
  await world.proxy.start();
  await look(page);
  await says(page, "h1", "Gemini Proxy is running");
  await says(page, "#news", "Gemini Proxy answers again.");
  assert.equal(await page.locator("#gone").isVisible(), false);

  const see = (isHidden) => page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);
  await see(true);
  const before = asked.length;
  await page.clock.fastForward(60_000);
  assert.equal(asked.length, before);
  const looks = page.waitForRequest(isStatus);
  await see(false);
  await looks;
});

test("without JavaScript it shows the state, and signs out", async (t) => {
  const world = await openWorld(t);
  const { page, complaints } = await openPage(t, world, { javaScriptEnabled: false });
  await says(page, "#summary", "Signed in as");
  await says(page, "#models li", MODEL);
  await says(page, "noscript p", "reload the page");
  await page.getByRole("button", { name: "Sign out" }).click();
  await says(page, "#summary", "Nobody is signed in to Google yet.");
  assert.equal(page.url(), `${world.proxy.address}/`);
  const locked = await openWorld(t, { PROXY_API_KEY: KEY });
  await page.goto(`${locked.proxy.address}/`);
  await says(page, "noscript p", "Without JavaScript");
  assert.equal(await page.getByLabel("Key of this proxy").isVisible(), false);
  assert.deepEqual(complaints, []);
});

test("it fits a phone and a desk, has landmarks, and everything in it has a name", async (t) => {
  const world = await openWorld(t);
  for (const width of [320, 390, 1280]) {
    const { page } = await openPage(t, world, { viewport: { width, height: 800 } });
    await says(page, "#fresh", "As of");
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${overflow} pixels too wide at ${width}`);
    const regions = page.getByRole("region");
    assert.equal(await regions.count(), 5);
    assert.equal(await page.getByRole("main").count(), 1);
    assert.equal(await page.getByRole("heading", { level: 1 }).count(), 1);
    assert.equal(await page.getByRole("button", { name: /./ }).count(), await page.getByRole("button").count());
  }
});

for (const colorScheme of ["light", "dark"]) {
  test(`text stands out enough in ${colorScheme} (WCAG 2.2, 1.4.3)`, async (t) => {
    const world = await openWorld(t, NOT_SIGNED_IN);
    await chat(world);
    const { page } = await openPage(t, world, { colorScheme });
    await says(page, "#failures li", "not_signed_in");
    const faint = await page.evaluate(() => {
      const numbers = (color) => color.match(/[\d.]+/g).map(Number);
      const luminance = ([red, green, blue]) => {
        const [r, g, b] = [red, green, blue].map((value) => {
          const part = value / 255;
          return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const behind = (element) => {
        for (let one = element; one; one = one.parentElement) {
          const color = numbers(getComputedStyle(one).backgroundColor);
          if (color[3] !== 0) return color;
        }
        throw new Error("there is no paper");
      };
      const written = [...document.querySelectorAll("body *")].filter((element) =>
        [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
      return written.map((element) => {
        const [dark, light] = [numbers(getComputedStyle(element).color), behind(element)]
          .map(luminance)
          .sort((a, b) => a - b);
        return [element.textContent, (light + 0.05) / (dark + 0.05)];
      }).filter(([, contrast]) => contrast < 4.5);
    });
    assert.deepEqual(faint, []);
  });
}
