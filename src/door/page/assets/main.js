// The page: signs in, then chats. What must survive a reload is kept by `keep.js`, for this tab only.

import { Banner } from "./banner.js";
import { Chat } from "./chat.js";
import { Client } from "./client.js";
import { keep } from "./keep.js";
import { askWho } from "./sign-in.js";
import { byId } from "./view.js";

/** Where the native door is. */
function door() {
  const url = new URL("/ws", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** A token out of the address, which is not to stay there. */
function tokenInAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) history.replaceState(null, "", location.pathname);
  return token;
}

async function run() {
  const token = tokenInAddress();
  if (token) keep.who = { token };
  let problem;
  for (;;) {
    keep.who ??= await askWho(problem);
    problem = await chat(keep.who);
    keep.who = undefined;
  }
}

/** Chats until somebody signs out, or cannot stay; answers why. */
function chat(who) {
  const client = new Client({ url: door(), token: () => tokenOf(who), saved: keep.saved });
  const view = new Chat(client, keep);
  new Banner(client);
  byId("chat").hidden = false;
  return new Promise((done) => {
    client.addEventListener("status", ({ detail }) => {
      if (detail.state !== "stopped") return;
      view.close();
      byId("chat").hidden = true;
      done(whyStopped(detail));
    });
    byId("sign-out").onclick = () => {
      client.stop();
      keep.clear();
    };
    client.start();
  });
}

/** Why somebody is out, in words for them; none if they signed out themselves. */
function whyStopped({ code, reason }) {
  if (code === undefined) return "";
  if (code === 4401) return "The server does not accept this sign-in (any more). Get a new one and try again.";
  if (code === 4403) return "You may not use this chat (any more). Ask those who run it why.";
  return reason ? `The server closed the connection: ${reason}.` : `The server closed the connection (${code}).`;
}

async function tokenOf({ name, role, token }) {
  if (token) return token;
  const answer = await fetch("/dev/login", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name, role }),
  }).catch(() => undefined);
  if (!answer) throw new Error("the server does not answer");
  if (!answer.ok) throw new Error("the server did not sign us in");
  return (await answer.json()).token;
}

run();
