// A WebSocket for Node.js releases that have none: as much of one as the client needs.

import { createHash, randomBytes } from "node:crypto";
import { connect } from "node:net";

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

export class Socket {
  #stream;
  #unread = Buffer.alloc(0);
  #isOpen = false;
  #parts = [];
  #key = randomBytes(16).toString("base64");
  #ending = { code: 1006, reason: "" };

  constructor(url, protocols) {
    const { hostname, port, pathname, host } = new URL(url);
    this.#stream = connect(Number(port), hostname);
    this.#stream.on("error", () => {});
    this.#stream.on("close", () => this.onclose?.(this.#ending));
    this.#stream.on("data", (bytes) => this.#read(bytes));
    this.#stream.write(
      `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${this.#key}\r\n` +
        `Sec-WebSocket-Protocol: ${protocols.join(", ")}\r\n\r\n`,
    );
  }

  send(text) {
    this.#write(TEXT, Buffer.from(text));
  }

  close() {
    if (this.#isOpen) this.#write(CLOSE, Buffer.from([0x03, 0xe8]));
    this.#stream.end();
  }

  #read(bytes) {
    this.#unread = Buffer.concat([this.#unread, bytes]);
    if (!this.#isOpen && !this.#opened()) return;
    while (this.#frame());
  }

  #opened() {
    const end = this.#unread.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const head = this.#unread.subarray(0, end).toString();
    const accepted = createHash("sha1").update(`${this.#key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    if (!head.startsWith("HTTP/1.1 101") || !head.includes(accepted)) return void this.#stream.destroy();
    this.#unread = this.#unread.subarray(end + 4);
    this.#isOpen = true;
    this.onopen?.();
    return true;
  }

  /** Takes one frame from what was read. Answers whether there was one. */
  #frame() {
    const bytes = this.#unread;
    if (bytes.length < 2) return false;
    const short = bytes[1] & 0x7f;
    const head = short === 127 ? 10 : short === 126 ? 4 : 2;
    if (bytes.length < head) return false;
    const length = short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
    if (bytes.length < head + length) return false;
    const payload = bytes.subarray(head, head + length);
    this.#unread = bytes.subarray(head + length);
    this.#take(bytes[0] & 0x0f, (bytes[0] & 0x80) !== 0, payload);
    return true;
  }

  #take(kind, isLast, payload) {
    if (kind === PING) return this.#write(PONG, payload);
    if (kind === PONG) return undefined;
    if (kind === CLOSE) {
      this.#ending = { code: payload.length >= 2 ? payload.readUInt16BE(0) : 1005, reason: payload.subarray(2).toString() };
      this.#write(CLOSE, payload.subarray(0, 2));
      return this.#stream.end();
    }
    this.#parts.push(payload);
    if (isLast) this.onmessage?.({ data: Buffer.concat(this.#parts.splice(0)).toString() });
    return undefined;
  }

  #write(kind, payload) {
    const long = payload.length > 125;
    const head = Buffer.alloc(long ? 4 : 2);
    head[0] = 0x80 | kind;
    head[1] = 0x80 | (long ? 126 : payload.length);
    if (long) head.writeUInt16BE(payload.length, 2);
    const mask = randomBytes(4);
    const masked = Buffer.from(payload.map((byte, i) => byte ^ mask[i % 4]));
    if (!this.#stream.destroyed) this.#stream.write(Buffer.concat([head, mask, masked]));
  }
}
