// An MCP client of @modelcontextprotocol/sdk as it comes: MODE URL, or MODE and the command of a server, MODE being
// legacy, or old: over HTTP with SSE. As mcp_calls.py, with the same lines.

const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { SSEClientTransport } = require("@modelcontextprotocol/sdk/client/sse.js");
const { StdioClientTransport } = require("@modelcontextprotocol/sdk/client/stdio.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");

const say = (what) => console.log(JSON.stringify(what));

async function attempt(method, target, act) {
  try {
    const result = await act();
    say({ method, target, code: null, tool_error: Boolean(result.isError), result });
  } catch (error) {
    say({ method, target, code: error.code ?? String(error), tool_error: false });
  }
}

async function main(mode, ...server) {
  const [command, ...args] = server;
  const piped = args.length > 0;
  const transport = piped
    ? new StdioClientTransport({ command, args, env: process.env })
    : new (mode === "old" ? SSEClientTransport : StreamableHTTPClientTransport)(new URL(command));
  const progress = [];
  const onprogress = (seen) => progress.push([seen.progress, seen.total, seen.message]);
  const client = new Client({ name: "tested", version: "1" });
  await client.connect(transport);
  say({ protocol: transport.protocolVersion ?? transport._protocolVersion ?? null, server: client.getServerVersion().name });
  const call = (name, args, options) => client.callTool({ name, arguments: args }, undefined, options);
  await attempt("tools/list", null, () => client.listTools());
  await attempt("tools/call", "add", () => call("add", { a: 2, b: 3 }));
  await attempt("tools/call", "fail", () => call("fail", { why: "as asked" }));
  await attempt("tools/call", "walk", () => call("walk", { steps: 3 }, { onprogress }));
  await attempt("tools/call", "nothing", () => call("nothing", {}));
  await attempt("resources/list", null, () => client.listResources());
  await attempt("resources/read", "config://units", () => client.readResource({ uri: "config://units" }));
  await attempt("resources/read", "config://none", () => client.readResource({ uri: "config://none" }));
  await attempt("prompts/list", null, () => client.listPrompts());
  await attempt("prompts/get", "forecast", () => client.getPrompt({ name: "forecast", arguments: { city: "Paris" } }));
  say({ progress });
  if (transport.terminateSession) await transport.terminateSession();
  await client.close();
}

main(...process.argv.slice(2));
