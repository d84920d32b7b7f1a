// A client and a server of the service that test/integration/test_grpc_interop.py describes, by grpc-js as it comes:
// main.js client TARGET plain|tls, main.js server HOST [CERTIFICATE KEY].
"use strict";

const fs = require("node:fs");
const grpc = require("@grpc/grpc-js");

const SERVICE = "/sidespan.test.Interop/";
const asIs = (bytes) => bytes;
const zeros = (size) => Buffer.alloc(size);

function handlers() {
  const unary = (call, answer) => {
    const head = new grpc.Metadata();
    const tail = new grpc.Metadata();
    for (const value of call.metadata.get("x-echo")) head.set("x-echo", value);
    for (const value of call.metadata.get("x-echo-bin")) tail.set("x-echo-bin", value);
    call.sendMetadata(head);
    answer(null, call.request, tail);
  };
  return {
    Unary: unary,
    Fail: (call, answer) =>
      answer({ code: grpc.status.FAILED_PRECONDITION, details: call.request.toString() }),
    Slow: (call, answer) => setTimeout(() => call.cancelled || unary(call, answer), 3000).unref(),
    Up: (call, answer) => {
      let total = 0;
      call.on("data", (part) => (total += part.length));
      call.on("end", () => answer(null, Buffer.from(String(total))));
      call.on("error", () => {});
    },
    Down: (call) => {
      const [count, size] = call.request.toString().split(",").map(Number);
      for (let i = 0; i < count; i++) call.write(zeros(size));
      call.end();
    },
    Both: (call) => {
      call.on("data", (part) => call.write(part));
      call.on("end", () => call.end());
      call.on("error", () => {});
    },
  };
}

function server(host, certificate, key) {
  const definition = {};
  const noted = {};
  for (const [name, handle] of Object.entries(handlers())) {
    definition[name] = {
      path: SERVICE + name,
      requestStream: name === "Up" || name === "Both",
      responseStream: name === "Down" || name === "Both",
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    };
    noted[name] = (call, answer) => {
      console.log("call", name, String(call.metadata.get("traceparent")));
      return handle(call, answer);
    };
  }
  const program = new grpc.Server();
  program.addService(definition, noted);
  const pair = certificate && { private_key: fs.readFileSync(key), cert_chain: fs.readFileSync(certificate) };
  const credentials = pair ? grpc.ServerCredentials.createSsl(null, [pair]) : grpc.ServerCredentials.createInsecure();
  program.bindAsync(`${host}:0`, credentials, (error, port) => {
    if (error) throw error;
    console.log("port", port);
  });
}

// Every call ends as {code, details, answers, head, tail}.
function ended(call, collect) {
  const outcome = { answers: [] };
  return new Promise((resolve) => {
    call.on("metadata", (head) => (outcome.head = head));
    if (collect) call.on("data", (answer) => outcome.answers.push(answer));
    call.on("error", () => {});
    call.on("status", (status) => resolve(Object.assign(outcome, { tail: status.metadata }, status)));
  });
}

class Calls {
  constructor(target, credentials, options) {
    this.client = new grpc.Client(target, credentials, options);
  }

  async unary(path, message, metadata = new grpc.Metadata(), timeout = 30000) {
    let answer;
    const options = { deadline: Date.now() + timeout };
    const call = this.client.makeUnaryRequest(path, asIs, asIs, message, metadata, options, (_, it) => (answer = it));
    const outcome = await ended(call);
    return Object.assign(outcome, { answers: [answer] });
  }

  up() {
    let keep;
    const answer = new Promise((resolve) => (keep = resolve));
    const call = this.client.makeClientStreamRequest(SERVICE + "Up", asIs, asIs, (_, it) => keep(it));
    return { call, answer };
  }

  both() {
    return this.client.makeBidiStreamRequest(SERVICE + "Both", asIs, asIs);
  }

  async sendBoth(messages) {
    const call = this.both();
    for (const message of messages) call.write(message);
    call.end();
    return ended(call, true);
  }

  async pingPong(times, last) {
    const call = this.both();
    let done = 0;
    call.on("data", () => (++done < times ? call.write(Buffer.from("ping")) : last(call)));
    call.write(Buffer.from("ping"));
    return Object.assign(await ended(call), { done });
  }
}

async function client(target, secure) {
  const credentials = secure ? grpc.credentials.createSsl() : grpc.credentials.createInsecure();
  const calls = new Calls(target, credentials);
  let it = await calls.unary(SERVICE + "Unary", zeros(0));
  console.log("empty", it.code, it.answers[0].length);
  it = await calls.unary(SERVICE + "Unary", zeros(300_000));
  console.log("large", it.code, it.answers[0].length);
  let { call, answer } = calls.up();
  for (const size of [1000, 20, 100_000]) call.write(zeros(size));
  call.end();
  it = await ended(call);
  console.log("up", it.code, (await answer).toString());
  it = await ended(calls.client.makeServerStreamRequest(SERVICE + "Down", asIs, asIs, Buffer.from("5,1000")), true);
  console.log("down", it.code, it.answers.length);
  it = await calls.sendBoth(["a", "b", "c"].map((text) => Buffer.from(text)));
  console.log("both", it.code, it.answers.length);
  it = await calls.pingPong(4, (call) => call.end());
  console.log("pingpong", it.code, it.done);

  call = calls.up().call;
  setTimeout(() => call.cancel(), 200);
  console.log("cancel_begin", (await ended(call)).code);
  it = await calls.pingPong(1, (call) => call.cancel());
  console.log("cancel_first", it.code, it.done);
  console.log("deadline", (await calls.unary(SERVICE + "Slow", zeros(0), undefined, 400)).code);
  it = await calls.unary(SERVICE + "Fail", Buffer.from("näh: 不行 😀\n\tend"));
  console.log("status", it.code, Buffer.from(it.details).toString("hex"));
  const metadata = new grpc.Metadata();
  metadata.set("x-echo", "a word");
  metadata.set("x-echo-bin", Buffer.from([0, 0xff, 0x61, 0x62, 1]));
  it = await calls.unary(SERVICE + "Unary", zeros(0), metadata);
  console.log("metadata", it.code, it.head.get("x-echo")[0], it.tail.get("x-echo-bin")[0].toString("hex"));
  console.log("no_method", (await calls.unary(SERVICE + "Missing", zeros(0))).code);
  console.log("no_service", (await calls.unary("/sidespan.test.Missing/Unary", zeros(0))).code);

  const gzip = new Calls(target, credentials, { "grpc.default_compression_algorithm": 2 });
  it = await gzip.unary(SERVICE + "Unary", zeros(20_000));
  console.log("gzip", it.code, it.answers[0].length);
  it = await gzip.sendBoth([zeros(9000), zeros(1), zeros(0)]);
  console.log("gzip_stream", it.code, it.answers.length);
  calls.client.close();
  gzip.client.close();
}

const [what, where, ...rest] = process.argv.slice(2);
if (what === "server") server(where, ...rest);
else client(where, rest[0] === "tls");
