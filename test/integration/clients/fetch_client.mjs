// One request with Node's fetch as it comes: METHOD URL [BODY]. Prints the status code.
// What plain-HTTP fetch does with a proxy depends on Node: 22 and 24 open a CONNECT tunnel, 26 sends absolute-form.

const [method, url, body] = process.argv.slice(2);
const response = await fetch(url, { method, body });
await response.arrayBuffer();
console.log(response.status);
