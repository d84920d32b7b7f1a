// One message with @anthropic-ai/sdk as it comes: URL [stream]. Prints the answer's text.

const { Anthropic } = require("@anthropic-ai/sdk");

async function main(url, how) {
  const client = new Anthropic({ apiKey: "secret", baseURL: url, maxRetries: 0, timeout: 30000 });
  const asked = { model: "claude-sonnet-5-5", max_tokens: 16, messages: [{ role: "user", content: "Say hello." }] };
  if (how === "stream") return client.messages.stream(asked).finalText();
  const answer = await client.messages.create(asked);
  return answer.content[0].text;
}

main(...process.argv.slice(2)).then(console.log);
