// Two people at a real node, each a client of their own, writing to one another while whoever runs this cuts their
// connections. Prints what each was shown when both were shown everything.
//
// URL is the door, ANN and BOB their tokens, MESSAGES how many each writes.

import { Client, directConversation } from "./support.mjs";
import { Socket } from "./socket.mjs";

const { URL: url, ANN, BOB, MESSAGES } = process.env;
const count = Number(MESSAGES);
const conversation = await directConversation("ann", "bob");
const env = { WebSocket: Socket };

function person(token, peer) {
  const client = new Client({ url, token: () => token, env });
  const shown = [];
  const statuses = [];
  client.addEventListener("message", ({ detail }) => shown.push([detail.seq, detail.from, detail.text]));
  client.addEventListener("status", ({ detail }) => statuses.push(detail.state));
  client.start();
  return { client, shown, statuses, write: (text) => client.send({ conversation, to: peer, text }) };
}

const ann = person(ANN, "bob");
const bob = person(BOB, "ann");
for (let n = 0; n < count; n += 1) {
  ann.write(`${n}`);
  bob.write(`${n}`);
  await new Promise((next) => setTimeout(next, 10));
}
const isDone = ({ client, shown }) => shown.length >= 2 * count && client.pending().length === 0;
while (!isDone(ann) || !isDone(bob)) await new Promise((next) => setTimeout(next, 20));
// What is shown twice would come a little later.
await new Promise((next) => setTimeout(next, 500));

const page = await ann.client.history(conversation, { limit: 100 });
const list = await bob.client.conversations();
await bob.client.read(conversation, 2 * count);
const after = await bob.client.conversations();
console.log(
  JSON.stringify({
    ann: ann.shown,
    bob: bob.shown,
    reconnects: [ann, bob].map(({ statuses }) => statuses.filter((state) => state === "online").length - 1),
    history: page.messages.length,
    unread: [list, after].map(({ conversations }) => conversations[0].unread),
  }),
);
ann.client.stop();
bob.client.stop();
