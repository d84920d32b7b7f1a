// One request with Node's http.request or https.request as it comes: METHOD URL [BODY]. Prints the status code.

import http from "node:http";
import https from "node:https";

const [method, url, body] = process.argv.slice(2);
const { request: begin } = url.startsWith("https:") ? https : http;
const request = begin(url, { method }, (response) => {
  response.resume();
  response.on("end", () => console.log(response.statusCode));
});
request.end(body);
