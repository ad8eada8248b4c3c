// A page of a classic chat, for users and for their support team: written from what such pages say and hear, with their
// weaknesses. It shows its own messages only when `message-sent` comes, trusts `receive-message` not to come twice, and
// takes what comes only from whom it was told to write to.
"use strict";
const query = new URLSearchParams(location.search);
const API = query.get("api") ?? location.origin;
const token = () => localStorage.getItem("token");
const claims = JSON.parse(atob(token().split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
const me = claims.id;
const isAdmin = claims.role === "admin";
const $ = (id) => document.getElementById(id);

// What the page knows.
let rows = [];
let selected = null; // whom the admin talks to
let admin = null; // whom a user talks to
let messages = [];
let isTyping = false;
window.wrong = []; // what such a page would break on
window.errors = []; // what the server refused

// --- REST, as its axios instance does it ---

const LOGS_OUT = ["No token provided", "Token expired", "Invalid token", "Authentication failed"];

async function request(method, route, body) {
  const answer = await fetch(`${API}/api/chat/${route}`, {
    method,
    headers: { Authorization: `Bearer ${token()}`, "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const data = await answer.json();
  if (answer.status === 401 && LOGS_OUT.includes(data.message)) window.wrong.push(`logged out: ${data.message}`);
  if (!answer.ok) throw new Error(data.message);
  return data;
}

// --- the socket ---

const socket = io(API, {
  autoConnect: true, reconnection: true, reconnectionDelay: 1000, reconnectionAttempts: 10, reconnectionDelayMax: 5000,
  timeout: 20000, transports: (query.get("transports") ?? "websocket,polling").split(","),
});
window.socket = socket;

const authenticate = () => socket.emit("authenticate", token());
socket.on("connect", authenticate);
socket.on("authenticated", (answer) => {
  if (!answer.success) setTimeout(authenticate, 2000);
  else if (answer.userId !== me) window.wrong.push(`authenticated as ${answer.userId}`);
  $("status").textContent = answer.success ? "connected" : answer.message;
});
socket.on("disconnect", () => { $("status").textContent = "disconnected"; });
socket.on("error", (error) => window.errors.push(error.message));

socket.on("receive-message", (message) => {
  if (message.receiver._id !== me) window.wrong.push(`a message to ${message.receiver._id}`);
  if (isAdmin) {
    loadRows();
    if (message.sender._id !== selected?.userId) return;
  } else if (message.sender._id !== admin?._id) {
    return;
  }
  messages = [...messages, message]; // as it comes
  isTyping = false;
  socket.emit("mark-read", { senderId: message.sender._id });
  paint();
});

socket.on("message-sent", (message) => {
  if (message.sender._id !== me) window.wrong.push(`sent as ${message.sender._id}`);
  if (isAdmin) loadRows();
  if (messages.some((known) => known._id === message._id)) return;
  if (isAdmin && message.receiver._id !== selected?.userId) return;
  messages = [...messages, message];
  paint();
});

const other = () => (isAdmin ? selected?.userId : admin?._id);
socket.on("user-typing", ({ userId }) => { if (userId === other()) { isTyping = true; paint(); } });
socket.on("user-stop-typing", ({ userId }) => { if (userId === other()) { isTyping = false; paint(); } });

// --- what it loads ---

async function loadRows() {
  try {
    rows = await request("GET", "conversations");
    const unread = await request("GET", "unread-count");
    $("unread").textContent = unread.count;
    paint();
  } catch (error) {
    window.errors.push(error.message);
  }
}

async function select(row) {
  selected = row;
  messages = await request("GET", `messages/${row.userId}`);
  socket.emit("mark-read", { senderId: row.userId });
  paint();
  await loadRows();
}

async function load() {
  if (isAdmin) return loadRows();
  admin = await request("GET", "admin");
  messages = await request("GET", `messages/${admin._id}`);
  paint();
}

// --- what it shows ---

function paint() {
  const filter = $("filter").value.toLowerCase();
  const shown = rows.filter((row) => row.name.toLowerCase().includes(filter) || row.email.toLowerCase().includes(filter));
  $("list").replaceChildren(...shown.map((row) => {
    const item = document.createElement("li");
    item.dataset.user = row.userId;
    item.dataset.unread = row.unreadCount;
    item.textContent = `${row.name}: ${row.lastMessage}`;
    item.className = row.userId === selected?.userId ? "selected" : "";
    item.onclick = () => select(row);
    return item;
  }));
  $("messages").replaceChildren(...messages.map((message) => {
    const item = document.createElement("li");
    item.className = message.sender._id === me ? "own" : "theirs";
    item.textContent = message.message;
    return item;
  }));
  $("typing").textContent = isTyping ? "typing …" : "";
}

// --- what people do ---

let idle = null;
function stopTyping() {
  clearTimeout(idle);
  idle = null;
  socket.emit("stop-typing", { receiverId: other() });
}

$("text").oninput = () => {
  if (!other()) return;
  if (idle === null) socket.emit("typing", { receiverId: other() });
  clearTimeout(idle);
  idle = setTimeout(stopTyping, 2000);
};

$("send").onclick = () => {
  const message = $("text").value;
  if (!other() || !message.trim()) return;
  socket.emit("send-message", { receiverId: other(), message });
  stopTyping();
  $("text").value = "";
};

$("filter").oninput = paint;
load().catch((error) => window.errors.push(error.message));
