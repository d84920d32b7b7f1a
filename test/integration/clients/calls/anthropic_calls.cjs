// Messages with @anthropic-ai/sdk as it comes: SCENE..., see driving.cjs.

const { Anthropic } = require("@anthropic-ai/sdk");
const { RESULT, TOOLS, fault, plain, play, schema } = require("./driving.cjs");

const MODEL = "claude-sonnet-5-5";
const client = new Anthropic({ apiKey: "secret", maxRetries: 0, timeout: 30000 });
const DECLARED = Object.entries(TOOLS).map(([name, [description, argument]]) => ({
  name, description, input_schema: schema(argument),
}));

async function ask(messages, said, tools) {
  said.asked = MODEL;
  const asked = { model: MODEL, max_tokens: 64, messages, ...(tools ? { tools: DECLARED } : {}) };
  let answer;
  if (said.stream) {
    const stream = client.messages.stream(asked);
    stream.on("streamEvent", (_, snapshot) => take(snapshot, said));
    answer = await stream.finalMessage();
  } else {
    answer = await client.messages.create(asked);
  }
  take(answer, said);
  const calls = answer.content.filter((block) => block.type === "tool_use");
  return [
    { role: "assistant", content: calls },
    { role: "user", content: calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: RESULT })) },
  ];
}

function take(answer, said) {
  const text = answer.content.filter((block) => block.type === "text").map((block) => block.text).join("");
  const tool_calls = answer.content.filter((block) => block.type === "tool_use").map(({ id, name }) => [id, name]);
  const finish_reasons = answer.stop_reason ? [answer.stop_reason] : [];
  Object.assign(said, { model: answer.model, id: answer.id, usage: plain(answer.usage) });
  Object.assign(said, { text, tool_calls, finish_reasons });
}

const describe = (error) => fault(error, { status: error.status ?? null, type: error.error?.error?.type ?? null });

play(ask, (content) => [{ role: "user", content }], describe);
