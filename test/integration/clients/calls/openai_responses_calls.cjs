// The Responses API with the openai package as it comes: SCENE..., see driving.cjs.

const { OpenAI } = require("openai");
const { RESULT, TOOLS, fault, plain, play, schema } = require("./driving.cjs");

const MODEL = "gpt-5";
const client = new OpenAI({ apiKey: "secret", maxRetries: 0, timeout: 30000 });
const DECLARED = Object.entries(TOOLS).map(([name, [description, argument]]) => ({
  type: "function", name, description, parameters: schema(argument), strict: false,
}));

async function ask(input, said, tools) {
  said.asked = MODEL;
  const asked = { model: MODEL, input, ...(tools ? { tools: DECLARED } : {}) };
  let answer;
  if (said.stream) {
    for await (const event of await client.responses.create({ ...asked, stream: true })) {
      if (event.type === "response.output_text.delta") said.text += event.delta;
      if (event.response) {
        answer = event.response;
        take(answer, said, !["response.created", "response.in_progress"].includes(event.type));
      }
    }
  } else {
    answer = await client.responses.create(asked);
    said.text = answer.output_text;
    take(answer, said, true);
  }
  const calls = answer.output.filter((item) => item.type === "function_call");
  said.tool_calls = calls.map((call) => [call.call_id, call.name]);
  return [
    ...calls.map(({ call_id, name, arguments: text }) => ({ type: "function_call", call_id, name, arguments: text })),
    ...calls.map(({ call_id }) => ({ type: "function_call_output", call_id, output: RESULT })),
  ];
}

function take(answer, said, whole) {
  Object.assign(said, { model: answer.model, id: answer.id });
  if (!whole) return;
  const incomplete = answer.incomplete_details?.reason ?? null;
  Object.assign(said, { usage: plain(answer.usage), status: answer.status, incomplete });
  if (answer.error) said.error = { kind: null, status: null, type: null, code: answer.error.code };
}

const describe = (error) =>
  fault(error, { status: error.status ?? null, type: error.type ?? null, code: error.code ?? null });

play(ask, (content) => [{ role: "user", content }], describe);
