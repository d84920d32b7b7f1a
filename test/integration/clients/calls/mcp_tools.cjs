// An MCP server of @modelcontextprotocol/sdk as it comes: KIND, which is sse, json, stdio or old. As
// mcp_tools.py.

const http = require("node:http");
const { randomUUID } = require("node:crypto");
const { McpServer } = require("@modelcontextprotocol/sdk/server/mcp.js");
const { SSEServerTransport } = require("@modelcontextprotocol/sdk/server/sse.js");
const { StdioServerTransport } = require("@modelcontextprotocol/sdk/server/stdio.js");
const { StreamableHTTPServerTransport } = require("@modelcontextprotocol/sdk/server/streamableHttp.js");
const { z } = require("zod");

const [kind] = process.argv.slice(2);
const sessions = new Map();
const text = (value) => ({ content: [{ type: "text", text: String(value) }] });

function made() {
  const server = new McpServer({ name: "weather", version: "1" });
  const tool = (name, description, inputSchema, act) => server.registerTool(name, { description, inputSchema }, act);
  tool("add", "The sum of two numbers.", { a: z.number(), b: z.number() }, ({ a, b }) => text(a + b));
  tool("fail", "Goes wrong.", { why: z.string() }, ({ why }) => {
    throw new Error(why);
  });
  tool("walk", "Says how far it has come.", { steps: z.number() }, async ({ steps }, extra) => {
    for (let progress = 1; progress <= steps; ++progress) {
      const params = { progressToken: extra._meta?.progressToken, progress, total: steps, message: `step ${progress}` };
      await extra.sendNotification({ method: "notifications/progress", params });
    }
    return text("there");
  });
  server.registerResource("units", "config://units", { description: "The units of the answers." }, (uri) => ({
    contents: [{ uri: uri.href, text: "celsius" }],
  }));
  server.registerPrompt("forecast", { description: "Asks for a forecast.", argsSchema: { city: z.string() } },
    ({ city }) => ({
      messages: [{ role: "user", content: { type: "text", text: `What will the weather be in ${city}?` } }],
    }));
  return server;
}

async function transportOf(session) {
  if (sessions.has(session)) return sessions.get(session);
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    enableJsonResponse: kind === "json",
    onsessioninitialized: (id) => sessions.set(id, transport),
  });
  await made().connect(transport);
  return transport;
}

// Over HTTP with SSE.
async function serveOld(request, response, document) {
  if (request.method === "POST") {
    const session = new URL(request.url, "http://localhost").searchParams.get("sessionId");
    return sessions.get(session).handlePostMessage(request, response, document);
  }
  const transport = new SSEServerTransport("/messages", response);
  sessions.set(transport.sessionId, transport);
  return made().connect(transport);
}

async function serve(request, response) {
  const body = Buffer.concat(await Array.fromAsync(request)).toString();
  const kept = ["traceparent", "mcp-session-id", "mcp-protocol-version"];
  const seen = Object.fromEntries(kept.map((name) => [name, request.headers[name] ?? null]));
  const document = body ? JSON.parse(body) : null;
  const { writeHead } = response;
  response.writeHead = (status, ...more) => {
    const given = Object.assign({}, ...more.filter((one) => typeof one === "object"));
    const session = seen["mcp-session-id"] ?? given["mcp-session-id"] ?? response.getHeader("mcp-session-id") ?? null;
    console.log(JSON.stringify({ method: request.method, status, session, ...seen, document }));
    return writeHead.call(response, status, ...more);
  };
  if (kind === "old") return serveOld(request, response, document);
  const transport = await transportOf(seen["mcp-session-id"]);
  await transport.handleRequest(request, response, document ?? undefined);
}

if (kind === "stdio") {
  made().connect(new StdioServerTransport());
} else {
  const server = http.createServer(serve);
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
}
