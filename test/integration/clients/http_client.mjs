// One request with Node's http.request as it comes: METHOD URL [BODY]. Prints the status code.

import http from "node:http";

const [method, url, body] = process.argv.slice(2);
const request = http.request(url, { method }, (response) => {
  response.resume();
  response.on("end", () => console.log(response.statusCode));
});
request.end(body);
