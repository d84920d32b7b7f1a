// What the drivers of Node share: as driving.py, with the same lines.

const RESULT = "21 degrees";
const TOOLS = { get_weather: ["The weather of a city.", "city"], get_time: ["The time in a zone.", "zone"] };
const ROUNDS = 20;

const schema = (argument) => ({
  type: "object",
  properties: { [argument]: { type: "string" } },
  required: [argument],
});

const report = (known) => ({
  asked: null, stream: false, model: null, id: null, finish_reasons: [], usage: null, tool_calls: [], text: "",
  error: null, ...known,
});

const plain = (value) =>
  value && typeof value === "object"
    ? Object.fromEntries(Object.entries(value).filter(([, one]) => one != null).map(([key, one]) => [key, plain(one)]))
    : value;

const fault = (error, more) => ({ kind: error.constructor.name, status: null, type: null, code: null, ...more });

async function play(ask, begin, describe) {
  for (const scene of process.argv.slice(2)) {
    const [word, how] = scene.split(":");
    let messages = begin(`What is the weather? (${word})`);
    const calls = [];
    while (calls.length < ROUNDS) {
      const said = report({ stream: how === "stream" });
      calls.push(said);
      try {
        messages = messages.concat(await ask(messages, said, word === "tools" || word.startsWith("loop-")));
      } catch (error) {
        said.error = describe(error);
        break;
      }
      if (!said.tool_calls.length) break;
    }
    console.log(JSON.stringify({ scene, calls }));
  }
}

module.exports = { RESULT, TOOLS, fault, plain, play, schema };
