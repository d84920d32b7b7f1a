// One chat completion with the openai package as it comes: URL [stream]. Prints the answer's text.

const { OpenAI } = require("openai");

async function main(url, how) {
  const client = new OpenAI({ apiKey: "secret", baseURL: url + "/v1", maxRetries: 0, timeout: 30000 });
  const asked = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Say hello." }] };
  if (how !== "stream") {
    const answer = await client.chat.completions.create(asked);
    return answer.choices[0].message.content;
  }
  let text = "";
  for await (const chunk of await client.chat.completions.create({ ...asked, stream: true })) {
    text += chunk.choices[0].delta.content ?? "";
  }
  return text;
}

main(...process.argv.slice(2)).then(console.log);
