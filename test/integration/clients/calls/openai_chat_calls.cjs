// Chat Completions with the openai package as it comes: SCENE..., see driving.cjs.

const { OpenAI } = require("openai");
const { RESULT, TOOLS, fault, plain, play, schema } = require("./driving.cjs");

const MODEL = "gpt-5-mini";
const client = new OpenAI({ apiKey: "secret", maxRetries: 0, timeout: 30000 });
const DECLARED = Object.entries(TOOLS).map(([name, [description, argument]]) => ({
  type: "function",
  function: { name, description, parameters: schema(argument) },
}));

async function ask(messages, said, tools) {
  said.asked = MODEL;
  const asked = { model: MODEL, messages, ...(tools ? { tools: DECLARED } : {}) };
  let calls = [];
  if (said.stream) {
    if (!messages[0].content.includes("(unmetered)")) asked.stream_options = { include_usage: true };
    const chunks = await client.chat.completions.create({ ...asked, stream: true });
    for await (const chunk of chunks) take(chunk, said, calls);
  } else {
    const answer = await client.chat.completions.create(asked);
    const { message } = answer.choices[0];
    calls = message.tool_calls ?? [];
    Object.assign(said, {
      model: answer.model, id: answer.id, usage: plain(answer.usage), text: message.content ?? "",
      finish_reasons: answer.choices.map((choice) => choice.finish_reason),
    });
  }
  said.tool_calls = calls.map((call) => [call.id, call.function.name]);
  return [
    { role: "assistant", content: null, tool_calls: calls },
    ...calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: RESULT })),
  ];
}

function take(chunk, said, calls) {
  Object.assign(said, { model: chunk.model, id: chunk.id });
  if (chunk.usage) said.usage = plain(chunk.usage);
  for (const choice of chunk.choices) {
    said.text += choice.delta.content ?? "";
    if (choice.finish_reason) said.finish_reasons.push(choice.finish_reason);
    for (const { index, id, function: { name, arguments: piece } } of choice.delta.tool_calls ?? []) {
      calls[index] ??= { id, type: "function", function: { name, arguments: "" } };
      calls[index].function.arguments += piece ?? "";
    }
  }
}

const describe = (error) =>
  fault(error, { status: error.status ?? null, type: error.type ?? null, code: error.code ?? null });

play(ask, (content) => [{ role: "user", content }], describe);
